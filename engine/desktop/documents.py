"""The documents folder as the desktop knows it: names and contents in memory, a bin, and nothing of the disk.

Text documents are str, pictures are PNG bytes. The session mirrors this to `documents/` in the profile.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from engine.errors import InputError

Content = str | bytes
BIN = ".bin/"
PICTURE = ".png"
TEXTS = (".md", ".txt")
KINDS = (*TEXTS, PICTURE)


def kind_of(name: str) -> str:
    """What a document of that name is, one of KINDS, in whatever case it says so; "" where that is none."""
    return next((kind for kind in KINDS if name.casefold().endswith(kind)), "")


class Documents:
    """A flat folder. `version` counts changes; `changed` says when each document last changed, in session seconds."""

    def __init__(self, contents: Mapping[str, Content] | None = None) -> None:
        self.contents: dict[str, Content] = dict(contents or {})
        self.version = 0

    def names(self, binned: bool = False) -> list[str]:
        """Names in the folder, or in the bin, sorted without regard to case."""
        if binned:
            return sorted((n.removeprefix(BIN) for n in self.contents if n.startswith(BIN)), key=str.casefold)
        return sorted((n for n in self.contents if not n.startswith(BIN)), key=str.casefold)

    def read(self, name: str) -> Content:
        return self.contents[name]

    def text(self, name: str) -> str:
        """A text document's content; "" for one that is not there or is a picture."""
        content = self.contents.get(name, "")
        return content if isinstance(content, str) else ""

    def picture_named(self, name: str) -> str:
        """The picture of that name, with or without its ending and whatever the case; "" where there is none."""
        name = name.strip()
        found, said = self.picture_at(name)
        return found if said == name else ""

    def picture_at(self, text: str) -> tuple[str, str]:
        """The picture with whose name a text begins, with or without its ending and whatever the case, and how it is said there; the longest
        name; "" and "" for none."""
        for name in sorted((name for name in self.names() if kind_of(name) == PICTURE), key=len, reverse=True):
            if said := re.match(rf"[\"“]?{re.escape(name[:-4])}(\.png)?[\"”]?(?!\w)", text, re.IGNORECASE):
                return name, said[0]
        return "", ""

    def write(self, name: str, content: Content) -> None:
        if self.contents.get(name) != content:
            self.contents[name] = content
            self.version += 1

    def rename(self, old: str, new: str) -> None:
        """Raises InputError for a name that cannot be a file's, or is taken; nothing is changed then."""
        new = self._checked(new, old)
        if new != old:
            self.contents[new] = self.contents.pop(old)
            self.version += 1

    def delete(self, name: str) -> str:
        """Move to the bin; returns the name it has there."""
        target = self._free(name, BIN)
        self.contents[BIN + target] = self.contents.pop(name)
        self.version += 1
        return target

    def restore(self, name: str) -> str:
        """Take out of the bin; returns the name it has now."""
        target = self._free(name, "")
        self.contents[target] = self.contents.pop(BIN + name)
        self.version += 1
        return target

    def empty_bin(self) -> None:
        for name in [n for n in self.contents if n.startswith(BIN)]:
            del self.contents[name]
        self.version += 1

    def fresh(self, stem: str, kind: str) -> str:
        """A name that is not taken: `stem.kind`, `stem 2.kind`, ..."""
        return self._free(stem + kind, "")

    def _free(self, name: str, prefix: str) -> str:
        stem, dot, kind = name.rpartition(".")
        candidate, count = name, 2
        while prefix + candidate in self.contents:
            candidate = f"{stem} {count}{dot}{kind}"
            count += 1
        return candidate

    def _checked(self, name: str, old: str) -> str:
        name = name.strip()
        kind = old[old.rfind(".") :]
        if not name or name.startswith(".") or any(c in '/\\:*?"<>|' or not c.isprintable() for c in name):
            raise InputError(f"{name!r} cannot be a document's name; leave out / \\ : * ? \" < > | and a leading dot")
        if kind_of(name) != kind_of(old):
            name += kind
        if len(name.encode()) > 200:
            raise InputError("that name is too long; keep it under 200 bytes")
        if name != old and name.casefold() in {n.casefold() for n in self.contents if n != old}:
            raise InputError(f"{name!r} is taken; choose another name")
        return name

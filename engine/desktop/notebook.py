"""The documents that Notes writes: which one is shown, what it is called, and where the caret was in the others."""

from __future__ import annotations

import re
from typing import Any

from engine.desktop.documents import TEXTS, Documents, kind_of
from engine.errors import InputError

UNNAMED = "Note"  # for a text whose first line gives no name
LONGEST = 40  # characters of a name made from a first line
KEPT = 8  # documents whose caret and last edits are kept while others are shown
_MARKER = re.compile(r"[#>*+\-\s]+|\d{1,4}[.)]\s+")
_NOT_IN_NAMES = re.compile(r'[/\\:*?"<>|]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)  # names that Windows keeps to itself


def stem_of(text: str) -> str:
    """A file name for a text, without its kind: its first line that has words, as far as a name may hold them."""
    for line in text[:2000].split("\n"):
        marker = _MARKER.match(line)
        words = _NOT_IN_NAMES.sub(" ", line[marker.end() :] if marker else line)
        words = " ".join("".join(char for char in words if char.isprintable()).split())
        if len(words) > LONGEST:
            cut = words[: LONGEST + 1].rpartition(" ")[0]
            words = cut if len(cut) > LONGEST // 3 else words[:LONGEST]
        words = words.strip(" .")
        if any(char.isalnum() for char in words):
            return f"{words} note" if _RESERVED.match(words) else words
    return ""


class Notebook:
    """`name` is the document shown, "" before it has a name; `follows` says whether its first line names it."""

    def __init__(self, documents: Documents, state: dict[str, Any]) -> None:
        self.documents = documents
        self.name: str = state.get("document", "")
        self.follows: bool = state.get("follows", False)
        self.left: dict[str, dict[str, Any]] = dict(state.get("left", {}))
        if self.name not in documents.contents:
            self.name, self.follows = "", False
        self._remember()

    def state(self) -> dict[str, Any]:
        return {"document": self.name, "follows": self.follows, "left": dict(self.left)}

    @property
    def text(self) -> str:
        return self.documents.text(self.name) if self.name else ""

    def names(self) -> list[str]:
        """The text documents, sorted."""
        return [name for name in self.documents.names() if kind_of(name) in TEXTS]

    def recent(self, last: Any) -> str:
        """The note worked on last, if `last`, the document worked on last, tells: else the newest; "" if none was."""
        names = self.names()
        if last and last not in names:
            return next((name for name in reversed(self.documents.contents) if name in names), "")
        return str(last or "")

    def beside(self) -> str:
        """The document that comes next to the one shown, which is gone; "" if there is none."""
        names = self.names()
        at = sum(name.casefold() < self.name.casefold() for name in names)
        return names[min(at, len(names) - 1)] if names else ""

    def show(self, name: str) -> dict[str, Any]:
        """Turn to another document ("" for a new one); returns what was kept of its last showing."""
        self.name = name
        self.follows = bool(name) and self._fits(stem_of(self.text))
        self._remember()
        return self.left.pop(name, {})

    def leave(self, place: dict[str, Any]) -> None:
        """Keep `place` for when the document shown now is shown again."""
        if self.name:
            self.left[self.name] = place
            for name in list(self.left)[:-KEPT]:
                del self.left[name]

    def write(self, text: str) -> None:
        """Save the text under its name; one that has none is named after its first line."""
        if not self.name:
            self.name, self.follows = self._free(stem_of(text) or UNNAMED), True
        self.documents.write(self.name, text)
        self._remember()

    def follow_first_line(self) -> bool:
        """Rename the document after its first line, if it is named so. True if it has another name now."""
        stem = stem_of(self.text)
        if not self.name or not self.follows or not stem or self._fits(stem):
            return False
        name = self._free(stem)
        self.documents.rename(self.name, name)
        self.name = name
        self._remember()
        return True

    def rename(self, stem: str) -> None:
        """Give the document the name its user chose. Raises InputError if it cannot have it."""
        if not self.name:
            raise InputError("write something first: an empty note has no file that could get a name")
        kind = self.name[self.name.rfind(".") :]
        name = stem.strip().removesuffix(kind) + kind
        if name == kind:
            raise InputError("a note needs a name; type one, or press Escape to keep the old one")
        self.documents.rename(self.name, name)
        self.name, self.follows = name, False
        self._remember()

    def catch_up(self) -> str:
        """Notice what others did to the documents: "" nothing, or renamed, changed or gone for the one shown."""
        documents = self.documents
        if documents.version == self._version:
            return ""
        for name in [name for name in self.left if name not in documents.contents]:
            del self.left[name]
        known, seen = self._known, self._seen
        if not self.name or documents.contents.get(self.name) == seen:
            self._remember()
            return ""
        if self.name in documents.contents:
            self._remember()
            return "changed"
        moved = [name for name in self.names() if name not in known and documents.contents[name] == seen]
        if not moved:
            return "gone"
        self.name, self.follows = moved[0], False
        self._remember()
        return "renamed"

    def _remember(self) -> None:
        """What the documents look like now, to notice when somebody else changes them."""
        self._version = self.documents.version
        self._known = set(self.documents.contents)
        self._seen = self.documents.contents.get(self.name)

    def _fits(self, stem: str) -> bool:
        """Whether the document is named after this stem, be it with a number behind it."""
        mine = self.name[: self.name.rfind(".")]
        return bool(stem) and re.fullmatch(re.escape(stem) + r"( \d+)?", mine) is not None

    def _free(self, stem: str) -> str:
        """A name that no other document has in any case of letters."""
        taken = {name.casefold() for name in self.documents.contents if name != self.name}
        name, count = f"{stem}.md", 2
        while name.casefold() in taken:
            name, count = f"{stem} {count}.md", count + 1
        return name

"""Documents as files: the names they may have, what a file holds, whether it is what we know it to be."""

from __future__ import annotations

import hashlib
import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path
from unicodedata import category

from engine.desktop.documents import BIN, KINDS, PICTURE, Content, kind_of
from engine.errors import InputError

LARGEST_FILE = 20_000_000  # bytes; larger ones are left to other programs
_LONGEST_NAME = 250  # bytes; file systems take 255
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])\s*(\..*)?", re.IGNORECASE)
_ASIDE = " (edited elsewhere)"


def check_name(name: str) -> str:
    """The document's name itself, if every platform can keep a file of that name in one folder.

    A leading ".bin/" is the bin's. Raises InputError otherwise.
    """
    plain = name.removeprefix(BIN)
    if (
        not plain
        or plain.startswith(".")
        or plain != plain.rstrip(". ")
        or any(char in '/\\:*?"<>|' or category(char) in ("Cc", "Cs") for char in plain)
        or _RESERVED.fullmatch(plain)
        or len(plain.encode("utf-8", "replace")) > _LONGEST_NAME
    ):
        raise InputError(f"{name!r} cannot be a file's name on every system; rename the document")
    if not kind_of(plain):
        raise InputError(f"{name!r} is none of {', '.join(KINDS)}; rename the document")
    return name


def encode(content: Content, like: bytes = b"") -> bytes:
    """A document as its file's bytes. like: what a file of it held before, whose usual line end a text keeps, and its byte order mark."""
    if isinstance(content, bytes):
        return content
    both = like.count(b"\r\n")
    often = {"\n": like.count(b"\n") - both, "\r\n": both, "\r": like.count(b"\r") - both}
    text = content.replace("\n", max(often, key=often.__getitem__))
    mark = BOM_UTF8 if like.startswith(BOM_UTF8) else b""
    # Half a surrogate pair is nothing that UTF-8 can say; the journal keeps it all the same.
    return mark + text.encode("utf-8", "replace")


def decode(name: str, data: bytes) -> Content:
    """A file's bytes as a document: a picture's, or text with plain line ends and no byte order mark.

    Raises UnicodeDecodeError for a text that is not UTF-8.
    """
    if kind_of(name) == PICTURE:
        return data
    return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")


def fingerprint(content: Content) -> str:
    """What tells contents apart. Of the content, not of the bytes: other line ends are no other text."""
    return hashlib.sha256(encode(content)).hexdigest()


def fingerprint_of_file(name: str, path: Path) -> str:
    """The fingerprint of what a file holds now; "" if there is no file, "?" for what no document can be."""
    if not path.is_file() or path.is_symlink():
        return "?" if path.is_symlink() or path.exists() else ""
    try:
        return fingerprint(decode(name, path.read_bytes()))
    except UnicodeDecodeError:
        return "?"


def load(name: str, path: Path) -> Content:
    """Read a document. Raises InputError saying why a file cannot be one, OSError where it cannot be read."""
    check_name(name)
    if path.is_symlink() or not path.is_file():
        raise InputError(f"{name} was left out: it is not a plain file")
    if path.stat().st_size > LARGEST_FILE:
        raise InputError(f"{name} was left out: it is larger than {LARGEST_FILE // 1_000_000} MB")
    try:
        return decode(name, path.read_bytes())
    except UnicodeDecodeError as error:
        raise InputError(f"{name} was left out: it is not UTF-8 text; convert it to open it here") from error


def names_in(folder: Path) -> Iterator[str]:
    """Names of what may be documents, in the folder and in its bin, sorted."""
    for prefix in ("", BIN):
        place = folder / prefix
        if not place.is_dir():
            continue
        for entry in sorted(place.iterdir()):
            if kind_of(entry.name) and not entry.name.startswith("."):
                yield prefix + entry.name


def aside_name(folder: Path, name: str, taken: set[str]) -> str:
    """A free name for the version of `name` that another program wrote: "Plan (edited elsewhere).md"."""
    stem, dot, kind = name.rpartition(".")
    base, count = stem.removesuffix(_ASIDE), 1
    while True:
        mark = _ASIDE if count == 1 else f"{_ASIDE} {count}"
        room = _LONGEST_NAME - len((mark + dot + kind).encode())
        candidate = (
            base.encode("utf-8", "replace")[:room].decode("utf-8", "ignore").rstrip() + mark + dot + kind
        )
        if candidate not in taken and not (folder / candidate).exists():
            return candidate
        count += 1

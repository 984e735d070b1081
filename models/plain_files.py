"""A checkpoint's files as bytes and as JSON: opened once, plain, and no larger than they have any business to be.

Knows no torch and no checkpoint. What a file holds is never trusted to be small, to end, or to be said once.
"""

from __future__ import annotations

import gc
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from pydantic_core import from_json

from engine.errors import CheckpointError

LARGEST_FILE = 64 * 2**30
LARGEST_JSON = 4 * 2**20
MOST_VALUES = 250_000  # in one JSON document; a value takes up to 500 bytes of memory once it is read
MOST_QUOTES = 3_000_000  # Gemma's one table of words has 2.85 million
_STRETCH = re.compile(rb".{1,1048576}\\*+.?", re.DOTALL)  # never cut off behind a backslash
_OTHERS = bytes(set(range(256)).difference(b'",:[{'))
_PLAIN = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


@contextmanager
def opened(path: Path, largest: int) -> Iterator[tuple[BinaryIO, int]]:
    """The file, open for reading, and its size in bytes. What is checked of it and what is used come from this one
    opening, so that a file put in its place meanwhile is never read. Raises CheckpointError."""
    try:
        file = os.fdopen(os.open(path, os.O_RDONLY | _PLAIN), "rb", buffering=0)  # a pipe would wait for its writer
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}); the checkpoint is incomplete, copy it again") from error
    with file:
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise CheckpointError(f"{path} is no plain file; remove it or get a clean copy of the checkpoint")
        if facts.st_size > largest:
            raise CheckpointError(f"{path} is larger than {largest >> 20} MB, more than it may be; get a clean copy")
        yield file, facts.st_size  # type: ignore[misc]


def read_exactly(file: BinaryIO, count: int, path: Path) -> bytearray:
    """The next `count` bytes. Raises CheckpointError where the file ends before."""
    data = bytearray(count)
    view, got = memoryview(data), 0
    while got < count:
        step = file.readinto(view[got:])  # type: ignore[attr-defined]
        if not step:
            raise CheckpointError(f"{path} ends too early; it is not whole, copy it again")
        got += step
    return data


def read_bytes(path: Path, largest: int) -> bytes:
    """A small file's content. Raises CheckpointError."""
    with opened(path, largest) as (file, size):
        return bytes(read_exactly(file, size, path))


def read_lines(path: Path, largest: int, most: int) -> list[str]:
    """A small text's lines, at most so many. Raises CheckpointError."""
    data = read_bytes(path, largest)
    if data.count(b"\n") > most:
        raise CheckpointError(f"{path} holds more than {most} lines; no sound checkpoint does, get a clean copy")
    try:
        return data.decode("utf-8").replace("\r\n", "\n").split("\n")
    except ValueError as error:
        raise CheckpointError(f"{path} is no text ({_short(error)}); copy it again") from error


def read_json(path: Path, largest: int = LARGEST_JSON, most: int = MOST_VALUES) -> dict[str, Any]:
    """A small JSON object, of at most so many bytes and values. Raises CheckpointError."""
    with opened(path, largest) as (file, size):
        return parsed(read_exactly(file, size, path), path, most)


def parsed(data: bytes | bytearray, path: Path, most: int = MOST_VALUES) -> dict[str, Any]:
    """A JSON object out of `data`; every name stands once. path: for the message. Raises CheckpointError."""
    values, names = _outline(data)
    if data.count(b'"') > MOST_QUOTES or values > most:
        raise CheckpointError(f"{path} holds more than {most} values; no sound checkpoint does, get a clean copy")
    try:
        with _uncollected():
            content: Any = from_json(data)
        if _names(content, names) < names:
            raise ValueError("a name stands twice")
    except ValueError as error:
        raise CheckpointError(f"{path} is not JSON as it must be ({_short(error)}); copy it again") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} must hold a JSON object; copy it again")
    return content


@contextmanager
def _uncollected() -> Iterator[None]:
    """What holds no cycles is made. Python would look for some again and again while it grows, which takes longer than making it."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _outline(data: bytes | bytearray) -> tuple[int, int]:
    """How many values JSON holds, or a few more, and how many names: outside of its texts a comma or a bracket stands before each
    value, and a colon behind each name."""
    counts, inside = np.zeros(256, np.int64), 0
    for stretch in _STRETCH.finditer(data):
        marks = np.frombuffer(stretch[0].replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _OTHERS), np.uint8)
        quotes = marks == ord('"')
        counts += np.bincount(marks[(np.cumsum(quotes) + inside) % 2 == 0], minlength=256)
        inside += int(quotes.sum())
    return int(counts[list(b",[{")].sum()), int(counts[ord(":")])


def _names(content: Any, most: int) -> int:
    """How many names there are in what was read; what lies deeper is not looked at once they are as many as there can be."""
    level: list[Any] = [[content]]
    held = 0
    while level and held < most:
        level = [inner for outer in level for inner in (outer.values() if isinstance(outer, dict) else outer) if isinstance(inner, (dict, list))]
        held += sum(len(inner) for inner in level if isinstance(inner, dict))
    return held


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120]

"""A checkpoint's files as bytes and as JSON: opened once, plain, and no larger than they have any business to be.

Knows no torch and no checkpoint. What a file holds is never trusted to be small, to end, or to be said once.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from engine.errors import CheckpointError

LARGEST_FILE = 64 * 2**30
LARGEST_JSON = 4 * 2**20
MOST_VALUES = 250_000  # in one JSON document; a value takes up to 500 bytes of memory once it is read
MOST_QUOTES = 3_000_000  # Gemma's one table of words has 2.85 million
_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_STRETCH = re.compile(rb'(?:[^"]*+' + _TEXT.pattern + rb'){1,4096}+|[^"]++', re.DOTALL)  # whole texts, and what stands before each
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
    return parsed(read_bytes(path, largest), path, most)


def parsed(data: bytes | bytearray, path: Path, most: int = MOST_VALUES) -> dict[str, Any]:
    """A JSON object out of `data`; every name stands once. path: for the message. Raises CheckpointError."""
    if data.count(b'"') > MOST_QUOTES or _values(data) > most:
        raise CheckpointError(f"{path} holds more than {most} values; no sound checkpoint does, get a clean copy")
    try:
        content = json.loads(data.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not JSON as it must be ({_short(error)}); copy it again") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} must hold a JSON object; copy it again")
    return content


def _values(data: bytes | bytearray) -> int:
    """How many values JSON holds, or a few more: outside of its texts, a comma or a bracket stands before each."""
    count = 0
    for stretch in _STRETCH.finditer(data):  # one after the other: what is left between a million texts would fill hundreds of megabytes
        outline = _TEXT.sub(b"", stretch[0])
        count += sum(outline.count(mark) for mark in (b",", b"[", b"{"))
    return count


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120]

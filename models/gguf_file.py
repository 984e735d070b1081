"""One GGUF file (github.com/ggml-org/ggml, docs/gguf.md), read as a safetensors file is: nothing in it is believed.

The library that made the format maps a file and takes its counts at their word. Here every count, length and place is
bounded first, and what is hashed is what is used. Knows no torch before a tensor is asked for.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol

from engine.errors import CheckpointError
from models.plain_files import opened, read_exactly

if TYPE_CHECKING:
    from torch import Tensor

MAGIC, VERSIONS = b"GGUF", (2, 3)
LARGEST_HEADER = 16 * 2**20  # bytes
MOST_TENSORS, MOST_KEYS, MOST_ITEMS = 20_000, 4096, 2**20
LONGEST_NAME, MOST_DIMENSIONS = 512, 4
PLAIN_NAME = re.compile(r"[A-Za-z0-9_:\-]+(\.[A-Za-z0-9_:\-]+)*")
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}  # bytes of a value, by its kind
TEXT, LIST = 8, 9
ALIGNMENT = "general.alignment"


class Kind(NamedTuple):
    """How numbers are packed: so many to a block of so many bytes."""

    name: str
    block: int
    size: int


KINDS = {  # those that diffusers can unpack, by their number in a file
    0: Kind("F32", 1, 4), 1: Kind("F16", 1, 2), 30: Kind("BF16", 1, 2), 2: Kind("Q4_0", 32, 18), 3: Kind("Q4_1", 32, 20),
    6: Kind("Q5_0", 32, 22), 7: Kind("Q5_1", 32, 24), 8: Kind("Q8_0", 32, 34), 10: Kind("Q2_K", 256, 84), 11: Kind("Q3_K", 256, 110),
    12: Kind("Q4_K", 256, 144), 13: Kind("Q5_K", 256, 176), 14: Kind("Q6_K", 256, 210), 20: Kind("IQ4_NL", 32, 18),
    23: Kind("IQ4_XS", 256, 136),
}  # fmt: skip


class Digest(Protocol):
    def update(self, data: bytes | bytearray, /) -> object: ...


class Packed(NamedTuple):
    """What the header says of one tensor. number: its kind's; shape: once it is unpacked; start: bytes behind the header."""

    number: int
    shape: tuple[int, ...]
    start: int
    end: int

    @property
    def dtype(self) -> str:
        return KINDS[self.number].name


class GgufFile:
    """An open file whose header is sane. entries: its tensors by name, in the order in which they lie in the file; metadata:
    the texts that the header says of it."""

    def __init__(self, path: Path, file: BinaryIO, header: bytes, entries: dict[str, Packed], metadata: dict[str, str], size: int) -> None:
        self.path, self.entries, self.metadata = path, entries, metadata
        self._file, self._header, self._size = file, header, size

    def holder(self, name: str) -> Path:
        """The file that has this tensor, for messages."""
        return self.path

    def tensors(self, digest: Digest, read: object = None) -> Iterator[tuple[str, Tensor]]:
        """Each tensor by name as the file is read on, packed ones as diffusers' `GGUFParameter`; `digest` sees every byte.
        read: of no use here.

        Once only. Raises CheckpointError where the file ends too early.
        """
        import torch

        from models.packed import parameter

        floats = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
        digest.update(self._header)
        at = 0
        for name, entry in self.entries.items():
            digest.update(read_exactly(self._file, entry.start - at, self.path))
            data = read_exactly(self._file, entry.end - entry.start, self.path)
            digest.update(data)
            at = entry.end
            if entry.dtype in floats:
                yield name, torch.frombuffer(data, dtype=floats[entry.dtype]).view(entry.shape)
            else:
                kind = KINDS[entry.number]
                packed = torch.frombuffer(data, dtype=torch.uint8).view(*entry.shape[:-1], entry.shape[-1] // kind.block * kind.size)
                yield name, parameter(packed, entry.number)
        digest.update(read_exactly(self._file, self._size - at, self.path))


@contextmanager
def open_gguf(path: Path, largest: int) -> Iterator[GgufFile]:
    """Open a file of at most `largest` bytes and read its header. Raises CheckpointError, saying what is wrong with it."""
    with opened(path, largest) as (file, size):
        header = _Header(file, size, path)
        if header.take(4) != MAGIC:
            raise CheckpointError(f"{path} is no GGUF file, whatever its name; get a clean copy")
        (version,) = header.numbers("I")
        if version not in VERSIONS:
            raise CheckpointError(f"{path} is GGUF of version {version}; versions {' and '.join(map(str, VERSIONS))} are read here")
        count, keys = header.numbers("QQ")
        if count > MOST_TENSORS or keys > MOST_KEYS:
            raise CheckpointError(f"{path} announces {count} tensors and {keys} values; at most {MOST_TENSORS} and {MOST_KEYS} are allowed")
        told: dict[str, str] = {}
        alignment = 32
        for _ in range(keys):
            key, value = header.value()
            if key == ALIGNMENT:
                alignment = value if isinstance(value, int) else 0
            elif isinstance(value, str):
                told[key] = value
        if alignment not in (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096):
            raise CheckpointError(f"{path}: its tensors cannot be {alignment} bytes apart; get a clean copy")
        lines = [header.line() for _ in range(count)]
        header.take(-header.at % alignment)
        entries = _entries(lines, size - header.at, alignment, path)
        yield GgufFile(path, file, header.seen, entries, told, size - header.at)


def _entries(lines: list[tuple[str, int, tuple[int, ...], int]], size: int, alignment: int, path: Path) -> dict[str, Packed]:
    """The tensors by where they lie. size: bytes that follow the header. Raises CheckpointError."""
    found: dict[str, Packed] = {}
    at = 0
    for name, number, shape, start in sorted(lines, key=lambda line: line[3]):
        if number not in KINDS:
            raise CheckpointError(f"{path}: {name} is packed in a way that is not read here (number {number}); those that are: {', '.join(kind.name for kind in KINDS.values())}")
        kind = KINDS[number]
        if not shape or shape[-1] % kind.block:
            raise CheckpointError(f"{path}: {name} has no shape that can be packed as {kind.name}; get a clean copy")
        if name in found:
            raise CheckpointError(f"{path}: the tensor {name} stands twice; get a clean copy")
        if start % alignment or not at <= start < at + alignment:
            raise CheckpointError(f"{path}: the tensor {name} does not begin where the one before it ends; copy it again")
        at = start + math.prod(shape) // kind.block * kind.size
        if at > size:
            raise CheckpointError(f"{path} is not a whole GGUF file: {name} ends behind it; copy it again")
        found[name] = Packed(number, shape, start, at)
    if size - at >= alignment:
        raise CheckpointError(f"{path} holds {size - at} bytes that are no tensor; get a clean copy")
    return found


class _Header:
    """A header that is being read. seen: its bytes so far."""

    def __init__(self, file: BinaryIO, size: int, path: Path) -> None:
        self._file, self._path = file, path
        self._left = min(size, LARGEST_HEADER)
        self._size = size
        self._seen: list[bytes] = []
        self.at = 0

    @property
    def seen(self) -> bytes:
        return b"".join(self._seen)

    def take(self, count: int) -> bytes:
        """The next bytes. Raises CheckpointError where the file, or what a header may take, ends before."""
        if count > self._left:
            raise CheckpointError(
                f"{self._path} is not a whole GGUF file; copy it again" if self._size <= LARGEST_HEADER
                else f"{self._path} has a header of more than {LARGEST_HEADER >> 20} MB; get a clean copy"
            )  # fmt: skip
        data = bytes(read_exactly(self._file, count, self._path))
        self._left -= count
        self.at += count
        self._seen.append(data)
        return data

    def numbers(self, kinds: str) -> tuple[int, ...]:
        return struct.unpack(f"<{kinds}", self.take(struct.calcsize(f"<{kinds}")))

    def text(self, longest: int) -> str:
        (length,) = self.numbers("Q")
        if length > longest:
            raise CheckpointError(f"{self._path} holds a text of {length} bytes where {longest} are allowed; get a clean copy")
        return self.take(length).decode("utf-8", "replace")

    def value(self) -> tuple[str, str | int | None]:
        """A key, and its value where that is a text or a whole number; others are passed over."""
        key = self.text(LONGEST_NAME)
        (kind,) = self.numbers("I")
        return key, self._value(kind)

    def _value(self, kind: int) -> str | int | None:
        if kind == TEXT:
            return self.text(LARGEST_HEADER)
        if kind == LIST:
            inner, count = self.numbers("IQ")
            if count > MOST_ITEMS or inner not in (*SIZES, TEXT):
                raise CheckpointError(f"{self._path} holds a list that is too long, or of lists; get a clean copy")
            if inner == TEXT:
                for _ in range(count):
                    self.text(LARGEST_HEADER)
            else:
                self.take(count * SIZES[inner])
            return None
        if kind not in SIZES:
            raise CheckpointError(f"{self._path} holds a value of a kind that is not known ({kind}); get a clean copy")
        data = self.take(SIZES[kind])
        return int.from_bytes(data, "little") if kind in (0, 2, 4, 10) else None

    def line(self) -> tuple[str, int, tuple[int, ...], int]:
        """A tensor's name, kind, shape and place."""
        name = self.text(LONGEST_NAME)
        if not PLAIN_NAME.fullmatch(name):
            raise CheckpointError(f"{self._path}: {name[:60]!r} is no plain tensor name; get a clean copy")
        (dimensions,) = self.numbers("I")
        if dimensions > MOST_DIMENSIONS:
            raise CheckpointError(f"{self._path}: {name} has {dimensions} dimensions; at most {MOST_DIMENSIONS} are allowed")
        shape = self.numbers("Q" * dimensions)
        number, start = self.numbers("IQ")
        if any(side >= 2**48 for side in shape) or math.prod(shape) >= 2**48:
            raise CheckpointError(f"{self._path}: {name} has no sound shape; get a clean copy")
        return name, number, shape[::-1], start

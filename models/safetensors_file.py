"""One safetensors file, read in one pass: header, then tensor by tensor, every byte hashed as it comes.

Ours rather than the library's reader, because what is hashed must be what is used, a header must be known to be sane
before it is believed, and a tensor must be known to be wanted before there is memory for it. The format, of Hugging Face:
the header's length, the header as JSON, and the tensors without gaps. Knows no torch before a tensor is asked for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from reprlib import repr as short
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, Protocol

from engine.errors import CheckpointError
from engine.opening import count
from models.formats import LARGEST_HEADER, foreign_kind, refusal
from models.plain_files import opened, parsed, read_exactly

if TYPE_CHECKING:
    import torch
    from torch import Tensor

MOST_TENSORS = 20_000
MOST_DIMENSIONS = 8
LONGEST_NAME = 512
PLAIN_NAME = re.compile(r"[A-Za-z0-9_:\-]+(\.[A-Za-z0-9_:\-]+)*")
TAUGHT_NAME = re.compile(rf"{PLAIN_NAME.pattern}|<[A-Za-z0-9_ \-]{{1,80}}>")  # of a textual inversion too: the word itself
BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2,
    "I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8, "C64": 8,
}  # fmt: skip


class Digest(Protocol):
    def update(self, data: bytes | bytearray, /) -> object: ...


class Entry(NamedTuple):
    """What the header says of one tensor. start, end: bytes, counted from the header's end."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


class SafetensorsFile:
    """An open file whose header is sane. entries: its tensors by name, in the order in which they lie in the file;
    metadata: what the header says beside them, which nobody has looked at."""

    def __init__(self, path: Path, file: BinaryIO, header: bytearray, entries: dict[str, Entry], metadata: dict[str, str]) -> None:
        self.path, self.entries, self.metadata = path, entries, metadata
        self._file, self._header = file, header

    def holder(self, name: str) -> Path:
        """The file that has this tensor, for messages."""
        return self.path

    def tensors(self, digest: Digest, read: Mapping[str, torch.dtype] | None = None) -> Iterator[tuple[str, Tensor | None]]:
        """Each tensor by name as the file is read on, None for one that is not of `read`, which is floats unless told; `digest` sees every byte.

        Once only. Raises CheckpointError where the file ends too early.
        """
        import torch

        from models.number_formats import FLOATS

        read = FLOATS if read is None else read
        digest.update(self._header)
        for name, entry in self.entries.items():
            data = read_exactly(self._file, entry.end - entry.start, self.path)
            digest.update(data)
            count(len(data))
            dtype = read.get(entry.dtype)
            if dtype is None:
                yield name, None
            else:
                yield name, (torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)).view(entry.shape)


@contextmanager
def open_safetensors(path: Path, largest: int, plain: re.Pattern[str] = PLAIN_NAME) -> Iterator[SafetensorsFile]:
    """Open a file of at most `largest` bytes and read its header; plain: what a tensor may be called. Raises CheckpointError, saying what is wrong with it."""
    with opened(path, largest) as (file, size):
        head = bytes(read_exactly(file, min(size, 8), path))
        if (kind := foreign_kind(head, path.name)) is not None:
            raise CheckpointError(refusal(path, kind))
        length = int.from_bytes(head, "little")
        if size < 8 or length > size - 8:
            raise CheckpointError(f"{path} is not a whole safetensors file; copy it again")
        if length > LARGEST_HEADER:
            raise CheckpointError(f"{path} has a header of more than {LARGEST_HEADER >> 20} MB; get a clean copy")
        header = read_exactly(file, length, path)
        told = parsed(header, path)
        metadata = told.pop("__metadata__", {})
        if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
            raise CheckpointError(f"{path}: __metadata__ must be texts by name; get a clean copy")
        yield SafetensorsFile(path, file, bytearray(head) + header, _entries(told, size - 8 - length, path, plain), metadata)


def _entries(header: dict[str, Any], size: int, path: Path, plain: re.Pattern[str]) -> dict[str, Entry]:
    """The header's tensors, by where they lie. size: bytes that follow it. Raises CheckpointError."""
    if len(header) > MOST_TENSORS:
        raise CheckpointError(f"{path} names {len(header)} tensors; at most {MOST_TENSORS} are allowed")
    entries = sorted(((name, _entry(name, told, path, plain)) for name, told in header.items()), key=lambda pair: pair[1][2:])
    at = 0
    for name, entry in entries:
        if entry.start != at:
            raise CheckpointError(f"{path}: the tensor {name} does not begin where the one before it ends; copy it again")
        at = entry.end
    if at != size:
        raise CheckpointError(f"{path} is not a whole safetensors file: {size} bytes of tensors, {at} announced; copy it again")
    return dict(entries)


def _entry(name: str, told: Any, path: Path, plain: re.Pattern[str]) -> Entry:
    """One tensor's line of the header. Raises CheckpointError."""
    if len(name) > LONGEST_NAME or not plain.fullmatch(name):
        raise CheckpointError(f"{path}: {name[:60]!r} is no plain tensor name; get a clean copy")
    dtype, shape, offsets = (told.get(key) if isinstance(told, dict) else None for key in ("dtype", "shape", "data_offsets"))
    if not isinstance(dtype, str) or dtype not in BYTES:
        raise CheckpointError(f"{path}: {name} is of the type {short(dtype)}, which is not read here; get a clean copy")
    sizes, places = _counts(shape), _counts(offsets)
    if sizes is None or places is None or len(sizes) > MOST_DIMENSIONS or len(places) != 2:
        raise CheckpointError(f"{path}: {name} has no sound shape and place; get a clean copy")
    if places[1] - places[0] != math.prod(sizes) * BYTES[dtype]:
        raise CheckpointError(f"{path}: {name} does not take the room that its shape needs; copy it again")
    return Entry(dtype, sizes, places[0], places[1])


def _counts(told: Any) -> tuple[int, ...] | None:
    """A list of whole numbers that a file's size could be; None where it is something else."""
    sound = isinstance(told, list) and all(type(number) is int and 0 <= number < 2**48 for number in told)
    return tuple(told) if sound else None

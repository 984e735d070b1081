"""Which files hold a part's weights, and what a file is by what it holds. Knows no torch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from engine.errors import CheckpointError
from models.gguf_file import MAGIC, GgufFile, open_gguf
from models.plain_files import opened, read_exactly, read_json
from models.safetensors_file import PLAIN_NAME, Entry, SafetensorsFile, open_safetensors

LARGEST = 64 * 2**30  # bytes of a checkpoint that is one file
MOST_SHARDS = 1000
SHARD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*\.safetensors")


class Named(Protocol):
    """Whatever tells how a part's file is called, the likeliest name first."""

    @property
    def names(self) -> Sequence[str]: ...


class Kept(NamedTuple):
    """How a kind of checkpoint keeps the weights of a part. largest: bytes of a file."""

    names: Sequence[str]
    largest: int


OURS = Kept(("diffusion_pytorch_model.safetensors",), 512 * 2**20)
OPEN = Kept(
    ("diffusion_pytorch_model.safetensors", "model.safetensors", "diffusion_pytorch_model.fp16.safetensors", "model.fp16.safetensors"),
    32 * 2**30,
)


def files_of(folder: Path, kept: Named) -> list[Path]:
    """The one file, or the shards that an index names. Raises CheckpointError."""
    for name in kept.names:
        if (folder / name).is_file():
            return [folder / name]
    for index in (folder / index for name in kept.names for index in _indexes(name)):
        if index.is_file():
            return shards_of(index)
    raise CheckpointError(f"{folder / kept.names[0]} is missing; the checkpoint is incomplete, copy it again")


def entries_in(folder: Path, kept: Kept) -> dict[str, Entry]:
    """What the headers of a part's weights say, by name. Raises CheckpointError."""
    found: dict[str, Entry] = {}
    for path in files_of(folder, kept):
        with open_safetensors(path, kept.largest) as file:
            found |= file.entries
    return found


def _indexes(name: str) -> tuple[str, ...]:
    """What the index of shards is called where the whole file would be called `name`; of half precision in two ways."""
    return f"{name}.index.json", f"{name.replace('.fp16', '')}.index.fp16.json"


def shards_of(index: Path) -> list[Path]:
    """The files that an index names, each a plain name beside it. Raises CheckpointError."""
    told = read_json(index).get("weight_map")
    if not isinstance(told, dict) or not told or not all(isinstance(name, str) for name in told.values()):
        raise CheckpointError(f"{index}: weight_map must name a file for every tensor; get a clean copy")
    names = sorted(set(told.values()))
    if len(names) > MOST_SHARDS:
        raise CheckpointError(f"{index} names {len(names)} files; at most {MOST_SHARDS} are allowed, get a clean copy")
    for name in names:
        if not SHARD.fullmatch(name):
            raise CheckpointError(f"{index}: {name[:80]!r} is no plain file name inside the folder; get a clean copy")
        if not (index.parent / name).is_file():
            raise CheckpointError(f"{index.parent / name} is missing; the checkpoint is incomplete, copy it again")
    return [index.parent / name for name in names]


@contextmanager
def opened_file(path: Path, plain: re.Pattern[str] = PLAIN_NAME, largest: int = LARGEST) -> Iterator[SafetensorsFile | GgufFile]:
    """By what the file holds, whatever its name. plain: what a tensor may be called; largest: bytes."""
    with opened(path, largest) as (head, size):
        packed = read_exactly(head, min(size, 4), path) == MAGIC
    if not packed:
        with open_safetensors(path, largest, plain) as file:
            yield file
        return
    with open_gguf(path, largest) as other:
        yield other

"""Weights in other forms than safetensors, told by what they hold, or by their name where that says nothing.

None of them is ever opened further than its first bytes, and nothing that a scanner says of one changes that.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

LARGEST_HEADER = 16 * 2**20  # of a safetensors file, in bytes
CONVERT = "convert it where it was made (torch.load there, then safetensors.torch.save_file) and copy the .safetensors file"
PICKLES = (".ckpt", ".pt", ".pth", ".bin", ".pkl", ".pickle")
OTHERS = (".keras", ".h5", ".hdf5", ".onnx", ".pb", ".msgpack")


class Kind(NamedTuple):
    """name: with its article; mend: what to do."""

    name: str
    mend: str


PICKLE = Kind("a pickle, which may run code when loaded", CONVERT)
GGUF = Kind("GGUF, which is read as a file of its own and not in a folder", "give the file itself, or get the part as .safetensors")
OTHER = Kind("weights of another library, which may run code when loaded", CONVERT)


def refusal(path: Path, kind: Kind) -> str:
    """Why a file of that kind is not opened, and what to do."""
    hidden = path.suffix.casefold() not in (".gguf", *PICKLES, *OTHERS)
    return f"{path} is {kind.name}{', by its content, whatever its name' if hidden else ''}; {kind.mend}"


def foreign_kind(head: bytes, name: str) -> Kind | None:
    """What a file is, from its first 8 bytes and its name; None for what is no weights of another form.

    A zip archive is what torch saves pickles in, unless it is called one.
    """
    suffix = "." + name.casefold().rpartition(".")[2]
    if head[:4] == b"GGUF" or suffix == ".gguf":
        return GGUF
    pickled = head[:1] == b"\x80" and 2 <= int.from_bytes(head[1:2]) <= 5 and not _may_be_a_length(head)
    if pickled or (head[:4] == b"PK\x03\x04" and suffix != ".zip") or suffix in PICKLES:
        return PICKLE
    return OTHER if head == b"\x89HDF\r\n\x1a\n" or suffix in OTHERS else None


def _may_be_a_length(head: bytes) -> bool:
    """Whether a safetensors file could begin so: by the length of its header."""
    return len(head) == 8 and int.from_bytes(head, "little") <= LARGEST_HEADER

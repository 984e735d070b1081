"""The table of pieces in a SentencePiece model, a protocol buffer (protobuf.dev/programming-guides/encoding): older folders
of T5 hold nothing else, and nor does ours."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from engine.errors import CheckpointError
from models.layout import packed

LARGEST = 16 * 2**20  # bytes; T5's is 0.8 MB
PIECE, NORMALIZER = 1, 3  # fields of the model
TEXT, SCORE = 1, 2  # of a piece
SPELLING = 2  # of the normalizer


def pieces_of(path: Path) -> tuple[list[tuple[str, float]], bytes]:
    """Pieces with their scores, and the table by which text is spelled before it is cut. Raises CheckpointError."""
    try:
        message = packed(path)
        if message is None:
            if path.stat().st_size > LARGEST:
                raise CheckpointError(f"{path} is larger than {LARGEST >> 20} MB; no table of pieces is")
            message = path.read_bytes()
        fields = list(_fields(message))
        pieces = [dict(_fields(value)) for number, value in fields if number == PIECE]
        table = [(piece[TEXT].decode(), struct.unpack("<f", piece.get(SCORE, bytes(4)))[0]) for piece in pieces]
        spelling = dict(_fields(dict(fields).get(NORMALIZER, b""))).get(SPELLING, b"")
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}); the checkpoint is incomplete, copy it again") from error
    except (ValueError, KeyError, IndexError, struct.error) as error:
        raise CheckpointError(f"{path} is no table of pieces ({error}); copy it again") from error
    return table, spelling


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of a message by number, those that are numbers of variable length left out."""
    at = 0
    while at < len(message):
        key, at = _number(message, at)
        kind, length = key & 7, {1: 8, 5: 4}.get(key & 7, 0)
        if kind in (0, 2):
            length, at = _number(message, at)
        if kind not in (0, 1, 2, 5) or (kind and at + length > len(message)):
            raise ValueError(f"byte {at} begins nothing that is known")
        if kind:
            yield key >> 3, message[at : at + length]
            at += length


def _number(message: bytes, at: int) -> tuple[int, int]:
    """A number of variable length, and where it ends."""
    for count in range(10):
        if message[at + count] < 128:
            return sum((message[at + i] & 127) << 7 * i for i in range(count + 1)), at + count + 1
    raise ValueError(f"byte {at} begins a number without end")

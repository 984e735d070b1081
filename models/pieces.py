"""The table of pieces in a SentencePiece model, a protocol buffer (protobuf.dev/programming-guides/encoding): older folders
of T5 hold nothing else, and nor does ours."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from engine.errors import CheckpointError
from models.layout import packed
from models.plain_files import read_bytes

LARGEST = 4 * 2**20  # bytes; T5's is 0.8 MB
MOST_PIECES = 2**16  # T5's are 32,000
MOST_FIELDS = 8  # of a piece; three are known
PIECE, NORMALIZER = 1, 3  # fields of the model
TEXT, SCORE = 1, 2  # of a piece
SPELLING = 2  # of the normalizer


def pieces_of(path: Path) -> tuple[list[tuple[str, float]], bytes]:
    """Pieces with their scores, and the table by which text is spelled before it is cut. Raises CheckpointError."""
    try:
        message = packed(path)
        if message is None:
            message = read_bytes(path, LARGEST)
        fields = list(_fields(message, MOST_PIECES))
        table = [_piece(value) for number, value in fields if number == PIECE]
        spelling = dict(_fields(dict(fields).get(NORMALIZER, b""), MOST_FIELDS)).get(SPELLING, b"")
        check_spelling(spelling)
    except (ValueError, KeyError, IndexError, struct.error) as error:
        raise CheckpointError(f"{path} is no table of pieces ({error}); copy it again") from error
    return table, spelling


def check_spelling(table: bytes) -> None:
    """Raises ValueError for a table by which no text can be spelled. The library looks texts up in it without looking where it goes,
    and ends the process where it comes to stand outside.

    table: how long a trie is, the trie, and texts with a zero behind each. The trie (a double array, github.com/s-yata/darts-clone) is of
    units of 32 bits: of the byte that leads there, whether a text ends there, and how far away the next ones are.
    """
    if not table:
        return
    size = int.from_bytes(table[:4], "little")
    if len(table) < 4 + size or size % 4 or not size:
        raise ValueError("its table of spellings is cut off")
    units, texts = np.frombuffer(table, "<u4", size // 4, 4).astype(np.int64), table[4 + size :]
    begins = np.array([byte & 0xC0 != 0x80 for byte in texts] + [True])  # no text begins within a letter
    texts.decode()
    places, seen = np.zeros(1, np.int64), np.zeros(len(units), bool)
    while len(places):
        seen[places] = True
        from_here = units[places]
        near = places ^ (from_here >> 10) << ((from_here & 1 << 9) >> 6)
        if (near | 255).max() >= len(units):
            raise ValueError("its table of spellings leads nowhere")
        said = units[near[from_here & 1 << 8 > 0]] & 2**31 - 1
        if said.max(initial=0) >= len(begins) or not begins[said].all():
            raise ValueError("its table of spellings names a text that is not there")
        after = (near[:, None] ^ np.arange(1, 256)).ravel()
        led = units[after] & (1 << 31 | 255) == np.tile(np.arange(1, 256), len(near))
        places = np.unique(after[led & ~seen[after]])


def _piece(message: bytes) -> tuple[str, float]:
    """Its text and score."""
    told = dict(_fields(message, MOST_FIELDS))
    return told[TEXT].decode(), struct.unpack("<f", told.get(SCORE, bytes(4)))[0]


def _fields(message: bytes, most: int) -> Iterator[tuple[int, bytes]]:
    """The fields of a message by number, those that are numbers of variable length left out. Raises ValueError for more than `most`."""
    at = count = 0
    while at < len(message):
        if (count := count + 1) > most:
            raise ValueError(f"more than {most} fields")
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
    """A number of variable length, and where it ends. Raises IndexError where nothing is there, ValueError where it does not end."""
    if message[at] < 128:
        return message[at], at + 1
    for count in range(min(10, len(message) - at)):
        if message[at + count] < 128:
            return sum((message[at + i] & 127) << 7 * i for i in range(count + 1)), at + count + 1
    raise ValueError(f"byte {at} begins a number without end")

"""Pictures as pixels, uint8 (h, w, 3): brush strokes, flood fill, undo, PNG in and out. All deterministic."""

from __future__ import annotations

import hashlib
import io
import zlib
from base64 import b64decode, b64encode
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from engine.errors import InputError
from engine.geometry import Rect

LARGEST = (640, 480)  # larger pictures are scaled down to fit
MOST_PIXELS = 24_000_000  # of a file that is worth decoding at all
STEPS = 20  # that can be undone
MOST_BYTES = 400_000  # that those steps may take
Colour = tuple[int, int, int]
Point = tuple[int, int]


def blank(width: int, height: int) -> np.ndarray:
    return np.full((height, width, 3), 255, np.uint8)


def stroke(pixels: np.ndarray, start: Point, end: Point, across: int, colour: Colour) -> None:
    """Draw a round-ended line `across` pixels wide; start and end are (x, y) and may lie outside."""
    height, width = pixels.shape[:2]
    reach = across // 2 + 1
    x0, x1 = max(min(start[0], end[0]) - reach, 0), min(max(start[0], end[0]) + reach + 1, width)
    y0, y1 = max(min(start[1], end[1]) - reach, 0), min(max(start[1], end[1]) + reach + 1, height)
    if x0 >= x1 or y0 >= y1:
        return
    y, x = np.mgrid[y0:y1, x0:x1].astype(np.float32)
    dx, dy = end[0] - start[0], end[1] - start[1]
    along = ((x - start[0]) * dx + (y - start[1]) * dy) / max(dx * dx + dy * dy, 1)
    along = np.clip(along, 0, 1)
    away = (x - start[0] - along * dx) ** 2 + (y - start[1] - along * dy) ** 2
    pixels[y0:y1, x0:x1][away <= (across / 2) ** 2] = colour


def flood(pixels: np.ndarray, x: int, y: int, colour: Colour) -> None:
    """Give the area of one colour around (x, y) another colour; every span of it is visited once."""
    height, width = pixels.shape[:2]
    alike = (pixels == pixels[y, x]).all(2)
    rows = [bytearray(row.tobytes()) for row in alike]  # 1: not yet filled
    todo = [(x, y)]
    while todo:
        at, line = todo.pop()
        row = rows[line]
        if not row[at]:
            continue
        left = row.rfind(0, 0, at) + 1
        right = row.find(0, at)
        right = width if right < 0 else right
        row[left:right] = bytes(right - left)
        for next_line in (line - 1, line + 1):
            if 0 <= next_line < height:
                beside, start = rows[next_line], left
                while (start := beside.find(1, start, right)) >= 0:
                    todo.append((start, next_line))
                    start = beside.find(0, start, right)
                    if start < 0:
                        break
    still = np.frombuffer(b"".join(rows), np.uint8).reshape(height, width).view(bool)
    pixels[alike & ~still] = colour


def encode(pixels: np.ndarray) -> bytes:
    """PNG bytes; the same pixels always give the same bytes."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=4)
    return out.getvalue()


def decode(name: str, content: bytes) -> tuple[np.ndarray, tuple[int, int]]:
    """Pixels of at most LARGEST, on white where the file is transparent, and the file's own (width, height).

    Raises InputError where the bytes are no picture, or far too large a one.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            size = image.size
            if size[0] * size[1] > MOST_PIXELS:
                raise InputError(f"{name} is too large to open ({size[0]}×{size[1]}); scale it down first")
            whole = image.convert("RGBA")
    except (OSError, SyntaxError, ValueError, EOFError, zlib.error, Image.DecompressionBombError) as error:
        raise InputError(f"{name} cannot be read as a picture: it is damaged or not a PNG") from error
    whole.thumbnail(LARGEST, Image.Resampling.LANCZOS)
    paper = Image.new("RGBA", whole.size, (255, 255, 255, 255))
    paper.alpha_composite(whole)
    return np.array(paper.convert("RGB")), size


def scaled(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """A copy of another size: whole multiples stay sharp, smaller ones are averaged."""
    if width % pixels.shape[1] == 0 and height % pixels.shape[0] == 0:
        return pixels.repeat(height // pixels.shape[0], 0).repeat(width // pixels.shape[1], 1)
    return np.array(Image.fromarray(pixels).resize((width, height), Image.Resampling.BOX))


def name_of(pixels: np.ndarray) -> str:
    """A name for what the picture shows: equal pictures have equal names."""
    return hashlib.blake2b(repr(pixels.shape).encode() + pixels.tobytes(), digest_size=12).hexdigest()


class Change(NamedTuple):
    """What one step changed: the pixels of `rect` before and after, compressed."""

    rect: Rect
    before: bytes
    after: bytes

    @classmethod
    def between(cls, before: np.ndarray, after: np.ndarray) -> Change | None:
        """The change from one picture to another of the same size; None where they are equal."""
        changed = (before != after).any(2)
        columns, rows = np.flatnonzero(changed.any(0)), np.flatnonzero(changed.any(1))
        if not len(rows):
            return None
        x, y = int(columns[0]), int(rows[0])
        rect = Rect(x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y)
        parts = (zlib.compress(np.ascontiguousarray(p[rect.slices]).tobytes(), 1) for p in (before, after))
        return cls(rect, *parts)

    def put(self, pixels: np.ndarray, packed: bytes) -> None:
        """Write one of the two states, `before` or `after`, into the picture."""
        part = np.frombuffer(zlib.decompress(packed), np.uint8)
        pixels[self.rect.slices] = part.reshape(self.rect.h, self.rect.w, 3)

    def as_record(self) -> list[Any]:
        return [list(self.rect), b64encode(self.before).decode(), b64encode(self.after).decode()]

    @classmethod
    def from_record(cls, record: list[Any], picture: np.ndarray) -> Change:
        """The inverse of `as_record`. Raises InputError for a change that cannot be one of this picture."""
        change = cls(Rect(*record[0]), b64decode(record[1]), b64decode(record[2]))
        try:
            for packed in (change.before, change.after):
                change.put(picture.copy(), packed)
        except (zlib.error, ValueError) as error:
            raise InputError("the steps to undo in a saved picture are damaged; clear its history") from error
        return change


UNTOLD = Change(Rect(0, 0, 0, 0), b"", b"")  # one of which nothing is known but that it was


class History:
    """The last changes of one picture, to undo and redo; bounded in steps and in bytes."""

    def __init__(self) -> None:
        self.done: list[Change] = []
        self.undone: list[Change] = []

    @classmethod
    def of(cls, picture: np.ndarray, state: dict[str, Any]) -> History:
        """What `state` returned, for the same picture. Raises InputError where it does not belong to it."""
        history = cls()
        history.done = [Change.from_record(record, picture) for record in state["done"]]
        history.undone = [Change.from_record(record, picture) for record in state["undone"]]
        return history

    def state(self) -> dict[str, Any]:
        return {"done": [c.as_record() for c in self.done], "undone": [c.as_record() for c in self.undone]}

    def push(self, change: Change) -> None:
        self.done = [*self.done, change][-STEPS:]
        self.undone = []
        while len(self.done) > 1 and sum(len(c.before) + len(c.after) for c in self.done) > MOST_BYTES:
            del self.done[0]

    def undo(self, pixels: np.ndarray) -> bool:
        """Take the last change back. False where there is none."""
        if self.done:
            self.undone.append(self.done.pop())
            self.undone[-1].put(pixels, self.undone[-1].before)
            return True
        return False

    def redo(self, pixels: np.ndarray) -> bool:
        if self.undone:
            self.done.append(self.undone.pop())
            self.done[-1].put(pixels, self.done[-1].after)
            return True
        return False


def filled_up(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """uint8 (h, w, 3) cut or filled up at the right and the bottom to `size`: (H, W, 3)."""
    pixels = pixels[: size[1], : size[0]]
    down, across = size[1] - pixels.shape[0], size[0] - pixels.shape[1]
    return np.pad(pixels, ((0, down), (0, across), (0, 0)), mode="edge")

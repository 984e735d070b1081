"""The guess that a letter was typed: the last guide with it put in at the caret, as a text field would do it.

It is only a guess, one of the pictures a dreamer may copy from: whether it comes true the dreamer says, of every pixel.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from engine.desktop.editor import BAR, PADDING
from engine.desktop.text_field import CARET
from engine.desktop.text_view import LEADING
from engine.events import Event, Key, Text
from engine.geometry import Rect
from engine.plain import blend
from engine.theme import NEUTRAL, Role
from engine.typeface import Face, advance, glyph, line_height
from models.dreaming.planes import shows

SHORTEST, TALLEST = 10, 40  # pixels: heights of lines
ACCENT = torch.from_numpy(NEUTRAL[Role.ACCENT].copy()).view(3, 1, 1)
Pen = tuple[int, int]  # where a glyph is put: x of the pen, top of the line, frame pixels


class Guess(NamedTuple):
    """planes: as a dream has them, with the letter; spots: where it, and a word it takes along, stand or stood, nothing
    where it cannot be put; behind: where the next letter would go; sure: whether it follows from what is written."""

    planes: Tensor
    spots: tuple[Rect, ...]
    behind: Pen
    sure: bool = False


def letter_of(event: Event | None) -> str:
    """The letter that an event would type, else nothing."""
    if isinstance(event, Key):
        return " " if event.key == "space" and not event.mods else ""
    return event.text if isinstance(event, Text) and len(event.text) == 1 else ""


def typed(planes: Tensor, char: str, text_size: int, pen: Pen, last: str = "") -> Guess:
    """A letter put in at the pen, and the caret behind it: what stands right of it in its line makes room, as far as the
    field goes. A letter that has no room there goes to the next line, with the word that it ends. last: the letter that
    ends at the pen, if it is known; the caret hides a little of it."""
    face, (x, y) = Face(text_size), pen
    height, bounds = line_height(face), Rect(0, 0, planes.shape[2], planes.shape[1])
    spot = Rect(x - 1, y, advance(face, char) + CARET, height)
    if not bounds.covers(spot.grow(1)):
        return Guess(planes, (), pen)
    out, field = planes.clone(), _field(planes, pen, height)
    room = field.right - (PADDING[0] + BAR - 4)
    paper = planes[:, y, min(x + 3, bounds.right - 1)]
    caret = Rect(x - 1, y, CARET, height)
    out[:, *caret.slices] = paper[:, None, None]
    if last:
        _ink(out, last, face, (x - advance(face, last), y), caret)
    planes = out.clone()
    if char == " " or spot.right - 1 <= room or spot.bottom + LEADING + height > field.bottom:
        rows, left, right = slice(y, y + height), x, field.right - 1
        step = min(advance(face, char), right - left)
        out[:, rows, left + step : right] = planes[:, rows, left : right - step]
        out[:, rows, left : left + step] = paper[:, None, None]
        return Guess(out, (spot,), _put(out, char, face, pen))
    line = field.x + PADDING[0]
    start = _word(planes, paper, Rect(line, y, x - line, height), face)
    below = y + height + LEADING
    old, new = Rect(start, y, x + CARET - start, height), Rect(line, below, x - start, height)
    out[:, *new.slices] = planes[:, y : y + height, start:x]
    out[:, *old.slices] = paper[:, None, None]
    behind = _put(out, char, face, (line + x - start, below))
    return Guess(out, (old, Rect(line, below, x - start + spot.w, height).meet(bounds)), behind)


def _field(planes: Tensor, pen: Pen, height: int) -> Rect:
    """The field around the pen, from the accent's outline that the one in focus has; where none is seen, as far as the
    frame goes, and no line more."""
    x, y = pen
    accent = (planes[:3] == ACCENT).all(0).numpy()
    upright = np.flatnonzero(accent[max(y - 1, 0) : y + height + 1].all(0))
    before, behind = upright[upright < x - 1], upright[upright > x + CARET]
    if not len(before) or not len(behind):
        return Rect(0, y, planes.shape[2], height)
    left, right = int(before[-1]), int(behind[0])
    ends = np.flatnonzero(~accent[y:, left])
    bottom = y + int(ends[0]) if len(ends) else planes.shape[1]
    return Rect(left, y, right + 1 - left, bottom - y)


def _word(planes: Tensor, paper: Tensor, line: Rect, face: Face) -> int:
    """Where the word begins that ends with a line: behind the last gap as wide as a space; its end where there is none."""
    if not line:
        return line.right
    inked = (planes[:3, *line.slices] != paper[:3, None, None]).any(0).any(0).numpy()
    blank = 0
    for back in range(1, len(inked) + 1):
        blank = 0 if inked[-back] else blank + 1
        if blank >= advance(face, " "):
            return line.right - back + blank - (back > blank)  # a glyph's own left bearing is about a pixel
    return line.right


def _put(planes: Tensor, char: str, face: Face, pen: Pen) -> Pen:
    """A letter, and the caret behind it; returns where that stands."""
    _ink(planes, char, face, pen, Rect(0, 0, planes.shape[2], planes.shape[1]))
    x, y = pen[0] + advance(face, char), pen[1]
    planes[:3, y : y + line_height(face), x - 1 : x - 1 + CARET] = ACCENT
    return x, y


def _ink(planes: Tensor, char: str, face: Face, pen: Pen, within: Rect) -> None:
    """A letter, blended into the pixels as the guide does, as far as it lies in `within`."""
    mark, (x, y) = glyph(face, char), pen
    if mark.coverage.size:
        rect = Rect(x + mark.left, y + mark.top, mark.coverage.shape[1], mark.coverage.shape[0])
        part = rect.meet(within)
        pixels = planes[:3].numpy().transpose(1, 2, 0)
        blend(pixels[part.slices], NEUTRAL[Role.INK], mark.coverage[part.shift(-rect.x, -rect.y).slices])


def carets(codes: np.ndarray) -> list[Pen]:
    """The pens at all that looks like a caret: upright strokes of the accent's colour, CARET pixels wide, as high as a line
    may be. codes: uint8 (H, W)."""
    accent, width = np.pad(codes == Role.ACCENT, ((1, 1), (1, CARET))), codes.shape[1]
    beside, *inside, behind = (accent[:, i : i + width] for i in range(CARET + 2))
    stroke = np.logical_and.reduce(inside) & ~beside & ~behind
    edges = np.diff(stroke.astype(np.int8), axis=0)
    starts, ends = np.argwhere(edges.T == 1), np.argwhere(edges.T == -1)  # in step: column by column, top to bottom
    high = ends[:, 1] - starts[:, 1]
    return [(int(x) + 1, int(y)) for (x, y), h in zip(starts, high, strict=True) if SHORTEST <= h <= TALLEST]


def caret_in(planes: Tensor, part: Rect) -> Rect | None:
    """The only caret that is seen in a part of a picture; None where nothing looks like one, or more than one thing does."""
    accent = shows(planes[:, *part.slices], Role.ACCENT)
    strokes = carets(np.where(accent, np.uint8(Role.ACCENT), np.uint8(255)))
    if len(strokes) != 1:
        return None
    x, y = strokes[0]
    return Rect(part.x + x - 1, part.y + y, CARET, int(np.argmin(np.append(accent[y:, x], False))))

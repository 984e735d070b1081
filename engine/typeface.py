"""Glyphs and their widths: DejaVu, as matplotlib brings it, laid out on whole pixels.

Every advance is a whole number of pixels, so a glyph has the same pixels wherever it stands: the guide, the echo, the
text check and the training source all draw the same coverage. What the font lacks is drawn as its box.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from importlib.util import find_spec
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from engine.errors import PixelOSError

FILES = {
    "regular": "DejaVuSans.ttf",
    "bold": "DejaVuSans-Bold.ttf",
    "oblique": "DejaVuSans-Oblique.ttf",
    "mono": "DejaVuSansMono.ttf",
}
SHORT = 256  # characters of a text whose offsets are kept: a field into which thousands are typed is another text with each, and would take megabytes


class Face(NamedTuple):
    """One font at one size; size in pixels per em."""

    size: int = 13
    weight: str = "regular"


class Glyph(NamedTuple):
    """coverage: uint8 (h, w), its left top corner `left`, `top` pixels from the pen in the line box."""

    advance: int
    left: int
    top: int
    coverage: np.ndarray


def font_folder() -> Path:
    """Where matplotlib keeps its fonts, found without importing it."""
    spec = find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise PixelOSError("the DejaVu fonts are missing: matplotlib is not installed; run: pip install matplotlib")
    return Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf"


@lru_cache(maxsize=8)  # each maps its file anew, and holds all of it that its glyphs lie in; a quarter of a millisecond to open again
def _font(face: Face) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(font_folder() / FILES[face.weight], face.size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=64)
def line_height(face: Face) -> int:
    ascent, descent = _font(face).getmetrics()
    return ascent + descent


@lru_cache(maxsize=64)
def ascent(face: Face) -> int:
    return _font(face).getmetrics()[0]


@lru_cache(maxsize=16384)
def glyph(face: Face, char: str) -> Glyph:
    """The glyph of one character; tab counts four spaces, a combining mark does not advance."""
    if char == "\t":
        return Glyph(4 * advance(face, " "), 0, 0, np.zeros((0, 0), np.uint8))
    if not char.isprintable():
        char = "\uffff"
    font = _font(face)
    step = 0 if unicodedata.combining(char) else max(round(font.getlength(char)), 1)
    left, top, right, bottom = font.getbbox(char)
    width, height = int(right - left), int(bottom - top)
    if width <= 0 or height <= 0:
        return Glyph(step, 0, 0, np.zeros((0, 0), np.uint8))
    image = Image.new("L", (width, height))
    ImageDraw.Draw(image).text((-left, -top), char, font=font, fill=255)
    return Glyph(step, int(left), int(top), np.asarray(image))


@lru_cache(maxsize=65536)
def advance(face: Face, char: str) -> int:
    return glyph(face, char).advance


@lru_cache(maxsize=1024)
def width(face: Face, text: str) -> int:
    """Pixels from the first pen position to the last."""
    return sum(advance(face, char) for char in text)


def offsets(face: Face, text: str) -> tuple[int, ...]:
    """Pen position before each character and after the last: len(text) + 1 numbers."""
    return (_kept_offsets if len(text) <= SHORT else _offsets)(face, text)


def _offsets(face: Face, text: str) -> tuple[int, ...]:
    return tuple(accumulate((advance(face, char) for char in text), initial=0))


_kept_offsets = lru_cache(maxsize=256)(_offsets)


def fit(face: Face, text: str, room: int) -> str:
    """`text`, cut with an ellipsis if it is wider than `room` pixels."""
    if width(face, text) <= room:
        return text
    room -= advance(face, "…")
    for end, pen in enumerate(offsets(face, text)):
        if pen > room:
            return text[: max(end - 1, 0)].rstrip() + "…"
    return "…"


def wrap(face: Face, text: str, room: int) -> list[str]:
    """`text` in lines of at most `room` pixels, broken between words; a longer word has its own line."""
    lines, line = [], ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if line and width(face, longer) > room:
            lines.append(line)
            longer = word
        line = longer
    return [*lines, line]


MARGIN = 3  # glyphs may reach this far left and right of their line


@lru_cache(maxsize=256)  # what a few pages show: more would go on filling for hours
def line(face: Face, text: str) -> np.ndarray:
    """Coverage of one line: uint8 (line_height, width + 2 * MARGIN); the pen starts at column MARGIN. Read only."""
    height = line_height(face)
    sheet = np.zeros((height, width(face, text) + 2 * MARGIN), np.uint8)
    pen = MARGIN
    for char in text:
        step, left, top, coverage = glyph(face, char)
        if coverage.size:
            x = pen + left
            x0, y0 = max(x, 0), max(top, 0)
            part = coverage[y0 - top : height - top, x0 - x : sheet.shape[1] - x]
            into = sheet[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]]
            np.maximum(into, part, out=into)
        pen += step
    sheet.flags.writeable = False
    return sheet

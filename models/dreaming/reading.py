"""Reading: the text that a picture of an editor shows, letter by letter, by the font that it is set in.

Glyphs stand on whole pixels and look the same wherever they stand (`engine.typeface`), so a line is read exactly or not at
all: a letter is looked up by its own pixels, and what was read is held against the picture column by column.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from engine.desktop.markdown import Look, look
from engine.desktop.text_view import ABOVE, LEADING
from engine.desktop.text_wrap import hang
from engine.geometry import Rect
from engine.theme import NEUTRAL, Role
from engine.typeface import MARGIN, Face, Glyph, glyph, line_height, width

TRIES = 500  # letters tried in one line before it is given up
_RANGES = ((0x20, 0x7F), (0xA0, 0x180), (0x370, 0x460), (0x2010, 0x2028), (0x2030, 0x2040), (0x20AC, 0x20AD), (0x2190, 0x2194))
LETTERS = "".join(char for first, end in _RANGES for char in map(chr, range(first, end)) if char.isprintable())
GAP = 12  # columns without ink that end a label
_LEVEL = NEUTRAL[:, 1].astype(np.int32)  # one colour channel is enough to read by
_MARKERS = ("", "# ", "## ", "### ", "> ")  # what a paragraph begins with, by the looks it can have


class Line(NamedTuple):
    """A row: its text without the spaces at its end, and how it is set; indent: pixels before it."""

    text: str
    look: Look
    indent: int


def read(pixels: np.ndarray, room: Rect, size: int, caret: Rect) -> str | None:
    """The text that stands in `room` of a guide's pixels, uint8 (H, W, 3), in an editor whose plain text has this size; None
    where it is not to be read. caret: where one stands, which hides what is below it. A row whose first word would not have
    fitted into the one before is taken to go on with its paragraph."""
    paper, y = _Paper(pixels[..., 1].astype(np.int32), room, size, caret), room.y
    paragraphs: list[str] = []
    before: Line | None = None
    last = 0  # the paragraph in which the caret stands: it is there, even if it is empty
    while y + line_height(Face(size)) + LEADING <= room.bottom:
        new = next(paper.begun(y, bool(paragraphs)), None)
        line = before and paper.continued(y, paragraphs[-1], before)
        if line and before and not (new and _fits(before, line.text, room)):
            paragraphs[-1] += _joint(before, line, room) + line.text
        elif new:
            line = new
            paragraphs.append(new.text)
        else:
            return None
        above = ABOVE if line is new and line.look.level and len(paragraphs) > 1 else 0
        last = len(paragraphs) - 1 if y <= caret.y else last
        y, before = y + line_height(line.look.face) + LEADING + above, line
    while len(paragraphs) > last + 1 and not paragraphs[-1]:
        paragraphs.pop()
    return "\n".join(paragraphs)


def _fits(before: Line, text: str, room: Rect) -> bool:
    """Whether the first word of a row would have had room in the one before."""
    word = text.split(" ", 1)[0]
    return before.indent + width(before.look.face, f"{before.text} {word}") <= room.w


def _joint(before: Line, line: Line, room: Rect) -> str:
    """What stood between two rows of a paragraph: nothing where a row was broken behind a hyphen or within a word."""
    broken = " " not in before.text and before.indent + width(before.look.face, before.text + line.text[0]) > room.w
    return "" if broken or before.text[-1:] in "-\u2010\u2013\u2014" else " "


class _Paper:
    """What rows are read from. level: int32 (H, W), one colour channel of it all; room, size, caret: as of `read`."""

    def __init__(self, level: np.ndarray, room: Rect, size: int, caret: Rect) -> None:
        self._level, self._room, self._size, self._caret = level, room, size, caret
        self._known: dict[tuple[Rect, Face], str | None] = {}

    def begun(self, y: int, above: bool) -> Iterator[Line]:
        """What a row says if it begins a paragraph, by the looks that a paragraph can have."""
        for marker in _MARKERS:
            set_as = look(marker, 0, self._size)
            text = self._line(0, y + (ABOVE if set_as.level and above else 0), set_as.face)
            if text is not None and look(text, 0, self._size)[::3] == set_as[::3]:
                yield Line(text, look(text, 0, self._size), 0)

    def continued(self, y: int, paragraph: str, before: Line) -> Line | None:
        """What a row says if it goes on with a paragraph."""
        indent, face = hang(paragraph, 0, before.look, self._room.w), before.look.face
        left = self._level[y : y + line_height(face), self._room.x : self._room.x + max(indent - MARGIN, 0)]
        if (left != self._level[y, self._room.x]).any():
            return None  # the marker of another paragraph
        text = self._line(indent, y, face)
        return Line(text, before.look, indent) if text else None

    def _line(self, indent: int, y: int, face: Face) -> str | None:
        """The text of one line box, "" where it is empty, None where it is not to be read."""
        box = Rect(self._room.x + indent, y, self._room.w - indent, line_height(face))
        if box.bottom > self._room.bottom:
            return None
        if (box, face) not in self._known:
            self._known[box, face] = self._read(box, face)
        return self._known[box, face]

    def _read(self, box: Rect, face: Face) -> str | None:
        part, caret = self._level[box.y : box.bottom], self._caret
        hidden = np.zeros(part.shape[1], bool)
        if caret.y < box.bottom and caret.bottom > box.y:
            hidden[caret.x : caret.right] = True
        selected = (part == _LEVEL[Role.SELECTION]).sum(0) > (part == _LEVEL[Role.FIELD]).sum(0)
        papers = np.where(selected, Role.SELECTION, Role.FIELD)
        inked = np.flatnonzero((part != _LEVEL[papers]).any(0) & ~hidden)
        inked = inked[(inked >= box.x - MARGIN) & (inked < box.right + MARGIN)]
        end = int(inked[-1]) + 1 if len(inked) else box.x
        text = _Reader(part, papers, hidden, face, end).read(box.x)
        if text is None or not hidden.any():
            return text
        return text + " " * (max(caret.x + 1 - box.x - width(face, text), 0) // width(face, " "))  # of spaces at the end, the caret tells


def read_label(pixels: np.ndarray, right: int, y: int, face: Face) -> str | None:
    """A muted label on a window's surface, whose last pen is at `right`, its line box at `y`; None where none is to be read.
    pixels: of a guide, uint8 (H, W, 3)."""
    part = pixels[y : y + line_height(face), :right, 1].astype(np.int32)
    inked = (part != _LEVEL[Role.SURFACE]).any(0)
    first = right
    while first > 0 and inked[max(first - GAP, 0) : first].any():
        first -= 1
    papers, hidden = np.full(right, Role.SURFACE), np.zeros(right, bool)
    for start in range(first, max(first - MARGIN, 0) - 1, -1):
        text = _Reader(part, papers, hidden, face, int(np.flatnonzero(inked)[-1]) + 1).read(start) if inked.any() else None
        if text and start + width(face, text) == right:
            return text
    return None


class _Reader:
    """Reads one line, int32 (line height, W), up to the column `end` behind its last ink. papers: the role of what each column is written
    on, (W,); hidden: which columns are not looked at."""

    def __init__(self, part: np.ndarray, papers: np.ndarray, hidden: np.ndarray, face: Face, end: int) -> None:
        self._part, self._papers, self._hidden = part, papers, hidden
        self._columns = np.ascontiguousarray(part.T.astype(np.uint8))
        self._face, self._end = face, end
        self._left = TRIES

    def read(self, x: int) -> str | None:
        """From the pen `x` on."""
        first = max(x - MARGIN, 0)
        found = self._from(x, first, np.zeros((len(self._part), self._part.shape[1] + 4 * MARGIN + self._face.size * 3), np.uint8), Role.MUTED)
        return None if found is None else found.rstrip()

    def _from(self, x: int, checked: int, sheet: np.ndarray, ink: Role) -> str | None:
        """What stands from the pen `x` on. checked: columns before it are as `sheet`, the coverage so far, says."""
        if x >= self._end:
            return "" if self._agrees(checked, min(self._end + MARGIN, self._part.shape[1]), sheet, ink) else None
        for char, role in self._candidates(x, ink):
            self._left -= 1
            if self._left < 0:
                return None
            mark = glyph(self._face, char)
            step, kept = x + mark.advance, sheet
            if mark.coverage.size:
                kept = sheet.copy()
                _set(kept, x, mark)
            to = max(step - 2, checked)
            if self._agrees(checked, min(to, self._part.shape[1]), kept, role) and (rest := self._from(step, to, kept, role)) is not None:
                return char + rest
        return None

    def _candidates(self, x: int, ink: Role) -> Iterator[tuple[str, Role]]:
        """Letters whose own columns, the outermost apart, are what stands at a pen, the widest first. A muted marker stands at most at
        the beginning."""
        paper = Role(int(self._papers[min(x + 1, len(self._papers) - 1)]))
        for role in (Role.MUTED, Role.INK) if ink is Role.MUTED else (Role.INK,):
            for step, known in _index(self._face, paper, role):
                for char in known.get(self._columns[x + 1 : x + step - 1].tobytes(), ""):
                    yield char, role

    def _agrees(self, first: int, end: int, sheet: np.ndarray, ink: Role) -> bool:
        """Whether columns look as the coverage says."""
        if first >= end:
            return True
        paper, coverage = _LEVEL[self._papers[first:end]], sheet[:, first:end].astype(np.int32)
        shown = (paper * 255 + (_LEVEL[ink] - paper) * coverage + 127) // 255
        return bool(((shown == self._part[:, first:end]) | self._hidden[first:end]).all())


def _set(sheet: np.ndarray, x: int, mark: Glyph) -> None:
    """Put a glyph's coverage at the pen `x` into a line's, as far as it lies on it: some reach far over their own room."""
    left = x + mark.left
    coverage = mark.coverage[max(-mark.top, 0) :, max(-left, 0) :]
    into = sheet[max(mark.top, 0) :, max(left, 0) :][: len(coverage), : coverage.shape[1]]
    np.maximum(into, coverage[: len(into), : into.shape[1]], out=into)


@lru_cache(maxsize=32)
def _index(face: Face, paper: Role, ink: Role) -> list[tuple[int, dict[bytes, str]]]:
    """By advance, the widest first: letters by their own columns, the outermost apart, on this paper in this ink."""
    height, found = line_height(face), dict[int, dict[bytes, str]]()
    for char in LETTERS:
        mark = glyph(face, char)
        sheet = np.zeros((height, mark.advance), np.uint8)
        if mark.coverage.size:
            _set(sheet, 0, mark)
        own = sheet[:, 1:-1].astype(np.int32)
        shown = (_LEVEL[paper] * 255 + (_LEVEL[ink] - _LEVEL[paper]) * own + 127) // 255
        known, key = found.setdefault(mark.advance, {}), shown.T.astype(np.uint8).tobytes()
        known[key] = known.get(key, "") + char
    return sorted(found.items(), reverse=True)

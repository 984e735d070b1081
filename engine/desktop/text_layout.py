"""Text as rows of a given width, kept up to date by wrapping anew only from an edit until the old rows fit again."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np

from engine.desktop.markdown import Look, look
from engine.desktop.text_stops import before, nearest
from engine.desktop.text_wrap import hang, row_starts
from engine.typeface import offsets

STRETCH = 600  # characters first wrapped after an edit; eight times more each time that was not enough


class TextLayout:
    """`starts`: int64 (rows,), the offset of each row's first character. Rows count from 0."""

    def __init__(self) -> None:
        self.text = ""
        self.room = 0
        self.size = 0
        self.starts = np.zeros(1, np.int64)

    def fit(self, text: str, room: int, size: int) -> None:
        """Lay out `text` in rows of `room` pixels, plain text `size` pixels high; all anew unless nothing changed."""
        if (room, size) != (self.room, self.size) or (text is not self.text and text != self.text):
            self.room, self.size = room, size
            self.starts = np.array([0, *row_starts(text, 0, len(text), room, size)], np.int64)
        self.text = text

    def edit(self, text: str, at: int, removed: int, inserted: int) -> None:
        """Follow a change: `text` is the new text, in which `inserted` characters at `at` took the place of `removed`."""
        if not self.room:
            self.text = text
            return
        old, starts, shift = self.text, self.starts, inserted - removed
        self.text = text
        row = self._first_to_wrap(old, at)
        steady = self._look_at(old, at + removed) == self._look_at(text, at + inserted)
        made: list[int] = []
        begin, stretch = int(starts[row]), STRETCH + inserted
        while True:
            stop = min(begin + stretch, len(text))
            found = np.array(row_starts(text, begin, stop, self.room, self.size), np.int64)
            joined = self._agree(found, at + inserted, shift, starts, steady)
            if joined is not None:
                count, rest = joined
                tail = starts[rest:] + shift
                break
            if stop == len(text):
                count, tail = len(found), starts[:0]
                break
            if len(found):
                made += found.tolist()
                begin = made[-1]
            stretch *= 8
        self.starts = np.concatenate((starts[: row + 1], np.array(made, np.int64), found[:count], tail))

    # Reading

    @property
    def count(self) -> int:
        return len(self.starts)

    def row_of(self, offset: int) -> int:
        """The row that a caret at `offset` stands in."""
        return int(self.starts.searchsorted(offset, "right")) - 1

    def span(self, row: int) -> tuple[int, int]:
        """Offsets of a row's first character and behind its last, without its line end."""
        start = int(self.starts[row])
        if row + 1 == len(self.starts):
            return start, len(self.text)
        end = int(self.starts[row + 1])
        return start, end - (self.text[end - 1] == "\n")

    def is_first(self, row: int) -> bool:
        """Whether the row is its paragraph's first."""
        start = int(self.starts[row])
        return start == 0 or self.text[start - 1] == "\n"

    def look(self, row: int) -> Look:
        return look(self.text, self._paragraph(int(self.starts[row])), self.size)

    def indent(self, row: int, paragraph: Look) -> int:
        """Pixels before the row's first character."""
        if not paragraph.hangs or self.is_first(row):
            return 0
        return hang(self.text, self._paragraph(int(self.starts[row])), paragraph, self.room)

    def last_stop(self, row: int) -> int:
        """The last offset at which a caret stands in this row: before the space it was broken at."""
        start, end = self.span(row)
        if row + 1 < len(self.starts) and end == self.starts[row + 1]:
            return max(before(self.text, end), start)
        return end

    def pen(self, row: int, offset: int) -> int:
        """Pixels from the left edge to the caret at `offset` in this row."""
        paragraph = self.look(row)
        return self.indent(row, paragraph) + offsets(paragraph.face, self.text[int(self.starts[row]) : offset])[-1]

    def hit(self, row: int, x: int) -> int:
        """The offset in this row nearest to pixel `x`."""
        paragraph = self.look(row)
        start, last = int(self.starts[row]), self.last_stop(row)
        pens = offsets(paragraph.face, self.text[start:last])
        x -= self.indent(row, paragraph)
        at = bisect_left(pens, x)
        if at and (at == len(pens) or x - pens[at - 1] <= pens[at] - x):
            at -= 1
        while at + 1 < len(pens) and pens[at + 1] == pens[at]:
            at += 1  # behind the marks on a character, not between
        return max(nearest(self.text, start + at), start)

    # Inside

    def _paragraph(self, offset: int) -> int:
        return self.text.rfind("\n", 0, offset) + 1

    def _first_to_wrap(self, old: str, at: int) -> int:
        """The first row whose end an edit at `at` can move: a shorter word may fit on a row before."""
        row = self.row_of(at)
        head = self.row_of(old.rfind("\n", 0, at) + 1)
        if self._look_at(old, at) != self._look_at(self.text, at):
            return head
        return max(row - 3, head)

    def _look_at(self, text: str, at: int) -> tuple[Look, int]:
        start = text.rfind("\n", 0, at) + 1
        paragraph = look(text, start, self.size)
        return paragraph, hang(text, start, paragraph, self.room)

    def _agree(
        self, found: np.ndarray, edited: int, shift: int, starts: np.ndarray, steady: bool
    ) -> tuple[int, int] | None:
        """How many of the new rows to keep, and the old row from which on the old ones stand again.

        Behind the edit a row that starts where an old one did goes on as it did, unless its paragraph looks otherwise.
        """
        if not len(found):
            return None
        place = np.minimum(starts.searchsorted(found - shift), len(starts) - 1)
        same = (starts[place] == found - shift) & (found > edited)
        for i in np.flatnonzero(same).tolist():
            if steady or self.text[int(found[i]) - 1] == "\n":
                return i, int(place[i])
        return None



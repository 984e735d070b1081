"""The part of a laid-out text that is in view: which rows, where they stand, and how it scrolls."""

from __future__ import annotations

from typing import Any, NamedTuple

from engine.desktop.text_layout import TextLayout
from engine.geometry import Rect
from engine.typeface import line_height

LEADING = 2  # pixels between rows
ABOVE = 4  # further pixels above a heading
LEAST_ROOM = 24  # pixels a row has at least, however narrow the window


class Row(NamedTuple):
    """A row in view: its number, its top and height in frame pixels, its first offset and the one behind its last."""

    number: int
    y: int
    height: int
    start: int
    end: int


class TextView:
    """`rect` is where rows stand, in frame pixels; `top` an offset in the first row in view, so that it keeps its
    place when the width changes; `follow` asks for the caret to be in view at the next settling."""

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        state = state or {}
        self.layout = TextLayout()
        self.rect = Rect(0, 0, 0, 0)
        self.top = int(state.get("top", 0))
        self.follow = bool(state.get("follow", not state))

    def state(self) -> dict[str, Any]:
        return {"top": self.top, "follow": self.follow}

    def fit(self, text: str, rect: Rect, size: int, caret: int) -> None:
        """Show `text` in `rect`. A caret that was in view stays there when the size changes."""
        if self.rect and (rect.w, rect.h, size) != (self.rect.w, self.rect.h, self.layout.size):
            self.follow |= self.top_row <= self.layout.row_of(caret) <= self.rows()[-1].number
        self.rect = rect
        self.layout.fit(text, max(rect.w, LEAST_ROOM), size)

    def edit(self, text: str, at: int, removed: int, inserted: int) -> None:
        """Follow a change of the text; see TextLayout.edit."""
        self.layout.edit(text, at, removed, inserted)
        if at < self.top:
            self.top = max(at, self.top + inserted - removed)

    @property
    def top_row(self) -> int:
        return self.layout.row_of(self.top)

    @property
    def last_top(self) -> int:
        """The first row when the end is in view."""
        return self.top_for(self.layout.count - 1)

    def rows(self) -> list[Row]:
        """The rows in view, top to bottom: only whole ones, and at least one."""
        rows: list[Row] = []
        y = self.rect.y
        for number in range(self.top_row, self.layout.count):
            height = self.height(number)
            if y + height > self.rect.bottom and rows:
                break
            rows.append(Row(number, y, height, *self.layout.span(number)))
            y += height
        return rows

    def offset_at(self, x: int, y: int) -> int:
        """The offset nearest to a point; above or below the view, in the row before or behind it."""
        rows = self.rows()
        if y < self.rect.y:
            row = max(rows[0].number - 1, 0)
        else:
            under = [row.number for row in rows if y < row.y + row.height]
            row = under[0] if under else min(rows[-1].number + (y >= self.rect.bottom), self.layout.count - 1)
        return self.layout.hit(row, x - self.rect.x)

    def scroll_to(self, row: int) -> None:
        """Show the text from `row` on, or from as near as there is enough of it."""
        self.top = int(self.layout.starts[max(0, min(row, self.last_top))])
        self.follow = False

    def settle(self, caret: int) -> None:
        """Keep the view within the text, and the caret in view if it is to be followed."""
        if not self.rect:
            return
        row, top = self.layout.row_of(caret), self.top_row
        if self.follow:
            top = max(min(top, row), self.top_for(row))
        self.scroll_to(top)

    def top_for(self, row: int) -> int:
        """The first row to show so that `row` is just in view at the bottom."""
        room = self.rect.h - self.height(row)
        while row and (room := room - self.height(row - 1)) >= 0:
            row -= 1
        return row

    def height(self, row: int) -> int:
        """Pixels from the top of this row to the top of the next."""
        look = self.layout.look(row)
        above = ABOVE if look.level and row and self.layout.is_first(row) else 0
        return line_height(look.face) + LEADING + above

"""What a menu or the launcher shows that just opened: its page in the book, with the row that is chosen and the one that the pointer is on.

Which row that is follows from the desktop's own rules (`engine.desktop.menu`, `engine.desktop.ask_bar`).
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from engine.desktop.ask_bar import ENTRIES_Y
from engine.desktop.canvas import row_height
from engine.drawing import Fill, Item, Outline
from engine.events import Down, Event, Key, Move, Up, Wheel
from engine.geometry import Rect
from engine.theme import Role
from models.dreaming.book import LAUNCHER, Book, Subject
from models.dreaming.pictures import drawn, reinked
from models.dreaming.planes import FILLED, SEEN, lay

IN_MENU, IN_LAUNCHER = 3, 4  # pixels from the edge to the rows
NONE = -1


class Offer(NamedTuple):
    """subject: whose page; box: where it stands, frame pixels; chosen, lit: the rows under the keyboard and under the pointer, from 0 on,
    or NONE."""

    subject: Subject
    box: Rect
    chosen: int
    lit: int = NONE

    @classmethod
    def of_menu(cls, page: int, text_size: int, point: tuple[int, int], bounds: Rect, book: Book) -> Offer | None:
        """The menu that opens at a point; None where the book has no page of it or there is no room for all of it."""
        seen = book.page(page, text_size, exact=True)
        if seen is None or seen.shape[1] > bounds.h or seen.shape[2] > bounds.w:
            return None
        (_, h, w), (x, y) = seen.shape, point
        left, top = max(min(x, bounds.right - w), 0), y if y + h <= bounds.bottom else max(y - h, 0)
        return cls(Subject(page, text_size), Rect(left, top, w, h), 0)

    @classmethod
    def of_launcher(cls, box: Rect, text_size: int, book: Book) -> Offer | None:
        """The launcher that opens in `box`; None where the book has no page of its size."""
        seen = book.page(LAUNCHER, text_size, exact=True)
        return cls(Subject(LAUNCHER, text_size), box, NONE) if seen is not None and seen.shape[1:] == (box.h, box.w) else None

    @property
    def _row(self) -> int:
        return row_height(self.subject.text_size)

    @property
    def _launches(self) -> bool:
        return self.subject.app == LAUNCHER

    @property
    def _first(self) -> Rect:
        """The first row, in the box."""
        edge = IN_LAUNCHER if self._launches else IN_MENU
        return Rect(edge, self._row + ENTRIES_Y if self._launches else edge, self.box.w - 2 * edge, self._row)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return (self.box.h - self._first.y) // self._row

    def answer(self, event: Event | None) -> Offer | None:
        """After an event that leaves it open; None where it shows something else then, as when letters are typed."""
        if isinstance(event, (Move, Down, Up)):
            return self._replace(lit=self._at(event.x, event.y))
        if isinstance(event, Wheel) and not self._launches and self.lit != NONE:
            return self._replace(chosen=max(0, min(self.chosen - event.dy, self.rows - 1)))
        if isinstance(event, Key) and event.key in ("up", "down"):
            to = self.chosen + (1 if event.key == "down" else -1)
            return self._replace(chosen=max(NONE, min(to, self.rows - 1)) if self._launches else to % self.rows)
        return self if event is None or isinstance(event, Wheel) or not self._launches else None

    def _at(self, x: int, y: int) -> int:
        first = self._first.shift(self.box.x, self.box.y)
        row = (y - first.y) // self._row
        return row if first.x <= x < first.right and 0 <= row < self.rows else NONE

    def planes(self, book: Book) -> Tensor:
        """What it shows: uint8 (PLANES, h, w)."""
        page, outer = book.page(*self.subject, exact=True), Rect(0, 0, self.box.w, self.box.h)
        assert page is not None
        papers = {row: Role.SELECTION if row == self.chosen else Role.HOVER for row in (self.chosen, self.lit) if row != NONE}
        edge = Role.ACCENT if self._launches else Role.BORDER
        shapes: list[Item] = [Fill(outer, Role.SURFACE, "menu", outer), Outline(outer, edge, "menu", outer, 1)]
        shapes += [Fill(at := self._place(row), paper, "row", at) for row, paper in papers.items()]
        out = drawn(shapes, outer.w, outer.h)
        out[:SEEN] = page
        if self._launches:
            out[FILLED, : self._first.y] = 0  # a field stands there, of which the page tells no forms
        shown = NONE if self._launches else 0  # the row that the page has as chosen
        for row in range(self.rows):
            pixels = out[:3, *self._place(row).slices]
            old, new = (Role.SELECTION if row == shown else Role.SURFACE, Role.INK), (papers.get(row, Role.SURFACE), Role.INK)
            pixels.copy_(reinked(pixels, old, new))
        return out

    def _place(self, row: int) -> Rect:
        """Where a row stands, in the box."""
        return self._first.shift(0, row * self._row)

    def laid(self, planes: Tensor, book: Book) -> Tensor:
        """On top of what is shown, uint8 (PLANES, H, W)."""
        out = planes.clone()
        lay(out, self.planes(book), self.box, Rect(0, 0, out.shape[2], out.shape[1]), "menu")
        return out

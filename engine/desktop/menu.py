"""The context menu, and what it offers for a window and for the bare desktop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from engine.desktop.canvas import Canvas
from engine.geometry import Rect
from engine.open_work import Offered
from engine.scene import Touch
from engine.theme import Role
from engine.typeface import width

if TYPE_CHECKING:
    from engine.desktop.desktop import Desktop
    from engine.desktop.window import Window, WindowKeeper

Entries = Sequence[tuple[str, Callable[[], None]]]


@dataclass
class Menu:
    """An open context menu at (x, y). `chosen` is the entry under the keyboard; `first` the uppermost one in view."""

    x: int
    y: int
    entries: Entries
    chosen: int = 0
    first: int = 0

    def offered(self) -> Offered:
        """It as it is told to who dreams."""
        return Offered(self.x, self.y, tuple(name for name, _ in self.entries), self.chosen, self.first)

    def draw(self, canvas: Canvas, pick: Callable[[int], None]) -> None:
        """Draw the entries there is room for, the chosen one among them."""
        screen = canvas.rect
        shown = min(len(self.entries), (screen.h - 6) // canvas.row)
        self.first = max(min(self.first, self.chosen), self.chosen - shown + 1, 0)
        w = min(max(width(canvas.face, text) for text, _ in self.entries) + 28, screen.w)
        h = canvas.row * shown + 6
        x = max(min(self.x, screen.right - w), 0)
        y = self.y if self.y + h <= screen.bottom else max(self.y - h, 0)
        box = Rect(x, y, w, h)
        canvas.fill(box, Role.SURFACE, "menu")
        canvas.outline(box, shape="menu")
        canvas.widget("menu", "menu", box, Touch(wheel=self._wheel))
        inside = canvas.part(box, "menu")
        for i, (text, _) in enumerate(self.entries[self.first : self.first + shown], self.first):
            row = Rect(box.x + 3, box.y + 3 + (i - self.first) * canvas.row, w - 6, canvas.row)
            touch = Touch(click=partial(pick, i))
            inside.list_row(text, row, touch, selected=i == self.chosen, role="entry")

    def _wheel(self, dy: int) -> bool:
        self.chosen = max(0, min(self.chosen - dy, len(self.entries) - 1))
        return True


def window_entries(keeper: WindowKeeper, window: Window) -> Entries:
    return [
        *window.app.menu(),
        ("Restore" if window.normal else "Maximise", lambda: keeper.maximise(window)),
        ("Minimise", lambda: keeper.minimise(window)),
        ("Close", lambda: keeper.close(window.app)),
    ]


def desktop_entries(desktop: Desktop) -> Entries:
    return [
        ("Ask…", desktop.toggle_ask_bar),
        ("Notes", lambda: desktop.open("Notes")),
        ("Look and text size", lambda: desktop.open("Settings")),
    ]

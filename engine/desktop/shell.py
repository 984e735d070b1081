"""What stands around the windows: wallpaper, icons, taskbar with clock, context menu."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from engine.desktop.app import App
from engine.desktop.canvas import Canvas
from engine.desktop.window import Window
from engine.geometry import Rect
from engine.scene import Touch
from engine.theme import Role
from engine.typeface import width

TILE = 28  # side of an icon's tile, pixels
Entries = Sequence[tuple[str, Callable[[], None]]]


def bar_height(line: int) -> int:
    return line + 14


def icon_width(text_size: int) -> int:
    """Width of a column of icons with their names."""
    return max(72, text_size * 5 + 8) + 4


def draw_icons(
    canvas: Canvas, apps: Sequence[type[App]], open_app: Callable[[str], None], menu: Callable[[], Entries]
) -> None:
    """The wallpaper and a column (or more) of icons; one click opens."""
    canvas.fill(canvas.rect, Role.WALLPAPER, "wallpaper")
    canvas.widget("desktop", "desktop", canvas.rect, Touch(menu=menu))
    cell_h = TILE + canvas.line + 4
    rows = max((canvas.rect.h - 4) // cell_h, 1)
    columns = -(-len(apps) // rows)
    cell_w = min(icon_width(canvas.sheet.text_size) - 4, (canvas.rect.w - 4) // columns)
    icons = canvas.part(canvas.rect, "icons")
    for i, app in enumerate(apps):
        cell = Rect(canvas.rect.x + 4 + i // rows * cell_w, canvas.rect.y + 4 + i % rows * cell_h, cell_w, cell_h - 1)
        widget = icons.widget("icon", app.name, cell, Touch(click=partial(open_app, app.name), focusable=True), app.name)
        tile = Rect(cell.x + (cell_w - TILE) // 2, cell.y + 1, TILE, TILE)
        lit = {"hovered", "focused", "pressed"} & set(widget.state)
        canvas.fill(tile, Role.SELECTION if "pressed" in lit else Role.HOVER if lit else Role.ACCENT, "tile")
        canvas.mark(tile.grow(-5), app.icon, Role.ACCENT if lit else Role.ACCENT_INK)
        label = Rect(cell.x + 1, tile.bottom + 1, cell_w - 2, canvas.line)
        canvas.text_in(label, app.name, Role.WALLPAPER_INK, align="centre")


def draw_taskbar(
    canvas: Canvas,
    windows: Sequence[Window],
    front: Window | None,
    now: datetime,
    launch: Callable[[], None],
    choose: Callable[[Window], None],
    menu: Callable[[Window], Entries],
) -> None:
    """Launcher button, one button a window, clock."""
    bar = canvas.rect
    canvas.fill(bar, Role.BAR, "bar")
    canvas.fill(Rect(bar.x, bar.y, bar.w, 1), Role.BORDER, "line")
    canvas.widget("taskbar", "taskbar", bar, Touch())
    inside = canvas.part(bar, "taskbar")
    side = bar.h - 6
    inside.button("Launcher", Rect(bar.x + 4, bar.y + 4, side + 6, side), launch, icon="logo")
    clock = now.strftime("%H:%M")
    room = width(canvas.face, "00:00") + 16
    inside.label("clock", Rect(bar.right - room, bar.y, room - 8, bar.h), clock, Role.BAR_INK, align="right")
    x = bar.x + side + 16
    share = (bar.right - room - x) // max(len(windows), 1)
    for window in sorted(windows, key=lambda w: w.name):
        box = Rect(x, bar.y + 4, min(share, 120) - 4, side)
        state = ("minimised",) if window.minimised else ("active",) if window is front else ()
        touch = Touch(click=partial(choose, window), menu=partial(menu, window), focusable=True)
        _task(inside, window, box, inside.widget("button", window.name, box, touch, window.title, state=state).state)
        x += min(share, 120)


def _task(canvas: Canvas, window: Window, box: Rect, state: tuple[str, ...]) -> None:
    ground = Role.HOVER if {"hovered", "pressed"} & set(state) else Role.SELECTION if "active" in state else Role.BUTTON
    canvas.fill(box, ground, "button")
    canvas.outline(box, Role.ACCENT if "focused" in state else Role.BORDER)
    named = box.w >= 30 + 3 * canvas.sheet.text_size  # room for more than a letter or two
    x = box.x + 4 if named else box.x + (box.w - 14) // 2
    canvas.mark(Rect(x, box.y + (box.h - 14) // 2, 14, 14), window.app.icon, Role.INK)
    if named:
        ink = Role.MUTED if window.minimised else Role.INK
        canvas.text_in(box.inset(22, 0, 4, 0), window.title or window.name, ink)


@dataclass
class Menu:
    """An open context menu at (x, y). `chosen` is the entry under the keyboard; `first` the uppermost one in view."""

    x: int
    y: int
    entries: Entries
    chosen: int = 0
    first: int = 0

    def draw(self, canvas: Canvas, pick: Callable[[int], None]) -> None:
        """Draw the entries there is room for, the chosen one among them."""
        screen = canvas.rect
        shown = min(len(self.entries), (screen.h - 6) // canvas.row)
        self.first = max(min(self.first, self.chosen), self.chosen - shown + 1)
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

"""A window: its place, its frame and title bar, and how they answer the pointer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from engine.desktop.app import App
from engine.desktop.canvas import Canvas
from engine.desktop.menu import window_entries
from engine.geometry import Rect
from engine.scene import Touch
from engine.theme import Role

EDGE = 5  # width in pixels of the strips that resize a window


def title_height(line: int) -> int:
    """Of a title bar with the line below it, where a line of text is so high; pixels."""
    return line + 9


def inside(window: Rect, line: int, border: int) -> Rect:
    """What a window, by its outer rect, holds below its title bar; line: how high a line of text is, border: of the window; pixels."""
    top = border + title_height(line)
    return Rect(window.x + border, window.y + top, window.w - 2 * border, window.h - top - border)


def title_bar(window: Rect, line: int, border: int) -> Rect:
    """Where a window's title bar stands, as of `inside`."""
    return Rect(window.x + border, window.y + border, window.w - 2 * border, title_height(line) - 1)


def action_boxes(bar: Rect, left: bool) -> dict[str, Rect]:
    """Where in a title bar its buttons stand, by name; left: on which side."""
    side = bar.h - 4
    away = {name: i * (side + 2) for i, name in enumerate(("close", "maximise", "minimise"), 1)}
    return {name: Rect(bar.x + far - side if left else bar.right - far, bar.y + 2, side, side) for name, far in away.items()}


def title_room(bar: Rect, left: bool = False) -> Rect:
    """What a title bar's icon and its three buttons leave for the title; left: whether the buttons stand on the left."""
    buttons = 3 * (bar.h - 2) + 4
    return bar.inset(buttons, 0, 26, 0) if left else bar.inset(26, 0, buttons, 0)


class WindowKeeper(Protocol):
    """What a window asks of the desktop that holds it."""

    @property
    def work_area(self) -> Rect: ...

    def close(self, app: App) -> None: ...

    def minimise(self, window: Window) -> None: ...

    def maximise(self, window: Window) -> None: ...


@dataclass
class Window:
    """`rect` is the outer rect in frame pixels; `normal` the rect to go back to from maximised."""

    app: App
    rect: Rect
    title: str = ""
    minimised: bool = False
    normal: Rect | None = None
    focus: str = ""  # path of the widget that has the focus in this window
    _grip: tuple[int, int, Rect] = field(default=(0, 0, Rect(0, 0, 0, 0)))

    @property
    def name(self) -> str:
        return self.app.name

    def state(self) -> dict[str, Any]:
        return {
            "app": self.name,
            "rect": list(self.rect),
            "title": self.title,
            "minimised": self.minimised,
            "normal": list(self.normal) if self.normal else None,
            "focus": self.focus,
            "state": self.app.state(),
        }

    def smallest(self, canvas_line: int) -> tuple[int, int]:
        return self.app.least[0] + 2, self.app.least[1] + canvas_line + 10  # with the thinnest border

    def place(self, rect: Rect, area: Rect, line: int) -> None:
        """Move and resize, kept at least as large as the app needs and reachable inside `area`."""
        least_w, least_h = self.smallest(line)
        w, h = min(max(rect.w, least_w), area.w), min(max(rect.h, least_h), area.h)
        x = max(area.x - w + 60, min(rect.x, area.right - 60))
        y = max(area.y, min(rect.y, area.bottom - line - 9))
        self.rect = Rect(x, y, w, h)

    def draw(self, canvas: Canvas, active: bool, keeper: WindowKeeper) -> None:
        """Draw the frame, the title bar, the app's content and the strips that resize."""
        outer = canvas.part(self.rect, self.name)
        states = (("active",) if active else ()) + (("maximised",) if self.normal else ())
        canvas.widget("window", self.name, self.rect, Touch(), self.title or self.name, state=states)
        self.draw_frame(outer, active, keeper)
        held = inside(self.rect, canvas.line, canvas.sheet.chrome.border)
        outer.fill(held, Role.SURFACE, "body")
        self.app.draw(Canvas(canvas.sheet, held, self.name, held.meet(outer.clip)))
        if not self.normal:
            self._edges(outer, keeper.work_area, canvas.line)

    def draw_frame(self, outer: Canvas, active: bool, keeper: WindowKeeper) -> None:
        """Draw all that stands around what the window holds, on a canvas of its outer rect."""
        outer.fill(self.rect, Role.BORDER, "window")
        bar = title_bar(self.rect, outer.line, outer.sheet.chrome.border)
        outer.fill(bar, Role.TITLE if active else Role.TITLE_IDLE, "title" if active else "title_idle")
        self._title(outer, bar, active, keeper)
        outer.fill(Rect(bar.x, bar.bottom, bar.w, 1), Role.BORDER, "line")

    def _title(self, canvas: Canvas, bar: Rect, active: bool, keeper: WindowKeeper) -> None:
        ink = Role.TITLE_INK if active else Role.TITLE_IDLE_INK

        def press(x: int, y: int, clicks: int, mods: tuple[str, ...]) -> None:
            if clicks == 2:
                keeper.maximise(self)
            self._grip = (x, y, self.rect)

        def drag(x: int, y: int) -> None:
            px, py, rect = self._grip
            if not self.normal:
                self.place(rect.shift(x - px, y - py), keeper.work_area, canvas.line)

        touch = Touch(press=press, drag=drag, menu=partial(window_entries, keeper, self))
        canvas.widget("title", "title", bar, touch, self.title or self.name)
        chrome = canvas.sheet.chrome
        actions: dict[str, Callable[[], None]] = {
            "close": lambda: keeper.close(self.app), "maximise": lambda: keeper.maximise(self), "minimise": lambda: keeper.minimise(self),
        }  # fmt: skip
        boxes = action_boxes(bar, chrome.left)
        for name, box in boxes.items():
            mark, click = "restore" if self.normal and name == "maximise" else name, actions[name]
            widget = canvas.widget("button", name, box, Touch(click=click))
            lit = "hovered" in widget.state or "pressed" in widget.state
            if lit:
                canvas.fill(box, Role.SELECTION if "pressed" in widget.state else Role.HOVER, "button")
            canvas.mark(box.grow(-3), mark, Role.INK if lit else ink)
        room = title_room(bar, chrome.left)
        icon = Rect(bar.right - 20 if chrome.left else bar.x + 6, bar.y + (bar.h - 14) // 2, 14, 14)
        canvas.mark(icon, self.app.icon, ink)
        centred = chrome.centred and bar.w >= 3 * len(boxes) * (bar.h - 2)  # a narrow window has no room to waste
        if centred:
            beside = max(room.x - bar.x, bar.right - room.right)
            room = bar.inset(beside, 0, beside, 0)
        if room.w >= canvas.line:
            canvas.text_in(room, self.title or self.name, ink, canvas.styled("bold"), align="centre" if centred else "left")

    def _edges(self, canvas: Canvas, area: Rect, line: int) -> None:
        r = self.rect
        strips = {
            "resize-left": (Rect(r.x, r.y + EDGE, EDGE, r.h - 3 * EDGE), (-1, 0)),
            "resize-right": (Rect(r.right - EDGE, r.y + EDGE, EDGE, r.h - 3 * EDGE), (1, 0)),
            "resize-bottom": (Rect(r.x + EDGE, r.bottom - EDGE, r.w - 3 * EDGE, EDGE), (0, 1)),
            "resize": (Rect(r.right - 2 * EDGE, r.bottom - 2 * EDGE, 2 * EDGE, 2 * EDGE), (1, 1)),
        }
        for name, (strip, direction) in strips.items():
            canvas.widget("handle", name, strip, self._resizing(direction, area, line))

    def _resizing(self, direction: tuple[int, int], area: Rect, line: int) -> Touch:
        def press(x: int, y: int, clicks: int, mods: tuple[str, ...]) -> None:
            self._grip = (x, y, self.rect)

        def drag(x: int, y: int) -> None:
            px, py, rect = self._grip
            dx, dy = x - px, y - py
            least_w, least_h = self.smallest(line)
            if direction[0] < 0:
                dx = min(dx, rect.w - least_w)
                rect = Rect(rect.x + dx, rect.y, rect.w - dx, rect.h)
            else:
                w = max(rect.w + dx * direction[0], least_w)
                rect = Rect(rect.x, rect.y, w, max(rect.h + dy * direction[1], least_h))
            self.place(rect, area, line)

        return Touch(press=press, drag=drag)

"""The canvas apps draw on: every call adds items to draw and widgets to the scene, back to front.

Coordinates are frame pixels; everything is clipped to the canvas's rect. Nothing is kept between two drawings but
what the desktop says about focus, hover and pressing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from engine.drawing import Fill, Glyphs, Item, Mark, Outline, Picture
from engine.geometry import Rect
from engine.scene import Touch, Widget
from engine.theme import PLAIN, Chrome, Role
from engine.typeface import MARGIN, Face, fit, line_height, width


def row_height(text_size: int) -> int:
    """Height of a row or button, in pixels."""
    return line_height(Face(text_size)) + 7


@dataclass
class Sheet:
    """One drawing of the whole desktop: what was drawn, and what the desktop knows about the input's state."""

    text_size: int = 13
    focus: str = ""  # path of the focused widget
    hover: str = ""
    pressed: str = ""
    caret_on: bool = True
    chrome: Chrome = PLAIN
    items: list[Item] = field(default_factory=list)
    widgets: list[Widget] = field(default_factory=list)


class Canvas:
    """A part of the sheet: `rect` is its place, `clip` what of it can be seen, `path` its widgets' prefix."""

    def __init__(self, sheet: Sheet, rect: Rect, path: str = "", clip: Rect | None = None) -> None:
        self.sheet = sheet
        self.rect = rect
        self.path = path
        self.clip = rect if clip is None else clip.meet(rect)

    # Faces follow the text size the user prefers.

    @property
    def face(self) -> Face:
        return Face(self.sheet.text_size)

    def styled(self, weight: str = "regular", larger: int = 0) -> Face:
        return Face(self.sheet.text_size + larger, weight)

    @property
    def line(self) -> int:
        """Height of a line of text in the plain face, in pixels."""
        return line_height(self.face)

    @property
    def row(self) -> int:
        """Height of a row or button."""
        return row_height(self.sheet.text_size)

    def part(self, rect: Rect, name: str = "") -> Canvas:
        """A canvas for `rect`, clipped to this one; `name` adds a step to its widgets' path."""
        return Canvas(self.sheet, rect, self._under(name) if name else self.path, self.clip)

    # Drawing

    def fill(self, rect: Rect, role: Role, shape: str = "plain") -> None:
        part = rect.meet(self.clip)
        if part:
            self.sheet.items.append(Fill(part, role, shape, rect))

    def outline(self, rect: Rect, role: Role = Role.BORDER, width: int = 1, shape: str = "button") -> None:
        part = rect.meet(self.clip)
        if part:
            self.sheet.items.append(Outline(part, role, shape, rect, width))

    def text(
        self, x: int, y: int, text: str, role: Role = Role.INK, face: Face | None = None, clip: Rect | None = None
    ) -> None:
        """One line of text whose line box starts at (x, y); `clip` narrows where it may be drawn."""
        face = face or self.face
        box = Rect(x - MARGIN, y, width(face, text) + 2 * MARGIN, line_height(face))
        part = box.meet(self.clip if clip is None else self.clip.meet(clip))
        if part and text and not text.isspace():
            self.sheet.items.append(Glyphs(part, role, x, y, text, face))

    def text_in(
        self, rect: Rect, text: str, role: Role = Role.INK, face: Face | None = None, align: str = "left"
    ) -> None:
        """One line, centred vertically in `rect`, aligned left, centre or right, cut with an ellipsis to fit."""
        face = face or self.face
        text = fit(face, text, rect.w)
        slack = rect.w - width(face, text)
        x = rect.x + {"left": 0, "centre": slack // 2, "right": slack}[align]
        self.text(x, rect.y + (rect.h - line_height(face)) // 2, text, role, face)

    def mark(self, rect: Rect, name: str, role: Role = Role.INK) -> None:
        part = rect.meet(self.clip)
        if part:
            self.sheet.items.append(Mark(part, role, name, rect))

    def picture(self, rect: Rect, pixels: np.ndarray, key: tuple) -> None:
        """uint8 (rect.h, rect.w, 3) content; `key` must change whenever the pixels do."""
        part = rect.meet(self.clip)
        if part:
            self.sheet.items.append(Picture(part, Role.FIELD, key, rect, pixels))

    # Widgets

    def widget(
        self,
        role: str,
        name: str,
        rect: Rect,
        touch: Touch | None = None,
        text: str = "",
        value: Any = None,
        state: Sequence[str] = (),
    ) -> Widget:
        """Add a widget; the desktop's focused, hovered, pressed are added to its state. Returns it."""
        path = self._under(name)
        sheet, states = self.sheet, tuple(state)
        if path in (sheet.focus, sheet.hover, sheet.pressed):
            known = (("focused", sheet.focus), ("hovered", sheet.hover), ("pressed", sheet.pressed))
            states += tuple(word for word, where in known if where == path)
        widget = Widget(path, role, name, rect.meet(self.clip), text, value, states, touch)
        sheet.widgets.append(widget)
        return widget

    def label(
        self,
        name: str,
        rect: Rect,
        text: str | None = None,
        role: Role = Role.INK,
        face: Face | None = None,
        align: str = "left",
    ) -> None:
        """Text that is also in the scene; `text` defaults to the name."""
        shown = name if text is None else text
        self.text_in(rect, shown, role, face, align)
        self.widget("label", name, rect, text=shown)

    def button(
        self,
        name: str,
        rect: Rect,
        click: Callable[[], None],
        *,
        text: str | None = None,
        icon: str = "",
        primary: bool = False,
        checked: bool | None = None,
        enabled: bool = True,
        focusable: bool = True,
        face: Face | None = None,
        menu: Callable[[], Sequence[tuple[str, Callable[[], None]]]] | None = None,
    ) -> Widget:
        """A push button with a text or an icon; `checked` makes it a toggle."""
        touch = Touch(click=click, menu=menu, focusable=focusable) if enabled else None
        shown = "" if icon and text is None else (name if text is None else text)
        state = (() if enabled else ("disabled",)) + (("checked",) if checked else ())
        role = "button" if checked is None else "toggle"
        widget = self.widget(role, name, rect, touch, shown, checked, state)
        lit = (primary or bool(checked)) and enabled
        ground = Role.ACCENT if lit else Role.HOVER if "hovered" in widget.state else Role.BUTTON
        if "pressed" in widget.state:
            ground = Role.SELECTION
        ink = Role.MUTED if not enabled else Role.ACCENT_INK if ground == Role.ACCENT else Role.INK
        self.fill(rect, ground, "button")
        self.outline(rect, Role.ACCENT if "focused" in widget.state else Role.BORDER)
        if "focused" in widget.state and ground == Role.ACCENT:  # on which that edge is not seen
            self.outline(rect.grow(-2), ink)
        inner = rect.inset(4, 2, 4, 2)
        if icon:
            side = min(inner.h, 16)
            x = inner.x if shown else rect.x + (rect.w - side) // 2
            self.mark(Rect(x, rect.y + (rect.h - side) // 2, side, side), icon, ink)
            inner = inner.inset(side + 3, 0, 0, 0) if shown else inner
        if shown:
            self.text_in(inner, shown, ink, face, align="left" if icon else "centre")
        return widget

    def list_row(
        self,
        name: str,
        rect: Rect,
        touch: Touch,
        *,
        text: str | None = None,
        icon: str = "",
        selected: bool = False,
        note: str = "",
        role: str = "row",
        focusable: bool = True,
    ) -> Widget:
        """A row of a list or menu: icon, text, and a muted note at the right."""
        shown = name if text is None else text
        touch = replace(touch, focusable=focusable)
        widget = self.widget(role, name, rect, touch, shown, state=("selected",) * selected)
        lit = "hovered" in widget.state or "focused" in widget.state
        if selected or lit:
            self.fill(rect, Role.SELECTION if selected else Role.HOVER, "row")
        inner = rect.inset(6, 0, 6, 0)
        if icon:
            self.mark(Rect(inner.x, rect.y + (rect.h - 16) // 2, 16, 16), icon, Role.ACCENT)
            inner = inner.inset(22, 0, 0, 0)
        if note:
            room = min(width(self.face, note), inner.w // 2)
            place = Rect(inner.right - room, rect.y, room, rect.h)
            self.text_in(place, note, Role.INK if selected or lit else Role.MUTED, align="right")
            inner = inner.inset(0, 0, room + 8, 0)
        self.text_in(inner, shown)
        return widget

    def scrollbar(
        self, rect: Rect, first: int, page: int, total: int, scroll: Callable[[int], None], name: str = "scrollbar"
    ) -> None:
        """A vertical scroll bar over `total` units of which `page` are seen from `first`; `scroll(first)` moves it.

        Drawn and in the scene only where there is something to scroll.
        """
        if total <= page or rect.h < 24:
            return
        last = total - page
        size = max(rect.h * page // total, 18)
        room = rect.h - size
        top = rect.y + room * min(first, last) // last

        def to(y: int) -> None:
            scroll(max(0, min(last, round((y - size / 2 - rect.y) * last / max(room, 1)))))

        def key(key: str, mods: tuple[str, ...]) -> bool:
            step = {"up": -1, "down": 1, "pageup": -page, "pagedown": page}.get(key, 0)
            scroll(max(0, min(last, first + step)))
            return bool(step)

        touch = Touch(
            press=lambda x, y, clicks, mods: to(y), drag=lambda x, y: to(y), key=key, focusable=True
        )
        widget = self.widget("scrollbar", name, rect, touch, value=first)
        self.fill(rect, Role.SURFACE, "plain")
        active = "pressed" in widget.state or "focused" in widget.state
        thumb = Rect(rect.x + 2, top, rect.w - 4, size)
        self.fill(thumb, Role.ACCENT if active else Role.BORDER, "thumb")

    def slider(self, name: str, rect: Rect, value: float, span: tuple[float, float], step: float, change: Callable[[float], None]) -> None:
        """A horizontal slider from span[0] to span[1], dragged, or moved by `step` with the arrow keys; `change(value)` sets it, in
        hundredths at the finest."""
        (low, high), knob = span, min(10, rect.w)
        room = max(rect.w - knob, 1)

        def to(x: int) -> None:
            share = min(max((x - rect.x - knob / 2) / room, 0.0), 1.0)
            change(round(round((low + share * (high - low)) / step) * step, 2))

        def key(key: str, mods: tuple[str, ...]) -> bool:
            moves = {"left": value - step, "right": value + step, "home": low, "end": high}
            if mods or key not in moves:
                return False
            change(round(min(max(moves[key], low), high), 2))
            return True

        touch = Touch(press=lambda x, y, clicks, mods: to(x), drag=lambda x, y: to(x), key=key, focusable=True)
        widget = self.widget("slider", name, rect, touch, text=f"{value:.2f}", value=value)
        lit = {"pressed", "focused", "hovered"} & set(widget.state)
        left = round(room * (min(max(value, low), high) - low) / (high - low))
        self.fill(Rect(rect.x, rect.y + rect.h // 2 - 1, rect.w, 2), Role.BORDER, "line")
        handle = Rect(rect.x + left, rect.y + (rect.h - 16) // 2, knob, 16)
        self.fill(handle, Role.HOVER if lit else Role.ACCENT, "button")
        self.outline(handle, Role.ACCENT)

    def _under(self, name: str) -> str:
        return f"{self.path}/{name}" if self.path else name

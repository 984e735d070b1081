"""A field for one line of text: the ask bar, names, what to find."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable

from engine.desktop import text_keys
from engine.desktop.app import System
from engine.desktop.canvas import Canvas
from engine.desktop.text_buffer import TextBuffer
from engine.geometry import Rect
from engine.scene import Touch, Widget
from engine.theme import Role
from engine.typeface import line_height, offsets

PADDING = 6  # pixels between the field's edge and its text
CARET = 2  # pixels across
Action = Callable[[], None]


class TextField:
    """`buffer` holds the text. The first visible pixel of a long text is kept from one drawing to the next."""

    def __init__(self, system: System, text: str = "") -> None:
        self.system = system
        self.buffer = TextBuffer(text, single=True)
        self._scroll = 0
        self._pens: tuple[int, ...] = (0,)
        self._from = (0, 0)  # the word a double click selected
        self._on_change: Action | None = None
        self._keys: dict[str, Action | None] = {}

    @property
    def text(self) -> str:
        return self.buffer.text

    @text.setter
    def text(self, text: str) -> None:
        if text != self.buffer.text:
            self.buffer = TextBuffer(text, single=True)
            self._scroll = 0

    def told(self) -> tuple[str, int, int]:
        """The text, anchor and caret, for who dreams."""
        return self.text, self.buffer.anchor, self.buffer.caret

    @classmethod
    def of(cls, system: System, told: tuple[str, int, int]) -> TextField:
        """One as it was told."""
        text, anchor, caret = told
        field = cls(system, text)
        field.buffer.select(anchor, caret)
        return field

    def draw(
        self,
        canvas: Canvas,
        name: str,
        rect: Rect,
        *,
        placeholder: str = "",
        on_enter: Action | None = None,
        on_escape: Action | None = None,
        on_change: Action | None = None,
        role: str = "field",
    ) -> Widget:
        """Draw the field and add its widget, which answers with the given actions until the next drawing."""
        self._on_change, self._keys = on_change, {"enter": on_enter, "escape": on_escape}
        place = rect.inset(PADDING, 2, PADDING, 2)
        touch = Touch(
            press=lambda x, y, clicks, mods: self._press(x - place.x, clicks, mods),
            drag=lambda x, y: self._drag(x - place.x),
            key=self.key,
            text=self._type,
            menu=self._menu,
            focusable=True,
        )
        widget = canvas.widget(role, name, rect, touch, self.text)
        focused = "focused" in widget.state
        canvas.fill(rect, Role.FIELD, "field")
        canvas.outline(rect, Role.ACCENT if focused else Role.BORDER, shape="field")
        inside = canvas.part(place.inset(-CARET, 0, -CARET, 0))
        if not self.text and placeholder:
            canvas.text_in(place, placeholder, Role.MUTED)
        self._draw_text(inside, place, focused)
        return widget

    def key(self, key: str, mods: tuple[str, ...]) -> bool:
        """A key press. True only if it meant something to the field."""
        action = None if mods else self._keys.get(key)
        if action:
            action()
            return True
        before = self.text
        used = text_keys.edit(self.buffer, self.system, key, mods)
        if not used and key in ("home", "end") and not set(mods) - {"ctrl", "shift"}:
            self.buffer.move(0 if key == "home" else len(self.text), "shift" in mods)
            used = True
        self._changed(before)
        return used

    # Inside

    def _type(self, text: str) -> None:
        before = self.text
        self.buffer.insert(text)
        self._changed(before)

    def _menu(self) -> list[tuple[str, Action]]:
        def noticing(action: Action) -> Action:
            def act() -> None:
                before = self.text
                action()
                self._changed(before)

            return act

        return [(label, noticing(action)) for label, action in text_keys.menu(self.buffer, self.system)]

    def _changed(self, before: str) -> None:
        if self._on_change and self.text != before:
            self._on_change()

    def _press(self, x: int, clicks: int, mods: tuple[str, ...]) -> None:
        at = self._offset(x)
        if clicks >= 3:
            self.buffer.select_all()
        elif clicks == 2:
            self.buffer.select_word(at)
        else:
            self.buffer.move(at, "shift" in mods)
        self._from = self.buffer.low, self.buffer.high
        if clicks == 1:
            self._from = self.buffer.anchor, self.buffer.anchor

    def _drag(self, x: int) -> None:
        at = self._offset(x)
        low, high = self._from
        self.buffer.select(*((high, at) if at < low else (low, max(at, high))))

    def _offset(self, x: int) -> int:
        """The offset nearest to pixel `x`, counted from where the visible text begins."""
        pens = self._pens
        x += self._scroll
        at = bisect_left(pens, x)
        if at and (at == len(pens) or x - pens[at - 1] < pens[at] - x):
            at -= 1
        return min(at, len(self.text))

    def _draw_text(self, canvas: Canvas, place: Rect, focused: bool) -> None:
        """The visible part of the text with selection and caret, scrolled so that the caret is in view."""
        face, buffer = canvas.face, self.buffer
        pens = self._pens = offsets(face, self.text)
        caret = pens[buffer.caret]
        self._scroll = max(caret - place.w, min(self._scroll, caret, max(pens[-1] - place.w, 0)))
        x = place.x - self._scroll
        height = line_height(face)
        y = place.y + (place.h - height) // 2
        if buffer.selected:
            start, end = pens[buffer.low], pens[buffer.high]
            canvas.fill(Rect(x + start, y, end - start, height), Role.SELECTION)
        first = max(bisect_left(pens, self._scroll) - 1, 0)
        last = bisect_left(pens, self._scroll + place.w) + 1
        canvas.text(x + pens[first], y, self.text[first:last], face=face)
        if focused and canvas.sheet.caret_on:
            canvas.fill(Rect(x + caret - 1, y, CARET, height), Role.ACCENT)

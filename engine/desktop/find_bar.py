"""Finding words in a text: a field, how many there are, and the way from one to the next."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from typing import Any

from engine.desktop.app import System
from engine.desktop.canvas import Canvas
from engine.desktop.editor import Editor, Span
from engine.desktop.text_field import TextField
from engine.geometry import Rect
from engine.theme import Role
from engine.typeface import Face, width

GAP = 4


class FindBar:
    """`field` holds what to find, in any case of letters; `close` is called when the user is done."""

    def __init__(self, system: System, editor: Editor, close: Callable[[], None], state: dict[str, Any]) -> None:
        self.field = TextField(system, state.get("text", ""))
        self.field.buffer.restore(state)
        self.shown: bool = state.get("shown", False)
        self._editor = editor
        self._close = close
        self._found: tuple[str, str, list[Span]] = ("", "", [])

    @classmethod
    def told(cls, system: System, editor: Editor, typed: tuple[str, int, int]) -> FindBar:
        """One that was told of."""
        bar = cls(system, editor, lambda: None, {"shown": True})
        bar.field = TextField.of(system, typed)
        return bar

    def state(self) -> dict[str, Any]:
        return {"text": self.field.text, "shown": self.shown, **self.field.buffer.state()}

    def open(self) -> None:
        """Show the bar, ready to type; a selection within a line is what to find."""
        selected = self._editor.buffer.selected
        if selected and "\n" not in selected:
            self.field.text = selected
        self.field.buffer.select_all()
        self.shown = True

    def found(self) -> list[Span]:
        """Where the text holds what to find, in order; none while the bar is not shown."""
        wanted, text = self.field.text, self._editor.buffer.text
        if not wanted or not self.shown:
            return []
        if self._found[0] != wanted or self._found[1] is not text:
            spans = [m.span() for m in re.finditer(re.escape(wanted), text, re.IGNORECASE)]
            self._found = (wanted, text, spans)
        return self._found[2]

    def turn(self, direction: int) -> None:
        """Select the next (+1) or previous (-1) place, going round at the ends."""
        found = self.found()
        if not found:
            return
        buffer = self._editor.buffer
        if direction > 0:
            at = bisect_right(found, (buffer.low, buffer.high if buffer.selected else -1))
        else:
            at = bisect_left(found, (buffer.low, 0)) - 1
        self._choose(found[at % len(found)])

    def _typed(self) -> None:
        """What to find changed: select the first place from where the selection begins."""
        found = self.found()
        if found:
            self._choose(found[bisect_left(found, (self._editor.buffer.low, 0)) % len(found)])

    def _choose(self, span: Span) -> None:
        self._editor.act(lambda: self._editor.buffer.select(*span))

    def _count(self) -> str:
        """Which of how many is selected."""
        found, buffer = self.found(), self._editor.buffer
        if not found:
            return "none" if self.field.text else ""
        at = bisect_left(found, (buffer.low, buffer.high))
        chosen = at < len(found) and found[at] == (buffer.low, buffer.high)
        return f"{at + 1} of {len(found)}" if chosen else f"{len(found)} found"

    def draw(self, canvas: Canvas, bar: Rect) -> None:
        """A row: the field, the count, previous, next, close."""
        side = bar.h
        told = self._count()
        field = Rect(bar.x, bar.y, bar.w - beside(canvas.face, side, told), bar.h)
        counted = _counted(canvas.face, told)
        self.field.draw(
            canvas, "find", field, placeholder="Find", on_enter=lambda: self.turn(1), on_escape=self._close,
            on_change=self._typed,
        )  # fmt: skip
        canvas.label("count", Rect(field.right + GAP, bar.y, counted, bar.h), told, Role.MUTED, align="centre")
        any_found = bool(self.found())
        buttons = (
            ("previous", "up", lambda: self.turn(-1), any_found),
            ("next", "down", lambda: self.turn(1), any_found),
            ("close find", "close", self._close, True),
        )
        x = field.right + GAP + counted + GAP
        for name, icon, click, enabled in buttons:
            canvas.button(name, Rect(x, bar.y, side, side), click, icon=icon, enabled=enabled, focusable=False)
            x += side + GAP


def beside(face: Face, side: int, told: str = "") -> int:
    """Width of what stands beside the field, pixels. side: of a button; told: how many were found."""
    return _counted(face, told) + 3 * (side + GAP) + GAP


def _counted(face: Face, told: str) -> int:
    return max(width(face, told), width(face, "88 found")) + GAP

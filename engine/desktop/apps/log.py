"""Log: what the system did, line by line, newest last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from engine.desktop.app import App, System
from engine.desktop.canvas import Canvas
from engine.desktop.text_field import TextField
from engine.geometry import Rect
from engine.scene import Touch
from engine.theme import Role
from engine.typeface import Face, advance, line_height, width

NOTCH = 3  # rows a notch of the wheel scrolls
INDENT = "  "  # before what is left of a long line


class Log(App):
    """`first` is the first row in view; None follows the end."""

    name: ClassVar[str] = "Log"
    icon: ClassVar[str] = "log"
    size: ClassVar[tuple[int, int]] = (360, 230)
    least: ClassVar[tuple[int, int]] = (190, 120)
    first_focus: ClassVar[str] = "lines"

    def __init__(self, system: System, state: dict[str, Any], **how: Any) -> None:
        super().__init__(system, state)
        self.filter = TextField(system, state.get("filter", {}).get("text", ""))
        self.filter.buffer.restore(state.get("filter", {}))
        self.first: int | None = state.get("first")
        self._page, self._total = 1, 0  # rows in view and in all, as last drawn

    def state(self) -> dict[str, Any]:
        return {"filter": {"text": self.filter.text, **self.filter.buffer.state()}, "first": self.first}

    def lines(self) -> list[str]:
        """The lines that hold the filter's text, in any case of letters."""
        wanted = self.filter.text.casefold()
        return [line for line in self.system.log_lines() if wanted in line.casefold()]

    # Input

    def key(self, key: str, mods: tuple[str, ...]) -> bool:
        if mods == ("ctrl",) and key in ("c", "f"):
            if key == "c":
                self.copy()
            else:
                self.system.focus(self, "filter")
            return True
        page = max(self._page - 1, 1)
        total = self._total
        steps = {"up": -1, "down": 1, "pageup": -page, "pagedown": page, "home": -total, "end": total}
        if mods or key not in steps:
            return False
        self._scroll(steps[key])
        return True

    def _scroll(self, step: int) -> bool:
        last = max(self._total - self._page, 0)
        self._scroll_to((last if self.first is None else self.first) + step)
        return last > 0

    def _wheel(self, dy: int) -> bool:
        return self._scroll(-dy * NOTCH)

    def _scroll_to(self, first: int) -> None:
        """Show the rows from `first`; at the end, follow it again."""
        self.first = max(first, 0) if first < self._total - self._page else None

    def copy(self) -> None:
        lines = self.lines()
        self.system.clipboard = "\n".join(lines)
        self.system.focus(self, "lines")
        self.system.say("Copied one line." if len(lines) == 1 else f"Copied {len(lines)} lines.")

    def _clear_filter(self) -> None:
        self.filter.text = ""
        self.system.focus(self, "lines")

    def _follow(self) -> None:
        self.first = None

    def menu(self) -> list[tuple[str, Callable[[], None]]]:
        clear = [("Show all lines", self._clear_filter)] if self.filter.text else []
        return [("Copy all", self.copy), *clear, ("Go to the end", self._follow)]

    # Drawing

    def draw(self, canvas: Canvas) -> None:
        area = canvas.rect.inset(8, 8, 8, 8)
        copy = width(canvas.face, "Copy") + 20
        field = Rect(area.x, area.y, area.w - copy - 6, canvas.row)
        done, clear = self._to_lines, self._clear_filter
        self.filter.draw(
            canvas, "filter", field, placeholder="Only lines with…", on_enter=done, on_escape=clear
        )
        canvas.button("Copy", Rect(field.right + 6, area.y, copy, canvas.row), self.copy)
        self._draw_lines(canvas, Rect(area.x, field.bottom + 6, area.w, area.bottom - field.bottom - 6))

    def _to_lines(self) -> None:
        self.system.focus(self, "lines")

    def _draw_lines(self, canvas: Canvas, box: Rect) -> None:
        face = Face(max(canvas.sheet.text_size - 1, 9), "mono")
        step = line_height(face) + 1
        inner = box.inset(7, 4, 15, 4)
        rows = _wrapped(self.lines(), max(inner.w // advance(face, "0"), 12))
        self._page, self._total = max(inner.h // step, 1), len(rows)
        last = max(self._total - self._page, 0)
        first = last if self.first is None else min(self.first, last)
        seen = rows[first : first + self._page]
        touch = Touch(key=self.key, wheel=self._wheel, menu=self.menu, focusable=True)
        widget = canvas.widget("list", "lines", box, touch, "\n".join(seen), len(rows))
        canvas.fill(box, Role.FIELD, "field")
        canvas.outline(box, Role.ACCENT if "focused" in widget.state else Role.BORDER, shape="field")
        for i, row in enumerate(seen):
            canvas.text_in(Rect(inner.x, inner.y + i * step, inner.w, step), row, face=face)
        if not rows:
            nothing = "No line has that text." if self.filter.text else "Nothing has happened yet."
            canvas.text_in(Rect(inner.x, inner.y, inner.w, canvas.line), nothing, Role.MUTED)
        bar = Rect(box.right - 12, box.y + 2, 10, box.h - 4)
        canvas.scrollbar(bar, first, self._page, self._total, self._scroll_to)


def _wrapped(lines: list[str], columns: int) -> list[str]:
    """Rows of at most `columns` characters, without the indent that all lines share."""
    rows = []
    shared = min((len(line) - len(line.lstrip()) for line in lines), default=0)
    for line in (line[shared:] for line in lines):
        rows.append(line[:columns])
        rest, room = line[columns:], columns - len(INDENT)
        rows += [INDENT + rest[i : i + room] for i in range(0, len(rest), room)]
    return rows

"""Log: what the system did, line by line, newest last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

from engine.desktop.app import App, System
from engine.desktop.canvas import Canvas
from engine.desktop.text_field import TextField
from engine.desktop.toolbar import parted
from engine.geometry import Rect
from engine.open_work import Work
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
        self._seen: list[str] = []
        self._told: list[str] | None = None  # instead of the system's

    def state(self) -> dict[str, Any]:
        return {"filter": {"text": self.filter.text, **self.filter.buffer.state()}, "first": self.first}

    @classmethod
    def told(cls, system: System, work: Work) -> Log:
        """One that shows the same rows, as it lists them (`listed`); nothing is known of the others."""
        total, seen = int(work.rows[0]), work.rows[1:]
        first = max(total - (work.scroll or len(seen)), 0)
        app = cls(system, {"first": first if work.scroll else None})
        app.filter = TextField.of(system, work.typed or ("", 0, 0))
        app._told = [*[""] * first, *seen, *[""] * (total - first - len(seen))]
        return app

    def listed(self) -> list[str]:
        """How many rows there are, and those in view, as last drawn."""
        return [str(self._total), *self._seen]

    def in_field(self) -> tuple[str, int, int]:
        return self.filter.told()

    def scrolled(self) -> int:
        """How many rows there are from the first one that is seen to the end; 0 where it follows the end."""
        return 0 if self.first is None else max(self._total - self.first, 0)

    def lines(self) -> list[str]:
        """The lines that hold the filter's text, in any case of letters."""
        if self._told is not None:
            return self._told
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
        tools, lines = parted(canvas.rect, canvas.row)
        field = filter_in(tools, canvas.face)
        draw_filter(canvas, self.filter, field, self._to_lines, self._clear_filter)
        canvas.button("Copy", Rect(field.right + 6, tools.y, tools.right - field.right - 6, tools.h), self.copy)
        self._draw_lines(canvas, lines)

    def _to_lines(self) -> None:
        self.system.focus(self, "lines")

    def _draw_lines(self, canvas: Canvas, box: Rect) -> None:
        part = Part.of(self.lines(), box, self.first, canvas.sheet.text_size)
        self._page, self._total, self._seen = part.page, part.total, part.seen
        touch = Touch(key=self.key, wheel=self._wheel, menu=self.menu, focusable=True)
        widget = canvas.widget("list", "lines", box, touch, "\n".join(part.seen), part.total)
        canvas.fill(box, Role.FIELD, "field")
        canvas.outline(box, Role.ACCENT if "focused" in widget.state else Role.BORDER, shape="field")
        part.draw(canvas, box, self._scroll_to, bool(self.filter.text))


def filter_in(tools: Rect, face: Face) -> Rect:
    """Where the filter's field stands in the bar above the lines."""
    return tools.inset(0, 0, width(face, "Copy") + 26, 0)


def draw_filter(canvas: Canvas, field: TextField, box: Rect, done: Callable[[], None], clear: Callable[[], None]) -> None:
    """Draw it; done, clear: what Enter and Escape do there."""
    field.draw(canvas, "filter", box, placeholder="Only lines with…", on_enter=done, on_escape=clear)


class Part(NamedTuple):
    """The rows of lines that a box shows. seen: those, from the row `first` on; page: how many there is room for; total: how many there
    are; face: in which they are set."""

    seen: list[str]
    first: int
    page: int
    total: int
    face: Face

    @classmethod
    def of(cls, lines: Sequence[str], box: Rect, first: int | None, text_size: int) -> Part:
        """From a row on, or the last ones; text_size: of plain text, pixels."""
        face, inner = Face(max(text_size - 1, 9), "mono"), _inner(box)
        rows = _wrapped(lines, max(inner.w // advance(face, "0"), 12))
        page = max(inner.h // (line_height(face) + 1), 1)
        last = max(len(rows) - page, 0)
        at = last if first is None else min(first, last)
        return cls(rows[at : at + page], at, page, len(rows), face)

    def draw(self, canvas: Canvas, box: Rect, scroll: Callable[[int], None], filtered: bool = False) -> None:
        """The rows, or why there are none, and a scroll bar, which calls `scroll`; filtered: whether only lines with some text are shown."""
        inner, step = _inner(box), line_height(self.face) + 1
        for i, row in enumerate(self.seen):
            canvas.text_in(Rect(inner.x, inner.y + i * step, inner.w, step), row, face=self.face)
        canvas.scrollbar(Rect(box.right - 12, box.y + 2, 10, box.h - 4), self.first, self.page, self.total, scroll)
        if not self.total:
            canvas.text_in(inner, "No line has that text." if filtered else "Nothing has happened yet.", Role.MUTED)


def _inner(box: Rect) -> Rect:
    return box.inset(7, 4, 15, 4)


def _outdented(lines: Sequence[str]) -> list[str]:
    """Lines without the indent that all share."""
    shared = min((len(line) - len(line.lstrip()) for line in lines), default=0)
    return [line[shared:] for line in lines]


def _wrapped(lines: Sequence[str], columns: int) -> list[str]:
    """Rows of at most `columns` characters, without the indent that all lines share."""
    rows = []
    for line in _outdented(lines):
        rows.append(line[:columns])
        rest, room = line[columns:], columns - len(INDENT)
        rows += [INDENT + rest[i : i + room] for i in range(0, len(rest), room)]
    return rows

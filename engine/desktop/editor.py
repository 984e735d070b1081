"""The editor: many lines of Markdown text, wrapped, with caret, selection and scrolling.

It draws only the rows in view, each as its own items, so that a typed character changes one row.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any

from engine.desktop import markdown, text_keys
from engine.desktop import text_stops as stops
from engine.desktop.app import System
from engine.desktop.canvas import Canvas
from engine.desktop.text_buffer import TextBuffer, Watch
from engine.desktop.text_field import CARET
from engine.desktop.text_history import KEPT_SIZE, KEPT_STEPS
from engine.desktop.text_view import LEADING, Row, TextView
from engine.geometry import Rect
from engine.scene import Touch, Widget
from engine.theme import Role
from engine.typeface import line_height, offsets

PADDING = (9, 6)  # pixels between the paper's edge and the text: left and right, top and bottom
BAR = 11  # width of the scroll bar
NOTCH = 3  # rows a notch of the wheel scrolls
LINE_END = 4  # pixels by which a selected line end shows
Span = tuple[int, int]


class Editor:
    """`buffer` is the text and its caret, `view` what of it is seen; `on_edit` is called after each change."""

    def __init__(self, system: System, on_edit: Watch) -> None:
        self.system = system
        self.buffer = TextBuffer()
        self.view = TextView()
        self._on_edit = on_edit
        self._column: int | None = None  # pixel that up and down keep to
        self._grain = (1, 0, 0)  # of the selection being dragged: clicks, and the stretch they selected first

    def load(self, text: str, state: dict[str, Any] | None = None) -> None:
        """Show another text, at the place and with the undo steps that `state()` returned for it."""
        state = state or {}
        self.buffer = TextBuffer(text)
        self.buffer.restore(state)
        self.buffer.watch = self._edited
        self.view = TextView(state)
        self._column = state.get("column")

    def state(self, steps: int = KEPT_STEPS, size: int = KEPT_SIZE) -> dict[str, Any]:
        """Caret, place and at most `steps` undo steps of `size` characters; the text itself is kept by its document."""
        return {**self.buffer.state(steps, size), **self.view.state(), "column": self._column}

    def place(self) -> dict[str, Any]:
        """Of that, caret and place alone, and whether there is anything to undo, and to redo; a caret that is in view stays there, as `TextView.fit`
        has it."""
        view, caret = self.view, self.buffer.caret
        seen = bool(view.rect) and view.top_row <= view.layout.row_of(caret) <= view.rows()[-1].number
        return {"caret": caret, "anchor": self.buffer.anchor, "top": view.top, "follow": view.follow or seen, "deeds": self.buffer.history.deeds}

    # Input

    def key(self, key: str, mods: tuple[str, ...]) -> bool:
        """A key press. True only if it meant something to the text."""
        column, self._column = self._column, None
        if key in ("up", "down", "pageup", "pagedown") and not set(mods) - {"shift"}:
            self._vertically(key, column, "shift" in mods)
        elif key in ("home", "end") and not set(mods) - {"shift", "ctrl"}:
            self.buffer.move(self._edge(key, "ctrl" in mods), "shift" in mods)
        elif (key, mods) == ("enter", ()):
            markdown.break_line(self.buffer)
        elif (key, mods) in (("enter", ("shift",)), ("tab", ())):
            self.buffer.insert("\n" if key == "enter" else "\t")
        elif not text_keys.edit(self.buffer, self.system, key, mods):
            self._column = column
            return False
        self.show_caret()
        return True

    def type(self, text: str) -> None:
        self.act(lambda: self.buffer.insert(text))

    def act(self, action: Callable[[], object]) -> None:
        """Let an action change text or selection, then show the caret."""
        action()
        self._column = None
        self.show_caret()

    def show_caret(self) -> None:
        """Bring the caret into view, now or when the text is first drawn."""
        self.view.follow = True
        self.view.settle(self.buffer.caret)

    def _edited(self, at: int, removed: str, inserted: str) -> None:
        self.view.edit(self.buffer.text, at, len(removed), len(inserted))
        self._on_edit(at, removed, inserted)

    def _vertically(self, key: str, column: int | None, keep: bool) -> None:
        """Up and down by a row or a page, keeping to the column where that began."""
        view, layout = self.view, self.view.layout
        row, last = layout.row_of(self.buffer.caret), layout.count - 1
        self._column = layout.pen(row, self.buffer.caret) if column is None else column
        page = max(len(view.rows()) - 1, 1)
        to = row + {"up": -1, "down": 1, "pageup": -page, "pagedown": page}[key]
        if key.startswith("page"):
            view.scroll_to(view.top_row + to - row)
        if 0 <= to <= last:
            self.buffer.move(layout.hit(to, self._column), keep)
        else:
            self.buffer.move(0 if to < 0 else len(self.buffer.text), keep)

    def _edge(self, key: str, whole: bool) -> int:
        """The offset at the start or end of the caret's row, or of the whole text."""
        if whole:
            return 0 if key == "home" else len(self.buffer.text)
        layout = self.view.layout
        row = layout.row_of(self.buffer.caret)
        return layout.span(row)[0] if key == "home" else layout.last_stop(row)

    def _press(self, x: int, y: int, clicks: int, mods: tuple[str, ...]) -> None:
        at = self.view.offset_at(x, y)
        self._column = None
        if clicks > 1:
            low, high = self._stretch(clicks, at)
            self.buffer.select(low, high)
        else:
            self.buffer.move(at, "shift" in mods)
            low = high = self.buffer.anchor
        self._grain = (clicks, low, high)

    def _drag(self, x: int, y: int) -> None:
        """Select from where the press was: by characters, after a double click by words, by paragraphs after three."""
        at = self.view.offset_at(x, y)
        clicks, low, high = self._grain
        start, end = self._stretch(clicks, at)
        self.buffer.select(*((high, start) if at < low else (low, max(end, high))))
        self.show_caret()

    def _stretch(self, clicks: int, at: int) -> Span:
        """What so many clicks at an offset select."""
        if clicks == 1:
            return at, at
        return (stops.word_at if clicks == 2 else stops.line_at)(self.buffer.text, at)

    def _wheel(self, dy: int) -> bool:
        self.view.scroll_to(self.view.top_row - dy * NOTCH)
        return self.view.last_top > 0

    def _menu(self) -> list[tuple[str, Callable[[], None]]]:
        def showing(action: Callable[[], None]) -> Callable[[], None]:
            return lambda: self.act(action)

        return [(label, showing(action)) for label, action in text_keys.menu(self.buffer, self.system)]

    # Drawing

    def draw(self, canvas: Canvas, name: str, rect: Rect, found: Sequence[Span] = ()) -> Widget:
        """Draw the text in `rect` and add its widget; `found` are stretches to light up, in order."""
        view = self.view
        room = rect.inset(PADDING[0], PADDING[1], PADDING[0] + BAR - 4, PADDING[1])
        view.fit(self.buffer.text, room, canvas.sheet.text_size, self.buffer.caret)
        view.settle(self.buffer.caret)
        touch = Touch(
            press=self._press, drag=self._drag, wheel=self._wheel, key=self.key, text=self.type, menu=self._menu,
            focusable=True,
        )  # fmt: skip
        widget = canvas.widget("editor", name, rect, touch, self.buffer.text)
        focused = "focused" in widget.state
        canvas.fill(rect, Role.FIELD, "field")
        canvas.outline(rect, Role.ACCENT if focused else Role.BORDER, shape="field")
        paper = canvas.part(rect.inset(2, 2, 2, 2))
        for row in view.rows():
            self._draw_row(paper, row, found, focused and canvas.sheet.caret_on)
        bar = Rect(rect.right - BAR - 2, rect.y + 3, BAR, rect.h - 6)
        count, last = view.layout.count, view.last_top
        canvas.scrollbar(bar, view.top_row, count - last, count, view.scroll_to)
        return widget

    def _draw_row(self, canvas: Canvas, row: Row, found: Sequence[Span], caret_on: bool) -> None:
        """One row: what is lit up, marker, text, caret."""
        buffer, layout = self.buffer, self.view.layout
        look = layout.look(row.number)
        text = buffer.text[row.start : row.end]
        x = self.view.rect.x + layout.indent(row.number, look)
        height = line_height(look.face)
        y = row.y + row.height - LEADING - height
        pens = offsets(look.face, text)
        ends_line = buffer.text[row.end : row.end + 1] == "\n"

        def place(start: int, end: int) -> Rect:
            """Where text[start:end] stands in this row, its line end included."""
            left, right = (x + pens[min(max(at - row.start, 0), len(text))] for at in (start, end))
            right += LINE_END if ends_line and start <= row.end < end else 0
            return Rect(left, y, min(right, self.view.rect.right + LINE_END) - left, height + LEADING)

        index = max(bisect_left(found, (row.start, 0)) - 1, 0)
        while index < len(found) and found[index][0] < row.end:
            canvas.fill(place(*found[index]), Role.SELECTION)
            index += 1
        chosen = (buffer.low, buffer.high)
        if buffer.selected:
            canvas.fill(place(*chosen), Role.SELECTION)
            if found and found[min(bisect_left(found, chosen), len(found) - 1)] == chosen:
                canvas.outline(place(*chosen), Role.ACCENT, shape="plain")
        marker = min(look.marker, len(text)) if layout.is_first(row.number) else 0
        canvas.text(x, y, text[:marker].rstrip(), Role.MUTED, look.face)
        canvas.text(x + pens[marker], y, text[marker:].rstrip(), Role.INK, look.face)
        if caret_on and row.number == layout.row_of(buffer.caret):
            left = min(x + pens[min(buffer.caret - row.start, len(text))], self.view.rect.right + 1)
            canvas.fill(Rect(left - 1, y, CARET, height), Role.ACCENT)

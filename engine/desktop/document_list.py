"""A narrow list of documents beside a text: choose one by pointer, or with up and down."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from engine.desktop.canvas import Canvas
from engine.geometry import Rect
from engine.scene import Touch
from engine.theme import Role
from engine.typeface import fit

NOTCH = 3  # rows a notch of the wheel scrolls
KIND = ".md"  # is not shown: most documents have it


class DocumentList:
    """`names()` gives what is listed, `choose(name)` shows one, `done()` goes back to the text."""

    def __init__(
        self,
        names: Callable[[], list[str]],
        choose: Callable[[str], None],
        done: Callable[[], None],
        state: dict[str, Any],
    ) -> None:
        self.shown: bool = state.get("shown", False)
        self.first: int = state.get("first", 0)
        self._names = names
        self._choose = choose
        self._done = done
        self._current = ""
        self._page = 1  # rows in view, as last drawn

    def state(self) -> dict[str, Any]:
        return {"shown": self.shown, "first": self.first}

    def reveal(self, name: str) -> None:
        """Bring a document's row into view."""
        names = self._names()
        if name in names:
            at = names.index(name)
            self.first = max(min(self.first, at), at - self._page + 1)

    def rows(self, current: str) -> list[str]:
        """What is listed, where `current` is shown."""
        names = self._names()
        return names if current in names else [current, *names]

    def draw(self, canvas: Canvas, box: Rect, current: str) -> None:
        names = self.rows(current)
        self._current = current
        touch = Touch(key=self._key, wheel=self._wheel, focusable=True)
        widget = canvas.widget("list", "note list", box, touch, "\n".join(names), len(names))
        canvas.fill(box, Role.FIELD, "field")
        canvas.outline(box, Role.ACCENT if "focused" in widget.state else Role.BORDER, shape="field")
        inner = canvas.part(box.inset(3, 3, 3, 3), "note list")
        self._page = max(inner.rect.h // canvas.row, 1)
        self.first = max(0, min(self.first, len(names) - self._page))
        scrolls = 12 * (len(names) > self._page)
        for i, name in enumerate(names[self.first : self.first + self._page]):
            place = Rect(inner.rect.x, inner.rect.y + i * canvas.row, inner.rect.w - scrolls, canvas.row)
            pick = Touch(click=partial(self._pick, name))
            shown = fit(canvas.face, name.removesuffix(KIND), place.w - 12)
            inner.list_row(name, place, pick, text=shown, selected=name == current, focusable=False)
        bar = Rect(box.right - 13, box.y + 2, 10, box.h - 4)
        canvas.scrollbar(bar, self.first, self._page, len(names), self._scroll_to, "list scrollbar")

    def _pick(self, name: str) -> None:
        self._choose(name)
        self._done()

    def _key(self, key: str, mods: tuple[str, ...]) -> bool:
        names = self._names()
        if mods or key not in ("up", "down", "home", "end", "enter", "escape"):
            return False
        if key in ("enter", "escape"):
            self._done()
        elif names:
            at = names.index(self._current) if self._current in names else -1
            to = {"up": at - 1, "down": at + 1, "home": 0, "end": len(names) - 1}[key]
            self._choose(names[max(0, min(to, len(names) - 1))])
        return True

    def _wheel(self, dy: int) -> bool:
        self._scroll_to(self.first - dy * NOTCH)
        return len(self._names()) > self._page

    def _scroll_to(self, first: int) -> None:
        self.first = max(0, first)

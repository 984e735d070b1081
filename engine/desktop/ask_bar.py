"""The ask bar: a field, and under it what the user is likely to want."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from engine.desktop.canvas import Canvas
from engine.desktop.text_field import TextField
from engine.geometry import Rect
from engine.open_work import Asked
from engine.scene import Touch
from engine.theme import Role

MOST = 5  # suggestions shown
ENTRIES_Y = 20  # pixels from the box's upper edge, and a row, to the first suggestion


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One line under the field; accepting it asks for `text`."""

    text: str
    icon: str
    note: str = ""


def suggest(
    typed: str, apps: Mapping[str, str], last: str, documents: Sequence[str], styles: Sequence[str]
) -> list[Suggestion]:
    """What holds the letters typed: apps (name -> icon) in their order, the last document, the others, styles."""
    folded = typed.strip().casefold()
    entries = [Suggestion(app, icon, "app") for app, icon in apps.items()]
    if last in documents:
        entries.insert(2, Suggestion(last, "document", "last document"))
    entries += [Suggestion(name, "document", "document") for name in documents if name != last]
    entries += [Suggestion(style, "paint", "style") for style in styles]
    return [entry for entry in entries if folded in entry.text.casefold()][:MOST]


def room_in(area: Rect, row: int) -> int:
    """How many suggestions an area has room for, `row` pixels each."""
    return max((area.h - area.h // 8 - row - 30) // row, 0)


def box_in(area: Rect, text_size: int, row: int, suggestions: int) -> Rect:
    """Where an ask bar with so many suggestions stands in an area."""
    w = min(area.w - 16, max(340, 22 * text_size))
    h = row + 22 + row * suggestions + (6 if suggestions else 0)
    return Rect(area.x + (area.w - w) // 2, area.y + area.h // 8, w, h)


class AskBar:
    """Open at the upper middle of the screen, focused, until Enter or Escape. `suggest` is called at every drawing."""

    def __init__(
        self,
        field: TextField,
        suggest: Callable[[str], list[Suggestion]],
        accept: Callable[[str], None],
        dismiss: Callable[[], None],
        state: dict[str, Any],
    ) -> None:
        """`state` is what `state()` returned in an earlier life, or {}."""
        self.field = field
        self.field.text = state.get("text", "")
        self.field.buffer.restore(state)
        self.chosen: int = state.get("chosen", -1)
        self.hint = "An app, or what it should look like"
        self._room = MOST  # for so many suggestions, as last drawn
        self._suggest = suggest
        self._accept = accept
        self._dismiss = dismiss

    def state(self) -> dict[str, Any]:
        return {"text": self.field.text, "chosen": self.chosen, **self.field.buffer.state()}

    def asked(self) -> Asked:
        """It as it is told to who dreams."""
        buffer, found = self.field.buffer, tuple((one.text, one.icon, one.note) for one in self._offered())
        return Asked(self.field.text, buffer.anchor, buffer.caret, found, self.chosen, self.hint)

    def draw(self, canvas: Canvas) -> None:
        row = canvas.row
        self._room = room_in(canvas.rect, row)
        suggestions = self._offered()
        self.chosen = min(self.chosen, len(suggestions) - 1)
        box = box_in(canvas.rect, canvas.sheet.text_size, row, len(suggestions))
        w = box.w
        canvas.fill(box, Role.SURFACE, "menu")
        canvas.outline(box, Role.ACCENT, shape="menu")
        canvas.widget("bar", "ask", box, Touch(key=self.key))
        inside = canvas.part(box, "ask")
        inside.mark(Rect(box.x + 10, box.y + 12, row - 4, row - 4), "search", Role.ACCENT)
        self.field.draw(
            inside,
            "field",
            Rect(box.x + row + 14, box.y + 10, w - row - 24, row),
            placeholder=self.hint,
            on_enter=self._enter,
            on_escape=self._dismiss,
        )
        for i, suggestion in enumerate(suggestions):
            place = Rect(box.x + 4, box.y + row + ENTRIES_Y + i * row, w - 8, row)
            touch = Touch(click=partial(self._accept, suggestion.text))
            inside.list_row(
                suggestion.text, place, touch, icon=suggestion.icon, note=suggestion.note, selected=i == self.chosen,
                role="entry",
            )  # fmt: skip

    def key(self, key: str, mods: tuple[str, ...]) -> bool:
        """Keys the field did not use: up and down choose a suggestion."""
        step = {"down": 1, "up": -1}.get(key, 0)
        if key == "escape":
            self._dismiss()
            return True
        if step:
            self.chosen = max(-1, min(len(self._offered()) - 1, self.chosen + step))
        return bool(step)

    def _offered(self) -> list[Suggestion]:
        """The suggestions there is room for."""
        return self._suggest(self.field.text)[: self._room]

    def _enter(self) -> None:
        suggestions = self._offered()
        self._accept(suggestions[self.chosen].text if 0 <= self.chosen < len(suggestions) else self.field.text)

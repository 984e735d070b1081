"""The scene: the tree of widgets the desktop shows, and how they answer input.

It is the accessibility map, the label source for training, and what traces address.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import InputError
from engine.geometry import Rect


@dataclass(frozen=True, slots=True)
class Touch:
    """How a widget answers. Every callable is optional; those that return bool say whether they used the input.

    click()                           released where it was pressed, or Enter/Space while focused
    press(x, y, clicks, mods)         left button down; clicks counts 1, 2, 3 for double and triple
    drag(x, y), release(x, y)         after press, until the button goes up, also outside the rect
    wheel(dy) -> bool                 notches under the pointer
    key(key, mods) -> bool, text(str) while focused
    menu() -> entries                 what a context menu offers: (label, action) pairs
    """

    click: Callable[[], None] | None = None
    press: Callable[[int, int, int, tuple[str, ...]], None] | None = None
    drag: Callable[[int, int], None] | None = None
    release: Callable[[int, int], None] | None = None
    wheel: Callable[[int], bool] | None = None
    key: Callable[[str, tuple[str, ...]], bool] | None = None
    text: Callable[[str], None] | None = None
    menu: Callable[[], Sequence[tuple[str, Callable[[], None]]]] | None = None
    focusable: bool = False


@dataclass(frozen=True, slots=True)
class Widget:
    """One widget. `rect` is its visible part in frame pixels; `text` its whole visible text; `value` a toggle or number.

    Roles: window, title, button, toggle, field, editor, label, list, row, scrollbar, menu, entry, picture, icon,
    taskbar, clock, bar, canvas, handle.
    """

    path: str
    role: str
    name: str
    rect: Rect
    text: str = ""
    value: Any = None
    state: tuple[str, ...] = ()  # focused, hovered, pressed, selected, active, minimised, disabled, checked
    touch: Touch | None = None

    def as_record(self) -> dict[str, Any]:
        """The widget as `scenes.jsonl` writes it."""
        return {
            "path": self.path,
            "role": self.role,
            "name": self.name,
            "text": self.text,
            "value": self.value,
            "rect": list(self.rect),
            "state": list(self.state),
        }


def find(widgets: Sequence[Widget], target: str) -> Widget:
    """The widget that `target` names: an exact path, else an exact name, else either without regard to case.

    Of several, the one in front (last drawn) with a visible part. Raises InputError naming what is there instead.
    """
    folded = target.casefold()
    tests: tuple[Callable[[Widget], bool], ...] = (
        lambda w: w.path == target,
        lambda w: w.name == target,
        lambda w: folded in (w.path.casefold(), w.name.casefold()),
    )
    for test in tests:
        for widget in reversed(widgets):
            if widget.rect and test(widget):
                return widget
    names = sorted({w.name for w in widgets if w.name and w.rect})
    raise InputError(f"no widget {target!r} on the screen; there are: {', '.join(names[:40])}")


def at(widgets: Sequence[Widget], x: int, y: int) -> Widget | None:
    """The front widget that answers input at (x, y)."""
    for widget in reversed(widgets):
        if widget.touch is not None and widget.rect.holds(x, y):
            return widget
    return None

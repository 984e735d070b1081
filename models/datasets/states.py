"""States: what a desktop in use shows, one after the other, each with what led to it.

A state is light: it is drawn in a style only when a shot or an annotation is made of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.context import atoms, ticked
from engine.desktop.desktop import Desktop
from engine.desktop.documents import BIN
from engine.desktop.text_field import CARET
from engine.drawing import Fill, Item
from engine.errors import InputError
from engine.events import Event, Text
from engine.scene import Widget, find
from engine.styles import Style
from engine.theme import Role

LONGEST = 4096  # characters of a text, and of the state of an app or of the ask bar as JSON, that are told
DOCUMENTS = 64  # that are told of, and as many of the bin's


@dataclass(frozen=True)
class State:
    """items: back to front; t: seconds; events: what happened since the state before, nothing for a tick;
    context: what the features `slow` and `recent` are made of (`engine.context`), and hidden: what the frame need
    not show; both as JSON values."""

    size: tuple[int, int]
    t: float
    items: tuple[Item, ...]
    widgets: tuple[Widget, ...]
    style: Style
    pointer: tuple[int, int]
    buttons: tuple[str, ...]
    events: tuple[Event, ...]
    context: dict[str, Any]
    slow: np.ndarray
    recent: np.ndarray
    hidden: dict[str, Any]

    @property
    def explained(self) -> bool:
        """Whether one single event, or a tick, led here: what a painter without a guide is asked to answer."""
        return sum(len(atoms(event, self.pointer)) for event in self.events) <= 1


def state_of(desktop: Desktop, style: Style, events: tuple[Event, ...] = ()) -> State:
    """The desktop as it is now, `events` what led here since the state before (none: only time passed)."""
    names = [window.name for window in desktop.stack.windows]
    features = desktop.features(style)
    known = desktop.context.state()
    context = {"text_size": desktop.text_size, "open": names, "hour": desktop.now.hour, "tick": not events,
               "opened": known["opened"], "recent": known["recent"]}  # fmt: skip
    return State(
        desktop.size, desktop.t, tuple(desktop.items), tuple(desktop.widgets), style, desktop.router.pointer,
        desktop.router.buttons, events, context, features.slow, features.recent if events else ticked(features.recent),
        _hidden(desktop),
    )  # fmt: skip


def live(desktop: Desktop, event: Event, style: Style | None = None) -> Iterator[State]:
    """Let time pass up to `event`, then let it happen; the states that came of it and look otherwise than the last.

    style: what they are drawn in, else the desktop's own at the time. Raises InputError if the event names a widget that is not there.
    """
    for part in letter_by_letter(event):
        seen = desktop.items, desktop.style
        desktop.advance(part.t)
        if (desktop.items, desktop.style) != seen:
            yield state_of(desktop, style or desktop.style)
        seen = desktop.items, desktop.style
        desktop.handle(part)
        if (desktop.items, desktop.style) != seen:
            yield state_of(desktop, style or desktop.style, (part,))


def lived(desktop: Desktop, events: Iterable[Event], style: Style) -> Iterator[State]:
    """As `live`, through several events; slips, which aim at what is not there, do nothing."""
    for event in events:
        try:
            yield from live(desktop, event, style)
        except InputError:
            desktop.stale()


def letter_by_letter(event: Event) -> Iterable[Event]:
    """Text comes letter by letter, all else as it is."""
    if not isinstance(event, Text):
        return (event,)
    return tuple(Text(event.t, char) for char in event.text)


def _hidden(desktop: Desktop) -> dict[str, Any]:
    saved, documents, caret = desktop.state(), desktop.documents, _caret(desktop)
    return {
        "windows": [{**window, "state": _bounded(window["state"])} for window in saved["windows"]],  # back to front
        "front": desktop.stack.front.name if desktop.stack.front else None,
        "focus": desktop.router.focus, "hover": desktop.router.hover, "pressed": desktop.router.pressed,
        "caret": list(caret) if caret else None,
        "menu": desktop.menu is not None, "ask_bar": _bounded(saved["ask_bar"]),
        "clipboard": saved["clipboard"][:LONGEST], "seed": saved["seed"],
        "style": desktop.style_words, "time": desktop.now.isoformat(),
        "documents": {name: documents.text(name)[:LONGEST] for name in documents.names()[:DOCUMENTS]},
        "bin": {name: documents.text(BIN + name)[:LONGEST] for name in documents.names(binned=True)[:DOCUMENTS]},
    }  # fmt: skip


def _bounded(value: Any) -> Any:
    """A JSON value of at most LONGEST characters: None in place of what is longer, in an object of as few of its parts as will do."""
    if _fits(value):
        return value
    if not isinstance(value, dict):
        return None
    kept = {key: _bounded(part) for key, part in value.items()}
    left = sorted(kept, key=lambda key: len(json.dumps(kept[key])))
    while left and not _fits(kept):
        kept[left.pop()] = None
    return kept if _fits(kept) else None


def _fits(value: Any) -> bool:
    return len(json.dumps(value)) <= LONGEST


def _caret(desktop: Desktop) -> Any:
    """The caret's rect while it is shown: the narrow accent fill inside the widget that has the focus."""
    focus = desktop.router.focus
    if not any(widget.path == focus and widget.rect for widget in desktop.widgets):
        return None
    around = find(desktop.widgets, focus).rect
    fills = [i for i in desktop.items if isinstance(i, Fill) and i.role == Role.ACCENT and i.whole.w == CARET]
    return next((fill.rect for fill in reversed(fills) if around.meet(fill.rect) == fill.rect), None)

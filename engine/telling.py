"""What events did, in plain words, for a painter that is told in words: from the scene's own knowledge of what they hit."""

from __future__ import annotations

from collections.abc import Sequence

from engine.events import Ask, Click, Down, Drag, Event, Key, Move, Style, Text, Wheel
from engine.scene import Widget, at

LONGEST = 40  # characters of anything that is quoted


def told(events: Sequence[Event], before: Sequence[Widget]) -> tuple[str, ...]:
    """A sentence for each event that is worth one, oldest first. before: the widgets that the events met."""
    return tuple(filter(None, (_told(event, before) for event in _joined(events))))


def _joined(events: Sequence[Event]) -> list[Event]:
    """Letters typed one after another as one text; of moves that follow one another the last."""
    joined: list[Event] = []
    for event in events:
        last = joined[-1] if joined else None
        if isinstance(event, Text) and isinstance(last, Text):
            joined[-1] = Text(last.t, last.text + event.text)
        elif isinstance(event, Move) and isinstance(last, Move):
            joined[-1] = event
        else:
            joined.append(event)
    return joined


def _told(event: Event, before: Sequence[Widget]) -> str:
    match event:
        case Down():
            button = "" if event.button == "left" else f" with the {event.button} button"
            return f"The user clicked {_named(at(before, event.x, event.y), before)}{button}. Show what it does."
        case Move():
            return f"The pointer is over {_named(at(before, event.x, event.y), before)}."
        case Wheel():
            return f"The user scrolled {'up' if event.dy > 0 else 'down'}."
        case Text():
            return f"The user typed {_quoted(event.text)}. The text appears at the caret."
        case Key():
            return f"The user pressed {'+'.join((*event.mods, event.key))}."
        case Ask() | Style():
            return f"The user asked for {_quoted(event.text)}."
        case Click() | Drag():
            return f"The user {'clicked' if isinstance(event, Click) else 'dragged'} {_quoted(event.target)}."
    return ""


def _named(widget: Widget | None, before: Sequence[Widget]) -> str:
    """A widget by its role, its name, and the window it stands in."""
    if widget is None or widget.role == "desktop":
        return "the desktop"
    window = next((w for w in before if w.role == "window" and w.path == widget.path.partition("/")[0]), None)
    within = f" in the window {_quoted(window.name)}" if window and window is not widget and window.name else ""
    name = f" {_quoted(widget.name)}" if widget.name else ""
    return f"the {'title bar' if widget.role == 'title' else widget.role}{name}{within}"


def _quoted(text: str) -> str:
    """On one line, shortened, in quotes that it cannot end."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).replace("'", "’").split())
    return f"'{plain if len(plain) <= LONGEST else plain[: LONGEST - 1] + '…'}'"

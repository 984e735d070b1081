"""Input events: what the window, a trace and the journal all speak.

Times are seconds since the session started, coordinates are frame pixels.
`as_record` and `from_record` convert to and from the JSON objects of a trace line.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar, get_type_hints

from engine.errors import InputError

NAMED_KEYS = frozenset(
    "enter escape tab space backspace delete insert left right up down home end pageup pagedown".split()
    + [f"f{n}" for n in range(1, 13)]
)
MODS = ("ctrl", "shift", "alt", "meta")
BUTTONS = ("left", "middle", "right")


def is_key(name: str) -> bool:
    """Whether `name` is a key of the contract: a named key, a-z, 0-9, or one punctuation character."""
    if name in NAMED_KEYS:
        return True
    return len(name) == 1 and name.isprintable() and not name.isspace() and not name.isupper()


@dataclass(frozen=True, slots=True)
class Event:
    """One input at time `t`."""

    type: ClassVar[str] = ""
    t: float


@dataclass(frozen=True, slots=True)
class Move(Event):
    type: ClassVar[str] = "move"
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Down(Event):
    type: ClassVar[str] = "down"
    button: str
    x: int
    y: int
    mods: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Up(Event):
    type: ClassVar[str] = "up"
    button: str
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Wheel(Event):
    """Wheel notches under the pointer; positive is away from the user (scrolls up)."""

    type: ClassVar[str] = "wheel"
    dy: int


@dataclass(frozen=True, slots=True)
class Key(Event):
    type: ClassVar[str] = "key"
    key: str
    mods: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Text(Event):
    """Text as the keyboard layout or an input method composed it."""

    type: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True, slots=True)
class Ask(Event):
    """The ask bar opened, `text` entered, Enter pressed."""

    type: ClassVar[str] = "ask"
    text: str


@dataclass(frozen=True, slots=True)
class Style(Event):
    """A style asked for in words."""

    type: ClassVar[str] = "style"
    text: str


@dataclass(frozen=True, slots=True)
class Click(Event):
    """A left click on the widget that `target` names, by name or path; resolved when played."""

    type: ClassVar[str] = "click"
    target: str


@dataclass(frozen=True, slots=True)
class Drag(Event):
    """Left button down on the widget `target` names, moved to `to`, released."""

    type: ClassVar[str] = "drag"
    target: str
    to: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Drop(Event):
    """A picture brought into the window: its name, and PNG bytes as base64 text."""

    type: ClassVar[str] = "drop"
    name: str
    picture: str


@dataclass(frozen=True, slots=True)
class Clip(Event):
    """Text that another program copied: what is pasted from now on, until something is copied here."""

    type: ClassVar[str] = "clip"
    text: str


@dataclass(frozen=True, slots=True)
class Wait(Event):
    """Time passes."""

    type: ClassVar[str] = "wait"


KINDS: dict[str, type[Event]] = {
    kind.type: kind for kind in (Move, Down, Up, Wheel, Key, Text, Ask, Style, Click, Drag, Drop, Clip, Wait)
}


def as_record(event: Event) -> dict[str, Any]:
    """The event as a trace line's JSON object."""
    record: dict[str, Any] = {"t": event.t, "type": event.type}
    for field in fields(event):
        value = getattr(event, field.name)
        if field.name == "t" or (field.name == "mods" and not value and event.type != "key"):
            continue
        record[field.name] = list(value) if isinstance(value, tuple) else value
    return record


def from_record(record: object) -> Event:
    """A trace line's JSON object to an event.

    Raises InputError naming what is wrong: unknown type, missing or unknown field, wrong kind of value.
    """
    if not isinstance(record, dict):
        raise InputError(f"an event is a JSON object, not {record!r}")
    kind = KINDS.get(str(record.get("type")))
    if kind is None:
        raise InputError(f"unknown event type {record.get('type')!r}; known are {', '.join(KINDS)}")
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for field in fields(kind):
        if field.name in record:
            values[field.name] = _checked(field.name, hints[field.name], record[field.name])
        elif field.name != "mods":
            raise InputError(f"{kind.type} event has no {field.name!r}")
    unknown = sorted(set(record) - set(values) - {"type"})
    if unknown:
        raise InputError(f"{kind.type} event has unknown field {unknown[0]!r}")
    return kind(**values)


def _checked(name: str, hint: object, value: Any) -> Any:
    if name == "t":
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e9:
            raise InputError(f"t must be a number of seconds from 0, not {value!r}")
        return float(value)
    if name == "mods":
        if not isinstance(value, list) or any(m not in MODS for m in value):
            raise InputError(f"mods must be a list from {', '.join(MODS)}, not {value!r}")
        return tuple(value)
    if name == "to":
        if not isinstance(value, list) or len(value) != 2 or any(type(v) is not int for v in value):
            raise InputError(f"to must be [x, y] in whole pixels, not {value!r}")
        return tuple(value)
    if type(value) is not hint:
        raise InputError(f"{name} must be {'a whole number' if hint is int else 'text'}, not {value!r}")
    if name == "key" and not is_key(value):
        raise InputError(f"unknown key {value!r}; keys are a-z, 0-9, punctuation, {', '.join(sorted(NAMED_KEYS))}")
    if name == "button" and value not in BUTTONS:
        raise InputError(f"unknown button {value!r}; buttons are {', '.join(BUTTONS)}")
    return value

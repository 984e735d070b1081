"""What is open on the desktop, as the context tells it to who dreams: the user's work, the ask bar and a menu."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from engine.geometry import Rect


class Work(NamedTuple):
    """What is open in a window. app: the slot of its app; name: of the user's document that it shows, "" where that has none yet, or it shows
    none; title: the window's; content: the document's, a text, or a picture as PNG bytes; None where there is none yet, or it is too
    large to be told; page: which of the app's pages it is, and scroll: how far that, or what is listed on it, is scrolled; rows: what it lists of the user's and the system's
    own, and chosen: which of them is that; typed: what stands in its field of one line, and from where to where it is selected; rect: where the
    window stands, frame pixels, None where it is minimised; place: of its text, as of `App.in_text`; focus: which widget in it has the keyboard,
    "" for none; asks: whether a button that takes something away asks to be clicked again. See `App`."""

    app: int
    name: str
    title: str
    content: str | bytes | None = None
    page: str = ""
    rows: tuple[str, ...] = ()
    scroll: int = 0
    chosen: str = ""
    typed: tuple[str, int, int] | None = None
    rect: Rect | None = None
    place: dict[str, Any] | None = None
    focus: str = ""
    asks: bool = False


class Asked(NamedTuple):
    """What stands in the ask bar. text: what was typed; anchor, caret: between which of its characters is selected; suggestions: text, icon and
    note of each; chosen: which of them is, -1 for none; hint: what stands there while nothing is typed."""

    text: str
    anchor: int
    caret: int
    suggestions: tuple[tuple[str, str, str], ...]
    chosen: int
    hint: str


class Offered(NamedTuple):
    """A menu that is open. x, y: where it was asked for, frame pixels; entries: what they say; chosen: which of them is under the keyboard,
    first: the uppermost one in view."""

    x: int
    y: int
    entries: tuple[str, ...]
    chosen: int
    first: int


def rows_of(values: Mapping[str, Any]) -> list[str]:
    """Values by name as the rows that an app lists: each a name and, behind a tab, a value in JSON."""
    return [f"{name}\t{json.dumps(value)}" for name, value in values.items()]


def values_of(rows: Iterable[str]) -> dict[str, Any]:
    """The inverse."""
    return {name: json.loads(value) for name, _, value in (row.partition("\t") for row in rows)}

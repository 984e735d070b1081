"""Windows as the context tells of them: where they stand, in which form, and what is open in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from zlib import crc32

from engine.context import EVENTS_SIZE, WINDOW_SIZE, WINDOWS, look_of, text_size_of
from engine.events import Down, Event, Key, Up
from engine.geometry import Rect
from engine.open_work import Work
from engine.painter import ContextFeatures
from engine.styles import chrome_of
from models.dreaming.frames import Form
from models.dreaming.letters import letter_of
from models.dreaming.papers import PAINT, is_whole
from models.dreaming.pictures import SNAKE

ANEW = "food\t", "heading\t"  # of a game's rows those by which it is laid anew: it goes on by itself, but where the next food lies is chance, and where it turns the user's


class Placed(NamedTuple):
    """A window, by its app's slot, and its outer rect in frame pixels. document, page, rows: what is shown in it, rows with its
    title, its picture, how far it is scrolled and, where all of it is told, what has the keyboard, as `number_of` has it; 0 where that has no name, or nobody told of it."""

    app: int
    rect: Rect
    document: int = 0
    page: int = 0
    rows: int = 0


def form_of(context: ContextFeatures) -> Form:
    """Of all windows."""
    return Form(text_size_of(context.slow), chrome_of(look_of(context.slow)))


def apps_of(windows: Sequence[Placed]) -> list[int]:
    """Whose they are, by slot."""
    return [window.app for window in windows]


def placed_by(context: ContextFeatures, size: tuple[int, int]) -> tuple[Placed, ...]:
    """The windows that the context tells of, front to back: all that are on the screen where it tells of the open work, else WINDOWS at most."""
    if context.work:
        return tuple(Placed(one.app, one.rect) for one in reversed(context.work) if one.rect)
    rows = context.recent[EVENTS_SIZE:].reshape(WINDOWS, WINDOW_SIZE)
    found: list[Placed] = []
    for row in rows[rows[:, 2] > 0]:
        x, y, w, h = (round(float(share) * side) for share, side in zip(row[:4], (*size, *size), strict=True))
        found.append(Placed(int(row[4:].argmax()), Rect(x, y, w, h)))
    return tuple(found)


def with_work(window: Placed, work: Work | None) -> Placed:
    """A window with what is open in it."""
    if work is None:
        return window
    picture = (f"{crc32(work.content)}",) if isinstance(work.content, bytes) else ()
    keyboard = (work.focus, f"{work.asks}") if is_whole(work) else ()
    listed = [row for row in work.rows if work.app != SNAKE or row.startswith(ANEW)]
    rows = "\n".join((work.title, *listed, work.chosen, *map(str, work.typed or ()), *picture, *(str(work.scroll),) * (work.scroll > 0), *keyboard))
    return window._replace(document=number_of(work.name), page=number_of(work.page), rows=number_of(rows))


def goes_on(before: Work, now: Work, event: Event | None, front: bool) -> bool:
    """Whether a window's document got another name by an event, or its first; else it is another that stands there now. front: whether it is the
    window in front, and nothing was opened."""
    if before.content is not None and before.content == now.content:
        return True
    if not front or (isinstance(event, Key) and event.key == "tab"):
        return False
    if now.app == PAINT:
        return not before.name
    return event is None or bool(letter_of(event)) or not (before.name or isinstance(event, (Down, Up)))


def restated(shown: Sequence[Placed], known: Mapping[int, Work], now: Mapping[int, Work]) -> set[int]:
    """Whose windows, by app, stand behind the first and show a text that is told otherwise now: a wheel scrolls it there, and its length is told at rest."""
    texts = [app for app in apps_of(shown[1:]) if app in known and app in now and now[app].place is not None]
    return {app for app in texts if (known[app].content, known[app].place) != (now[app].content, now[app].place)}


def number_of(document: str) -> int:
    """What stands for a document's name: never 0, but for none."""
    return crc32(document.casefold().encode()) % 32767 + 1 if document else 0

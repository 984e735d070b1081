"""What is done while frame latency is measured: scenarios, as steps on a desktop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from engine.desktop.desktop import Desktop
from engine.events import Ask, Down, Event, Key, Move, Style, Text, Up, Wheel
from engine.scene import find

PAUSE = 0.15  # session seconds between events
NOTE = 200  # letters


class Unmeasured(NamedTuple):
    """An event between those that are measured, so that these lead to what was never shown: what was comes out of the frame cache."""

    event: Event


Step = Event | Unmeasured | None  # None: nothing but time
Scenario = Callable[[Desktop, int], Iterator[Step]]


def _idle(desktop: Desktop, count: int) -> Iterator[Step]:
    for _ in range(count):
        yield None


def _caret(desktop: Desktop, count: int) -> Iterator[Step]:
    yield Ask(desktop.t + 1, "Notes")
    yield Key(desktop.t + 1, "n", ("ctrl",))
    for _ in range(4 * count):
        yield None


def _typing(desktop: Desktop, count: int) -> Iterator[Step]:
    """A note, and after so many letters another, which begins with another letter: what stood there before would come out of the cache."""
    words = "The quick brown fox jumps over the lazy dog. Pack my box with five dozen liquor jugs. "
    for i in range(count):
        if i % NOTE == 0:
            yield Unmeasured(Ask(desktop.t + 1, "Notes"))
            yield Unmeasured(Key(desktop.t + 1, "n", ("ctrl",)))
        yield Text(desktop.t + PAUSE, words[(i + i // NOTE) % len(words)])


def _hover(desktop: Desktop, count: int) -> Iterator[Step]:
    icons = [w.rect.centre for w in desktop.widgets if w.role == "icon"]
    for i in range(count):
        yield Move(desktop.t + PAUSE, *icons[i % len(icons)])


def _drag(desktop: Desktop, count: int) -> Iterator[Step]:
    yield Ask(desktop.t + 1, "Calculator")
    x, y = find(desktop.widgets, "Calculator/title").rect.centre
    yield Down(desktop.t + PAUSE, "left", x, y)
    for i in range(count):
        swing = i % 24 if i % 48 < 24 else 48 - i % 48
        yield Move(desktop.t + PAUSE, x + 6 * swing, y + 2 * swing + i // 24)  # never where it was before
    yield Up(desktop.t + PAUSE, "left", x, y)


def _scroll(desktop: Desktop, count: int) -> Iterator[Step]:
    yield Ask(desktop.t + 1, "Long")
    yield Move(desktop.t + PAUSE, *find(desktop.widgets, "Notes/text").rect.centre)
    for _ in range(count):
        yield Wheel(desktop.t + PAUSE, -1)  # only on: what was seen before would come out of the cache


def _open(desktop: Desktop, count: int) -> Iterator[Step]:
    """A window opens, in another look each time, for what was shown before comes out of the frame cache, as what closing it leaves does."""
    yield Unmeasured(Ask(desktop.t + 1, "Notes"))
    for i in range(count):
        yield Unmeasured(Style(desktop.t + PAUSE, f"ocean hue={i / 100:.2f}"))
        yield Ask(desktop.t + PAUSE, "Settings")
        yield Unmeasured(Key(desktop.t + PAUSE, "w", ("ctrl",)))


def _style(desktop: Desktop, count: int) -> Iterator[Step]:
    for i in range(count):  # never the same, nor one of those that `_open` showed
        yield Style(desktop.t + PAUSE, f"{('dark', 'ocean', 'light', 'forest')[i % 4]} hue={0.5 + i / 100:.2f}")


def _full(desktop: Desktop, count: int) -> Iterator[Step]:
    """Nearly the whole frame: a window maximised and put back, its text scrolled further meanwhile."""
    yield Unmeasured(Ask(desktop.t + 1, "Long"))
    yield Unmeasured(Move(desktop.t + PAUSE, *find(desktop.widgets, "Notes/text").rect.centre))
    for _ in range(count):
        yield Unmeasured(Wheel(desktop.t + PAUSE, -1))
        yield Key(desktop.t + PAUSE, "enter", ("alt",))


SCENARIOS: dict[str, tuple[Scenario, int]] = {  # and how many events
    "idle": (_idle, 60), "caret": (_caret, 30), "typing": (_typing, 200), "hover": (_hover, 120), "drag": (_drag, 120),
    "scroll": (_scroll, 80), "open": (_open, 20), "style": (_style, 24), "full": (_full, 24),
}  # fmt: skip

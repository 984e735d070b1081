"""Sessions of a plausible user at the real desktop: goals first, slips and idle clicks between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from engine.desktop.apps.registry import APPS
from engine.desktop.desktop import Desktop
from engine.desktop.documents import Documents
from engine.errors import InputError
from engine.events import Ask, Down, Event, Key, Move, Style, Text, Up, Wait, Wheel
from engine.geometry import Rect
from engine.scene import Widget
from engine.styles import PRESETS
from models.synthetic import prose
from models.synthetic.errands import Errands

GOALS = 0.7  # share of deeds that are errands; the others are random ones
KEYS = ("enter", "backspace", "left", "right", "up", "down", "home", "end", "tab", "delete", "pagedown", "escape", "space")
SHORTCUTS = (("a", "ctrl"), ("z", "ctrl"), ("y", "ctrl"), ("1", "ctrl"), ("l", "ctrl"), ("f", "ctrl"), ("n", "ctrl"),
             ("tab", "alt"), ("left", "alt"), ("down", "alt"), ("enter", "alt"), ("space", "ctrl"), ("f10", "shift"))  # fmt: skip
TEXT_SIZES = ("bigger text", "smaller text", "normal text")


class User:
    """Drives a desktop, deed by deed, by events whose times are after the desktop's."""

    def __init__(self, rng: np.random.Generator, desktop: Desktop, styles: bool = True) -> None:
        self.rng = rng
        self.desktop = desktop
        self.styles = styles
        self.errands = Errands(rng, desktop)

    def deed(self) -> Iterator[Event]:
        """The events of an errand, or of a random deed, typed text letter by letter. They are to happen as they are taken."""
        if self.rng.random() < GOALS:
            yield from self.errands.next()
            return
        for event in self.act():
            yield from letters(event)

    def act(self) -> list[Event]:
        """The events of one small random deed, in order."""
        deeds: list[tuple[float, Callable[[float], list[Event]]]] = [
            (0.22, self._type), (0.2, self._click), (0.12, self._open), (0.1, self._key), (0.1, self._drag),
            (0.08, self._hover), (0.06, self._wheel), (0.04, self._menu), (0.03, self._shortcut), (0.03, self._wait),
            (0.02, self._change_look),
        ]  # fmt: skip
        weights = np.array([weight for weight, _ in deeds])
        chosen = int(self.rng.choice(len(deeds), p=weights / weights.sum()))
        return deeds[chosen][1](self.desktop.t + float(self.rng.uniform(0.02, 0.6)))

    def _type(self, t: float) -> list[Event]:
        text = prose.sentence(self.rng, int(self.rng.integers(2, 40))) or "word"
        whole = Text(t, text)
        return [whole] if self.rng.random() < 0.5 else letters(whole)

    def _click(self, t: float) -> list[Event]:
        x, y = self._spot(lambda w: w.touch is not None and w.role not in ("window", "desktop", "taskbar"))
        clicks: list[Event] = [Down(t, "left", x, y), Up(t + 0.05, "left", x, y)]
        if self.rng.random() < 0.15:
            clicks += [Down(t + 0.15, "left", x, y), Up(t + 0.2, "left", x, y)]
        return clicks

    def _open(self, t: float) -> list[Event]:
        names = [*APPS, *self.desktop.documents.names()[:4]]
        return [Ask(t, str(self.rng.choice(names)))]

    def _key(self, t: float) -> list[Event]:
        mods = ("shift",) if self.rng.random() < 0.2 else ()
        return [Key(t, str(self.rng.choice(KEYS)), mods)]

    def _shortcut(self, t: float) -> list[Event]:
        key, mod = SHORTCUTS[int(self.rng.integers(len(SHORTCUTS)))]
        return [Key(t, key, (mod,))]

    def _drag(self, t: float) -> list[Event]:
        roles = ("title", "title", "handle", "scrollbar", "editor", "canvas")
        role = str(self.rng.choice(roles))
        x, y = self._spot(lambda w: w.role == role)
        to_x, to_y = x + int(self.rng.integers(-140, 140)), y + int(self.rng.integers(-90, 90))
        events: list[Event] = [Down(t, "left", x, y)]
        steps = int(self.rng.integers(1, 4))
        events += [
            Move(t + 0.05 * i, x + (to_x - x) * i // steps, y + (to_y - y) * i // steps) for i in range(1, steps + 1)
        ]
        return [*events, Up(t + 0.05 * steps + 0.02, "left", to_x, to_y)]

    def _hover(self, t: float) -> list[Event]:
        return [Move(t, *self._spot(lambda w: w.touch is not None))]

    def _wheel(self, t: float) -> list[Event]:
        x, y = self._spot(lambda w: w.role in ("editor", "list", "row", "window", "canvas"))
        return [Move(t, x, y), Wheel(t + 0.05, int(self.rng.choice([-3, -1, 1, 2])))]

    def _menu(self, t: float) -> list[Event]:
        x, y = self._spot(lambda w: w.touch is not None)
        return [Down(t, "right", x, y), Up(t + 0.05, "right", x, y)]

    def _wait(self, t: float) -> list[Event]:
        return [Wait(t + float(self.rng.choice([0.5, 2.0, 61.0])))]

    def _change_look(self, t: float) -> list[Event]:
        if self.styles and self.rng.random() < 0.6:
            return [Style(t, str(self.rng.choice(list(PRESETS))))]
        return [Ask(t, str(self.rng.choice(TEXT_SIZES)))]

    def _spot(self, wanted: Callable[[Widget], bool]) -> tuple[int, int]:
        """A point on a random visible widget of the wanted kind, else anywhere."""
        found = [w for w in self.desktop.widgets if w.rect and wanted(w)]
        rect = found[int(self.rng.integers(len(found)))].rect if found else Rect(0, 0, *self.desktop.size)
        return rect.x + int(self.rng.integers(rect.w)), rect.y + int(self.rng.integers(rect.h))


def letters(event: Event, most: int = 6) -> list[Event]:
    """A text's first letters, one event each, as a keyboard gives them; any other event as it is."""
    if not isinstance(event, Text):
        return [event]
    return [Text(round(event.t + 0.08 * i, 3), char) for i, char in enumerate(event.text[:most])]


def random_desktop(rng: np.random.Generator, size: tuple[int, int]) -> Desktop:
    """A desktop with a few documents and windows, at a random time of day."""
    documents = Documents()
    for _ in range(int(rng.integers(0, 5))):
        name = documents.fresh(prose.words(rng).replace("/", " ").strip("., ") or "Note", ".md")
        body = "\n".join(_paragraph(rng) for _ in range(int(rng.integers(1, 14))))
        documents.write("".join(c for c in name if c not in '\\/:*?"<>|'), body)
    desktop = Desktop(size, documents, state={"t": float(rng.integers(0, 86_400)), "seed": int(rng.integers(2**31))})
    user = User(rng, desktop)
    for _ in range(int(rng.integers(1, 5))):
        play(desktop, [Ask(desktop.t + 0.5, str(rng.choice([*APPS, *documents.names()])))])
    for _ in range(int(rng.integers(0, 12))):
        play(desktop, user.act())
    return desktop


def emptied(desktop: Desktop, rng: np.random.Generator, size: tuple[int, int]) -> Desktop:
    """The same documents at the same time, on a bare desktop."""
    return Desktop(size, desktop.documents, state={"t": desktop.t, "seed": int(rng.integers(2**31))})


def play(desktop: Desktop, events: list[Event]) -> None:
    for event in events:
        try:
            desktop.handle(event)
        except InputError:  # a slip: what was aimed at is not there
            desktop.stale()


def _paragraph(rng: np.random.Generator) -> str:
    mark = str(rng.choice(["", "", "", "# ", "## ", "- ", "1. ", "> "]))
    return mark + prose.sentence(rng, int(rng.integers(5, 160)))

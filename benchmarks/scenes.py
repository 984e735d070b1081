"""Scenes: small scripted pieces on the real desktop, each ending in one event whose picture is judged.

A kind is a row of a table: what stands on the screen when the painter begins (`stage`), what leads up to the event
(`lead`, painted by the painter itself), and the event (`act`). Steps drive a `Hand`; the events it makes are kept, so
that a scene can be played again, event by event, on a desktop of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine import scene as widgets_of
from engine.desktop.apps.registry import APPS
from engine.desktop.desktop import Desktop
from engine.desktop.documents import Content, Documents
from engine.errors import InputError
from engine.events import Ask, Down, Event, Key, Move, Style, Text, Up, Wait, Wheel
from engine.scene import find
from engine.styles import PRESETS

GAP = 0.2  # seconds between two events: shorter than the caret's blink
Step = Callable[["Hand"], None]


@dataclass(frozen=True)
class Kind:
    """One kind of transition. The act may be told only in part by its event, so the name says what the user sees."""

    name: str
    stage: tuple[Step, ...]
    lead: tuple[Step, ...]
    act: Step


@dataclass(frozen=True)
class Setting:
    """What a desktop starts from, kept apart so that it can be built again: the same one every time."""

    size: tuple[int, int]
    documents: dict[str, Content]
    state: dict[str, Any]

    def desktop(self) -> Desktop:
        return Desktop(self.size, Documents(self.documents), state=self.state)


@dataclass(frozen=True)
class Scene:
    """A kind played out: events of the stage, of the lead, and the act."""

    kind: str
    setting: Setting
    stage: tuple[Event, ...]
    lead: tuple[Event, ...]
    act: Event

    def before(self) -> Desktop:
        """The desktop right before the act; for a wait, before that time has passed."""
        desktop = self.setting.desktop()
        for event in (*self.stage, *self.lead):
            desktop.handle(event)
        if self.act.type != "wait":
            desktop.advance(self.act.t)
        return desktop


class Hand:
    """Somebody at a desktop whose every deed is written down. `names` fills the {placeholders} of targets."""

    def __init__(self, desktop: Desktop, rng: np.random.Generator) -> None:
        self.desktop = desktop
        self.rng = rng
        self.events: list[Event] = []
        documents = desktop.documents.names()
        self.names = {
            "app": str(rng.choice(list(APPS))),
            "text": str(rng.choice([name for name in documents if not name.endswith(".png")])),
            "picture": next(name for name in documents if name.endswith(".png")),
        }
        self.names["other"] = str(rng.choice([app for app in APPS if app != self.names["app"]]))

    def does(self, kind: type[Event], *values: Any, after: float = GAP) -> None:
        event = kind(round(self.desktop.t + after, 3), *values)
        self.desktop.handle(event)
        self.events.append(event)

    def named(self, target: str) -> str:
        front = self.desktop.stack.front
        return target.format(**self.names, front=front.name if front else "")

    def one_of(self, choices: Sequence[str]) -> str:
        return self.named(choices[int(self.rng.integers(len(choices)))])

    def spot(self, target: str) -> tuple[int, int]:
        """A random point of a widget at which it would answer. Raises InputError where it is not to be seen."""
        widgets = self.desktop.widgets
        widget = find(widgets, self.named(target))
        for _ in range(40):
            x = widget.rect.x + int(self.rng.integers(widget.rect.w))
            y = widget.rect.y + int(self.rng.integers(widget.rect.h))
            hit = widgets_of.at(widgets, x, y)
            if hit and hit.path == widget.path:
                return x, y
        raise InputError(f"the widget {target!r} is covered; bring it to the front first")


def written(kind: Kind, setting: Setting, rng: np.random.Generator) -> Scene | None:
    """The kind as a scene in this setting; None where what it needs is not to be seen there."""
    hand = Hand(setting.desktop(), rng)
    try:
        for step in kind.stage:
            step(hand)
        staged = len(hand.events)
        for step in kind.lead:
            step(hand)
        led = len(hand.events)
        kind.act(hand)
    except InputError:
        return None
    if len(hand.events) != led + 1:
        raise ValueError(f"the act of {kind.name!r} is {len(hand.events) - led} events; it has to be one")
    events = tuple(hand.events)
    return Scene(kind.name, setting, events[:staged], events[staged:led], events[led])


# Steps. Targets and words may hold {app}, {other}, {text}, {picture} and {front}; of several words one is drawn.


def ask(*words: str) -> Step:
    return lambda hand: hand.does(Ask, hand.one_of(words).casefold())


def text(*words: str) -> Step:
    """Type, letter by letter, one of several words; as an act, words of one letter."""

    def step(hand: Hand) -> None:
        for char in hand.one_of(words):
            hand.does(Text, char)

    return step


def key(*names: str) -> Step:
    """Press one of several keys, modifiers joined by plus: "ctrl+z"."""

    def step(hand: Hand) -> None:
        *mods, name = hand.one_of(names).split("+")
        hand.does(Key, name, tuple(mods))

    return step


def over(*targets: str) -> Step:
    """Move the pointer onto a widget."""
    return lambda hand: hand.does(Move, *hand.spot(hand.one_of(targets)))


def by(dx: int, dy: int) -> Step:
    """Move the pointer on by about so much."""

    def step(hand: Hand) -> None:
        x, y = hand.desktop.router.pointer
        share = float(hand.rng.uniform(0.6, 1.3))
        hand.does(Move, x + round(dx * share), y + round(dy * share))

    return step


def down(hand: Hand) -> None:
    hand.does(Down, "left", *hand.desktop.router.pointer, after=0.1)


def up(hand: Hand) -> None:
    hand.does(Up, "left", *hand.desktop.router.pointer, after=0.1)


def right_down(hand: Hand) -> None:
    hand.does(Down, "right", *hand.desktop.router.pointer, after=0.1)


def right_up(hand: Hand) -> None:
    hand.does(Up, "right", *hand.desktop.router.pointer, after=0.1)


def wheel(notches: int) -> Step:
    return lambda hand: hand.does(Wheel, notches)


def wait(seconds: float) -> Step:
    return lambda hand: hand.does(Wait, after=seconds)


def style(hand: Hand) -> None:
    others = [name for name in PRESETS if name != hand.desktop.style_words]
    hand.does(Style, str(hand.rng.choice(others)))


def moved(hand: Hand) -> None:
    """Put the front window somewhere else, to vary where things happen."""
    front = hand.desktop.stack.front
    assert front is not None
    x, y = hand.spot("{front}/title")
    area, rect = hand.desktop.work_area, front.rect
    dx = int(hand.rng.integers(-30, max(area.right - rect.right, -29) + 1))
    dy = int(hand.rng.integers(-6, max(area.bottom - rect.bottom, 0) + 13))
    for kind, place in ((Down, (x, y)), (Move, (x + dx, y + dy)), (Up, (x + dx, y + dy))):
        hand.does(kind, *(() if kind is Move else ("left",)), *place)


def to_the_minute(hand: Hand) -> None:
    """Wait until a twentieth of a second before the clock shows another minute."""
    hand.does(Wait, after=60 - hand.desktop.t % 60 - 0.05)

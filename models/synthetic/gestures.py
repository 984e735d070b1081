"""Gestures: what errands are made of: keys, clicks, drags and pauses of somebody at the desktop.

Each is a generator that looks at the desktop before each of its events, so its events are to happen as they are taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from engine.desktop.desktop import Desktop
from engine.events import Down, Event, Key, Move, Text, Up, Wait, Wheel
from engine.scene import Widget, at
from models.synthetic import prose

Steps = Iterator[Event]


class Gestures:
    """At a desktop, with a random source of its own."""

    def __init__(self, rng: np.random.Generator, desktop: Desktop) -> None:
        self.rng = rng
        self.desktop = desktop

    def _one(self, *choices: tuple[float, Callable[[], Steps]]) -> Steps:
        weights = np.array([weight for weight, _ in choices])
        return choices[int(self.rng.choice(len(choices), p=weights / weights.sum()))][1]()

    def _t(self, least: float = 0.08, most: float = 0.4) -> float:
        return round(self.desktop.t + float(self.rng.uniform(least, most)), 3)

    def _any(self, *words: str) -> str:
        return words[int(self.rng.integers(len(words)))]

    def _keys(self, *names: str) -> Steps:
        """Keys in a row, modifiers joined by plus."""
        for name in names:
            *mods, key = name.split("+") if name != "+" else [name]
            yield Key(self._t(), key, tuple(mods))

    def _typed(self, text: str) -> Steps:
        for char in text:
            yield Text(self._t(0.06, 0.25), char)

    def _word(self) -> str:
        return (prose.sentence(self.rng, int(self.rng.integers(1, 9))) or "word")[: int(self.rng.integers(1, 12))]

    def _over(self, wanted: Callable[[Widget], bool]) -> Steps:
        """The pointer onto a widget that can be seen; nothing where there is none."""
        widgets = self.desktop.widgets
        found = [w for w in widgets if w.rect and wanted(w)]
        for _ in range(4 if found else 0):
            rect = found[int(self.rng.integers(len(found)))].rect
            x, y = rect.x + int(self.rng.integers(rect.w)), rect.y + int(self.rng.integers(rect.h))
            hit = at(widgets, x, y)
            if hit and wanted(hit):
                yield Move(self._t(), x, y)
                return

    def _press(self, button: str = "left") -> Steps:
        yield Down(self._t(0.05, 0.15), button, *self.desktop.router.pointer)

    def _release(self, button: str = "left") -> Steps:
        yield Up(self._t(0.05, 0.15), button, *self.desktop.router.pointer)

    def _click(self, wanted: Callable[[Widget], bool], times: int = 1) -> Steps:
        before = self.desktop.router.pointer
        yield from self._over(wanted)
        if self.desktop.router.pointer == before and self.rng.random() < 0.5:
            return
        for _ in range(times):
            yield from self._press()
            yield from self._release()

    def _drag(self, far: int, steps: int = 3) -> Steps:
        yield from self._press()
        for _ in range(int(self.rng.integers(1, steps + 1))):
            x, y = self.desktop.router.pointer
            yield Move(self._t(0.05, 0.1), x + int(self.rng.integers(-far, far + 1)), y + int(self.rng.integers(-far, far + 1) * 0.6))
        yield from self._release()

    def _wheel(self) -> Steps:
        for _ in range(int(self.rng.integers(1, 4))):
            yield Wheel(self._t(), int(self.rng.choice([-2, -1, -1, 1, 1, 2])))

    def _rest(self) -> Steps:
        """Time in which only the caret, the clock or a snake moves."""
        for _ in range(int(self.rng.integers(1, 4))):
            yield Wait(self._t(0.2, 0.8))

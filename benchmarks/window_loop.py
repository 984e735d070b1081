"""The real window's loop, driven by a script: for measuring whether it goes on while something else happens."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from time import monotonic

from engine.events import Ask, Event, Text
from engine.session import Session
from engine.speculation import Speculation
from ui.window import Window

TYPED_S = 0.1
Script = Callable[[Session, float], Iterator[Event]]  # the events that are due at a session's time


class WindowLoop:
    """Input, a step, what there is. turns: seconds that each turn took beside waiting for input: how long no frame could be
    presented; presents: when frames were presented, seconds of the monotonic clock; ahead: what paints ahead meanwhile."""

    def __init__(self, session: Session, window: Window, script: Script, ahead: Speculation | None = None) -> None:
        self._session, self._window, self._script, self._ahead = session, window, script, ahead
        self._offset = session.desktop.t - monotonic()
        self.turns: list[float] = []
        self.presents: list[float] = []
        session.step([Ask(session.desktop.t, "notes")], session.desktop.t)

    def run(self, seconds: float) -> None:
        """Go on for a while, with `turns` and `presents` begun anew."""
        self.turns.clear()
        self.presents.clear()
        until = monotonic() + seconds
        while monotonic() < until:
            self.turn()

    def turn(self) -> None:
        self._window.busy = self._ahead is not None and self._ahead.follow()
        events = [*self._window.read(self._t), *self._script(self._session, self._t)]
        begun, last = monotonic(), self._window.presented
        self._window.show(self._session.step(events, self._t))
        ended = monotonic()
        self.turns.append(ended - begun)
        if self._window.presented != last:
            self.presents.append(ended)

    @property
    def _t(self) -> float:
        return max(monotonic() + self._offset, self._session.desktop.t)


class Typing:
    """Ten letters a second."""

    def __init__(self) -> None:
        self._typed = monotonic()

    def __call__(self, session: Session, t: float) -> Iterator[Event]:
        if monotonic() - self._typed >= TYPED_S:
            self._typed = monotonic()
            yield Text(t, "x")


def with_some_display() -> None:
    """SDL's dummy driver where no display is named."""
    if not os.environ.get("DISPLAY"):
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")

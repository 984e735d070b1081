"""A recorded trace as a source: the session is played again, and every state it reached becomes a shot.

What led from one state to the next is known exactly, so such shots are learned with and without the guide.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.desktop.desktop import Desktop
from engine.drawing import Item
from engine.errors import InputError, TraceError
from engine.starting_point import open_desktop
from engine.styles import Style
from engine.trace import Trace, read_trace
from models.datasets.states import State, live, state_of
from models.synthetic.renderer import StyledRenderer
from models.synthetic.shots import Shot, ground_memory, shot_of

SHOTS = 10  # given a time, as many as the synthetic source gives


class TraceSource:
    """Shots of consecutive states of the trace at `path`, drawn in the style the session had at the time.

    The trace is played once, when the source is opened; states are kept as items and drawn when asked for. Raises
    InputError for a file that cannot be read, TraceError naming the line of what cannot be played.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        trace = read_trace(path)
        seen: dict[tuple[type, Item], Item] = {}
        self.states = [_lean(state, seen) for state in played(trace)]
        self.size = trace.header.size
        bare = Desktop(self.size, state={"t": self.states[0].t})
        self._bare = tuple(bare.items)
        self._renderers: dict[Style, StyledRenderer] = {}

    def __call__(self, rng: np.random.Generator) -> list[Shot]:
        """Up to SHOTS consecutive shots, from a random place on."""
        last = len(self.states)
        first = 1 + int(rng.integers(max(last - SHOTS, 1)))
        return [self._shot(i) for i in range(first, min(first + SHOTS, last))]

    def _shot(self, i: int) -> Shot:
        before, state = self.states[i - 1], self.states[i]
        bare = self._draw(self._bare, state.style)
        memory, known = ground_memory(bare, self.size)
        return shot_of(
            state.items, state.style, self._draw(state.items, state.style), self._draw(before.items, before.style),
            state.slow, state.recent, state.pointer, memory, known, state.buttons,
            state.explained,
        )  # fmt: skip

    def _draw(self, items: tuple[Item, ...], style: Style) -> np.ndarray:
        if style not in self._renderers:
            self._renderers[style] = StyledRenderer(style, self.size)
        return self._renderers[style].render(items)


def played(trace: Trace) -> Iterator[State]:
    """Every state, the first one included. Raises TraceError naming the line of what cannot be played, InputError where nothing ever
    changes."""
    desktop = open_desktop(trace.header)
    yield state_of(desktop, desktop.style)
    changes = False
    for step in trace.steps:
        for event, line in zip(step.events, step.lines, strict=True):
            try:
                for state in live(desktop, event):
                    changes = True
                    yield state
            except InputError as error:
                raise TraceError(f"{error} (in {trace.name})", line) from error
    if not changes:
        raise InputError(f"nothing ever changes on the screen in {trace.name}; record a longer session")


def _lean(state: State, seen: dict[tuple[type, Item], Item]) -> State:
    """Equal items of many states are kept once."""
    items = tuple(seen.setdefault((type(item), item), item) for item in state.items)
    return replace(state, items=items, widgets=(), hidden={})

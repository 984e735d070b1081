"""Moments: shots from sessions at the real desktop, each with the one event that led to it.

What a painter must answer without a guide is learned from these: the frame before, the event, the context, what is
remembered of the place, and the frame after. Ticks without input are moments too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from engine.desktop.desktop import Desktop
from engine.events import Ask, Event
from engine.style_words import in_words
from engine.styles import Style
from models.datasets.states import lived
from models.memory import Remembering
from models.synthetic.random_styles import random_style
from models.synthetic.renderer import StyledRenderer
from models.synthetic.sessions import User, emptied, random_desktop
from models.synthetic.shots import SIZES, Shot, shot_of

MOMENTS = 10  # shots of one session
DEEDS = 24  # a session that shows nothing new for so long is left
FRESH = 0.6  # share of sessions that begin at the bare desktop, as a user's do


def moments(rng: np.random.Generator) -> list[Shot]:
    """Up to MOMENTS shots of one session in one random style, in order."""
    session = _Session(rng)
    shots: list[Shot] = []
    for _ in range(DEEDS):
        shots += session.live(session.user.deed())
        if len(shots) >= MOMENTS:
            break
    return shots[:MOMENTS]


class _Session:
    """A desktop in use, its frames, and the memory that a painter would have by now."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        size = SIZES[int(rng.integers(len(SIZES)))]
        self.desktop = random_desktop(rng, size)
        if rng.random() < FRESH:
            size = SIZES[0]
            self.desktop = emptied(self.desktop, rng, size)
        self.user = User(rng, self.desktop, styles=False)
        self.style: Style = random_style(rng)
        self.desktop.prefer("style", in_words(self.style))
        self.renderer = StyledRenderer(self.style, size)
        if rng.random() < 0.3:
            self.desktop.handle(Ask(self.desktop.t + 0.5, str(rng.choice(["notes", *self.desktop.documents.names()]))))
        self.frame = self.renderer.render(self.desktop.items)
        bare = Desktop(size, self.desktop.documents, state={"t": self.desktop.t})
        ground = self.renderer.render(bare.items) if rng.random() < 0.8 else self.frame
        self.memory = Remembering(ground)

    def live(self, events: Iterable[Event]) -> Iterator[Shot]:
        """Let the events happen; a shot for each of them, and for each tick, that changed the screen."""
        for state in lived(self.desktop, events, self.style):
            before, self.frame = self.frame, self.renderer.render(state.items)
            if (before == self.frame).all():
                continue
            yield shot_of(
                state.items, self.style, self.frame, before, state.slow, state.recent, state.pointer, *self.memory.recalled(),
                buttons=state.buttons, explained=True,
            )  # fmt: skip
            self.memory.follow(before, self.frame)

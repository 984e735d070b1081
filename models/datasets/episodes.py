"""Episodes: sessions of a plausible user at a random desktop, annotated state by state.

The same seed, number and size give the same episode, whatever was made before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import numpy as np

from engine.desktop.desktop import Desktop
from models.datasets.annotation import Annotation, Annotator
from models.datasets.states import lived, state_of
from models.synthetic.random_styles import random_style
from models.synthetic.sessions import User, random_desktop

EPISODE = 12  # states of one episode
DEEDS = 60  # a session that shows nothing new for so long is left


def episode(seed: int, number: int, size: tuple[int, int], count: int = EPISODE) -> Iterator[Annotation]:
    """`count` states at most of one session in one random style, in order, each of them to be seen in the frame."""
    rng = np.random.default_rng([seed, number])
    desktop = random_desktop(rng, size)
    style = random_style(rng)
    annotator = Annotator(style, size)
    last = annotator.take(state_of(desktop, style))
    yield last
    left = count - 1
    user = User(rng, desktop, styles=False)
    for state in lived(desktop, chain.from_iterable(user.deed() for _ in range(DEEDS)), style):
        if not left:
            return
        annotation = annotator.take(state)
        if (annotation.frame != last.frame).any():
            last, left = annotation, left - 1
            yield last


def ground(annotation: Annotation) -> np.ndarray:
    """The bare desktop below an annotated state, in its style: uint8 (H, W, 3)."""
    state = annotation.state
    bare = Desktop(state.size, state={"t": state.t})
    return Annotator(state.style, state.size).take(state_of(bare, state.style)).frame

"""A change of painters, as it goes, and what a first frame must not be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from engine.painter import PainterSpec, Painting

FLAT = 4  # a frame whose channels each span fewer levels shows nothing


@dataclass(frozen=True, slots=True)
class Swap:
    """The latest change of painters. share: of the checkpoint that was read, 0 to 1; why: what keeps it from painting;
    beside: whether the painter before goes on meanwhile; lent: it is part of giving the card back or taking it again, and nobody's
    choice; since: when this state began, monotonic seconds."""

    spec: PainterSpec
    state: Literal["loading", "trying", "refused", "done"]
    since: float
    share: float = 0.0
    why: str = ""
    beside: bool = True
    lent: bool = False

    @property
    def under_way(self) -> bool:
        return self.state in ("loading", "trying")


def flat(painting: Painting) -> bool:
    """Whether a painting of the whole frame shows one colour."""
    spans = [np.ptp(patch.pixels.reshape(-1, 3), axis=0).max() for patch in painting.patches]
    first = [patch.pixels[0, 0].astype(int) for patch in painting.patches]
    return bool(max(spans, default=0) < FLAT and all(abs(one - first[0]).max() < FLAT for one in first))

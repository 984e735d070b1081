"""Where the training's crops come from: a pool of shots, renewed as crops are taken.

Drawing a shot costs more than an update, so each serves many crops before another takes its place.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from models.synthetic.shots import Crop, Shot, random_shot
from models.training.moments import MOMENTS, moments

ALIGN = 16  # crops start on this grid: the denoiser's coarsest cell
Make = Callable[[np.random.Generator], list[Shot]]


SHARE = 0.5  # of the synthetic source's shots that are moments of sessions


def synthetic(rng: np.random.Generator) -> list[Shot]:
    """Shots of the synthetic source: SHARE of them a session's moments, the others random screens."""
    return moments(rng) if rng.random() < SHARE else [random_shot(rng) for _ in range(MOMENTS)]


class ShotPool:
    """Endless crops.

    make: draws a few shots; pool: how many are kept; renew: how many are replaced a draw, on average.
    """

    def __init__(self, rng: np.random.Generator, make: Make = synthetic, pool: int = 96, renew: float = 1.0) -> None:
        self.rng = rng
        self.make = make
        self.renew = renew
        self.shots: list[Shot] = []
        while len(self.shots) < pool:
            self.shots += make(rng)
        self._owed = 0.0

    def draw(self, count: int, side: int) -> list[Crop]:
        """`count` crops of `side` pixels."""
        self._owed += self.renew
        while self._owed > 0:
            for shot in self.make(self.rng):
                self.shots[int(self.rng.integers(len(self.shots)))] = shot
                self._owed -= 1
        return [crop_of(self.shots[int(self.rng.integers(len(self.shots)))], side, self.rng) for _ in range(count)]


def crop_of(shot: Shot, side: int, rng: np.random.Generator) -> Crop:
    """A crop of `side` pixels: a third anywhere, the others where something is written, shaped or changed.

    Of a moment, most show what changed: that is what is learned from it.
    """
    width, height = shot.size
    x, y = int(rng.integers(width)), int(rng.integers(height))
    kind = rng.random()
    if kind < (0.75 if shot.explained else 0.35):
        shapes = shot.shaped if shot.corners is None or kind > 0.25 else shot.corners
        x, y = _place(shot.changed if shot.explained else shapes, rng) or (x, y)
    for _ in range(3 if kind > 0.65 and not shot.explained else 0):
        if shot.ink[y, x] or (shot.before[y, x] != shot.frame[y, x]).any():
            break
        x, y = int(rng.integers(width)), int(rng.integers(height))
    jitter = rng.integers(0, side, 2)
    x = int(np.clip((x - jitter[0]) // ALIGN * ALIGN, 0, width - side))
    y = int(np.clip((y - jitter[1]) // ALIGN * ALIGN, 0, height - side))
    return Crop(shot, x, y, side)


def _place(where: np.ndarray, rng: np.random.Generator) -> tuple[int, int] | None:
    """A marked pixel in a random row, so that small corners are met as often as wide gradients: x, y."""
    rows = np.flatnonzero(where.any(1))
    if not len(rows):
        return None
    y = int(rows[rng.integers(len(rows))])
    columns = np.flatnonzero(where[y])
    return int(columns[rng.integers(len(columns))]), y

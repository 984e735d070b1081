"""Where the training's crops come from: a window of shots that moves on, and crops of them.

Drawing a shot costs more than an update, so each serves many crops before it leaves. What is in the window at a turn
depends on the seed and the turn alone, not on how one got there: a run that is taken up again meets the very crops it
would have met.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.errors import InputError
from models.synthetic.shots import Crop, Shot, desktop_shots, random_shot
from models.training.moments import MOMENTS, moments

ALIGN = 16  # crops start on this grid, which holds the coarsest cell of every denoiser: 8 pixels of the one that ships, 16 of one with blocks at 1/16
SHARE = 0.5  # of the synthetic source's shots that are moments of sessions
CORNERS, SHADOWS = 0.12, 0.12  # of the crops that are shown a corner, and a place where a shadow may fall
TRIES = 50  # a source that gives nothing so often gives nothing at all


def screens(rng: np.random.Generator) -> list[Shot]:
    """Random screens: what is painted with a guide is learned best from these."""
    return [random_shot(rng) for _ in range(MOMENTS)]


def desktops(rng: np.random.Generator) -> list[Shot]:
    """The real apps' screens, whatever style they are in: what random ones do not happen to show, such as pictures on buttons."""
    return desktop_shots(rng, MOMENTS)


def synthetic(rng: np.random.Generator) -> list[Shot]:
    """SHARE of the shots are a session's moments, the others random screens."""
    return moments(rng) if rng.random() < SHARE else screens(rng)


@dataclass(frozen=True)
class Draw:
    """How what is at hand becomes a batch. crop: a part of one shot; batch: of several crops. Both get what is random."""

    crop: Callable[[Any, np.random.Generator], Any]
    batch: Callable[[list[Any], np.random.Generator], Any]


class ShotPool:
    """The shots at hand at a turn: of a window of draws, each from a generator of its own.

    make: draws about `each` shots; seed: whole numbers from 0; size: about how many shots are kept; renew: how many
    are replaced a turn, on average. A pool may be asked for any turn; turns that follow one another cost least.
    """

    def __init__(
        self, make: Callable[[np.random.Generator], list[Any]], seed: tuple[int, ...], size: int = 96, renew: float = 1.0,
        each: int = MOMENTS,
    ) -> None:  # fmt: skip
        self.make = make
        self.seed = seed
        self.each = each
        self.width = max(round(size / each), 1)  # draws
        self.renew = renew
        self._drawn: dict[int, list[Any]] = {}

    def fill(self, turn: int) -> Iterator[int]:
        """Draw what is missing at `turn`, yielding after each draw how many are still to come."""
        first = int(turn * self.renew / self.each)
        wanted = range(first, first + self.width)
        self._drawn = {draw: shots for draw, shots in self._drawn.items() if draw in wanted}
        missing = [draw for draw in wanted if draw not in self._drawn]
        for left, draw in zip(range(len(missing) - 1, -1, -1), missing, strict=True):
            self._drawn[draw] = self._made(draw)
            yield left

    def draw(self, turn: int, count: int, crop: Callable[[Any, np.random.Generator], Any]) -> list[Any]:
        """`count` crops, those of this turn."""
        list(self.fill(turn))
        shots = [shot for draw in sorted(self._drawn) for shot in self._drawn[draw]]
        rng = self.generator(turn)
        return [crop(shots[int(rng.integers(len(shots)))], rng) for _ in range(count)]

    def generator(self, turn: int, use: int = 0) -> np.random.Generator:
        """What is random about a turn beside the shots; `use` keeps different uses of it apart."""
        return np.random.default_rng([*self.seed, 1, turn, use])

    def _made(self, draw: int) -> list[Any]:
        rng = np.random.default_rng([*self.seed, 0, draw])
        for _ in range(TRIES):
            if shots := self.make(rng):
                return shots
        raise InputError("the source gives no shots to learn from; name another --data")


def crop_of(shot: Shot, side: int, rng: np.random.Generator) -> Crop:
    """A crop of `side` pixels: a third anywhere, the others where something is written, shaped or changed.

    Of a moment, most show what changed: that is what is learned from it.
    """
    width, height = shot.size
    x, y = int(rng.integers(width)), int(rng.integers(height))
    kind = rng.random()
    if kind < (0.75 if shot.explained else 0.35):
        shapes = shot.forms[..., 0] > 0 if kind < CORNERS else shot.shadowed if kind < CORNERS + SHADOWS else shot.shaped
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

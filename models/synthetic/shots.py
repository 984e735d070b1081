"""Shots: one moment of a random desktop in a random style, with everything a painter is trained on.

A pool of recent shots is kept and renewed as crops are taken, so that drawing does not cost more than training.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.context import EVENT_SIZE, RECENT, SLOW_SIZE
from engine.drawing import Item
from engine.guide import Guide
from engine.styles import VECTOR_SIZE, Style, random_style
from engine.theme import NEUTRAL, Role
from models.synthetic.renderer import StyledRenderer
from models.synthetic.screens import Screen
from models.synthetic.sessions import User, play, random_desktop

SIZES = ((512, 384), (512, 384), (512, 384), (320, 256), (640, 448))
REAL = 0.35  # share of shots that show the real apps
ALIGN = 16  # crops start on this grid: the denoiser's coarsest cell
SHAPED = 12  # grey levels off its role's flat colour from which a pixel counts as shaped


@dataclass(frozen=True)
class Shot:
    """frame, before, guide: uint8 (H, W, 3), before may be grey where no frame is known; verbatim, ink: uint8 (H, W);
    shaped: bool (H, W), corners, edges, gradients: whatever is not simply the style's colour of the guide's role;
    slow: float32 (SLOW_SIZE,), recent: float32."""

    size: tuple[int, int]
    frame: np.ndarray
    before: np.ndarray
    guide: np.ndarray
    verbatim: np.ndarray
    ink: np.ndarray
    shaped: np.ndarray
    slow: np.ndarray
    recent: np.ndarray
    pointer: tuple[int, int]


@dataclass(frozen=True)
class Crop:
    """A square part of a shot; x, y its place in the frame."""

    shot: Shot
    x: int
    y: int
    side: int

    def take(self, plane: np.ndarray) -> np.ndarray:
        return plane[self.y : self.y + self.side, self.x : self.x + self.side]


def random_shot(rng: np.random.Generator) -> Shot:
    """A shot of a random screen, or of the real apps a moment into a plausible user's session."""
    size = SIZES[int(rng.integers(len(SIZES)))]
    if rng.random() < REAL:
        desktop = random_desktop(rng, size)
        earlier = list(desktop.items)
        play(desktop, User(rng, desktop).act())
        return _shot(rng, size, earlier, list(desktop.items), desktop.text_size)
    screen = Screen.random(rng, size)
    earlier = screen.items()
    screen.change(rng)
    return _shot(rng, size, earlier, screen.items(), screen.text_size)


def _shot(rng: np.random.Generator, size: tuple[int, int], earlier: list[Item], items: list[Item], text_size: int) -> Shot:
    """In a random style. The frame before is the screen a moment ago, the same in another style, or unknown."""
    style = random_style(rng)
    renderer = StyledRenderer(style, size)
    kind = rng.random()
    if kind < 0.55:
        before = renderer.render(earlier)
    elif kind < 0.75:
        before = StyledRenderer(random_style(rng), size).render(items)
    else:
        before = np.full((size[1], size[0], 3), 128, np.uint8)
    guide = Guide(size)
    guide.update(items)
    frame = renderer.render(items)
    shaped = _shaped(frame, guide, style)
    return Shot(
        size, frame, before, guide.pixels, guide.verbatim, guide.ink, shaped,
        slow_features(rng, style, text_size), random_events(rng), (int(rng.integers(size[0])), int(rng.integers(size[1]))),
    )  # fmt: skip


_RADIX = np.array([65536, 256, 1], np.int32)
_CODES = NEUTRAL.astype(np.int32) @ _RADIX


def _shaped(frame: np.ndarray, guide: Guide, style: Style) -> np.ndarray:
    """See Shot. Wallpaper, glyphs' edges and what is shown verbatim do not count."""
    order = np.argsort(_CODES)
    codes = guide.pixels @ _RADIX
    role = order[np.searchsorted(_CODES[order], codes).clip(max=len(order) - 1)]
    known = (_CODES[role] == codes) & (role != Role.WALLPAPER) & (guide.verbatim == 0)
    return known & (np.abs(frame - style.palette().astype(np.int16)[role]).max(-1) > SHAPED)


def slow_features(rng: np.random.Generator, style: Style, text_size: int) -> np.ndarray:
    """Context features of a style for a random user: float32 (SLOW_SIZE,)."""
    slow = np.zeros(SLOW_SIZE, np.float32)
    slow[:VECTOR_SIZE] = style.vector()
    slow[VECTOR_SIZE] = text_size / 16 - 1
    slow[VECTOR_SIZE + 1 : -2] = rng.random(SLOW_SIZE - VECTOR_SIZE - 3) < 0.2
    turn = rng.integers(24) / 24 * 2 * np.pi
    slow[-2:] = np.sin(turn), np.cos(turn)
    return slow


def random_events(rng: np.random.Generator) -> np.ndarray:
    recent = np.zeros((RECENT, EVENT_SIZE), np.float32)
    for row in recent[: rng.integers(RECENT + 1)]:
        row[rng.integers(8)] = 1
        row[8:10] = rng.random(2)
        row[10:] = rng.random(10) < 0.5
    return recent.ravel()


class ShotPool:
    """Endless crops from a pool of shots, a few of which are replaced at every draw.

    make: draws one shot; pool: how many are kept; renew: how many are replaced a draw.
    """

    def __init__(
        self, rng: np.random.Generator, make: Callable[[np.random.Generator], Shot] = random_shot, pool: int = 64,
        renew: int = 1,
    ) -> None:  # fmt: skip
        self.rng = rng
        self.make = make
        self.renew = renew
        self.shots = [make(rng) for _ in range(pool)]

    def draw(self, count: int, side: int) -> list[Crop]:
        """`count` crops of `side` pixels: a third anywhere, the others where something is written, shaped or changed."""
        for _ in range(self.renew):
            self.shots[int(self.rng.integers(len(self.shots)))] = self.make(self.rng)
        return [self._crop(self.shots[int(self.rng.integers(len(self.shots)))], side) for _ in range(count)]

    def _crop(self, shot: Shot, side: int) -> Crop:
        rng = self.rng
        width, height = shot.size
        x, y = int(rng.integers(width)), int(rng.integers(height))
        kind = rng.random()
        if kind < 0.35:
            x, y = self._shaped_place(shot) or (x, y)
        for _ in range(3 if 0.35 <= kind < 0.7 else 0):
            if shot.ink[y, x] or (shot.before[y, x] != shot.frame[y, x]).any():
                break
            x, y = int(rng.integers(width)), int(rng.integers(height))
        jitter = rng.integers(0, side, 2)
        x = int(np.clip((x - jitter[0]) // ALIGN * ALIGN, 0, width - side))
        y = int(np.clip((y - jitter[1]) // ALIGN * ALIGN, 0, height - side))
        return Crop(shot, x, y, side)

    def _shaped_place(self, shot: Shot) -> tuple[int, int] | None:
        """A shaped pixel in a random row, so that small corners are met as often as wide gradients."""
        rows = np.flatnonzero(shot.shaped.any(1))
        if not len(rows):
            return None
        y = int(rows[self.rng.integers(len(rows))])
        columns = np.flatnonzero(shot.shaped[y])
        return int(columns[self.rng.integers(len(columns))]), y

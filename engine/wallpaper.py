"""Wallpapers: how far each pixel lies between a style's two wallpaper colours.

Every pattern stays on the line between the two colours, so an ink that is readable on both is readable on all of it.
A pattern is a function of the seed and of the place on the screen alone: what a window uncovers is what was there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from PIL import Image

SEEDS = 4096  # how many wallpapers of a kind there are
TURN = 2 * np.pi


@lru_cache(maxsize=4)  # as large as the screen each
def mixture(kind: str, size: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Share of the second colour, float32 (H, W) in [0, 1]. `size` is (width, height), seed in [0, SEEDS). Read only.

    Raises KeyError for a kind that is not one of KINDS.
    """
    pattern = _PATTERNS[kind]
    width, height = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    rng = np.random.default_rng([seed, *kind.encode()])
    share = np.clip(pattern(x, y, rng), 0, 1).astype(np.float32)
    share.flags.writeable = False
    return share


def clouds(rng: np.random.Generator, shape: tuple[int, ...], cells: int, octaves: int) -> np.ndarray:
    """Fractal noise, float32 of `shape` (height, width), of about [-1, 1]: lattices of random values, smoothly enlarged, each
    twice as fine as the last and half as strong (value noise)."""
    height, width = shape
    field = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        columns = cells * 2**octave
        rows = max(round(columns * height / width), 2)
        lattice = Image.fromarray(rng.uniform(-1, 1, (rows + 3, columns + 3)).astype(np.float32))
        field += np.asarray(lattice.resize((width, height), Image.Resampling.BICUBIC)) / np.float32(2**octave)
    return field * np.float32(0.75)


def _step(distance: np.ndarray) -> np.ndarray:
    """An edge one and a half pixels soft: 0 before it, 1 behind it."""
    return np.clip(distance / 1.5 + 0.5, 0, 1)


def _ridge(u: np.ndarray, level: float, rise: float, rng: np.random.Generator) -> np.ndarray:
    """The height of a row of hills, in shares of the screen from above."""
    parts = zip((0.9, 2.3, 4.7), (1.0, 0.4, 0.15), rng.random(3), rng.uniform(0.85, 1.15, 3), strict=True)
    return np.asarray(level + rise * sum(a * np.sin(TURN * (n * s * u + phase)) for n, a, phase, s in parts))


def _flat(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.zeros_like(x)


def _gradient(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = x.shape
    return y / height * 0.85 + x / width * 0.15


def _hills(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = x.shape
    u, v = x / width, y / height
    share = 0.3 * v
    for i, land in enumerate((0.45, 0.7, 1.0)):
        ridge = _ridge(u, 0.5 + 0.16 * i + float(rng.uniform(-0.04, 0.04)), 0.06 - 0.01 * i, rng)
        share = share + (land - share) * _step((v - ridge) * height)
    return share


def _stripes(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return 0.5 + 2.5 * np.sin(TURN * (x + y) / 48)


def _dots(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return 4.2 - np.hypot((x % 24) - 11.5, (y % 24) - 11.5)


def _waves(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = x.shape
    u, v = x / width, y / height
    crest = 0.22 * np.sin(TURN * (float(rng.uniform(1.2, 1.8)) * u + float(rng.random())))
    return 0.5 + 0.5 * np.sin(TURN * (4 * v + crest + 0.08 * np.sin(TURN * (3.1 * u + 2 * v + float(rng.random())))))


def _sky(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    v = y / x.shape[0]
    banks = clouds(rng, x.shape, 2, 6)
    cloud = np.clip((banks - 0.12) * 2.2, 0, 1) * (1 - 0.35 * v)
    haze = 0.4 * v**2
    return haze + (1 - haze) * cloud


def _stars(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = x.shape
    nebula = np.clip(clouds(rng, x.shape, 2, 5), 0, 1) * 0.4
    bright = np.zeros_like(x)
    for _ in range(height * width // 700):
        cx, cy, size = int(rng.integers(width)), int(rng.integers(height)), float(0.5 + 1.1 * rng.random() ** 4)
        near = (slice(max(cy - 2, 0), cy + 3), slice(max(cx - 2, 0), cx + 3))
        away = np.hypot(x[near] - cx, y[near] - cy)
        bright[near] = np.maximum(bright[near], np.clip(size + 0.5 - away, 0, 1) * rng.uniform(0.4, 1.0))
    return nebula + (1 - nebula) * bright


def _city(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = x.shape
    share = 0.25 * (y / height) ** 2
    for level, tall, broad, lit in ((0.6, 0.5, (26, 60), 0.0), (1.0, 0.36, (34, 76), 0.4)):
        left = -int(rng.integers(20))
        while left < width:
            right = left + int(rng.integers(*broad))
            top = height * (1 - tall * float(rng.uniform(0.35, 1.0)))
            down, across = y[:, :1] - top, x[:1, max(left, 0) : right] - left
            house = _step(across) * _step(right - left - 3 - across) * _step(down)
            lights = rng.random((height // 10 + 1, (right - left) // 8 + 1)) < lit
            window = (down % 10 >= 4) & (down % 10 < 8) & (across % 8 >= 3) & (across % 8 < 6) & (down > 2)
            shining = window & lights[(np.maximum(down, 0) // 10).astype(int), (across // 8).astype(int)]
            into = share[:, max(left, 0) : right]
            into += (level - 0.75 * level * shining - into) * house
            left = right
    return share


def _abstract(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    angle = float(rng.random()) * TURN / 2
    along = (x * np.cos(angle) + y * np.sin(angle)) / x.shape[1]
    folds = np.sin(TURN * (1.6 * along + 0.55 * clouds(rng, x.shape, 2, 2)))
    return 0.5 + 0.5 * folds * np.abs(folds) ** 0.4


_PATTERNS: dict[str, Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]] = {
    "flat": _flat, "gradient": _gradient, "hills": _hills, "stripes": _stripes, "dots": _dots, "waves": _waves,
    "sky": _sky, "stars": _stars, "city": _city, "abstract": _abstract,
}  # fmt: skip
KINDS = tuple(_PATTERNS)

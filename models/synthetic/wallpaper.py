"""Wallpapers: how far each pixel lies between a style's two wallpaper colours.

Every pattern stays on the line between the two colours, so an ink that is readable on both is readable on all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from engine.geometry import Rect

TURN = 2 * np.pi


@lru_cache(maxsize=32)
def mixture(kind: str, size: tuple[int, int]) -> np.ndarray:
    """Share of the second colour, float32 (H, W) in [0, 1]. `size` is (width, height). Read only."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    u, v = x / width, y / height
    share = _PATTERNS[kind](x, y, u, v).astype(np.float32)
    share.flags.writeable = False
    return share


def paint(
    patterns: Mapping[str, float], size: tuple[int, int], rect: Rect, first: np.ndarray, second: np.ndarray
) -> np.ndarray:
    """The wallpaper inside `rect`: float32 (h, w, 3) of colours in [0, 255]. patterns: kinds and their shares."""
    parts = [mixture(kind, size)[rect.slices] * np.float32(weight) for kind, weight in patterns.items()]
    share = sum(parts[1:], parts[0])[..., None]
    return first + (second - first) * share


def _flat(x: np.ndarray, y: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.zeros_like(x)


def _gradient(x: np.ndarray, y: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.clip(v * 0.85 + u * 0.15, 0, 1)


def _hills(x: np.ndarray, y: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    height = y[-1, 0] + 1
    sky = 0.35 * v
    far = 0.58 + 0.07 * np.sin(TURN * 1.2 * u + 1.0) + 0.025 * np.sin(TURN * 3.1 * u)
    near = 0.76 + 0.06 * np.sin(TURN * 0.9 * u + 3.4) + 0.02 * np.sin(TURN * 2.7 * u + 1.0)
    over_far = np.clip((v - far) * height / 1.5 + 0.5, 0, 1)
    over_near = np.clip((v - near) * height / 1.5 + 0.5, 0, 1)
    land = sky + (0.62 - sky) * over_far
    return land + (1.0 - land) * over_near


def _stripes(x: np.ndarray, y: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.clip(0.5 + 2.5 * np.sin(TURN * (x + y) / 48), 0, 1)


def _dots(x: np.ndarray, y: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    away = np.hypot((x % 24) - 11.5, (y % 24) - 11.5)
    return np.clip(4.2 - away, 0, 1)


def _waves(x: np.ndarray, y: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return 0.5 + 0.5 * np.sin(TURN * (4 * v + 0.22 * np.sin(TURN * 1.5 * u)))


_PATTERNS = {
    "flat": _flat, "gradient": _gradient, "hills": _hills, "stripes": _stripes, "dots": _dots, "waves": _waves,
}  # fmt: skip

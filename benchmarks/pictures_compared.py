"""How far apart two pictures are: SSIM, mean distance inside a mask. Pictures are uint8 (H, W, 3)."""

from __future__ import annotations

import numpy as np

from engine.geometry import GRID, Rect

_SIGMA, _RADIUS = 1.5, 5  # the window of Wang et al. 2004: 11 x 11, Gaussian
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Mean structural similarity of the luminance, 1 where equal. Wang, Bovik, Sheikh, Simoncelli: Image quality
    assessment: from error visibility to structural similarity, IEEE Transactions on Image Processing 13 (4), 2004."""
    x, y = a.astype(np.float32) @ _LUMA, b.astype(np.float32) @ _LUMA
    mean_x, mean_y = _blurred(x), _blurred(y)
    var_x, var_y = _blurred(x * x) - mean_x**2, _blurred(y * y) - mean_y**2
    both = _blurred(x * y) - mean_x * mean_y
    top = (2 * mean_x * mean_y + _C1) * (2 * both + _C2)
    return float(np.mean(top / ((mean_x**2 + mean_y**2 + _C1) * (var_x + var_y + _C2))))


def _blurred(plane: np.ndarray) -> np.ndarray:
    """Float32 (H, W) under the window, only where all of it lies inside."""
    offsets = np.arange(-_RADIUS, _RADIUS + 1, dtype=np.float32)
    weights = np.exp(-(offsets**2) / (2 * _SIGMA**2))
    weights /= weights.sum()
    h, w = plane.shape
    rows = sum(weight * plane[i : h - 2 * _RADIUS + i] for i, weight in enumerate(weights))
    return np.asarray(sum(weight * rows[:, i : w - 2 * _RADIUS + i] for i, weight in enumerate(weights)))


def damaged(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The cells of the damage grid in which two pictures differ: bool (H, W)."""
    h, w = before.shape[:2]
    cells = (before != after).any(-1).reshape(h // GRID, GRID, w // GRID, GRID).any((1, 3))
    return np.asarray(cells.repeat(GRID, 0).repeat(GRID, 1))


def grown(cells: np.ndarray, pixels: int) -> np.ndarray:
    """Bool (H, W), wider by so many pixels on every side."""
    wide = np.pad(cells, pixels)
    h, w = cells.shape
    rows = np.any([wide[i : i + h] for i in range(2 * pixels + 1)], 0)
    return np.asarray(np.any([rows[:, i : i + w] for i in range(2 * pixels + 1)], 0))


def distance(a: np.ndarray, b: np.ndarray, where: np.ndarray) -> float:
    """Mean absolute distance in grey levels inside `where`, bool (H, W)."""
    return float(np.abs(a[where].astype(np.int16) - b[where]).mean())


def around(where: np.ndarray, margin: int = 24, least: int = 96) -> Rect:
    """The rect around what is set in `where`, bool (H, W), with a margin and no side under `least` pixels."""
    rows, columns = np.flatnonzero(where.any(1)), np.flatnonzero(where.any(0))
    box = Rect(int(columns[0]), int(rows[0]), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1).grow(margin)
    wide, high = max(least - box.w, 0), max(least - box.h, 0)
    box = box.inset(-(wide // 2), -(high // 2), -(wide // 2), -(high // 2))
    return box.meet(Rect(0, 0, where.shape[1], where.shape[0]))

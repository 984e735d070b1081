"""How alike two pictures are."""

from __future__ import annotations

import numpy as np

EQUAL = 99.0  # dB, what two equal pictures are given


def psnr(a: np.ndarray, b: np.ndarray, where: np.ndarray | None = None) -> float:
    """Peak signal-to-noise ratio in dB of pictures, uint8 (..., 3); only of the pixels in `where`, bool (...)."""
    if where is not None:
        a, b = a[where], b[where]
    error = float(np.mean((a.astype(np.float32) - b.astype(np.float32)) ** 2))
    return EQUAL if error == 0 else float(10 * np.log10(255**2 / error))

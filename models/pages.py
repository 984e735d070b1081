"""Pictures in memory of their own, for those that are kept."""

from __future__ import annotations

import mmap
import sys
from typing import Any

import numpy as np

# What the system gives anew, and no part of the heap. Private pages that lie side by side count as one; the system allows 65,530.
PRIVATE: dict[str, Any] = {} if sys.platform == "win32" else {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS}


def in_pages(pixels: np.ndarray) -> np.ndarray:
    """A copy in pages of its own, to be read only; what is one already is given back as it is.

    What is kept for long among what every paint takes and frees would split the heap: the holes that it leaves are too small
    for the next paint, and the heap grows. And one of several pictures that were painted at once would keep all of them.
    """
    if isinstance(pixels.base, mmap.mmap):
        return pixels
    kept: np.ndarray = np.ndarray(pixels.shape, pixels.dtype, mmap.mmap(-1, pixels.nbytes, **PRIVATE))
    kept[...] = pixels
    kept.flags.writeable = False
    return kept

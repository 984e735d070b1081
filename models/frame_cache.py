"""What was painted, by the name of everything it came from: hover and caret states are lookups."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

LARGEST = 64 * 2**20  # bytes


class FrameCache:
    """The patches used last, up to `largest` bytes. A key of None is never known."""

    def __init__(self, largest: int = LARGEST) -> None:
        self._largest = largest
        self._kept: OrderedDict[bytes, np.ndarray] = OrderedDict()
        self._bytes = 0

    def get(self, key: bytes | None) -> np.ndarray | None:
        if key is None or key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key]

    def put(self, key: bytes | None, pixels: np.ndarray) -> None:
        if key is None:
            return
        self._kept[key] = pixels
        self._bytes += pixels.nbytes
        while self._bytes > self._largest:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes

    def clear(self) -> None:
        self._kept.clear()
        self._bytes = 0

"""What was painted, by the name of everything it came from: hover and caret, a window switched to or closed, and undo are lookups."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from models.last_used import LastUsed, Value
from models.pages import in_pages
from models.shown import PatchName

LARGE_AREA = 128 * 128  # pixels: from here on a patch is a window that opens or closes, or a step of one that is dragged


class FrameCache(LastUsed[Value]):
    """The patches used last, up to `largest_mb` megabytes; `put` is told how many bytes each takes."""

    def __init__(self, largest_mb: float) -> None:
        super().__init__(largest_mb * 2**20)
        self._lookups = (0, 0)

    def get(self, key: Hashable | None) -> Value | None:
        if key is None:
            return None
        asked, found = self._lookups
        self._lookups = asked + 1, found + (key in self._kept)
        return super().get(key)

    def lookups(self) -> tuple[int, int]:
        """How many keys were looked up since this was asked last, and how many of them were known."""
        told, self._lookups = self._lookups, (0, 0)
        return told


class PatchCache:
    """Painted patches, uint8 (h, w, 3), up to `largest_mb` megabytes: half of them for small ones, half for large ones, for a window that
    is dragged leaves a large one at every step, which must not push all letters out."""

    def __init__(self, largest_mb: float) -> None:
        self._halves: tuple[FrameCache[np.ndarray], ...] = (FrameCache(largest_mb / 2), FrameCache(largest_mb / 2))

    def get(self, name: PatchName | None) -> np.ndarray | None:
        return None if name is None else self._of(name).get(name)

    def peek(self, name: PatchName | None) -> np.ndarray | None:
        return None if name is None else self._of(name).peek(name)

    def put(self, name: PatchName | None, pixels: np.ndarray) -> None:
        if name is not None:
            self._of(name).put(name, in_pages(pixels), pixels.nbytes)

    def lookups(self) -> tuple[int, int]:
        (asked, found), (more, others) = (half.lookups() for half in self._halves)
        return asked + more, found + others

    def clear(self) -> None:
        for half in self._halves:
            half.clear()

    def _of(self, name: PatchName) -> FrameCache[np.ndarray]:
        return self._halves[name[0].area > LARGE_AREA]

"""What was painted, by the name of everything it came from: hover and caret, a window switched to or closed, and undo are lookups."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

import numpy as np

from models.shown import PatchName

Value = TypeVar("Value")
LARGE_AREA = 128 * 128  # pixels: from here on a patch is a window that opens or closes, or a step of one that is dragged


class FrameCache(Generic[Value]):
    """The patches used last, up to `largest_mb` megabytes. A key of None is never known."""

    def __init__(self, largest_mb: float) -> None:
        self._largest = largest_mb * 2**20
        self._kept: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._bytes = 0
        self._lookups = (0, 0)

    def get(self, key: Hashable | None) -> Value | None:
        if key is None:
            return None
        asked, found = self._lookups
        self._lookups = asked + 1, found + (key in self._kept)
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key][0]

    def peek(self, key: Hashable | None) -> Value | None:
        """The same, without a trace: neither counted nor kept any longer for it."""
        return None if key is None or key not in self._kept else self._kept[key][0]

    def lookups(self) -> tuple[int, int]:
        """How many keys were looked up since this was asked last, and how many of them were known."""
        told, self._lookups = self._lookups, (0, 0)
        return told

    def put(self, key: Hashable | None, value: Value, nbytes: int) -> None:
        """nbytes: what the value takes."""
        if key is None:
            return
        _, before = self._kept.pop(key, (None, 0))
        self._kept[key] = value, nbytes
        self._bytes += nbytes - before
        while self._bytes > self._largest:
            self._bytes -= self._kept.popitem(last=False)[1][1]

    def take(self, key: Hashable) -> Value | None:
        """What the key names, which is then no longer kept."""
        value, size = self._kept.pop(key, (None, 0))
        self._bytes -= size
        return value

    def clear(self) -> None:
        self._kept.clear()
        self._bytes = 0


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
            self._of(name).put(name, pixels, pixels.nbytes)

    def lookups(self) -> tuple[int, int]:
        (asked, found), (more, others) = (half.lookups() for half in self._halves)
        return asked + more, found + others

    def clear(self) -> None:
        for half in self._halves:
            half.clear()

    def _of(self, name: PatchName) -> FrameCache[np.ndarray]:
        return self._halves[name[0].area > LARGE_AREA]

"""What was painted, by the name of everything it came from: hover and caret states are lookups."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from engine.geometry import Rect
from engine.painter import PaintRequest, Pixels

Value = TypeVar("Value")


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


def name_of_patch(area: Rect, request: PaintRequest, scale: int = 1) -> Hashable:
    """What a request with a guide shows in an area, in which look, and how coarsely it is painted."""
    return area, scale, request.context.slow.tobytes(), *(contents(plane, area) for plane in (request.guide, request.verbatim, request.forms))


def contents(plane: Pixels | None, area: Rect) -> int:
    """A number for what is there. Python's own keyed hash: 64 bits, for this process alone, in a fifth of the time of a digest."""
    return 0 if plane is None else hash(plane[area.slices].tobytes())

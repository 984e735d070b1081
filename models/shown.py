"""What a frame shows, by which what was painted is named: the same shown again is a lookup. Knows no torch."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from engine.geometry import Rect
from engine.painter import Pixels

PatchName = tuple[Rect, Hashable]  # where it is, and all else that it came from


@dataclass(frozen=True)
class Shown:
    """asked: all that says how it is painted; planes: a guide's, uint8 (H, W, ...), which say what is there."""

    asked: Hashable
    planes: tuple[Pixels, ...]

    def name(self, area: Rect) -> PatchName:
        """Of a patch: what is on the screen there and how it is asked for; not what was painted around it."""
        return area, (self.asked, *(contents(plane, area) for plane in self.planes))

    @cached_property
    def coarse(self) -> Hashable:
        """Of the whole frame, where `same` decides: sums of its rows and columns, for a digest of all its bytes takes as long as a GPU's
        whole paint."""
        return self.asked, *(words.sum(axis).tobytes() for words in self._words for axis in (0, 1))

    def same(self, other: Shown) -> bool:
        mine, others = self._words, other._words
        return self.asked == other.asked and len(mine) == len(others) and all(map(np.array_equal, mine, others))

    @property
    def _words(self) -> list[np.ndarray]:
        """The planes, eight bytes as one number: (H, n)."""
        return [np.ascontiguousarray(plane).reshape(len(plane), -1).view(np.uint64) for plane in self.planes]

    @property
    def nbytes(self) -> int:
        return sum(plane.nbytes for plane in self.planes)

    def kept(self) -> Shown:
        """A copy: who draws a guide draws over it."""
        return replace(self, planes=tuple(plane.copy() for plane in self.planes))

    def followed(self, now: Shown, damage: Iterable[Rect]) -> Shown:
        """What shows `now` in the damage and this elsewhere. A copy's planes are drawn over, and the copy is no longer to be used."""
        if len(self.planes) != len(now.planes):
            return now.kept()
        for rect in damage:
            for plane, new in zip(self.planes, now.planes, strict=True):
                plane[rect.slices] = new[rect.slices]
        return replace(self, asked=now.asked)


def contents(plane: Pixels, area: Rect) -> int:
    """A number for what is there. Python's own keyed hash: 64 bits, for this process alone, in a fifth of the time of a digest."""
    return hash(plane[area.slices].tobytes())

"""What a prompted painter has painted, by the name of everything it came from: crops, and whole frames that a large change left.

A caret that blinks brings back a crop; a window that closes brings back the frame as it was before it opened, whichever crops
that was painted in.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from engine.geometry import Rect
from engine.painter import CACHE, PainterSpec, PaintRequest, Pixels
from models.crops import PaintCrop
from models.frame_cache import FrameCache, contents
from models.held_frame import Kept

CACHED_AREA = 384 * 384  # pixels: larger crops rarely come back, only whole frames
LARGE = 0.25  # share of the frame: a change like that is a window that opens or closes


@dataclass(frozen=True)
class Shown:
    """What a frame shows. asked: all that says how; guide, verbatim: uint8 (H, W, 3) and (H, W), what."""

    asked: str
    guide: Pixels
    verbatim: Pixels | None

    def name(self, crop: PaintCrop) -> Hashable:
        """Of a patch: what is on the screen there and how it is asked for; not what was painted around it, which blended margins
        never leave quite the same."""
        return crop, self.asked, contents(self.guide, crop.area), contents(self.verbatim, crop.area)

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
        planes = (self.guide,) if self.verbatim is None else (self.guide, self.verbatim)
        return [np.ascontiguousarray(plane).reshape(len(plane), -1).view(np.uint64) for plane in planes]

    @property
    def nbytes(self) -> int:
        return self.guide.nbytes + (0 if self.verbatim is None else self.verbatim.nbytes)

    def kept(self) -> Shown:
        """A copy: who draws a guide draws over it."""
        return replace(self, guide=self.guide.copy(), verbatim=None if self.verbatim is None else self.verbatim.copy())

    def followed(self, now: Shown, damage: Iterable[Rect]) -> Shown:
        """What shows `now` in the damage and this elsewhere. A copy's planes are drawn over, and the copy is no longer to be used."""
        if self.verbatim is None or now.verbatim is None:
            return now.kept()
        for rect in damage:
            self.guide[rect.slices], self.verbatim[rect.slices] = now.guide[rect.slices], now.verbatim[rect.slices]
        return replace(self, asked=now.asked)


class Recall:
    """Paint by paint: `begin`, then `crop` for each crop and `keep` for each that is not there any more, then `end`."""

    def __init__(self, spec: PainterSpec) -> None:
        self._whole = Rect(0, 0, *spec.size)
        self._off = CACHE in spec.without
        self._cache: FrameCache[tuple[Shown | None, Kept]] = FrameCache(spec.cache_mb)  # Shown: of whole frames
        self._names: dict[PaintCrop, Hashable | None] = {}  # of the crops that this paint asked for
        self._held: Shown | None = None  # by the frame that is held, where all of it shows that
        self._now: Shown | None = None
        self._all = False  # whether the frame will show all that is asked for when this paint is done
        self._left: Shown | None = None  # what it showed before, where nobody else has that
        self._damage: tuple[Rect, ...] = ()

    def begin(self, request: PaintRequest, asked: str, damage: Sequence[Rect], held: Callable[[], Kept]) -> Kept | None:
        """The whole frame where it comes back by a large change, None where the damage is to be painted. held: the whole frame
        as it is, which is kept where such a change leaves it."""
        left = self._left = self._held
        self._held, self._damage = None, request.damage  # half painted it shows nothing
        self._names.clear()
        self._now = None if self._off or request.guide is None else Shown(asked, request.guide, request.verbatim)
        self._all = left is not None or self._whole in request.damage
        if self._now is None or sum(rect.area for rect in damage) < LARGE * self._whole.area:
            return None
        if left is not None:
            kept, self._left = held(), None
            self._cache.put(left.coarse, (left, kept), kept.nbytes + left.nbytes)
        shown, found = self._cache.get(self._now.coarse) or (None, None)
        return found if shown is not None and shown.same(self._now) else None

    def crop(self, crop: PaintCrop) -> Kept | None:
        """What was painted there for the same."""
        name = self._names[crop] = self._key(crop)
        _, found = self._cache.get(name) or (None, None)
        return found

    def keep(self, crop: PaintCrop, painted: Kept) -> None:
        """Of a crop that this paint asked for."""
        self._cache.put(self._names[crop], (None, painted), painted.nbytes)

    def end(self) -> None:
        """All of the damage is there."""
        left, self._left = self._left, None
        if self._now is not None and self._all:
            self._held = self._now.kept() if left is None else left.followed(self._now, self._damage)

    def lost(self) -> None:
        """The frame is another one now, nobody knows of what."""
        self._held = self._left = None

    def lookups(self) -> tuple[int, int]:
        return self._cache.lookups()

    def clear(self) -> None:
        self._cache.clear()
        self._held = self._now = self._left = None

    def _key(self, crop: PaintCrop) -> Hashable | None:
        """None where it is not kept."""
        return None if self._now is None or crop.area.area > CACHED_AREA else self._now.name(crop)

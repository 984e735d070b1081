"""What a prompted painter has painted, by the name of everything it came from: crops, and whole frames that a large change left.

A caret that blinks brings back a crop; a window that closes brings back the frame as it was before it opened, whichever crops
that was painted in.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from engine.geometry import Rect
from engine.painter import CACHE, PainterSpec, PaintRequest
from models.crops import PaintCrop
from models.frame_cache import FrameCache
from models.held_frame import Kept
from models.shown import Shown

CACHED_AREA = 384 * 384  # pixels: larger crops rarely come back, only whole frames
LARGE = 0.25  # share of the frame: a change like that is a window that opens or closes


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
        planes = tuple(plane for plane in (request.guide, request.verbatim) if plane is not None)
        self._now = None if self._off or request.guide is None else Shown(asked, planes)
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
        return None if self._now is None or crop.area.area > CACHED_AREA else (crop, self._now.name(crop.area))

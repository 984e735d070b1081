"""What the latent painter has painted, and what it painted ahead, by the names of what is shown there.

A patch that was painted is kept under its own name, and what stood there before under the name of that: going back, as a pointer that
leaves, a window that closes, a letter taken away, is a lookup, by whichever changes it had come about, and shows the very same pixels.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.geometry import Rect
from engine.painter import CACHE, PainterSpec, PaintRequest
from models.ahead import Ahead
from models.frame_cache import LARGE_AREA, PatchCache
from models.shown import PatchName, Shown


class Lookups:
    """guesses: whether anything is painted ahead; large: whether large patches are named, too: to name one takes a GPU as long as to
    paint it. `begin`, then `find` for each patch, `leave` once all are there, `keep` for each before any is in the frame, and `end`."""

    def __init__(self, spec: PainterSpec, guesses: bool, large: bool) -> None:
        self._bounds = Rect(0, 0, *spec.size)
        self._off = CACHE in spec.without
        self._guesses, self._large = guesses, large
        self._cache, self.ahead = PatchCache(spec.cache_mb), Ahead(spec.cache_mb / 8)
        self._held: Shown | None = None  # by the frame, where all of it shows that
        self._left: Shown | None = None  # what it showed before what is being painted

    def shown(self, request: PaintRequest, scale: int) -> Shown | None:
        """What names the patches of a request, painted at 1 / scale; None where nothing is kept."""
        if request.guide is None or self._off:
            return None
        planes = (request.guide, request.verbatim, request.forms)
        return Shown((scale, request.context.slow.tobytes()), tuple(plane for plane in planes if plane is not None))

    def name(self, shown: Shown | None, area: Rect) -> PatchName | None:
        """None where it is not kept."""
        return None if shown is None or (area.area > LARGE_AREA and not self._large) else shown.name(area)

    def begin(self) -> None:
        self.ahead.needed = 0

    def find(self, name: PatchName | None) -> np.ndarray | None:
        """What was painted of that name, or painted ahead, uint8 (h, w, 3)."""
        known = self._cache.get(name)
        if known is None and self._guesses:
            known = self.ahead.take(name)
            if known is not None:
                self._cache.put(name, known)  # now, for this paint may be given up
        return known

    def peek(self, name: PatchName | None) -> np.ndarray | None:
        """The same, without a trace."""
        known = self._cache.peek(name)
        return self.ahead.look(name) if known is None else known

    def leave(self) -> None:
        """What the frame showed is about to be painted over."""
        self._left, self._held = self._held, None  # half painted it shows nothing

    def keep(self, name: PatchName | None, pixels: np.ndarray, before: Callable[[], np.ndarray]) -> None:
        """What was painted or found of a patch. before: what the frame still shows there."""
        self._cache.put(name, pixels)
        if name is not None and self._left is not None:
            stood = self._left.name(name[0])
            if self._cache.peek(stood) is None:
                self._cache.put(stood, before())

    def end(self, shown: Shown | None, damage: tuple[Rect, ...]) -> None:
        """All of the damage is there. shown: what the request showed."""
        left, self._left = self._left, None
        if shown is None or not self._large:
            return
        if self._bounds in damage:
            self._held = shown.kept()
        elif left is not None and left.asked == shown.asked:
            self._held = left.followed(shown, damage)

    def lost(self) -> None:
        """The frame is another one now, nobody knows of what."""
        self._held = self._left = None

    def counted(self) -> tuple[int, int]:
        """How many patches were looked up since this was asked last, and how many of them were known."""
        return self._cache.lookups()

    def clear(self) -> None:
        self._cache.clear()
        self.ahead.clear()
        self.lost()

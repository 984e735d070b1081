"""What a pointer lights goes out when it leaves: what a dream showed there before stands there again, to the bit."""

from __future__ import annotations

from functools import reduce
from typing import NamedTuple

from torch import Tensor

from engine.geometry import Rect
from engine.guide import rects_of
from models.bytewise import chosen, differ


class _Lit(NamedTuple):
    """before, after: what was shown without it and with it, uint8 (PLANES, H, W); around: what it lies in, frame pixels."""

    before: Tensor
    after: Tensor
    around: Rect


class Hover:
    """What moves of a pointer whose buttons are up have changed since it came to where it is."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Nothing is lit."""
        self._lit: _Lit | None = None

    def lit(self, before: Tensor, after: Tensor) -> None:
        """A move made `after` of what was shown, uint8 (PLANES, H, W) each."""
        if before is after:
            return
        if self._lit:  # it moved on what is lit already
            before = chosen(before == self._lit.after, self._lit.before, before)
        rects = rects_of(differ(before, after).numpy(), Rect(0, 0, after.shape[2], after.shape[1]))
        self._lit = _Lit(before, after, reduce(Rect.join, rects, Rect(0, 0, 0, 0)))

    def left(self, planes: Tensor, x: int, y: int) -> Tensor:
        """What is shown, `planes`, once the pointer has come to a point: the same tensor where nothing was lit, or that still is."""
        if self._lit is None or self._lit.around.holds(x, y):
            return planes
        out = chosen(~differ(planes, self._lit.after), self._lit.before, planes)
        self.clear()
        return out

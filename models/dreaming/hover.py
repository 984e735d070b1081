"""What a pointer lights goes out when it leaves: what a dream showed there before stands there again, to the bit."""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor

from engine.geometry import Rect
from engine.guide import rects_of


class Hover:
    """What moves of a pointer whose buttons are up have changed since it came to where it is."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Nothing is lit."""
        self._before: Tensor | None = None  # uint8 (PLANES, H, W)
        self._after: Tensor | None = None
        self._around = Rect(0, 0, 0, 0)

    def lit(self, before: Tensor, after: Tensor) -> None:
        """A move made `after` of what was shown, uint8 (PLANES, H, W) each."""
        if before is after:
            return
        if self._before is not None and self._after is not None:  # it moved on what is lit already
            same = before == self._after
            before = torch.where(same, self._before, before)
        rects = rects_of((before != after).any(0).numpy(), Rect(0, 0, after.shape[2], after.shape[1]))
        self._before, self._after = before, after
        self._around = reduce(Rect.join, rects, Rect(0, 0, 0, 0))

    def left(self, planes: Tensor, x: int, y: int) -> Tensor:
        """What is shown, `planes`, once the pointer has come to a point: the same tensor where nothing was lit, or that still is."""
        if self._before is None or self._after is None or self._around.holds(x, y):
            return planes
        out = torch.where((planes == self._after).all(0), self._before, planes)
        self.clear()
        return out

"""Which crops to paint so that the damage is covered with enough around it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from engine.geometry import Rect

ALIGN = 16  # crops start on the denoiser's coarsest cell, so that a crop sees the cells the whole frame would
STEP = 32  # sides are multiples of this: few shapes, each warm after its first use
MARGIN = 12  # pixels around the damage that are painted and thrown away: a typed letter's crop is 64 x 64
WHOLE = 0.7  # from this share of the frame on, painting all of it costs no more


@dataclass(frozen=True, slots=True)
class PaintCrop:
    """Paint `area`, keep `damage` (both frame pixels, damage inside area)."""

    area: Rect
    damage: tuple[Rect, ...]


def plan(damage: Iterable[Rect], size: tuple[int, int]) -> list[PaintCrop]:
    """Crops that cover the damage; one crop of the whole frame where that is cheaper."""
    rects = tuple(damage)
    crops: list[PaintCrop] = []
    for rect in rects:
        area = _around(rect, size)
        for i, crop in enumerate(crops):
            if crop.area.covers(rect.grow(MARGIN // 2).meet(Rect(0, 0, *size))):
                crops[i] = PaintCrop(crop.area, (*crop.damage, rect))
                break
        else:
            crops.append(PaintCrop(area, (rect,)))
    if sum(crop.area.area for crop in crops) >= WHOLE * size[0] * size[1]:
        return [PaintCrop(Rect(0, 0, *size), rects)]
    return crops


def _around(rect: Rect, size: tuple[int, int]) -> Rect:
    x, w = _span(rect.x, rect.right, size[0])
    y, h = _span(rect.y, rect.bottom, size[1])
    return Rect(x, y, w, h)


def _span(start: int, end: int, limit: int) -> tuple[int, int]:
    """Start and length of the shortest allowed side around [start, end) with its margin, inside [0, limit)."""
    low, high = max(start - MARGIN, 0), min(end + MARGIN, limit)
    for length in range(2 * STEP, limit, STEP):
        room = length - (high - low)
        if room >= 0:
            first = max(min((low - room // 2) // ALIGN * ALIGN, limit - length), 0)
            if first <= low and first + length >= high:
                return first, length
    return 0, limit

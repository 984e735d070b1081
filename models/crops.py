"""Which crops to paint so that the damage is covered with enough around it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from math import prod

from engine.geometry import Rect

OVERLAP = 16  # pixels that two parts of one rect share: the later is mixed in over half of them, where the earlier is whole
GRID = 8  # of damage
SHORTEST = 64  # side of a crop that is captured: a GPU paints a smaller one no sooner
FEW_WHOLE = 0.7  # share of the frame from which a GPU paints all of it as soon as a few large crops
GROWTH = 1.5  # by which a crop may grow to be painted with others


@dataclass(frozen=True, slots=True)
class Cells:
    """What crops a denoiser takes, in pixels. align: where they start, its coarsest cell, so that a crop sees the cells
    the whole frame would; step: their sides are multiples of it: few shapes, for each takes time at first and memory for good;
    fine: up to this many pixels, multiples of `align` too; margin: what is painted around the damage and thrown away; least: the
    shortest side; most: the longest, 0 for any; sizes: (width, height) of the only crops there are beside the whole frame, the
    smallest first; empty: any of those sides; joined: whether crops become one where that around them is no larger than they are; whole:
    from this share of the frame on all of it is painted."""

    align: int = 16
    step: int = 32
    fine: int = 96
    margin: int = 8  # or more, as crops start where cells do; a typed letter's crop is 48x56 pixels where these are of 8
    least: int = 48
    most: int = 0
    sizes: tuple[tuple[int, int], ...] = ()
    joined: bool = False
    whole: float = 0.7

    def at_scale(self, scale: int) -> Cells:
        """The same for a denoiser of whose pixels one stands for `scale` of the frame's along each side."""
        if scale == 1:
            return self
        align, step, fine, margin, least = (scale * n for n in (self.align, self.step, self.fine, self.margin, self.least))
        return replace(self, align=align, step=step, fine=fine, margin=margin, least=least)

    def at_most(self, most: int) -> Cells:
        """The same where no side may be longer than `most` pixels, or than leaves something between margins; 0: any may."""
        if not most:
            return self
        most = max(most, -(-(2 * self.margin + self.align + OVERLAP) // self.step) * self.step)
        return replace(self, most=most, least=min(self.least, most), sizes=())

    def few(self, size: tuple[int, int]) -> Cells:
        """The same with only a few sizes for frames of `size`: squares, each of twice the side of the one before. Where what
        is launched is captured beforehand, a crop that is larger than it need be costs less than one that was not captured."""
        sides = [max(self.least, SHORTEST)]
        while 2 * sides[-1] < min(size):
            sides.append(2 * sides[-1])
        return replace(self, sizes=tuple((side, side) for side in sides if side < min(size)), whole=FEW_WHOLE)


BUNDLED_CELLS = Cells(whole=0.9)
PROMPTED_CELLS = Cells(align=64, step=64, margin=32, least=256)  # what a U-Net of three halvings over cells of 8 pixels can take
# Where time goes by the pixel, as on a CPU: the smallest that holds a letter and its margins wherever it stands. A denoiser that was
# trained on whole pictures knows less of the place there, and its coarser cells begin elsewhere than the frame's, so that what a
# crop shows is further from what the whole frame would: `docs/benchmarks.md` says how far. `least_crop` asks for larger ones.
SMALL_CELLS = replace(PROMPTED_CELLS, align=16, least=128, joined=True, whole=0.9)


def least(cells: Cells, size: tuple[int, int]) -> tuple[int, int]:
    """The smallest crop of a frame of `size`, (width, height) in pixels: a letter's."""
    return min(cells.least, size[0]), min(cells.least, size[1])


def small(cells: Cells, size: tuple[int, int]) -> list[tuple[int, int]]:
    """The sizes, (width, height), of the crops that come up most in a frame of `size`: the smallest, and up to twice as long. Those
    with fewest pixels come first."""
    first = least(cells, size)
    if cells.sizes:
        return [first]
    across, down = ([*range(side, min(2 * side, whole) + 1, cells.step)] for side, whole in zip(first, size, strict=True))
    return sorted(((w, h) for w in across for h in down), key=prod)


@dataclass(frozen=True, slots=True)
class PaintCrop:
    """Paint `area`, keep `damage` (both frame pixels, damage inside area)."""

    area: Rect
    damage: tuple[Rect, ...]


def evened(crops: Sequence[PaintCrop], size: tuple[int, int], largest: int, most: int) -> list[PaintCrop]:
    """The crops, of a frame of `size`, some grown to one another's size so that they can be painted together: up to `most`, none of
    more than `largest` pixels, and none by more than half of its own."""
    areas = [crop.area for crop in crops]
    group: list[int] = []
    for i in sorted(range(len(crops)), key=lambda i: crops[i].area.area):
        together = [*group, i]
        w, h = max(areas[n].w for n in together), max(areas[n].h for n in together)
        if group and len(together) <= most and w * h <= min(largest, *(GROWTH * crops[n].area.area for n in together)):
            for n in together:
                own = crops[n].area
                areas[n] = Rect(min(own.x, size[0] - w), min(own.y, size[1] - h), w, h)
            group = together
        else:
            group = [i]
    return [replace(crop, area=area) for crop, area in zip(crops, areas, strict=True)]


def alike(crops: Sequence[PaintCrop], which: Iterable[int], largest: int, most: int) -> list[list[int]]:
    """Which of the crops are painted together: those of one size, up to `most`, none of more than `largest` pixels."""
    batches: list[list[int]] = []
    for i in sorted(which, key=lambda i: crops[i].area[2:]):
        last = batches[-1] if batches else []
        if last and len(last) < most and crops[last[0]].area[2:] == crops[i].area[2:] and crops[i].area.area <= largest:
            last.append(i)
        else:
            batches.append([i])
    return batches


def plan(damage: Iterable[Rect], size: tuple[int, int], cells: Cells = BUNDLED_CELLS, whole: bool = False) -> list[PaintCrop]:
    """Crops that cover the damage; one crop of the whole frame where that is cheaper, or `whole` says so, and may be."""
    rects = tuple(damage)
    crops: list[PaintCrop] = []
    for part, area in (cut for rect in rects for cut in _cut(rect, size, cells)):
        for i, crop in enumerate(crops):
            if crop.area.covers(part.grow(cells.margin // 2).meet(Rect(0, 0, *size))):
                crops[i] = PaintCrop(crop.area, (*crop.damage, part))
                break
        else:
            crops.append(PaintCrop(area, (part,)))
    if cells.joined:
        crops = _joined(crops, size, cells)
    fits = not cells.most or max(size) <= cells.most
    if crops and fits and (whole or sum(crop.area.area for crop in crops) >= cells.whole * size[0] * size[1]):
        return [PaintCrop(Rect(0, 0, *size), rects)]
    return crops


def _joined(crops: Iterable[PaintCrop], size: tuple[int, int], cells: Cells) -> list[PaintCrop]:
    """Crops of which no two would fit into one that is no larger than both."""
    done: list[PaintCrop] = []
    for crop in crops:
        i = 0
        while i < len(done):
            damage = (*done[i].damage, *crop.damage)
            (_, area), *more = _cut(reduce(Rect.join, damage), size, cells)
            if not more and area.area <= done[i].area.area + crop.area.area:
                del done[i]
                crop, i = PaintCrop(area, damage), 0
            else:
                i += 1
        done.append(crop)
    return done


def _cut(rect: Rect, size: tuple[int, int], cells: Cells) -> Iterator[tuple[Rect, Rect]]:
    """The parts in which a rect is painted, and the area around each: itself in one, where no side is too long."""
    if cells.sizes:
        yield rect, _around(rect, size, cells)
        return
    across = _spans(rect.x, rect.right, size[0], cells)
    for top, bottom, y, h in _spans(rect.y, rect.bottom, size[1], cells):
        for left, right, x, w in across:
            yield Rect(left, top, right - left, bottom - top), Rect(x, y, w, h)


def _around(rect: Rect, size: tuple[int, int], cells: Cells) -> Rect:
    """The smallest of the few sizes that holds it; the whole frame where none does."""
    for width, height in cells.sizes:
        x, y = _first(rect.x, rect.right, size[0], width, cells), _first(rect.y, rect.bottom, size[1], height, cells)
        if x is not None and y is not None:
            return Rect(x, y, width, height)
    return Rect(0, 0, *size)


def _spans(start: int, end: int, limit: int, cells: Cells) -> list[tuple[int, int, int, int]]:
    """Start and end of each part of [start, end), and start and length of the side around it."""
    first, length = _span(start, end, limit, cells)
    if not cells.most or length <= cells.most:
        return [(start, end, first, length)]
    spans, length = list[tuple[int, int, int, int]](), cells.most
    while not spans or spans[-1][1] < end:
        at = spans[-1][1] - OVERLAP if spans else start
        first = min(max(at - cells.margin, 0) // cells.align * cells.align, limit - length)
        reached = first + length >= min(end + cells.margin, limit)
        spans.append((at, end if reached else (first + length - cells.margin) // GRID * GRID, first, length))
    return spans


def _span(start: int, end: int, limit: int, cells: Cells) -> tuple[int, int]:
    """Start and length of the shortest allowed side around [start, end) with its margin, inside [0, limit)."""
    for length in (*range(cells.least, cells.fine, cells.align), *range(max(cells.least, cells.fine), limit, cells.step)):
        first = _first(start, end, limit, length, cells)
        if first is not None:
            return first, length
    return 0, limit


def _needed(start: int, end: int, limit: int, cells: Cells) -> tuple[int, int]:
    """What a side must hold: the margins too, and where less than a cell is left to the frame's edge, all of it: a network sees the edge."""
    low, high = max(start - cells.margin, 0), min(end + cells.margin, limit)
    return low if low > cells.align else 0, high if limit - high > cells.align else limit


def _first(start: int, end: int, limit: int, length: int, cells: Cells) -> int | None:
    """Where a side of that length begins around [start, end) with its margin, inside [0, limit); None where it is too short."""
    low, high = _needed(start, end, limit, cells)
    room = length - (high - low)
    if room < 0:
        return None
    for wanted in (low - room // 2, low):  # in the middle, or at least inside
        first = max(min(wanted // cells.align * cells.align, limit - length), 0)
        if first <= low and first + length >= high:
            return first
    return None

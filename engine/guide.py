"""The guide: the desktop's items drawn plainly in the neutral theme, kept up to date by redrawing only what changed.

Beside the picture it keeps three masks: `ink`, how much of each pixel is text (the text layer's raster), `verbatim`,
where content pictures stand, and `forms`, what a style may do to what the guide draws square and flat: round it, raise it, make it shine, throw
its shadow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from copy import copy

import numpy as np

from engine.drawing import Fill, Glyphs, Group, Item, Outline, Picture, grouped
from engine.forms import CAST, FLOATING, REACH, cast, touches_corner
from engine.geometry import GRID, Rect, merge
from engine.group_pictures import GroupPictures
from engine.plain import Drawing
from engine.theme import ROUNDNESS, Role

KEPT = 4  # frames' worth of pixels that are kept of groups as they were drawn
_LASTING = np.uint32(~(CAST << 24) & (2**32 - 1))  # of a pixel's forms, the bits whose change is damage where it is a corner's
_FLAT = np.uint32(255 << 16)  # and those that elsewhere only tell of shadows

class Guide(Drawing):
    """pixels: uint8 (H, W, 3); ink, verbatim: uint8 (H, W). `size` is (width, height).

    forms: uint8 (H, W, 4). Where a shape's corner may be cut off: 1 + x + SIDE * y of the pixel, counted from that corner; the role that
    lies beneath, from PICTURED on the colour of a picture, and above its bits which of SHAPES it is; the role of the shape's edge, and above its
    bits the corner's side in pixels if it is under CAPPED, for it can be no rounder, or LOWER. Elsewhere zeros, but for the second of what may
    shine: how far down it the pixel is, from 1 to SHINES; and the third where a shadow or glow may fall, see below: where beside what throws it
    that is, see `engine.forms.nearness`. And of every pixel, what was filled last: 1 and its role, with LIT and SHADED where a style may light or
    shade it as the edge of what is raised; 0 for a picture; and CAST where the shadow or glow of a window or menu above may fall, on a picture
    too. A shape that is cut off has no edge there, and what throws a shadow looks like what does not: the pixels alone do not say it.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__(size)
        self.fill(self.frame, Role.WALLPAPER)
        self.items: tuple[Item, ...] = ()
        self._pictures = GroupPictures(KEPT * self.frame.area)
        self._before = Drawing(size)  # room for what a redraw finds; to ask the system for it each time takes longer

    def update(self, items: Sequence[Item]) -> tuple[Rect, ...]:
        """Show `items`; returns the exact damage: grid cells in which any pixel or mask changed, as rects. That a shadow may fall where none
        fell is none of it: as far as those fall a painter of shadows grows all damage."""
        changed = _differing(self.items, tuple(items))
        self.items = tuple(items)
        groups, damage = grouped(self.items), list[Rect]()
        for rect in merge(_reached(item).meet(self.frame).snap() for item in changed):
            damage += self._redraw(groups, rect)
        return merge(damage)

    def copy(self) -> Guide:
        """One that shows the same, and goes its own way from here; what is remembered of groups serves both."""
        twin = copy(self)
        for name in ("pixels", "ink", "verbatim", "forms"):
            setattr(twin, name, getattr(self, name).copy())
        return twin

    def text_under(self, rect: Rect) -> list[tuple[Glyphs, Rect, np.ndarray]]:
        """The text items that touch `rect` and can be seen, front to back: the text layer.

        Each with the part of the frame it stands in and, bool (h, w) of that part, what hides it.
        """
        found: list[tuple[Glyphs, Rect, np.ndarray]] = []
        covers: list[Rect] = []
        for item in reversed(self.items):
            if isinstance(item, (Fill, Picture)):
                covers.append(item.rect)
            elif isinstance(item, Glyphs) and item.rect.meet(rect):
                part = item.rect.meet(self.frame)
                hidden = _hidden(part, covers)
                if hidden is not None:
                    found.append((item, part, hidden))
        return found

    def _redraw(self, groups: Sequence[Group], rect: Rect) -> list[Rect]:
        """Draw all groups inside `rect` (on the grid) and return what really changed, on the grid."""
        at = rect.slices
        planes = [(plane[at], before[at]) for plane, before in zip(self.planes, self._before.planes, strict=True)]
        for plane, before in planes:
            before[:] = plane
        lowest = next((i for i, group in reversed([*enumerate(groups)]) if _hides(group, rect)), None)
        if lowest is None:
            self.fill(rect, Role.WALLPAPER)
        for group in groups[lowest:]:
            if group.fill and group.fill.shape in FLOATING:
                cast(self.forms, group.fill.whole, rect)
            items = group.touching(rect)
            picture = self._pictures.of(group) if 2 * len(items) > len(group.items) else None
            if picture is not None:
                self.lay(group, picture, rect)
            elif items:
                self.draw(group, _seen(items, rect), rect)
        *others, (forms, before_forms) = planes
        changed = np.logical_or.reduce([_cells_apart(plane, before) for plane, before in others] + [_forms_apart(forms, before_forms)])
        return _rects_of_cells(changed, rect)


def _differing(old: Sequence[Item], new: Sequence[Item]) -> list[Item]:
    """Items whose rects hold every pixel in which drawing `new` can differ from drawing `old`."""
    start = _shared(old, new)
    end = _shared(old[start:][::-1], new[start:][::-1])
    old, new = old[start : len(old) - end], new[start : len(new) - end]
    before, after = [(type(item), item) for item in old], [(type(item), item) for item in new]
    gone, come = Counter(before) - Counter(after), Counter(after) - Counter(before)
    if [item for item in before if item not in gone] != [item for item in after if item not in come]:
        return [*old, *new]  # the order changed, too: what lies over what
    return [item for _, item in (*gone, *come)]


def _reached(item: Item) -> Rect:
    """Where drawing an item may change anything."""
    return item.rect.join(item.whole.grow(REACH)) if isinstance(item, Fill) and item.shape in FLOATING else item.rect


def _shared(a: Sequence[Item], b: Sequence[Item]) -> int:
    """How many leading items two lists share."""
    count = 0
    for one, other in zip(a, b, strict=False):
        if one is not other and (type(one) is not type(other) or one != other):
            break
        count += 1
    return count


def _hidden(part: Rect, covers: Sequence[Rect]) -> np.ndarray | None:
    """Where any of the covers lies in `part`: bool (part.h, part.w); None where they leave nothing of it."""
    x, y, right, bottom = part.x, part.y, part.right, part.bottom
    over = [(cx, cy, cw, ch) for cx, cy, cw, ch in covers if cx < right and cy < bottom and cx + cw > x and cy + ch > y]  # few do
    hidden = np.zeros((part.h, part.w), bool)
    for cx, cy, cw, ch in over:
        hidden[max(cy - y, 0) : cy + ch - y, max(cx - x, 0) : cx + cw - x] = True
    return None if over and hidden.all() else hidden


def _hides(group: Group, rect: Rect) -> bool:
    """Whether all that lies below the group is hidden in `rect`: it is covered, and no corner is touched that a style could
    round."""
    if group.fill is None or not group.rect.covers(rect):
        return False
    return group.fill.shape not in ROUNDNESS or not touches_corner(rect, group.fill.whole, group.fill.shape)


def _seen(items: list[Item], rect: Rect) -> list[Item]:
    """A group's items without those that nothing is left of in `rect`: a fill lies over them, and no corner of theirs is there."""
    first = 0
    for i, item in enumerate(items):
        if isinstance(item, (Fill, Outline)) and item.shape in ROUNDNESS and touches_corner(rect, item.whole, item.shape):
            break
        if isinstance(item, Fill) and item.rect.covers(rect):
            first = i
    return items[first:]


def _cells_apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The cells in which two uint8 (h, w) or (h, w, C) differ: bool (h / GRID, w / GRID). Eight bytes are compared at a time."""
    h = len(one)
    first, second = (plane.reshape(h, -1).view(np.uint64) for plane in (one, other))
    return _any_in_cells(first != second, one.shape[1])


def _forms_apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The same of two `Guide.forms`, uint8 (h, w, 4), but for what they tell of shadows."""
    h, w, _ = one.shape
    first, second = (forms.reshape(h, -1).view("<u4") for forms in (one, other))
    return _any_in_cells((first ^ second) & np.where(first & 255, _LASTING, _LASTING & ~_FLAT) != 0, w)


def _any_in_cells(apart: np.ndarray, width: int) -> np.ndarray:
    """Whether any is set in each cell, of bool (h, n) that say it of equal shares of rows `width` wide: bool (h / GRID, w / GRID)."""
    rows = np.logical_or.reduce(apart.reshape(len(apart) // GRID, GRID, -1), 1)
    return np.logical_or.reduce(rows.reshape(len(rows), width // GRID, -1), 2)


def rects_of(changed: np.ndarray, rect: Rect) -> list[Rect]:
    """Changed pixels, bool (rect.h, rect.w), to rects of whole grid cells in frame pixels."""
    return _rects_of_cells(_cells_apart(changed.view(np.uint8), np.zeros_like(changed, np.uint8)), rect)


def _rects_of_cells(cells: np.ndarray, rect: Rect) -> list[Rect]:
    """Changed cells, bool (rect.h / GRID, rect.w / GRID), to rects in frame pixels."""
    rects: list[Rect] = []
    open_runs: dict[tuple[int, int], int] = {}  # (first, last) column of a run -> its top row
    for row, runs in enumerate([*_runs(cells), set()]):
        for run in [run for run in open_runs if run not in runs]:
            top = open_runs.pop(run)
            rects.append(Rect(run[0] * GRID, top * GRID, (run[1] - run[0]) * GRID, (row - top) * GRID))
        for run in runs:
            open_runs.setdefault(run, row)
    return [r.shift(rect.x, rect.y) for r in rects]


def _runs(cells: np.ndarray) -> list[set[tuple[int, int]]]:
    """Of each row, the runs of cells that are set: first column, and the one after the last."""
    padded = np.zeros((cells.shape[0], cells.shape[1] + 2), np.int8)
    padded[:, 1:-1] = cells
    rows, edges = np.nonzero(np.diff(padded, axis=1))
    runs: list[set[tuple[int, int]]] = [set() for _ in range(len(cells))]
    for row, first, end in zip(rows[::2].tolist(), edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        runs[row].add((first, end))
    return runs

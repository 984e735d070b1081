"""The guide: the desktop's items drawn plainly in the neutral theme, kept up to date by redrawing only what changed.

Beside the picture it keeps three masks: `ink`, how much of each pixel is text (the text layer's raster), `verbatim`,
where content pictures stand, and `forms`, where a style may round or raise what the guide draws square and flat.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from engine.drawing import GROUPS, Fill, Glyphs, Item, Mark, Outline, Picture, mark
from engine.forms import ROLE, bevels, cut_off
from engine.geometry import GRID, Rect, merge
from engine.theme import BEVELLED, NEUTRAL, ROUNDNESS, ROUNDS, Role
from engine.typeface import MARGIN, line


class Guide:
    """pixels: uint8 (H, W, 3); ink, verbatim: uint8 (H, W). `size` is (width, height).

    forms: uint8 (H, W, 4). Where a shape's corner may be cut off: how easily, 255 - CUTS * the least radius of a style's
    windows that cuts the pixel (at least 1); the role that lies beneath; the role of the shape's edge. Zeros elsewhere. And
    of every pixel, what was filled last: 1 and its role, with LIT and SHADED where a style may light or shade it as the
    edge of what is raised; 0 for a picture. A shape that is cut off has no edge there, which the pixels alone do not say.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        width, height = size
        self.frame = Rect(0, 0, width, height)
        self.pixels = np.empty((height, width, 3), np.uint8)
        self.pixels[:] = NEUTRAL[Role.WALLPAPER]
        self.ink = np.zeros((height, width), np.uint8)
        self.verbatim = np.zeros((height, width), np.uint8)
        self.forms = np.zeros((height, width, 4), np.uint8)
        self.forms[..., 3] = 1 + Role.WALLPAPER
        self._open: _Group | None = None
        self.items: tuple[Item, ...] = ()

    def update(self, items: Sequence[Item]) -> tuple[Rect, ...]:
        """Show `items`; returns the exact damage: grid cells in which any pixel or mask changed, as rects."""
        changed = _differing(self.items, tuple(items))
        self.items = tuple(items)
        damage: list[Rect] = []
        for rect in merge(item.rect.meet(self.frame).snap() for item in changed):
            damage += self._redraw(rect)
        return merge(damage)

    def copy(self) -> Guide:
        """One that shows the same, and goes its own way from here."""
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
                if not hidden.all():
                    found.append((item, part, hidden))
        return found

    def _redraw(self, rect: Rect) -> list[Rect]:
        """Draw all items inside `rect` (on the grid) and return what really changed, on the grid."""
        at = rect.slices
        touching = _touching(self.items, rect)
        before = self.pixels[at].copy(), self.ink[at].copy(), self.verbatim[at].copy(), self.forms[at].copy()
        self.forms[at] = 0
        self._fill(rect, Role.WALLPAPER)
        self._open = None
        for item in touching:
            self._draw(item, item.rect.meet(rect))
        self._close_group()
        changed = np.logical_or.reduce([
            _cells_apart(one, other[at])
            for one, other in zip(before, (self.pixels, self.ink, self.verbatim, self.forms), strict=True)
        ])  # fmt: skip
        return _rects_of_cells(changed, rect)

    def _draw(self, item: Item, part: Rect) -> None:
        at = part.slices
        if isinstance(item, Fill):
            self._shape(item, part)
        elif isinstance(item, Outline):
            self._edge(item, part)
            for edge in edges(item.whole, item.width):
                self._fill(edge.meet(part), item.role)
        elif isinstance(item, Glyphs):
            coverage = glyph_coverage(item, part)
            blend(self.pixels[at], NEUTRAL[item.role], coverage)
            np.maximum(self.ink[at], coverage, out=self.ink[at])
        elif isinstance(item, Mark):
            blend(self.pixels[at], NEUTRAL[item.role], mark_coverage(item, part))
            self.verbatim[at] = 0
        else:
            self.pixels[at] = item.pixels[part.shift(-item.whole.x, -item.whole.y).slices]
            self.ink[at] = 0
            self.verbatim[at] = 255
            self.forms[at][..., 3] = 0

    def _shape(self, item: Fill, part: Rect) -> None:
        """A fill, and where its corners may be cut. Those of a window or menu hold for all that is drawn in it."""
        cut = [] if item.shape not in ROUNDNESS else self._cuts(item, part)
        if item.shape in GROUPS:
            self._close_group()
            self._open = _Group(item.whole, int(Role.BORDER if item.shape == "window" else item.role), cut)
            self.forms[part.slices] = 0
        else:
            for at, easily, beneath in cut:
                self._mark(at, easily, beneath, int(item.role))
        self._fill(part, item.role)
        if item.shape in BEVELLED:
            self._raise(item.whole, part)

    def _raise(self, whole: Rect, part: Rect) -> None:
        """Mark the edges of what is raised, inside `part`."""
        for strip, bit in bevels(whole):
            inside = strip.meet(part)
            if inside:
                self.forms[inside.slices][..., 3] |= bit

    def _edge(self, item: Outline, part: Rect) -> None:
        """An outline's role is the edge of the shape it goes round; on its own it has corners, too."""
        if self._open is not None and item.whole == self._open.whole:
            self._open.edge = int(item.role)
        elif item.shape in ROUNDNESS:
            for at, easily, beneath in self._cuts(item, part):
                known = self.forms[at][..., 0] == easily
                beneath = np.where(known, self.forms[at][..., 1] + 1, beneath)
                self._mark(at, easily, beneath, int(item.role))

    def _cuts(self, item: Fill | Outline, part: Rect) -> list[_Cut]:
        """What of the item's four corners lies in `part`, with what is there now."""
        whole = item.whole
        easily = cut_off(item.shape, min(whole.w // 2, whole.h // 2))
        side = len(easily)
        found = []
        for y, rows in ((whole.y, easily), (whole.bottom - side, easily[::-1])):
            for x, box in ((whole.x, rows), (whole.right - side, rows[:, ::-1])):
                inside = Rect(x, y, side, side).meet(part)
                if inside:
                    found.append((inside.slices, box[inside.shift(-x, -y).slices], self.forms[inside.slices][..., 3] & ROLE))
        return found

    def _close_group(self) -> None:
        if self._open is not None:
            for at, easily, beneath in self._open.cuts:
                self._mark(at, easily, beneath, self._open.edge)
        self._open = None

    def _mark(self, at: tuple[slice, slice], easily: np.ndarray, beneath: np.ndarray, edge: int) -> None:
        where, forms = (easily > 0) & (beneath > 0), self.forms[at]
        for i, told in enumerate((easily, beneath - 1, np.full_like(easily, edge))):
            np.copyto(forms[..., i], told, where=where)

    def _fill(self, part: Rect, role: Role) -> None:
        at, width = part.slices, self.frame.w
        rows, columns = at
        # Row by row at once: numpy copies three numbers at a time where the last axis has three.
        self.pixels.reshape(-1, 3 * width)[rows, 3 * columns.start : 3 * columns.stop] = _row_of(role, width)[: 3 * part.w]
        self.ink[at] = 0
        self.verbatim[at] = 0
        self.forms[at][..., 3] = 1 + role


_Cut = tuple[tuple[slice, slice], np.ndarray, np.ndarray]  # where, how easily, 1 and the roles beneath


@dataclass
class _Group:
    """A window, menu or bar that is being drawn: its corners are marked when all of it is there."""

    whole: Rect
    edge: int
    cuts: list[_Cut]


def edges(rect: Rect, width: int) -> tuple[Rect, Rect, Rect, Rect]:
    """The four strips along the inside of a rect's edges: top, bottom, left, right."""
    r, w = rect, width
    return (
        Rect(r.x, r.y, r.w, w),
        Rect(r.x, r.bottom - w, r.w, w),
        Rect(r.x, r.y + w, w, r.h - 2 * w),
        Rect(r.right - w, r.y + w, w, r.h - 2 * w),
    )


def glyph_coverage(item: Glyphs, part: Rect) -> np.ndarray:
    """The item's coverage inside `part` (frame pixels): uint8 (part.h, part.w)."""
    sheet = line(item.face, item.text)
    return _window(sheet, part.shift(MARGIN - item.x, -item.y))


def mark_coverage(item: Mark, part: Rect) -> np.ndarray:
    return _window(mark(item.name, item.whole.w, item.whole.h), part.shift(-item.whole.x, -item.whole.y))


def blend(into: np.ndarray, colour: np.ndarray, coverage: np.ndarray) -> None:
    """Mix `colour` (3,) into uint8 (h, w, 3) by uint8 coverage (h, w), rounding to nearest."""
    base = into.astype(np.int32)
    mixed = base * 255 + (colour.astype(np.int32) - base) * coverage[..., None] + 127
    into[:] = mixed // 255


def _window(sheet: np.ndarray, part: Rect) -> np.ndarray:
    """`part` of a sheet, zero where the sheet ends."""
    inside = part.meet(Rect(0, 0, sheet.shape[1], sheet.shape[0]))
    if inside == part:
        return sheet[part.slices]
    out = np.zeros((part.h, part.w), np.uint8)
    if inside:
        out[inside.shift(-part.x, -part.y).slices] = sheet[inside.slices]
    return out


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


def _shared(a: Sequence[Item], b: Sequence[Item]) -> int:
    """How many leading items two lists share."""
    count = 0
    for one, other in zip(a, b, strict=False):
        if one is not other and (type(one) is not type(other) or one != other):
            break
        count += 1
    return count


def _hidden(part: Rect, covers: Sequence[Rect]) -> np.ndarray:
    """Where any of the covers lies in `part`: bool (part.h, part.w)."""
    x, y, right, bottom = part.x, part.y, part.right, part.bottom
    hidden = np.zeros((part.h, part.w), bool)
    for cx, cy, cw, ch in covers:
        if cx < right and cy < bottom and cx + cw > x and cy + ch > y:  # few do
            hidden[max(cy - y, 0) : cy + ch - y, max(cx - x, 0) : cx + cw - x] = True
    return hidden


def _touching(items: Sequence[Item], rect: Rect) -> list[Item]:
    """The items to draw inside `rect`, from the last window, menu or bar that covers all of it, corners apart, so that
    what is below cannot be seen."""
    x, y, right, bottom = rect.x, rect.y, rect.right, rect.bottom
    found: list[Item] = []
    for item in reversed(items):
        ix, iy, iw, ih = item.rect
        if ix < right and iy < bottom and ix + iw > x and iy + ih > y:
            found.append(item)
            covers = ix <= x and iy <= y and ix + iw >= right and iy + ih >= bottom
            if covers and isinstance(item, Fill) and item.shape in GROUPS and _middle(item, rect):
                break
    return found[::-1]


def _middle(item: Fill, rect: Rect) -> bool:
    """Whether `rect` touches no corner of the item's that a style could round."""
    if item.shape not in ROUNDNESS:
        return True
    off = math.ceil(ROUNDS)
    whole = item.whole
    beside = rect.x >= whole.x + off and rect.right <= whole.right - off
    return beside or (rect.y >= whole.y + off and rect.bottom <= whole.bottom - off)


@lru_cache(maxsize=256)
def _row_of(role: Role, width: int) -> np.ndarray:
    """A role's colour, as often as a row has pixels: uint8 (3 * width,). Read only."""
    row = np.tile(NEUTRAL[role], width)
    row.flags.writeable = False
    return row


def _cells_apart(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The cells in which two uint8 (h, w) or (h, w, C) differ: bool (h / GRID, w / GRID). Eight bytes are looked at at a time."""
    h, w = before.shape[:2]
    words = np.bitwise_xor(before, after, order="C").reshape(h, -1).view(np.uint64).reshape(h, w // GRID, -1)
    rows = np.bitwise_or.reduce([words[..., i] for i in range(words.shape[2])])
    return np.bitwise_or.reduce(rows.reshape(h // GRID, GRID, w // GRID), axis=1) != 0


def rects_of(changed: np.ndarray, rect: Rect) -> list[Rect]:
    """Changed pixels, bool (rect.h, rect.w), to rects of whole grid cells in frame pixels."""
    return _rects_of_cells(_cells_apart(changed.view(np.uint8), np.zeros((), np.uint8)), rect)


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

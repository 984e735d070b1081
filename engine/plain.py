"""Draws items plainly in the neutral theme: the pixels of the guide, and its three masks."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from engine.drawing import Fill, Glyphs, Group, Item, Mark, Outline, mark
from engine.forms import FLOATING, OWN, ROLE, bevels, corners, drawn_on, pictured, shine, touches_corner
from engine.geometry import Rect, edges
from engine.theme import BEVELLED, GLOSSED, NEUTRAL, ROUNDNESS, Role
from engine.typeface import MARGIN, line

_LAST = 24  # bits below the last of a pixel's four forms, all four taken as one number


class Drawing:
    """pixels: uint8 (H, W, 3); ink, verbatim: uint8 (H, W); forms: uint8 (H, W, 4), as `Guide` tells. All zeros at first.
    `size` is (width, height)."""

    def __init__(self, size: tuple[int, int]) -> None:
        width, height = size
        self.frame = Rect(0, 0, width, height)
        self.pixels = np.zeros((height, width, 3), np.uint8)
        self.ink = np.zeros((height, width), np.uint8)
        self.verbatim = np.zeros((height, width), np.uint8)
        self.forms = np.zeros((height, width, 4), np.uint8)

    @property
    def planes(self) -> tuple[np.ndarray, ...]:
        return self.pixels, self.ink, self.verbatim, self.forms

    def fill(self, part: Rect, role: Role) -> None:
        at, width = part.slices, self.frame.w
        rows, columns = at
        # Row by row at once: numpy copies three numbers at a time where the last axis has three.
        self.pixels.reshape(-1, 3 * width)[rows, 3 * columns.start : 3 * columns.stop] = _row_of(role, width)[: 3 * part.w]
        self.ink[at] = 0
        self.verbatim[at] = 0
        self._words.reshape(self.ink.shape)[at] = 1 + role << _LAST

    def draw(self, group: Group, items: Iterable[Item], inside: Rect) -> None:
        """Draw `items`, those of the group that touch `inside`, in there. The group's corners hold for all that is drawn in
        it, so they are marked last."""
        cut = self._corners(group.fill, group.rect.meet(inside)) if group.fill else None
        if group.fill:
            self.forms[group.rect.meet(inside).slices] = 0
        edged = None  # the outline that was drawn with the fill before it
        for item, following in pairwise((*items, None)):
            assert item is not None
            part = item.rect.meet(inside)
            at = part.slices
            if isinstance(item, Fill):
                edged = self._shape(item, part, following, item is not group.fill)
            elif isinstance(item, Outline):
                if item is not edged:
                    self._edge(item, part, group.fill is None or item.whole != group.fill.whole)
            elif isinstance(item, Glyphs):
                coverage, ink = glyph_coverage(item, part), self.ink[at]
                blend(self.pixels[at], NEUTRAL[item.role], coverage)
                np.maximum(ink, coverage, out=ink)
            elif isinstance(item, Mark):
                blend(self.pixels[at], NEUTRAL[item.role], mark_coverage(item, part))
                self.verbatim[at] = 0
            else:
                self.pixels[at] = item.pixels[part.shift(-item.whole.x, -item.whole.y).slices]
                self.ink[at] = 0
                self.verbatim[at] = 255
                self.forms[at] = 0
        self._mark(cut, group.edge)

    def lay(self, group: Group, picture: Drawing, inside: Rect) -> None:
        """As `draw` does, from the group's picture: what was drawn of it before, from its own corner."""
        part = group.rect.meet(inside)
        cut = self._corners(group.fill, part) if group.fill else None
        at, there = part.slices, part.shift(-group.rect.x, -group.rect.y).slices
        for plane, known in zip(self.planes, picture.planes, strict=True):
            plane[at] = known[there]
        self._mark(cut, group.edge)

    def _shape(self, item: Fill, part: Rect, following: Item | None, cuts: bool) -> Item | None:
        """A fill, and where its corners may be cut. An outline that follows is drawn with it, and returned."""
        cut = self._corners(item, part) if cuts else None
        edge = following if isinstance(following, Outline) and goes_round(following, item) else None
        if edge is not None and (cut is None or np.count_nonzero(cut.beneath) == len(cut.beneath)):
            self.fill(part, edge.role)
            part = part.meet(item.whole.inset(edge.width, edge.width, edge.width, edge.width))
        else:
            edge = None
        self.fill(part, item.role)
        if item.shape in GLOSSED and part:
            self._words.reshape(self.ink.shape)[part.slices] += shine(item.whole.h)[part.y - item.whole.y : part.bottom - item.whole.y]
        self._mark(cut, edge.role if edge else item.role)
        if item.shape in BEVELLED:
            for strip, bit in bevels(item.whole):
                inside = strip.meet(part)
                if inside:
                    self.forms[inside.slices][..., 3] |= bit
        return edge

    def _edge(self, item: Outline, part: Rect, cuts: bool) -> None:
        """An outline's role is the edge of the shape it goes round; on its own it has corners, too."""
        cut = self._corners(item, part) if cuts else None
        if cut is not None:
            words = self._words[cut.at]
            known = (words & OWN) == cut.told
            cut = cut._replace(beneath=np.where(known, (words >> 8 & ROLE) + 1, cut.beneath))
        for edge in edges(item.whole, item.width):
            self.fill(edge.meet(part), item.role)
        self._mark(cut, item.role)

    @property
    def _words(self) -> np.ndarray:
        """The forms of each pixel as one number: uint32 (H * W,), a view."""
        return self.forms.view("<u4").reshape(-1)

    def _corners(self, item: Fill | Outline, part: Rect) -> _Corners | None:
        """What of the item's four corners lies in `part`, with what is there now."""
        whole = item.whole
        if item.shape not in ROUNDNESS or not touches_corner(part, whole, item.shape):
            return None
        x, y, at, told = corners(item.shape, whole.w, whole.h, self.frame.w)
        if part != whole:
            left, top = part.x - whole.x, part.y - whole.y
            inside = (x >= left) & (x < left + part.w) & (y >= top) & (y < top + part.h)
            at, told = at[inside], told[inside]
        if not len(at):
            return None
        at = at + (whole.y * self.frame.w + whole.x)
        beneath = self._words[at] >> _LAST & ROLE
        if item.shape in FLOATING:  # others hardly ever lie on what is drawn
            beneath = drawn_on(beneath, self.pixels.reshape(-1, 3)[at])
        shown = (beneath == 0) & (self.verbatim.reshape(-1)[at] > 0)
        if isinstance(item, Fill) and shown.any():  # what only goes round a picture leaves it whole
            beneath[shown] = 1 + pictured(self.pixels.reshape(-1, 3)[at[shown]])
        return _Corners(at, told, beneath)

    def _mark(self, cut: _Corners | None, edge: int) -> None:
        """Say of corners that they may be cut, where it is known what lies beneath."""
        if cut is None:
            return
        at, told, beneath = cut
        if np.count_nonzero(beneath) < len(beneath):
            at, told, beneath = (part[beneath > 0] for part in cut)
        words = self._words
        words[at] = (words[at] >> _LAST << _LAST) | (told + (edge << 16)) | (beneath - 1 << 8)


class _Corners(NamedTuple):
    """Corners' pixels in the flat frame; of each, what is told of it whatever the roles, and 1 and the role beneath: uint32 (n,)."""

    at: np.ndarray
    told: np.ndarray
    beneath: np.ndarray


def goes_round(outline: Outline, fill: Fill) -> bool:
    """Whether it is the edge of just this fill: the ring that stays of one fill when another is laid into it."""
    same = outline.whole == fill.whole and outline.rect == fill.rect and outline.shape == fill.shape
    return same and 2 * outline.width <= min(fill.whole.w, fill.whole.h)


def glyph_coverage(item: Glyphs, part: Rect) -> np.ndarray:
    """The item's coverage inside `part` (frame pixels): uint8 (part.h, part.w)."""
    sheet = line(item.face, item.text)
    return _window(sheet, part.shift(MARGIN - item.x, -item.y))


def mark_coverage(item: Mark, part: Rect) -> np.ndarray:
    return _window(mark(item.name, item.whole.w, item.whole.h), part.shift(-item.whole.x, -item.whole.y))


def blend(into: np.ndarray, colour: np.ndarray, coverage: np.ndarray) -> None:
    """Mix `colour` (3,), of numbers from 0 to 255, into uint8 (h, w, 3) by uint8 coverage (h, w), rounding to nearest."""
    if not coverage.size:
        return
    paper, colour = into[0, 0].tobytes(), colour.astype(np.uint8)
    if into.tobytes() == paper * coverage.size:  # as nearly all text stands on
        into[:] = _mixtures(paper, colour.tobytes()).take(coverage, axis=0)
    else:
        into[:] = _mixed(into.astype(np.int32), colour.astype(np.int32), coverage[..., None])


def _mixed(base: np.ndarray, colour: np.ndarray, coverage: np.ndarray) -> np.ndarray:
    return np.asarray((base * 255 + (colour - base) * coverage + 127) // 255)


@lru_cache(maxsize=256)
def _mixtures(paper: bytes, colour: bytes) -> np.ndarray:
    """The mixture of two colours of 3 bytes for every coverage: uint8 (256, 3). Read only."""
    base, ink = (np.frombuffer(told, np.uint8).astype(np.int32) for told in (paper, colour))
    return _mixed(base, ink, np.arange(256)[:, None]).astype(np.uint8)


def _window(sheet: np.ndarray, part: Rect) -> np.ndarray:
    """`part` of a sheet, zero where the sheet ends."""
    inside = part.meet(Rect(0, 0, sheet.shape[1], sheet.shape[0]))
    if inside == part:
        return sheet[part.slices]
    out = np.zeros((part.h, part.w), np.uint8)
    if inside:
        out[inside.shift(-part.x, -part.y).slices] = sheet[inside.slices]
    return out


@lru_cache(maxsize=256)
def _row_of(role: Role, width: int) -> np.ndarray:
    """A role's colour, as often as a row has pixels: uint8 (3 * width,). Read only."""
    row = np.tile(NEUTRAL[role], width)
    row.flags.writeable = False
    return row

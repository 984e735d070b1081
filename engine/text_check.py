"""Checks painted text against the text layer, glyph by glyph, and redraws the glyphs that are wrong.

A glyph is right if its painted pixels are a straight line of its coverage, paper + coverage * (ink - paper), with
enough contrast between the two. The paper may have the style's texture. The fit is by least squares, all glyphs of all
lines of one height at once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from itertools import accumulate, pairwise

import numpy as np

from engine.drawing import Glyphs
from engine.geometry import Rect
from engine.guide import Guide
from engine.legibility import contrast, luminance, ratio
from engine.materials import Paints, shade
from engine.plain import glyph_coverage
from engine.typeface import Face, offsets

# Share of the painted variance that coverage must explain. Right glyphs reach 0.89 and more in every style; of two
# letters of one width, one painted for the other, 99 in 100 stay below 0.87 (h for n reaches 0.86); noise 0.05.
LEAST_FIT = 0.87
LEAST_CONTRAST = 2.0  # of ink against paper, WCAG ratio, below which a painted glyph cannot be read
REPAIR_CONTRAST = 4.5
OPEN = 0.7  # of a glyph's columns that must be seen for it to be judged
HALO = 2  # pixels of paper redrawn around a wrong glyph's strokes
ROUGH = 20.0  # grey levels of unevenness from which the paper of the whole glyph is redrawn
SMALL, REMEMBERED = 128 * 128, 4096  # pixels of a rect that may come back; how many are remembered
BLACK_AND_WHITE = (np.zeros(3), 0.0), (np.full(3, 255.0), 1.0)  # inks that are tried where no other can be read, with their luminance
SHARES = (np.arange(256, dtype=np.float32) / 255)[:, None]  # of ink, by coverage
SMALLEST = 40.0  # sum of squared coverage below which there is too little of a glyph to judge


@dataclass(frozen=True, slots=True)
class Checked:
    """Counts of glyphs: looked at, found wrong, redrawn."""

    glyphs: int = 0
    wrong: int = 0
    repaired: int = 0

    def __add__(self, other: Checked) -> Checked:
        return Checked(self.glyphs + other.glyphs, self.wrong + other.wrong, self.repaired + other.repaired)


def check(
    frame: np.ndarray, rects: Iterable[Rect], guide: Guide, paints: Paints, repair: bool = True
) -> Checked:
    """Check the text inside `rects`; with `repair`, wrong glyphs are redrawn in `frame`, inside `rects` only.

    frame: uint8 (H, W, 3), changed in place. paints: the style's, for a frame of this size.
    """
    lines = [
        line for rect in rects for item, part, hidden in guide.text_under(rect) if (line := _line(item, part, hidden, rect))
    ]
    by_height: dict[int, list[_Line]] = {}
    for line in lines:
        by_height.setdefault(line.part.h, []).append(line)
    return sum((_check_lines(frame, alike, paints, repair) for alike in by_height.values()), Checked())


class Checker:
    """Checks as `check` does, but what was right before and is shown again, as hovered widgets and carets are, is taken as
    right: the same pixels over the same text. Only small rects come back."""

    def __init__(self) -> None:
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._paints: Paints | None = None

    def check(self, frame: np.ndarray, rects: Sequence[Rect], guide: Guide, paints: Paints, repair: bool = True) -> Checked:
        """The counts are of what was looked at."""
        if paints is not self._paints:
            self._paints = paints
            self._right.clear()
        names = [_name(frame, rect, guide) if rect.area <= SMALL else None for rect in rects]
        found = check(frame, [rect for rect, name in zip(rects, names, strict=True) if name not in self._right], guide, paints, repair)
        if not found.wrong:
            for name in filter(None, names):
                self._right[name] = None
                self._right.move_to_end(name)
            while len(self._right) > REMEMBERED:
                self._right.popitem(last=False)
        return found


def _name(frame: np.ndarray, rect: Rect, guide: Guide) -> bytes:
    told = blake2b(repr(rect).encode(), digest_size=16)
    for plane in (frame, guide.ink):
        told.update(plane[rect.slices].tobytes())
    return told.digest()


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of text to be judged where `rect` touches it. coverage: uint8 (h, w), where it is seen; starts, ends: the columns of
    the glyphs."""

    item: Glyphs
    part: Rect
    rect: Rect
    coverage: np.ndarray
    starts: np.ndarray
    ends: np.ndarray


def _line(item: Glyphs, part: Rect, hidden: np.ndarray, rect: Rect) -> _Line | None:
    """Glyphs are judged whole, also where they reach out of `rect`; only inside it are they redrawn.

    Of a glyph that a caret or an edge covers a little, the open columns are judged; one of which more is hidden is left
    alone: what covers it is not its paper.
    """
    coverage, (starts, ends) = glyph_coverage(item, part), _columns(item, part)
    if hidden.any():
        coverage = np.where(hidden, np.uint8(0), coverage)
        starts, ends = _open(starts, ends, np.asarray(hidden.any(0)))
    if rect.x > part.x or rect.right < part.right:
        touched = (ends > rect.x - part.x) & (starts < rect.right - part.x)
        starts, ends = starts[touched], ends[touched]
    return _Line(item, part, rect, coverage, starts, ends) if len(starts) and coverage.any() else None


def _check_lines(frame: np.ndarray, lines: Sequence[_Line], paints: Paints, repair: bool) -> Checked:
    """Lines of one height are judged as if they stood beside one another."""
    before = list(accumulate((line.part.w for line in lines), initial=0))
    painted = np.concatenate([frame[line.part.slices] for line in lines], 1).astype(np.float32)
    share = np.concatenate([line.coverage for line in lines], 1).astype(np.float32) / 255
    texture = shade(np.concatenate([paints.planes[line.part.slices][..., 3] for line in lines], 1))
    starts = np.concatenate([line.starts + at for line, at in zip(lines, before, strict=False)])
    ends = np.concatenate([line.ends + at for line, at in zip(lines, before, strict=False)])
    paper, slope, fit, seen = _fit(painted, share, texture, starts, ends)
    readable = contrast(np.clip(paper / 255, 0, 1), np.clip((paper + slope) / 255, 0, 1)) >= LEAST_CONTRAST
    right = (fit >= LEAST_FIT) & readable
    wrong = seen & ~right
    if repair and wrong.any():
        inks, lights = paper + slope, luminance(paints.colours / 255)
        for line, (first, last) in zip(lines, pairwise(accumulate((len(line.starts) for line in lines), initial=0)), strict=True):
            own = slice(first, last)
            if wrong[own].any():
                wanted = paints.colours[line.item.role], lights[line.item.role]
                _repair(frame, line, inks[own], seen[own], wrong[own], wanted)
    return Checked(int(seen.sum()), int(wrong.sum()), int(wrong.sum()) if repair else 0)


_Ink = tuple[np.ndarray, float]  # a colour (3,) in [0, 255] and its luminance


def _repair(frame: np.ndarray, line: _Line, inks: np.ndarray, seen: np.ndarray, wrong: np.ndarray, wanted: _Ink) -> None:
    """Redraw the wrong glyphs of a line in the ink of those that are right. inks: (n, 3), what each glyph was painted in; wanted:
    the style's."""
    part, starts, ends = line.part, line.starts, line.ends
    painted, choices, good = frame[part.slices].copy(), [wanted, *BLACK_AND_WHITE], inks[seen & ~wrong]
    if len(good):
        own = np.clip(np.median(good, axis=0), 0, 255)
        choices.insert(0, (own, float(luminance(own / 255))))
    for first, last in _runs(wrong, seen, starts, ends):
        columns = slice(int(starts[first]), int(ends[last]))
        _redraw(painted[:, columns], line.coverage[:, columns], choices)
    inside = part.meet(line.rect)
    frame[inside.slices] = painted[inside.shift(-part.x, -part.y).slices]


def _columns(item: Glyphs, part: Rect) -> tuple[np.ndarray, np.ndarray]:
    """First and last-plus-one column of every glyph of the line, inside `part`."""
    pens = np.minimum(np.maximum(_pens(item.face, item.text) + (item.x - part.x), 0), part.w)
    wide = pens[1:] > pens[:-1]
    return pens[:-1][wide], pens[1:][wide]


@lru_cache(maxsize=1024)
def _pens(face: Face, text: str) -> np.ndarray:
    return np.array(offsets(face, text))


def _runs(wrong: np.ndarray, seen: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> list[tuple[int, int]]:
    """First and last glyph of every run of wrong ones, without a right glyph or anything that covers the line in it.

    Spaces belong to the run: what was painted there reads as letters too, and words on several papers read badly.
    """
    runs: list[tuple[int, int]] = []
    goes_on = False
    apart = (False, *(starts[1:] > ends[:-1]).tolist())
    for i, (is_wrong, is_seen, begins) in enumerate(zip(wrong.tolist(), seen.tolist(), apart, strict=True)):
        goes_on = goes_on and not begins and (is_wrong or not is_seen)
        if is_wrong:
            runs.append((runs.pop()[0] if goes_on else i, i))
            goes_on = True
    return runs


def _open(starts: np.ndarray, ends: np.ndarray, hidden: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The glyphs without the hidden columns at either end, as far as OPEN of a glyph is in one piece then."""
    shown = np.flatnonzero(~hidden)
    if not len(shown):
        return starts[:0], ends[:0]
    first = shown[np.minimum(np.searchsorted(shown, starts), len(shown) - 1)]
    last = shown[np.maximum(np.searchsorted(shown, ends) - 1, 0)] + 1
    concealed = np.concatenate([[0], hidden.cumsum()])
    kept = (concealed[last] == concealed[first]) & (last - first >= OPEN * (ends - starts))
    return first[kept], last[kept]


def _fit(
    painted: np.ndarray, share: np.ndarray, texture: np.ndarray, starts: np.ndarray, ends: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Least squares per glyph: paper (n, 3), ink - paper (n, 3), share of variance explained (n,), enough to judge (n,).

    A plane is taken out of coverage and painted pixels first, so that a gradient in the paper counts neither way. What
    of the rest goes along with the texture (h, w), where paper shows, is explained too.
    """

    def sums(*columns: np.ndarray) -> list[np.ndarray]:
        """Of values of each column, (w,) or (w, 3), the sums over each glyph, (n,) or (n, 3)."""
        rows = np.concatenate([np.atleast_2d(column.T) for column in columns], dtype=np.float64)
        running = np.zeros((len(rows), rows.shape[1] + 1))
        np.cumsum(rows, 1, out=running[:, 1:])
        found = iter(running[:, ends] - running[:, starts])
        return [next(found) if column.ndim == 1 else np.stack([next(found) for _ in range(3)], 1) for column in columns]

    height, wide = share.shape[0], (ends - starts).astype(np.float64)
    count = wide * height
    across, down = np.arange(share.shape[1]) + 0.5, np.arange(height) - (height - 1) / 2
    centre = (starts + ends) / 2
    var_x, var_y = count * np.maximum(wide**2 - 1, 1e-6) / 12, count * max(height**2 - 1, 1) / 12

    flat = painted.reshape(height, -1)  # numpy is slow where the last axis has three
    columns_c, columns_p = share.sum(0), painted.sum(0)
    sum_c, sum_cx, sum_cy, energy, sum_p, sum_px, sum_py, energy_p, sum_cp = sums(
        columns_c, columns_c * across, down @ share, np.square(share).sum(0),
        columns_p, columns_p * across[:, None], np.einsum("y,yx->x", down.astype(np.float32), flat).reshape(-1, 3),
        np.square(painted).sum(0), np.einsum("yx,yx->x", flat, np.repeat(share, 3, 1)).reshape(-1, 3),
    )  # fmt: skip
    c_x, c_y = (sum_cx - centre * sum_c) / np.sqrt(var_x), sum_cy / np.sqrt(var_y)
    p_x, p_y = (sum_px - centre[:, None] * sum_p) / np.sqrt(var_x)[:, None], sum_py / np.sqrt(var_y)[:, None]
    mean_c, mean_p = sum_c / count, sum_p / count[:, None]
    var_c = energy - count * mean_c**2 - c_x**2 - c_y**2
    var_p = energy_p - count[:, None] * mean_p**2 - p_x**2 - p_y**2
    cov = sum_cp - count[:, None] * mean_p * mean_c[:, None]
    cov -= c_x[:, None] * p_x + c_y[:, None] * p_y
    slope = cov / np.maximum(var_c, 1e-6)[:, None]
    paper = mean_p - slope * mean_c[:, None]
    explained = (slope * cov).sum(1)
    if texture.any():
        seen_of_it = texture * (1 - share)
        sum_t, sum_ct, energy_t, sum_pt = sums(
            seen_of_it.sum(0), (seen_of_it * share).sum(0), np.square(seen_of_it).sum(0),
            np.einsum("yx,yx->x", flat, np.repeat(seen_of_it, 3, 1)).reshape(-1, 3),
        )  # fmt: skip
        mean_t = sum_t / count
        cov_ct = sum_ct - count * mean_t * mean_c
        cov_pt = sum_pt - count[:, None] * mean_p * mean_t[:, None]
        var_t = energy_t - count * mean_t**2 - cov_ct**2 / np.maximum(var_c, 1e-6)
        left = cov_pt - slope * cov_ct[:, None]
        explained += (np.square(left) / np.maximum(var_t, 1e-3)[:, None]).sum(1)
    fit = explained / np.maximum(var_p.sum(1), 1e-6)
    return paper, slope, fit, (energy * 255 >= SMALLEST) & (var_c > 1e-3)


def _redraw(painted: np.ndarray, coverage: np.ndarray, choices: Sequence[_Ink]) -> None:
    """Draw one run of glyphs into uint8 (h, w, 3): paper around its strokes, then the strokes. choices: inks that it may be drawn
    in, the likeliest first."""
    inked = coverage > 0
    blank = np.ascontiguousarray(painted[~inked].T)
    rough, paper = (unevenness(blank) > ROUGH, median(blank)) if blank.size else (False, 255 - choices[0][0])
    bright = luminance(paper / 255)
    ratios = [float(ratio(light, bright)) for _, light in choices]
    best = next((i for i, reached in enumerate(ratios) if reached >= REPAIR_CONTRAST), int(np.argmax(ratios)))
    mixed = paper + (choices[best][0] - paper) * SHARES
    drawn = np.clip(np.round(mixed.astype(np.float32)), 0, 255).astype(np.uint8).take(coverage, axis=0)
    if rough:
        painted[:] = drawn
    else:
        near = _grown(inked)
        painted[near] = drawn[near]


def median(values: np.ndarray) -> np.ndarray:
    """Of each row of uint8 (3, n): float32 (3,)."""
    low, high = (values.shape[1] - 1) // 2, values.shape[1] // 2
    ordered = np.partition(values, (low, high), axis=1).astype(np.float32)
    return np.asarray((ordered[:, low] + ordered[:, high]) / 2)


def unevenness(values: np.ndarray) -> float:
    """The mean of the rows' standard deviations, of uint8 (3, n). Rows are added up by running sums, one number after the other, as
    numpy adds up columns."""
    count, rows = np.float32(values.shape[1]), values.astype(np.float32)
    rows -= rows.cumsum(1)[:, -1:] / count
    return float(np.sqrt(np.square(rows).cumsum(1)[:, -1] / count).mean())


def _grown(mask: np.ndarray) -> np.ndarray:
    """The mask and everything within HALO pixels of it."""
    h, w = mask.shape
    padded = np.zeros((h + 2 * HALO, w + 2 * HALO), bool)
    padded[HALO : HALO + h, HALO : HALO + w] = mask
    wide = np.logical_or.reduce([padded[:, dx : dx + w] for dx in range(2 * HALO + 1)])
    return np.asarray(np.logical_or.reduce([wide[dy : dy + h] for dy in range(2 * HALO + 1)]))

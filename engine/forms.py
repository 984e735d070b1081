"""What a style may do to the shapes that the guide draws square and flat: round their corners, raise their edges, make them shine, throw their shadow.

`Guide.forms` tells it pixel by pixel; which pixels those are of a shape stands here.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise, product

import numpy as np

from engine.geometry import Rect, edges
from engine.legibility import INKS
from engine.theme import NEUTRAL, ROUNDNESS, ROUNDS, Role, wanted_radius

SIDE = math.ceil(ROUNDS)  # pixels of the largest corner that may be round
ROLE, BESIDE = 31, 5  # of all but the first of `Guide.forms`: the bits of the role, and how many they are; what else it says is above them
LIT, SHADED, CAST = 1 << BESIDE, 2 << BESIDE, 4 << BESIDE  # of the fourth
CAPPED = 8  # of the third: a corner of fewer pixels is told
FLOATING = ("window", "menu")  # what throws a shadow or a glow on all that lies below
REACH, DROP = 8, 2  # pixels that these fall beyond it at most, a glow on every side; and how far down the light throws a shadow
LOWER = 1 << BESIDE  # of the third, at a corner of what floats, which is never so small: it is a lower one
_INSIDE = (0, 1, 2, 4, 6, 9)  # of the third, where no corner is: from how many pixels on within a side of what throws a shadow they count as one, as far as it may be round
DEEPEST = 4.0  # pixels: no edge of a rounded corner reaches deeper into it, what fades away beside it included
SHINES = 255  # of the second, where no corner is: from 1, the top of what may shine, to its bottom
PICTURED = 19  # of the second: from here on it is no role, but of COLOURS the one nearest to what a picture shows there
COLOURS = np.array(
    [
        (0, 0, 0), (64, 64, 64), (128, 128, 128), (192, 192, 192), (255, 255, 255), (200, 60, 50), (190, 130, 70), (240, 210, 80),
        (80, 150, 70), (70, 160, 170), (60, 100, 200), (140, 80, 170), (240, 170, 190),
    ],
    np.uint8,
)  # fmt: skip
_DRAWN = np.array([*INKS], np.uint32)  # the roles of letters and marks
_ELSEWHERE = np.array([[4e5 * (role not in grounds) for role in range(len(NEUTRAL))] for grounds in INKS.values()])  # which of them are drawn on no such ground
SHAPES = tuple(ROUNDNESS)  # of the second: by number
OWN = 255 | (255 - ROLE) << 8 | (255 - ROLE) << 16  # of all four as one number, the bits that only the corner itself decides


def cast(forms: np.ndarray, whole: Rect, inside: Rect) -> None:
    """Say in forms, uint8 (H, W, 4), where a shadow of what stands in `whole` may fall, on the wallpaper a glow, where beside it that is, and none
    of what lies below it; only `inside`."""
    for strip in edges(whole.grow(REACH), REACH):
        part = strip.meet(inside)
        if part:
            _cast_beside(forms[part.slices], part, whole)
    forms[whole.meet(inside).slices][..., 3] &= 255 - CAST


def _cast_beside(forms: np.ndarray, part: Rect, whole: Rect) -> None:
    """The same of a part, uint8 (part.h, part.w, 4), that lies beside it; of two things the nearer one is told, and of a corner's pixels nothing but
    that something may fall there."""
    places, rank = _places(), _rank()
    x, y = np.arange(part.x, part.right), np.arange(part.y, part.bottom)
    within, (above, below) = np.minimum(x - whole.x, whole.right - 1 - x), (y - whole.y, whole.bottom - 1 - y)
    down = np.minimum(above, below)
    beside = places[(below < above).view(np.uint8)[:, None], down.clip(-REACH, _INSIDE[-1])[:, None], within.clip(-REACH, _INSIDE[-1])]
    first, _, told, filled = (forms[..., i] for i in range(4))
    on_wallpaper, flat = (filled & ROLE) == 1 + Role.WALLPAPER, first == 0
    known = flat & (filled >= CAST)
    if known.any():
        new, old = beside[known], told[known]
        beside[known] = np.where(rank[new] > rank[old], new, old)
    falls = on_wallpaper | (within >= DROP - REACH) & (np.minimum(above - DROP, below + DROP) >= DROP - REACH)[:, None]
    np.copyto(told, beside, where=falls & flat)
    filled |= falls.view(np.uint8) * np.uint8(CAST)


@lru_cache(maxsize=1)
def _beside() -> tuple[tuple[bool, int, int], ...]:
    """What the third says where no corner is, from 1 on: whether it is below the middle of what throws a shadow, and how many pixels within its
    upper or lower side, and within its left or right, whichever is nearer: less than none outside, of _INSIDE within. The first is too far off."""
    deep = (*range(-REACH + 1, 0), *_INSIDE)
    near = [
        (lower, down, within) for lower in (False, True) for down in deep for within in deep
        if min(down, within) < 0 and math.hypot(min(down, 0), min(within, 0)) < REACH and not (lower and down == _INSIDE[-1])
    ]  # fmt: skip
    return (False, -REACH, -REACH), *near


@lru_cache(maxsize=1)
def _places() -> np.ndarray:
    """The number of each place, by whether it is a lower one, and pixels down and across, as far below 0 as from the end: uint8."""
    deep = np.arange(-REACH, _INSIDE[-1] + 1)
    counts_as = {at: at if at < 0 else max(level for level in _INSIDE if level <= at) for at in deep.tolist()}
    numbers = {place: number for number, place in enumerate(_beside(), 1)}
    table = np.ones((2, len(deep), len(deep)), np.uint8)
    for lower, down, within in product((0, 1), counts_as, counts_as):
        asked = lower > 0 and counts_as[down] < _INSIDE[-1], counts_as[down], counts_as[within]
        table[lower, down, within] = numbers.get(asked, 1)
    table.flags.writeable = False
    return table


@lru_cache(maxsize=1)
def _rank() -> np.ndarray:
    """Which of two places is nearer: uint16 (256,)."""
    return nearness()[6].sum(-1, dtype=np.uint16)  # in a look of the middle


@lru_cache(maxsize=1)
def nearness() -> np.ndarray:
    """What the third says where no corner is, by how round a look's windows are and its value: how near what throws a shadow and what throws a
    glow is, each squared, as they fade away, of 255: uint8 (ROUNDS + 1, 256, 2). Menus count as windows. Read only."""
    levels = {low: (low + high - 1) / 2 for low, high in pairwise((*_INSIDE, 2 * SIDE + 1))}  # no corner reaches into the last
    at = [(lower, levels.get(down, down), levels.get(within, within)) for lower, down, within in _beside()]
    near = np.zeros((SIDE + 1, 256, 2), np.uint8)
    near[:, 1 : 1 + len(at)] = _near(*np.array(at).T)
    near.flags.writeable = False
    return near


@lru_cache(maxsize=1)
def corner_nearness() -> np.ndarray:
    """The same at the corners of what throws them, by how round they are, whether it is a lower one, and what the first says: uint8
    (ROUNDS + 1, 2, 256, 2). Read only."""
    down, within = np.divmod(np.arange(256) - 1, SIDE)
    near = np.stack([_near(np.full(256, lower), down, within) for lower in (0, 1)], 1)
    near.flags.writeable = False
    return near


def _near(lower: np.ndarray, down: np.ndarray, within: np.ndarray) -> np.ndarray:
    """How near what is n times so many pixels within the sides of something is to its shadow and its glow, see `nearness`: uint8
    (ROUNDS + 1, n, 2)."""
    radius, drop = np.arange(SIDE + 1)[:, None], np.where(lower, DROP, -DROP)
    near = np.stack([fading(within, down + drop, radius, REACH - DROP), fading(within, down, radius, REACH)], -1)
    return np.round(255 * near).astype(np.uint8)


def fading(within: np.ndarray, down: np.ndarray, radius: int | np.ndarray, reach: int) -> np.ndarray:
    """How near what is so many pixels within the sides of something with round corners, less than none outside, is to it, squared: 1 inside, 0
    from `reach` pixels off."""
    # From where a corner is turned about to the middle of the outermost pixels.
    turn = np.asarray(np.maximum(radius - 0.5, 0), within.dtype if within.dtype.kind == "f" else float)
    away = np.hypot(np.maximum(turn - within, 0), np.maximum(turn - down, 0)) - turn
    return np.asarray(np.clip(1 - away / reach, 0, 1) ** 2)


def drawn_on(filled: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """What is told of pixels, uint8 (n, 3), that lie beneath a corner, for it is one role of each: of the one that was filled last, which is told by
    1 and its number, uint32 (n,), 0 where it is not known, and those of what is drawn on it the one that is nearest to what is shown: as `filled`."""
    role = np.maximum(filled, 1) - 1
    plain = NEUTRAL[role]
    at = np.flatnonzero((pixels != plain).any(-1) & (filled > 0))
    if not len(at):
        return filled
    shown, found = pixels[at].astype(np.int32), filled.copy()
    own, drawn = (np.square(shown - colours).sum(-1) for colours in (plain[at], NEUTRAL[_DRAWN, None].astype(np.int32)))
    drawn = drawn + _ELSEWHERE[:, role[at]]
    found[at] = np.where(drawn.min(0) < own, 1 + _DRAWN[drawn.argmin(0)], filled[at])
    return found


def pictured(pixels: np.ndarray) -> np.ndarray:
    """What stands in the second for pixels of a picture, uint8 (n, 3): uint32 (n,)."""
    apart = pixels[:, None].astype(np.int32) - COLOURS
    return (PICTURED + (apart * apart).sum(-1).argmin(1)).astype(np.uint32)


@lru_cache(maxsize=64)
def told_of(shape: str, most: int) -> np.ndarray:
    """The left top corner of a shape whose radius is at most `most` pixels, as `Guide.forms` as one number, without the roles:
    uint32 (side, side), 0 where no style changes anything, be it ever so round. Read only."""
    side = min(most, math.ceil(ROUNDNESS[shape][3]))
    at = np.arange(side, dtype=np.uint32)
    away = np.maximum(side - at - 0.5, 0)
    capped = side if side < CAPPED and shape not in FLOATING else 0
    told: np.ndarray = (1 + at + SIDE * at[:, None]) | SHAPES.index(shape) << 8 + BESIDE | capped << 16 + BESIDE
    told[side + 0.5 - np.hypot(away, away[:, None]) >= DEEPEST] = 0
    told.flags.writeable = False
    return told


@lru_cache(maxsize=256)
def shine(h: int) -> np.ndarray:
    """How far down each row of something `h` pixels high is, as the second says it, all four as one number: uint32 (h, 1). Read only."""
    told = np.round(np.linspace(1, SHINES, h)).astype(np.uint32)[:, None] << 8
    told.flags.writeable = False
    return told


def radii_in(windows: float) -> np.ndarray:
    """How round a style makes corners whose windows have the radius `windows`, by number of SHAPES, in pixels: float32 (S,)."""
    return np.array([wanted_radius(shape, windows) for shape in SHAPES], np.float32)


def touches_corner(rect: Rect, whole: Rect, shape: str) -> bool:
    """Whether `rect` reaches into one of the squares at the corners of a shape that a style may round."""
    off = math.ceil(ROUNDNESS[shape][3])
    beside = rect.x >= whole.x + off and rect.x + rect.w <= whole.x + whole.w - off
    return not beside and (rect.y < whole.y + off or rect.y + rect.h > whole.y + whole.h - off)


@lru_cache(maxsize=64)  # some kilobytes each
def corners(shape: str, w: int, h: int, stride: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The pixels of all four corners of a shape of w x h pixels, (n,) each: x and y from its left top corner, where they are
    in a flat frame of `stride` pixels a row, and what is told of each, see `told_of`. Read only."""
    told = told_of(shape, min(w // 2, h // 2))
    side = len(told)
    before = np.arange(side)
    y, x = (np.concatenate(parts) for parts in zip(*(
        (np.repeat(rows, side), np.tile(columns, side)) for rows in (before, h - 1 - before) for columns in (before, w - 1 - before)
    ), strict=True))  # fmt: skip
    told = np.tile(told.ravel(), (4, 1))
    if shape in FLOATING:
        told[2:] += (told[2:] > 0) * np.uint32(LOWER << 16)
    told = told.ravel()
    x, y, told = (part[told > 0] for part in (x, y, told))
    found = x, y, y * stride + x, told
    for array in found:
        array.flags.writeable = False
    return found


@lru_cache(maxsize=256)
def bevels(whole: Rect) -> tuple[tuple[Rect, int], ...]:
    """The strips along the inside of a raised shape's edges, each from corner to corner: LIT above and on the left, then, over
    it, SHADED on the other sides."""
    r, wide = whole, 2 if min(whole.w, whole.h) >= 12 else 1
    above, left = Rect(r.x, r.y, r.w, wide), Rect(r.x, r.y, wide, r.h)
    below, right = Rect(r.x, r.bottom - wide, r.w, wide), Rect(r.right - wide, r.y, wide, r.h)
    return (above, LIT), (left, LIT), (below, SHADED), (right, SHADED)

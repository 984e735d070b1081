"""What a style may do to the shapes that the guide draws square and flat: round their corners, raise their edges, make them shine, throw their shadow.

`Guide.forms` tells it pixel by pixel; which pixels those are of a shape stands here.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from engine.geometry import Rect, edges
from engine.theme import ROUNDNESS, ROUNDS, Role, wanted_radius

SIDE = math.ceil(ROUNDS)  # pixels of the largest corner that may be round
ROLE, BESIDE = 31, 5  # of all but the first of `Guide.forms`: the bits of the role, and how many they are; what else it says is above them
LIT, SHADED, CAST = 1 << BESIDE, 2 << BESIDE, 4 << BESIDE  # of the fourth
CAPPED = 8  # of the third: a corner of fewer pixels is told
FLOATING = ("window", "menu")  # what throws a shadow or a glow on all that lies below
REACH, DROP = 8, 2  # pixels that these fall beyond it at most, a glow on every side; and how far down the light throws a shadow
_STEPS = 2  # a pixel that the third, where no corner is, tells apart of how far off what throws a shadow is
_SHADED, _LIT = _STEPS * (REACH - DROP), _STEPS * REACH  # from where on, in such steps, no shadow and no glow falls
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
SHAPES = tuple(ROUNDNESS)  # of the second: by number
_AWAY = np.round(_STEPS * np.hypot(*np.ogrid[: REACH + DROP + 1, : REACH + 1])).astype(np.uint8)  # by pixels down and across
OWN = 255 | (255 - ROLE) << 8 | (255 - ROLE) << 16  # of all four as one number, the bits that only the corner itself decides


def cast(forms: np.ndarray, whole: Rect, inside: Rect) -> None:
    """Say in forms, uint8 (H, W, 4), where a shadow of what stands in `whole` may fall, on the wallpaper a glow, how far off that is, and none of
    what lies below it; only `inside`."""
    for strip in edges(whole.grow(REACH), REACH):
        part = strip.meet(inside)
        if part:
            _cast_beside(forms[part.slices], part, whole)
    forms[whole.meet(inside).slices][..., 3] &= 255 - CAST


def _cast_beside(forms: np.ndarray, part: Rect, whole: Rect) -> None:
    """The same of a part, uint8 (part.h, part.w, 4), that lies beside it; of two things the nearer one is told, and of a corner's pixels nothing but
    that something may fall there."""
    x, y = np.arange(part.x, part.right), np.arange(part.y, part.bottom)
    aside, above, below = (np.maximum(np.maximum(low - at, at - high), 0) for low, high, at in (
        (whole.x, whole.right - 1, x), (whole.y, whole.bottom - 1, y), (whole.y + DROP, whole.bottom - 1 + DROP, y),
    ))  # fmt: skip
    first, _, told, filled = (forms[..., i] for i in range(4))
    dark, light = np.minimum(_AWAY[below[:, None], aside], _SHADED), np.minimum(_AWAY[above[:, None], aside], _LIT)
    on_wallpaper = (filled & ROLE) == 1 + Role.WALLPAPER
    light[~on_wallpaper] = _LIT
    flat = first == 0
    known = flat & (filled >= CAST)
    if known.any():
        known_dark, known_light = np.divmod(told[known] - 1, _LIT + 1)
        dark[known], light[known] = np.minimum(dark[known], known_dark), np.minimum(light[known], known_light)
    falls = on_wallpaper | ((aside <= REACH - DROP) & (below <= REACH - DROP)[:, None])
    np.copyto(told, 1 + dark * np.uint8(_LIT + 1) + light, where=falls & flat)
    filled |= falls.view(np.uint8) * np.uint8(CAST)


def nearness() -> np.ndarray:
    """What the third says where no corner is, by its value: how near what throws a shadow and what throws a glow is, each squared, as they fade
    away where nothing is round, of 255: uint8 (256, 2)."""
    dark, light = np.divmod(np.arange(256) - 1, _LIT + 1)
    near = np.stack([1 - dark / _SHADED, 1 - light / _LIT], 1).clip(0, 1)
    near[0] = 0
    return np.round(255 * near * near).astype(np.uint8)


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
    told: np.ndarray = (1 + at + SIDE * at[:, None]) | SHAPES.index(shape) << 8 + BESIDE | (side if side < CAPPED else 0) << 16 + BESIDE
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
    told = np.tile(told.ravel(), 4)
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

"""What a style may do to the shapes that the guide draws square and flat: round their corners, raise their edges.

`Guide.forms` tells it pixel by pixel; which pixels those are of a shape stands here.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from engine.geometry import Rect
from engine.theme import ROUNDNESS

CUTS = 16  # steps of the first of `Guide.forms` a pixel of radius
LIT, SHADED = 32, 64  # of the fourth: the bits beside the role
ROLE = 31  # and those of the role


@lru_cache(maxsize=64)
def cut_off(shape: str, most: int) -> np.ndarray:
    """The left top corner of a shape whose radius is at most `most` pixels, as the first of `Guide.forms`: uint8
    (side, side). Read only.

    A circle of radius r in the corner leaves out the pixel (x, y), counted from the corner, where r > x + y + sqrt(2 x y).
    """
    factor, offset, least, most_of_shape = ROUNDNESS[shape]
    side = min(most, math.ceil(most_of_shape))
    x = np.arange(side) + 0.5
    own = x[None] + x[:, None] + np.sqrt(2 * x[None] * x[:, None])  # radius of the shape itself
    style = np.maximum((own - offset) / factor, least)
    easily = np.clip(np.round(255 - CUTS * style), 1, 255).astype(np.uint8)
    easily.flags.writeable = False
    return easily


def touches_corner(rect: Rect, whole: Rect, shape: str) -> bool:
    """Whether `rect` reaches into one of the squares at the corners of a shape that a style may round."""
    off = math.ceil(ROUNDNESS[shape][3])
    beside = rect.x >= whole.x + off and rect.x + rect.w <= whole.x + whole.w - off
    return not beside and (rect.y < whole.y + off or rect.y + rect.h > whole.y + whole.h - off)


@lru_cache(maxsize=256)  # some kilobytes each
def corners(shape: str, w: int, h: int, stride: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The pixels of all four corners of a shape of w x h pixels, (n,) each: x and y from its left top corner, where they are
    in a flat frame of `stride` pixels a row, and how easily each is cut off, uint32. Read only."""
    easily = cut_off(shape, min(w // 2, h // 2))
    side = len(easily)
    before = np.arange(side)
    y, x = (np.concatenate(parts) for parts in zip(*(
        (np.repeat(rows, side), np.tile(columns, side)) for rows in (before, h - 1 - before) for columns in (before, w - 1 - before)
    ), strict=True))  # fmt: skip
    found = x, y, y * stride + x, np.tile(easily.ravel(), 4).astype(np.uint32)
    for array in found:
        array.flags.writeable = False
    return found


@lru_cache(maxsize=1024)
def bevels(whole: Rect) -> tuple[tuple[Rect, int], ...]:
    """The strips along the inside of a raised shape's edges, each from corner to corner: LIT above and on the left, then, over
    it, SHADED on the other sides."""
    r, wide = whole, 2 if min(whole.w, whole.h) >= 12 else 1
    above, left = Rect(r.x, r.y, r.w, wide), Rect(r.x, r.y, wide, r.h)
    below, right = Rect(r.x, r.bottom - wide, r.w, wide), Rect(r.right - wide, r.y, wide, r.h)
    return (above, LIT), (left, LIT), (below, SHADED), (right, SHADED)

"""Rectangles in frame pixels, and the sets of them that damage is made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from engine.errors import SizeError

GRID = 8  # damage is snapped to this many pixels
SIZE_STEP = 64
SMALLEST_SIZE = (256, 192)
LARGEST_SIZE = (2048, 1536)


class Rect(NamedTuple):
    """A half-open rectangle: x <= px < x + w, y <= py < y + h, in frame pixels."""

    x: int
    y: int
    w: int
    h: int

    @property
    def right(self) -> int:
        return self.x + self.w

    @property
    def bottom(self) -> int:
        return self.y + self.h

    @property
    def area(self) -> int:
        return max(self.w, 0) * max(self.h, 0)

    @property
    def centre(self) -> tuple[int, int]:
        return self.x + self.w // 2, self.y + self.h // 2

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of this rect in an (H, W, ...) array."""
        return slice(self.y, self.y + self.h), slice(self.x, self.x + self.w)

    @property
    def cells(self) -> tuple[slice, slice]:
        """Rows and columns of the grid's cells that it touches, to index an array of cells with; of a rect on the frame."""
        x, y, right, bottom = self.x // GRID, self.y // GRID, -(-self.right // GRID), -(-self.bottom // GRID)
        return slice(y, bottom), slice(x, right)

    def __bool__(self) -> bool:
        return self.w > 0 and self.h > 0

    def holds(self, x: int, y: int) -> bool:
        return self.x <= x < self.x + self.w and self.y <= y < self.y + self.h

    def covers(self, other: Rect) -> bool:
        return (
            self.x <= other.x and self.y <= other.y and self.right >= other.right and self.bottom >= other.bottom
        )

    def meet(self, other: Rect) -> Rect:
        """The part in common; a rect of no area where there is none."""
        x, y, w, h = self  # plain comparisons: a drawing of the desktop asks this a thousand times
        ox, oy, ow, oh = other
        right, bottom = x + w, y + h
        if x >= ox and y >= oy and right <= ox + ow and bottom <= oy + oh and w >= 0 and h >= 0:
            return self  # as nearly always
        if ox > x:
            x = ox
        if oy > y:
            y = oy
        if ox + ow < right:
            right = ox + ow
        if oy + oh < bottom:
            bottom = oy + oh
        return Rect(x, y, right - x if right > x else 0, bottom - y if bottom > y else 0)

    def join(self, other: Rect) -> Rect:
        """The smallest rect around both."""
        if not self:
            return other
        if not other:
            return self
        x, y = min(self.x, other.x), min(self.y, other.y)
        return Rect(x, y, max(self.right, other.right) - x, max(self.bottom, other.bottom) - y)

    def grow(self, pixels: int) -> Rect:
        return Rect(self.x - pixels, self.y - pixels, self.w + 2 * pixels, self.h + 2 * pixels)

    def shift(self, dx: int, dy: int) -> Rect:
        return Rect(self.x + dx, self.y + dy, self.w, self.h)

    def snap(self, grid: int = GRID) -> Rect:
        """The smallest rect around this one whose edges lie on the grid."""
        x, y, w, h = self
        left, top = x // grid * grid, y // grid * grid
        return Rect(left, top, -(-(x + w) // grid) * grid - left, -(-(y + h) // grid) * grid - top)

    def inset(self, left: int, top: int, right: int, bottom: int) -> Rect:
        return Rect(self.x + left, self.y + top, self.w - left - right, self.h - top - bottom)


def edges(rect: Rect, width: int) -> tuple[Rect, Rect, Rect, Rect]:
    """The four strips along the inside of a rect's edges: top, bottom, left, right."""
    r, w = rect, width
    return (
        Rect(r.x, r.y, r.w, w),
        Rect(r.x, r.bottom - w, r.w, w),
        Rect(r.x, r.y + w, w, r.h - 2 * w),
        Rect(r.right - w, r.y + w, w, r.h - 2 * w),
    )


def merge(rects: Iterable[Rect], waste: float = 1.3) -> tuple[Rect, ...]:
    """Join rects that touch or whose union costs at most `waste` times their own areas, until nothing changes.

    The result covers every pixel of the input and holds no two overlapping rects.
    """
    # Plain numbers: a window that moves brings hundreds of rects.
    todo = [(x, y, x + w, y + h) for x, y, w, h in rects if w > 0 and h > 0]
    done: list[tuple[int, int, int, int]] = []  # no two of them are to be joined
    while todo:
        rect = x, y, right, bottom = todo.pop()
        area = (right - x) * (bottom - y)
        for i, other in enumerate(done):
            left, top, end, foot = other
            if left <= x and top <= y and end >= right and foot >= bottom:
                done.append(done.pop(i))
                break
            joined = min(x, left), min(y, top), max(right, end), max(bottom, foot)
            meets = x < end and left < right and y < foot and top < bottom
            around = (joined[2] - joined[0]) * (joined[3] - joined[1])
            if meets or around <= waste * (area + (end - left) * (foot - top)):
                del done[i]
                todo.append(joined)
                break
        else:
            done.append(rect)
    return tuple(Rect(x, y, right - x, bottom - y) for x, y, right, bottom in sorted(done, key=lambda r: (r[1], r[0])))


def parse_size(text: str) -> tuple[int, int]:
    """`WIDTHxHEIGHT` to (width, height).

    Raises SizeError unless both are multiples of 64 between 256x192 and 2048x1536.
    """
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise SizeError(f"size {text!r} is not WIDTHxHEIGHT; write for example 512x384")
    return check_size((int(width), int(height)))


def check_size(size: tuple[int, int]) -> tuple[int, int]:
    """The size itself, if painters can paint it. Raises SizeError otherwise."""
    low, high = SMALLEST_SIZE, LARGEST_SIZE
    for value, least, most in zip(size, low, high, strict=True):
        if value % SIZE_STEP or not least <= value <= most:
            raise SizeError(
                f"size {size[0]}x{size[1]} cannot be painted: width and height must be multiples of {SIZE_STEP} "
                f"from {low[0]}x{low[1]} to {high[0]}x{high[1]}; try 512x384"
            )
    return size

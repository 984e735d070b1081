"""What the desktop asks to have drawn: an ordered list of items, back to front.

Items know roles, not colours, and every item stays inside its `rect`. The guide draws them plainly; the training
source draws the same items in a style.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from engine.geometry import Rect
from engine.theme import Role
from engine.typeface import Face

GROUPS = ("window", "menu", "bar", "wallpaper")  # a fill of these shapes begins what lies over all before it


class Fill(NamedTuple):
    """A filled rect. `whole` is the rect before clipping; `shape` tells a style what it is:
    plain, wallpaper, window, title, title_idle, body, bar, button, field, menu, tile, row, thumb or line."""

    rect: Rect
    role: Role
    shape: str = "plain"
    whole: Rect = Rect(0, 0, 0, 0)


class Outline(NamedTuple):
    """The edge of `whole`, `width` pixels wide, drawn only inside `rect`; `shape` as of the Fill it goes round."""

    rect: Rect
    role: Role
    shape: str
    whole: Rect
    width: int


class Glyphs(NamedTuple):
    """One line of text, its line box's left top corner at (x, y), drawn only inside `rect`."""

    rect: Rect
    role: Role
    x: int
    y: int
    text: str
    face: Face


class Mark(NamedTuple):
    """A named picture of one colour, scaled to `whole`, drawn only inside `rect`."""

    rect: Rect
    role: Role
    name: str
    whole: Rect


class Picture(NamedTuple):
    """Content pixels, uint8 (whole.h, whole.w, 3), that no style may change; `key` changes whenever they do."""

    rect: Rect
    role: Role
    key: tuple
    whole: Rect
    pixels: np.ndarray

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Picture) and self[:4] == other[:4]

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self[:4])


Item = Fill | Outline | Glyphs | Mark | Picture


class Group(NamedTuple):
    """Items that lie over all before them: a window, menu or bar with all that is drawn in it. fill: the one that begins it, None
    for what lies below the first; edge: the role of its edge."""

    items: tuple[Item, ...]
    fill: Fill | None = None
    edge: Role = Role.WALLPAPER

    @property
    def rect(self) -> Rect:
        """What it hides of all before it."""
        return self.fill.rect if self.fill else Rect(0, 0, 0, 0)

    def touching(self, rect: Rect) -> list[Item]:
        x, y, right, bottom = rect.x, rect.y, rect.right, rect.bottom
        return [
            item for item in self.items
            if (there := item[0])[0] < right and there[1] < bottom and there[0] + there[2] > x and there[1] + there[3] > y
        ]  # fmt: skip


def grouped(items: Sequence[Item]) -> list[Group]:
    """Items, back to front, as the groups they make, back to front."""
    starts = [i for i, item in enumerate(items) if type(item) is Fill and item.shape in GROUPS]
    groups = [Group(tuple(items[: starts[0] if starts else len(items)]))]
    for start, end in pairwise((*starts, len(items))):
        fill, members = items[start], tuple(items[start:end])
        assert isinstance(fill, Fill)
        round_it = [item.role for item in members if type(item) is Outline and item.whole == fill.whole]
        own = Role.BORDER if fill.shape == "window" else fill.role
        groups.append(Group(members, fill, round_it[-1] if round_it else own))
    return groups


# Each mark is drawn on a 24 x 24 field: (kind, coordinates, stroke width or 0 for filled). "cut" erases.
_MARKS: dict[str, list[tuple[str, tuple[float, ...], float]]] = {
    "close": [("line", (6, 6, 18, 18), 2.6), ("line", (18, 6, 6, 18), 2.6)],
    "minimise": [("line", (6, 17, 18, 17), 2.6)],
    "maximise": [("box", (6, 6, 18, 18), 2.6)],
    "restore": [("box", (5, 9, 15, 19), 2.4), ("line", (9, 5, 19, 5, 19, 15), 2.4)],
    "up": [("poly", (5, 16, 12, 8, 19, 16), 0)],
    "down": [("poly", (5, 8, 19, 8, 12, 16), 0)],
    "left": [("poly", (16, 5, 16, 19, 8, 12), 0)],
    "right": [("poly", (8, 5, 16, 12, 8, 19), 0)],
    "check": [("line", (5, 12, 10, 18, 19, 6), 3)],
    "radio": [("disc", (6, 6, 18, 18), 0)],
    "ring": [("circle", (4, 4, 20, 20), 2.4)],
    "search": [("circle", (4, 4, 15, 15), 2.6), ("line", (14, 14, 20, 20), 3)],
    "plus": [("line", (12, 5, 12, 19), 2.6), ("line", (5, 12, 19, 12), 2.6)],
    "undo": [("line", (5, 10, 16, 10, 19, 13, 19, 16, 16, 19, 9, 19), 2.4), ("poly", (9, 4, 9, 16, 3, 10), 0)],
    "redo": [("line", (19, 10, 8, 10, 5, 13, 5, 16, 8, 19, 15, 19), 2.4), ("poly", (15, 4, 15, 16, 21, 10), 0)],
    "logo": [("disc", (3, 3, 10.5, 10.5), 0), ("disc", (13.5, 3, 21, 10.5), 0), ("disc", (3, 13.5, 10.5, 21), 0),
             ("box", (14.5, 14.5, 20, 20), 2.2)],
    "notes": [("box", (5, 3, 19, 21), 2.2), ("line", (8, 8, 16, 8), 1.8), ("line", (8, 12, 16, 12), 1.8),
              ("line", (8, 16, 13, 16), 1.8)],
    "document": [("line", (6, 3, 14, 3, 19, 8, 19, 21, 6, 21, 6, 3), 2), ("line", (9, 12, 16, 12), 1.6),
                 ("line", (9, 16, 16, 16), 1.6)],
    "files": [("line", (3, 19, 3, 5, 9, 5, 11, 8, 21, 8, 21, 19, 3, 19), 2.2)],
    "folder": [("line", (3, 19, 3, 5, 9, 5, 11, 8, 21, 8, 21, 19, 3, 19), 2.2)],
    "picture": [("box", (3, 5, 21, 19), 2), ("poly", (5, 17, 10, 10, 13, 14, 15, 12, 19, 17), 0),
                ("disc", (14, 7, 17, 10), 0)],
    "bin": [("line", (4, 6, 20, 6), 2.2), ("line", (9, 6, 9, 3, 15, 3, 15, 6), 1.8),
            ("line", (6, 6, 7, 21, 17, 21, 18, 6), 2.2), ("line", (10, 10, 10, 17), 1.8), ("line", (14, 10, 14, 17), 1.8)],
    "paint": [("poly", (3, 21, 5, 15, 9, 19), 0), ("line", (7, 17, 18, 6), 4.4), ("disc", (15.5, 3, 21, 8.5), 0)],
    "fill": [("poly", (4, 12, 12, 4, 19, 11, 11, 19), 0), ("disc", (18, 14, 22, 20), 0)],
    "eraser": [("line", (9, 19, 4, 14, 14, 4, 20, 10, 11, 19, 9, 19), 2.2), ("poly", (9, 9, 15, 15, 11, 19, 9, 19, 4, 14), 0),
               ("line", (13, 20, 20, 20), 2)],
    "calculator": [("box", (5, 2, 19, 22), 2.2), ("poly", (8, 5, 16, 5, 16, 9, 8, 9), 0), ("disc", (7.5, 11.5, 10.5, 14.5), 0),
                   ("disc", (13.5, 11.5, 16.5, 14.5), 0), ("disc", (7.5, 16, 10.5, 19), 0), ("disc", (13.5, 16, 16.5, 19), 0)],
    "settings": [("circle", (6, 6, 18, 18), 3.4), ("line", (12, 2, 12, 6), 3), ("line", (12, 18, 12, 22), 3),
                 ("line", (2, 12, 6, 12), 3), ("line", (18, 12, 22, 12), 3), ("line", (5, 5, 7.5, 7.5), 3),
                 ("line", (16.5, 16.5, 19, 19), 3), ("line", (5, 19, 7.5, 16.5), 3), ("line", (16.5, 7.5, 19, 5), 3)],
    "snake": [("line", (4, 18, 4, 12, 11, 12, 11, 6, 18, 6), 3.6), ("disc", (16, 15, 21, 20), 0)],
    "log": [("box", (3, 4, 21, 20), 2.2), ("line", (6, 9, 10, 12, 6, 15), 2), ("line", (12, 16, 18, 16), 2)],
}  # fmt: skip
MARKS = frozenset(_MARKS)


@lru_cache(maxsize=512)
def mark(name: str, w: int, h: int) -> np.ndarray:
    """Coverage of a mark: uint8 (h, w). Read only."""
    scale = 8  # drawn large, then averaged down
    image = Image.new("L", (24 * scale, 24 * scale))
    pen = ImageDraw.Draw(image)
    for kind, numbers, stroke in _MARKS[name]:
        xy = [n * scale for n in numbers]
        line_width = round(stroke * scale)
        if kind == "line":
            pen.line(xy, fill=255, width=line_width, joint="curve")
            for x, y in zip(xy[::2], xy[1::2], strict=True):
                r = line_width / 2
                pen.ellipse((x - r, y - r, x + r, y + r), fill=255)
        elif kind == "box":
            pen.rectangle(xy, outline=255, width=line_width)
        elif kind == "poly":
            pen.polygon(xy, fill=255)
        elif kind == "disc":
            pen.ellipse(xy, fill=255)
        elif kind == "circle":
            pen.ellipse(xy, outline=255, width=line_width)
    coverage = np.asarray(image.resize((w, h), Image.Resampling.BOX))
    coverage.flags.writeable = False
    return coverage

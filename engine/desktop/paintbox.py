"""The paintbox: three tools, three widths, twelve colours; and where it stands beside the picture that is painted with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from engine.desktop import bitmap
from engine.desktop.canvas import Canvas
from engine.geometry import Rect
from engine.scene import Touch
from engine.theme import Role

WIDTHS = {"small": 3, "medium": 7, "large": 15}  # pixels
TOOLS = {"brush": "paint", "fill": "fill", "eraser": "eraser"}  # tool -> mark
COLOURS: dict[str, bitmap.Colour] = {
    "black": (24, 24, 27),
    "white": (255, 255, 255),
    "grey": (148, 152, 160),
    "red": (214, 48, 49),
    "orange": (240, 140, 40),
    "yellow": (250, 212, 72),
    "green": (60, 150, 75),
    "teal": (40, 160, 160),
    "blue": (45, 98, 200),
    "purple": (128, 80, 180),
    "pink": (236, 128, 170),
    "brown": (130, 88, 58),
}
COLOUR_KEYS = dict(zip("1234567890-=", COLOURS, strict=True))
PAD, GAP, BESIDE = 7, 3, 8  # pixels around everything, between cells, and between the box and the picture


def picture_room(content: Rect) -> Rect:
    """What the box leaves of a window's content for the picture."""
    area = content.inset(PAD, PAD, PAD, PAD)
    left = area.x + 3 * (_side(area) + GAP) - GAP + BESIDE
    return Rect(left, area.y, area.right - left, area.h)


def picture_place(room: Rect, width: int, height: int) -> Rect:
    """Where a picture of that size is shown in there: as large as fits, larger than itself only by whole numbers."""
    scale = min((room.w - 2) / width, (room.h - 2) / height)
    scale = float(int(scale)) if scale >= 1 else scale
    w, h = max(round(width * scale), 1), max(round(height * scale), 1)
    return Rect(room.x + (room.w - w) // 2, room.y + (room.h - h) // 2, w, h)


def cell(content: Rect, column: float, row: int, span: float = 1, group: int = 0) -> Rect:
    """Where a button of the box stands in a window's content: three columns, eight rows in groups; span: columns that it takes."""
    area = content.inset(PAD, PAD, PAD, PAD)
    side = _side(area)
    step = side + GAP
    x, y = area.x + round(column * step), area.y + row * step + group * 4
    return Rect(x, y, area.x + round((column + span) * step) - GAP - x, side)


def draw_deeds(canvas: Canvas, clicks: Mapping[str, Callable[[], None]], undoes: bool, redoes: bool) -> None:
    """The last two rows of the box, on the window's canvas: what can be done with the picture, and how by name; undoes, redoes: whether
    there is something to."""
    place = partial(cell, canvas.rect, group=3)
    canvas.button("undo", place(0, 6, 1.5), clicks["undo"], icon="undo", enabled=undoes)
    canvas.button("redo", place(1.5, 6, 1.5), clicks["redo"], icon="redo", enabled=redoes)
    canvas.button("new", place(0, 7, 1.5), clicks["new"], icon="plus")
    canvas.button("clear", place(1.5, 7, 1.5), clicks["clear"], icon="bin")


def _side(area: Rect) -> int:
    """Of a cell, pixels."""
    return max(8, min(24, (area.h - 34) // 8))


class Paintbox:
    """`tool`, `width` and `colour` are what is chosen; `focus(name)` gives the focus to a colour's button."""

    def __init__(self, state: dict[str, Any], focus: Callable[[str], None]) -> None:
        self.tool: str = state.get("tool", "brush")
        self.width: str = state.get("width", "medium")
        self.colour: str = state.get("colour", "black")
        self._focus = focus

    def state(self) -> dict[str, Any]:
        return {"tool": self.tool, "width": self.width, "colour": self.colour}

    def apply(self, pixels: np.ndarray, start: tuple[int, int], end: tuple[int, int]) -> None:
        """Use the tool on a picture, uint8 (H, W, 3), from one point to another; filling takes the second."""
        if self.tool != "fill":
            bitmap.stroke(pixels, start, end, WIDTHS[self.width], COLOURS["white" if self.tool == "eraser" else self.colour])
        elif 0 <= end[0] < pixels.shape[1] and 0 <= end[1] < pixels.shape[0]:
            bitmap.flood(pixels, *end, COLOURS[self.colour])

    def key(self, key: str) -> bool:
        """Choose by a tool's first letter, a colour's number, or the brackets for the width. True if it was one of them."""
        tool = next((t for t in TOOLS if t[0] == key), "")
        widths = list(WIDTHS)
        if tool:
            self.tool = tool
        elif key in COLOUR_KEYS:
            self.colour = COLOUR_KEYS[key]
        elif key in ("[", "]"):
            at = widths.index(self.width) + (1 if key == "]" else -1)
            self.width = widths[max(0, min(at, len(widths) - 1))]
        else:
            return False
        return True

    def draw(self, canvas: Canvas) -> None:
        """The first six rows, on the window's canvas."""
        place = partial(cell, canvas.rect)
        for i, (tool, mark) in enumerate(TOOLS.items()):
            canvas.button(tool, place(i, 0), self._chooser("tool", tool), icon=mark, checked=self.tool == tool)
        for i, name in enumerate(WIDTHS):
            box, lit = place(i, 1, group=1), self.width == name
            canvas.button(name, box, self._chooser("width", name), text="", checked=lit)
            side = (6, 10, 14)[i] * box.h // 18
            dot = Rect(box.x + (box.w - side) // 2, box.y + (box.h - side) // 2, side, side)
            canvas.mark(dot, "radio", Role.ACCENT_INK if lit else Role.INK)
        for i, name in enumerate(COLOURS):
            self._draw_swatch(canvas, name, place(i % 3, 2 + i // 3, group=2))

    def _chooser(self, what: str, name: str) -> Callable[[], None]:
        return lambda: setattr(self, what, name)

    def _draw_swatch(self, canvas: Canvas, name: str, box: Rect) -> None:
        chosen = self.colour == name
        touch = Touch(click=self._chooser("colour", name), key=self._palette_key, focusable=True)
        widget = canvas.widget("toggle", name, box, touch, name, chosen, ("checked",) * chosen)
        lit = chosen or "focused" in widget.state
        canvas.outline(box, Role.ACCENT if lit else Role.BORDER, 2 if chosen else 1)
        inner = box.grow(-4 if chosen else -2)
        canvas.picture(inner, np.full((inner.h, inner.w, 3), COLOURS[name], np.uint8), ("colour", name))

    def _palette_key(self, key: str, mods: tuple[str, ...]) -> bool:
        names = list(COLOURS)
        step = {"left": -1, "right": 1, "up": -3, "down": 3}.get(key, 0)
        at = names.index(self.colour) + step
        if not step or mods or not 0 <= at < len(names):
            return bool(step) and not mods
        self.colour = names[at]
        self._focus(self.colour)
        return True

"""Strokes in dreams: what a tool does to the picture in a window of Paint before the document is kept, which is told once the button goes
up. The desktop's own code paints it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from torch import Tensor

from engine.desktop import bitmap
from engine.desktop.canvas import Canvas, Sheet
from engine.desktop.paintbox import Paintbox, picture_place, picture_room
from engine.events import Down, Move, Up
from engine.geometry import Rect
from engine.open_work import Work, values_of
from models.dreaming.papers import picture_of
from models.dreaming.pictures import drawn
from models.dreaming.steps import Step


class Painted(NamedTuple):
    """view: where in the frame a picture stands; look: what it shows there, uint8 (PLANES, h, w)."""

    view: Rect
    look: Tensor


class Stroke:
    """The one that goes on, if one does, in a frame of `size` (width, height)."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._pixels: np.ndarray | None = None  # of the whole picture, as far as it is painted
        self._pen = (0, 0)

    def clear(self) -> None:
        """None does."""
        self._pixels = None

    def take(self, step: Step, held: Rect, work: Work) -> Painted | None:
        """What an event makes of the picture in a window of Paint, which holds what it holds at `held`, frame pixels; None where it leaves it
        as it is."""
        event = step.event
        if isinstance(event, Down) and event.button == "left":
            self._pixels = None if (told := picture_of(work)) is None else told.copy()
        elif isinstance(event, Up) or not step.buttons:
            self._pixels = None
        if self._pixels is None or not isinstance(event, (Down, Move)):
            return None
        height, width = self._pixels.shape[:2]
        view, box = picture_place(picture_room(held), width, height), Paintbox(values_of(work.rows), lambda _: None)
        x, y = (max(0, min(side - 1, along)) for along, side in zip((event.x, event.y), self._size, strict=True))
        at = (x - view.x) * width // view.w, (y - view.y) * height // view.h
        if isinstance(event, Down):
            if not view.holds(event.x, event.y):
                self._pixels = None
                return None
            self._pen = at
        elif at == self._pen or box.tool == "fill":
            return None
        box.apply(self._pixels, self._pen, at)
        self._pen = at
        sheet, outer = Sheet(0), Rect(0, 0, view.w, view.h)
        Canvas(sheet, outer).picture(outer, bitmap.scaled(self._pixels, view.w, view.h), ("stroke",))
        return Painted(view, drawn(sheet.items, view.w, view.h))

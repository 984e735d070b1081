"""The desktop's icons in dreams: which of them a pointer lights and presses follows from where it is, and the desktop's own code draws it."""

from __future__ import annotations

from functools import lru_cache

from torch import Tensor

from engine.desktop import shell
from engine.desktop.apps.registry import APPS
from engine.desktop.canvas import Canvas, Sheet
from engine.geometry import Rect
from models.dreaming.pictures import drawn

_KEPT = 8  # icons that are kept as they were drawn


def at(area: Rect, text_size: int, x: int, y: int) -> int | None:
    """The icon that holds a point of the bare desktop, by its app's slot; `area`: what is above the taskbar."""
    return next((slot for slot, box in enumerate(boxes(area, text_size)) if box.holds(x, y)), None)


def boxes(area: Rect, text_size: int) -> list[Rect]:
    """Where the icons stand with their names."""
    return shell.icon_boxes(area, text_size, len(APPS))


@lru_cache(maxsize=_KEPT)
def lit(area: Rect, text_size: int, slot: int, pressed: bool) -> Tensor:
    """What such a box shows while the pointer is on it, uint8 (PLANES, h, w); pressed: whether the left button went down on it. Read only."""
    path = f"icons/{list(APPS)[slot]}"
    sheet = Sheet(text_size, hover=path, pressed=path if pressed else "")
    shell.draw_icons(Canvas(sheet, area), list(APPS.values()), lambda _: None, list)
    return drawn(sheet.items, area.w, area.h)[:, *boxes(area, text_size)[slot].slices].clone()

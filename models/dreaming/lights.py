"""What a pointer lights in dreams, where that follows from where it is: icons, buttons in title bars and in the taskbar, and what stands in
windows of which all is told. The desktop's own code draws it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from engine import scene
from engine.desktop import shell
from engine.desktop.apps.registry import APPS
from engine.desktop.canvas import Canvas, Sheet
from engine.geometry import Rect
from engine.open_work import Work
from models.bytewise import put
from models.dreaming.frames import Frame
from models.dreaming.papers import sheet_of
from models.dreaming.pictures import drawn

_KEPT = 8  # icons that are kept as they were drawn


class Lit(NamedTuple):
    """rect: where in the frame something stands; look: what it shows while the pointer is on it, uint8 (PLANES, h, w)."""

    rect: Rect
    look: Tensor

    def put(self, planes: Tensor, area: Rect, above: Iterable[Rect]) -> None:
        """Into a guide, uint8 (PLANES, H, W): what of it lies in `area`, and not beneath the windows `above`."""
        box = self.rect.meet(area)
        seen = torch.ones(box.h, box.w, dtype=torch.bool)
        for window in above:
            seen[window.meet(box).shift(-box.x, -box.y).slices] = False
        look = self.look[:, *box.shift(-self.rect.x, -self.rect.y).slices]
        put(planes[:, *box.slices], seen, look)


def focused_icon(area: Rect, text_size: int, name: str) -> Lit:
    """The icon of that name on the bare desktop, as it is while it has the keyboard."""
    slot = list(APPS).index(name)
    return Lit(shell.icon_boxes(area, text_size, len(APPS))[slot], _icon(area, text_size, slot, pressed=False))


def icon(area: Rect, text_size: int, x: int, y: int, pressed: bool) -> Lit | None:
    """Of the icons on the bare desktop the one that holds a point; `area`: what is above the taskbar; pressed: whether the left button went
    down on it."""
    boxes = shell.icon_boxes(area, text_size, len(APPS))
    slot = next((slot for slot, box in enumerate(boxes) if box.holds(x, y)), None)
    return None if slot is None else Lit(boxes[slot], _icon(area, text_size, slot, pressed))


@lru_cache(maxsize=_KEPT)
def _icon(area: Rect, text_size: int, slot: int, pressed: bool) -> Tensor:
    path = f"icons/{list(APPS)[slot]}"
    sheet = Sheet(text_size, hover=path, pressed=path if pressed else "")
    shell.draw_icons(Canvas(sheet, area), list(APPS.values()), lambda _: None, list)
    return drawn(sheet.items, area.w, area.h)[:, *shell.icon_boxes(area, text_size, len(APPS))[slot].slices].clone()


def action(frame: Frame, window: Rect, x: int, y: int, pressed: bool) -> Lit | None:
    """Of the buttons in a window's title bar the one that holds a point; window: its outer rect."""
    found = frame.action_at(x - window.x, y - window.y)
    if found is None:
        return None
    name, box = found
    return Lit(box.shift(window.x, window.y), frame._replace(lit=name, pressed=pressed).bare()[:, *box.slices])


def held(work: Work, text_size: int, inside: Rect, x: int, y: int, pressed: bool) -> Lit | None:
    """The widget that holds a point of a window of which all is told; inside: where that holds it."""
    outer = Rect(0, 0, inside.w, inside.h)
    widget = scene.at(sheet_of(work, text_size, outer).widgets, x - inside.x, y - inside.y)
    if widget is None or widget.role == "canvas":  # which is lit by nothing, and shows a stroke that is not over
        return None
    look = drawn(sheet_of(work, text_size, outer, widget.path, widget.path if pressed else "").items, inside.w, inside.h)
    return Lit(widget.rect.shift(inside.x, inside.y), look[:, *widget.rect.slices])

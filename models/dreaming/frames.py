"""Windows' frames in dreams: edges, title bars and the buttons in them. They follow from where the context says that windows stand, what
it says is open in them, and the look."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple, cast

from torch import Tensor

from engine.desktop.app import App
from engine.desktop.apps.registry import APPS
from engine.desktop.canvas import Canvas, Sheet
from engine.desktop.window import Window, WindowKeeper, action_boxes, inside, title_bar
from engine.geometry import Rect
from engine.theme import PLAIN, Chrome, Role
from engine.typeface import Face, line_height
from models.bytewise import chosen
from models.dreaming.pictures import drawn
from models.dreaming.planes import FILLED, SEEN

_KEPT = 16  # frames that are kept as they were drawn


class Form(NamedTuple):
    """text_size: in pixels; chrome: the form of all windows."""

    text_size: int
    chrome: Chrome = PLAIN

    def inside(self, window: Rect) -> Rect:
        """What a window holds, by its outer rect."""
        return inside(window, line_height(Face(self.text_size)), self.chrome.border)


class Frame(NamedTuple):
    """app: by slot; title: "" where none is told, which is the app's name; w, h: of the window, pixels; front, maximised: whether it is that;
    lit: the button in its title bar that the pointer is on, pressed: whether the left one of its own went down there."""

    form: Form
    app: int
    title: str
    w: int
    h: int
    front: bool
    maximised: bool
    lit: str = ""
    pressed: bool = False

    def action_at(self, x: int, y: int) -> tuple[str, Rect] | None:
        """The button that holds a point of the window, and where in it that stands."""
        bar = title_bar(Rect(0, 0, self.w, self.h), line_height(Face(self.form.text_size)), self.form.chrome.border)
        return next(((name, box) for name, box in action_boxes(bar, self.form.chrome.left).items() if box.holds(x, y)), None)

    def around(self, held: Tensor) -> Tensor:
        """The window with what it holds, uint8 (PLANES, ., .): uint8 (PLANES, h, w)."""
        out, at = self.bare().clone(), self.form.inside(Rect(0, 0, self.w, self.h)).slices
        corners = out[SEEN:FILLED, *at].clone()  # a window may be rounder than what it holds
        out[:, *at] = held
        out[SEEN:FILLED, *at] = chosen(corners[:1] > 0, corners, held[SEEN:FILLED])
        return out


    def bare(self) -> Tensor:
        """With nothing in it, uint8 (PLANES, h, w). Read only."""
        return _drawn(self)


@lru_cache(maxsize=_KEPT)
def _drawn(frame: Frame) -> Tensor:
    app, outer = tuple(APPS.values())[frame.app], Rect(0, 0, frame.w, frame.h)
    window = Window(cast(App, app), outer, frame.title, normal=outer if frame.maximised else None)
    sheet = Sheet(frame.form.text_size, hover=frame.lit, pressed=frame.lit if frame.pressed else "", chrome=frame.form.chrome)
    canvas = Canvas(sheet, outer)
    window.draw_frame(canvas, frame.front, cast(WindowKeeper, None))  # which only those ask who click
    canvas.fill(frame.form.inside(outer), Role.SURFACE, "body")
    return drawn(sheet.items, frame.w, frame.h)

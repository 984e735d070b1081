"""What a menu or the ask bar shows that is open: the context tells it, for nobody else knows what it offers, and what was typed."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, cast

from torch import Tensor

from engine import scene
from engine.desktop.app import System
from engine.desktop.ask_bar import ENTRIES_Y, AskBar, Suggestion
from engine.desktop.canvas import Canvas, Sheet, row_height
from engine.desktop.menu import Menu
from engine.desktop.text_field import TextField
from engine.geometry import Rect
from engine.open_work import Asked, Offered
from models.dreaming.pictures import drawn
from models.dreaming.planes import lay
from models.dreaming.standing_in import Clipboard

Draw = Callable[[Canvas], None]


class Offer(NamedTuple):
    """shown: what it shows, uint8 (PLANES, h, w), in `box`, frame pixels; entries_y: where its entries begin, frame pixels."""

    box: Rect
    shown: Tensor
    entries_y: int = 0

    @classmethod
    def of_ask_bar(cls, asked: Asked, area: Rect, text_size: int, pointer: tuple[int, int]) -> Offer:
        """area: where windows are seen; pointer: where that is, which lights what it is on."""
        state = {"text": asked.text, "anchor": asked.anchor, "caret": asked.caret, "chosen": asked.chosen}
        suggestions = [Suggestion(*one) for one in asked.suggestions]
        bar = AskBar(TextField(cast(System, Clipboard())), lambda _: suggestions, lambda _: None, lambda: None, state)
        bar.hint = asked.hint
        box, shown = _drawn("ask", bar.draw, area, text_size, pointer, focus="ask/field")
        return cls(box, shown, box.y + row_height(text_size) + ENTRIES_Y)

    @classmethod
    def of_menu(cls, offered: Offered, bounds: Rect, text_size: int, pointer: tuple[int, int]) -> Offer:
        """bounds: the frame; pointer: as above."""
        x, y, entries, chosen, first = offered
        menu = Menu(x, y, [(name, _nothing) for name in entries], chosen, first)
        return cls(*_drawn("menu", lambda canvas: menu.draw(canvas, lambda _: None), bounds, text_size, pointer))

    def laid(self, planes: Tensor) -> Tensor:
        """On top of what is shown, uint8 (PLANES, H, W)."""
        out = planes.clone()
        lay(out, self.shown, self.box, Rect(0, 0, out.shape[2], out.shape[1]), "menu")
        return out


def _drawn(name: str, draw: Draw, area: Rect, text_size: int, pointer: tuple[int, int], focus: str = "") -> tuple[Rect, Tensor]:
    """Where the popup of that name stands, and what it shows."""
    hover = ""
    for _ in range(2):  # to find what the pointer is on, then with that lit
        sheet = Sheet(text_size, focus=focus, hover=hover, caret_on=True)
        draw(Canvas(sheet, area))
        hit = scene.at(sheet.widgets, *pointer)
        hover = hit.path if hit else ""
    box = scene.find(sheet.widgets, name).rect
    return box, drawn(sheet.items, area.w, area.h)[:, *box.slices].clone()


def _nothing() -> None:
    """What an entry does that is only drawn."""

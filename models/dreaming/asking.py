"""The ask bar in dreams, where the context tells what stands in it: nobody else knows what was typed, nor what that finds."""

from __future__ import annotations

from typing import NamedTuple, cast

from torch import Tensor

from engine import scene
from engine.desktop.app import System
from engine.desktop.ask_bar import AskBar, Suggestion
from engine.desktop.canvas import Canvas, Sheet
from engine.desktop.text_field import TextField
from engine.events import Event
from engine.geometry import Rect
from engine.painter import Asked
from models.dreaming.book import Book
from models.dreaming.pictures import drawn
from models.dreaming.planes import lay
from models.dreaming.standing_in import Clipboard


class Asking(NamedTuple):
    """It as it is told, open: what it shows, uint8 (PLANES, h, w), in `box`, frame pixels."""

    box: Rect
    shown: Tensor

    @classmethod
    def of(cls, asked: Asked, area: Rect, text_size: int, pointer: tuple[int, int]) -> Asking:
        """area: where windows are seen; pointer: where that is, which lights what it is on."""
        state = {"text": asked.text, "anchor": asked.anchor, "caret": asked.caret, "chosen": asked.chosen}
        suggestions = [Suggestion(*one) for one in asked.suggestions]
        bar = AskBar(TextField(cast(System, Clipboard())), lambda _: suggestions, lambda _: None, lambda: None, state)
        bar.hint, hover = asked.hint, ""
        for _ in range(2):  # to find what the pointer is on, then with that lit
            sheet = Sheet(text_size, focus="ask/field", hover=hover, caret_on=True)
            bar.draw(Canvas(sheet, area))
            hit = scene.at(sheet.widgets, *pointer)
            hover = hit.path if hit else ""
        box = scene.find(sheet.widgets, "ask").rect
        return cls(box, drawn(sheet.items, area.w, area.h)[:, *box.slices].clone())

    def answer(self, event: Event | None) -> Asking:
        """What comes of an event is told."""
        return self

    def laid(self, planes: Tensor, book: Book) -> Tensor:
        """On top of what is shown, uint8 (PLANES, H, W)."""
        out = planes.clone()
        lay(out, self.shown, self.box, Rect(0, 0, out.shape[2], out.shape[1]), "menu")
        return out

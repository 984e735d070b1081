"""What the system says for a while, above everything that is dreamt but popups: the context tells it."""

from __future__ import annotations

from functools import lru_cache

from torch import Tensor

from engine.desktop import shell
from engine.desktop.canvas import Canvas, Sheet
from engine.geometry import Rect
from engine.typeface import Face, line_height
from models.dreaming.pictures import drawn
from models.dreaming.planes import lay


def noticed(planes: Tensor, text: str, text_size: int, popup: Rect) -> tuple[Tensor, Rect]:
    """A guide, uint8 (PLANES, H, W), with a notice of that text, and where that stands; the same tensor and no area where there is none. popup: where
    one is open, above it."""
    if not text:
        return planes, Rect(0, 0, 0, 0)
    size = planes.shape[2], planes.shape[1]
    box, shown = _notice(text, text_size, size)
    out = planes.clone()
    lay(out, shown, box, Rect(0, 0, *size), "menu")
    out[:, *popup.slices] = planes[:, *popup.slices]
    return out, box


@lru_cache(maxsize=4)
def _notice(text: str, text_size: int, size: tuple[int, int]) -> tuple[Rect, Tensor]:
    """Where it stands, and what it shows there. Read only."""
    sheet, (width, height) = Sheet(text_size), size
    area = Rect(0, 0, width, height - shell.bar_height(line_height(Face(text_size))))
    shell.draw_notice(Canvas(sheet, area), area, text)
    box = sheet.widgets[-1].rect
    return box, drawn(sheet.items, width, height)[:, *box.slices].clone()

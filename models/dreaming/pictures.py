"""Pictures of windows and buttons: as they are drawn bare, in another size, in other inks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from engine.desktop.apps.registry import APPS
from engine.desktop.canvas import Canvas, Sheet, row_height
from engine.desktop.find_bar import beside
from engine.desktop.note_page import PAD
from engine.desktop.window import title_height
from engine.drawing import Item
from engine.geometry import Rect
from engine.guide import Guide
from engine.theme import NEUTRAL, Role
from engine.typeface import Face, line_height
from models.dreaming.planes import planes_of

NOTES = list(APPS).index("Notes")
RIGHT, BELOW = 76, 34  # pixels: what keeps its distance to a window's right and lower edge when its size changes
BESIDE_TOOLS, BESIDE_TEXT, BESIDE_FIELD = PAD, 24, PAD + 6  # the same of Notes below its title, beside its tools, which stand on the left, its text, and with what stands beside it the field for what is to be found
Inks = tuple[Role, Role]  # what something is written on, and with


def drawn(items: Sequence[Item], w: int, h: int) -> Tensor:
    """The left top corner of a guide that shows `items`: uint8 (PLANES, h, w)."""
    guide = Guide(Rect(0, 0, w, h).snap()[2:])
    guide.update(items)
    return planes_of(guide)[:, :h, :w]


def entitle(picture: Tensor, title: str, text_size: int, area: Rect, room: Rect, inks: Inks, shape: str = "plain", weight: str = "regular") -> None:
    """Write a title into `room` of a picture, (PLANES, h, w), on a paper of that shape that fills `area`; both in its pixels."""
    sheet, (paper, ink) = Sheet(text_size), inks
    canvas = Canvas(sheet, area)
    canvas.fill(area, paper, shape)
    canvas.text_in(room, title, ink, canvas.styled(weight))
    picture[:, *room.slices] = drawn(sheet.items, area.right, area.bottom)[:, *room.slices]


def stretched(picture: Tensor, w: int, h: int, right: int, below: int) -> Tensor:
    """A picture, (C, h, w), in another size: what is within `right` and `below` pixels of its right and lower edge stays near
    it, what lies before is cut off or goes on as it ends."""
    _, old_h, old_w = picture.shape
    columns, rows = _lengthened(old_w, w, right), _lengthened(old_h, h, below)
    return picture[:, rows][:, :, columns]


def resized(picture: Tensor, app: int, text_size: int, w: int, h: int, asks: bool = False) -> Tensor:
    """A window's picture, uint8 (C, ., .), in another size: (C, h, w). asks: whether something is asked for below the tools of Notes."""
    out = stretched(picture, w, h, RIGHT, BELOW)
    if app == NOTES:
        row = row_height(text_size)
        below = 1 + title_height(line_height(Face(text_size)))
        tools = below + PAD + row + PAD // 2
        out[:, below:tools] = stretched(picture, w, h, BESIDE_TOOLS, BELOW)[:, below:tools]
        out[:, tools:] = stretched(picture, w, h, BESIDE_TEXT, BELOW)[:, tools:]
        if asks:
            question = slice(tools, tools + PAD + row)
            out[:, question] = stretched(picture, w, h, BESIDE_FIELD + beside(Face(text_size), row), BELOW)[:, question]
    return out


def _lengthened(old: int, new: int, end: int) -> Tensor:
    """Which of `old` pixels stand in a row of `new`, the last `end` of them as before."""
    end = min(end, old - 1, new)
    before = torch.arange(new - end).clamp(max=old - end - 1)
    return torch.cat([before, torch.arange(old - end, old)])


def reinked(pixels: Tensor, old: Inks, new: Inks, within: float = 2.5) -> Tensor:
    """Pixels, uint8 (3, h, w), with one paper and ink in the place of another; what is mixed of them, `within` so many grey levels,
    keeps its shares, and all else stays."""
    (paper, ink), (new_paper, new_ink) = ((torch.from_numpy(NEUTRAL[role].astype(np.float32)).view(3, 1, 1) for role in inks) for inks in (old, new))
    span = ink - paper
    share = ((pixels - paper) * span).sum(0) / (span * span).sum()
    off = (pixels - paper - share * span).abs().amax(0)
    changed = (new_paper + share * (new_ink - new_paper)).round().clamp(0, 255).to(torch.uint8)
    return torch.where((off < within) & (share > -0.02) & (share < 1.02), changed, pixels)

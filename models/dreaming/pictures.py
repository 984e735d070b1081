"""Pictures of windows and buttons: as they are drawn bare, in another size, in other inks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from engine.desktop.apps.calculator import keys_in, parted
from engine.desktop.apps.registry import APPS
from engine.desktop.apps.snake import ABOVE, EDGE, board_in
from engine.desktop.asking import TEXT_SIZES
from engine.desktop.canvas import Canvas, Sheet, row_height
from engine.desktop.find_bar import beside
from engine.desktop.note_page import PAD
from engine.drawing import Item
from engine.geometry import Rect
from engine.guide import Guide
from engine.theme import NEUTRAL, Role
from engine.typeface import Face, line_height
from models.dreaming.planes import planes_of

NOTES, CALCULATOR, SNAKE = (list(APPS).index(app) for app in ("Notes", "Calculator", "Snake"))
USUAL = TEXT_SIZES[1]
RIGHT, BELOW = 75, 33  # pixels, in the usual text size: what keeps its distance to the right and lower edge of what a window holds when its size changes
SIDES, LEAST = 8, 40  # pixels: of a display's left and upper side; of a part that changes its size with its window
EDGES = 2, 6  # pixels: of a key's edge, and of that with what lies between two keys
BESIDE_TEXT = 23  # the same in Notes, beside its text
Inks = tuple[Role, Role]  # what something is written on, and with


def drawn(items: Sequence[Item], w: int, h: int) -> Tensor:
    """The left top corner of a guide that shows `items`: uint8 (PLANES, h, w)."""
    guide = Guide(Rect(0, 0, w, h).snap()[2:])
    guide.update(items)
    return planes_of(guide)[:, :h, :w]


def entitle(picture: Tensor, title: str, text_size: int, area: Rect, room: Rect, inks: Inks, shape: str) -> None:
    """Write a title into `room` of a picture, (PLANES, h, w), on a paper of that shape that fills `area`; both in its pixels."""
    sheet, (paper, ink) = Sheet(text_size), inks
    canvas = Canvas(sheet, area)
    canvas.fill(area, paper, shape)
    canvas.text_in(room, title, ink)
    picture[:3, *room.slices] = drawn(sheet.items, area.right, area.bottom)[:3, *room.slices]


def stretched(picture: Tensor, w: int, h: int, right: int, below: int) -> Tensor:
    """A picture, (C, h, w), in another size: what is within `right` and `below` pixels of its right and lower edge stays near
    it, what lies before is cut off or goes on as it ends."""
    _, old_h, old_w = picture.shape
    columns, rows = _lengthened(old_w, w, right), _lengthened(old_h, h, below)
    return picture[:, rows][:, :, columns]


def resized(picture: Tensor, app: int, text_size: int, w: int, h: int, asks: bool = False) -> Tensor:
    """What a window holds, uint8 (C, ., .), in another size: (C, h, w). asks: whether something is asked for below the tools of Notes."""
    right, line = RIGHT * text_size // USUAL, line_height(Face(text_size))
    if app == CALCULATOR:
        return _with_keys(picture, w, h, line)
    if app == SNAKE:
        return _with_board(picture, w, h, line, right)
    out = stretched(picture, w, h, right, BELOW)
    if app == NOTES:
        row = row_height(text_size)
        tools = PAD + row + PAD // 2
        out[:, :tools] = stretched(picture, w, h, PAD, BELOW)[:, :tools]  # which stand on the left
        out[:, tools:] = stretched(picture, w, h, BESIDE_TEXT, BELOW)[:, tools:]
        if asks:
            question = slice(tools, tools + PAD + row)
            out[:, question] = stretched(picture, w, h, 2 * PAD + beside(Face(text_size), row), BELOW)[:, question]
    return out


def _with_keys(picture: Tensor, w: int, h: int, line: int) -> Tensor:
    """The same of the calculator: its keys share what room there is."""
    _, old_h, old_w = picture.shape
    out = picture[:, :1, :1].expand(-1, h, w).clone()
    (was, old), (display, new) = (parted(Rect(0, 0, *size), line) for size in ((old_w, old_h), (w, h)))
    (rows, *lines, gap), (new_rows, *new_lines, new_gap) = keys_in(old), keys_in(new)
    if (rows, gap) != (new_rows, new_gap) or min(*was[2:], *old[2:], *display[2:], *new[2:]) < LEAST:
        return out
    out[:, *display.slices] = stretched(picture[:, *was.slices], display.w, display.h, was.w - SIDES, was.h - SIDES)
    columns, rows_of = (_centred(*both) for both in zip(lines, new_lines, strict=True))
    part = picture[:, rows_of][:, :, columns]
    out[:, *Rect(new.x, new.y, part.shape[2], part.shape[1]).slices] = part
    return out


def _centred(old: Sequence[int], new: Sequence[int]) -> Tensor:
    """Which pixels stand between lines in a row that were drawn elsewhere: near lines, and in the middle between two, as before."""
    found = []
    for begin, end, after, after_end in zip(old[:-1], old[1:], new[:-1], new[1:], strict=True):
        count, size = end - begin, after_end - after
        inner = (torch.arange(size) - (size - count) // 2).clamp(EDGES[0], count - EDGES[1] - 1)
        inner[: EDGES[0]] = torch.arange(EDGES[0])
        inner[-EDGES[1] :] = torch.arange(count - EDGES[1], count)
        found.append(inner + begin)
    return torch.cat(found)


def _with_board(picture: Tensor, w: int, h: int, line: int, right: int) -> Tensor:
    """The same of Snake: the board as large as there is room for, and the scores above it."""
    _, old_h, old_w = picture.shape
    out = picture[:, :1, :1].expand(-1, h, w).clone()
    old, new = (board_in(Rect(0, 0, *size), line).grow(EDGE) for size in ((old_w, old_h), (w, h)))
    if min(old.x, new.x, old.y - line, new.y - line) < ABOVE or new.bottom > h or old.bottom > old_h:
        return out
    out[:, *new.slices] = _scaled(picture[:, *old.slices], new.w, new.h, EDGE)
    above, below = (Rect(board.x, board.y - ABOVE - line, board.w, line + ABOVE - 1) for board in (old, new))
    out[:, *below.slices] = stretched(picture[:, *above.slices], below.w, below.h, right, below.h)
    return out


def _scaled(picture: Tensor, w: int, h: int, sides: int) -> Tensor:
    """A picture, (C, ., .), in another size: (C, h, w); within `sides` pixels of its sides it stays as it is."""
    _, old_h, old_w = picture.shape
    columns, rows = _spread(old_w, w, sides), _spread(old_h, h, sides)
    return picture[:, rows][:, :, columns]


def _spread(old: int, new: int, sides: int) -> Tensor:
    """Which of `old` pixels stand in a row of `new`, the first and the last ones as before."""
    inner = (torch.arange(new - 2 * sides) * 2 + 1) * (old - 2 * sides) // (2 * (new - 2 * sides)) + sides
    return torch.cat([torch.arange(sides), inner, torch.arange(old - sides, old)])


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

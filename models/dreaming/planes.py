"""What a dream keeps of a guide, in planes, and the pictures a dreamer may copy from: guesses that cost nothing."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.desktop.editor import NOTCH
from engine.desktop.text_view import LEADING
from engine.events import Event, Key, Wheel
from engine.forms import CAST, ROLE, corners, drawn_on, pictured
from engine.geometry import Rect
from engine.guide import Guide
from engine.theme import NEUTRAL, Role
from engine.typeface import Face, line_height

PLANES = 8  # a guide's pixels, its verbatim mask, its forms
SEEN = 4  # of them, those that say what a pixel shows
_BENEATH = SEEN + 1  # the second of the forms: what lies beneath a corner, see `Guide.forms`
FILLED = PLANES - 1  # what was filled last, see `Guide.forms`; 0 where that is not known


def planes_of(guide: Guide) -> Tensor:
    """uint8 (PLANES, H, W)."""
    return stacked(guide.pixels, guide.verbatim, guide.forms)


def stacked(pixels: np.ndarray, verbatim: np.ndarray | None, forms: np.ndarray | None) -> Tensor:
    """What a request holds of a guide, uint8 (H, W, 3), (H, W) and (H, W, 4), as planes: uint8 (PLANES, H, W). Where shadows may fall is
    left out: what lies above may soon be elsewhere, and it follows from where that is."""
    planes = np.zeros((PLANES, *pixels.shape[:2]), np.uint8)
    planes[:3] = pixels.transpose(2, 0, 1)
    if verbatim is not None:
        planes[3] = verbatim
    if forms is not None:
        planes[SEEN:] = forms.transpose(2, 0, 1)
        planes[FILLED] &= 255 - CAST
        planes[SEEN + 2] *= planes[SEEN] > 0  # where no corner is, how far off is what throws a shadow
    return torch.from_numpy(planes)


def lay(planes: Tensor, picture: Tensor, whole: Rect, inside: Rect, shape: str) -> None:
    """Lay what stands in `whole`, uint8 (PLANES, whole.h, whole.w), of a `shape` as of `engine.drawing.Fill`, on what is shown, uint8 (PLANES,
    H, W), as far as it lies `inside`: beneath its corners, which a style may round, is what was shown there."""
    part = whole.meet(inside)
    x, y, _, _ = corners(shape, whole.w, whole.h, whole.w)
    x, y = x + whole.x, y + whole.y
    seen = (x >= part.x) & (x < part.right) & (y >= part.y) & (y < part.bottom)
    at = torch.from_numpy(y[seen]), torch.from_numpy(x[seen])
    beneath = torch.from_numpy(_beneath(planes[:, *at].numpy()))
    planes[:, *part.slices] = picture[:, *part.shift(-whole.x, -whole.y).slices]
    planes[_BENEATH, *at] = planes[_BENEATH, *at] & (255 - ROLE) | beneath


def _beneath(planes: np.ndarray) -> np.ndarray:
    """What is told of pixels, uint8 (PLANES, n), that lie beneath a corner: uint8 (n,)."""
    pixels, shown = planes[:3].T, planes[3] > 0
    filled = drawn_on((planes[FILLED] & ROLE).astype(np.uint32), pixels)
    nearest = np.square(pixels[:, None].astype(np.int32) - NEUTRAL).sum(-1).argmin(1)  # where it is not known what was filled
    return np.where(filled > 0, filled - 1, np.where(shown, pictured(pixels), nearest)).astype(np.uint8)


def moved(planes: Tensor, dx: int, dy: int) -> Tensor:
    """Everything so many pixels further to the right and down; where nothing comes from, it stays."""
    _, height, width = planes.shape
    out = planes.clone()
    if abs(dx) < width and abs(dy) < height:
        y, x, from_y, from_x = max(dy, 0), max(dx, 0), max(-dy, 0), max(-dx, 0)
        h, w = height - abs(dy), width - abs(dx)
        out[:, y : y + h, x : x + w] = planes[:, from_y : from_y + h, from_x : from_x + w]
    return out


def movement(event: Event | None, text_size: int) -> tuple[int, int]:
    """How far an event is likely to have moved what it moved, in pixels: as rows of text go."""
    row = line_height(Face(text_size)) + LEADING
    if isinstance(event, Wheel):
        return 0, event.dy * NOTCH * row
    return (0, row) if isinstance(event, Key) and event.key == "enter" else (0, 0)


def shows(planes: Tensor, *roles: Role) -> np.ndarray:
    """Where planes show one of these roles' colours: bool (h, w)."""
    pixels = planes[:3].numpy()
    return np.logical_or.reduce([(pixels == NEUTRAL[role][:, None, None]).all(0) for role in roles])

"""What a dream keeps of a guide, in planes, and the pictures a dreamer may copy from: guesses that cost nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from engine.desktop.editor import NOTCH
from engine.desktop.text_view import LEADING
from engine.events import Event, Key, Wheel
from engine.forms import CAST
from engine.guide import Guide
from engine.theme import NEUTRAL, Role
from engine.typeface import Face, line_height

PLANES = 8  # a guide's pixels, its verbatim mask, its forms
SEEN = 4  # of them, those that say what a pixel shows
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
    return torch.from_numpy(planes)


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


def joined(planes: Sequence[Tensor]) -> Tensor:
    """Planes of several pictures as pictures of three planes each, for those who keep latents: uint8 (N, 3, H, W)."""
    flat = torch.cat(list(planes))
    spare = flat.new_zeros(-len(flat) % 3, *flat.shape[1:])
    return torch.cat([flat, spare]).unflatten(0, (-1, 3))


def shows(planes: Tensor, *roles: Role) -> np.ndarray:
    """Where planes show one of these roles' colours: bool (h, w)."""
    pixels = planes[:3].numpy()
    return np.logical_or.reduce([(pixels == NEUTRAL[role][:, None, None]).all(0) for role in roles])

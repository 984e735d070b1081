"""What a dream keeps of a guide, in planes, and the pictures a dreamer may copy from: guesses that cost nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from engine.context import EVENTS_SIZE, WINDOW_SIZE
from engine.desktop.editor import NOTCH
from engine.desktop.text_field import CARET
from engine.desktop.text_view import LEADING
from engine.events import Event, Key, Text, Wheel
from engine.guide import Guide, blend
from engine.theme import NEUTRAL, Role
from engine.typeface import Face, glyph, line_height

PLANES = 7  # a guide's pixels, its verbatim mask, its corners
SEEN = 4  # of them, those that say what a pixel shows
Pen = tuple[int, int]  # where a glyph is put: x of the pen, top of the line, frame pixels


def planes_of(guide: Guide) -> Tensor:
    """uint8 (PLANES, H, W)."""
    return stacked(guide.pixels, guide.verbatim, guide.corners)


def stacked(pixels: np.ndarray, verbatim: np.ndarray | None, corners: np.ndarray | None) -> Tensor:
    """What a request holds of a guide, uint8 (H, W, 3), (H, W) and (H, W, 3), as planes: uint8 (PLANES, H, W)."""
    planes = np.zeros((PLANES, *pixels.shape[:2]), np.uint8)
    planes[:3] = pixels.transpose(2, 0, 1)
    if verbatim is not None:
        planes[3] = verbatim
    if corners is not None:
        planes[SEEN:] = corners.transpose(2, 0, 1)
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


def movement(event: Event | None, before: np.ndarray, after: np.ndarray, size: tuple[int, int], text_size: int) -> tuple[int, int]:
    """How far an event is likely to have moved what it moved, in pixels: as far as the front window went, or as rows of
    text do. before, after: the recent features (RECENT_SIZE,) that the context had and has."""
    old, new = (recent[EVENTS_SIZE : EVENTS_SIZE + WINDOW_SIZE] for recent in (before, after))
    if old[4:].any() and (old[4:] == new[4:]).all() and (old[:2] != new[:2]).any():
        dx, dy = (new[:2] - old[:2]) * np.array(size)
        return round(float(dx)), round(float(dy))
    row = line_height(Face(text_size)) + LEADING
    if isinstance(event, Wheel):
        return 0, event.dy * NOTCH * row
    return (0, row) if isinstance(event, Key) and event.key == "enter" else (0, 0)


def typed(planes: Tensor, char: str, text_size: int, pen: Pen) -> Tensor:
    """A letter put in at the pen, and the caret behind it: what stands right of it in its line makes room."""
    face, (x, y) = Face(text_size), pen
    mark, height = glyph(face, char), line_height(face)
    _, bottom, right = planes.shape
    out = planes.clone()
    left, rows = min(max(x - 1, 0), right - 1), slice(max(y, 0), min(y + height, bottom))
    if rows.start >= rows.stop or left + mark.advance >= right:
        return out
    out[:, rows, left + mark.advance :] = planes[:, rows, left : right - mark.advance]
    out[:, rows, left : left + mark.advance] = planes[:, rows.start, min(x + 3, right - 1)][:, None, None]
    if mark.coverage.size:
        _ink(out, mark.coverage, x + mark.left, y + mark.top)
    caret = torch.from_numpy(NEUTRAL[Role.ACCENT].astype(np.uint8)).view(3, 1, 1)
    out[:3, rows, left + mark.advance : left + mark.advance + CARET] = caret
    return out


def _ink(planes: Tensor, coverage: np.ndarray, x: int, y: int) -> None:
    """Blend ink into the pixels as the guide does, as far as the frame goes."""
    height, width = planes.shape[1:]
    top, left = max(y, 0), max(x, 0)
    part = coverage[top - y : height - y, left - x : width - x]
    if part.size:
        at = slice(top, top + part.shape[0]), slice(left, left + part.shape[1])
        pixels = planes[:3].numpy().transpose(1, 2, 0)
        blend(pixels[at], NEUTRAL[Role.INK], part)


def letter_of(event: Event | None) -> str:
    """The letter that an event would type, else nothing."""
    if isinstance(event, Key):
        return " " if event.key == "space" and not event.mods else ""
    return event.text if isinstance(event, Text) and len(event.text) == 1 else ""


def joined(planes: Sequence[Tensor]) -> Tensor:
    """Planes of several pictures as pictures of three planes each, for those who keep latents: uint8 (N, 3, H, W)."""
    flat = torch.cat(list(planes))
    spare = flat.new_zeros(-len(flat) % 3, *flat.shape[1:])
    return torch.cat([flat, spare]).unflatten(0, (-1, 3))

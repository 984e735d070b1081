"""A bounded memory of pictures: what stood where, before something came over it.

Two pictures a cell can be looked up and put back: `latest`, what the cell showed before what it shows now (the page
under a menu, the line before a letter), and `ground`, the bare wallpaper or the first thing ever seen there. It is
kept in latents' own form, 8-bit pixels on the painter's device, and never grows: `DEPTH` pictures a cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.geometry import Rect
from models.bytewise import differ, put
from models.denoiser import PATCH

DEPTH = 4  # pictures a cell, the ground apart


@dataclass
class Recalled:
    """pixels: uint8 (2, C, h, w), latest and ground; known: bool (2, h / 4, w / 4)."""

    pixels: Tensor
    known: Tensor


class PictureMemory:
    """For frames of `size` (width, height), both multiples of 4, of C planes; rects too lie on cells."""

    def __init__(self, size: tuple[int, int], device: torch.device | str = "cpu", planes: int = 3) -> None:
        width, height = size
        self._stack = torch.zeros(DEPTH, planes, height, width, dtype=torch.uint8, device=device)
        self._held = torch.zeros(height // PATCH, width // PATCH, dtype=torch.int8, device=device)
        self._ground = torch.zeros(planes, height, width, dtype=torch.uint8, device=device)
        self._grounded = torch.zeros(height // PATCH, width // PATCH, dtype=torch.bool, device=device)

    def pieces(self) -> list[Tensor]:
        """Everything, for `restore`: marks, ground, then the others; as one, they are pictures, uint8 (N, C, H, W)."""
        marks = torch.zeros(len(self._ground), *self._held.shape, dtype=torch.uint8, device=self._held.device)
        marks[0], marks[1] = self._held, self._grounded
        return [wide(marks), self._ground, self._stack]

    def restore(self, state: Tensor) -> None:
        """Take back what `pieces` gave, as one."""
        marks = state[0, :, ::PATCH, ::PATCH]
        self._grounded.copy_(marks[1] > 0)
        self._ground.copy_(state[1])
        self._held.copy_(marks[0])
        self._stack.copy_(state[2:])

    def clear(self) -> None:
        """Forget everything: the look has changed."""
        self._held.zero_()
        self._grounded.zero_()

    def recall(self, rect: Rect) -> Recalled:
        """What can be put back inside `rect`."""
        (rows, columns), cells = rect.slices, _cells(rect)
        held = self._held[cells] > 0
        pixels = torch.stack([self._stack[0][:, rows, columns], self._ground[:, rows, columns]])
        return Recalled(pixels, torch.stack([held, self._grounded[cells]]))

    def ground(self, rect: Rect, pixels: Tensor) -> None:
        """Take `pixels`, uint8 (C, h, w), as the ground of `rect`."""
        (rows, columns), cells = rect.slices, _cells(rect)
        self._ground[:, rows, columns] = pixels
        self._grounded[cells] = True

    def replace(self, rect: Rect, before: Tensor, after: Tensor) -> None:
        """Cells of `rect` changed from `before` to `after`, uint8 (C, h, w). What comes back is taken off the memory."""
        (rows, columns), cells = rect.slices, _cells(rect)
        stack, held = self._stack[:, :, rows, columns], self._held[cells]
        changed = _differ(before, after)
        back = changed & (held > 0) & ~_differ(stack[0], after)
        new = changed & ~back
        down, up = wide(new), wide(back)
        deepest = min(int(held.max()), DEPTH - 1)  # below it nothing is held
        for level in range(deepest if back.any() else 0):
            put(stack[level], up, stack[level + 1])
        for level in range(deepest, 0, -1):
            put(stack[level], down, stack[level - 1])
        put(stack[0], down, before)
        self._held[cells] = (held + new.to(torch.int8) - back.to(torch.int8)).clamp(0, DEPTH)


class Remembering:
    """What a painter would remember along a session, whose frames are uint8 (H, W, 3); ground: what it began with."""

    def __init__(self, ground: np.ndarray) -> None:
        height, width = ground.shape[:2]
        self._bounds = Rect(0, 0, width, height)
        self._memory = PictureMemory((width, height))
        self._memory.ground(self._bounds, _planes(ground))

    def recalled(self) -> tuple[np.ndarray, np.ndarray]:
        """Latest and ground, uint8 (2, H, W, 3), and where each is known, bool (2, H, W)."""
        recalled = self._memory.recall(self._bounds)
        return recalled.pixels.permute(0, 2, 3, 1).numpy(), wide(recalled.known).numpy()

    def follow(self, before: np.ndarray, after: np.ndarray) -> None:
        """One frame became another."""
        self._memory.replace(self._bounds, _planes(before), _planes(after))


def _planes(frame: np.ndarray) -> Tensor:
    return torch.from_numpy(frame).permute(2, 0, 1)


def _cells(rect: Rect) -> tuple[slice, slice]:
    return slice(rect.y // PATCH, rect.bottom // PATCH), slice(rect.x // PATCH, rect.right // PATCH)


def wide(cells: Tensor) -> Tensor:
    """From cells to pixels: (..., h / 4, w / 4) to (..., h, w)."""
    return cells.repeat_interleave(PATCH, -2).repeat_interleave(PATCH, -1)


def _differ(a: Tensor, b: Tensor) -> Tensor:
    """Which cells of two pictures, uint8 (C, h, w), are not the same: bool (h / 4, w / 4)."""
    return differ(a, b).unflatten(0, (-1, PATCH)).unflatten(2, (-1, PATCH)).any(3).any(1)

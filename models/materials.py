"""What looks are made of, as networks take it: the paints of `engine.materials`, and how round corners are."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.materials import BASE, SLOPE


@dataclass
class Materials:
    """What looks are made of, see `engine.materials.Paints`. clear, depth: (B, P), P the palette's size; ground:
    (B, 48, h, w), the bare wallpaper as latents; texture: (B, 16, h, w) in [-1, 1], packed; build: (B, N), see `models.inputs.build_of`."""

    clear: Tensor
    depth: Tensor
    ground: Tensor
    texture: Tensor
    build: Tensor

    def __getitem__(self, which: Tensor) -> Materials:
        return Materials(*(part[which] for part in self._parts))

    def to(self, device: torch.device, dtype: torch.dtype | None = None) -> Materials:
        """On another device, or of another type too."""
        return Materials(*(part.to(device, dtype) for part in self._parts))

    @property
    def _parts(self) -> tuple[Tensor, ...]:
        return self.clear, self.depth, self.ground, self.texture, self.build


def moved(colours: Tensor) -> Tensor:
    """How far a texture of depth 1 moves colours, both in a range of 2: `engine.materials.moved` of other units."""
    return BASE / 127.5 + SLOPE + SLOPE * colours

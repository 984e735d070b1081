"""What a crop of the bundled family is painted from beside what is shown: where it lies, its part of the noise, and the look's paints."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.geometry import Rect
from engine.styles import paints_of
from models.denoiser import PATCH, pack, place, unpack
from models.inputs import materials_of, palette_of, planes_of
from models.sampling import noise_field


class Underlay:
    """Of frames of one size. look: the features that it is of, b"" for none yet. Shapes as of `CropPainting`."""

    def __init__(self, size: tuple[int, int], seed: int, device: torch.device, dtype: torch.dtype) -> None:
        self._size, self._device, self._dtype = size, device, dtype
        self._noise = noise_field(seed, size).to(device, dtype)
        rows, columns = torch.arange(size[1] // PATCH), torch.arange(size[0] // PATCH)
        self._place = place(rows, columns, size)[None].to(device, dtype)
        self.look = b""

    def take(self, vector: np.ndarray) -> bool:
        """Get the paints of another look ready, if it is one. vector: as of `engine.context.look_of`."""
        look = vector.tobytes()
        if look == self.look:
            return False
        self.look = look
        paints = paints_of(vector, self._size)
        planes = torch.from_numpy(np.array(planes_of(paints, self._size)))[None].to(self._device)
        self._materials = materials_of([paints], planes, vector[None]).to(self._device, self._dtype)
        self._palette = palette_of(torch.from_numpy(vector)[None]).to(self._device, self._dtype)
        return True

    @property
    def looks(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The palette, how round corners are, how clear the palette's colours are, how deep their texture: of every crop."""
        return self._palette, self._materials.build, self._materials.clear, self._materials.depth

    def of(self, area: Rect, scale: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """An area's ground and texture, its place, its noise. scale: how many pixels one is painted for, along each side."""
        cells: Any = (..., *(slice(side.start // PATCH, side.stop // PATCH) for side in area.slices))
        fewer: Any = (..., slice(None, None, scale), slice(None, None, scale))
        ground, texture = self._materials.ground[cells], self._materials.texture[cells]
        if scale > 1:
            ground, texture = pack(unpack(ground)[fewer]), pack(unpack(texture)[fewer])
        return ground, texture, self._place[cells][fewer], self._noise[cells][fewer]

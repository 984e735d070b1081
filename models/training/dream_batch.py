"""Crops of moments as tensors, the last guide of some of them spoilt a little."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor

from models.dreaming.codes import COLOURS
from models.dreaming.dreamer import ALIGN, CELL
from models.inputs import held
from models.training.dreams import Moment

SIDE = 96  # pixels of a crop
SPOILT = 0.4  # share of crops whose last guide is a little wrong, as a dream's own is


@dataclass(frozen=True)
class DreamCrop:
    """A part of a moment, SIDE pixels high and wide; x, y: its place in the frame."""

    moment: Moment
    x: int
    y: int

    def take(self, plane: Tensor) -> Tensor:
        """The crop of (..., H, W)."""
        return plane[..., self.y : self.y + SIDE, self.x : self.x + SIDE]


def dream_crop(moment: Moment, rng: np.random.Generator) -> DreamCrop:
    """Where something changes or a letter is put, near the pointer, or anywhere: most of a frame has to be left alone."""
    width, height = moment.size
    asked = moment.changed & (moment.weight == moment.weight.max())
    rows, columns = np.nonzero(asked if asked.any() else moment.changed)
    kind = rng.random()
    x, y = int(rng.integers(width)), int(rng.integers(height))
    if moment.pen and kind < 0.4:
        x, y = moment.pen
    elif len(rows) and kind < 0.62:
        i = int(rng.integers(len(rows)))
        x, y = int(columns[i]) * CELL, int(rows[i]) * CELL
    elif kind < 0.7:
        x, y = moment.pointer
    x, y = (int(v - rng.integers(16, SIDE - 16)) for v in (x, y))
    return DreamCrop(moment, min(max(x, 0), width - SIDE) // ALIGN * ALIGN, min(max(y, 0), height - SIDE) // ALIGN * ALIGN)


@dataclass
class DreamBatch:
    """codes: uint8 (B, COPIES, H, W); same, target: uint8 (B, H, W); changed: bool (B, h, w), cells of 8; weight:
    float32 (B, h, w), what they count; spoilt: bool (B, h, w); pen: (B, 2), x and y in the crop, -1 where no letter is put in it; corners, size: as of Place; the rest as
    of a Moment."""

    codes: Tensor
    same: Tensor
    target: Tensor
    changed: Tensor
    weight: Tensor
    spoilt: Tensor
    pen: Tensor
    corners: Tensor
    size: Tensor
    slow: Tensor
    recent: Tensor
    pointer: Tensor
    buttons: Tensor

    def to(self, device: torch.device) -> DreamBatch:
        return replace(self, **{field.name: getattr(self, field.name).to(device) for field in fields(self)})


def dream_batch(crops: list[DreamCrop], rng: np.random.Generator, spoilt: float = SPOILT) -> DreamBatch:
    """Crops as tensors; the last guide of a share `spoilt` of them is spoilt a little."""
    moments = [crop.moment for crop in crops]
    pens = torch.full((len(crops), 2), -1)
    for i, crop in enumerate(crops):
        if pen := crop.moment.pen:
            x, y = pen[0] - crop.x, pen[1] - crop.y
            if 0 <= x < SIDE and 0 <= y < SIDE:
                pens[i] = torch.tensor([x, y])
    cells = [(slice(c.y // CELL, (c.y + SIDE) // CELL), slice(c.x // CELL, (c.x + SIDE) // CELL)) for c in crops]
    changed, weight = (torch.from_numpy(np.stack([plane[at] for plane, at in zip(planes, cells, strict=True)])) for planes in
                       ([m.changed for m in moments], [m.weight for m in moments]))  # fmt: skip
    batch = DreamBatch(
        torch.stack([crop.take(crop.moment.codes) for crop in crops]),
        torch.stack([crop.take(crop.moment.same) for crop in crops]),
        torch.stack([crop.take(crop.moment.target) for crop in crops]),
        changed, weight, torch.zeros(len(crops), SIDE // CELL, SIDE // CELL, dtype=torch.bool), pens,
        torch.tensor([[crop.x, crop.y] for crop in crops], dtype=torch.float32),
        torch.tensor([m.size for m in moments], dtype=torch.float32),
        torch.from_numpy(np.stack([m.slow for m in moments])), torch.from_numpy(np.stack([m.recent for m in moments])),
        torch.tensor([m.pointer for m in moments], dtype=torch.float32),
        torch.stack([held(m.buttons) for m in moments]),
    )  # fmt: skip
    for i in np.flatnonzero(rng.random(len(crops)) < spoilt).tolist():
        _spoil(batch, i, rng)
    return batch


def _spoil(batch: DreamBatch, i: int, rng: np.random.Generator) -> None:
    """Make a few small places of the last guide wrong, as a dream's are: a stroke of another place, one flat colour, or
    grains. Without this a dream that errs once goes on from what it never saw."""
    codes, cells = batch.codes[i], SIDE // CELL
    still = (codes[3] == codes[0]).all()
    for _ in range(int(rng.integers(1, 5))):
        w, h = (int(n) for n in rng.integers(1, 5, 2))
        x, y = int(rng.integers(cells - w + 1)), int(rng.integers(cells - h + 1))
        at = slice(y * CELL, (y + h) * CELL), slice(x * CELL, (x + w) * CELL)
        kind = rng.random()
        if kind < 0.4:
            fx, fy = int(rng.integers(SIDE - w * CELL + 1)), int(rng.integers(SIDE - h * CELL + 1))
            wrong = codes[0, fy : fy + h * CELL, fx : fx + w * CELL].clone()
        elif kind < 0.6:
            wrong = torch.full((h * CELL, w * CELL), int(rng.integers(18)), dtype=torch.uint8)
        else:
            grains = torch.from_numpy(rng.random((h * CELL, w * CELL)) < rng.uniform(0.02, 0.2))
            wrong = torch.where(grains, torch.from_numpy(rng.integers(0, COLOURS, (h * CELL, w * CELL)).astype(np.uint8)), codes[0][at])
        codes[0][at] = wrong
        right = wrong == batch.target[i][at]
        batch.same[i][at] = batch.same[i][at] & 0b110 | right.to(torch.uint8)  # moved and typed come from the last guide
        spot = slice(y, y + h), slice(x, x + w)
        batch.spoilt[i][spot] |= ~batch.changed[i][spot]
    if still:
        codes[3] = codes[0]

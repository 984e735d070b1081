"""Weights of eight bits with a scale for each row: as bitsandbytes (Dettmers et al., 2022, arXiv:2208.07339) and quanto save them.

Both are plain tensors and two sums, so that neither package is needed: numbers as they are kept, times the row's scale. What a
file says is looked over before, as of every other tensor.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.errors import CheckpointError

LEVELS = 127  # by which bitsandbytes' scales, the largest number of a row, count
DATA = "._data"  # quanto's ending
NUMBERS, SCALES = ("I8", "F8_E4M3"), ("F32", "F16", "BF16")
BESIDE = ("input_scale", "output_scale")  # of activations, which stay as they are: quanto writes ones
FORMAT = "weight_format"  # bitsandbytes': how rows are laid out, 0 for one after the other


def pieces_in(entries: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], path: Path) -> dict[str, dict[str, str]]:
    """For each weight of a file that is kept so, the names of its pieces. entries: its header; shapes: of the network's weights,
    by the file's names. Raises CheckpointError for pieces that do not go together."""
    found: dict[str, dict[str, str]] = {}
    for weight, shape in shapes.items():
        owner = weight.removesuffix(".weight")
        theirs = f"{weight}{DATA}" in entries
        if owner == weight or not (theirs or (weight in entries and entries[weight].dtype == "I8")):
            continue
        names = {"weight": f"{weight}{DATA}", "scale": f"{weight}._scale"} if theirs else {"weight": weight, "largest": f"{owner}.SCB"}
        numbers, scale = entries[names["weight"]], entries.get(names["scale" if theirs else "largest"])
        wanted = NUMBERS if theirs else NUMBERS[:1]
        whole = len(shape) == 2 and numbers.dtype in wanted and tuple(numbers.shape) == shape
        if not whole or scale is None or scale.dtype not in SCALES or math.prod(scale.shape) != shape[0]:
            raise CheckpointError(f"{path}: {weight} is kept in eight bits, and its pieces do not go together; copy the file again")
        for piece in (*BESIDE, FORMAT):
            name = f"{owner}.{piece}"
            if name in entries and math.prod(entries[name].shape) == 1:
                names[piece] = name
        found[weight] = names
    return found


def parameter(pieces: Mapping[str, Tensor], path: Path, name: str) -> Any:
    """One weight of its pieces: the numbers as they are kept, `row_scale` (rows, 1) beside them. Raises CheckpointError."""
    if FORMAT in pieces and int(pieces[FORMAT].reshape(-1)[0]):
        raise CheckpointError(f"{path}: {name} is laid out for one kind of GPU; save the checkpoint again with a newer bitsandbytes")
    if any(float(pieces[piece].reshape(-1)[0]) != 1 for piece in BESIDE if piece in pieces):
        raise CheckpointError(f"{path}: {name} asks for activations in eight bits, which is not done here; get the checkpoint in half precision")
    weight: Any = nn.Parameter(pieces["weight"], requires_grad=False)
    scale = pieces["scale"] if "scale" in pieces else pieces["largest"].float() / LEVELS
    weight.row_scale = scale.float().reshape(-1, 1)
    weight.quant_type = "rows"
    return weight


def in_rows(tensor: Any) -> bool:
    return hasattr(tensor, "row_scale")


def unpacked_rows(weight: Any) -> Tensor:
    """In float32."""
    return weight.data.float() * weight.row_scale


class RowLinear(nn.Linear):
    """Multiplies with a weight of eight bits, unpacked as it is used, in the numbers that it is given."""

    row_scale: Tensor

    def __init__(self, plain: nn.Linear, weight: Any) -> None:
        super().__init__(plain.in_features, plain.out_features, plain.bias is not None, device="meta")
        self._kept = weight.dtype
        self.weight = nn.Parameter(weight.data.view(torch.int8), requires_grad=False)  # whole numbers: another format leaves them alone
        self.register_buffer("row_scale", weight.row_scale, persistent=False)

    def forward(self, given: Tensor) -> Tensor:
        weight = self.weight.view(self._kept).to(given.dtype) * self.row_scale.to(given.dtype)
        return nn.functional.linear(given, weight, None if self.bias is None else self.bias.to(given.dtype))

"""What is kept of a dream in pieces, as a painter keeps it: one behind another."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor


class InPieces(Protocol):
    def pieces(self) -> list[Tensor]: ...


def as_one(kept: InPieces, size: tuple[int, int], *planes: int) -> Tensor:
    """As pictures of so many planes, uint8 (N, *planes, H, W), for frames of `size` (width, height)."""
    return torch.cat([piece.flatten() for piece in kept.pieces()]).view(-1, *planes, *reversed(size))

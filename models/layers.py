"""The denoiser's layers: residual blocks that the context steers, and attention to the context's tokens."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.eight_bits import Ranges

PATCH = 4  # pixels a side of one latent cell
PIXELS = PATCH * PATCH


class Block(nn.Module):
    """Two 3x3 convolutions around a residual, their input scaled and shifted by the mood."""

    def __init__(self, width: int, mood: int) -> None:
        super().__init__()
        self.modulate = nn.Linear(mood, 2 * width)
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, mood: Tensor) -> Tensor:
        scale, shift = self.modulate(mood)[:, :, None, None].chunk(2, 1)
        size = torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-4)  # over channels only: stays local
        h = F.silu(torch.addcmul(shift, x * size, 1 + scale))
        return x + self.second(F.silu(self.first(h)))


class Attend(nn.Module):
    """Every cell attends to the context tokens; cells do not see one another."""

    def __init__(self, width: int, token_width: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Conv2d(width, width, 1)
        self.key_value = nn.Linear(token_width, 2 * width)
        self.out = nn.Conv2d(width, width, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, tokens: Tensor) -> Tensor:
        b, c, h, w = x.shape
        query = self.query(x).permute(0, 2, 3, 1).reshape(b, h * w, self.heads, -1).transpose(1, 2)
        key, value = self.key_value(tokens).view(b, -1, 2, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value)
        return x + self.out(mixed.transpose(1, 2).reshape(b, h, w, c).permute(0, 3, 1, 2))


def block_row(width: int, mood: int, count: int) -> nn.ModuleList:
    """So many in a row."""
    return nn.ModuleList(Block(width, mood) for _ in range(count))


def through(layers: nn.ModuleList, x: Tensor, mood: Tensor) -> Tensor:
    """x: (B, C, h, w); mood: (B, M)."""
    for layer in layers:
        x = layer(x, mood)
    return x


class UNet:
    """The body that denoiser and dreamer share, as a mixin: three scales, each half as fine as the one before, steered by
    the mood; at the coarsest, attention to the context's tokens. A stem before it and a head after it are the network's own.

    input_ranges: of its convolutions, where they were measured, see `models.eight_bits`."""

    input_ranges: Ranges | None = None

    def _make_body(self, widths: tuple[int, int, int], blocks: tuple[int, int, int, int, int], token_width: int) -> None:
        """widths: channels at each scale, the finest first; blocks: residual blocks on the way down, in the middle, and up."""
        fine, coarse, deep = widths
        self.down_fine = block_row(fine, deep, blocks[0])
        self.to_coarse = nn.Conv2d(fine, coarse, 2, stride=2)
        self.down_coarse = block_row(coarse, deep, blocks[1])
        self.to_deep = nn.Conv2d(coarse, deep, 2, stride=2)
        self.deepest = block_row(deep, deep, blocks[2])
        self.attend = Attend(deep, token_width)
        self.from_deep = nn.Conv2d(deep, coarse * 4, 1)
        self.up_coarse = block_row(coarse, deep, blocks[3])
        self.from_coarse = nn.Conv2d(coarse, fine * 4, 1)
        self.up_fine = block_row(fine, deep, blocks[4])

    def _through_body(self, fine: Tensor, mood: Tensor, tokens: Tensor) -> Tensor:
        """fine: (B, C, h, w), h and w multiples of 4; mood: (B, M); tokens: (B, K, D)."""
        fine = through(self.down_fine, fine, mood)
        coarse = through(self.down_coarse, self.to_coarse(fine), mood)
        deep = self.attend(through(self.deepest, self.to_deep(coarse), mood), tokens)
        coarse = through(self.up_coarse, coarse + F.pixel_shuffle(self.from_deep(deep), 2), mood)
        return F.silu(through(self.up_fine, fine + F.pixel_shuffle(self.from_coarse(coarse), 2), mood))


def frequencies(level: Tensor) -> Tensor:
    """Sinusoids of the noise level: (B,) to (B, 16)."""
    steps = torch.arange(8, device=level.device, dtype=level.dtype)
    angles = level[:, None] * math.pi * 2 ** (steps / 2)
    return torch.cat([angles.sin(), angles.cos()], 1)

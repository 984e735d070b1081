"""The denoiser's layers: residual blocks that the context steers, and attention to the context's tokens."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.eight_bits import Ranges

PATCH = 4  # pixels a side of one latent cell
PIXELS = PATCH * PATCH
Rows = tuple[int, int, int, int, int]  # one number for each row of blocks of a `UNet`: down at two scales, deepest, up at two
ROWS = ("down_fine", "down_coarse", "deepest", "up_coarse", "up_fine")
AS_OUTSIDE: Rows = (0, 0, 0, 0, 0)


class Steering:
    """The context as layers see it: the mood (B, M), in which the noise level may be, and the tokens (B, K, D). What a layer
    makes of them is computed when it is first needed, and kept: one context paints many crops."""

    def __init__(self, mood: Tensor, tokens: Tensor) -> None:
        self.mood, self.tokens = mood, tokens
        self._made: dict[Any, Any] = {}

    def of(self, layer: Any) -> Any:
        """What `layer` makes of it: its `steered`."""
        if layer not in self._made:
            self._made[layer] = layer.steered(self)
        return self._made[layer]


class Block(nn.Module):
    """Two 3x3 convolutions around a residual, their input scaled and shifted by the mood. inner: channels between the two, 0: as
    many as outside."""

    def __init__(self, width: int, mood: int, inner: int = 0) -> None:
        super().__init__()
        self.modulate = nn.Linear(mood, 2 * width)
        self.first = nn.Conv2d(width, inner or width, 3, padding=1)
        self.second = nn.Conv2d(inner or width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def steered(self, steering: Steering) -> tuple[Tensor, Tensor]:
        """Scale and shift: (B, C, 1, 1) each."""
        scale, shift = self.modulate(steering.mood)[:, :, None, None].chunk(2, 1)
        return 1 + scale, shift

    def forward(self, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        size = torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-4)  # over channels only: stays local
        h = F.silu(torch.addcmul(shift, x * size, scale))
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

    def steered(self, steering: Steering) -> tuple[Tensor, Tensor]:
        """Keys and values: (B, heads, K, C / heads) each."""
        parts = self.key_value(steering.tokens).unflatten(2, (2, self.heads, -1))
        key, value = parts.permute(2, 0, 3, 1, 4)
        return key, value

    def forward(self, x: Tensor, key: Tensor, value: Tensor) -> Tensor:
        b, c, h, w = x.shape
        query = self.query(x).permute(0, 2, 3, 1).reshape(b, h * w, self.heads, -1).transpose(1, 2)
        mixed = F.scaled_dot_product_attention(query, key, value)
        return x + self.out(mixed.transpose(1, 2).reshape(b, h, w, c).permute(0, 3, 1, 2))


def block_row(width: int, mood: int, count: int, inner: int = 0) -> nn.ModuleList:
    """So many in a row."""
    return nn.ModuleList(Block(width, mood, inner) for _ in range(count))


def through(layers: nn.ModuleList, x: Tensor, steering: Steering) -> Tensor:
    """x: (B, C, h, w)."""
    for layer in layers:
        x = layer(x, *steering.of(layer))
    return x


class UNet:
    """The body that denoiser and dreamer share, as a mixin: three scales, each half as fine as the one before, steered by
    the mood; at the coarsest, attention to the context's tokens. Without blocks there, it is left out: two scales. A stem before it
    and a head after it are the network's own.

    input_ranges: of its convolutions, where they were measured, see `models.eight_bits`."""

    input_ranges: Ranges | None = None

    def _make_body(self, widths: tuple[int, int, int], blocks: Rows, token_width: int, inner: Rows = AS_OUTSIDE) -> None:
        """widths: channels at each scale, the finest first; blocks: residual blocks on the way down, in the middle, and up; inner: the
        channels within those of each row, see `Block`."""
        fine, coarse, deep = widths
        self.down_fine = block_row(fine, deep, blocks[0], inner[0])
        self.to_coarse = nn.Conv2d(fine, coarse, 2, stride=2)
        self.down_coarse = block_row(coarse, deep, blocks[1], inner[1])
        self.deepens = blocks[2] > 0
        if self.deepens:
            self.to_deep = nn.Conv2d(coarse, deep, 2, stride=2)
            self.deepest = block_row(deep, deep, blocks[2], inner[2])
            self.attend = Attend(deep, token_width)
            self.from_deep = nn.Conv2d(deep, coarse * 4, 1)
        self.up_coarse = block_row(coarse, deep, blocks[3], inner[3])
        self.from_coarse = nn.Conv2d(coarse, fine * 4, 1)
        self.up_fine = block_row(fine, deep, blocks[4], inner[4])

    def _through_body(self, fine: Tensor, steering: Steering) -> Tensor:
        """fine: (B, C, h, w), h and w multiples of 4, or of 2 where there are two scales."""
        fine = through(self.down_fine, fine, steering)
        coarse = through(self.down_coarse, self.to_coarse(fine), steering)
        if self.deepens:
            deep = self.attend(through(self.deepest, self.to_deep(coarse), steering), *steering.of(self.attend))
            coarse = coarse + F.pixel_shuffle(self.from_deep(deep), 2)
        coarse = through(self.up_coarse, coarse, steering)
        return F.silu(through(self.up_fine, fine + F.pixel_shuffle(self.from_coarse(coarse), 2), steering))


def frequencies(level: Tensor) -> Tensor:
    """Sinusoids of the noise level: (B,) to (B, 16)."""
    steps = torch.arange(8, device=level.device, dtype=level.dtype)
    angles = level[:, None] * math.pi * 2 ** (steps / 2)
    return torch.cat([angles.sin(), angles.cos()], 1)

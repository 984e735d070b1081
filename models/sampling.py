"""Sampling: from a noised previous frame to a clean one, in one to a few steps."""

from __future__ import annotations

import torch
from torch import Tensor

from models.denoiser import CHANNELS, PATCH, Denoiser, Materials, Prediction

STRENGTH = 0.9  # noise level painting starts from; below 1 the previous frame shows through (image to image)


def noise_field(seed: int, size: tuple[int, int]) -> Tensor:
    """The one noise field of a seed: (1, 48, H / 4, W / 4), drawn on the CPU so that every device has the same."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, CHANNELS, size[1] // PATCH, size[0] // PATCH, generator=generator)


def levels(steps: int, strength: float = STRENGTH) -> list[float]:
    """Noise levels from `strength` down to 0: steps + 1 numbers."""
    return [strength * (1 - i / steps) for i in range(steps + 1)]


def sample(
    denoiser: Denoiser,
    previous: Tensor,
    guide: Tensor,
    maps: Tensor,
    tokens: Tensor,
    memory: Tensor | None,
    corners: Tensor,
    materials: Materials,
    noise: Tensor,
    steps: int,
    strength: float = STRENGTH,
) -> Tensor:
    """Euler steps along the straight path of `models.training.objective`; shapes as of Denoiser.forward.

    Returns clean latents (B, 48, h, w), not clamped. Without a guide, pixels that are mostly the previous frame's are
    exactly that: a choice, not a mixture, or the errors of what need not change add up frame by frame.
    """
    path = levels(steps, strength)
    x = (1 - path[0]) * previous + path[0] * noise
    for level, lower in zip(path[:-1], path[1:], strict=True):
        predicted = denoiser(x, previous, guide, maps, x.new_full((len(x),), level), tokens, memory, corners, materials)
        clean = keep(predicted, previous, maps)
        x = clean + (x - clean) * (lower / level)
    return x


def keep(predicted: Prediction, previous: Tensor, maps: Tensor) -> Tensor:
    """The predicted latents, with the previous frame's own pixels where there is no guide and most of a pixel is it."""
    kept = (predicted.kept > 0.5).permute(0, 3, 1, 2).repeat(1, 3, 1, 1)  # colours come first in packed channels
    return torch.where(kept & (maps[:, :1] == 0), previous, predicted.clean)

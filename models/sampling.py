"""Sampling: from a noised previous frame to a clean one, in one to a few steps."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from models.denoiser import CHANNELS, PATCH, Denoiser
from models.layers import Steering
from models.materials import Materials

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
    previous: Tensor | None,
    guide: Tensor,
    maps: Tensor,
    tokens: Tensor,
    memory: Tensor | None,
    corners: Tensor | None,
    materials: Materials,
    noise: Tensor,
    steps: int,
    strength: float = STRENGTH,
    static: bool = False,
    known: dict[float, Steering] | None = None,
    forms: Tensor | None = None,
    between: Callable[[int], None] | None = None,
) -> Tensor:
    """Euler steps along the straight path of `models.training.objective`; shapes, what is static, and `forms` as of Denoiser.forward.

    previous: None where all has a guide. known: by noise level, what these tokens make of the layers; what is missing is put in.
    between: is told after every step but the last how many are done; what it raises ends it.

    Returns clean latents (B, 48, h, w), not clamped: the mean of what each step predicts, weighted by its noise level. Each
    is a guess of the same frame from other noise, and the higher levels are the better learned ones, so more steps are no
    worse than one; the last step alone was. Without a guide, pixels that are mostly the previous frame's are
    exactly that: a choice, not a mixture, or the errors of what need not change add up frame by frame.
    """
    if previous is not None:
        previous = previous * (maps[:, :1] == 0)  # a guide says all: what was there before would only shine through
    path, known = levels(steps, strength), {} if known is None else known
    x = path[0] * noise if previous is None else (1 - path[0]) * previous + path[0] * noise
    clean, kept = x.new_zeros(()), x.new_zeros(())
    for i, (level, lower) in enumerate(zip(path[:-1], path[1:], strict=True)):
        if i and between is not None:
            between(i)
        if level not in known:
            known[level] = denoiser.steering(x.new_full((len(x),), level), tokens)
        predicted = denoiser(x, previous, guide, maps, known[level], memory, corners, materials, static, forms)
        share = level / sum(path)
        clean, kept = clean + share * predicted.clean, kept + share * predicted.kept
        if lower:  # else nothing goes on from it
            x = predicted.clean + (x - predicted.clean) * (lower / level)
    return clean if previous is None else keep(clean, kept, previous, maps)


def keep(clean: Tensor, kept: Tensor, previous: Tensor, maps: Tensor) -> Tensor:
    """The predicted latents, with the previous frame's own pixels where there is no guide and most of a pixel, (B, h, w,
    16), is it."""
    own = (kept > 0.5).permute(0, 3, 1, 2).repeat(1, 3, 1, 1)  # colours come first in packed channels
    return torch.where(own & (maps[:, :1] == 0), previous, clean)

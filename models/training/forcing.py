"""The end phase: previous frames that the network itself painted, so that its own errors do not grow in a closed loop.

After Self Forcing (Huang et al., 2025, arXiv:2506.08009), which closes the gap between training on the source's frames
and painting upon one's own, in the simple form that needs no sessions: one step ahead, and no gradient through it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

import torch
from torch import Tensor

from models.denoiser import CHANNELS, PATCH, Prediction
from models.sampling import STRENGTH, keep
from models.training.objective import Batch

SHARE = 0.5  # of a batch's crops without a guide that get the network's own previous frame
Network = Callable[[Tensor, Tensor, Batch, Tensor], Prediction]


def begun(share_done: float, forced: float) -> bool:
    """Whether a schedule of which `share_done` is over has reached its last `forced` share."""
    return forced > 0 and share_done >= 1 - forced


def own_previous(networks: Network, batch: Batch, generator: torch.Generator) -> Batch:
    """The batch with, in SHARE of the crops that have no guide, the previous frame as the network would have left it. The
    others take nothing from a previous frame.

    The network paints the crop once, in one step, as a painter does. The error it makes is laid over the source's
    previous frame: where nothing changes, that is exactly what it painted. What changes and has no guide is left as
    the source has it, or the answer to be learned would be given away, or an event would seem to have happened
    already. generator is of the batch's device; gradients do not flow through any of this.
    """
    free = (batch.maps[:, 0, 0, 0] == 0).nonzero()[:, 0]
    chosen = free[torch.randperm(len(free), generator=generator, device=free.device)[: int(len(free) * SHARE)]]
    if not len(chosen):
        return batch
    part = Batch(**{field.name: getattr(batch, field.name)[chosen] for field in fields(batch)})
    with torch.no_grad():
        previous = (part.previous + _error(networks, part, generator)).clamp(-1, 1)
    return replace(batch, previous=batch.previous.index_copy(0, chosen, previous))


def _error(networks: Network, part: Batch, generator: torch.Generator) -> Tensor:
    """What the network paints minus what it should have, 0 where no one may know: (B, 48, h, w)."""
    noise = torch.randn(part.previous.shape, generator=generator, device=part.previous.device)
    noisy = (1 - STRENGTH) * part.previous + STRENGTH * noise
    level = torch.full((len(noisy),), STRENGTH, device=noisy.device)
    predicted = networks(noisy, part.previous, part, level)
    painted = keep(predicted.clean, predicted.kept, part.previous, part.maps).float().clamp(-1, 1)
    stays = part.keep.permute(0, 3, 1, 2).repeat(1, CHANNELS // PATCH**2, 1, 1)  # colours come first in packed channels
    return (painted - part.clean) * stays

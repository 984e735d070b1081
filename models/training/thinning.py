"""Fewer channels within a denoiser's blocks, with as little harm as can be.

A channel that is left out is told from those that stay, by least squares over what blocks were given on screens that were painted,
and goes into their weights (after He et al., 2017, arXiv:1707.06168). One after another that channel stays from which most of what is not
told yet can be told, weighed by how much it moves in what comes after. What is lost then, training on brings back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from models.layers import ROWS, Block, UNet

RIDGE = 1e-5  # keeps channels that hardly ever differ from standing for others


def narrower(new: UNet, old: UNet) -> list[tuple[Block, Block]]:
    """The blocks of `new` that have fewer channels within than those of `old` in their places, and those."""
    return [(block, wide) for block, wide in _pairs(new, old) if block.second.in_channels < wide.second.in_channels]


def _pairs(new: UNet, old: UNet) -> Iterator[tuple[Block, Block]]:
    for row in ROWS:
        yield from zip(getattr(new, row, ()), getattr(old, row, ()), strict=False)


def thin(pairs: list[tuple[Block, Block]], paint: Callable[[], object]) -> None:
    """Fill narrow blocks from wide ones, which are at work while `paint` runs."""
    seen = [_Moments(wide) for _, wide in pairs]
    paint()
    for (block, wide), moments in zip(pairs, seen, strict=True):
        moments.end()
        _fill(block, wide, *moments.told())


class _Moments:
    """Mean and covariance of what a block's second convolution is given, while it is at work."""

    def __init__(self, block: Block) -> None:
        self._count, self._sum, self._products = 0, torch.zeros(()), torch.zeros(())
        self._hook = block.second.register_forward_pre_hook(self._see)

    def _see(self, _: nn.Module, given: tuple[Tensor]) -> None:
        rows = given[0].detach().movedim(1, -1).flatten(0, -2).double().cpu()
        self._count, self._sum, self._products = self._count + len(rows), self._sum + rows.sum(0), self._products + rows.T @ rows

    def end(self) -> None:
        self._hook.remove()

    def told(self) -> tuple[Tensor, Tensor]:
        """(C,) and (C, C)."""
        mean = self._sum / self._count
        return mean, self._products / self._count - torch.outer(mean, mean)


@torch.no_grad()
def _fill(block: Block, wide: Block, mean: Tensor, spread: Tensor) -> None:
    weight = wide.second.weight.double()
    kept = _told_most(spread, weight.square().sum((0, 2, 3)), block.second.in_channels)
    lost = torch.tensor([channel for channel in range(len(spread)) if channel not in kept])
    ridge = RIDGE * torch.eye(len(kept), dtype=torch.float64)
    told = torch.linalg.solve(spread[kept][:, kept] + ridge, spread[kept][:, lost])  # (kept, lost): the lost by the kept
    block.modulate.load_state_dict(wide.modulate.state_dict())
    block.first.weight.copy_(wide.first.weight[kept])
    block.second.weight.copy_(weight[:, kept] + torch.einsum("olyx,kl->okyx", weight[:, lost], told))
    if block.first.bias is not None and wide.first.bias is not None and block.second.bias is not None and wide.second.bias is not None:
        block.first.bias.copy_(wide.first.bias[kept])
        block.second.bias.copy_(wide.second.bias + weight.sum((2, 3))[:, lost] @ (mean[lost] - mean[kept] @ told))


def _told_most(spread: Tensor, matters: Tensor, count: int) -> list[int]:
    """Which `count` channels stay. spread: (C, C); matters: (C,)."""
    left, kept = spread.clone(), list[int]()
    for _ in range(count):
        told = (matters @ left.square()) / left.diagonal().clamp_min(RIDGE)
        told[kept] = -1.0
        best = int(told.argmax())
        kept.append(best)
        left = left - torch.outer(left[:, best], left[best]) / left[best, best].clamp_min(RIDGE)
    return sorted(kept)

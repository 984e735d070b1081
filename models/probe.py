"""A first frame that nobody sees: a checkpoint takes over only once it has painted one, of numbers that are some."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engine.context import RECENT_SIZE, SLOW_SIZE
from engine.errors import CheckpointError
from engine.geometry import Rect
from engine.painter import ContextFeatures, Painter, PainterSpec, PaintRequest, Words

PROBED = Rect(0, 0, 64, 64)


def probe(painter: Painter, networks: Sequence[nn.Module], spec: PainterSpec) -> None:
    """Paint one crop with a guide, then forget it. networks: those that the painter paints with.

    Raises CheckpointError where nothing is painted, or of numbers that are not finite.
    """
    request = first_request(spec.size, PROBED)
    with watched(networks) as odd:
        painting = painter.paint(request)
    if odd:
        raise CheckpointError(f"the checkpoint {spec.checkpoint} does not paint: {[*odd.values()][-1]} gives numbers that are not finite; get a clean copy, or try --dtype float32")
    if not any(patch.rect.covers(PROBED) for patch in painting.patches):
        raise CheckpointError(f"the checkpoint {spec.checkpoint} does not paint: nothing came of a first frame; get a clean copy")
    painter.restore(None)


def first_request(size: tuple[int, int], area: Rect) -> PaintRequest:
    """Noise, to be painted in an area."""
    width, height = size
    guide = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    plain = np.zeros((height, width), np.uint8), np.zeros((height, width, 4), np.uint8)
    context = ContextFeatures(np.zeros(SLOW_SIZE, np.float32), np.zeros(RECENT_SIZE, np.float32))
    return PaintRequest(0, (), (area,), guide, plain[0], context, forms=plain[1], words=Words("clean"))


def unseen(request: PaintRequest) -> PaintRequest:
    """The same of a guide that shows nothing, for who paints something like it later: what a request brings is only lent."""
    guide = None if request.guide is None else np.broadcast_to(np.zeros(3, np.uint8), request.guide.shape)
    return replace(request, guide=guide, verbatim=None, forms=None)


@contextmanager
def watched(networks: Sequence[nn.Module]) -> Iterator[dict[nn.Module, str]]:
    """The networks, and their parts, that gave numbers which are not finite, with their names, the latest last. What each gave
    last counts: an autoencoder that half precision is too small for is asked again, in full."""
    odd: dict[nn.Module, str] = {}

    def look(module: nn.Module, given: Any, result: Any) -> None:
        odd.pop(module, None)
        if not all(torch.isfinite(tensor).all() for tensor in _tensors(result)):
            odd[module] = type(module).__name__

    parts = [part for network in networks for part in (network, *network.children())]
    hooks = [part.register_forward_hook(look) for part in parts]
    try:
        yield odd
    finally:
        for hook in hooks:
            hook.remove()


def _tensors(result: Any) -> Iterator[Tensor]:
    """The tensors of floats that a network gave, in whatever it gave them."""
    if isinstance(result, Tensor):
        if result.is_floating_point():
            yield result
    elif isinstance(result, dict):
        yield from _tensors(tuple(result.values()))
    elif isinstance(result, (tuple, list)):
        for part in result:
            yield from _tensors(part)
    elif hasattr(result, "__dict__"):
        yield from _tensors(tuple(vars(result).values()))

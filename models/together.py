"""Several linear layers that are given the same input, in one product: matrices whose rows lie one after the other in memory are one.

They stay their layers' own parameters. Who moves them takes them apart, and each layer computes its own again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def put_together(layers: Sequence[nn.Linear]) -> None:
    """Have the layers' weights, and their biases where they have some, lie one after the other. All of one width, number format and device."""
    for name in ("weight", "bias"):
        own = [getattr(layer, name) for layer in layers]
        if any(one is None for one in own) or together(own) is not None:
            continue
        with torch.inference_mode(False), torch.no_grad():
            rows = torch.cat([one.detach() for one in own]).split([len(one) for one in own])
            for one, part in zip(own, rows, strict=True):
                one.data = part


def together(tensors: Sequence[Tensor]) -> Tensor | None:
    """All their rows as one tensor, nothing copied; None where they do not lie one after the other."""
    first = tensors[0]
    at, rows = first.data_ptr(), 0
    for one in tensors:
        same = one.untyped_storage().data_ptr() == first.untyped_storage().data_ptr() and one.dtype == first.dtype and one.shape[1:] == first.shape[1:]
        if not same or not one.is_contiguous() or one.data_ptr() != at:
            return None
        at, rows = at + one.numel() * one.element_size(), rows + len(one)
    return first.as_strided((rows, *first.shape[1:]), first.stride())


def product(layers: Sequence[nn.Module], x: Tensor) -> list[Tensor]:
    """What each layer gives for x, (..., D): in one product where it can be."""
    plain = [layer for layer in layers if type(layer) is nn.Linear]  # a LoRA's layer is another
    biases = [layer.bias for layer in plain if layer.bias is not None]
    if len(plain) == len(layers) and len(biases) in (0, len(layers)):
        weight, bias = together([layer.weight for layer in plain]), together(biases) if biases else None
        if weight is not None and (bias is None) == (not biases):
            return list(F.linear(x, weight, bias).split([layer.out_features for layer in plain], -1))
    return [layer(x) for layer in layers]


class Together:
    """Of a network's layers that all get one input, in whatever order: the first of them computes for all, every time anew, for an
    input may hold other numbers by then. before: what the input goes through first."""

    def __init__(self, layers: Sequence[nn.Linear], before: Callable[[Tensor], Tensor] | None = None) -> None:
        put_together(layers)
        self._layers, self._before = layers, before
        self._given: Tensor | None = None
        self._found: dict[nn.Module, Tensor] = {}

    def __call__(self, layer: nn.Module, x: Tensor) -> Tensor:
        """What a layer gives for x, which is compared by identity."""
        if layer is self._layers[0]:
            self._given, self._found = x, dict(zip(self._layers, product(self._layers, self._ready(x)), strict=True))
        found = self._found.pop(layer, None) if x is self._given else None
        if not self._found:
            self._given = None
        return layer(self._ready(x)) if found is None else found

    def _ready(self, x: Tensor) -> Tensor:
        return x if self._before is None else self._before(x)

"""A stock pipeline's transformer, sent to a GPU in one go wherever the pipeline calls it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Any

import torch

from models.graphs import Graphs
from models.reference.remembered import plain

# Those whose words are always as many tokens: of the others each sentence would have to be captured anew.
PADDED = ("FluxKontextPipeline", "FluxImg2ImgPipeline", "Flux2KleinPipeline", "Flux2Pipeline")


class Captured:
    """Takes the place of a network's `forward`, which is called with tensors and plain values, and gives tensors."""

    def __init__(self, network: Any, graphs: Graphs) -> None:
        before = network.forward
        self._forward: Callable[..., Any] = before._forward if isinstance(before, Captured) else before  # of a painter that had it before
        self._graphs = graphs
        self._wrapped: dict[str, Callable[..., Any]] = {}  # by what is no tensor
        network.forward = update_wrapper(self, self._forward)

    def __call__(self, *given: Any, **named: Any) -> Any:
        every: dict[Any, Any] = {**dict(enumerate(given)), **named}
        tensors = {name: value for name, value in every.items() if isinstance(value, torch.Tensor)}
        rest = {name: value for name, value in every.items() if name not in tensors}
        if named.get("return_dict") is not False or not plain(rest):
            return self._forward(*given, **named)
        key = repr((list(tensors), rest))
        if key not in self._wrapped:
            self._wrapped[key] = self._graphs.wrap(partial(self._called, tuple(tensors), rest))
        return self._wrapped[key](*tensors.values())

    def _called(self, names: tuple[Any, ...], rest: dict[Any, Any], *tensors: torch.Tensor) -> Any:
        every = {**dict(zip(names, tensors, strict=True)), **rest}
        given = [every.pop(i) for i in sorted(name for name in every if isinstance(name, int))]
        return self._forward(*given, **every)

"""What a painter painted ahead, by the names that the frame cache would give it, until it is asked for or pushed out.

Apart from the frame cache, so that guesses never push out what was really shown.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager

import numpy as np
from torch import nn

from models.frame_cache import FrameCache
from models.pages import in_pages


class Dropped(Exception):
    """A guess was given up in the middle: something real is to be painted."""


class Ahead:
    """At most `largest_mb` megabytes; `needed` counts the patches that were asked for after all."""

    def __init__(self, largest_mb: float) -> None:
        self._kept: FrameCache[np.ndarray] = FrameCache(largest_mb)
        self.needed = 0

    def keep(self, key: Hashable | None, pixels: np.ndarray) -> None:
        self._kept.put(key, in_pages(pixels), pixels.nbytes)

    def look(self, key: Hashable | None) -> np.ndarray | None:
        return self._kept.get(key)

    def take(self, key: Hashable | None) -> np.ndarray | None:
        """The patch, if it was painted; the frame cache keeps it from now on."""
        pixels = None if key is None else self._kept.take(key)
        self.needed += pixels is not None
        return pixels

    def clear(self) -> None:
        self._kept.clear()


@contextmanager
def droppable(network: nn.Module, dropped: Callable[[], bool]) -> Iterator[None]:
    """Raise Dropped at the network's next layer once `dropped` says so. Compiled layers are left alone, for hooks would be
    compiled with them; and where a CUDA graph is replayed there are no layers to go through."""

    def look(*_: object) -> None:
        if dropped():
            raise Dropped

    compiled = {inner for layer in network.modules() if layer._compiled_call_impl is not None for inner in layer.modules()}
    hooks = [layer.register_forward_pre_hook(look) for layer in network.modules() if layer not in compiled]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()

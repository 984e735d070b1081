"""What a painter painted ahead: patches named by everything that they came from, the latents before among it.

The frame cache's names leave the latents out, so a guess must not go there by itself: with it, something else might be looked
up than without. Here only the very patch is found that would be painted now.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from torch import nn

from models.frame_cache import FrameCache


class Dropped(Exception):
    """A guess was given up in the middle: something real is to be painted."""


class Ahead:
    """At most `largest_mb` megabytes; `needed` counts the patches that were asked for after all."""

    def __init__(self, largest_mb: float) -> None:
        self._kept: FrameCache[np.ndarray] = FrameCache(largest_mb)
        self.needed = 0

    def name(self, key: bytes | None, before: np.ndarray) -> bytes | None:
        """Of a patch that the frame cache would call `key`, painted over `before`, uint8 (3, h, w)."""
        return None if key is None else hashlib.blake2b(key + before.tobytes(), digest_size=16).digest()

    def keep(self, name: bytes | None, pixels: np.ndarray) -> None:
        self._kept.put(name, pixels, pixels.nbytes)

    def look(self, name: bytes | None) -> np.ndarray | None:
        return self._kept.get(name)

    def take(self, name: bytes | None) -> np.ndarray | None:
        """The patch, if it was painted; the frame cache keeps it from now on."""
        pixels = None if name is None else self._kept.take(name)
        self.needed += pixels is not None
        return pixels

    def clear(self) -> None:
        self._kept.clear()


@contextmanager
def droppable(network: nn.Module, dropped: Callable[[], bool]) -> Iterator[None]:
    """Raise Dropped at the network's next layer once `dropped` says so."""

    def look(*_: object) -> None:
        if dropped():
            raise Dropped

    hooks = [layer.register_forward_pre_hook(look) for layer in network.modules()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()

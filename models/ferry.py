"""Brings pictures to a device and back.

On a GPU they go through pinned buffers that are kept, so that copies run beside the host's work. Nothing waits for the whole
device: who fills a buffer waits until its own last copy is through, who fetches a picture until that picture is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

BUFFERS = 4  # on the way to the device at once: a crop's guide, its verbatim mask and its corners, and one to fill


class Copy(Protocol):
    """A copy under way."""

    def synchronize(self) -> Any:
        """Wait until it is through."""


class Road(Protocol):
    """How copies run that are not waited for."""

    def buffer(self, size: int) -> Tensor:
        """uint8 (size,) on the host."""

    def copy(self, target: Tensor, source: Tensor) -> Copy: ...


class CudaRoad:
    def __init__(self, device: torch.device) -> None:
        self._device = device

    def buffer(self, size: int) -> Tensor:
        return torch.empty(size, dtype=torch.uint8, pin_memory=True)

    def copy(self, target: Tensor, source: Tensor) -> Copy:
        target.copy_(source, non_blocking=True)
        event = torch.cuda.Event()
        event.record(torch.cuda.current_stream(self._device))
        return event


def road_for(device: torch.device) -> Road | None:
    """None where host and device are one."""
    return CudaRoad(device) if device.type == "cuda" else None


class Ferry:
    """For one painter, on the stream that it paints on."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._road = device, road_for(device)
        if self._road is not None:
            self._outward = cycle([_Buffer(self._road) for _ in range(BUFFERS)])
            self._homeward = _Buffer(self._road)

    def up(self, pixels: np.ndarray) -> Tensor:
        """The same on the device; it may share memory with `pixels` where that is the host."""
        if self._road is None:
            return torch.from_numpy(np.require(pixels, requirements=("C", "W")))
        target = torch.empty(pixels.shape, dtype=torch.uint8, device=self._device)
        next(self._outward).send(pixels, target)
        return target

    def down(self, tensor: Tensor) -> np.ndarray:
        """A copy on the host, once all that leads to it is done."""
        if self._road is None:
            return tensor.contiguous().numpy().copy()
        return self._homeward.fetch(tensor)


    def strung(self, pieces: Sequence[Tensor], out: np.ndarray | None = None, shape: Sequence[int] = (-1,)) -> np.ndarray:
        """The bytes of tensors, one behind another, on the host: uint8 of `shape`, in `out` or a new array. Raises ValueError where they do not
        fill `out`."""
        flat = [(self.down(piece) if piece.is_cuda else piece.numpy()).reshape(-1).view(np.uint8) for piece in pieces]
        if out is None:
            return np.concatenate(flat).reshape(shape)
        np.concatenate(flat, out=out.reshape(-1))
        return out


class _Buffer:
    """One pinned buffer, as large as the largest picture so far."""

    def __init__(self, road: Road) -> None:
        self._road = road
        self._bytes = torch.empty(0, dtype=torch.uint8)
        self._under_way: Copy | None = None

    def send(self, given: np.ndarray, target: Tensor) -> None:
        held = self._like(target)
        # numpy's copy and not torch's: that wakes a thread a core for it, and waits for all of them where other programs are busy
        np.copyto(held.numpy(), given)
        self._under_way = self._road.copy(target, held)

    def fetch(self, tensor: Tensor) -> np.ndarray:
        held = self._like(tensor)
        self._under_way = self._road.copy(held, tensor)
        self._under_way.synchronize()
        return held.numpy().copy()

    def _like(self, tensor: Tensor) -> Tensor:
        """Room for a tensor, once nobody needs any more what was in it."""
        if self._under_way is not None:
            self._under_way.synchronize()
        size = tensor.numel() * tensor.element_size()
        if size > len(self._bytes):
            self._bytes = self._road.buffer(size)
        return self._bytes[:size].view(tensor.dtype).view(tensor.shape)

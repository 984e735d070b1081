"""Shared memory in which frames and latents cross between the window's process and the painter's.

There are no locks, so that a process killed at any moment never stops the other. The two take turns instead,
and where one may write while the other could still need the old content there are two slots.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import numpy as np

from engine.errors import PixelOSError
from engine.letters import LatentForm

SLOTS = 2
AHEAD = 3  # requests that may be painted ahead at once
ALIGNMENT = 64
LINUX_SEGMENTS = Path("/dev/shm")


class Segment:
    """One piece of shared memory, handed out as arrays one after the other.

    The process that creates it removes it: the resource tracker does if that process is killed.
    """

    def __init__(self, size: int, name: str | None = None) -> None:
        self._owned = name is None
        self._memory = _create(size) if name is None else SharedMemory(name)
        self._used = 0

    @property
    def name(self) -> str:
        return self._memory.name

    def array(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        """The next array of this segment, zeros at first; both sides ask in the same order."""
        array: np.ndarray = np.ndarray(shape, dtype, self._memory.buf, self._used)
        self._used += aligned(array.nbytes)
        return array

    def close(self) -> None:
        """Let go of the memory, after every array of it; the owner removes it."""
        if self._owned:
            self._owned = False
            self._memory.unlink()
        self._memory.close()


class FrameMemory:
    """What a request and its answer need, for frames of one size.

    beats: int64 (1,), counts while the painter's process lives; read: int64 (1,), of what its checkpoint holds, in
    thousandths; card: int64 (3,), bytes of the painter's card that are free, that it has in all, and that the painter has; guide: uint8 (5, H, W, 3), verbatim:
    uint8 (5, H, W) and forms: uint8 (5, H, W, 4), one slot being painted, one waiting, and AHEAD for guesses; painted: uint8 (H, W, 3), valid between an
    answer and the next request; stopped: int64 (1,), the number of a request to give up; previews: int64 (1,), counts the
    pictures that were put into preview, uint8 (H, W, 3).
    """

    def __init__(self, size: tuple[int, int], name: str | None = None) -> None:
        width, height = size
        pixels, slots = width * height, SLOTS + AHEAD
        self._segment = Segment(sum(map(aligned, (8, 8, 24, slots * pixels * 3, slots * pixels, slots * pixels * 4, pixels * 3, 8, 8, pixels * 3))), name)
        self.beats = self._segment.array((1,), "int64")
        self.read = self._segment.array((1,), "int64")
        self.card = self._segment.array((3,), "int64")
        self.guide = self._segment.array((slots, height, width, 3), "uint8")
        self.verbatim = self._segment.array((slots, height, width), "uint8")
        self.forms = self._segment.array((slots, height, width, 4), "uint8")
        self.painted = self._segment.array((height, width, 3), "uint8")
        self.stopped = self._segment.array((1,), "int64")
        self.previews = self._segment.array((1,), "int64")
        self.preview = self._segment.array((height, width, 3), "uint8")

    @property
    def name(self) -> str:
        return self._segment.name

    def close(self) -> None:
        del self.beats, self.read, self.card, self.guide, self.verbatim, self.forms, self.painted, self.stopped, self.previews, self.preview
        self._segment.close()


class LatentMemory:
    """The latents of the last two paintings, each under its serial (from 1), which is written last.

    The painter's process publishes serial n + 1 over n - 1 and starts on it only when n was received:
    the latents of the last painting that was received are whole at every moment.
    """

    def __init__(self, form: LatentForm, name: str | None = None) -> None:
        self.form = form
        size = int(np.prod(form.shape)) * np.dtype(form.dtype).itemsize * SLOTS
        self._segment = Segment(aligned(8 * SLOTS) + aligned(size), name)
        self._serials = self._segment.array((SLOTS,), "int64")
        self._slots = self._segment.array((SLOTS, *form.shape), form.dtype)

    @property
    def name(self) -> str:
        return self._segment.name

    def publish(self, serial: int, put: Callable[[np.ndarray], object]) -> None:
        """Have `put` put latents into the array that it is given."""
        slot = serial % SLOTS
        self._serials[slot] = 0
        put(self._slots[slot])
        self._serials[slot] = serial

    def holds(self, serial: int) -> bool:
        return serial > 0 and int(self._serials[serial % SLOTS]) == serial

    def read(self, serial: int) -> np.ndarray | None:
        """A copy of the latents published under `serial`; None where they are not there, or not any more."""
        return self._slots[serial % SLOTS].copy() if self.holds(serial) else None

    def close(self) -> None:
        del self._serials, self._slots
        self._segment.close()


def aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _create(size: int) -> SharedMemory:
    """Raises PixelOSError where the machine has no room for it."""
    try:
        memory = SharedMemory(f"pixelos_{os.getpid()}_{secrets.token_hex(4)}", create=True, size=size)
    except OSError as error:
        raise PixelOSError(_no_room(size, error)) from error
    try:
        _reserve(memory.name, size)
    except OSError as error:
        memory.unlink()
        memory.close()
        raise PixelOSError(_no_room(size, error)) from error
    return memory


def _reserve(name: str, size: int) -> None:
    """Take the room now: if it were missing later, the first write would end the process without a word."""
    path = LINUX_SEGMENTS / name
    if hasattr(os, "posix_fallocate") and path.exists():
        handle = os.open(path, os.O_RDWR)
        try:
            os.posix_fallocate(handle, 0, size)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.ENOMEM):
                raise
        finally:
            os.close(handle)


def _no_room(size: int, error: OSError) -> str:
    return (
        f"no shared memory of {size / 1e6:.1f} MB for frames to cross in ({error.strerror or error}); "
        f"free or enlarge {LINUX_SEGMENTS}, or choose a smaller size"
    )

"""Memory that was freed goes back to the system now and then, and not at once.

glibc keeps what is freed for later, in pieces between others that are in use, and a window that is used for an hour holds ten
megabytes of them. What lies at the heap's end it gives back at once, which a painter that takes and frees as much at every paint has to
get again, page by page: a whole frame of the bundled checkpoint took 6,500 of them and 54 ms, and takes 44. Where there is no glibc, nothing is done.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from time import monotonic

EVERY_S = 30.0
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's names for what `mallopt` sets


@dataclass(frozen=True, slots=True)
class Heap:
    """How a process keeps what it frees, in bytes. kept: at the heap's end, for what is allocated next; largest: what is larger is no part
    of the heap, and goes back by itself. Left to itself, glibc has either follow what was freed."""

    kept: int
    largest: int


PAINTERS = Heap(128 << 20, 32 << 20)  # the same again at the next paint; glibc allows no larger ones
WINDOWS = Heap(1 << 20, 64 << 10)  # larger pictures are rare there, and what comes to lie in their places would keep the heap large


class Freed:
    """Gives it back, at most every so many seconds."""

    def __init__(self, every: float = EVERY_S) -> None:
        self._every, self._last = every, monotonic()

    @property
    def due(self) -> float:
        """In how many seconds it is time for it."""
        return max(self._last + self._every - monotonic(), 0.0)

    def give_back(self) -> None:
        """If it is time for it: call it where a few milliseconds are not missed."""
        if not self.due:
            self._last = monotonic()
            _glibc("malloc_trim")(0)


def shape(heap: Heap) -> None:
    """Have this process keep what it frees like that from now on; `Freed` gives back what is kept."""
    _glibc("mallopt")(M_TRIM_THRESHOLD, heap.kept)
    _glibc("mallopt")(M_MMAP_THRESHOLD, heap.largest)


@lru_cache
def _glibc(name: str) -> Callable[..., object]:
    """A function of the C library; one that does nothing where there is none of the name: another C library, Windows."""
    try:
        return getattr(ctypes.CDLL(None), name)  # type: ignore[no-any-return]
    except (AttributeError, OSError, TypeError):
        return lambda *_: None

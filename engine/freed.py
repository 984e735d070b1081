"""Memory that was freed goes back to the system now and then.

glibc keeps what is freed for later, in pieces between others that are in use, and a window that is used for an hour holds ten
megabytes of them. Where there is no glibc, nothing is done.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import lru_cache
from time import monotonic

EVERY_S = 30.0


class Freed:
    """Gives it back, at most every so many seconds."""

    def __init__(self, every: float = EVERY_S) -> None:
        self._every, self._last = every, monotonic()

    def give_back(self) -> None:
        """If it is time for it: call it where a few milliseconds are not missed."""
        if monotonic() - self._last >= self._every:
            self._last = monotonic()
            _trim()(0)


@lru_cache(maxsize=1)
def _trim() -> Callable[[int], object]:
    try:
        return ctypes.CDLL(None).malloc_trim  # type: ignore[no-any-return]
    except (AttributeError, OSError, TypeError):  # another C library; Windows
        return lambda _: None

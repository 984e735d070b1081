"""What is tested may neither hang nor take memory unseen."""

from __future__ import annotations

import faulthandler
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

GRACE_S = 10.0


class Hung(BaseException):
    """By the clock on the wall. No Exception: what is tested may catch all of them."""


@contextmanager
def alarmed(seconds: float) -> Iterator[None]:
    """Raises AssertionError after `seconds` by the clock on the wall; what does not heed that, as it runs no Python, ends with the
    whole process GRACE_S later, saying where it was."""

    def rung(number: int, frame: object) -> None:
        raise Hung

    heeded = hasattr(signal, "SIGALRM") and threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGALRM, rung) if heeded else None
    faulthandler.dump_traceback_later(seconds + GRACE_S, exit=True, file=sys.__stderr__ or sys.stderr)
    try:
        if heeded:
            signal.setitimer(signal.ITIMER_REAL, seconds)
        yield
    except Hung:
        raise AssertionError(f"hung for {seconds:.1f} s") from None
    finally:
        faulthandler.cancel_dump_traceback_later()
        if heeded:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


class Memory:
    """The most that this process takes from now on, and not what it ever took: Linux forgets its high-water mark when it is told to.

    Where that cannot be said (Windows; macOS, or a Linux that does not let it be) it is what exceeds the most that was ever taken."""

    def __init__(self) -> None:
        with suppress(OSError):  # no such file, or not to be written
            Path("/proc/self/clear_refs").write_text("5")
        self._before = most_mb()

    @property
    def more_mb(self) -> float:
        """Above what was taken at the start."""
        return most_mb() - self._before


def most_mb() -> float:
    """The high-water mark; 0 where the system does not say."""
    if sys.platform == "linux":
        return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 2**10
    if sys.platform == "win32":
        return 0.0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)

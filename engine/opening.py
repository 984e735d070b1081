"""How far a checkpoint's opening is: counted where its bytes are read, heard where somebody waits for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[float], None]  # share that was read, 0 to 1

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)
_counted: ContextVar[list[int] | None] = ContextVar("counted", default=None)  # bytes read, bytes in all


@contextmanager
def heard(listener: Listener) -> Iterator[None]:
    """Have `listener` told while something is opened inside."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


@contextmanager
def expecting(size: int) -> Iterator[None]:
    """What is opened inside holds `size` bytes."""
    token = _counted.set([0, size])
    try:
        yield
    finally:
        _counted.reset(token)


def count(size: int) -> None:
    """So many bytes more were read."""
    counted, listener = _counted.get(), _listener.get()
    if counted is not None and listener is not None:
        counted[0] += size
        listener(min(counted[0] / max(counted[1], 1), 1.0))

"""A painter's process that waits to be needed: taking its libraries in is most of what opening a checkpoint takes."""

from __future__ import annotations

import multiprocessing
import pickle
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

from engine.child import run_spare
from engine.painter import OpenPainter

KILL_S = 1.0
METHOD = "spawn"  # how a process is begun: afresh, as on every system


def started(run: Callable[..., None], *given: Any) -> tuple[Connection, Any]:
    """A process that runs `run(letters, *given)`, and this end of its letters."""
    context: Any = multiprocessing.get_context(METHOD)
    letters, theirs = context.Pipe()
    process = context.Process(target=run, args=(theirs, *given), name="pixelos-painter", daemon=True)
    process.start()
    theirs.close()  # or its end would never be seen
    return letters, process


class Spare:
    """libraries: modules by name, taken in at once."""

    def __init__(self, opener: bytes, libraries: Sequence[str]) -> None:
        self.letters, self.process = started(run_spare, opener, tuple(libraries))

    @property
    def alive(self) -> bool:
        return bool(self.process.is_alive())

    def end(self) -> None:
        self.process.kill()
        self.process.join(KILL_S)
        self.letters.close()


class Spares:
    """One spare process at most, while somebody is about to need it. Without libraries there is never one. `expect` is one thread's;
    any may take it."""

    def __init__(self, open_painter: OpenPainter, libraries: Sequence[str]) -> None:
        self._opener, self._libraries = pickle.dumps(open_painter), tuple(libraries)
        self._taking = threading.Lock()
        self._spare: Spare | None = None

    @property
    def pid(self) -> int | None:
        spare = self._spare
        return spare.process.pid if spare is not None else None

    def expect(self, needed: bool) -> None:
        """Whether one may soon be needed; never waits."""
        if needed and self._spare is None and self._libraries:
            self._spare = Spare(self._opener, self._libraries)
        elif not needed and (spare := self.take()) is not None:
            threading.Thread(target=spare.end, name="ending", daemon=True).start()

    def take(self) -> Spare | None:
        """Whoever takes it ends it."""
        with self._taking:
            spare, self._spare = self._spare, None
            return spare

"""When a run is to end before its time: a stop file, Ctrl-C, a polite kill. All is saved first."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

STOP = "stop"  # a file of this name in the output folder


class Stopping:
    """Inside the block SIGINT and SIGTERM only ask; a second one ends the process as it always did."""

    def __init__(self, out: Path, within: Path | None = None) -> None:
        """within: a folder whose stop file asks, too; who runs there uses it up."""
        self.file = out / STOP
        self._within = within / STOP if within else self.file
        self.signal: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Stopping:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._give_back()

    @property
    def asked(self) -> bool:
        """Whether the run is to end now."""
        return self.signal is not None or self.file.exists() or self._within.exists()

    def forget(self) -> None:
        """A stop file from before is not meant for this run."""
        self.file.unlink(missing_ok=True)

    def leave(self) -> None:
        """Once all is saved: end as a process does that was asked by a signal; else just go on.

        Raises KeyboardInterrupt, or SystemExit with the shell's number for SIGTERM. The stop file is used up.
        """
        self.file.unlink(missing_ok=True)
        if self.signal == signal.SIGINT:
            raise KeyboardInterrupt
        if self.signal is not None:
            raise SystemExit(128 + self.signal)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        self._give_back()

    def _give_back(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

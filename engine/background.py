"""Work that must be done soon, surely, and never on the thread that asks for it.

The journal commits and the documents folder is written on threads of this kind. The work itself knows what
is left to do; it is simply called again until it has succeeded.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

RETRY_S = 1.0


class Background:
    """Calls `work` on a thread of its own whenever it was asked to; again every second while it raises.

    `rest_s` is waited before each call, so that what is asked for in quick succession is done in one go;
    whoever is in `flush` or `close` does not wait for that. `trouble` is the last failure's message, until
    the work succeeds.
    """

    def __init__(self, name: str, work: Callable[[], None], rest_s: float, retry_s: float = RETRY_S) -> None:
        self.trouble: str | None = None
        self._work = work
        self._rest_s = rest_s
        self._retry_s = retry_s
        self._changed = threading.Condition()
        self._asked = 0
        self._done = 0
        self._waiting = 0
        self._closing = False
        # A daemon: a disk that hangs must not keep the program from ending.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def ask(self) -> None:
        """Have `work` called after now. Returns at once."""
        with self._changed:
            self._asked += 1
            self._changed.notify_all()

    def flush(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds until everything asked for so far is done; whether it is."""
        with self._changed:
            target = self._asked
            self._waiting += 1
            self._changed.notify_all()
            try:
                return self._changed.wait_for(lambda: self._done >= target, timeout)
            finally:
                self._waiting -= 1

    def close(self, timeout: float) -> bool:
        """Do what is left, trying once if it fails, and end the thread; whether all was done in time."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout)
        return not self._thread.is_alive() and self._done == self._asked

    def _run(self) -> None:
        while (target := self._next()) is not None:
            try:
                self._work()
            # Whatever it is, this thread must outlive it, or nothing would be saved any more.
            except Exception as error:  # noqa: BLE001
                self.trouble = str(error) or type(error).__name__
                with self._changed:
                    if self._closing:
                        return
                    self._changed.wait_for(lambda: self._closing, self._retry_s)
            else:
                self.trouble = None
                with self._changed:
                    self._done = target
                    self._changed.notify_all()

    def _next(self) -> int | None:
        """Wait for something to do; the count of what was asked for by then, None when it is time to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._asked > self._done or self._closing)
            if self._asked == self._done:
                return None
            self._changed.wait_for(lambda: self._waiting > 0 or self._closing, self._rest_s)
            return self._asked

"""The painter's process as its parent sees it: start, write, read, notice that it is dead or hangs, kill."""

from __future__ import annotations

import pickle
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.connection import Connection

from engine.child import run_child
from engine.frame_memory import FrameMemory
from engine.letters import Begin, Dropped, Failed, Opened, Paint, Painted, ToChild, ToMailbox
from engine.painter import PainterSpec
from engine.spare import KILL_S, Spare, started

TICK_S = 0.25
# A clock that jumped (the machine slept, the program was stopped) is no sign of a hanging painter.
LONGEST_TICK_S = 1.0
# What every platform's pipe takes without anyone reading at the other end.
SURELY_TAKEN = 4096
END_S = 0.7
LONGEST_BACKOFF_S = 10.0


@dataclass(frozen=True, slots=True)
class Limits:
    """When a painter's process counts as hanging, and how often it is started again. Times in seconds.

    start: until its first sign of life; opening: until the checkpoint is open; first_paint, paint: for one
    paint, or one step of a paint that tells of its steps; beat: between two signs of life. After `deaths` deaths within `quick` it is not started any more;
    before that, after `backoff`, four times as long each time.
    """

    start: float = 60.0
    opening: float = 600.0
    first_paint: float = 120.0
    paint: float = 20.0
    beat: float = 10.0
    deaths: int = 3
    quick: float = 60.0
    backoff: float = 0.2


class Deaths:
    """When processes of one painter died lately, by its limits."""

    def __init__(self) -> None:
        self._when: list[float] = []

    def count(self, limits: Limits) -> int:
        """One died now: how many did within `quick`."""
        now = time.monotonic()
        self._when = [t for t in self._when if now - t <= limits.quick] + [now]
        return len(self._when)

    def pause(self, limits: Limits) -> float:
        """Seconds until another one should be started."""
        return min(limits.backoff * 4 ** (len(self._when) - 1), LONGEST_BACKOFF_S) if self._when else 0.0

    def forget(self) -> None:
        """Begin to count anew."""
        self._when.clear()


class ProcessLost(Exception):
    """The process died or hangs, in plain words. hopeless: another one would fare no better; short: for want of memory."""

    def __init__(self, why: str, hopeless: bool = False, short: bool = False) -> None:
        super().__init__(why)
        self.hopeless, self.short = hopeless, short


class PainterProcess:
    """One process with one painter. Used by one thread, but for `send` and `kill`. spare: a process that waits to be needed, of the
    same opener; it is taken where it is still there, else ended."""

    def __init__(self, opener: bytes, spec: PainterSpec, frames: FrameMemory, limits: Limits, spare: Spare | None = None) -> None:
        self._writer: threading.Thread | None = None
        self._frames = frames
        self._limits = limits
        frames.beats[0] = frames.read[0] = 0
        frames.card[:] = 0
        if spare is not None and spare.alive:
            self._letters, self._process = spare.letters, spare.process
            _write(self._letters, pickle.dumps(Begin(spec, frames.name)))
        else:
            if spare is not None:
                spare.end()
            self._letters, self._process = started(run_child, opener, spec, frames.name)
        self._looked = time.monotonic()
        self._beats = 0
        self._silent_s = 0.0
        self._busy_s = 0.0
        self._heard_of = False
        self._open = False
        self._painting = False
        self._has_painted = False

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    def send(self, letter: ToChild) -> None:
        """Write a letter; never waits. A process that is gone is noticed by `receive`."""
        if isinstance(letter, Paint):
            self._busy_s = 0.0
            self._painting = True
        data = pickle.dumps(letter)
        if len(data) <= SURELY_TAKEN:
            _write(self._letters, data)
        else:
            # A process that is stopped does not read: this waits until it does or is killed.
            self._writer = threading.Thread(
                target=_write, args=(self._letters, data), name="letter", daemon=True
            )
            self._writer.start()

    def receive(self, patience: float = TICK_S) -> ToMailbox | None:
        """The next letter; None where none came for a moment, at most `patience` seconds.

        Raises ProcessLost where the process is dead or hangs.
        """
        ready = connection.wait([self._letters, self._process.sentinel], min(patience, TICK_S))
        if self._letters in ready or self._letters.poll():
            return self._read()
        if not self._process.is_alive():
            raise ProcessLost(f"the painter's process {self._end_in_words()}")
        self._check()
        return None

    def end(self, asked: bool) -> None:
        """End the process within two seconds; one that was asked to end is given the time to do so.

        It is gone when this returns, unless the system itself holds on to it.
        """
        if asked:
            self._process.join(END_S)
        self.kill()
        self._process.join(KILL_S)
        if self._writer is not None:
            self._writer.join(KILL_S)
        self._letters.close()

    def kill(self) -> None:
        self._process.kill()

    def _read(self) -> ToMailbox:
        try:
            letter: ToMailbox = self._letters.recv()
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            self._process.join(KILL_S)
            raise ProcessLost(f"the painter's process {self._end_in_words()}") from error
        self._busy_s = 0.0
        self._heard_of = True
        self._open |= isinstance(letter, Opened)
        if isinstance(letter, Painted | Dropped | Failed):
            self._painting = False
            self._has_painted = True
        return letter

    def _check(self) -> None:
        """Raises ProcessLost where there was no sign of life, or no answer, for too long."""
        now = time.monotonic()
        passed, self._looked = min(now - self._looked, LONGEST_TICK_S), now
        beats = int(self._frames.beats[0])
        self._silent_s = self._silent_s + passed if beats == self._beats else 0.0
        self._beats = beats
        limits = self._limits
        if self._silent_s > (limits.beat if self._heard_of else limits.start):
            raise ProcessLost(f"the painter's process showed no sign of life for {self._silent_s:.0f} s")
        if self._open and not self._painting:
            return
        self._busy_s += passed
        if not self._open and self._busy_s > limits.opening:
            raise ProcessLost(
                f"the painter's process did not open its checkpoint within {limits.opening:.0f} s"
            )
        if self._painting and self._busy_s > (limits.paint if self._has_painted else limits.first_paint):
            raise ProcessLost(f"the painter's process did not finish a paint within {self._busy_s:.0f} s")

    def _end_in_words(self) -> str:
        code = self._process.exitcode
        if code is None:
            return "stopped answering"
        if code == -signal.SIGTERM or code == -getattr(signal, "SIGKILL", 9):
            return f"was killed ({signal.Signals(-code).name}; the system does that when memory runs out)"
        if code < 0:
            return f"crashed ({signal.Signals(-code).name})"
        return f"ended with exit code {code:#x}" if code > 255 else f"ended with exit code {code}"


def _write(letters: Connection, data: bytes) -> None:
    """Write, unless nobody is there to read: `receive` notices that, and says why."""
    with suppress(OSError):
        letters.send_bytes(data)

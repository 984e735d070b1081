"""The desktop's time: passed in, never read from the machine, and cut into ticks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

START = datetime(2026, 1, 1, 9, tzinfo=timezone.utc)
TICKS = 10  # a second
BLINK = 5  # ticks the caret is on, then off
LONGEST_PAUSE = 600  # seconds of ticks that are caught up with after a gap; apps slept through the rest


class Clock:
    """`t` is in seconds after `start`; `ticks` how many of them are over; `input_tick` the one of the last input."""

    def __init__(self, start: datetime, t: float = 0.0, input_tick: int | None = None) -> None:
        self.start = start
        self.t = t
        self.ticks = _tick_at(t)
        self.input_tick = self.ticks if input_tick is None else input_tick

    @property
    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.t)

    @property
    def caret_on(self) -> bool:
        """The caret blinks from the last input on."""
        return (self.ticks - self.input_tick) // BLINK % 2 == 0

    @property
    def caret_turns(self) -> bool:
        """Whether it went on or off at this tick."""
        return (self.ticks - self.input_tick) % BLINK == 0

    def advance(self, t: float) -> Iterator[float]:
        """Let time pass up to `t`; yields the time of each tick while it is the last one."""
        last = _tick_at(t)
        self.ticks = max(self.ticks, last - LONGEST_PAUSE * TICKS)
        while self.ticks < last:
            self.ticks += 1
            yield self.ticks / TICKS
        self.t = max(self.t, t)

    def sleep(self, t: float) -> None:
        """Go to time `t` without ticks."""
        self.t = max(self.t, t)
        self.ticks = self.input_tick = _tick_at(self.t)

    def input(self) -> None:
        """The user did something now."""
        self.input_tick = self.ticks


def _tick_at(t: float) -> int:
    return int(t * TICKS + 1e-6)

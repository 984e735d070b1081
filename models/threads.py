"""How many threads paint on a CPU: found by a short measurement in a pause, and again in a later one.

As many as there are cores are the quickest unless another program keeps one of them busy, or two of them share one core's
arithmetic: a layer ends when its slowest thread does. What else runs comes and goes, so nothing is remembered. Pixels came out the
same whatever the count, wherever that was looked at; a replay has one thread all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter

import torch

from engine.painter import THREAD_COUNT, PainterSpec, Readiness
from models.devices import all_threads, asked_threads, thread_counts

SMALL_AREA = 96 * 96  # crops up to this many pixels are painted by one thread: waking a second takes longer than it helps
SIDE = 128  # pixels of the crop that is timed: of the smallest that take more than one
ROUNDS = 3  # paints of it that count, by each number of threads; there is one before that does not
GAIN = 0.8  # fewer must take at most this share of the time of more: for what is larger, more are worth more
AGAIN_S = 60.0  # from one measurement to the next


def counts_of(spec: PainterSpec, device: torch.device) -> tuple[int, ...]:
    """The numbers of threads that a painter may choose from: one where it is said, or where compiled networks keep to what they were
    opened with; none where no CPU paints."""
    if device.type != "cpu":
        return ()
    if spec.threads or asked_threads() or spec.compiled or THREAD_COUNT in spec.without:
        return (spec.threads or all_threads(),)
    return thread_counts()


class Threads:
    """counts: those to choose from, the most first; one is no choice, and none are for where no CPU paints: `count` is 0 then. clock
    gives seconds."""

    def __init__(self, counts: Sequence[int], clock: Callable[[], float] = perf_counter) -> None:
        self.count = counts[0] if counts else 0
        self._counts, self._clock, self._due = counts, clock, clock()
        self._left: list[int] = []
        self._took: dict[int, list[float]] = {}

    def take(self, pixels: int = SMALL_AREA + 1) -> None:
        """Have torch compute so many pixels with them."""
        if self.count:
            torch.set_num_threads(1 if pixels <= SMALL_AREA else self.count)

    def measure(self, paint: Callable[[], object]) -> Readiness | None:
        """Time one crop more where a measurement is due or under way; how far it is, None where none is. paint: a crop of SIDE by SIDE
        pixels. Raises what that raises."""
        if not self._left:
            if len(self._counts) < 2 or self._clock() < self._due:
                return None
            self._left, self._took = [*self._counts] * (1 + ROUNDS), {count: [] for count in self._counts}
        chosen, self.count = self.count, self._left.pop(0)
        try:
            begun = self._clock()
            paint()
            self._took[self.count].append(self._clock() - begun)
        finally:
            self.count = chosen
        if not self._left:
            self.count, self._due = self._quickest(), self._clock() + AGAIN_S
        pieces = len(self._counts) * (1 + ROUNDS)
        return Readiness(THREAD_COUNT, pieces - len(self._left), pieces)

    def _quickest(self) -> int:
        took = {count: median(times[1:]) for count, times in self._took.items()}
        best, *fewer = self._counts
        for count in fewer:
            if took[count] <= GAIN * took[best]:
                best = count
        return best

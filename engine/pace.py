"""How much a painter may do: so many paints a second, and so much of the time.

A cap on power is a cap on the share of time in which the painter computes. That holds on every machine, processor or GPU, and
needs nobody's leave; watts are set only by drivers, and only for administrators. A device that rests half of the time takes
about half of what painting adds to its rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic


@dataclass(frozen=True, slots=True)
class Caps:
    """paints: a second at most, 0 for as many as come; power: share of the time in which the painter may compute, above 0 to 1."""

    paints: float = 0.0
    power: float = 1.0

    def __str__(self) -> str:
        """In words; nothing where nothing is capped."""
        parts = [f"{self.paints:g} paints a second" if self.paints else "", f"{self.power:.0%} of the time" if self.power < 1 else ""]
        return ", ".join(part for part in parts if part)


class Pace:
    """When the next paint may begin. `clock` gives seconds."""

    def __init__(self, caps: Caps, clock: Callable[[], float] = monotonic) -> None:
        self._caps, self._clock = caps, clock
        self._begun = self._next = float("-inf")

    def begin(self) -> None:
        self._begun = self._clock()

    def end(self, painted: bool) -> None:
        """What was begun is done. painted: whether anything was; what is looked up is no paint, but takes time too."""
        now, caps = self._clock(), self._caps
        rested = now + (now - self._begun) * (1 / caps.power - 1)
        self._next = max(rested, self._begun + 1 / caps.paints if painted and caps.paints else rested)

    @property
    def wait(self) -> float:
        """Seconds until the next may begin; 0 where it may now."""
        return max(self._next - self._clock(), 0.0)

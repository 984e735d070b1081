"""A card's memory: how much of it nobody has, and who has the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reading:
    """Bytes. own: what the painter has, as far as it knows."""

    free: int
    total: int
    own: int = 0

    @property
    def others(self) -> int:
        """What is neither free nor the painter's: other programs', and the driver's."""
        return max(self.total - self.free - self.own, 0)


Meter = Callable[[], Reading | None]  # None: nobody tells

"""What was used last, by its name. Knows no torch."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")
LOOKS = 4  # of which the encoding is kept, in numbers or in a sentence: a long sentence's takes some megabytes


class LastUsed(Generic[Value]):
    """The values used last, up to `most` of them, or of what they count. A key of None is never known."""

    def __init__(self, most: float) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable | None) -> Value | None:
        if key is None or key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key][0]

    def peek(self, key: Hashable | None) -> Value | None:
        """The same, without a trace: it is not kept any longer for it."""
        return None if key is None or key not in self._kept else self._kept[key][0]

    def of(self, key: Hashable | None, make: Callable[[], Value]) -> Value:
        """What the key names, made where it is not known."""
        if (known := self.get(key)) is None:
            self.put(key, known := make())
        return known

    def put(self, key: Hashable | None, value: Value, count: int = 1) -> None:
        if key is None:
            return
        self.take(key)
        self._kept[key] = value, count
        self._count += count
        while self._count > self._most:
            self._count -= self._kept.popitem(last=False)[1][1]

    def take(self, key: Hashable) -> Value | None:
        """What the key names, which is then no longer kept."""
        value, count = self._kept.pop(key, (None, 0))
        self._count -= count
        return value

    def clear(self) -> None:
        self._kept.clear()
        self._count = 0

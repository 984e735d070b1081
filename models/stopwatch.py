"""How long each stage of a paint took: by the host's clock on a CPU, on a GPU by the GPU's own, in the order of its work."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Any, Protocol

import torch

from engine.painter import EVENTS, HOST

STAGES = ("embed", "encode", "denoise", "decode")


class Clock(Protocol):
    """mark: this moment, None where none can be had; between: milliseconds from one to a later one."""

    name: str

    def mark(self) -> Any: ...

    def between(self, first: Any, last: Any) -> float: ...


class HostClock:
    name = HOST

    def mark(self) -> float:
        return perf_counter()

    def between(self, first: float, last: float) -> float:
        return (last - first) * 1e3


class CudaClock:
    """Marks are events that go along with the work; asking what lies between waits for the later one alone."""

    name = EVENTS

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def mark(self) -> torch.cuda.Event | None:
        if torch.cuda.is_current_stream_capturing():
            return None
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self._device))
        return event

    def between(self, first: torch.cuda.Event, last: torch.cuda.Event) -> float:
        last.synchronize()
        return float(first.elapsed_time(last))


def clock_for(device: torch.device) -> Clock:
    return CudaClock(device) if device.type == "cuda" else HostClock()


class Stopwatch:
    """For one paint after another. A stage lasts until the next begins."""

    def __init__(self, device: torch.device, stages: Sequence[str] = STAGES) -> None:
        self._clock = clock_for(device)
        self._stages = stages
        self._marks: list[tuple[str, Any]] = []

    def begin(self) -> None:
        """A new paint."""
        self._marks.clear()

    def stage(self, name: str) -> None:
        """From here on it is this stage; "" is none."""
        mark = self._clock.mark()
        if mark is not None:
            self._marks.append((name, mark))

    def ms(self) -> dict[str, float]:
        """Milliseconds of each stage of this paint, up to now."""
        self.stage("")
        found = dict.fromkeys(self._stages, 0.0)
        for (name, first), (_, last) in zip(self._marks, self._marks[1:], strict=False):
            if name:
                found[name] += self._clock.between(first, last)
        return found

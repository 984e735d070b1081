"""A request's events one by one, each with the context as it stood right after it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.context import atoms, earlier, ticked
from engine.events import Event
from engine.painter import ContextFeatures, PaintRequest

LATEST = 8  # events of one request that are dreamt one after another; older ones are only remembered


@dataclass(frozen=True, slots=True)
class Step:
    """event: None for a tick; pointer: where it was, frame pixels."""

    event: Event | None
    context: ContextFeatures
    pointer: tuple[int, int]
    buttons: tuple[str, ...]


def steps_of(request: PaintRequest) -> Iterator[Step]:
    """What is to be answered, oldest first: at least one step, a tick where nothing happened."""
    slow, recent = request.context.slow, request.context.recent
    events = [atom for event in request.events for atom in atoms(event, request.pointer)]
    if not events:
        yield Step(None, ContextFeatures(slow, ticked(recent)), request.pointer, request.buttons)
    for later, event in zip(range(min(len(events), LATEST) - 1, -1, -1), events[-LATEST:], strict=True):
        pointer = getattr(event, "x", request.pointer[0]), getattr(event, "y", request.pointer[1])
        yield Step(event, ContextFeatures(slow, earlier(recent, later)), pointer, request.buttons)



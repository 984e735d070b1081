"""A request's events one by one, each with the context as it stood right after it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from engine.context import RECENT, atoms, earlier, ticked
from engine.events import Event, Move
from engine.painter import ContextFeatures, PaintRequest

LATEST = 8  # events of one request that are dreamt one after another


@dataclass(frozen=True, slots=True)
class Step:
    """event: None for a tick; pointer: where it was, frame pixels; past: whether so many events of the request came after it that
    only what follows from it for sure is answered; last: whether none did, so that the open work is as the context tells."""

    event: Event | None
    context: ContextFeatures
    pointer: tuple[int, int]
    buttons: tuple[str, ...]
    past: bool = False
    last: bool = True

    @property
    def hovers(self) -> bool:
        """Whether a pointer moved with no button down."""
        return isinstance(self.event, Move) and not self.buttons


def steps_of(request: PaintRequest) -> Iterator[Step]:
    """What is to be answered, oldest first: at least one step, a tick where nothing happened."""
    recent = request.context.recent
    events = [atom for event in request.events for atom in atoms(event, request.pointer)]
    if not events:
        yield Step(None, replace(request.context, recent=ticked(recent)), request.pointer, request.buttons)
    for later, event in zip(range(len(events) - 1, -1, -1), events, strict=True):
        pointer = getattr(event, "x", request.pointer[0]), getattr(event, "y", request.pointer[1])
        context = replace(request.context, recent=earlier(recent, min(later, RECENT)))
        yield Step(event, context, pointer, request.buttons, later >= LATEST, not later)



"""A request's events one by one, each with the context as it stood right after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from engine.context import RECENT, atoms, earlier, ticked
from engine.events import Down, Event, Move, Up
from engine.painter import ContextFeatures, PaintRequest

LATEST = 8  # events of one request that are dreamt one after another


@dataclass(frozen=True, slots=True)
class Step:
    """event: None for a tick; pointer: where it was, frame pixels; buttons: that were down then; past: whether so many events of the request came after it that
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
    for later, event, buttons in zip(range(len(events) - 1, -1, -1), events, _held(events, request.buttons), strict=True):
        pointer = getattr(event, "x", request.pointer[0]), getattr(event, "y", request.pointer[1])
        context = replace(request.context, recent=earlier(recent, min(later, RECENT)))
        yield Step(event, context, pointer, buttons, later >= LATEST, not later)


def _held(events: Sequence[Event], buttons: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Which buttons were down after each event. buttons: after the last."""
    found = list[tuple[str, ...]]()
    for event in reversed(events):
        found.append(buttons)
        if isinstance(event, Down):
            buttons = tuple(name for name in buttons if name != event.button)
        elif isinstance(event, Up) and event.button not in buttons:
            buttons = (*buttons, event.button)
    return found[::-1]



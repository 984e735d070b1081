"""What is waiting, what is being painted, and where in shared memory each of it lies.

This is the bookkeeping of a mailbox whose painter may die: it starts no process and knows no thread, and
whoever uses it holds a lock around every call but `painting`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from engine.frame_memory import AHEAD, SLOTS, FrameMemory, LatentMemory
from engine.geometry import Rect
from engine.letters import Attach, Guess, LatentForm, Paint, Painted, Restore
from engine.mailbox import combine
from engine.painter import ARRAYS, Painting, PaintRequest, Patch, put_into


@dataclass(frozen=True, slots=True)
class _Kept:
    """A request, and the slot of the frame memory in which its arrays lie."""

    request: PaintRequest
    slot: int


class Exchange:
    """Requests go in, letters come out; an answer makes a painting, a loss makes the request wait again.

    Latents carry serials: those of the last painting received are whole in shared memory at every moment,
    so a request counts exactly once however often its painter dies.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.frames = FrameMemory(size)
        self._all = Rect(0, 0, *size)
        self._memory: LatentMemory | None = None
        self._serial = 0  # of the latents of the last painting received, or restored; 0: none
        self._waiting: _Kept | None = None
        self._in_flight: _Kept | None = None
        self._to_restore: np.ndarray | None = None
        self._patient = False  # what is painted next took over what was dropped: it is let finish

    @property
    def painting_now(self) -> bool:
        return self._in_flight is not None

    @property
    def idle(self) -> bool:
        """Whether nothing is to be painted."""
        return self._in_flight is None and self._waiting is None

    @property
    def overtaken(self) -> int | None:
        """The number of what is being painted, where nobody will see it: what waits paints all of it anew. One that took over
        what was dropped is not dropped itself, or whoever types on would never see anything."""
        now, then = self._in_flight, self._waiting
        if now is None or then is None or self._patient or now.request.edit or then.request.edit or then.request.guide is None:
            return None
        covered = all(any(new.covers(old) for new in then.request.damage) for old in now.request.damage)
        return now.request.seq if covered else None

    @property
    def full_frame_waits(self) -> bool:
        """Whether what waits paints the whole frame anyway."""
        return self._waiting is not None and any(
            rect.covers(self._all) for rect in self._waiting.request.damage
        )

    def take(self, request: PaintRequest, events_kept: int | None = None) -> None:
        """Let the request wait, together with what waits already; of its events the last `events_kept`."""
        slot = 0
        if self._waiting is not None:
            slot = self._waiting.slot
            request = combine(self._waiting.request, request)
        elif self._in_flight is not None:
            slot = (self._in_flight.slot + 1) % SLOTS
        if events_kept is not None:
            request = replace(request, events=request.events[-events_kept:])
        self._waiting = _Kept(self._stored(request, slot), slot)

    def take_latents(self, latents: np.ndarray) -> None:
        """Have the painter paint on from these, before the next request."""
        self._to_restore = latents.copy()

    def attach(self, form: LatentForm) -> Attach:
        """The first letter to a painter that was just opened. Raises PixelOSError where there is no room."""
        if self._memory is None or self._memory.form != form:
            if self._memory is not None:
                self._memory.close()
                self._memory = None
            self._memory, self._serial = LatentMemory(form), 0
        return Attach(self._memory.name, self._serial)

    def next_letter(self) -> Restore | Paint | None:
        """What to send to an open painter now; None where there is nothing, or it is not its turn."""
        if self._in_flight is not None or self._memory is None:
            return None
        if self._to_restore is not None:
            latents, self._to_restore = self._to_restore, None
            form = self._memory.form
            if latents.shape == form.shape and latents.dtype == np.dtype(form.dtype):
                self._serial += 1
                self._memory.publish(self._serial, partial(put_into, latents=latents))
                return Restore(self._serial)
        if self._waiting is None:
            return None
        self._in_flight, self._waiting = self._waiting, None
        self.frames.previews[0] = 0
        request, slot = self._in_flight.request, self._in_flight.slot
        light = replace(request, **dict.fromkeys(ARRAYS))  # type: ignore[arg-type]
        given = tuple(name for name in ARRAYS if getattr(request, name) is not None)
        return Paint(self._serial + 1, light, slot, given)

    def guess(self, requests: Sequence[PaintRequest]) -> Guess:
        """The letter that has these painted ahead, AHEAD at most."""
        kept = [self._stored(request, SLOTS + i) for i, request in enumerate(requests[:AHEAD])]
        return Guess(tuple(replace(request, **dict.fromkeys(ARRAYS)) for request in kept))  # type: ignore[arg-type]

    def painting(self, letter: Painted) -> Painting:
        """The answer's painting, its pixels copied out of shared memory."""
        patches = tuple(Patch(rect, self.frames.painted[rect.slices].copy()) for rect in letter.rects)
        return Painting(letter.seq, patches, letter.source, letter.ms, letter.why, letter.lookups, letter.needed)

    def finish(self) -> None:
        """The painting was received: its latents count from now on."""
        self._in_flight, self._patient = None, False
        self._serial += 1

    def lose(self) -> None:
        """What was being painted will not be: it waits again, before what came after it."""
        self._patient = True
        lost, self._in_flight = self._in_flight, None
        if lost is not None and self._waiting is not None:
            self._waiting = replace(self._waiting, request=combine(lost.request, self._waiting.request))
        elif lost is not None:
            self._waiting = lost

    def preview(self) -> np.ndarray | None:
        """A copy of the picture that the painter last showed of what it is at; None where there is none."""
        at_work = self._in_flight is not None and self._in_flight.request.edit is not None
        return self.frames.preview.copy() if at_work and self.frames.previews[0] else None

    def latents(self) -> np.ndarray | None:
        return self._memory.read(self._serial) if self._memory is not None else None

    def close(self) -> None:
        """Give the shared memory back; nothing else may be called after this."""
        self._waiting = self._in_flight = None
        self.frames.close()
        if self._memory is not None:
            self._memory.close()
            self._memory = None

    def _stored(self, request: PaintRequest, slot: int) -> PaintRequest:
        """The request with its arrays copied into the slot."""
        stored: dict[str, np.ndarray] = {}
        for name in ARRAYS:
            given = getattr(request, name)
            if given is not None:
                stored[name] = getattr(self.frames, name)[slot]
                stored[name][:] = given
        return replace(request, **stored)  # type: ignore[arg-type]

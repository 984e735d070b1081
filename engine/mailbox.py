"""Where the session leaves what is to be painted, and finds what was painted.

A mailbox holds one waiting request. While the painter is busy a newer request takes over the waiting one with
its damage and its events, so nothing is queued, no key is lost, and the painter is never more than one paint
behind. `DirectMailbox` paints on the spot, for tests, benchmarks and replay; `engine.process_mailbox` has the
painter in a process of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np

from engine.geometry import merge
from engine.painter import Painter, PainterInfo, Painting, PaintRequest
from engine.telling import added

MailboxState = Literal["starting", "ready", "painting", "restarting", "gave up", "closed", "away"]


@dataclass(frozen=True, slots=True)
class MailboxStatus:
    """How the painter is. why: plain words for the HUD; deaths: how often the painter was lost so far; short: whether it gave up
    for want of memory."""

    state: MailboxState
    why: str = ""
    deaths: int = 0
    steps: tuple[int, int] = (0, 0)  # done and in all, of what is being painted, where the painter tells
    short: bool = False


class Mailbox(Protocol):
    """What the session knows of a painter. Nothing but `wait` and `close` ever waits for the painter."""

    @property
    def info(self) -> PainterInfo | None:
        """What paints; None until a painter was open."""

    @property
    def status(self) -> MailboxStatus: ...

    def post(self, request: PaintRequest) -> None:
        """Have this painted. The request's arrays may be drawn over as soon as this returns."""

    def collect(self) -> list[Painting]:
        """The paintings finished since the last call, in order. One answers every request up to its seq."""

    def stop(self, seq: int) -> None:
        """Have the painter give up the request of that number between two steps, if it is at it: nothing comes of it."""

    def preview(self) -> np.ndarray | None:
        """What the edit that is being painted would be like, uint8 (H, W, 3); None where nobody knows yet."""

    def wait(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds for something to collect or a new status; whether there is one.

        A status is new once, at the next `wait`; going between "ready" and "painting" does not count.
        """

    def needs_full(self) -> bool:
        """True once where what the painter holds may not be the frame shown; post the full frame then."""

    def latents(self) -> np.ndarray | None:
        """A copy of the latents of the last finished painting, for a snapshot; None where there are none."""

    def restore(self, latents: np.ndarray) -> None:
        """Paint on from these latents of an earlier run. Latents of another painter or size are not taken."""

    @property
    def prompted(self) -> bool:
        """Whether anyone who paints, or is about to, is told in words what to paint."""

    def wants_trial(self) -> bool:
        """Whether another painter waits to show that it paints the whole frame as it is now; see `try_out`."""

    def try_out(self, request: PaintRequest) -> None:
        """The whole frame, with its guide, for that painter; what is posted after this reaches it too."""

    def close(self) -> None: ...


def combine(waiting: PaintRequest, newer: PaintRequest) -> PaintRequest:
    """One request that does what both ask: all damage, all events in order, the rest as in the newer. An edit is not mixed
    with anything: who asked for it asks again."""
    words = replace(newer.words, told=added(waiting.words.told, newer.words.told))
    return replace(newer, events=waiting.events + newer.events, damage=merge(waiting.damage + newer.damage), words=words, edit=None)


class DirectMailbox:
    """A painter in this process: `post` paints, and raises what the painter raises."""

    def __init__(self, painter: Painter) -> None:
        self._painter = painter
        self._done: list[Painting] = []
        self._needs_full = True
        self._closed = False

    @property
    def info(self) -> PainterInfo | None:
        return self._painter.info

    @property
    def status(self) -> MailboxStatus:
        return MailboxStatus("closed" if self._closed else "ready")

    def post(self, request: PaintRequest) -> None:
        if not self._closed:
            self._done.append(self._painter.paint(request))

    def collect(self) -> list[Painting]:
        done, self._done = self._done, []
        return done

    def stop(self, seq: int) -> None:
        """Nothing is ever under way here."""

    def preview(self) -> np.ndarray | None:
        return None

    def wait(self, timeout: float) -> bool:
        """Nothing is ever under way here: whether there is something to collect, at once."""
        return bool(self._done)

    def needs_full(self) -> bool:
        needed, self._needs_full = self._needs_full, False
        return needed

    def latents(self) -> np.ndarray | None:
        return None if self._closed else self._painter.latents()

    def restore(self, latents: np.ndarray) -> None:
        own = self._painter.latents()
        if latents.shape == own.shape and latents.dtype == own.dtype:
            self._painter.restore(latents)
        self._needs_full = True

    @property
    def prompted(self) -> bool:
        return self._painter.info.prompted

    def wants_trial(self) -> bool:
        """Nobody else ever paints here."""
        return False

    def try_out(self, request: PaintRequest) -> None:
        """Never asked for."""

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._painter.close()

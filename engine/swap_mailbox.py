"""A mailbox whose painter can be changed while it is used.

Another checkpoint is opened in a process of its own, beside the one that paints where memory allows, else after letting
that one go. Once it is open it paints the whole screen as it is now, unseen; only if that frame is one it takes over, in
one step, with the frame. A dream goes on: with all that is remembered where the two are of a family, else from the frame
that was dreamt. Until then nothing changes but that the machine is busier. Who painted before is kept, ready to
paint, while there is room. Everything but the ending of processes happens on the session's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from time import monotonic

import numpy as np

from engine.card import Reading
from engine.errors import PixelOSError
from engine.mailbox import MailboxStatus
from engine.pace import Caps
from engine.painter import OpenPainter, PainterInfo, PainterSpec, Painting, PaintRequest, Readiness
from engine.painter_process import Limits
from engine.process_mailbox import NO_CAPS, ProcessMailbox
from engine.spare import Spares
from engine.swap import Endings, Swap, flat, goes_on

WARM = 2  # painters kept ready beside the one that paints, at most
CATCH_UP_S = 0.3  # how long a first frame waits for what was typed meanwhile
AT_REST_S = 2.0  # how long a dream's painter is waited for before what it remembers is handed on
CLOSE_S = 2.5
SLICE_S = 0.02
Room = Callable[[PainterSpec, Sequence[PainterSpec]], bool]  # does the first fit, once the others are let go?


class SwapMailbox:
    """Paints with `spec` until `swap` names another. caps: how much each painter may do; libraries: modules, by name, that opening a
    painter takes in; spares: told when a swap is to be expected; one that waits is taken by a painter that died, too. Raises PixelOSError where there is no shared memory for frames."""

    def __init__(
        self, open_painter: OpenPainter, spec: PainterSpec, limits: Limits | None = None, room: Room = lambda spec, gone: True,
        caps: Caps = NO_CAPS, libraries: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self.spares = Spares(open_painter, libraries)
        self._open_painter, self._limits, self._room, self.caps = open_painter, limits or Limits(), room, caps
        self._spec = spec
        self._active: ProcessMailbox | None = self._opened(spec, self._limits)
        self._coming: ProcessMailbox | None = None
        self._warm: dict[PainterSpec, ProcessMailbox] = {}  # the longest unused first
        self._endings = Endings()
        self._swap: Swap | None = None
        self._tried: int | None = None  # seq of the request that the coming painter shows itself with
        self._latest = 0  # seq of the last request
        self._first: list[Painting] = []  # what the coming painter painted so far
        self._first_at = 0.0
        self._full = False
        self._left: np.ndarray | None = None  # latents of a painter that was let go
        self._home: PainterSpec | None = None  # who gave the card back, and is to come back
        self._away = ""  # why nobody paints, for the user

    # What a session knows of a mailbox

    @property
    def info(self) -> PainterInfo | None:
        return self._active.info if self._active is not None else None

    @property
    def status(self) -> MailboxStatus:
        if self._active is not None:
            return self._active.status
        if self._home is not None and self._coming is None:
            return MailboxStatus("away", self._away)
        return MailboxStatus("starting", f"loading checkpoint {self._swap.spec.checkpoint}" if self._swap else "")

    @property
    def prompted(self) -> bool:
        return any(mailbox is not None and mailbox.prompted for mailbox in (self._active, self._coming))

    @property
    def readiness(self) -> Readiness | None:
        return self._active.readiness if self._active is not None else None

    def post(self, request: PaintRequest) -> None:
        self._latest = request.seq
        if self._active is not None:
            self._active.post(request)
        if self._coming is not None and self._tried is not None:
            self._coming.post(request)

    def collect(self) -> list[Painting]:
        if self._coming is not None and (taken := self._look_at(self._coming)):
            return taken
        return self._active.collect() if self._active is not None else []

    def stop(self, seq: int) -> None:
        if self._active is not None:
            self._active.stop(seq)

    def preview(self) -> np.ndarray | None:
        return self._active.preview() if self._active is not None else None

    def wait(self, timeout: float) -> bool:
        until = monotonic() + timeout
        while True:
            left = max(until - monotonic(), 0.0)
            coming, active = self._coming, self._active
            patience = left if coming is None or active is None else min(left, SLICE_S)
            first = active or coming
            if first is None or first.wait(patience) or (coming is not None and coming.wait(0)):
                return True
            if left <= patience:
                return False

    def needs_full(self) -> bool:
        needed, self._full = self._full, False
        return (self._active.needs_full() if self._active is not None else False) or needed

    def latents(self) -> np.ndarray | None:
        return self._active.latents() if self._active is not None else self._left

    def restore(self, latents: np.ndarray) -> None:
        if self._active is not None:
            self._active.restore(latents)

    @property
    def guesser(self) -> ProcessMailbox | None:
        """Who may paint ahead: nobody while another painter comes."""
        return self._active if self._active is not None and self._coming is None and self._active.guesses else None

    def wants_trial(self) -> bool:
        coming = self._coming
        return coming is not None and self._tried is None and coming.status.state in ("ready", "painting")

    def try_out(self, request: PaintRequest) -> None:
        if self._coming is None or self._swap is None:
            return
        self._coming.needs_full()  # this is the whole frame
        self._tried = self._latest = request.seq
        self._coming.post(request)
        self._swap = replace(self._swap, state="trying", since=monotonic(), share=1.0)

    def close(self) -> None:
        self.spares.expect(False)
        for mailbox in (self._coming, self._active, *self._warm.values()):
            if mailbox is not None:
                self._endings.end(mailbox)
        self._endings.wait(CLOSE_S)

    # Changing the painter

    @property
    def spec(self) -> PainterSpec:
        """What paints, or painted last."""
        return self._spec

    @property
    def warm(self) -> tuple[PainterSpec, ...]:
        """What is kept ready."""
        return tuple(self._warm)

    @property
    def pid(self) -> int | None:
        return self._active.pid if self._active is not None else None

    @property
    def coming_pid(self) -> int | None:
        return self._coming.pid if self._coming is not None else None

    @property
    def latest(self) -> Swap | None:
        """How the latest change goes or went; None where there was none."""
        if self._swap is not None and self._swap.state == "loading" and self._coming is not None:
            return replace(self._swap, share=self._coming.share)
        return self._swap

    def swap(self, spec: PainterSpec) -> None:
        """Have `spec` paint, once it has shown that it can. Returns at once; one that is on its way already gives way, and so does
        one that gave the card back."""
        self._home = None
        self._bring(spec)

    def _bring(self, spec: PainterSpec, lent: bool = False) -> None:
        if self._coming is not None:
            if self._swap is not None and self._swap.spec == spec:
                return
            self._give_up()
        if spec == self._spec and self._active is not None:
            return
        warm = self._warm.pop(spec, None)
        if warm is not None and warm.status.state in ("ready", "painting"):
            self._coming, self._swap = warm, Swap(spec, "loading", monotonic(), 1.0, lent=lent)
            return
        if warm is not None:
            self._endings.end(warm)
        self._begin(spec, self._make_room(spec), lent)

    def _begin(self, spec: PainterSpec, beside: bool, lent: bool) -> None:
        """Open it, in a process of its own."""
        self._swap = Swap(spec, "loading", monotonic(), beside=beside, lent=lent)
        try:
            self._coming = self._opened(spec, replace(self._limits, deaths=1))
        except PixelOSError as error:
            self._refuse(str(error))

    # Giving the card back for a while

    @property
    def away(self) -> bool:
        """Whether who should paint has given its memory back."""
        return self._home is not None

    @property
    def card(self) -> Reading | None:
        """The memory of the card that is painted on; None where that is none, or nobody tells."""
        return self._active.card if self._active is not None else None

    def give_back(self, instead: PainterSpec | None, why: str) -> None:
        """End all painters at once, so that their memory is free; `instead` paints until `come_back`, or nobody does. Returns at
        once; why: for the user."""
        if self._home is not None:
            return
        self._home, self._away = self._spec, why
        self._drop()
        self._swap = None
        self.cool()
        self._let_go()
        if instead is not None:
            self._bring(instead, lent=True)

    def come_back(self) -> None:
        """Have who gave the card back paint again; until its first frame all stays as it is."""
        home, self._home = self._home, None
        if home is not None:
            self._bring(home, lent=True)

    def cool(self) -> None:
        """Let go of who is kept ready: memory is needed."""
        for spec in [*self._warm]:
            self._endings.end(self._warm.pop(spec))

    def _make_room(self, spec: PainterSpec) -> bool:
        """Let go of as many as must be; whether the one that paints may stay."""
        gone: list[PainterSpec] = []
        while self._warm and not self._room(spec, gone):
            oldest = next(iter(self._warm))
            self._endings.end(self._warm.pop(oldest))
            gone.append(oldest)
        if self._active is None or self._room(spec, gone):
            return self._active is not None
        self._let_go()
        return False

    def _let_go(self) -> None:
        """End who paints; its latents are kept."""
        if self._active is not None:
            self._left, leaving, self._active = self._active.latents(), self._active, None
            self._endings.end(leaving)

    def _open_with_more_room(self) -> bool:
        """Begin anew after who is kept ready is let go, then who paints; False where nobody is left to go."""
        if self._swap is None or (not self._warm and self._active is None):
            return False
        if self._warm:
            self.cool()
        else:
            self._let_go()
        self._drop()
        self._begin(self._swap.spec, beside=self._active is not None, lent=self._swap.lent)
        return True

    def _look_at(self, coming: ProcessMailbox) -> list[Painting]:
        """What the coming painter painted, if it takes over now; it does when its frame shows what was typed meanwhile."""
        if coming.status.state in ("gave up", "closed"):
            if coming.status.short and self._open_with_more_room():
                return []
            self._refuse(coming.status.why)
            return []
        if self._tried is None:
            return []
        self._first_at = self._first_at if self._first else monotonic()
        self._first += coming.collect()
        if not self._first:
            return []
        if flat(self._first[0]):
            self._refuse(f"the checkpoint {coming.info.name if coming.info else ''} paints one flat colour; get a clean copy, or try other --steps")
            return []
        caught_up = self._first[-1].seq >= self._latest
        if not caught_up and monotonic() - self._first_at < CATCH_UP_S:
            return []
        if goes_on(self._active, coming) and self._active is not None and self._active.status.state != "ready" and monotonic() - self._first_at < AT_REST_S:
            return []  # until what it dreams of last is whole
        return self._take_over(coming)

    def _take_over(self, coming: ProcessMailbox) -> list[Painting]:
        before, first, swap = self._active, self._first, self._swap
        if before is not None and before.status.state == "ready" and goes_on(before, coming):
            first, held = before.collect(), before.latents()
            if held is not None:
                coming.restore(held)
                coming.needs_full()  # what it holds is the frame that is shown
        known = before.info.reach if before is not None and before.info is not None else 0
        # What was posted meanwhile was grown by the old painter's reach; where nobody painted it was not posted at all.
        # A dream answers on the whole frame anyway, and a frame in full would wake it.
        dreams = coming.info is not None and coming.info.mode == "dream"
        self._full = before is None or (not dreams and self._latest != self._tried and coming.info is not None and coming.info.reach > known)
        if before is not None:
            lent = swap is not None and swap.lent  # it stood in for who is back now
            if before.status.state in ("ready", "painting") and not lent:
                self._warm[self._spec] = before
            else:
                self._endings.end(before)
        while len(self._warm) > WARM:
            self._endings.end(self._warm.pop(next(iter(self._warm))))
        coming.limits = self._limits  # from now on it is started again where it is lost
        self._active, self._coming = coming, None
        self._tried, self._first, self._left = None, [], None
        if swap is not None:
            self._spec, self._swap = swap.spec, replace(swap, state="done", since=monotonic())
        return first

    def _refuse(self, why: str) -> None:
        """Nothing changes; the one that was let go is opened again."""
        self._give_up()
        if self._swap is not None:
            self._swap = replace(self._swap, state="refused", since=monotonic(), why=why)

    def _drop(self) -> None:
        """Who was coming does not."""
        coming, self._coming = self._coming, None
        self._tried, self._first = None, []
        if coming is not None:
            self._endings.end(coming)

    def _give_up(self) -> None:
        self._drop()
        if self._active is None and self._home is None:
            self._active = self._opened(self._spec, self._limits)
            if self._left is not None:
                self._active.restore(self._left)

    def _opened(self, spec: PainterSpec, limits: Limits) -> ProcessMailbox:
        return ProcessMailbox(self._open_painter, spec, limits, self.caps, self.spares.take)

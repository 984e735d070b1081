"""A mailbox whose painter lives in a process of its own, which may die at any moment.

This file knows when a process is started, given up and told what; `engine.exchange` what it has to paint,
`engine.painter_process` how one process is started, read and killed. The lock is this process's own and is
never held while anybody is waited for.
"""

from __future__ import annotations

import atexit
import pickle
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from engine.card import Reading
from engine.exchange import Exchange
from engine.letters import (
    Dropped,
    End,
    Failed,
    Guessed,
    Opened,
    Opening,
    Paint,
    Painted,
    Readied,
    Refused,
    Stepped,
    ToMailbox,
)
from engine.mailbox import MailboxState, MailboxStatus
from engine.pace import Caps, Pace
from engine.painter import OpenPainter, PainterInfo, PainterSpec, Painting, PaintRequest, Readiness
from engine.painter_process import TICK_S, Deaths, Limits, PainterProcess, ProcessLost
from engine.spare import Spare

CLOSE_S = 2.0
FAILURES = 3  # paints that raise, one after the other, before a fresh process is tried
NO_CAPS = Caps()
STARTING = MailboxStatus("starting", "starting the painter's process")
# While nobody paints, events would pile up as long as the program runs; the guide shows what they did.
EVENTS_KEPT = 4096


class ProcessMailbox:
    """Paints in a process that calls `open_painter(spec)`; it must be a module-level callable.

    limits: may be set anew at any time; they count from the next process on. caps: how much the painter may do. take_spare: gives a process
    of the same opener that waits to be needed, if there is one, whenever one is begun; called by another thread. Raises PixelOSError where the machine has no shared memory for the frames.
    """

    def __init__(
        self, open_painter: OpenPainter, spec: PainterSpec, limits: Limits | None = None, caps: Caps = NO_CAPS,
        take_spare: Callable[[], Spare | None] = lambda: None,
    ) -> None:  # fmt: skip
        self._opener = pickle.dumps(open_painter)
        self._spec = spec
        self.limits = limits or Limits()
        self._exchange = Exchange(spec.size)
        self.caps, self._pace, self._take_spare = caps, Pace(caps), take_spare
        self._guessing, self._ahead = False, 0
        self._changed = threading.Condition()
        self._status = STARTING
        self._news = False  # whether the status changed since the last wait
        self._info: PainterInfo | None = None
        self._readiness: Readiness | None = None
        self._process: PainterProcess | None = None
        self._open = False
        self._closing = False
        self._needs_full = True
        self._failures = 0
        self._deaths = Deaths()
        self._done: list[Painting] = []
        atexit.register(self.close)
        self._pump = threading.Thread(target=self._run, name="mailbox", daemon=True)
        self._pump.start()

    @property
    def info(self) -> PainterInfo | None:
        return self._info

    @property
    def status(self) -> MailboxStatus:
        return self._status

    @property
    def prompted(self) -> bool:
        return self._info is not None and self._info.prompted

    @property
    def share(self) -> float:
        """How much of the checkpoint was read, 0 to 1."""
        with self._changed:
            return 1.0 if self._open else 0.0 if self._status.state == "closed" else int(self._exchange.frames.read[0]) / 1000

    @property
    def readiness(self) -> Readiness | None:
        """How far the painter is with what makes it quicker; None while it has told of nothing."""
        return self._readiness

    @property
    def card(self) -> Reading | None:
        """The memory of the card that it paints on; None where it is on none, or does not know."""
        with self._changed:
            if not self._open or self._closing:
                return None
            free, total, own = map(int, self._exchange.frames.card)
            return Reading(free, total, own) if total else None

    @property
    def guesses(self) -> bool:
        """Whether anything may be painted ahead: not where the painter's work is capped."""
        return self._info is not None and self._info.guesses and self.caps == NO_CAPS

    @property
    def ahead(self) -> int:
        """How many patches were painted ahead."""
        return self._ahead

    def guess(self, requests: Sequence[PaintRequest]) -> bool:
        """Have these painted ahead, one after the other; False where the painter is at work."""
        with self._changed:
            if self._process is None or not self._open or self._closing or self._guessing or not self._exchange.idle:
                return False
            self._guessing = True
            self._process.send(self._exchange.guess(requests))
            return True

    def wants_trial(self) -> bool:
        """Nobody else ever paints here."""
        return False

    def try_out(self, request: PaintRequest) -> None:
        """Never asked for."""

    @property
    def pid(self) -> int | None:
        """The painter's process; None while there is none."""
        process = self._process
        return process.pid if process is not None else None

    def post(self, request: PaintRequest) -> None:
        with self._changed:
            if not self._closing:
                self._exchange.take(request, EVENTS_KEPT if self._status.state == "gave up" else None)
                if (seq := self._exchange.overtaken) is not None:
                    self._exchange.frames.stopped[0] = seq
                self._send_next()

    def collect(self) -> list[Painting]:
        with self._changed:
            done, self._done = self._done, []
            return done

    def stop(self, seq: int) -> None:
        with self._changed:
            if not self._closing:
                self._exchange.frames.stopped[0] = seq

    def preview(self) -> np.ndarray | None:
        with self._changed:
            return None if self._closing else self._exchange.preview()

    def wait(self, timeout: float) -> bool:
        with self._changed:
            there = self._changed.wait_for(lambda: bool(self._done) or self._news, timeout)
            self._news = False
            return there

    def needs_full(self) -> bool:
        with self._changed:
            needed, self._needs_full = self._needs_full, False
            return needed

    def latents(self) -> np.ndarray | None:
        with self._changed:
            return self._exchange.latents()

    def restore(self, latents: np.ndarray) -> None:
        with self._changed:
            if not self._closing:
                self._needs_full = True
                self._exchange.take_latents(latents)
                self._send_next()

    def retry(self) -> None:
        """Start the painter again after the mailbox gave up."""
        with self._changed:
            if self._status.state == "gave up":
                self._deaths.forget()
                self._tell("starting", STARTING.why)

    def close(self) -> None:
        """End the painter's process and give the shared memory back, in two seconds at most."""
        atexit.unregister(self.close)
        with self._changed:
            already, self._closing = self._closing, True
            self._changed.notify_all()
            if self._process is not None and self._idle and not already:
                self._process.send(End())
            elif self._process is not None:
                self._process.kill()  # nothing is lost by it
        self._pump.join(CLOSE_S)

    @property
    def _idle(self) -> bool:
        return self._open and not self._exchange.painting_now

    def _run(self) -> None:
        """The mailbox's thread: one process after the other, until the mailbox is closed or gives up."""
        while self._may_start():
            try:
                self._serve(PainterProcess(self._opener, self._spec, self._exchange.frames, self.limits, self._take_spare()))
            # Whatever it is, this thread must outlive it, or nothing would be painted any more.
            except Exception as error:  # noqa: BLE001
                self._count_death(error)
        with self._changed:
            self._exchange.close()
            self._tell("closed")

    def _may_start(self) -> bool:
        """Wait until a process should be started: True; or until the mailbox is closing: False."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._status.state != "gave up")
            if pause := self._deaths.pause(self.limits):
                self._changed.wait_for(lambda: self._closing, pause)
            return not self._closing

    def _serve(self, process: PainterProcess) -> None:
        """Read the process's letters until the mailbox is closing. Raises ProcessLost."""
        try:
            with self._changed:
                self._process, self._open, self._failures = process, False, 0
                self._guessing = False
                if self._readiness is not None and not self._readiness.note:
                    self._readiness = None
            while not self._closing:
                letter = process.receive(self._pace.wait or TICK_S)
                if letter is not None:
                    self._answer(letter, process)
                else:
                    self._go_on()
        finally:
            with self._changed:
                asked_to_end = self._closing and self._idle
                self._process, self._open = None, False
                self._exchange.lose()
            process.end(asked_to_end)

    def _answer(self, letter: ToMailbox, process: PainterProcess) -> None:
        if isinstance(letter, Refused):
            raise ProcessLost(letter.why, letter.hopeless, letter.short)
        painting = self._exchange.painting(letter) if isinstance(letter, Painted) else None
        with self._changed:
            if isinstance(letter, Guessed):
                self._guessing, self._ahead = False, self._ahead + letter.patches
                return
            if isinstance(letter, Stepped):
                self._tell("painting", f"step {letter.done} of {letter.steps}", (letter.done, letter.steps))
                return
            if isinstance(letter, Readied):
                self._readiness = letter.readiness
                return
            if isinstance(letter, Opening) and self._status.state == "starting":
                self._tell("starting", f"loading checkpoint {self._spec.checkpoint}")
            elif isinstance(letter, Opened):
                self._begin(letter, process)
            elif isinstance(letter, Dropped):
                self._pace.end(painted=True)
                self._exchange.lose()
            elif isinstance(letter, Failed):
                self._pace.end(painted=True)
                self._exchange.lose()
                if letter.short:
                    raise ProcessLost(letter.why, hopeless=True, short=True)
                self._failures += 1
                if self._failures == FAILURES:
                    raise ProcessLost(f"painting failed {FAILURES} times in a row: {letter.why}")
            elif isinstance(letter, Painted) and painting is not None:
                self._failures = 0
                self._info = letter.info or self._info
                self._pace.end(painted=painting.source not in ("cached", "skipped"))
                self._exchange.finish()
                self._done.append(painting)
                self._changed.notify_all()
            self._send_next()

    def _begin(self, opened: Opened, process: PainterProcess) -> None:
        """Give a painter that is open the latents its predecessor left."""
        letter = self._exchange.attach(opened.form)
        process.send(letter)
        if not letter.serial and not self._exchange.full_frame_waits:
            self._needs_full = True
        self._info, self._open = opened.info, True

    def _go_on(self) -> None:
        """Nothing came for a moment: what had to wait for the caps may be next."""
        with self._changed:
            if not self._exchange.painting_now:
                self._send_next()

    def _send_next(self) -> None:
        """Send what is next if it is the painter's turn and the caps allow it. The lock is held."""
        if self._process is None or not self._open:
            return
        while not self._pace.wait and (letter := self._exchange.next_letter()):
            if isinstance(letter, Paint):
                self._pace.begin()
            self._process.send(letter)
        self._tell("painting" if self._exchange.painting_now else "ready")

    def _count_death(self, error: Exception) -> None:
        why = str(error) or type(error).__name__
        limits = self.limits
        with self._changed:
            self._leave_out_what_was_fatal()
            count = self._deaths.count(limits)
            self._status = replace(self._status, deaths=self._status.deaths + (not self._closing), short=isinstance(error, ProcessLost) and error.short)
            if isinstance(error, ProcessLost) and error.hopeless:
                self._tell("gave up", why)
            elif count >= limits.deaths:
                often = f"; lost {count} times within {limits.quick:.0f} s, so it stays off" if count > 1 else ""
                self._tell("gave up", f"{why}{often}")
            else:
                self._tell("restarting", f"{why}; starting it again")

    def _leave_out_what_was_fatal(self) -> None:
        """What the painter was getting ready when it was lost may be why: the next one does without. The lock is held."""
        readiness = self._readiness
        if readiness is not None and not readiness.complete and not self._closing:
            self._spec = replace(self._spec, without=(*self._spec.without, readiness.what))
            self._readiness = replace(readiness, note="the painter's process was lost while it got ready")

    def _tell(self, state: MailboxState, why: str = "", steps: tuple[int, int] = (0, 0)) -> None:
        """Set the status, and wake who waits for it. The lock is held."""
        status = replace(self._status, state=state, why=why, steps=steps)
        if status == self._status:
            return
        at_work = {"ready", "painting"}
        if not (state in at_work and self._status.state in at_work):
            self._news = True
            self._changed.notify_all()
        self._status = status

"""The turner: has the painter turn what is on the screen into what was asked for, one step of the strip at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

import numpy as np

from engine.desktop.desktop import Desktop
from engine.geometry import Rect
from engine.mailbox import Mailbox
from engine.painter import ContextFeatures, Edit, Painting, PaintRequest

TRIES = 2  # a painter that was lost meanwhile is asked once more
LOST = ("gave up", "closed")


@dataclass
class _Job:
    """An edit that is with the painter. base: uint8 (H, W, 3), what is turned into something else."""

    number: int
    base: np.ndarray
    request: PaintRequest
    begun: float
    tries: int
    stopped: bool = False
    steps: int = 0  # in all, as far as the painter told


class Turner:
    """Between the desktop's strip and the mailbox. An edit is asked for only when nothing else is being painted, so that
    it starts from a frame that shows what it should, and never mixes with other requests."""

    def __init__(self, desktop: Desktop, mailbox: Mailbox) -> None:
        self._desktop = desktop
        self._mailbox = mailbox
        self._job: _Job | None = None
        self._lost_job: _Job | None = None  # to be asked for once more
        self._step_s = 0.0  # seconds a sampling step of the last edit took

    @property
    def busy(self) -> bool:
        """Whether an edit is asked for and not there yet."""
        return bool(self._desktop.turning.strip.pending)

    @property
    def says(self) -> str:
        """How far it is, in plain words; "" where nothing is under way."""
        strip = self._desktop.turning.strip
        if not self.busy:
            return ""
        step, own = strip.steps[strip.pending], self._desktop.turning.strength
        words = step.words
        over = f", painted over by {step.strength or own:.0%}" if own else ""
        if self._job is None:
            return f"“{words}” waits for the painter · Escape stops it"
        done, steps = self._mailbox.status.steps
        each = (monotonic() - self._job.begun) / done if done else self._step_s
        left = f", about {max(round(each * (steps - done)), 1)} s left" if each and steps else ""
        return f"“{words}”{over}: {f'step {done} of {steps}' if steps else 'begun'}{left} · Escape stops it"

    def learn(self) -> None:
        """Tell the desktop what who paints can do."""
        info, turning = self._mailbox.info, self._desktop.turning
        if info is not None:
            turning.turns, turning.refers, turning.strength = info.turns, info.refers, info.strength

    def taken(self, paintings: Sequence[Painting]) -> list[Painting]:
        """The paintings that are none of ours; an edit that is there goes into the strip."""
        job = self._job
        if job is None:
            return list(paintings)
        job.steps = self._mailbox.status.steps[1] or job.steps
        ours = next((painting for painting in paintings if painting.seq == job.request.seq), None)
        if ours is not None:
            self._finish(job, ours)
        elif any(painting.seq > job.request.seq for painting in paintings) or self._mailbox.status.state in LOST:
            self._lost(job)
        return [painting for painting in paintings if painting is not ours]

    def advance(self, frame: np.ndarray, free: bool, seq: int) -> bool:
        """Ask for the pending edit under number `seq` where the painter is free; whether that was done.

        frame: uint8 (H, W, 3), what is shown now.
        """
        strip, job = self._desktop.turning.strip, self._job
        if job is not None and job.number != strip.pending and not job.stopped:
            job.stopped = True  # given up: what comes of it is not wanted
            self._mailbox.stop(job.request.seq)
        if job is not None or not strip.pending or not free:
            return False
        info = self._mailbox.info
        if info is None or not info.turns:
            if info is not None:
                self._desktop.turning.failed("this checkpoint cannot do it")
            return False
        step = strip.steps[strip.pending]
        lost, self._lost_job = self._lost_job, None
        if lost is not None and lost.number == step.number:
            base, tries = lost.base, lost.tries + 1
        elif step.parent != strip.at:
            self._desktop.turning.failed("what it began from is no longer shown")
            return False
        else:
            dreaming = info.mode == "dream"  # a dream has gone on since
            base = strip.pixels(step.parent, self._desktop.size) if step.parent and not dreaming else frame.copy()
            tries = 1
        reference = self._desktop.documents.contents.get(step.reference, b"")
        edit = Edit(step.words, reference if isinstance(reference, bytes) else b"", step.strength)
        damage = (step.region or Rect(0, 0, *self._desktop.size),)
        nothing = ContextFeatures(np.zeros(0, np.float32), np.zeros(0, np.float32))
        request = PaintRequest(seq, (), damage, base, None, nothing, edit=edit)
        self._job = _Job(step.number, base, request, monotonic(), tries)
        self._mailbox.post(request)
        return True

    def _finish(self, job: _Job, painting: Painting) -> None:
        self._job = None
        self._step_s = (monotonic() - job.begun) / max(job.steps, 1)
        if job.number != self._desktop.turning.strip.pending:
            return
        if not painting.patches:
            self._desktop.turning.failed(painting.why or "the painter stopped")
            return
        pixels = job.base.copy()
        for patch in painting.patches:
            pixels[patch.rect.slices] = patch.pixels
        self._desktop.turning.painted(job.number, pixels)

    def _lost(self, job: _Job) -> None:
        """The painter died and something else was painted in its place, or nobody paints any more."""
        self._job = None
        if job.number != self._desktop.turning.strip.pending:
            return
        if job.tries < TRIES and self._mailbox.status.state not in LOST:
            self._lost_job = job
        else:
            self._desktop.turning.failed("the painter was lost")

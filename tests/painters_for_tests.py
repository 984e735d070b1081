"""Small painters with one fault each, and what they are asked to paint; imported by their own process too."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.card import Reading
from engine.errors import CheckpointError, Shortage
from engine.events import Text
from engine.geometry import Rect
from engine.opening import count, expecting
from engine.painter import (
    Cancelled,
    ContextFeatures,
    GuidePainter,
    OnStep,
    PainterSpec,
    Painting,
    PaintRequest,
    Patch,
    Readiness,
    put_into,
)

SLOW_S = 0.05
SLUGGISH_S = 0.25
NAMED = "the painter is broken here"
SIZE = (256, 192)
WHOLE = Rect(0, 0, *SIZE)
STEPS, STEP_S, STEADY_S = 5, 0.3, 0.1
SPEC = PainterSpec(checkpoint="guide", size=SIZE)
CONTEXT = ContextFeatures(np.zeros(3, np.float32), np.zeros(2, np.float32))


def noisy(seq: int, text: str, damage: Rect = WHOLE) -> PaintRequest:
    """A request like no other: `text` was typed, and the guide is noise seeded with `seq`."""
    guide = np.random.default_rng(seq).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    verbatim = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    return PaintRequest(seq, (Text(0.0, text),), (damage,), guide, verbatim, CONTEXT)


def text_of(request: PaintRequest) -> bytes:
    return "".join(event.text for event in request.events if isinstance(event, Text)).encode()


class RememberingPainter(GuidePainter):
    """Shows the guide; its latents are a count of its paints (eight bytes) and the text it has seen."""

    def __init__(self, spec: PainterSpec) -> None:
        super().__init__(spec)
        self._paints, self._seen = 0, b""

    def paint(self, request: PaintRequest) -> Painting:
        self._paints += 1
        self._seen += text_of(request)
        return super().paint(request)

    def latents(self, out: np.ndarray | None = None) -> np.ndarray:
        seen = np.zeros(2048, np.uint8)
        seen[:8] = np.array([self._paints]).view(np.uint8)
        seen[8 : 8 + len(self._seen)] = np.frombuffer(self._seen, np.uint8)
        return put_into(out, seen)

    def restore(self, latents: np.ndarray | None) -> None:
        self._paints = 0 if latents is None else int(latents[:8].view(np.int64)[0])
        self._seen = b"" if latents is None else latents[8:].tobytes().rstrip(b"\0")


def text_seen(latents: np.ndarray | None) -> str:
    return "" if latents is None else latents[8:].tobytes().rstrip(b"\0").decode()


def paints_done(latents: np.ndarray | None) -> int:
    return 0 if latents is None else int(latents[:8].view(np.int64)[0])


class SlowPainter(RememberingPainter):
    """Takes SLOW_S a paint."""

    def paint(self, request: PaintRequest) -> Painting:
        time.sleep(SLOW_S)
        return super().paint(request)


class PatientPainter(RememberingPainter):
    """Takes STEPS steps of STEP_S a paint, and tells of each."""

    on_step: OnStep | None = None
    step_s = STEP_S

    def paint(self, request: PaintRequest) -> Painting:
        for step in range(STEPS):
            time.sleep(self.step_s)
            if self.on_step is not None and not self.on_step(step + 1, STEPS):
                raise Cancelled("given up")
        return super().paint(request)


class SteadyPainter(PatientPainter):
    """The same in steps of STEADY_S."""

    step_s = STEADY_S
class ReadyingPainterOfThree(RememberingPainter):
    """Gets ready in three pieces between its paints."""

    pieces = 3
    fatal = 9  # the piece that ends the process

    def __init__(self, spec: PainterSpec) -> None:
        super().__init__(spec)
        self._done = self.pieces if "pieces" in spec.without else -1

    def get_ready(self) -> Readiness | None:
        if self._done == self.pieces:
            return None
        self._done += 1
        if self._done == self.fatal:
            os._exit(7)
        return Readiness("pieces", self._done, self.pieces)


class FatallyReadyingPainter(ReadyingPainterOfThree):
    fatal = 2


class BriskPainter(RememberingPainter):
    """Takes 3 ms a paint: a kill at a random moment meets it painting, publishing or waiting."""

    def paint(self, request: PaintRequest) -> Painting:
        time.sleep(0.003)
        return super().paint(request)


class FaultyPainter(RememberingPainter):
    """Does `fault` when it is asked to paint the text "!", after it took the text in."""

    fault: Callable[[], None]

    def paint(self, request: PaintRequest) -> Painting:
        painting = super().paint(request)
        if b"!" in text_of(request):
            type(self).fault()
        return painting


def _raise() -> None:
    raise RuntimeError(NAMED)


def _sleep() -> None:
    time.sleep(3600)


def _hold_interpreter() -> None:
    # Unlike with time.sleep, no other thread runs meanwhile.
    if sys.platform == "win32":
        ctypes.PyDLL("kernel32").Sleep(900_000)
    else:
        ctypes.PyDLL(None).usleep(900_000_000)


def _exit() -> None:
    os._exit(7)


class RaisingPainter(FaultyPainter):
    fault = staticmethod(_raise)


class HangingPainter(FaultyPainter):
    fault = staticmethod(_sleep)


class FrozenPainter(FaultyPainter):
    fault = staticmethod(_hold_interpreter)


class CrashingPainter(FaultyPainter):
    fault = staticmethod(_exit)


class ThreadedPainter(FaultyPainter):
    """Fails in a thread of its own, too, as a library's might."""

    @staticmethod
    def fault() -> None:
        thread = threading.Thread(target=_raise)
        thread.start()
        thread.join()
        os._exit(7)


class OnceFailingPainter(RememberingPainter):
    """Raises at its first paint, after it took the text in: only latents put back make the second right."""

    _failed = False

    def paint(self, request: PaintRequest) -> Painting:
        painting = super().paint(request)
        if not self._failed:
            self._failed = True
            raise RuntimeError(NAMED)
        return painting


class StrayPainter(GuidePainter):
    """Hands out a patch beside the frame."""

    def paint(self, request: PaintRequest) -> Painting:
        patch = super().paint(request).patches[0]
        return Painting(request.seq, (Patch(patch.rect.shift(10_000, 0), patch.pixels),), "guide")


class TintedPainter(RememberingPainter):
    """Shows the guide inverted, so that its work is told from another's."""

    def __init__(self, spec: PainterSpec) -> None:
        super().__init__(spec)
        self.info = replace(self.info, name=spec.checkpoint, family="tinted")

    def paint(self, request: PaintRequest) -> Painting:
        painting = super().paint(request)
        patches = tuple(Patch(patch.rect, 255 - patch.pixels) for patch in painting.patches)
        return Painting(request.seq, patches, "painted")


class SluggishPainter(TintedPainter):
    """Takes SLUGGISH_S a paint."""

    def paint(self, request: PaintRequest) -> Painting:
        time.sleep(SLUGGISH_S)
        return super().paint(request)


def sluggish(spec: PainterSpec) -> GuidePainter:
    return SluggishPainter(spec)


class ThriftyPainter(RememberingPainter):
    """Gives something up where "!" is typed; from "?" on memory runs out however little it does."""

    def __init__(self, spec: PainterSpec) -> None:
        super().__init__(spec)
        self.info = replace(self.info, name=spec.checkpoint, family="thrifty", plan="float32: 0.2 GB at most")

    def paint(self, request: PaintRequest) -> Painting:
        if b"?" in text_of(request):
            raise Shortage("memory ran out here")
        if b"!" in text_of(request):
            self.info = replace(self.info, plan="float32, half the size: 0.1 GB at most", gave_up=("it paints at half the size",))
        return super().paint(request)


class BluntPainter(GuidePainter):
    """Paints one grey, whatever it is shown."""

    def paint(self, request: PaintRequest) -> Painting:
        patches = tuple(Patch(rect, np.full((rect.h, rect.w, 3), 77, np.uint8)) for rect in request.damage)
        return Painting(request.seq, patches, "painted")


class StuckPainter(RememberingPainter):
    """Never ends its first paint."""

    def paint(self, request: PaintRequest) -> Painting:
        _sleep()
        return super().paint(request)


def by_name(spec: PainterSpec) -> GuidePainter:
    """The painter that the checkpoint's name asks for."""
    kinds = {"guide": RememberingPainter, "tinted": TintedPainter, "tinted too": TintedPainter, "bundled": TintedPainter, "flat": BluntPainter,
             "crashing": CrashingPainter, "thrifty": ThriftyPainter, "stuck": StuckPainter}  # fmt: skip
    if spec.checkpoint.startswith("greedy "):
        _be_greedy(spec)
        return TintedPainter(spec)
    if "misfit" in dict(spec.weights):
        raise CheckpointError("misfit.safetensors is for another family; give a LoRA made for it")
    if spec.checkpoint == "slow to open":
        for share in range(200):
            count(1)
            time.sleep(0.05 if share else 0.0)
    if spec.checkpoint not in kinds:
        raise CheckpointError(f"checkpoint {spec.checkpoint!r} is not there; name a folder that is")
    return kinds[spec.checkpoint](spec)


def _be_greedy(spec: PainterSpec) -> None:
    """There is not enough memory the first times that it is opened: as often as its name says."""
    tried = Path(spec.profile or "") / "tried"
    tried.write_text((tried.read_text() if tried.exists() else "") + "x")
    if len(tried.read_text()) <= int(spec.checkpoint.split()[1]):
        raise Shortage("memory ran out while it was opened")


def by_name_counted(spec: PainterSpec) -> GuidePainter:
    """The same, telling how much was read."""
    with expecting(200):
        return by_name(spec)


def missing_checkpoint(spec: PainterSpec) -> GuidePainter:
    raise CheckpointError(f"checkpoint {spec.checkpoint!r} is not there; name a folder that is")


def broken_opener(spec: PainterSpec) -> GuidePainter:
    raise RuntimeError(NAMED)


def hanging_opener(spec: PainterSpec) -> GuidePainter:
    time.sleep(3600)
    raise AssertionError


class CountingDreamer(GuidePainter):
    """Wakes from the guide; every event darkens the frame by a level. Its latents are the frame and a count of the events."""

    def __init__(self, spec: PainterSpec) -> None:
        super().__init__(spec)
        family = "otherwise" if spec.checkpoint.endswith("otherwise") else "counting"
        self.info = replace(self.info, name=spec.checkpoint, family=family, mode="dream")
        self._count = 0

    def paint(self, request: PaintRequest) -> Painting:
        if request.guide is not None:
            self._frame[:], self._count = request.guide, 0
        typed = sum(isinstance(event, Text) for event in request.events)
        self._count += typed
        self._frame[:] = np.maximum(self._frame.astype(int) - typed, 0)
        return Painting(request.seq, (Patch(WHOLE, self._frame.copy()),), "painted")

    def latents(self, out: np.ndarray | None = None) -> np.ndarray:
        return put_into(out, np.dstack([self._frame, np.full(self._frame.shape[:2], self._count, np.uint8)]))

    def restore(self, latents: np.ndarray | None) -> None:
        super().restore(None if latents is None else latents[..., :3])
        self._count = 0 if latents is None else int(latents[0, 0, 3])


def dreaming(spec: PainterSpec) -> GuidePainter:
    return CountingDreamer(spec)


class CardPainter(TintedPainter):
    """Says that it paints on a card, and what that holds."""

    def card(self) -> Reading | None:
        return Reading(free=3_000, total=10_000, own=5_000)


class GuessingGuide(RememberingPainter):
    """Paints ahead for a minute, unless it is dropped."""

    def __init__(self, spec: PainterSpec) -> None:
        super().__init__(spec)
        self.info = replace(self.info, guesses=True)

    def guess(self, requests: Sequence[PaintRequest], dropped: Callable[[], bool]) -> int:
        until = time.monotonic() + 60
        while not dropped() and time.monotonic() < until:
            time.sleep(0.002)
        return len(requests)

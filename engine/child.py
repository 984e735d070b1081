"""What runs in the painter's process: open the painter, then paint letter by letter.

It knows no torch and no checkpoint: it calls the opener that it was given. It may be killed at any moment,
and ends by itself as soon as its parent is gone.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib import import_module
from multiprocessing import connection
from multiprocessing.connection import Connection
from time import perf_counter

import numpy as np

from engine.errors import InputError, PixelOSError, Shortage
from engine.frame_memory import SLOTS, FrameMemory, LatentMemory
from engine.freed import Freed
from engine.geometry import Rect
from engine.letters import (
    Attach,
    Begin,
    Dropped,
    Failed,
    Guess,
    Guessed,
    LatentForm,
    Opened,
    Opening,
    Paint,
    Painted,
    Readied,
    Refused,
    Restore,
    Stepped,
    ToChild,
)
from engine.opening import heard
from engine.painter import (
    ARRAYS,
    Cancelled,
    GuessingPainter,
    MeteredPainter,
    OpenPainter,
    Painter,
    PainterSpec,
    Painting,
    PaintRequest,
    Pixels,
    PreviewingPainter,
    ReadyingPainter,
    SteppingPainter,
)
from engine.trouble import noted

BEAT_S, METER_S = 0.25, 1.0
QUIET_S = 0.03  # without a letter, until the painter gets on with what makes it quicker
NICENESS = 5
PR_SET_PDEATHSIG = 1
# Waiting threads that spin take the core that another program, or the window, would have; so they do for a moment only, but for longer
# than most layers take, or waking them is what takes the time. On two cores a whole frame of the bundled checkpoint took 134 and 169 ms
# with 1,000 turns and 98 with 10,000 where nothing else ran. While a window was dragged, 10 paints a second came of 10,000 turns, 13 of
# 3,000 and 12 to 18 of 1,000.
PASSIVE_WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "10000", "KMP_BLOCKTIME": "0"}
# oneDNN keeps what it made up for a layer and a size of crop, a thousand of them, in small pieces that come to lie between the large ones
# which each paint takes and frees: the heap went on growing for it. Making one anew takes a quarter of a millisecond.
FEW_PRIMITIVES = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "256"}


def run_child(letters: Connection, opener: bytes, spec: PainterSpec, frames_name: str) -> None:
    """The process's whole life. opener: a pickled OpenPainter, unpickled once the environment is set."""
    _settle()
    _live(letters, opener, spec, frames_name)


def run_spare(letters: Connection, opener: bytes, libraries: Sequence[str]) -> None:
    """The same for a process that is started before it is known what it is to open: it takes `libraries` in, in their order, until it is
    needed, and waits."""
    _settle()
    with suppress(Exception):  # whoever opens a painter says so
        for name in libraries:
            if letters.poll():
                break  # not every checkpoint needs all
            import_module(name)
    try:
        begin: Begin = letters.recv()
    except (EOFError, OSError):
        os._exit(0)  # nobody will need it any more
    _live(letters, opener, begin.spec, begin.frames)


def _live(letters: Connection, opener: bytes, spec: PainterSpec, frames_name: str) -> None:
    try:
        frames = FrameMemory(spec.size, frames_name)
        threading.Thread(target=_beat, args=(frames.beats,), name="beat", daemon=True).start()
        with heard(partial(_note, frames.read)):
            painter = _open(letters, opener, spec)
        if isinstance(painter, MeteredPainter) and painter.card() is not None:
            threading.Thread(target=_meter, args=(painter, frames.card), name="meter", daemon=True).start()
        if painter is not None:
            _Work(letters, frames, painter).run()
            painter.close()
    except (EOFError, BrokenPipeError, ConnectionResetError):
        os._exit(0)  # the parent is gone: nobody is left to tell
    except BaseException as error:  # noqa: BLE001
        noted(error)
        os._exit(1)
    # Without the interpreter's own end, which could wait for a library's threads.
    sys.stderr.flush()
    os._exit(0)


def _open(letters: Connection, opener: bytes, spec: PainterSpec) -> Painter | None:
    """The painter, or None after telling why there is none."""
    letters.send(Opening())
    try:
        open_painter: OpenPainter = pickle.loads(opener)
        painter = open_painter(spec)
        latents = painter.latents()
    except Exception as error:  # noqa: BLE001
        _note_unforeseen(error)
        letters.send(Refused(_words(error), isinstance(error, InputError), isinstance(error, Shortage)))
        return None
    letters.send(Opened(painter.info, LatentForm(latents.shape, latents.dtype.str)))
    return painter


class _Work:
    """Answers letters until the mailbox ends it."""

    def __init__(self, letters: Connection, frames: FrameMemory, painter: Painter) -> None:
        self._letters = letters
        self._frames = frames
        self._lent = {name: _read_only(getattr(frames, name)) for name in ARRAYS}
        self._painter = painter
        self._told = painter.info
        self._freed = Freed()
        start = painter.latents()
        self._form = LatentForm(start.shape, start.dtype.str)
        self._memory: LatentMemory | None = None
        self._held = 0  # serial of the latents the painter has; 0: an empty frame
        if isinstance(painter, SteppingPainter):
            painter.on_step = self._stepped
        if isinstance(painter, PreviewingPainter):
            painter.on_preview = self._previewed
        self._seq = 0  # of what is being painted

    def run(self) -> None:
        while True:
            letter = self._next()
            if isinstance(letter, Attach):
                self._memory = LatentMemory(self._form, letter.memory)
                if letter.serial:
                    self._restore(letter.serial)
            elif isinstance(letter, Restore):
                self._restore(letter.serial)
            elif isinstance(letter, Guess):
                self._letters.send(Guessed(self._guess(letter)))
            elif isinstance(letter, Paint):
                self._letters.send(self._answer(letter))
            else:
                return

    def _next(self) -> ToChild:
        """The next letter. Once the first frame is painted the painter gets ready meanwhile, piece by piece: a letter waits for
        one piece at most."""
        while self._held and not self._letters.poll(QUIET_S) and self._got_ready():
            """One piece more."""
        if not self._letters.poll(QUIET_S) and not self._letters.poll(self._freed.due):
            self._freed.give_back()
        letter: ToChild = self._letters.recv()
        return letter

    def _got_ready(self) -> bool:
        readiness = self._painter.get_ready() if isinstance(self._painter, ReadyingPainter) else None
        if readiness is not None:
            self._letters.send(Readied(readiness))
        return readiness is not None

    def _answer(self, letter: Paint) -> Painted | Dropped | Failed:
        try:
            return self._paint(letter)
        except Cancelled:
            self._restore(self._held)
            return Dropped()
        except Exception as error:  # noqa: BLE001
            _note_unforeseen(error)
            self._restore(self._held)
            return Failed(_words(error), isinstance(error, Shortage))

    def _paint(self, letter: Paint) -> Painted:
        request = self._whole(letter.request, letter.slot, letter.given)
        self._seq = request.seq
        painting = self._painter.paint(request) if request.edit is None else self._edited(request)
        begun = perf_counter()
        self._publish(painting, letter.serial)
        ms = painting.ms | {"publish": (perf_counter() - begun) * 1e3}
        rects, before = tuple(patch.rect for patch in painting.patches), self._told
        self._told = self._painter.info
        news = self._told if self._told != before else None
        return Painted(painting.seq, rects, painting.source, ms, painting.why, painting.lookups, painting.needed, news)

    def _guess(self, letter: Guess) -> int:
        """Paint ahead until another letter is there; what goes wrong with it costs nothing but the guess."""
        if not isinstance(self._painter, GuessingPainter):
            return 0
        requests = [self._whole(request, SLOTS + i, ARRAYS) for i, request in enumerate(letter.requests)]
        try:
            return self._painter.guess(requests, self._letters.poll)
        except Exception as error:  # noqa: BLE001
            _note_unforeseen(error)
            return 0

    def _whole(self, request: PaintRequest, slot: int, given: Sequence[str]) -> PaintRequest:
        """With its arrays, where they lie: the mailbox draws over them once this is answered."""
        return replace(request, **{name: self._lent[name][slot] for name in given})

    def _edited(self, request: PaintRequest) -> Painting:
        """An edit that cannot be painted comes to nothing, and the painter stays as it is: it is asked for only once."""
        try:
            return self._painter.paint(request)
        except Cancelled as stopped:
            return Painting(request.seq, (), "skipped", why=str(stopped))
        except Exception as error:  # noqa: BLE001
            _note_unforeseen(error)
            self._restore(self._held)
            return Painting(request.seq, (), "skipped", why=_words(error))

    def _stepped(self, done: int, steps: int) -> bool:
        self._letters.send(Stepped(done, steps))
        return int(self._frames.stopped[0]) != self._seq

    def _previewed(self, pixels: Pixels) -> None:
        self._frames.preview[:] = pixels
        self._frames.previews[0] += 1

    def _publish(self, painting: Painting, serial: int) -> None:
        """Put pixels and latents where the parent finds them, before it is told."""
        height, width = self._frames.painted.shape[:2]
        for rect, pixels in ((patch.rect, patch.pixels) for patch in painting.patches):
            if not Rect(0, 0, width, height).covers(rect) or pixels.shape != (rect.h, rect.w, 3):
                raise ValueError(
                    f"a patch of {pixels.shape} at {tuple(rect)} does not fit a {width}x{height} frame"
                )
            self._frames.painted[rect.slices] = pixels
        if self._memory is None:
            raise RuntimeError("asked to paint before there was memory for the latents")
        self._memory.publish(serial, self._painter.latents)
        self._held = serial

    def _restore(self, serial: int) -> None:
        self._painter.restore(self._memory.read(serial) if self._memory and serial else None)
        self._held = serial


def _settle() -> None:
    """Be a quiet process: low priority, passive waiting, no Ctrl-C, nothing on standard output, no traceback on the terminal."""
    os.environ.update(PASSIVE_WAITING | FEW_PRIMITIVES)
    threading.excepthook = _note_thread
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent too, which ends this process
    if sys.platform == "win32":
        import psutil

        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        os.nice(NICENESS)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    with suppress(OSError):  # a windowed program on Windows has neither
        os.dup2(2, 1)  # standard output belongs to the parent's reports


def _read_only(array: np.ndarray) -> np.ndarray:
    seen = array.view()
    seen.flags.writeable = False
    return seen


def _beat(beats: np.ndarray) -> None:
    """Count while this process lives; end it once the parent is gone, also in the middle of a paint."""
    parent = multiprocessing.parent_process()
    if parent is None:
        raise RuntimeError("the painter's process was not started by a mailbox")
    while not connection.wait([parent.sentinel], BEAT_S):
        beats[0] += 1
    os._exit(0)


def _meter(painter: MeteredPainter, card: np.ndarray) -> None:
    """Tell how full the card is."""
    while (reading := painter.card()) is not None:
        card[:] = reading.free, reading.total, reading.own
        time.sleep(METER_S)


def _note_unforeseen(error: Exception) -> None:
    """What is foreseen says all of it in its words."""
    if not isinstance(error, PixelOSError):
        noted(error)


def _note_thread(failed: threading.ExceptHookArgs) -> None:
    noted(failed.exc_value)


def _note(read: np.ndarray, share: float) -> None:
    read[0] = round(share * 1000)


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, PixelOSError) else f"{type(error).__name__}: {error}"

"""What a request brings lies in memory that is drawn over once the painter has answered: it keeps none of it, and next to nothing is copied."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from engine.child import _Work
from engine.events import Move, Text
from engine.exchange import Exchange
from engine.frame_memory import FrameMemory, LatentMemory
from engine.geometry import Rect
from engine.letters import LatentForm, Paint, Painted
from engine.painter import ARRAYS, Painter, PainterSpec, PaintRequest
from models.catalog import open_carefully
from tests.test_painters import ask, drawn
from tests.tiny_families import tiny_folder

SIZE = (256, 192)
LETTER, WINDOW = (Rect(96, 80, 24, 16),), (Rect(40, 24, 160, 136), Rect(0, 168, 64, 24))
LARGEST = 5  # bytes a pixel of the frame, at once: the latents that are handed out are 3; what a request brings is 8
ROUNDS = 3


class Window:
    """A painter at work as in its process, and the window's side of the memory between them."""

    def __init__(self, painter: Painter) -> None:
        self.exchange = Exchange(SIZE)
        latents = painter.latents()
        form = LatentForm(latents.shape, latents.dtype.str)
        self.work = _Work(cast("Any", self), FrameMemory(SIZE, self.exchange.frames.name), painter)
        self.work._memory = LatentMemory(form, self.exchange.attach(form).memory)

    def send(self, letter: object) -> None:
        """Steps are told of; nobody listens."""

    def asks(self, request: PaintRequest) -> Paint:
        self.exchange.take(request)
        letter = self.exchange.next_letter()
        assert isinstance(letter, Paint)
        return letter

    def shows(self, frame: np.ndarray, letter: Paint) -> str:
        """Put what is painted into the frame; where it came from."""
        answer = self.work._answer(letter)
        assert isinstance(answer, Painted)
        painting = self.exchange.painting(answer)
        self.exchange.finish()
        for patch in painting.patches:
            frame[patch.rect.slices] = patch.pixels
        return painting.source


@pytest.fixture
def windows() -> Iterator[list[Window]]:
    """Those that are opened; they are closed in the end."""
    opened: list[Window] = []
    yield opened
    for window in opened:
        del window.work
        window.exchange.close()


def asked(mode: str) -> list[PaintRequest]:
    """There and back again; a dream goes on from its first frame by what is done."""
    if mode == "dream":
        first = replace(ask(drawn(1)), seq=1)
        blind = replace(first, **dict.fromkeys(ARRAYS))  # type: ignore[arg-type]
        return [first, *(replace(blind, seq=seq, events=(event,)) for seq, event in enumerate((Move(1.0, 60, 40), Text(2.0, "a"), Move(3.0, 9, 9)), 2))]
    steps = [(1, (Rect(0, 0, *SIZE),)), (2, LETTER), (3, WINDOW), (1, WINDOW), (1, LETTER), (3, WINDOW), (1, WINDOW)]
    return [replace(ask(drawn(seed), damage), seq=seq) for seq, (seed, damage) in enumerate(steps, 1)]


@pytest.mark.parametrize(("kind", "mode"), [
    ("guide", "guided"), ("bundled", "guided"), ("bundled", "dream"), ("sd-turbo", "guided"), ("sd-turbo", "dream"), ("klein", "guided"), ("kontext", "guided"),
])  # fmt: skip
def test_no_painter_keeps_what_is_lent_to_it(tmp_path: Path, windows: list[Window], kind: str, mode: str) -> None:
    """Its memory is scribbled over after each answer: what it paints is what it paints of pictures that stay as they are."""
    checkpoint = kind if kind in ("guide", "bundled") else str(tiny_folder(tmp_path / kind, kind, tiny_vae=kind == "sd-turbo"))
    spec = PainterSpec(checkpoint=checkpoint, mode=mode, size=SIZE, threads=1, device="cpu", steps=1)
    lending, keeping = open_carefully(spec), open_carefully(spec)
    windows.append(window := Window(lending))
    frames = [np.zeros((SIZE[1], SIZE[0], 3), np.uint8) for _ in range(2)]
    sources = []
    for request in asked(mode):
        sources.append(window.shows(frames[0], window.asks(request)))
        for name in ARRAYS:
            getattr(window.exchange.frames, name)[:] = 90
        painting = keeping.paint(request)
        for patch in painting.patches:
            frames[1][patch.rect.slices] = patch.pixels
        assert painting.source == sources[-1] and (frames[0] == frames[1]).all()
    assert "cached" in sources or kind in ("guide", "klein", "kontext") or mode == "dream"


def test_where_nothing_is_painted_next_to_nothing_is_allocated(windows: list[Window]) -> None:
    """A pointer that goes to and fro: no copy of the guide, of what is verbatim, of the forms."""
    windows.append(window := Window(open_carefully(PainterSpec(size=SIZE, threads=1, device="cpu"))))
    frame = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    there, here = (ask(drawn(seed), LETTER) for seed in (1, 2))
    window.shows(frame, window.asks(ask(drawn(1))))
    for request in (here, there) * ROUNDS:
        window.shows(frame, window.asks(request))
    for request in (here, there) * ROUNDS:
        letter = window.asks(request)
        tracemalloc.start()
        source = window.shows(frame, letter)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert source == "cached" and peak < LARGEST * SIZE[0] * SIZE[1]

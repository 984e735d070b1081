"""One trace of ordinary use, played several ways in one run: the whole frame anew for every event, as the pipeline's own call
does it, then our painter, then our painter without each of its techniques in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from benchmarks.cost import made_ready
from benchmarks.easel import Easel
from engine.desktop.desktop import Desktop
from engine.desktop.documents import Documents
from engine.events import Ask, Event, Key, Move, Text
from engine.geometry import Rect
from engine.painter import (
    BATCHES,
    FUSING,
    TECHNIQUES,
    Painter,
    PainterSpec,
    Painting,
    PaintRequest,
    Patch,
)
from models.catalog import open_painter, opened
from models.devices import device_of, lay_out
from models.eight_bits import INT8
from models.latent_painter import LatentPainter
from models.loading import BundledCheckpoint
from models.pipeline import PixelOSPipeline
from models.prompted.painter import PromptedPainter
from models.prompted.stock import stock_frame
from models.reference.painter import ReferencePainter

WORDS = "The quick brown fox jumps over"
STOCK, OURS = "stock: the whole frame for every event", "ours"
Say = Callable[[str], None]


def side_by_side(spec: PainterSpec, quick: bool = False, say: Say = print) -> list[dict[str, Any]]:
    """Nothing for a reference painter, which calls the stock pipeline itself. For each way its `name`, median `ms` and `p95` of an event that changes something, `gain`: how many times as fast
    as the stock call, by the time of the whole trace, and `typing_ms`, the mean while a sentence is typed. Raises CheckpointError."""
    ours = open_painter(spec)
    if isinstance(ours, ReferencePainter):
        return []
    readiness = made_ready(ours)
    left_out = {part: replace(spec, without=(part,)) for part in TECHNIQUES}
    if readiness is not None and not readiness.note:
        left_out[readiness.what] = replace(spec, without=(readiness.what,))
    if isinstance(ours, LatentPainter | PromptedPainter) and ours.at_once > 1:
        left_out[BATCHES] = replace(spec, without=(BATCHES,))
    if isinstance(ours, PromptedPainter) and ours.placement.fused:
        left_out[FUSING] = replace(spec, without=(FUSING,))
    if ours.info.compiler:
        left_out[ours.info.compiler] = replace(spec, compiled=False)
    ways: dict[str, PainterSpec] = {OURS: spec, **{f"ours without {part}": way for part, way in left_out.items()}}
    if ours.info.dtype == INT8:
        ways["ours in float32"] = replace(spec, dtype="float32")
    stock = _StockPrompted(ours, spec) if isinstance(ours, PromptedPainter) else _StockBundled(ours, spec)
    times = {STOCK: _played(stock, spec, quick)}
    for name, way in ways.items():
        times[name] = _played(open_painter(way), spec, quick)
    whole = sum(times[STOCK].all)
    rows = [
        {"name": name, "ms": round(float(np.median(t.all)), 2), "p95": round(float(np.percentile(t.all, 95)), 2), "gain": round(whole / sum(t.all), 2),
         **({"typing_ms": round(float(np.mean(t.typing)), 2)} if t.typing else {})}
        for name, t in times.items()
    ]  # fmt: skip
    for row in rows:
        say(f"{row['name']}: {row['ms']} ms an event, {row['gain']}x")
    return rows


class Times(NamedTuple):
    """Milliseconds of each paint of the trace; typing: of those while the sentence is typed, its caret's among them."""

    all: list[float]
    typing: list[float]


def _played(painter: Any, spec: PainterSpec, quick: bool) -> Times:
    desktop = Desktop(spec.size, Documents({}))
    clocked = _Clocked(painter)
    easel = Easel(clocked, desktop)
    easel.paint()
    made_ready(painter)
    clocked.times.clear()
    typing = list[float]()
    for event in _trace(desktop, quick):
        before = len(clocked.times)
        easel.feed(event)
        if isinstance(event, Text):
            typing += clocked.times[before:]
    painter.close()
    return Times(clocked.times, typing)


def _trace(desktop: Desktop, quick: bool) -> Iterator[Event]:
    """A sentence typed, with pauses in which the caret blinks; icons hovered over, again and again; windows opened and closed."""
    t = 1.0
    yield Ask(t, "Notes")
    yield Key(t + 0.2, "n", ("ctrl",))
    for i, letter in enumerate(WORDS[: 8 if quick else len(WORDS)]):
        t += 0.2 if i % 6 else 1.4
        yield Text(t + 0.5, letter)
    yield Key(t + 1, "w", ("ctrl",))
    icons = [widget.rect.centre for widget in desktop.widgets if widget.role == "icon"]
    for _ in range(1 if quick else 4):
        for x, y in icons:
            t += 0.2
            yield Move(t + 1, x, y)
    for app in ("Calculator",) if quick else ("Calculator", "Files", "Calculator"):
        t += 1
        yield Ask(t + 1, app)
        yield Key(t + 1.5, "w", ("ctrl",))


class _StockBundled:
    """The bundled family's pipeline as anybody would call it: the whole frame, in float32, from the guide and the last frame."""

    def __init__(self, ours: Painter, spec: PainterSpec) -> None:
        checkpoint = opened(spec)
        assert isinstance(checkpoint, BundledCheckpoint)
        for network in checkpoint.networks:
            nn.Module.to(network, device_of(spec.device))
        self._pipeline = PixelOSPipeline(checkpoint.denoiser, checkpoint.context_encoder)
        self._spec = spec
        self._frame = np.full((spec.size[1], spec.size[0], 3), 128, np.uint8)
        self.info = ours.info

    def paint(self, request: PaintRequest) -> Painting:
        out = self._pipeline(
            request.context, request.guide, self._frame, request.verbatim, request.forms,
            num_inference_steps=self.info.steps, seed=self._spec.seed, output_type="np",
        )  # fmt: skip
        self._frame = np.asarray(out.images[0])
        return Painting(request.seq, (Patch(Rect(0, 0, *self._spec.size), self._frame),), "painted")

    def close(self) -> None:
        """Nothing to give back."""


class _StockPrompted:
    """diffusers' pipeline of the family with the same weights, words, steps and number format: the whole frame from the guide."""

    def __init__(self, ours: PromptedPainter, spec: PainterSpec) -> None:
        self._ours, self._spec, self.info = ours, spec, ours.info
        ours.placement.as_they_were()
        for network in ours.pipeline.components.values():
            if isinstance(network, nn.Module):  # weights lie as the library lays them: another layout is a technique of ours
                lay_out(network, torch.contiguous_format)

    def paint(self, request: PaintRequest) -> Painting:
        assert request.guide is not None
        ours = self._ours
        frame = stock_frame(ours.pipeline, ours.family, ours.telling.prompt(request), request.guide, self.info.steps, self._spec.seed)
        pixels = (frame[0].permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy()
        return Painting(request.seq, (Patch(Rect(0, 0, *self._spec.size), pixels),), "painted")

    def close(self) -> None:
        """Ours is closed by whoever opened it."""


class _Clocked:
    """A painter whose paints are timed."""

    def __init__(self, painter: Any) -> None:
        self._painter = painter
        self.info = painter.info
        self.times: list[float] = []

    def paint(self, request: PaintRequest) -> Painting:
        begun = perf_counter()
        painting = self._painter.paint(request)
        self.times.append((perf_counter() - begun) * 1e3)
        return painting

    def __getattr__(self, name: str) -> Any:
        return getattr(self._painter, name)

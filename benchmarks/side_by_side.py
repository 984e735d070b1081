"""One trace of ordinary use, played several ways in one run: the whole frame anew for every event, as the pipeline's own call
does it, then our painter, then our painter without each of its techniques in turn.

Each way plays it once unseen, for what a size of crops costs the first time, and then several times that count, each as a session begins:
nothing is known to the frame cache. Where all ways fit into memory side by side they take turns, in another order each round, so that a
machine that becomes slower meanwhile does so for all.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from benchmarks.cost import made_ready
from benchmarks.easel import Easel
from benchmarks.watch import Watch
from engine.desktop.desktop import Desktop
from engine.desktop.documents import Documents
from engine.events import Ask, Event, Key, Move, Text
from engine.geometry import Rect
from engine.painter import (
    BATCHES,
    CROPS,
    FINE,
    FUSING,
    TECHNIQUES,
    Painter,
    PainterSpec,
    Painting,
    PaintRequest,
    Patch,
)
from models.catalog import open_painter, opened
from models.devices import all_threads, device_of, empty_caches, free_bytes, lay_out
from models.eight_bits import INT8
from models.latent_painter import LatentPainter
from models.loading import BundledCheckpoint
from models.pipeline import PixelOSPipeline
from models.prompted.painter import PromptedPainter
from models.prompted.stock import stock_frame
from models.reference.painter import ReferencePainter

WORDS = "The quick brown fox jumps over"
STOCK, OURS = "stock: the whole frame for every event", "ours"
ROUNDS = 3  # that count
SHARE = 0.5  # of the memory that is free: what all ways together may take to be held at once
Say = Callable[[str], None]


def side_by_side(spec: PainterSpec, quick: bool = False, say: Say = print) -> dict[str, Any]:
    """Nothing for a reference painter, which calls the stock pipeline itself. Else `side_by_side`, for each way its `name`, median `ms` and `p95` of an
    event that changes something, `gain`: how many times as fast as the stock call, by the time of the whole trace, `typing_ms`, the mean while a sentence is
    typed (all of them medians over the rounds), and `spread`, the lowest and the highest gain of a round; and `played`: how. Raises CheckpointError.
    quick: a shorter trace, once."""
    ours = open_painter(spec)
    if isinstance(ours, ReferencePainter):
        return {}
    ways = _ways(ours, spec)
    at_once, rounds = _held_at_once(ours, 1 + len(ways)), 1 if quick else ROUNDS
    openers: dict[str, Callable[[], _Player]] = {STOCK: partial(_stock, ours, spec)}
    openers |= {name: partial(_opened, way) for name, way in ways.items()}
    del ours  # who is done is let go before the next is opened, where they do not take turns
    with Watch(spec.device) as watch:
        rows = _in_groups(openers, at_once, rounds, quick) if at_once > 1 else told_of(_one_after_another(openers, rounds, quick), in_turns=False)
    for row in rows:
        say(f"{row['name']}: {row['ms']} ms an event, {row['gain']}x ({row['spread'][0]} to {row['spread'][1]})")
    return {"side_by_side": rows, "played": {"rounds": rounds, "in_turns": at_once > 1, "disturbed": watch.disturbed}}


def _ways(ours: Painter, spec: PainterSpec) -> dict[str, PainterSpec]:
    """Ours, and ours without each of the techniques that it has."""
    readiness = made_ready(ours)
    left_out = {part: replace(spec, without=(part,)) for part in TECHNIQUES}
    if readiness is not None and not readiness.note:
        left_out[readiness.what] = replace(spec, without=(readiness.what,))
    if isinstance(ours, LatentPainter | PromptedPainter) and ours.at_once > 1:
        left_out[BATCHES] = replace(spec, without=(BATCHES,))
    if isinstance(ours, LatentPainter) and not ours.cells.sizes:
        left_out[FINE] = replace(spec, without=(FINE,))
    if isinstance(ours, PromptedPainter) and ours.placement.fused:
        left_out[FUSING] = replace(spec, without=(FUSING,))
    if ours.info.compiler:
        left_out[ours.info.compiler] = replace(spec, compiled=False)
    ways = {OURS: spec, **{f"ours without {part}": way for part, way in left_out.items()}}
    if ours.info.dtype == INT8:
        ways["ours in float32"] = replace(spec, dtype="float32")
    return ways


def _held_at_once(ours: Painter, ways: int) -> int:
    """How many of so many painters can be held at once. One of the bundled family is small; of others their plan says what they take."""
    if not isinstance(ours, PromptedPainter):
        return ways
    return min(int(SHARE * free_bytes(ours.placement.device) / max(ours.placement.plan.needs, 1)), ways)


class Times(NamedTuple):
    """Milliseconds of each paint of the trace; typing: of those while the sentence is typed, its caret's among them."""

    all: list[float]
    typing: list[float]


Rounds = dict[str, list[Times]]


def _in_groups(openers: Mapping[str, Callable[[], _Player]], at_once: int, rounds: int, quick: bool) -> list[dict[str, Any]]:
    """A row for each way. As many as can be held take turns, and the stock call in each group: a machine's speed changes from one to the next."""
    others = [name for name in openers if name != STOCK]
    rows: list[dict[str, Any]] = []
    for i in range(0, len(others), at_once - 1):
        group = (STOCK, *others[i : i + at_once - 1])
        told = told_of(_taking_turns({name: openers[name] for name in group}, rounds, quick), in_turns=True)
        rows += told[1:] if rows else told
        empty_caches()
    return rows


def _taking_turns(openers: Mapping[str, Callable[[], _Player]], rounds: int, quick: bool) -> Rounds:
    players = {name: open_it() for name, open_it in openers.items()}
    for player in players.values():
        player.warm(quick)
    times: Rounds = {name: [] for name in players}
    for i in range(rounds):
        for name in in_order(list(players), i, rounds):
            times[name].append(players[name].play(quick))
    return times


def _one_after_another(openers: dict[str, Callable[[], _Player]], rounds: int, quick: bool) -> Rounds:
    times: Rounds = {}
    for name in list(openers):
        player = openers.pop(name)()
        player.warm(quick)
        times[name] = [player.play(quick) for _ in range(rounds)]
        del player
        empty_caches()
    return times


def in_order(names: Sequence[str], i: int, rounds: int) -> list[str]:
    """The names in the order of a round: each begins further on, the last of them far enough that nobody is always early."""
    first = i * len(names) // rounds
    return [*names[first:], *names[:first]]


def told_of(times: Rounds, in_turns: bool) -> list[dict[str, Any]]:
    """A row for each way. in_turns: whether each round had all of them, so that it is compared with the stock call of the same round."""
    stock = [sum(t.all) for t in times[STOCK]]
    if not in_turns:
        stock = [float(np.median(stock))] * len(stock)
    rows = []
    for name, rounds in times.items():
        gains = [whole / sum(t.all) for whole, t in zip(stock, rounds, strict=True)]
        ms, p95, typing = (_middle([of(t) for t in rounds]) for of in (lambda t: np.median(t.all), lambda t: np.percentile(t.all, 95), lambda t: np.mean(t.typing)))
        rows.append({"name": name, "ms": ms, "p95": p95, "gain": _middle(gains), "spread": [round(min(gains), 2), round(max(gains), 2)], "typing_ms": typing})
    return rows


def _middle(values: Sequence[Any]) -> float:
    return round(float(np.median(values)), 2)


class _Player:
    """A painter that plays the trace. threads: of torch, which are the whole process's: as they were when it was opened; varied: whether it paints
    crops of many sizes."""

    def __init__(self, painter: Any, spec: PainterSpec, varied: bool) -> None:
        self._painter, self._spec, self._varied = painter, spec, varied
        self._threads = torch.get_num_threads()

    def warm(self, quick: bool) -> None:
        """What a size costs the first time is paid; of the whole frame it is by each round's first."""
        if self._varied:
            self.play(quick)

    def play(self, quick: bool) -> Times:
        """Once, from a first frame on, as a session begins."""
        torch.set_num_threads(self._threads)
        self._painter.close()  # its caches are empty then; its networks stay
        self._painter.restore(None)
        gc.collect()
        desktop = Desktop(self._spec.size, Documents({}))
        clocked = _Clocked(self._painter)
        easel = Easel(clocked, desktop)
        easel.paint()
        made_ready(self._painter)
        clocked.times.clear()
        typing = list[float]()
        for event in _trace(desktop, quick):
            before = len(clocked.times)
            easel.feed(event)
            if isinstance(event, Text):
                typing += clocked.times[before:]
        return Times(clocked.times, typing)


def _opened(spec: PainterSpec) -> _Player:
    return _Player(open_painter(spec), spec, varied=CROPS not in spec.without)


def _stock(ours: Painter, spec: PainterSpec) -> _Player:
    stock = _StockPrompted(ours, spec) if isinstance(ours, PromptedPainter) else _StockBundled(ours, spec)
    return _Player(stock, spec, varied=False)


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
        device = device_of(spec.device)
        for network in checkpoint.networks:
            network.to(device)
        if device.type == "cpu":
            torch.set_num_threads(spec.threads or all_threads())
        self._pipeline = PixelOSPipeline(checkpoint.denoiser, checkpoint.context_encoder)
        self._spec = spec
        self.info = ours.info
        self.restore(None)

    def restore(self, latents: None) -> None:
        self._frame = np.full((self._spec.size[1], self._spec.size[0], 3), 128, np.uint8)

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

    def restore(self, latents: None) -> None:
        """It goes by the guide alone."""

    def close(self) -> None:
        """Nothing to give back."""


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

"""What the context costs a prompted checkpoint: `python -m benchmarks.context_cost FOLDER`.

An event changes the instruction, which is encoded anew; the context changes seldom. Measured in one run, in turns, as
ratios: an event's words encoded when the context's tokens are computed again, against the same with the tokens kept; and a
paint with the tokens against one without. A reference painter's stock pipeline encodes within a paint: the time it spends there
is taken. Prints one JSON document.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch

from engine.desktop.desktop import Desktop
from engine.desktop.documents import Documents
from engine.errors import InputError
from engine.geometry import Rect
from engine.guide import Guide
from engine.painter import PainterSpec, PaintRequest, Words
from models.catalog import open_painter
from models.prompted.painter import PromptedPainter
from models.reference.painter import ReferencePainter

ROUNDS, WARM = 8, 2
KNOWN = "You chose style: dark blue. You opened Notes 12 times, mostly around 09:00. You often type: harbour, meeting."


def measured(painter: PromptedPainter | ReferencePainter, size: tuple[int, int], rounds: int = ROUNDS) -> dict[str, Any]:
    """Medians in milliseconds and their ratios. painter: paints frames of `size`, and takes tokens for the context."""
    desktop = Desktop(size, Documents())
    guide = Guide(size)
    guide.update(desktop.items)
    asked = PaintRequest(1, (), (Rect(0, 0, *size),), guide.pixels, guide.verbatim, desktop.features())
    turn = [0]

    def event(known: str) -> PaintRequest:
        turn[0] += 1
        return replace(asked, words=Words(f"style {turn[0]}", (), known))

    def other() -> PaintRequest:
        return event(f"{KNOWN} You opened Paint {turn[0]} times.")

    def encoded(request: PaintRequest) -> float:
        return _encoding(painter, request) if isinstance(painter, ReferencePainter) else _timed(painter.telling.conditioning, request)

    cases: dict[str, Callable[[], float]] = {
        "kept": lambda: encoded(event(KNOWN)),
        "recomputed": lambda: encoded(other()),
        "paint_with": lambda: _timed(painter.paint, event(KNOWN)),
        "paint_without": lambda: _timed(painter.paint, event("")),
    }
    times: dict[str, list[float]] = {name: [] for name in cases}
    for round_ in range(rounds + WARM):
        for name, case in cases.items():
            if name in ("kept", "paint_with"):
                encoded(event(KNOWN))  # its tokens are there
            found = case()
            if round_ >= WARM:
                times[name].append(found)
    ms = {name: median(values) for name, values in times.items()}
    return {
        "ms": {name: round(value, 3) for name, value in ms.items()},
        "conditioning_recomputed_to_kept": round(ms["recomputed"] / ms["kept"], 3),
        "paint_with_tokens_to_without": round(ms["paint_with"] / ms["paint_without"], 3),
    }


def _timed(work: Callable[[PaintRequest], object], request: PaintRequest) -> float:
    """Milliseconds. What is computed on a GPU is waited for."""
    begun = perf_counter()
    work(request)
    _wait()
    return (perf_counter() - begun) * 1e3


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _encoding(painter: ReferencePainter, request: PaintRequest) -> float:
    """What of a paint its pipeline spends on the encoding of sentences, in milliseconds."""
    spent = list[float]()

    def encoded(*given: Any, **named: Any) -> Any:
        _wait()
        begun = perf_counter()
        found = painter.words(*given, **named)
        _wait()
        spent.append(perf_counter() - begun)
        return found

    setattr(painter.pipeline, painter.words.place, encoded)
    try:
        painter.paint(request)
    finally:
        setattr(painter.pipeline, painter.words.place, painter.words)
    return sum(spent) * 1e3


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        print("usage: python -m benchmarks.context_cost FOLDER, of a checkpoint that is told in words", file=sys.stderr)
        return 2
    spec = PainterSpec(arguments[0], threads=1)
    try:
        painter = open_painter(spec)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    if not isinstance(painter, PromptedPainter) and not (isinstance(painter, ReferencePainter) and painter.words.takes_tokens):
        print(f"{painter.info.family} has no tokens for the context, or is not told it in words; give another checkpoint's folder", file=sys.stderr)
        return 2
    info = painter.info
    told = {"checkpoint": info.name, "family": info.family, "sha256": info.sha256, "device": info.device, "dtype": info.dtype}
    print(json.dumps({**told, "steps": info.steps, "size": list(spec.size), **measured(painter, spec.size)}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`pixelos bench tune`: the settings that hold a latency on this machine, found by trying them.

First number format and threads, by a whole frame in one step; then the smallest crop, by a typed letter's damage; then as
many sampling steps as the target leaves room for.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import replace

from benchmarks.cost import Timed
from engine.errors import CheckpointError
from engine.geometry import Rect
from engine.painter import PainterInfo, PainterSpec
from engine.tuned import Tuned
from models.devices import device_of, thread_counts

LETTER = (24, 24)  # pixels: what a typed letter damages
STEPS = (1, 2, 4, 8)
CROPS = (64, 96, 128, 256, 384, 512)  # pixels a side
GAIN = 0.95  # a setting must take at most this share of the time of the best so far
Say = Callable[[str], None]


def tuned(spec: PainterSpec, target_ms: float, say: Say = print) -> tuple[PainterInfo, Tuned]:
    """What paints, and the settings found. Raises CheckpointError where the checkpoint cannot be opened at all."""
    with_steps = replace(spec, steps=spec.steps or STEPS[0])
    best, whole, info = _fastest(with_steps, say)
    crop, letter = _crop(best, say)
    best = replace(best, least_crop=crop)
    for steps in STEPS[1:] if spec.steps is None else ():
        took, _, took_letter = _times(replace(best, steps=steps))
        say(f"{steps} steps: {took:.0f} ms a whole frame")
        if took > target_ms:
            break
        best, whole, letter = replace(best, steps=steps), took, took_letter
    return info, Tuned(best.steps or 1, best.dtype, best.threads, best.least_crop, whole, letter, target_ms)


def _fastest(spec: PainterSpec, say: Say) -> tuple[PainterSpec, float, PainterInfo]:
    best: tuple[PainterSpec, float, PainterInfo] | None = None
    refused = CheckpointError("no setting could be tried")
    for tried in _formats(spec):
        try:
            took, info, _ = _times(tried)
        except CheckpointError as error:  # a format that this machine or checkpoint does not have
            refused = error
            continue
        threads = f", {tried.threads} threads" if tried.threads else ""
        say(f"{info.dtype}{threads}: {took:.0f} ms a whole frame")
        if best is None or took < GAIN * best[1]:
            best = replace(tried, dtype=info.dtype), took, info
    if best is None:
        raise refused
    return best


def _formats(spec: PainterSpec) -> Iterator[PainterSpec]:
    cpu = device_of(spec.device).type == "cpu"
    formats = (spec.dtype,) if spec.dtype != "auto" else ("int8", "float32") if cpu else ("bfloat16", "float16")
    counts = thread_counts() if cpu else (None,)
    for dtype in formats:
        for threads in counts if spec.threads is None else (spec.threads,):
            yield replace(spec, dtype=dtype, threads=threads)


def _crop(spec: PainterSpec, say: Say) -> tuple[int | None, float]:
    best: tuple[int | None, float] = None, _times(spec)[2]
    for side in CROPS if spec.least_crop is None else ():
        if side > min(spec.size):
            break
        letter = _times(replace(spec, least_crop=side))[2]
        say(f"crops from {side}x{side}: {letter:.1f} ms a letter")
        if letter < GAIN * best[1]:
            best = side, letter
    return best


def _times(spec: PainterSpec) -> tuple[float, PainterInfo, float]:
    """Milliseconds of a whole frame, what painted it, and milliseconds of a letter. Raises CheckpointError."""
    timed = Timed(spec)
    try:
        width, height = spec.size
        letter = timed.cost(Rect(width // 2 // 8 * 8, height // 2 // 8 * 8, *LETTER))
        return timed.cost(Rect(0, 0, width, height)).ms, timed.info, letter.ms
    finally:
        timed.close()
        gc.collect()

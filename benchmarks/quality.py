"""Scores a checkpoint's painting: text read back, its contrast, transitions, pictures, untouched pixels, drift, style, persistency.

Everything runs in a closed loop: the painter starts from its own frames, never from the source's. docs/evaluation.md
says in words what each figure means.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

import numpy as np

from benchmarks.easel import Easel
from benchmarks.pictures_compared import ssim
from benchmarks.quality_contrast import contrast_scores
from benchmarks.quality_sessions import (
    dreamt_persistency,
    dreamt_sessions,
    guided_persistency,
    guided_session,
)
from benchmarks.quality_styles import style_scores
from benchmarks.quality_text import page_scores, typed_scores, visible_text
from benchmarks.scenes import Kind
from benchmarks.transition_kinds import KINDS
from benchmarks.transitions import Judged, judged, score
from engine.errors import InputError
from engine.painter import DREAMER, Painter, PainterSpec
from engine.styles import PRESETS
from models.catalog import open_painter
from models.likeness import psnr

__all__ = ["Easel", "Evaluation", "Extent", "evaluate", "evaluated", "psnr", "ssim", "visible_text"]
SHEET = 24  # scenes of the sheet of worst cases
Say = Callable[[str], None]


@dataclass(frozen=True)
class Extent:
    """How much is measured. pages a style; every so many-th kind of transition (`stride`), in so many `variants`;
    frames a style; painted frames of the drift session; letters typed in a dream, and in how many styles; seconds of a
    dreamt session and of a dreamt persistency; frames of each thing in the guided one (`kept`); styles looked at."""

    pages: int
    stride: int
    variants: int
    frames: int
    drift_frames: int
    typed: int
    typed_styles: int
    dream_sessions: int
    dream_seconds: float
    persist_seconds: float
    kept: int
    styles: tuple[str, ...]

    def some(self, count: int, seed: int) -> tuple[str, ...]:
        """So many of the styles, others for another seed."""
        return tuple(self.styles[(seed + i * 3) % len(self.styles)] for i in range(min(count, len(self.styles))))


def extent(quick: bool, mode: str, drift_frames: int | None) -> Extent:
    """What is measured in this mode; a dream paints every frame as a whole, so there is less of it."""
    dream = mode == "dream"
    if quick:
        few = ("terminal", "light", "ocean") if not dream else ("light", "terminal")
        found = Extent(1, 10 if dream else 3, 1, 1, 60, 24, 1, 1, 5.0, 4.0, 8, few)
    else:
        found = Extent(6, 1, 1 if dream else 4, 4, 400, 200, 4, 6, 60.0, 30.0, 30, tuple(PRESETS))
    return replace(found, drift_frames=drift_frames) if drift_frames else found


@dataclass(frozen=True)
class Evaluation:
    """scores: what INTERFACE.md lists; worst: the scenes the painter did worst, the worst first."""

    scores: dict[str, Any]
    worst: tuple[Judged, ...]


def evaluate(spec: PainterSpec, quick: bool = False, say: Say = print) -> dict[str, Any]:
    """All scores as INTERFACE.md names them. Raises InputError where the OCR engine is missing."""
    return evaluated(spec, quick, say).scores


def evaluated(
    spec: PainterSpec, quick: bool = False, say: Say = print, drift_frames: int | None = None
) -> Evaluation:
    """The scores, and the pictures of the worst cases. Raises InputError too where a dreamer is to be left out and there is none."""
    painter = open_painter(spec)
    try:
        if DREAMER in spec.without and not painter.info.imagines:
            raise InputError(f"{painter.info.name} has no dreamer to be left out in {spec.mode} mode; leave --without {DREAMER} out")
        return score_painter(painter, spec, extent(quick, spec.mode, drift_frames), quick, say)
    finally:
        painter.close()


def score_painter(painter: Painter, spec: PainterSpec, size: Extent, quick: bool, say: Say) -> Evaluation:
    """Score a painter that is open."""
    begun = monotonic()
    info = painter.info
    rng = np.random.default_rng(spec.seed + 1_000_003)
    text = _text(painter, spec, size, rng, say)
    transitions, worst = transition_scores(painter, spec, size, say)
    scores: dict[str, Any] = {
        "mode": spec.mode,
        "checkpoint": {"name": info.name, "family": info.family, "sha256": info.sha256},
        "size": list(spec.size), "steps": info.steps, "device": info.device, "dtype": info.dtype, "seed": spec.seed,
        "quick": quick, "without": list(spec.without),
        "text": text,
        "transitions": transitions,
        **_session(painter, spec, size, rng, say),
        **style_scores(painter, spec, size.styles, size.frames, rng, say),
    }  # fmt: skip
    if spec.mode != "dream":  # which shows the text of its guides, painted by the same weights
        scores["contrast"] = contrast_scores(painter, spec, size.styles, say)
    return Evaluation({**scores, "seconds": round(monotonic() - begun, 1)}, worst)


def _text(painter: Painter, spec: PainterSpec, size: Extent, rng: np.random.Generator, say: Say) -> dict[str, Any]:
    if spec.mode == "dream":
        return typed_scores(painter, spec, size.some(size.typed_styles, spec.seed), size.typed, rng, say)
    return page_scores(painter, spec, size.styles, size.pages, rng, say)


def _session(painter: Painter, spec: PainterSpec, size: Extent, rng: np.random.Generator, say: Say) -> dict[str, Any]:
    """Untouched pixels, drift and persistency."""
    if spec.mode == "dream":
        scores = dreamt_sessions(painter, spec, size.dream_seconds, size.dream_sessions, rng, say)
        return {**scores, "persistency": dreamt_persistency(painter, spec, size.persist_seconds, rng, say)}
    scores = guided_session(painter, spec, size.drift_frames, rng, say)
    return {**scores, "persistency": guided_persistency(painter, spec, size.kept, rng, say)}


def transition_scores(
    painter: Painter, spec: PainterSpec, size: Extent, say: Say
) -> tuple[dict[str, Any], tuple[Judged, ...]]:
    """The shares, and the worst scenes; of all the others the pictures are let go at once."""
    kinds: Sequence[Kind] = KINDS[spec.seed % size.stride :: size.stride]
    counted: list[tuple[str, bool, int]] = []
    worst: list[tuple[bool, float, int, Judged]] = []
    for number, outcome in enumerate(judged(painter, spec.size, spec.seed, size.variants, kinds, say)):
        counted.append((outcome.kind, outcome.right, outcome.rivals))
        entry = (not outcome.right, outcome.badness, -number, outcome)
        (heapq.heappush if len(worst) < SHEET else heapq.heappushpop)(worst, entry)
    scores = score(counted)
    say(f"transitions: {scores['accuracy']:.1%} of {scores['events']} in {scores['kinds']} kinds")
    return scores, tuple(outcome for *_, outcome in sorted(worst, reverse=True, key=lambda entry: entry[:3]))

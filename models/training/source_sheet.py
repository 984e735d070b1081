"""Sheets of a source's own shots: what a checkpoint makes of the events, beside what really came of them.

Where a dreamer goes on, it is asked what it would be asked in a dream, along a recorded session, and what it imagines is painted. Elsewhere the
denoiser answers, from the frame before and the events alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image
from torch import Tensor

from engine.errors import InputError
from models.context_encoder import ContextEncoder
from models.denoiser import Denoiser
from models.dreaming.dream import Dream
from models.likeness import psnr
from models.loading import BundledCheckpoint
from models.pipeline import PixelOSPipeline
from models.synthetic.renderer import StyledRenderer
from models.synthetic.shots import Make, Shot
from models.training.dreams import Asked, TraceDreams
from models.training.heldout import around_change, corner_around, dreamt

SIDE = 192  # pixels of the part that is shown, as high as the smallest frame
SPACED = 2  # of the moments of a stretch every so many is looked at: neighbours are alike


@dataclass(frozen=True)
class SourceSheet:
    """picture: a row a shot; painted, kept: PSNR in dB over the pixels that changed, of the painting, and of leaving
    the frame as it was; given: of what is painted from the right guide, where there is one."""

    picture: Image.Image
    painted: float
    kept: float
    given: float | None = None


def source_sheet(denoiser: Denoiser, encoder: ContextEncoder, source: Make, rows: int = 12, seed: int = 0) -> SourceSheet:
    """The frame before, what is painted in one step from it and the events alone, and the frame itself, of `rows` shots."""
    rng = np.random.default_rng(seed)
    shots: list[Shot] = []
    while len(shots) < rows:
        shots += [shot for shot in source(rng) if shot.explained and shot.changed.any()]
    crops = [around_change(shot, SIDE) for shot in shots[:rows]]
    painted = dreamt(denoiser, encoder, crops)
    before, frames, changed = (
        np.stack([crop.take(plane(crop.shot)) for crop in crops])
        for plane in (lambda shot: shot.before, lambda shot: shot.frame, lambda shot: shot.changed)
    )
    picture = Image.fromarray(np.concatenate(np.concatenate([before, painted, frames], 2)))
    return SourceSheet(picture, psnr(painted, frames, changed), psnr(before, frames, changed))


def dream_sheet(checkpoint: BundledCheckpoint, trace: TraceDreams, rows: int = 12, seed: int = 0) -> SourceSheet:
    """The frame before, the guide that the checkpoint's dreamer imagines, that guide painted, and the frame itself, of up to `rows` moments of the
    trace of which no rule says all, each from what really came before it."""
    pipeline = PixelOSPipeline(checkpoint.denoiser, checkpoint.context_encoder)
    shown: list[np.ndarray] = []
    for asked, imagined in _imagined(checkpoint, trace, seed):
        before, frame = (StyledRenderer(asked.state.style, trace.trace.header.size).render(items) for items in (asked.before, asked.state.items))
        if (before == frame).all():
            continue
        x, y = corner_around((before != frame).any(-1), SIDE)
        painted, given = (_painted(pipeline, asked, guide) for guide in (imagined, asked.after))
        guide = imagined[:3].permute(1, 2, 0).numpy()
        shown.append(np.stack([picture[y : y + SIDE, x : x + SIDE] for picture in (before, guide, painted, frame, given)]))
        if len(shown) == rows:
            break
    if not shown:
        raise InputError("nothing in the trace asks the dreamer anything; record a longer session")
    before, imagined, painted, frames, given = np.stack(shown, 1)
    changed = (before != frames).any(-1)
    picture = Image.fromarray(np.concatenate(np.concatenate([before, imagined, painted, frames], 2)))
    return SourceSheet(picture, *(psnr(pictures, frames, changed) for pictures in (painted, before, given)))


def _imagined(checkpoint: BundledCheckpoint, trace: TraceDreams, seed: int) -> Iterator[tuple[Asked, Tensor]]:
    """Moments of the trace, with the guide that the dreamer answers, uint8 (PLANES, H, W)."""
    assert checkpoint.dreamer is not None
    for stretch in np.random.default_rng(seed).permutation(trace.stretches).tolist():
        teaching, events = trace.woken(stretch, checkpoint.dreamer.book)
        dream = Dream(checkpoint.dreamer, trace.trace.header.size, course=teaching.course)
        asking = (asked for asked in teaching.questions(events) if asked.moment.asks)
        for i, asked in enumerate(asking):
            if i % SPACED == 0:
                yield asked, dream.imagined(asked.question)


def _painted(pipeline: PixelOSPipeline, asked: Asked, guide: Tensor) -> np.ndarray:
    planes = guide.numpy()
    pixels, verbatim, forms = planes[:3].transpose(1, 2, 0), planes[3], np.ascontiguousarray(planes[4:].transpose(1, 2, 0))
    return np.asarray(pipeline(asked.told, pixels, None, verbatim, forms, output_type="np").images[0])

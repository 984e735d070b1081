"""Sheets of a source's own shots: the frame before, what a checkpoint paints without a guide, the frame itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from models.context_encoder import ContextEncoder
from models.denoiser import Denoiser
from models.likeness import psnr
from models.synthetic.shots import Make, Shot
from models.training.heldout import around_change, dreamt

SIDE = 192  # pixels of the part that is shown, as high as the smallest frame


@dataclass(frozen=True)
class SourceSheet:
    """picture: a row a shot; painted, kept: PSNR in dB over the pixels that changed, of the painting, and of leaving
    the frame as it was."""

    picture: Image.Image
    painted: float
    kept: float


def source_sheet(denoiser: Denoiser, encoder: ContextEncoder, source: Make, rows: int = 12, seed: int = 0) -> SourceSheet:
    """Paint `rows` shots of the source in one step, from the frame before and the events alone."""
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

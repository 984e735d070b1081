"""Sheets of a source's own shots: the frame before, what a checkpoint paints without a guide, the frame itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from models.context_encoder import ContextEncoder
from models.datasets.source import Make
from models.denoiser import Denoiser, unpack
from models.sampling import noise_field, sample
from models.synthetic.shots import Crop, Shot
from models.training.objective import batch_of
from models.training.pool import ALIGN

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
    pictures, errors, untouched = [], [], []
    for shot in shots[:rows]:
        crop = _around(shot)
        before, frame, painted = crop.take(shot.before), crop.take(shot.frame), _painted(denoiser, encoder, crop, rng)
        changed = (before != frame).any(-1)
        errors.append(np.square(painted.astype(np.float64) - frame)[changed].mean())
        untouched.append(np.square(before.astype(np.float64) - frame)[changed].mean())
        pictures.append(np.concatenate([before, painted, frame], 1))
    return SourceSheet(Image.fromarray(np.concatenate(pictures)), _psnr(errors), _psnr(untouched))


def _around(shot: Shot) -> Crop:
    """The part of a shot around the middle of what changed."""
    rows, columns = np.nonzero(shot.changed)
    x, y = int(np.median(columns)) - SIDE // 2, int(np.median(rows)) - SIDE // 2
    width, height = shot.size
    return Crop(shot, max(min(x, width - SIDE), 0) // ALIGN * ALIGN, max(min(y, height - SIDE), 0) // ALIGN * ALIGN, SIDE)


@torch.inference_mode()
def _painted(denoiser: Denoiser, encoder: ContextEncoder, crop: Crop, rng: np.random.Generator) -> np.ndarray:
    batch = batch_of([crop], rng, guide_dropped=1.0)
    tokens = encoder(batch.slow, batch.recent)
    noise = noise_field(0, (SIDE, SIDE))
    latents = sample(denoiser, batch.previous, batch.guide, batch.maps, tokens, batch.memory, noise, steps=1)
    pixels = (unpack(latents)[0].clamp(-1, 1) + 1) * 127.5
    return pixels.round().to(torch.uint8).permute(1, 2, 0).numpy()


def _psnr(errors: list[float]) -> float:
    return float(10 * np.log10(255**2 / max(float(np.mean(errors)), 1e-9)))

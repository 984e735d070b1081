"""Screens that no run learns from, painted now and then: one in every style, and what changes with no guide given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from engine.context import APP_SLOTS, RECENT_SIZE, slow_features
from engine.guide import Guide
from engine.painter import ContextFeatures
from engine.styles import PRESETS
from models.context_encoder import ContextEncoder
from models.denoiser import Denoiser, unpack
from models.pipeline import PixelOSPipeline
from models.sampling import noise_field, sample
from models.synthetic.renderer import StyledRenderer
from models.synthetic.screens import Screen
from models.synthetic.shots import Crop, Shot
from models.training.objective import Batch, batch_of
from models.training.pool import ALIGN, Make

SIZE = (320, 256)
SEED = 90_001
MOMENTS, SIDE = 8, 128  # crops that are painted without a guide, and their side in pixels
TRIES = 12  # asking a source for shots that events explain


@dataclass(frozen=True)
class HeldOut:
    """A screen in a style: guide, frame as the source draws it, uint8 (H, W, 3); verbatim uint8 (H, W)."""

    name: str
    context: ContextFeatures
    guide: np.ndarray
    verbatim: np.ndarray
    frame: np.ndarray


def held_out(seed: int = SEED) -> list[HeldOut]:
    """One screen a preset, always the same."""
    rng = np.random.default_rng(seed)
    shots = []
    for name, style in PRESETS.items():
        screen = Screen.random(rng, SIZE)
        items = screen.items()
        guide = Guide(SIZE)
        guide.update(items)
        slow = slow_features(style, screen.text_size, np.zeros((2, APP_SLOTS)), int(rng.integers(24)))
        context = ContextFeatures(slow, np.zeros(RECENT_SIZE, np.float32))
        frame = StyledRenderer(style, SIZE).render(items)
        shots.append(HeldOut(name, context, guide.pixels, guide.verbatim, frame))
    return shots


def paint(denoiser: Denoiser, encoder: ContextEncoder, shots: list[HeldOut]) -> list[np.ndarray]:
    """Each screen painted from an empty frame in one step: uint8 (H, W, 3)."""
    pipeline = PixelOSPipeline(denoiser, encoder)
    frames = (pipeline(s.context, s.guide, None, s.verbatim, output_type="np").images[0] for s in shots)
    return [np.asarray(frame) for frame in frames]


def psnr(painted: np.ndarray, frame: np.ndarray, where: np.ndarray | None = None) -> float:
    """Likeness in dB, over the pixels `where` is true."""
    error = np.square(painted.astype(np.float64) - frame)
    return float(10 * np.log10(255**2 / max(float((error if where is None else error[where]).mean()), 1e-9)))


class Dreams:
    """Crops around what changed in shots of a source, to be painted from the frame before and the events alone."""

    def __init__(self, make: Make, seed: int = SEED) -> None:
        rng = np.random.default_rng(seed)
        crops: list[Crop] = []
        for _ in range(TRIES):
            crops += [_around(shot) for shot in make(rng) if shot.explained and shot.changed.any()]
            if len(crops) >= MOMENTS:
                break
        crops = crops[:: max(len(crops) // MOMENTS, 1)][:MOMENTS]
        self._batch = batch_of(crops, rng, guide_dropped=1.0) if crops else None
        self._frame = np.stack([crop.take(crop.shot.frame) for crop in crops]) if crops else np.empty(0)
        self._changed = np.stack([crop.take(crop.shot.changed) for crop in crops]) if crops else np.empty(0)

    @torch.inference_mode()
    def psnr(self, denoiser: Denoiser, encoder: ContextEncoder) -> float | None:
        """Likeness over the pixels that changed, painted in one step; None where the source explains nothing."""
        if self._batch is None:
            return None
        device = denoiser.device
        batch = Batch(**{name: value.to(device) for name, value in vars(self._batch).items()})
        noise = noise_field(0, (SIDE, SIDE)).to(device).expand(len(batch.clean), -1, -1, -1)
        tokens = encoder(batch.slow, batch.recent)
        clean = sample(denoiser, batch.previous, batch.guide, batch.maps, tokens, batch.memory, noise, steps=1)
        pixels = ((unpack(clean.float()).clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        return psnr(pixels.permute(0, 2, 3, 1).cpu().numpy(), self._frame, self._changed)


def _around(shot: Shot) -> Crop:
    """The part of a shot around the middle of what changed."""
    rows, columns = np.nonzero(shot.changed)
    x, y = int(np.median(columns)) - SIDE // 2, int(np.median(rows)) - SIDE // 2
    width, height = shot.size
    return Crop(shot, max(min(x, width - SIDE), 0) // ALIGN * ALIGN, max(min(y, height - SIDE), 0) // ALIGN * ALIGN, SIDE)

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
from models.denoiser import Denoiser
from models.inputs import to_pixels
from models.likeness import psnr
from models.pipeline import PixelOSPipeline
from models.sampling import noise_field, sample
from models.synthetic.renderer import StyledRenderer
from models.synthetic.screens import Screen
from models.synthetic.shots import Crop, Make, Shot
from models.training.objective import Batch, batch_of
from models.training.pool import ALIGN

SIZE = (320, 256)
SEED = 90_001
MOMENTS, SIDE = 8, 128  # crops that are painted without a guide, and their side in pixels
TRIES = 12  # asking a source for shots that events explain


@dataclass(frozen=True)
class HeldOut:
    """A screen in a style: guide, frame as the source draws it, uint8 (H, W, 3); verbatim uint8 (H, W); forms uint8 (H, W, 4)."""

    name: str
    context: ContextFeatures
    guide: np.ndarray
    verbatim: np.ndarray
    forms: np.ndarray
    frame: np.ndarray


def held_out(seed: int = SEED) -> list[HeldOut]:
    """One screen a preset, always the same."""
    rng = np.random.default_rng(seed)
    shots = []
    for name, style in PRESETS.items():
        screen = Screen.random(rng, SIZE, style.chrome)
        items = screen.items()
        guide = Guide(SIZE)
        guide.update(items)
        slow = slow_features(style, screen.text_size, np.zeros((2, APP_SLOTS)), int(rng.integers(24)))
        context = ContextFeatures(slow, np.zeros(RECENT_SIZE, np.float32))
        frame = StyledRenderer(style, SIZE).render(items)
        shots.append(HeldOut(name, context, guide.pixels, guide.verbatim, guide.forms, frame))
    return shots


def paint(denoiser: Denoiser, encoder: ContextEncoder, shots: list[HeldOut]) -> list[np.ndarray]:
    """Each screen painted from an empty frame in one step: uint8 (H, W, 3)."""
    pipeline = PixelOSPipeline(denoiser, encoder)
    frames = (pipeline(s.context, s.guide, None, s.verbatim, s.forms, output_type="np").images[0] for s in shots)
    return [np.asarray(frame) for frame in frames]


class Dreams:
    """Crops around what changed in shots of a source, to be painted from the frame before and the events alone."""

    def __init__(self, make: Make, seed: int = SEED) -> None:
        rng = np.random.default_rng(seed)
        crops: list[Crop] = []
        for _ in range(TRIES):
            crops += [around_change(shot, SIDE) for shot in make(rng) if shot.explained and shot.changed.any()]
            if len(crops) >= MOMENTS:
                break
        self._crops = crops[:: max(len(crops) // MOMENTS, 1)][:MOMENTS]

    def psnr(self, denoiser: Denoiser, encoder: ContextEncoder) -> float | None:
        """Likeness over the pixels that changed, painted in one step; None where the source explains nothing."""
        if not self._crops:
            return None
        frames, changed = (
            np.stack([crop.take(plane) for crop, plane in zip(self._crops, planes, strict=True)])
            for planes in ([c.shot.frame for c in self._crops], [c.shot.changed for c in self._crops])
        )
        return psnr(dreamt(denoiser, encoder, self._crops), frames, changed)


@torch.inference_mode()
def dreamt(denoiser: Denoiser, encoder: ContextEncoder, crops: list[Crop]) -> np.ndarray:
    """The crops of explained shots, painted in one step from the frame before and the events alone: uint8
    (B, side, side, 3)."""
    batch = batch_of(crops, np.random.default_rng(0), guide_dropped=1.0)
    batch = Batch(**{name: value.to(denoiser.device) for name, value in vars(batch).items()})
    noise = noise_field(0, (crops[0].side,) * 2).to(denoiser.device).expand(len(crops), -1, -1, -1)
    tokens = encoder(batch.slow, batch.recent)
    return to_pixels(sample(denoiser, batch.previous, batch.guide, batch.maps, tokens, batch.memory, batch.corners, batch.materials, noise, steps=1, forms=batch.forms))


def around_change(shot: Shot, side: int) -> Crop:
    """The part of a shot, `side` pixels high and wide, around the middle of what changed."""
    return Crop(shot, *corner_around(shot.changed, side), side)


def corner_around(changed: np.ndarray, side: int) -> tuple[int, int]:
    """Where such a part begins: x, y. changed: bool (H, W)."""
    rows, columns = np.nonzero(changed)
    x, y = int(np.median(columns)) - side // 2, int(np.median(rows)) - side // 2
    height, width = changed.shape
    return max(min(x, width - side), 0) // ALIGN * ALIGN, max(min(y, height - side), 0) // ALIGN * ALIGN

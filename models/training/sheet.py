"""Sample sheets: the same held-out screens, as the source draws them and as the network paints them in one step."""

from __future__ import annotations

import numpy as np
from PIL import Image

from engine.context import APP_SLOTS, RECENT_SIZE, slow_features
from engine.guide import Guide
from engine.painter import ContextFeatures
from engine.styles import PRESETS
from models.context_encoder import ContextEncoder
from models.denoiser import Denoiser
from models.pipeline import PixelOSPipeline
from models.synthetic.renderer import StyledRenderer
from models.synthetic.screens import Screen

SHEET_SIZE = (320, 256)


def sample_sheet(denoiser: Denoiser, encoder: ContextEncoder, seed: int = 90_001) -> Image.Image:
    """One row a preset: guide, the source's frame, the painted frame; painted from an empty frame in one step."""
    rng = np.random.default_rng(seed)
    paint = PixelOSPipeline(denoiser, encoder)
    rows = []
    for style in PRESETS.values():
        screen = Screen.random(rng, SHEET_SIZE)
        items = screen.items()
        guide = Guide(SHEET_SIZE)
        guide.update(items)
        slow = slow_features(style, screen.text_size, np.zeros((2, APP_SLOTS)), int(rng.integers(24)))
        context = ContextFeatures(slow, np.zeros(RECENT_SIZE, np.float32))
        painted = paint(context, guide.pixels, None, guide.verbatim, output_type="np").images[0]
        rows.append(np.concatenate([guide.pixels, StyledRenderer(style, SHEET_SIZE).render(items), painted], 1))
    return Image.fromarray(np.concatenate(rows))

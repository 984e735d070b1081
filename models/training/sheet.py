"""Sample sheets: the same held-out screens, as the source draws them and as the network paints them in one step."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from engine.guide import Guide
from engine.styles import PRESETS
from models.context_encoder import ContextEncoder
from models.denoiser import PATCH, Denoiser, pack, place, unpack
from models.sampling import noise_field, sample
from models.synthetic.renderer import StyledRenderer
from models.synthetic.screens import Screen
from models.synthetic.shots import random_events, slow_features
from models.training.objective import event_maps, to_latents

SHEET_SIZE = (320, 256)


def sample_sheet(denoiser: Denoiser, encoder: ContextEncoder, seed: int = 90_001) -> Image.Image:
    """One row a preset: guide, the source's frame, the painted frame; painted from an empty frame in one step."""
    rng = np.random.default_rng(seed)
    rows = []
    for style in PRESETS.values():
        screen = Screen.random(rng, SHEET_SIZE)
        items = screen.items()
        guide = Guide(SHEET_SIZE)
        guide.update(items)
        slow = slow_features(rng, style, screen.text_size)
        painted = paint_whole(denoiser, encoder, guide, slow, random_events(rng) * 0)
        rows.append(np.concatenate([guide.pixels, StyledRenderer(style, SHEET_SIZE).render(items), painted], 1))
    return Image.fromarray(np.concatenate(rows))


@torch.no_grad()
def paint_whole(
    denoiser: Denoiser, encoder: ContextEncoder, guide: Guide, slow: np.ndarray, recent: np.ndarray, steps: int = 1
) -> np.ndarray:
    """A whole frame from nothing but the guide and the context: uint8 (H, W, 3)."""
    device = next(denoiser.parameters()).device
    width, height = guide.frame.w, guide.frame.h
    latents = to_latents(guide.pixels[None])
    verbatim = torch.from_numpy(guide.verbatim.astype(np.float32) / 255)[None, None]
    maps = event_maps(verbatim, torch.ones(1), torch.zeros(1, height // PATCH, width // PATCH), torch.zeros(1, 3))
    where = place(torch.arange(height // PATCH), torch.arange(width // PATCH), (width, height))[None]
    tokens = encoder(torch.from_numpy(slow)[None].to(device), torch.from_numpy(recent)[None].to(device))
    previous = pack(torch.zeros(1, 3, height, width))
    maps = torch.cat([maps, where], 1).to(device)
    noise = noise_field(0, (width, height)).to(device)
    out = sample(denoiser, previous.to(device), latents.to(device), maps, tokens, noise, steps)
    levels = ((unpack(out.float()).clamp(-1, 1) + 1) * 127.5).round()
    return levels[0].permute(1, 2, 0).to(torch.uint8).cpu().numpy()

"""Tiny checkpoints of random weights, built by the tests and read by the code that reads real ones."""

from __future__ import annotations

from pathlib import Path

import torch

from engine.context import SLOW_SIZE
from models.context_encoder import ContextEncoder
from models.denoiser import Denoiser
from models.loading import save_bundled


def tiny_networks(seed: int = 0) -> tuple[Denoiser, ContextEncoder]:
    torch.manual_seed(seed)
    denoiser = Denoiser(widths=(8, 16, 16), blocks=(1, 1, 1, 1, 1), token_width=96).eval()
    encoder = ContextEncoder(slow_size=SLOW_SIZE).eval()
    with torch.no_grad():
        for parameter in denoiser.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return denoiser, encoder


def tiny_checkpoint(folder: Path, seed: int = 0) -> Path:
    denoiser, encoder = tiny_networks(seed)
    save_bundled(folder, denoiser, encoder, torch.float16)
    return folder


def older_networks(palette: int = 0) -> tuple[Denoiser, ContextEncoder]:
    """As the first version was: no memories, no history, fewer numbers of the style; palette: how many of them the first token begins
    with, 0 or 57."""
    torch.manual_seed(0)
    given = int(palette > 0)
    denoiser = Denoiser(widths=(8, 16, 16), blocks=(1, 1, 1, 1, 1), tokens=10, memories=0, given_palette=given, corners=0, edges=0).eval()
    return denoiser, ContextEncoder(slow_size=101, history=0, windows=0, palette=palette).eval()

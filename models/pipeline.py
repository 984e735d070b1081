"""The bundled family as a diffusers pipeline: the usual `__call__`, whole frames, the same numbers as the painter.

`DiffusionPipeline.from_pretrained` does not know these classes; open a checkpoint with `PixelOSPipeline.open`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import DiffusionPipeline
from diffusers.utils import BaseOutput
from PIL import Image
from torch import Tensor

from engine.context import look_alone, look_of
from engine.painter import ContextFeatures
from engine.styles import paints_of
from models.context_encoder import ContextEncoder
from models.denoiser import PATCH, Denoiser, place
from models.inputs import (
    corner_maps,
    event_maps,
    materials_of,
    palette_of,
    planes_of,
    to_latents,
    to_pixels,
)
from models.loading import load_bundled, save_bundled
from models.sampling import STRENGTH, noise_field, sample


@dataclass
class PixelOSPipelineOutput(BaseOutput):
    """images: PIL images or uint8 (B, H, W, 3)."""

    images: list[Image.Image] | np.ndarray


class PixelOSPipeline(DiffusionPipeline):  # type: ignore[misc]
    """Paints whole frames from a guide, or from a previous frame."""

    denoiser: Denoiser
    context_encoder: ContextEncoder

    def __init__(self, denoiser: Denoiser, context_encoder: ContextEncoder) -> None:
        super().__init__()
        self.register_modules(denoiser=denoiser, context_encoder=context_encoder)  # type: ignore[attr-defined]

    @classmethod
    def open(cls, folder: Path) -> PixelOSPipeline:
        """From a checkpoint folder of the bundled family. Raises CheckpointError."""
        checkpoint = load_bundled(folder, folder.name)
        return cls(checkpoint.denoiser, checkpoint.context_encoder)

    def save(self, folder: Path) -> None:
        """As a folder that `open` reads, weights in the type that they have; diffusers' own way of saving knows none of these classes."""
        save_bundled(folder, self.denoiser, self.context_encoder, self.denoiser.dtype)

    @torch.no_grad()
    def __call__(
        self,
        context: ContextFeatures,
        guide: np.ndarray | None = None,
        image: np.ndarray | None = None,
        verbatim: np.ndarray | None = None,
        forms: np.ndarray | None = None,
        size: tuple[int, int] = (512, 384),
        num_inference_steps: int = 1,
        strength: float = STRENGTH,
        seed: int = 0,
        output_type: str = "pil",
    ) -> PixelOSPipelineOutput:
        """Paint one frame.

        guide, image (the previous frame): uint8 (H, W, 3); without a guide the denoiser answers alone, with one it takes
        nothing from the previous frame. verbatim: uint8 (H, W) and
        forms: uint8 (H, W, 4), as the guide has them.
        size: (width, height), used where neither is given. strength: noise level painting starts from, (0, 1].
        """
        shown = guide if guide is not None else image
        height, width = shown.shape[:2] if shown is not None else (size[1], size[0])
        previous = _latents(image, height, width)
        where = place(torch.arange(height // PATCH), torch.arange(width // PATCH), (width, height))[None]
        maps = torch.cat([_maps(guide, verbatim, height, width), where], 1)
        context = context if guide is None else look_alone(context)
        network = self.denoiser
        device, dtype = network.device, network.dtype
        tokens = self.context_encoder(
            torch.from_numpy(context.slow)[None].to(device), torch.from_numpy(context.recent)[None].to(device)
        )
        before, shown_latents, placed = (
            x.to(device, dtype) for x in (previous, _latents(guide, height, width) * float(guide is not None), maps)
        )
        noise = noise_field(seed, (width, height)).to(device, dtype)
        paints = paints_of(look_of(context.slow), (width, height))
        planes = torch.from_numpy(np.array(planes_of(paints, (width, height))))[None].to(device)
        materials = materials_of([paints], planes, context.slow[None]).to(device, dtype)
        shapes = torch.from_numpy(np.zeros((height, width, 4), np.uint8) if forms is None else forms)[None].to(device)
        palette = palette_of(torch.from_numpy(context.slow)[None]).to(device, dtype)
        rounded = corner_maps(shapes, palette, materials, network.rounds and network.corner.told)
        clean = sample(
            network, before, shown_latents, placed, tokens.to(dtype), None, rounded, materials, noise,
            num_inference_steps, strength, forms=shapes,
        )
        frames = to_pixels(clean)
        images = [Image.fromarray(frame) for frame in frames] if output_type == "pil" else frames
        return PixelOSPipelineOutput(images=images)


def _latents(pixels: np.ndarray | None, height: int, width: int) -> Tensor:
    """Packed latents of a frame; of the empty mid-grey frame where there is none."""
    if pixels is None:
        pixels = np.full((height, width, 3), 128, np.uint8)
    return to_latents(np.ascontiguousarray(pixels)[None])


def _maps(guide: np.ndarray | None, verbatim: np.ndarray | None, height: int, width: int) -> Tensor:
    pictures = torch.zeros(1, 1, height, width)
    if verbatim is not None:
        pictures[0, 0] = torch.from_numpy(verbatim.astype(np.float32) / 255)
    pointer = torch.zeros(1, height // PATCH, width // PATCH)
    return event_maps(pictures, torch.tensor([float(guide is not None)]), pointer, torch.zeros(1, 3))



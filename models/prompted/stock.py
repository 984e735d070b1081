"""The same frame as the stock pipeline paints it: what the latent painter is held to."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from engine.painter import Pixels
from models.families import Family
from models.prompted.painter import NEGATIVE


def stock_frame(pipeline: Any, family: Family, prompt: str, picture: Pixels, steps: int, seed: int) -> Tensor:
    """A whole frame by the library's own loop: float32 (1, 3, H, W) in [0, 1] on the CPU.

    picture: uint8 (H, W, 3), what painting starts from or is shown; steps: calls of the denoiser.
    """
    height, width = picture.shape[:2]
    shown = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255
    told: dict[str, Any] = {"prompt": prompt, **({} if family.distilled else {"negative_prompt": NEGATIVE})}
    settings: dict[str, Any] = {"guidance_scale": family.guidance, "num_inference_steps": family.stock_steps(steps)}
    if family.strength:
        settings["strength"] = family.strength
    else:
        settings["image_guidance_scale"] = family.image_guidance
        settings |= {"width": width, "height": height} if hasattr(pipeline, "tokenizer_2") else {}
    if family.control:
        settings |= {"control_image": shown, "controlnet_conditioning_scale": family.control, "guess_mode": False}
    generator = torch.Generator().manual_seed(seed)
    return pipeline(**told, image=shown, generator=generator, output_type="pt", **settings).images.float().cpu()

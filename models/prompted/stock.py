"""The same frame as the stock pipeline paints it: what the latent painter is held to."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import diffusers
import torch
from torch import Tensor

from engine.painter import Pixels
from models.autoencoders import TINY, scaling
from models.families import Family
from models.prompted.telling import NEGATIVE


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
    if family.control and not family.holder:
        settings |= {"control_image": shown, "controlnet_conditioning_scale": family.control, "guess_mode": False}
    generator = torch.Generator().manual_seed(seed)
    with _painting(pipeline, family, shown) as stock:
        return stock(**told, image=_handed(stock, family, shown), generator=generator, output_type="pt", **settings).images.float().cpu()  # type: ignore[no-any-return]


def _handed(pipeline: Any, family: Family, picture: Tensor) -> Tensor:
    """What a stock pipeline takes for the picture, float (1, 3, H, W) in [0, 1]. Those of InstructPix2Pix show their U-Net latents as the
    autoencoder gives them, which of a tiny one are scaled: they are handed them as a whole one gives them, which they take as well."""
    if not family.edits or type(pipeline.vae).__name__ != TINY:
        return picture
    with torch.no_grad():
        latents: Tensor = pipeline.vae.encode((2 * picture - 1).to(pipeline.vae.device, pipeline.vae.dtype)).latents
    return latents * pipeline.vae.config.scaling_factor / scaling(family)


@contextmanager
def _painting(pipeline: Any, family: Family, control: Tensor) -> Iterator[Any]:
    """The stock pipeline that paints. Where it has no place for the ControlNet that `pipeline` holds, the U-Net is given what that
    network adds as it is called; the loop and all else are the library's. control: float (1, 3, H, W) in [0, 1]."""
    if not family.holder:
        yield pipeline
        return
    cls = getattr(diffusers, family.pipeline)
    parts = {key: value for key, value in {**pipeline.config, **pipeline.components}.items() if key in inspect.signature(cls.__init__).parameters}
    stock, controlnet = cls(**parts), pipeline.controlnet
    stock.set_progress_bar_config(disable=True)

    def add(unet: Any, given: tuple[Tensor, Tensor], named: dict[str, Any]) -> tuple[tuple[Tensor, Tensor], dict[str, Any]]:
        seen, t = given
        down, mid = controlnet(
            seen[:, : controlnet.config.in_channels], t, encoder_hidden_states=named["encoder_hidden_states"],
            controlnet_cond=torch.cat([control.to(seen)] * len(seen)), conditioning_scale=family.control,
            added_cond_kwargs=named.get("added_cond_kwargs"), return_dict=False,
        )  # fmt: skip
        return given, {**named, "down_block_additional_residuals": down, "mid_block_additional_residual": mid}

    hook = stock.unet.register_forward_pre_hook(add, with_kwargs=True)
    try:
        yield stock
    finally:
        hook.remove()

"""One call of a prompted denoiser as a function of tensors: what a sampler's step is made of."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from models.families import Family


class Prediction:
    """Of a stock pipeline's denoiser, with its ControlNet where the family has one. Networks are looked up at every call.

    A ControlNet sees as many channels of the U-Net's input as it was made for: beside InstructPix2Pix the noisy latents alone, as
    in diffusers' StableDiffusionControlNetInpaintPipeline, whose U-Net is shown a picture in further channels too. It counts in
    every branch of the guidance, each with its own words, as in diffusers' pipelines but for their guess mode; and it is not
    told the guidance that a Latent Consistency Model's U-Net is told, as in StableDiffusionControlNetPipeline.
    """

    def __init__(self, pipeline: Any, family: Family) -> None:
        self._pipeline, self._family = pipeline, family

    def __call__(
        self, sample: Tensor, t: Tensor, embeds: Tensor, weights: Tensor, shown: Tensor, guidance: Tensor | None, pooled: Tensor | None,
        ids: Tensor | None, edited: Tensor | None, control: Tensor | None,
    ) -> Tensor:  # fmt: skip
        """The branches' predictions, added by their weights: (B, C, h, w).

        sample: (B, C, h, w), crops that are told the same, scaled; t: (), the timestep; embeds to guidance: as of Conditioning, b
        branches; pooled: (b B, P) and ids: (b B, 6) for SDXL, all crops of a branch behind one another; edited: the latents of the
        pictures that are edited, for families that are shown one; control: (B, 3, H, W) in [0, 1], for those with a ControlNet.
        """
        branches, count = len(weights), len(sample)
        seen, embeds = _in_each(sample, branches), embeds[:, None].expand(-1, count, -1, -1).flatten(0, 1)
        if edited is not None:
            sees = shown[:, None].expand(-1, count).reshape(-1, 1, 1, 1)
            seen = torch.cat([seen, _in_each(edited.to(seen), branches) * sees], 1)
        added = {} if pooled is None else {"text_embeds": pooled, "time_ids": ids}
        residuals: dict[str, Any] = {}
        if control is not None:
            controlnet = self._pipeline.controlnet
            down, mid = controlnet(
                seen[:, : controlnet.config.in_channels], t, embeds, _in_each(control.to(seen), branches), self._family.control,
                added_cond_kwargs=added, return_dict=False,
            )  # fmt: skip
            residuals = {"down_block_additional_residuals": down, "mid_block_additional_residual": mid}
        predicted: Tensor = self._pipeline.unet(
            seen, t, embeds, timestep_cond=guidance, added_cond_kwargs=added, return_dict=False, **residuals
        )[0]
        return (predicted.unflatten(0, (branches, count)) * weights.view(-1, 1, 1, 1, 1)).sum(0)


def _in_each(crops: Tensor, branches: int) -> Tensor:
    """(B, ...) to (branches B, ...): all crops of a branch behind one another."""
    return crops.expand(branches, *crops.shape).flatten(0, 1)

"""A sampler's run over a crop: from what painting starts with to clean latents, call by call of the denoiser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from models.families import Family
from models.graphs import Static
from models.prompted.conditioning import Conditioning
from models.prompted.trajectory import stock_path

PARTS = 64  # of fields, that are kept at hand
Stepped = Callable[[int, Tensor, Tensor], None]  # after each call: its number, the sample before it, the prediction


class Run:
    """path: the stock pipeline's for so many calls of the denoiser. fields: noise over the whole frame, (1, C, h, w) each, one
    order for every family: the posterior's, the start's, then each step's that takes any. sampled: whether the posterior is."""

    def __init__(
        self, pipeline: Any, family: Family, steps: int, shape: tuple[int, ...], seed: int, sampled: bool, device: torch.device, dtype: torch.dtype,
    ) -> None:  # fmt: skip
        self.path = stock_path(pipeline, family, steps)
        self._times, self._scales = list(self.path.timesteps.to(device)), self.path.scale.tolist()
        generator = torch.Generator().manual_seed(seed)
        count = sampled + 1 + sum(weight != 0 for weight in self.path.fresh)
        fields = [torch.randn(shape, generator=generator, dtype=dtype).to(device) for _ in range(count)]
        self.fields = fields if sampled else [torch.zeros_like(fields[0]), *fields]
        self._parts: dict[tuple[int, ...], tuple[Tensor, ...]] = {}

    def fields_in(self, rows: slice, columns: slice, scale: int) -> tuple[Tensor, ...]:
        """Their part in some cells, one for every `scale` along each side: the same tensors for the same cells."""
        key = rows.start, rows.stop, columns.start, columns.stop, scale
        if key not in self._parts:
            if len(self._parts) == PARTS:
                self._parts.clear()
            self._parts[key] = tuple(field[..., rows, columns][..., ::scale, ::scale] for field in self.fields)
        return self._parts[key]

    def clean(
        self, predict: Static, start: Tensor, edited: Tensor | None, control: Tensor | None, told: Conditioning, fields: list[Tensor],
        added: dict[str, Tensor], stepped: Stepped | None = None,
    ) -> Tensor:  # fmt: skip
        """Clean latents of B crops. start, edited: (B, C, h, w); control: (B, 3, H, W) in [0, 1]; fields: the crops' parts of
        `fields` but the posterior's, (B, C, h, w) each; added: as of `told`. What `stepped` raises ends it. Where `predict` can be captured, so can this."""
        path = self.path
        image, noise = path.start
        samples, outputs = [image * start + noise * fields[0]], list[Tensor]()
        fresh, pooled, ids = iter(fields[1:]), added.get("text_embeds"), added.get("time_ids")
        for i, t in enumerate(self._times):
            seen = samples[-1] * self._scales[i]
            outputs.append(predict(seen, t, told.embeds, told.weights, told.shown, told.guidance, pooled, ids, edited, control))
            samples.append(path.next(i, samples, outputs, next(fresh) if path.fresh[i] else None))
            if stepped is not None:
                stepped(i, samples[i], outputs[i])
        return samples[-1]

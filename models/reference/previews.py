"""What a stock pipeline's picture would be like by now: a linear estimate from its own latents, at no cost worth naming.

Decoding after every step would take a few per cent of a step where everything lies on the GPU; where networks wait in
the main memory it would move gigabytes to and fro, for the autoencoder takes the transformer's place. Latents are nearly a
linear map of small pictures, though. How it goes for this very autoencoder is read off the pictures that the pipeline has
to encode anyway, so that no table of factors is needed, and a fine-tuned autoencoder gets its own. (Fixed factors are what
ComfyUI and others preview with.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from engine.painter import Pixels

RIDGE = 1e-3  # of the fit, for pictures of few colours
UNSHIFTED = ("Kandinsky5I2IPipeline",)  # leave their autoencoder's shift out, both ways
UNSCALED = ("Kandinsky3Img2ImgPipeline",)  # and its scale


class Sketch:
    """Listens to one call of a pipeline. size: (width, height) of the frame."""

    def __init__(self, pipeline: Any, size: tuple[int, int]) -> None:
        self._pipeline, self._size = pipeline, size
        self._clean: Tensor | None = None  # the sampler's own form of what the last step takes the picture to be
        self._channels = 0
        self._moments: tuple[Tensor, Tensor] | None = None  # of latents with themselves, (C + 1, C + 1), and colours, (C + 1, 3)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """While the block lasts, the scheduler's steps and the autoencoder's encodings are heard."""
        scheduler, vae = self._pipeline.scheduler, self._pipeline.vae
        kept = [(vars(owner), dict(vars(owner))) for owner in (scheduler, vae)]
        scheduler.step, vae.encode = _heard(scheduler.step, self._stepped), _heard(vae.encode, self._encoded)
        try:
            yield
        finally:
            for (own, before), name in zip(kept, ("step", "encode"), strict=True):
                del own[name]
                own |= {name: before[name]} if name in before else {}

    def picture(self) -> Pixels | None:
        """The frame as it would be, uint8 (H, W, 3); None before a step was taken or a picture encoded."""
        cells = self.cells()
        if cells is None or self._moments is None:
            return None
        own, colours = self._moments
        weights = torch.linalg.solve(own + RIDGE * own.diagonal().mean() * torch.eye(len(own), dtype=own.dtype), colours)
        seen = (_with_one(cells) @ weights).T.view(1, 3, *cells.shape[1:])
        grown = interpolate(seen, self._size[::-1], mode="bicubic", align_corners=False)
        return ((grown[0].permute(1, 2, 0) / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8).numpy()

    def cells(self) -> Tensor | None:
        """What the last step takes the picture to be, as the autoencoder decodes it: float64 (C, h, w), on the CPU."""
        if self._clean is None or not self._channels:
            return None
        pipeline, config = self._pipeline, self._pipeline.vae.config
        latents = self._laid_out(self._clean.double().cpu() / getattr(pipeline.scheduler.config, "sigma_data", 1))
        if (normal := getattr(pipeline.vae, "bn", None)) is not None:  # FLUX.2's, of cells in fours
            if len(latents) == self._channels:  # Fibo 2's, which come one by one
                c, h, w = latents.shape
                latents = latents.view(c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 1, 3).reshape(4 * c, h // 2, w // 2)
            spread = (normal.running_var.double().cpu() + config.batch_norm_eps).sqrt()
            latents = latents * spread.view(-1, 1, 1) + normal.running_mean.double().cpu().view(-1, 1, 1)
        if len(latents) == 4 * self._channels:
            c, h, w = latents.shape
            latents = latents.view(c // 4, 2, 2, h, w).permute(0, 3, 1, 4, 2).reshape(c // 4, 2 * h, 2 * w)
        if normal is not None or type(pipeline).__name__ in UNSCALED:
            return latents
        mean, deviation = (getattr(config, name, None) for name in ("latents_mean", "latents_std"))
        if mean is not None and deviation is not None:
            return latents * torch.tensor(deviation).view(-1, 1, 1) + torch.tensor(mean).view(-1, 1, 1)
        shift = 0.0 if type(pipeline).__name__ in UNSHIFTED else getattr(config, "shift_factor", None) or 0.0
        return latents / config.scaling_factor + shift

    def _laid_out(self, latents: Tensor) -> Tensor:
        """The sampler's latents, in whatever form its transformer takes them, as (C, h, w) or (4 C, h / 2, w / 2)."""
        first = latents[0]
        if first.ndim == 5 and first.shape[2:] == tuple(self._pipeline.transformer.config.patch_size):  # patches, the picture's own first
            factor = self._pipeline.vae_scale_factor_spatial * first.shape[-1]
            first = first[: (self._size[0] // factor) * (self._size[1] // factor)].flatten(1)
        if first.ndim == 2:  # tokens
            return first.view(*self._grid(len(first)), -1).permute(2, 0, 1)
        if first.ndim == 4 and first.shape[-1] == self._channels:  # a film of one picture, channels last
            return first[0].permute(2, 0, 1)
        return first[-1, :, 0] if first.ndim == 5 else first  # of several pictures, ours is the last

    def _grid(self, count: int) -> tuple[int, int]:
        """(rows, columns) of so many cells, as nearly of the frame's shape as they can be."""
        ideal = math.sqrt(count * self._size[1] / self._size[0])
        rows = min((n for n in range(1, count + 1) if count % n == 0), key=lambda n: abs(math.log(n / ideal)))
        return rows, count // rows

    def _stepped(self, result: Any, output: Tensor, timestep: Any, sample: Tensor, **settings: Any) -> None:
        """A step of the scheduler: what it takes the clean latents to be, on the straight path of its noise levels."""
        scheduler = self._pipeline.scheduler
        if len(result) > 1:  # a consistency model's tells it
            self._clean = result[1]
            return
        levels = scheduler.sigmas.to(sample)
        self._clean = sample + (levels[-1] - levels[scheduler.step_index - 1]) * output

    def _encoded(self, result: Any, pixels: Tensor, *settings: Any, **named: Any) -> None:
        """An encoding: pixels, (B, 3, H, W) or (B, 3, 1, H, W), beside what came of them; a fourth
        channel is how opaque they are."""
        found = result[0] if isinstance(result, tuple) else next(iter(vars(result).values()))
        latents = found if isinstance(found, Tensor) else found.mode()
        if latents.ndim == 5:
            latents, pixels = latents[:, :, 0], pixels[:, :, 0]
        self._channels = latents.shape[1]
        seen = adaptive_avg_pool2d(pixels[:, :3].double().cpu(), (latents.shape[-2], latents.shape[-1]))
        for cells, colours in zip(latents.double().cpu(), seen, strict=True):
            known, wanted = _with_one(cells), colours.flatten(1).T
            own, cross = known.T @ known, known.T @ wanted
            self._moments = (own, cross) if self._moments is None else (self._moments[0] + own, self._moments[1] + cross)


def _with_one(cells: Tensor) -> Tensor:
    """(C, h, w) to (h w, C + 1), a row a cell, with a one at its end."""
    rows = cells.flatten(1).T
    return torch.cat([rows, rows.new_ones(len(rows), 1)], 1)


def _heard(call: Callable[..., Any], listener: Callable[..., None]) -> Callable[..., Any]:
    """The same call, whose results the listener is told, before what was given."""

    @wraps(call)  # pipelines look at what a scheduler's step takes
    def heard(*given: Any, **named: Any) -> Any:
        result = call(*given, **named)
        listener(result, *given, **named)
        return result

    return heard

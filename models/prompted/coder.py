"""Pixels to latents and back, with the autoencoder that a checkpoint brings."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from models.graphs import Graphs, Static


class Coder:
    """vae: an AutoencoderKL or an AutoencoderTiny of diffusers, in the painter's number format; graphs: captures it, where
    there are any."""

    def __init__(self, vae: Any, factor: int, graphs: Graphs | None = None) -> None:
        self.vae = vae
        self.factor = factor  # pixels a latent cell, along each side
        self.local = type(vae).__name__ == "AutoencoderTiny"  # sees no further than its convolutions: crops decode as the frame
        self.dtype = vae.dtype
        mean, deviation = (getattr(vae.config, name, None) for name in ("latents_mean", "latents_std"))
        given = mean is not None and deviation is not None
        self._encoded, self._decoded = (graphs.wrap(run) if graphs else run for run in (self._posterior, self._pixels))
        self._mean = torch.tensor(mean).view(1, -1, 1, 1) if given else torch.zeros(1)
        self._deviation = torch.tensor(deviation).view(1, -1, 1, 1) if given else torch.ones(1)
        if self.dtype == torch.float16 and vae.config.get("force_upcast"):
            self.vae.to(torch.float32)  # it overflows in half precision, as its config says

    def floats(self, pixels: Tensor) -> Tensor:
        """uint8 to [-1, 1], in the painter's number format."""
        return pixels.to(self.dtype) / 127.5 - 1

    def encode(self, pixels: Tensor, noise: Tensor | None) -> Tensor:
        """float (1, 3, h, w) in [-1, 1] to scaled latents; noise: what the posterior is sampled with, else its mode."""
        latents = self._unscaled(pixels, noise)
        mean, deviation = self._mean.to(latents), self._deviation.to(latents)
        return ((latents - mean) * self.vae.config.scaling_factor / deviation).to(self.dtype)

    def mode(self, pixels: Tensor) -> Tensor:
        """The most likely latents, unscaled, as InstructPix2Pix was shown them."""
        return self._unscaled(pixels, None).to(self.dtype)

    def _unscaled(self, pixels: Tensor, noise: Tensor | None) -> Tensor:
        return self._tried(self._encoded, pixels, noise)

    def _posterior(self, pixels: Tensor, noise: Tensor | None) -> Tensor:
        """Its sample, or its mode where there is no noise."""
        posterior = self.vae.encode(pixels)
        if self.local:
            return posterior.latents  # type: ignore[no-any-return]
        found = posterior.latent_dist
        return found.mean if noise is None else found.mean + found.std * noise.to(found.mean)  # type: ignore[no-any-return]

    def decode(self, latents: Tensor) -> Tensor:
        """Scaled latents to float32 (1, 3, h, w), about [-1, 1]."""
        latents = latents * self._deviation.to(latents) / self.vae.config.scaling_factor + self._mean.to(latents)
        return self._tried(self._decoded, latents).float()

    def _pixels(self, latents: Tensor) -> Tensor:
        return self.vae.decode(latents, return_dict=False)[0]  # type: ignore[no-any-return]

    def _tried(self, run: Static, given: Tensor, *more: Tensor | None) -> Tensor:
        """What `run` gives in the autoencoder's format; in float32, from now on, where that is not finite."""
        form = next(self.vae.parameters()).dtype  # the library's own `dtype` goes through all of them, which took milliseconds
        found = run(given.to(form), *more)
        if form != torch.float32 and not found.isfinite().all():
            self.vae.to(torch.float32)
            found = run(given.to(torch.float32), *more)
        return found

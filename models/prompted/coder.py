"""Pixels to latents and back, with the autoencoder that a checkpoint brings."""

from __future__ import annotations

from copy import copy
from typing import Any

import torch
from torch import Tensor

from models.autoencoders import TINY, scaling
from models.families import Family
from models.graphs import Graphs, Static


class Coder:
    """pipeline: holds an AutoencoderKL or an AutoencoderTiny of diffusers, in the painter's number format; graphs: captures it, where
    there are any."""

    def __init__(self, pipeline: Any, family: Family, graphs: Graphs | None = None) -> None:
        vae = self.vae = pipeline.vae
        self._checked = True
        self.factor: int = pipeline.vae_scale_factor  # pixels a latent cell, along each side
        self.local = type(vae).__name__ == TINY  # sees no further than its convolutions: crops decode as the frame
        self._whole = vae.config.scaling_factor / scaling(family) if self.local else 1.0  # what makes unscaled latents a whole one's
        self.dtype = vae.dtype
        mean, deviation = (getattr(vae.config, name, None) for name in ("latents_mean", "latents_std"))
        self._scaling = (mean, deviation) if mean is not None and deviation is not None else None
        self._encoded, self._decoded = (graphs.wrap(run) if graphs else run for run in (self._posterior, self._pixels))
        self._brought: dict[tuple[torch.device, torch.dtype], tuple[Tensor, Tensor]] = {}
        if self.dtype == torch.float16 and vae.config.get("force_upcast"):
            self.vae.to(torch.float32)  # it overflows in half precision, as its config says

    def unchecked(self) -> Coder:
        """The same, launched as it is, and nobody looks at what comes out: that would wait for the device."""
        other = copy(self)
        other._checked, other._encoded, other._decoded = False, other._posterior, other._pixels
        return other

    def floats(self, pixels: Tensor) -> Tensor:
        """uint8 to [-1, 1], in the painter's number format; what is that already stays as it is."""
        return pixels if pixels.is_floating_point() else pixels.to(self.dtype) / 127.5 - 1

    def encode(self, pixels: Tensor, noise: Tensor | None) -> Tensor:
        """float (1, 3, h, w) in [-1, 1] to scaled latents; noise: what the posterior is sampled with, else its mode."""
        latents, factor = self._unscaled(pixels, noise), self.vae.config.scaling_factor
        if self._scaling is None:
            return (latents * factor).to(self.dtype)
        mean, deviation = self._moments(latents)
        return ((latents - mean) * factor / deviation).to(self.dtype)

    def _moments(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """The latents' mean and deviation, (1, C, 1, 1) each, where `latents` are: brought there once."""
        key = latents.device, latents.dtype
        if key not in self._brought:
            assert self._scaling is not None
            mean, deviation = (torch.tensor(numbers).view(1, -1, 1, 1).to(latents) for numbers in self._scaling)
            self._brought[key] = mean, deviation
        return self._brought[key]

    def mode(self, pixels: Tensor) -> Tensor:
        """The most likely latents as a whole autoencoder gives them, unscaled: so InstructPix2Pix was shown them."""
        return (self._unscaled(pixels, None) * self._whole).to(self.dtype)

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
        factor = self.vae.config.scaling_factor
        if self._scaling is None:
            latents = latents / factor
        else:
            mean, deviation = self._moments(latents)
            latents = latents * deviation / factor + mean
        return self._tried(self._decoded, latents).float()

    def _pixels(self, latents: Tensor) -> Tensor:
        return self.vae.decode(latents, return_dict=False)[0]  # type: ignore[no-any-return]

    def _tried(self, run: Static, given: Tensor, *more: Tensor | None) -> Tensor:
        """What `run` gives in the autoencoder's format; in float32, from now on, where that is not finite."""
        form = next(self.vae.parameters()).dtype  # the library's own `dtype` goes through all of them, which took milliseconds
        found = run(given.to(form), *more)
        if self._checked and form != torch.float32 and not found.isfinite().all():
            self.in_full()
            found = run(given.to(torch.float32), *more)
        return found

    def in_full(self) -> bool:
        """Compute in float32 from now on; whether it did not before."""
        halved = next(self.vae.parameters()).dtype != torch.float32
        self.vae.to(torch.float32)
        return halved

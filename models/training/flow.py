"""How a diffusion transformer is taught a LoRA: on the straight path from a frame to noise, asked as its pipeline asks it.

The objective is flow matching (Liu et al., 2022, arXiv:2209.03003) at noise levels drawn as in Stable Diffusion 3 (Esser et
al., 2024, arXiv:2403.03206): most in the middle. A family that edits is shown the pictures that the painter shows it; one that
paints over begins some of its noisier crops at the guide, and is asked for what leads to the frame from there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from models.prompted.checkpoint import PromptedCheckpoint

if TYPE_CHECKING:
    from models.training.adapting import PairBatch

FROM_GUIDE, START = 0.5, 0.3  # share of the crops that begin at the guide, of those with a noise level of at least START


class Flow(ABC):
    """What a family's pipeline does between pixels and its transformer, for a batch."""

    def __init__(self, checkpoint: PromptedCheckpoint) -> None:
        self.row, self.pipeline = checkpoint.row, checkpoint.pipeline
        self._told: dict[str, Any] = {}
        self.pipeline.transformer.enable_gradient_checkpointing()

    def loss(self, called: nn.Module, batch: PairBatch, prompts: Sequence[str], generator: torch.Generator) -> Tensor:
        """Squared error of the velocity. called: the transformer with its LoRA; prompts: one a crop."""
        device = batch.clean.device
        with torch.no_grad():
            clean, guide = self.encoded(batch.clean), self.encoded(batch.shown)
            noise = torch.randn(clean.shape, generator=generator, device=device)
            level = torch.randn(len(clean), generator=generator, device=device).sigmoid()
            start, shown = clean, list[Tensor]()
            if self.row.edits:
                shown = [self.encoded(batch.before), guide][-self.row.references :]
            else:
                begun = (level >= START) & (torch.rand(len(clean), generator=generator, device=device) < FROM_GUIDE)
                start = torch.where(begun.view(-1, 1, 1, 1), guide, clean)
            share = level.view(-1, 1, 1, 1)
            noisy = (1 - share) * start + share * noise
            wanted = (noisy - clean) / share
            asked = self.asked(noisy, level, shown, [self._words(prompt) for prompt in prompts])
        return (self.velocity(called(**asked), wanted.shape) - wanted).square().mean()

    def encoded(self, pixels: Tensor) -> Tensor:
        """float (B, 3, H, W) in [-1, 1] to the sampler's latents, the likeliest."""
        vae = self.pipeline.vae
        latents = vae.encode(pixels.to(vae.dtype)).latent_dist.mode().float()
        return (latents - (vae.config.shift_factor or 0.0)) * vae.config.scaling_factor  # type: ignore[no-any-return]

    @abstractmethod
    def asked(self, noisy: Tensor, level: Tensor, shown: Sequence[Tensor], told: Sequence[Any]) -> dict[str, Any]:
        """What the transformer is called with. noisy, and each of shown: sampler's latents; level: (B,); told: a crop's words each."""

    @abstractmethod
    def velocity(self, output: Any, shape: torch.Size) -> Tensor:
        """What the transformer gave, as latents of the shape: where noise lies, seen from the frame."""

    @abstractmethod
    def words(self, prompt: str) -> Any:
        """A prompt as the text encoders understand it."""

    def _words(self, prompt: str) -> Any:
        """Encoded once: the text encoders learn nothing."""
        if prompt not in self._told:
            self._told[prompt] = self.words(prompt)
        return self._told[prompt]

    @property
    def _device(self) -> torch.device:
        return self.pipeline.transformer.device  # type: ignore[no-any-return]

    def _guidance(self, level: Tensor) -> Tensor | None:
        """For a transformer that was distilled with it: as much as painting asks for."""
        return torch.full_like(level, self.row.guidance) if self.pipeline.transformer.config.guidance_embeds else None


class Flux(Flow):
    """FLUX.1 and Kontext: cells in fours are tokens; a picture that is shown stands behind them."""

    def words(self, prompt: str) -> Any:
        return self.pipeline.encode_prompt(prompt, None, device=self._device)

    def asked(self, noisy: Tensor, level: Tensor, shown: Sequence[Tensor], told: Sequence[Any]) -> dict[str, Any]:
        embeds, pooled = (torch.cat([words[i] for words in told]) for i in range(2))
        tokens, places = [], []
        for i, latents in enumerate((noisy, *shown)):
            tokens.append(self.pipeline._pack_latents(latents, *latents.shape))
            places.append(self.pipeline._prepare_latent_image_ids(len(latents), latents.shape[2] // 2, latents.shape[3] // 2, latents.device, embeds.dtype))
            places[-1][..., 0] = i
        return {
            "hidden_states": torch.cat(tokens, 1).to(embeds.dtype), "timestep": level.to(embeds.dtype), "guidance": self._guidance(level),
            "pooled_projections": pooled, "encoder_hidden_states": embeds, "txt_ids": told[0][2], "img_ids": torch.cat(places),
        }  # fmt: skip

    def velocity(self, output: Tensor, shape: torch.Size) -> Tensor:
        b, c, h, w = shape
        own = output[:, : h * w // 4].float().view(b, h // 2, w // 2, c, 2, 2)
        return own.permute(0, 3, 1, 4, 2, 5).reshape(shape)


class Flux2(Flow):
    """FLUX.2 and klein: latents come in fours already, and are numbered with the picture that they are of."""

    def words(self, prompt: str) -> Any:
        return self.pipeline.encode_prompt(prompt, device=self._device)

    def encoded(self, pixels: Tensor) -> Tensor:
        return self.pipeline._encode_vae_image(pixels.to(self.pipeline.vae.dtype), None).float()  # type: ignore[no-any-return]

    def asked(self, noisy: Tensor, level: Tensor, shown: Sequence[Tensor], told: Sequence[Any]) -> dict[str, Any]:
        embeds, text_places = (torch.cat([words[i] for words in told]) for i in range(2))
        pack, places = self.pipeline._pack_latents, [self.pipeline._prepare_latent_ids(noisy).to(noisy.device)]
        if shown:
            beside = self.pipeline._prepare_image_ids([latents[:1] for latents in shown])
            places.append(beside.to(noisy.device).expand(len(noisy), -1, -1))
        return {
            "hidden_states": torch.cat([pack(latents) for latents in (noisy, *shown)], 1).to(embeds.dtype), "timestep": level.to(embeds.dtype),
            "guidance": self._guidance(level), "encoder_hidden_states": embeds, "txt_ids": text_places, "img_ids": torch.cat(places, 1),
        }  # fmt: skip

    def velocity(self, output: Tensor, shape: torch.Size) -> Tensor:
        b, c, h, w = shape
        return output[:, : h * w].float().permute(0, 2, 1).reshape(shape)


class ZImage(Flow):
    """Z-Image: lists of pictures and words; its time runs from noise to the frame, and its velocity too."""

    def words(self, prompt: str) -> Any:
        return self.pipeline.encode_prompt(prompt, self._device, do_classifier_free_guidance=False)[0][0]

    def asked(self, noisy: Tensor, level: Tensor, shown: Sequence[Tensor], told: Sequence[Any]) -> dict[str, Any]:
        dtype = told[0].dtype
        return {"x": list(noisy.to(dtype).unsqueeze(2).unbind(0)), "t": (1 - level).to(dtype), "cap_feats": list(told)}

    def velocity(self, output: Any, shape: torch.Size) -> Tensor:
        return -torch.stack([one.float() for one in output]).view(shape)


FLOWS: dict[str, type[Flow]] = {"kontext": Flux, "flux": Flux, "klein-base": Flux2, "flux2": Flux2, "z-image-turbo": ZImage}

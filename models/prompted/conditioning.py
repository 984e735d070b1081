"""What a prompted denoiser is told beside the latents: text, size, guidance. Words are encoded by the stock pipeline.

The context's summary goes through the checkpoint's own text encoder too; its states are averaged into a few tokens
that stand behind the instruction's, so that what is known of the user costs the denoiser little.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from diffusers import LatentConsistencyModelPipeline
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool1d

from models.families import Family

CONTEXT_TOKENS = 8
PLACES = 64  # of crops, for which what SDXL is told of them is kept
EMBEDDING = LatentConsistencyModelPipeline.get_guidance_scale_embedding  # the numbers' alone; not every pipeline has it
AESTHETIC, POOR = 6.0, 2.5  # the scores that SDXL's stock pipelines ask for, and ask to avoid


@dataclass(frozen=True)
class Conditioning:
    """Branches of one prediction, b of them. embeds: (b, L, D); weights: (b,), with which their predictions are added;
    shown: (b,), 1 where the branch sees the picture that is edited; pooled: (b, P) or None; guidance: (1, W), the
    guidance as an embedding, for a denoiser that was distilled with it, else None; scored: whether the denoiser is told
    how beautiful the picture is to be."""

    embeds: Tensor
    weights: Tensor
    shown: Tensor
    pooled: Tensor | None = None
    guidance: Tensor | None = None
    scored: bool = False
    _places: dict[tuple[tuple[int, int], tuple[int, int]], Tensor] = field(default_factory=dict, repr=False, compare=False)

    def added(self, size: tuple[int, int], corner: tuple[int, int]) -> dict[str, Tensor]:
        """What SDXL is told of the frame's size and the crop's place, both (height, width): the same tensors for the same place."""
        if self.pooled is None:
            return {}
        if (size, corner) not in self._places:
            if len(self._places) == PLACES:
                self._places.clear()
            scores = [[AESTHETIC]] if len(self.weights) == 1 else [[POOR], [AESTHETIC]]
            ids = [[*size, *corner, *(scores[i] if self.scored else size)] for i in range(len(self.weights))]
            self._places[size, corner] = torch.tensor(ids).to(self.pooled)
        return {"text_embeds": self.pooled, "time_ids": self._places[size, corner]}

    def of_other_length(self, knows: bool) -> Conditioning:
        """As long as with the context's tokens, or without them where it `knows` of one; what it says is of no use."""
        embeds = self.embeds[:, :-CONTEXT_TOKENS] if knows else torch.cat([self.embeds, self.embeds[:, :CONTEXT_TOKENS]], 1)
        return replace(self, embeds=embeds)


@dataclass(frozen=True)
class Known:
    """What is known of the user as few tokens, and nothing known as as many: (..., CONTEXT_TOKENS, D), or None."""

    tokens: Tensor | None = None
    nothing: Tensor | None = None


def context_tokens(pipeline: Any, context: str) -> Known:
    """The context's summary through the checkpoint's own text encoder, compressed."""
    if not context:
        return Known()
    return Known(*(few(_encoded(pipeline, words, "", False)[0]) for words in (context, "")))


def conditioned(pipeline: Any, family: Family, prompt: str, negative: str, context: Known, guidance: float) -> Conditioning:
    """Encode the words. guidance: how much the prompt counts; up to 1 it is the only branch."""
    distilled = pipeline.unet.config.time_cond_proj_dim
    guided = guidance > 1 and not distilled
    text, nothing, pooled, pooled_nothing = _encoded(pipeline, prompt, negative, guided)
    if context.tokens is not None and context.nothing is not None:
        text = torch.cat([text, context.tokens], 1)
        nothing = torch.cat([nothing, context.nothing], 1) if nothing is not None else None
    if not guided:
        order, weights, shown = [1], [1.0], [1.0]
    elif family.edits:  # InstructPix2Pix (Brooks et al., 2023, arXiv:2211.09800), equation 3
        order, shown = [1, 0, 0], [1.0, 1.0, 0.0]
        weights = [guidance, family.image_guidance - guidance, 1 - family.image_guidance]
    else:  # classifier-free guidance (Ho and Salimans, 2022, arXiv:2207.12598)
        order, weights, shown = [0, 1], [1 - guidance, guidance], [1.0, 1.0]
    embedded = None
    if distilled:
        scale = torch.tensor([guidance - 1])
        embedded = EMBEDDING(pipeline, scale, embedding_dim=distilled).to(text)
    return Conditioning(
        _branches(order, nothing, text),
        torch.tensor(weights).to(text), torch.tensor(shown).to(text),
        _branches(order, pooled_nothing, pooled) if pooled is not None else None,
        embedded, bool(pipeline.config.get("requires_aesthetics_score", False)),
    )  # fmt: skip


def _branches(order: list[int], nothing: Tensor | None, text: Tensor) -> Tensor:
    """What each branch is told: 1 the text, 0 nothing, or what is to be avoided."""
    return torch.cat([text if i or nothing is None else nothing for i in order])


def _encoded(pipeline: Any, prompt: str, negative: str, guided: bool) -> tuple[Tensor, Tensor | None, Tensor | None, Tensor | None]:
    """(text, negative text, pooled, negative pooled) of the stock pipeline's own encoding."""
    device = pipeline.unet.device
    if hasattr(pipeline, "tokenizer_2"):
        found = pipeline.encode_prompt(prompt, device=device, do_classifier_free_guidance=guided, negative_prompt=negative)
        return found[0], found[1], found[2], found[3]
    if not hasattr(pipeline, "encode_prompt"):  # InstructPix2Pix encodes for itself: text, negative, negative
        found = pipeline._encode_prompt(prompt, device, 1, guided, negative)
        return (found[:1], found[1:2], None, None) if guided else (found, None, None, None)
    found = pipeline.encode_prompt(prompt, device, 1, guided, negative)
    return found[0], found[1], None, None


def few(states: Tensor) -> Tensor:
    """(..., L, D) to (..., CONTEXT_TOKENS, D): neighbours averaged."""
    turned = states.mT  # (..., D, L)
    return adaptive_avg_pool1d(turned.flatten(0, -2), CONTEXT_TOKENS).unflatten(0, turned.shape[:-1]).mT

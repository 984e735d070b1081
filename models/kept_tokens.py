"""The context as the tokens that the bundled family's denoiser attends to, kept for the contexts that were told last."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from engine.painter import ContextFeatures
from models.context_encoder import ContextEncoder
from models.last_used import LOOKS, LastUsed


class KeptTokens:
    """encoder: put on `device`; its tokens are of `dtype`; keeps: whether they are kept."""

    def __init__(self, encoder: ContextEncoder, device: torch.device, dtype: torch.dtype, keeps: bool) -> None:
        self._encoder = encoder.to(device)
        self._device, self._dtype, self._keeps = device, dtype, keeps
        self._kept: LastUsed[Tensor] = LastUsed(LOOKS)

    def of(self, context: ContextFeatures) -> Tensor:
        """(1, K, D): the same tensor for the same context, as long as it is kept."""
        name = (context.slow.tobytes(), context.recent.tobytes()) if self._keeps else None
        return self._kept.of(name, partial(self._encoded, context))

    @torch.inference_mode()
    def _encoded(self, context: ContextFeatures) -> Tensor:
        slow, recent = (torch.from_numpy(numbers)[None].to(self._device) for numbers in (context.slow, context.recent))
        tokens: Tensor = self._encoder(slow, recent).to(self._dtype)
        return tokens

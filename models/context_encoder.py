"""Compresses the context to the tokens the denoiser attends to; learned together with it."""

from __future__ import annotations

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn


class ContextEncoder(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """slow (B, S) and recent (B, events * E) to tokens (B, slow_tokens + events, D).

    The first token starts as a plain copy of the style's palette, so that colour need not be learned. Recent events
    have tokens of their own: what is computed from the slow tokens holds between events.
    """

    @register_to_config
    def __init__(
        self, slow_size: int = 101, event_size: int = 20, events: int = 4, slow_tokens: int = 6, token_width: int = 96
    ) -> None:
        super().__init__()
        self.slow = nn.Linear(slow_size, slow_tokens * token_width)
        self.deep = nn.Sequential(nn.Linear(slow_size, 128), nn.SiLU(), nn.Linear(128, slow_tokens * token_width))
        self.event = nn.Sequential(nn.Linear(event_size, 64), nn.SiLU(), nn.Linear(64, token_width))
        with torch.no_grad():
            nn.init.zeros_(self.deep[2].weight)  # type: ignore[arg-type]
            nn.init.zeros_(self.deep[2].bias)  # type: ignore[arg-type]
            self.slow.weight[:token_width].zero_()
            self.slow.weight[:token_width].fill_diagonal_(1.0)
            nn.init.zeros_(self.slow.bias)

    @property
    def tokens(self) -> int:
        return self.config.slow_tokens + self.config.events  # type: ignore[attr-defined]

    def forward(self, slow: Tensor, recent: Tensor) -> Tensor:
        width = self.config.token_width  # type: ignore[attr-defined]
        lasting = (self.slow(slow) + self.deep(slow)).view(slow.shape[0], -1, width)
        passing = self.event(recent.view(recent.shape[0], self.config.events, -1))  # type: ignore[attr-defined]
        return torch.cat([lasting, passing], 1)

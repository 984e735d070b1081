"""Compresses the context to the tokens the denoiser attends to; learned together with it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from models.configured import Configured, kept

CODES = 1024  # what ten bits of an event can name: a character, a key, an app


class ContextEncoder(Configured):
    """slow (B, S) and recent (B, events * E + windows * W), newest first, to tokens (B, K, D).

    The first token begins with the style's palette as it is, `palette` numbers: colour need not be learned. The newest
    events have tokens of their own, and so have the front windows, which app and where: what is computed from the slow
    tokens holds between events. A gated recurrent
    unit (Cho et al., 2014, arXiv:1406.1078) over `history` events adds one token more: what they led to, all in all.
    Features may be longer than the encoder was made for: it reads the beginning.
    """

    @kept
    def __init__(
        self,
        slow_size: int = 101,
        event_size: int = 20,
        events: int = 4,
        slow_tokens: int = 6,
        token_width: int = 96,
        history: int = 16,
        windows: int = 3,
        window_size: int = 20,
        palette: int = 57,
    ) -> None:
        super().__init__()
        self.slow = nn.Linear(slow_size, slow_tokens * token_width)
        self.deep = nn.Sequential(nn.Linear(slow_size, 128), nn.SiLU(), nn.Linear(128, slow_tokens * token_width))
        self.event = nn.Sequential(nn.Linear(event_size, 64), nn.SiLU(), nn.Linear(64, token_width))
        if history:
            self.code = nn.Embedding(CODES, token_width)
            self.recurrent = nn.GRU(event_size, token_width, batch_first=True)
            nn.init.normal_(self.code.weight, std=0.1)
        if windows:
            self.window = nn.Sequential(nn.Linear(window_size, 64), nn.SiLU(), nn.Linear(64, token_width))
        with torch.no_grad():
            nn.init.zeros_(self.deep[2].weight)  # type: ignore[arg-type]
            nn.init.zeros_(self.deep[2].bias)  # type: ignore[arg-type]
            self.slow.weight[:token_width].zero_()
            self.slow.weight[:token_width].fill_diagonal_(1.0)
            nn.init.zeros_(self.slow.bias)

    @property
    def tokens(self) -> int:
        made: Any = self.config
        return int(made.slow_tokens + made.events + (made.history > 0) + made.windows)

    def forward(self, slow: Tensor, recent: Tensor) -> Tensor:
        made: Any = self.config
        width = made.token_width
        slow = slow[:, : made.slow_size]
        lasting = (self.slow(slow) + self.deep(slow)).view(slow.shape[0], -1, width)
        if made.palette:
            first = torch.cat([slow[:, : made.palette], lasting[:, 0, made.palette :]], 1)
            lasting = torch.cat([first.unsqueeze(1), lasting[:, 1:]], 1)
        rows = recent[:, : max(made.events, made.history) * made.event_size].unflatten(1, (-1, made.event_size))
        newest = rows[:, : made.events]
        passing = self.event(newest)
        if not made.history:
            return torch.cat([lasting, passing], 1)
        known = rows.any(-1, keepdim=True)
        powers = 2 ** torch.arange(10, device=rows.device)
        codes = (newest[..., -10:].round().long() * powers).sum(-1)
        passing = passing + self.code(codes) * known[:, : made.events]
        whole, _ = self.recurrent(rows[:, : made.history].flip(1))
        tokens = [lasting, passing, whole[:, -1:]]
        if made.windows:
            placed = recent[:, made.history * made.event_size :].unflatten(1, (-1, made.window_size))
            tokens.append(self.window(placed[:, : made.windows]))
        return torch.cat(tokens, 1)

"""What rounds corners: the layers that decide, pixel by pixel, what a shape's corner shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.theme import Role
from models.layers import PIXELS, Steering

SHARP = 8.0  # how much steeper than other inputs the place in a corner enters: a pixel further is another answer
LIGHTS = 2  # a window's shadow, and its glow: black, and the accent
LEAST, MOST = -1, 4  # pixels: the depths in a corner that are told apart, from outside to within the widest edge


def shown_depth(depth: Tensor) -> Tensor:
    """How deep pixels lie within a corner, in pixels, as the denoiser takes it: in (0, 1], 0 is left for what is no corner."""
    return (depth.clamp(LEAST, MOST) - (LEAST - 1)) / (MOST - LEAST + 1)


def _ramps(shown: Tensor) -> Tensor:
    """A shown depth, (...), as one ramp for each pixel of depth: (..., MOST - LEAST) in [0, 1]."""
    depth = shown * (MOST - LEAST + 1) + (LEAST - 1)
    return (depth.unsqueeze(-1) - torch.arange(LEAST, MOST, device=shown.device)).clamp(0, 1)


class Rounded(Protocol):
    """What the pixels of corners show."""

    def over(self, painted: Tensor) -> Tensor:
        """`painted`, (B, h, w, 16, 3), with the corners put into it."""


class Corner(nn.Module):
    """What a shape's corner shows, pixel by pixel: itself, what lies beneath it, in a shadow or a glow, or its edge.

    Only the few pixels that are of corners are computed; all of them where it is to be static, for how many there are is known
    to the host only after it has waited for the device. told: it is given how deep within the corner as this look rounds it each
    pixel lies, and what is left to learn is how wide the edge is and what shows beside it; else it is given how easily a pixel is cut
    off, and whether it is in this look, the context says. lit: 1 where what lies beneath may lie in a shadow or glow, 2 where it is given how
    dark and how bright they are there, and nothing of them is left to learn.
    """

    def __init__(self, width: int, context: int, hidden: int = 32, told: bool = True, lit: int = 2) -> None:
        super().__init__()
        self.from_fine = nn.Linear(width, hidden)
        self.told = told
        if told:
            self.from_depth = nn.Linear(PIXELS + MOST - LEAST, hidden)
        else:
            self.from_cut = nn.Linear(PIXELS + 1, hidden)
        self.from_context = nn.Linear(context, hidden)
        self.middle = nn.Linear(hidden, hidden)
        self.out = nn.Linear(hidden, 2)
        nn.init.constant_(self.out.bias, -3.0)
        if lit == 1:
            self.out_light = nn.Linear(hidden, LIGHTS)
            nn.init.zeros_(self.out_light.weight)
            nn.init.constant_(self.out_light.bias, -6.0)  # what is begun from weights without it paints nearly as before
        self.lit = lit

    def steered(self, steering: Steering) -> Tensor:
        """(B, hidden)."""
        return self.from_context(steering.tokens.flatten(1))  # type: ignore[no-any-return]

    def forward(self, fine: Tensor, corners: Tensor, context: Tensor, palette: Tensor, static: bool = False) -> Rounded:
        """fine: (B, C, h, w); corners: (B, CORNERS, h, w); context: (B, hidden), see `steered`; palette: (B, P, 3) in [-1, 1]."""
        glow = palette[:, Role.ACCENT]
        lights = torch.stack([torch.full_like(glow, -1.0), glow], 1) if self.lit else None
        rows = corners.permute(0, 2, 3, 1)
        if static:
            return self._everywhere(fine.permute(0, 2, 3, 1), rows, context, lights)
        places = (rows[..., :PIXELS] > 0).nonzero(as_tuple=True)
        b, y, x, pixel = places
        cell = rows[b, y, x]
        own = cell.unflatten(1, (-1, PIXELS)).gather(2, pixel[:, None, None].expand(-1, cell.shape[1] // PIXELS, 1)).squeeze(2)
        scaled = torch.cat([cell[:, :PIXELS], self._own(own[:, 0])], 1)
        hidden = self.from_fine(fine.permute(0, 2, 3, 1)[b, y, x]) + self._from_cut(scaled) + context[b]
        shown, share = own[:, 1:-LIGHTS].unflatten(1, (2, 3)), self._shares(hidden, own[:, -LIGHTS:])
        return RoundedCorners(places, share, shown if lights is None else torch.cat([shown, lights[b]], 1))

    def _everywhere(self, fine: Tensor, rows: Tensor, context: Tensor, lights: Tensor | None) -> Rounded:
        """The same numbers for every pixel, a corner's or not. fine, rows: (B, h, w, C)."""
        cut = rows[..., :PIXELS]
        around, own = self._from_cut.weight[:, :PIXELS], self._from_cut.weight[:, PIXELS:]
        cells = self.from_fine(fine) + F.linear(cut, around, self._from_cut.bias) + context[:, None, None]
        hidden = cells.unsqueeze(3) + F.linear(self._own(cut), own)  # (B, h, w, 16, hidden)
        planes = rows.unflatten(-1, (-1, PIXELS)).transpose(-1, -2)  # (B, h, w, 16, planes)
        colours = planes[..., 1:-LIGHTS].unflatten(-1, (2, 3))
        return EveryPixel(cut > 0, self._shares(hidden, planes[..., -LIGHTS:]), colours, lights)

    @property
    def _from_cut(self) -> nn.Linear:
        return self.from_depth if self.told else self.from_cut

    def _own(self, cut: Tensor) -> Tensor:
        """What cuts a pixel, (...), as it enters of that pixel itself: (..., n)."""
        return SHARP * (_ramps(cut) if self.told else cut.unsqueeze(-1))

    def _shares(self, hidden: Tensor, lights: Tensor) -> Tensor:
        """(..., hidden), and how dark the shadow and how bright the glow is, (..., LIGHTS), to (..., 3 (+ LIGHTS)): of what was painted, what
        lies beneath, the edge, shadow, glow."""
        decided = F.silu(self.middle(F.silu(hidden)))
        choice = self.out(decided)
        choices = [torch.zeros_like(choice[..., :1]), choice]
        if self.lit == 1:
            choices.append(self.out_light(decided))
        share = torch.softmax(torch.cat(choices, -1), -1)
        if self.lit < 2:
            return share
        own, beneath, edge = share.split(1, -1)
        dark, bright = lights.split(1, -1)
        out_of_it = beneath * (1 - dark)  # a shadow falls on the wallpaper with its glow
        return torch.cat([own, out_of_it * (1 - bright), edge, beneath * dark, out_of_it * bright], -1)


@dataclass
class RoundedCorners:
    """places: (n,) each of batch, row, column and pixel; share: (n, 3 or more), see `Corner`; colours: (n, 2 or more, 3), of all but
    what was painted."""

    places: tuple[Tensor, ...]
    share: Tensor
    colours: Tensor

    def over(self, painted: Tensor) -> Tensor:
        """`painted`, (B, h, w, 16, 3), with the corners put into it."""
        mixed = self.share[:, :1] * painted[self.places] + (self.share[:, 1:, None] * self.colours).sum(1)
        return painted.index_put(self.places, mixed.to(painted.dtype))


@dataclass
class EveryPixel:
    """cut: (B, h, w, 16), whether a pixel is a corner's; share: (B, h, w, 16, 3 or more) and colours: (B, h, w, 16, 2, 3), as above;
    lights: (B, LIGHTS, 3), the colours that are the same everywhere."""

    cut: Tensor
    share: Tensor
    colours: Tensor
    lights: Tensor | None

    def over(self, painted: Tensor) -> Tensor:
        mixed = self.share[..., :1] * painted + (self.share[..., 1:3, None] * self.colours).sum(-2)
        if self.lights is not None:
            mixed = mixed + torch.matmul(self.share[..., 3:], self.lights[:, None, None])
        return torch.where(self.cut.unsqueeze(-1), mixed.to(painted.dtype), painted)

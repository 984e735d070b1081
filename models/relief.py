"""What makes edges crisp: the layers that decide, pixel by pixel, what stands beside an edge of the guide.

A bevel is a line of light or shade one or two pixels wide along a shape's edges. What the body knows it knows by cells of four
pixels, too coarse for such lines; where the guide's edges are can be read off it exactly, and then only what stands
there is left to learn.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.theme import NEUTRAL, Role
from models.layers import PATCH, PIXELS, Steering

REACH = 2  # pixels from an edge
RAISED = (Role.TITLE, Role.TITLE_IDLE, Role.BORDER, Role.BUTTON, Role.ACCENT, Role.BAR, Role.HOVER, Role.SELECTION)  # what a style may bevel, and its edges
GROUNDS = (*RAISED, Role.WALLPAPER, Role.SURFACE, Role.FIELD)  # what makes an edge where it ends: letters and marks do not
SIDES = 2 ** (4 * REACH)  # on which sides an edge is near, and how near: a bit each
NONE = len(NEUTRAL)  # a pixel that shows no role's colour
_STEP, _NEAR = 4, 4  # grey levels that are looked up as one; how far off a role's colour they may be


class Relief(nn.Module):
    """What the pixels beside the guide's edges show: what was painted, their role's plain paint, light, or shade.

    Only those few are computed; all pixels where it is to be static, for how many there are is known to the host only after it
    has waited for the device.
    """

    def __init__(self, width: int, context: int, hidden: int = 32) -> None:
        super().__init__()
        self.from_fine = nn.Linear(width, hidden)
        self.from_context = nn.Linear(context, 2 * hidden)
        self.from_role = nn.Embedding((NONE + 1) * PIXELS, hidden)  # and from which of a cell's pixels it is
        self.from_sides = nn.Embedding(SIDES, hidden)
        self.middle = nn.Linear(hidden, hidden)
        self.out = nn.Linear(hidden, 3)
        for table in (self.from_role, self.from_sides):
            nn.init.normal_(table.weight, std=0.3)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def steered(self, steering: Steering) -> tuple[Tensor, Tensor]:
        """Scale and shift: (B, hidden) each."""
        scale, shift = self.from_context(steering.tokens.flatten(1)).chunk(2, 1)
        return 1 + scale, shift

    def over(
        self, painted: Tensor, fine: Tensor, guide: Tensor, context: tuple[Tensor, Tensor], paints: Tensor, ground: Tensor,
        texture: Tensor, static: bool = False,
    ) -> Tensor:  # fmt: skip
        """`painted`, (B, h, w, 16, 3), with crisp edges.

        fine: (B, C, h, w); guide: (B, 48, h, w), packed pixels in [-1, 1]; context: see `steered`; paints, ground,
        texture: as of `Prediction`.
        """
        roles = roles_of(guide)
        sides = sides_of(roles)
        near = (sides > 0) & _one_of(RAISED, roles.device)[roles.int()]
        batch, y, x = _everywhere(near) if static else near.nonzero(as_tuple=True)
        cell, pixel = (batch, y // PATCH, x // PATCH), y % PATCH * PATCH + x % PATCH
        role = roles[batch, y, x].long()
        scale, shift = context
        cells = self.from_fine(fine.permute(0, 2, 3, 1))
        known = cells[cell] + self.from_role(role * PIXELS + pixel) + self.from_sides(sides[batch, y, x].long())
        share = self.out(F.silu(self.middle(F.silu(known * scale[batch] + shift[batch])))).unsqueeze(-1)
        paint, places = paints[batch, role], (*cell, pixel)
        plain = paint[:, :3] + paint[:, 3:6] * texture[places] + paint[:, 6:] * ground[places]
        before = painted[places]
        # Shares in a softmax would hardly learn: nearly all of them begin at nothing.
        crisp = before + share[:, 0] * (plain - before) + share[:, 1] * (1 - before) - share[:, 2] * (1 + before)
        if static:
            crisp = torch.where(near[batch, y, x].unsqueeze(-1), crisp, before)
        return painted.index_put(places, crisp.to(painted.dtype))


def roles_of(guide: Tensor) -> Tensor:
    """The roles whose colours packed pixels in [-1, 1], (B, 48, h, w), show: (B, H, W), NONE where they show none."""
    levels = F.pixel_shuffle(guide.float(), PATCH).mul_(127.5).add_(128.0).clamp_(0, 255).to(torch.int32)  # to the nearest
    red, green, blue = (levels // _STEP).unbind(1)
    side = 256 // _STEP
    return _table(guide.device)[(red * side + green) * side + blue]


def sides_of(roles: Tensor) -> Tensor:
    """On which sides of a pixel, at most REACH away in its row or column, another ground is: uint8 (B, H, W), a bit each for so
    far to the left, right, above and below."""
    ground, sides = _one_of(GROUNDS, roles.device)[roles.int()], torch.zeros_like(roles)
    for far in range(1, REACH + 1):
        for axis, bit in ((2, 4 * far - 4), (1, 4 * far - 2)):
            many = roles.shape[axis] - far
            first, second = roles.narrow(axis, 0, many), roles.narrow(axis, far, many)
            apart = first != second
            sides.narrow(axis, far, many).bitwise_or_((apart & ground.narrow(axis, 0, many)).to(torch.uint8) << bit)
            sides.narrow(axis, 0, many).bitwise_or_((apart & ground.narrow(axis, far, many)).to(torch.uint8) << bit + 1)
    return sides


def _everywhere(plane: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where all of a plane's pixels are: batch, row and column."""
    _, high, wide = plane.shape
    at = torch.arange(plane.numel(), device=plane.device)
    return at // (high * wide), at // wide % high, at % wide


@lru_cache(maxsize=4)
def _one_of(some: tuple[Role, ...], device: torch.device) -> Tensor:
    """Whether a role is one of `some`: bool (NONE + 1,)."""
    found = torch.zeros(NONE + 1, dtype=torch.bool)
    found[list(some)] = True
    return found.to(device)


@lru_cache(maxsize=2)
def _table(device: torch.device) -> Tensor:
    """The role of each colour, in steps of _STEP a channel, or NONE: uint8 (64 * 64 * 64,)."""
    side = np.arange(0, 256, _STEP, dtype=np.int32) + (_STEP - 1) // 2
    colours = np.stack(np.meshgrid(side, side, side, indexing="ij"), -1).reshape(-1, 1, 3)
    apart = np.abs(colours - NEUTRAL.astype(np.int32)).max(-1)
    return torch.from_numpy(np.where(apart.min(1) <= _NEAR, apart.argmin(1), NONE).astype(np.uint8)).to(device)

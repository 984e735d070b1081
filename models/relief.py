"""What makes edges crisp: the layers that decide, pixel by pixel, what stands beside an edge of the guide.

A bevel is a line of light or shade one or two pixels wide along a shape's edges. What the body knows it knows by cells of four
pixels, too coarse for such lines; where the guide's edges are can be read off it exactly, which of them are a raised shape's own
and not where it is cut off the guide tells, and then only what stands there is left to learn.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.forms import CAST, LIT, ROLE, SHAPES, SHINES, nearness
from engine.theme import NEUTRAL, Role
from models.compiling import constant
from models.layers import PATCH, PIXELS, Steering

REACH = 2  # pixels from an edge
RAISED = (Role.TITLE, Role.TITLE_IDLE, Role.BORDER, Role.BUTTON, Role.ACCENT, Role.BAR, Role.HOVER, Role.SELECTION)  # what a style may bevel, and its edges
GROUNDS = (*RAISED, Role.WALLPAPER, Role.SURFACE, Role.FIELD)  # what makes an edge where it ends: letters and marks do not
SIDES = 2 ** (4 * REACH)  # on which sides an edge is near, and how near: a bit each
KINDS = 5  # of what was filled: not known, flat, lit, shaded, both
LIGHTS = 4  # numbers a pixel, of `Seen.light`
TOLD = (1 + LIGHTS) * PIXELS  # channels, see `told_maps`
NONE = len(NEUTRAL)  # a pixel that shows no role's colour
_STEP, _NEAR = 2, 4  # grey levels that are looked up as one, as bits; how far off a role's colour they may be
_LIT_BIT = LIT.bit_length() - 1


class Relief(nn.Module):
    """What the pixels beside the guide's edges show: what was painted, their role's plain paint, light, or shade.

    Only those few are computed; all pixels where it is to be static, for how many there are is known to the host only after it
    has waited for the device. told: whether it takes in what was filled. shadowed: whether it also takes in where a shadow may fall, and
    decides what stands beside one's edge, which may run through a cell as well. all_raised: whether it decides all edges that are told to be
    raised, those of menus too, whose role is one that a style mostly leaves flat, and none that only a picture shows. lit: whether it takes in how
    far down what shines and how near what throws a shadow or a glow a pixel is, and decides all grounds on which one falls.
    """

    def __init__(
        self, width: int, context: int, hidden: int = 32, told: bool = True, shadowed: bool = True, all_raised: bool = True, lit: bool = True
    ) -> None:  # fmt: skip
        super().__init__()
        self.from_fine = nn.Linear(width, hidden)
        self.from_context = nn.Linear(context, 2 * hidden)
        self.from_role = nn.Embedding((NONE + 1) * PIXELS, hidden)  # and from which of a cell's pixels it is
        self.from_sides = nn.Embedding(SIDES, hidden)
        if told:
            self.from_kind = nn.Embedding(2 * KINDS if shadowed else KINDS, hidden)
            nn.init.zeros_(self.from_kind.weight)  # what is begun from weights that were not told paints as before
        if lit:
            self.from_light = nn.Linear(LIGHTS, hidden, bias=False)
            nn.init.zeros_(self.from_light.weight)
        self.told, self.shadowed, self.all_raised, self.lit = told, shadowed, all_raised, lit
        self.middle = nn.Linear(hidden, hidden)
        self.out = nn.Linear(hidden, 4 if lit else 3)
        for table in (self.from_role, self.from_sides):
            nn.init.normal_(table.weight, std=0.3)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    @torch.no_grad()
    def in_shadows_as_out_of_them(self) -> None:
        """Begin with what is known of where no shadow may fall."""
        self.from_kind.weight[KINDS:] = self.from_kind.weight[:KINDS]

    def steered(self, steering: Steering) -> tuple[Tensor, Tensor]:
        """Scale and shift: (B, hidden) each."""
        scale, shift = self.from_context(steering.tokens.flatten(1)).chunk(2, 1)
        return 1 + scale, shift

    def over(
        self, painted: Tensor, fine: Tensor, seen: Seen, context: tuple[Tensor, Tensor], paints: Tensor, glow: Tensor, ground: Tensor,
        texture: Tensor, static: bool = False,
    ) -> Tensor:  # fmt: skip
        """`painted`, (B, h, w, 16, 3), with crisp edges.

        fine: (B, C, h, w); context: see `steered`; paints, ground, texture: as of `Prediction`; glow: (B, 3), a glow's colour.
        """
        roles, light = seen.roles, seen.light if self.lit else None
        filled = seen.forms[..., 3] if self.told and seen.forms is not None else None
        sides, kinds = sides_of(roles), None if filled is None else kinds_of(filled)
        near = beside_edges(roles, sides)
        if filled is not None and kinds is not None:
            near |= raised(roles, kinds) if self.all_raised else (kinds > 1) & _one_of(roles, RAISED)
            if self.shadowed:
                cast = (filled >= CAST).view(torch.uint8)
                cut = _divided(cast) & is_ground(roles)
                near |= cut & (kinds > 0) if self.all_raised else cut
                kinds = kinds + KINDS * cast
        if light is not None:
            near |= (light[..., 2:] > 0).any(-1) & is_ground(roles)
        if static:
            return self._everywhere(painted, fine, roles, sides, kinds, light, near, context, paints, glow, ground, texture)
        at = near.flatten().nonzero().squeeze(1)
        b, h, w, _, _ = painted.shape
        row, column = at // (w * PATCH), at % (w * PATCH)  # of all crops' rows
        y, x, pixel = row // PATCH, column // PATCH, row % PATCH * PATCH + column % PATCH
        crop, cell = y // h, y * w + x
        place = crop, y - crop * h, x, pixel
        role = roles.flatten().index_select(0, at).int()
        scale, shift = context
        known = self.from_fine(fine.permute(0, 2, 3, 1)).flatten(0, 2).index_select(0, cell)
        known = known + self.from_role(role * PIXELS + pixel) + self.from_sides(sides.flatten().index_select(0, at).int())
        if kinds is not None:
            known = known + self.from_kind(kinds.flatten().index_select(0, at).int())
        if light is not None:
            known = known + self.from_light(light.flatten(0, 2).index_select(0, at).to(known.dtype) / SHINES)
        known = known * scale + shift if b == 1 else known * scale[crop] + shift[crop]
        paint = paints.flatten(0, 1).index_select(0, crop * paints.shape[1] + role)
        before, here, under = (plane[place] for plane in (painted, texture, ground))
        shining = glow.index_select(0, crop)
        return painted.index_put(place, self._crisp(known, before, paint, shining, here, under).to(painted.dtype))

    def _everywhere(
        self, painted: Tensor, fine: Tensor, roles: Tensor, sides: Tensor, kinds: Tensor | None, light: Tensor | None, near: Tensor,
        context: tuple[Tensor, Tensor], paints: Tensor, glow: Tensor, ground: Tensor, texture: Tensor,
    ) -> Tensor:  # fmt: skip
        """The same numbers for every pixel, near an edge or not."""
        role = _by_cell(roles)  # (B, h, w, 16), as all that follows
        spot = role * PIXELS + torch.arange(PIXELS, device=role.device)
        known = self.from_fine(fine.permute(0, 2, 3, 1)).unsqueeze(3)
        known = known + _looked_up(self.from_role.weight, spot) + _looked_up(self.from_sides.weight, _by_cell(sides))
        if kinds is not None:
            known = known + _looked_up(self.from_kind.weight, _by_cell(kinds))
        if light is not None:
            lights = _packed(light.permute(0, 3, 1, 2)).unflatten(1, (LIGHTS, PIXELS)).permute(0, 3, 4, 2, 1)
            known = known + self.from_light(lights.to(known.dtype) / SHINES)
        scale, shift = (part.view(len(part), 1, 1, 1, -1) for part in context)
        crop = torch.arange(len(role), device=role.device).view(-1, 1, 1, 1)
        paint = _looked_up(paints.flatten(0, 1), crop * paints.shape[1] + role)
        known, shape = known * scale + shift, painted.shape
        # As rows: of more axes a product adds the bias in a launch of its own.
        shining = glow.view(-1, 1, 1, 1, 3).expand(shape).reshape(-1, 3)
        crisp = self._crisp(
            known.flatten(0, 3), painted.reshape(-1, 3), paint.flatten(0, 3), shining, texture.reshape(-1, 1), ground.reshape(-1, 3)
        ).view(shape)  # fmt: skip
        return torch.where(_by_cell(near).bool().unsqueeze(-1), crisp.to(painted.dtype), painted)

    def _crisp(self, known: Tensor, before: Tensor, paint: Tensor, glow: Tensor, texture: Tensor, ground: Tensor) -> Tensor:
        """What pixels show instead of what was painted there, `before` (..., 3). known: (..., hidden); paint: (..., 7), as a row of
        `Prediction.paints`; texture: (..., 1); glow, ground: (..., 3)."""
        share = self.out(F.silu(self.middle(F.silu(known)))).unsqueeze(-1)
        plain = paint[..., :3] + paint[..., 3:6] * texture + paint[..., 6:] * ground
        # Shares in a softmax would hardly learn: nearly all of them begin at nothing.
        crisp = before + share[..., 0, :] * (plain - before) + share[..., 1, :] * (1 - before) - share[..., 2, :] * (1 + before)
        return crisp + share[..., 3, :] * (glow - before) if self.lit else crisp


def _looked_up(table: Tensor, at: Tensor) -> Tensor:
    """Rows of a table: (n, C) and int64 (...) to (..., C). Element by element: a GPU's kernels that copy rows are many times slower
    where these are as short as here."""
    found = table.gather(0, at.reshape(-1, 1).expand(-1, table.shape[1]))
    return found.view(*at.shape, -1)


def _by_cell(pixels: Tensor) -> Tensor:
    """Small whole numbers by pixel, (B, H, W), as indices by cell: int64 (B, H / 4, W / 4, 16)."""
    return _packed(pixels.unsqueeze(1)).permute(0, 2, 3, 1).long()


def _packed(planes: Tensor) -> Tensor:
    """(B, C, H, W) to (B, C * 16, H / 4, W / 4), as `pixel_unshuffle` has it, which takes three times as long to move single bytes."""
    return planes.unflatten(3, (-1, PATCH)).unflatten(2, (-1, PATCH)).permute(0, 1, 3, 5, 2, 4).flatten(1, 3)


def _divided(mask: Tensor) -> Tensor:
    """The pixels of those cells through which the edge of a mask, uint8 (B, H, W) of 0 and 1, runs: bool (B, H, W)."""
    rows = mask.view(torch.int32).unflatten(1, (-1, PATCH))  # a cell's row is one number of four bytes: (B, h, 4, w)
    first = rows[:, :, :1]
    alike = (rows == first).all(2, keepdim=True) & ((first == 0) | (first == 0x01010101))
    return (~alike).unsqueeze(-1).expand(*rows.shape, PATCH).flatten(3).flatten(1, 2)


class Seen(NamedTuple):
    """What a guide says of each pixel.

    roles: see `roles_of`. forms: uint8 (B, H, W, 4), as `Guide` has them, None where they are not known. light: what they tell beside corners: how
    far down what shines the pixel is, whether something is drawn there on what was filled last, and how near what throws a shadow and what throws
    a glow is, squared, each of SHINES: uint8 (B, H, W, LIGHTS).
    """

    roles: Tensor
    forms: Tensor | None
    light: Tensor | None


def seen_of(guide: Tensor, forms: Tensor | None, build: Tensor) -> Seen:
    """Of packed pixels (B, 48, h, w) in [-1, 1], their forms, and how round their looks' corners are, (B, S)."""
    roles = roles_of(guide)
    return Seen(roles, forms, None if forms is None else _light_of(forms, roles, build))


def _light_of(forms: Tensor, roles: Tensor, build: Tensor) -> Tensor:
    first, second, third, filled = forms.unbind(-1)
    own, flat = filled & ROLE, first == 0
    drawn = ((own > 0) & (roles != own - 1)).view(torch.uint8) * SHINES
    window = build[:, SHAPES.index("window")].int().view(-1, 1, 1) << 8
    near = _nearness(forms.device).index_select(0, (window + third * (flat & (filled >= CAST))).flatten()).view(*third.shape, 2)
    near[..., 1] *= own == 1 + Role.WALLPAPER
    return torch.cat([torch.stack([second * flat, drawn], -1), near], -1)


def told_maps(seen: Seen) -> Tensor:
    """Whether a shadow may fall on each pixel, and what its light says, all in [0, 1]: float32 (B, TOLD, h, w). The forms must be known."""
    assert seen.forms is not None and seen.light is not None
    cast = (seen.forms[..., 3] >= CAST).view(torch.uint8) * SHINES
    return _packed(torch.cat([cast.unsqueeze(1), seen.light.permute(0, 3, 1, 2)], 1)).float().div_(SHINES)


def kinds_of(filled: Tensor) -> Tensor:
    """As which of KINDS a guide's filled pixels, the last of `Guide.forms`, may be painted: uint8, of the same shape."""
    own = filled & (255 - CAST)
    return (own >> _LIT_BIT).add_(own > 0)


def roles_of(guide: Tensor) -> Tensor:
    """The roles whose colours packed pixels in [-1, 1], (B, 48, h, w), show: uint8 (B, H, W), NONE where they show none."""
    levels = guide.float().mul(127.5).add_(128.0).clamp_(0, 255).to(torch.int32)  # to the nearest
    red, green, blue = (levels >> _STEP).unflatten(1, (3, PIXELS)).unbind(1)
    bits = 8 - _STEP
    cells = _table(guide.device).index_select(0, (((red << bits) + green << bits) + blue).flatten()).view(red.shape)
    return cells.unflatten(1, (PATCH, PATCH)).permute(0, 3, 1, 4, 2).flatten(3).flatten(1, 2)


def sides_of(roles: Tensor) -> Tensor:
    """On which sides of a pixel, at most REACH away in its row or column, another ground is: uint8 (B, H, W), a bit each for so
    far to the left, right, above and below."""
    ground, sides = is_ground(roles), torch.zeros_like(roles)
    for far in range(1, REACH + 1):
        for axis, bit in ((2, 4 * far - 4), (1, 4 * far - 2)):
            many = roles.shape[axis] - far
            first, second = roles.narrow(axis, 0, many), roles.narrow(axis, far, many)
            apart = first != second
            sides.narrow(axis, far, many).bitwise_or_((apart & ground.narrow(axis, 0, many)).to(torch.uint8) << bit)
            sides.narrow(axis, 0, many).bitwise_or_((apart & ground.narrow(axis, far, many)).to(torch.uint8) << bit + 1)
    return sides


def beside_edges(roles: Tensor, sides: Tensor | None = None) -> Tensor:
    """Whether each pixel is of what may be raised, or its edge, and beside another ground, as `sides`, or `sides_of` them, say: bool, of the
    shape of `roles`."""
    return ((sides_of(roles) if sides is None else sides) > 0) & _one_of(roles, RAISED)


def raised(roles: Tensor, kinds: Tensor) -> Tensor:
    """Whether each pixel is told, see `kinds_of`, to be of a raised shape's edge, and nothing is drawn on it: bool, of the same shape."""
    return (kinds > 1) & is_ground(roles)


def is_ground(roles: Tensor) -> Tensor:
    """Whether each role is what letters and marks stand on: bool, of the same shape."""
    return _one_of(roles, GROUNDS)


def _one_of(roles: Tensor, some: tuple[Role, ...]) -> Tensor:
    """Whether each role is one of `some`: bool."""
    return torch.bitwise_right_shift(sum(1 << role for role in some), roles.int()).bitwise_and_(1) > 0


@constant
def _nearness(device: torch.device) -> Tensor:
    """As `engine.forms.nearness`, on a device, one look below the other: uint8 (N, 2)."""
    return _made_nearness(device)


@lru_cache(maxsize=2)
def _made_nearness(device: torch.device) -> Tensor:
    return torch.from_numpy(nearness().reshape(-1, 2).copy()).to(device)


@constant
def _table(device: torch.device) -> Tensor:
    """The role of each colour, without its last _STEP bits a channel, or NONE: uint8 (64 * 64 * 64,)."""
    return _made_table(device)


@lru_cache(maxsize=2)
def _made_table(device: torch.device) -> Tensor:
    step = 1 << _STEP
    side = np.arange(0, 256, step, dtype=np.int32) + (step - 1) // 2
    red, green, blue = np.abs(side[:, None, None] - NEUTRAL.astype(np.int32)).astype(np.uint8).transpose(2, 0, 1)  # from each role's colour
    apart = np.maximum(np.maximum(red[:, None, None], green[:, None]), blue).reshape(-1, len(NEUTRAL))
    return torch.from_numpy(np.where(apart.min(1) <= _NEAR, apart.argmin(1), NONE).astype(np.uint8)).to(device)

"""What goes into the denoiser, and what comes out of it, as pictures and flags become tensors and back."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from engine.forms import (
    BESIDE,
    CAST,
    COLOURS,
    FLOATING,
    LOWER,
    PICTURED,
    ROLE,
    SHAPES,
    SIDE,
    corner_nearness,
    radii_in,
)
from engine.geometry import Rect
from engine.legibility import GLOW, SHADE
from engine.materials import LEVEL, STRONG, Paints
from engine.styles import GLOW_AT, PALETTE_SIZE, ROUND_AT, SHADOW_AT
from engine.theme import ROUNDNESS, ROUNDS, Role
from models.compiling import constant
from models.corners import shown_depth
from models.denoiser import CORNERS, PATCH, PIXELS, pack, unpack
from models.materials import Materials, moved


def to_latents(pixels: np.ndarray) -> Tensor:
    """uint8 (B, H, W, 3) to packed latents (B, 48, H / 4, W / 4) in [-1, 1]."""
    return pack(torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1)


def event_maps(verbatim: Tensor, present: Tensor, pointer: Tensor, buttons: Tensor) -> Tensor:
    """verbatim (B, 1, H, W) in [0, 1]; present (B,) 0 or 1; pointer (B, h, w); buttons (B, 3) -> (B, MAPS, h, w)."""
    packed = pack(verbatim)
    b, _, h, w = packed.shape
    guide = present.view(b, 1, 1, 1).expand(b, 1, h, w)
    spot = pointer.view(b, 1, h, w)
    return torch.cat([guide, packed * guide, spot, spot * buttons.view(b, 3, 1, 1)], 1)


def held(buttons: tuple[str, ...]) -> Tensor:
    """Which of the pointer's buttons are down: (3,)."""
    return torch.tensor([float(name in buttons) for name in ("left", "middle", "right")])


def pressed(area: Rect, pointer: tuple[int, int], buttons: tuple[str, ...], side: int) -> tuple[Tensor, Tensor]:
    """Where in an area of cells of `side` pixels the pointer is, (1, h, w), and which of its buttons are down there, (1, 3)."""
    spot, down = torch.zeros(1, area.h // side, area.w // side), torch.zeros(1, 3)
    if area.holds(*pointer):
        spot[0, (pointer[1] - area.y) // side, (pointer[0] - area.x) // side] = 1.0
        down[0] = held(buttons)
    return spot, down


def remembered(pixels: Tensor, known: Tensor) -> Tensor:
    """Recalled pictures, uint8 (B * 2, H, W, 3), and which cells are known, bool (B, 2, h, w), as the denoiser takes
    them: (B, REMEMBERED, h, w)."""
    latents = pack(pixels.permute(0, 3, 1, 2).float() / 127.5 - 1)
    b, count, h, w = known.shape
    share = known.to(latents.dtype)
    return torch.cat([(latents.unflatten(0, (b, count)) * share.unsqueeze(2)).flatten(1, 2), share], 1)


def corner_maps(forms: Tensor, palette: Tensor, materials: Materials, told: bool = True, static: bool = False) -> Tensor:
    """Corners as the denoiser takes them: (B, CORNERS, h, w), what cuts them, then what lies beneath and their edge, as packed pixels in the
    style's paints, and how dark a shadow and how bright a glow lies on it.

    forms: uint8 (B, H, W, 4) as `Guide` has them; palette: (B, PALETTE_SIZE, 3) in [-1, 1]; told: whether `Corner` is told how deep pixels lie in
    this look; static: launch the same whatever the forms are: the same numbers, computed of every pixel.
    """
    if static:
        return _corner_maps_everywhere(forms, palette, materials, told)
    b, height, width, _ = forms.shape
    maps = palette.new_zeros(b, height // PATCH, width // PATCH, CORNERS)  # channels last
    batch, y, x = forms[..., 0].nonzero(as_tuple=True)
    marks = forms[batch, y, x].long()
    row, column, pixel = y // PATCH, x // PATCH, y % PATCH * PATCH + x % PATCH
    build = materials.build if told else None
    planes = [_cut(marks, build, batch).to(maps.dtype)]
    ground = materials.ground.unflatten(1, (3, PIXELS))[batch, :, pixel, row, column]
    texture = materials.texture[batch, pixel, row, column, None]
    known, all_clear, all_depth = _with_pictured(palette, materials)
    for role in (marks[:, 1] & ROLE, marks[:, 2] & ROLE):
        colour, clear, depth = known[batch, role], all_clear[batch, role, None], all_depth[batch, role, None]
        planes += (colour + clear * (ground - colour) + texture * depth * moved(colour)).unbind(1)
    planes += _lights(marks, materials.build, batch).to(maps.dtype).unbind(1)
    for i, plane in enumerate(planes):
        maps[batch, row, column, i * PIXELS + pixel] = plane
    return maps.permute(0, 3, 1, 2)


def _corner_maps_everywhere(forms: Tensor, palette: Tensor, materials: Materials, told: bool) -> Tensor:
    ground, texture = unpack(materials.ground).permute(0, 2, 3, 1), unpack(materials.texture).permute(0, 2, 3, 1)
    batch = torch.arange(len(forms), device=forms.device).view(-1, 1, 1)
    here = forms[..., :1] > 0
    marks = forms.long() * here
    cut = _cut(marks, materials.build if told else None, batch).to(palette.dtype).unsqueeze(-1)
    planes, (known, all_clear, all_depth) = [cut], _with_pictured(palette, materials)
    for role in (marks[..., 1] & ROLE, marks[..., 2] & ROLE):
        colour, clear, depth = known[batch, role], all_clear[batch, role].unsqueeze(-1), all_depth[batch, role].unsqueeze(-1)
        planes.append(colour + clear * (ground - colour) + texture * depth * moved(colour))
    planes.append(_lights(marks, materials.build, batch).to(palette.dtype))
    return torch.cat([pack((plane * here).permute(0, 3, 1, 2)) for plane in planes], 1)


def _with_pictured(palette: Tensor, materials: Materials) -> tuple[Tensor, Tensor, Tensor]:
    """Palette, clear and depth with the colours that stand for pictures' after the roles'."""
    colours = _pictured(palette.device).to(palette.dtype)
    beside = 0, len(colours)
    return torch.cat([palette, colours.expand(len(palette), -1, -1)], 1), F.pad(materials.clear, beside), F.pad(materials.depth, beside)


@constant
def _pictured(device: torch.device) -> Tensor:
    """The colours that stand for those of pictures, in [-1, 1]: float32 (C, 3)."""
    return _made_pictured(device)


@lru_cache(maxsize=2)
def _made_pictured(device: torch.device) -> Tensor:
    return (torch.from_numpy(COLOURS.astype(np.float32)) / 127.5 - 1).to(device)


def _cut(marks: Tensor, build: Tensor | None, batch: Tensor) -> Tensor:
    """What cuts the pixels of corners, in (0, 1]: float32 (...). marks: int64 (..., 4), their forms; batch: (...), of which crop."""
    shape, place = marks[..., 1] >> BESIDE, (marks[..., 0] - 1).clamp_min(0)
    if build is None:
        return _easily(marks.device)[shape, place]
    most = (marks[..., 2] >> BESIDE) * ~_floats(shape)
    radius = build[batch, shape].float()
    radius = torch.where((most > 0) & (most < radius), most, radius)
    x, y = place % SIDE + 0.5, place // SIDE + 0.5
    away = torch.hypot((radius - x).clamp_min(0), (radius - y).clamp_min(0))
    return shown_depth(torch.where(radius > 0, radius + 0.5 - away, torch.minimum(x, y) + 0.5))


def _lights(marks: Tensor, build: Tensor, batch: Tensor) -> Tensor:
    """How dark the shadow and how bright the glow of what is cut off is on what lies beneath the pixels of corners: float32 (..., 2) in [0, 1].
    What is cut off and floats not itself may lie in those of what floats above: how near that is is not known, but seldom nearest."""
    shape, beneath, lower = marks[..., 1] >> BESIDE, marks[..., 1] & ROLE, ((marks[..., 2] & LOWER) > 0).long()
    near = _corner_nearness(marks.device)[build[batch, shape].long(), lower, marks[..., 0]] / 255
    near = torch.where(_floats(shape).unsqueeze(-1), near, (marks[..., 3:] >= CAST) / 3)
    falls = torch.stack([beneath < PICTURED, beneath == int(Role.WALLPAPER)], -1)  # on no picture, and a glow on the wallpaper alone
    return near * falls * build[batch, -2:].float()


def _floats(shape: Tensor) -> Tensor:
    """Whether each of SHAPES throws a shadow: bool."""
    return torch.bitwise_right_shift(sum(1 << SHAPES.index(name) for name in FLOATING), shape).bitwise_and_(1) > 0


@constant
def _corner_nearness(device: torch.device) -> Tensor:
    """As `engine.forms.corner_nearness`, on a device."""
    return _made_corner_nearness(device)


@lru_cache(maxsize=2)
def _made_corner_nearness(device: torch.device) -> Tensor:
    return torch.from_numpy(corner_nearness().copy()).to(device)


@constant
def _easily(device: torch.device) -> Tensor:
    """How easily pixels are cut off, by shape and place: 1 less 16 / 255 a pixel of the least radius of a style's windows that does it,
    in (0, 1]: float32 (S, 256). A circle of radius r in the corner leaves out the pixel (x, y) where r > x + y + sqrt(2 x y)."""
    return _made_easily(device)


@lru_cache(maxsize=2)
def _made_easily(device: torch.device) -> Tensor:
    place = np.arange(256)
    x, y = place % SIDE + 0.5, place // SIDE + 0.5
    own = x + y + np.sqrt(2 * x * y)
    factor, offset, least, _ = (np.array(numbers)[:, None] for numbers in zip(*ROUNDNESS.values(), strict=True))
    steps = np.clip(np.round(255 - 16 * np.maximum((own - offset) / factor, least)), 1, 255)
    return torch.from_numpy((steps / 255).astype(np.float32)).to(device)


def build_of(slow: np.ndarray) -> Tensor:
    """How shapes are built in the look of a context's slow features, or of a style's vector, (B, S): float32 (B, len(SHAPES) + 2), how round
    corners are, by shape, in pixels; then how dark a shadow and how bright a glow is where it is nearest, in [0, 1]."""
    windows = np.round(slow[:, ROUND_AT].astype(float) * ROUNDS, 4).clip(0, ROUNDS)  # as it was before it became a feature
    lights = slow[:, [SHADOW_AT, GLOW_AT]] * np.array([SHADE, GLOW], np.float32)
    return torch.from_numpy(np.concatenate([np.stack([radii_in(one) for one in windows]), lights], 1))


def materials_of(paints: Sequence[Paints | None], planes: Tensor, slow: np.ndarray) -> Materials:
    """What B looks are made of, as the denoiser takes it. planes: uint8 (B, H, W, 4), those of the paints or a part; where
    there are no paints, every paint is a flat colour; slow: (B, S), the contexts' features, or as many of them as a look has."""
    none = np.zeros(PALETTE_SIZE, np.float32)
    clear = np.stack([none if p is None else p.clear for p in paints])
    depth = np.stack([none if p is None else p.depth for p in paints])
    shown = planes.permute(0, 3, 1, 2).float()
    return Materials(
        torch.from_numpy(clear).to(planes.device), torch.from_numpy(depth).to(planes.device), pack(shown[:, :3] / 127.5 - 1),
        pack((shown[:, 3:] - LEVEL) / STRONG), build_of(slow).to(planes.device),
    )  # fmt: skip


def planes_of(paints: Paints | None, size: tuple[int, int]) -> np.ndarray:
    """The planes of paints; where there are none, what stands for them: uint8 (H, W, 4)."""
    return np.full((size[1], size[0], 4), LEVEL, np.uint8) if paints is None else paints.planes


def palette_of(slow: Tensor) -> Tensor:
    """The style's palette, with which a context's slow features (B, S) begin: (B, PALETTE_SIZE, 3) in [-1, 1]."""
    return slow[:, : PALETTE_SIZE * 3].unflatten(1, (PALETTE_SIZE, 3))


def to_pixels(latents: Tensor) -> np.ndarray:
    """Clean latents, (B, 48, H / 4, W / 4), to uint8 (B, H, W, 3): the inverse of `to_latents`."""
    return np.asarray(to_bytes(latents).cpu().numpy())


def to_bytes(latents: Tensor) -> Tensor:
    """The same, where they are."""
    levels = unpack(latents.float()).clamp(-1, 1).add_(1).mul_(127.5).round_()
    return levels.permute(0, 2, 3, 1).to(torch.uint8)


def enlarged(small: np.ndarray, size: tuple[int, int], shown: np.ndarray | None, content: np.ndarray | None) -> np.ndarray:
    """Pixels that were painted smaller, uint8 (h, w, 3), at `size`. shown, content: guide and verbatim of the same place: pictures
    are the user's, and stay at their own size."""
    pixels = np.array(Image.fromarray(small).resize(size, Image.Resampling.BICUBIC))
    if shown is not None and content is not None:
        pixels[content > 0] = shown[content > 0]
    return pixels

"""The denoiser of the bundled family: a small U-Net over packed pixels that predicts the clean frame.

Latents are pixels packed losslessly into channels (`pack`), so an untouched region is exact for ever. Every layer is
local (convolutions, normalisation over channels, attention to the context tokens only): a crop with enough margin
paints what the whole frame would. The head does not paint colours but picks, per pixel, from the style's paints,
black and white, the guide's own pixel, the previous frame's and, in a dream, what is remembered of the place (after the
pointer-generator of See et al., 2017, arXiv:1704.04368). A paint is a colour of the style's palette with its material:
textures and wallpapers come from the style's seed and reach the picks as they are (fixed noise with learned strength
is how Karras et al., 2019, arXiv:1812.04948, put detail into a generator; here the role says the strength). The picks start from how near the guide's pixel is to each role's neutral colour (after the
prototypes of Snell et al., 2017, arXiv:1703.05175), so that flat grounds are right from the first step and what is
learned is all that is not flat: glyphs' edges, corners, shadows, gradients, wallpapers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.theme import NEUTRAL, Role
from models.configured import Configured, kept
from models.corners import LIGHTS, Corner, Rounded
from models.layers import AS_OUTSIDE, PATCH, PIXELS, Rows, Steering, UNet, frequencies
from models.materials import Materials, moved
from models.relief import TOLD, Relief, Seen, seen_of, told_maps

CHANNELS = 3 * PIXELS
PLACE = 22  # channels that say where on the screen a cell is
STRIP = 2048  # cells: fewer, larger strips wake threads less often
UNKNOWN = 30.0  # what is not remembered cannot be picked
NEAR = 1e-3  # squared distance, in a range of 2 a channel, at which a guide pixel begins to leave its role
MAPS = 1 + PIXELS + 4  # guide's presence, verbatim pixels, pointer, and one map a pressed button
CORNERS = (1 + LIGHTS) * PIXELS + 2 * CHANNELS  # channels: what cuts a corner's pixel, what lies beneath, the edge, how dark its shadow is, how bright its glow
MEMORIES = 2  # remembered pictures of a place, see models.memory
FARTHER: dict[str, Rows] = {"blocks": (1, 2, 3, 2, 2), "inner": AS_OUTSIDE}  # of a denoiser that is to answer events itself: a guide says what is farther away
REMEMBERED = MEMORIES * (CHANNELS + 1)  # channels: the pictures' latents, then which of them are known


def pack(pixels: Tensor) -> Tensor:
    """(B, C, H, W) to (B, C * 16, H / 4, W / 4), without loss."""
    return F.pixel_unshuffle(pixels, PATCH)


def unpack(latents: Tensor) -> Tensor:
    """The inverse of `pack`."""
    return F.pixel_shuffle(latents, PATCH)


def place(rows: Tensor, columns: Tensor, size: tuple[int, int]) -> Tensor:
    """Where cells are: rows (h,), columns (w,) of cell indices in a frame of `size` pixels, to (PLACE, h, w)."""
    x = (columns.float() + 0.5) * PATCH
    y = (rows.float() + 0.5) * PATCH
    u, v = x / size[0], y / size[1]
    turn = 2 * math.pi
    along_x, along_y = (
        [share * 2 - 1, *(w for n in (1, 2, 4) for w in _wave(share * turn * n)),
         *(w for period in (48, 24) for w in _wave(pixels * turn / period))]
        for share, pixels in ((u, x), (v, y))
    )  # fmt: skip
    h, w = len(y), len(x)
    maps = [row[None, :].expand(h, w) for row in along_x] + [column[:, None].expand(h, w) for column in along_y]
    return torch.stack(maps)


def _wave(angle: Tensor) -> tuple[Tensor, Tensor]:
    return torch.sin(angle), torch.cos(angle)


@dataclass
class Prediction:
    """clean: (B, 48, h, w) latents; kept: (B, h, w, 16), per pixel the share that is the previous frame's own; strips: of
    `logits`, one below the other; paints: (B, C, 7), the first C picks: colour, what a texture
    moves it, how much of the ground shows through; ground: (B, h, w, 16, 3) and texture: (B, h, w, 16, 1), what they are
    used with; pictures: (B, h, w, 16, 3) each, the rest of the picks. By pixel all are views: what is computed lies in planes."""

    clean: Tensor
    kept: Tensor
    strips: list[Tensor]
    paints: Tensor
    ground: Tensor
    texture: Tensor
    pictures: list[Tensor]

    @property
    def logits(self) -> Tensor:
        """What was picked: (B, h, w, 16, P)."""
        return torch.cat(self.strips, 1) if len(self.strips) > 1 else self.strips[0]


class Denoiser(UNet, Configured):
    """x0-prediction network. See `forward` for the shapes.

    widths: channels at 1/4, 1/8 and 1/16 of the frame; blocks: residual blocks on the way down, in the middle, and up, see `UNet`;
    inner: channels within them, see `Block`;
    memories: remembered pictures it can put back, 0 for a checkpoint that knows of none; given_palette: 1 where the first token begins with the
    palette itself. A palette that is learned on the way wanders off and is mixed back into place, and then no pick stands for the colour it is
    named after. The neutral colours are given with it. corners: 1 where it rounds the corners that the guide draws square, how much it reads from
    the context; 2 where it is told how deep pixels lie in the rounded ones; 3 where what lies beneath them may lie in a shadow or glow, 4 where
    it is told in which. edges: 1 where it paints what stands beside the guide's edges pixel by pixel, 2 where it is told which of them are of what is raised, 3 where shadows'
    edges are among them, 4 where all that are told are, 5 where all in shadows and glows is, see `Relief`. shadows: 1 where it is told where
    shadows may fall, 2 where also what shines and what is drawn on, 3 where all that `told_maps` tells.
    """

    _repeated_blocks = ("Block",)

    @kept
    def __init__(
        self,
        palette_size: int = 19,
        token_width: int = 96,
        tokens: int = 14,
        widths: tuple[int, int, int] = (64, 128, 192),
        blocks: Rows = (1, 0, 0, 1, 2),
        inner: Rows = (24, 0, 0, 16, 32),
        memories: int = MEMORIES,
        given_palette: int = 1,
        corners: int = 4,
        edges: int = 5,
        shadows: int = 3,
    ) -> None:
        super().__init__()
        fine, _, deep = widths
        self.picks = palette_size + 4  # palette, black, white, guide, previous frame
        self.palette_values = palette_size * 3
        self.unlike = 12.0 if given_palette else 6.0  # how much less the previous frame is picked where there is a guide
        if not given_palette:
            self.palette_out = nn.Linear(token_width, palette_size * 3)
        self.level_in = nn.Linear(16, deep)
        self.summary = nn.Linear(tokens * token_width, deep)
        self.stem = nn.Conv2d(3 * CHANNELS + MAPS + PLACE, fine, 1)
        self._make_body(widths, blocks, token_width, inner)
        self.head = nn.Conv2d(fine, PIXELS * self.picks + 1 + CHANNELS, 1)
        self.remembers = memories > 0
        if memories:
            self.memory_in = nn.Conv2d(REMEMBERED, fine, 1, bias=False)  # nothing remembered adds nothing
            self.memory_out = nn.Conv2d(fine, PIXELS * memories, 1)
        self.rounds = corners > 0
        if corners:
            self.corner = Corner(fine, tokens * token_width, told=corners > 1, lit=max(corners - 2, 0))
        if edges:
            self.relief = Relief(fine, tokens * token_width, told=edges > 1, shadowed=edges > 2, all_raised=edges > 3, lit=edges > 4)
        self.raises = edges > 0
        self.told_channels = (0, PIXELS, 3 * PIXELS, TOLD)[shadows]
        if shadows:
            self.shadow_in = nn.Conv2d(self.told_channels, fine, 1, bias=False)
        neutral = torch.from_numpy(NEUTRAL.astype("float32")) / 127.5 - 1
        if given_palette:
            self.register_buffer("prototypes", neutral, persistent=False)
        else:
            self.prototypes = nn.Parameter(neutral)
        self._start()

    @property
    def align(self) -> int:
        """Side of its coarsest cell in pixels: a crop that starts on one sees the cells that the whole frame would."""
        return PATCH * (4 if self.deepens else 2)

    def steering(self, level: Tensor, tokens: Tensor) -> Steering:
        """level: (B,) noise level in (0, 1], 1 is pure noise; tokens: (B, K, D) of the context, K at least what it takes."""
        tokens = tokens[:, : self.config.tokens]
        return Steering(F.silu(self.level_in(frequencies(level)) + self.summary(tokens.flatten(1))), tokens)

    def forward(
        self, noisy: Tensor, previous: Tensor | None, guide: Tensor, maps: Tensor, steering: Steering, memory: Tensor | None,
        corners: Tensor | None, materials: Materials, static: bool = False, forms: Tensor | None = None,
    ) -> Prediction:  # fmt: skip
        """Predict the clean latents.

        noisy, previous, guide: (B, 48, h, w) packed pixels in [-1, 1], guide zeros where there is none, previous None where it is
        nothing but zeros; maps: (B, MAPS + PLACE, h, w); steering: of the noise level and the context;
        memory: (B, REMEMBERED, h, w), zeros where nothing is known, None where nothing need be: every crop has a guide;
        corners: (B, CORNERS, h, w), zeros where there are none, None where there are none at all. h and w are multiples of align / 4.
        forms: uint8 (B, H, W, 4), as `Guide` has them, 0 or None where they are not known; where shadows may fall should be.
        static: launch the same whatever the numbers are, as a CUDA graph must: see `Corner`.
        """
        fine = self._begun(noisy, previous, guide, maps)
        memory = memory if self.remembers else None
        if memory is not None:
            fine = fine + self.memory_in(memory)
        seen = seen_of(guide, forms, materials.build)
        if self.told_channels and forms is not None:
            fine = fine + self.shadow_in(told_maps(seen)[:, : self.told_channels].to(fine.dtype))
        fine = self._through_body(fine, steering)
        given, tokens = self.config.given_palette, steering.tokens
        palette = (tokens[:, 0, : self.palette_values] if given else self.palette_out(tokens[:, 0])).unflatten(1, (-1, 3))
        around = self.corner(fine, corners, steering.of(self.corner), palette, static) if self.rounds and corners is not None else None
        raised = steering.of(self.relief) if self.raises else None
        return self._paint(fine, previous, guide, maps, memory, palette, around, raised, seen, materials, static)

    def _begun(self, *parts: Tensor | None) -> Tensor:
        """What the stem makes of its parts, which come in their order: (B, C, h, w), channels last. As a sum of products none need be
        copied beside the others."""
        weight, at, rows = self.stem.weight.flatten(1), 0, None
        for part, width in zip(parts, (CHANNELS, CHANNELS, CHANNELS, MAPS + PLACE), strict=True):
            if part is not None:
                seen, own = part.flatten(2).transpose(1, 2), weight[:, at : at + width]
                rows = F.linear(seen, own, self.stem.bias) if rows is None else torch.baddbmm(rows, seen, own.T.expand(len(seen), -1, -1))
                shape = part.shape[2:]
            at += width
        assert rows is not None
        return rows.transpose(1, 2).unflatten(2, shape)

    def _paint(
        self, fine: Tensor, previous: Tensor | None, guide: Tensor, maps: Tensor, memory: Tensor | None, palette: Tensor,
        corners: Rounded | None, raised: tuple[Tensor, Tensor] | None, seen: Seen, materials: Materials, static: bool,
    ) -> Prediction:  # fmt: skip
        b, _, h, w = fine.shape
        black, white = (palette.new_full((b, 1, 3), level) for level in (-1.0, 1.0))
        colours = torch.cat([palette, black, white], 1)  # (B, palette + 2, 3)
        clear, depth = (F.pad(x, (0, 2)).unsqueeze(-1) for x in (materials.clear, materials.depth))
        paints = torch.cat([colours * (1 - clear), depth * moved(colours), clear], 2)  # (B, palette + 2, 7)
        shown = [guide, previous, *(() if memory is None else memory[:, : MEMORIES * CHANNELS].chunk(MEMORIES, 1))]
        pictures = [None if part is None else _planes(part) for part in shown]
        ground, texture = _planes(materials.ground), materials.texture.unsqueeze(2)
        # Pixels do not see one another here: a strip at a time stays in a CPU's cache.
        high = h if torch.is_grad_enabled() or fine.device.type != "cpu" else max(STRIP // (b * w), 1)
        strips = [(..., slice(top, min(top + high, h)), slice(None)) for top in range(0, h, high)]
        mixed = [
            self._mixed(
                fine[at], maps[at], None if memory is None else memory[at], paints, ground[at], texture[at],
                [None if picture is None else picture[at] for picture in pictures],
            )
            for at in strips
        ]  # fmt: skip
        paintings, keeps, residuals, logits = zip(*mixed, strict=True)
        painted, kept, residual = (torch.cat(parts, -2) if len(strips) > 1 else parts[0] for parts in (paintings, keeps, residuals))
        pixels, under, grain = by_cell(painted), by_cell(ground.transpose(1, 2)), by_cell(texture.transpose(1, 2))
        if raised is not None:
            pixels = self.relief.over(pixels, fine, seen, raised, paints, palette[:, Role.ACCENT], under, grain, static)
        if corners is not None:
            pixels = corners.over(pixels)
        clean = pixels.permute(0, 4, 3, 1, 2).reshape(b, CHANNELS, h, w) + residual
        known = [by_cell(picture.transpose(1, 2)) for picture in pictures if picture is not None]
        return Prediction(clean, kept.permute(0, 2, 3, 1), [strip.permute(0, 3, 4, 1, 2) for strip in logits], paints, under, grain, known)

    def _mixed(
        self, fine: Tensor, maps: Tensor, memory: Tensor | None, paints: Tensor, ground: Tensor, texture: Tensor, pictures: list[Tensor | None]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
        """What pixels show, (B, 3, 16, h, w), the previous frame's share of each, (B, 16, h, w), what is to be added to their latents,
        (B, 48, h, w), and the picks' logits, (B, 16, picks (+ 2), h, w).

        ground, texture, pictures: (B, 16, 3 or 1, h, w).
        """
        out, last = _in_planes(self.head, fine), PIXELS * self.picks
        learned, trust, residual = out[:, :last], out[:, last : last + 1], out[:, last + 1 :]  # by `split`, none could be changed in place
        assert pictures[0] is not None
        logits = self._logits(learned.unflatten(1, (PIXELS, self.picks)), trust, fine, pictures[0], maps, memory)
        share = (logits - logits.amax(2, keepdim=True)).exp_()  # a softmax's, but for what all add up to: few planes are divided by that
        count = paints.shape[1]
        several = F.pad(paints, (0, 1), value=1.0).transpose(1, 2).unsqueeze(1)  # (B, 1, 8, paints)
        mixed = torch.matmul(several, share[:, :, :count].flatten(-2)).unflatten(-1, fine.shape[2:])
        whole = mixed[:, :, 7:] + share[:, :, count:].sum(2, keepdim=True)
        painted = torch.addcmul(mixed[:, :, :3], mixed[:, :, 3:6], texture)
        painted = torch.addcmul(painted, mixed[:, :, 6:7], ground)
        for i, picture in enumerate(pictures, count):
            painted = painted if picture is None else torch.addcmul(painted, share[:, :, i : i + 1], picture)
        return (painted / whole).transpose(1, 2), share[:, :, self.picks - 1] / whole[:, :, 0], residual, logits

    def _logits(self, learned: Tensor, trust: Tensor, fine: Tensor, guide: Tensor, maps: Tensor, memory: Tensor | None) -> Tensor:
        """What to pick: (B, 16, picks (+ 2), h, w), what was learned, which it takes the place of, on top of what is plain from the start.

        learned: (B, 16, picks, h, w); trust: (B, 1, h, w), how strongly the guide's roles hold; guide: (B, 16, 3, h, w) pixels; maps:
        (B, MAPS + PLACE, h, w). Plain is the role whose neutral colour is nearest where
        there is a guide, its own pixel where it is a picture; the previous frame without a guide, and hardly with one, or
        it would shine through.
        """
        present, verbatim = maps[:, :1], maps[:, 1 : 1 + PIXELS]
        learned[:, :, : len(self.prototypes)].addcmul_(self._unlike(guide).to(learned.dtype), ((-2 - trust) * (present * (1 - verbatim))).unsqueeze(2))
        learned[:, :, -2].add_(verbatim, alpha=10)
        learned[:, :, -1].add_(6 - self.unlike * present)
        if memory is None:
            return learned
        out, held = _in_planes(self.memory_out, fine), memory[:, MEMORIES * CHANNELS :]
        return torch.cat([learned, out.unflatten(1, (PIXELS, MEMORIES)) - UNKNOWN * (1 - held).unsqueeze(1)], 2)

    def _unlike(self, guide: Tensor) -> Tensor:
        """How unlike each role's neutral colour pixels (B, 16, 3, h, w) are, the logarithm of one more than the squared distance in units
        of NEAR: (B, 16, roles, h, w).

        In float32 whatever the rest is in: half precision cannot tell the nearest roles apart.
        """
        pixels, near = guide.float(), self.prototypes.float()
        known = torch.cat([pixels, pixels.square().sum(2, keepdim=True), torch.ones_like(pixels[:, :, :1])], 2)
        weights = torch.cat([-2 * near, torch.ones_like(near[:, :1]), near.square().sum(-1, keepdim=True) + NEAR], 1) / NEAR
        with torch.autocast(guide.device.type, enabled=False):
            return torch.matmul(weights, known.flatten(-2)).unflatten(-1, guide.shape[-2:]).clamp_min(1).log()

    def _start(self) -> None:
        """Begin with a head that adds nothing of its own."""
        with torch.no_grad():
            residual = slice(PIXELS * self.picks, None)
            self.head.weight[residual].zero_()
            bias = torch.zeros(PIXELS, self.picks)
            bias[:, len(self.prototypes) :] = -5.0  # what has no prototype must be learned to be picked
            self.head.bias.zero_()  # type: ignore[union-attr]
            self.head.bias[: bias.numel()] = bias.flatten()  # type: ignore[index]
            if self.remembers:
                nn.init.zeros_(self.memory_in.weight)
                nn.init.constant_(self.memory_out.bias, -5.0)  # type: ignore[arg-type]
            if self.told_channels:
                nn.init.zeros_(self.shadow_in.weight)  # what is begun from weights that were not told paints as before


def pixels_of(latents: Tensor) -> Tensor:
    """Packed latents as pixels by cell: (B, 48, h, w) to (B, h, w, 16, 3), a view."""
    return by_cell(latents.unflatten(1, (-1, PIXELS)))


def by_cell(planes: Tensor) -> Tensor:
    """(B, C, 16, h, w) as pixels by cell: (B, h, w, 16, C), a view."""
    return planes.permute(0, 3, 4, 2, 1)


def _planes(latents: Tensor) -> Tensor:
    """Packed latents as planes of pixels: (B, 48, h, w) to (B, 16, 3, h, w), a view."""
    return latents.unflatten(1, (-1, PIXELS)).transpose(1, 2)


def _in_planes(layer: nn.Conv2d, x: Tensor) -> Tensor:
    """A 1x1 convolution of (B, C, h, w), channels last, that gives planes: (B, D, h, w), contiguous. A CPU does it in half the time."""
    weight = layer.weight.flatten(1).expand(len(x), -1, -1)
    assert layer.bias is not None
    return torch.baddbmm(layer.bias[None, :, None], weight, x.flatten(2)).unflatten(2, x.shape[2:])

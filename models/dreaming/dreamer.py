"""The dreamer: from the last guide, the event and the context to the next guide.

It says which cells of 8x8 pixels change (a choice, not a mixture: what need not change stays exactly as it is) and, of
each of their pixels, what it shows: one of the codes (`models.dreaming.codes`), or the same pixel of one of the pictures
at hand. The pictures: the last guide, what is remembered of the place (`models.memory`), the last guide moved as
far as the event moves things, and the last guide with the typed letter put in (`models.dreaming.planes`). Copying what
is at hand is after the pointer-generator of See et al., 2017 (arXiv:1704.04368). Where a letter goes, the dreamer finds
by itself: `pens`.

Every layer is local, like the denoiser's, so it learns from crops.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.context import APP_SLOTS, EVENTS_SIZE, SLOW_SIZE, WINDOW_SIZE, WINDOWS
from models.configured import Configured, kept
from models.context_encoder import ContextEncoder
from models.dreaming.book import Book
from models.dreaming.codes import CODES, COLOURS, NUMBERS
from models.layers import Steering, UNet, block_row, through

CELL = 8  # pixels a side
PIXELS = CELL * CELL
COPIES = 5  # pictures that can be copied from: the last guide, latest, ground, moved, typed
PICKS = COLOURS + COPIES
ALIGN = 32  # pixels: the coarsest cell; crops start and end on it
PERIODS = (8, 32, 128, 512)  # pixels: of the waves that tell a distance
SCALES = (8, 64)  # pixels: how far the two slopes that tell a distance reach
DISTANCE = len(SCALES) + 2 * len(PERIODS)  # numbers that tell one
MAPS = 4 * DISTANCE + 2 * DISTANCE + PIXELS + 4 + 4 * DISTANCE + 2 + WINDOWS + APP_SLOTS
AT_ONCE = 64  # cells
NOTHING = -30.0  # logit of a picture of which nothing is known there
MARGIN = 8  # pixels around a window that still belong to it


@dataclass(frozen=True)
class Place:
    """Where crops lie. corners: (B, 2), x and y of their left top pixels; size: (B, 2), width and height of their
    frames; shape: (rows, columns) of cells of each crop."""

    corners: Tensor
    size: Tensor
    shape: tuple[int, int]


class Dreamer(UNet, Configured):
    """widths: channels at 1/8, 1/16 and 1/32 of the frame; blocks: residual blocks on the way down, in the middle, and up;
    mix: numbers a pixel's pick is chosen by; pen: channels of what finds where letters go. `book`, how windows look that a
    dream has not seen, is not a weight: it is learned before them, and empty until then. See `forward` for the shapes."""

    numbers: Tensor

    @kept
    def __init__(
        self,
        widths: tuple[int, int, int] = (96, 144, 144),
        blocks: tuple[int, int, int, int, int] = (1, 1, 2, 1, 1),
        token_width: int = 64,
        mix: int = 16,
        pen: int = 48,
    ) -> None:
        super().__init__()
        fine, _, deep = widths
        self.encoder = ContextEncoder(SLOW_SIZE, slow_tokens=2, token_width=token_width, palette=0)
        tokens = self.encoder.tokens
        self.register_buffer("numbers", torch.from_numpy(NUMBERS), persistent=False)
        self.book = Book()
        seen = NUMBERS.shape[1] * PIXELS  # channels a picture
        self.summary = nn.Linear(tokens * token_width, deep)
        self.stem = nn.Conv2d(COPIES * seen + MAPS, fine, 1)
        self._make_body(widths, blocks, token_width)
        self.change = nn.Conv2d(fine, 1, 1)
        self.mixed = nn.Linear(fine, PIXELS * mix)
        self.picked = nn.Linear(mix, PICKS)
        self.pen_stem = nn.Conv2d(2 * seen, pen, 1)
        self.pen_near = block_row(pen, deep, 1)
        self.pen_down = nn.Conv2d(pen, pen, 2, stride=2)
        self.pen_far = block_row(pen, deep, 2)
        self.pen_up = nn.Conv2d(pen, pen * 4, 1)
        self.pen_last = block_row(pen, deep, 1)
        self.pen_cell = nn.Conv2d(pen, 1, 1)
        self.pen_pixel = nn.Conv2d(pen, PIXELS, 1)
        nn.init.constant_(self.change.bias, -2.0)  # type: ignore[arg-type]

    def tokens(self, slow: Tensor, recent: Tensor) -> Tensor:
        """The context: (B, S) and (B, R) to (B, K, D)."""
        return self.encoder(slow, recent)  # type: ignore[no-any-return]

    def forward(self, codes: Tensor, maps: Tensor, tokens: Tensor, alike: Sequence[int] = ()) -> tuple[Tensor, Tensor]:
        """codes: uint8 (B, COPIES, H, W), the pictures at hand; maps: (B, MAPS, h, w), see `maps_of`, h = H / 8; tokens:
        (B, K, D). H and W are multiples of ALIGN. alike: which pictures are known to be the same as the first: they are not
        looked at again.

        Returns which cells change, logits (B, h, w), and what `picks` needs of each cell: (B, h, w, C).
        """
        fine = self._through_body(self._looked_at(codes, maps, alike), self._steering(tokens))
        return self.change(fine).squeeze(1), fine.permute(0, 2, 3, 1)

    def _steering(self, tokens: Tensor) -> Steering:
        return Steering(F.silu(self.summary(tokens.flatten(1))), tokens)

    def _looked_at(self, codes: Tensor, maps: Tensor, alike: Sequence[int]) -> Tensor:
        """What the stem makes of pictures and maps; of the same picture it takes the sum of its weights."""
        if not alike:
            return self.stem(torch.cat([self._seen(codes), maps], 1))  # type: ignore[no-any-return]
        *own, rest = self.stem.weight.split([(self.stem.weight.shape[1] - MAPS) // COPIES] * COPIES + [MAPS], 1)
        others = [i for i in range(1, COPIES) if i not in alike]
        weight = torch.cat([own[0] + sum(own[i] for i in alike), *(own[i] for i in others)], 1)
        return F.conv2d(self._seen(codes[:, [0, *others]]), weight, self.stem.bias) + F.conv2d(maps, rest)

    def picks(self, cells: Tensor, codes: Tensor) -> Tensor:
        """What pixels show: of n cells, (n, C), where the pictures at hand are `codes`, (n, COPIES, 64): logits
        (n, 64, PICKS), colours first, then the pictures."""
        rows = F.silu(self.mixed(cells).unflatten(1, (PIXELS, -1)))
        logits = self.picked(rows)
        logits[..., COLOURS:] += (codes == CODES - 1).transpose(1, 2) * NOTHING
        return logits

    def choose(self, cells: Tensor, codes: Tensor) -> Tensor:
        """Of `picks`, the likeliest: uint8 (n, 64). On a CPU in parts that its cache holds."""
        size = AT_ONCE if cells.device.type == "cpu" else max(len(cells), 1)
        parts = zip(cells.split(size), codes.split(size), strict=True)
        return torch.cat([self.picks(some, shown).argmax(-1).to(torch.uint8) for some, shown in parts])

    def pens(self, codes: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Where a letter that is typed now goes: of the last guide and the latest, uint8 (B, 2, H, W), logits of the cell,
        (B, h, w), and of the pixel in it, (B, h, w, 64)."""
        steering = self._steering(tokens)
        near = through(self.pen_near, self.pen_stem(self._seen(codes)), steering)
        far = through(self.pen_far, self.pen_down(near), steering)
        last = F.silu(through(self.pen_last, near + F.pixel_shuffle(self.pen_up(far), 2), steering))
        return self.pen_cell(last).squeeze(1), self.pen_pixel(last).permute(0, 2, 3, 1)

    def _seen(self, codes: Tensor) -> Tensor:
        """Pictures in codes as cells: (B, P, H, W) to (B, P * 6 * 64, h, w)."""
        cells = by_cell(codes)  # (B, h, w, P, 64)
        return F.embedding(cells.to(torch.int32), self.numbers).flatten(3).permute(0, 3, 1, 2)


def by_cell(planes: Tensor) -> Tensor:
    """(B, P, H, W) to (B, H / 8, W / 8, P, 64)."""
    split = planes.unflatten(2, (-1, CELL)).unflatten(4, (-1, CELL))  # (B, P, h, 8, w, 8)
    return split.permute(0, 2, 4, 1, 3, 5).flatten(4)


def maps_of(place: Place, pointer: Tensor, buttons: Tensor, recent: Tensor) -> Tensor:
    """What is known of every cell: where it lies in its frame, from the pointer, and in which window: (B, MAPS, h, w).

    pointer: (B, 2), frame pixels; buttons: (B, 3), which are down; recent: (B, RECENT_SIZE), of which the windows are read.
    """
    h, w = place.shape
    middle = torch.arange(max(h, w), device=pointer.device) * CELL + CELL / 2
    x = (place.corners[:, :1] + middle[:w]).unsqueeze(1).expand(-1, h, -1)
    y = (place.corners[:, 1:] + middle[:h]).unsqueeze(2).expand(-1, -1, w)
    wide, high = place.size[:, 0].view(-1, 1, 1), place.size[:, 1].view(-1, 1, 1)
    frame = [distances(d) for d in (x, wide - x, y, high - y)]
    px, py = pointer[:, 0].view(-1, 1, 1), pointer[:, 1].view(-1, 1, 1)
    here = ((x - px).abs() <= CELL / 2) & ((y - py).abs() <= CELL / 2)
    pixel = (py % CELL * CELL + px % CELL).long().clamp(0, PIXELS - 1)
    spot = F.one_hot(pixel, PIXELS).permute(0, 3, 1, 2) * here.unsqueeze(1)
    held = buttons.view(-1, 3, 1, 1).expand(-1, 3, h, w)
    maps = [*frame, distances(x - px), distances(y - py), spot, here.unsqueeze(1), held, _windows(x, y, place.size, recent)]
    return torch.cat([part.float() for part in maps], 1).contiguous(memory_format=torch.channels_last)


def distances(pixels: Tensor) -> Tensor:
    """A distance in slopes and waves, so that near ones are told to the pixel: (B, h, w) to (B, DISTANCE, h, w)."""
    slopes = [torch.tanh(pixels / scale) for scale in SCALES]
    turns = [pixels * (2 * math.pi / period) for period in PERIODS]
    return torch.stack([*slopes, *(turn.sin() for turn in turns), *(turn.cos() for turn in turns)], 1)


def _windows(x: Tensor, y: Tensor, size: Tensor, recent: Tensor) -> Tensor:
    """Of the front window that holds a cell, or ends within MARGIN of it: how far its edges are, its size, how far back it
    is, and which app; zeros where there is none."""
    placed = recent[:, EVENTS_SIZE:].unflatten(1, (WINDOWS, WINDOW_SIZE))
    out = x.new_zeros(len(x), 4 * DISTANCE + 2 + WINDOWS + APP_SLOTS, *x.shape[1:])
    for back in reversed(range(WINDOWS)):
        left, top, w, h = ((placed[:, back, i] * size[:, i % 2]).round().view(-1, 1, 1) for i in range(4))
        edges = x - left, left + w - x, y - top, top + h - y
        inside = torch.stack(edges).amin(0) > -MARGIN
        inside = inside & (w > 0)
        app = placed[:, back, 4:].view(-1, APP_SLOTS, 1, 1).expand(-1, -1, *x.shape[1:])
        extent = torch.stack([w / 256, h / 256], 1).expand(-1, -1, *x.shape[1:])
        rank = F.one_hot(torch.tensor(back, device=x.device), WINDOWS).view(1, -1, 1, 1).expand(len(x), -1, *x.shape[1:])
        own = torch.cat([*(distances(edge) for edge in edges), extent, rank, app], 1)
        out = torch.where(inside.unsqueeze(1), own, out)
    return out

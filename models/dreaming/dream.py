"""A dream: the guide it has come to, what it remembers, and how an event carries it on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from engine.context import RECENT_SIZE, text_size_of
from engine.geometry import Rect
from engine.guide import rects_of
from engine.painter import PaintRequest
from models.dreaming.codes import BOOK, COLOURS, NOWHERE, codes_of
from models.dreaming.dreamer import CELL, PIXELS, Dreamer, Place, by_cell, maps_of
from models.dreaming.letters import Guess, Pen, caret_near, letter_of, typed
from models.dreaming.planes import PLANES, SEEN, joined, moved, movement, stacked
from models.dreaming.steps import Step, steps_of
from models.inputs import held
from models.memory import PictureMemory, wide

WHOLE = 0.4  # share of a letter's pixels that are picked from which all of it is shown
SURE = 1.1  # logit from which a cell changes: in training those that do count threefold


class Dream:
    """For frames of `size` (width, height). Its planes and its memory are kept on the CPU, in 8 bits; the dreamer computes
    where it is."""

    def __init__(self, dreamer: Dreamer, size: tuple[int, int]) -> None:
        width, height = size
        self._dreamer = dreamer
        self._size = size
        self._bounds = Rect(0, 0, width, height)
        self._planes = torch.zeros(PLANES, height, width, dtype=torch.uint8)
        self._memory = PictureMemory(size, planes=PLANES)
        self._recent = np.zeros(RECENT_SIZE, np.float32)  # as of the last step: from it, it is told what moved
        self._last = ""  # the letter that was typed right before
        self._book = torch.from_numpy(BOOK)

    def begin(self, request: PaintRequest) -> None:
        """Wake from the request's guide: it lies under all that follows."""
        assert request.guide is not None
        self._planes = stacked(request.guide, request.verbatim, request.corners)
        self._memory.clear()
        self._memory.ground(self._bounds, self._planes)
        self._recent, self._last = request.context.recent, ""

    def answer(self, request: PaintRequest) -> tuple[Rect, ...]:
        """Carry the dream on by the request's events; returns where its guide is no longer the same, on the grid."""
        before = self._planes
        for step in steps_of(request):
            self._take(step)
        apart = (before != self._planes).any(0).numpy()
        return tuple(rects_of(apart, self._bounds))

    @property
    def guide(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pixels, verbatim mask and corners, as a request has them."""
        planes = self._planes.numpy()
        return planes[:3].transpose(1, 2, 0), planes[3], planes[4:].transpose(1, 2, 0)

    def state(self) -> Tensor:
        """Everything as pictures, uint8 (N, 3, H, W), for `restore`."""
        return joined([self._planes, *self._memory.state()])

    def restore(self, state: Tensor | None) -> None:
        """Take back what `state` gave; None: forget everything."""
        self._planes = torch.zeros_like(self._planes)
        self._memory.clear()
        self._recent, self._last = np.zeros(RECENT_SIZE, np.float32), ""
        if state is not None:
            flat = state.flatten(0, 1)
            self._planes = flat[:PLANES].clone()
            kept = len(flat) // PLANES * PLANES
            self._memory.restore(flat[PLANES:kept].unflatten(0, (-1, PLANES)))

    @torch.inference_mode()
    def _take(self, step: Step) -> None:
        context, device = step.context, self._dreamer.device
        slow, recent = (torch.from_numpy(x)[None].to(device) for x in (context.slow, context.recent))
        tokens = self._dreamer.tokens(slow, recent)
        pictures, codes, spots = self._at_hand(step, tokens)
        width, height = self._size
        corner, size = torch.zeros(1, 2, device=device), torch.tensor([[width, height]], device=device).float()
        place = Place(corner, size, (height // CELL, width // CELL))
        pointer = torch.tensor([step.pointer], device=device).float()
        change, cells = self._dreamer(codes, maps_of(place, pointer, held(step.buttons)[None].to(device), recent), tokens)
        found = change[0] > SURE
        if found.any():
            picks = torch.full((*found.shape, PIXELS), COLOURS)  # the last guide's own
            picks[found.cpu()] = self._dreamer.picks(cells[0][found], by_cell(codes)[0][found]).argmax(-1).cpu()
            self._show(pictures, _by_pixel(picks.unsqueeze(2))[0], spots)
        self._recent, self._last = context.recent, letter_of(step.event)

    def _at_hand(self, step: Step, tokens: Tensor) -> tuple[list[Tensor], Tensor, tuple[Rect, ...]]:
        """The pictures that can be copied from, uint8 (PLANES, H, W) each, and their codes, (1, COPIES, H, W); and where a
        letter stands in the last of them."""
        planes, recalled = self._planes, self._memory.recall(self._bounds)
        text_size = text_size_of(step.context.slow)
        dx, dy = movement(step.event, self._recent, step.context.recent, self._size, text_size)
        pictures = [planes, *recalled.pixels, moved(planes, dx, dy) if dx or dy else planes]
        codes = torch.stack([codes_of(picture[:3], picture[3]) for picture in pictures])
        codes[1:3][~wide(recalled.known)] = NOWHERE
        letter, guess, own = letter_of(step.event), Guess(planes, ()), codes[0]
        if letter:
            guess = typed(planes, letter, text_size, self._pen(codes, tokens), self._last)
            own = codes_of(guess.planes[:3], guess.planes[3])
        return [*pictures, guess.planes], torch.cat([codes, own[None]])[None].to(tokens.device), guess.spots

    def _pen(self, codes: Tensor, tokens: Tensor) -> Pen:
        """Where a letter goes that is typed now: to the pixel at a caret, if one is seen near where it is believed to go."""
        cell, pixel = self._dreamer.pens(codes[None, :2].to(tokens.device), tokens)
        at = int(cell.flatten().argmax())
        inside = int(pixel.flatten(1, 2)[0, at].argmax())
        columns = cell.shape[2]
        pen = at % columns * CELL + inside % CELL, at // columns * CELL + inside // CELL
        return caret_near(codes[0].numpy(), pen)

    def _show(self, pictures: list[Tensor], picks: Tensor, spots: Sequence[Rect]) -> None:
        """Take what was picked of each pixel, (H, W), into the guide. A letter comes whole or not at all."""
        before, letter = self._planes, COLOURS + len(pictures) - 1
        if spots:
            inside = torch.zeros_like(picks, dtype=torch.bool)
            for spot in spots:
                inside[spot.slices] = True
            apart = inside & (pictures[-1][:SEEN] != before[:SEEN]).any(0)
            if (picks[apart] == letter).float().mean() > WHOLE:
                picks[inside] = letter
        new = torch.zeros_like(before)
        new[:3] = self._book[picks.clamp(max=COLOURS - 1)].permute(2, 0, 1)
        for i, picture in enumerate(pictures, COLOURS):
            new = torch.where(picks == i, picture, new)
        self._planes = new
        self._memory.replace(self._bounds, before, new)


def _by_pixel(cells: Tensor) -> Tensor:
    """The inverse of `by_cell`, of one picture: (h, w, P, 64) to (P, h * 8, w * 8)."""
    split = cells.unflatten(3, (CELL, CELL)).permute(2, 0, 3, 1, 4)
    return split.flatten(1, 2).flatten(2).contiguous()

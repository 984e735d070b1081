"""A dream: the guide it has come to, what it remembers, and how an event carries it on."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.context import RECENT_SIZE, text_size_of
from engine.geometry import Rect
from engine.guide import rects_of
from engine.painter import PaintRequest
from models.dreaming.codes import BOOK, COLOURS, NOWHERE, codes_of
from models.dreaming.dreamer import CELL, PIXELS, Dreamer, Place, by_cell, maps_of
from models.dreaming.planes import PLANES, Pen, joined, letter_of, moved, movement, stacked, typed
from models.dreaming.steps import Step, steps_of
from models.inputs import held
from models.memory import PictureMemory, wide


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
        self._book = torch.from_numpy(BOOK)

    def begin(self, request: PaintRequest) -> None:
        """Wake from the request's guide: it lies under all that follows."""
        assert request.guide is not None
        self._planes = stacked(request.guide, request.verbatim, request.corners)
        self._memory.clear()
        self._memory.ground(self._bounds, self._planes)
        self._recent = request.context.recent

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
        self._recent = np.zeros(RECENT_SIZE, np.float32)
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
        pictures, codes = self._at_hand(step, tokens)
        width, height = self._size
        place = Place(torch.zeros(1, 2, device=device), torch.tensor([[width, height]], device=device).float(), (height // CELL, width // CELL))
        pointer = torch.tensor([step.pointer], device=device).float()
        maps = maps_of(place, pointer, held(step.buttons)[None].to(device), recent)
        change, cells = self._dreamer(codes, maps.to(tokens.dtype), tokens)
        found = change[0] > 0
        if found.any():
            shown = self._dreamer.picks(cells[0][found], by_cell(codes)[0][found]).argmax(-1)
            self._show(pictures, found.cpu(), shown.cpu())
        self._recent = context.recent

    def _at_hand(self, step: Step, tokens: Tensor) -> tuple[list[Tensor], Tensor]:
        """The pictures that can be copied from, uint8 (PLANES, H, W) each, and their codes, (1, COPIES, H, W)."""
        planes, recalled = self._planes, self._memory.recall(self._bounds)
        text_size = text_size_of(step.context.slow)
        dx, dy = movement(step.event, self._recent, step.context.recent, self._size, text_size)
        pictures = [planes, *recalled.pixels, moved(planes, dx, dy) if dx or dy else planes]
        codes = torch.stack([codes_of(picture[:3], picture[3]) for picture in pictures])
        codes[1:3][~wide(recalled.known)] = NOWHERE
        letter = letter_of(step.event)
        guess, own = planes, codes[0]
        if letter:
            guess = typed(planes, letter, text_size, self._pen(codes, tokens))
            own = codes_of(guess[:3], guess[3])
        return [*pictures, guess], torch.cat([codes, own[None]])[None].to(tokens.device)

    def _pen(self, codes: Tensor, tokens: Tensor) -> Pen:
        """Where a letter goes that is typed now."""
        cell, pixel = self._dreamer.pens(codes[None, :2].to(tokens.device), tokens)
        at = int(cell.flatten().argmax())
        inside = int(pixel.flatten(1, 2)[0, at].argmax())
        columns = cell.shape[2]
        return at % columns * CELL + inside % CELL, at // columns * CELL + inside // CELL

    def _show(self, pictures: list[Tensor], found: Tensor, shown: Tensor) -> None:
        """Let the cells `found`, bool (h, w), show what was picked: (n, 64)."""
        cells = by_cell(self._planes[None])[0]  # (h, w, PLANES, 64)
        new = cells.new_zeros(len(shown), PLANES, PIXELS)
        new[:, :3] = self._book[shown.clamp(max=COLOURS - 1)].transpose(1, 2)
        for i, picture in enumerate(pictures, COLOURS):
            copied = (shown == i).unsqueeze(1)
            if copied.any():
                new = torch.where(copied, by_cell(picture[None])[0][found], new)
        cells = cells.index_put((*found.nonzero(as_tuple=True),), new)
        before, self._planes = self._planes, _by_pixel(cells)
        self._memory.replace(self._bounds, before, self._planes)


def _by_pixel(cells: Tensor) -> Tensor:
    """The inverse of `by_cell`, of one picture: (h, w, P, 64) to (P, h * 8, w * 8)."""
    split = cells.unflatten(3, (CELL, CELL)).permute(2, 0, 3, 1, 4)
    return split.flatten(1, 2).flatten(2).contiguous()



"""The frame that a prompted painter holds on its device, and how new pixels get into it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from engine.geometry import Rect
from engine.painter import PaintRequest, Patch, Pixels, put_into
from models.ferry import Ferry

BLEND = 8  # pixels around the change in which old and new are mixed
EMPTY = 128  # the grey of a frame of which nothing is known


@dataclass(frozen=True)
class Kept:
    """A crop's patches, and the latents under them, each (1, C, h, w): one of each for every damaged rect."""

    patches: tuple[Patch, ...]
    latents: tuple[Tensor, ...]

    def part(self, rects: tuple[Rect, ...], cells: Callable[[Rect], Any]) -> Kept:
        """Of a whole frame, what is in rects. cells: the index of a rect's latents."""
        pixels, latents = self.patches[0].pixels, self.latents[0]
        return Kept(tuple(Patch(rect, pixels[rect.slices].copy()) for rect in rects), tuple(latents[cells(rect)] for rect in rects))

    @property
    def nbytes(self) -> int:
        return sum(patch.pixels.nbytes for patch in self.patches) + sum(latents.nbytes for latents in self.latents)


class HeldFrame:
    """pixels: uint8 (1, 3, H, W); ferry: what brings pictures to its device and back."""

    def __init__(self, size: tuple[int, int], device: torch.device) -> None:
        self.size = size
        self.whole = Rect(0, 0, *size)
        self.ferry = Ferry(device)
        self.pixels = torch.full((1, 3, size[1], size[0]), EMPTY, dtype=torch.uint8, device=device)

    def showing(self, guide: Pixels | None, damage: Iterable[Rect], area: Rect) -> Tensor:
        """An area of the frame with the guide, uint8 (H, W, 3), in the damage, if there is one: uint8 (1, 3, h, w)."""
        shown = self.pixels[(..., *area.slices)]
        if guide is None or not (rects := [part for rect in damage if (part := rect.meet(area))]):
            return shown
        given = self._brought(guide[area.slices])
        if area in rects:
            return given
        shown = shown.clone()
        for rect in rects:
            place = (..., *rect.shift(-area.x, -area.y).slices)
            shown[place] = given[place]
        return shown

    def begin(self, request: PaintRequest) -> tuple[list[Patch], tuple[Rect, ...]]:
        """Show what is content in the guide and nothing else as it is: patches of it, and the damage that is left to paint."""
        content = [rect for rect in request.damage if _is_content(rect, request)]
        patches = [self._put(rect, request) for rect in content]
        return patches, tuple(rect for rect in request.damage if rect not in content)

    def take_for(self, request: PaintRequest, rect: Rect, painted: Tensor) -> Patch:
        """As `take`, but what is content in the guide, as a picture of the user's, stays as it is."""
        patch = self.take(rect, painted)
        if request.guide is None or request.verbatim is None or not request.verbatim[rect.slices].any():
            return patch
        content = request.verbatim[rect.slices] > 0
        patch.pixels[content] = request.guide[rect.slices][content]
        self.hold(rect, patch.pixels)
        return patch

    @contextmanager
    def lent(self, pixels: Pixels) -> Iterator[None]:
        """Hold another frame, uint8 (H, W, 3), for a while."""
        kept, self.pixels = self.pixels, self._brought(pixels).clone()
        try:
            yield
        finally:
            self.pixels = kept

    def _put(self, rect: Rect, request: PaintRequest) -> Patch:
        assert request.guide is not None
        self.hold(rect, request.guide[rect.slices])
        return Patch(rect, request.guide[rect.slices].copy())

    def hold(self, rect: Rect, pixels: Pixels) -> None:
        """Take pixels, uint8 (h, w, 3), as they are."""
        self.pixels[(..., *rect.slices)] = self._brought(pixels)

    def take(self, rect: Rect, painted: Tensor) -> Patch:
        """Take a damaged rect's new pixels, float (1, 3, h, w) in [0, 1], mixed with what was there along its edges."""
        place, mixed = (..., *rect.slices), painted.float()
        if rect != self.whole:
            down = _rising(rect.h, rect.y > 0, rect.bottom < self.size[1], self.pixels.device)
            across = _rising(rect.w, rect.x > 0, rect.right < self.size[0], self.pixels.device)
            mixed = torch.lerp(self.pixels[place].float() / 255, mixed, down[:, None] * across)
        self.pixels[place] = (mixed.clamp(0, 1) * 255).round().to(torch.uint8)
        return Patch(rect, self.ferry.down(self.pixels[place][0].permute(1, 2, 0)))

    def array(self, out: Pixels | None = None) -> Pixels:
        """uint8 (H, W, 3), a copy, in `out` or a new array."""
        return put_into(out, self.ferry.down(self.pixels[0].permute(1, 2, 0)))

    def _brought(self, pixels: Pixels) -> Tensor:
        """uint8 (h, w, 3) to (1, 3, h, w) on the device."""
        return self.ferry.up(pixels).permute(2, 0, 1)[None]


def with_parts(pixels: Pixels, picture: Pixels, rects: Iterable[Rect], area: Rect) -> Pixels:
    """A copy of the frame that shows `picture`, which is of an area of it, in rects: uint8 (H, W, 3)."""
    shown = pixels.copy()
    for rect in rects:
        shown[rect.slices] = picture[rect.shift(-area.x, -area.y).slices]
    return shown


@lru_cache(maxsize=256)
def _rising(length: int, first: bool, last: bool, device: torch.device) -> Tensor:
    """How much of the new is taken of so many pixels in a row: rising over BLEND of them from an end that is inside the frame."""
    steps = torch.arange(length, dtype=torch.float32) + 0.5
    share = torch.minimum(torch.ones_like(steps), steps / BLEND) if first else torch.ones_like(steps)
    return (torch.minimum(share, (length - steps) / BLEND) if last else share).to(device)


def _is_content(rect: Rect, request: PaintRequest) -> bool:
    return request.guide is not None and request.verbatim is not None and bool(request.verbatim[rect.slices].all())

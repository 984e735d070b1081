"""The way down when memory runs out while a checkpoint paints: what is given up, in what order, and what is painted again.

Caches are emptied first, then CUDA graphs let go: they read weights where these lay. Then, one step at a time: attention and
autoencoder work in pieces; large changes are painted in smaller crops; weights are packed into four bits, or wait in the main memory; the checkpoint paints at half the frame's size. Each step holds from then on.
Where none is left the painter fails, and whoever holds it opens another checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from engine.card import Reading
from engine.errors import PixelOSError, Shortage
from engine.painter import (
    GuessingPainter,
    OnPreview,
    OnStep,
    Painter,
    PainterInfo,
    Painting,
    PaintRequest,
    PreviewingPainter,
    Readiness,
    ReadyingPainter,
    SteppingPainter,
)
from models.card import own_card
from models.devices import empty_caches, ran_out
from models.graphs import Graphs

if TYPE_CHECKING:  # it knows the libraries' networks, which take a second or two to be taken in, and the bundled family has none of them
    from models.placing import Placement

Result = TypeVar("Result")
LEAST_CROP = 256  # pixels: in smaller ones a checkpoint does not see what it paints, unless the frame itself is no larger
GRID = 64  # of a crop's sides
SMALLER = 2  # by how much smaller than the frame a checkpoint paints, along each side, at the last
TILED = "attention and autoencoder work piece by piece, which takes longer"
CROPPED = "large changes are painted in smaller crops, whose seams may show"
PACKED = "large networks lie in four bits, and paint a little less exactly"
WAITING = "weights wait in the main memory, which takes longer"
SHRUNK = "it paints at half the size, scaled up: text stays exact, all else is less sharp"


class Ladder:
    """Of one painter, which keeps to `most` and `scale`. most: pixels, the longest side of what is painted at once, 0 for
    any; scale: how many of the frame's pixels one of the checkpoint's stands for, along each side."""

    def __init__(self, size: tuple[int, int], placement: Placement | None = None) -> None:
        self.most, self.scale = 0, 1
        self.gave_up: tuple[str, ...] = ()
        self._size, self._placement = size, placement
        tile, pack, wait = (placement.tile, placement.pack, placement.down) if placement is not None else (_no_way,) * 3
        self._ways = ((tile, TILED), (self._crop, CROPPED), (pack, PACKED), (wait, WAITING), (self._shrink, SHRUNK))

    def down(self) -> bool:
        """Take the next step; False where there is none."""
        for way, words in self._ways:
            if way():
                self.gave_up = (*(said for said in self.gave_up if said != words), words)
                return True
        return False

    @property
    def plan(self) -> str:
        """How the checkpoint lies in memory and paints, in words; "" for one that has no plan and gave nothing up."""
        own = [f"crops of at most {self.most} pixels" * (self.most > 0), "half the size, scaled up" * (self.scale > 1)]
        how, colon, needs = str(self._placement.plan if self._placement is not None else "").partition(":")
        return ", ".join(part for part in (how, *own) if part) + colon + needs

    def less(self, whole: Tensor) -> Tensor:
        """Pictures or latents, (B, C, h, w), as large as the checkpoint paints them: the frame's size, unless memory ran out."""
        return whole if self.scale == 1 else avg_pool2d(whole, self.scale)

    def more(self, painted: Tensor) -> Tensor:
        """A picture back to the frame's size."""
        return painted if self.scale == 1 else interpolate(painted, scale_factor=self.scale, mode="bicubic")

    def as_kept(self, latents: Tensor) -> Tensor:
        """Latents as they are kept: of the frame's size."""
        return latents if self.scale == 1 else latents.repeat_interleave(self.scale, -2).repeat_interleave(self.scale, -1)

    def _crop(self) -> bool:
        longest = self.most or max(self._size)
        half = max(longest // 2 // GRID * GRID, LEAST_CROP if max(self._size) > LEAST_CROP else LEAST_CROP - GRID)
        if half >= longest:
            return False
        self.most = half
        return True

    def _shrink(self) -> bool:
        before, self.scale = self.scale, SMALLER
        return before != SMALLER


def _no_way() -> bool:
    return False


class Careful:
    """A painter that outlives running out of memory: what is being painted is painted again, a step further down its ladder.

    Raises Shortage where no step is left; the painter then is as it was before. Of the bundled checkpoint, in whose place
    there is no smaller one, PixelOSError: it is asked again. device: whose memory `card` tells of.
    """

    def __init__(self, painter: Painter, device: torch.device | None = None) -> None:
        self.painter = painter
        self._device = device
        self.ladder: Ladder | None = getattr(painter, "ladder", None)
        self._graphs: Graphs | None = getattr(painter, "graphs", None)
        self._kept: np.ndarray | None = None  # what it would paint on from; None: since the last paint nobody asked

    @property
    def info(self) -> PainterInfo:
        """With what was given up so far."""
        info = self.painter.info
        return info if self.ladder is None else replace(info, plan=self.ladder.plan, gave_up=self.ladder.gave_up)

    def paint(self, request: PaintRequest) -> Painting:
        self.latents()
        painting = self._outliving(partial(self.painter.paint, request))
        self._kept = None
        return painting

    def get_ready(self) -> Readiness | None:
        return self.painter.get_ready() if isinstance(self.painter, ReadyingPainter) else None

    def card(self) -> Reading | None:
        return own_card(self._device) if self._device is not None else None

    def latents(self, out: np.ndarray | None = None) -> np.ndarray:
        """Those of the painter. `out` is to stay as it is until the next are asked for: from it is painted on where memory runs out."""
        if self._kept is None or out is not None:
            self._kept = self._outliving(partial(self.painter.latents, out))
        return self._kept

    def restore(self, latents: np.ndarray | None) -> None:
        self.painter.restore(latents)
        self._kept = None

    def close(self) -> None:
        self.painter.close()

    def _outliving(self, do: Callable[[], Result]) -> Result:
        """What `do` gives once there is memory for it."""
        emptied = False
        while True:
            try:
                return do()
            except (RuntimeError, MemoryError) as error:
                if not ran_out(error):
                    raise
            empty_caches()
            lost = emptied and not self._down()
            if self._kept is not None:
                self.painter.restore(self._kept)
            if lost:
                kind = PixelOSError if self.painter.info.family == "bundled" else Shortage
                raise kind(
                    f"memory ran out while {self.painter.info.name} painted; close other programs, choose a smaller window size, or another checkpoint (F2)"
                )
            emptied = True

    def _down(self) -> bool:
        """Whether anything could be given up."""
        return (self._graphs is not None and self._graphs.drop()) or (self.ladder is not None and self.ladder.down())


class CarefulStepping(Careful):
    """The same of a painter that tells of its steps."""

    painter: SteppingPainter

    @property
    def on_step(self) -> OnStep | None:
        return self.painter.on_step

    @on_step.setter
    def on_step(self, listener: OnStep | None) -> None:
        self.painter.on_step = listener


@runtime_checkable
class SteppingGuesser(SteppingPainter, GuessingPainter, Protocol):
    """One that tells of its steps and paints ahead."""


class CarefulGuessing(CarefulStepping):
    """The same of one that paints ahead, too. A guess for which memory runs out is given up."""

    painter: SteppingGuesser

    def guess(self, requests: Sequence[PaintRequest], dropped: Callable[[], bool]) -> int:
        return self.painter.guess(requests, dropped)


class CarefulPreviewing(CarefulStepping):
    """The same of a painter that shows an edit while it comes about."""

    painter: PreviewingPainter

    @property
    def on_preview(self) -> OnPreview | None:
        return self.painter.on_preview

    @on_preview.setter
    def on_preview(self, listener: OnPreview | None) -> None:
        self.painter.on_preview = listener


def careful(painter: Painter, device: torch.device | None = None) -> Careful:
    """The painter, with the way down that it has, if any. device: whose memory it is to tell of."""
    if isinstance(painter, PreviewingPainter):
        return CarefulPreviewing(painter, device)
    if isinstance(painter, SteppingGuesser):
        return CarefulGuessing(painter, device)
    return (CarefulStepping if isinstance(painter, SteppingPainter) else Careful)(painter, device)


def opened(do: Callable[[], Result], name: str) -> Result:
    """What `do` gives, which opens the checkpoint `name`: tried once more with empty caches where memory runs out. Raises
    Shortage where it runs out again."""
    for last in (False, True):
        try:
            return do()
        except (RuntimeError, MemoryError, Shortage) as error:
            if not isinstance(error, Shortage) and not ran_out(error):
                raise
            if last:
                told = str(error) if isinstance(error, Shortage) else f"memory ran out while {name} was opened; close other programs, or choose another checkpoint (F2)"
                raise Shortage(told) from error
        empty_caches()
    raise AssertionError("the second try gives or raises")

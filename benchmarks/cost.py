"""What painting costs by how much is painted: by damage at one size, and by size at full damage. In one process, the painter
alone: no window, no desktop, no other process. And whether that is a line above the smallest crop, as it should be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from benchmarks.watch import Watch
from engine.desktop.desktop import Desktop
from engine.events import Ask
from engine.geometry import Rect
from engine.guide import Guide
from engine.painter import Painter, PainterSpec, PaintRequest, Readiness, ReadyingPainter, Words
from models.catalog import open_painter
from models.crops import plan

SIDES = (32, 64, 96, 128, 192, 256, 320)  # pixels of square damage
SIZES = ((256, 192), (512, 384), (768, 576), (1024, 768))
PAINTS, WARM = 7, 2
CALM = 0.25  # share by which the middle half of some paints may lie apart, and what is smaller may take longer than what is larger
TRIES = 3  # until it does
STRAIGHT = 0.25  # departure up to which costs count as a line: sides of crops go up in steps
Say = Callable[[str], None]


class Cost(NamedTuple):
    """Median milliseconds of some paints; spread: how far the middle half of them lies apart, as a share of that."""

    ms: float
    spread: float


def costs(spec: PainterSpec, quick: bool = False, say: Say = print) -> dict[str, Any]:
    """Median milliseconds: `by_damage`, a list of [share of the frame, ms], the whole frame last; `crops`, the share that was
    computed for each; `by_size`, of [width, height, ms]; `damage_spread` and `size_spread`, of each; `disturbed`, why. Raises CheckpointError."""
    with Watch(spec.device) as watch:
        found = _costs(spec, quick, say)
    apart = [(f"{share:.1%} of the frame", off) for (share, _), off in zip(found["by_damage"], found["damage_spread"], strict=True)]
    apart += [(f"{w}x{h}", off) for (w, h, _), off in zip(found["by_size"], found["size_spread"], strict=True) if (w, h) != spec.size]
    noisy = [f"paints of {what} lay {off:.0%} apart" for what, off in apart if off > CALM]
    return {**found, "disturbed": [*watch.disturbed, *noisy]}


def _costs(spec: PainterSpec, quick: bool, say: Say) -> dict[str, Any]:
    timed = Timed(spec, 1 if quick else TRIES)
    width, height = spec.size
    sides = SIDES[1::2] if quick else SIDES
    rects = [Rect((width - side) // 2 // 8 * 8, (height - side) // 2 // 8 * 8, side, side) for side in sides if side <= min(spec.size)]
    rects.append(Rect(0, 0, width, height))
    found = calmed(lambda i: timed.cost(rects[i]), len(rects))
    by_damage = [[round(rect.area / (width * height), 4), cost.ms] for rect, cost in zip(rects, found, strict=True)]
    crops = [round(timed.computed(rect) / (width * height), 4) for rect in rects]
    say(f"painter alone: {by_damage[0][1]} ms for {rects[0].w}x{rects[0].h} pixels, {by_damage[-1][1]} ms for all of {width}x{height}")
    if line := line_through(by_damage, crops):
        say(f"painter alone: {line}")
    timed.close()
    sizes = [spec.size] if quick else sorted({spec.size, *SIZES}, key=lambda size: size[0] * size[1])
    whole = calmed(lambda i: found[-1] if sizes[i] == spec.size else _of_size(spec, sizes[i]), len(sizes))
    return {
        "by_damage": by_damage, "crops": crops, "by_size": [[*size, cost.ms] for size, cost in zip(sizes, whole, strict=True)],
        "damage_spread": [cost.spread for cost in found], "size_spread": [cost.spread for cost in whole],
    }  # fmt: skip


def _of_size(spec: PainterSpec, size: tuple[int, int]) -> Cost:
    timed = Timed(replace(spec, size=size))
    try:
        return timed.cost(Rect(0, 0, *size))
    finally:
        timed.close()


def calmed(cost: Callable[[int], Cost], count: int) -> list[Cost]:
    """The costs of `count` things, the smallest first. One that takes longer than one that is larger is measured again: the quicker counts, for
    nothing makes painting quicker than it is."""
    found = [cost(i) for i in range(count)]
    for i in range(count - 1):
        if found[i].ms > (1 + CALM) * min(larger.ms for larger in found[i + 1 :]):
            found[i] = min(found[i], cost(i))
    return found


@dataclass(frozen=True)
class Line:
    """Milliseconds `base + slope * share of the frame`; off: the largest departure of what was measured, as a share of the line."""

    base: float
    slope: float
    off: float

    @property
    def straight(self) -> bool:
        return self.off <= STRAIGHT

    def __str__(self) -> str:
        judged = "a line" if self.straight else "NO LINE"
        return f"{self.base:.1f} ms + {self.slope:.1f} ms x share of the frame, at most {self.off:.0%} off: {judged} above the smallest crop"


def line_through(by_damage: Sequence[Sequence[float]], crops: Sequence[float] = ()) -> Line | None:
    """The line nearest to the measured costs, in relative terms, above the smallest crop; None where fewer than three lie there.

    crops: share that was computed for each; where it is not known, only the first cost counts as one of the smallest crop.
    """
    least = min(crops, default=0.0)
    above = [point for i, point in enumerate(by_damage) if (crops[i] > least if crops else i)]
    if len(above) < 3:
        return None
    shares, times = np.array(above, float).T
    slope, base = np.polyfit(shares, times, 1, w=1 / times)
    fitted = base + slope * shares
    return Line(float(base), float(slope), float(np.abs(times / fitted - 1).max()))


def made_ready(painter: Any) -> Readiness | None:
    """Let a painter do all that makes it quicker, as it would in pauses; how that went, None where there was nothing."""
    last = None
    while isinstance(painter, ReadyingPainter) and (readiness := painter.get_ready()) is not None:
        last = readiness
    return last


class Timed:
    """A painter, and two pictures of a desktop that take turns, so that no paint is known already."""

    def __init__(self, spec: PainterSpec, tries: int = TRIES) -> None:
        self._tries = tries
        self._painter: Painter = open_painter(spec)
        self.info = self._painter.info
        desktop = Desktop(spec.size)
        self._size, self._features = spec.size, desktop.features()
        self._guides = []
        for t, app in enumerate(("Notes", "Calculator"), 1):
            desktop.handle(Ask(float(t), app))
            guide = Guide(spec.size)
            guide.update(desktop.items)
            self._guides.append(guide)
        self._count = 0
        self._painter.paint(self._request(Rect(0, 0, *spec.size)))  # what it gets ready for are such words
        made_ready(self._painter)

    def cost(self, damage: Rect) -> Cost:
        """Of a paint of it; where paints lie far apart they are measured again, and the calmest count."""
        tries: list[Cost] = []
        while len(tries) < self._tries and (not tries or tries[-1].spread > CALM):
            tries.append(self._cost(damage))
        return min(tries, key=lambda cost: cost.spread)

    def _cost(self, damage: Rect) -> Cost:
        times = []
        for _ in range(WARM + PAINTS):
            begun = perf_counter()
            self._painter.paint(self._request(damage))
            times.append((perf_counter() - begun) * 1e3)
        low, middle, high = np.percentile(times[WARM:], (25, 50, 75))
        return Cost(round(float(middle), 2), round(float((high - low) / middle), 3))

    def computed(self, damage: Rect) -> int:
        """Pixels that are painted for it, with what is thrown away; the whole frame where the painter does not tell."""
        cells = getattr(self._painter, "cells", None)
        size = self._size
        return sum(crop.area.area for crop in plan([damage], size, cells)) if cells else size[0] * size[1]

    def close(self) -> None:
        self._painter.close()

    def _request(self, damage: Rect) -> PaintRequest:
        self._count += 1
        guide = self._guides[self._count % 2]
        pixels = guide.pixels.copy()
        pixels[damage.y, damage.x : damage.x + 8] = self._count % 256  # each paint is of something new
        return PaintRequest(
            self._count, (), (damage,), pixels, guide.verbatim, self._features, forms=guide.forms, words=Words("clean")
        )

"""Whether a crop shows what the whole frame would: `python -m benchmarks.seams [--screens N] [--dtype NAME] [--out FILE.json]`,
of the bundled checkpoint, of `--checkpoint NAME`, or of a preset's architecture with random weights: `--preset NAME`.

Two random screens; the second differs from the first in one rect only. It is painted over the first twice, from the same latents:
the whole frame, and only the damage, as a session does. Compared is the band inside the damage's edges, as wide as the margin
that crops are padded by, where a seam would be, on flat areas: where the guide is one colour for FLAT pixels around. Prints JSON:
grey levels by which the two differ there, on average, at most over an edge (its mean: a seam is seen along a line), at most at one
pixel, and what share of pixels differs at all; the same of all that is not flat, which a crop may see otherwise.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.machine import machine_facts
from benchmarks.result_file import leave, with_out
from engine.desktop.desktop import Desktop
from engine.drawing import Item
from engine.forms import CAST
from engine.geometry import Rect
from engine.guide import Guide
from engine.painter import CACHE, ContextFeatures, Painter, PainterSpec, PaintRequest
from engine.styles import PRESETS
from models.catalog import open_painter
from models.presets import random_name
from models.synthetic.screens import Screen

BAND, FLAT = 12, 4
GREY = np.array([0.299, 0.587, 0.114])
SHORTEST = 12  # pixels of an edge that count as a line


@dataclass
class Seams:
    """Grey levels: of pixels of the band, flat and not, and means over the flat parts of edges."""

    flat: list[np.ndarray] = field(default_factory=list)
    rest: list[np.ndarray] = field(default_factory=list)
    edges: list[float] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        flat, rest = np.concatenate(self.flat), np.concatenate(self.rest)
        return {
            "flat": {"pixels": len(flat), "mean": round(float(flat.mean()), 4), "edge_max": round(max(self.edges), 3),
                     "pixel_max": round(float(flat.max()), 2), "differ": round(float((flat > 0).mean()), 4)},
            "rest": {"pixels": len(rest), "mean": round(float(rest.mean()), 4), "pixel_max": round(float(rest.max()), 2)},
        }  # fmt: skip


def measure(painter: Painter, spec: PainterSpec, screens: int, seed: int = 0) -> Seams:
    """Over so many pairs of screens, each in a look of the presets."""
    rng, found, desktop = np.random.default_rng(seed), Seams(), Desktop(spec.size)
    looks = list(PRESETS)
    for number in range(screens):
        items, other = (Screen.random(rng, spec.size).items() for _ in range(2))
        context = desktop.features(PRESETS[looks[number % len(looks)]])
        before, after = _guide(items, spec.size), _guide(items, spec.size)
        _put(after, _guide(other, spec.size), _inner(rng, spec.size))
        damage = _damage(before, after, painter.info.reach, spec.size)
        if not damage:
            continue
        whole = Rect(0, 0, *spec.size)
        painter.restore(None)
        painter.paint(_request(before, whole, context))
        start = painter.latents()
        shown = _pixels(painter, _request(after, whole, context), spec.size)
        painter.restore(start)
        cropped = _pixels(painter, _request(after, damage, context), spec.size)
        _compare(found, shown, cropped, damage, after, spec.size)
    return found


def _compare(found: Seams, whole: np.ndarray, crop: np.ndarray, damage: Rect, guide: Guide, size: tuple[int, int]) -> None:
    apart, flat = np.abs((whole.astype(float) - crop) @ GREY), _flat(guide)
    band = np.zeros(flat.shape, bool)
    for edge in _edges(damage, BAND, size):
        band[edge.slices] = True
    found.flat.append(apart[band & flat])
    found.rest.append(apart[band & ~flat])
    for edge in _edges(damage, 1, size):
        along = flat[edge.slices]
        if along.sum() >= SHORTEST:
            found.edges.append(float(apart[edge.slices][along].mean()))


def _edges(rect: Rect, width: int, size: tuple[int, int]) -> list[Rect]:
    """Along the inside of those edges that are not the frame's."""
    sides = [
        (rect.x > 0, Rect(rect.x, rect.y, width, rect.h)), (rect.right < size[0], Rect(rect.right - width, rect.y, width, rect.h)),
        (rect.y > 0, Rect(rect.x, rect.y, rect.w, width)), (rect.bottom < size[1], Rect(rect.x, rect.bottom - width, rect.w, width)),
    ]  # fmt: skip
    return [side for inside, side in sides if inside]


def _flat(guide: Guide) -> np.ndarray:
    """Where the guide is one colour for FLAT pixels around, and rounds nothing: bool (H, W)."""
    forms = guide.forms.copy()
    forms[forms[..., 0] == 0, 1] = 0  # how far down what shines it is: a seam would be seen there as elsewhere
    pixels = np.concatenate([guide.pixels, forms, guide.verbatim[..., None]], -1).astype(int)
    changes = np.zeros(pixels.shape[:2], bool)
    changes[:, 1:] |= (pixels[:, 1:] != pixels[:, :-1]).any(-1)
    changes[1:] |= (pixels[1:] != pixels[:-1]).any(-1)
    near = np.pad(changes, FLAT)
    around = np.lib.stride_tricks.sliding_window_view(near, (2 * FLAT + 1, 2 * FLAT + 1))
    return ~around.any((-2, -1)) & (guide.verbatim == 0)


def _inner(rng: np.random.Generator, size: tuple[int, int]) -> Rect:
    w, h = (int(rng.integers(2, side // 16)) * 8 for side in size)
    return Rect(int(rng.integers(0, (size[0] - w) // 8 + 1)) * 8, int(rng.integers(0, (size[1] - h) // 8 + 1)) * 8, w, h)


def _put(guide: Guide, other: Guide, rect: Rect) -> None:
    for name in ("pixels", "ink", "verbatim", "forms"):
        getattr(guide, name)[rect.slices] = getattr(other, name)[rect.slices]


def _damage(before: Guide, after: Guide, reach: int, size: tuple[int, int]) -> Rect:
    """Around all that differs, as a session would ask for it."""
    told = before.forms ^ after.forms
    told[..., 3] &= 255 - CAST  # which is no damage, see `Guide.update`
    rows, columns = np.nonzero((before.pixels != after.pixels).any(-1) | told.any(-1))
    if not len(rows):
        return Rect(0, 0, 0, 0)
    x, y = int(columns.min()), int(rows.min())
    return Rect(x, y, int(columns.max()) + 1 - x, int(rows.max()) + 1 - y).snap().grow(reach).snap().meet(Rect(0, 0, *size))


def _guide(items: list[Item], size: tuple[int, int]) -> Guide:
    guide = Guide(size)
    guide.update(items)
    return guide


def _request(guide: Guide, damage: Rect, context: ContextFeatures) -> PaintRequest:
    return PaintRequest(0, (), (damage,), guide.pixels, guide.verbatim, context, forms=guide.forms)


def _pixels(painter: Painter, request: PaintRequest, size: tuple[int, int]) -> np.ndarray:
    frame = np.zeros((size[1], size[0], 3), np.uint8)
    for patch in painter.paint(request).patches:
        frame[patch.rect.slices] = patch.pixels
    return frame


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--screens", type=int, default=54)
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--least-crop", type=int, metavar="PIXELS", help="the shortest side of crops, else the family's own")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--checkpoint", default="bundled")
    which.add_argument("--preset", metavar="NAME", help="an architecture, its weights random")
    given = with_out(parser).parse_args()
    name = random_name(given.preset) if given.preset else given.checkpoint
    spec = PainterSpec(name, dtype=given.dtype, without=(CACHE,), least_crop=given.least_crop)
    painter = open_painter(spec)
    told = measure(painter, spec, given.screens).told()
    what = {"checkpoint": painter.info.name, "sha256": painter.info.sha256, "dtype": painter.info.dtype, "size": list(spec.size), "screens": given.screens}
    leave({"machine": machine_facts(), **what, **told}, given.out)

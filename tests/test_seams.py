"""Where a crop's damage ends no seam is seen: on flat areas a crop shows what the whole frame would, and what a window uncovers is as it was."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import pytest

from benchmarks.easel import Easel
from benchmarks.pictures_compared import grown
from benchmarks.seams import Seams, measure
from engine.desktop.desktop import Desktop
from engine.events import Ask, Down, Key, Move, Up
from engine.geometry import GRID
from engine.painter import Painter, PainterSpec
from engine.scene import find
from engine.theme import NEUTRAL, Role
from models.latent_painter import LatentPainter

SPEC = PainterSpec(size=(256, 192))
SCREENS = 8


@pytest.fixture(scope="module")
def sound(small_bundled: Painter) -> Seams:
    return measured(small_bundled)


def measured(painter: Painter) -> Seams:
    cast(LatentPainter, painter)._lookups.clear()
    return measure(painter, SPEC, SCREENS)


def test_on_flat_areas_a_seam_is_below_one_grey_level(sound: Seams) -> None:
    flat = np.concatenate(sound.flat)
    assert len(flat) > 300 and len(sound.edges) > 5
    assert max(sound.edges) < 1, "along any edge, on average; what can be seen is a line"
    assert flat.mean() < 0.25 and flat.max() < 2, "of single pixels, rounding to bytes is all there is"


def test_without_a_margin_there_would_be_one(small_bundled: Painter, sound: Seams) -> None:
    """The measure sees seams where there are any: the painter is told enough of each pixel that flat areas hardly need a margin, all else does."""
    painter = cast(LatentPainter, small_bundled)
    cells = painter.cells
    painter.cells = replace(cells, align=16, step=16, margin=0, least=16)
    try:
        cut = measured(painter)
    finally:
        painter.cells = cells
    assert all(np.concatenate(getattr(cut, part)).mean() > times * np.concatenate(getattr(sound, part)).mean() for part, times in (("flat", 1.2), ("rest", 2)))


@pytest.mark.parametrize("style", ["light", "ocean", "wood", "glass", "stars", "pixel"])
def test_what_a_window_uncovers_is_painted_as_it_was(style: str, small_bundled: Painter) -> None:
    """By the bundled checkpoint, crop by crop, none looked up. A window is opened, dragged and closed: the wallpaper is bit for bit the one from
    before. Edges of icons and letters may be a grey level or two off, where another crop met them, and up to a dozen at less than ten pixels."""
    desktop, lookups = Desktop(SPEC.size, state={"context": {"preferences": {"style": style}}}), cast(LatentPainter, small_bundled)._lookups
    small_bundled.restore(None)
    easel = Easel(small_bundled, desktop)
    lookups.clear()
    easel.paint()
    before, covered = easel.frame.copy(), np.zeros(SPEC.size[::-1], bool)
    easel.feed(Ask(0.3, "calculator"))
    title = find(desktop.widgets, "Calculator/title").rect
    x, y = title.x + title.w // 2, title.y + title.h // 2
    drag = [Move(0.5, x, y), Down(0.6, "left", x, y), *(Move(0.6 + i / 10, x - 12 * i, y + 10 * i) for i in (1, 2, 3)), Up(1.0, "left", x - 36, y + 30)]
    for event in (*drag, Key(1.2, "w", ("ctrl",)), Move(1.4, 0, 0)):
        covered |= (easel.frame != before).any(-1)
        lookups.clear()
        easel.feed(event)
    assert not desktop.stack.windows and covered.mean() > 0.6
    wallpaper = ~grown((easel.guide.pixels != NEUTRAL[Role.WALLPAPER]).any(-1), GRID)
    assert (covered & wallpaper).sum() > 10_000 and (easel.frame == before)[wallpaper].all()
    apart = np.abs(easel.frame.astype(int) - before).max(-1)
    assert (apart > 2).sum() < 10 and apart.max() < 12

"""Where a crop's damage ends no seam is seen: on flat areas a crop shows what the whole frame would."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import pytest

from benchmarks.seams import Seams, measure
from engine.painter import Painter, PainterSpec
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
    """The measure sees seams where there are any."""
    painter = cast(LatentPainter, small_bundled)
    cells = painter.cells
    painter.cells = replace(cells, align=16, step=16, margin=0, least=16)
    try:
        cut = measured(painter)
    finally:
        painter.cells = cells
    assert np.concatenate(cut.flat).mean() > 2 * np.concatenate(sound.flat).mean()

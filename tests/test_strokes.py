"""A stroke in a picture is content: it is shown as it is, and only what lies around it is encoded, where no more of it is seen anyway."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.geometry import Rect
from engine.painter import PainterSpec
from models.catalog import open_painter
from models.crops import plan
from tests.test_painters import ask, drawn, empty, show
from tests.tiny_families import tiny_folder

SIZE = (256, 192)
STROKES = ((Rect(96, 72, 24, 16),), (Rect(16, 24, 40, 16), Rect(184, 128, 16, 24)))
NEAR = 0.01  # of the largest latent: what an autoencoder sees beyond a crop's margin


def stroked(folder: Path, strokes: tuple[Rect, ...]) -> tuple[Any, list[torch.Size], torch.Tensor]:
    """The painter after such strokes, the pictures that it encoded for them, and its latents before."""
    painter: Any = open_painter(PainterSpec(checkpoint=str(folder), size=SIZE, threads=1, device="cpu", steps=1))
    guide = drawn(1)
    show(painter, empty(), ask(guide))
    before = painter._latents.clone()
    for number, rect in enumerate(strokes):
        guide.pixels[rect.slices], guide.verbatim[rect.slices] = (200, 40 * number, 90), 255
    encoded: list[torch.Size] = []
    encode = painter._coder._encoded
    painter._coder._encoded = lambda pixels, noise: (encoded.append(pixels.shape), encode(pixels, noise))[1]
    painting = painter.paint(replace(ask(guide), damage=strokes))
    assert {patch.rect for patch in painting.patches} == set(strokes)
    assert all((patch.pixels == guide.pixels[patch.rect.slices]).all() for patch in painting.patches)
    return painter, encoded, before


@pytest.mark.parametrize("strokes", STROKES, ids=["one", "two"])
def test_of_a_stroke_only_what_lies_around_it_is_encoded(tmp_path: Path, strokes: tuple[Rect, ...]) -> None:
    painter, encoded, before = stroked(tiny_folder(tmp_path / "sd-turbo", "sd-turbo", tiny_vae=True), strokes)
    crops = plan(strokes, SIZE, painter.cells)
    assert [shape[:1:-1] for shape in encoded] == [crop.area[2:] for crop in crops]
    assert sum(shape[2] * shape[3] for shape in encoded) < SIZE[0] * SIZE[1]
    whole = painter._encoded(Rect(0, 0, *SIZE))
    inside = torch.zeros(before.shape[-2:], dtype=torch.bool)
    for rect in strokes:
        within = painter._within(rect)
        inside[within[1:]] = True
        assert (painter._latents[within] - whole[within]).abs().max() < NEAR * whole.abs().max()
        assert (whole[within] - before[within]).abs().max() > 10 * NEAR * whole.abs().max()
    assert torch.equal(painter._latents[..., ~inside], before[..., ~inside])


def test_an_autoencoder_that_sees_the_whole_picture_is_shown_all_of_it(tmp_path: Path) -> None:
    painter, encoded, _ = stroked(tiny_folder(tmp_path / "sd-turbo", "sd-turbo"), STROKES[0])
    assert [shape[2:] for shape in encoded] == [SIZE[::-1]]
    assert torch.equal(painter._latents, painter._encoded(Rect(0, 0, *SIZE)))

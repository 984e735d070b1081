"""What a prompted painter recalls: the frame as it was before a large change, and no frame of which it does not know all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.geometry import Rect
from engine.guide import Guide
from engine.painter import CACHE, Painter, PainterSpec, Painting, Words
from models.catalog import open_painter
from models.crops import PROMPTED_CELLS, SMALL_CELLS, plan
from models.prompted.painter import PromptedPainter
from tests.stand_in_gpu import FakeRecorder
from tests.test_painters import SIZE, WHOLE, ask, drawn
from tests.tiny_families import tiny_folder

LETTER, WINDOW = (Rect(96, 80, 24, 16),), (Rect(40, 24, 120, 112), Rect(0, 168, 64, 24))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_folder(tmp_path_factory.mktemp("recall") / "sd-turbo", "sd-turbo", tiny_vae=True)


def opened(folder: Path, **other: object) -> PromptedPainter:
    painter = open_painter(PainterSpec(checkpoint=str(folder), size=SIZE, device="cpu", threads=1, **other))  # type: ignore[arg-type]
    assert isinstance(painter, PromptedPainter)
    return painter


class Desk:
    """A frame that is kept up to date."""

    def __init__(self, painter: Painter) -> None:
        self.painter, self.frame = painter, np.zeros((SIZE[1], SIZE[0], 3), np.uint8)

    def show(self, guide: Guide, damage: tuple[Rect, ...], told: str = "clean") -> Painting:
        request = ask(guide, damage)
        painting = self.painter.paint(type(request)(1, (), damage, request.guide, request.verbatim, request.context, words=Words(told)))
        for patch in painting.patches:
            self.frame[patch.rect.slices] = patch.pixels
        return painting


def changed(guide: Guide, damage: tuple[Rect, ...], level: int) -> Guide:
    other = Guide(SIZE)
    for name in ("pixels", "verbatim", "forms"):
        getattr(other, name)[:] = getattr(guide, name)
    for rect in damage:
        other.pixels[rect.slices] = level
    return other


def test_a_window_that_closes_brings_back_the_frame_as_it_was(folder: Path) -> None:
    desk = Desk(opened(folder))
    empty = drawn(1)
    typed = changed(empty, LETTER, 0)
    covered = changed(typed, WINDOW, 200)
    desk.show(empty, WHOLE)
    assert desk.show(typed, LETTER).source == "painted"
    before, latents = desk.frame.copy(), desk.painter.latents()
    assert desk.show(covered, WINDOW).source == "painted"
    over = desk.frame.copy()
    assert desk.show(typed, WINDOW).source == "cached", "no crop there was ever painted of this: the frame was"
    assert (desk.frame == before).all() and (desk.painter.latents() == latents).all()
    assert desk.show(covered, WINDOW).source == "cached" and (desk.frame == over).all()


def test_a_guide_that_was_drawn_over_is_not_taken_for_what_it_was(folder: Path) -> None:
    desk, guide = Desk(opened(folder)), drawn(1)
    desk.show(guide, WHOLE)
    for level in (200, 100, 0):
        for rect in WINDOW:
            guide.pixels[rect.slices] = level
        assert desk.show(guide, WINDOW).source == "painted"


@pytest.mark.parametrize("why", ["never painted", "restored", "other words", "left out"])
def test_a_frame_that_may_show_something_else_is_not_brought_back(folder: Path, why: str) -> None:
    desk = Desk(opened(folder, without=(CACHE,) if why == "left out" else ()))
    empty = drawn(1)
    covered = changed(empty, WINDOW, 200)
    if why != "never painted":
        desk.show(drawn(2) if why == "restored" else empty, WHOLE)
    if why == "restored":
        desk.painter.restore(None)
    desk.show(empty, LETTER)
    desk.show(covered, WINDOW)
    assert desk.show(empty, WINDOW, "dark blue" if why == "other words" else "clean").source == "painted"


def test_a_letter_is_painted_in_the_smallest_crop_wherever_it_stands(folder: Path) -> None:
    painter = opened(folder)
    for x in range(0, 512 - 32, 8):
        for y in range(0, 384 - 40, 8):
            (crop,) = plan([Rect(x, y, 32, 40)], (512, 384), painter.cells)
            assert crop.area[2:] == (128, 128)


def test_where_launches_are_recorded_crops_are_a_few_larger_squares(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.graphs.recorder_for", lambda device: FakeRecorder())
    painter = open_painter(PainterSpec(checkpoint=str(folder), size=(512, 384), device="cpu", threads=1))
    assert isinstance(painter, PromptedPainter)
    assert painter.cells == PROMPTED_CELLS.few((512, 384)) and painter.cells.sizes == ((256, 256),)
    assert SMALL_CELLS.least < PROMPTED_CELLS.least

"""How much of a picture is painted over where one thing is turned into another: said in words, met by every painter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.desktop.asking import strength_in
from engine.desktop.desktop import Desktop
from engine.desktop.strip import Strip
from engine.events import Ask
from engine.geometry import Rect
from engine.mailbox import DirectMailbox
from engine.painter import Edit, PainterSpec, Painting, PaintRequest, Words
from engine.session import Session
from models.families import FAMILIES, LEAST_STRENGTH, Family
from models.prompted.stock import stock_frame
from tests.test_families import opened, painter_of, request
from tests.test_painters import SIZE
from tests.test_references import painter_of as reference_painter_of
from tests.test_window_turning import Negative
from tests.tiny_families import folder_of

CAT = "turn this into a cat"


@pytest.mark.parametrize(
    ("said", "words", "strength"),
    [
        (f"{CAT}, slightly", CAT, 0.3), (f"{CAT}, Strongly.", CAT, 0.8), (f"{CAT} at 70%", CAT, 0.7), (f"{CAT}, by 100 %", CAT, 1.0),
        (f"{CAT}, at 400 %", CAT, 1.0), (CAT, CAT, 0.0), ("a slightly wet cat", "a slightly wet cat", 0.0), ("a sale at 70 % off", "a sale at 70 % off", 0.0),
    ],
)  # fmt: skip
def test_how_much_is_said_at_the_end_of_an_instruction(said: str, words: str, strength: float) -> None:
    assert strength_in(said) == (words, strength)


@pytest.mark.parametrize("row", [row for row in FAMILIES if not row.edits], ids=lambda row: row.name)
def test_every_family_that_paints_over_has_a_strength_of_its_own_and_meets_what_is_said(row: Family) -> None:
    assert 0.5 <= row.turning <= 1 and row.turned(0).strength == row.turning and row.turned(0.01).strength == LEAST_STRENGTH
    for asked in (0.3, 0.6, 0.8, 1.0):
        turned = row.turned(asked)
        calls = turned.calls(row.steps)
        met = turned.strength if row.distilled else calls / turned.stock_steps(calls)
        assert asked - 0.101 <= met <= asked + 1e-9 and row.steps <= calls <= row.steps + 3


@pytest.mark.parametrize("strength", [0.3, 0.8, 0.0])
def test_a_latent_painter_turns_as_its_stock_pipeline_does_with_that_strength(checkpoints: Path, strength: float) -> None:
    painter = painter_of(folder_of(checkpoints, "sd1"), steps=2)
    edit = replace(request(words=Words()), edit=Edit(CAT, strength=strength))
    whole, before = Rect(0, 0, *SIZE), painter.latents()
    (patch,) = painter.paint(edit).patches
    row = painter.family.turned(strength)
    assert edit.guide is not None and row.strength == (strength or 0.8)
    expected = stock_frame(opened(folder_of(checkpoints, "sd1")).pipeline, row, CAT, edit.guide, row.calls(2), 5)[0].permute(1, 2, 0).clamp(0, 1) * 255
    assert patch.rect == whole and np.abs(patch.pixels - expected.round().numpy()).max() <= 1
    assert (painter.latents() == before).all()


def test_a_reference_painter_turns_with_that_strength(checkpoints: Path) -> None:
    painter = reference_painter_of(folder_of(checkpoints, "z-image-turbo"), steps=1)
    assert painter.info.strength == 0.6
    pictures = [painter.frame(replace(request(), edit=Edit(CAT, strength=strength))) for strength in (0.3, 0.0, 1.0)]
    assert not torch.equal(pictures[0], pictures[1]) and not torch.equal(pictures[1], pictures[2])
    call = painter.call(replace(request(), edit=Edit(CAT, strength=0.3)), (Rect(0, 0, *SIZE),))
    assert call["strength"] == 0.3 and int(call["num_inference_steps"] * 0.3) == 1
    assert painter.call(request(), (Rect(0, 0, *SIZE),))["strength"] == 0.5


class Keeping(Negative):
    """Remembers what it was asked for. strength: its own."""

    def __init__(self, strength: float) -> None:
        super().__init__(PainterSpec(size=(512, 384)))
        self.info = replace(self.info, strength=strength)
        self.asked: list[PaintRequest] = []

    def paint(self, request: PaintRequest) -> Painting:
        self.asked += [request] if request.edit else []
        return super().paint(request)


def test_the_ask_bar_takes_it_off_for_a_painter_that_paints_over_and_leaves_it_to_one_that_edits() -> None:
    for own, words, strength in ((0.6, CAT, 0.8), (0.0, f"{CAT}, strongly", 0.0)):
        painter = Keeping(own)
        desktop = Desktop((512, 384))
        session = Session(desktop, DirectMailbox(painter))
        session.step((), 0.1)
        session.step([Ask(0.2, f"{CAT}, strongly")], 0.2)
        assert [r.edit for r in painter.asked] == [Edit(words, strength=strength)]
        strip = desktop.turning.strip
        assert strip.steps[1].words == words and Strip(strip.state(), strip.pictures).steps[1].strength == strength
        desktop.toggle_ask_bar()
        assert desktop.ask_bar is not None and ("strongly" in desktop.ask_bar.hint) == bool(own)

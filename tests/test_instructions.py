"""What prompted painters are told: templates a family, changed by the user's own copy, and the mark of a click."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.context_cost import measured
from engine.desktop.bitmap import encode
from engine.events import Down
from engine.geometry import Rect
from engine.painter import Edit, PainterSpec, Words
from models.catalog import open_painter
from models.families import FAMILIES, Family
from models.instructions import NAME, SHIPPED, templates_of
from models.prompted.conditioning import CONTEXT_TOKENS
from models.prompted.painter import PromptedPainter
from models.reference.painter import ReferencePainter
from tests.test_painters import SIZE, ask, drawn
from tests.tiny_families import tiny_folder

ROWS = {family.name: family for family in FAMILIES}
WORDS = Words("dark blue", ("The user clicked the button 'Open'.",), "You like wood.")
GUIDED = replace(ask(drawn(0)), words=WORDS)
DREAMT = replace(GUIDED, guide=None, verbatim=None, forms=None)
MEASURED = {"kept", "recomputed", "paint_with", "paint_without"}
CLICKED = replace(DREAMT, events=(Down(0.1, "left", 60, 50),))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_family_is_told_what_happened_and_how_it_looks(family: Family) -> None:
    row = templates_of(family)
    assert "dark blue" in row.words(GUIDED).casefold() and "{" not in row.words(GUIDED)
    assert "clicked the button 'Open'" in row.words(DREAMT)
    assert row.words(replace(GUIDED, edit=Edit("a {cat}  with a hat"))) == "a {cat} with a hat"
    assert "{" not in row.words(replace(DREAMT, words=Words())) and row.words(replace(DREAMT, words=Words()))


def test_a_click_is_marked_where_the_table_says_so_and_the_words_say_what_the_mark_is() -> None:
    pixels = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    edits, describes = templates_of(ROWS["pix2pix"]), templates_of(ROWS["sd1"])
    marked = edits.marked(pixels, CLICKED)
    rows, columns = np.nonzero((marked != pixels).any(2))
    assert abs(rows.mean() - 50) < 1 and abs(columns.mean() - 60) < 1 and rows.max() - rows.min() < 24
    assert "ring" in edits.words(CLICKED) and "ring" not in edits.words(DREAMT)
    assert (describes.marked(pixels, CLICKED) == pixels).all() and (edits.marked(pixels, GUIDED) == pixels).all()


def test_a_copy_in_the_profile_changes_what_it_says_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text('[klein]\ndream = "{told} Only that."\n[edits]\nmark_click = false\n')
    klein, plain = templates_of(ROWS["klein"], str(tmp_path)), templates_of(ROWS["klein"])
    assert klein.words(DREAMT).endswith("Only that.") and klein.guided == plain.guided and not klein.note
    assert not templates_of(ROWS["pix2pix"], str(tmp_path)).mark_click
    assert templates_of(ROWS["flux2"], str(tmp_path)) == templates_of(ROWS["flux2"])
    (tmp_path / NAME).write_bytes(SHIPPED.read_bytes())
    assert all(templates_of(family, str(tmp_path)) == templates_of(family) for family in FAMILIES)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[edits]\ndream = "{told}\n', "line 2"),
        ('[edits]\n\ndream = "{tolled}"\n', r"line 3: dream names \{tolled\}; there are"),
        ('[edits]\ndream = "{told.__class__}"\n', "line 2: dream names"),
        ('[edits]\ndream = "{told!r:>9}"\n', "line 2: dream names"),
        ('[edits]\ndream = "{told"\n', "line 2: dream:"),
        ("# mine\n[sdxxl]\nmark_click = true\n", "line 2: 'sdxxl' is no group and no family"),
        ('[edits]\nmark_click = "yes"\n', "line 2: mark_click must be"),
        ('[edits]\nedit = ""\n', "line 2: edit must be a text"),
        ('[edits]\nnote = "x"\n', "line 2: 'note' is not known"),
        ('dream = "x"\n', "line 1: 'dream' is no group"),
    ],
)
def test_a_broken_copy_is_named_with_its_line_and_what_ships_goes_on(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / NAME).write_text(text)
    row = templates_of(ROWS["pix2pix"], str(tmp_path))
    assert NAME in row.note and re.search(said, row.note) and row.note.count("\n") == 0
    assert replace(row, note="") == templates_of(ROWS["pix2pix"])


def test_bytes_that_are_no_text_are_named_too(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"\xff\xfe[edits]")
    assert "not UTF-8" in templates_of(ROWS["sd1"], str(tmp_path)).note


def test_the_contexts_tokens_are_kept_from_event_to_event_and_computed_anew_when_it_changes(tmp_path: Path) -> None:
    painter = open_painter(PainterSpec(str(tiny_folder(tmp_path / "sd", "sd-turbo", tiny_vae=True)), size=SIZE, threads=1, device="cpu"))
    assert isinstance(painter, PromptedPainter)
    painter.telling.conditioning(GUIDED)
    kept = painter.telling.known(WORDS.known)
    other = painter.telling.conditioning(replace(DREAMT, words=replace(WORDS, told=("The user typed 'a'.",))))
    assert painter.telling.known(WORDS.known) is kept and kept.tokens is not None
    assert torch.equal(other.embeds[:, -CONTEXT_TOKENS:], kept.tokens)
    changed = painter.telling.conditioning(replace(GUIDED, words=replace(WORDS, known="You like glass.")))
    assert not torch.equal(changed.embeds[:, -CONTEXT_TOKENS:], kept.tokens)
    found = measured(painter, SIZE, rounds=2)
    assert found["ms"].keys() == MEASURED and min(found["ms"].values()) > 0
    reference = open_painter(PainterSpec(str(tiny_folder(tmp_path / "klein", "klein")), size=SIZE, threads=1, device="cpu", steps=1))
    assert isinstance(reference, ReferencePainter)
    found = measured(reference, SIZE, rounds=2)
    assert found["ms"].keys() == MEASURED and min(found["ms"].values()) > 0


def test_an_editing_transformer_is_shown_the_picture_and_the_reference(tmp_path: Path) -> None:
    painter = open_painter(PainterSpec(str(tiny_folder(tmp_path / "klein", "klein")), size=SIZE, threads=1, device="cpu", steps=1))
    assert isinstance(painter, ReferencePainter) and painter.info.turns and painter.info.refers
    base, other = (np.random.default_rng(i).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8) for i in (1, 2))
    request = replace(GUIDED, guide=base, verbatim=None, forms=None, damage=(Rect(64, 64, 64, 64),), edit=Edit("as this", encode(other)))
    called = painter.call(request, request.damage)
    assert called["prompt"] == "as this"
    assert [np.array_equal(np.array(shown), real) for shown, real in zip(called["image"], (base, other), strict=True)] == [True, True]
    before = painter.latents()
    (patch,) = painter.paint(request).patches
    assert patch.rect == Rect(64, 64, 64, 64) and (patch.pixels != base[patch.rect.slices]).any()
    assert (painter.latents() == before).all()

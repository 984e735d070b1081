"""Painted text: right glyphs are left alone, wrong ones are redrawn so that they can be read."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from benchmarks.reading import errors
from engine.desktop.desktop import Desktop
from engine.drawing import Fill, Glyphs
from engine.events import Ask, Key, Text
from engine.geometry import Rect
from engine.guide import Guide
from engine.styles import PRESETS
from engine.text_check import check, median, unevenness
from engine.theme import Role
from engine.typeface import Face, offsets
from models.synthetic.renderer import StyledRenderer
from models.synthetic.sessions import play

SIZE = (512, 384)
WHOLE = (Rect(0, 0, *SIZE),)
SENTENCE = "The quick brown fox jumps over the lazy dog"


def typed() -> tuple[Desktop, Guide]:
    desktop = Desktop(SIZE)
    play(desktop, [Ask(0.1, "calculator"), Ask(0.2, "notes"), Text(0.3, SENTENCE)])
    guide = Guide(SIZE)
    guide.update(desktop.items)
    return desktop, guide


@pytest.mark.parametrize("style", PRESETS)
def test_what_is_painted_right_is_left_alone(style: str) -> None:
    desktop, guide = typed()
    frame = StyledRenderer(PRESETS[style], SIZE).render(desktop.items)
    before = frame.copy()
    checked = check(frame, WHOLE, guide, PRESETS[style].paints(SIZE))
    assert checked.glyphs > 80 and checked.wrong == 0 and (frame == before).all()


def test_the_guide_itself_is_right() -> None:
    _, guide = typed()
    assert check(guide.pixels.copy(), WHOLE, guide, PRESETS["light"].paints(SIZE)).wrong == 0


def test_noise_is_wrong_everywhere_and_readable_after_repair(ocr: Callable[[np.ndarray], str]) -> None:
    desktop, guide = typed()
    frame = np.random.default_rng(0).integers(90, 166, (SIZE[1], SIZE[0], 3)).astype(np.uint8)
    checked = check(frame, WHOLE, guide, PRESETS["light"].paints(SIZE))
    assert checked.wrong == checked.repaired == checked.glyphs > 80
    line = next(part for item, part, _ in guide.text_under(WHOLE[0]) if item.text == SENTENCE)
    assert errors(ocr(frame[line.slices]), SENTENCE) <= 5
    assert check(frame, WHOLE, guide, PRESETS["light"].paints(SIZE)).wrong <= checked.glyphs // 20


def test_one_smeared_glyph_is_found_and_only_it_is_redrawn() -> None:
    desktop, guide = typed()
    frame = StyledRenderer(PRESETS["light"], SIZE).render(desktop.items)
    right = frame.copy()
    item = next(item for item, _, _ in guide.text_under(WHOLE[0]) if item.text == SENTENCE)
    pens, at = offsets(item.face, item.text), SENTENCE.index("b")
    smear = Rect(item.x + pens[at], item.y, pens[at + 1] - pens[at], item.rect.h)
    frame[smear.slices] = right[item.y, item.x]
    assert check(frame, WHOLE, guide, PRESETS["light"].paints(SIZE)).repaired == 1
    assert np.abs(frame.astype(int) - right).max() < 12


def test_another_letter_of_the_same_width_is_found(ocr: Callable[[np.ndarray], str]) -> None:
    """The painter wrote words of its own; the repaired line reads what the user typed."""
    wrong, right = typed(), typed()
    swaps = str.maketrans("aeounhdbpqsx", "eauohndqbpxs")
    play(wrong[0], [Key(1.0, "a", ("ctrl",)), Text(1.1, SENTENCE.translate(swaps))])
    play(right[0], [Key(1.0, "a", ("ctrl",)), Text(1.1, SENTENCE)])
    right[1].update(right[0].items)
    frame = StyledRenderer(PRESETS["ocean"], SIZE).render(wrong[0].items)
    found = check(frame, WHOLE, right[1], PRESETS["ocean"].paints(SIZE))
    changed = sum(a != b for a, b in zip(SENTENCE, SENTENCE.translate(swaps), strict=True))
    assert found.repaired >= 0.8 * changed
    line = next(part for item, part, _ in right[1].text_under(WHOLE[0]) if item.text == SENTENCE)
    assert errors(ocr(frame[line.grow(2).slices]), SENTENCE) <= 1  # the engine itself may misread a letter


def test_wrong_words_and_the_spaces_between_them_get_one_paper() -> None:
    """Loud noise between repaired words would be read as letters."""
    _, guide = typed()
    frame = np.random.default_rng(2).integers(0, 256, (SIZE[1], SIZE[0], 3)).astype(np.uint8)
    check(frame, WHOLE, guide, PRESETS["light"].paints(SIZE))
    item, part = next((item, part) for item, part, _ in guide.text_under(WHOLE[0]) if item.text == SENTENCE)
    pens = offsets(item.face, SENTENCE)
    gaps = [frame[part.y : part.bottom, item.x + pens[i] + 1 : item.x + pens[i + 1] - 1] for i, c in enumerate(SENTENCE) if c == " "]
    assert len(gaps) == 8 and len(np.unique(np.concatenate(gaps, 1).reshape(-1, 3), axis=0)) == 1


def test_what_covers_a_wrong_line_is_not_its_paper() -> None:
    guide, words, cover = Guide(SIZE), Rect(40, 40, 300, 16), Rect(120, 32, 40, 32)
    guide.update((Fill(WHOLE[0], Role.SURFACE), Glyphs(words, Role.INK, 43, 40, SENTENCE, Face()), Fill(cover, Role.BUTTON)))
    frame = np.random.default_rng(3).integers(0, 256, (SIZE[1], SIZE[0], 3)).astype(np.uint8)
    before = frame.copy()
    assert check(frame, WHOLE, guide, PRESETS["light"].paints(SIZE)).repaired > 20
    assert (frame[cover.slices] == before[cover.slices]).all() and (frame != before).any()


def test_paper_is_measured_as_numpy_measures_it() -> None:
    rng = np.random.default_rng(4)
    for count in (1, 2, 7, 500, 3001):
        rows = np.clip(rng.normal(120, rng.uniform(1, 60), (3, count)), 0, 255).astype(np.uint8)
        columns = np.ascontiguousarray(rows.T.astype(np.float32))
        assert (median(rows) == np.median(columns, axis=0)).all() and unevenness(rows) == float(columns.std(axis=0).mean())


def test_nothing_outside_the_rects_is_touched() -> None:
    _, guide = typed()
    frame = np.random.default_rng(1).integers(0, 256, (SIZE[1], SIZE[0], 3)).astype(np.uint8)
    before, rect = frame.copy(), Rect(120, 96, 64, 32)
    check(frame, (rect,), guide, PRESETS["light"].paints(SIZE))
    frame[rect.slices] = before[rect.slices]
    assert (frame == before).all()

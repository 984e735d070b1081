"""Styles: words mean something, text stays readable, shadows stay near their windows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.geometry import Rect
from engine.guide import CUTS, Guide
from engine.styles import INKS, PRESETS, VECTOR_SIZE, contrast, from_words, random_style
from models.synthetic.renderer import REACH, StyledRenderer
from models.synthetic.screens import Screen

SIZE = (256, 192)


def test_text_is_readable_in_every_style() -> None:
    rng = np.random.default_rng(0)
    for style in [*PRESETS.values(), *(random_style(rng) for _ in range(300))]:
        palette = style.palette() / 255
        for ink, grounds in INKS.items():
            assert contrast(palette[ink], palette[list(grounds)]).min() >= 4.5, (ink, style)


def test_presets_look_different() -> None:
    palettes = {name: style.palette().astype(float) for name, style in PRESETS.items()}
    assert len(palettes) >= 6
    for name, palette in palettes.items():
        for other, another in palettes.items():
            assert name == other or np.abs(palette - another).mean() > 8, (name, other)


@pytest.mark.parametrize(
    ("words", "dark", "radius"),
    [("dark blue, rounded", True, 12), ("Make it a cosy wooden cabin", True, None), ("light", False, None),
     ("terminal", True, 0), ("square pink", False, 0)],
)  # fmt: skip
def test_words_make_styles(words: str, dark: bool, radius: float | None) -> None:
    style, unknown = from_words(words)
    assert style.dark == dark and not unknown
    assert radius is None or style.radius == radius


def test_unknown_words_change_nothing_and_are_named() -> None:
    assert from_words("ocean frobnicated") == (PRESETS["ocean"], ("frobnicated",))


def test_a_style_is_a_vector_in_range() -> None:
    for style in PRESETS.values():
        vector = style.vector()
        assert vector.shape == (VECTOR_SIZE,) and vector.dtype == np.float32 and np.abs(vector).max() <= 1


@pytest.mark.parametrize("style", PRESETS)
def test_what_an_event_changes_in_a_style_stays_within_the_reach_of_the_guides_damage(style: str) -> None:
    rng = np.random.default_rng(5)
    renderer = StyledRenderer(PRESETS[style], SIZE)
    for _ in range(6):
        screen, guide = Screen.random(rng, SIZE), Guide(SIZE)
        for _ in range(3):
            before = renderer.render(screen.items())
            guide.update(screen.items())
            screen.change(rng)
            damage = guide.update(screen.items())
            after = renderer.render(screen.items())
            allowed = np.zeros((SIZE[1], SIZE[0]), bool)
            for rect in damage:
                allowed[rect.grow(REACH).meet(Rect(0, 0, *SIZE)).slices] = True
            assert not (before != after).any(2)[~allowed].any()


@pytest.mark.parametrize(("radius", "seed"), [(12.0, 1), (8.0, 2), (3.0, 3), (1.0, 4)])
def test_the_guide_says_what_round_corners_change_and_what_lies_beneath(radius: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    plain = replace(PRESETS["candy"], shadow=0.0, gloss=0.0, wallpaper="flat")
    right, cut_off = 0, 0
    for _ in range(4):
        items, guide = Screen.random(rng, SIZE).items(), Guide(SIZE)
        guide.update(items)
        square, rounded = (StyledRenderer(replace(plain, radius=r), SIZE).render(items) for r in (0.0, radius))
        marked = guide.corners[..., 0] > 0
        sharp_tiles = (square != rounded).any(-1) & ~marked
        assert not sharp_tiles.any()
        needed = (255.0 - guide.corners[..., 0]) / CUTS
        gone = marked & (needed < radius - 1.5)
        away = np.abs(rounded[gone].astype(int) - plain.palette()[guide.corners[gone][:, 1]]).max(-1)
        right, cut_off = right + int((away < 40).sum()), cut_off + int(gone.sum())
        kept = marked & (needed > radius + 4)
        assert (square[kept] == rounded[kept]).all(-1).mean() > 0.95 if kept.any() else True
    assert right >= 0.9 * cut_off


def test_the_same_items_give_the_same_picture() -> None:
    items = Screen.random(np.random.default_rng(3), SIZE).items()
    frames = [StyledRenderer(PRESETS["ocean"], SIZE).render(items) for _ in range(2)]
    assert (frames[0] == frames[1]).all()


def test_a_dark_sea_is_dark_whichever_word_comes_first() -> None:
    for words in ("a calm night at the sea", "dark ocean", "ocean, dark"):
        style, unknown = from_words(words)
        assert style.dark and style.wallpaper == "waves" and not unknown
    assert not from_words("light terminal")[0].dark and from_words("terminal")[0].dark

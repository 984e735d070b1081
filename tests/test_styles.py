"""Styles: words mean something, text stays readable, shadows stay near their windows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.geometry import Rect
from engine.guide import CUTS, Guide
from engine.style_pictures import from_picture
from engine.styles import (
    INKS,
    PRESETS,
    VECTOR_SIZE,
    WALLPAPERS,
    Style,
    contrast,
    from_words,
    mix,
    random_style,
)
from models.synthetic.renderer import REACH, StyledRenderer
from models.synthetic.screens import Screen

SIZE = (256, 192)


def test_text_is_readable_in_every_style() -> None:
    rng = np.random.default_rng(0)
    for style in [*PRESETS.values(), *(random_style(rng) for _ in range(300))]:
        _assert_readable(style)


def _assert_readable(style: Style) -> None:
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


@pytest.mark.parametrize(("one", "other"), [("light", "dark"), ("ocean", "sunset"), ("candy", "terminal"), ("paper", "forest")])
def test_the_way_from_one_style_to_another_is_smooth_and_readable(one: str, other: str) -> None:
    items = Screen.random(np.random.default_rng(8), SIZE).items()
    a, b = PRESETS[one], PRESETS[other]
    assert mix(a, b, 0.0) == a and mix(a, b, 1.0) == b
    steps = [mix(a, b, share) for share in np.linspace(0, 1, 41)]
    frames = [StyledRenderer(style, SIZE).render(items).astype(float) for style in steps]
    jumps = [np.abs(f - g).mean() for f, g in zip(frames, frames[1:], strict=False)]
    assert max(jumps) < 0.12 * np.abs(frames[0] - frames[-1]).mean() + 1.5  # an even way would be 0.025; inks turn at once
    for style in steps:
        _assert_readable(style)
        assert style.vector()[-len(WALLPAPERS) :].sum() == pytest.approx(1.0)


def test_hues_go_the_short_way_round() -> None:
    middle = mix(replace(PRESETS["light"], accent=0.95), replace(PRESETS["light"], accent=0.05), 0.5)
    assert min(middle.accent % 1, 1 - middle.accent % 1) < 1e-9


def _scene(top: tuple[int, int, int], bottom: tuple[int, int, int], sun: tuple[int, int, int]) -> np.ndarray:
    share = np.linspace(0, 1, 90)[:, None, None]
    pixels = np.broadcast_to(np.array(top) * (1 - share) + np.array(bottom) * share, (90, 120, 3)).round().astype(np.uint8)
    pixels = pixels.copy()
    pixels[20:50, 70:100] = sun
    return pixels


def test_a_picture_gives_its_colours_and_its_light() -> None:
    night = from_picture(_scene((8, 10, 40), (20, 24, 70), (240, 200, 60)))
    assert night.dark and abs(night.wall_hue - 0.65) < 0.06 and abs(night.accent - 0.13) < 0.05
    day = from_picture(_scene((150, 200, 250), (200, 230, 255), (220, 60, 60)))
    assert not day.dark and abs(day.wall_hue - 0.58) < 0.06 and min(day.accent, 1 - day.accent) < 0.05
    grey = from_picture(np.full((20, 30, 3), 190, np.uint8))
    assert not grey.dark and grey.vivid < 0.2 and grey.wallpaper == "flat" and grey.wall_saturation == 0
    for style in (night, day, grey):
        _assert_readable(style)


def test_a_picture_gives_its_texture() -> None:
    y, x = np.mgrid[:128, :128]
    for wave, kind in ((np.sin((x + y) * 0.6), "stripes"), (y / 64 - 1, "gradient"), (np.sin(y * 0.2 + np.sin(x * 0.05)), "waves")):
        assert from_picture((128 + 60 * wave[..., None] * np.ones(3)).astype(np.uint8)).wallpaper == kind


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 24), st.integers(1, 24), st.integers(0, 2**31))
def test_any_picture_gives_a_style_that_is_readable(width: int, height: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    style = from_picture((rng.random((height, width, 3)) * rng.integers(1, 256, 3)).astype(np.uint8))
    _assert_readable(style)
    assert np.isfinite(style.vector()).all() and np.abs(style.vector()).max() <= 1


def test_what_is_no_picture_is_refused() -> None:
    for wrong in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(ValueError, match="uint8"):
            from_picture(wrong)


def test_a_dark_sea_is_dark_whichever_word_comes_first() -> None:
    for words in ("a calm night at the sea", "dark ocean", "ocean, dark"):
        style, unknown = from_words(words)
        assert style.dark and style.wallpaper == "waves" and not unknown
    assert not from_words("light terminal")[0].dark and from_words("terminal")[0].dark

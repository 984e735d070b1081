"""Styles after pictures: their colours, light, materials and patterns are those of the picture, where it shows them clearly."""

from __future__ import annotations

import colorsys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.desktop.desktop import Desktop
from engine.style_pictures import from_picture
from engine.styles import PRESETS, Style
from engine.wallpaper import clouds
from models.synthetic.renderer import StyledRenderer
from tests.test_styles import assert_readable

SIZE = (512, 384)
MATERIALS = ("streak", "scan", "grid", "hatch")


def materials(style: Style) -> tuple[str, ...]:
    return tuple(name for name in MATERIALS if getattr(style, name))


def apart(hue: float, other: float) -> float:
    """How far hues are from one another, in turns."""
    return abs((hue - other + 0.5) % 1 - 0.5)


def hues(colours: np.ndarray) -> list[float]:
    """Of what of uint8 (n, 3) is no grey."""
    hls = [colorsys.rgb_to_hls(*(colour / 255).tolist()) for colour in colours]
    return [h for h, light, s in hls if s * (1 - abs(2 * light - 1)) > 0.08]


def scene(top: tuple[int, int, int], bottom: tuple[int, int, int], sun: tuple[int, int, int]) -> np.ndarray:
    share = np.linspace(0, 1, 90)[:, None, None]
    pixels = np.broadcast_to(np.array(top) * (1 - share) + np.array(bottom) * share, (90, 120, 3)).round().astype(np.uint8)
    pixels = pixels.copy()
    pixels[20:50, 70:100] = sun
    return pixels


def test_a_picture_gives_its_colours_and_its_light() -> None:
    night = from_picture(scene((8, 10, 40), (20, 24, 70), (240, 200, 60)))
    assert night.dark and abs(night.wall_hue - 0.65) < 0.06 and abs(night.accent - 0.13) < 0.05
    day = from_picture(scene((150, 200, 250), (200, 230, 255), (220, 60, 60)))
    assert not day.dark and abs(day.wall_hue - 0.58) < 0.06 and min(day.accent, 1 - day.accent) < 0.05
    grey = from_picture(np.full((20, 30, 3), 190, np.uint8))
    assert not grey.dark and grey.vivid < 0.2 and grey.wallpaper == "flat" and grey.wall_saturation == 0
    for style in (night, day, grey):
        assert_readable(style)


def test_a_picture_gives_its_texture() -> None:
    y, x = np.mgrid[:128, :128]
    for wave, kind in ((np.sin((x + y) * 0.6), "stripes"), (y / 64 - 1, "gradient"), (np.sin(y * 0.2 + np.sin(x * 0.05)), "waves")):
        assert from_picture((128 + 60 * wave[..., None] * np.ones(3)).astype(np.uint8)).wallpaper == kind


def test_a_grainy_picture_gives_grain() -> None:
    smooth = np.full((120, 160, 3), 150, np.uint8)
    rough = (smooth + np.random.default_rng(0).normal(0, 14, (120, 160, 1))).astype(np.uint8)
    assert from_picture(smooth).grain == 0 and from_picture(rough).grain > 0.5
    assert from_picture(scene((150, 200, 250), (200, 230, 255), (220, 60, 60))).grain == 0


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 24), st.integers(1, 24), st.integers(0, 2**31))
def test_any_picture_gives_a_style_that_is_readable(width: int, height: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    style = from_picture((rng.random((height, width, 3)) * rng.integers(1, 256, 3)).astype(np.uint8))
    assert_readable(style)
    assert np.isfinite(style.vector()).all() and np.abs(style.vector()).max() <= 1


def test_what_is_no_picture_is_refused() -> None:
    for wrong in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(ValueError, match="uint8"):
            from_picture(wrong)


def halved(one: tuple[int, ...], other: tuple[int, ...], how: str) -> np.ndarray:
    """More of one colour than of the other, side by side, one above the other, or in stripes."""
    pixels = np.broadcast_to(np.array(one, np.uint8), (96, 128, 3)).copy()
    y, x = np.mgrid[:96, :128]
    pixels[{"beside": x < 55, "below": y > 52, "striped": (x + y) % 24 > 13}[how]] = other
    return pixels


@pytest.mark.parametrize("how", ["beside", "below", "striped"])
def test_both_main_colours_of_a_picture_are_in_the_style(how: str) -> None:
    rng = np.random.default_rng(4)
    pairs = [((40, 90, 200), (240, 140, 40)), *(_pair(rng) for _ in range(14))]
    for pair in pairs:
        style = from_picture(halved(*pair, how))
        palette = style.palette()
        for colour in pair:
            assert np.abs(palette.astype(int) - colour).max(1).min() < 110, (pair, colour)
            assert min(apart(hue, hues(np.array([colour]))[0]) for hue in hues(palette)) < 0.05, (pair, colour)
        assert_readable(style)


def _pair(rng: np.random.Generator) -> tuple[tuple[int, ...], ...]:
    """Two colours of hues that are told apart."""
    hue = rng.random()
    both = [colorsys.hls_to_rgb(h, rng.uniform(0.2, 0.8), rng.uniform(0.5, 1)) for h in (hue, hue + rng.uniform(0.2, 0.8))]
    return tuple(tuple(round(255 * part) for part in colour) for colour in both)


def test_half_blue_half_orange_is_blue_and_orange() -> None:
    style = from_picture(halved((240, 140, 40), (40, 90, 200), "beside"))
    assert apart(style.hue, 0.08) < 0.02 and apart(style.accent, 0.615) < 0.02
    wall = sorted(style.palette()[[0, -1]].tolist())
    assert wall[0][2] > wall[0][0] + 80 and wall[1][0] > wall[1][2] + 80


TURNS = {"as it is": lambda p: p, "mirrored": lambda p: p[:, ::-1], "upside down": lambda p: p[::-1], "turned": lambda p: p.transpose(1, 0, 2)}


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize(("preset", "material"), [("wood", "streak"), ("terminal", "scan"), ("blueprint", "grid"), ("sketch", "hatch")])
def test_a_material_is_found_in_a_picture_of_it(preset: str, material: str, turn: str) -> None:
    for seed in (0, 37, 1400):
        style = replace(PRESETS[preset], seed=seed)
        for pixels in (style.paints(SIZE).ground, StyledRenderer(style, SIZE).render(Desktop(SIZE).items)):
            found = from_picture(np.ascontiguousarray(TURNS[turn](pixels)))
            assert materials(found) == (material,) and found.wallpaper == "flat"
            assert getattr(found, material) > 0.5 * getattr(style, material)
            assert apart(found.wall_hue, style.wall_hue) < 0.03 and found.grain == 0


@pytest.mark.parametrize("preset", ["ocean", "candy", "paper"])
def test_a_pattern_is_found_in_a_picture_of_it(preset: str) -> None:
    style = PRESETS[preset]
    found = from_picture(StyledRenderer(style, SIZE).render(Desktop(SIZE).items))
    assert found.wallpaper == style.wallpaper and not materials(found)
    assert apart(found.wall_hue, style.wall_hue) < 0.06


def test_wood_and_squared_paper_of_somebody_elses() -> None:
    y, x = np.mgrid[:384, :512].astype(float)
    bent = clouds(np.random.default_rng(3), (384, 512), 2, 4)
    rings = 0.6 * np.sin(y / 5 + 6 * bent) + 0.5 * np.sin(y / 2.1 + 10 * bent) + np.random.default_rng(0).normal(0, 0.3, y.shape)
    wood = np.clip(np.array([150, 95, 50]) + 18 * rings[..., None] * [1, 0.8, 0.6], 0, 255).astype(np.uint8)
    style = from_picture(wood)
    assert materials(style) == ("streak",) and style.wallpaper == "flat" and apart(style.wall_hue, 0.075) < 0.02
    assert materials(from_picture(np.ascontiguousarray(wood.transpose(1, 0, 2)))) == ("streak",)
    squares = np.where(((x % 16 == 0) | (y % 16 == 0))[..., None], [150, 180, 220], [250, 248, 240]).astype(np.uint8)
    style = from_picture(squares)
    assert materials(style) == ("grid",) and style.wallpaper == "flat" and not style.dark
    assert apart(style.accent, 0.6) < 0.03 and style.wall_light > 0.8


@pytest.mark.parametrize("seed", range(8))
def test_gradients_photographs_and_noise_are_made_of_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : 1 : 384j, 0 : 1 : 512j]
    one, other = rng.random((2, 3)) * 255

    def between(share: np.ndarray) -> np.ndarray:
        share = np.clip(share, 0, 1)[..., None]
        return np.round(one + (other - one) * share)

    slope = from_picture(between(rng.random() * x + rng.random() * y).astype(np.uint8))
    assert not materials(slope) and slope.wallpaper in ("gradient", "flat")
    photo = between(0.5 + 0.5 * clouds(rng, (384, 512), int(rng.integers(2, 9)), int(rng.integers(2, 6))))
    for _ in range(12):  # things with edges
        top, left = int(rng.integers(350)), int(rng.integers(450))
        photo[top : top + int(rng.integers(20, 120)), left : left + int(rng.integers(20, 160))] = rng.random(3) * 255
    found = from_picture(np.clip(photo + rng.normal(0, 5, (384, 512, 1)), 0, 255).astype(np.uint8))
    assert not materials(found) and found.wallpaper not in ("dots", "stripes", "waves")
    noise = from_picture(np.clip(128 + rng.normal(0, 60, (384, 512, 3)), 0, 255).astype(np.uint8))
    assert not materials(noise) and noise.wallpaper == "flat" and noise.grain == 1 and noise.saturation < 0.1

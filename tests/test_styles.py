"""Styles: words mean something, text stays readable, shadows stay near their windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.quality_contrast import app_screens
from engine.drawing import Fill, Glyphs, Item, Outline
from engine.events import Ask
from engine.forms import BESIDE, COLOURS, LIT, REACH, ROLE, SHADED, SHAPES, SHINES, radii_in
from engine.geometry import Rect
from engine.guide import Guide
from engine.legibility import DIM, INKS, LIFT, contrast, luminance
from engine.materials import DEPTH, TEXTURES, moved
from engine.plain import glyph_coverage
from engine.style_words import from_words, in_words, known_words
from engine.styles import PRESETS, VECTOR_SIZE, Style, mix
from engine.theme import GLOSSED, NEUTRAL, Role
from engine.wallpaper import KINDS, SEEDS, mixture
from models.synthetic.random_styles import random_style
from models.synthetic.renderer import StyledRenderer
from models.synthetic.screens import Screen
from models.synthetic.sessions import random_desktop
from tests.user import User

SIZE = (256, 192)


def test_text_is_readable_in_every_style() -> None:
    rng = np.random.default_rng(0)
    for style in [*PRESETS.values(), *(random_style(rng) for _ in range(300))]:
        assert_readable(style)


def assert_readable(style: Style) -> None:
    palette = style.palette() / 255
    for ink, grounds in INKS.items():
        assert contrast(palette[ink], palette[list(grounds)]).min() >= 4.5, (ink, style)


def test_text_is_readable_in_every_style_as_it_is_drawn() -> None:
    """In the pixels: on textures and glass, under shadows, in glows."""
    rng = np.random.default_rng(11)
    for style in [*PRESETS.values(), *(random_style(rng) for _ in range(24))]:
        _assert_readable_as_drawn(Screen.random(rng, SIZE, style.chrome).items(), style)


@pytest.mark.parametrize("style", PRESETS)
def test_text_is_readable_on_the_screens_of_every_app(style: str) -> None:
    for desktop in app_screens(SIZE, style, np.random.default_rng(12)):
        _assert_readable_as_drawn(desktop.items, PRESETS[style])


def _assert_readable_as_drawn(items: Sequence[Item], style: Style) -> None:
    guide, renderer, seen = Guide(SIZE), StyledRenderer(style, SIZE), 0
    guide.update(items)
    written, bare = (renderer.render(shown) for shown in (items, [i for i in items if not isinstance(i, Glyphs)]))
    for item in items:
        if isinstance(item, Glyphs) and item.rect:
            part = item.rect.slices
            inked = (glyph_coverage(item, item.rect) == 255) & (guide.ink[part] == 255)
            inked &= (guide.pixels[part] == NEUTRAL[item.role]).all(-1)
            inked &= (written[part] != bare[part]).any(-1)
            ratio = contrast(written[part][inked] / 255, bare[part][inked] / 255)
            assert ratio.min(initial=99) >= 4.45, (item.role, item.text, style)  # 4.5 but for the rounding of both
            seen += int(inked.sum())
    assert seen > 100


def test_presets_look_different() -> None:
    screen = Screen.random(np.random.default_rng(1), SIZE)
    frames = {name: StyledRenderer(style, SIZE).render(screen.items()).astype(float) for name, style in PRESETS.items()}
    assert len(frames) >= 16
    for name, frame in frames.items():
        for other, another in frames.items():
            assert name == other or np.abs(frame - another).mean() > 8, (name, other)


@pytest.mark.parametrize(
    ("words", "dark", "radius"),
    [("dark blue, rounded", True, 12), ("Make it a cosy evening in a cabin", False, None), ("light", False, None),
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
def test_the_guide_says_where_corners_are_and_what_lies_beneath(radius: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    plain = replace(PRESETS["candy"], shadow=0.0, gloss=0.0, wallpaper="flat")
    right, cut_off = 0, 0
    for _ in range(4):
        items, guide = Screen.random(rng, SIZE).items(), Guide(SIZE)
        guide.update(items)
        square, rounded = (StyledRenderer(replace(plain, radius=r), SIZE).render(items) for r in (0.0, radius))
        marked = guide.forms[..., 0] > 0
        sharp_tiles = (square != rounded).any(-1) & ~marked
        assert not sharp_tiles.any()
        outermost = (guide.forms[..., 0] == 1) & (radii_in(radius)[np.where(marked, guide.forms[..., 1] >> BESIDE, 0)] >= 3)
        beneath = np.concatenate([plain.palette(), COLOURS])[guide.forms[outermost][:, 1] & ROLE].astype(int)
        right += int((np.abs(rounded[outermost].astype(int) - beneath).max(-1) < 8).sum())
        cut_off += int(outermost.sum())
    assert right >= 0.9 * cut_off and (cut_off > 20 or radius == 1)


def test_a_corner_within_the_square_of_a_rounder_one_is_told_where_no_look_cuts_that() -> None:
    window, field = Rect(16, 16, 96, 64), Rect(24, 40, 80, 32)
    guide = Guide((128, 96))
    guide.update([
        Fill(window, Role.SURFACE, "window", window), Outline(window, Role.BORDER, "window", window, 3),
        Fill(field, Role.FIELD, "field", field), Outline(field, Role.ACCENT, "field", field, 1),
    ])  # fmt: skip
    place, beneath, edge, _ = (plane.astype(int) for plane in guide.forms.transpose(2, 0, 1))
    shape, lowest = SHAPES[beneath[71, 24] >> BESIDE], np.flatnonzero(place[:, 24] == 1)
    assert shape == "field" and lowest.tolist() == [40, 71] and edge[71, 24] & ROLE == Role.ACCENT and beneath[71, 24] & ROLE == Role.SURFACE
    assert place[79, 16] == 1 and SHAPES[beneath[79, 16] >> BESIDE] == "window"
    for radius in (0.5, 3.0, 6.0, 9.0, 12.0):  # what the window's corner cuts or edges, be its edge the widest, is told as its
        square, cut = (StyledRenderer(replace(PRESETS["light"], radius=r, shadow=0.0), (128, 96)).render(guide.items) for r in (0.0, radius))
        assert not ((square != cut).any(-1) & (place == 0)).any()


@pytest.mark.parametrize("seed", range(4))
def test_the_guide_says_how_far_down_what_shines_a_pixel_is(seed: int) -> None:
    dull, glossy = (StyledRenderer(replace(PRESETS["glass"], gloss=gloss, shadow=0.0), SIZE) for gloss in (0.0, 1.0))
    dull.palette, dull.paints = glossy.palette, glossy.paints  # a glossy look's colours are others, to be read on both ends
    rng, guide = np.random.default_rng(seed), Guide(SIZE)
    for items in (Screen.random(rng, SIZE).items(), random_desktop(rng, SIZE).items):
        guide.update(items)
        told = np.where(guide.forms[..., 0] == 0, guide.forms[..., 1], 0).astype(int)
        before, after = (renderer.render(items).astype(int) for renderer in (dull, glossy))
        assert not ((before != after).any(-1) & (told == 0) & (guide.forms[..., 0] == 0)).any()
        bare = (told > 0) & (guide.ink == 0) & (guide.pixels == NEUTRAL[(guide.forms[..., 3] & ROLE).clip(1) - 1]).all(-1)
        down, shown = ((told[bare] - 1) / (SHINES - 1))[:, None], before[bare]
        wanted = [(shown + (255 - shown) * gloss * LIFT * (1 - down)) * (1 - gloss * DIM * down) for gloss in set(GLOSSED.values())]
        off = np.min([np.abs(after[bare] - lit).max(-1) for lit in wanted], 0)
        assert bare.mean() > 0.02 and down.min() == 0 and down.max() == 1 and np.abs(after - before)[bare].max() > 20 and off.max() <= 1.5


def test_edges_and_marks_are_of_their_roles_paint() -> None:
    renderer, box = StyledRenderer(PRESETS["glass"], SIZE), Rect(40, 40, 60, 50)
    paint = renderer.paints.over(Role.BORDER, box)
    ring = renderer.render([Outline(box, Role.BORDER, "canvas", box, 2)])[box.slices].astype(float)
    edge = np.ones((50, 60), bool)
    edge[2:-2, 2:-2] = False
    assert np.abs(ring - paint)[edge].max() <= 0.5 and np.ptp(paint, (0, 1)).max() > 10, "what shines through differs from place to place"


@pytest.mark.parametrize("seed", range(4))
def test_the_guide_says_which_pixels_a_style_may_light_or_shade(seed: int) -> None:
    """Shapes that are cut off, by a window over them or by scrolling, have no edge there."""
    flat, raised = (replace(PRESETS["pixel"], bevel=bevel, shadow=0.0) for bevel in (0.0, 1.0))
    rng, guide = np.random.default_rng(seed), Guide(SIZE)
    for items in (Screen.random(rng, SIZE).items(), random_desktop(rng, SIZE).items):
        guide.update(items)
        plain, lit = (StyledRenderer(style, SIZE).render(items).astype(int) for style in (flat, raised))
        told = guide.forms[..., 3]
        bare = (guide.ink == 0) & (guide.pixels == NEUTRAL[(told & 31).clip(1) - 1]).all(-1)  # no text or mark over it
        lighter, darker = ((sign * (lit - plain)).max(-1) > 0 for sign in (1, -1))
        assert not (lighter & (told & LIT == 0)).any() and not (darker & (told & SHADED == 0)).any()
        assert lighter[bare & (told & (LIT | SHADED) == LIT)].mean() > 0.9
        assert darker[bare & (told & (LIT | SHADED) == SHADED)].mean() > 0.9


def test_the_same_items_give_the_same_picture() -> None:
    items = Screen.random(np.random.default_rng(3), SIZE).items()
    frames = [StyledRenderer(PRESETS["ocean"], SIZE).render(items) for _ in range(2)]
    assert (frames[0] == frames[1]).all()


@pytest.mark.parametrize(("one", "other", "turning"), [
    ("light", "dark", 3), ("ocean", "sunset", 3), ("candy", "terminal", 3), ("paper", "forest", 3.3), ("ocean", "candy", 0), ("neon", "blueprint", 0),
    ("glass", "wood", 7.3),
])  # fmt: skip
def test_the_way_from_one_style_to_another_is_smooth_and_readable(one: str, other: str, turning: float) -> None:
    """`turning`: how many even steps the step may be at which an ink turns from dark to light: no colour in between could be
    read there, nor can what lies over and shines through the ground, which fades at once: most of all glass."""
    items = replace(Screen.random(np.random.default_rng(8), SIZE), notice="").items()
    a, b = PRESETS[one], PRESETS[other]
    assert mix(a, b, 0.0) == a and mix(a, b, 1.0) == b
    steps = [mix(a, b, share) for share in np.linspace(0, 1, 41)]
    frames = [StyledRenderer(style, SIZE).render(items).astype(float) for style in steps]
    jumps = [np.abs(f - g).mean() for f, g in zip(frames, frames[1:], strict=False)]
    even, turned = np.abs(frames[0] - frames[-1]).mean() / 40, inks_turned(steps)
    assert max(jump for jump, turns in zip(jumps, turned, strict=True) if not turns) < 1.3 * even + 0.8  # 0.8 grey levels: rounding of corners and of bytes
    assert bool(turning) == any(turned) and sum(turned) <= len(INKS)
    assert all(jump < turning * even for jump, turns in zip(jumps, turned, strict=True) if turns)
    for style in steps:
        assert_readable(style)
        assert style.vector()[60 : 60 + len(KINDS)].sum() == pytest.approx(1.0)


def inks_turned(steps: list[Style]) -> list[bool]:
    """Between each of the styles and the next, whether an ink turned from darker than its ground to lighter or back."""
    palettes = [style.palette() / 255 for style in steps]
    sides = [[luminance(colours[ink]) > luminance(colours[list(on)]).mean() for ink, on in INKS.items()] for colours in palettes]
    return [a != b for a, b in zip(sides, sides[1:], strict=False)]


def test_hues_go_the_short_way_round() -> None:
    middle = mix(replace(PRESETS["light"], accent=0.95), replace(PRESETS["light"], accent=0.05), 0.5)
    assert min(middle.accent % 1, 1 - middle.accent % 1) < 1e-9


def test_a_dark_sea_is_dark_whichever_word_comes_first() -> None:
    for words in ("a calm night at the sea", "dark ocean", "ocean, dark"):
        style, unknown = from_words(words)
        assert style.dark and style.wallpaper == "waves" and not unknown
    assert not from_words("light terminal")[0].dark and from_words("terminal")[0].dark


def test_a_wallpaper_is_its_seeds_and_covers_the_way_between_two_colours() -> None:
    for kind in KINDS:
        first = mixture(kind, SIZE, 0)
        assert first.shape == (SIZE[1], SIZE[0]) and first.min() >= 0 and first.max() <= 1
        assert (first == mixture.__wrapped__(kind, SIZE, 0)).all()  # drawn again, not remembered
        assert mixture(kind, SIZE, SEEDS - 1).shape == first.shape
    for kind in ("hills", "waves", "sky", "stars", "city", "abstract"):
        assert np.abs(mixture(kind, SIZE, 1) - mixture(kind, SIZE, 2)).mean() > 0.02, kind


def test_textures_differ_by_seed_and_stand_still() -> None:
    for name in ("grain", "streak", "hatch"):
        one, again, other = (
            replace(Style(**{name: 1.0}), seed=seed).paints(SIZE).planes[..., 3] for seed in (1, 1, 2)
        )
        assert (one == again).all() and (one != other).mean() > 0.3
    flat = Style().paints(SIZE)
    assert (flat.planes[..., 3] == 128).all()


def test_what_a_window_uncovers_is_the_wallpaper_that_was_there() -> None:
    """In every preset, a window that comes and goes leaves each pixel as it was."""
    rng = np.random.default_rng(2)
    screen = Screen.random(rng, SIZE)
    while len(screen.windows) < 2:
        screen = Screen.random(rng, SIZE)
    for style in PRESETS.values():
        renderer = StyledRenderer(style, SIZE)
        before = renderer.render(screen.items())
        window = screen.windows.pop()
        assert (renderer.render(screen.items()) != before).any()
        screen.windows.append(window)
        assert (renderer.render(screen.items()) == before).all()


def test_a_paint_is_its_colour_its_texture_and_what_shines_through() -> None:
    style = replace(PRESETS["glass"], grain=1.0, gloss=0.0, shadow=0.0, radius=0.0)
    paints = style.paints(SIZE)
    whole, role = Rect(0, 0, *SIZE), Role.SURFACE
    shown, colour = paints.over(role, whole), style.palette()[role].astype(float)
    texture = (paints.planes[..., 3:].astype(float) - 128) / 127
    through = paints.clear[role] * (paints.ground - colour)
    assert np.abs(shown - colour - through - texture * moved(colour, DEPTH[role])).max() < 1e-3
    assert np.abs(through).max() > 10 and np.abs(texture).max() > 0.5
    assert (paints.over(Role.WALLPAPER, whole) == paints.ground).all()
    roles = np.random.default_rng(0).integers(0, len(Role), (SIZE[1], SIZE[0]))
    mosaic = paints.where(roles)
    for one in range(len(Role)):
        assert np.abs(mosaic - paints.over(one, whole))[roles == one].max() < 1e-3


def test_every_number_of_a_style_can_be_said() -> None:
    rng = np.random.default_rng(9)
    for style in [*PRESETS.values(), *(random_style(rng) for _ in range(40))]:
        again, unknown = from_words(in_words(style))
        assert not unknown and (again.vector() == style.vector()).all() and again.chrome == style.chrome


def test_numbers_keep_inside_their_limits_and_nonsense_is_named() -> None:
    style, unknown = from_words("ocean radius=99 seed=-4 grain=0.5 hue=1.25 wallpaper=stars colour=3 grain=wood second=mud")
    assert (style.radius, style.seed, style.hue, style.wallpaper) == (12.0, 0, 0.25, "stars")
    assert set(unknown) == {"colour=3", "grain=wood", "second=mud"}
    assert known_words("glow=1") and not known_words("mass=1")


@pytest.mark.parametrize(("words", "made_of"), [
    ("a wooden desk", "streak"), ("frosted", "glass"), ("an old CRT console", "scan"), ("blueprint", "grid"),
    ("hand drawn with a marker", "hatch"), ("a parchment", "grain"), ("cyberpunk", "glow"), ("retro pixels", "bevel"),
])  # fmt: skip
def test_materials_have_words(words: str, made_of: str) -> None:
    style = from_words(words)[0]
    assert getattr(style, made_of) >= 0.5
    assert made_of not in TEXTURES or style.vector()[60 + len(KINDS) + 1 + TEXTURES.index(made_of)] > 0.3


def test_materials_and_colours_go_together() -> None:
    both = from_words("wooden ocean")[0]
    assert both.streak == PRESETS["wood"].streak and both.wallpaper == PRESETS["ocean"].wallpaper
    assert from_words("blue glass")[0] == from_words("glass blue")[0]


def test_the_ask_bar_takes_numbers() -> None:
    user = User()
    for words in ("sunset", "radius=0 grain=0.8", "seed=12"):
        user.does(Ask, words)
    style = user.desktop.style
    assert (style.radius, style.grain, style.seed) == (0.0, 0.8, 12) and style.hue == PRESETS["sunset"].hue

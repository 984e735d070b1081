"""Where a window's shadow or glow may fall: what the guide tells of it, in dreams too, and what the denoiser makes of that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.desktop.desktop import Desktop
from engine.drawing import Fill, Picture
from engine.events import Ask, Down, Event, Move, Text, Up
from engine.forms import BESIDE, CAST, FLOATING, LIT, REACH, SHADED, SHAPES, SHINES
from engine.geometry import Rect
from engine.guide import Guide
from engine.legibility import GLOW, SHADE
from engine.materials import PAINTS
from engine.painter import PainterSpec
from engine.styles import PRESETS, Style
from engine.theme import ROUNDS, Role
from models.catalog import BUNDLED, open_painter
from models.corners import LEAST, MOST
from models.denoiser import Denoiser, unpack
from models.dreaming.dream import Dream
from models.inputs import build_of, corner_maps, to_latents
from models.loading import load_bundled, save_bundled
from models.relief import kinds_of, seen_of
from models.synthetic.renderer import StyledRenderer
from models.synthetic.screens import Screen
from models.synthetic.sessions import User, play, random_desktop
from models.synthetic.shots import Crop, desktop_shots
from models.training.networks import grow, networks_from
from models.training.objective import batch_of
from tests.checkpoints import tiny_networks
from tests.test_dreaming import SIZE as SCREEN
from tests.test_dreaming import Always, request, shown
from tests.test_models import made_of
from tests.test_painters import SIZE, ask, drawn, empty, show

BARE = replace(PRESETS["light"], shadow=0.0, glow=0.0)


def shadowed(guide: Guide) -> np.ndarray:
    return (guide.forms[..., 3] & CAST) > 0


@pytest.mark.parametrize("style", [replace(BARE, shadow=1.0), replace(BARE, glow=1.0), replace(BARE, shadow=1.0, radius=12.0)])
def test_shadows_and_glows_fall_where_the_guide_says_and_nowhere_else(style: Style) -> None:
    rng, fell, told = np.random.default_rng(7), 0, 0
    lit, bare = (StyledRenderer(one, SIZE) for one in (style, replace(style, shadow=0.0, glow=0.0)))
    bare.palette, bare.paints = lit.palette, lit.paints  # colours are chosen to be read in shadows, too
    for items in (*(Screen.random(rng, SIZE).items() for _ in range(6)), random_desktop(rng, SIZE).items):
        guide = Guide(SIZE)
        guide.update(items)
        apart = (lit.render(items) != bare.render(items)).any(-1)
        rounded = guide.forms[..., 0] > 0  # corners say for themselves what lies beneath
        assert not (apart & ~shadowed(guide) & ~rounded).any()
        fell, told = fell + int((apart & shadowed(guide)).sum()), told + int(shadowed(guide).sum())
    assert fell > 0.3 * told > 1000


def test_what_is_open_is_told_anew_wherever_it_goes() -> None:
    """Drawn bit by bit the guide says the same as drawn at once; and that alone is no damage."""
    rng = np.random.default_rng(2)
    desktop, guide = random_desktop(rng, SIZE), Guide(SIZE)
    user = User(rng, desktop, styles=False)
    for _ in range(60):
        play(desktop, user.act())
        for window in desktop.stack.windows:
            window.rect = window.rect.shift(*rng.integers(-9, 10, 2).tolist()) if rng.random() < 0.3 else window.rect
        guide.update(desktop.items)
        assert (guide.forms == shown(desktop).forms).all()
    lower = Fill(Rect(0, 0, *SIZE), Role.WALLPAPER, "wallpaper", Rect(0, 0, *SIZE))
    part, whole = Rect(64, 64, 32, 32), Rect(32, 32, 96, 88)
    for height, far in ((88, 120), (96, 128)):  # its corners and its lower end are not seen, but that throws its shadow
        damage = guide.update([lower, Fill(part, Role.BORDER, "window", Rect(*whole[:3], height))])
        assert shadowed(guide)[far : far + REACH, 32:120].all() and not shadowed(guide)[part.slices].any()
    assert damage == ()


def test_shadows_spare_pictures_and_bars_and_only_on_wallpaper_is_there_a_glow_above() -> None:
    pixels = np.full((192, 256, 3), 200, np.uint8)
    frame, window, bar, photo = Rect(0, 0, 256, 192), Rect(64, 64, 64, 32), Rect(0, 100, 256, 92), Rect(100, 0, 156, 192)
    items = [
        Fill(frame, Role.WALLPAPER, "wallpaper", frame), Picture(photo, Role.FIELD, ("p",), photo, pixels[photo.slices]),
        Fill(window, Role.BORDER, "window", window), Fill(bar, Role.BAR, "bar", bar),
    ]  # fmt: skip
    guide = Guide(frame[2:])
    guide.update(items)
    around = np.zeros((192, 256), bool)
    around[window.grow(REACH).slices] = True
    around[56:60, 100:] = around[60:, 134:] = False  # a shadow is thrown down
    around[window.slices] = around[bar.slices] = False
    assert (shadowed(guide) == around).all()
    assert (kinds_of(torch.from_numpy(guide.forms[..., 3]))[guide.verbatim > 0] == 0).all(), "nobody knows what was filled there"
    shown = StyledRenderer(replace(BARE, shadow=1.0), SIZE).render(items)
    assert (shown[guide.verbatim > 0] == 200).all() and (guide.verbatim > 0).sum() > 9000


def test_what_was_filled_is_told_in_shadows_as_out_of_them() -> None:
    filled = torch.arange(128, dtype=torch.uint8)
    assert torch.equal(kinds_of(filled), kinds_of(filled | CAST))
    assert kinds_of(torch.tensor([0, 1 + Role.FIELD, LIT | 3, SHADED | 3, LIT | SHADED | 3], dtype=torch.uint8)).tolist() == [0, 1, 2, 3, 4]


def windows_dragged() -> list[tuple[Event, ...]]:
    return [
        (Ask(1.0, "calculator"),), (Ask(2.0, "notes"),), (Text(3.0, "a"),), (Move(4.0, 200, 21), Down(4.1, "left", 200, 21)),
        (Move(4.2, 260, 60),), (Move(4.3, 120, 90), Up(4.4, "left", 120, 90)), (Ask(5.0, "ocean"),), (Down(12.0, "right", 300, 200), Up(12.1, "right", 300, 200)),
    ]  # fmt: skip


def test_a_dream_says_where_shadows_fall_as_the_desktop_does() -> None:
    desktop = Desktop(SCREEN)
    dreamer = load_bundled(BUNDLED, "bundled").dreamer
    assert dreamer is not None
    still = Always(0, belief=-99.0)
    still.book = dreamer.book
    dream = Dream(still, SCREEN)
    dream.begin(request(desktop, guide=shown(desktop)))
    for events in windows_dragged():
        for event in events:
            desktop.handle(event)
        dream.answer(request(desktop, events))
        assert ((dream.guide[2][..., 3] & CAST > 0) == shadowed(shown(desktop))).all(), events
    assert desktop.menu is not None and shadowed(shown(desktop)).sum() > 5000


def test_a_painter_paints_by_it_and_one_that_was_never_told_does_not(tmp_path: Path) -> None:
    denoiser, encoder = tiny_networks()
    unaware = Denoiser(**{**dict(denoiser.config), "shadows": 0, "edges": 2})
    grow(unaware, denoiser)
    torch.nn.init.normal_(denoiser.shadow_in.weight, std=5.0)
    torch.nn.init.normal_(denoiser.head.weight, std=0.2)
    unaware.head.load_state_dict(denoiser.head.state_dict())
    for folder, network in (("told", denoiser), ("never", unaware)):
        save_bundled(tmp_path / folder, network, encoder, torch.float32)
    guide = drawn(4)
    lit = ask(guide)
    dark = replace(lit, forms=np.concatenate([guide.forms[..., :3], guide.forms[..., 3:] & (255 - CAST)], -1))
    for folder, same in (("told", False), ("never", True)):
        painter = open_painter(PainterSpec(str(tmp_path / folder), size=SIZE, threads=1, device="cpu"))
        assert (show(painter, empty(), lit) == show(painter, empty(), dark)).all() == same, folder
    grown = networks_from(tmp_path / "never").denoiser
    assert grown.config.shadows == 3 and not grown.shadow_in.weight.any(), "it begins as it was"


def test_crops_that_are_not_told_what_was_filled_are_told_where_shadows_fall() -> None:
    rng = np.random.default_rng(4)
    shot = next(shot for shot in desktop_shots(rng, 12) if (shot.forms[..., 3] & CAST).any())
    rows, columns = np.nonzero(shot.forms[..., 3] & CAST)
    x, y = (min(int(at[0]) // 16 * 16, side - 64) for at, side in ((columns, shot.size[0]), (rows, shot.size[1])))
    filled = batch_of([Crop(shot, x, y, 64)] * 60, rng, guide_dropped=0.0).forms[..., 3].numpy()
    wanted = Crop(shot, x, y, 64).take(shot.forms)[..., 3]
    told = (filled & (255 - CAST)).any((1, 2))
    assert 0 < (~told).sum() < 20 and ((filled & CAST) == (wanted & CAST)).all() and (filled[told] == wanted).all()


def test_what_floats_is_what_the_desktop_draws_so() -> None:
    desktop = Desktop(SCREEN)
    for event in (Ask(1.0, "notes"), Ask(2.0, "ocean")):
        desktop.handle(event)
    shapes = {item.shape for item in desktop.items if isinstance(item, Fill)}
    assert set(FLOATING) & shapes == {"window", "menu"}, "a notice floats, too"


@pytest.mark.parametrize("radius", [0.0, 5.0, ROUNDS])
@pytest.mark.parametrize("name", ["shadow", "glow"])
def test_it_is_told_how_near_what_throws_them_is_as_far_as_they_fade_away(name: str, radius: float) -> None:
    """Beside what floats, and where its corners are cut off: as dark and as light as the renderer makes it, nearly."""
    style, rng, off = replace(BARE, radius=radius, **{name: 1.0}), np.random.default_rng(7), dict[str, list[float]](beside=[], beneath=[])
    lit, bare = (StyledRenderer(one, SIZE) for one in (style, replace(style, shadow=0.0, glow=0.0)))
    bare.palette, bare.paints = lit.palette, lit.paints  # colours are chosen to be read in shadows, too
    full = np.zeros(3) if name == "shadow" else lit.palette[Role.ACCENT]
    which, strength = int(name == "glow"), style.strength(name) * (SHADE if name == "shadow" else GLOW)
    build = build_of(style.vector()[None])
    cells = SIZE[1] // 4, SIZE[0] // 4
    made = replace(made_of(1), build=build, ground=torch.zeros(1, 48, *cells), texture=torch.zeros(1, 16, *cells))
    for items in (*(Screen.random(rng, SIZE).items() for _ in range(9)), random_desktop(rng, SIZE).items):
        if any(isinstance(item, Fill) and item.shape == "menu" and (radius > 8 or item.rect == (0, 0, *SIZE)) for item in items):
            continue  # such a menu counts as a window, and is not as round
        guide = Guide(SIZE)
        guide.update(items)
        before, after = (renderer.render(items).astype(float) for renderer in (bare, lit))
        forms = torch.from_numpy(guide.forms[None])
        light = seen_of(to_latents(guide.pixels[None]), forms, build).light
        assert light is not None
        maps = unpack(corner_maps(forms, torch.zeros(1, PAINTS, 3), made))[0].numpy()
        floats = (guide.forms[..., 0] > 0) & np.isin(guide.forms[..., 1] >> BESIDE, [SHAPES.index(shape) for shape in FLOATING])
        cut = floats & (maps[0] * (MOST - LEAST + 1) + LEAST - 1 <= -0.5)
        plain = (guide.ink == 0) & (guide.verbatim == 0)
        for kind, here, told in (("beside", guide.forms[..., 0] == 0, light[0, ..., 2 + which].numpy() / SHINES * strength), ("beneath", cut, maps[-2 + which])):
            apart = np.abs(before + (full - before) * told[..., None] - after).max(-1) / 255
            off[kind] += apart[here & plain & (told > 0)].tolist()
    for kind, least in (("beside", 1000), ("beneath", 10 * (radius > 0))):
        assert len(off[kind]) >= least and np.quantile(off[kind] or [0], 0.95) < 0.1 * strength + 0.01, kind

"""Round corners: what the guide tells of them, how the source draws them, how the denoiser takes and mixes them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.context import SLOW_SIZE
from engine.drawing import Fill, Glyphs, Outline, Picture
from engine.forms import COLOURS, LOWER, PICTURED, ROLE, corner_nearness, told_of
from engine.geometry import Rect
from engine.guide import Guide
from engine.materials import PAINTS
from engine.painter import PainterSpec
from engine.styles import PRESETS
from engine.theme import ROUNDS, Role
from engine.typeface import Face
from models.catalog import open_painter
from models.corners import LEAST, MOST, Corner
from models.denoiser import CORNERS, Denoiser, unpack
from models.inputs import build_of, corner_maps, palette_of
from models.loading import save_bundled
from models.materials import Materials
from models.synthetic.renderer import StyledRenderer
from models.synthetic.screens import Screen
from models.training.networks import grow, networks_from
from tests.checkpoints import tiny_networks
from tests.test_models import made_of
from tests.test_painters import SIZE, ask, drawn, empty, show


def test_corners_are_mixed_of_what_was_painted_what_lies_beneath_and_the_edge() -> None:
    guide = np.zeros((1, 32, 32, 4), np.uint8)
    guide[0, 5, 6, :3] = 1, Role.FIELD, Role.ACCENT  # of a window, the first of SHAPES
    guide[0, 9, 9, :3] = 4, Role.WALLPAPER, Role.BORDER
    slow = torch.randn(1, SLOW_SIZE)
    corners = corner_maps(torch.from_numpy(guide), palette_of(slow), made_of(1))
    cut, beneath, edge = (unpack(corners[:, a:b]) for a, b in ((0, 16), (16, 64), (64, 112)))
    assert corners.shape == (1, CORNERS, 8, 8) and int((cut > 0).sum()) == 2
    palette = palette_of(slow)[0]
    assert torch.equal(beneath[0, :, 5, 6], palette[Role.FIELD]) and torch.equal(edge[0, :, 5, 6], palette[Role.ACCENT])
    assert torch.allclose(beneath[0, :, 9, 9], torch.tensor(0.25)) and torch.equal(edge[0, :, 9, 9], palette[Role.BORDER])
    painted = torch.randn(1, 8, 8, 16, 3)
    module = Corner(4, 10, lit=0)
    torch.nn.init.zeros_(module.out.weight)
    for bias, expected in (((40.0, 0.0), beneath), ((0.0, 40.0), edge)):
        module.out.bias.data = torch.tensor(bias)
        mixed = module(torch.randn(1, 4, 8, 8), corners, torch.randn(1, 32), palette_of(slow)).over(painted)
        pixels = unpack(mixed.permute(0, 4, 3, 1, 2).reshape(1, 48, 8, 8))
        before = unpack(painted.permute(0, 4, 3, 1, 2).reshape(1, 48, 8, 8))
        here = cut > 0
        assert torch.allclose(pixels[here.expand_as(pixels)], expected[here.expand_as(pixels)], atol=1e-5)
        assert torch.equal(pixels[~here.expand_as(pixels)], before[~here.expand_as(pixels)])


def test_what_lies_beneath_a_corner_lies_in_its_shadow_and_its_glow() -> None:
    """As far as they reach, and a shadow falls on what glows."""
    forms = np.zeros((1, 32, 32, 4), np.uint8)
    forms[0, 5, 6, :3] = 4, Role.WALLPAPER, Role.BORDER  # of a window, whose fourth pixel in the first row it is
    forms[0, 9, 9, :3] = 4, Role.FIELD, Role.BORDER | LOWER
    slow = torch.randn(1, SLOW_SIZE)
    made = made_of(1)
    upper, lower = (torch.from_numpy(corner_nearness()[12, which, 4] / 255) for which in (0, 1))
    assert upper[0] < lower[0] and upper[1] == lower[1] > 0, "a shadow is thrown down"
    module, accent = Corner(4, 10), palette_of(slow)[0, Role.ACCENT].double()
    module.out.bias.data = torch.tensor((40.0, 0.0))
    for dark, bright in ((0.0, 0.0), (0.3, 0.1), (1.0, 1.0)):
        made.build[:, -2:] = torch.tensor((dark, bright))
        corners = corner_maps(torch.from_numpy(forms), palette_of(slow), made)
        mixed = module(torch.randn(1, 4, 8, 8), corners, torch.randn(1, 32), palette_of(slow)).over(torch.randn(1, 8, 8, 16, 3))
        pixels = unpack(mixed.permute(0, 4, 3, 1, 2).reshape(1, 48, 8, 8))[0].double()
        glowing, paper = 0.25 + (accent - 0.25) * bright * upper[1], palette_of(slow)[0, Role.FIELD].double()
        assert torch.allclose(pixels[:, 5, 6], (glowing + 1) * (1 - dark * upper[0]) - 1, atol=1e-5)
        assert torch.allclose(pixels[:, 9, 9], (paper + 1) * (1 - dark * lower[0]) - 1, atol=1e-5), "no glow on paper"


@pytest.mark.parametrize("radius", [12.0, 7.0, 3.0, 0.0])
def test_the_source_rounds_corners_as_deep_as_the_denoiser_is_told(radius: float) -> None:
    """What lies beneath, the edge and the shape itself, mixed by depth alone, are what the source draws, for some width of the edge."""
    style = replace(PRESETS["candy"], shadow=0.0, gloss=0.0, wallpaper="flat", radius=radius)
    rng, wrong, many = np.random.default_rng(round(radius)), 0, 0
    for _ in range(4):
        items, guide = Screen.random(rng, SIZE).items(), Guide(SIZE)
        guide.update(items)
        square, rounded = (StyledRenderer(replace(style, radius=r), SIZE).render(items).astype(float) for r in (0.0, radius))
        slow = torch.from_numpy(style.vector()[None].copy())
        here = (guide.forms[..., 0] > 0) & (guide.forms[..., 1] & ROLE < PICTURED)  # a picture's colour is not told exactly
        maps = corner_maps(torch.from_numpy(guide.forms)[None], palette_of(slow), Materials(
            torch.zeros(1, PAINTS), torch.zeros(1, PAINTS), torch.zeros(1, 48, SIZE[1] // 4, SIZE[0] // 4), torch.zeros(1, 16, SIZE[1] // 4, SIZE[0] // 4),
            build_of(slow.numpy()),
        ))  # fmt: skip
        shown, beneath, edge = (unpack(maps[:, a:b])[0].permute(1, 2, 0).numpy()[here] for a, b in ((0, 16), (16, 64), (64, 112)))
        assert ((shown > 0) & (shown <= 1)).all()
        depth = shown * (MOST - LEAST + 1) + LEAST - 1
        off = []
        for width in range(4):
            within, inner = np.clip(depth, 0, 1), np.clip(depth - width, 0, 1)
            mixed = inner * square[here] + (within - inner) * (edge + 1) * 127.5 + (1 - within) * (beneath + 1) * 127.5
            off.append(np.abs(mixed - rounded[here]).max(-1))
        wrong, many = wrong + int((np.min(off, 0) > 3).sum()), many + len(depth)
    assert many > 5000 and wrong <= 0.015 * many  # where a letter or another corner lies beneath, or something else over a window's corner


def test_a_checkpoint_that_is_told_only_how_easily_corners_are_cut_still_rounds_them(tmp_path: Path) -> None:
    """As those were that came before today's."""
    denoiser, encoder = tiny_networks()
    simpler = Denoiser(**{**dict(denoiser.config), "corners": 1})
    grow(simpler, denoiser)
    torch.nn.init.constant_(simpler.corner.out.bias, 3.0)
    for folder, network in (("easily", simpler), ("never", Denoiser(**{**dict(denoiser.config), "corners": 0}))):
        grow(network, simpler)
        save_bundled(tmp_path / folder, network, encoder, torch.float32)
    guide = drawn(3)
    rounded, square = (
        show(open_painter(PainterSpec(str(tmp_path / name), size=SIZE, threads=1, device="cpu")), empty(), ask(guide)) for name in ("easily", "never")
    )
    apart = (rounded != square).any(-1)
    assert apart.sum() > 50 and not apart[guide.forms[..., 0] == 0].any()
    grown = networks_from(tmp_path / "easily").denoiser
    assert grown.corner.told and torch.equal(grown.corner.out.bias, simpler.corner.out.bias)


def test_how_easily_a_corner_is_cut_off_by_place_and_shape() -> None:
    forms = np.zeros((1, 16, 16, 4), np.uint8)
    told = told_of("window", 12)
    forms[0, :12, :12] = told.view(np.uint8).reshape(12, 12, 4)
    maps = corner_maps(torch.from_numpy(forms), torch.zeros(1, PAINTS, 3), made_of(1, 4), told=False)
    needed = (255 - unpack(maps[:, :16])[0, 0, :12, :12].numpy() * 255) / 16
    x, y = np.arange(12) + 0.5, np.arange(12)[:, None] + 0.5
    assert np.abs(needed - np.minimum(x + y + np.sqrt(2 * x * y), 254 / 16))[told > 0].max() <= 1 / 32 + 1e-4
    assert needed[0, 0] < ROUNDS < needed[5, 5] and 60 < (told > 0).sum() < 100, "what lies deeper no look changes"


def test_of_letters_beneath_a_window_s_corner_it_is_told_in_which_role_they_are_nearly_drawn() -> None:
    frame, window = Rect(0, 0, 64, 64), Rect(20, 20, 40, 40)
    ground = [Fill(frame, Role.FIELD, "", frame), Glyphs(Rect(0, 16, 64, 17), Role.INK, 14, 16, "WWWW", Face(13))]
    bare, guide = Guide((64, 64)), Guide((64, 64))
    bare.update(ground)
    guide.update([*ground, Fill(window, Role.SURFACE, "window", window)])
    here, beneath = guide.forms[..., 0] > 0, guide.forms[..., 1] & ROLE
    dark, light, between = (bare.ink[here] > 230, bare.ink[here] < 20, abs(bare.ink[here].astype(int) - 140) < 20)
    assert (beneath[here][dark] == Role.INK).all() and (beneath[here][light] == Role.FIELD).all() and (beneath[here][between] == Role.MUTED).all()
    assert min(dark.sum(), light.sum(), between.sum()) > 5
    assert (guide.update([*ground[:1], guide.items[-1]]) != ()) and (guide.forms[..., 1][here] & ROLE == Role.FIELD).all(), "it is seen there, so it is damage"


def test_a_corner_over_a_picture_shows_the_picture_beneath() -> None:
    rng = np.random.default_rng(5)
    frame, window = Rect(0, 0, 64, 64), Rect(24, 16, 32, 32)
    pixels = np.kron(rng.integers(0, 256, (8, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    guide = Guide((64, 64))
    guide.update([Picture(frame, Role.FIELD, ("p",), frame, pixels), Fill(window, Role.BORDER, "window", window)])
    maps = corner_maps(torch.from_numpy(guide.forms)[None], torch.zeros(1, PAINTS, 3), made_of(1, 16))
    every = corner_maps(torch.from_numpy(guide.forms)[None], torch.zeros(1, PAINTS, 3), made_of(1, 16), static=True)
    assert torch.allclose(maps, every, atol=1e-6)
    cut, beneath = unpack(maps[:, :16])[0, 0].numpy(), (unpack(maps[:, 16:64])[0].permute(1, 2, 0).numpy() + 1) * 127.5
    here = guide.forms[..., 0] > 0
    assert here.sum() == 4 * np.count_nonzero(told_of("window", 12)) and ((cut > 0) == here).all() and not guide.verbatim[here].any()
    off = np.abs(beneath - pixels)[here].max(-1)
    assert off.max() <= 130 and np.median(off) <= 64, "the nearest of a few colours"
    white = np.full_like(pixels, 255)
    guide.update([Picture(frame, Role.FIELD, ("q",), frame, white), Fill(window, Role.BORDER, "window", window)])
    maps = corner_maps(torch.from_numpy(guide.forms)[None], torch.zeros(1, PAINTS, 3), made_of(1, 16))
    assert (unpack(maps[:, 16:64])[0].permute(1, 2, 0).numpy()[here] == 1).all(), "to the bit on white paper"
    guide.update([Picture(frame, Role.FIELD, ("q",), frame, white), Outline(window, Role.BORDER, "field", window, 1)])
    assert not guide.forms[..., 0].any(), "what only goes round a picture leaves it whole"
    assert PICTURED == PAINTS and PICTURED + len(COLOURS) == ROLE + 1

"""The bundled family: packing, crops, loading what is sound and refusing what is not, the pipeline, training."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.context import APP_SLOTS, RECENT_SIZE, SLOW_SIZE, slow_features
from engine.errors import CheckpointError, InputError
from engine.events import Text
from engine.forms import SHAPES
from engine.geometry import Rect
from engine.materials import PAINTS
from engine.painter import PainterSpec, Painting
from engine.style_words import from_words
from engine.theme import ROUNDS, Role
from models.catalog import names, open_painter
from models.context_encoder import ContextEncoder
from models.crops import BUNDLED_CELLS, plan
from models.denoiser import (
    CHANNELS,
    CORNERS,
    MAPS,
    PLACE,
    REMEMBERED,
    Denoiser,
    pack,
    unpack,
)
from models.inputs import materials_of
from models.loading import load_bundled, save_bundled
from models.materials import Materials
from models.pipeline import PixelOSPipeline
from models.training import lessons, looks
from models.training.heldout import held_out
from models.training.loop import TrainConfig, train
from models.training.networks import grow, networks_from
from tests.checkpoints import older_networks, tiny_checkpoint, tiny_networks
from tests.test_painters import SIZE, ask, drawn, empty, show


def test_packing_loses_nothing() -> None:
    pixels = torch.rand(2, 3, 32, 48)
    assert torch.equal(unpack(pack(pixels)), pixels)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 63), st.integers(0, 47), st.integers(1, 64), st.integers(1, 48)), max_size=5))
def test_crops_cover_the_damage_and_stay_in_the_frame(cells: list[tuple[int, int, int, int]]) -> None:
    frame = Rect(0, 0, 512, 384)
    damage = [Rect(x * 8, y * 8, w * 8, h * 8).meet(frame) for x, y, w, h in cells]
    for align in (16, 8):
        crops = plan(damage, (512, 384), replace(BUNDLED_CELLS, align=align))
        assert sorted(rect for crop in crops for rect in crop.damage) == sorted(damage)
        for area, first in ((crop.area, crop.damage[0]) for crop in crops):
            assert frame.covers(area) and not any(side % align for side in area)
            near = align + BUNDLED_CELLS.margin  # to the frame's edge, which is seen then
            assert (first.x > near or area.x == 0) and (first.bottom < 384 - near or area.bottom == 384)
        assert all(crop.area.covers(rect) for crop in crops for rect in crop.damage)


def test_a_crop_paints_nearly_what_the_whole_frame_would() -> None:
    guide, rect = drawn(7), (Rect(96, 64, 32, 32),)
    spec = PainterSpec(size=SIZE, threads=1, device="cpu")
    whole, part = open_painter(spec), open_painter(spec)
    start = show(whole, empty(), ask(guide))
    part.restore(start)
    whole.restore(start)
    by_crop = show(part, start.copy(), ask(guide, rect))
    by_frame = show(whole, start.copy(), ask(guide))
    off = np.abs(by_crop[rect[0].slices].astype(int) - by_frame[rect[0].slices])
    assert off.mean() < 1.0


def test_the_pipeline_and_the_painter_paint_the_same(tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path)
    request = ask(drawn(8), style="forest")
    painted = show(open_painter(PainterSpec(str(folder), size=SIZE, threads=1, device="cpu")), empty(), request)
    pipeline = PixelOSPipeline.open(folder)
    out = pipeline(request.context, request.guide, None, request.verbatim, request.forms, output_type="np")
    off = np.abs(painted.astype(int) - out.images[0])
    free = off[request.verbatim == 0]  # type: ignore[operator]
    assert free.max() <= 1 and (free > 0).mean() < 0.001, "the context's other numbers are left out by both"
    pipeline.save(tmp_path / "saved")
    again = PixelOSPipeline.open(tmp_path / "saved")
    assert again.denoiser.config == pipeline.denoiser.config and again.dtype == pipeline.dtype
    assert all(torch.equal(one, other) for one, other in zip(again.denoiser.parameters(), pipeline.denoiser.parameters(), strict=True))


def test_a_dream_wakes_from_the_guide_and_then_answers_events_alone(tmp_path: Path) -> None:
    spec = PainterSpec(str(tiny_checkpoint(tmp_path)), mode="dream", size=SIZE, threads=1)
    first, other = ask(drawn(1)), ask(drawn(2))
    painter = open_painter(spec)
    woken = show(painter, empty(), first)
    assert (woken == show(open_painter(PainterSpec(spec.checkpoint, size=SIZE, threads=1)), empty(), first)).all()
    typed = replace(other, guide=None, verbatim=None, forms=None, events=(Text(1.0, "ab"),))
    dreamt = painter.paint(typed)
    assert dreamt.source == "painted" and (painter.latents()[0] == show_patches(woken, dreamt).transpose(2, 0, 1)).all()


def show_patches(frame: np.ndarray, painting: Painting) -> np.ndarray:
    frame = frame.copy()
    for patch in painting.patches:
        frame[patch.rect.slices] = patch.pixels
    return frame


def test_a_checkpoint_without_memories_and_of_a_shorter_context_still_paints(tmp_path: Path) -> None:
    denoiser, encoder = older_networks()
    save_bundled(tmp_path, denoiser, encoder, torch.float16)
    for component, newer in (("denoiser", "memories"), ("context_encoder", "history"), ("context_encoder", "windows"),
                             ("denoiser", "given_palette"), ("context_encoder", "palette"), ("denoiser", "corners"), ("denoiser", "edges")):  # fmt: skip
        path = tmp_path / component / "config.json"
        path.write_text(json.dumps({key: value for key, value in json.loads(path.read_text()).items() if key != newer}))
    painter = open_painter(PainterSpec(str(tmp_path), size=SIZE, threads=1, device="cpu"))
    assert show(painter, empty(), ask(drawn(3), style="ocean")).std() > 0


def made_of(count: int, side: int = 8, ground: float = 0.25) -> Materials:
    """Materials of `count` crops: an even wallpaper, no texture; the wallpaper's roles are all clear; corners are as round as they may be, and there is a shadow and a glow."""
    clear = torch.zeros(count, PAINTS)
    clear[:, Role.WALLPAPER] = 1.0
    return Materials(clear, torch.zeros(count, PAINTS), torch.full((count, CHANNELS, side, side), ground), torch.zeros(count, 16, side, side), torch.tensor([[ROUNDS] * len(SHAPES) + [0.3, 0.4]] * count))


def test_what_is_added_to_grown_networks_changes_nothing_at_first() -> None:
    denoiser, encoder = older_networks()
    bigger = Denoiser(**{**dict(denoiser.config), "memories": 2, "corners": 1, "edges": 1})
    longer = ContextEncoder(slow_size=SLOW_SIZE, history=0, windows=0, palette=0)
    grow(bigger, denoiser)
    grow(longer, encoder)
    slow, recent = torch.randn(2, SLOW_SIZE), torch.randn(2, RECENT_SIZE)
    tokens = encoder(slow, recent)
    assert torch.allclose(longer(slow, recent), tokens, atol=1e-5)
    inputs = [torch.randn(2, n, 8, 8) for n in (CHANNELS, CHANNELS, CHANNELS, MAPS + PLACE)]
    memory, level = torch.zeros(2, REMEMBERED, 8, 8), torch.ones(2)
    corners = torch.zeros(2, CORNERS, 8, 8)
    before = denoiser(*inputs, denoiser.steering(level, tokens), memory, corners, made_of(2))
    after = bigger(*inputs, bigger.steering(level, tokens), memory, corners, made_of(2))
    assert torch.allclose(before.clean, after.clean, atol=1e-4) and torch.allclose(before.kept, after.kept, atol=1e-4)
    unasked = bigger(*inputs, bigger.steering(level, tokens), None, corners, made_of(2))  # nothing remembered and no memory are the same
    assert torch.allclose(unasked.clean, after.clean, atol=1e-4)


def test_a_checkpoint_can_be_taught_on_with_fewer_blocks(tmp_path: Path) -> None:
    """The first of each row stay, and without the deepest its scale and the attention go, too: it is saved and opened as any is, and a crop may
    start on any cell of the scale that is left."""
    encoder = ContextEncoder(slow_size=SLOW_SIZE)
    bigger = Denoiser(tokens=encoder.tokens, widths=(16, 32, 48), blocks=(1, 1, 2, 2, 1)).eval()
    save_bundled(tmp_path / "bigger", bigger, encoder, torch.float32)
    small = networks_from(tmp_path / "bigger", {"blocks": (1, 0, 0, 1, 1)}).denoiser.eval()
    assert small.align == 8 and bigger.align == 16 and not any("deep" in name or "attend" in name for name in small.state_dict())
    assert len(small.up_coarse) == 1 and all(torch.equal(tensor, bigger.state_dict()[name]) for name, tensor in small.state_dict().items())
    with torch.no_grad():
        for tensor in small.parameters():
            tensor.normal_(0, 0.05)
    save_bundled(tmp_path / "small", small, encoder, torch.float32)
    again = networks_from(tmp_path / "small", {"blocks": (1, 1, 2, 2, 1)}).denoiser.eval()  # and with more, which change nothing at first
    opened = load_bundled(tmp_path / "small", "small").denoiser
    inputs = [torch.randn(1, n, 24, 24) for n in (CHANNELS, CHANNELS, CHANNELS, MAPS + PLACE)]
    level, tokens = torch.ones(1), encoder(torch.randn(1, SLOW_SIZE), torch.zeros(1, RECENT_SIZE))
    whole, same, more = (n(*inputs, n.steering(level, tokens), None, None, made_of(1, 24)).clean for n in (small, opened, again))
    assert torch.equal(whole, same) and torch.allclose(whole, more, atol=1e-5)
    made = made_of(1, 24)
    part = replace(made, ground=made.ground[..., 2:, 2:], texture=made.texture[..., 2:, 2:])
    crop = small(*(one[..., 2:, 2:] for one in inputs), small.steering(level, tokens), None, None, part).clean
    assert torch.allclose(crop[..., 12:, 12:], whole[..., 14:, 14:], atol=1e-4)


def test_channels_that_others_tell_are_left_out_of_blocks_without_harm(tmp_path: Path) -> None:
    """Half of a block's channels are made of the other half: without them it paints the same. With more again it does so too, and those
    can learn."""
    encoder = ContextEncoder(slow_size=SLOW_SIZE)
    shape = {"tokens": encoder.tokens, "widths": (16, 16, 16), "blocks": (1, 0, 0, 0, 0)}
    wide = Denoiser(**shape, inner=(12, 0, 0, 0, 0)).eval()
    block = wide.down_fine[0]
    with torch.no_grad():
        for tensor in (block.first.weight, block.first.bias):
            tensor[1::2] = tensor[::2]
        torch.nn.init.normal_(block.second.weight, std=0.2)
    save_bundled(tmp_path / "wide", wide, encoder, torch.float32)
    thin = networks_from(tmp_path / "wide", {"inner": (6, 0, 0, 0, 0)}).denoiser.eval()
    save_bundled(tmp_path / "thin", thin, encoder, torch.float32)
    more = networks_from(tmp_path / "thin", {"inner": (9, 0, 0, 0, 0)}).denoiser.eval()
    assert [n.down_fine[0].first.out_channels for n in (thin, more)] == [6, 9]
    inputs = [torch.randn(1, n, 24, 24) for n in (CHANNELS, CHANNELS, CHANNELS, MAPS + PLACE)]
    level, tokens = torch.ones(1), encoder(torch.randn(1, SLOW_SIZE), torch.zeros(1, RECENT_SIZE))
    before, after, again = (n(*inputs, n.steering(level, tokens.detach()), None, None, made_of(1, 24)).clean for n in (wide, thin, more))
    assert torch.allclose(before, after, atol=1e-3) and torch.allclose(after, again, atol=1e-5)
    again.square().sum().backward()
    assert more.down_fine[0].second.weight.grad[:, 6:].abs().amax((0, 2, 3)).min() > 0


def test_training_from_a_checkpoint_gives_it_the_palette(tmp_path: Path) -> None:
    denoiser, encoder = older_networks()
    torch.nn.init.normal_(encoder.slow.bias)  # it wandered off
    save_bundled(tmp_path, denoiser, encoder, torch.float32)
    grown = networks_from(tmp_path)
    slow, recent = torch.randn(1, SLOW_SIZE), torch.zeros(1, RECENT_SIZE)
    tokens, more = encoder(slow, recent), grown.encoder(slow, recent)
    assert torch.equal(more[:, 0, :57], slow[:, :57]) and not torch.equal(tokens[:, 0, :57], slow[:, :57])
    assert torch.equal(more[:, 0, 57:], tokens[:, 0, 57:]) and torch.equal(more[:, 1 : encoder.tokens], tokens[:, 1:])
    assert grown.denoiser.config.given_palette and not isinstance(grown.denoiser.prototypes, torch.nn.Parameter)


def test_training_from_a_checkpoint_adds_memory_history_windows_corners_and_edges(tmp_path: Path) -> None:
    denoiser, encoder = older_networks(palette=57)
    save_bundled(tmp_path, denoiser, encoder, torch.float32)
    grown = networks_from(tmp_path)
    assert grown.denoiser.remembers and grown.denoiser.rounds and grown.denoiser.raises and grown.encoder.tokens == encoder.tokens + 4
    slow, recent = torch.randn(1, SLOW_SIZE), torch.zeros(1, RECENT_SIZE)
    tokens, more = encoder(slow, recent), grown.encoder(slow, recent)
    assert torch.equal(more[:, : encoder.tokens], tokens)
    inputs = [torch.randn(1, n, 8, 8) for n in (CHANNELS, CHANNELS, CHANNELS, MAPS + PLACE)]
    corners, level, made = torch.zeros(1, CORNERS, 8, 8), torch.ones(1), made_of(1)
    before, same = (n(*inputs, n.steering(level, t), None, corners, made).clean for n, t in ((denoiser, tokens), (grown.denoiser, more)))
    assert torch.allclose(before, same, atol=1e-5)
    corners[0, :16, 3, 3] = 0.7
    rounded = (grown.denoiser(*inputs, grown.denoiser.steering(level, more), None, corners, made).clean - before).abs().amax(1)[0]
    assert rounded[3, 3] > 1e-4 and rounded.sum() == rounded[3, 3]


def test_a_pick_shows_its_paint_as_the_source_draws_it() -> None:
    """A denoiser that picks a role everywhere paints what `Paints.over` says."""
    denoiser, encoder = tiny_networks()
    style = from_words("glass grain=1 gloss=0 seed=5")[0]
    paints, size = style.paints(SIZE), Rect(0, 0, *SIZE)
    h, w = SIZE[1] // 4, SIZE[0] // 4
    slow = torch.from_numpy(slow_features(style, 13, np.zeros((2, APP_SLOTS)), 9))[None]
    materials = materials_of([paints], torch.from_numpy(np.array(paints.planes))[None], slow.numpy())
    torch.nn.init.zeros_(denoiser.head.weight)
    for role in (Role.SURFACE, Role.WALLPAPER, Role.BAR, Role.INK):
        bias = torch.zeros(16, denoiser.picks)
        bias[:, role] = 90.0
        denoiser.head.bias.data[: bias.numel()] = bias.flatten()
        empty = [torch.zeros(1, n, h, w) for n in (CHANNELS, CHANNELS, CHANNELS, MAPS + PLACE)]
        corners = torch.zeros(1, CORNERS, h, w)
        with torch.no_grad():
            steering = denoiser.steering(torch.ones(1), encoder(slow, torch.zeros(1, RECENT_SIZE)))
            predicted = denoiser(*empty, steering, None, corners, materials)
        residual = denoiser.head.bias.data[-CHANNELS:].view(1, CHANNELS, 1, 1)
        shown = unpack(predicted.clean - residual)[0].permute(1, 2, 0).numpy() * 127.5 + 127.5
        assert np.abs(shown - paints.over(role, size)).max() < 0.6, role


def test_a_sound_checkpoint_loads_and_keeps_its_weights(tmp_path: Path) -> None:
    denoiser, encoder = tiny_networks()
    loaded = load_bundled(tiny_checkpoint(tmp_path), "tiny")
    for key, value in denoiser.state_dict().items():
        assert torch.equal(loaded.denoiser.state_dict()[key], value.half().float())
    assert len(loaded.sha256) == 64


def test_checkpoints_are_found_by_name_and_missing_ones_named(tmp_path: Path) -> None:
    tiny_checkpoint(tmp_path / "checkpoints" / "mine")
    assert names(tmp_path / "checkpoints") == ["bundled", "guide", "mine"]
    painter = open_painter(PainterSpec("mine", size=SIZE, threads=1, profile=str(tmp_path)))
    assert painter.info.name == "mine"
    with pytest.raises(CheckpointError, match="mine"):
        open_painter(PainterSpec("other", size=SIZE, profile=str(tmp_path)))


def test_training_learns_saves_and_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = held_out()[:2]  # eighteen take a network of the real size long
    for module in (looks, lessons):
        monkeypatch.setattr(module, "held_out", lambda *seed: few)
    config = TrainConfig(out=tmp_path, updates=4, crops=4, pool=2, threads=1)
    said: list[str] = []
    folder = train(config, said.append)
    first = load_bundled(folder, "first")
    with pytest.raises(InputError, match="nothing to resume"):
        train(TrainConfig(out=tmp_path / "other", resume=True, updates=6, crops=4, pool=2, threads=1), said.append)
    train(TrainConfig(out=tmp_path, updates=6, resume=True, crops=4, pool=2, threads=1), said.append)
    second = load_bundled(folder, "second")
    assert first.sha256 != second.sha256
    assert list(tmp_path.glob("sheet_*.png"))

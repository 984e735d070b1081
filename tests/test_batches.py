"""Several small crops of one event are one batch of the denoiser, and each is what it would be alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.events import Text
from engine.geometry import Rect
from engine.painter import BATCHES, CACHE, Cancelled, PaintRequest
from models.catalog import open_carefully
from models.crops import SMALL_CELLS, Cells, plan
from models.ladder import Careful
from models.prompted.painter import PromptedPainter
from tests.stand_in_gpu import FakeRecorder
from tests.test_families import LATENT, SPEC, painter_of, request
from tests.test_painters import WHOLE, empty, show
from tests.tiny_families import folder_of, tiny_folder

APART = (Rect(16, 16, 24, 16), Rect(200, 120, 16, 24))  # too far from one another for one crop
BESIDE = (Rect(16, 64, 16, 16), Rect(104, 64, 16, 16))  # each lies in the other's crop


def batches_of(painter: PromptedPainter, paint: Callable[[], Any], branches: int = 1) -> list[int]:
    """How many crops each call of the denoiser was given meanwhile."""
    counts: list[int] = []
    hook = painter.pipeline.unet.register_forward_pre_hook(lambda module, given: counts.append(len(given[0]) // branches))
    try:
        paint()
    finally:
        hook.remove()
    return counts


def latents_of(painter: PromptedPainter) -> np.ndarray:
    """float32 (N,)."""
    held = painter.latents()
    return held[3 * SPEC.size[0] * SPEC.size[1] :].view(np.float32)


@pytest.mark.parametrize("family", LATENT)
def test_every_family_paints_crops_together_as_one_by_one(checkpoints: Path, family: str) -> None:
    frames, latents = [], []
    for without in ((), (BATCHES,)):
        painter = painter_of(folder_of(checkpoints, family), steps=2, without=without)
        branches = len(painter.telling.conditioning(request()).weights)
        before = show(painter, empty(), request()).copy()
        counts = batches_of(painter, partial(painter.paint, request(1, APART)), branches)
        assert len(counts) >= 2 and set(counts) == ({1} if without else {2})
        after = show(painter, before.copy(), replace(request(2, APART), events=(Text(1.0, "a"),)))
        outside = np.ones(before.shape[:2], bool)
        for rect in APART:
            outside[rect.slices] = False
        assert (after[outside] == before[outside]).all() and (after[~outside] != before[~outside]).any()
        frames.append(after)
        latents.append(latents_of(painter))
    assert np.abs(latents[0] - latents[1]).max() < 1e-3 * np.abs(latents[1]).max()
    assert np.abs(frames[0].astype(int) - frames[1]).max() <= 1


@pytest.mark.parametrize("without", [(CACHE,), (CACHE, BATCHES)])
def test_a_crop_does_not_depend_on_which_is_painted_first(checkpoints: Path, without: tuple[str, ...]) -> None:
    frames = []
    for damage in (BESIDE, BESIDE[::-1], BESIDE):
        painter = painter_of(folder_of(checkpoints, "sd1"), steps=1, without=without)
        frame = show(painter, empty(), request())
        frames.append(show(painter, frame, request(1, damage)))
    assert (frames[0] == frames[2]).all() and np.abs(frames[0].astype(int) - frames[1]).max() <= 1


def test_a_batch_that_is_given_up_leaves_all_as_it_was(checkpoints: Path) -> None:
    painter = painter_of(folder_of(checkpoints, "sd1"), steps=3)
    show(painter, empty(), request())
    before, told = painter.latents(), list[tuple[int, int]]()

    def on_step(done: int, steps: int) -> bool:
        told.append((done, steps))
        return done < 2

    painter.on_step = on_step
    with pytest.raises(Cancelled):
        painter.paint(request(1, APART))
    assert [done for done, _ in told] == [1, 2] and (painter.latents() == before).all()


def test_where_memory_runs_out_crops_are_painted_one_by_one(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "sd-turbo", "sd-turbo", tiny_vae=True)
    painter = open_carefully(replace(SPEC, checkpoint=str(folder), steps=1))
    assert isinstance(painter, Careful) and isinstance(painter.painter, PromptedPainter)
    inner = painter.painter
    show(painter, empty(), request())

    def short(module: Any, given: Any) -> None:
        if len(given[0]) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory, injected")

    hook = inner.pipeline.unet.register_forward_pre_hook(short)
    painting = painter.paint(request(1, APART))
    hook.remove()
    assert {patch.rect for patch in painting.patches} == set(APART) and inner.ladder.gave_up
    assert batches_of(inner, lambda: inner.paint(request(2, APART))) == [1, 1]


def test_where_launches_are_recorded_each_crop_is_one(checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.graphs.recorder_for", lambda device: FakeRecorder())
    painter = painter_of(folder_of(checkpoints, "sd1"))
    assert painter.at_once == 1


@pytest.mark.parametrize("size", [(512, 384), (1024, 768)])
def test_crops_are_joined_where_one_is_no_larger(size: tuple[int, int]) -> None:
    rng, bounds = np.random.default_rng(0), Rect(0, 0, *size)
    apart: Cells = replace(SMALL_CELLS, joined=False)
    fewer = 0
    for _ in range(50):
        corners = [(8 * int(rng.integers(0, size[0] // 8 - 8)), 8 * int(rng.integers(0, size[1] // 8 - 8))) for _ in range(5)]
        damage = [Rect(x, y, 8 * int(rng.integers(2, 9)), 8 * int(rng.integers(2, 9))) for x, y in corners]
        crops, before = plan(damage, size, SMALL_CELLS), plan(damage, size, apart)
        assert sorted(rect for crop in crops for rect in crop.damage) == sorted(damage)
        if len(before) > 1:
            assert sum(crop.area.area for crop in crops) <= sum(crop.area.area for crop in before)
        fewer += len(before) - len(crops)
        for crop in crops:
            assert bounds.covers(crop.area)
            assert all(crop.area.covers(rect.grow(SMALL_CELLS.margin // 2).meet(bounds)) for rect in crop.damage)
    assert fewer > 0
    status = [Rect(296, 240, 24, 24), Rect(336, 240, 24, 24), Rect(384, 240, 32, 24), Rect(256, 248, 160, 32)]
    assert len(plan(status, size, SMALL_CELLS)) == 1 < len(plan(status, size, apart))


def test_what_is_asked_for_in_one_event_is_replayed_bit_for_bit(checkpoints: Path) -> None:
    def played() -> np.ndarray:
        painter = painter_of(folder_of(checkpoints, "lcm"), steps=2)
        frame = show(painter, empty(), request())
        asked: list[PaintRequest] = [request(1, APART), request(2, (*APART, *BESIDE)), request(1, APART)]
        for one in asked:
            frame = show(painter, frame, one).copy()
        return frame

    assert (played() == played()).all()


def test_the_whole_frame_is_painted_as_before(checkpoints: Path) -> None:
    painter = painter_of(folder_of(checkpoints, "pix2pix"), steps=1)
    assert batches_of(painter, lambda: painter.paint(request(0, WHOLE)), len(painter.telling.conditioning(request()).weights)) == [1]

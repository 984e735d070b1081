"""Checkpoints that edit by reference pictures: called as the stock pipelines are, and as a painter must be."""

from __future__ import annotations

import importlib
import inspect
import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
import transformers
from diffusers.pipelines.bria_fibo2.image_processor import BriaFibo2ImageProcessor
from diffusers.pipelines.joyimage import image_processor as joyimage
from diffusers.pipelines.longcat_image import pipeline_longcat_image_edit
from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit, pipeline_qwenimage_edit_plus
from torch.nn.functional import interpolate

from engine.desktop.desktop import Desktop
from engine.desktop.documents import Documents
from engine.errors import CheckpointError
from engine.events import Ask
from engine.geometry import Rect
from engine.mailbox import DirectMailbox
from engine.painter import Cancelled, Edit, PainterSpec, PaintRequest, SteppingPainter, Words
from engine.session import Session
from models.catalog import open_checkpoint, open_painter
from models.families import FAMILIES
from models.held_frame import BLEND, HeldFrame
from models.prompted.checkpoint import PromptedCheckpoint
from models.reference.painter import ReferencePainter
from models.reference.steps import BFLOAT16, encode_in_own_format
from tests.test_painters import SIZE, ask, drawn, empty, show
from tests.tiny_families import folder_of

ROWS = {row.name: row for row in FAMILIES if row.references}
SPEC = PainterSpec(size=SIZE, seed=5, threads=1, device="cpu", steps=2)
WORDS = Words("dark blue", ("The user clicked the button 'Open'. Show what it does.",))
PART = Rect(64, 40, 48, 32)


@pytest.fixture(params=ROWS)
def family(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def folder(checkpoints: Path, family: str) -> Path:
    return folder_of(checkpoints, family)


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some pipelines bring what they are shown to a million pixels: here to a frame's."""
    grown_to(monkeypatch, SIZE[0] * SIZE[1])
    monkeypatch.setattr(joyimage, "find_best_bucket", lambda *asked: SIZE[::-1])
    monkeypatch.setattr(BriaFibo2ImageProcessor, "get_image_size", lambda *asked, **how: SIZE)


def grown_to(monkeypatch: pytest.MonkeyPatch, area: int) -> None:
    for module in (pipeline_qwenimage_edit, pipeline_qwenimage_edit_plus, pipeline_longcat_image_edit):
        original = getattr(module, "__dimensions", module.calculate_dimensions)
        monkeypatch.setattr(module, "__dimensions", original, raising=False)
        monkeypatch.setattr(module, "calculate_dimensions", lambda _, ratio, original=original: original(area, ratio))


@cache
def opened(folder: Path) -> PromptedCheckpoint:
    """Once for all tests of a family."""
    checkpoint = open_checkpoint(folder)
    assert isinstance(checkpoint, PromptedCheckpoint)
    if hasattr(checkpoint.pipeline, "resolutions"):
        checkpoint.pipeline.resolutions = [SIZE]
    return checkpoint


def painter_of(folder: Path, **settings: Any) -> ReferencePainter:
    return ReferencePainter(opened(folder), replace(SPEC, **settings))


def request(seed: int = 0, damage: tuple[Rect, ...] = (Rect(0, 0, *SIZE),), words: Words = WORDS) -> PaintRequest:
    return replace(ask(drawn(seed), damage), words=words)


def dreamt(words: Words = WORDS) -> PaintRequest:
    return replace(request(words=words), guide=None, verbatim=None, forms=None)


def stock(folder: Path, painter: ReferencePainter) -> Any:
    """The library's own pipeline, by the library's own loading: its tokenizers, its templates, its spelling of tensors."""
    index = json.loads((folder / "model_index.json").read_text())
    parts = _readers(folder)
    for name in painter.family.components:
        if name not in parts:
            library, kind = index[name]
            parts[name] = getattr(importlib.import_module(library), kind).from_pretrained(folder / name)
    parts |= {key: index[key] for key in ("is_distilled",) if key in index}
    pipeline = getattr(diffusers, painter.family.pipeline)(**parts)
    pipeline.resolutions = [SIZE]
    if painter.family.pipeline in BFLOAT16:
        encode_in_own_format(pipeline)
    pipeline.set_progress_bar_config(disable=True)
    for name, ours in painter.pipeline.components.items():
        if not isinstance(ours, torch.nn.Module):
            continue
        own, read = pipeline.components[name], ours.state_dict()
        assert {key: bool((tensor == read[key]).all()) for key, tensor in own.state_dict().items()} == dict.fromkeys(read, True)
        own.load_state_dict(read, assign=True)  # the same numbers at the same place in memory: sums are rounded alike
        own.requires_grad_(False)  # as ours: torch orders some sums otherwise where a weight is to learn
    return pipeline


def _readers(folder: Path) -> dict[str, Any]:
    """Of the library's processors, which want torchvision for videos, what words and single pictures need."""
    if json.loads((folder / "model_index.json").read_text()).get("tokenizer") == ["transformers", "PixtralProcessor"]:
        return {"tokenizer": transformers.AutoTokenizer.from_pretrained(folder / "tokenizer")}
    if (folder / "siglip_processor").is_dir():
        return {"siglip_processor": transformers.Siglip2ImageProcessorPil.from_pretrained(folder / "siglip_processor")}
    for path in folder.glob("*/preprocessor_config.json"):
        eyes = transformers.Qwen2VLImageProcessorPil.from_pretrained(path.parent)
        words = transformers.AutoTokenizer.from_pretrained(path.parent)
        return {path.parent.name: StillPictures(eyes, words, eyes, words.chat_template)}
    return {}


class StillPictures(transformers.Qwen2VLProcessor):
    """Without the check that its third part is for videos."""

    def check_argument_for_proper_class(self, *argument: Any) -> type:
        return object


def test_a_call_gives_what_the_stock_pipeline_gives(folder: Path, family: str) -> None:
    painter = painter_of(folder)
    assert isinstance(painter, SteppingPainter) and painter.info.family == family and painter.info.prompted and ROWS[family].references
    pipeline = stock(folder, painter)
    show(painter, empty(), request())
    for asked in (request(1), dreamt()):
        call = painter.call(asked, (Rect(0, 0, *SIZE),))
        torch.manual_seed(SPEC.seed)
        expected = pipeline(**call, generator=torch.Generator().manual_seed(SPEC.seed))[0][:, :3]
        assert expected.shape == (1, 3, SIZE[1], SIZE[0]) and expected.std() > 0.01
        assert torch.equal(expected, painter.frame(asked))


def test_pixels_outside_the_damage_stay_bit_identical(folder: Path) -> None:
    painter = painter_of(folder, steps=1)
    frame = show(painter, empty(), request())
    before = frame.copy()
    show(painter, frame, request(1, (PART,)))
    changed = (frame != before).any(-1)
    assert changed.any()
    changed[PART.slices] = False
    assert not changed.any() and (painter.latents() == frame).all()


def test_what_is_new_is_mixed_with_what_was_there_along_its_edges_but_for_the_frames_own() -> None:
    held = HeldFrame(SIZE, torch.device("cpu"))
    held.pixels.zero_()
    rect = Rect(0, 40, 48, 32)
    row = held.take(rect, torch.ones(1, 3, rect.h, rect.w)).pixels[rect.h // 2, :, 0].astype(int)
    assert (row[:-BLEND] == 255).all() and (np.diff(row[-BLEND - 1 :]) < 0).all() and row[-1] < 32
    column = held.array()[40:72, 0, 0].astype(int)
    assert (np.diff(column[: BLEND + 1]) > 0).all() and (column == column[::-1]).all() and held.array()[:40].max() == 0


def test_small_damage_is_painted_in_a_crop(checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """References and result are as large as the damage with what lies around it; more of it for an edit, which has to fit in."""
    size = (512, 384)
    painter = painter_of(folder_of(checkpoints, "klein"), steps=1, size=size)
    asked, paint = list[tuple[int, int]](), type(painter.pipeline).__call__

    def called(pipeline: Any, **given: Any) -> Any:
        assert all(picture.size == (given["width"], given["height"]) for picture in given["image"])
        asked.append((given["width"], given["height"]))
        return paint(pipeline, **given)

    called.__signature__ = inspect.signature(paint)  # type: ignore[attr-defined]
    monkeypatch.setattr(type(painter.pipeline), "__call__", called)
    guide = np.zeros((*size[::-1], 3), np.uint8)
    small = replace(request(1, (Rect(160, 96, 128, 16),)), guide=guide, verbatim=guide[..., 0])
    painter.paint(small)
    painter.paint(replace(small, edit=Edit("a hat")))
    painter.paint(replace(dreamt(), damage=(Rect(0, 0, *size),)))
    assert asked == [(256, 256), (320, 256), size]


def test_the_same_words_are_encoded_once(checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    painter = painter_of(folder_of(checkpoints, "kontext"), steps=1)
    assert isinstance(painter, ReferencePainter)
    painter.words.forget()
    runs = list[int]()
    painter.pipeline.text_encoder_2.register_forward_hook(lambda *given: runs.append(1))
    first = painter.frame(request())
    assert torch.equal(first, painter.frame(request())) and len(runs) == 1
    for look in ("paper", "wool", "clean", "dark", "snow"):
        painter.frame(request(words=replace(WORDS, look=look)))
    before = len(runs)
    painter.frame(request())
    assert len(runs) == before + 1, "the eldest words were forgotten"


def test_every_picture_and_every_word_counts(folder: Path) -> None:
    painter = painter_of(folder, steps=1)
    guided = painter.frame(request())
    assert not torch.equal(guided, painter.frame(request(1)))
    assert not torch.equal(guided, painter.frame(request(words=replace(WORDS, look="paper"))))
    dream = painter.frame(dreamt())
    assert not torch.equal(dream, painter.frame(dreamt(replace(WORDS, told=("The user closed the window.",)))))
    painter.restore(np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8))
    assert not torch.equal(dream, painter.frame(dreamt()))


def test_a_paint_is_given_up_between_steps_and_leaves_the_frame_as_it_was(folder: Path) -> None:
    painter = painter_of(folder, steps=3)
    before, seen = painter.latents(), []

    def on_step(done: int, steps: int) -> bool:
        seen.append((done, steps))
        return done < 2

    painter.on_step = on_step
    with pytest.raises(Cancelled, match="2 of 3 steps"):
        painter.paint(request())
    assert seen == [(1, 3), (2, 3)] and (painter.latents() == before).all()
    painter.on_step = None
    assert (show(painter, empty(), request()) != before).any()


def test_a_picture_of_another_size_is_brought_to_the_frames(checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    painter = painter_of(folder_of(checkpoints, "longcat-edit"), steps=1)
    grown_to(monkeypatch, 4 * SIZE[0] * SIZE[1])
    pipeline = stock(folder_of(checkpoints, "longcat-edit"), painter)
    call = painter.call(request(), (Rect(0, 0, *SIZE),))
    expected = pipeline(**call, generator=torch.Generator().manual_seed(SPEC.seed)).images
    assert expected.shape == (1, 3, 2 * SIZE[1], 2 * SIZE[0])
    assert torch.equal(interpolate(expected, SIZE[::-1], mode="bilinear", antialias=True), painter.frame(request()))


def test_a_session_goes_on_with_a_reference_painter(checkpoints: Path) -> None:
    desktop = Desktop(SIZE, Documents())
    painter = open_painter(replace(SPEC, checkpoint=str(folder_of(checkpoints, "klein")), steps=1))
    assert isinstance(painter, ReferencePainter)
    session = Session(desktop, DirectMailbox(painter))
    first = session.step((), 0.1).pixels.copy()
    opened = session.step([Ask(0.5, "calculator")], 0.6)
    assert (opened.pixels != first).any()


@pytest.mark.parametrize(("pipeline", "why"), [
    ("OmniGenPipeline", "torchvision"), ("GlmImagePipeline", "a token at a time"), ("FluxFillPipeline", "a mask beside the picture"),
    ("ChronoEditPipeline", "a film"), ("QwenImageLayeredPipeline", "layers"),
])  # fmt: skip
def test_families_that_cannot_paint_here_are_refused_by_name_with_the_reason(tmp_path: Path, pipeline: str, why: str) -> None:
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": pipeline}))
    with pytest.raises(CheckpointError, match=f"{pipeline}.*{why}"):
        open_painter(replace(SPEC, checkpoint=str(tmp_path)))

"""Checkpoints that edit by reference pictures: called as the stock pipelines are, and as a painter must be."""

from __future__ import annotations

import importlib
import json
import struct
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
import transformers
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
from engine.painter import Cancelled, PainterSpec, PaintRequest, SteppingPainter, Words
from engine.session import Session
from models.catalog import open_checkpoint, open_painter
from models.families import FAMILIES
from models.pieces import pieces_of
from models.prompted.painter import PromptedCheckpoint
from models.reference.painter import ReferencePainter
from models.vocabularies import TOKENIZERS
from tests.test_painters import SIZE, ask, drawn, empty, show
from tests.tiny_families import tiny_folder

ROWS = {row.name: row for row in FAMILIES if row.references}
SPEC = PainterSpec(size=SIZE, seed=5, threads=1, device="cpu", steps=2)
WORDS = Words("dark blue", ("The user clicked the button 'Open'. Show what it does.",), "You chose style: dark blue.")
PART = Rect(64, 40, 48, 32)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("references")


@pytest.fixture(params=ROWS)
def family(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def folder(home: Path, family: str) -> Path:
    return folder_of(home, family)


def folder_of(home: Path, family: str) -> Path:
    return home / family if (home / family).is_dir() else tiny_folder(home / family, family)


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some pipelines bring what they are shown to a million pixels: here to a frame's."""
    grown_to(monkeypatch, SIZE[0] * SIZE[1])
    monkeypatch.setattr(joyimage, "find_best_bucket", lambda *asked: SIZE[::-1])


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
    return replace(request(words=words), guide=None, verbatim=None, corners=None)


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
    pipeline.set_progress_bar_config(disable=True)
    for name, ours in painter.pipeline.components.items():
        if not isinstance(ours, torch.nn.Module):
            continue
        own, read = pipeline.components[name], ours.state_dict()
        assert {key: bool((tensor == read[key]).all()) for key, tensor in own.state_dict().items()} == dict.fromkeys(read, True)
        own.load_state_dict(read, assign=True)  # the same numbers at the same place in memory: sums are rounded alike
    return pipeline


def _readers(folder: Path) -> dict[str, Any]:
    """Of the library's processors, which want torchvision for videos, what words and single pictures need."""
    if json.loads((folder / "model_index.json").read_text()).get("tokenizer") == ["transformers", "PixtralProcessor"]:
        return {"tokenizer": transformers.AutoTokenizer.from_pretrained(folder / "tokenizer")}
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


def test_a_picture_of_another_size_is_brought_to_the_frames(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    painter = painter_of(folder_of(home, "longcat-edit"), steps=1)
    grown_to(monkeypatch, 4 * SIZE[0] * SIZE[1])
    pipeline = stock(folder_of(home, "longcat-edit"), painter)
    call = painter.call(request(), (Rect(0, 0, *SIZE),))
    expected = pipeline(**call, generator=torch.Generator().manual_seed(SPEC.seed)).images
    assert expected.shape == (1, 3, 2 * SIZE[1], 2 * SIZE[0])
    assert torch.equal(interpolate(expected, SIZE[::-1], mode="bilinear", antialias=True), painter.frame(request()))


def change(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def split_by(folder: Path, pattern: str) -> None:
    table = json.loads((folder / "tokenizer" / "tokenizer.json").read_text())
    table["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = pattern
    change(folder / "tokenizer" / "tokenizer.json", pre_tokenizer=table["pre_tokenizer"])


HOSTILE: dict[str, tuple[str, Callable[[Path], Any], str]] = {
    "an unknown expression": ("flux2", lambda f: split_by(f, "(a+)+$"), "splits words by an expression"),
    "a part of another model": ("flux2", lambda f: change(f / "text_encoder" / "config.json", vision_config={"model_type": "x"}), "model_type 'x'"),
    "settings of another kind": ("klein", lambda f: change(f / "text_encoder" / "config.json", hidden_size=["x"]), "do not fit Qwen3ForCausalLM"),
    "a table without numbers": ("klein", lambda f: change(f / "tokenizer" / "vocab.json", a="b"), "must number them"),
    "a word beyond all tables": ("klein", lambda f: change(f / "tokenizer" / "added_tokens.json", a=2**40), "each with its number"),
    "pairs of unknown words": ("klein", lambda f: (f / "tokenizer" / "merges.txt").write_text("zz yy\n"), "do not fit together"),
    "pieces without scores": ("kontext", lambda f: change(f / "tokenizer_2" / "tokenizer.json", model={"vocab": [["a", "b"]]}), "with their scores"),
    "a patch without bounds": ("qwen-edit", lambda f: change(f / "processor" / "preprocessor_config.json", patch_size=10**6), "up to 64"),
    "another processor": ("qwen-edit", lambda f: change(f / "model_index.json", processor=["os", "system"]), "processor is .*allowed"),
    "code beside a table": ("klein", lambda f: (f / "tokenizer" / "tokenization.py").write_text("x"), "is code"),
}  # fmt: skip


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_folder_is_refused_in_one_message(tmp_path: Path, hostile: str) -> None:
    family, hurt, message = HOSTILE[hostile]
    folder = tiny_folder(tmp_path / family, family)
    hurt(folder)
    with pytest.raises(CheckpointError, match=message) as refused:
        open_painter(replace(SPEC, checkpoint=str(folder)))
    assert str(folder) in str(refused.value)


def test_pieces_are_read_from_the_older_table_too(tmp_path: Path) -> None:
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), ("▁the", -3.0), ("e", -5.0)]
    message = b""
    for text, score in pieces:
        body = b"\x0a" + bytes([len(text.encode())]) + text.encode() + b"\x15" + struct.pack("<f", score) + b"\x18\x01"
        message += b"\x0a" + bytes([len(body)]) + body
    (tmp_path / "spiece.model").write_bytes(message + b"\x1a\x06\x0a\x04nmt_")
    assert pieces_of(tmp_path / "spiece.model") == (pieces, b"")
    assert TOKENIZERS["T5Tokenizer"](tmp_path)("the e").input_ids == [4, 3, 5, 1]
    for damage in (message[:-3], b"\xff" * 20, b"\x0f\x01"):
        (tmp_path / "spiece.model").write_bytes(damage)
        with pytest.raises(CheckpointError, match="no table of pieces"):
            pieces_of(tmp_path / "spiece.model")


def test_a_template_that_a_checkpoint_brings_is_never_applied(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "klein", "klein")
    expected = painter_of(folder, steps=1).frame(request())
    endless = "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}"
    (folder / "tokenizer" / "chat_template.jinja").write_text(endless)
    change(folder / "tokenizer" / "tokenizer_config.json", chat_template=endless)
    opened.cache_clear()
    assert torch.equal(expected, painter_of(folder, steps=1).frame(request()))


def test_a_session_goes_on_with_a_reference_painter(home: Path) -> None:
    desktop = Desktop(SIZE, Documents())
    painter = open_painter(replace(SPEC, checkpoint=str(folder_of(home, "klein")), steps=1))
    assert isinstance(painter, ReferencePainter)
    session = Session(desktop, DirectMailbox(painter))
    first = session.step((), 0.1).pixels.copy()
    opened = session.step([Ask(0.5, "calculator")], 0.6)
    assert (opened.pixels != first).any()

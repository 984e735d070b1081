"""Somebody else's LoRA: what is hostile is refused in a moment and in one message, its harmless twin is put on."""

from __future__ import annotations

import copy
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import CheckpointError
from engine.painter import Painter, PainterSpec
from models import apart
from models.catalog import dressed, open_checkpoint, open_painter
from models.check import check
from models.loras.reading import LORA_ROWS
from models.prompted.checkpoint import PromptedCheckpoint
from tests.checkpoints import tiny_checkpoint
from tests.hostile import PICKLE
from tests.hostile_loras import LORA_CASES, plant, planted
from tests.test_painters import SIZE, ask, drawn, empty, show
from tests.test_safe_loading import refused_thriftily
from tests.tiny_families import tiny_folder
from tests.tiny_loras import Lora, as_kohya, tiny_lora
from ui.cli import status

SPEC = PainterSpec(size=SIZE, threads=1, device="cpu", steps=1)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("safe-loras")
    tiny_folder(home / "sd1", "sd1")
    tiny_checkpoint(home / "bundled")
    return home


@pytest.fixture(scope="module")
def checkpoint(home: Path) -> PromptedCheckpoint:
    found = open_checkpoint(home / "sd1")
    assert isinstance(found, PromptedCheckpoint)
    return found


@pytest.fixture(scope="module")
def lora(checkpoint: PromptedCheckpoint) -> Lora:
    return tiny_lora(checkpoint.pipeline)


@pytest.fixture(scope="module")
def old(home: Path) -> tuple[Painter, np.ndarray]:
    """The painter of the checkpoint that is in use, and what it painted at first."""
    painter = open_painter(replace(SPEC, checkpoint=str(home / "bundled")))
    return painter, painted(painter)


def painted(painter: Painter) -> np.ndarray:
    painter.restore(None)
    return show(painter, empty(), ask(drawn(1)))


def put_on(checkpoint: PromptedCheckpoint, *files: Path) -> PromptedCheckpoint:
    """The checkpoint with LoRAs; what it is given stays without."""
    return dressed(copy.deepcopy(checkpoint), replace(SPEC, loras=tuple((str(file), 1.0) for file in files)))


@pytest.mark.parametrize("name", LORA_CASES)
def test_what_is_hostile_is_refused_and_its_twin_is_put_on(
    checkpoint: PromptedCheckpoint, lora: Lora, old: tuple[Painter, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    case = LORA_CASES[name]
    monkeypatch.chdir(tmp_path)

    def written(change: Any, to: str) -> Path:
        own = copy.deepcopy(lora)
        return (change(own) or own).write(tmp_path / to)

    twin = put_on(checkpoint, written(case.twin, "twin.safetensors"))
    assert twin.loras is not None and len(twin.loras.infos) == 1
    hostile = written(case.hostile, "hostile.safetensors")
    hostile.write_bytes(case.bytes(hostile.read_bytes()))
    said = refused_thriftily(lambda: dressed(checkpoint, replace(SPEC, loras=((str(hostile), 1.0),))), case.message)
    assert "\n" not in said and len(said) < 700 and str(tmp_path) in said
    assert not (tmp_path / "ran").exists() and (painted(old[0]) == old[1]).all()
    assert not hasattr(checkpoint.pipeline.unet, "peft_config")  # nothing of it stays behind


def test_the_headers_words_never_reach_a_library(
    checkpoint: PromptedCheckpoint, lora: Lora, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows 2 and 4: such words name a module that peft is to import; here they are left unread."""
    monkeypatch.chdir(tmp_path)
    plant(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    path = planted(lora).write(tmp_path / "planted.safetensors")
    assert put_on(checkpoint, path).loras is not None
    assert not (tmp_path / "ran").exists() and "planted" not in sys.modules


def test_the_same_lora_is_not_put_on_twice(checkpoint: PromptedCheckpoint, lora: Lora, tmp_path: Path) -> None:
    first, second = (lora.write(tmp_path / f"{name}.safetensors") for name in "ab")
    other = tiny_lora(checkpoint.pipeline, 1).write(tmp_path / "c.safetensors")
    assert put_on(checkpoint, first, other).loras is not None
    with pytest.raises(CheckpointError, match="is the same LoRA as"):
        put_on(checkpoint, first, second)


def test_models_check_tells_what_a_lora_is(home: Path, lora: Lora, tmp_path: Path) -> None:
    path = as_kohya(lora).write(tmp_path / "a.safetensors")
    verdict = check(str(path))
    assert verdict.loadable and "LoRA" in verdict.family and "U-Net" in verdict.family and verdict.parameters > 1000
    assert [row.name for row in verdict.rows] == list(LORA_ROWS) and all(row.state == "sound" for row in verdict.rows)
    assert "fits sd1" in check(str(path), fits=str(home / "sd1")).rows[-1].found
    refused = check(str(path), fits=str(tiny_folder(tmp_path / "sdxl", "sdxl")))
    assert not refused.loadable and "does not fit this checkpoint of Stable Diffusion XL" in refused.why
    path.write_bytes(PICKLE)
    assert not check(str(path)).loadable


def test_the_command_prints_it(lora: Lora, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(apart, "apart", lambda look, *given: look(*given))  # a process more takes seconds
    path = lora.write(tmp_path / "a.safetensors")
    assert status(["models", "check", str(path), "--profile", str(tmp_path / "profile")]) == 0
    printed = capsys.readouterr().out
    assert all(f"\n{row:<10} sound" in f"\n{printed}" for row in LORA_ROWS) and "LoRA" in printed
    assert status(["models", "check", str(path), "--checkpoint", "bundled", "--profile", str(tmp_path / "profile")]) == 2
    assert "takes no LoRAs" in capsys.readouterr().err

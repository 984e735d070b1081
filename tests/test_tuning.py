"""Tuning: what is found is kept, taken where nothing else is said, and never by a replay."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from benchmarks import cost
from engine.painter import PainterSpec
from engine.tuned import FILE, Tuned, key_of, recall, remember
from models import eight_bits
from models.catalog import open_painter
from models.devices import all_threads
from tests.checkpoints import tiny_checkpoint
from ui import cli

FOUND = Tuned(4, "float32", 1, 128, 90.0, 8.0, 100.0)
SMALL = ["--size", "256x192", "--device", "cpu"]


@pytest.fixture(autouse=True)
def few_paints(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found hangs on no time here: a target is far away, or can never be held."""
    monkeypatch.setattr(cost, "PAINTS", 2)
    monkeypatch.setattr(cost, "WARM", 1)


def test_a_finding_is_kept_beside_others_and_a_broken_file_is_as_good_as_none(tmp_path: Path) -> None:
    assert recall(tmp_path, "a") is None
    remember(tmp_path, "a", FOUND)
    remember(tmp_path, "b", Tuned(1, "int8", None, None, 1.0, 1.0, 1.0))
    assert recall(tmp_path, "a") == FOUND
    for broken in ("", "[]", '{"a": 3}', '{"a": {"steps": 1}}', json.dumps({"a": {**vars(FOUND), "steps": "4"}})):
        (tmp_path / FILE).write_text(broken)
        assert recall(tmp_path, "a") is None
    remember(tmp_path, "a", FOUND)
    assert recall(tmp_path, "a") == FOUND


def test_what_the_user_says_goes_before_what_was_found() -> None:
    assert FOUND.applied(PainterSpec()) == PainterSpec(steps=4, dtype="float32", threads=1, least_crop=128)
    said = PainterSpec(steps=2, dtype="bfloat16", threads=3, least_crop=64)
    assert FOUND.applied(said) == said


@pytest.mark.parametrize(
    ("said", "cores", "threads"), [(None, 1, 1), (None, 2, 2), (None, 6, 5), (None, 64, 8), ("1", 2, 1), ("3,2", 64, 3), ("", 2, 2), ("0", 2, 2), ("all", 2, 2)]
)
def test_a_painter_takes_the_threads_that_the_machine_has_or_openmp_is_told(
    said: str | None, cores: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if said is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert all_threads() == threads


def test_tuning_finds_what_run_then_takes_and_a_replay_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(eight_bits, "supported", lambda: False)
    checkpoint, profile = tiny_checkpoint(tmp_path / "tiny"), tmp_path / "profile"
    said = ["--checkpoint", str(checkpoint), "--profile", str(profile), *SMALL]
    assert cli.status(["bench", "tune", "--target", "10000", *said]) == 0
    told = capsys.readouterr()
    assert "8 steps, float32" in told.out and "held" in told.out and "crops from 128x128" in told.err
    spec = PainterSpec(checkpoint=str(checkpoint), profile=str(profile), size=(256, 192), device="cpu")
    assert open_painter(spec).info.steps == 1
    tuned = PainterSpec(checkpoint=str(checkpoint), profile=str(profile), size=(256, 192), device="cpu", tuned=True)
    info = open_painter(tuned).info
    assert info.steps == 8
    found = recall(profile, key_of(info.sha256, info.device, tuned))
    assert found is not None and found.full_ms < 10_000 and found.letter_ms > 0


def test_a_target_that_is_missed_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = ["--checkpoint", str(tiny_checkpoint(tmp_path / "tiny")), "--profile", str(tmp_path / "profile"), *SMALL]
    assert cli.status(["bench", "tune", "--target", "0.001", *said]) == 0
    assert "target 0.001 ms MISSED" in capsys.readouterr().out


@pytest.mark.parametrize(("said", "why"), [(["--target", "0"], "milliseconds"), (["--checkpoint", "guide"], "nothing to tune")])
def test_misuse_is_answered_in_one_message(said: list[str], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.status(["bench", "tune", "--profile", str(tmp_path / "p"), *said]) == 2
    assert why in capsys.readouterr().err
    assert not (tmp_path / "p").exists()

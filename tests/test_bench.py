"""The benchmark: what it writes fits its own form, what is compared can be believed, and noise is said, not averaged."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import side_by_side as side_by_side_module
from benchmarks.cost import costs, line_through
from benchmarks.latency import told, wanders
from benchmarks.latency_compare import compared
from benchmarks.result_forms import SCHEMA, Bench, read_bench
from benchmarks.side_by_side import OURS, STOCK, side_by_side
from engine.errors import InputError
from engine.events import Ask, Text
from engine.painter import BATCHES, TECHNIQUES, PainterSpec
from tests.checkpoints import tiny_checkpoint
from tests.stand_in_gpu import FakeRecorder
from tests.tiny_families import tiny_folder
from ui import cli

RESULTS = SCHEMA.parent


def result(device: str = "cpu", factor: float = 1.0, **other: Any) -> dict[str, Any]:
    """A result, as `bench` would write it."""
    times = [factor * t for t in (9.0, 10.0, 11.0, 30.0)]
    scenario = {"p50": 10.5 * factor, "p95": 27.0 * factor, "p99": 29.0 * factor, "max": 30.0 * factor, "painted": 4, "cached": 1,
                "skipped": 0, "guide": 0, "dirty_share": 0.01, "wanders": 0.0, "stages": {"denoise": 8.0, "check": 1.0}, "times": times}  # fmt: skip
    return {
        "pixelos_bench": 2, "title": f"bundled on {device} in float32", "random_weights": False, "mode": "guided", "size": [512, 384],
        "steps": 1, "seed": 0, "quick": False, "cold_start_s": 3.0, "peak_rss_mb": 800, "disturbed": [],
        "machine": {"system": "Linux", "cpu": "A CPU", "cores": 2, "torch": "2.13", "gpus": []},
        "checkpoint": {"name": "bundled", "family": "bundled", "sha256": "ab" * 32, "device": device, "dtype": "float32"},
        "scenarios": {"typing": scenario, "full": copy.deepcopy(scenario)},
        "cost": {"by_damage": [[0.02, 9.0 * factor], [1.0, 90.0 * factor]], "by_size": [[256, 192, 30.0], [512, 384, 90.0]]},
        "side_by_side": [{"name": STOCK, "ms": 90.0, "p95": 95.0, "gain": 1.0}, {"name": OURS, "ms": 9.0, "p95": 20.0, "gain": 8.0}],
        **other,
    }  # fmt: skip


def written(folder: Path, name: str, found: Any) -> Path:
    path = folder / name
    path.write_text(json.dumps(found))
    return path


def test_the_page_opens_offline_and_says_what_was_measured(tmp_path: Path) -> None:
    random = result("NVIDIA H200", 0.1, random_weights=True, title="sd-turbo on NVIDIA H200, RANDOM WEIGHTS: its latency is real")
    page, text = compared([written(tmp_path, "a.json", result()), written(tmp_path, "b.json", random)])
    assert b"RANDOM WEIGHTS" in page and b"RANDOM WEIGHTS" in text
    for outside in (b"http:", b"https:", b"<script", b"<link", b"@import"):
        assert outside not in page
    assert page.count(b"data:image/png") == 5
    assert "| typing | 10.5 / 27.0 (4) | **1.1 / 2.7 (4)** |" in text.decode()
    assert "8.0x" in text.decode()


def test_noise_is_said_instead_of_a_number(tmp_path: Path) -> None:
    noisy = result(disturbed=["other programs took 1.3 of 2 cores"])
    noisy["scenarios"]["typing"]["wanders"] = 0.4
    page, text = compared([written(tmp_path, "a.json", noisy)])
    assert "too noisy (halves 40% apart)" in text.decode() and "10.5 / 27.0" not in text.decode().split("| full")[0]
    assert b"other programs took 1.3 of 2 cores" in page
    assert told("typing", noisy["scenarios"]["typing"]) == "typing: too noisy to tell (its halves differ by 40%)"


def test_results_of_two_runs_on_one_machine_are_told_apart(tmp_path: Path) -> None:
    _, text = compared([written(tmp_path, "before.json", result()), written(tmp_path, "after.json", result())])
    assert "before: A CPU" in text.decode() and "after: A CPU" in text.decode()


@pytest.mark.parametrize(
    ("change", "where"),
    [({"pixelos_bench": 1}, "pixelos_bench"), ({"scenarios": {}}, "scenarios"), ({"machine": {"cpu": 3}}, "machine"),
     ({"size": [512]}, "size"), ({"cold_start_s": "fast"}, "cold_start_s"), ({"steps": None}, "steps")],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_its_place(change: dict[str, Any], where: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"no result of pixelos bench: {where}"):
        read_bench(written(tmp_path, "x.json", result(**change)))


@pytest.mark.parametrize("content", ["", "[]", "{", '{"pixelos_bench": 2}', '{"mode": "guided", "text": {}}'])
def test_another_file_is_no_result(content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    assert cli.status(["bench", "compare", str(path), "--out", str(tmp_path / "y.html")]) == 2
    assert "is no result of pixelos bench" in capsys.readouterr().err
    assert not (tmp_path / "y.html").exists()


def test_a_time_that_is_no_number_is_refused(tmp_path: Path) -> None:
    odd = result()
    odd["scenarios"]["typing"]["p50"] = float("nan")
    with pytest.raises(InputError, match="no result"):
        read_bench(written(tmp_path, "x.json", odd))


def test_the_schema_is_the_one_of_the_code() -> None:
    assert json.loads(SCHEMA.read_text()) == Bench.model_json_schema()


@pytest.mark.parametrize("path", [p for p in sorted(RESULTS.glob("*.json")) if "pixelos_bench" in p.read_text()[:100]], ids=lambda p: p.name)
def test_what_was_contributed_fits(path: Path) -> None:
    assert read_bench(path).scenarios.keys() >= {"idle", "caret", "typing", "hover", "drag", "scroll", "open", "style", "full"}


def test_halves_that_differ_are_noticed() -> None:
    assert wanders([10.0, 11.0] * 20) == 0
    assert wanders([10.0] * 20 + [15.0] * 20) == 0.5
    assert wanders([10.0] * 5 + [15.0] * 5) == 0


def test_whether_cost_is_a_line_in_the_damage_is_judged_above_the_smallest_crop() -> None:
    line = line_through([[0.01, 9.0], [0.02, 9.0], [0.2, 20.0], [0.5, 50.0], [1.0, 100.0]], [0.05, 0.05, 0.3, 0.6, 1.0])
    assert line is not None and line.straight and line.off < 1e-6
    assert abs(line.base) < 1e-6 and abs(line.slope - 100) < 1e-6
    bent = line_through([[0.01, 9.0], [0.2, 20.0], [0.5, 90.0], [1.0, 100.0]])
    assert bent is not None and not bent.straight and "NO LINE" in str(bent)
    assert line_through([[0.01, 9.0], [0.5, 50.0], [1.0, 100.0]]) is None, "two points are always on a line"


def test_painting_more_costs_more_and_each_technique_has_its_line(tmp_path: Path) -> None:
    lines: list[str] = []
    spec = PainterSpec(checkpoint=str(tiny_checkpoint(tmp_path / "tiny")), size=(256, 192), device="cpu", threads=1)
    found = costs(spec, quick=True, say=lines.append)
    shares, times = zip(*found["by_damage"], strict=True)
    assert len(found["crops"]) == len(shares) and all(crop >= share for crop, share in zip(found["crops"], shares, strict=True))
    assert list(shares) == sorted(shares) and shares[-1] == 1 and min(times) > 0
    assert found["by_size"] == [[256, 192, times[-1]]]
    played = side_by_side(spec, quick=True, say=lines.append)
    rows = {row["name"]: row for row in played["side_by_side"]}
    assert list(rows) == [STOCK, OURS, *(f"ours without {part}" for part in (*TECHNIQUES, BATCHES))]
    assert rows[STOCK]["gain"] == 1 and rows[OURS]["gain"] > 1
    assert all(row["typing_ms"] > 0 and row["spread"] == [row["gain"]] * 2 for row in rows.values())
    assert played["played"]["in_turns"] and played["played"]["rounds"] == 1


def test_an_open_checkpoint_is_laid_beside_the_stock_pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = PainterSpec(checkpoint=str(tiny_folder(tmp_path / "sd", "sd-turbo", tiny_vae=True)), size=(512, 384), device="cpu", threads=1)
    typing = [Ask(1.0, "Notes"), *(Text(1.2 + i / 5, letter) for i, letter in enumerate("abcd"))]
    monkeypatch.setattr(side_by_side_module, "_trace", lambda desktop, quick: typing)
    monkeypatch.setattr(side_by_side_module, "TECHNIQUES", ("crops",))
    rows = {row["name"]: row for row in side_by_side(spec, quick=True, say=lambda line: None)["side_by_side"]}
    assert list(rows) == [STOCK, OURS, "ours without crops", "ours without batches"]
    assert rows[OURS]["gain"] > rows["ours without crops"]["gain"]


def test_graphs_and_compiling_have_their_lines_where_they_are_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = PainterSpec(checkpoint=str(tiny_checkpoint(tmp_path / "tiny")), size=(256, 192), device="cpu", threads=1, compiled=True)
    recorders: list[FakeRecorder] = []
    monkeypatch.setattr("models.graphs.recorder_for", lambda device: recorders.append(FakeRecorder()) or recorders[-1])
    monkeypatch.setattr("models.compiling.BACKEND", "eager")
    monkeypatch.setattr(side_by_side_module, "TECHNIQUES", ())
    monkeypatch.setattr(side_by_side_module, "_trace", lambda desktop, quick: [Ask(1.0, "Notes"), Text(1.2, "a")])
    rows = [row["name"] for row in side_by_side(spec, quick=True, say=lambda line: None)["side_by_side"]]
    assert rows == [STOCK, OURS, "ours without CUDA graphs", "ours without torch.compile"]
    asked, ours, without_compiling = recorders
    assert asked.recorded == ours.recorded == without_compiling.recorded == 3 and ours.replays > 3


@pytest.mark.parametrize(
    ("arguments", "why"),
    [(["--preset", "sd-turbo"], "go together"), (["--random-weights"], "go together"),
     (["--preset", "flux9", "--random-weights"], "flux2-klein-4b"),
     (["--preset", "sd-turbo", "--random-weights", "--checkpoint", "bundled"], "both say what paints")],
)  # fmt: skip
def test_misuse_is_answered_in_one_message(
    arguments: list[str], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.status(["bench", "--out", str(tmp_path / "x.json"), *arguments]) == 2
    assert why in capsys.readouterr().err
    assert not list(tmp_path.iterdir())

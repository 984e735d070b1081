"""The trace that is played several ways: each technique has its line, rounds are fair, and an open checkpoint is laid beside its own pipeline."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from benchmarks import side_by_side as side_by_side_module
from benchmarks.cost import costs
from benchmarks.side_by_side import OURS, STOCK, Times, _in_groups, _Player, in_order, side_by_side, told_of
from engine.events import Ask, Text
from engine.geometry import Rect
from engine.painter import BATCHES, FINE, TECHNIQUES, PainterSpec
from models.catalog import open_painter
from models.crops import plan
from models.latent_painter import LatentPainter
from tests.checkpoints import tiny_checkpoint
from tests.stand_in_gpu import FakeRecorder
from tests.tiny_families import tiny_folder


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
    assert list(rows) == [STOCK, OURS, *(f"ours without {part}" for part in (*TECHNIQUES, BATCHES, FINE))]
    assert rows[STOCK]["gain"] == 1 and rows[OURS]["gain"] > 1
    assert all(row["typing_ms"] > 0 and row["spread"] == [row["gain"]] * 2 for row in rows.values())
    assert played["played"]["in_turns"] and played["played"]["rounds"] == 1


def test_each_round_begins_further_on_and_is_compared_with_the_stock_call_of_its_own() -> None:
    names = ["a", "b", "c", "d", "e", "f"]
    assert [in_order(names, i, 3)[0] for i in range(3)] == ["a", "c", "e"]
    assert all(sorted(in_order(names, i, 3)) == names for i in range(3))
    slower = 2.0  # the machine, in the second round
    rounds = {STOCK: [Times([100.0] * 4, [100.0]), Times([slower * 100.0] * 4, [slower * 100.0])], OURS: [Times([10.0] * 4, [10.0]), Times([slower * 10.0] * 4, [slower * 10.0])]}
    stock, ours = told_of(rounds, in_turns=True)
    assert stock["gain"] == 1 and stock["spread"] == [1, 1] and ours["gain"] == 10 and ours["spread"] == [10, 10]
    assert ours["ms"] == 15 and ours["typing_ms"] == 15
    _, ours = told_of(rounds, in_turns=False)
    assert ours["spread"] == [7.5, 15], "in what order they came is not known, so the whole of it counts"


def test_as_many_as_can_be_held_take_turns_and_the_stock_call_with_all_of_them() -> None:
    played, held, most = list[str](), list[str](), list[int]()

    class Noted:
        def __init__(self, name: str) -> None:
            self._name = name
            held.append(name)
            most.append(len(held))

        def warm(self, _: bool) -> None:
            """Nothing to pay beforehand."""

        def play(self, _: bool) -> Times:
            played.append(self._name)
            speed = 1.0 if len(played) <= 6 else 3.0  # the machine, in the second group
            return Times([speed * (100.0 if self._name == STOCK else 10.0)], [10.0])

        def __del__(self) -> None:
            held.remove(self._name)

    names = [STOCK, OURS, "a", "b"]
    rows = _in_groups({name: partial(cast("Any", Noted), name) for name in names}, 3, 2, quick=True)
    assert played == [STOCK, OURS, "a", OURS, "a", STOCK, STOCK, "b", "b", STOCK]
    assert [row["name"] for row in rows] == names and [row["gain"] for row in rows] == [1, 10, 10, 10]
    assert max(most) == 3 and not held


def test_without_fine_crops_a_cpu_paints_a_few_sizes(tmp_path: Path) -> None:
    spec = PainterSpec(checkpoint=str(tiny_checkpoint(tmp_path / "tiny")), size=(256, 192), device="cpu", threads=1)
    fine, coarse = (open_painter(replace(spec, without=without)) for without in ((), (FINE,)))
    assert isinstance(fine, LatentPainter) and isinstance(coarse, LatentPainter)
    rects = [Rect(64, 64, side, 8) for side in (8, 24, 48, 80)]
    sizes = [{plan([rect], spec.size, painter.cells)[0].area[2:] for rect in rects} for painter in (fine, coarse)]
    assert sizes == [{(48, 48), (80, 48), (128, 48)}, {(64, 64), (128, 128)}]


def test_each_round_begins_as_a_session_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = PainterSpec(checkpoint=str(tiny_checkpoint(tmp_path / "tiny")), size=(256, 192), device="cpu", threads=1)
    monkeypatch.setattr(side_by_side_module, "_trace", lambda desktop, quick: [Ask(1.0, "Notes"), Text(1.2, "a")])
    painter, seen = open_painter(spec), list[str]()
    paint = painter.paint
    monkeypatch.setattr(painter, "paint", lambda request: seen.append((painting := paint(request)).source) or painting)
    player = _Player(painter, spec, varied=True)
    first, second = player.play(True), player.play(True)
    assert len(first.all) == len(second.all) > 1 and first.typing and set(seen) == {"painted"}


def test_each_way_has_its_own_threads_whoever_played_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = PainterSpec(checkpoint=str(tiny_checkpoint(tmp_path / "tiny")), size=(256, 192), device="cpu", threads=2)
    had = torch.get_num_threads()
    seen: list[int] = []
    monkeypatch.setattr(side_by_side_module, "_trace", lambda desktop, quick: seen.append(torch.get_num_threads()) or [])
    ours = open_painter(spec)
    torch.set_num_threads(1)  # as a measurement leaves them, or the last small crop
    stock = side_by_side_module._stock(ours, spec)
    torch.set_num_threads(1)
    stock.play(True)
    torch.set_num_threads(had)
    assert seen == [2]


def test_an_open_checkpoint_is_laid_beside_the_stock_pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = PainterSpec(checkpoint=str(tiny_folder(tmp_path / "sd", "sd-turbo", tiny_vae=True)), size=(512, 384), device="cpu", threads=1)
    typing = [Ask(1.0, "Notes"), *(Text(1.2 + i / 5, letter) for i, letter in enumerate("abcd"))]
    monkeypatch.setattr(side_by_side_module, "_trace", lambda desktop, quick: typing)
    monkeypatch.setattr(side_by_side_module, "TECHNIQUES", ("crops",))
    monkeypatch.setattr(side_by_side_module, "free_bytes", lambda device: 0)  # large ones follow one another
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

"""Recipes: several runs as one, which a kill, a stop file or a signal may cut anywhere."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.easel import Easel
from engine.desktop.desktop import Desktop
from engine.errors import InputError
from engine.events import Ask
from engine.geometry import SMALLEST_SIZE
from engine.painter import PainterSpec
from models.catalog import BUNDLED, open_painter
from models.datasets.recording_source import RecordingSource
from models.dreaming.book import Book
from models.dreaming.dreamer import Dreamer
from models.loading import load_bundled
from models.training import dream_book, dream_looks, heldout, lessons, looks
from models.training import dreams as training_dreams
from models.training import run as run_module
from models.training.config import CHECKPOINT, RECIPE, TrainConfig, begun_with, budgets, usual_guide_dropped
from models.training.dreams import Moment, dreams
from models.training.heldout import HeldOut, held_out
from models.training.networks import Networks
from models.training.recipe import Recipe, follow, recipe_begun
from models.training.state import load_state
from tests.checkpoints import tiny_networks
from tests.test_recordings import recording
from ui import cli

SIZE = (256, 192)
SMALL = {"crops": 2, "side": 32, "pool": 2, "threads": 1, "seed": 5, "updates": 5, "save_every": 1, "look_every": 1000, "device": "cpu"}
RUN = Recipe("bundled", SMALL)
PAINTER = 3  # updates of that stage


@pytest.fixture(scope="module")
def moments() -> list[Moment]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_dreams, "MOMENTS", 4)
        return dreams(np.random.default_rng(7), Book())


@pytest.fixture(scope="module")
def screens() -> list[HeldOut]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(heldout, "PRESETS", {"light": heldout.PRESETS["light"]})
        return held_out()


@pytest.fixture(scope="module")
def book() -> Book:
    dreamer = load_bundled(BUNDLED, "bundled").dreamer
    assert dreamer is not None
    return dreamer.book


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> RecordingSource:
    return RecordingSource(recording(tmp_path_factory.mktemp("source") / "mine"))


@pytest.fixture(autouse=True)
def tiny(
    moments: list[Moment], screens: list[HeldOut], source: RecordingSource, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs are of tiny networks, and draw next to nothing."""
    monkeypatch.setattr(lessons, "Dreamer", lambda **form: Dreamer(**(form or {"widths": (8, 16, 16), "mix": 4, "pen": 8})))
    monkeypatch.setattr(lessons, "networks_from", lambda init, asked: Networks(*tiny_networks(1)))
    monkeypatch.setattr(lessons, "open_source", lambda text: source)
    monkeypatch.setattr(lessons, "open_dreams", lambda text: lambda rng, book: moments)
    monkeypatch.setattr(dream_book, "learned", lambda rng: book)
    monkeypatch.setattr(dream_looks, "SESSIONS", 1)
    monkeypatch.setattr(dream_looks, "CROPS", 4)
    for module in (looks, lessons):
        monkeypatch.setattr(module, "held_out", lambda *seed: screens)


def quiet(*line: object) -> None:
    """Nobody listens."""


class Kill(Exception):
    """As sudden as kill -9, but for the test."""


def die(*given: object) -> Any:
    raise Kill


def die_later(patch: pytest.MonkeyPatch, module: Any, name: str) -> None:
    """When it is called for the second time."""
    real, called = getattr(module, name), list[bool]()

    def step(*given: Any) -> Any:
        called.append(True)
        return real(*given) if len(called) < 2 else die()

    patch.setattr(module, name, step)


def die_at_the_end(patch: pytest.MonkeyPatch, out: Path) -> None:
    """When the painter's last state is there, and its last checkpoint is not."""
    real = run_module.replace_folder

    def step(folder: Path, write: Any) -> None:
        if load_state(out / "painter", quiet)["position"]["done"] == PAINTER:
            die()
        real(folder, write)

    patch.setattr(run_module, "replace_folder", step)


KILLS: dict[str, Any] = {
    "while painting": lambda patch, out: die_later(patch, lessons, "loss_of"),
    "at the end of painting": die_at_the_end,
    "between the two": lambda patch, out: patch.setattr(dream_book, "learned", die),
    "while dreaming": lambda patch, out: die_later(patch, lessons, "dream_loss"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recipe") / "whole"


@pytest.fixture
def whole(place: Path, tiny: None) -> Path:
    """Where one was followed that nobody cut."""
    if not place.exists():
        assert follow(RUN, place, False, quiet) == place / "dreamer" / CHECKPOINT
    return place


def test_a_recipe_leaves_what_paints_and_dreams(whole: Path) -> None:
    assert recipe_begun(whole) == Recipe("bundled", SMALL, ("painter", "dreamer"))
    painter, dreamer = (begun_with(whole / name) for name in ("painter", "dreamer"))
    assert [painter[name] for name in ("data", "guide_dropped", "init", "updates")] == ["desktops:2,screens:1", 0.0, None, PAINTER]
    assert [dreamer[name] for name in ("part", "init", "updates")] == ["dreamer", whole / "painter" / CHECKPOINT, 2]
    first, last = (load_bundled(whole / name / CHECKPOINT, name) for name in ("painter", "dreamer"))
    assert first.dreamer is None and last.dreamer is not None and last.dreamer.book
    assert all(torch.equal(a, b) for a, b in zip(first.denoiser.parameters(), last.denoiser.parameters(), strict=True))
    for mode in ("guided", "dream"):
        opened = open_painter(PainterSpec(checkpoint=str(whole / "dreamer" / CHECKPOINT), mode=mode, size=SIZE, device="cpu", threads=1))
        assert opened.info.imagines is (mode == "dream")
        easel = Easel(opened, Desktop(SIZE))
        easel.paint()
        before = easel.frame.copy()
        easel.feed(Ask(1.0, "notes"))
        assert (easel.frame != before).any(), mode
        opened.close()


@pytest.mark.parametrize("when", KILLS)
def test_a_kill_anywhere_changes_nothing(when: str, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "cut"
    with monkeypatch.context() as patch:
        KILLS[when](patch, out)
        with pytest.raises(Kill):
            follow(RUN, out, False, quiet)
    assert recipe_begun(out).over == (() if "painting" in when else ("painter",))
    said: list[str] = []
    torch.manual_seed(99)
    follow(recipe_begun(out), out, True, said.append)
    assert any(line.startswith("painter: ") for line in said) is ("painting" in when), "what is over is left alone"
    for name in ("painter", "dreamer"):
        a, b = (load_bundled(folder / name / CHECKPOINT, "x") for folder in (whole, out))
        assert a.sha256 == b.sha256 and a.denoiser.input_ranges == b.denoiser.input_ranges != {}


def test_minutes_are_shared_out(tmp_path: Path) -> None:
    painter, dreamer = Recipe("bundled", {"minutes": 100.0, "updates": 1000}).configs(tmp_path)
    assert (painter.minutes, painter.updates, dreamer.minutes, dreamer.updates) == (60.0, 600, 40.0, 400)
    assert [config.minutes for config in Recipe("bundled", {"minutes": 0.0}).configs(tmp_path)] == [0.0, 0.0], "no limit stays none"


def test_a_stop_file_ends_all_of_it_and_the_command_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    monkeypatch.setattr(run_module, "TELL_EVERY", 1)
    shares: list[float] = []

    def stop(share: float, line: str) -> None:
        shares.append(share)
        (out / "stop").write_text("")

    assert follow(RUN, out, False, quiet, stop) == out / "painter" / CHECKPOINT
    assert load_state(out / "painter", quiet)["position"]["done"] == 1 and not (out / "dreamer").exists()
    assert recipe_begun(out).over == () and not (out / "stop").exists()
    follow(recipe_begun(out), out, True, quiet, lambda share, line: (out / "stop").write_text("") if "update 3/" in line else None)
    assert recipe_begun(out).over == () and not (out / "dreamer").exists(), "asked for at the very end of a stage, too"
    assert cli.status(["train", "--out", str(out), "--resume"]) == 0
    assert capsys.readouterr().out == f"the checkpoint is in {out / 'dreamer' / CHECKPOINT}\n"
    assert recipe_begun(out).over == ("painter", "dreamer") and shares == [pytest.approx(0.6 / PAINTER)]


@pytest.mark.parametrize(("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_signal_saves_first(number: signal.Signals, raised: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "TELL_EVERY", 1)
    with pytest.raises(raised):
        follow(RUN, tmp_path / "out", False, quiet, lambda *line: os.kill(os.getpid(), number))
    assert load_state(tmp_path / "out" / "painter", quiet)["position"]["done"] == 1
    assert not (tmp_path / "out" / "dreamer").exists()


def test_misuse_is_answered_in_one_message(whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain, cut = tmp_path / "out", tmp_path / "cut"

    def refused(*words: str) -> str:
        assert cli.status(["train", *words]) == 2
        told, err = capsys.readouterr()
        assert told == "" and err.startswith("pixelos: ") and err.count("\n") == 1, err
        return err

    to = "--recipe", "bundled", "--out"
    assert "there is bundled" in refused("--recipe", "nothing", "--out", str(plain))
    assert "earlier training" in refused(*to, str(whole))
    assert "earlier training" in refused("--data", "screens", "--out", str(whole)), "a run does not write over a recipe"
    shutil.copytree(whole / "dreamer", tmp_path / "runs" / "dreamer")
    assert "dreamer holds another run" in refused(*to, str(tmp_path / "runs"))
    assert not (tmp_path / "runs" / "recipe.json").exists()
    assert "no recipe to resume" in refused(*to, str(whole / "painter"), "--resume")
    for option, value in (("--rate", "1e-3"), ("--guide-dropped", "0"), ("--data", "screens"), ("--init", "bundled"), ("--part", "dreamer")):
        assert f"{option} is the recipe's" in refused(*to, str(plain), option, value)
    for option, value in (("--updates", "0"), ("--minutes", "-1"), ("--budget", "huge"), ("--steps", "4"), ("--device", "cuda:1")):
        assert option.strip("-") in refused(*to, str(plain), option, value)
    cut.mkdir()
    (cut / RECIPE).write_text(json.dumps({"recipe": "bundled", "settings": 3}))
    assert "cannot be read" in refused("--out", str(cut), "--resume")
    assert not plain.exists()


def test_beside_a_dreamer_a_guide_is_always_given(tmp_path: Path) -> None:
    other, plain = recording(tmp_path / "mine"), tmp_path / "plain"
    plain.mkdir()
    for data, init, share in (("synthetic", BUNDLED, 0.0), ("synthetic", plain, 0.9), ("synthetic", None, 0.9), (f"screens,{other}", BUNDLED, 0.9)):
        assert usual_guide_dropped(TrainConfig(tmp_path / "out", data=data, init=init)) == share


def test_what_is_to_answer_events_itself_learns_from_crops_that_show_far_around_them(tmp_path: Path) -> None:
    mine = f"synthetic:0.3,{recording(tmp_path / 'mine')}"
    for name, usual in budgets("painter", "synthetic").items():
        wide = budgets("painter", mine)[name]
        side, usual_side = (one.get("side", TrainConfig.side) for one in (wide, usual))
        assert usual_side == 64 and side == min(SMALLEST_SIZE)
        assert 0.9 < wide["crops"] * side**2 / (usual["crops"] * usual_side**2) < 1.2, "an update sees as much as any"
    assert budgets("lora", mine) == budgets("lora", "synthetic")


def test_what_no_recipe_can_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="updates 0"):
        follow(Recipe("bundled", {**SMALL, "updates": 0}), tmp_path / "out", False, quiet)
    assert not (tmp_path / "out").exists()

"""Training: exact under kills, saved whole, ended politely, and every misuse answered in one message."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from engine.errors import CheckpointError, InputError, PixelOSError
from models.denoiser import Denoiser
from models.loading import load_bundled
from models.materials import Materials
from models.training import lessons, looks
from models.training import run as run_module
from models.training.config import BUDGETS, begun_with, check
from models.training.heldout import HeldOut, held_out
from models.training.loop import TrainConfig, train
from models.training.metrics import Metrics
from models.training.networks import Networks
from models.training.run import Position
from models.training.state import CHECKPOINT, load_state, replace_folder, save_state, settle
from models.training.stream import Stream
from tests.checkpoints import tiny_checkpoint, tiny_networks
from tests.test_recordings import recording
from ui import cli

ROOT = Path(__file__).resolve().parent.parent
N = 3


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(recording(tmp_path_factory.mktemp("source") / "mine"))


@pytest.fixture(scope="module")
def screens() -> list[HeldOut]:
    return held_out()[:2]


@pytest.fixture(autouse=True)
def tiny(screens: list[HeldOut], monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs start from tiny networks and look at two screens only."""
    monkeypatch.setattr(lessons, "networks_from", lambda init, blocks: Networks(*tiny_networks(1)))
    for module in (looks, lessons):
        monkeypatch.setattr(module, "held_out", lambda *seed: screens)


def config(out: Path, source: str, **other: Any) -> TrainConfig:
    small: dict[str, Any] = {"crops": 4, "side": 32, "pool": 10, "threads": 1, "seed": 5, "rate": 1e-2, "device": "cpu"}
    return TrainConfig(out, data=source, **{"updates": 2 * N, "save_every": 1, "look_every": 1000, **small, **other})


def weights(out: Path) -> dict[str, torch.Tensor]:
    """Every number that a state holds, by name."""
    found: dict[str, torch.Tensor] = {}

    def walk(value: Any, name: str) -> None:
        if isinstance(value, torch.Tensor):
            found[name] = value
        for key, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
            walk(part, f"{name}/{key}")

    state = load_state(out, print)
    state.pop("position")
    walk(state, "")
    return found


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def quiet(line: str) -> None:
    """Nobody listens."""


class Kill(Exception):
    """As sudden as kill -9, but for the test."""


def killed_at(update: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next run dies while it computes that update."""
    step = lessons.loss_of

    def die(*arguments: Any) -> torch.Tensor:
        nonlocal update
        update -= 1
        if update < 0:
            raise Kill
        return step(*arguments)

    monkeypatch.setattr(lessons, "loss_of", die)


@pytest.mark.parametrize("saved_every", [1, 2])
def test_a_run_that_was_killed_ends_in_the_very_weights_of_one_that_was_not(
    saved_every: int, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = (config(tmp_path / name, source, save_every=saved_every) for name in ("whole", "cut"))
    train(whole, quiet)
    with monkeypatch.context() as patch:
        killed_at(N, patch)
        with pytest.raises(Kill):
            train(cut, quiet)
    assert not same(weights(whole.out), weights(cut.out))
    torch.manual_seed(99)  # nothing may hang on what happened to be drawn before
    train(config(cut.out, source, resume=True), quiet)
    assert same(weights(whole.out), weights(cut.out))
    a, b = (load_bundled(run.out / "checkpoint", "x") for run in (whole, cut))
    assert a.sha256 == b.sha256
    assert a.denoiser.input_ranges == b.denoiser.input_ranges != {}
    assert a.denoiser.input_ranges is not None  # the new checkpoint can paint in eight bits
    assert Position(**load_state(cut.out, print)["position"]).done == 2 * N


def test_another_seed_is_another_run(source: str, tmp_path: Path) -> None:
    train(config(tmp_path / "a", source, updates=1), quiet)
    train(config(tmp_path / "b", source, updates=1, seed=6), quiet)
    assert not same(weights(tmp_path / "a"), weights(tmp_path / "b"))


def test_batches_hang_on_seed_process_and_update_alone(source: str, tmp_path: Path) -> None:
    settings = config(tmp_path, source, lanes=2, pool=20)
    first = Stream(settings)
    met = [first[update] for update in range(5)]
    assert torch.equal(Stream(settings)[4].clean, met[4].clean)
    assert not torch.equal(met[2].clean, met[4].clean)
    assert not torch.equal(Stream(settings, process=1)[4].clean, met[4].clean)


def test_a_run_goes_on_in_the_form_it_was_begun_in(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks grown from an older checkpoint are not those that are made today."""
    denoiser, encoder = tiny_networks(2)
    older = Denoiser(**{**dict(denoiser.config), "given_palette": 0}), encoder
    monkeypatch.setattr(lessons, "networks_from", lambda init, blocks: Networks(*older))
    train(config(tmp_path, source, updates=2), quiet)
    monkeypatch.setattr(lessons, "networks_from", lambda init, blocks: Networks(*tiny_networks(1)))
    train(config(tmp_path, source, updates=3, resume=True), quiet)
    assert load_bundled(tmp_path / CHECKPOINT, "mine").denoiser.config.given_palette == 0


def parts(value: Any) -> list[torch.Tensor]:
    return list(vars(value).values()) if isinstance(value, Materials) else [value]


def test_worker_processes_draw_what_would_be_drawn_without_them(source: str, tmp_path: Path) -> None:
    settings = config(tmp_path, source, lanes=2, pool=20, updates=6)
    plain = Stream(settings)
    ahead = Stream(config(tmp_path, source, lanes=2, pool=20, updates=6, prefetch=True)).from_update(3)
    for update, batch in zip(range(3, 6), ahead, strict=True):
        for name, value in vars(plain[update]).items():
            pairs = zip(parts(value), parts(getattr(batch, name)), strict=True)
            assert all(torch.equal(a, b) for a, b in pairs), (update, name)


def test_a_state_appears_whole_or_not_at_all(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(config(tmp_path / "a", source, updates=2), quiet)
    before = weights(tmp_path / "a")

    replace = os.replace
    left: list[str] = []

    def die(old: Path, new: Path) -> None:
        if Path(new).suffix != ".pt":
            replace(old, new)
            return
        left.append(Path(old).name)
        (Path(new).parent / ".pixelos-cut.tmp").write_bytes(Path(old).read_bytes()[:500])  # what kill -9 leaves
        raise Kill

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", die)
        with pytest.raises(Kill):
            train(config(tmp_path / "a", source, updates=4, resume=True), quiet)
    assert left and same(before, weights(tmp_path / "a"))
    train(config(tmp_path / "a", source, updates=4, resume=True), quiet)
    assert [path.name for path in sorted((tmp_path / "a" / "state").iterdir())] == ["000003.pt", "000004.pt"]


def test_of_two_states_a_damaged_one_is_passed_over(source: str, tmp_path: Path) -> None:
    train(config(tmp_path, source, updates=3), quiet)
    states = sorted((tmp_path / "state").glob("*.pt"))
    assert [path.name for path in states] == ["000002.pt", "000003.pt"]
    states[1].write_bytes(states[1].read_bytes()[:1000])
    said: list[str] = []
    assert load_state(tmp_path, said.append)["position"]["done"] == 2
    assert "000003.pt" in said[0]
    states[0].write_bytes(b"")
    with pytest.raises(InputError, match="no state"):
        load_state(tmp_path, said.append)


def test_a_checkpoint_that_was_being_replaced_is_put_back(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"

    def write(text: str, fail: bool = False) -> Callable[[Path], None]:
        def into(new: Path) -> None:
            new.mkdir()
            (new / "weights").write_text(text)
            if fail:
                raise OSError("no space")

        return into

    replace_folder(folder, write("one"))
    with pytest.raises(OSError, match="no space"):
        replace_folder(folder, write("two", fail=True))
    assert (folder / "weights").read_text() == "one" and len(list(tmp_path.iterdir())) == 1
    os.replace(folder, tmp_path / ".checkpoint-old")  # killed between the two renamings
    settle(folder)
    assert (folder / "weights").read_text() == "one"
    replace_folder(folder, write("three"))
    assert (folder / "weights").read_text() == "three" and len(list(tmp_path.iterdir())) == 1


def test_a_full_disk_is_one_message_and_loses_nothing(source: str, tmp_path: Path) -> None:
    train(config(tmp_path, source, updates=2), quiet)
    before = weights(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))  # no file may grow beyond it
    try:
        with pytest.raises(PixelOSError, match=r"cannot be written.*update 2 is safe.*--resume") as refusal:
            train(config(tmp_path, source, resume=True), quiet)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert refusal.value.exit_code == 1 and same(before, weights(tmp_path))
    train(config(tmp_path, source, resume=True), quiet)
    assert load_state(tmp_path, print)["position"]["done"] == 2 * N


def test_a_stop_file_ends_the_run_and_is_used_up(source: str, tmp_path: Path) -> None:
    said: list[str] = []
    (tmp_path / "stop").write_text("")  # of an earlier run: not meant for this one

    def stop(share: float, line: str) -> None:
        (tmp_path / "stop").write_text("")

    train(config(tmp_path, source, updates=1000), said.append, stop)
    assert load_state(tmp_path, print)["position"]["done"] == run_module.TELL_EVERY
    assert not (tmp_path / "stop").exists() and "--resume" in said[-1]


@pytest.mark.parametrize(("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_signal_saves_first(number: signal.Signals, raised: type[BaseException], source: str, tmp_path: Path) -> None:
    handler = signal.getsignal(number)
    with pytest.raises(raised):
        train(config(tmp_path, source, updates=1000, save_every=1000), quiet, lambda *line: os.kill(os.getpid(), number))
    assert load_state(tmp_path, print)["position"]["done"] == run_module.TELL_EVERY
    assert signal.getsignal(number) is handler
    load_bundled(tmp_path / "checkpoint", "saved")


def test_time_ends_a_run_and_counts_over_sittings(source: str, tmp_path: Path) -> None:
    settings = config(tmp_path, source, minutes=1.0, updates=100_000)
    assert Position(done=50_000, seconds=15).share(settings) == 0.5
    assert Position(done=10_000, seconds=45).share(settings) == 0.75
    train(config(tmp_path, source, updates=1), quiet)
    spent = load_state(tmp_path, print)["position"]["seconds"]
    train(config(tmp_path, source, resume=True, updates=100_000, minutes=spent / 60), quiet)
    assert load_state(tmp_path, print)["position"]["done"] == 1, "its time was spent"


def test_plots_and_sheets_go_on_where_the_run_does(source: str, tmp_path: Path) -> None:
    train(config(tmp_path, source, updates=20, look_every=10), quiet)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    told = [line for line in lines if "loss" in line]
    looks = [line for line in lines if "psnr" in line]
    assert [line["update"] for line in told] == [20]
    assert {"seconds", "rate", "crops_per_s"} <= told[0].keys()
    assert [line["update"] for line in looks][:2] == [10, 20] and "dream" in looks[0]
    assert all(0 < value < 99 for value in looks[0]["psnr"].values())
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"update": 27, "loss": 1.0}\n{"update": 2')  # a killed run wrote on, and was cut short
    assert Metrics(tmp_path, 20).lines == lines
    assert (tmp_path / "metrics.jsonl").read_text().count("\n") == len(lines)
    for name in ("metrics.png", "sheet_000010.png", "sheet_000020.png"):
        picture = np.asarray(Image.open(tmp_path / name).convert("L"))
        assert picture.std() > 5, name


@pytest.mark.parametrize("budget", BUDGETS)
def test_budgets_can_be_meant_and_end(budget: str) -> None:
    settings = check(TrainConfig(Path("out"), **BUDGETS[budget]))
    assert 0 < settings.minutes <= (30 if budget == "gpu" else 600)


@pytest.mark.parametrize(
    "wrong",
    [{"updates": 0}, {"minutes": -1.0}, {"minutes": float("nan")}, {"side": 40}, {"guide_dropped": 1.5}, {"rate": 0.0},
     {"forced": -0.1}, {"crops": 0}],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(wrong: dict[str, Any], source: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be"):
        train(config(tmp_path / "out", source, **wrong), quiet)
    assert not (tmp_path / "out").exists()


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What `pixelos train` says to wrong input: one line, exit code 2."""
    assert cli.status(["train", *map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("pixelos: ") and err.count("\n") == 1, err
    return err


def test_misuse_is_answered_in_one_message(source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, busy, earlier, file = (tmp_path / name for name in ("out", "busy", "earlier", "file"))
    train(config(busy, source, updates=1), quiet)
    kept = weights(busy)
    (earlier / "state").mkdir(parents=True)
    (earlier / "state" / "optimizer.bin").write_bytes(b"")
    file.write_text("")
    tiny_checkpoint(tmp_path / "foreign")
    (tmp_path / "foreign" / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    to = ("--data", source, "--out")
    assert "earlier training" in refused(capsys, *to, busy)
    assert "nothing to resume" in refused(capsys, *to, out, "--resume")
    assert "earlier version" in refused(capsys, *to, earlier, "--resume")
    assert "is a file" in refused(capsys, *to, file)
    assert "cannot be written" in refused(capsys, *to, file / "below")
    assert "none" in refused(capsys, "--data", tmp_path / "none", "--out", out)
    assert "no checkpoint" in refused(capsys, *to, out, "--init", tmp_path / "none")
    for wrong in (("--updates", 0), ("--minutes", -1), ("--rate", 3), ("--guide-dropped", 2), ("--budget", "huge"),
                  ("--steps", 4), ("--style", "dark"), ("--device", "cuda:1")):  # fmt: skip
        assert wrong[0].strip("-") in refused(capsys, *to, out, *wrong)
    assert not out.exists() and same(kept, weights(busy))


def test_a_foreign_checkpoint_is_no_start(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    tiny_checkpoint(tmp_path / "foreign")
    (tmp_path / "foreign" / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    with pytest.raises(CheckpointError, match="StableDiffusionPipeline"):
        train(config(tmp_path / "out", source, init=tmp_path / "foreign"), quiet)


def test_a_state_of_other_networks_is_refused(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(config(tmp_path, source, updates=1), quiet)
    denoiser, encoder = tiny_networks()
    del denoiser.memory_in
    monkeypatch.setattr(Networks, "of_forms", lambda forms: Networks(denoiser, encoder))
    with pytest.raises(InputError, match="another shape"):
        train(config(tmp_path, source, resume=True), quiet)
    monkeypatch.undo()
    state = load_state(tmp_path, print)
    forms = {**state["forms"], "denoiser": {"wings": 2}}
    save_state(tmp_path, 9, {**{k: v for k, v in state.items() if k != "version"}, "forms": forms})
    with pytest.raises(InputError, match="another shape"):
        train(config(tmp_path, source, resume=True), quiet)


def test_what_a_run_was_begun_with_is_remembered(source: str, tmp_path: Path) -> None:
    settings = config(tmp_path, source, updates=1)
    train(settings, quiet)
    assert TrainConfig(tmp_path, **begun_with(tmp_path)) == settings
    said: list[str] = []
    train(config(tmp_path, source, updates=2, resume=True, seed=7), said.append)
    assert "seed 5 -> 7" in said[0]


_DRIVER = """
import sys
from models.training import heldout, lessons
from models.training.config import ANSWERING, BUDGETS
from models.training.networks import Networks
from tests.checkpoints import tiny_networks
from ui import cli
if __name__ == "__main__":
    lessons.networks_from = lambda init, blocks: Networks(*tiny_networks(1))
    heldout.PRESETS = {"light": heldout.PRESETS["light"]}
    BUDGETS["cpu"].update(pool=10, save_every=5)
    for usual in (BUDGETS["cpu"], ANSWERING["cpu"]):
        usual.update(crops=2, side=32)
    sys.exit(cli.status(sys.argv[1:]))
"""


def driver(folder: Path) -> list[str]:
    """The command line, but small."""
    path = folder / "driver.py"
    path.write_text(_DRIVER)
    return [str(path), "train", "--out", str(folder / "out"), "--device", "cpu"]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def test_kill_9_changes_nothing(source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command, out = [sys.executable, *driver(tmp_path), "--data", source, "--updates", "40"], tmp_path / "out"
    process = subprocess.Popen(command, cwd=ROOT, env=environment(), stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("update 20/"):
            break
    process.kill()
    process.communicate(timeout=30)
    assert 15 <= load_state(out, print)["position"]["done"] < 40
    torch.set_num_threads(1)
    assert cli.status(["train", "--out", str(out), "--resume"]) == 0
    assert capsys.readouterr().out == f"the checkpoint is in {out / 'checkpoint'}\n"
    train(TrainConfig(tmp_path / "whole", **begun_with(out)), quiet)
    assert same(weights(tmp_path / "whole"), weights(out))


def test_accelerate_launches_the_very_run(source: str, tmp_path: Path) -> None:
    launcher = ["accelerate.commands.launch", "--cpu", "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    command = [sys.executable, "-m", *launcher, *driver(tmp_path), "--data", source, "--updates", "2"]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out"
    assert done.stdout.count("the checkpoint is in") == 1
    torch.set_num_threads(1)  # as the launched one has: sums in another order are other sums
    train(TrainConfig(tmp_path / "alone", **begun_with(out)), quiet)
    assert same(weights(out), weights(tmp_path / "alone"))


def test_two_processes_train_one_run(source: str, tmp_path: Path) -> None:
    """What several GPUs do, on a CPU: each draws crops of its own, one of them says and saves."""
    launcher = ["torch.distributed.run", "--nproc_per_node", "2", "--rdzv_backend", "c10d", "--rdzv_endpoint", "localhost:0"]
    command = [sys.executable, "-m", *launcher, *driver(tmp_path), "--data", source, "--updates", "3"]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("the checkpoint is in") == 1
    assert load_state(tmp_path / "out", print)["position"]["done"] == 3
    assert load_bundled(tmp_path / "out" / CHECKPOINT, "two").denoiser.remembers

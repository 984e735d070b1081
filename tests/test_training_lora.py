"""A LoRA taught to an open checkpoint: it learns, goes on exactly after a kill, and is worn here and by diffusers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from engine.errors import InputError
from engine.painter import Words
from models.catalog import open_painter
from models.facts import lora_fact
from models.loras.reading import read_lora
from models.places import found_in
from models.synthetic.shots import random_shot
from models.training import adapting, heldout
from models.training.adapting import NAMES, Adapting, PairLooks, pair_batch
from models.training.config import LORA_BUDGETS, TrainConfig, begun_with, check
from models.training.loop import train
from models.training.pool import crop_of
from models.training.state import load_state
from tests.checkpoints import tiny_checkpoint
from tests.test_cli import pixelos
from tests.test_datasets import SIZE as RECORDED
from tests.test_datasets import TRACE
from tests.test_families import opened, painter_of, request, stock
from tests.test_loras import wears
from tests.test_training import Kill, quiet, refused, same, weights
from tests.tiny_families import tiny_folder
from ui import cli
from ui.options import Choice

N = 2


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("teaching")
    for name in ("sd1", "sd2", "sdxl", "pix2pix", "pix2pix-xl"):
        tiny_folder(home / name, name)
    return home


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """One screen is looked at."""
    monkeypatch.setattr(adapting, "SCREENS", 1)


def config(out: Path, init: Path, **other: Any) -> TrainConfig:
    settings: dict[str, Any] = {"part": "lora", "crops": 2, "side": 64, "pool": 4, "threads": 1, "seed": 5, "rate": 1e-2, "device": "cpu",
                                "rank": 4, "data": "screens", "save_every": 1, "look_every": 1000, "updates": 2 * N}  # fmt: skip
    return TrainConfig(out, init=init, **{**settings, **other})


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl", "pix2pix", "pix2pix-xl"])
def test_it_learns_one_batch_by_heart(home: Path, tmp_path: Path, family: str) -> None:
    lesson = Adapting(config(tmp_path, home / family, style="tinted"), None)
    rng = np.random.default_rng(1)
    batch = pair_batch([crop_of(random_shot(rng), 64, rng) for _ in range(2)], rng)
    before = {name: tensor.clone() for name, tensor in lesson.checkpoint.pipeline.unet.state_dict().items() if "lora" not in name}
    optimiser = torch.optim.AdamW(lesson.networks.parameters(), lr=5e-2)
    losses = []
    for _ in range(20):
        loss = lesson.loss(lesson.networks, batch, 0.0, torch.Generator().manual_seed(3))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.9 * losses[0], losses[::5]
    after = lesson.checkpoint.pipeline.unet.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())  # the checkpoint itself stays
    assert sum(tensor.numel() for tensor in lesson.networks.parameters()) < 0.2 * lesson.checkpoint.parameters


def killed_at(update: int, monkeypatch: pytest.MonkeyPatch) -> None:
    step: Callable[..., Any] = Adapting.loss

    def die(*given: Any) -> Any:
        nonlocal update
        update -= 1
        if update < 0:
            raise Kill
        return step(*given)

    monkeypatch.setattr(Adapting, "loss", die)


def test_a_run_that_was_killed_ends_in_the_very_weights_of_one_that_was_not(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = (config(tmp_path / name / "mine", home / "sd1", style="of wool") for name in ("whole", "cut"))
    train(whole, quiet)
    with monkeypatch.context() as patch:
        killed_at(N, patch)
        with pytest.raises(Kill):
            train(cut, quiet)
    assert not same(weights(whole.out), weights(cut.out)) and load_state(cut.out, print)["position"]["done"] == N
    torch.manual_seed(99)
    train(TrainConfig(cut.out, resume=True, **begun_with(cut.out)), quiet)
    assert same(weights(whole.out), weights(cut.out))
    first, second = (out / "checkpoint" / "mine.safetensors" for out in (whole.out, cut.out))
    assert same(load_file(first), load_file(second))
    assert {"config.json", "metrics.jsonl", "metrics.png", "sheet_000000.png", "sheet_000004.png"} <= {path.name for path in whole.out.iterdir()}
    worn_as_diffusers_wears_it(home / "sd1", first)


def test_it_is_taught_what_was_recorded(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trace, as `pixelos record` leaves it, is what the crops are of; what was learned is put on by its name."""
    monkeypatch.setattr(PairLooks, "look", lambda self, twin, done: {"mean": 0.0})
    recorded, batch_of = tmp_path / "mine.jsonl", adapting.pair_batch
    seen: list[tuple[int, int]] = []
    recorded.write_text("\n".join(TRACE))

    def looked_at(crops: Any, rng: Any) -> Any:
        seen.extend(crop.shot.size for crop in crops)
        return batch_of(crops, rng)

    monkeypatch.setattr(adapting, "pair_batch", looked_at)
    profile = tmp_path / "profile"
    train(config(profile / "loras" / "wool", home / "sd1", data=str(recorded), style="of wool", updates=1), quiet)
    assert len(seen) == 2 and set(seen) == {RECORDED}
    path = profile / "loras" / "wool" / "checkpoint" / "wool.safetensors"
    path.rename(profile / "loras" / "wool.safetensors")
    spec = Choice(checkpoint=str(home / "sd1"), lora=["wool:0.7"], profile=profile, device="cpu", size="256x192", steps=1).spec()
    assert [(lora.name, lora.weight) for lora in open_painter(spec).info.loras] == [("wool", 0.7)]


def test_one_of_instruct_pix2pix_xl_is_worn_as_diffusers_wears_it(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PairLooks, "look", lambda self, twin, done: {"mean": 0.0})
    train(config(tmp_path / "mine", home / "pix2pix-xl", style="of wool", rate=0.5), quiet)
    path = tmp_path / "mine" / "checkpoint" / "mine.safetensors"
    assert read_lora(path).origin == "Stable Diffusion XL"
    worn_as_diffusers_wears_it(home / "pix2pix-xl", path, "pix2pix-xl")


def worn_as_diffusers_wears_it(folder: Path, path: Path, family: str = "sd1") -> None:
    assert set(map(torch.Tensor.dim, load_file(path).values())) == {2}
    asked = request(words=Words("of wool"))
    painter = painter_of(folder, steps=1, loras=((str(path), 1.0),))
    found = painter.frame(asked)
    assert (stock(folder, painter, asked, wears((path, 1.0))) - found).abs().max() <= 1e-4
    assert (painter_of(folder, steps=1).frame(asked) - found).abs().max() > 1e-3
    assert opened(folder).family == painter.info.family == family


def test_what_it_is_shown_and_told() -> None:
    rng = np.random.default_rng(2)
    crops = [crop_of(shot, 64, rng) for shot in [random_shot(rng) for _ in range(8)] for _ in range(5)]
    batch = pair_batch(crops, rng)
    assert batch.clean.shape == batch.shown.shape == (40, 3, 64, 64) and float(batch.clean.abs().max()) <= 1
    assert 0 < int((batch.look == -1).sum()) < 15 and len(set(batch.look.tolist())) > 3 and int(batch.look.max()) < len(NAMES)
    guide = torch.from_numpy(crops[0].take(crops[0].shot.guide).copy()).permute(2, 0, 1) / 127.5 - 1
    assert torch.equal(batch.shown[0], guide)


@pytest.mark.parametrize("budget", LORA_BUDGETS)
def test_budgets_can_be_meant(budget: str, tmp_path: Path) -> None:
    check(TrainConfig(tmp_path, part="lora", **LORA_BUDGETS[budget]))


def test_the_command_line(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    out, to = tmp_path / "out", ("--data", "screens", "--lora", "--out", tmp_path / "out")
    assert "--init" in refused(capsys, *to)
    assert "is of the family bundled" in refused(capsys, *to, "--init", tiny_checkpoint(tmp_path / "tiny"))
    assert "--family says sdxl" in refused(capsys, *to, "--init", home / "sd1", "--family", "sdxl")
    assert "rank 0" in refused(capsys, *to, "--init", home / "sd1", "--rank", 0)
    assert "--part painter something else" in refused(capsys, *to, "--init", home / "sd1", "--part", "painter")
    assert "--recipe bundled something else" in refused(capsys, *to, "--recipe", "bundled")
    told = ("--data", "screens", "--out", out, "--init", home / "sd1", "--family")  # a family is a LoRA's alone
    assert "--family says sdxl" in refused(capsys, *told, "sdxl")
    assert "--family is a LoRA's" in refused(capsys, *told, "sd1", "--part", "painter")
    assert "--rank is a LoRA's" in refused(capsys, *told[:-1], "--rank", 2)
    assert not out.exists()
    alone = pixelos("train", *to, "--init", home / "sd1", "--family", "sdxl")  # where no library was taken in yet, which may have its say then
    assert alone.returncode == 2 and "--family says sdxl" in alone.stderr and alone.stderr.count("\n") == 1, alone.stderr
    monkeypatch.setitem(LORA_BUDGETS, "cpu", {**LORA_BUDGETS["cpu"], "side": 64, "pool": 4})
    monkeypatch.setattr(heldout, "PRESETS", {"light": heldout.PRESETS["light"]})
    assert cli.status([*map(str, ("train", *told, "sd1", "--updates", 1, "--device", "cpu", "--rank", 2))]) == 0
    made = out / "checkpoint" / "out.safetensors"
    assert capsys.readouterr().out == f"the LoRA is {made}; paint with it by --lora {made}, or keep it with pixelos models add {made}: F2 in the window then puts it on\n"
    monkeypatch.setattr("models.apart.apart", lambda look, *given: look(*given))  # a process more takes seconds
    assert cli.status(["models", "add", str(made), "--profile", str(tmp_path / "profile")]) == 0
    (kept,) = (found for found in found_in(tmp_path / "profile") if found.kind == "lora")
    assert kept.name == "out.safetensors" and lora_fact(kept).wears == "U-Net of 1 or 2"  # as F2 offers it
    assert max(tensor.shape[0] for name, tensor in load_file(out / "checkpoint" / "out.safetensors").items() if "lora_A" in name) == 2


def test_a_distilled_checkpoint_is_no_start(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is of the family sd-turbo.*can be taught to sd1, sd2"):
        Adapting(config(tmp_path, tiny_folder(tmp_path / "turbo", "sd-turbo")), None)

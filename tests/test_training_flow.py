"""A LoRA taught to a diffusion transformer: asked as its pipeline asks it, it learns, and the file is worn here and by diffusers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from engine.painter import PainterSpec, Words
from models.catalog import dressed, open_checkpoint
from models.prompted.checkpoint import PromptedCheckpoint
from models.reference.painter import ReferencePainter
from models.synthetic.shots import random_shot
from models.training import adapting
from models.training.adapting import Adapting, PairLooks, pair_batch
from models.training.config import TrainConfig, begun_with
from models.training.flow import FLOWS
from models.training.loop import train
from models.training.pool import crop_of
from models.training.state import load_state
from tests.test_loras import wears
from tests.test_painters import SIZE
from tests.test_references import painter_of, request
from tests.test_training import Kill, quiet, same, weights
from tests.test_training_lora import config, killed_at
from tests.tiny_families import folder_of

SIDE = 64


def lesson_of(checkpoints: Path, family: str, out: Path) -> Adapting:
    return Adapting(config(out, folder_of(checkpoints, family), style="tinted"), None)


@pytest.mark.parametrize("family", FLOWS)
def test_the_transformer_is_asked_as_its_pipeline_asks_it(checkpoints: Path, family: str) -> None:
    """Of one step of the stock pipeline: all that its transformer is called with."""
    painter = painter_of(folder_of(checkpoints, family), steps=1)
    painter.restore(np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8))
    flow = FLOWS[family](PromptedCheckpoint("x", painter.family, painter.pipeline, ""))
    heard: list[dict[str, Any]] = []
    names = ("x", "t", "cap_feats")

    def hear(module: Any, given: Any, named: dict[str, Any]) -> None:
        heard.append({**dict(zip(names, given, strict=False)), **named})

    hook = painter.pipeline.transformer.register_forward_pre_hook(hear, with_kwargs=True)
    try:
        painter.frame(request())
    finally:
        hook.remove()
        painter.pipeline.transformer.disable_gradient_checkpointing()
    call = painter.call(request(), (painter._frame.whole,))
    pictures = call["image"] if isinstance(call["image"], list) else [call["image"]]
    seen = [painter.pipeline.image_processor.preprocess(picture, SIZE[1], SIZE[0]) for picture in pictures]  # laid out alike: sums are rounded alike
    with torch.no_grad():
        shown = [flow.encoded(one) for one in seen] if painter.family.edits else []
        told, like = flow.words(call["prompt"]), flow.encoded(seen[0])
        level = 1 - heard[0]["t"] if "t" in heard[0] else heard[0]["timestep"].float()
        noisy = heard[0]["x"][0][None].squeeze(2) if "x" in heard[0] else flow.velocity(heard[0]["hidden_states"], like.shape)
        asked = flow.asked(noisy, level, shown, [told])
    for name, ours in asked.items():
        theirs = heard[0][name]
        for one, other in zip(ours if isinstance(ours, list) else [ours], theirs if isinstance(theirs, list) else [theirs], strict=False):
            assert (one is None and other is None) or torch.allclose(one.float(), other.float(), atol=1e-4), name


@pytest.mark.parametrize("family", ["kontext", "klein-base", "z-image-turbo"])
def test_it_learns_one_batch_by_heart(checkpoints: Path, tmp_path: Path, family: str) -> None:
    lesson = lesson_of(checkpoints, family, tmp_path)
    rng = np.random.default_rng(1)
    batch = pair_batch([crop_of(random_shot(rng), SIDE, rng) for _ in range(2)], rng)
    network = lesson.checkpoint.pipeline.transformer
    before = {name: tensor.clone() for name, tensor in network.state_dict().items() if "lora" not in name}
    optimiser = torch.optim.AdamW(lesson.networks.parameters(), lr=5e-2)
    losses = []
    for _ in range(12):
        loss = lesson.loss(lesson.networks, batch, 0.0, torch.Generator().manual_seed(3))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.95 * losses[0], losses[::3]
    after = network.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


def test_a_run_leaves_a_file_that_swaps_in_and_that_diffusers_wears(checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapting, "SCREENS", 1)
    folder = folder_of(checkpoints, "kontext")
    train(config(tmp_path / "wool", folder, style="of wool", updates=2, rate=0.1), quiet)
    path = tmp_path / "wool" / "checkpoint" / "wool.safetensors"
    assert path.is_file() and list((tmp_path / "wool").glob("sheet_*.png"))
    worn_as_diffusers_wears_it(folder, path)


def worn_as_diffusers_wears_it(folder: Path, path: Path) -> None:
    checkpoint = open_checkpoint(folder)
    assert isinstance(checkpoint, PromptedCheckpoint)
    spec = PainterSpec(str(folder), ((str(path), 1.0),), size=SIZE, seed=5, threads=1, device="cpu", steps=1)
    asked, name = request(words=Words("of wool")), path.stem
    plain = ReferencePainter(checkpoint, spec).frame(asked)
    wears((path, 1.0))(checkpoint.pipeline)
    expected = ReferencePainter(checkpoint, spec).frame(asked)
    checkpoint.pipeline.unload_lora_weights()
    painter = ReferencePainter(dressed(checkpoint, spec), spec)
    found = painter.frame(asked)
    assert (found - expected).abs().max() <= 1e-4 and (found - plain).abs().max() > 1e-3
    assert (painter.frame(replace(asked, weights=((name, 0.0),))) - plain).abs().max() <= 1e-4


@pytest.mark.parametrize("family", ["flux", "klein-base", "z-image-turbo"])
def test_a_run_that_was_killed_ends_in_the_very_weights_of_one_that_was_not(
    checkpoints: Path, tmp_path: Path, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of each kind of flow; what its noise is drawn from goes on where it was."""
    monkeypatch.setattr(PairLooks, "look", lambda self, twin, done: {"mean": 0.0})  # which takes longest, and is seen above
    folder = folder_of(checkpoints, family)
    whole, cut = (config(tmp_path / name / "mine", folder, style="of wool", updates=2, rate=0.1) for name in ("whole", "cut"))
    train(whole, quiet)
    with monkeypatch.context() as patch:
        killed_at(1, patch)
        with pytest.raises(Kill):
            train(cut, quiet)
    assert not same(weights(whole.out), weights(cut.out)) and load_state(cut.out, print)["position"]["done"] == 1
    torch.manual_seed(99)
    train(TrainConfig(cut.out, resume=True, **begun_with(cut.out)), quiet)
    assert same(weights(whole.out), weights(cut.out))
    first, second = (out / "checkpoint" / "mine.safetensors" for out in (whole.out, cut.out))
    assert same(load_file(first), load_file(second))
    worn_as_diffusers_wears_it(folder, first)

"""The end phase: in half of the crops the previous frame is the network's own, and nothing is learned through that."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from models.denoiser import Prediction
from models.training import lessons
from models.training.forcing import begun, own_previous
from models.training.loop import TrainConfig, train
from models.training.moments import moments
from models.training.networks import Networks
from models.training.objective import Batch, batch_of, corrupt
from models.training.pool import crop_of
from tests.checkpoints import tiny_networks
from tests.test_recordings import recording

COUNT, SIDE = 6, 32


@pytest.fixture(scope="module")
def shots() -> list[Any]:
    return moments(np.random.default_rng(3))


def batch(shots: list[Any], guide_dropped: float) -> Batch:
    rng = np.random.default_rng(0)
    return batch_of([crop_of(shots[i % len(shots)], SIDE, rng) for i in range(COUNT)], rng, guide_dropped)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def off_by(much: float) -> Any:
    """A network that paints everything, a little too light."""

    def paint(noisy: Tensor, previous: Tensor, given: Batch, level: Tensor) -> Prediction:
        empty = torch.zeros(())
        return Prediction(given.clean + much, torch.zeros_like(given.keep), [empty], empty, empty, empty, [])

    return paint


def test_half_of_the_crops_get_the_networks_own_errors(shots: list[Any]) -> None:
    given = batch(shots, guide_dropped=1.0)
    made = own_previous(off_by(0.25), given, seeded())
    other = (made.previous != given.previous).flatten(1).any(1)
    assert int(other.sum()) == COUNT // 2
    assert torch.equal(made.previous[~other], given.previous[~other])
    stays = given.keep.permute(0, 3, 1, 2).repeat(1, 3, 1, 1)[other]
    wrong = ((given.clean + 0.25).clamp(-1, 1) - given.clean)[other] * stays
    assert torch.allclose(made.previous[other], (given.previous[other] + wrong).clamp(-1, 1))
    for field in fields(Batch):
        if field.name != "previous":
            assert getattr(made, field.name) is getattr(given, field.name)
    again = own_previous(off_by(0.25), given, seeded())
    assert torch.equal(made.previous, again.previous)
    elsewhere = [own_previous(off_by(0.25), given, seeded(seed)).previous for seed in range(1, 6)]
    assert any(not torch.equal(made.previous, previous) for previous in elsewhere), "not always the same crops"


def test_where_there_is_a_guide_nothing_is_taken_from_the_frame_before(shots: list[Any]) -> None:
    given = batch(shots, guide_dropped=0.0)
    assert not given.previous.any() and given.guide.any()
    assert not corrupt(given, seeded())[1].any()
    assert own_previous(off_by(0.25), given, seeded()) is given


def test_the_answer_is_not_given_away_where_there_is_no_guide(shots: list[Any]) -> None:
    given = batch(shots, guide_dropped=1.0)
    made = own_previous(off_by(0.25), given, seeded())
    stays = given.keep.permute(0, 3, 1, 2).repeat(1, 3, 1, 1) == 1
    assert (~stays).any() and stays.any()
    assert torch.equal(made.previous[~stays], given.previous[~stays])
    assert not torch.equal(made.previous[stays], given.previous[stays])


def test_a_network_without_errors_changes_nothing(shots: list[Any]) -> None:
    given = batch(shots, guide_dropped=0.5)
    assert torch.equal(own_previous(off_by(0.0), given, seeded()).previous, given.previous)


def test_no_gradient_flows_through_the_first_pass(shots: list[Any]) -> None:
    networks = Networks(*tiny_networks()).requires_grad_(True)
    made = own_previous(networks, batch(shots, guide_dropped=0.5), seeded())
    assert not made.previous.requires_grad and made.previous.grad_fn is None
    assert all(parameter.grad is None for parameter in networks.parameters())


def test_a_single_crop_stays_as_it_is(shots: list[Any]) -> None:
    given = batch_of([crop_of(shots[0], SIDE, np.random.default_rng(0))], np.random.default_rng(0), 0.0)
    assert own_previous(off_by(0.25), given, seeded()) is given


def test_the_phase_is_the_last_part_of_the_schedule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not begun(0.79, 0.2) and begun(0.8, 0.2) and begun(0.0, 1.0) and not begun(1.0, 0.0)
    at: list[int] = []
    done = 0

    def note(networks: Any, given: Batch, generator: torch.Generator) -> Batch:
        at.append(done)
        return own_previous(networks, given, generator)

    score = lessons.loss_of

    def count(*arguments: Any) -> Tensor:
        nonlocal done
        done += 1
        return score(*arguments)

    monkeypatch.setattr(lessons, "own_previous", note)
    monkeypatch.setattr(lessons, "loss_of", count)
    monkeypatch.setattr(lessons, "networks_from", lambda init, blocks: Networks(*tiny_networks()))
    source = str(recording(tmp_path / "mine"))
    config = TrainConfig(tmp_path / "out", data=source, updates=10, crops=2, side=32, pool=10, threads=1, device="cpu", forced=0.3)
    train(config, lambda line: None)
    assert at == [7, 8, 9]

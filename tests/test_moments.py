"""What dreams are learned from: moments of real sessions, their crops, and how painting them is scored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from engine.context import EVENT_SIZE, RECENT_SIZE, look_of
from engine.events import Event
from models.datasets.episodes import episode
from models.datasets.source import open_source
from models.denoiser import PIXELS, Prediction, pixels_of
from models.synthetic.errands import Errands
from models.synthetic.gestures import Steps
from models.synthetic.sessions import User
from models.synthetic.shots import Crop, Shot, random_shot
from models.training.moments import moments
from models.training.objective import batch_of, corrupt, loss_of
from models.training.pool import ShotPool, crop_of
from tests.checkpoints import tiny_networks

SIDE = 64


@pytest.fixture(scope="module")
def shots() -> list[Shot]:
    return moments(np.random.default_rng(3))


def test_moments_follow_one_another_and_name_their_event(shots: list[Shot]) -> None:
    assert len(shots) >= 3 and all(shot.explained for shot in shots)
    for earlier, later in zip(shots, shots[1:], strict=False):
        assert (later.before == earlier.frame).all()
    for shot in shots:
        assert shot.changed.any() and shot.recent.shape == (RECENT_SIZE,)
        newest = shot.recent[:EVENT_SIZE]
        assert newest[:8].sum() == 1 or (newest[:8].sum() == 0 and newest[-10:].all()), "an event, or a tick"


def test_the_same_seed_gives_the_same_moments(shots: list[Shot]) -> None:
    again = moments(np.random.default_rng(3))
    assert [shot.frame.tobytes() for shot in again] == [shot.frame.tobytes() for shot in shots]


@pytest.mark.parametrize("session", [lambda seed: list(episode(seed, 0, (256, 192), 6)), lambda seed: moments(np.random.default_rng(seed))])
def test_sessions_have_goals_and_slips_between(session: Callable[[int], list[Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    deeds: list[str] = []
    errand, act = Errands.next, User.act

    def goal(self: Errands) -> Steps:
        deeds.append("goal")
        return errand(self)

    def slip(self: User) -> list[Event]:
        deeds.extend(["slip"] * (not self.styles))  # while the desktop is made ready, looks change too
        return act(self)

    monkeypatch.setattr(Errands, "next", goal)
    monkeypatch.setattr(User, "act", slip)
    for seed in range(4):
        session(seed)
    assert deeds.count("goal") > deeds.count("slip") > 0


def test_what_a_moment_covered_is_remembered(shots: list[Shot]) -> None:
    for earlier, later in zip(shots, shots[1:], strict=False):
        back = earlier.changed & later.known[0] & ~np.roll(later.known[0], 1)
        assert (later.memory[0][back] == earlier.before[back]).all()


def test_crops_of_moments_mostly_show_what_changed(shots: list[Shot]) -> None:
    rng = np.random.default_rng(0)
    crops = [crop_of(shots[0], SIDE, rng) for _ in range(60)]
    assert all(crop.take(shots[0].frame).shape == (SIDE, SIDE, 3) for crop in crops)
    assert sum(bool(crop.take(shots[0].changed).any()) for crop in crops) >= 36


def test_only_what_events_explain_is_learned_without_the_guide(shots: list[Shot]) -> None:
    rng = np.random.default_rng(0)
    screen = random_shot(rng)
    crops = [crop_of(shot, SIDE, rng) for shot in (shots[0], screen)]
    batch = batch_of(crops, rng, guide_dropped=1.0)
    assert not batch.guide[0].any() and batch.guide[1].any()
    assert batch.recent[0].any() and not batch.recent[1].any()
    assert batch.care[0].any() and not batch.care[1].any()
    assert batch_of(crops, rng, guide_dropped=0.0).guide[0].any()


def test_the_pool_renews_itself() -> None:
    made = []

    def make(rng: np.random.Generator) -> list[Shot]:
        made.append(random_shot(rng))
        return made[-1:]

    def crop(shot: Shot, rng: np.random.Generator) -> Crop:
        return crop_of(shot, SIDE, rng)

    pool = ShotPool(make, (1,), size=30, renew=5.0)
    for turn in range(4):
        assert len(pool.draw(turn, 2, crop)) == 2
    assert len(made) == 3 + 1, "three draws, and one more after ten shots' worth of turns"
    assert {id(crop.shot) for crop in pool.draw(3, 60, crop)} == {id(shot) for shot in made[1:]}


def bare(b: int, h: int, w: int) -> tuple[torch.Tensor, torch.Tensor]:
    """No wallpaper and no texture."""
    return torch.zeros(b, h, w, PIXELS, 3), torch.zeros(b, h, w, PIXELS, 1)


def test_a_pick_learns_though_its_share_is_next_to_nothing(shots: list[Shot]) -> None:
    rng = np.random.default_rng(0)
    batch = batch_of([crop_of(shots[0], SIDE, rng)], rng, guide_dropped=1.0)
    if not batch.matters.any():
        pytest.fail("the crop shows no change")
    b, h, w = 1, SIDE // 4, SIDE // 4
    wanted = pixels_of(batch.clean)[batch.matters][0]
    colours = torch.stack([wanted, 1 - wanted.round()])[None]
    pictures = [torch.full((b, h, w, PIXELS, 3), 5.0) for _ in range(4)]
    logits = torch.zeros(b, h, w, PIXELS, 6)
    logits[..., 1] = 40.0  # certain, and wrong
    logits.requires_grad_(True)
    share = torch.softmax(logits, -1)
    painted = (share[..., :2] @ colours.view(2, 3)).transpose(-1, -2).reshape(b, h, w, 3 * PIXELS).permute(0, 3, 1, 2)
    paints = F.pad(colours.view(1, 2, 3), (0, 4))
    loss_of(Prediction(painted, share[..., 3], [logits], paints, *bare(b, h, w), pictures), batch).backward()
    assert logits.grad is not None and logits.grad[batch.matters][0, 0] < -1e-7


def test_the_objective_falls_when_the_picture_is_right(shots: list[Shot]) -> None:
    rng = np.random.default_rng(0)
    batch = batch_of([crop_of(shot, SIDE, rng) for shot in shots[:3]], rng, guide_dropped=0.5)
    denoiser, encoder = tiny_networks()
    noisy, previous, level = corrupt(batch, torch.Generator().manual_seed(0))
    with torch.no_grad():
        steering = denoiser.steering(level, encoder(batch.slow, batch.recent))
        out = denoiser(noisy, previous, batch.guide, batch.maps, steering, batch.memory, batch.corners, batch.materials)
    right = replace(out, clean=batch.clean, kept=batch.keep)
    assert float(loss_of(right, batch)) < float(loss_of(out, batch))


def test_a_look_scores_as_an_update_does(shots: list[Shot]) -> None:
    """Without a gradient a CPU mixes pixels strip by strip; what was picked is scored of all of them."""
    rng = np.random.default_rng(0)
    batch = batch_of([crop_of(shots[i % 3], SIDE, rng) for i in range(12)], rng, guide_dropped=1.0)
    denoiser, encoder = tiny_networks()
    noisy, previous, level = corrupt(batch, torch.Generator().manual_seed(0))
    losses = []
    for graded in (True, False):
        with torch.set_grad_enabled(graded):
            steering = denoiser.steering(level, encoder(batch.slow, batch.recent))
            out = denoiser(noisy, previous, batch.guide, batch.maps, steering, batch.memory, batch.corners, batch.materials)
            losses.append(loss_of(out, batch).item())
    assert batch.matters.any() and len(out.strips) > 1 and losses[1] == pytest.approx(losses[0], rel=1e-5)


def test_the_synthetic_source_has_two_halves_with_names() -> None:
    rng = np.random.default_rng(4)
    assert not any(shot.explained for shot in open_source("screens")(rng))
    assert all(shot.explained for shot in open_source("moments")(rng))


def test_desktops_are_the_real_apps_screens_each_in_a_style_of_its_own() -> None:
    shots, again = (open_source("desktops")(np.random.default_rng(8)) for _ in range(2))
    assert [shot.frame.tobytes() for shot in shots] == [shot.frame.tobytes() for shot in again]
    assert len({look_of(shot.slow).tobytes() for shot in shots}) > len(shots) / 2
    assert len({shot.guide.tobytes() for shot in shots}) > len(shots) / 2
    for shot in shots:
        assert not shot.explained and shot.shaped.any() and shot.ink.any() and not shot.changed.any()
        assert shot.paints is not None and (shot.frame != shot.guide).any()

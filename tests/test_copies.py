"""Pictures on their way to a GPU and back, and the time of each stage, with the GPU's part played by stand-ins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from models.ferry import BUFFERS, Ferry
from models.stopwatch import CudaClock, Stopwatch
from tests.stand_in_gpu import LateRoad

CPU = torch.device("cpu")


def picture(seed: int, shape: tuple[int, ...] = (8, 16, 3)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


@pytest.fixture
def road(monkeypatch: pytest.MonkeyPatch) -> LateRoad:
    road = LateRoad()
    monkeypatch.setattr("models.ferry.road_for", lambda device: road)
    return road


def test_what_is_sent_arrives_though_nobody_waits_for_it(road: LateRoad) -> None:
    ferry, pictures = Ferry(CPU), [picture(seed) for seed in range(3 * BUFFERS)]
    given = [one.copy() for one in pictures]
    sent = []
    for one in given:
        sent.append(ferry.up(one))
        one.fill(0)  # it is the caller's again
    assert not (sent[-1].numpy() == pictures[-1]).all()  # under way still
    road.drain()
    assert all((there.numpy() == one).all() for there, one in zip(sent, pictures, strict=True))


def test_what_is_fetched_is_there_and_stays(road: LateRoad) -> None:
    ferry, there = Ferry(CPU), torch.from_numpy(picture(1))
    first = ferry.down(there)
    second = ferry.down(torch.from_numpy(picture(2)).permute(2, 0, 1))
    assert (first == picture(1)).all() and (second == picture(2).transpose(2, 0, 1)).all()


def test_buffers_are_kept(road: LateRoad) -> None:
    ferry = Ferry(CPU)
    for shape in [(64, 64, 3), (8, 8, 3), (64, 64), (32, 32, 3)] * 5:
        ferry.up(picture(0, shape))
        ferry.down(torch.from_numpy(picture(0, shape)))
    assert road.buffers <= 2 * BUFFERS + 1


def test_on_a_cpu_nothing_is_copied_that_need_not_be() -> None:
    ferry, one = Ferry(CPU), picture(3)
    assert ferry.up(one).data_ptr() == one.ctypes.data
    fixed = one.copy()
    fixed.setflags(write=False)
    assert (ferry.up(fixed).numpy() == one).all()
    back = ferry.down(torch.from_numpy(one))
    one[:] = 0
    assert back.any()


class Event:
    """A CUDA event whose time is that of a GPU which works two milliseconds behind every mark."""

    now, waited = 0.0, 0

    def __init__(self, enable_timing: bool = False) -> None:
        assert enable_timing
        self.at = 0.0

    def record(self, stream: Any) -> None:
        Event.now += 2.0
        self.at = Event.now

    def synchronize(self) -> None:
        Event.waited += 1

    def elapsed_time(self, other: Event) -> float:
        return other.at - self.at


def test_stages_are_timed_by_the_gpus_own_events(monkeypatch: pytest.MonkeyPatch) -> None:
    capturing = [False]
    for name, stand_in in (("Event", Event), ("current_stream", lambda device: None), ("is_current_stream_capturing", lambda: capturing[0])):
        monkeypatch.setattr(f"torch.cuda.{name}", stand_in)
    monkeypatch.setattr("models.stopwatch.clock_for", CudaClock)
    watch = Stopwatch(CPU)
    watch.begin()
    watch.stage("encode")
    watch.stage("denoise")
    capturing[0] = True
    watch.stage("decode")  # what is captured is not timed
    capturing[0] = False
    watch.stage("")
    watch.stage("encode")
    waited = Event.waited
    assert waited == 0
    assert watch.ms() == {"embed": 0.0, "encode": 4.0, "denoise": 2.0, "decode": 0.0} and Event.waited > 0
    watch.begin()
    assert not any(watch.ms().values())


def test_on_a_cpu_stages_are_timed_by_the_host() -> None:
    watch = Stopwatch(CPU)
    watch.begin()
    watch.stage("denoise")
    sum(range(100_000))
    watch.stage("")
    found = watch.ms()
    assert found["denoise"] > 0 and not found["encode"]

"""What is seen beside a measurement: of the card that computes, on a driver that the test plays, and of the processor."""

from __future__ import annotations

import os
import sys
from time import monotonic, sleep
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from benchmarks.watch import Watch


class Card:
    """One GPU. energy in millijoules, at each look one joule more."""

    def __init__(self, clock: int, reasons: int = 0) -> None:
        self.clock, self.reasons, self.energy = clock, reasons, 0

    def spent(self) -> int:
        self.energy += 1000
        return self.energy


class Driver(SimpleNamespace):
    """pynvml, of some cards by index and by UUID."""

    NVML_CLOCK_SM, NVML_TEMPERATURE_GPU = 1, 0

    def __init__(self, *cards: Card) -> None:
        self.cards = cards

    def nvmlInit(self) -> None:
        """It is there."""

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Card:
        return self.cards[index]

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> Card:
        return self.cards[int(uuid.removeprefix("GPU-"))]

    def nvmlDeviceGetTotalEnergyConsumption(self, card: Card) -> int:
        return card.spent()

    def nvmlDeviceGetClockInfo(self, card: Card, kind: int) -> int:
        return card.clock

    def nvmlDeviceGetTemperature(self, card: Card, kind: int) -> int:
        return card.clock // 100

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, card: Card) -> int:
        return card.reasons

    def nvmlDeviceGetComputeRunningProcesses(self, card: Card) -> list[Any]:
        return [SimpleNamespace(pid=1, usedGpuMemory=9e9), SimpleNamespace(pid=os.getpid(), usedGpuMemory=2e9)]


@pytest.mark.parametrize(
    ("device", "visible", "clock"),
    [("auto", None, 1000), ("cuda", None, 1000), ("cuda:1", None, 1100), ("cuda:1", "0,2", 1200), ("cuda", "GPU-1", 1100), ("auto", "2", 1200)],
)
def test_the_card_that_computes_is_the_one_that_is_watched(device: str, visible: str | None, clock: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", Driver(Card(1000), Card(1100), Card(1200)))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with Watch(device, os.getpid) as watch:
        """Nothing is measured."""
    assert watch.facts["gpu_clock_mhz"] == [clock, clock] and watch.facts["gpu_temperature_c"] == clock // 100
    assert watch.facts["energy_j"] == 1.0 and watch.facts["peak_vram_mb"] == 2000
    assert watch.facts["gpu_held_back"] is False and not any("GPU" in why for why in watch.disturbed)


@pytest.mark.parametrize(("reasons", "held_back"), [(0x1, False), (0x4, False), (0x8, True), (0x20, True), (0x40 | 0x1, True), (0x80, True)])
def test_a_card_that_is_too_hot_disturbs_and_one_that_is_idle_or_at_its_set_power_does_not(reasons: int, held_back: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", Driver(Card(1000, reasons)))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with Watch("auto") as watch:
        """Nothing is measured."""
    assert watch.facts["gpu_held_back"] is held_back
    assert any("GPU held its clock back" in why for why in watch.disturbed) is held_back


def test_what_is_measured_on_a_cpu_says_nothing_of_a_card_that_is_there_too(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks, read = [2400.0, 1800.0, 3000.0, 2000.0], list[float]()

    def clock() -> SimpleNamespace:
        read.append(clocks[min(len(read), 3)])
        return SimpleNamespace(current=read[-1])

    monkeypatch.setattr(psutil, "cpu_freq", clock)
    monkeypatch.setattr("benchmarks.watch.EVERY", 0.02)
    monkeypatch.setitem(sys.modules, "pynvml", Driver(Card(1000, 0x40)))
    until = monotonic() + 20
    with Watch("cpu") as watch:
        while len(read) < len(clocks) and monotonic() < until:
            sleep(0.01)
    assert not watch.disturbed or all("cores" in why for why in watch.disturbed)
    assert not [fact for fact in watch.facts if fact.startswith("gpu") or fact in ("energy_j", "peak_vram_mb")]
    assert watch.facts["cpu_mhz"] == [1800, 3000]
    assert watch.facts["peak_rss_mb"] > 50 and watch.facts["background_cores"] >= 0


def test_a_driver_that_does_not_tell_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", Driver())
    with Watch("auto") as watch:
        """Nothing is measured."""
    assert not [fact for fact in watch.facts if fact.startswith("gpu") or fact in ("energy_j", "peak_vram_mb")]

"""What else goes on while something is measured: memory, clocks, the GPU's heat, and other programs' work.

A sampling thread looks four times a second. What a driver does not tell is left out, never guessed.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import psutil

from models.card import card_of

EVERY = 0.25  # seconds
BUSY = 0.35  # cores that other programs may take before a run counts as disturbed
HELD_BACK = 0x8 | 0x20 | 0x40 | 0x80  # NVML's reasons for a lower clock: hardware, heat (twice), power brake


class Watch:
    """Use as a context manager around what is measured; `facts` afterwards."""

    def __init__(self, device: str, pid: Callable[[], int | None] = lambda: None) -> None:
        """device: that computes, as a spec names it; pid: of the painter's process, while there is one: for GPU memory."""
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="watch", daemon=True)
        self._gpu = _gpu(device)
        self._peaks: dict[str, float] = {}
        self._clocks: list[int] = []
        self._cpu_clocks: list[int] = []
        self._held_back = False
        self.facts: dict[str, Any] = {}

    def __enter__(self) -> Watch:
        self._cpu = _busy()
        self._energy = self._of_gpu(lambda nvml, gpu: nvml.nvmlDeviceGetTotalEnergyConsumption(gpu))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._look()
        others, seconds = (now - then for now, then in zip(_busy(), self._cpu, strict=True))
        energy = self._of_gpu(lambda nvml, gpu: nvml.nvmlDeviceGetTotalEnergyConsumption(gpu))
        facts = {
            "background_cores": round(max(others, 0.0) / max(seconds, 1e-6), 2),
            "cpu_mhz": _range(self._cpu_clocks),
            "gpu_clock_mhz": _range(self._clocks),
            "gpu_temperature_c": self._peaks.get("temperature"),
            "gpu_held_back": self._held_back if self._gpu else None,
            "energy_j": None if energy is None or self._energy is None else round((energy - self._energy) / 1e3, 1),
            "peak_rss_mb": round(self._peaks.get("rss", 0.0)),
            "peak_vram_mb": _rounded(self._peaks.get("vram")),
        }
        self.facts = {key: value for key, value in facts.items() if value is not None}

    @property
    def disturbed(self) -> list[str]:
        """Why what was measured is not this machine at its best, in words; empty where nothing was seen."""
        why = []
        if (cores := self.facts["background_cores"]) > BUSY:
            why.append(f"other programs took {cores:.1f} of {os.cpu_count()} cores")
        if self._held_back:
            why.append("the GPU held its clock back (heat or power)")
        return why

    def _sample(self) -> None:
        while not self._over.wait(EVERY):
            self._look()

    def _look(self) -> None:
        self._peak("rss", memory_mb())
        mhz = _told(lambda: round(psutil.cpu_freq().current))
        self._cpu_clocks += [mhz] if mhz is not None else []
        clock = self._of_gpu(lambda nvml, gpu: nvml.nvmlDeviceGetClockInfo(gpu, nvml.NVML_CLOCK_SM))
        self._clocks += [clock] if clock is not None else []
        self._peak("temperature", self._of_gpu(lambda nvml, gpu: nvml.nvmlDeviceGetTemperature(gpu, nvml.NVML_TEMPERATURE_GPU)))
        reasons = self._of_gpu(lambda nvml, gpu: nvml.nvmlDeviceGetCurrentClocksThrottleReasons(gpu))
        self._held_back |= bool((reasons or 0) & HELD_BACK)
        if self._gpu and (pid := self._pid()) is not None:
            users = self._of_gpu(lambda nvml, gpu: nvml.nvmlDeviceGetComputeRunningProcesses(gpu)) or []
            self._peak("vram", next((user.usedGpuMemory / 1e6 for user in users if user.pid == pid and user.usedGpuMemory), None))

    def _peak(self, name: str, value: float | None) -> None:
        if value is not None:
            self._peaks[name] = max(value, self._peaks.get(name, value))

    def _of_gpu(self, ask: Callable[[Any, Any], Any]) -> Any:
        """What the driver tells of the GPU, None where it does not."""
        if self._gpu is None:
            return None
        import pynvml

        return _told(lambda: ask(pynvml, self._gpu))


def memory_mb() -> float:
    """Resident memory of this process and its children now, in MB."""
    total = 0.0
    for process in _own():
        with suppress(psutil.Error):
            total += process.memory_info().rss / 1e6
    return total


def _own() -> list[psutil.Process]:
    me = psutil.Process()
    return [me, *me.children(recursive=True)]


def _busy() -> tuple[float, float]:
    """Seconds that cores were busy with other programs than ours since the start of the system; and seconds now."""
    from time import monotonic

    times, ours = psutil.cpu_times(), 0.0
    for process in _own():
        with suppress(psutil.Error):
            spent = process.cpu_times()
            ours += spent.user + spent.system
    whole = sum(getattr(times, kind, 0.0) for kind in ("user", "nice", "system", "irq", "softirq", "steal"))
    return whole - ours, monotonic()


def _gpu(device: str) -> Any:
    """The driver's handle of the GPU that computes, or None."""

    def open_it() -> Any:
        import pynvml

        return card_of(pynvml, device)

    return None if device == "cpu" else _told(open_it)


def _told(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except Exception:  # noqa: BLE001 - a driver or system that does not tell does so in many ways
        return None


def _rounded(value: float | None) -> int | None:
    return None if value is None else round(value)


def _range(values: Sequence[int]) -> list[int] | None:
    """The lowest and the highest."""
    return [min(values), max(values)] if values else None

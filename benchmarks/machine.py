"""What machine this is: for reports, and for `doctor`. Imports torch; call it from a process that may."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import Any

import psutil


def machine_facts() -> dict[str, Any]:
    """System, processor, memory, Python, torch and GPUs, as plain values."""
    import torch

    return {
        "system": f"{platform.system()} {platform.release()}",
        "cpu": processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cuda": torch.version.cuda,
        "cuda_usable": torch.cuda.is_available(),
        "gpus": gpus(),
    }


def processor() -> str:
    """The processor's name, as the system tells it."""
    if sys.platform.startswith("linux"):
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def gpus() -> list[dict[str, Any]]:
    """NVIDIA GPUs with driver and memory; empty where there are none, no driver, or a driver that does not tell."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        driver = _text(pynvml.nvmlSystemGetDriverVersion())
        return [_gpu(index, driver) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return []
    finally:
        pynvml.nvmlShutdown()


def _gpu(index: int, driver: str) -> dict[str, Any]:
    """One GPU; memory in GB, 0 where it has none of its own to tell of."""
    import pynvml

    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    try:
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
        whole, free = round(memory.total / 2**30, 1), round(memory.free / 2**30, 1)
    except pynvml.NVMLError:
        whole = free = 0.0
    return {"name": _text(pynvml.nvmlDeviceGetName(handle)), "driver": driver, "vram_gb": whole, "vram_free_gb": free}


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value

"""Where a painter computes: device, number format, threads, and whether memory there ran out."""

from __future__ import annotations

import gc
import os

import torch
from torch import nn

from engine.errors import CheckpointError
from models.eight_bits import INT8
from models.limits import REFUSED


def asked_threads() -> int:
    """As many as OMP_NUM_THREADS says, which torch goes by too; 0 where it says nothing."""
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(asked) if asked.isdecimal() else 0


def all_threads() -> int:
    """As many as were asked for; else all cores of a small machine, one fewer where the window can have one to itself; more than
    eight do not help."""
    cores = os.cpu_count() or 1
    return asked_threads() or (cores if cores <= 2 else min(cores - 1, 8))


def thread_counts() -> tuple[int, ...]:
    """Those that are worth a trial, the most first."""
    most = all_threads()
    return tuple(sorted({most, max(most // 2, 1), 1}, reverse=True))


def device_of(name: str) -> torch.device:
    """The device of an option's name; raises CheckpointError where it is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise CheckpointError(f"device {name!r} is not there: this torch build sees no CUDA GPU; use --device cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise CheckpointError(f"unknown device {name!r}; use auto, cpu, cuda or cuda:N") from error
    if device.index and device.type == "cuda" and device.index >= torch.cuda.device_count():
        raise CheckpointError(f"device {name!r} is not there: this torch build sees GPUs up to cuda:{torch.cuda.device_count() - 1}; use one of those")
    return device


def lay_out(network: nn.Module, order: torch.memory_format = torch.channels_last) -> None:
    """Lay the weights of convolutions over pictures out, as they are computed quickest; those over films have another layout."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.weight.data = layer.weight.data.contiguous(memory_format=order)


def name_of(device: torch.device) -> str:
    """What a device is called in reports: a GPU's name, or cpu."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def dtype_of(name: str, device: str) -> torch.dtype:
    """The number format of an option's name, for a device; raises CheckpointError for an unknown one."""
    if name == INT8:
        raise CheckpointError(f"--dtype {INT8} is for checkpoints of the bundled family; use auto, float32, float16 or bfloat16")
    known = {"auto": torch.float32, "float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
    if name not in known:
        raise CheckpointError(f"unknown dtype {name!r}; use {', '.join(known)}")
    if name == "auto" and device_of(device).type == "cuda":
        return torch.bfloat16
    return known[name]


def ran_out(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a GPU or beside it."""
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or any(words in str(error) for words in REFUSED)


def empty_caches() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def free_bytes(device: torch.device) -> int:
    """What nobody has of a device's memory, in bytes."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    import psutil

    return int(psutil.virtual_memory().available)

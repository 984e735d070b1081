"""What a card's memory holds: from torch in the painter's process, from NVIDIA's driver in any other. Imports torch only where
it is asked for by `own_card`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from engine.card import Reading

if TYPE_CHECKING:
    import torch


def own_card(device: torch.device) -> Reading | None:
    """Of the process that paints: what its card has, and what it has of it; None on a CPU."""
    if device.type != "cuda":
        return None
    import torch

    free, total = torch.cuda.mem_get_info(device)
    return Reading(int(free), int(total), int(torch.cuda.memory_reserved(device)))


class DriverMeter:
    """The memory of the card that `device` ("auto", "cuda", "cuda:N") means, whoever has it; None where no driver tells.

    Needs nvidia-ml-py and NVIDIA's driver; a process needs no CUDA of its own for it.
    """

    def __init__(self, device: str) -> None:
        self._card = None if device == "cpu" else _told(lambda nvml: card_of(nvml, device))

    def __call__(self) -> Reading | None:
        if self._card is None:
            return None
        memory = _told(lambda nvml: nvml.nvmlDeviceGetMemoryInfo(self._card))
        return None if memory is None else Reading(int(memory.free), int(memory.total))


def card_of(nvml: Any, device: str) -> Any:
    """The driver's handle of the card that a device of torch's is. Raises what pynvml raises."""
    nvml.nvmlInit()
    name = driver_name(device, os.environ.get("CUDA_VISIBLE_DEVICES"))
    return nvml.nvmlDeviceGetHandleByIndex(int(name)) if name.isdecimal() else nvml.nvmlDeviceGetHandleByUUID(name)


def driver_name(device: str, visible: str | None) -> str:
    """What the driver calls a device of torch's: its index or its UUID. visible: CUDA_VISIBLE_DEVICES, which renumbers them."""
    number = int(device.partition(":")[2] or 0)
    listed = [name.strip() for name in (visible or "").split(",") if name.strip()]
    return listed[number] if number < len(listed) else str(number)


def _told(ask: Any) -> Any:
    try:
        import pynvml

        return ask(pynvml)
    except Exception:  # noqa: BLE001 - a driver that does not tell does so in many ways
        return None

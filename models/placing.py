"""Puts a checkpoint's networks where its memory plan says, and by a thriftier one where memory runs out meanwhile."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from typing import Any

import torch
from accelerate import cpu_offload_with_hook
from torch import nn

from engine.painter import PainterSpec
from models.devices import device_of, lay_out
from models.limits import REFUSED
from models.memory_plan import MemoryPlan, plans, room

GROUP = {"offload_type": "block_level", "num_blocks_per_group": 1}
ENCODERS = ("text_encoder", "text_encoder_2", "text_encoder_3")


class Placement:
    """Of a pipeline's networks. plan: as they lie now; every call of `down` is one step towards less memory."""

    def __init__(self, pipeline: Any, parts: Mapping[str, nn.Module], family: str, spec: PainterSpec) -> None:
        self.device = device_of(spec.device)
        self._pipeline, self._parts = pipeline, parts
        numbers = {name: sum(parameter.numel() for parameter in part.parameters()) for name, part in parts.items()}
        ladder = plans(numbers, spec.size, room(free_bytes(self.device), spec.vram_budget), self.device.type, family, spec.dtype)
        fitting = next((i for i, one in enumerate(ladder) if one.fits), len(ladder) - 1)
        self._ladder = ladder[fitting:]
        self.plan = self._ladder.pop(0)
        self.dtype: torch.dtype = getattr(torch, self.plan.dtype)
        self._coming: list[Any] = []  # hooks of text encoders, which bring these to the device when they are called
        self._put()

    def tile(self) -> bool:
        """`down`, where that leaves the weights on the device."""
        return bool(self._ladder) and self._ladder[0].offload == "none" and self.down()

    def let_encoders_come(self) -> None:
        """From now on text encoders are on a GPU only from when they are called until `rest`. Where the plan offloads networks
        they come and go by its own hooks, and on a CPU there is nowhere to go."""
        if self.device.type == "cuda" and self.plan.offload == "none":
            encoders = [part for name, part in self._parts.items() if name in ENCODERS]
            whole = [part for part in encoders if all(weight.is_floating_point() for weight in part.parameters())]  # packed ones stay
            self._coming = [cpu_offload_with_hook(part, self.device)[1] for part in whole]

    def rest(self) -> None:
        """Text encoders leave the GPU: what they gave is kept."""
        for hook in self._coming:
            if next(hook.model.parameters()).device.type != "cpu":
                hook.offload()

    def down(self) -> bool:
        """Place everything by the next thriftier plan; False where there is none."""
        if not self._ladder:
            return False
        self.plan = self._ladder.pop(0)
        self._put()
        return True

    def _put(self) -> None:
        """By the plan, or by the first after it that does not run out of memory meanwhile."""
        while True:
            try:
                self._coming = [] if self.plan.offload != "none" else self._coming  # such a plan takes every hook off
                place(self._pipeline, self._parts, self.plan, self.device, self.dtype)
                return
            except RuntimeError as error:
                if not ran_out(error) or not self._ladder:
                    raise
                empty_caches()
                self.plan = self._ladder.pop(0)


def place(pipeline: Any, parts: Mapping[str, nn.Module], plan: MemoryPlan, device: torch.device, dtype: torch.dtype) -> None:
    """As the plan says, through diffusers' own switches. What was placed before by another plan is taken back first."""
    if plan.sliced:
        if hasattr(pipeline, "enable_attention_slicing"):
            pipeline.enable_attention_slicing()
        vae = getattr(pipeline, "vae", None)
        for switch in ("enable_slicing", "enable_tiling"):
            if hasattr(vae, switch):
                getattr(vae, switch)()
    if plan.offload == "none":
        for name, part in parts.items():
            nn.Module.to(part, device, dtype)  # the libraries' own `to` prints warnings about nothing
            if device.type == "cuda" or name == "vae":  # on a CPU it halves an autoencoder's time, and a U-Net's not at all
                lay_out(part)
        return
    if hasattr(pipeline, "remove_all_hooks"):
        pipeline.remove_all_hooks()
    for part in parts.values():
        nn.Module.to(part, "cpu", dtype)
    if plan.offload == "model":
        pipeline.enable_model_cpu_offload(device=device)
    elif plan.offload == "group":
        pipeline.enable_group_offload(onload_device=device, offload_device=torch.device("cpu"), **GROUP)
    else:
        pipeline.enable_sequential_cpu_offload(device=device)


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

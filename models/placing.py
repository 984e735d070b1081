"""Puts a checkpoint's networks where and how its memory plan says, and by a thriftier one where memory runs out meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from accelerate import cpu_offload_with_hook
from diffusers.models.attention_processor import Attention
from torch import nn

from engine.painter import PainterSpec
from models.bits import linear_numbers, pack
from models.compiling import Compiled, Region, compile_regions
from models.converting import regions_of
from models.devices import device_of, empty_caches, free_bytes, lay_out, ran_out
from models.fusing import Fused, fused_for
from models.memory_plan import MemoryPlan, plans, room

GROUP = {"offload_type": "block_level", "num_blocks_per_group": 1}
UNSWITCHED = {  # autoencoders, and what is not asked of them
    "AutoencoderTiny": ("enable_tiling",),  # takes little, and its tiles come back in float32, of four channels
    "VQModel": ("enable_slicing", "enable_tiling"),  # has none
}
ENCODERS = ("text_encoder", "text_encoder_2", "text_encoder_3")


class Placement:
    """Of a pipeline's networks. plan: as they lie now; every call of `down` is one step towards less memory; fused: what of them is
    computed in fewer launches."""

    def __init__(self, pipeline: Any, parts: Mapping[str, nn.Module], family: str, spec: PainterSpec) -> None:
        self.device = device_of(spec.device)
        self._pipeline, self._parts, self._spec, self.fused = pipeline, parts, spec, Fused((), None)
        self._regions: list[Region] = []
        numbers = {name: sum(parameter.numel() for parameter in part.parameters()) for name, part in parts.items()}
        linear = {name: linear_numbers(part) for name, part in parts.items()}
        ladder = plans(numbers, spec.size, room(free_bytes(self.device), spec.vram_budget), self.device.type, family, spec.dtype, linear)
        fitting = next((i for i, one in enumerate(ladder) if one.fits), len(ladder) - 1)
        self._ladder = ladder[fitting:]
        self._next()
        self.dtype: torch.dtype = getattr(torch, self.plan.dtype)
        self._coming: list[Any] = []  # hooks of text encoders, which bring these to the device when they are called
        self._put()

    def compiled(self, trial: Callable[[], object], steady: bool) -> Compiled:
        """Compile what there is to compile, see `compile_regions`, until the networks are placed anew. steady: whether their weights stay as they are."""
        self._regions = regions_of(self._pipeline, steady and self.device.type == "cpu" and self.plan.offload == "none")
        compiled = compile_regions(self._regions, trial)
        if not compiled.compiler:
            self._regions = []
        return compiled

    @property
    def compiler(self) -> str:
        """What computes the networks, or is tried at it; "" for torch as it is."""
        return self._regions[0].compiler if self._regions else ""

    def as_they_were(self) -> None:
        """The networks' layers are computed as the library has it."""
        self.fused.undo()
        for region in self._regions:
            region.as_it_was()

    def tile(self) -> bool:
        """`down`, where that leaves the weights on the device, as exact as they are."""
        return bool(self._ladder) and (self._ladder[0].offload, self._ladder[0].packed) == ("none", self.plan.packed) and self.down()

    def pack(self) -> bool:
        """`down`, where that puts weights into four bits."""
        return bool(self._ladder) and self._ladder[0].packed != self.plan.packed and self.down()

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
        self._next()
        self._put()
        return True

    def _next(self) -> None:
        """Take the next plan. What was packed is not made whole again: plans after it that would need it so are left out."""
        self.plan = self._ladder.pop(0)
        self._ladder = [one for one in self._ladder if one.packed or not self.plan.packed]

    def _put(self) -> None:
        """By the plan, or by the first after it that does not run out of memory meanwhile."""
        while True:
            try:
                self._coming = [] if self.plan.offload != "none" else self._coming  # such a plan takes every hook off
                self.as_they_were()
                place(self._pipeline, self._parts, self.plan, self.device, self.dtype)
                if self.plan.offload == "none":  # else hooks are where a layer's own way would be
                    self.fused = fused_for(self._parts.values(), self.device, self.dtype, self._spec)
                return
            except RuntimeError as error:
                if not ran_out(error) or not self._ladder:
                    raise
                empty_caches()
                self._next()


def place(pipeline: Any, parts: Mapping[str, nn.Module], plan: MemoryPlan, device: torch.device, dtype: torch.dtype) -> None:
    """As the plan says, through diffusers' own switches. What was placed before by another plan is taken back first."""
    if plan.sliced:
        if hasattr(pipeline, "enable_attention_slicing") and not any(map(_shares_keys, parts.values())):
            pipeline.enable_attention_slicing()
        vae = getattr(pipeline, "vae", None)
        for switch in ("enable_slicing", "enable_tiling"):
            if hasattr(vae, switch) and switch not in UNSWITCHED.get(type(vae).__name__, ()):
                getattr(vae, switch)()
    if plan.offload != "none":
        if hasattr(pipeline, "remove_all_hooks"):
            pipeline.remove_all_hooks()
        for part in parts.values():
            nn.Module.to(part, "cpu", dtype)
    for name in plan.packed:
        pack(parts[name], device, dtype)
        if plan.offload != "none":
            nn.Module.to(parts[name], "cpu")
    if plan.offload == "none":
        for name, part in parts.items():
            nn.Module.to(part, device, dtype)  # the libraries' own `to` prints warnings about nothing
            if device.type == "cuda":
                lay_out(part)
            elif name in ("vae", "movq") and isinstance(decoder := getattr(part, "decoder", None), nn.Module):
                lay_out(decoder)  # in half the time; what comes before the denoiser stays as it is: that would make more of the last bits
    elif plan.offload == "model":
        pipeline.enable_model_cpu_offload(device=device)
    elif plan.offload == "group":
        whole = [name for name, part in parts.items() if not getattr(part, "_supports_group_offloading", True)]
        pipeline.enable_group_offload(onload_device=device, offload_device=torch.device("cpu"), **GROUP, **({"exclude_modules": whole} if whole else {}))
    else:
        pipeline.enable_sequential_cpu_offload(device=device)


def _shares_keys(network: nn.Module) -> bool:
    """Whether several heads of its attention have the same keys, which the library's way to go head by head cannot do."""
    return any(layer.inner_kv_dim != layer.inner_dim for layer in network.modules() if isinstance(layer, Attention))

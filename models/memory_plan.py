"""How a checkpoint is to lie in the memory there is: number format, slices and tiles, four bits, what waits in the main memory.

A plan is a pure function of sizes that headers tell and of what is free; torch is not needed to make one. What a stage takes
beside the weights is estimated by numbers a pixel: about what Stable Diffusion takes, not yet measured on a GPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from models.families import FAMILIES

GB = 1e9
RESERVE, RESERVE_SHARE = 0.7 * GB, 0.08  # of what is free that is left alone: a desktop and a driver need some
WIDTH = {"float32": 4, "float16": 2, "bfloat16": 2, "int8": 4}  # bytes; for int8 they are read and kept in float32
DENOISE, DECODE = 1100, 2300  # numbers a pixel that the denoiser and the autoencoder hold at once
SLICED = 0.6  # of it, where attention is computed head by head
TILE = 512 * 512  # pixels that the autoencoder sees at once where it tiles
BLOCKS = 16  # a group of layers is about so large a part of its network
LAYERS = 100  # and one layer so large
LARGE = 1e9  # numbers: smaller networks have little to give, and are left as exact as they are
FOUR_BITS = 4.5 / 8  # bytes a number: with a scale in float32 for every 64
PACKED = ("transformer", "text_encoder")  # a U-Net is mostly convolutions, an autoencoder small, and both show what is lost
CODERS = ("vae", "movq", "tokenizer", "scheduler")
OWN = ("denoiser", "context_encoder", "dreamer")  # the bundled family's
OWN_PIXEL = 160  # numbers a pixel of the bundled family: 120 MB for 512x384, measured in float32
OLD_HALF = frozenset(row.name for row in FAMILIES if not row.references)

Offload = Literal["none", "model", "group", "sequential"]


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """dtype: of the weights; sliced: attention head by head, and the autoencoder tile by tile; offload: what of the weights
    waits in the main memory; needs: bytes of the device's memory at most; fits: whether that is free; packed: the networks
    whose linear layers lie in four bits."""

    dtype: str
    sliced: bool
    offload: Offload
    needs: int
    fits: bool
    packed: tuple[str, ...] = ()

    def __str__(self) -> str:
        waits = {"none": "", "model": "one network at a time", "group": "one group of layers at a time", "sequential": "one layer at a time"}
        parts = [self.dtype, "large networks in four bits" if self.packed else "", "in slices and tiles" if self.sliced else "", waits[self.offload]]
        return ", ".join(part for part in parts if part) + f": {self.needs / GB:.1f} GB at most"


def dtype_for(family: str, device: str, wished: str = "auto") -> str:
    """The number format to load in. device: "cpu", "cuda", "cuda:1".

    On a GPU the older networks were made for float16, diffusion transformers for bfloat16 (float16 overflows in them); a CPU
    computes in float32, and in half precision only where it is told to.
    """
    if wished != "auto":
        return wished
    if not device.startswith("cuda"):
        return "float32"
    return "float16" if family in OLD_HALF else "bfloat16"


def room(free: int, budget: float | None = None) -> int:
    """Bytes that may be taken. free: what nobody has; budget: GB that the user allows, None for all but a reserve."""
    if budget is not None:
        return max(min(round(budget * GB), free), 0)
    return max(round(free - max(RESERVE, RESERVE_SHARE * free)), 0)


def plan(
    parts: Mapping[str, int], size: tuple[int, int], free: int, device: str, family: str = "", dtype: str = "auto",
    budget: float | None = None, linear: Mapping[str, int] = MappingProxyType({}),
) -> MemoryPlan:  # fmt: skip
    """The quickest way to paint that fits; the thriftiest where none does.

    parts: numbers of each network, by its name; size: of the frame; free: bytes on the device that nobody has; device: "cpu"
    or "cuda"; dtype: "auto" or a wish; budget: GB; linear: how many of a network's numbers could be packed into four bits, by
    its name.
    """
    every = plans(parts, size, room(free, budget), device, family, dtype, linear)
    return next((one for one in every if one.fits), every[-1])


def plans(
    parts: Mapping[str, int], size: tuple[int, int], most: int, device: str, family: str = "", dtype: str = "auto",
    linear: Mapping[str, int] = MappingProxyType({}),
) -> list[MemoryPlan]:  # fmt: skip
    """Every way there is, the quickest first. most: bytes that may be taken; the rest as of `plan`.

    Four bits come before anything waits in the main memory: they cost a little exactness once, and unpacking takes a part of
    every step, while a network of gigabytes that comes and goes is copied for every frame, which no session can wait for. Whoever
    wants it exact says so: a wish for a number format is kept to.
    """
    chosen = dtype_for(family, device, dtype)
    gpu = device.startswith("cuda")
    packed = tuple(name for name in linear if name.startswith(PACKED) and linear[name] and parts[name] >= LARGE) if gpu and dtype == "auto" else ()
    steps: list[tuple[bool, Offload, tuple[str, ...]]] = [(False, "none", ()), (True, "none", ())]
    if packed:
        steps.append((True, "none", packed))
    if gpu:  # on a CPU there is no other memory for what is not needed at the moment
        steps.append((True, "model", ()))
        if packed:
            steps.append((True, "model", packed))
        # What diffusers moves by groups or layers it takes apart, and weights of four bits are no good apart from their scales.
        steps += [(True, "group", ()), (True, "sequential", ())]
    if set(parts) <= set(OWN):
        steps = steps[:1]  # so small that it has no other way
    every: list[MemoryPlan] = []
    for sliced, offload, names in steps:
        held = {name: _bytes(count, linear[name] if name in names else 0, WIDTH[chosen]) for name, count in parts.items()}
        needs = max((_stage(held, part, size, WIDTH[chosen], sliced, offload) for part in parts), default=0)
        if not every or needs <= every[-1].needs:  # what is slower and needs more is no way
            every.append(MemoryPlan(chosen, sliced, offload, needs, needs <= most, names))
    return every


def _bytes(numbers: int, packed: int, width: int) -> int:
    """Of a network of so many numbers, so many of which are packed into four bits."""
    return round(packed * FOUR_BITS) + (numbers - packed) * width


def _stage(held: Mapping[str, int], at_work: str, size: tuple[int, int], width: int, sliced: bool, offload: Offload) -> int:
    """Bytes while one network is at work. held: bytes of each."""
    pixels, own = size[0] * size[1], held[at_work]
    if at_work in OWN:
        taken = pixels * OWN_PIXEL
    elif at_work in CODERS:
        taken = min(pixels, TILE) * DECODE if sliced else pixels * DECODE
    elif at_work.startswith(("unet", "transformer", "controlnet")):
        taken = round(pixels * DENOISE * (SLICED if sliced else 1))
    else:
        taken = 0  # text encoders read a few hundred words
    weights = {"none": sum(held.values()), "model": own, "group": 2 * own // BLOCKS, "sequential": own // LAYERS}[offload]
    return weights + taken * width

"""Convolutions in eight bits, for CPUs that multiply bytes (VNNI): with AVX-512 three to four times as fast as in float32; with AVX
alone, as desktop processors have it, nobody measured it yet. Without, pairs of products overflow unless inputs have seven bits, and then
it is 1.1 to 1.5 times as fast (an EPYC with AVX2): not worth what they lose.

Weights have one scale an output channel, inputs one fixed range a layer, measured beforehand on what the network is for
and kept in its settings (after Jacob et al., 2018, arXiv:1712.05877). What is between convolutions stays float32. Sums
of bytes are exact and the ranges never change, so a crop gives what the whole frame would, whatever the threads.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from reprlib import repr as short
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from engine.errors import CheckpointError

INT8 = "int8"  # the name of the number format
LEVELS = 255
RARE = 10_000  # one input in so many may lie above its range, and one below: finer steps are worth more
WIDEST = 1e4  # of a range that is believed
IN_FULL = ("stem", "pen_", "memory_", "shadow_", "head")  # layers that see pixels or codes, or pick: little to gain, and the finest to lose
Network = TypeVar("Network", bound=nn.Module)
Ranges = dict[str, tuple[float, float]]  # by the name of a layer, the least and the greatest of its inputs


def chosen(name: str, device: torch.device, networks: Sequence[nn.Module]) -> bool:
    """Whether networks paint in eight bits, for the name of a number format: where it is asked for by name, and where nothing
    is asked, the machine is good at it, and all their ranges are known. Raises CheckpointError where it cannot be."""
    ready = all(getattr(network, "input_ranges", None) for network in networks)
    if name == INT8 and (device.type != "cpu" or not supported()):
        raise CheckpointError(f"--dtype {INT8} needs a CPU that multiplies bytes (VNNI); use --dtype auto")
    if name == INT8 and not ready:
        raise CheckpointError(f"--dtype {INT8}: this checkpoint tells no input_ranges; use --dtype float32, or train it a little on")
    return name == INT8 or (name == "auto" and device.type == "cpu" and ready and supported())


@lru_cache(maxsize=1)
def supported() -> bool:
    """Whether this machine and this build of torch multiply bytes exactly and fast. Older CPUs add pairs of products in 16
    bits, which overflow."""
    told: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    vnni = getattr(torch.cpu, "_is_vnni_supported", bool)() or told.get("avx_vnni") or told.get("avx512_vnni")
    return bool(vnni) and hasattr(torch.ops.onednn, "qconv2d_pointwise") and _adds_exactly()


@torch.inference_mode()
def _adds_exactly() -> bool:
    """Whether the greatest products there are add up."""
    layer = nn.Conv2d(64, 64, 3, bias=False)
    nn.init.ones_(layer.weight)
    most = torch.ones(1, 64, 3, 3).contiguous(memory_format=torch.channels_last)
    return bool(torch.allclose(Conv8(layer, 0.0, 1.0)(most), layer(most)))


@contextmanager
def measured(network: nn.Module) -> Iterator[Ranges]:
    """The ranges of what its convolutions are given while the block runs, the rarest left out."""
    ranges: Ranges = {}

    def watch(name: str) -> Any:
        def look(_: nn.Module, given: tuple[Tensor]) -> None:
            flat, rare = given[0].detach().float().flatten(), max(given[0].numel() // RARE, 1)
            low, high = float(flat.kthvalue(rare).values), float(flat.kthvalue(len(flat) + 1 - rare).values)
            known = ranges.get(name, (0.0, 0.0))
            ranges[name] = min(low, known[0]), max(high, known[1])

        return look

    hooks = [layer.register_forward_pre_hook(watch(name)) for name, layer in _layers(network).items()]
    try:
        yield ranges
    finally:
        for hook in hooks:
            hook.remove()


def measurable(networks: nn.Module) -> list[nn.Module]:
    """The parts of `networks` that can paint in eight bits."""
    return [part for part in networks.children() if hasattr(part, "input_ranges")]


@contextmanager
def kept_ranges(networks: nn.Module) -> Iterator[None]:
    """Measure the parts of `networks` that can paint in eight bits while the block runs; each keeps its ranges."""
    with ExitStack() as stack:
        parts = measurable(networks)
        found = [stack.enter_context(measured(part)) for part in parts]
        yield
    for part, ranges in zip(parts, found, strict=True):
        part.input_ranges = ranges  # type: ignore[assignment]


def checked_ranges(found: Any, network: nn.Module, where: str) -> Ranges:
    """Ranges out of a checkpoint's settings: of layers that the network has, finite, around zero. Raises CheckpointError."""
    layers = {name for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d)}
    if not isinstance(found, Mapping):
        raise CheckpointError(f"{where}: input_ranges is {short(found)}; wanted two numbers a layer")
    for name, span in found.items():
        if name not in layers:
            raise CheckpointError(f"{where}: input_ranges names a layer that is not there, {short(name)}; get a clean copy")
        numbers = isinstance(span, list) and len(span) == 2 and all(type(x) in (int, float) for x in span)
        if not numbers or not all(math.isfinite(x) and abs(x) <= WIDEST for x in span) or not span[0] <= 0 <= span[1]:
            raise CheckpointError(f"{where}: input_ranges of {name} is {short(span)}; wanted two numbers around zero")
    return {name: (float(low), float(high)) for name, (low, high) in found.items() if not name.startswith(IN_FULL)}


def in_eight_bits(network: Network) -> Network:
    """A copy with eight-bit convolutions in the place of those whose `input_ranges` are known."""
    twin = copy.deepcopy(network)
    ranges: Ranges = getattr(twin, "input_ranges", None) or {}
    for name, layer in _layers(twin).items():
        if name in ranges:
            around, _, own = name.rpartition(".")
            setattr(twin.get_submodule(around), own, Conv8(layer, *ranges[name]))
    return twin


class Conv8(nn.Module):
    """A convolution in eight bits: float32 (B, C, h, w), channels last, in and out. low, high: what its inputs lie in, around
    zero; what lies outside is clipped."""

    def __init__(self, layer: nn.Conv2d, low: float, high: float) -> None:
        super().__init__()
        weight = layer.weight.detach().contiguous(memory_format=torch.channels_last)
        scales = weight.abs().amax((1, 2, 3)).clamp_min(1e-8) / 127
        bytes_ = (weight / scales.view(-1, 1, 1, 1)).round().to(torch.int8)
        self._step = max(high - low, 1e-6) / LEVELS
        self._zero = round(-low / self._step)
        self._half = torch.tensor(self._zero + 0.5)  # bytes are cut off, not rounded
        self._form = list(layer.stride), list(layer.padding), list(layer.dilation), layer.groups
        self._scales, self._zeros = scales, torch.zeros(len(scales), dtype=torch.int32)
        self._bias = None if layer.bias is None else layer.bias.detach()
        self._weight = torch.ops.onednn.qconv_prepack(bytes_, scales, self._step, self._zero, *self._form, None)

    def forward(self, x: Tensor) -> Tensor:
        given = torch.add(self._half, x, alpha=1 / self._step).clamp_(0, LEVELS).to(torch.uint8)
        return torch.ops.onednn.qconv2d_pointwise(  # type: ignore[no-any-return]
            given, self._step, self._zero, self._weight, self._scales, self._zeros, self._bias, *self._form,
            1.0, 0, torch.float32, "none", [], None,
        )  # fmt: skip


def _layers(network: nn.Module) -> dict[str, nn.Conv2d]:
    return {name: layer for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d) and not name.startswith(IN_FULL)}

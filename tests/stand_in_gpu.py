"""CUDA's part played on the CPU: graphs that replay on fixed buffers and destroy what a shared pool would, and copies that have
not happened before they are waited for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from models.graphs import WARM_UPS, Inputs, Static, cloned

aten = torch.ops.aten
# What waits for the device, has a shape that depends on numbers, or brings numbers up from the host: none can be captured.
UNFIT = {
    aten.nonzero.default, aten._local_scalar_dense.default, aten.masked_select.default, aten.lift_fresh.default,
    aten._unique2.default, aten.equal.default,
}  # fmt: skip


class UnfitForCapture(RuntimeError):
    """As torch raises where something is launched that no graph can hold."""


class Capturing(TorchDispatchMode):
    """Refuses what CUDA would, as far as a CPU can know."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        masks = [one for one in args[1] if one is not None and one.dtype == torch.bool] if str(function).startswith(("aten.index.", "aten.index_put")) else []
        if function in UNFIT or masks:
            raise UnfitForCapture(f"operation not permitted when stream is capturing: {function}")
        with self:  # what an operation is made of counts, too
            found = function.decompose(*args, **(kwargs or {}))
        return function(*args, **(kwargs or {})) if found is NotImplemented else found


class FakeRecorder:
    """Keeps the callable and calls it again on the same buffers. fails: raises at that capture, counted from one."""

    def __init__(self, fails: int = 0, why: Exception | None = None) -> None:
        self.recorded = self.replays = 0
        self._fails, self._why = fails, why
        self._outputs: list[Tensor] = []

    def record(self, function: Static, inputs: Inputs) -> tuple[Callable[[], None], Any]:
        self.recorded += 1
        if self.recorded == self._fails:
            raise self._why or torch.OutOfMemoryError("CUDA out of memory, injected")
        for _ in range(WARM_UPS):
            function(*inputs)
        with Capturing():
            output = cloned(function(*inputs))
        self._outputs += parts_of(output)

        def replay() -> None:
            self.replays += 1
            for other in self._outputs:  # of the same pool: the graph's own work may lie there
                other.fill_(0x55 if other.dtype == torch.uint8 else 1e4)
            for held, found in zip(parts_of(output), parts_of(function(*inputs)), strict=True):
                held.copy_(found)

        return replay, output


def parts_of(result: Any) -> tuple[Tensor, ...]:
    return result if isinstance(result, tuple) else (result,)


class LateCopy:
    """A copy that happens when it is waited for."""

    def __init__(self, target: Tensor, source: Tensor) -> None:
        self._ends: tuple[Tensor, Tensor] | None = (target, source)

    def synchronize(self) -> None:
        if self._ends is not None:
            target, source = self._ends
            target.copy_(source)
            self._ends = None


class LateRoad:
    def __init__(self) -> None:
        self.buffers = 0
        self.under_way: list[LateCopy] = []

    def buffer(self, size: int) -> Tensor:
        self.buffers += 1
        return torch.empty(size, dtype=torch.uint8)

    def copy(self, target: Tensor, source: Tensor) -> LateCopy:
        self.under_way.append(LateCopy(target, source))
        return self.under_way[-1]

    def drain(self) -> None:
        """The device has come to the end of its work."""
        for copy in self.under_way:
            copy.synchronize()
        self.under_way.clear()

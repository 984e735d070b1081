"""Compiling by region. With torch.compile the blocks that a network is made of again and again are compiled, not the network whole, which
takes far longer; and on a GPU the bundled family's crop, which is small. On a CPU OpenVINO takes whole networks, see
`models.converting`. What it costs is told, and where it does not work, why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, Protocol, TypeVar

import torch

from engine.painter import TORCH_COMPILE, PainterInfo

Backend = str | Callable[..., Any]
Function = TypeVar("Function", bound=Callable[..., Any])
BACKEND: Backend = "inductor"
_CONSTANT: list[Callable[..., Any]] = []


def constant(function: Function) -> Function:
    """A function whose result a compiler takes as it is, and need not follow how it comes about. torch is told of it once something is
    compiled, and not here: it takes its whole compiler in to hear that."""
    _CONSTANT.append(function)
    return function


@dataclass(frozen=True, slots=True)
class Compiled:
    """seconds: that it took, or took until it failed; note: why it does not work, if so; compiler: what compiled it, "" where it does not."""

    seconds: float
    note: str = ""
    compiler: str = ""

    def told_in(self, info: PainterInfo) -> PainterInfo:
        """The same with all of it."""
        return replace(info, compiler=self.compiler, compile_s=self.seconds, note=" ".join(filter(None, (info.note, self.note))))


class Region(Protocol):
    """What can be compiled, and be as it was before. compiler: what compiles it."""

    compiler: str

    def compile(self, backend: Backend) -> None: ...

    def as_it_was(self) -> None: ...


class Blocks:
    """The `_repeated_blocks` of a network of diffusers, or of ours."""

    compiler = TORCH_COMPILE

    def __init__(self, network: Any) -> None:
        self._network = network

    def compile(self, backend: Backend) -> None:
        self._network.compile_repeated_blocks(backend=backend)

    def as_it_was(self) -> None:
        for module in self._network.modules():
            module._compiled_call_impl = None  # what nn.Module.compile sets


def compile_regions(regions: Sequence[Region], trial: Callable[[], object]) -> Compiled:
    """Compile them. trial: what they are for, at the sizes that come up; compilers set to work only then. Where anything fails
    all is as it was before."""
    begun, note, compiler = perf_counter(), "", regions[0].compiler
    try:
        for function in _CONSTANT:
            torch.compiler.assume_constant_result(function)
        for region in regions:
            region.compile(BACKEND)
        trial()
    except Exception as error:  # noqa: BLE001 - compilers raise what they like
        for region in regions:
            region.as_it_was()
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        note = f"{compiler} does not work here ({why[:160]}); painting goes on without it"
    return Compiled(round(perf_counter() - begun, 2), note, "" if note else compiler)

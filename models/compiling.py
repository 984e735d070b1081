"""torch.compile by region: the blocks that a network is made of again and again are compiled, not the network whole, which
takes far longer; and on a GPU the bundled family's crop, which is small. What it costs is told, and where it does not work, why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

Backend = str | Callable[..., Any]
BACKEND: Backend = "inductor"


@dataclass(frozen=True, slots=True)
class Compiled:
    """seconds: that it took, or took until it failed; note: why it does not work, if so."""

    seconds: float
    note: str = ""


class Region(Protocol):
    """What can be compiled, and be as it was before."""

    def compile(self, backend: Backend) -> None: ...

    def as_it_was(self) -> None: ...


class Blocks:
    """The `_repeated_blocks` of a network of diffusers."""

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
    begun, note = perf_counter(), ""
    try:
        for region in regions:
            region.compile(BACKEND)
        trial()
    except Exception as error:  # noqa: BLE001 - compilers raise what they like
        for region in regions:
            region.as_it_was()
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        note = f"torch.compile does not work here ({why[:160]}); painting goes on without it"
    return Compiled(round(perf_counter() - begun, 2), note)

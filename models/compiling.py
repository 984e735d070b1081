"""torch.compile by region: the blocks that a network is made of again and again are compiled, not the network whole, which
takes far longer. What it costs is told, and where it does not work, why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

BACKEND = "inductor"


@dataclass(frozen=True, slots=True)
class Compiled:
    """seconds: that it took, or took until it failed; note: why it does not work, if so."""

    seconds: float
    note: str = ""


def compile_blocks(networks: Sequence[Any], trial: Callable[[], object]) -> Compiled:
    """Compile the `_repeated_blocks` of diffusers' networks. trial: what they are for, at the sizes that come up; compilers
    set to work only then. Where anything fails every network is as it was before."""
    begun, note = perf_counter(), ""
    try:
        for network in networks:
            network.compile_repeated_blocks(backend=BACKEND)
        trial()
    except Exception as error:  # noqa: BLE001 - compilers raise what they like
        for network in networks:
            for module in network.modules():
                module._compiled_call_impl = None  # what nn.Module.compile sets
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        note = f"torch.compile does not work here ({why[:160]}); painting goes on without it"
    return Compiled(round(perf_counter() - begun, 2), note)

"""An open checkpoint as it was read: its family, and the stock pipeline over its networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import nn

from models.families import Family
from models.loading import count_parameters

if TYPE_CHECKING:
    from models.loras.wearing import Loras


@dataclass(frozen=True)
class PromptedCheckpoint:
    """row: its family's; pipeline: the stock pipeline over its components, float32 on the CPU; sha256 of the weights."""

    name: str
    row: Family
    pipeline: Any
    sha256: str
    loras: Loras | None = None

    @property
    def family(self) -> str:
        return self.row.name

    @property
    def parts(self) -> dict[str, nn.Module]:
        """Its networks by the names that its index gives them."""
        return {name: component for name, component in self.pipeline.components.items() if isinstance(component, nn.Module)}

    @property
    def networks(self) -> list[nn.Module]:
        return list(self.parts.values())

    @property
    def parameters(self) -> int:
        """How many numbers its networks hold."""
        return count_parameters(*self.networks)

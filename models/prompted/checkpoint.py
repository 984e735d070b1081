"""An open checkpoint as it was read: its family, and the stock pipeline over its networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import nn

from models.families import Family
from models.loading import OfNetworks

if TYPE_CHECKING:
    from models.loras.wearing import Loras


@dataclass(frozen=True)
class PromptedCheckpoint(OfNetworks):
    """row: its family's; pipeline: the stock pipeline over its components, float32 on the CPU; sha256 of the weights; file_sha256: of
    the file alone, where it is one; coder: the autoencoder's name, where it is not the checkpoint's own."""

    name: str
    row: Family
    pipeline: Any
    sha256: str
    loras: Loras | None = None
    file_sha256: str = ""
    coder: str = ""

    @property
    def family(self) -> str:
        return self.row.name

    def said(self, note: str) -> str:
        """What the user should know about it, with `note`."""
        return " ".join(filter(None, (note, self.coder and f"The autoencoder is {self.coder}.")))

    @property
    def parts(self) -> dict[str, nn.Module]:
        return {name: component for name, component in self.pipeline.components.items() if isinstance(component, nn.Module)}

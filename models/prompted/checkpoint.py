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
    the file alone, where it is one; coder, control: the names of the autoencoder and the ControlNet, where they are not its own."""

    name: str
    row: Family
    pipeline: Any
    sha256: str
    loras: Loras | None = None
    file_sha256: str = ""
    coder: str = ""
    control: str = ""

    @property
    def family(self) -> str:
        return self.row.name

    def said(self, note: str) -> str:
        """What the user should know about it, with `note`."""
        parts = (("autoencoder", self.coder), ("ControlNet", self.control))
        return " ".join(filter(None, (note, *(f"The {title} is {name}." for title, name in parts if name))))

    @property
    def parts(self) -> dict[str, nn.Module]:
        return {name: component for name, component in self.pipeline.components.items() if isinstance(component, nn.Module)}

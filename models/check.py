"""What `pixelos models` tells of a checkpoint: whether it can be loaded and why not, its family, size and memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.errors import CheckpointError
from models.catalog import names, open_checkpoint, resolve

FRAME_MEMORY_MB = 120  # activations of one 512x384 frame of the bundled family in float32, measured


@dataclass(frozen=True)
class Verdict:
    """One checkpoint. why: "" if it can be loaded, else what is wrong and what to do; sizes in megabytes;
    memory_mb: weights in float32, with the activations where they were measured (the bundled family)."""

    name: str
    path: str
    family: str
    loadable: bool
    why: str = ""
    sha256: str = ""
    parameters: int = 0
    file_mb: float = 0.0
    memory_mb: float = 0.0


def check(checkpoint: str, profile: str | None = None) -> Verdict:
    """Look a checkpoint over by loading it the way a painter would; nothing in it is run. Never raises for a bad one."""
    try:
        folder = resolve(checkpoint, profile)
    except CheckpointError as error:
        return Verdict(checkpoint, checkpoint, "unknown", False, str(error))
    return _verdict(folder)


def listing(profile: str | None = None) -> list[Verdict]:
    """Every checkpoint there is: the bundled one, the guide, and the profile's own."""
    folder = Path(profile) / "checkpoints" if profile else None
    guide = Verdict("guide", "", "guide", True)
    return [guide if name == "guide" else check(name, profile) for name in names(folder)]


def _verdict(folder: Path) -> Verdict:
    size = round(sum(p.stat().st_size for p in folder.rglob("*.safetensors") if p.is_file()) / 1e6, 1)
    try:
        found = open_checkpoint(folder)
    except CheckpointError as error:
        return Verdict(folder.name, str(folder), "unknown", False, str(error), file_mb=size)
    memory = found.parameters * 4 / 1e6 + (FRAME_MEMORY_MB if found.family == "bundled" else 0)
    return Verdict(found.name, str(folder), found.family, True, "", found.sha256, found.parameters, size, round(memory, 1))

"""What `pixelos models` tells of a checkpoint: whether it can be loaded and why not, its family, size and memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.errors import CheckpointError
from models.catalog import BUNDLED, names, resolve

FRAME_MEMORY_MB = 120  # activations of one 512x384 frame in float32, measured


@dataclass(frozen=True)
class Verdict:
    """One checkpoint. why: "" if it can be loaded, else what is wrong and what to do; sizes in megabytes."""

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
    return _verdict("bundled" if folder == BUNDLED else folder.name, folder)


def listing(profile: str | None = None) -> list[Verdict]:
    """Every checkpoint there is: the bundled one, the guide, and the profile's own."""
    folder = Path(profile) / "checkpoints" if profile else None
    guide = Verdict("guide", "", "guide", True)
    return [guide if name == "guide" else check(name, profile) for name in names(folder)]


def _verdict(name: str, folder: Path) -> Verdict:
    from models.loading import PIPELINE, load_bundled, survey

    size = sum(p.stat().st_size for p in folder.rglob("*.safetensors") if p.is_file()) / 1e6
    try:
        index = survey(folder)
        if index.get("_class_name") != PIPELINE:
            from models.prompted.opening import open_prompted, parameters_of

            prompted = open_prompted(folder, name, index)
            count = parameters_of(prompted)
            return Verdict(name, str(folder), prompted.family.name, True, "", prompted.sha256, count, round(size, 1), round(count * 4 / 1e6, 1))
        loaded = load_bundled(folder, name)
    except CheckpointError as error:
        return Verdict(name, str(folder), "unknown", False, str(error), file_mb=round(size, 1))
    count = sum(p.numel() for network in (loaded.denoiser, loaded.context_encoder) for p in network.parameters())
    memory = count * 4 / 1e6 + FRAME_MEMORY_MB
    return Verdict(name, str(folder), "bundled", True, "", loaded.sha256, count, round(size, 1), round(memory, 1))

"""Which checkpoints there are, and opening a painter for one. Imports torch only when a painter is opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from engine.errors import CheckpointError
from engine.painter import GuidePainter, Painter, PainterSpec

if TYPE_CHECKING:
    from models.loading import BundledCheckpoint
    from models.prompted.painter import PromptedCheckpoint

BUNDLED = Path(__file__).parent / "bundled"


def names(checkpoints: Path | None = None) -> list[str]:
    """Names that `--checkpoint` takes: bundled, guide, and the folders in the profile's `checkpoints/`."""
    found = ["bundled", "guide"]
    if checkpoints is not None and checkpoints.is_dir():
        found += sorted(p.name for p in checkpoints.iterdir() if (p / "model_index.json").is_file())
    return found


def resolve(checkpoint: str, profile: str | None = None) -> Path:
    """The folder of a checkpoint given by name or path. Raises CheckpointError if there is none."""
    if checkpoint == "bundled":
        if not (BUNDLED / "model_index.json").is_file():
            raise CheckpointError(f"the bundled checkpoint is missing in {BUNDLED}; install Pixel OS again")
        return BUNDLED
    path = Path(checkpoint).expanduser()
    if profile is not None and not path.exists():
        path = Path(profile) / "checkpoints" / checkpoint
    if path.is_file():
        raise CheckpointError(f"{path} is a single file; this version opens checkpoints that are diffusers folders")
    if not path.is_dir():
        known = ", ".join(names(Path(profile) / "checkpoints" if profile else None))
        raise CheckpointError(f"there is no checkpoint {checkpoint!r}; known are {known}, or give a folder")
    return path


def open_checkpoint(folder: Path) -> BundledCheckpoint | PromptedCheckpoint:
    """What is in the folder, read and built. Raises CheckpointError, saying what and where, for one that is not sound."""
    from models.loading import PIPELINE, build_bundled, survey

    name = "bundled" if folder == BUNDLED else folder.name
    index = survey(folder)
    if index.get("_class_name") == PIPELINE:
        return build_bundled(folder, name, index)
    from models.prompted.opening import build_prompted

    return build_prompted(folder, name, index)


def open_painter(spec: PainterSpec) -> Painter:
    """Open the painter that `spec` describes. Raises CheckpointError."""
    if spec.mode not in ("guided", "dream"):
        raise CheckpointError(f"unknown mode {spec.mode!r}; use guided or dream")
    if spec.loras:
        raise CheckpointError("this version takes no LoRAs; leave --lora out")
    if spec.checkpoint == "guide":
        if spec.mode == "dream":
            raise CheckpointError("the guide painter has no dream mode; use --checkpoint bundled")
        return GuidePainter(spec)
    checkpoint = open_checkpoint(resolve(spec.checkpoint, spec.profile))
    if checkpoint.family == "bundled":
        from models.latent_painter import LatentPainter

        return LatentPainter(cast("BundledCheckpoint", checkpoint), spec)
    from models.prompted.painter import PromptedPainter
    from models.reference.painter import ReferencePainter

    prompted = cast("PromptedCheckpoint", checkpoint)
    return (ReferencePainter if prompted.row.references else PromptedPainter)(prompted, spec)

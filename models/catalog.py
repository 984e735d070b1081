"""Which checkpoints there are, and opening a painter for one. Imports torch only when a painter is opened."""

from __future__ import annotations

from pathlib import Path

from engine.errors import CheckpointError
from engine.painter import GuidePainter, Painter, PainterSpec

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


def open_painter(spec: PainterSpec) -> Painter:
    """Open the painter that `spec` describes. Raises CheckpointError."""
    if spec.mode not in ("guided", "dream"):
        raise CheckpointError(f"unknown mode {spec.mode!r}; use guided or dream")
    if spec.checkpoint == "guide":
        if spec.mode == "dream":
            raise CheckpointError("the guide painter has no dream mode; use --checkpoint bundled")
        return GuidePainter(spec)
    folder = resolve(spec.checkpoint, spec.profile)
    from models.latent_painter import LatentPainter
    from models.loading import PIPELINE, load_bundled, survey

    index = survey(folder)
    if spec.loras:
        raise CheckpointError("this version takes no LoRAs; leave --lora out")
    if index.get("_class_name") == PIPELINE:
        return LatentPainter(load_bundled(folder, spec.checkpoint), spec)
    from models.prompted.opening import open_prompted
    from models.prompted.painter import PromptedPainter

    return PromptedPainter(open_prompted(folder, folder.name, index), spec)

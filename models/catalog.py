"""Which checkpoints there are, and opening a painter for one. Imports torch only when a painter is opened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from engine.errors import CheckpointError
from engine.painter import GuidePainter, Painter, PainterSpec

if TYPE_CHECKING:
    from models.findings import Findings
    from models.loading import BundledCheckpoint
    from models.prompted.painter import PromptedCheckpoint

NO_LORAS = "takes no LoRAs and no other sampler; leave --lora and --sampler out, or give an open checkpoint with --checkpoint"
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
        raise CheckpointError(_single(path))
    if not path.is_dir():
        known = ", ".join(names(Path(profile) / "checkpoints" if profile else None))
        raise CheckpointError(f"there is no checkpoint {checkpoint!r}; known are {known}, or give a folder")
    return path


def _single(path: Path) -> str:
    """Why a file is not opened, by what it holds."""
    from models.formats import foreign_kind, refusal
    from models.plain_files import LARGEST_FILE, opened, read_exactly

    with opened(path, LARGEST_FILE) as (file, size):
        kind = foreign_kind(bytes(read_exactly(file, min(size, 8), path)), path.name)
    if kind is not None:
        return refusal(path, kind)
    return f"{path} is a single file; this version opens checkpoints that are diffusers folders"


def open_checkpoint(folder: Path, findings: Findings | None = None) -> BundledCheckpoint | PromptedCheckpoint:
    """What is in the folder, read and built, in bounded memory. findings: told what was found, row by row.

    Raises CheckpointError, saying what and where, for one that is not sound.
    """
    from models.limits import limited_memory
    from models.survey import survey

    name = "bundled" if folder == BUNDLED else folder.name
    surveyed = survey(folder, findings)
    if surveyed.index["_class_name"] == "PixelOSPipeline":
        from models.loading import build_bundled as build
    else:
        from models.prompted.opening import build_prompted as build  # type: ignore[assignment]
    with limited_memory(folder):
        return build(surveyed, name)


def check_spec(spec: PainterSpec) -> None:
    """Raises CheckpointError for what can be seen to be wrong before anything is opened."""
    if spec.mode not in ("guided", "dream"):
        raise CheckpointError(f"unknown mode {spec.mode!r}; use guided or dream")
    if spec.checkpoint in ("guide", "bundled") and (spec.loras or spec.sampler != "auto"):
        raise CheckpointError(f"the checkpoint {spec.checkpoint} {NO_LORAS}")


def open_painter(spec: PainterSpec) -> Painter:
    """Open the painter that `spec` describes. Raises CheckpointError."""
    check_spec(spec)
    if spec.checkpoint == "guide":
        if spec.mode == "dream":
            raise CheckpointError("the guide painter has no dream mode; use --checkpoint bundled")
        return GuidePainter(spec)
    checkpoint = open_checkpoint(resolve(spec.checkpoint, spec.profile))
    return probed(dressed(checkpoint, spec) if spec.loras or spec.sampler != "auto" else checkpoint, spec)


def dressed(checkpoint: BundledCheckpoint | PromptedCheckpoint, spec: PainterSpec) -> PromptedCheckpoint:
    """The checkpoint with the LoRAs of `spec` on, and the sampler that they or the user ask for. Raises CheckpointError."""
    if checkpoint.family == "bundled":
        raise CheckpointError(f"the checkpoint {checkpoint.name} is of the bundled family, which {NO_LORAS}")
    from models.loras.wearing import worn

    prompted = cast("PromptedCheckpoint", checkpoint)
    loras, row = worn(prompted.pipeline, prompted.row, spec)
    return replace(prompted, loras=loras, row=row)


def probed(checkpoint: BundledCheckpoint | PromptedCheckpoint, spec: PainterSpec) -> Painter:
    """A painter of the checkpoint that has shown that it paints. Raises CheckpointError."""
    from models.probe import probe

    if checkpoint.family == "bundled":
        from models.latent_painter import LatentPainter

        painter: Painter = LatentPainter(cast("BundledCheckpoint", checkpoint), spec)
    else:
        from models.prompted.painter import PromptedPainter
        from models.reference.painter import ReferencePainter

        prompted = cast("PromptedCheckpoint", checkpoint)
        painter = (ReferencePainter if prompted.row.references else PromptedPainter)(prompted, spec)
    probe(painter, checkpoint.networks, spec)
    return painter

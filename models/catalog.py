"""Which checkpoints there are, and opening a painter for one. Imports torch only when a painter is opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from engine.errors import CheckpointError
from engine.painter import GuidePainter, Painter, PainterSpec

if TYPE_CHECKING:
    from models.findings import Findings
    from models.loading import BundledCheckpoint
    from models.prompted.painter import PromptedCheckpoint

BUNDLED = Path(__file__).parent / "bundled"
RANDOM = "random:"  # and the name of a preset: its architecture with random weights, see models.presets


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
    return probed(opened(spec), spec)


def opened(spec: PainterSpec) -> BundledCheckpoint | PromptedCheckpoint:
    """The checkpoint that `spec` names, or a preset's. Raises CheckpointError, InputError."""
    if spec.checkpoint.startswith(RANDOM):
        from models.presets import random_checkpoint

        return random_checkpoint(spec.checkpoint.removeprefix(RANDOM), spec)
    return open_checkpoint(resolve(spec.checkpoint, spec.profile))


def probed(checkpoint: BundledCheckpoint | PromptedCheckpoint, spec: PainterSpec) -> Painter:
    """A painter of the checkpoint that has shown that it paints. Raises CheckpointError."""
    from models.probe import probe

    spec = _tuned(spec, checkpoint.sha256)
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


def _tuned(spec: PainterSpec, sha256: str) -> PainterSpec:
    """With what `bench tune` found for these weights on this machine, if that is wanted and there is any."""
    if not spec.tuned or spec.profile is None:
        return spec
    from engine.tuned import key_of, recall
    from models.devices import device_of, name_of

    found = recall(Path(spec.profile), key_of(sha256, name_of(device_of(spec.device)), spec))
    return spec if found is None else found.applied(spec)

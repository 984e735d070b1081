"""What `pixelos models` tells of a checkpoint: whether it can be loaded and why not, its family, size and memory."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from engine.errors import CheckpointError
from engine.painter import PainterSpec
from models.catalog import NO_LORAS, names, open_checkpoint, probed, resolve
from models.findings import ROWS, Findings
from models.loras.reading import LORA_ROWS, is_lora, read_lora

if TYPE_CHECKING:
    from models.prompted.painter import PromptedCheckpoint

FRAME_MEMORY_MB = 120  # activations of one 512x384 frame of the bundled family in float32, measured
PROBE = PainterSpec(size=(256, 192), steps=1, device="cpu")


@dataclass(frozen=True)
class Row:
    """One thing that was looked at. state: "sound", "refused", or "not reached" since another row was refused before."""

    name: str
    state: str
    found: str = ""


@dataclass(frozen=True)
class Verdict:
    """One checkpoint. why: "" if it can be loaded, else what is wrong and what to do; sizes in megabytes;
    memory_mb: weights in float32, with the activations where they were measured (the bundled family); rows: what was
    looked at, in order; notes: what is ignored, and why."""

    name: str
    path: str
    family: str
    loadable: bool
    why: str = ""
    sha256: str = ""
    parameters: int = 0
    file_mb: float = 0.0
    memory_mb: float = 0.0
    rows: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()


def check(checkpoint: str, profile: str | None = None, paint: bool = True, fits: str | None = None) -> Verdict:
    """Look a checkpoint over by loading it the way a painter would, and, with `paint`, by painting a small frame; nothing
    in it is run. A LoRA's file is looked over too; fits: the checkpoint that it is to fit. Never raises for a bad one."""
    if (lora := _lora(checkpoint, profile)) is not None:
        return _lora_verdict(lora, fits, profile)
    try:
        folder = resolve(checkpoint, profile)
    except CheckpointError as error:
        return Verdict(checkpoint, checkpoint, "unknown", False, str(error))
    return _verdict(folder, paint)


def listing(profile: str | None = None) -> list[Verdict]:
    """Every checkpoint there is: the bundled one, the guide, and the profile's own."""
    folder = Path(profile) / "checkpoints" if profile else None
    guide = Verdict("guide", "", "guide", True)
    return [guide if name == "guide" else check(name, profile, paint=False) for name in names(folder)]


def _verdict(folder: Path, paint: bool) -> Verdict:
    findings = Findings()
    try:
        found = open_checkpoint(folder, findings)
        memory = found.parameters * 4 / 1e6 + (FRAME_MEMORY_MB if found.family == "bundled" else 0)
        parameters = found.parameters
        if paint:
            with findings.row("frame"):
                probed(found, PROBE)
                findings.tell("frame", "painted, all of it finite")
    except CheckpointError as error:
        return Verdict(folder.name, str(folder), "unknown", False, str(error), rows=_rows(findings), notes=tuple(findings.notes))
    size = round(sum(p.stat().st_size for p in folder.rglob("*.safetensors") if p.is_file()) / 1e6, 1)
    return Verdict(
        found.name, str(folder), found.family, True, "", found.sha256, parameters, size, round(memory, 1),
        _rows(findings), tuple(findings.notes),
    )  # fmt: skip


def _lora(name: str, profile: str | None) -> Path | None:
    """The file of a LoRA, by its path or its name in the profile; None for what is none, or no sound file."""
    own = Path(profile or "") / "loras" / name
    for path in (Path(name).expanduser(), *((own, own.with_name(f"{own.name}.safetensors")) if profile else ())):
        with suppress(CheckpointError):
            if path.is_file() and is_lora(path):
                return path
    return None


def _lora_verdict(path: Path, fits: str | None, profile: str | None) -> Verdict:
    from models.loras.wearing import fitted

    findings = Findings()
    try:
        lora = read_lora(path, findings)
        if fits is not None:
            checkpoint = open_checkpoint(resolve(fits, profile))
            if checkpoint.family == "bundled":
                raise CheckpointError(f"the checkpoint {checkpoint.name} is of the bundled family, which {NO_LORAS}")
            prompted = cast("PromptedCheckpoint", checkpoint)
            fitted(prompted.pipeline, prompted.row, lora, findings)
    except CheckpointError as error:
        return Verdict(path.stem, str(path), "LoRA", False, str(error), rows=_rows(findings, LORA_ROWS))
    size = round(path.stat().st_size / 1e6, 1)
    return Verdict(
        path.stem, str(path), f"LoRA for {lora.origin or 'something its names do not tell'}", True, "", lora.sha256, lora.parameters, size,
        round(lora.parameters * 4 / 1e6, 1), _rows(findings, LORA_ROWS), tuple(findings.notes),
    )  # fmt: skip


def _rows(findings: Findings, names: Sequence[str] = ROWS) -> tuple[Row, ...]:
    rows = []
    for name in names:
        state = "refused" if name == findings.refused else "sound" if name in findings.told else "not reached"
        rows.append(Row(name, state, ", ".join(findings.told.get(name, ())) if state == "sound" else ""))
    return tuple(rows)

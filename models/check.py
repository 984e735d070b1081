"""What `pixelos models` tells of a checkpoint: whether it can be loaded and why not, its family, size and memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.errors import CheckpointError
from engine.painter import PainterSpec
from models.catalog import names, open_checkpoint, probed, resolve
from models.findings import ROWS, Findings

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


def check(checkpoint: str, profile: str | None = None, paint: bool = True) -> Verdict:
    """Look a checkpoint over by loading it the way a painter would, and, with `paint`, by painting a small frame; nothing
    in it is run. Never raises for a bad one."""
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


def _rows(findings: Findings) -> tuple[Row, ...]:
    rows = []
    for name in ROWS:
        state = "refused" if name == findings.refused else "sound" if name in findings.told else "not reached"
        rows.append(Row(name, state, ", ".join(findings.told.get(name, ())) if state == "sound" else ""))
    return tuple(rows)

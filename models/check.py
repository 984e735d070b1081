"""What `pixelos models` tells of a checkpoint: whether it can be loaded and why not, its family, size and memory.

Imports torch only where something is read: who has it looked at in another process needs the words alone.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from engine.errors import CheckpointError
from engine.painter import PainterSpec
from models.catalog import NO_LORAS, open_checkpoint, probed, resolve
from models.findings import ROWS, Findings
from models.kinds import kind_of
from models.limits import weights_size
from models.loras.origins import MADE_FOR, UNTOLD
from models.places import Found, found_in, kind_of_folder, named
from models.whole import refuse_foreign, whole

if TYPE_CHECKING:
    from models.loading import BundledCheckpoint
    from models.memory_plan import MemoryPlan
    from models.prompted.checkpoint import PromptedCheckpoint
    from models.sizes import Sizes

FRAME_MEMORY_MB = 120  # activations of one 512x384 frame of the bundled family in float32, measured
PROBE = PainterSpec(size=(256, 192), steps=1, device="cpu")
MORE = "more than may be taken"  # of a plan that does not fit
UNFINISHED = "is not whole; it may still be being copied, look again in a while"


@dataclass(frozen=True)
class Row:
    """One thing that was looked at. state: "sound", "refused", or "not reached" since another row was refused before."""

    name: str
    state: str
    found: str = ""


@dataclass(frozen=True)
class Verdict:
    """One checkpoint, or what goes with one. why: "" if it can be loaded, else what is wrong and what to do; sizes in
    megabytes; memory_mb: weights in float32, with the activations of a frame of the usual size (measured of the bundled family,
    estimated of others; of what was only glanced at, weights alone); rows: what was looked at, in order; notes: what is ignored, and why; kind: a key of models.places.PROFILE;
    place: "profile", or whose folder it lies in; plan: how it would lie in the memory there is now, or in what of it may be taken, for a
    frame of the size that was said, which takes needs_mb of it;
    file_sha256: of the file alone, where it is one: `sha256` is of all that was read for it."""

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
    kind: str = "checkpoint"
    place: str = "profile"
    plan: str = ""
    file_sha256: str = ""
    needs_mb: float = 0.0


def check(
    checkpoint: str, profile: str | None = None, paint: bool = True, fits: str | None = None, spec: PainterSpec = PainterSpec()
) -> Verdict:
    """Look a checkpoint over by loading it the way a painter would, and, with `paint`, by painting a small frame; nothing
    in it is run. A LoRA or a textual inversion is read to its end; fits: the checkpoint that a LoRA is to fit; spec: the size, device,
    number format and budget that a plan is made for, and the autoencoder and the ControlNet that go with it. Never raises for a bad one,
    but CheckpointError for a device that is not there."""
    if spec.device.startswith("cuda"):
        from models.devices import device_of

        device_of(spec.device)
    try:
        path = _place(checkpoint, profile)
    except CheckpointError as error:
        return Verdict(checkpoint, checkpoint, "unknown", False, str(error))
    findings = Findings()
    try:
        if path.is_file():
            with findings.row("pickles"):
                refuse_foreign(path)
        with findings.row("headers"):
            kind = _kind(path)
        if kind == "lora":
            return _lora(path, fits, profile, findings)
        if kind == "embedding":
            return _embedding(path, findings)
        if kind in ("vae", "controlnet", "text encoder"):
            return _part(path, kind, fits, profile, findings)
        found = open_checkpoint(path, findings, profile, replace(PROBE, vae=spec.vae, controlnet=spec.controlnet, profile=profile))
        if paint:
            with findings.row("frame"):
                probed(found, PROBE)
                findings.tell("frame", "painted, all of it finite")
    except CheckpointError as error:
        return Verdict(path.name, str(path), "unknown", False, str(error), rows=_rows(findings), notes=tuple(findings.notes))
    planned = _plan(found, spec)
    return Verdict(
        found.name, str(path), found.family, True, "", found.sha256, found.parameters, _megabytes(path),
        round(_memory(found.family, found.parameters) + _activations(found, spec.size), 1), _rows(findings), tuple(findings.notes),
        plan=_said(planned), needs_mb=planned.needs / 1e6, file_sha256=found.file_sha256,
    )  # fmt: skip


def _activations(found: BundledCheckpoint | PromptedCheckpoint, size: tuple[int, int]) -> float:
    """Megabytes beside the weights of a frame of that size, in float32; the bundled family's are among its weights' figure."""
    if found.family == "bundled":
        return 0.0
    from models.activations import held_at_once

    row = cast("PromptedCheckpoint", found).row
    branches = 3 if row.edits else 2 if (row.guidance or 1.0) > 1 and not row.references else 1
    return held_at_once(found.parts, size, branches, row.references) * 4 / 1e6


def _plan(found: BundledCheckpoint | PromptedCheckpoint, spec: PainterSpec) -> MemoryPlan:
    from models.bits import linear_numbers
    from models.sizes import Sizes

    numbers = {name: sum(parameter.numel() for parameter in part.parameters()) for name, part in found.parts.items()}
    return _planned(Sizes(found.family, numbers, {name: linear_numbers(part) for name, part in found.parts.items()}), spec)


def _planned(sizes: Sizes, spec: PainterSpec) -> MemoryPlan:
    from models.facts import planned_for

    return planned_for(sizes, spec)


def _said(planned: MemoryPlan) -> str:
    return str(planned) if planned.fits else f"{planned}, {MORE}"


def listing(profile: str | None = None, spec: PainterSpec = PainterSpec()) -> list[Verdict]:
    """Everything there is: the bundled checkpoint, the guide, the profile's own, and what lies in the folders of other
    programs. Of all but the bundled one no more than indexes, settings and headers are read. spec: what plans are made for, as of `check`."""
    bundled, spec = check("bundled", profile, paint=False, spec=spec), replace(spec, profile=profile)
    every = found_in(Path(profile)) if profile is not None else []
    return [bundled, Verdict("guide", "", "guide", True), *(glance(found, spec) for found in every)]


def glance(found: Found, spec: PainterSpec = PainterSpec()) -> Verdict:
    """What headers and settings say of one, were it opened as `spec` says. Never raises for a bad one."""
    from models.sizes import sizes_of

    known: dict[str, Any] = {"kind": found.kind, "place": found.place}
    try:
        if found.path.is_file():
            refuse_foreign(found.path)
        sizes = sizes_of(found, spec)
        family, parameters, megabytes = sizes.family, sum(sizes.parts.values()), _megabytes(found.path)
        if not whole(found.path):
            raise CheckpointError(f"{found.path} {UNFINISHED}")
    except (CheckpointError, OSError) as error:
        return Verdict(found.name, str(found.path), "unknown", False, reason(error, found.path), **known)
    if found.kind == "checkpoint":
        planned = _planned(sizes, spec)
        known |= {"memory_mb": _memory(family, parameters), "plan": _said(planned), "needs_mb": planned.needs / 1e6}
    return Verdict(found.name, str(found.path), family, True, parameters=parameters, file_mb=megabytes, **known)


def reason(error: CheckpointError | OSError, path: Path) -> str:
    """What went wrong with a checkpoint, in one message."""
    return str(error) if isinstance(error, CheckpointError) else f"{path} cannot be read ({error.strerror or error}); copy it again"


def _place(checkpoint: str, profile: str | None) -> Path:
    """Of a checkpoint by name or path, or of what goes with one. Raises CheckpointError."""
    try:
        return resolve(checkpoint, profile)
    except CheckpointError:
        elsewhere = profile is not None and not os.path.exists(os.path.expanduser(checkpoint))
        path = named(checkpoint, Path(str(profile))) if elsewhere else None
        if path is None:
            raise
        return path


def _kind(path: Path) -> str:
    """By what a file holds. Raises CheckpointError."""
    if path.is_dir():
        return kind_of_folder(path) or "checkpoint"
    from models.safetensors_file import TAUGHT_NAME
    from models.weight_files import opened_file

    with opened_file(path, TAUGHT_NAME) as file:
        return kind_of(file)


def _lora(path: Path, fits: str | None, profile: str | None, findings: Findings) -> Verdict:
    from models.loras.reading import LORA_ROWS, read_lora
    from models.loras.wearing import fitted

    try:
        lora = read_lora(path, findings)
        if fits is not None:
            checkpoint = open_checkpoint(resolve(fits, profile), profile=profile)
            if checkpoint.family == "bundled":
                raise CheckpointError(f"the checkpoint {checkpoint.name} is of the bundled family, which {NO_LORAS}")
            prompted = cast("PromptedCheckpoint", checkpoint)
            fitted(prompted.pipeline, prompted.row, lora, findings)
    except CheckpointError as error:
        return Verdict(path.stem, str(path), "LoRA", False, str(error), rows=_rows(findings, LORA_ROWS), kind="lora")
    return Verdict(
        path.stem, str(path), f"{MADE_FOR}{lora.origin or UNTOLD}", True, "", lora.sha256, lora.parameters,
        _megabytes(path), round(lora.parameters * 4 / 1e6, 1), _rows(findings, LORA_ROWS), tuple(findings.notes), "lora",
    )  # fmt: skip


def _embedding(path: Path, findings: Findings) -> Verdict:
    from models.embeddings import EMBEDDING_ROWS, read_embedding

    try:
        found = read_embedding(path, findings)
    except CheckpointError as error:
        return Verdict(path.stem, str(path), "textual inversion", False, str(error), rows=_rows(findings, EMBEDDING_ROWS), kind="embedding")
    return Verdict(
        path.stem, str(path), f"textual inversion for {found.suits}", True, "", found.sha256, found.parameters, _megabytes(path),
        rows=_rows(findings, EMBEDDING_ROWS), kind="embedding",
    )  # fmt: skip


def _part(path: Path, kind: str, fits: str | None, profile: str | None, findings: Findings) -> Verdict:
    """A part that lies alone, read to its end; with `fits`, an autoencoder or a ControlNet as that checkpoint's."""
    from models.autoencoders import VAE_ROWS, autoencoder
    from models.controlnets import CONTROL_ROWS, controlnet
    from models.loose import TEXT_ROWS, read_text_encoder
    from models.prompted.opening import read_alone

    title, rows = {"vae": ("autoencoder", VAE_ROWS), "controlnet": ("ControlNet", CONTROL_ROWS), "text encoder": ("text encoder", TEXT_ROWS)}[kind]
    try:
        if kind == "text encoder":
            title, sha256, numbers = read_text_encoder(path, findings)
        else:
            alone = autoencoder(path, findings) if kind == "vae" else controlnet(path, findings)
            title = alone.title
            if fits is None:
                sha256, numbers = read_alone(alone, findings)
            else:
                spec = replace(PROBE, **{alone.part: str(path)})  # type: ignore[arg-type]
                other = open_checkpoint(resolve(fits, profile), findings, profile, spec)
                sha256, numbers = other.sha256, sum(parameter.numel() for parameter in other.parts[alone.part].parameters())
    except CheckpointError as error:
        return Verdict(path.stem, str(path), title, False, str(error), rows=_rows(findings, rows), notes=tuple(findings.notes), kind=kind)
    return Verdict(
        path.stem, str(path), title, True, "", sha256, numbers, _megabytes(path), rows=_rows(findings, rows), notes=tuple(findings.notes),
        kind=kind, file_sha256=sha256_of(path) if path.is_file() else "",
    )  # fmt: skip


def sha256_of(path: Path) -> str:
    """Of a file that is known to be a plain one."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _megabytes(path: Path) -> float:
    return round(weights_size(path) / 1e6, 1)


def _memory(family: str, parameters: int) -> float:
    return round(parameters * 4 / 1e6 + (FRAME_MEMORY_MB if family == "bundled" else 0), 1)


def _rows(findings: Findings, names: Sequence[str] = ROWS) -> tuple[Row, ...]:
    rows = []
    for name in names:
        state = "refused" if name == findings.refused else "sound" if name in findings.told else "not reached"
        rows.append(Row(name, state, ", ".join(findings.told.get(name, ())) if state == "sound" else ""))
    return tuple(rows)

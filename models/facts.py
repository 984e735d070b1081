"""What the checkpoint picker tells of each checkpoint, from headers and settings alone."""

from __future__ import annotations

from pathlib import Path

import psutil

from engine.checkpoints import CheckpointFacts, lora_row, opened_as
from engine.errors import CheckpointError
from engine.painter import PainterSpec
from models.catalog import BUNDLED, resolve
from models.check import UNFINISHED, glance, reason
from models.families import FAMILIES
from models.limits import weights_size
from models.loras.origins import MADE_FOR, UNTOLD, kind_for, kind_of_lora
from models.memory_plan import MemoryPlan, plan
from models.places import Found, found_in
from models.sizes import Sizes, sizes_of
from models.whole import refuse_foreign, whole

LICENCES = ("license", "licence", "copying", "use_policy")


def facts(spec: PainterSpec) -> list[CheckpointFacts]:
    """Of every checkpoint there is, as it would be opened in a session that began with `spec`, and of every LoRA, each by the name of its
    row; never raises for a bad one."""
    every = found_in(Path(spec.profile)) if spec.profile is not None else []
    others = [found for found in every if found.kind == "checkpoint"]
    ours = Found("bundled", BUNDLED, "checkpoint")
    guide = CheckpointFacts("guide", "no model: the desktop's own plain drawing", wears="")
    loras = [lora_fact(found) for found in every if found.kind == "lora"]
    given = [] if spec.checkpoint in {"guide", *(found.name for found in (ours, *others))} else given_by(spec)
    return [*(fact(found, opened_as(spec, found.name)) for found in (ours, *others, *given)), guide, *loras]


def given_by(spec: PainterSpec) -> list[Found]:
    """The checkpoint that `spec` names by a path; none where nothing lies there."""
    try:
        return [Found(spec.checkpoint, resolve(spec.checkpoint, spec.profile), "checkpoint")]
    except CheckpointError:
        return []  # which was said, or will be


def fact(found: Found, spec: PainterSpec) -> CheckpointFacts:
    """Of one. Never raises for a bad one."""
    try:
        if found.path.is_file():
            refuse_foreign(found.path)
        if not whole(found.path):
            raise CheckpointError(f"{found.path} {UNFINISHED}")
        sizes, megabytes = sizes_of(found, spec), weights_size(found.path) / 1e6
    except (CheckpointError, OSError) as error:
        return CheckpointFacts(found.name, "unknown", why=reason(error, found.path), licence=licence_of(found.path))
    family, parts, _ = sizes
    planned = planned_for(sizes, spec)
    told = "" if family == "bundled" else str(planned)  # how it computes, it finds out where it does
    return CheckpointFacts(
        found.name, family, sum(parts.values()), megabytes, planned.needs / 1e6, told, planned.fits, licence_of(found.path), wears=_wears(family)
    )


def lora_fact(found: Found) -> CheckpointFacts:
    """Of a LoRA. Never raises for a bad one."""
    seen = glance(found)
    why = seen.why if seen.why or seen.family.startswith(MADE_FOR) else f"{found.path} is no LoRA; put it where it belongs (pixelos models add)"
    kind = kind_of_lora(seen.family.removeprefix(MADE_FOR).removesuffix(UNTOLD))
    return CheckpointFacts(lora_row(found.name), seen.family, seen.parameters, seen.file_mb, licence=licence_of(found.path), why=why, wears=kind)


def _wears(family: str) -> str:
    """What LoRAs go with a family, or with those that a file could be of."""
    row = next((row for row in FAMILIES if row.name == family.split(", ")[0]), None)
    if row is None:
        return ""
    from models.loras.wearing import takes_loras

    return kind_for(row.components) if takes_loras(row) else ""


def planned_for(sizes: Sizes, spec: PainterSpec) -> MemoryPlan:
    """The plan of a checkpoint of such sizes on the device that `spec` names, with what is free there now."""
    device, free = free_on(spec.device)
    return plan(sizes.parts, spec.size, free, device, sizes.family, spec.dtype, spec.vram_budget, sizes.linear)


def free_on(device: str) -> tuple[str, int]:
    """What a device's name means here, and the bytes that are free on it."""
    if device != "cpu":
        import torch

        if torch.cuda.is_available():
            index = int(device.partition(":")[2] or torch.cuda.current_device())
            return f"cuda:{index}", int(torch.cuda.mem_get_info(index)[0])
    return "cpu", psutil.virtual_memory().available


def licence_of(path: Path) -> str:
    """The name of the file that states under what terms it may be used; "" where there is none to be seen."""
    folder = path if path.is_dir() else path.parent
    stem = "" if path.is_dir() else path.stem.casefold()
    try:
        names = sorted(entry.name for entry in folder.iterdir() if entry.is_file()) if folder.is_dir() else []
    except OSError:
        return ""
    return next((name for name in names if name.casefold().startswith(LICENCES) and (path.is_dir() or stem in name.casefold())), "")

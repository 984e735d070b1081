"""What a checkpoint's files tell before any library is taken in, which is most of what opening one takes: knows no torch.

A look only refuses. Whatever passes is read once more, and built, by `models.loading` and `models.prompted`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from models.configs import bounded
from models.families import SPARE, Family, allowed, family_of, pipeline_of
from models.findings import Findings
from models.gguf_file import GgufFile
from models.packing import check_packing
from models.plain_files import read_json
from models.safetensors_file import SafetensorsFile, open_safetensors
from models.survey import Survey, check_components, check_link
from models.weight_files import OPEN, OURS, files_of, opened_file
from models.whole import refuse_foreign

PIPELINE = "PixelOSPipeline"
PARTS = {"denoiser": "Denoiser", "context_encoder": "ContextEncoder", "dreamer": "Dreamer"}  # of the bundled family, and their classes
OPTIONAL = ("dreamer",)  # older checkpoints, and those that learned from programs without a guide, have none
WORDS = ("tokenizer", "tokenizer_2", "tokenizer_3", "processor", "text_processor", "siglip_processor")  # without weights and config.json
ONE_FILE = (("structure", "one file"), ("code", "none"), ("templates", "none"))  # a file of tensors has no room for them


def look_at_folder(surveyed: Survey) -> None:
    """Family, settings and headers of a folder that was looked over. Raises CheckpointError; only then its findings know of it."""
    with surveyed.findings.trial() as findings:
        tried, ours = replace(surveyed, findings=findings), surveyed.index["_class_name"] == PIPELINE
        if ours:
            parts = our_parts(tried)
            with findings.row("settings"):
                for path in (surveyed.folder / part / "config.json" for part in parts):
                    bounded(read_json(path), path)
        else:
            family, _ = recognised(tried)
            parts = [part for part in family.components if part != "scheduler" and part not in WORDS]
        kept = OURS if ours else OPEN
        with findings.row("headers"):
            for part in parts:
                for path in files_of(surveyed.folder / part, kept):
                    with open_safetensors(path, kept.largest) as file:
                        findings.tell("headers", f"{part} {len(file.entries)} tensors")


def look_at_file(path: Path, findings: Findings) -> None:
    """The same of a checkpoint that is one file: where it leads to, and its header."""
    with findings.trial() as tried:
        with tried.row("links"):
            tried.tell("links", check_link(path))
        for row, found in ONE_FILE:
            tried.tell(row, found)
        with tried.row("headers"), opened_file(path):
            """Its header is sound, or this is not reached."""


def header_alone(path: Path, findings: Findings, largest: int, packed: bool = False) -> SafetensorsFile | GgufFile:
    """A safetensors file of at most so many bytes that is one part of a checkpoint, closed again: what its header says. packed: whether
    it may be GGUF too. Raises CheckpointError."""
    with findings.row("links"):
        findings.tell("links", check_link(path))
    with findings.row("headers"):
        refuse_foreign(path)
        with opened_file(path, largest=largest) if packed else open_safetensors(path, largest) as file:
            findings.tell("headers", f"{len(file.entries)} tensors")
            return file


def our_parts(surveyed: Survey) -> list[str]:
    """The parts of a checkpoint of the bundled family. Raises CheckpointError."""
    index = surveyed.index
    with surveyed.findings.row("family"):
        wanted = {part: {("models", cls)} for part, cls in PARTS.items() if part in index or part not in OPTIONAL}
        check_components(surveyed, wanted, {})
        surveyed.findings.tell("family", "bundled")
    return list(wanted)


def recognised(surveyed: Survey) -> tuple[Family, dict[str, dict[str, Any]]]:
    """The family of a folder that was looked over, and the settings of its components. Raises CheckpointError."""
    folder, index, findings = surveyed.folder, surveyed.index, surveyed.findings
    pipeline, rows = pipeline_of(index), allowed()
    with findings.row("family"):
        if pipeline not in rows:
            family_of(pipeline, {})  # refuses it by name
        check_components(surveyed, rows[pipeline], SPARE)
    configs: dict[str, dict[str, Any]] = {}
    with findings.row("settings"):
        for component in rows[pipeline]:
            path = folder / component / ("scheduler_config.json" if component == "scheduler" else "config.json")
            ours = surveyed.given.get(component)
            configs[component] = ours if ours is not None else {} if component in WORDS else dict(bounded(read_json(path), path))
            check_packing(configs[component], path)
            findings.tell("settings", f"{component} {len(configs[component])}")
    with findings.row("family"):
        family = family_of(pipeline, {**configs, "model_index": index})
        findings.tell("family", f"{family.name}, {family.title}")
    return family, configs

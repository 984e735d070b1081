"""How large the networks are that a checkpoint would be painted with, by headers and settings alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

from engine.errors import CheckpointError
from engine.painter import PainterSpec
from models.autoencoders import autoencoder, chosen
from models.bits import linear_entries
from models.catalog import control_of, lenders, text_encoders
from models.controlnets import controlnet
from models.embeddings import suits, widths_of
from models.findings import Findings
from models.first_look import PIPELINE, look_at_folder
from models.kinds import kind_of, misplaced
from models.loading import fit_bundled
from models.loose import text_encoder
from models.loras.origins import MADE_FOR, UNTOLD, origin
from models.places import Found
from models.prompted.from_file import part_family, prepared_file
from models.prompted.opening import READING, Opening, prepared
from models.safetensors_file import TAUGHT_NAME, Entry
from models.single_file import Brought, Contents, File, contents_of
from models.survey import survey
from models.weight_files import OURS, entries_in, opened_file

AS_IT_IS = PainterSpec()


class Sizes(NamedTuple):
    """parts: how many numbers each holds; linear: how many of them could be packed into four bits."""

    family: str
    parts: dict[str, int]
    linear: dict[str, int]


def sizes_of(found: Found, spec: PainterSpec = AS_IT_IS) -> Sizes:
    """Of a checkpoint as `spec` would have it opened: with what its file lacks, with the autoencoder that would be taken, and with the
    ControlNet. Raises CheckpointError."""
    if found.kind == "controlnet":
        lone = controlnet(found.path)
        with lone.opened() as alone:
            return Sizes(lone.title, {lone.part: _numbers(alone.entries)}, {})
    how = Opening(coder=partial(chosen, spec.vae, found.path, spec.profile), control=control_of(spec))
    if found.path.is_dir():
        return _of_folder(found.path, how)
    if why := misplaced(found):
        raise CheckpointError(why)
    with ExitStack() as files:
        file = files.enter_context(opened_file(found.path, TAUGHT_NAME))
        kind = kind_of(file)
        if found.kind == "vae":
            return Sizes(autoencoder(found.path).title, {"vae": _numbers(file.entries)}, {})
        if found.kind == "text encoder":
            return Sizes(text_encoder(found.path).title, {"text_encoder": _numbers(file.entries)}, {})
        if kind == "lora":
            made_for = origin(cast("Mapping[str, Entry]", file.entries), file.metadata)
            return Sizes(f"{MADE_FOR}{made_for or UNTOLD}", {"lora": _numbers(file.entries)}, {})
        if kind == "embedding":
            return Sizes(f"textual inversion for {suits(widths_of(file.entries, found.path))}", {"embedding": _numbers(file.entries)}, {})
        contents = contents_of(file, Findings())
        try:
            return _together(file, contents, files, how, spec.profile)
        except CheckpointError:  # which is said once somebody wants it opened
            own = {part: {name: file.entries[name] for name in piece.names.values()} for part, piece in contents.pieces.items()}
            return _counted(part_family(contents), own)


def _of_folder(folder: Path, how: Opening) -> Sizes:
    surveyed = survey(folder)
    look_at_folder(surveyed)  # what is refused by it when it is opened is known to be refused
    if surveyed.index["_class_name"] == PIPELINE:
        return _counted("bundled", {part: entries_in(folder / part, OURS) for part in fit_bundled(surveyed)})
    with ExitStack() as files:
        found = prepared(surveyed, files, folder.name, how=how)
        return _counted(found.family.name, {part: found.entries(part) for part in found.networks})


def _together(file: File, contents: Contents, files: ExitStack, how: Opening, profile: str | None) -> Sizes:
    """Of a file with what it lacks. Raises CheckpointError where something lacks that nobody has."""
    folders = lenders(profile) if contents.layout is None else []  # what is whole may be lent settings, which have no size
    found = prepared_file(Brought(file, contents, READING, Findings()), files, folders, how=how, words=text_encoders(profile))
    return _counted(found.family.name, {part: found.entries(part) for part in found.networks})


def _counted(family: str, held: Mapping[str, Mapping[str, Any]]) -> Sizes:
    return Sizes(family, {part: _numbers(entries) for part, entries in held.items()}, {part: linear_entries(entries) for part, entries in held.items()})


def _numbers(entries: Mapping[str, Any]) -> int:
    return sum(math.prod(entry.shape) for entry in entries.values())

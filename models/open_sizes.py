"""`models.sizes`, of all that is not of the bundled family."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from typing import cast

from engine.errors import CheckpointError
from engine.painter import PainterSpec
from models.autoencoders import autoencoder, chosen
from models.catalog import control_of, lenders, text_encoders
from models.controlnets import controlnet
from models.embeddings import suits, widths_of
from models.findings import Findings
from models.kinds import kind_of, misplaced
from models.loose import text_encoder
from models.loras.origins import MADE_FOR, UNTOLD, origin
from models.places import Found
from models.prompted.from_file import part_family, prepared_file
from models.prompted.opening import READING, Opening, prepared
from models.safetensors_file import TAUGHT_NAME, Entry
from models.single_file import Brought, Contents, File, contents_of
from models.sizes import Sizes, counted, numbers_in
from models.survey import Survey
from models.weight_files import opened_file


def open_sizes(found: Found, surveyed: Survey | None, spec: PainterSpec) -> Sizes:
    """As of `sizes_of`. surveyed: its folder, if it is one that holds a whole checkpoint. Raises CheckpointError."""
    if found.kind == "controlnet":
        lone = controlnet(found.path)
        with lone.opened() as alone:
            return Sizes(lone.title, {lone.part: numbers_in(alone.entries)}, {})
    how = Opening(coder=partial(chosen, spec.vae, found.path, spec.profile), control=control_of(spec))
    if surveyed is not None:
        with ExitStack() as files:
            folder = prepared(surveyed, files, found.path.name, how=how)
            return counted(folder.family.name, {part: folder.entries(part) for part in folder.networks})
    if why := misplaced(found):
        raise CheckpointError(why)
    with ExitStack() as files:
        file = files.enter_context(opened_file(found.path, TAUGHT_NAME))
        kind = kind_of(file)
        if found.kind == "vae":
            return Sizes(autoencoder(found.path).title, {"vae": numbers_in(file.entries)}, {})
        if found.kind == "text encoder":
            return Sizes(text_encoder(found.path).title, {"text_encoder": numbers_in(file.entries)}, {})
        if kind == "lora":
            made_for = origin(cast("Mapping[str, Entry]", file.entries), file.metadata)
            return Sizes(f"{MADE_FOR}{made_for or UNTOLD}", {"lora": numbers_in(file.entries)}, {})
        if kind == "embedding":
            return Sizes(f"textual inversion for {suits(widths_of(file.entries, found.path))}", {"embedding": numbers_in(file.entries)}, {})
        contents = contents_of(file, Findings())
        try:
            return _together(file, contents, files, how, spec.profile)
        except CheckpointError:  # which is said once somebody wants it opened
            own = {part: {name: file.entries[name] for name in piece.names.values()} for part, piece in contents.pieces.items()}
            return counted(part_family(contents), own)


def _together(file: File, contents: Contents, files: ExitStack, how: Opening, profile: str | None) -> Sizes:
    """Of a file with what it lacks. Raises CheckpointError where something lacks that nobody has."""
    folders = lenders(profile) if contents.layout is None else []  # what is whole may be lent settings, which have no size
    found = prepared_file(Brought(file, contents, READING, Findings()), files, folders, how=how, words=text_encoders(profile))
    return counted(found.family.name, {part: found.entries(part) for part in found.networks})

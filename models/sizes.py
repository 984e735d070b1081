"""How large the networks are that a checkpoint would be painted with, by headers and settings alone. Of the bundled family no more is taken in for
that than torch; what other families need takes three times as long again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from engine.painter import PainterSpec
from models.bits import linear_entries
from models.first_look import PIPELINE, look_at_folder
from models.loading import fit_bundled
from models.places import Found
from models.survey import Survey, survey
from models.weight_files import OURS, entries_in

AS_IT_IS = PainterSpec()


class Sizes(NamedTuple):
    """parts: how many numbers each holds; linear: how many of them could be packed into four bits."""

    family: str
    parts: dict[str, int]
    linear: dict[str, int]


def sizes_of(found: Found, spec: PainterSpec = AS_IT_IS) -> Sizes:
    """Of a checkpoint as `spec` would have it opened: with what its file lacks, with the autoencoder that would be taken, and with the
    ControlNet. Raises CheckpointError."""
    surveyed: Survey | None = None
    if found.kind != "controlnet" and found.path.is_dir():
        surveyed = survey(found.path)
        look_at_folder(surveyed)  # what is refused by it when it is opened is known to be refused
        if surveyed.index["_class_name"] == PIPELINE:
            return counted("bundled", {part: entries_in(found.path / part, OURS) for part in fit_bundled(surveyed)})
    from models.open_sizes import open_sizes

    return open_sizes(found, surveyed, spec)


def counted(family: str, held: Mapping[str, Mapping[str, Any]]) -> Sizes:
    """Of parts by their headers."""
    return Sizes(family, {part: numbers_in(entries) for part, entries in held.items()}, {part: linear_entries(entries) for part, entries in held.items()})


def numbers_in(entries: Mapping[str, Any]) -> int:
    """How many numbers a header tells of."""
    return sum(math.prod(entry.shape) for entry in entries.values())

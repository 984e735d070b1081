"""The LoRAs that are offered for the checkpoint that paints. To put one on or take it off is to have the same checkpoint painted
with others, by the swap that any other choice is."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

from engine.checkpoint_notes import CheckpointNotes
from engine.checkpoints import CheckpointFacts, lora_row, unlike
from engine.painter import PainterSpec

ON = "on"


class Wardrobe:
    """offered: names and paths; refused: by path, why the checkpoint that paints does not take it. Used by the window's thread.

    painting: what paints; notes: where it is kept which are on a checkpoint, and what each weighed last."""

    def __init__(self, painting: PainterSpec, notes: CheckpointNotes) -> None:
        self.offered: tuple[tuple[str, str], ...] = ()
        self.refused: dict[str, str] = {}
        self._notes, self._now = notes, painting
        self._painted = {painting.checkpoint: painting}  # by checkpoint, as it painted last
        self._rows: tuple[object, dict[str, str]] = None, {}

    def rows(self, spec: PainterSpec) -> dict[str, str]:
        """The path of each by the name of its row: what is offered, and what is on from elsewhere."""
        told = self.offered, spec.loras
        if self._rows[0] != told:
            rows = {lora_row(name): path for name, path in self.offered}
            here = {*map(os.path.abspath, rows.values())}
            for path in (path for path, _ in spec.loras if os.path.abspath(path) not in here):
                row = lora_row(os.path.basename(path))
                rows[row if row not in rows else lora_row(path)] = path
            self._rows = told, rows
        return self._rows[1]

    def changed(self, spec: PainterSpec, path: str) -> PainterSpec:
        """With it on, weighed as it was last on that checkpoint, or off where it is on."""
        if wears(spec, path):
            return replace(spec, loras=tuple((other, weight) for other, weight in spec.loras if not _same(path, other)))
        return self._notes.weighed(replace(spec, loras=(*spec.loras, (path, 1.0))), (*(True for _ in spec.loras), False))

    def spec_of(self, name: str, plain: Callable[[str], PainterSpec]) -> PainterSpec:
        """What to open for a checkpoint: as it painted last, else with what is kept of it; without what was put on here and is gone."""
        told = plain(name)
        spec = self._painted.get(name) or self._notes.dressed(told)
        return replace(spec, loras=tuple(pair for pair in spec.loras if wears(told, pair[0]) or os.path.isfile(pair[0])))

    def took_over(self, spec: PainterSpec) -> str:
        """It paints now. What is to be said of it, where LoRAs alone are others than before; else ""."""
        before, self._now = self._now, spec
        self._painted[spec.checkpoint] = spec
        if before.checkpoint != spec.checkpoint:
            self.refused.clear()
            return ""
        self._notes.keep_worn(spec.checkpoint, [path for path, _ in spec.loras])
        on, off = _listed(more(spec, before)), _listed(more(before, spec))
        return " ".join(filter(None, (on and f"{on} is on: Settings weigh it.", off and f"{off} is off.")))

    def refuse(self, spec: PainterSpec, why: str) -> str:
        """It was tried in the place of what paints, for its LoRAs; what is to be said."""
        new, old = more(spec, self._now), more(self._now, spec)
        self.refused |= dict.fromkeys(new, why)
        return f"{_listed(new)} is not put on: {why}" if new else f"{_listed(old)} stays on: {why}"

    def lost(self, name: str) -> None:
        """The checkpoint paints no more as it did last."""
        self._painted.pop(name, None)
        self._notes.keep_worn(name, [])

    def misfit(self, path: str, lora: CheckpointFacts | None, checkpoint: CheckpointFacts | None) -> str:
        """Why the checkpoint does not take it, as far as that is known before it is tried, or was tried; "" where nothing speaks
        against it."""
        if lora is not None and lora.why:
            return lora.why
        if checkpoint is not None and checkpoint.wears == "":
            return f"{checkpoint.name} takes no LoRAs; choose a checkpoint of another family"
        if lora is not None and checkpoint is not None and unlike(lora.wears, checkpoint.wears):
            return f"a {lora.family} does not fit {checkpoint.name}; give one made for it"
        return self.refused.get(path, "")


def wears(spec: PainterSpec, path: str) -> bool:
    return any(_same(path, other) for other, _ in spec.loras)


def more(spec: PainterSpec, before: PainterSpec) -> list[str]:
    """The LoRAs that are on in the one and not in the other."""
    return [path for path, _ in spec.loras if not wears(before, path)]


def _same(path: str, other: str) -> bool:
    return os.path.abspath(path) == os.path.abspath(other)


def _listed(paths: list[str]) -> str:
    return ", ".join(map(os.path.basename, paths))

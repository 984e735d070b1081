"""What is to be known of a checkpoint the next time it is opened: its LoRAs and their weights, and what it gave up where memory ran out.

One small file in the profile. A broken one is as good as none, and one that cannot be written costs only what it would have
said.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from engine.durable import replace_file
from engine.painter import PainterSpec

FILE = "checkpoints.json"
LARGEST = 10.0  # of a weight, as `--lora` takes it
MOST = 20  # things given up that are told, and LoRAs that are put on


@dataclass(frozen=True, slots=True)
class Short:
    """How a checkpoint came to paint when memory ran out. when: day and time, in words; plan and gave_up as a PainterInfo's."""

    when: str
    plan: str
    gave_up: tuple[str, ...]


class CheckpointNotes:
    """Of the profile's folder, by the names of checkpoints."""

    def __init__(self, profile: Path) -> None:
        self._path = profile / FILE

    def weights(self, checkpoint: str) -> dict[str, float]:
        """Of the checkpoint's LoRAs, by name, as they were last set."""
        told = self._of(checkpoint).get("weights")
        return {name: float(weight) for name, weight in told.items() if _sound(weight)} if isinstance(told, dict) else {}

    def keep_weights(self, checkpoint: str, weights: Mapping[str, float]) -> None:
        """Beside those of LoRAs that are not on it now."""
        self._keep(checkpoint, {"weights": {**self.weights(checkpoint), **weights}})

    def weighed(self, spec: PainterSpec, said: tuple[bool, ...]) -> PainterSpec:
        """The spec, its LoRAs weighed as they last were on that checkpoint. said: for each, whether the user says a weight now."""
        kept, pairs = self.weights(spec.checkpoint), zip(spec.loras, spec.weights, said, strict=True)
        return replace(spec, loras=tuple((path, weight if told else kept.get(name, weight)) for (path, weight), (name, _), told in pairs))

    def dressed(self, spec: PainterSpec) -> PainterSpec:
        """The spec with the LoRAs that were put on that checkpoint in the window and are still there, where it has none of its own."""
        told = self._of(spec.checkpoint).get("worn")
        names = [name for name in told[:MOST] if isinstance(name, str) and "\0" not in name] if isinstance(told, list) else []
        paths = [path for path in (str(self._path.parent / name) for name in names) if os.path.isfile(path)]
        return spec if spec.loras else self.weighed(replace(spec, loras=tuple((path, 1.0) for path in paths)), (False,) * len(paths))

    def keep_worn(self, checkpoint: str, paths: Sequence[str]) -> None:
        """Those within the profile by where they lie in it, so that it can be moved."""
        home = self._path.parent.absolute()
        whole = [Path(path).absolute() for path in paths]
        if paths or "worn" in self._of(checkpoint):
            self._keep(checkpoint, {"worn": [(path.relative_to(home) if path.is_relative_to(home) else path).as_posix() for path in whole]})

    def short(self, checkpoint: str) -> Short | None:
        """The last time that memory ran out for it; None where it never did."""
        told = self._of(checkpoint).get("short")
        if not isinstance(told, dict) or not isinstance(told.get("gave_up"), list):
            return None
        return Short(str(told.get("when", "")), str(told.get("plan", "")), tuple(map(str, told["gave_up"][:MOST])))

    def keep_short(self, checkpoint: str, plan: str, gave_up: tuple[str, ...]) -> None:
        when = datetime.now().strftime("%Y-%m-%d %H:%M")
        self._keep(checkpoint, {"short": {"when": when, "plan": plan, "gave_up": list(gave_up)}})

    def _of(self, checkpoint: str) -> dict[str, Any]:
        return self._read().get(checkpoint, {})

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            found = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return {name: told for name, told in found.items() if isinstance(told, dict)} if isinstance(found, dict) else {}

    def _keep(self, checkpoint: str, told: dict[str, Any]) -> None:
        every = self._read()
        every[checkpoint] = {**every.get(checkpoint, {}), **told}
        with suppress(OSError):
            replace_file(self._path, (json.dumps(every, indent=1) + "\n").encode())


def _sound(weight: Any) -> bool:
    return type(weight) in (int, float) and math.isfinite(weight) and abs(weight) <= LARGEST

"""What `bench tune` found for a checkpoint on this machine: kept in the profile, taken where the user says nothing else."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from engine.durable import replace_file
from engine.painter import PainterSpec

FILE = "tuned.json"


@dataclass(frozen=True)
class Tuned:
    """steps, dtype, threads and least_crop as of a PainterSpec; full_ms, letter_ms: what a whole frame and a typed letter took
    with them; target_ms: what was asked for of the whole frame."""

    steps: int
    dtype: str
    threads: int | None
    least_crop: int | None
    full_ms: float
    letter_ms: float
    target_ms: float

    def applied(self, spec: PainterSpec) -> PainterSpec:
        """The spec, where it leaves open what was found."""
        return replace(
            spec,
            steps=self.steps if spec.steps is None else spec.steps,
            dtype=self.dtype if spec.dtype == "auto" else spec.dtype,
            threads=self.threads if spec.threads is None else spec.threads,
            least_crop=self.least_crop if spec.least_crop is None else spec.least_crop,
        )


def key_of(sha256: str, device: str, spec: PainterSpec) -> str:
    """What a finding holds for. device: its name, as a PainterInfo has it."""
    return f"{sha256} {device} {spec.mode} {spec.size[0]}x{spec.size[1]}"


def remember(profile: Path, key: str, found: Tuned) -> None:
    """Keep a finding in the profile's folder. Raises OSError."""
    kept = _read(profile)
    replace_file(profile / FILE, (json.dumps({**kept, key: asdict(found)}, indent=1) + "\n").encode())


def recall(profile: Path, key: str) -> Tuned | None:
    """What was found, if anything was; a broken file is as good as none: tuning can be done again."""
    try:
        found = Tuned(**_read(profile)[key])
    except (KeyError, TypeError):
        return None
    whole = [found.steps, *(n for n in (found.threads, found.least_crop) if n is not None)]
    sound = isinstance(found.dtype, str) and all(type(n) is int and 1 <= n <= 4096 for n in whole)
    return found if sound else None


def _read(profile: Path) -> dict[str, dict[str, Any]]:
    try:
        found = json.loads((profile / FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return {key: value for key, value in found.items() if isinstance(value, dict)} if isinstance(found, dict) else {}

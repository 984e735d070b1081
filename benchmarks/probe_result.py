"""The form of what `pixelos models probe` finds, as the results folder takes it.

`python -m benchmarks.probe_result FILE.json ...` says whether files somebody sent are of that form; without files it writes the form's
schema beside the results.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from benchmarks.result_forms import read_form, write_schema
from engine.errors import InputError

SCHEMA = Path(__file__).parent / "results" / "probe.schema.json"
PARTS = ("safety", "equality", "untouched", "legibility", "demo", "latency")


class Form(BaseModel):
    """No name that is not known, no number that is none."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Part(Form):
    """One thing that was looked at. why: of what failed or could not be looked at; figures: what was found."""

    state: Literal["done", "failed", "not reached"]
    why: str = Field(default="", max_length=1000)
    seconds: float = Field(default=0.0, ge=0)
    figures: dict[str, Any] = {}


class Probed(Form):
    """What painted. loras: name, SHA-256 and weight of each."""

    name: str = Field(max_length=200)
    family: str
    sha256: str = Field(pattern=r"^([0-9a-f]{64})?$")
    parameters: int = Field(ge=0)
    device: str = ""
    dtype: str = ""
    steps: int = 0
    loras: list[dict[str, Any]] = []


class ProbeResult(Form):
    """The whole document. size: width, height."""

    pixelos_probe: Literal[1] = 1
    checkpoint: Probed
    machine: dict[str, Any]
    mode: Literal["guided", "dream"]
    size: tuple[int, int]
    seed: int
    parts: dict[Literal["safety", "equality", "untouched", "legibility", "demo", "latency"], Part]


def read_result(path: Path) -> ProbeResult:
    """Raises InputError, naming the place, for a file that is not of the form."""
    return read_form(ProbeResult, path, "models probe")


def main(arguments: list[str]) -> int:
    if not arguments:
        write_schema(ProbeResult, SCHEMA)
    try:
        for path in arguments:
            found = read_result(Path(path))
            print(f"{path}: {found.checkpoint.name}, {found.checkpoint.family}, " + ", ".join(f"{n} {p.state}" for n, p in found.parts.items()))
    except InputError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

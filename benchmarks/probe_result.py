"""The form of what `pixelos models probe` finds, as the results folder takes it.

`python -m benchmarks.probe_result FILE.json ...` says whether files somebody sent are of that form.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.errors import InputError

LARGEST = 2**20  # bytes of one file
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
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(f"{path} is larger than {LARGEST >> 20} MB; no result is")
        return ProbeResult.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        raise InputError(f"{path} is no result of models probe: {where}: {first['msg']}; probe again, and send the file as it is") from error


def main(arguments: list[str]) -> int:
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

"""The form of what `pixelos bench` writes, so that files from other machines can be believed, and its schema:
`python -m benchmarks.result_forms` writes it beside the results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from engine.errors import InputError

SCHEMA = Path(__file__).parent / "results" / "bench.schema.json"
VERSION = 2
LARGEST = 2**22  # bytes of one file
Read = TypeVar("Read", bound=BaseModel)
Milliseconds = Annotated[float, Field(ge=0, le=1e7)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0)]


class Form(BaseModel):
    """Numbers are finite; what is not known is allowed, for later versions will say more."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False, strict=False)


class Gpu(Form):
    name: str
    driver: str
    vram_gb: float


class Machine(Form):
    system: str
    cpu: str
    cores: int
    torch: str
    instructions: str = ""  # the widest that torch takes of the processor's
    gpus: list[Gpu]


class Checkpoint(Form):
    name: str
    family: str
    sha256: str
    device: str
    dtype: str


class Scenario(Form):
    """wanders: by how much the halves differ, 0 where that is little; times: of each event, in order."""

    p50: Milliseconds
    p95: Milliseconds
    p99: Milliseconds
    max: Milliseconds
    painted: Count
    cached: Count
    skipped: Count
    dirty_share: Annotated[float, Field(ge=0, le=1)]
    stages: dict[str, Milliseconds]
    wanders: float = 0.0
    times: list[Milliseconds] = []


class Cost(Form):
    """by_damage: [share, ms] each; crops: the share that was computed for each; by_size: [width, height, ms] each; the spread of each: how
    far the middle half of its paints lies apart, as a share."""

    by_damage: list[Annotated[list[float], Field(min_length=2, max_length=2)]]
    crops: list[Share] = []
    by_size: list[Annotated[list[float], Field(min_length=3, max_length=3)]]
    damage_spread: list[Share] = []
    size_spread: list[Share] = []
    disturbed: list[str] = []

    @model_validator(mode="after")
    def _of_one_length(self) -> Cost:
        if self.damage_spread and len(self.damage_spread) != len(self.by_damage):
            raise ValueError("damage_spread and by_damage are of different lengths")
        return self


class Technique(Form):
    """One column of the trace that was played several ways. gain: how many times as fast as `stock`; spread: the lowest and the
    highest of its rounds."""

    name: str
    ms: Milliseconds
    p95: Milliseconds
    gain: float
    spread: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    typing_ms: Milliseconds | None = None  # the mean while a sentence is typed

    def beside(self, other: Technique | None) -> str:
        """How many times as fast as another; "no difference" where their rounds overlap, "" where it is not known how far these lay apart."""
        if other is None or other.spread is None or self.spread is None or other.name == self.name:
            return ""
        if self.spread[0] <= other.spread[1] and other.spread[0] <= self.spread[1]:
            return "no difference"
        return f"{self.gain / other.gain:.2f}x"


class Played(Form):
    """How the trace was played. rounds: that count; in_turns: whether they took turns in each, all of them or as many as could be held at once, always with the stock call; else one came after the other."""

    rounds: Count
    in_turns: bool
    disturbed: list[str] = []

    def __str__(self) -> str:
        how = "in turns with the stock call, each time in another order" if self.in_turns else "one way after the other"
        return f"{self.rounds} round{'s' * (self.rounds != 1)} after one unseen, {how}"


class Conditions(Form):
    """What was seen meanwhile: clocks are the lowest and the highest, of a processor once one number alone."""

    background_cores: float | None = None
    cpu_mhz: list[float] | float | None = None
    gpu_clock_mhz: list[float] | None = None
    gpu_temperature_c: float | None = None
    gpu_held_back: bool | None = None


class Bench(Form):
    """A result of `pixelos bench`."""

    pixelos_bench: Annotated[int, Field(ge=VERSION, le=VERSION)]
    title: Annotated[str, Field(max_length=300)]
    machine: Machine
    checkpoint: Checkpoint
    random_weights: bool
    mode: str
    size: Annotated[list[int], Field(min_length=2, max_length=2)]
    steps: int
    threads: int | None = None  # of a painter on a CPU
    seed: int
    quick: bool
    scenarios: Annotated[dict[str, Scenario], Field(min_length=1)]
    left_out: list[str] = []  # what the time of --quick did not suffice for
    cold_start_s: float
    first_frame_s: float | None = None
    compile_s: float | None = None
    compiler: str = ""
    ready_s: float | None = None
    readiness: str = ""
    stage_clock: str = "host"
    peak_rss_mb: float
    peak_vram_mb: float | None = None
    energy_j: float | None = None
    conditions: Conditions | None = None
    cost: Cost | None = None
    side_by_side: list[Technique] = []
    played: Played | None = None  # the trace, by those
    disturbed: list[str] = []

    @property
    def noise(self) -> list[str]:
        """Why what was measured is not this machine at its best, of all parts."""
        parts = {"": self.disturbed, "cost: ": self.cost.disturbed if self.cost else [], "the trace: ": self.played.disturbed if self.played else []}
        return [part + why for part, whys in parts.items() for why in whys]


def read_bench(path: Path) -> Bench:
    """A result file. Raises InputError, saying where, for anything else."""
    return read_form(Bench, path, "pixelos bench")


def read_form(form: type[Read], path: Path, by: str) -> Read:
    """A file of that form. by: which command writes such files. Raises InputError, saying where, for anything else."""
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(f"{path} is larger than {LARGEST >> 20} MB, as no result of {by} is; leave it out")
        return form.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; give a file that {by} wrote") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path} is no result of {by}: {where or 'it'}: {first['msg']}; measure again, or leave it out") from error


def write_schema(form: type[BaseModel], path: Path) -> None:
    """The form as JSON Schema, for those who write such files elsewhere."""
    path.write_text(json.dumps(form.model_json_schema(), indent=1) + "\n")


if __name__ == "__main__":
    write_schema(Bench, SCHEMA)

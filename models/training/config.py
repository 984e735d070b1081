"""What a training run is asked to do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from engine.errors import InputError

CONFIG, RECIPE = "config.json", "recipe.json"  # in the output folder: what the run, or the recipe, was last asked to do
CHECKPOINT = "checkpoint"  # the folder there in which it leaves one
ROWS = 5  # of a denoiser's blocks; `models.layers` names them, but takes torch in
SHAPES = {"blocks": (8, "1,0,0,1,2"), "inner": (512, "24,0,0,16,32")}  # what is told of each row of a denoiser's blocks: at most, and an example
PARTS = ("painter", "dreamer", "lora")
_STREAM = ("part", "seed", "data", "crops", "side", "guide_dropped", "pool", "lanes")  # what decides which crops are met


@dataclass(frozen=True)
class TrainConfig:
    """out: folder for everything; part: what is taught, the painter (denoiser and context encoder) or the dreamer; init: folder of a checkpoint to start from; updates: optimiser steps in all;
    minutes: end the schedule after this long even if fewer updates were done (0: no limit), earlier sittings included;
    blocks: residual blocks of the painter's denoiser, in each of its five rows, if not as many as `init` or a new one has; inner: channels
    within those of each row, likewise, 0 for as many as outside;
    crops, side: crops an update and their side in pixels, for each process; rate: the highest learning rate;
    guide_dropped: share of the moments' crops that are learned without a guide; data: what
    models.datasets.source.open_source understands; pool: shots kept at hand by each process, over all its lanes; lanes:
    streams of crops that take turns; prefetch: each lane draws in a worker process of its own, ahead of time (the same
    crops as without); forced: last share of the schedule with the network's own previous frames; save_every,
    look_every: updates between two saves, and between two looks at held-out screens; device: auto, cpu or cuda; of a
    LoRA, family: what `init` must be of, rank, and style: the words that everything is learned under, "" for each shot's own."""

    out: Path
    part: str = "painter"
    init: Path | None = None
    resume: bool = False
    updates: int = 6000
    minutes: float = 0.0
    crops: int = 32
    side: int = 64
    rate: float = 8e-4
    guide_dropped: float = 0.9
    seed: int = 0
    data: str = "synthetic"
    pool: int = 240
    threads: int | None = None
    lanes: int = 1
    prefetch: bool = False
    forced: float = 0.2
    save_every: int = 100
    look_every: int = 500
    device: str = "auto"
    family: str = ""
    rank: int = 16
    blocks: Sequence[int] = ()
    inner: Sequence[int] = ()
    style: str = ""


BUDGETS: dict[str, dict[str, Any]] = {
    "cpu": {"updates": 60_000, "minutes": 480.0, "crops": 32, "pool": 240},
    "gpu": {"updates": 20_000, "minutes": 28.0, "crops": 256, "pool": 640, "lanes": 8, "prefetch": True, "save_every": 500},
}

LORA_BUDGETS: dict[str, dict[str, Any]] = {  # of a LoRA: larger crops, as a prompted painter takes them, and fewer
    "cpu": {"updates": 1500, "crops": 1, "side": 256, "pool": 120, "rate": 1e-4, "look_every": 250},
    "gpu": {"updates": 2000, "crops": 4, "side": 256, "pool": 240, "rate": 1e-4, "lanes": 4, "prefetch": True, "look_every": 250},
}

ANSWERING: dict[str, dict[str, Any]] = {  # beside BUDGETS, of a painter that is to answer events itself: as many pixels, in crops that show far around an event
    "cpu": {"crops": 4, "side": 192},
    "gpu": {"crops": 28, "side": 192},
}


def budgets(part: str, data: str) -> dict[str, dict[str, Any]]:
    """By name, what a part is usually given that learns from this."""
    from models.datasets.source import has_recordings  # which takes a while to take in

    if part == "lora":
        return LORA_BUDGETS
    answers = has_recordings(data)
    return {name: {**usual, **(ANSWERING[name] if answers else {})} for name, usual in BUDGETS.items()}


def check(config: TrainConfig) -> TrainConfig:
    """The config itself, if it can be meant. Raises InputError."""
    least = {"updates": 1, "crops": 1, "pool": 1, "lanes": 1, "save_every": 1, "look_every": 1, "minutes": 0, "seed": 0, "rank": 1}
    for name, lowest in least.items():
        if not getattr(config, name) >= lowest:
            raise InputError(f"{name} {getattr(config, name)} cannot be; give at least {lowest}")
    if config.part not in PARTS:
        raise InputError(f"--part {config.part!r} cannot be taught; say {' or '.join(PARTS)}")
    for name, (most, such) in SHAPES.items():
        numbers = getattr(config, name)
        if numbers and config.part != "painter":
            raise InputError(f"--{name} is the painter's; leave it out")
        if numbers and (len(numbers) != ROWS or not all(0 <= number <= most for number in numbers)):
            raise InputError(f"--{name} {','.join(map(str, numbers))} cannot be; give {ROWS} numbers from 0 to {most}, such as {such}")
    if config.side < 16 or config.side % 16:
        raise InputError(f"side {config.side} cannot be; give a multiple of 16")
    for name in ("guide_dropped", "forced"):
        if not 0 <= getattr(config, name) <= 1:
            raise InputError(f"{name.replace('_', '-')} {getattr(config, name)} cannot be; give a share from 0 to 1")
    if not 0 < config.rate < 1:
        raise InputError(f"rate {config.rate} cannot be; give a learning rate between 0 and 1, for example 8e-4")
    return config


def usual_guide_dropped(config: TrainConfig) -> float:
    """The share where none was said: none where a dreamer stays beside the painter, for then a guide is always given, the user's or the
    dreamer's. Beside what has learned from a program without guides none stays (`models.training.lessons.Painting`)."""
    from models.datasets.source import has_recordings  # which takes a while to take in

    dreams = config.init is not None and (config.init / "dreamer").is_dir() and not has_recordings(config.data)
    return 0.0 if dreams else TrainConfig.guide_dropped


def as_json(config: TrainConfig) -> str:
    return json.dumps(asdict(config), default=str, indent=2) + "\n"


def begun_with(out: Path) -> dict[str, Any]:
    """The settings the run in `out` was last asked for, of the names that are known today; empty where there are none.

    Raises InputError for a file that is not what a run leaves.
    """
    path = out / CONFIG
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}); delete it and give the options again") from error
    if not isinstance(found, dict):
        raise InputError(f"{path} does not hold a run's settings; delete it and give the options again")
    here = {field.name for field in fields(TrainConfig)} - {"out", "resume"}
    known = {key: value for key, value in found.items() if key in here}
    return {**known, "init": Path(known["init"]) if known.get("init") else None, **{name: tuple(known.get(name, ())) for name in SHAPES}}


def changes(config: TrainConfig, begun: dict[str, Any]) -> list[str]:
    """Which of the settings that decide the crops are not those the run was begun with, in words."""
    now = asdict(config)
    return [f"{name} {begun[name]} -> {now[name]}" for name in _STREAM if name in begun and begun[name] != now[name]]

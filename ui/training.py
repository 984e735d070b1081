"""`pixelos train`: what was said on the command line, made into a run."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.errors import InputError
from ui.measuring import say
from ui.options import Choice
from ui.progress import line_progress

_INSTEAD = {"checkpoint": "; --init names the weights to start from"}


def train_to(
    choice: Choice, out: Path, resume: bool, init: str | None, budget: str | None, said: dict[str, Any]
) -> None:
    """Train into `out`. said: TrainConfig's fields as given, None where nothing was.

    A run that is taken up again keeps what it was begun with, but for what is said anew. Raises InputError.
    """
    from models.training.config import begun_with

    settings = begun_with(out) if resume else {}
    if said["family"] is not None and "part" not in settings:
        said["part"] = said["part"] or "lora"  # nothing else has a family to choose
    part = said["part"] or settings.get("part", "painter")
    for name in ("family", "rank"):
        if said[name] is not None and part != "lora":
            raise InputError(f"--{name} is a LoRA's; leave it out, or say --lora")
    device = _meant(choice, part)
    from models.catalog import look_at, resolve
    from models.training.config import SHAPES, TrainConfig, check, usual_guide_dropped

    usual = _budgets(part, said["data"] or settings.get("data", TrainConfig.data), budget)
    said |= {name: _counts(name, said[name], such) for name, (_, such) in SHAPES.items()}
    told = {"seed": choice.seed, "device": choice.device, "style": choice.style, **said, "init": resolve(init, str(choice.folder())) if init else None}
    settings |= usual[budget] if budget else {}
    settings |= {name: value for name, value in told.items() if value is not None}
    check(config := TrainConfig(out, **settings))
    settings.setdefault("guide_dropped", usual_guide_dropped(config))
    if settings.get("init"):
        look_at(settings["init"])
    from models.training.loop import train, usual_budget

    if not resume:
        settings = {**usual[budget or usual_budget(device)], **settings}
    with line_progress() as tell:
        folder = train(check(TrainConfig(out, resume=resume, **settings)), say, tell)
    if os.environ.get("RANK", "0") == "0":  # one of several processes speaks
        print(f"the checkpoint is in {folder}" if part != "lora" else _lora_said(next(folder.glob("*.safetensors"))))


def recipe_there(out: Path) -> bool:
    """Whether `out` holds a recipe, and not a run."""
    from models.training.config import RECIPE

    return (out / RECIPE).is_file()


def recipe_to(choice: Choice, out: Path, name: str | None, resume: bool, budget: str | None, said: dict[str, Any]) -> None:
    """Follow a recipe into `out`; one that is taken up again is as it was begun, but for what is said anew. said: as of `train_to`. Raises
    InputError."""
    from models.training.config import TrainConfig
    from models.training.recipe import follow, recipe_begun, recipe_of

    for option, value in said.items():
        if value is not None and option not in ("updates", "minutes"):
            raise InputError(f"--{option.replace('_', '-')} is the recipe's to say; leave it out, or leave --recipe out")
    device = _meant(choice)
    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise InputError("a recipe is followed by one process; with several, give its runs one after the other, as docs/training.md has them")
    usual = _budgets("painter", TrainConfig.data, budget)
    recipe = recipe_begun(out) if resume else recipe_of(name or "", {})
    if name not in (None, recipe.name):
        raise InputError(f"{out} holds the recipe {recipe.name}, not {name}; leave --recipe out, or give another --out")
    told = {**said, "seed": choice.seed, "device": choice.device}
    given = {key: value for key, value in told.items() if value is not None}
    recipe = replace(recipe, settings={**recipe.settings, **(usual[budget] if budget else {}), **given})
    recipe.configs(out)
    from models.training.loop import usual_budget

    if not resume:
        recipe = replace(recipe, settings={**usual[budget or usual_budget(device)], **recipe.settings})
    with line_progress() as tell:
        folder = follow(recipe, out, resume, say, tell)
    print(f"the checkpoint is in {folder}")


def _meant(choice: Choice, part: str = "painter") -> str:
    """The device, if all that was said of what commands share means something to a training. Raises InputError."""
    choice.only(("device", "seed", *(("style",) if part == "lora" else ())), "train", _INSTEAD)
    device = choice.device or "auto"
    if ":" in device:
        raise InputError(f"--device {device}: choose the GPU with CUDA_VISIBLE_DEVICES={device.partition(':')[2]}")
    return device


def _budgets(part: str, data: str, budget: str | None) -> dict[str, dict[str, Any]]:
    """Those of a part, if the one that is named is among them. Raises InputError."""
    from models.training.config import budgets

    usual = budgets(part, data)
    if budget is not None and budget not in usual:
        raise InputError(f"--budget {budget!r} is not known; use one of {', '.join(usual)}")
    return usual


def _counts(name: str, text: str | None, such: str) -> tuple[int, ...] | None:
    """Whole numbers between commas. Raises InputError."""
    try:
        return None if text is None else tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"--{name} {text!r} cannot be; give whole numbers with commas between them, such as {such}") from None


def _lora_said(path: Path) -> str:
    return f"the LoRA is {path}; paint with it by --lora {path}, or keep it with pixelos models add {path}: F2 in the window then puts it on"

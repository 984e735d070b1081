"""Recipes: runs one after the other, each in a folder of its own. The first begins from nothing, each other with what the one before it left.

    OUT/recipe.json               what was asked for, and which stages are over
    OUT/painter/, OUT/dreamer/    what each run leaves; the checkpoint of the last one is what came of it all
    OUT/stop, OUT/lock            as of a run
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from engine.durable import replace_file
from engine.errors import InputError
from models.training.config import CHECKPOINT, RECIPE, TrainConfig, check
from models.training.stopping import STOP


@dataclass(frozen=True)
class Stage:
    """name: of its folder; share: of the updates and minutes of the whole; settings: of TrainConfig, beside those that all stages share."""

    name: str
    share: float
    settings: Mapping[str, Any]


RECIPES: dict[str, tuple[Stage, ...]] = {
    "bundled": (
        Stage("painter", 0.6, {"data": "desktops:2,screens:1", "guide_dropped": 0.0, "rate": 8e-4}),
        Stage("dreamer", 0.4, {"part": "dreamer", "rate": 6e-4}),  # which first learns its book by counting, beside its time
    ),
}


@dataclass(frozen=True)
class Recipe:
    """name: of RECIPES; settings: of TrainConfig, for all stages, updates and minutes of the whole; over: the stages that are."""

    name: str
    settings: Mapping[str, Any]
    over: Sequence[str] = ()

    def configs(self, out: Path) -> list[TrainConfig]:
        """What each stage is asked to do. Raises InputError for what cannot be meant."""
        found: list[TrainConfig] = []
        whole = check(TrainConfig(out, **self.settings))
        for stage in RECIPES[self.name]:
            updates, minutes = max(round(whole.updates * stage.share), 1), whole.minutes * stage.share
            init = found[-1].out / CHECKPOINT if found else None
            found.append(check(replace(whole, out=out / stage.name, init=init, updates=updates, minutes=minutes, **stage.settings)))
        return found


def recipe_of(name: str, settings: Mapping[str, Any]) -> Recipe:
    """A recipe of that name, not yet begun. Raises InputError where there is none."""
    if name not in RECIPES:
        raise InputError(f"--recipe {name!r} is not known; there is {', '.join(RECIPES)}")
    return Recipe(name, settings)


def recipe_begun(out: Path) -> Recipe:
    """The one that goes on in `out`. Raises InputError where there is none, or its file is not what a recipe leaves."""
    path = out / RECIPE
    if not path.is_file():
        raise InputError(f"no recipe to resume in {out}: there is no {RECIPE}; leave --resume or --recipe out")
    try:
        found = json.loads(path.read_text("utf-8"))
        known = {field.name for field in fields(TrainConfig)}
        settings = {name: value for name, value in found["settings"].items() if name in known}
        return replace(recipe_of(found["recipe"], settings), over=tuple(found["over"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} cannot be read ({error}); begin anew with another --out") from error


def follow(
    recipe: Recipe, out: Path, resume: bool, say: Callable[[str], None], tell: Callable[[float, str], None] | None = None
) -> Path:  # fmt: skip
    """Run the stages that are not over, each until its schedule ends; the folder of the newest checkpoint. A stop file in `out` or in the
    stage's folder ends it all for now, and so does a signal.

    say, tell and what is raised: as of `train`.
    """
    from models.training.loop import train
    from models.training.run import over
    from models.training.state import claimed, has_state

    configs, before = recipe.configs(out), 0.0
    with claimed(out, resume):
        if not resume and (there := next((config.out for config in configs if has_state(config.out)), None)):
            raise InputError(f"{there} holds another run; give another --out, or move it away")
        (out / STOP).unlink(missing_ok=True)  # one from before is not meant for this
        _keep(recipe, out)
        for stage, config in zip(RECIPES[recipe.name], configs, strict=True):
            if stage.name not in recipe.over:
                say(f"{stage.name}: {config.out}")
                train(replace(config, resume=has_state(config.out)), say, _of_all(tell or _to(say), stage, before), within=out)
                if not over(config) or (out / STOP).exists():
                    break
                recipe = replace(recipe, over=(*recipe.over, stage.name))
                _keep(recipe, out)
            before += stage.share
        (out / STOP).unlink(missing_ok=True)
    return config.out / CHECKPOINT


def _to(say: Callable[[str], None]) -> Callable[[float, str], None]:
    return lambda share, line: say(line)


def _of_all(tell: Callable[[float, str], None], stage: Stage, before: float) -> Callable[[float, str], None]:
    """Of a stage's progress, that of the whole."""
    return lambda share, line: tell(before + stage.share * share, f"{stage.name}: {line}")


def _keep(recipe: Recipe, out: Path) -> None:
    from models.training.state import told

    record = {"recipe": recipe.name, "settings": dict(recipe.settings), "over": list(recipe.over)}
    with told(out):
        replace_file(out / RECIPE, (json.dumps(record, indent=2) + "\n").encode())

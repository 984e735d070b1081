"""`pixelos train`: what was said on the command line, made into a run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from engine.errors import InputError
from ui.measuring import say
from ui.options import Choice
from ui.progress import line_progress

_MEANINGLESS = ("checkpoint", "lora", "mode", "size", "style", "steps", "dtype")  # of the shared options, to a training


def train_to(
    choice: Choice, out: Path, resume: bool, init: str | None, budget: str | None, said: dict[str, Any]
) -> None:
    """Train into `out`. said: TrainConfig's fields as given, None where nothing was.

    A run that is taken up again keeps what it was begun with, but for what is said anew. Raises InputError.
    """
    for name in _MEANINGLESS:
        if getattr(choice, name) is not None:
            instead = "; --init names the weights to start from" if name == "checkpoint" else ""
            raise InputError(f"--{name} means nothing to train; leave it out{instead}")
    device = choice.device or "auto"
    if ":" in device:
        raise InputError(f"--device {device}: choose the GPU with CUDA_VISIBLE_DEVICES={device.partition(':')[2]}")
    from models.catalog import resolve
    from models.training.config import BUDGETS, TrainConfig, begun_with, check

    if budget is not None and budget not in BUDGETS:
        raise InputError(f"--budget {budget!r} is not known; use one of {', '.join(BUDGETS)}")
    told = {"seed": choice.seed, "device": choice.device, **said, "init": resolve(init, str(choice.folder())) if init else None}
    settings = begun_with(out) if resume else {}
    settings |= BUDGETS[budget] if budget else {}
    settings |= {name: value for name, value in told.items() if value is not None}
    check(TrainConfig(out, **settings))
    from models.training.loop import train, usual_budget

    if not resume:
        settings = {**BUDGETS[budget or usual_budget(device)], **settings}
    with line_progress() as tell:
        folder = train(check(TrainConfig(out, resume=resume, **settings)), say, tell)
    if os.environ.get("RANK", "0") == "0":  # one of several processes speaks
        print(f"the checkpoint is in {folder}")

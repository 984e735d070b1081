"""Trains a checkpoint of the bundled family. One command on a CPU, a GPU, or several.

The run knows of updates and of time; what is drawn is in `stream`, what is scored in `objective`, what is kept in
`state`. Each update is a pure function of the weights, the seed and its number, so that on a CPU a run that was killed
and taken up again ends in the very weights of one that was not.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from accelerate import Accelerator

from models.devices import device_of
from models.training.config import BUDGETS, CHECKPOINT, TrainConfig, check
from models.training.run import Run, Tell
from models.training.state import claimed
from models.training.stopping import Stopping
from models.training.stream import Stream

__all__ = ["BUDGETS", "TrainConfig", "train", "usual_budget"]


def train(config: TrainConfig, say: Callable[[str], None] = print, tell: Tell | None = None, within: Path | None = None) -> Path:
    """Run until the updates, the minutes, a stop file or a signal; returns the folder of the trained checkpoint.

    tell: takes each line of progress with the share of the run that is done; without it `say` takes the line. within: a
    folder whose stop file ends the run, too. Raises
    InputError for a config that cannot be meant or an output folder that does not fit it, CheckpointError for what
    cannot be started from, PixelOSError if the run cannot go on; and after a signal, once all is saved, what that
    signal means. Of several processes the main one speaks and saves.
    """
    check(config)
    if config.threads:
        torch.set_num_threads(config.threads)
    cuda = config.device != "cpu" and device_of(config.device).type == "cuda"
    accelerator = Accelerator(cpu=not cuda, mixed_precision="bf16" if cuda else "no")
    stream = Stream(config, accelerator.process_index)
    stream.source  # noqa: B018 - what is wrong with it is told before anything else is done
    with Stopping(config.out, within) as stopping:
        if accelerator.is_main_process:
            with claimed(config.out, config.resume):
                stopping.forget()
                Run(config, accelerator, stream, stopping, say, tell or (lambda share, line: say(line))).go()
        else:
            Run(config, accelerator, stream, stopping, _silent, lambda share, line: None).go()
        if accelerator.num_processes > 1:
            accelerator.end_training()
    stopping.leave()
    return config.out / CHECKPOINT


def usual_budget(device: str) -> str:
    """The name of the budget for a device. Raises CheckpointError where it is not there."""
    return "gpu" if device_of(device).type == "cuda" else "cpu"


def _silent(line: str) -> None:
    """One process speaks for all."""

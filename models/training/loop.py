"""Trains a checkpoint of the bundled family on the synthetic source. One command on a CPU, a GPU, or several.

Saves as it goes and resumes from its own output: weights, averaged weights, optimiser, random states, progress. A file
named `stop` in the output folder ends the run cleanly.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from diffusers.training_utils import EMAModel
from torch import Tensor

from engine.errors import InputError
from models.datasets.source import open_source
from models.loading import save_bundled
from models.training.networks import networks_from
from models.training.objective import Batch, batch_of, corrupt, loss_of
from models.training.pool import ShotPool
from models.training.sheet import sample_sheet

SAVE_EVERY = 100  # updates
SHEET_EVERY = 500


@dataclass(frozen=True)
class TrainConfig:
    """out: folder for everything; init: folder of a checkpoint to start from; updates: optimiser steps in all;
    minutes: end the schedule after this long even if fewer updates were done (0: no limit); crops, side: crops a
    step and their side in pixels; guide_dropped: share of the moments' crops that are learned without a guide."""

    out: Path
    init: Path | None = None
    resume: bool = False
    updates: int = 6000
    minutes: float = 0.0
    crops: int = 32
    side: int = 64
    rate: float = 8e-4
    guide_dropped: float = 0.9
    seed: int = 0
    data: str = "synthetic"  # what models.datasets.source.open_source understands
    pool: int = 240
    threads: int | None = None


BUDGETS: dict[str, dict[str, Any]] = {
    "cpu": {"updates": 6000, "crops": 32, "side": 64, "pool": 240},
    "gpu": {"updates": 20000, "crops": 256, "side": 64, "pool": 600},
}


class Progress:
    """What must survive a kill beside the weights: updates done, seconds spent, the source's random state."""

    def __init__(self, seed: int) -> None:
        self.done = 0
        self.seconds = 0.0
        self.rng = np.random.default_rng(seed)
        self.noise = torch.Generator().manual_seed(seed)

    def state_dict(self) -> dict[str, Any]:
        return {"done": self.done, "seconds": self.seconds, "rng": json.dumps(self.rng.bit_generator.state),
                "noise": self.noise.get_state()}  # fmt: skip

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.done, self.seconds = state["done"], state["seconds"]
        self.rng.bit_generator.state = json.loads(state["rng"])
        self.noise.set_state(state["noise"])


def train(config: TrainConfig, say: Callable[[str], None] = print) -> Path:
    """Run until the updates, the minutes or a stop file; returns the folder of the trained checkpoint."""
    if config.threads:
        torch.set_num_threads(config.threads)
    accelerator = Accelerator(cpu=not torch.cuda.is_available(), mixed_precision="bf16" if torch.cuda.is_available() else "no")
    set_seed(config.seed)
    networks = networks_from(config.init).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(networks.parameters(), lr=config.rate, weight_decay=0.01, betas=(0.9, 0.98))
    averaged = EMAModel(networks.parameters(), decay=0.999, use_ema_warmup=True, power=0.75)
    networks, optimiser = accelerator.prepare(networks, optimiser)
    averaged.to(accelerator.device)
    progress = Progress(config.seed + accelerator.process_index)
    accelerator.register_for_checkpointing(progress, averaged)
    state = config.out / "state"
    if config.resume:
        if not state.is_dir():
            raise InputError(f"nothing to resume in {config.out}: there is no {state}; leave --resume out")
        accelerator.load_state(str(state))
    config.out.mkdir(parents=True, exist_ok=True)
    (config.out / "config.json").write_text(json.dumps(asdict(config), default=str, indent=2) + "\n")
    _run(config, accelerator, networks, optimiser, averaged, progress, say)
    return config.out / "checkpoint"


def _run(
    config: TrainConfig, accelerator: Accelerator, networks: Any, optimiser: Any, averaged: EMAModel,
    progress: Progress, say: Callable[[str], None],
) -> None:  # fmt: skip
    pool = ShotPool(progress.rng, open_source(config.data), pool=config.pool)
    last, first = monotonic(), progress.done
    smooth = 0.0
    while _left(config, progress) > 0 and not (config.out / "stop").exists():
        share = 1 - _left(config, progress)
        for group in optimiser.param_groups:
            group["lr"] = config.rate * min(1.0, (progress.done + 1) / 100) * (0.5 + 0.5 * math.cos(math.pi * share))
        crops = pool.draw(config.crops, config.side)
        loss = _step(batch_of(crops, progress.rng, config.guide_dropped), accelerator, networks, optimiser, progress)
        averaged.step(networks.parameters())
        smooth = loss if progress.done == first else 0.98 * smooth + 0.02 * loss
        now = monotonic()
        progress.seconds, last = progress.seconds + now - last, now
        progress.done += 1
        if progress.done % 20 == 0:
            say(_line(config, progress, smooth))
        if progress.done % SAVE_EVERY == 0:
            _save(config, accelerator, networks, averaged, progress, sheet=progress.done % SHEET_EVERY == 0)
    _save(config, accelerator, networks, averaged, progress, sheet=True)


def _left(config: TrainConfig, progress: Progress) -> float:
    """Share of the run that is left, by updates or by time, whichever is less."""
    left = 1 - progress.done / config.updates
    if config.minutes:
        left = min(left, 1 - progress.seconds / (60 * config.minutes))
    return max(left, 0.0)


def _step(batch: Batch, accelerator: Accelerator, networks: Any, optimiser: Any, progress: Progress) -> float:
    noisy, previous, level = corrupt(batch, progress.noise)
    device = accelerator.device
    batch = Batch(**{name: value.to(device) for name, value in vars(batch).items()})
    with accelerator.autocast():
        predicted = networks(_last(noisy).to(device), _last(previous).to(device), batch, level.to(device))
        loss = loss_of(predicted, batch)
    optimiser.zero_grad()
    accelerator.backward(loss)
    accelerator.clip_grad_norm_(networks.parameters(), 1.0)
    optimiser.step()
    return float(loss.detach())


def _save(
    config: TrainConfig, accelerator: Accelerator, networks: Any, averaged: EMAModel, progress: Progress, sheet: bool
) -> None:
    """State to resume from, and the averaged weights as a checkpoint that can be opened at once."""
    if not accelerator.is_main_process:
        return
    accelerator.save_state(str(config.out / "state"))
    averaged.store(networks.parameters())
    averaged.copy_to(networks.parameters())
    plain = accelerator.unwrap_model(networks)
    save_bundled(config.out / "checkpoint", plain.denoiser, plain.encoder, torch.float16)
    if sheet:
        sample_sheet(plain.denoiser, plain.encoder).save(config.out / f"sheet_{progress.done:06d}.png")
    averaged.restore(networks.parameters())


def _line(config: TrainConfig, progress: Progress, loss: float) -> str:
    rate = progress.done / max(progress.seconds, 1e-9)
    left = min((config.updates - progress.done) / rate, _left(config, progress) * 60 * (config.minutes or 1e9))
    return (
        f"update {progress.done}/{config.updates}  loss {loss:.4f}  {rate * config.crops:.0f} crops/s  "
        f"{left / 60:.0f} min left"
    )


def _last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)

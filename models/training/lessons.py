"""What a run can teach: the painter (denoiser and context encoder) or the dreamer, while the other part stays as it is;
or a LoRA of an open checkpoint.

A lesson knows the networks, what they learn from, and how they are scored; a run knows of updates and of time.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from engine.errors import InputError
from models.datasets.source import has_recordings, open_source
from models.denoiser import FARTHER
from models.dreaming.dreamer import Dreamer
from models.loading import BundledCheckpoint, load_bundled, plain_config, save_bundled
from models.training.config import SHAPES, TrainConfig
from models.training.dream_batch import DreamBatch, dream_batch, dream_crop
from models.training.dream_book import book_of
from models.training.dream_looks import DreamLooks
from models.training.dream_objective import dream_loss
from models.training.dreams import MOMENTS, REUSED, open_dreams
from models.training.forcing import begun, own_previous
from models.training.heldout import HeldOut, held_out, paint
from models.training.looks import Looks
from models.training.networks import Networks, networks_from
from models.training.objective import Batch, batch_of, corrupt, loss_of
from models.training.pool import Draw, ShotPool, crop_of

REHEARSED = 70_001  # the seed of the screens that a painter is measured on; others than those that are held out
SESSIONS = 4  # moments at hand for each shot that a painter would have
Source = Callable[[np.random.Generator], list[Any]]  # draws what is learned from, a few a time


class Lesson(Protocol):
    """networks: what is taught, see `Networks.forms`."""

    networks: Any

    def loss(self, called: nn.Module, batch: Any, share: float, generator: torch.Generator) -> Tensor:
        """Of one batch, `share` of the schedule being over. called: the networks, as the launcher wrapped them."""
        ...

    def save(self, folder: Path, twin: Any) -> None:
        """Write a whole checkpoint with these networks in it."""
        ...

    def rehearse(self, twin: Any) -> None:
        """Have these networks do what they are for, always the same, that it can be measured."""
        ...

    def looks(self, out: Path, source: Source) -> Any:
        """What looks at the networks now and then."""
        ...


class Painting:
    """The painter, from shots of a source."""

    def __init__(self, config: TrainConfig, forms: dict[str, Any] | None) -> None:
        self.config = config
        answers = has_recordings(config.data)  # a dreamer knows no program but ours: the denoiser is to answer
        usual: Mapping[str, Sequence[int]] = FARTHER if answers else {}
        asked = {name: getattr(config, name) or usual.get(name, ()) for name in SHAPES}
        self.networks = networks_from(config.init, asked) if forms is None else Networks.of_forms(forms)
        init = None if answers else config.init
        self._dreamer = load_bundled(init, init.name).dreamer if init else None

    def loss(self, called: nn.Module, batch: Batch, share: float, generator: torch.Generator) -> Tensor:
        device = batch.clean.device
        if begun(share, self.config.forced):
            batch = own_previous(self.networks, batch, generator)
        with torch.device(device):
            noisy, previous, level = corrupt(batch, generator)
        return loss_of(called(noisy, previous, batch, level), batch)

    def save(self, folder: Path, twin: Networks) -> None:
        save_bundled(folder, twin.denoiser, twin.encoder, torch.float16, self._dreamer)

    def rehearse(self, twin: Networks) -> None:
        paint(twin.denoiser, twin.encoder, self._screens)

    @cached_property
    def _screens(self) -> list[HeldOut]:
        return held_out(REHEARSED)

    def looks(self, out: Path, source: Source) -> Looks:
        return Looks(out, source)


class Taught(nn.Module):
    """A dreamer that is called with a batch and answers with its loss."""

    def __init__(self, dreamer: Dreamer) -> None:
        super().__init__()
        self.dreamer = dreamer

    def forward(self, batch: DreamBatch, generator: torch.Generator) -> Tensor:
        return dream_loss(self.dreamer, batch, generator)

    def forms(self) -> dict[str, dict[str, Any]]:
        """What it was made with."""
        return {"dreamer": plain_config(self.dreamer.config)}

    def twin(self) -> Taught:
        return Taught(copy.deepcopy(self.dreamer))


class Dreaming:
    """The dreamer, from moments of sessions; beside a painter that is there already."""

    def __init__(self, config: TrainConfig, forms: dict[str, Any] | None) -> None:
        init = _beside(config)
        self._beside: BundledCheckpoint = load_bundled(init, init.name)
        dreamer = Dreamer(**forms["dreamer"]) if forms else self._beside.dreamer or Dreamer()
        dreamer.book = book_of(config)
        self.networks = Taught(dreamer.train().requires_grad_(True))

    def loss(self, called: nn.Module, batch: DreamBatch, share: float, generator: torch.Generator) -> Tensor:
        return called(batch, generator)  # type: ignore[no-any-return]

    def save(self, folder: Path, twin: Taught) -> None:
        save_bundled(folder, self._beside.denoiser, self._beside.context_encoder, torch.float16, twin.dreamer)

    def rehearse(self, twin: Taught) -> None:
        """A batch of moments has all of it."""

    def looks(self, out: Path, source: Source) -> DreamLooks:
        return DreamLooks(out, source)


def _adapting(config: TrainConfig, forms: dict[str, Any] | None) -> Lesson:
    from models.training.adapting import Adapting  # with all the libraries that open checkpoints need

    return Adapting(config, forms)


LESSONS: dict[str, Callable[[TrainConfig, dict[str, Any] | None], Lesson]] = {"painter": Painting, "dreamer": Dreaming, "lora": _adapting}


def source_of(config: TrainConfig) -> Source:
    """What a run draws from. Raises InputError for data that its part cannot learn from."""
    if config.part != "dreamer":
        return open_source(config.data)
    make = open_dreams(config.data)
    _beside(config)  # before a book is learned, which takes minutes
    return partial(make, book=book_of(config))


def _beside(config: TrainConfig) -> Path:
    """The checkpoint whose painter a dreamer learns beside. Raises InputError."""
    if config.init is None:
        raise InputError("a dreamer learns beside a painter; say whose: --init bundled, or a checkpoint's folder")
    return config.init


def pool_of(config: TrainConfig, seed: tuple[int, ...], source: Source) -> ShotPool:
    """What is at hand for one of the lanes. Moments of a dreamer are light, and a session gives many of them."""
    size = config.pool // config.lanes
    if config.part != "dreamer":
        return ShotPool(source, seed, size)
    return ShotPool(source, seed, SESSIONS * size, config.crops / REUSED, MOMENTS)


def drawing_of(config: TrainConfig) -> Draw:
    """How crops are taken, and made a batch."""
    if config.part == "painter":
        return Draw(lambda shot, rng: crop_of(shot, config.side, rng), lambda crops, rng: batch_of(crops, rng, config.guide_dropped))
    if config.part == "lora":
        from models.training.adapting import pair_batch

        return Draw(lambda shot, rng: crop_of(shot, config.side, rng), pair_batch)
    return Draw(dream_crop, dream_batch)

"""The batches of a run: a pure function of (seed, process, update), drawn here or ahead of time in worker processes.

A process's batches come from `lanes` streams that take turns, each with its own pool of shots. With prefetch each lane
lives in a worker of its own; the batches are the same, whoever draws them and wherever a run is taken up again.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from torch.utils.data import DataLoader, Dataset

from models.training.config import TrainConfig
from models.training.lessons import Source, drawing_of, pool_of, source_of
from models.training.pool import ShotPool


class Stream(Dataset[Any]):
    """What process number `process` learns from; `stream[update]` is that update's batch."""

    def __init__(self, config: TrainConfig, process: int = 0) -> None:
        self.config = config
        self.process = process

    def __getitem__(self, update: int) -> Any:
        pool, turn = self._pools[update % self.config.lanes], update // self.config.lanes
        how = drawing_of(self.config)
        return how.batch(pool.draw(turn, self.config.crops, how.crop), pool.generator(turn, use=1))

    def fill(self, update: int) -> Iterator[int]:
        """Draw the shots at hand at `update`, yielding after each draw how many are still to come for its lane."""
        yield from self._pools[update % self.config.lanes].fill(update // self.config.lanes)

    def from_update(self, update: int) -> Iterator[Any]:
        """The batches of `update` and all that follow."""
        if not self.config.prefetch:
            return map(self.__getitem__, range(update, self.config.updates))
        return iter(DataLoader(
            self, batch_size=None, sampler=range(update, self.config.updates), num_workers=self.config.lanes,
            multiprocessing_context="spawn", worker_init_fn=_ignore_interrupts,
        ))  # fmt: skip

    @cached_property
    def _pools(self) -> list[ShotPool]:
        config = self.config
        seeds = [(config.seed, self.process, lane) for lane in range(config.lanes)]
        return [pool_of(config, seed, self.source) for seed in seeds]

    @cached_property
    def source(self) -> Source:
        """Opened where it is used: a source need not be able to travel to a worker. Raises InputError."""
        return source_of(self.config)


def _ignore_interrupts(worker: int) -> None:
    """Ctrl-C goes to every process of a terminal; the one that trains decides when it is over."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

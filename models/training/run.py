"""One run: draw, corrupt, predict, step; tell, look and save now and then."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from time import monotonic
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, set_seed
from diffusers.training_utils import EMAModel

from engine.durable import replace_file
from engine.errors import InputError, PixelOSError
from models.eight_bits import kept_ranges, measurable
from models.training.config import CHECKPOINT, CONFIG, TrainConfig, as_json, begun_with, changes
from models.training.lessons import LESSONS, Lesson
from models.training.metrics import Metrics, in_words
from models.training.state import load_state, replace_folder, save_state, told
from models.training.stopping import Stopping
from models.training.stream import Stream

TELL_EVERY = 20  # updates
WARM_UP = 100  # updates until the learning rate has risen
Tell = Callable[[float, str], None]


@dataclass
class Position:
    """Where a run is: updates done, seconds spent in all sittings, the smoothed loss."""

    done: int = 0
    seconds: float = 0.0
    loss: float = math.nan

    def share(self, config: TrainConfig) -> float:
        """How much of the schedule is over, by updates or by time, whichever is more."""
        timed = self.seconds / (60 * config.minutes) if config.minutes else 0.0
        return min(max(self.done / config.updates, timed), 1.0)


def over(config: TrainConfig) -> bool:
    """Whether the schedule of the run in its folder is. Raises InputError where there is none."""
    return Position(**load_state(config.out, lambda line: None)["position"]).share(config) >= 1


class Run:
    """The networks, their optimiser and their average, from the update they are at on."""

    def __init__(
        self, config: TrainConfig, accelerator: Accelerator, stream: Stream, stopping: Stopping,
        say: Callable[[str], None], tell: Tell,
    ) -> None:  # fmt: skip
        """Begin anew, or take up what is in the output folder. Raises InputError, CheckpointError."""
        self.config, self.accelerator, self.stream, self.stopping = config, accelerator, stream, stopping
        self.say, self.tell = say, tell
        set_seed(config.seed % 2**32)
        taken_up = load_state(config.out, say) if config.resume else None
        self.lesson = _lesson(config, taken_up)
        self.plain = self.lesson.networks.to(memory_format=torch.channels_last)
        optimiser = torch.optim.AdamW(self.plain.parameters(), lr=config.rate, weight_decay=0.01, betas=(0.9, 0.98))
        on_gpu = accelerator.device.type == "cuda"  # where many small sums cost more than few large ones
        self.averaged = EMAModel(self.plain.parameters(), decay=0.999, use_ema_warmup=True, power=0.75, foreach=on_gpu)
        self.position = Position()
        if taken_up is not None:
            self._take_up(taken_up, optimiser)
        self.networks, self.optimiser = accelerator.prepare(self.plain, optimiser)
        self.averaged.to(accelerator.device)
        self._clock = monotonic()
        self._last: Any = None  # the last batch

    def go(self) -> None:
        """Train to the end of the schedule, or until asked to stop; all is saved then. Raises PixelOSError."""
        config, position = self.config, self.position
        self._open()
        self._told = (position.done, position.seconds)
        for left in () if config.prefetch else self.stream.fill(position.done):
            if self.stopping.asked:
                break
            if left and left % 10 == 0:
                self.say(f"drawing the first shots, {left} more times")
        batches = self.stream.from_update(position.done)
        while self._goes_on():
            self._update(next(batches), position.share(config))
            if position.done % TELL_EVERY == 0:
                self._line()
            look = position.done % config.look_every == 0
            if look or position.done % config.save_every == 0:
                self._save(look)
        if self._last is not None or position.share(config) == 1 or not (config.out / CHECKPOINT).exists():
            self._save(look=self.stopping.signal is None)
        if position.share(config) < 1:
            self.say(f"stopped at update {position.done}, all is saved; go on with --resume")

    def _goes_on(self) -> bool:
        """Whether another update is due. All processes answer as the main one does."""
        now = monotonic()
        self.position.seconds, self._clock = self.position.seconds + now - self._clock, now
        word: list[Any] = [self.position.seconds, self.stopping.asked]
        if self.accelerator.num_processes > 1:
            broadcast_object_list(word)
        self.position.seconds, stop = word
        return not stop and self.position.share(self.config) < 1

    def _update(self, batch: Any, share: float) -> None:
        """One step of the optimiser on one batch. Raises PixelOSError where the loss is no number any more."""
        position = self.position
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate(share)
        batch = self._there(batch)
        generator = torch.Generator(self.accelerator.device).manual_seed(self._seed())
        with self.accelerator.autocast():
            loss = self.lesson.loss(self.networks, batch, share, generator)
        self.optimiser.zero_grad()
        self.accelerator.backward(loss)
        norm = self.accelerator.clip_grad_norm_(self.networks.parameters(), 1.0)
        if not math.isfinite(float(norm)):
            raise PixelOSError(
                f"the training diverged at update {position.done}; take the last state up with a lower rate: "
                f"--resume --rate {self.config.rate / 2:g}"
            )
        self._last = batch
        self.optimiser.step()
        self.averaged.step(self.networks.parameters())
        now = float(loss.detach())
        position.loss = now if math.isnan(position.loss) else 0.98 * position.loss + 0.02 * now
        position.done += 1

    def _there(self, batch: Any) -> Any:
        """A batch where the networks are."""
        return type(batch)(**{name: value.to(self.accelerator.device) for name, value in vars(batch).items()})

    def _rate(self, share: float) -> float:
        """The learning rate: a short rise, then half a cosine down to nothing."""
        rise = min(1.0, (self.position.done + 1) / WARM_UP)
        return self.config.rate * rise * (0.5 + 0.5 * math.cos(math.pi * share))

    def _seed(self) -> int:
        """Of the noise of this update, in this process."""
        words = [self.config.seed, self.accelerator.process_index, self.position.done]
        return int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0])

    def _line(self) -> None:
        """Say how it goes."""
        config, position = self.config, self.position
        done, seconds = position.done - self._told[0], position.seconds + monotonic() - self._clock
        pace = done / max(seconds - self._told[1], 1e-9)  # updates a second, of late
        self._told = (position.done, seconds)
        crops = pace * config.crops * self.accelerator.num_processes
        left = (config.updates - position.done) / pace
        if config.minutes:
            left = min(left, config.minutes * 60 - seconds)
        if self.accelerator.is_main_process:
            share = position.share(config)
            with told(config.out):
                self.metrics.add({"update": position.done, "seconds": round(seconds, 2), "loss": position.loss,
                                  "rate": self._rate(share), "crops_per_s": round(crops, 2)})  # fmt: skip
            self.tell(share, f"update {position.done}/{config.updates}  loss {position.loss:.4f}  {crops:.0f} crops/s  "
                             f"{max(left, 0) / 60:.0f} min left")  # fmt: skip

    def _open(self) -> None:
        """Make sure the output folder takes what will be written, before anything is spent."""
        config = self.config
        if not self.accelerator.is_main_process:
            return
        if config.resume and (other := changes(config, begun_with(config.out))):
            self.say(f"goes on with other settings than before: {', '.join(other)}")
        with told(config.out):
            replace_file(config.out / CONFIG, as_json(config).encode())
            if not config.resume:
                self._keep()
            self.metrics = Metrics(config.out, self.position.done)
        self.looks = self.lesson.looks(config.out, self.stream.source)
        if config.init and not config.resume:
            self._look()

    def _save(self, look: bool) -> None:
        """The state to go on from, and the averaged weights as a checkpoint that can be opened at once."""
        if not self.accelerator.is_main_process:
            return
        with told(self.config.out):
            self._keep()
            twin = self._twin()
            self._measure(twin)
            replace_folder(
                self.config.out / CHECKPOINT, lambda folder: self.lesson.save(folder, twin)
            )
        if look:
            self._look()

    @torch.no_grad()
    def _measure(self, twin: Any) -> None:
        """What the last batch, and what the lesson rehearses, give the averaged networks' layers, so that they can paint in eight
        bits: a batch alone has too few of what is rare."""
        if self._last is None and self.position.done:  # killed right before its end, or taken up once more
            self._last = self._there(self.stream[self.position.done - 1])
        if self._last is not None and measurable(twin):
            with kept_ranges(twin):
                self.lesson.loss(twin, self._last, 0.0, torch.Generator(self.accelerator.device).manual_seed(self._seed()))
                self.lesson.rehearse(twin)

    def _look(self) -> None:
        """Paint what is held out, and draw the plots."""
        twin = self._twin().eval()
        with told(self.config.out):
            line = self.looks.look(twin, self.position.done)
            self.metrics.add({"update": self.position.done, "seconds": round(self.position.seconds, 2), **line})
            self.metrics.draw()
        self.say(f"update {self.position.done}: {in_words(line)}")

    def _twin(self) -> Any:
        """The averaged networks, beside those that learn."""
        twin = self.plain.twin()
        self.averaged.copy_to(twin.parameters())
        return twin

    def _keep(self) -> None:
        state = {"forms": self.plain.forms(), "networks": self.plain.state_dict(), "averaged": self.averaged.state_dict(),
                 "optimiser": self.optimiser.state_dict(), "position": asdict(self.position)}  # fmt: skip
        save_state(self.config.out, self.position.done, state)

    def _take_up(self, state: dict[str, Any], optimiser: torch.optim.Optimizer) -> None:
        try:
            self.plain.load_state_dict(state["networks"])
            self.averaged.load_state_dict(state["averaged"])
            optimiser.load_state_dict(state["optimiser"])
            self.position = replace(self.position, **state["position"])
        except (RuntimeError, KeyError, TypeError, ValueError) as error:
            raise _other_shape(self.config) from error


def _lesson(config: TrainConfig, taken_up: dict[str, Any] | None) -> Lesson:
    """What the run starts from. Raises CheckpointError or InputError for what is not of today's form."""
    try:
        return LESSONS[config.part](config, None if taken_up is None else taken_up["forms"])
    except RuntimeError as error:
        raise InputError(f"--init {config.init} has networks of another shape than today's; start from another") from error
    except (KeyError, TypeError) as error:
        raise _other_shape(config) from error


def _other_shape(config: TrainConfig) -> InputError:
    return InputError(
        f"the state in {config.out} is of networks of another shape; begin a new run from its weights: "
        f"--init {config.out / CHECKPOINT} --out another folder"
    )


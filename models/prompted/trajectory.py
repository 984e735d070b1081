"""A sampler's whole run as a table of numbers, read off the library's own scheduler.

Between two calls of the denoiser a scheduler only adds what it has seen so far, each with its own weight: samples,
predictions, fresh noise. Those weights are measured once, by sending unit impulses through the scheduler. Painting is
then a few sums: the same for every scheduler, for a crop as for the frame, with noise that is given from outside.
"""

from __future__ import annotations

import copy
import inspect
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.errors import CheckpointError
from models.families import Family

SILENT = 256  # elements that get no impulse: what comes out there is noise alone
NEAR = 2e-3  # how far a scheduler may be off the sums, in a run of random numbers of size one


@dataclass(frozen=True)
class Trajectory:
    """n steps. timesteps, scale: (n,), what the denoiser is told and what its input is multiplied with.

    start: weights of the image's latents and of the noise in the first sample. samples, outputs: (n, n), the weights of
    samples and predictions 0..i in sample i + 1; fresh: (n,), the weight of noise drawn at step i, 0 where none is.
    noised: (n,), the share of the clean latents' variance in what the denoiser sees; predicts: of what its prediction is,
    as of the scheduler's `prediction_type`.
    """

    timesteps: Tensor
    scale: Tensor
    start: tuple[float, float]
    samples: Tensor
    outputs: Tensor
    fresh: tuple[float, ...]
    noised: Tensor | None = None
    predicts: str = "epsilon"

    def clean(self, step: int, sample: Tensor, output: Tensor) -> Tensor:
        """What a step's prediction takes the clean latents to be: for a look in between, the path does not need it."""
        if self.noised is None or self.predicts == "sample":
            return output if self.predicts == "sample" else sample
        kept = self.noised[step].to(sample)
        seen, left, rest = sample * self.scale[step].to(sample), kept.sqrt(), (1 - kept).sqrt()
        return left * seen - rest * output if self.predicts == "v_prediction" else (seen - rest * output) / left

    def next(self, step: int, samples: list[Tensor], outputs: list[Tensor], noise: Tensor | None) -> Tensor:
        """Sample step + 1 from all samples and predictions so far, and the step's noise where it takes any."""
        total = torch.zeros_like(samples[0])
        for weights, tensors in ((self.samples[step], samples), (self.outputs[step], outputs)):
            for weight, tensor in zip(weights.tolist(), tensors, strict=False):
                if weight:
                    total = total + weight * tensor
        return total if noise is None else total + self.fresh[step] * noise


def stock_path(pipeline: Any, family: Family, steps: int) -> Trajectory:
    """The stock pipeline's timesteps for so many calls of the denoiser, and what happens between them. Raises CheckpointError."""
    scheduler, strength = pipeline.scheduler, family.strength
    if family.distilled and "strength" not in inspect.signature(scheduler.set_timesteps).parameters:
        raise CheckpointError(f"a {family.title} is painted with LCMScheduler, not with {type(scheduler).__name__}; name that in model_index.json and in scheduler_config.json")
    stock = family.stock_steps(steps)
    scheduler.set_timesteps(stock, **({"strength": strength} if family.distilled else {}))
    timesteps = scheduler.timesteps
    if stock > steps:
        timesteps, _ = pipeline.get_timesteps(stock, strength, "cpu")
    return trajectory(scheduler, timesteps, family.edits)


def trajectory(scheduler: Any, timesteps: Tensor, from_noise: bool) -> Trajectory:
    """Of a scheduler whose timesteps are set; timesteps: those of them that are taken, (n,).

    from_noise: start from noise alone. Raises CheckpointError for a scheduler that does more than add.
    """
    timesteps = timesteps.cpu()
    count = len(timesteps)
    samples, outputs = torch.zeros(count, 2 * count + SILENT), torch.zeros(count, 2 * count + SILENT)
    samples[:, :count], outputs[:, count : 2 * count] = torch.eye(count), torch.eye(count)
    scale, after, noise = _run(scheduler, timesteps, samples, outputs)
    fresh = []
    for i in range(count):
        silent, drawn = after[i, 2 * count :], noise[i, 2 * count :]
        fresh.append(float(silent @ drawn / (drawn @ drawn)) if drawn.any() else 0.0)
    weights = after - torch.tensor(fresh)[:, None] * noise
    weights = torch.where(weights.abs() < 1e-6, 0.0, weights)
    found = Trajectory(
        timesteps, scale, _start(scheduler, timesteps, from_noise), weights[:, :count], weights[:, count : 2 * count],
        tuple(fresh), scheduler.alphas_cumprod[timesteps.round().long()].float(), scheduler.config.prediction_type,
    )  # fmt: skip
    _check(scheduler, found)
    return found


def _run(scheduler: Any, timesteps: Tensor, samples: Tensor, outputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(input scales (n,), samples after each step (n, m), noise drawn in each step (n, m))."""
    scheduler = copy.deepcopy(scheduler)
    generator = torch.Generator().manual_seed(1)
    named = inspect.signature(scheduler.step).parameters
    takes = {key: value for key, value in (("generator", generator), ("eta", 0.0)) if key in named}  # eta: the pipelines' own
    scales, after, noise = [], [], []
    for t, sample, output in zip(timesteps, samples, outputs, strict=True):
        shape = (1, 1, 1, samples.shape[1])
        scales.append(scheduler.scale_model_input(torch.ones(1, 1, 1, 1), t).flatten()[0])
        before = generator.get_state()
        result = scheduler.step(output.view(shape), t, sample.view(shape), **takes, return_dict=False)[0]
        drawn = torch.zeros(shape)
        if not torch.equal(before, generator.get_state()):
            drawn = torch.randn(shape, generator=torch.Generator().set_state(before))
        after.append(result.flatten())
        noise.append(drawn.flatten())
    return torch.stack(scales), torch.stack(after), torch.stack(noise)


def _start(scheduler: Any, timesteps: Tensor, from_noise: bool) -> tuple[float, float]:
    if from_noise:
        return 0.0, float(scheduler.init_noise_sigma)
    unit = torch.eye(2).view(2, 1, 1, 1, 2)
    mixed = copy.deepcopy(scheduler).add_noise(unit[0], unit[1], timesteps[:1]).flatten()
    return float(mixed[0]), float(mixed[1])


def _check(scheduler: Any, found: Trajectory) -> None:
    """Send random numbers through both."""
    generator = torch.Generator().manual_seed(2)
    count = len(found.timesteps)
    samples, outputs = (torch.randn(count, SILENT, generator=generator) for _ in range(2))
    _, after, noise = _run(scheduler, found.timesteps, samples, outputs)
    for i in range(count):
        ours = found.next(i, list(samples[: i + 1]), list(outputs[: i + 1]), noise[i])
        if not torch.allclose(ours, after[i], atol=NEAR, rtol=NEAR):
            raise CheckpointError(
                f"the scheduler {type(scheduler).__name__} does more than add in step {i + 1} (it clips or thresholds); "
                "take that out of scheduler_config.json, or name another scheduler there"
            )

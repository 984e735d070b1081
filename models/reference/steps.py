"""Being told of every step that a stock pipeline takes, and stopping it there."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

BFLOAT16 = ("ZImageOmniPipeline",)  # hand their autoencoder bfloat16, whatever it computes in
Report = Callable[[int, int], None]  # (steps done, steps in all); what it raises ends the pipeline's call


class _Bar:
    """Stands in for a pipeline's progress bar."""

    def __init__(self, report: Report, steps: int) -> None:
        self._report, self._steps, self._done = report, steps, 0

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is held."""

    def update(self) -> None:
        self._done += 1
        self._report(self._done, self._steps)


@contextmanager
def watched(pipeline: Any, report: Report) -> Iterator[dict[str, Any]]:
    """What to call the pipeline with so that it reports; one that takes no callback reports through its progress bar."""
    if "callback_on_step_end" in inspect.signature(type(pipeline).__call__).parameters:

        def stepped(pipeline: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            report(step + 1, pipeline.num_timesteps)
            return tensors

        yield {"callback_on_step_end": stepped}
        return
    pipeline.progress_bar = lambda total: _Bar(report, total)
    try:
        yield {}
    finally:
        del pipeline.progress_bar


def encode_in_own_format(pipeline: Any) -> None:
    """Have a pipeline's autoencoder take what it is handed in the number format that it is in."""
    vae = pipeline.vae
    encode = vae.encode
    vae.encode = wraps(encode)(lambda pixels, *given, **named: encode(pixels.to(vae.dtype), *given, **named))

"""Whether more sampling steps are worth it: `python -m benchmarks.sampling_steps [--checkpoint NAME] [--out FILE.json]`.

Held-out screens, one a style, painted from an empty frame with the guide in 1, 2, 4 and 8 steps, float32 on a CPU; PSNR to the source's
own frames, style by style and on average. Prints JSON.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.machine import machine_facts
from benchmarks.result_file import leave, with_out
from models.catalog import resolve
from models.likeness import psnr
from models.loading import load_bundled
from models.pipeline import PixelOSPipeline
from models.training.heldout import SIZE, HeldOut, held_out

STEPS = (1, 2, 4, 8)


def by_style(pipeline: PixelOSPipeline, shots: Sequence[HeldOut], steps: int) -> dict[str, float]:
    """dB of each screen, painted in so many steps."""
    found = {}
    for shot in shots:
        frame = pipeline(shot.context, shot.guide, None, shot.verbatim, shot.forms, num_inference_steps=steps, output_type="np").images[0]
        found[shot.name] = psnr(np.asarray(frame), shot.frame)
    return found


def compared(name: str) -> dict[str, Any]:
    """The whole result, of a checkpoint of the bundled family. Raises CheckpointError."""
    checkpoint, shots = load_bundled(resolve(name), name), held_out()
    pipeline = PixelOSPipeline(checkpoint.denoiser, checkpoint.context_encoder)
    found = {steps: by_style(pipeline, shots, steps) for steps in STEPS}
    return {
        "machine": machine_facts(), "checkpoint": name, "sha256": checkpoint.sha256, "dtype": str(pipeline.denoiser.dtype).removeprefix("torch."),
        "size": list(SIZE), "mean_psnr_db_by_steps": {str(steps): round(float(np.mean([*of.values()])), 3) for steps, of in found.items()},
        "psnr_db_by_style": {shot.name: {str(steps): round(of[shot.name], 2) for steps, of in found.items()} for shot in shots},
    }  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", default="bundled")
    given = with_out(parser).parse_args()
    leave(compared(given.checkpoint), given.out)

"""Whether more sampling steps are worth it: `python -m benchmarks.sampling_steps [--checkpoint NAME] [--out FILE.json]`.

Held-out screens, one a style, painted from an empty frame with the guide in 1, 2, 4 and 8 steps, float32 on a CPU; PSNR to the source's
own frames, style by style and on average; and how far textures are from the source's, apart from all that has an edge. Prints JSON.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.machine import machine_facts
from benchmarks.result_file import leave, with_out
from models.catalog import resolve
from models.likeness import psnr
from models.loading import load_bundled
from models.pipeline import PixelOSPipeline
from models.training.heldout import SIZE, HeldOut, held_out

STEPS = (1, 2, 4, 8)
AWAY = 4  # pixels from all that the guide draws: what is there is ground
Frames = dict[str, np.ndarray]


def painted(pipeline: PixelOSPipeline, shots: Sequence[HeldOut], steps: int) -> Frames:
    """Each screen by its style, painted in so many steps: uint8 (H, W, 3)."""
    called = ((shot, pipeline(shot.context, shot.guide, None, shot.verbatim, shot.forms, num_inference_steps=steps, output_type="np")) for shot in shots)
    return {shot.name: np.asarray(out.images[0]) for shot, out in called}


def by_style(frames: Frames, shots: Sequence[HeldOut]) -> dict[str, float]:
    """dB of each screen."""
    return {shot.name: psnr(frames[shot.name], shot.frame) for shot in shots}


def textured(shot: HeldOut) -> np.ndarray:
    """Where the guide is of one colour around a pixel and the source's frame is not, bool (H, W): wallpaper, grain, weave."""
    ground = ~_varies(shot.guide, AWAY) & (shot.verbatim == 0)
    return ground & _varies(shot.frame, 1)


def _varies(pixels: np.ndarray, away: int) -> np.ndarray:
    """Whether any pixel so near is of another colour, bool (H, W)."""
    planes = torch.from_numpy(pixels).permute(2, 0, 1).float()
    most, least = (F.max_pool2d(sign * planes, 2 * away + 1, 1, away) * sign for sign in (1, -1))
    return (most != least).any(0).numpy()


def off_texture(frames: Frames, shots: Sequence[HeldOut]) -> float:
    """Grey levels by which textures are off, the mean over all their pixels and channels."""
    apart = [np.abs(frames[shot.name][where].astype(int) - shot.frame[where]).ravel() for shot in shots for where in [textured(shot)]]
    return float(np.concatenate(apart).mean())


def compared(name: str) -> dict[str, Any]:
    """The whole result, of a checkpoint of the bundled family. Raises CheckpointError."""
    checkpoint, shots = load_bundled(resolve(name), name), held_out()
    pipeline = PixelOSPipeline(checkpoint.denoiser, checkpoint.context_encoder)
    frames = {steps: painted(pipeline, shots, steps) for steps in STEPS}
    found = {steps: by_style(of, shots) for steps, of in frames.items()}
    return {
        "machine": machine_facts(), "checkpoint": name, "sha256": checkpoint.sha256, "dtype": str(pipeline.denoiser.dtype).removeprefix("torch."),
        "size": list(SIZE), "mean_psnr_db_by_steps": {str(steps): round(float(np.mean([*of.values()])), 3) for steps, of in found.items()},
        "texture_off_by_steps": {str(steps): round(off_texture(of, shots), 3) for steps, of in frames.items()},
        "texture_share": round(float(np.mean([textured(shot).mean() for shot in shots])), 3),
        "psnr_db_by_style": {shot.name: {str(steps): round(of[shot.name], 2) for steps, of in found.items()} for shot in shots},
    }  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", default="bundled")
    given = with_out(parser).parse_args()
    leave(compared(given.checkpoint), given.out)

"""Whether more sampling steps are worth it: `python -m benchmarks.sampling_steps [--checkpoint NAME]`.

Held-out screens, one a style, painted from an empty frame with the guide in 1, 2, 4 and 8 steps; mean PSNR to the source's
own frames. Prints JSON.
"""

from __future__ import annotations

import argparse
import json

import numpy as np

from models.catalog import resolve
from models.likeness import psnr
from models.pipeline import PixelOSPipeline
from models.training.heldout import held_out

STEPS = (1, 2, 4, 8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", default="bundled")
    pipeline, shots = PixelOSPipeline.open(resolve(parser.parse_args().checkpoint)), held_out()
    report = {}
    for steps in STEPS:
        frames = (
            pipeline(s.context, s.guide, None, s.verbatim, s.forms, num_inference_steps=steps, output_type="np").images[0]
            for s in shots
        )
        report[str(steps)] = round(float(np.mean([psnr(np.asarray(f), s.frame) for f, s in zip(frames, shots, strict=True)])), 3)
    print(json.dumps({"mean_psnr_db_by_steps": report}, indent=1))


if __name__ == "__main__":
    main()

"""Sample sheets: held-out screens, as the source draws them and as the network paints them in one step."""

from __future__ import annotations

import numpy as np
from PIL import Image

from models.training.heldout import HeldOut


def sample_sheet(shots: list[HeldOut], painted: list[np.ndarray]) -> Image.Image:
    """One row a screen: guide, the source's frame, the painted frame."""
    rows = [np.concatenate([s.guide, s.frame, picture], 1) for s, picture in zip(shots, painted, strict=True)]
    return Image.fromarray(np.concatenate(rows))

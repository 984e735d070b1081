"""What a stock pipeline is called with: words, pictures, and what of size, guidance and strength it takes."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from typing import Any

from PIL import Image

from models.families import Family
from models.prompted.telling import NEGATIVE


def called_with(
    pipeline: Any, row: Family, words: str, pictures: Sequence[Image.Image], size: tuple[int, int], steps: int
) -> dict[str, Any]:
    """All but seed and callback. size: (width, height); steps: calls of the denoiser; pictures: as many as the row says, or fewer."""
    width, height = size
    offered = {
        "width": width, "height": height, "max_area": width * height, "output_resolution": round((width * height) ** 0.5),
        "negative_prompt": NEGATIVE, "guidance_scale": row.guidance, "strength": row.strength,
    }  # fmt: skip
    takes = inspect.signature(type(pipeline).__call__).parameters
    shown = list(pictures[: row.references])
    return {
        "prompt": json.dumps({row.keyed: words}) if row.keyed else words,
        **({"images": [shown]} if "images" in takes else {"image": shown if row.references > 1 else shown[0]}),
        "num_inference_steps": row.stock_steps(steps), "output_type": "pt",
        **{key: value for key, value in offered.items() if key in takes}, **row.settings,
    }  # fmt: skip

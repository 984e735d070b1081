"""The number formats of safetensors' headers that are read here, as torch calls them."""

from __future__ import annotations

import torch

FLOATS = {
    "F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32, "F64": torch.float64, "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}  # fmt: skip
WHOLE = {"I32": torch.int32, "I64": torch.int64}

"""How a part's settings say that its weights are packed, and whether that is read here. Knows no torch."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.errors import CheckpointError

EIGHT = ("int8", "float8")  # of quanto's kinds, those that `models.rows` reads
INSTEAD = "get the checkpoint in half precision, or its transformer as GGUF"


def check_packing(config: Mapping[str, Any], path: Path) -> None:
    """Raises CheckpointError where a part's settings say that it is packed in a way that is not read here, or that a package is
    needed which is not there."""
    told = config.get("quantization_config")
    if not isinstance(told, dict):
        return
    method, kind = str(told.get("quant_method"))[:40], str(told.get("weights_dtype", told.get("weights")))[:40]
    if method not in ("bitsandbytes", "quanto", "torchao"):
        raise CheckpointError(f"{path}: its weights are packed by {method!r}, which is not read here; {INSTEAD}")
    if method == "torchao":
        raise CheckpointError(
            f"{path}: its weights are packed by torchao, whose files are pickles, or in newer ones name the classes they are to become; "
            f"neither is read here; {INSTEAD}"
        )
    if method == "quanto" and (kind not in EIGHT or told.get("activations") is not None):
        raise CheckpointError(f"{path}: its weights are packed by quanto into {kind}; only {' and '.join(EIGHT)} weights are read here; {INSTEAD}")
    if method == "bitsandbytes" and not told.get("load_in_8bit") and not can_pack():
        raise CheckpointError(f"{path}: its weights are packed into four bits by {method}, which needs the package {method} (pip install {method}); or {INSTEAD}")


def can_pack() -> bool:
    """Whether the package is there that does it."""
    return importlib.util.find_spec("bitsandbytes") is not None

"""What goes with a checkpoint and is a file of its own: LoRAs and textual inversions, told by what they hold.

Knows no torch before a number is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import CheckpointError
from models.findings import Findings
from models.survey import check_link

if TYPE_CHECKING:
    from torch import Tensor

LARGEST_LORA, LARGEST_EMBEDDING = 16 * 2**30, 64 * 2**20
ADAPTED = re.compile(r"(^|[._])(lora|hada|lokr|oft|dora)(_|\.|$)")
WIDTHS = {768: "Stable Diffusion 1.x", 1024: "Stable Diffusion 2.x"}  # of text encoders
BOTH = ("clip_l", "clip_g")  # of Stable Diffusion XL, one for each text encoder
MOST_VECTORS = 75  # no prompt holds more


def kind_of(entries: Mapping[str, Any]) -> str:
    """What a file is, by its tensors' names and shapes: "checkpoint", "lora" or "embedding"."""
    if any(ADAPTED.search(name) for name in entries):
        return "lora"
    small = len(entries) <= len(BOTH) and all(len(entry.shape) <= 2 for entry in entries.values())
    return "embedding" if entries and small else "checkpoint"


def vectors(entries: Mapping[str, Any], path: Path) -> dict[str, int]:
    """How wide a textual inversion's vectors are, by tensor. Raises CheckpointError where it is none."""
    found = {}
    for name, entry in entries.items():
        if len(entry.shape) not in (1, 2) or (len(entry.shape) == 2 and not 1 <= entry.shape[0] <= MOST_VECTORS) or not all(entry.shape):
            raise CheckpointError(f"{path}: {name} is {entry.shape}; a textual inversion is up to {MOST_VECTORS} vectors, get a clean copy")
        found[name] = entry.shape[-1]
    if len(found) == 2 and set(found) != set(BOTH) or len(found) not in (1, 2):
        raise CheckpointError(f"{path} holds {', '.join(found)[:80]}; a textual inversion is one tensor, or clip_l and clip_g")
    return found


def read_embedding(path: Path, findings: Findings | None = None) -> dict[str, Tensor]:
    """A textual inversion's vectors by tensor, float32 (N, D), all of them finite. Raises CheckpointError."""
    import hashlib

    from models.safetensors_file import FLOATS, open_safetensors
    from models.weights import finite

    findings = findings if findings is not None else Findings()
    with findings.row("links"):
        findings.tell("links", check_link(path))
    with findings.row("headers"):
        opening = open_safetensors(path, LARGEST_EMBEDDING)
        with opening as file:
            widths = vectors(file.entries, path)
            findings.tell("headers", f"{len(widths)} tensors")
            findings.tell("family", suits(widths))
            for name, entry in file.entries.items():
                if entry.dtype not in FLOATS:
                    raise CheckpointError(f"{path}: {name} is of {entry.dtype}, wanted floats; get a clean copy")
            digest = hashlib.sha256()
            found = finite(file, {name: name for name in widths}, digest)
            findings.tell("finite", digest.hexdigest())
    return {name: tensor.view(-1, tensor.shape[-1]) for name, tensor in found.items()}


def read_lora(path: Path, findings: Findings) -> int:
    """How many numbers a LoRA holds, all of them finite. Raises CheckpointError."""
    import hashlib

    from models.safetensors_file import open_safetensors
    from models.weights import finite

    with findings.row("links"):
        findings.tell("links", check_link(path))
    with findings.row("headers"), open_safetensors(path, LARGEST_LORA) as file:
        findings.tell("headers", f"{len(file.entries)} tensors")
        digest = hashlib.sha256()
        count = sum(tensor.numel() for tensor in finite(file, {name: name for name in file.entries}, digest).values())
        findings.tell("finite", digest.hexdigest())
    return count


def suits(widths: Mapping[str, int]) -> str:
    """The checkpoints that such vectors are for, in words."""
    return "Stable Diffusion XL" if set(widths) == set(BOTH) else WIDTHS.get(next(iter(widths.values())), "no family that is known")

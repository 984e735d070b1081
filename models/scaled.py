"""Weights of eight bits with one scale for the whole tensor, as ComfyUI saves them: multiplied while they are read.

A layer `x` has `x.weight` in a float of eight bits and `x.scale_weight`, or `x.weight_scale` in newer files. What scales the
activations (`x.scale_input`, `x.input_scale`) spares multiplications that are done in full here; it is left aside, and so are the marks
that tell of the format, once they say that it is this one. Read as text and numbers, nothing of it is ever run.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import CheckpointError
from models.gguf_file import GgufFile
from models.plain_files import parsed
from models.safetensors_file import Digest, SafetensorsFile

if TYPE_CHECKING:
    import torch
    from torch import Tensor

SCALES, INPUTS, MARK, OLD_MARK = (".scale_weight", ".weight_scale"), (".scale_input", ".input_scale"), ".comfy_quant", "scaled_fp8"
TOLD = "_quantization_metadata"  # what newer files say of every layer at once, in the header
FORMATS = {"float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2"}
SETTINGS = {"format", "full_precision_matrix_mult"}  # another may change what the numbers mean
NUMBERS = ("F32", "F16", "BF16")
LARGEST_MARK = 4096  # bytes
INSTEAD = "get a copy in half precision, or a GGUF file"


def goes_with_weights(name: str) -> bool:
    """Whether a tensor says how another is kept, and is none of a network's own."""
    return name.endswith((*SCALES, *INPUTS, MARK)) or name.rpartition(".")[2] == OLD_MARK


def scales_of(file: SafetensorsFile | GgufFile, but: Collection[str] = ()) -> dict[str, str]:
    """The weights of a file that are scaled, each with its scale. but: names that something else knows.

    Raises CheckpointError for a scale that has no weight, or scales it in another way.
    """
    found: dict[str, str] = {}
    for name, entry in file.entries.items():
        if name in but or not name.endswith((*SCALES, *INPUTS, MARK)):
            continue
        weight = f"{name.rpartition('.')[0]}.weight"
        if weight not in file.entries:
            raise CheckpointError(f"{file.path}: {name} goes with {weight}, which is not there; copy the file again")
        if file.entries[weight].dtype not in FORMATS.values():
            raise CheckpointError(f"{file.path}: {weight} is scaled ({name}) and of {file.entries[weight].dtype}; only {' and '.join(FORMATS)} are read so; {INSTEAD}")
        if name.endswith(MARK) and (entry.dtype != "U8" or math.prod(entry.shape) > LARGEST_MARK):
            raise CheckpointError(f"{file.path}: {name} is {entry.shape} {entry.dtype}, which tells nothing of a weight; copy the file again")
        if not name.endswith(SCALES):
            continue
        if weight in found:
            raise CheckpointError(f"{file.path}: {weight} has two scales, {found[weight]} and {name}; get a clean copy")
        if entry.dtype not in NUMBERS or math.prod(entry.shape) != 1:
            raise CheckpointError(f"{file.path}: {name} is {entry.shape} {entry.dtype}; only one scale for a whole tensor is read here; {INSTEAD}")
        found[weight] = name
    if TOLD in file.metadata:
        layers = parsed(file.metadata[TOLD].encode(), file.path).get("layers")
        for layer, told in (layers if isinstance(layers, dict) else {"": None}).items():
            _check(told, f"{TOLD} {layer[:80]}".strip(), file.path)
    return found


def unscaled(file: SafetensorsFile | GgufFile, names: Collection[str], digest: Digest, read: Mapping[str, torch.dtype]) -> Iterator[tuple[str, Tensor]]:
    """The tensors of these names as the file is read on, those that are scaled multiplied, in float32. Each waits in its eight bits
    if its scale comes later, so that no more is held than the file is long. Raises CheckpointError for a scale that is none."""
    import torch

    scales = {weight: scale for weight, scale in scales_of(file, names).items() if weight in names}
    weights = {scale: weight for weight, scale in scales.items()}
    known: dict[str, Tensor] = {}
    waiting: dict[str, Tensor] = {}
    for name, tensor in file.tensors(digest, read):
        if tensor is None:
            continue
        if name.endswith(MARK) and f"{name.removesuffix(MARK)}.weight" in names:
            _check(parsed(tensor.numpy().tobytes(), file.path), name, file.path)
        elif name in weights:
            known[name] = tensor.float().reshape(())
            if not torch.isfinite(known[name]):
                raise CheckpointError(f"{file.path}: the scale {name} is not finite; the file is damaged, copy it again")
            if (weight := waiting.pop(weights[name], None)) is not None:
                yield weights[name], weight.float().mul_(known[name])
        elif name in names:
            scale = scales.get(name)
            if scale is None:
                yield name, tensor
            elif scale in known:
                yield name, tensor.float().mul_(known[scale])
            else:
                waiting[name] = tensor


def _check(told: Any, where: str, path: Path) -> None:
    """Raises CheckpointError where a layer is said to be kept in another way than this one."""
    told = told if isinstance(told, dict) else {}
    if told.get("format") not in FORMATS or not told.keys() <= SETTINGS:
        strange = ", ".join(f"{key}={value}" for key, value in told.items())[:80] or "nothing that is known"
        raise CheckpointError(f"{path}: {where} says {strange}; only {' and '.join(FORMATS)} with one scale for a whole tensor are read here; {INSTEAD}")

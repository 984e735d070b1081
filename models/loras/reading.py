"""Reads a LoRA's file: pairs of small matrices, of bounded rank and scale, all of them finite, and nothing else.

A LoRA is untrusted, like a checkpoint. No library sees it before it has passed here, and what its header says in words
is read for two things only: which family it was made for, and how it is scaled. The library would build its own
settings of those words, and some of these name a module to import.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from reprlib import repr as short
from typing import Any, NamedTuple

import torch
from torch import Tensor

from engine.errors import CheckpointError
from models.findings import Findings
from models.loras.origins import OTHERS, PIECE, origin
from models.number_formats import FLOATS, WHOLE
from models.plain_files import parsed
from models.safetensors_file import Entry, SafetensorsFile, open_safetensors

LARGEST_FILE = 8 * 2**30  # bytes
LARGEST_RANK = 1024
LARGEST_SCALE = 64.0  # alpha over rank: how strongly a LoRA of weight 1 counts; 1 is usual
LORA_ROWS = ("headers", "tensors", "ranks", "finite", "family")
ALPHA = re.compile(r"(?P<layer>.+)\.alpha")
DOWN = ("lora_A", "lora_down", "down")
LONGEST_NAME = 32  # parts of a layer's
CALLED = ("modelspec.title", "ss_output_name", "pixelos.sampler")  # where a header says what a LoRA is called
SCALING = "lora_adapter_metadata"  # diffusers' own words on how a file is scaled


class Pair(NamedTuple):
    """One layer's change: `up` (out, rank, ...) times `down` (rank, in, ...), by their names in the file."""

    down: str
    up: str


@dataclass(frozen=True)
class LoraFile:
    """tensors: float32, by their names in the file, as strong as a weight of 1 makes them; pairs: by layer, as the file spells it; rank: the largest;
    origin: what it was made for, in words, "" where nothing tells; hints: what it is called, folded; even: whether one alpha, if any,
    is that of all layers, and its header says nothing of how it is scaled."""

    path: Path
    sha256: str
    tensors: dict[str, Tensor]
    pairs: dict[str, Pair]
    rank: int
    origin: str
    hints: str
    even: bool

    @property
    def parameters(self) -> int:
        return sum(tensor.numel() for tensor in self.tensors.values())


def read_lora(path: Path, findings: Findings | None = None) -> LoraFile:
    """Raises CheckpointError, saying what and where, for a file that is no sound LoRA."""
    findings = findings if findings is not None else Findings()
    digest = hashlib.sha256()
    with findings.row("headers"), open_safetensors(path, LARGEST_FILE) as file:
        findings.tell("headers", f"{len(file.entries)} tensors")
        with findings.row("tensors"):
            pairs = _pairs(path, file.entries)
            findings.tell("tensors", f"{len(pairs)} layers are changed")
        with findings.row("ranks"):
            ranks = {layer: _rank(path, layer, pair, file.entries) for layer, pair in pairs.items()}
            scales = _scales(path, file.metadata, ranks)
            findings.tell("ranks", f"{min(ranks.values())} to {max(ranks.values())}")
        with findings.row("finite"):
            tensors = _finite(file, digest)
            findings.tell("finite", "all")
    with findings.row("ranks"):
        alphas = _alphas(path, tensors)
        _take_in(path, tensors, pairs, ranks, scales, alphas)
    with findings.row("family"):
        made_for = origin(file.entries, file.metadata)
        findings.tell("family", made_for or "not told: give the checkpoint too, to see whether it fits")
    hints = " ".join((path.stem, *(file.metadata.get(key, "")[:200] for key in CALLED))).casefold()
    even = not alphas or (len(alphas) == len(pairs) and len({*alphas.values()}) == 1)
    return LoraFile(path, digest.hexdigest(), tensors, pairs, max(ranks.values()), made_for, hints, even and SCALING not in file.metadata)


def _pairs(path: Path, entries: Mapping[str, Entry]) -> dict[str, Pair]:
    """Every tensor belongs to a pair, or says how a pair is scaled."""
    sides: dict[str, dict[bool, str]] = {}
    alphas = set()
    for name, entry in entries.items():
        if entry.dtype not in FLOATS and not (entry.dtype in WHOLE and ALPHA.fullmatch(name)):
            raise CheckpointError(f"{path}: {name} is of {entry.dtype}, wanted floats; get a clean copy")
        if (other := next((kind for mark, kind in OTHERS.items() if mark in name), None)) is not None:
            raise CheckpointError(f"{path} is {other}, by its tensor {name}; only LoRAs are taken: get it as one")
        if found := PIECE.fullmatch(name):
            held = sides.setdefault(found["layer"], {})
            if (down := found["side"] in DOWN) in held:
                raise CheckpointError(f"{path}: {held[down]} and {name} change the same layer; get a clean copy")
            held[down] = name
        elif found := ALPHA.fullmatch(name):
            alphas.add(found["layer"])
        else:
            raise CheckpointError(f"{path}: the tensor {name} belongs to no LoRA; get a clean copy")
    if not sides:
        raise CheckpointError(f"{path} holds no LoRA: it changes no layer; get a clean copy")
    for held in sides.values():
        if len(held) < 2:
            raise CheckpointError(f"{path}: {next(iter(held.values()))} stands without its other half; copy the file again")
    if strays := sorted(alphas - sides.keys() - {_bare(layer) for layer in sides}):
        raise CheckpointError(f"{path}: {strays[0]}.alpha scales nothing that is there; get a clean copy")
    return {layer: Pair(held[True], held[False]) for layer, held in sides.items()}


def _bare(layer: str) -> str:
    """A layer's name without how an older library called its change."""
    return re.sub(r"(\.lora|_lora|\.lora_linear_layer)$", "", layer)


def _rank(path: Path, layer: str, pair: Pair, entries: Mapping[str, Entry]) -> int:
    down, up = entries[pair.down].shape, entries[pair.up].shape
    if len(down) not in (2, 4) or len(up) not in (2, 4) or down[0] != up[1] or any(side != 1 for side in up[2:]):
        raise CheckpointError(f"{path}: the halves of {layer} do not go together, {down} and {up}; get a clean copy")
    if not 1 <= down[0] <= LARGEST_RANK:
        raise CheckpointError(f"{path}: {layer} is of rank {down[0]}; from 1 to {LARGEST_RANK} are allowed")
    return down[0]


def _finite(file: SafetensorsFile, digest: Any) -> dict[str, Tensor]:
    tensors = {}
    for name, tensor in file.tensors(digest, FLOATS | WHOLE):
        assert tensor is not None  # the header said so
        tensors[name] = tensor.float()
        if not torch.isfinite(tensors[name]).all():
            raise CheckpointError(f"{file.path}: {name} holds values that are not finite; the file is damaged, copy it again")
    return tensors


def _alphas(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, float]:
    """The alphas among the tensors, by their names in the file."""
    alphas = {name: tensor for name, tensor in tensors.items() if ALPHA.fullmatch(name)}
    for name, tensor in alphas.items():
        if tensor.numel() != 1:
            raise CheckpointError(f"{path}: {name} holds {tensor.numel()} numbers, wanted one; get a clean copy")
    return {name: float(tensor) for name, tensor in alphas.items()}


def _take_in(
    path: Path, tensors: dict[str, Tensor], pairs: Mapping[str, Pair], ranks: Mapping[str, int], scales: Mapping[str, float], alphas: Mapping[str, float]
) -> None:
    """Multiply every layer with how it is scaled, once; an alpha is its rank from then on, which scales nothing."""
    for layer, scale in scales.items():
        tensors[pairs[layer].up] *= scale
    bare = {_bare(layer): layer for layer in ranks}
    for name, alpha in alphas.items():
        layer = name.removesuffix(".alpha")
        layer = layer if layer in ranks else bare[layer]
        tensors[pairs[layer].up] *= _bounded_scale(path, name, alpha, ranks[layer])
        tensors[name] = torch.full_like(tensors[name], ranks[layer])


def _bounded_scale(path: Path, name: str, alpha: float, under: float) -> float:
    """How strongly a layer counts: alpha over `under`, its rank or the root of it."""
    if not abs(alpha) <= LARGEST_SCALE * under:  # compared first: a whole number may be too large to be divided
        raise CheckpointError(f"{path}: {name} has the alpha {short(alpha)}; at most {LARGEST_SCALE * under:g} is allowed at its rank")
    return alpha / under


def _scales(path: Path, metadata: Mapping[str, str], ranks: Mapping[str, int]) -> dict[str, float]:
    """What each layer is to be multiplied with beyond its tensors, as the library's own words in the header have it."""
    if SCALING not in metadata:
        return {}
    told = parsed(metadata[SCALING].encode(), path)
    patterns = {key: value for key, value in told.items() if key.endswith(".alpha_pattern") and isinstance(value, dict)}
    endings = {key: {name.lstrip("^"): alpha for name, alpha in value.items()} for key, value in patterns.items()}
    scales = {}
    for layer, rank in ranks.items():
        part, _, name = layer.partition(".")
        alpha = told.get(f"{part}.lora_alpha", rank)
        own = endings.get(f"{part}.alpha_pattern", {})
        for ending in _endings(name) if own else ():
            alpha = own.get(ending, alpha)
        if not isinstance(alpha, (int, float)):
            raise CheckpointError(f"{path}: {SCALING} gives {layer} the alpha {short(alpha)}, which is no number; get a clean copy")
        under = math.sqrt(rank) if told.get(f"{part}.use_rslora") is True else rank
        scales[layer] = _bounded_scale(path, layer, alpha, under)
    return scales


def _endings(layer: str) -> list[str]:
    """What peft's patterns may call a layer, the most particular last; they are never taken as expressions."""
    parts = layer.split(".")[-LONGEST_NAME:]
    return [".".join(parts[i:]) for i in range(len(parts) - 1, -1, -1)]


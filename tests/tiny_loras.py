"""Tiny LoRAs of random numbers, as trainers save them, for the tiny checkpoints."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

RANK = 4
PICTURES = ("to_q", "to_k", "to_v", "to_out.0", "conv1", "ff.net.0.proj", "to_added_qkv", "add_q_proj", "to_qkv_mlp_proj", "qkv", "to_query", "to_value")
WORDS = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2", "text_projection")  # all that sd-scripts teach of CLIP's text encoders, and the projection
ENCODERS = ("text_encoder", "text_encoder_2")


@dataclass
class Lora:
    """What a file holds."""

    tensors: dict[str, Tensor]
    metadata: dict[str, str] = field(default_factory=dict)

    def write(self, path: Path) -> Path:
        save_file({name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in self.tensors.items()}, path, self.metadata)
        return path


def tiny_lora(pipeline: Any, seed: int = 0, words: Sequence[str] = (), strength: float = 0.2, ranks: Sequence[int] = (RANK,)) -> Lora:
    """As diffusers saves one: peft's names behind the component's. words: which layers of the text encoders, by their endings; ranks: of the
    layers in turn."""
    parts = ["unet" if hasattr(pipeline, "unet") else "transformer", *(part for part in ENCODERS if words and hasattr(pipeline, part))]
    layers = [(f"{part}.{name}", layer) for part in parts for name, layer in layers_of(getattr(pipeline, part), words if part in ENCODERS else PICTURES)]
    torch.manual_seed(seed)
    tensors = {}
    for (name, layer), rank in zip(layers, cycle(ranks)):
        out, inside, *kernel = layer.weight.shape
        tensors[f"{name}.lora_A.weight"] = strength * torch.randn(rank, inside, *kernel)
        tensors[f"{name}.lora_B.weight"] = strength * torch.randn(out, rank, *(1 for _ in kernel))
    return Lora(tensors)


def layers_of(network: nn.Module, endings: Sequence[str]) -> list[tuple[str, Any]]:
    return [(name, layer) for name, layer in network.named_modules()
            if isinstance(layer, (nn.Linear, nn.Conv2d)) and name.endswith(tuple(endings))]  # fmt: skip


def as_kohya(lora: Lora, *alphas: float) -> Lora:
    """The same as sd-scripts saves it. alphas: of the layers in turn; without any each is RANK."""
    first = "lora_te1" if any(name.startswith("text_encoder_2.") for name in lora.tensors) else "lora_te"
    parts = {"unet": "lora_unet", "text_encoder": first, "text_encoder_2": "lora_te2"}
    tensors = {}
    for (down, up), alpha in zip(halves_of(lora), cycle(alphas or (RANK,))):
        part, _, inside = down.removesuffix(".lora_A.weight").partition(".")
        inside = f"text_model.{inside}" if part in ENCODERS and not inside.startswith("text_") else inside
        own = f"{parts[part]}_{inside.replace('.', '_')}"
        tensors |= {f"{own}.lora_down.weight": lora.tensors[down], f"{own}.lora_up.weight": lora.tensors[up], f"{own}.alpha": torch.tensor(float(alpha))}
    return Lora(tensors, lora.metadata)


def halves_of(lora: Lora) -> list[tuple[str, str]]:
    """The names of the two matrices of each layer, down and up, in the file's order."""
    return [(name, name.replace("lora_A", "lora_B")) for name in lora.tensors if name.endswith("lora_A.weight")]


def scaled(lora: Lora, part: str = "unet", **told: Any) -> Lora:
    """With diffusers' own words on how the part is scaled."""
    layers = sorted({name.rsplit(".", 2)[0].partition(".")[2] for name in lora.tensors if name.startswith(f"{part}.")})
    words = {f"{part}.{key}": value for key, value in {"r": RANK, "lora_alpha": RANK, "target_modules": layers, **told}.items()}
    return Lora(lora.tensors, {**lora.metadata, "lora_adapter_metadata": json.dumps(words)})


def merged(pipeline: Any, lora: Lora, weight: float, *alphas: float) -> None:
    """Add a LoRA to the weights of a pipeline, by hand: W + weight * alpha / rank * up @ down. alphas: as of `as_kohya`."""
    for (down, up), alpha in zip(halves_of(lora), cycle(alphas or (RANK,))):
        part, _, layer = down.removesuffix(".lora_A.weight").partition(".")
        changed = getattr(pipeline, part).get_submodule(layer).weight
        change = lora.tensors[up].flatten(1) @ lora.tensors[down].flatten(1)
        changed.data += weight * alpha / lora.tensors[down].shape[0] * change.view(changed.shape)

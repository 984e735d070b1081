"""Tiny LoRAs of random numbers, as trainers save them, for the tiny checkpoints."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

RANK = 4
PICTURES = ("to_q", "to_k", "to_v", "to_out.0", "conv1", "ff.net.0.proj", "to_added_qkv", "add_q_proj", "to_qkv_mlp_proj", "qkv", "to_query", "to_value")
WORDS = ("q_proj", "fc1")


@dataclass
class Lora:
    """What a file holds."""

    tensors: dict[str, Tensor]
    metadata: dict[str, str] = field(default_factory=dict)

    def write(self, path: Path) -> Path:
        save_file({name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in self.tensors.items()}, path, self.metadata)
        return path


def tiny_lora(pipeline: Any, seed: int = 0, words: bool = False, strength: float = 0.2) -> Lora:
    """As diffusers saves one: peft's names behind the component's."""
    parts = [("unet" if hasattr(pipeline, "unet") else "transformer", PICTURES), *([("text_encoder", WORDS)] if words else [])]
    torch.manual_seed(seed)
    tensors = {}
    for part, endings in parts:
        for name, layer in layers_of(getattr(pipeline, part), endings):
            out, inside, *kernel = layer.weight.shape
            tensors[f"{part}.{name}.lora_A.weight"] = strength * torch.randn(RANK, inside, *kernel)
            tensors[f"{part}.{name}.lora_B.weight"] = strength * torch.randn(out, RANK, *(1 for _ in kernel))
    return Lora(tensors)


def layers_of(network: nn.Module, endings: Sequence[str]) -> list[tuple[str, Any]]:
    return [(name, layer) for name, layer in network.named_modules()
            if isinstance(layer, (nn.Linear, nn.Conv2d)) and name.endswith(tuple(endings))]  # fmt: skip


def as_kohya(lora: Lora, alpha: float = RANK) -> Lora:
    """The same as sd-scripts saves it."""
    tensors = {}
    for name, tensor in lora.tensors.items():
        layer, side = name.removesuffix(".weight").rsplit(".", 1)
        part, _, inside = layer.partition(".")
        inside = f"text_model.{inside}" if part == "text_encoder" else inside
        own = f"{ {'unet': 'lora_unet', 'text_encoder': 'lora_te'}[part]}_{inside.replace('.', '_')}"
        tensors[f"{own}.{ {'lora_A': 'lora_down', 'lora_B': 'lora_up'}[side]}.weight"] = tensor
        tensors[f"{own}.alpha"] = torch.tensor(float(alpha))
    return Lora(tensors, lora.metadata)


def scaled(lora: Lora, part: str = "unet", **told: Any) -> Lora:
    """With diffusers' own words on how the part is scaled."""
    layers = sorted({name.rsplit(".", 2)[0].partition(".")[2] for name in lora.tensors if name.startswith(f"{part}.")})
    words = {f"{part}.{key}": value for key, value in {"r": RANK, "lora_alpha": RANK, "target_modules": layers, **told}.items()}
    return Lora(lora.tensors, {**lora.metadata, "lora_adapter_metadata": json.dumps(words)})


def merged(pipeline: Any, lora: Lora, weight: float) -> None:
    """Add a LoRA to the weights of a pipeline, by hand."""
    for name, down in lora.tensors.items():
        if name.endswith("lora_A.weight"):
            part, _, layer = name.removesuffix(".lora_A.weight").partition(".")
            changed = getattr(pipeline, part).get_submodule(layer).weight
            change = lora.tensors[name.replace("lora_A", "lora_B")].flatten(1) @ down.flatten(1)
            changed.data += weight * change.view(changed.shape)

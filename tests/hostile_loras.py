"""Hostile LoRAs, each beside a twin that differs from it in one thing only and is harmless."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from tests.hostile import GGUF, PAYLOAD, PICKLE
from tests.tiny_loras import RANK, Lora, as_kohya, scaled

LAYER = "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k"
DOWN, UP = f"{LAYER}.lora_A.weight", f"{LAYER}.lora_B.weight"
Change = Callable[[Lora], Lora | None]
Rewrite = Callable[[bytes], bytes]


@dataclass(frozen=True)
class LoraCase:
    """row: of the rules that it breaks; change: of what the file holds; bytes: of the file itself."""

    row: int
    hostile: Change
    twin: Change
    message: str
    bytes: Rewrite = lambda data: data


def held(change: Callable[[dict[str, torch.Tensor]], object]) -> Change:
    """A file whose tensors were changed in place."""

    def changed(lora: Lora) -> None:
        change(lora.tensors)

    return changed


def same(lora: Lora) -> None:
    """The twin of what is missing or broken: the whole."""


def ranked(rank: int) -> Change:
    return held(lambda t: t.update({DOWN: torch.zeros(rank, t[DOWN].shape[1]), UP: torch.zeros(t[UP].shape[0], rank)}))


def renamed(old: str, new: str) -> Change:
    return held(lambda t: [t.update({name.replace(old, new): t.pop(name)}) for name in [*t] if old in name])


def header(change: Callable[[dict[str, object]], object]) -> Rewrite:
    def rewrite(data: bytes) -> bytes:
        length = int.from_bytes(data[:8], "little")
        told = json.loads(data[8 : 8 + length])
        text = change(told) or json.dumps(told)
        assert isinstance(text, str)
        return len(text).to_bytes(8, "little") + text.encode() + data[8 + length :]

    return rewrite


def only(data: bytes) -> Rewrite:
    return lambda _: data


LORA_CASES: dict[str, LoraCase] = {
    "a pickle called safetensors": LoraCase(5, same, same, "is a pickle.*by its content", only(PICKLE)),
    "torch's zip called safetensors": LoraCase(5, same, same, "is a pickle", only(b"PK\x03\x04" + PICKLE)),
    "GGUF called safetensors": LoraCase(14, same, same, "is GGUF.*by its content", only(GGUF)),
    "a name that is a path": LoraCase(10, same, same, "no plain tensor name", header(lambda told: told.update({"../../x.lora_A.weight": told.pop(DOWN)}))),
    "a header that says more than words": LoraCase(10, same, lambda lora: Lora(lora.tensors, {"a": "1"}), "texts by name", header(lambda told: told.update(__metadata__={"a": 1}))),
    "half a file": LoraCase(10, same, same, "not a whole safetensors file", lambda data: data[: len(data) // 2]),
    "a rank without bounds": LoraCase(11, ranked(1025), ranked(1024), "is of rank 1025; from 1 to 1024"),
    "a rank of nothing": LoraCase(11, ranked(0), ranked(1), "is of rank 0"),
    "halves of two ranks": LoraCase(11, held(lambda t: t.update({UP: t[UP][:, :-1]})), held(lambda t: t.update({UP: t[UP][:, :-1], DOWN: t[DOWN][:-1]})), "do not go together"),
    "half a layer": LoraCase(11, held(lambda t: t.pop(UP)), held(lambda t: [t.pop(UP), t.pop(DOWN)]), "without its other half"),
    "a layer of another shape": LoraCase(11, held(lambda t: t.update({DOWN: torch.zeros(RANK, t[DOWN].shape[1] + 1)})), held(lambda t: t.update({DOWN: torch.zeros_like(t[DOWN])})), "does not fit this checkpoint of Stable Diffusion 1.x.*its halves are for"),
    "a layer with too many sides": LoraCase(11, held(lambda t: t.update({DOWN: t[DOWN][..., None]})), same, "do not go together"),
    "a layer that is not there": LoraCase(11, renamed("attn2.to_k", "attn3.to_k"), renamed("attn2.to_k", "attn2.to_out.0"), "does not fit .*attn3.to_k"),
    "a layer that cannot be changed so": LoraCase(11, renamed("attn2.to_k", "norm2"), same, "there is no .*norm2"),
    "a layer under two names": LoraCase(11, held(lambda t: t.update({DOWN.replace("lora_A", "lora.down"): t[DOWN], UP.replace("lora_B", "lora.up"): t[UP]})), same, "two names|does not fit"),
    "a tensor that no LoRA has": LoraCase(11, held(lambda t: t.update({f"{LAYER}.weight": torch.zeros(2)})), same, "belongs to no LoRA"),
    "whole numbers": LoraCase(11, held(lambda t: t.update({DOWN: t[DOWN].int()})), held(lambda t: t.update({DOWN: t[DOWN].double()})), "wanted floats"),
    "nothing at all": LoraCase(11, lambda lora: Lora({"lora_unet_x.alpha": torch.tensor(4.0)}), same, "changes no layer"),
    "another family": LoraCase(11, renamed("unet.", "transformer."), same, "is for .*and does not fit this checkpoint of Stable Diffusion 1.x"),
    "another family, in sd-scripts' words": LoraCase(11, lambda lora: Lora({name.replace("lora_unet_down_blocks", "lora_unet_double_blocks"): tensor for name, tensor in as_kohya(lora).tensors.items()}), as_kohya, "is for FLUX and does not fit"),
    "another family, as its header says": LoraCase(11, lambda lora: Lora({DOWN: torch.zeros(RANK, 2048), UP: lora.tensors[UP]}, {"modelspec.architecture": "stable-diffusion-xl-v1-base/lora"}), lambda lora: Lora(lora.tensors, {"modelspec.architecture": "stable-diffusion-v1/lora"}), "is for Stable Diffusion XL and does not fit"),
    "a DoRA": LoraCase(11, held(lambda t: t.update({f"{LAYER}.dora_scale": torch.zeros(2)})), same, "is a DoRA"),
    "a LoHa": LoraCase(11, held(lambda t: t.update({"lora_unet_x.hada_w1_a": torch.zeros(2, 2)})), same, "is a LoHa"),
    "a LoKr": LoraCase(11, held(lambda t: t.update({"lora_unet_x.lokr_w1": torch.zeros(2, 2)})), same, "is a LoKr"),
    "an enormous alpha": LoraCase(11, lambda lora: as_kohya(lora, 1e9), lambda lora: as_kohya(lora, 8), "has the alpha .*; at most 256"),
    "an enormous alpha, in the header": LoraCase(11, lambda lora: scaled(lora, lora_alpha=10**9), lambda lora: scaled(lora, lora_alpha=8), "has the alpha .*; at most 256"),
    "an alpha of 400 digits, in the header": LoraCase(11, lambda lora: scaled(lora, lora_alpha=10**400), lambda lora: scaled(lora, lora_alpha=4), "has the alpha 1000+"),
    "an alpha of one layer, in the header": LoraCase(11, lambda lora: scaled(lora, alpha_pattern={"attn2.to_k": 1e6}), lambda lora: scaled(lora, alpha_pattern={"attn2.to_k": 8}), "attn2.to_k has the alpha"),
    "an alpha that is no number, in the header": LoraCase(11, lambda lora: scaled(lora, lora_alpha="8"), lambda lora: scaled(lora, lora_alpha=8.0), "which is no number"),
    "scaling in words that are no JSON": LoraCase(10, lambda lora: Lora(lora.tensors, {"lora_adapter_metadata": "{"}), scaled, "is not JSON"),
    "an alpha of many numbers": LoraCase(11, lambda lora: Lora({name: torch.ones(3) if name.endswith("alpha") else tensor for name, tensor in as_kohya(lora).tensors.items()}), as_kohya, "holds 3 numbers, wanted one"),
    "an alpha of nothing": LoraCase(11, lambda lora: Lora({**as_kohya(lora).tensors, "lora_unet_x.alpha": torch.tensor(4.0)}), as_kohya, "scales nothing that is there"),
    "an alpha that is not finite": LoraCase(12, lambda lora: as_kohya(lora, float("nan")), as_kohya, "not finite"),
    "a number that is none": LoraCase(12, held(lambda t: t[UP].fill_(float("nan"))), held(lambda t: t[UP].fill_(0)), "not finite"),
    "a number without end": LoraCase(12, held(lambda t: t[DOWN].fill_(float("-inf"))), held(lambda t: t[DOWN].fill_(0)), "not finite"),
}  # fmt: skip


def planted(lora: Lora) -> Lora:
    """Its header names a module that peft would import, were it given the words."""
    return scaled(lora, megatron_config={"tensor_model_parallel_size": 1}, megatron_core="planted")


def plant(folder: Path) -> None:
    (folder / "planted.py").write_text(PAYLOAD)

"""Tiny checkpoints as one file, named as the programs name tensors that first wrote such files: the other way round than
reading them goes, and written down apart from it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.first_look import WORDS
from models.layout import Layout

FILES = ("diffusion_pytorch_model.safetensors", "model.safetensors")
Tensors = dict[str, Tensor]
TABLES = (("CLIP", "words"), ("T5", "pieces"), ("Qwen2Tokenizer", "pairs"), ("Qwen2VL", "eyes"), ("", "others"))  # by what a tokenizer's class begins with


def part(folder: Path, name: str) -> Tensors:
    return next(load_file(folder / name / file) for file in FILES if (folder / name / file).is_file())


def config(folder: Path, name: str) -> dict[str, Any]:
    path = folder / name / ("scheduler_config.json" if name == "scheduler" else "config.json")
    return json.loads(path.read_text()) if path.is_file() else {}


def layout_of(folder: Path) -> Layout:
    """What a layout of ours says of such a checkpoint; its words are tables in the folders of TABLES."""
    index = json.loads((folder / "model_index.json").read_text())
    parts = {name: told[1] for name, told in index.items() if isinstance(told, list) and told[0] is not None}
    tables = {name: {"tables": next(at for begins, at in TABLES if kind.startswith(begins))} for name, kind in parts.items() if name in WORDS}
    return {"model_index": index, **{name: tables.get(name) or config(folder, name) for name in parts}}


def unet_names(names: list[str], layers: int) -> dict[str, str]:
    """The first program's names, by diffusers'."""
    told = {}
    downs = 1 + max(int(name.split(".")[1]) for name in names if name.startswith("down_blocks"))
    for name in names:
        if found := re.match(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.*)", name):
            way, block, kind, i, rest = found[1], int(found[2]), found[3], int(found[4]), found[5]
            at = block * (layers + 1) + (i if way == "up" else i + 1)
            if kind == "downsamplers":
                told[name] = f"input_blocks.{(block + 1) * (layers + 1)}.0.op.{rest.removeprefix('conv.')}"
            elif kind == "upsamplers":
                attended = any(other.startswith(f"up_blocks.{block}.attentions") for other in names)
                told[name] = f"output_blocks.{(block + 1) * (layers + 1) - 1}.{1 + attended}.{rest}"
            else:
                told[name] = f"{'input' if way == 'down' else 'output'}_blocks.{at}.{int(kind == 'attentions')}.{_inner(rest, kind)}"
        elif found := re.match(r"mid_block\.(resnets|attentions)\.(\d+)\.(.*)", name):
            at = 1 if found[1] == "attentions" else 2 * int(found[2])
            told[name] = f"middle_block.{at}.{_inner(found[3], found[1])}"
        else:
            told[name] = _outer(name)
    assert downs and len(set(told.values())) == len(told)
    return {name: f"model.diffusion_model.{other}" for name, other in told.items()}


def control_tensors(tensors: Tensors, layers: int, begins: str = "control_model.") -> Tensors:
    """A ControlNet's, as the first program names them: half a U-Net, what it adds to the other half, and how it sees its picture."""
    half = unet_names([name for name in tensors if not name.startswith("controlnet_")], layers)
    told = {}
    for name, tensor in tensors.items():
        other = half.get(name, name).removeprefix("model.diffusion_model.")
        for ours, theirs in ((r"controlnet_down_blocks\.(\d+)", r"zero_convs.\1.0"), (r"controlnet_mid_block", "middle_block_out.0"),
                             (r"controlnet_cond_embedding\.conv_in", "input_hint_block.0"), (r"controlnet_cond_embedding\.conv_out", "input_hint_block.14"),
                             (r"controlnet_cond_embedding\.blocks\.(\d+)", lambda found: f"input_hint_block.{2 * int(found[1]) + 2}")):  # fmt: skip
            other = re.sub(ours, theirs, other)  # type: ignore[arg-type]
        told[begins + other] = tensor
    return told


def _inner(name: str, kind: str) -> str:
    if kind == "attentions":
        return name
    for ours, theirs in (("norm1", "in_layers.0"), ("conv1", "in_layers.2"), ("norm2", "out_layers.0"), ("conv2", "out_layers.3"),
                         ("time_emb_proj", "emb_layers.1"), ("conv_shortcut", "skip_connection")):  # fmt: skip
        name = name.replace(ours, theirs)
    return name


def _outer(name: str) -> str:
    for ours, theirs in (("time_embedding.linear_1", "time_embed.0"), ("time_embedding.linear_2", "time_embed.2"),
                         ("time_embedding.cond_proj", "time_embed.cond_proj"), ("conv_in", "input_blocks.0.0"), ("conv_norm_out", "out.0"),
                         ("conv_out", "out.2"), ("add_embedding.linear_1", "label_emb.0.0"), ("add_embedding.linear_2", "label_emb.0.2")):  # fmt: skip
        name = name.replace(ours, theirs)
    return name


def coder_tensors(tensors: Tensors) -> Tensors:
    blocks = 1 + max(int(found[1]) for name in tensors if (found := re.match(r"encoder\.down_blocks\.(\d+)", name)))
    out = {}
    for name, tensor in tensors.items():
        told = re.sub(r"up_blocks\.(\d+)", lambda found: f"up.{blocks - 1 - int(found[1])}", name)
        for ours, theirs in ((r"down_blocks\.(\d+)", r"down.\1"), (r"mid_block\.resnets\.(\d)", lambda f: f"mid.block_{int(f[1]) + 1}"),
                             (r"mid_block\.attentions\.0", "mid.attn_1"), (r"resnets\.", "block."), (r"conv_shortcut", "nin_shortcut"),
                             (r"(down|up)samplers\.0", r"\1sample"), (r"conv_norm_out", "norm_out"), (r"group_norm", "norm"),
                             (r"to_([qkv])\.", r"\1."), (r"to_out\.0", "proj_out")):  # fmt: skip
            told = re.sub(ours, theirs, told)  # type: ignore[arg-type]
        if "attn_1" in told and tensor.ndim == 2:
            tensor = tensor[:, :, None, None]
        out[f"first_stage_model.{told}"] = tensor.contiguous()
    return out


WAN = (
    (r"^((en|de)coder)\.conv_in\.", r"\1.conv1."), (r"^quant_conv\.", "conv1."), (r"^post_quant_conv\.", "conv2."), (r"\.norm_out\.", ".head.0."),
    (r"\.conv_out\.", ".head.2."), (r"\.mid_block\.attentions\.0\.", ".middle.1."), (r"\.mid_block\.resnets\.0\.", ".middle.0."),
    (r"\.mid_block\.resnets\.1\.", ".middle.2."), (r"\.down_blocks\.", ".downsamples."),
    (r"\.up_blocks\.(\d)\.resnets\.(\d)\.", lambda found: f".upsamples.{4 * int(found[1]) + int(found[2])}."),
    (r"\.up_blocks\.(\d)\.upsamplers\.0\.", lambda found: f".upsamples.{4 * int(found[1]) + 3}."),
    (r"\.norm1\.", ".residual.0."), (r"(?<=\d)\.conv1\.", ".residual.2."), (r"\.norm2\.", ".residual.3."), (r"(?<=\d)\.conv2\.", ".residual.6."),
    (r"\.conv_shortcut\.", ".shortcut."),
)  # fmt: skip


def wan_tensors(tensors: Tensors) -> Tensors:
    """Qwen-Image's autoencoder, of two layers a block, as those who trained it name it."""
    out = {}
    for name, tensor in tensors.items():
        for ours, theirs in WAN:
            name = re.sub(ours, theirs, name)  # type: ignore[arg-type]
        out[name] = tensor
    return out


def clip_tensors(tensors: Tensors, begins: str) -> Tensors:
    return {f"{begins}text_model.{name.removeprefix('text_model.')}": tensor for name, tensor in tensors.items()}


def open_clip_tensors(tensors: Tensors, begins: str) -> Tensors:
    """Queries, keys and values are one tensor there, and the projection lies the other way."""
    out, together = {}, dict[str, dict[str, Tensor]]()
    for name, tensor in tensors.items():
        told = name.removeprefix("text_model.")
        if found := re.match(r"encoder\.layers\.(\d+)\.self_attn\.([qkv])_proj\.(weight|bias)", told):
            together.setdefault(f"transformer.resblocks.{found[1]}.attn.in_proj_{found[3]}", {})[found[2]] = tensor
            continue
        for ours, theirs in (("encoder.layers.", "transformer.resblocks."), ("layer_norm1", "ln_1"), ("layer_norm2", "ln_2"), ("fc1", "c_fc"),
                             ("fc2", "c_proj"), ("self_attn", "attn"), ("final_layer_norm", "ln_final"),
                             ("embeddings.position_embedding.weight", "positional_embedding"), ("embeddings.token_embedding", "token_embedding")):  # fmt: skip
            told = told.replace(ours, theirs)
        if told == "text_projection.weight":
            told, tensor = "text_projection", tensor.T.contiguous()
        out[told] = tensor
    out |= {name: torch.cat([three[letter] for letter in "qkv"]) for name, three in together.items()}
    return {begins + name: tensor for name, tensor in out.items() if "position_ids" not in name}


def whole_file(folder: Path, path: Path, told: Mapping[str, str] | None = None, without: str = "", words: str = "cond_stage_model.model.") -> Path:
    """A Stable Diffusion of any kind as one file. without: a part that is left out; words: what Stable Diffusion 2's text encoder begins with."""
    unet = part(folder, "unet")
    names = unet_names(list(unet), config(folder, "unet")["layers_per_block"])
    tensors = {"unet": {names[name]: tensor for name, tensor in unet.items()}, "vae": coder_tensors(part(folder, "vae"))}
    if (folder / "text_encoder_2").is_dir():
        tensors["text_encoder"] = clip_tensors(part(folder, "text_encoder"), "conditioner.embedders.0.transformer.")
        tensors["text_encoder_2"] = open_clip_tensors(part(folder, "text_encoder_2"), "conditioner.embedders.1.model.")
    elif config(folder, "unet").get("use_linear_projection"):
        tensors["text_encoder"] = open_clip_tensors(part(folder, "text_encoder"), words)
        unused = {"text_projection": torch.eye(32), "logit_scale": torch.ones(()), "transformer.resblocks.23.ln_1.bias": torch.ones(32)}
        tensors["text_encoder"] |= {words + name: tensor for name, tensor in unused.items()}  # there, and nobody asks for it
    else:
        tensors["text_encoder"] = clip_tensors(part(folder, "text_encoder"), "cond_stage_model.transformer.")
    held = {name: tensor.clone() for key, given in tensors.items() if key != without for name, tensor in given.items()}
    held["alphas_cumprod"] = torch.linspace(1, 0, 10)  # as training leaves it
    save_file(held, path, dict(told or {}))
    return path

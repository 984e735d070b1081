"""Parts of tiny checkpoints as files of their own, named as the programs name tensors that save them so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import diffusers
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.one_file import coder_tensors, open_clip_tensors, part, wan_tensors

OLDER = (("to_q.", "query."), ("to_k.", "key."), ("to_v.", "value."), ("to_out.0.", "proj_attn."))  # diffusers' names for attention, until 2023


def written(path: Path, tensors: dict[str, Tensor]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.clone().contiguous() for name, tensor in tensors.items()}, path)
    return path


def coder_named(folder: Path, named: str) -> dict[str, Tensor]:
    """A folder's autoencoder as "trained", "trained, in a whole file", "trained, nested" as FLUX.2's, "diffusers" or "older diffusers" name it."""
    tensors = part(folder, "vae")
    if named.startswith("trained"):
        told = wan_tensors(tensors) if any(tensor.ndim == 5 for tensor in tensors.values()) else coder_tensors(tensors)
        if "whole" in named:
            return told
        told = {name.removeprefix("first_stage_model."): tensor for name, tensor in told.items()}
        nested = {"quant_conv.": "encoder.quant_conv.", "post_quant_conv.": "decoder.post_quant_conv."} if "nested" in named else {}
        return {next((name.replace(ours, theirs) for ours, theirs in nested.items() if name.startswith(ours)), name): tensor for name, tensor in told.items()}
    if named == "older diffusers":
        for ours, theirs in OLDER:
            tensors = {name.replace(f"attentions.0.{ours}", f"attentions.0.{theirs}"): tensor for name, tensor in tensors.items()}
    return tensors


PACKED = {  # transformers' names, and those by which llama.cpp packs them
    "t5": (("shared.", "token_embd."), ("encoder.final_layer_norm.", "enc.output_norm."), ("encoder.block.", "enc.blk."),
           (".layer.0.SelfAttention.relative_attention_bias.", ".attn_rel_b."), (".layer.0.SelfAttention.", ".attn_"), (".layer.0.layer_norm.", ".attn_norm."),
           (".layer.1.layer_norm.", ".ffn_norm."), (".layer.1.DenseReluDense.wi_0.", ".ffn_gate."), (".layer.1.DenseReluDense.wi_1.", ".ffn_up."),
           (".layer.1.DenseReluDense.wo.", ".ffn_down.")),
    "qwen_3": (("model.embed_tokens.", "token_embd."), ("model.norm.", "output_norm."), ("lm_head.", "output."), ("model.layers.", "blk."),
               (".self_attn.o_proj.", ".attn_output."), (".self_attn.", ".attn_"), ("_proj.", "."), (".input_layernorm.", ".attn_norm."),
               (".post_attention_layernorm.", ".ffn_norm."), (".mlp.", ".ffn_")),
}  # fmt: skip


def half_named(tensors: dict[str, Tensor], tower: bool) -> dict[str, Tensor]:
    """The language half of Qwen 2.5 VL, or its vision tower, as llama.cpp converts each: by the names that the format's own library
    maps, rows of queries, keys and values apart, and patches of two frames apart."""
    import gguf

    known = gguf.get_tensor_name_map(gguf.MODEL_ARCH.MMPROJ if tower else gguf.MODEL_ARCH.QWEN2VL, 64)
    found = {}
    for name, tensor in words_named(tensors, "qwen").items():
        if name.startswith("visual.") != tower:
            continue
        if name == "visual.patch_embed.proj.weight":
            found |= {"v.patch_embd.weight": tensor[:, :, 0], "v.patch_embd.weight.1": tensor[:, :, 1]}
            continue
        parts = {name.replace("qkv", letter): rows for letter, rows in zip("qkv", tensor.chunk(3), strict=True)} if ".qkv." in name else {name: tensor}
        for own, rows in parts.items():
            told = known.get_name(own, (".weight", ".bias"))
            assert told is not None, own
            found[told] = rows
    return found


def words_named(tensors: dict[str, Tensor], called: str, named: str = "") -> dict[str, Tensor]:
    """A text encoder as transformers ("") or "OpenCLIP" or "GGUF" names it, with what is left in such files. called: its file."""
    if named == "OpenCLIP":
        spare = {"text_projection": torch.eye(32), "logit_scale": torch.ones(()), "visual.conv1.weight": torch.zeros(2, 3, 2, 2), "attn_mask": torch.zeros(77, 77)}
        return {**spare, **open_clip_tensors(tensors, "")}
    if called.startswith("clip"):
        tensors = {key if key.startswith(("text_model.", "text_projection")) else f"text_model.{key}": tensor for key, tensor in tensors.items()}
        return {**tensors, "logit_scale": torch.ones(())}
    if called.startswith("qwen"):
        tensors = {key.replace("model.language_model.", "model.").replace("model.visual.", "visual."): tensor for key, tensor in tensors.items()}
        if "embed_tokens.weight" in tensors:  # of a body whose files have its head too
            tensors = {f"model.{key}": tensor for key, tensor in tensors.items()} | {"lm_head.weight": tensors["embed_tokens.weight"]}
    if called.startswith("mistral"):  # as ComfyUI's end after thirty layers, with words of another form
        kept = re.compile(r"language_model\.model\.(embed_tokens\.|layers\.([0-9]|[12][0-9])\.)")
        tensors = {key.removeprefix("language_model."): tensor for key, tensor in tensors.items() if kept.match(key)}
        return {**tensors, "tekken_model": torch.zeros(8, dtype=torch.uint8)}
    for ours, theirs in next((table for kind, table in PACKED.items() if called.startswith(kind)), ()) if named == "GGUF" else ():
        tensors = {key.replace(ours, theirs): tensor for key, tensor in tensors.items()}
    return tensors


def tiny_coder(seed: int = 0, width: int = 16) -> Any:
    torch.manual_seed(seed)
    widths = (width,) * 4
    return diffusers.AutoencoderTiny(encoder_block_out_channels=widths, decoder_block_out_channels=widths)


def tiny_halves(coder: Any, folder: Path, name: str = "taesd") -> tuple[Path, Path]:
    """As two files of TAESD: layers by number, the decoder's after one that clamps."""
    paths = []
    for side, begins_at in (("encoder", 0), ("decoder", 1)):
        told = {}
        for key, tensor in getattr(coder, side).state_dict().items():
            _, number, rest = key.split(".", 2)
            told[f"{int(number) + begins_at}.{rest}"] = tensor
        paths.append(written(folder / f"{name}_{side}.safetensors", told))
    return paths[0], paths[1]

"""Parts of tiny checkpoints as files of their own, named as the programs name tensors that save them so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.one_file import coder_tensors, part

OLDER = (("to_q.", "query."), ("to_k.", "key."), ("to_v.", "value."), ("to_out.0.", "proj_attn."))  # diffusers' names for attention, until 2023


def written(path: Path, tensors: dict[str, Tensor]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.clone().contiguous() for name, tensor in tensors.items()}, path)
    return path


def coder_named(folder: Path, named: str) -> dict[str, Tensor]:
    """A folder's autoencoder as "trained", "trained, in a whole file", "diffusers" or "older diffusers" name it."""
    tensors = part(folder, "vae")
    if named.startswith("trained"):
        told = coder_tensors(tensors)
        return told if "whole" in named else {name.removeprefix("first_stage_model."): tensor for name, tensor in told.items()}
    if named == "older diffusers":
        for ours, theirs in OLDER:
            tensors = {name.replace(f"attentions.0.{ours}", f"attentions.0.{theirs}"): tensor for name, tensor in tensors.items()}
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

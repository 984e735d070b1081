"""Tiny checkpoints of the open families, random weights, in diffusers' folder form, built with the library itself."""

from __future__ import annotations

import json
from pathlib import Path
from types import FunctionType
from typing import Any

import diffusers
import torch
import transformers

from models.families import FAMILIES, TOLD, Family
from tests.tiny_references import reference_parts
from tests.tiny_words import save_clip

WIDTH = 32


def tiny_folder(folder: Path, family: str, seed: int = 0, scheduler: Any = None, tiny_vae: bool = False) -> Path:
    """A folder of the family, as its own pipeline saves it."""
    row = next(row for row in FAMILIES if row.name == family)
    torch.manual_seed(seed)
    index: dict[str, Any] = {"_class_name": row.indexes[0]}
    parts = reference_parts(row) if row.references else _parts(row, scheduler, tiny_vae)
    for part, module in parts.items():
        if isinstance(module, FunctionType):
            index[part] = ["transformers", module(folder / part)]
            continue
        module.save_pretrained(folder / part, **({} if part == "scheduler" else {"safe_serialization": True}))
        index[part] = [type(module).__module__.split(".")[0], type(module).__name__]
    index |= {key: value for part, key, value in row.marks if part == "model_index"}
    index["safety_checker"] = [None, None]
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def folder_of(home: Path, family: str) -> Path:
    """The family's folder in `home`, built the first time: not to be changed, for others use it too."""
    return home / family if (home / family).is_dir() else tiny_folder(home / family, family)


def _parts(row: Family, scheduler: Any, tiny_vae: bool) -> dict[str, Any]:
    wide = "text_encoder_2" in row.components
    marks = {(part, key): value for part, key, value in row.marks}
    unet: dict[str, Any] = {
        "sample_size": 32, "in_channels": 8 if row.strength == 0 else 4, "block_out_channels": (WIDTH, WIDTH),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"), "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "layers_per_block": 1, "attention_head_dim": 8, "norm_num_groups": 8,
        "cross_attention_dim": 2 * WIDTH if wide else WIDTH,
        "use_linear_projection": bool(wide or marks.get(("unet", "use_linear_projection"))),
        "time_cond_proj_dim": WIDTH if marks.get(("unet", "time_cond_proj_dim")) else None,
    }  # fmt: skip
    if wide:
        unet |= {"addition_embed_type": "text_time", "addition_time_embed_dim": 8,
                 "projection_class_embeddings_input_dim": 6 * 8 + WIDTH}  # fmt: skip
    text = transformers.CLIPTextConfig(
        hidden_size=WIDTH, intermediate_size=37, num_attention_heads=4, num_hidden_layers=2, vocab_size=514,
        bos_token_id=512, eos_token_id=513, pad_token_id=513, projection_dim=WIDTH, max_position_embeddings=77,
    )  # fmt: skip
    parts: dict[str, Any] = {
        "unet": diffusers.UNet2DConditionModel(**unet), "vae": _vae(tiny_vae),
        "scheduler": scheduler or _scheduler(row), "text_encoder": transformers.CLIPTextModel(text), "tokenizer": save_clip,
    }  # fmt: skip
    if wide:
        parts |= {"text_encoder_2": transformers.CLIPTextModelWithProjection(text), "tokenizer_2": save_clip}
    if row.control:
        parts["controlnet"] = tiny_controlnet(diffusers.UNet2DConditionModel(**unet | {"in_channels": 4, "time_cond_proj_dim": None}))
    return parts


def _vae(tiny: bool) -> Any:
    if tiny:
        widths = (16, 16, 16, 16)
        return diffusers.AutoencoderTiny(encoder_block_out_channels=widths, decoder_block_out_channels=widths)
    return diffusers.AutoencoderKL(
        block_out_channels=(8, 8, 8, 8), norm_num_groups=4, layers_per_block=1,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
    )  # fmt: skip


def _scheduler(row: Family) -> Any:
    betas: dict[str, Any] = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000}
    if TOLD in row.marks:
        return diffusers.LCMScheduler(**betas)
    if row.name == "sd2":
        return diffusers.DDIMScheduler(**betas, clip_sample=False, set_alpha_to_one=False, steps_offset=1, prediction_type="v_prediction")
    if row.name == "sd1":
        return diffusers.PNDMScheduler(**betas, skip_prk_steps=True, steps_offset=1)
    spacing = next((value for part, key, value in row.marks if (part, key) == ("scheduler", "timestep_spacing")), "leading")
    if spacing == "trailing" and "text_encoder_2" in row.components:
        return diffusers.EulerAncestralDiscreteScheduler(**betas, timestep_spacing=spacing)
    return diffusers.EulerDiscreteScheduler(**betas, timestep_spacing=spacing, steps_offset=1)


def tiny_controlnet(unet: Any) -> Any:
    """For U-Nets as this one. Its last layers begin at nothing; noise in them, so that leaving it out would be seen."""
    controlnet = diffusers.ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 8, 8, 8))
    for parameter in controlnet.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return controlnet

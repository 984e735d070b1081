"""The parts of tiny reference checkpoints, of the classes that real ones hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import diffusers
import torch
import transformers

from models.families import Family
from tests.tiny_words import save_clip, save_qwen, save_t5

WIDTH = 16
WORDS = 300  # more than a tiny vocabulary numbers
BLOCKS: dict[str, Any] = {"num_layers": 1, "num_single_layers": 1, "num_attention_heads": 2, "attention_head_dim": 16}
CODER: dict[str, Any] = {
    "block_out_channels": (8, 8, 8, 8), "norm_num_groups": 4, "layers_per_block": 1,
    "down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4,
}  # fmt: skip


def reference_parts(row: Family) -> dict[str, Any]:
    """By component; a tokenizer is the function that writes its folder."""
    parts = PARTS[row.name]()
    spread(parts["transformer"])
    return parts


def spread(network: Any) -> None:
    """Weights that are far from nothing: what a network does with each of its inputs is to be seen."""
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.15 if parameter.ndim > 1 else 0.3)


def kontext() -> dict[str, Any]:
    clip = transformers.CLIPTextConfig(
        hidden_size=WIDTH, intermediate_size=32, num_attention_heads=2, num_hidden_layers=2, vocab_size=514,
        bos_token_id=512, eos_token_id=513, pad_token_id=513, projection_dim=WIDTH, max_position_embeddings=77,
    )  # fmt: skip
    t5 = transformers.T5Config(vocab_size=WORDS, d_model=WIDTH, d_kv=8, d_ff=32, num_layers=2, num_heads=2)
    return {
        "transformer": diffusers.FluxTransformer2DModel(
            in_channels=16, joint_attention_dim=WIDTH, pooled_projection_dim=WIDTH, guidance_embeds=True,
            axes_dims_rope=(4, 6, 6), **BLOCKS,
        ),
        "vae": diffusers.AutoencoderKL(latent_channels=4, shift_factor=0.1, scaling_factor=0.4, use_quant_conv=False,
                                       use_post_quant_conv=False, **CODER),
        "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
        "text_encoder": transformers.CLIPTextModel(clip), "tokenizer": save_clip,
        "text_encoder_2": transformers.T5EncoderModel(t5), "tokenizer_2": save_t5,
    }  # fmt: skip


def klein() -> dict[str, Any]:
    text = transformers.Qwen3Config(
        vocab_size=WORDS, hidden_size=WIDTH, intermediate_size=16, num_hidden_layers=28, num_attention_heads=2,
        num_key_value_heads=1, head_dim=8, tie_word_embeddings=True, rope_theta=1e6,
    )  # fmt: skip
    return {
        "transformer": diffusers.Flux2Transformer2DModel(
            in_channels=16, joint_attention_dim=3 * WIDTH, guidance_embeds=False, axes_dims_rope=(4, 4, 4, 4), **BLOCKS
        ),
        "vae": diffusers.AutoencoderKLFlux2(latent_channels=4, **CODER),
        "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
        "text_encoder": transformers.Qwen3ForCausalLM(text), "tokenizer": save_qwen,
    }  # fmt: skip


PARTS: dict[str, Callable[[], dict[str, Any]]] = {"kontext": kontext, "klein": klein, "klein-base": klein}

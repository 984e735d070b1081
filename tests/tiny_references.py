"""The parts of tiny reference checkpoints, of the classes that real ones hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import diffusers
import torch
import transformers

from models.families import Family
from tests import tiny_words

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
    spread(parts["unet" if "unet" in parts else "transformer"])
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
    t5 = transformers.T5Config(vocab_size=WORDS, d_model=WIDTH, d_kv=8, d_ff=32, num_layers=2, num_heads=2, feed_forward_proj="gated-gelu")
    return {
        "transformer": diffusers.FluxTransformer2DModel(
            in_channels=16, joint_attention_dim=WIDTH, pooled_projection_dim=WIDTH, guidance_embeds=True,
            axes_dims_rope=(4, 6, 6), **BLOCKS,
        ),
        "vae": diffusers.AutoencoderKL(latent_channels=4, shift_factor=0.1, scaling_factor=0.4, use_quant_conv=False,
                                       use_post_quant_conv=False, **CODER),
        "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
        "text_encoder": transformers.CLIPTextModel(clip), "tokenizer": tiny_words.save_clip,
        "text_encoder_2": transformers.T5EncoderModel(t5), "tokenizer_2": tiny_words.save_t5,
    }  # fmt: skip


def klein() -> dict[str, Any]:
    text = transformers.Qwen3Config(
        vocab_size=WORDS, hidden_size=WIDTH, intermediate_size=WIDTH, num_hidden_layers=28, num_attention_heads=2,
        num_key_value_heads=1, head_dim=WIDTH // 2, tie_word_embeddings=True, rope_theta=1e6,
    )  # fmt: skip
    return {
        "transformer": diffusers.Flux2Transformer2DModel(
            in_channels=16, joint_attention_dim=3 * WIDTH, guidance_embeds=False, axes_dims_rope=(4, 4, 4, 4), **BLOCKS
        ),
        "vae": diffusers.AutoencoderKLFlux2(latent_channels=4, **CODER),
        "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
        "text_encoder": transformers.Qwen3ForCausalLM(text), "tokenizer": tiny_words.save_qwen,
    }  # fmt: skip


def flux2() -> dict[str, Any]:
    text = {"model_type": "mistral", "vocab_size": WORDS, "hidden_size": WIDTH, "intermediate_size": 16, "num_hidden_layers": 31,
            "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8, "rope_theta": 1e9}  # fmt: skip
    eyes = {"model_type": "pixtral", "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1,
            "patch_size": 14, "image_size": 56}  # fmt: skip
    return {
        **klein(), "tokenizer": tiny_words.save_mistral,
        "transformer": diffusers.Flux2Transformer2DModel(
            in_channels=16, joint_attention_dim=3 * WIDTH, guidance_embeds=True, axes_dims_rope=(4, 4, 4, 4), **BLOCKS
        ),
        "text_encoder": transformers.Mistral3ForConditionalGeneration(transformers.Mistral3Config(text_config=text, vision_config=eyes)),
    }  # fmt: skip


def seeing() -> Any:
    turned = WIDTH // 16  # pairs of a head's numbers, by time and by height
    text = {"vocab_size": WORDS, "hidden_size": WIDTH, "intermediate_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 2,
            "num_key_value_heads": 1, "rope_theta": 1e6, "rope_scaling": {"type": "mrope", "mrope_section": [turned, turned, 2 * turned]}}  # fmt: skip
    eyes = {"depth": 2, "hidden_size": WIDTH // 2, "intermediate_size": WIDTH // 2, "num_heads": 1, "out_hidden_size": WIDTH, "fullatt_block_indexes": [1],
            "patch_size": 14, "window_size": 112}  # fmt: skip
    return transformers.Qwen2_5_VLForConditionalGeneration(transformers.Qwen2_5_VLConfig(text_config=text, vision_config=eyes, **marks()))


def seeing_3(layers: int = 3) -> Any:
    text = {"vocab_size": WORDS, "hidden_size": WIDTH, "intermediate_size": 16, "num_hidden_layers": layers, "num_attention_heads": 2,
            "num_key_value_heads": 1, "head_dim": 8, "rope_theta": 5e6,
            "rope_scaling": {"rope_type": "default", "mrope_section": [2, 1, 1], "mrope_interleaved": True}}  # fmt: skip
    eyes = {"depth": 2, "hidden_size": 8, "intermediate_size": 8, "num_heads": 1, "out_hidden_size": WIDTH,
            "deepstack_visual_indexes": [0], "num_position_embeddings": 16}  # fmt: skip
    return transformers.Qwen3VLForConditionalGeneration(transformers.Qwen3VLConfig(text_config=text, vision_config=eyes, **marks()))


def marks() -> dict[str, Any]:
    """Where the words that stand for pictures are numbered."""
    words = {"image": "image_pad", "video": "video_pad", "vision_start": "vision_start", "vision_end": "vision_end"}
    return {f"{name}_token_id": tiny_words.number(f"<|{word}|>") for name, word in words.items()}


def qwen_edit() -> dict[str, Any]:
    blocks = {key: value for key, value in BLOCKS.items() if key != "num_single_layers"}
    vae = diffusers.AutoencoderKLQwenImage(
        base_dim=4, z_dim=4, dim_mult=[1, 2, 4, 4], num_res_blocks=2, latents_mean=[0.1] * 4, latents_std=[1.5] * 4
    )
    return {
        "transformer": diffusers.QwenImageTransformer2DModel(
            in_channels=16, out_channels=4, joint_attention_dim=WIDTH, axes_dims_rope=(4, 6, 6), **blocks
        ),
        "vae": vae, "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
        "text_encoder": seeing(), "tokenizer": tiny_words.save_qwen, "processor": tiny_words.save_qwen_vl,
    }  # fmt: skip


def longcat() -> dict[str, Any]:
    return {
        "transformer": diffusers.LongCatImageTransformer2DModel(
            in_channels=64, joint_attention_dim=WIDTH, pooled_projection_dim=WIDTH, axes_dims_rope=[4, 6, 6], **BLOCKS
        ),
        "vae": diffusers.AutoencoderKL(latent_channels=16, shift_factor=0.1, scaling_factor=0.4, use_quant_conv=False,
                                       use_post_quant_conv=False, **CODER),
        "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
        "text_encoder": seeing(), "tokenizer": tiny_words.save_qwen, "text_processor": tiny_words.save_qwen_vl,
    }  # fmt: skip


def schnell() -> dict[str, Any]:
    return {
        **kontext(),
        "transformer": diffusers.FluxTransformer2DModel(
            in_channels=16, joint_attention_dim=WIDTH, pooled_projection_dim=WIDTH, guidance_embeds=False,
            axes_dims_rope=(4, 6, 6), **BLOCKS,
        ),
    }  # fmt: skip


def z_image() -> dict[str, Any]:
    text = transformers.Qwen3Config(
        vocab_size=WORDS, hidden_size=WIDTH, intermediate_size=WIDTH, num_hidden_layers=3, num_attention_heads=2,
        num_key_value_heads=1, head_dim=WIDTH // 2,
    )  # fmt: skip
    return {
        "transformer": diffusers.ZImageTransformer2DModel(
            in_channels=4, dim=32, n_layers=1, n_refiner_layers=1, n_heads=2, n_kv_heads=2, cap_feat_dim=WIDTH,
            axes_dims=[4, 6, 6], axes_lens=[1024, 64, 64],
        ),
        "vae": kontext()["vae"], "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
        "text_encoder": transformers.Qwen3Model(text), "tokenizer": tiny_words.save_qwen,
    }  # fmt: skip


def sprint() -> dict[str, Any]:
    text = transformers.Gemma2Config(
        vocab_size=400, hidden_size=WIDTH, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=8,
    )  # fmt: skip
    vae = diffusers.AutoencoderDC(
        latent_channels=4, encoder_block_out_channels=(8,) * 6, decoder_block_out_channels=(8,) * 6,
        encoder_layers_per_block=(1,) * 6, decoder_layers_per_block=(1,) * 6, encoder_qkv_multiscales=((),) * 6,
        decoder_qkv_multiscales=((),) * 6, scaling_factor=0.4,
    )  # fmt: skip
    return {
        "transformer": diffusers.SanaTransformer2DModel(
            in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=8, num_layers=1, num_cross_attention_heads=2,
            cross_attention_head_dim=8, cross_attention_dim=16, caption_channels=WIDTH, guidance_embeds=True, qk_norm="rms_norm_across_heads",
        ),
        "vae": vae, "scheduler": diffusers.SCMScheduler(),
        "text_encoder": transformers.Gemma2Model(text), "tokenizer": tiny_words.save_gemma,
    }  # fmt: skip


def qwen_image() -> dict[str, Any]:
    return {part: module for part, module in qwen_edit().items() if part != "processor"}


def chroma() -> dict[str, Any]:
    parts = kontext()
    return {
        "transformer": diffusers.ChromaTransformer2DModel(
            in_channels=16, joint_attention_dim=WIDTH, axes_dims_rope=(4, 6, 6), approximator_num_channels=8, approximator_hidden_dim=16,
            approximator_layers=1, **BLOCKS,
        ),
        "vae": parts["vae"], "scheduler": parts["scheduler"], "text_encoder": parts["text_encoder_2"], "tokenizer": tiny_words.save_t5,
    }  # fmt: skip


def sd3() -> dict[str, Any]:
    parts = kontext()
    clips = [transformers.CLIPTextModelWithProjection(parts["text_encoder"].config) for _ in range(2)]
    return {
        "transformer": diffusers.SD3Transformer2DModel(
            sample_size=32, in_channels=4, out_channels=4, num_layers=1, attention_head_dim=8, num_attention_heads=4,
            caption_projection_dim=32, joint_attention_dim=2 * WIDTH, pooled_projection_dim=2 * WIDTH, pos_embed_max_size=64,
        ),
        "vae": parts["vae"], "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
        "text_encoder": clips[0], "tokenizer": tiny_words.save_clip, "text_encoder_2": clips[1], "tokenizer_2": tiny_words.save_clip,
        "text_encoder_3": transformers.T5EncoderModel(
            transformers.T5Config(vocab_size=WORDS, d_model=2 * WIDTH, d_kv=8, d_ff=32, num_layers=1, num_heads=2, feed_forward_proj="gated-gelu")
        ),
        "tokenizer_3": tiny_words.save_t5,
    }  # fmt: skip


def kandinsky() -> dict[str, Any]:
    parts = kontext()
    return {
        "transformer": diffusers.Kandinsky5Transformer3DModel(
            in_visual_dim=4, out_visual_dim=4, in_text_dim=WIDTH, in_text_dim2=WIDTH, time_dim=16, model_dim=32, ff_dim=32,
            num_text_blocks=1, num_visual_blocks=1, axes_dims=(4, 6, 6), visual_cond=True,
        ),
        "vae": parts["vae"], "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
        "text_encoder": seeing(), "tokenizer": tiny_words.save_qwen_vl, "text_encoder_2": parts["text_encoder"], "tokenizer_2": tiny_words.save_clip,
    }  # fmt: skip


def qwen_21() -> dict[str, Any]:
    vae = diffusers.AutoencoderKLQwenImage21(
        base_dim=4, decoder_base_dim=4, z_dim=16, dim_mult=[1, 1, 1, 1, 1], num_res_blocks=1, latents_mean=[0.1] * 16, latents_std=[1.5] * 16
    )
    return {
        "transformer": diffusers.QwenImage21Transformer2DModel(
            in_channels=16, out_channels=16, num_layers=1, attention_head_dim=16, num_attention_heads=2, context_in_dim=WIDTH,
            axes_dims_rope=(4, 6, 6),
        ),
        "vae": vae, "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
        "text_encoder": seeing_3(), "processor": tiny_words.save_qwen3_vl,
    }  # fmt: skip


def joy(cls: Any = diffusers.JoyImageEditTransformer3DModel) -> dict[str, Any]:
    vae = diffusers.AutoencoderKLWan(
        base_dim=4, z_dim=4, dim_mult=[1, 1, 1, 1], num_res_blocks=1, latents_mean=[0.1] * 4, latents_std=[1.5] * 4
    )
    return {
        "transformer": cls(in_channels=4, hidden_size=32, num_attention_heads=2, text_dim=WIDTH, num_layers=1, rope_dim_list=[4, 6, 6]),
        "vae": vae, "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
        "text_encoder": seeing_3(), "tokenizer": tiny_words.save_qwen, "processor": tiny_words.save_qwen3_vl,
    }  # fmt: skip


def joy_plus() -> dict[str, Any]:
    return joy(diffusers.JoyImageEditPlusTransformer3DModel)


def z_omni() -> dict[str, Any]:
    eyes = transformers.Siglip2VisionConfig(
        hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, num_patches=16, patch_size=16
    )
    return {
        **z_image(),
        "transformer": diffusers.ZImageTransformer2DModel(
            in_channels=4, dim=32, n_layers=1, n_refiner_layers=1, n_heads=2, n_kv_heads=2, cap_feat_dim=WIDTH, siglip_feat_dim=8,
            axes_dims=[4, 6, 6], axes_lens=[1024, 64, 64],
        ),
        "siglip": transformers.Siglip2VisionModel(eyes), "siglip_processor": tiny_words.save_siglip,
    }  # fmt: skip


def fibo() -> dict[str, Any]:
    text = transformers.SmolLM3Config(
        vocab_size=WORDS, hidden_size=WIDTH, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
        pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    vae = diffusers.AutoencoderKLWan(
        base_dim=4, z_dim=4, dim_mult=[1, 1, 1, 1], num_res_blocks=1, latents_mean=[0.1] * 4, latents_std=[1.5] * 4,
        in_channels=12, out_channels=12, patch_size=2, is_residual=True, scale_factor_spatial=16,
    )  # fmt: skip
    return {
        "transformer": diffusers.BriaFiboTransformer2DModel(
            in_channels=4, joint_attention_dim=2 * WIDTH, text_encoder_dim=WIDTH, axes_dims_rope=[4, 6, 6], **BLOCKS
        ),
        "vae": vae, "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
        "text_encoder": transformers.SmolLM3ForCausalLM(text), "tokenizer": tiny_words.save_smollm,
    }  # fmt: skip


def fibo_2() -> dict[str, Any]:
    return {
        "transformer": diffusers.BriaFibo2Transformer2DModel(
            in_channels=4, dim=32, n_layers=5, n_refiner_layers=1, n_heads=2, cap_feat_dim=3 * WIDTH, injection_layer_ids=(0, 1, 2, 3, 4),
            perceiver_num_layers=1, min_num_gist_tokens=8, max_num_gist_tokens=16, gist_step=8, axes_dims=(4, 6, 6),
        ),
        "vae": diffusers.AutoencoderKLFlux2(latent_channels=4, **CODER),
        "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
        "text_encoder": seeing_3(35), "processor": tiny_words.save_qwen3_vl,
    }  # fmt: skip


def dream_lite() -> dict[str, Any]:
    widths = (8, 8, 8, 8)
    return {
        "unet": diffusers.DreamLiteUNetModel(
            sample_size=32, block_out_channels=(16, 16), layers_per_block=1, norm_num_groups=4, attention_head_dim=2, cross_attention_dim=WIDTH,
            down_block_types=("DreamLiteCrossAttnNoSelfAttnDownBlock2D", "DreamLiteCrossAttnDownBlock2D"),
            up_block_types=("DreamLiteCrossAttnUpBlock2D", "DreamLiteUpBlock2D"), addition_embed_type="time", addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=16, use_linear_projection=True, ff_mult=2,
        ),
        "vae": diffusers.AutoencoderTiny(encoder_block_out_channels=widths, decoder_block_out_channels=widths),
        "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
        "text_encoder": seeing_3(), "tokenizer": tiny_words.save_qwen, "processor": tiny_words.save_qwen3_vl,
    }  # fmt: skip


def kandinsky_3() -> dict[str, Any]:
    return {
        "unet": diffusers.Kandinsky3UNet(
            time_embedding_dim=16, groups=4, attention_head_dim=8, layers_per_block=3, block_out_channels=(16, 32), cross_attention_dim=WIDTH,
            encoder_hid_dim=WIDTH,
        ),
        "movq": diffusers.VQModel(
            latent_channels=4, vq_embed_dim=4, num_vq_embeddings=16, norm_type="spatial", **{**CODER, "block_out_channels": (32,) * 4}
        ),
        "scheduler": diffusers.DDPMScheduler(beta_schedule="squaredcos_cap_v2", clip_sample=False),
        "text_encoder": kontext()["text_encoder_2"], "tokenizer": tiny_words.save_t5,
    }  # fmt: skip


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "kontext": kontext, "klein": klein, "klein-base": klein, "flux2": flux2, "qwen-edit": qwen_edit, "qwen-edit-plus": qwen_edit,
    "longcat-edit": longcat, "klein-kv": klein, "kandinsky5-edit": kandinsky, "qwen-image-2": qwen_21,
    "joy-edit": joy, "joy-edit-plus": joy_plus, "z-image-turbo": z_image, "sana-sprint": sprint, "flux-schnell": schnell, "flux": kontext,
    "qwen-image": qwen_image, "chroma": chroma, "sd3": sd3,
    "z-image-omni": z_omni, "fibo-edit": fibo, "fibo2": fibo_2, "dreamlite": dream_lite, "dreamlite-mobile": dream_lite, "kandinsky3": kandinsky_3,
}  # fmt: skip

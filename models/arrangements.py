"""How the tensors of a checkpoint that is one file are arranged: which part each belongs to, and its name and shape there.

Renaming is diffusers' own (`loaders.single_file_utils`) wherever that can be asked without a loader. It is asked twice:
of tensors without numbers, so that a file is known to fit before any of it is read, and then of the numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from diffusers.loaders import single_file_utils as library
from torch import Tensor

from models.encoders import older

Tensors = dict[str, Tensor]
Rename = Callable[[Tensors, Mapping[str, Any]], Tensors]  # of the file's tensors under one beginning, and the part's settings
DENOISER, CODER = "model.diffusion_model.", "first_stage_model."
VAE = "vae."  # of an autoencoder, as ComfyUI saves a checkpoint whole
FIRST, OPEN, XL_FIRST, XL_OPEN = ("cond_stage_model.transformer.", "cond_stage_model.model.", "conditioner.embedders.0.transformer.",
                                  "conditioner.embedders.1.model.")  # fmt: skip
OPEN_ALONE = "conditioner.embedders.0.model."  # of SD-Turbo as it was released; the XL refiner's wider one is called so too
CLIP_L, CLIP_G, T5_XXL, QWEN3_4B, QWEN3_8B, QWEN_SEES = (
    f"text_encoders.{name}.transformer." for name in ("clip_l", "clip_g", "t5xxl", "qwen3_4b", "qwen3_8b", "qwen25_7b")
)  # as ComfyUI saves checkpoints whole


class Announced(Tensor):
    """A tensor without numbers that knows which of a file's tensors it was made of."""

    made_of: frozenset[str]

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = super().__torch_function__(func, types, args, kwargs or {})
        names = frozenset(name for given in _within(args) for name in given.made_of)
        for tensor in _within((made,)):
            tensor.made_of = names
        return made


def announced(name: str, shape: tuple[int, ...]) -> Announced:
    tensor = torch.empty(shape, device="meta").as_subclass(Announced)
    tensor.made_of = frozenset((name,))
    return tensor


def _within(values: Iterable[Any]) -> Iterator[Announced]:
    for value in values:
        if isinstance(value, Announced):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _within(value)


def _unet(tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
    told = f"{DENOISER}time_embed.cond_proj.weight"  # a consistency model's: the library leaves it out
    more = {"time_embedding.cond_proj.weight": tensors[told]} if told in tensors else {}
    return {**library.convert_ldm_unet_checkpoint(tensors, {"layers_per_block": 2, **config}), **more}


def _coder(tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
    return library.convert_ldm_vae_checkpoint(tensors, config)


def _coder_as_named(tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
    """By diffusers' names, older ones too."""
    return {older("AutoencoderKL", name): tensor for name, tensor in tensors.items()}


def _coder_flux2(tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
    """FLUX.2's, which norms its latents, and whose outermost layers may stand within what they surround."""
    inner = {"encoder.quant_conv.": "quant_conv.", "decoder.post_quant_conv.": "post_quant_conv."}
    found = {name.removeprefix(CODER).removeprefix(VAE): tensor for name, tensor in tensors.items()}
    for theirs, ours in inner.items():
        found = {f"{ours}{name.removeprefix(theirs)}" if name.startswith(theirs) else name: tensor for name, tensor in found.items()}
    norms = {name: tensor for name, tensor in found.items() if name.startswith("bn.")}
    rest = {f"{CODER}{name}": tensor for name, tensor in found.items() if name not in norms}
    return {**library.convert_ldm_vae_checkpoint(rest, config), **norms}


def _coder_wan(tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
    """Qwen-Image's, which was made of Wan's."""
    return library.convert_wan_vae_to_diffusers({name.removeprefix(CODER).removeprefix(VAE): tensor for name, tensor in tensors.items()})


def _control(tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
    """A ControlNet's, by either's names. What XL is told beside words the library leaves out, and of what lacks it makes None."""
    mapping: Any = library.DIFFUSERS_TO_LDM_MAPPING
    told = {ours: tensors[theirs] for ours, theirs in mapping["unet"]["addition_embed_type"].items() if theirs in tensors}
    found = {**library.convert_controlnet_checkpoint(tensors, {"layers_per_block": 2, **config}), **told}
    return {name: tensor for name, tensor in found.items() if tensor is not None}


def _clip(tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
    return library.convert_ldm_clip_checkpoint(tensors)


def open_clip(beginning: str) -> Rename:
    """Of OpenCLIP's own names behind a beginning."""

    def rename(tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
        network: Any = SimpleNamespace(config=SimpleNamespace(**config))
        return library.convert_open_clip_checkpoint(network, tensors, prefix=beginning)

    return rename


def unprefixed(beginning: str) -> Rename:
    """Of tensors that have the library's own names behind a beginning."""
    return lambda tensors, config: {name.removeprefix(beginning): tensor for name, tensor in tensors.items()}


def _language(beginning: str, network: str) -> Rename:
    """Of a language model of that class, by whatever names the library ever gave its tensors."""
    return lambda tensors, config: {older(network, name.removeprefix(beginning)): tensor for name, tensor in tensors.items()}


def _t5(tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
    """What reads a word is one tensor under two names, of which a file may have either."""
    found = unprefixed(T5_XXL)(tensors, config)
    words = next((found[name] for name in ("shared.weight", "encoder.embed_tokens.weight") if name in found), None)
    return found if words is None else {"shared.weight": words, **found}


def _clip_l_plain(tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
    """Stable Diffusion 3's, whose pooled words go on unchanged: whatever projection its file may hold was never used."""
    found = unprefixed(CLIP_L)(tensors, config)
    like = next(iter(found.values()))
    return {**found, "text_projection.weight": torch.eye(int(config["hidden_size"]), dtype=like.dtype, device=like.device)}


def _bare(rename: Callable[[Tensors], Tensors]) -> Rename:
    """Of a converter that knows no beginnings, and may empty what it is given."""
    return lambda tensors, config: rename({name.removeprefix(DENOISER): tensor for name, tensor in tensors.items()})


FLUX = (  # of FLUX.1's blocks and what surrounds them: the file's names, diffusers'
    (r"^time_in\.in_layer", "time_text_embed.timestep_embedder.linear_1"), (r"^time_in\.out_layer", "time_text_embed.timestep_embedder.linear_2"),
    (r"^vector_in\.in_layer", "time_text_embed.text_embedder.linear_1"), (r"^vector_in\.out_layer", "time_text_embed.text_embedder.linear_2"),
    (r"^guidance_in\.in_layer", "time_text_embed.guidance_embedder.linear_1"),
    (r"^guidance_in\.out_layer", "time_text_embed.guidance_embedder.linear_2"),
    (r"^txt_in", "context_embedder"), (r"^img_in", "x_embedder"), (r"^final_layer\.linear", "proj_out"),
    (r"^final_layer\.adaLN_modulation\.1", "norm_out.linear"),
    (r"^double_blocks\.", "transformer_blocks."), (r"^single_blocks\.", "single_transformer_blocks."),
    (r"\.img_mod\.lin", ".norm1.linear"), (r"\.txt_mod\.lin", ".norm1_context.linear"), (r"\.modulation\.lin", ".norm.linear"),
    (r"\.img_attn\.norm\.query_norm\.(scale|weight)", ".attn.norm_q.weight"), (r"\.img_attn\.norm\.key_norm\.(scale|weight)", ".attn.norm_k.weight"),
    (r"\.txt_attn\.norm\.query_norm\.(scale|weight)", ".attn.norm_added_q.weight"), (r"\.txt_attn\.norm\.key_norm\.(scale|weight)", ".attn.norm_added_k.weight"),
    (r"\.norm\.query_norm\.(scale|weight)", ".attn.norm_q.weight"), (r"\.norm\.key_norm\.(scale|weight)", ".attn.norm_k.weight"),
    (r"\.img_attn\.proj", ".attn.to_out.0"), (r"\.txt_attn\.proj", ".attn.to_add_out"), (r"\.linear2", ".proj_out"),
    (r"\.img_mlp\.0", ".ff.net.0.proj"), (r"\.img_mlp\.2", ".ff.net.2"),
    (r"\.txt_mlp\.0", ".ff_context.net.0.proj"), (r"\.txt_mlp\.2", ".ff_context.net.2"),
    (r"^(distilled_guidance_layer\.norms\.\d+)\.scale", r"\1.weight"),  # Chroma's, which was made of FLUX.1
    (r"^(distilled_guidance_layer\.layers\.\d+)\.in_layer", r"\1.linear_1"),
    (r"^(distilled_guidance_layer\.layers\.\d+)\.out_layer", r"\1.linear_2"),
)  # fmt: skip
TOGETHER = {  # what files of FLUX.1 hold as one tensor
    ".img_attn.qkv": ("attn.to_q", "attn.to_k", "attn.to_v"), ".txt_attn.qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
    ".linear1": ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"),
}  # fmt: skip


def _flux(tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
    """As `convert_flux_transformer_checkpoint_to_diffusers`, and for Chroma `convert_chroma_...`: the library's know one width."""
    found: Tensors = {}
    width = int(config.get("num_attention_heads", 24)) * int(config.get("attention_head_dim", 128))
    for name, tensor in tensors.items():
        owner, _, kind = name.removeprefix(DENOISER).rpartition(".")
        renamed = _flux_name(f"{owner}.{kind}")
        for ending, names in TOGETHER.items():
            if owner.endswith(ending):
                rows = len(tensor) if tensor.ndim else 0
                sizes = [width, width, width, rows - 3 * width][: len(names)]
                pieces = tensor.split(sizes) if min(sizes) > 0 and sum(sizes) == rows else (tensor,)  # one that does not fit, by its name
                block = _flux_name(owner.removesuffix(ending) + ".").rstrip(".")
                found |= {f"{block}.{part}.{kind}": piece for part, piece in zip(names, pieces, strict=False)}
                break
        else:
            if renamed.startswith("norm_out."):  # the file says shift, then scale
                tensor = torch.cat([*tensor.chunk(2)][::-1])
            found[renamed] = tensor
    return found


def _longcat(tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
    """LongCat-Image's, which was made of FLUX.1 and told no pooled words."""
    return {name.replace("time_text_embed.", "time_embed.", 1): tensor for name, tensor in _flux(tensors, config).items()}


def _flux_name(name: str) -> str:
    for pattern, ours in FLUX:
        name = re.sub(pattern, ours, name)
    return name


class Arrangement(NamedTuple):
    """One part of a file. begins: what its tensors' names begin with; part: of a folder; rename: to the part's own names."""

    begins: str
    part: str
    rename: Rename


WHOLE = (  # parts of Stable Diffusion's files, and those of FLUX.1
    Arrangement(DENOISER, "unet", _unet), Arrangement(CODER, "vae", _coder), Arrangement(VAE, "vae", _coder),
    Arrangement(FIRST, "text_encoder", _clip), *(Arrangement(begins, "text_encoder", open_clip(begins)) for begins in (OPEN, OPEN_ALONE)),
    Arrangement(XL_FIRST, "text_encoder", _clip), Arrangement(XL_OPEN, "text_encoder_2", open_clip(XL_OPEN)),
    Arrangement(CLIP_L, "text_encoder", unprefixed(CLIP_L)), Arrangement(T5_XXL, "text_encoder_2", _t5),
)  # fmt: skip


NAMED_CODER = Arrangement("", "vae", _coder_as_named)  # of a file that is one and nothing else
TRAINED_CODERS = {  # the same, by the names of the program that trained it
    "AutoencoderKL": Arrangement(CODER, "vae", _coder), "AutoencoderKLFlux2": Arrangement(CODER, "vae", _coder_flux2),
    "AutoencoderKLQwenImage": Arrangement(CODER, "vae", _coder_wan),
}  # fmt: skip


CONTROL = Arrangement("", "controlnet", _control)  # of a file that is a ControlNet and nothing else


class Denoiser(NamedTuple):
    """What is a denoiser of its own. mark: a tensor that tells it; network: its class in diffusers; rename: to its names; beside:
    parts that are others than in WHOLE where it stands in the file; never: a tensor that it has not, "" for none."""

    mark: str
    network: str
    rename: Rename
    beside: tuple[Arrangement, ...] = ()
    never: str = ""


def _as_named(tensors: Tensors) -> Tensors:
    return tensors


SD3 = (Arrangement(CLIP_L, "text_encoder", _clip_l_plain), Arrangement(CLIP_G, "text_encoder_2", unprefixed(CLIP_G)), Arrangement(T5_XXL, "text_encoder_3", _t5))
KLEIN = (
    *(Arrangement(begins, "text_encoder", _language(begins, "Qwen3ForCausalLM")) for begins in (QWEN3_4B, QWEN3_8B)),
    Arrangement(VAE, "vae", _coder_flux2),
)
Z_IMAGE = (Arrangement(QWEN3_4B, "text_encoder", _language(QWEN3_4B, "Qwen3Model")),)
QWEN = (
    Arrangement(QWEN_SEES, "text_encoder", _language(QWEN_SEES, "Qwen2_5_VLForConditionalGeneration")), Arrangement(VAE, "vae", _coder_wan),
)  # fmt: skip
LONGCAT = QWEN[:1]
CHROMA = (Arrangement(T5_XXL, "text_encoder", _t5),)
# The more particular rows stand first: the first whose mark is there is taken.
DENOISERS = (
    Denoiser("single_stream_modulation.lin.weight", "Flux2Transformer2DModel",
             _bare(library.convert_flux2_transformer_checkpoint_to_diffusers), KLEIN),
    Denoiser("distilled_guidance_layer.norms.0.scale", "ChromaTransformer2DModel", _flux, CHROMA),
    Denoiser("noise_refiner.0.attention.qkv.weight", "ZImageTransformer2DModel",
             _bare(library.convert_z_image_transformer_checkpoint_to_diffusers), Z_IMAGE),
    *(Denoiser(f"double_blocks.0.img_attn.norm.key_norm.{kind}", "LongCatImageTransformer2DModel", _longcat, LONGCAT, "vector_in.in_layer.weight")
      for kind in ("weight", "scale")),
    Denoiser("double_blocks.0.img_attn.norm.key_norm.scale", "FluxTransformer2DModel", _flux),
    Denoiser("joint_blocks.0.context_block.attn.qkv.weight", "SD3Transformer2DModel",
             _bare(library.convert_sd3_transformer_checkpoint_to_diffusers), SD3),
    Denoiser("input_blocks.0.0.weight", "UNet2DConditionModel", _unet),
    Denoiser("down_blocks.0.resnets.0.norm1.weight", "UNet2DConditionModel", _bare(_as_named)),
    Denoiser("single_stream_modulation.linear.weight", "Flux2Transformer2DModel", _bare(_as_named), KLEIN),
    Denoiser("distilled_guidance_layer.norms.0.weight", "ChromaTransformer2DModel", _bare(_as_named), CHROMA),
    Denoiser("all_x_embedder.2-1.weight", "ZImageTransformer2DModel", _bare(_as_named), Z_IMAGE),
    Denoiser("time_embed.timestep_embedder.linear_1.weight", "LongCatImageTransformer2DModel", _bare(_as_named), LONGCAT),
    Denoiser("single_transformer_blocks.0.norm.linear.weight", "FluxTransformer2DModel", _bare(_as_named)),
    Denoiser("transformer_blocks.0.img_mod.1.weight", "QwenImageTransformer2DModel", _bare(_as_named), QWEN),
)  # fmt: skip
READ = frozenset({
    "v1", "v2", "xl_base", "instruct-pix2pix", "flux-dev", "flux-schnell", "flux-2-dev", "sd3", "sd35_medium", "sd35_large", "chroma",
    "z-image-turbo",
})  # the library's names for what is read here  # fmt: skip
BEGINNINGS = (DENOISER, "diffusion_model.")  # of a denoiser's names, where there are any
HARMLESS = re.compile(
    r"model_ema\.|(\w+\.)*(position_ids|logit_scale|num_batches_tracked|spiece_model|norm_final\.weight|__index_timestep_zero__)$"
    r"|(alphas|betas|sqrt|log_one|posterior)\w*$|global_step$"
    r"|(v_pred|ztsnr)$|denoiser\.sigmas$|first_stage_model\.loss\."
    rf"|({OPEN}|{OPEN_ALONE})(text_projection$|transformer\.resblocks\.23\.)"
    rf"|{CLIP_L}text_projection(\.weight)?$"
)  # what training left in the files and what no text encoder of a family asks for

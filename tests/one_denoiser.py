"""Tiny diffusion transformers alone in a file, named as those who made them name their tensors; and packed, as GGUF."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.loaders import single_file_utils as library
from safetensors.torch import save_file
from torch import Tensor

from tests.one_file import Tensors, clip_tensors, coder_tensors, config, part, wan_tensors

FLUX = (
    ("time_text_embed.timestep_embedder.linear_1", "time_in.in_layer"), ("time_text_embed.timestep_embedder.linear_2", "time_in.out_layer"),
    ("time_text_embed.text_embedder.linear_1", "vector_in.in_layer"), ("time_text_embed.text_embedder.linear_2", "vector_in.out_layer"),
    ("time_text_embed.guidance_embedder.linear_1", "guidance_in.in_layer"), ("time_text_embed.guidance_embedder.linear_2", "guidance_in.out_layer"),
    ("context_embedder", "txt_in"), ("x_embedder", "img_in"), ("norm1_context.linear", "txt_mod.lin"), ("norm1.linear", "img_mod.lin"),
    ("attn.norm_added_q.weight", "txt_attn.norm.query_norm.scale"), ("attn.norm_added_k.weight", "txt_attn.norm.key_norm.scale"),
    ("attn.to_out.0", "img_attn.proj"), ("attn.to_add_out", "txt_attn.proj"), ("ff.net.0.proj", "img_mlp.0"), ("ff.net.2", "img_mlp.2"),
    ("ff_context.net.0.proj", "txt_mlp.0"), ("ff_context.net.2", "txt_mlp.2"),
)  # fmt: skip
FLUX2 = (
    ("time_guidance_embed.timestep_embedder.linear_1", "time_in.in_layer"), ("time_guidance_embed.timestep_embedder.linear_2", "time_in.out_layer"),
    ("time_guidance_embed.guidance_embedder.linear_1", "guidance_in.in_layer"),
    ("time_guidance_embed.guidance_embedder.linear_2", "guidance_in.out_layer"), ("context_embedder", "txt_in"), ("x_embedder", "img_in"),
    ("stream_modulation_img.linear", "stream_modulation_img.lin"), ("stream_modulation_txt.linear", "stream_modulation_txt.lin"),
    ("single_stream_modulation.linear", "single_stream_modulation.lin"), ("attn.to_qkv_mlp_proj", "linear1"),
    ("attn.norm_added_q.weight", "txt_attn.norm.query_norm.scale"), ("attn.norm_added_k.weight", "txt_attn.norm.key_norm.scale"),
    ("attn.to_out.0", "img_attn.proj"), ("attn.to_add_out", "txt_attn.proj"), ("ff.linear_in", "img_mlp.0"), ("ff.linear_out", "img_mlp.2"),
    ("ff_context.linear_in", "txt_mlp.0"), ("ff_context.linear_out", "txt_mlp.2"), ("attn.to_out", "linear2"),
)  # fmt: skip
SINGLE = (("attn.norm_q.weight", "norm.query_norm.scale"), ("attn.norm_k.weight", "norm.key_norm.scale"), ("norm.linear", "modulation.lin"),
          ("proj_out", "linear2"))  # fmt: skip
DOUBLE = (("attn.norm_q.weight", "img_attn.norm.query_norm.scale"), ("attn.norm_k.weight", "img_attn.norm.key_norm.scale"))
TOGETHER = {"to_q": "img_attn.qkv", "to_k": "img_attn.qkv", "to_v": "img_attn.qkv", "add_q_proj": "txt_attn.qkv", "add_k_proj": "txt_attn.qkv",
            "add_v_proj": "txt_attn.qkv"}  # fmt: skip

ORDER = ("to_q", "to_k", "to_v", "add_q_proj", "add_k_proj", "add_v_proj", "proj_mlp")


def flux_tensors(tensors: Tensors, table: tuple[tuple[str, str], ...] = FLUX) -> Tensors:
    """Of FLUX.1, and with the other table of FLUX.2."""
    out, together = {}, dict[str, dict[str, Tensor]]()
    for name, tensor in tensors.items():
        single = name.startswith("single_transformer_blocks")
        block, _, inner = name.removeprefix("single_").removeprefix("transformer_blocks.").partition(".")
        begins = f"single_blocks.{block}." if single else f"double_blocks.{block}." if name.startswith("transformer_blocks") else ""
        inner = inner if begins else name
        found = re.fullmatch(r"attn\.(to_[qkv]|add_[qkv]_proj)\.(weight|bias)|(proj_mlp)\.(weight|bias)", inner)
        if found:
            where = "linear1" if single else TOGETHER[found[1]]
            together.setdefault(f"{begins}{where}.{found[2] or found[4]}", {})[found[1] or found[3]] = tensor
            continue
        if inner.startswith("norm_out.linear"):
            inner, tensor = inner.replace("norm_out.linear", "final_layer.adaLN_modulation.1"), torch.cat(tensor.chunk(2)[::-1])
        elif not begins:
            inner = inner.replace("proj_out", "final_layer.linear")
        for ours, theirs in (*(SINGLE if single else DOUBLE if begins else ()), *table):
            if inner.startswith(ours) or ours in inner and not begins:
                inner = inner.replace(ours, theirs)
                break
        out[begins + inner] = tensor.contiguous()
    return out | {name: torch.cat([parts[piece] for piece in ORDER if piece in parts]) for name, parts in together.items()}


SD3 = (
    ("pos_embed.pos_embed", "pos_embed"), ("pos_embed.proj", "x_embedder.proj"), ("time_text_embed.timestep_embedder.linear_1", "t_embedder.mlp.0"),
    ("time_text_embed.timestep_embedder.linear_2", "t_embedder.mlp.2"), ("time_text_embed.text_embedder.linear_1", "y_embedder.mlp.0"),
    ("time_text_embed.text_embedder.linear_2", "y_embedder.mlp.2"), ("proj_out", "final_layer.linear"), ("norm_out.linear", "final_layer.adaLN_modulation.1"),
    ("attn.norm_added_q", "context_block.attn.ln_q"), ("attn.norm_added_k", "context_block.attn.ln_k"), ("attn.norm_q", "x_block.attn.ln_q"),
    ("attn.norm_k", "x_block.attn.ln_k"), ("attn2.norm_q", "x_block.attn2.ln_q"), ("attn2.norm_k", "x_block.attn2.ln_k"),
    ("attn.to_out.0", "x_block.attn.proj"), ("attn2.to_out.0", "x_block.attn2.proj"), ("attn.to_add_out", "context_block.attn.proj"),
    ("norm1_context.linear", "context_block.adaLN_modulation.1"), ("norm1.linear", "x_block.adaLN_modulation.1"),
    ("ff.net.0.proj", "x_block.mlp.fc1"), ("ff.net.2", "x_block.mlp.fc2"), ("ff_context.net.0.proj", "context_block.mlp.fc1"),
    ("ff_context.net.2", "context_block.mlp.fc2"), ("attn.to_", "x_block.attn.qkv "), ("attn2.to_", "x_block.attn2.qkv "),
    ("attn.add_", "context_block.attn.qkv "),
)  # fmt: skip


def sd3_tensors(tensors: Tensors) -> Tensors:
    """Of Stable Diffusion 3."""
    out, together = {}, dict[str, dict[str, Tensor]]()
    last = max(int(found[1]) for name in tensors if (found := re.match(r"transformer_blocks\.(\d+)", name)))
    for name, tensor in tensors.items():
        block, inner = found.groups() if (found := re.match(r"transformer_blocks\.(\d+)\.(.*)", name)) else ("", name)
        if inner.startswith("norm_out.") or (inner.startswith("norm1_context.") and int(block) == last):
            tensor = torch.cat(tensor.chunk(2)[::-1])  # there shift comes first
        ours, theirs = next((row for row in SD3 if inner.startswith(row[0])), ("", ""))
        told = (f"joint_blocks.{block}." if block else "") + theirs + inner.removeprefix(ours)
        if " " in told:
            where, _, which = told.partition(" ")
            together.setdefault(f"{where}.{which.rpartition('.')[2]}", {})[which[0]] = tensor
        else:
            out[told] = tensor.contiguous()
    return out | {name: torch.cat([three[letter] for letter in "qkv"]) for name, three in together.items()}


def chroma_tensors(tensors: Tensors) -> Tensors:
    """FLUX.1's, with a layer that tells the guidance."""
    guidance = {name: tensor for name, tensor in tensors.items() if name.startswith("distilled_guidance_layer.")}
    out = flux_tensors({name: tensor for name, tensor in tensors.items() if name not in guidance})
    for name, tensor in guidance.items():
        told = name.replace("linear_1", "in_layer").replace("linear_2", "out_layer")
        out[f"{told.removesuffix('weight')}scale" if ".norms." in told else told] = tensor
    return out


Z_IMAGE = (("all_x_embedder.2-1.", "x_embedder."), ("all_final_layer.2-1.", "final_layer."), ("attention.to_out.0.", "attention.out."),
           ("attention.norm_q.", "attention.q_norm."), ("attention.norm_k.", "attention.k_norm."))  # fmt: skip


def z_image_tensors(tensors: Tensors) -> Tensors:
    """Of Z-Image, with what training left."""
    out, together = {"norm_final.weight": torch.ones(8)}, dict[str, dict[str, Tensor]]()
    for name, tensor in tensors.items():
        for ours, theirs in Z_IMAGE:
            name = name.replace(ours, theirs)
        if found := re.fullmatch(r"(.*\.attention)\.to_([qkv])\.weight", name):
            together.setdefault(f"{found[1]}.qkv.weight", {})[found[2]] = tensor
        else:
            out[name] = tensor
    return out | {name: torch.cat([three[letter] for letter in "qkv"]) for name, three in together.items()}


def as_named(tensors: Tensors) -> Tensors:
    return tensors


NAMED: Mapping[str, Callable[[Tensors], Tensors]] = {
    "kontext": flux_tensors, "flux": flux_tensors, "flux-schnell": flux_tensors, "klein": lambda t: flux_tensors(t, FLUX2),
    "flux2": lambda t: flux_tensors(t, FLUX2), "qwen-edit": as_named, "qwen-image": as_named, "sd1": as_named, "sd3": sd3_tensors,
    "klein-base": lambda t: flux_tensors(t, FLUX2), "qwen-edit-plus": as_named, "longcat-edit": as_named, "z-image-turbo": z_image_tensors, "chroma": chroma_tensors,
}  # fmt: skip


def whole_flux(own: Mapping[str, Tensors]) -> Tensors:
    """FLUX.1 with its autoencoder and both text encoders, named as ComfyUI names them. own: by part, in diffusers' names."""
    held = {f"model.diffusion_model.{name}": tensor for name, tensor in flux_tensors(own["transformer"]).items()}
    held |= {name.replace("first_stage_model.", "vae."): tensor for name, tensor in coder_tensors(own["vae"]).items()}
    held |= clip_tensors(own["text_encoder"], "text_encoders.clip_l.transformer.")
    held |= {f"text_encoders.t5xxl.transformer.{name}": tensor for name, tensor in own["text_encoder_2"].items()}
    held["text_encoders.clip_l.transformer.text_projection.weight"] = torch.eye(32)  # there, and not used
    return held | {f"text_encoders.{name}.logit_scale": torch.ones(()) for name in ("clip_l", "t5xxl")}


def whole_sd3(own: Mapping[str, Tensors]) -> Tensors:
    """Stable Diffusion 3 with its autoencoder and all three text encoders, named as those who trained it name them."""
    held = {f"model.diffusion_model.{name}": tensor for name, tensor in sd3_tensors(own["transformer"]).items()} | coder_tensors(own["vae"])
    for name, encoder in (("clip_l", "text_encoder"), ("clip_g", "text_encoder_2"), ("t5xxl", "text_encoder_3")):
        held |= {f"text_encoders.{name}.transformer.{key}": tensor for key, tensor in own[encoder].items()}
    held["text_encoders.clip_l.transformer.text_projection.weight"] = torch.ones(8, 8)  # there, and not used
    return held


BESIDE = {"klein": "qwen3_4b", "klein-9b": "qwen3_8b", "z-image-turbo": "qwen3_4b", "qwen-image": "qwen25_7b", "chroma": "t5xxl", "longcat-edit": "qwen25_7b", "flux2": "mistral3_24b"}  # a text encoder's name


def whole_other(own: Mapping[str, Tensors], family: str) -> Tensors:
    """A diffusion transformer with its autoencoder and one text encoder, named as ComfyUI names them."""
    kind = "qwen-image" if family.startswith("qwen") else f"klein{'-9b' if family.endswith('9b') else ''}" if family.startswith("klein") else family
    held = {f"model.diffusion_model.{name}": tensor for name, tensor in NAMED[kind.removesuffix("-9b")](own["transformer"]).items()}
    coder = wan_tensors(own["vae"]) if kind == "qwen-image" else coder_tensors(own["vae"])
    held |= {f"vae.{name.removeprefix('first_stage_model.')}": tensor for name, tensor in coder.items()}
    for name, tensor in own["text_encoder"].items():
        if kind == "z-image-turbo":
            name = f"model.{name}"
        elif kind in ("qwen-image", "longcat-edit"):
            name = name.replace("model.language_model.", "model.").replace("model.visual.", "visual.")
        held[f"text_encoders.{BESIDE[kind]}.transformer.{name}"] = tensor
    return held


def transformer_file(folder: Path, path: Path, told: Mapping[str, str] | None = None, **instead: Tensor | None) -> Path:
    """A diffusion transformer in one file, of the family that the folder is called by but for FLUX.1 and Stable Diffusion 3. told: what it says of itself; instead: tensors by name, None for one that is left out."""
    own = {name: part(folder, name) for name in ("transformer", "vae", "text_encoder", "text_encoder_2", "text_encoder_3") if (folder / name).is_dir()}
    held = whole_sd3(own) if "text_encoder_3" in own else whole_flux(own) if "text_encoder_2" in own else whole_other(own, folder.name)
    save_file({name: tensor.clone() for name, tensor in {**held, **instead}.items() if tensor is not None}, path, dict(told or {}))
    return path


def denoiser_file(folder: Path, path: Path, named: Callable[[Tensors], Tensors], begins: str = "") -> Path:
    tensors = named(part(folder, "unet" if (folder / "unet").is_dir() else "transformer"))
    save_file({begins + name: tensor.clone() for name, tensor in tensors.items()}, path)
    return path


def library_flux(tensors: Tensors, width: int) -> Tensors:
    """diffusers' own renaming of FLUX.1, which knows one width, at another."""
    source = inspect.getsource(library.convert_flux_transformer_checkpoint_to_diffusers)
    assert "inner_dim = 3072" in source
    known: dict[str, Any] = {}
    exec(source.replace("inner_dim = 3072", f"inner_dim = {width}"), {**vars(library)}, known)
    return known["convert_flux_transformer_checkpoint_to_diffusers"](dict(tensors))


def packed_file(
    folder: Path, path: Path, named: Callable[[Tensors], Tensors], kind: str | Callable[[str], str], of: str = "transformer", arch: str = "flux",
    called: str = "",
) -> Path:  # fmt: skip
    """As GGUF, by the format's own library: matrices packed, the rest as it is. kind: of packing, or of each tensor's by its name; of:
    which part; arch, called: what the file says of itself."""
    import gguf

    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(str(path), arch=arch)
    if called:
        writer.add_name(called)
    for name, tensor in named(part(folder, of)).items():
        number = gguf.GGMLQuantizationType[kind if isinstance(kind, str) else kind(name)]
        values = tensor.float().numpy()
        packs = values.ndim == 2 or values.ndim > 2 and number.name == "F16"
        if packs and values.shape[-1] % gguf.GGML_QUANT_SIZES[number][0] == 0 and "weight" in name:
            writer.add_tensor(name, _packed(values, number), raw_dtype=number)
        else:
            writer.add_tensor(name, np.ascontiguousarray(values))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


# Where scales in half precision stand in a block, and some that make numbers below 0.1.
K_SCALES = {"Q4_K": ((0, 1e-4), (2, 7e-4)), "Q6_K": ((208, 2e-5),)}


def _packed(values: Any, number: Any) -> Any:
    """uint8 (rows, bytes), or floats. What the library only unpacks is other numbers than were given: blocks at random."""
    import gguf

    if number.name not in K_SCALES:
        return gguf.quants.quantize(values, number)
    block, size = gguf.GGML_QUANT_SIZES[number]
    blocks = np.random.default_rng(values.size).integers(0, 256, (values.size // block, size), dtype=np.uint8)
    for at, scale in K_SCALES[number.name]:
        blocks[:, at : at + 2] = np.frombuffer(np.float16(scale).tobytes(), np.uint8)
    return blocks.reshape(len(values), -1)


__all__ = ["NAMED", "config", "denoiser_file", "flux_tensors", "library_flux", "packed_file"]

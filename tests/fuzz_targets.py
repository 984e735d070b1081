"""What is fuzzed, a table: for every reader of a checkpoint's files how an input is put before it, and sound inputs to begin with."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save

from models.autoencoders import autoencoder
from models.configs import bounded, known
from models.context_encoder import ContextEncoder
from models.controlnets import controlnet, misfit
from models.denoiser import Denoiser
from models.embeddings import Embedding, read_embedding
from models.findings import Findings
from models.gguf_file import open_gguf
from models.loading import checked_config
from models.loose import text_encoder
from models.loras.reading import SCALING, read_lora
from models.packed import unpacked
from models.packing import check_packing
from models.places import Found
from models.plain_files import read_json
from models.prompted.opening import READING, component, recognised, settings_of
from models.safetensors_file import open_safetensors
from models.single_file import Network
from models.sizes import sizes_of
from models.survey import Survey, survey
from models.weight_files import shards_of
from models.weights import filled, planned
from tests.fuzz_words import WORDS
from tests.fuzzing import Target


def read_header(data: bytes, folder: Path) -> None:
    """As a whole safetensors file."""
    path = folder / "model.safetensors"
    path.write_bytes(data)
    with open_safetensors(path, 2**30) as file:
        for name, tensor in file.tensors(hashlib.sha256()):
            if tensor is not None and tuple(tensor.shape) != file.entries[name].shape:
                raise AssertionError(f"{name} has another shape than its header says")


def read_index(data: bytes, folder: Path) -> None:
    """As a folder's index, up to the settings of its parts, which are not there."""
    (folder / "model_index.json").write_bytes(data)
    recognised(survey(folder))


def read_shards(data: bytes, folder: Path) -> None:
    """As an index of shards. A shard that is found lies beside it."""
    path = folder / "model.safetensors.index.json"
    path.write_bytes(data)
    (folder / "a.safetensors").touch()
    if any(shard.parent != folder for shard in shards_of(path)):
        raise AssertionError("a shard lies outside")


def read_config(data: bytes, folder: Path) -> None:
    """As settings of either kind of family."""
    path = folder / "config.json"
    path.write_bytes(data)
    known(bounded(read_json(path), path), Denoiser, path, Findings())
    for network in (Denoiser, ContextEncoder):
        checked_config(path, network, Findings())


def read_gguf(data: bytes, folder: Path) -> None:
    """As a whole GGUF file, up to the tensors' places."""
    path = folder / "model.gguf"
    path.write_bytes(data)
    with open_gguf(path, 2**30) as file:
        if any(entry.end > len(data) for entry in file.entries.values()):
            raise AssertionError("a tensor lies behind the file")


def gguf(lines: list[tuple[str, tuple[int, ...], int, int, bytes]], values: list[tuple[bytes, int, bytes]] | None = None) -> bytes:
    """A GGUF file, written by hand. lines: of each tensor the name, shape, kind, place and bytes; values: key, kind, bytes."""
    out = b"GGUF" + struct.pack("<IQQ", 3, len(lines), len(values or ()))
    for key, kind, value in values or ():
        out += struct.pack("<Q", len(key)) + key + struct.pack("<I", kind) + value
    for name, shape, kind, start, _ in lines:
        out += struct.pack("<Q", len(name)) + name.encode() + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape[::-1], kind, start)
    tensors = bytearray()
    for *_, start, data in lines:
        tensors = tensors.ljust(start, b"\0")
        tensors[start : start + len(data)] = data
    return out + bytes(-len(out) % 32) + bytes(tensors)


def read_alone(read: Callable[[Path], Any], name: str, data: bytes, folder: Path) -> None:
    """As a file that is a LoRA, or a textual inversion, and no more."""
    path = folder / f"{name}.safetensors"
    path.write_bytes(data)
    found = read(path)
    if not all(torch.isfinite(tensor).all() for tensor in (found.vectors if isinstance(found, Embedding) else found.tensors).values()):
        raise AssertionError("a number that is none was let in")


def read_scaling(data: bytes, folder: Path) -> None:
    """As what the header of a LoRA that is sound otherwise says of how it is scaled."""
    header = {"__metadata__": {SCALING: data.decode("latin-1")}, **_PAIR}
    read_alone(read_lora, "lora", _file(header, 12), folder)


def read_weights(data: bytes, folder: Path) -> None:
    """As the weights of a network of one layer, which may be packed in any of the ways that are known."""
    path = folder / "layer" / READING.names[0]
    path.parent.mkdir()
    path.write_bytes(data)
    network = filled(path.parent, OneLayer, OneLayer, READING, hashlib.sha256(), Findings())
    if not torch.isfinite(unpacked(network.x.weight).float()).all():
        raise AssertionError("a number that is none was let in")


class OneLayer(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.x = torch.nn.Linear(32, 2)


def read_settings(cls: str, data: bytes, folder: Path) -> None:
    """As the settings of a part of a library's class, up to the network or scheduler that they describe, without its weights."""
    library, _, name = cls.partition(".")
    part = "scheduler" if name.endswith("Scheduler") else "part"
    path = folder / part / ("scheduler_config.json" if part == "scheduler" else "config.json")
    path.parent.mkdir()
    path.write_bytes(data)
    transformers.utils.logging.set_verbosity_error()  # as whoever opens a folder does
    config = dict(bounded(read_json(path), path))
    check_packing(config, path)
    made = component(Survey(folder, {part: [library, name]}, Findings()), part, config)
    if isinstance(made, Network):
        planned(made.build, made.path, READING, Findings())


def read_autoencoder(data: bytes, folder: Path) -> None:
    """As an autoencoder that lies alone, or as half of one, by its header; the other half is the same."""
    for name in ("taesd_encoder", "taesd_decoder"):
        (folder / f"{name}.safetensors").write_bytes(data)
    autoencoder(folder / "taesd_encoder.safetensors")


def read_controlnet(data: bytes, folder: Path) -> None:
    """As a ControlNet that lies alone, by its header, with the settings that it tells."""
    (folder / "canny.safetensors").write_bytes(data)
    misfit(settings_of(controlnet(folder / "canny.safetensors"), {}), {})


def read_text_encoder(data: bytes, folder: Path) -> None:
    """As a text encoder that lies alone, by its header."""
    (folder / "t5.safetensors").write_bytes(data)
    text_encoder(folder / "t5.safetensors")


def read_whole(data: bytes, folder: Path) -> None:
    """As a checkpoint in one file, by its header, as lists tell of it."""
    path = folder / "dream.safetensors"
    path.write_bytes(data)
    sizes_of(Found(path.name, path, "checkpoint"))


def _file(header: dict[str, Any], count: int) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(count)


_PARTS = {"unet": "diffusers.UNet2DConditionModel", "vae": "diffusers.AutoencoderKL", "scheduler": "diffusers.DDIMScheduler",
          "text_encoder": "transformers.CLIPTextModel", "tokenizer": "transformers.CLIPTokenizer"}  # fmt: skip
_ALONE = (
    _file({"encoder.conv_in.weight": {"dtype": "F16", "shape": [1, 3, 1, 1], "data_offsets": [0, 6]}, "encoder.down.0.block.0.norm1.weight": {"dtype": "F16", "shape": [1], "data_offsets": [6, 8]},
           "decoder.conv_in.weight": {"dtype": "F16", "shape": [1, 4, 1, 1], "data_offsets": [8, 16]}}, 16),
    _file({"0.weight": {"dtype": "F8_E4M3", "shape": [1, 3, 3, 3], "data_offsets": [0, 27]}}, 27),
    _file({"1.weight": {"dtype": "F8_E4M3", "shape": [1, 4, 1, 1], "data_offsets": [0, 4]}, "3.conv.0.weight": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [4, 5]}}, 5),
    _file({"shared.weight": {"dtype": "F16", "shape": [1, 2], "data_offsets": [0, 4]}, "encoder.block.0.x.weight": {"dtype": "F16", "shape": [1], "data_offsets": [4, 6]}}, 6),
    _file({"text_model.embeddings.token_embedding.weight": {"dtype": "F16", "shape": [1, 2], "data_offsets": [0, 4]}, "text_model.encoder.x": {"dtype": "F16", "shape": [1], "data_offsets": [4, 6]}}, 6),
    _file({"model.diffusion_model.input_blocks.0.0.weight": {"dtype": "F16", "shape": [1, 4, 1, 1], "data_offsets": [0, 8]}, "first_stage_model.a": {"dtype": "F16", "shape": [1], "data_offsets": [8, 10]},
           "cond_stage_model.transformer.b": {"dtype": "F16", "shape": [1], "data_offsets": [10, 12]}}, 12),
    _file({"model.embed_tokens.weight": {"dtype": "F8_E4M3", "shape": [1, 2], "data_offsets": [0, 2]}, "model.layers.0.self_attn.q_norm.weight": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [2, 3]}}, 3),
    _file({"token_embedding.weight": {"dtype": "F8_E4M3", "shape": [1, 2], "data_offsets": [0, 2]}, "transformer.resblocks.0.ln_1.bias": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [2, 3]}}, 3),
    gguf([("token_embd.weight", (1, 32), 8, 0, bytes(34)), ("enc.blk.0.attn_q.weight", (1,), 0, 64, bytes(4))]),
    _file({"single_stream_modulation.lin.weight": {"dtype": "F8_E4M3", "shape": [], "data_offsets": [0, 1]}, "txt_in.weight": {"dtype": "F8_E4M3", "shape": [], "data_offsets": [1, 2]}}, 2),
)  # a file's worth of names and shapes
_PAIR = {"unet.attn2.to_q.lora_A.weight": {"dtype": "F16", "shape": [1, 3], "data_offsets": [0, 6]},
         "unet.attn2.to_q.lora_B.weight": {"dtype": "F16", "shape": [3, 1], "data_offsets": [6, 12]}}  # fmt: skip
_STATE = json.dumps({"quant_type": "nf4", "blocksize": 64, "dtype": "float16", "shape": [2, 32]}).encode()
_KEPT = (
    save({"x.weight": torch.ones(2, 32), "x.bias": torch.ones(2)}),
    save({"x.weight": torch.ones(32, 1, dtype=torch.uint8), "x.weight.absmax": torch.ones(1), "x.weight.quant_map": torch.ones(16), "x.bias": torch.ones(2),
          "x.weight.quant_state.bitsandbytes__nf4": torch.frombuffer(bytearray(_STATE), dtype=torch.uint8)}),
    save({"x.weight": torch.ones(2, 32, dtype=torch.int8), "x.SCB": torch.ones(2), "x.weight_format": torch.zeros(1, dtype=torch.uint8), "x.bias": torch.ones(2)}),
    save({"x.weight._data": torch.ones(2, 32, dtype=torch.int8), "x.weight._scale": torch.ones(2, 1), "x.input_scale": torch.ones(1), "x.bias": torch.ones(2)}),
    save({"x.weight": torch.ones(2, 32).to(torch.float8_e4m3fn), "x.weight_scale": torch.ones(1), "x.bias": torch.ones(2),
          "x.comfy_quant": torch.frombuffer(bytearray(b'{"format": "float8_e4m3fn"}'), dtype=torch.uint8)}),
)  # one layer's weights as they are, and as bitsandbytes, quanto and ComfyUI keep them  # fmt: skip
SETTINGS: dict[str, tuple[dict[str, Any], ...]] = {
    "diffusers.UNet2DConditionModel": ({
        "_class_name": "UNet2DConditionModel", "block_out_channels": [32, 32], "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
        "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"], "layers_per_block": 1, "attention_head_dim": 8, "norm_num_groups": 8,
        "cross_attention_dim": 32, "addition_embed_type": "text_time", "addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": 80,
    },),
    "diffusers.AutoencoderKL": ({
        "block_out_channels": [8, 8], "norm_num_groups": 4, "layers_per_block": 1, "down_block_types": ["DownEncoderBlock2D"] * 2,
        "up_block_types": ["UpDecoderBlock2D"] * 2, "latents_mean": None, "scaling_factor": 0.18,
    },),
    "diffusers.FluxTransformer2DModel": (
        {"num_layers": 1, "num_single_layers": 1, "num_attention_heads": 2, "attention_head_dim": 16, "in_channels": 16, "joint_attention_dim": 16,
         "pooled_projection_dim": 16, "axes_dims_rope": [4, 6, 6], "quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}},
        {"num_layers": 1, "num_single_layers": 0, "quantization_config": {"quant_method": "quanto", "weights_dtype": "int8", "activations": None}},
        {"quantization_config": {"quant_method": "torchao", "modules_to_not_convert": ["x"]}},
    ),
    "diffusers.EulerDiscreteScheduler": ({"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000, "trained_betas": [0.1, 0.2]},),
    "diffusers.FlowMatchEulerDiscreteScheduler": ({"shift": 3.0, "use_dynamic_shifting": True, "base_shift": 0.5, "num_train_timesteps": 100},),
    "transformers.CLIPTextModel": ({"hidden_size": 32, "intermediate_size": 37, "num_attention_heads": 4, "num_hidden_layers": 2, "vocab_size": 514, "hidden_act": "gelu"},),
    "transformers.T5EncoderModel": ({"vocab_size": 300, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2, "feed_forward_proj": "gated-gelu"},),
    "transformers.Qwen2_5_VLForConditionalGeneration": ({
        "text_config": {"vocab_size": 300, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1,
                        "rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 2]}, "rope_theta": 1e6},
        "vision_config": {"depth": 1, "hidden_size": 16, "intermediate_size": 32, "num_heads": 2, "out_hidden_size": 16, "fullatt_block_indexes": [0]},
    },),
    "transformers.Mistral3ForConditionalGeneration": ({
        "text_config": {"model_type": "mistral", "vocab_size": 300, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
                        "num_key_value_heads": 1, "head_dim": 8, "rope_parameters": {"rope_type": "default", "rope_theta": 1e6}},
        "vision_config": {"model_type": "pixtral", "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "head_dim": 8},
    },),
}  # of a part, by its library and class  # fmt: skip
TARGETS: dict[str, Target] = {
    "header": Target(read_header, (
        _file({"__metadata__": {"format": "pt"}, "a.weight": {"dtype": "F16", "shape": [2, 3], "data_offsets": [0, 12]},
               "b": {"dtype": "F32", "shape": [], "data_offsets": [12, 16]}}, 16),
        _file({}, 0),
    )),
    "lora": Target(partial(read_alone, read_lora, "lora"), (
        _file({"__metadata__": {"lora_adapter_metadata": '{"unet.lora_alpha": 2, "unet.alpha_pattern": {"to_q": 1}}', "ss_base_model_version": "sdxl"},
               **_PAIR}, 12),
        _file({"lora_te_x.alpha": {"dtype": "I64", "shape": [], "data_offsets": [0, 8]},
               "lora_te_x.lora_down.weight": {"dtype": "F32", "shape": [1, 2], "data_offsets": [8, 16]},
               "lora_te_x.lora_up.weight": {"dtype": "F32", "shape": [2, 1], "data_offsets": [16, 24]}}, 24),
    )),
    "autoencoder": Target(read_autoencoder, _ALONE),
    "controlnet": Target(read_controlnet, (
        _file({"control_model.input_hint_block.0.weight": {"dtype": "F8_E4M3", "shape": [1, 3], "data_offsets": [0, 3]}, "control_model.input_blocks.1.0.in_layers.2.weight": {"dtype": "F8_E4M3", "shape": [2, 1], "data_offsets": [3, 5]},
               "control_model.time_embed.0.weight": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [5, 6]}, "control_model.input_blocks.1.1.norm.weight": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [6, 7]}}, 7),
        _file({"controlnet_cond_embedding.conv_in.weight": {"dtype": "F16", "shape": [1, 3], "data_offsets": [0, 6]}, "down_blocks.0.resnets.0.conv1.weight": {"dtype": "F16", "shape": [1], "data_offsets": [6, 8]},
               "time_embedding.linear_1.weight": {"dtype": "F16", "shape": [1], "data_offsets": [8, 10]}, "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight": {"dtype": "F16", "shape": [1, 1], "data_offsets": [10, 12]}}, 12),
    )),
    "text encoder": Target(read_text_encoder, _ALONE),
    "one file": Target(read_whole, _ALONE),
    "index": Target(read_index, (
        json.dumps({"_class_name": "StableDiffusionPipeline", "safety_checker": [None, None],
                    **{part: cls.split(".") for part, cls in _PARTS.items()}}).encode(),
        json.dumps({"_class_name": "PixelOSPipeline", "denoiser": ["models", "Denoiser"]}).encode(),
    )),
    "shards": Target(read_shards, (json.dumps({"metadata": {"total_size": 4}, "weight_map": {"a": "a.safetensors"}}).encode(),)),
    "config": Target(read_config, (
        json.dumps({"_class_name": "Denoiser", "widths": [8, 16, 16], "blocks": [1, 1, 1, 1, 1], "palette_size": 19}).encode(),
        json.dumps({"_class_name": "ContextEncoder", "slow_size": 101, "down_block_types": ["A", "B"], "layers_per_block": 2}).encode(),
    )),
    "gguf": Target(read_gguf, (
        gguf([("a.weight", (2, 32), 8, 0, bytes(68)), ("b.bias", (2,), 0, 96, bytes(8))],
             [(b"general.architecture", 8, struct.pack("<Q", 4) + b"flux"), (b"general.alignment", 4, struct.pack("<I", 32)),
              (b"list", 9, struct.pack("<IQ", 4, 2) + bytes(8))]),
        gguf([]),
    )),
    "embedding": Target(partial(read_alone, read_embedding, "word"), (
        _file({"<old wood>": {"dtype": "F16", "shape": [2, 4], "data_offsets": [0, 16]}}, 16),
        _file({"clip_l": {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]}, "clip_g": {"dtype": "BF16", "shape": [1, 2], "data_offsets": [12, 16]}}, 16),
    )),
    "lora's words": Target(read_scaling, (
        json.dumps({"unet.lora_alpha": 2, "unet.use_rslora": True, "unet.r": 1, "unet.alpha_pattern": {"^a.to_q": 1, "to_q": 3}}).encode(),
    )),
    "weights": Target(read_weights, _KEPT),
    **{name: Target(partial(read_settings, name), tuple(json.dumps(told).encode() for told in seeds)) for name, seeds in SETTINGS.items()},
    **WORDS,
}  # fmt: skip

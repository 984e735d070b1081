"""Architectures at their real size with random weights, without any download: latency is real, pictures are noise.

Settings are the published ones of each model's own config files, but for `sd-mini`, which nobody published: SD-Turbo with every
network an eighth to a fifth as wide, for CPUs. Where the words are neither CLIP's nor T5's they are bytes (`models.byte_words`), so a sentence is
longer than in a trained vocabulary; encoders that pad do not notice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FunctionType
from typing import Any

import diffusers
import torch
import transformers
from accelerate import init_empty_weights
from torch import nn

from engine.errors import InputError
from engine.painter import PainterSpec
from models import byte_words
from models.catalog import RANDOM
from models.context_encoder import ContextEncoder
from models.denoiser import Denoiser
from models.devices import device_of, dtype_of
from models.dreaming.dreamer import Dreamer
from models.families import FAMILIES
from models.findings import Findings
from models.layout import layout
from models.loading import BundledCheckpoint
from models.prompted.checkpoint import PromptedCheckpoint
from models.prompted.opening import assembled, component, quiet
from models.readers import reader
from models.single_file import Network
from models.survey import Survey

Parts = Mapping[str, Any]  # a network's class and settings, or what writes a tokenizer's folder
TINY = partial(diffusers.AutoencoderTiny)  # its defaults are TAESD's


def _laid_out(name: str, others: Mapping[str, Mapping[str, Any]] | None = None, **instead: Any) -> Parts:
    """A family's parts as `models.layout` has them, but for some, and but for the settings in `others`, by part."""
    told = {part: {**settings, **(others or {}).get(part, {})} for part, settings in layout(name).items()}
    surveyed = Survey(Path(name), {"_class_name": "", **told["model_index"]}, Findings(), told)
    return {
        part: instead.get(part) or partial(component, surveyed, part, settings) for part, settings in told.items() if part != "model_index"
    }


def _qwen3() -> nn.Module:
    settings: dict[str, Any] = {
        "vocab_size": 151936, "hidden_size": 2560, "intermediate_size": 9728, "num_hidden_layers": 36, "num_attention_heads": 32,
        "num_key_value_heads": 8, "head_dim": 128, "tie_word_embeddings": True, "rope_theta": 1e6,
    }  # fmt: skip
    return transformers.Qwen3ForCausalLM(transformers.Qwen3Config(**settings))


def _seeing() -> nn.Module:
    text = {"vocab_size": 152064, "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28, "num_attention_heads": 28,
            "num_key_value_heads": 4, "rope_theta": 1e6, "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]}}  # fmt: skip
    eyes = {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "out_hidden_size": 3584,
            "fullatt_block_indexes": [7, 15, 23, 31], "patch_size": 14, "window_size": 112}  # fmt: skip
    marks: dict[str, Any] = {f"{name}_token_id": byte_words.number(f"<|{word}|>") for name, word in (
        ("image", "image_pad"), ("video", "video_pad"), ("vision_start", "vision_start"), ("vision_end", "vision_end"))}  # fmt: skip
    return transformers.Qwen2_5_VLForConditionalGeneration(transformers.Qwen2_5_VLConfig(text_config=text, vision_config=eyes, **marks))


_flow = diffusers.FlowMatchEulerDiscreteScheduler
_shifted = partial(_flow, shift=3.0, use_dynamic_shifting=True)

# SD-Turbo as deep as it is and with heads as wide, but fewer: small enough for a CPU to play a whole trace with the stock pipeline.
MINI: Mapping[str, Mapping[str, Any]] = {
    "unet": {"block_out_channels": [64, 128, 256, 256], "attention_head_dim": [1, 2, 4, 4], "cross_attention_dim": 128},
    "text_encoder": {"hidden_size": 128, "intermediate_size": 512, "num_attention_heads": 2, "projection_dim": 128},
}
NARROW = partial(TINY, encoder_block_out_channels=(16,) * 4, decoder_block_out_channels=(16,) * 4)

# By the name that `--preset` takes: the family's row, and its parts. Those that are run in real time have a tiny autoencoder.
PRESETS: Mapping[str, tuple[str, Parts]] = {
    "sd-mini": ("sd-turbo", _laid_out("sd-turbo", MINI, vae=NARROW)),
    "sd-turbo": ("sd-turbo", _laid_out("sd-turbo", vae=TINY)),
    "sd15-lcm": ("lcm", _laid_out("lcm", vae=TINY)),
    "sdxl-turbo": ("sdxl-turbo", _laid_out("sdxl-turbo", vae=partial(TINY, scaling_factor=1.0))),
    "instruct-pix2pix": ("pix2pix", _laid_out("pix2pix")),
    "flux2-klein-4b": ("klein", {
        "transformer": partial(
            diffusers.Flux2Transformer2DModel, in_channels=128, num_layers=5, num_single_layers=20, num_attention_heads=24,
            attention_head_dim=128, joint_attention_dim=7680, guidance_embeds=False,
        ),
        "vae": diffusers.AutoencoderKLFlux2, "scheduler": _shifted, "text_encoder": _qwen3, "tokenizer": byte_words.save_qwen,
    }),
    "flux1-kontext": ("kontext", _laid_out("kontext")),
    "qwen-image-edit": ("qwen-edit", {
        "transformer": partial(
            diffusers.QwenImageTransformer2DModel, in_channels=64, out_channels=16, num_layers=60, num_attention_heads=24,
            attention_head_dim=128, joint_attention_dim=3584,
        ),
        "vae": diffusers.AutoencoderKLQwenImage, "scheduler": _shifted, "text_encoder": _seeing,
        "tokenizer": byte_words.save_qwen, "processor": byte_words.save_qwen_vl,
    }),
}  # fmt: skip
NAMES = ("bundled", *PRESETS)


def random_name(preset: str) -> str:
    """What a checkpoint is called that means the preset. Raises InputError for one that there is not."""
    if preset not in NAMES:
        raise InputError(f"there is no preset {preset!r}; known are {', '.join(NAMES)}")
    return RANDOM + preset


def random_checkpoint(preset: str, spec: PainterSpec) -> BundledCheckpoint | PromptedCheckpoint:
    """A preset, its networks made where `spec` will have them used. Raises InputError for a name that is none."""
    name = random_name(preset)
    device = device_of(spec.device)
    dtype = torch.float32 if preset == "bundled" else dtype_of(spec.dtype, spec.device)
    generator = torch.Generator(device).manual_seed(spec.seed)
    if preset == "bundled":
        encoder = ContextEncoder()
        networks = [_filled(network.eval(), device, dtype, generator) for network in (Denoiser(tokens=encoder.tokens), encoder, Dreamer())]
        return BundledCheckpoint(name, networks[0], networks[1], "random", networks[2])
    quiet()
    family, parts = PRESETS[preset]
    row = next(row for row in FAMILIES if row.name == family)
    components = {name: _component(make, device, dtype, generator) for name, make in parts.items()}
    switches = {key: value for part, key, value in row.marks if part == "model_index"}
    return assembled(name, row, components, switches, "random")


def _component(make: Any, device: torch.device, dtype: torch.dtype, generator: torch.Generator) -> Any:
    if isinstance(make, FunctionType) and make.__module__ == byte_words.__name__:
        with TemporaryDirectory() as folder:
            place = Path(folder) / "words"
            return reader(make(place), place)
    with init_empty_weights():
        made = make()
    made = made.empty() if isinstance(made, Network) else made
    return _filled(made.eval(), device, dtype, generator) if isinstance(made, nn.Module) else made


def _filled(network: Any, device: torch.device, dtype: torch.dtype, generator: torch.Generator) -> Any:
    """Random weights in the place of none: normal ones, so that each output is of its inputs' size (LeCun et al., 1998);
    scales are one."""
    network.requires_grad_(False)
    for name, weight in list(network.named_parameters(remove_duplicate=False)):
        around, _, own = name.rpartition(".")
        new = torch.empty(weight.shape, device=device, dtype=dtype)
        if weight.ndim > 1:
            new.normal_(0, 1 / math.sqrt(weight[0].numel()), generator=generator)
        else:
            new.fill_(0.0 if own == "bias" else 1.0)
        setattr(network.get_submodule(around), own, nn.Parameter(new, requires_grad=False))
    if hasattr(network, "tie_weights"):
        network.tie_weights()
    return network

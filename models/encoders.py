"""Text encoders of transformers from the settings that a checkpoint names, and older spellings of networks' tensors.

The library reads older files by renaming and tying tensors while it loads. We read files ourselves, so what is needed of
that stands here, for the encoders that the table of families names.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import transformers

from engine.errors import CheckpointError

OLDER = ("rope_theta", "rope_scaling")  # settings that the library still takes without naming them
PARTS = {"mistral": "MistralConfig", "pixtral": "PixtralVisionConfig"}  # model_type of a part, where the class leaves it open
PREFIX = "text_model."  # CLIP's, there or not
SPELLINGS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "Qwen2_5_VLForConditionalGeneration": ((r"^visual\.", "model.visual."), (r"^model\.(?!language_model|visual)", "model.language_model.")),
    "Qwen3VLForConditionalGeneration": ((r"^visual\.", "model.visual."), (r"^model\.(?!language_model|visual)", "model.language_model.")),
    "Qwen3Model": ((r"^model\.", ""),),  # the files of a model with a head hold its body under this name
    "Gemma2Model": ((r"^model\.", ""),),
    "AutoencoderKL": ((r"(attentions\.\d+)\.query\.", r"\1.to_q."), (r"(attentions\.\d+)\.key\.", r"\1.to_k."), (r"(attentions\.\d+)\.value\.", r"\1.to_v."),
                      (r"(attentions\.\d+)\.proj_attn\.", r"\1.to_out.0.")),  # as folders of 2022 and 2023 name them, Stable Diffusion's own among them
    "Mistral3ForConditionalGeneration": (
        (r"^language_model\.lm_head", "lm_head"), (r"^language_model\.model\.", "model.language_model."),
        (r"^(vision_tower|multi_modal_projector)\.", r"model.\1."),
    ),
}  # fmt: skip


def configured(cls: Any, config: Mapping[str, Any], path: Path) -> Any:
    """The library's config object of a network's class, from the settings that it names; anything else is left out.

    path: where they stand. Raises CheckpointError for settings that the library cannot make sense of.
    """
    try:
        return _settings(cls.config_class, config, path)
    except (CheckpointError, MemoryError):
        raise
    except Exception as error:  # in whatever words: the library looks settings over as it goes
        raise CheckpointError(f"{path}: its settings do not fit {cls.__name__} ({error}); get a clean copy") from error


def _settings(cls: Any, config: Mapping[str, Any], path: Path) -> Any:
    named = set(inspect.signature(cls.__init__).parameters) | set(OLDER)
    known = {key: value for key, value in config.items() if key in named and not key.startswith("_")}
    for part, own in cls.sub_configs.items():
        given = config.get(part, config if part == "text_config" else {})  # older files hold the text's settings at the top
        if own is transformers.AutoConfig:
            if given.get("model_type") not in PARTS:
                raise CheckpointError(f"{path}: {part} is of model_type {given.get('model_type')!r}; allowed are {', '.join(PARTS)}")
            own = getattr(transformers, PARTS[given["model_type"]])
        known[part] = _settings(own, given, path)
    return cls(**known)


def older(network: str, name: str) -> str:
    """What a tensor of an older file is called in the network of that class now."""
    for pattern, replacement in SPELLINGS.get(network, ()):
        name = re.sub(pattern, replacement, name)
    return name

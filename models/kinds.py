"""What a file of weights is, by its tensors' names and shapes and what it says of itself. Knows no torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from engine.errors import CheckpointError
from models.autoencoders import holds_autoencoder
from models.controlnets import is_like_one
from models.gguf_file import GgufFile
from models.loras.origins import names_lora
from models.places import PROFILE, Found
from models.safetensors_file import SafetensorsFile
from models.spellings import spelled
from models.whole import kind_at

TITLES = {"lora": "a LoRA", "embedding": "a textual inversion", "vae": "an autoencoder", "text encoder": "a text encoder",
          "controlnet": "a ControlNet or like one", "upscaler": "an upscaler"}  # fmt: skip
OF_LAYERS = ("weight", "bias", "scale")  # what the names of a network's tensors end with
UPSCALES = ("conv_first.weight", "model.0.weight", "body.0.weight")  # how upscalers (ESRGAN's kind, SwinIR's) see a picture


class Shaped(NamedTuple):
    """What a header says of a tensor that nobody has looked over."""

    shape: tuple[Any, ...]


class Header(NamedTuple):
    """Of a file: its tensors by name, and what it says beside them."""

    entries: Mapping[str, Shaped]
    metadata: Mapping[str, str]


def kind_of(file: SafetensorsFile | GgufFile | Header) -> str:
    """What a file is, by its header: a key of models.places.PROFILE, or "upscaler"."""
    entries = file.entries
    if any(map(names_lora, entries)):
        return "lora"
    words = all(len(entry.shape) <= 2 and name.rpartition(".")[2] not in OF_LAYERS for name, entry in entries.items())
    if 0 < len(entries) <= 2 and words:
        return "embedding"
    if is_like_one(entries):
        return "controlnet"
    if holds_autoencoder(entries):
        return "vae"
    if spelled(entries, file.metadata) is not None:
        return "text encoder"
    return "upscaler" if any(name in entries and len(entries[name].shape) == 4 for name in UPSCALES) else "checkpoint"


def misplaced(found: Found) -> str:
    """Why what lies among checkpoints is none, and where it belongs; "" for what may be one, sound or not."""
    return stray(found.path) if found.kind == "checkpoint" else ""


def stray(path: Path) -> str:
    """The same of whatever lies there."""
    try:
        kind = "checkpoint" if path.is_dir() else kind_at(path)
    except (CheckpointError, OSError):
        return ""  # which is said when it is opened
    if kind in ("", "checkpoint"):
        return ""
    home = PROFILE.get(kind)
    where = f"put it into the profile's {home[0]} folder (pixelos models add does that)" if home else "nothing here uses one"
    return f"{path} is {TITLES[kind]}, and no checkpoint; {where}"

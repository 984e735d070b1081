"""Opens a prompted checkpoint's folder: our own reading of every file, then the library's classes without its loaders.

A folder is untrusted. Only the classes of its family's row are built, from settings that their constructors name; the
weights must be exactly the tensors that the configs call for, all of them finite.
"""

from __future__ import annotations

import hashlib
import inspect
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # before the library is first imported: it would ask the network
os.environ.setdefault("DIFFUSERS_DISABLE_REMOTE_CODE", "1")

import diffusers
import transformers
from accelerate import init_empty_weights
from safetensors.torch import load
from torch import Tensor, nn

from engine.errors import CheckpointError
from models.encoders import configured, shared, spelt, tie
from models.families import Family, allowed, family_of
from models.loading import fitting, read_json, read_weights
from models.prompted.painter import PromptedCheckpoint
from models.readers import READERS, reader

LARGEST_PART = 32 * 2**30
LARGEST_NUMBER = 2**20  # in a config
LONGEST = 1024  # list or text in a config
MOST_LAYERS = 128
BOUNDLESS = ("lambda_min_clipped", -math.inf)  # as diffusers' own schedulers are saved
WEIGHTS = ("diffusion_pytorch_model.safetensors", "model.safetensors", "diffusion_pytorch_model.fp16.safetensors",
           "model.fp16.safetensors")  # fmt: skip
HARMLESS = re.compile(r"(^|\.)(position_ids|num_batches_tracked)$")  # tensors that older libraries saved too
CODED = re.compile(r"auto_map|trust_remote_code|custom_pipeline|custom_code")  # settings that name code to run
IMPLEMENTATION = re.compile(r"_?attn_implementation")
LARGEST_BASE = 2**40  # of the rotations that tell places apart
WORDS = ("tokenizer", "tokenizer_2", "tokenizer_3", "processor", "text_processor")  # components without weights and config.json
TOKENS = ("vocab.json", "merges.txt")


def build_prompted(folder: Path, name: str, index: dict[str, Any]) -> PromptedCheckpoint:
    """A checkpoint of a folder whose survey gave `index`.

    Raises CheckpointError, saying what and where, if anything about it is not as it must be.
    """
    for library in (diffusers.utils.logging, transformers.utils.logging):
        library.set_verbosity_error()  # what matters is said here, in one message
        library.disable_progress_bar()
    family, configs = recognised(folder, index)
    digest = hashlib.sha256()
    components = {name: _component(folder / name, index[name], configs[name], digest) for name in family.components}
    for part in ("tokenizer", "processor"):
        if family.chat and part in components:
            getattr(components[part], "tokenizer", components[part]).chat_template = family.chat
    given = set(inspect.signature(getattr(diffusers, family.pipeline).__init__).parameters)
    spare: dict[str, Any] = {key: None for key in ("safety_checker", "feature_extractor", "image_encoder") if key in given}
    if "requires_safety_checker" in given:
        spare["requires_safety_checker"] = False
    for key in ("requires_aesthetics_score", "force_zeros_for_empty_prompt", "is_cosxl_edit", "is_distilled"):
        if key in given and isinstance(index.get(key), bool):
            spare[key] = index[key]
    if "add_watermarker" in given:
        spare["add_watermarker"] = False
    pipeline = getattr(diffusers, family.pipeline)(**components, **spare)
    pipeline.set_progress_bar_config(disable=True)
    return PromptedCheckpoint(name, family, pipeline, digest.hexdigest())


def recognised(folder: Path, index: Mapping[str, Any]) -> tuple[Family, dict[str, dict[str, Any]]]:
    """The family of a folder whose index was read, and the settings of its components. Raises CheckpointError."""
    pipeline = index.get("_class_name")
    rows = allowed()
    if not isinstance(pipeline, str) or pipeline not in rows:
        family_of(str(pipeline), {})  # refuses it by name
    configs = {}
    for component, pairs in rows[str(pipeline)].items():
        pair = index.get(component)
        if not isinstance(pair, list) or tuple(pair) not in pairs:
            wanted = ", ".join(sorted(".".join(pair) for pair in pairs))
            raise CheckpointError(f"{folder / 'model_index.json'}: {component} is {pair!r}; allowed are {wanted}")
        path = folder / component / ("scheduler_config.json" if component == "scheduler" else "config.json")
        configs[component] = {} if component in WORDS else _bounded(read_json(path), path)
    return family_of(str(pipeline), {**configs, "model_index": index}), configs


def _component(folder: Path, pair: list[str], config: dict[str, Any], digest: Any) -> Any:
    """One component, built and filled. pair: library and class, known to be allowed."""
    library, name = pair
    if name.startswith("CLIPTokenizer"):
        return _tokenizer(folder)
    if name in READERS:
        return reader(name, folder)
    cls = getattr(transformers if library == "transformers" else diffusers, name)
    if name.endswith("Scheduler"):
        return cls.from_config(_known(config, cls))
    with init_empty_weights():
        if library == "transformers":
            network = cls(configured(cls, config, folder / "config.json"))
        else:
            network = cls.from_config(_known(config, cls))
    tensors = _tensors(folder, network, digest)
    network.load_state_dict(tensors, strict=False, assign=True)  # of its names, only those of HARMLESS are left out
    tie(network, shared(network, tensors))
    return network.eval().requires_grad_(False)


def _tokenizer(folder: Path) -> Any:
    """From its two tables alone: what else a tokenizer's folder may say (templates, classes) is not read."""
    for name in TOKENS:
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder / name} is missing; the checkpoint is incomplete, copy it again")
    vocabulary = read_json(folder / TOKENS[0])
    if not all(type(number) is int and 0 <= number < LARGEST_NUMBER for number in vocabulary.values()):
        raise CheckpointError(f"{folder / TOKENS[0]} must number its words")
    special = read_json(folder / "special_tokens_map.json") if (folder / "special_tokens_map.json").is_file() else {}
    padding = special.get("pad_token", "<|endoftext|>")
    padding = padding.get("content") if isinstance(padding, dict) else padding
    return transformers.CLIPTokenizer(
        str(folder / TOKENS[0]), str(folder / TOKENS[1]), pad_token=padding if padding in vocabulary else "<|endoftext|>",
        model_max_length=77,
    )  # fmt: skip


def _tensors(folder: Path, network: nn.Module, digest: Any) -> dict[str, Tensor]:
    """What a network's state is to be, in its own spelling, without what it shares."""
    path = next((folder / name for name in WEIGHTS if (folder / name).is_file()), folder / WEIGHTS[0])
    data = read_weights(path, LARGEST_PART)
    digest.update(data)
    found = spelt(network, {key: tensor for key, tensor in load(data).items() if not HARMLESS.search(key)})
    ties = shared(network, found)
    return fitting(path, found, {key: tensor for key, tensor in network.state_dict().items() if key not in ties and not HARMLESS.search(key)})


def _bounded(config: dict[str, Any], path: Path) -> dict[str, Any]:
    """The config, if nothing in it names code or asks for too much."""
    pending: list[tuple[str, Any]] = list(config.items())
    while pending:
        key, value = pending.pop()
        if CODED.fullmatch(key) or (IMPLEMENTATION.fullmatch(key) and "/" in str(value)):
            raise CheckpointError(f"{path}: {key!r} names code to be run; checkpoints are data: get a clean copy")
        if isinstance(value, dict):
            pending += value.items()
        elif isinstance(value, list):
            pending += [(key, item) for item in value[: LONGEST + 1]]
        too_long = isinstance(value, (list, dict, str)) and len(value) > LONGEST
        numeric = isinstance(value, (int, float)) and not isinstance(value, bool) and (key, value) != BOUNDLESS
        most = MOST_LAYERS if "layers" in key else LARGEST_BASE if key == "rope_theta" else LARGEST_NUMBER
        if too_long or (numeric and not (math.isfinite(value) and abs(value) <= most)):
            raise CheckpointError(f"{path}: {key} is {str(value)[:40]}; at most {LONGEST if too_long else most} is allowed")
    return config


def _known(config: Mapping[str, Any], cls: Any) -> dict[str, Any]:
    """What the class's constructor names; anything else is left out."""
    parameters = inspect.signature(cls.__init__).parameters
    return {key: value for key, value in config.items() if key in parameters and not key.startswith("_")}

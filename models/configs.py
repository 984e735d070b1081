"""The settings of a checkpoint's parts: no code in them, none without bounds, and of those only what a class knows."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from reprlib import repr as short
from typing import Any, TypeVar

from engine.errors import CheckpointError
from models.findings import Findings

Made = TypeVar("Made")
LARGEST_NUMBER = 2**20
OTHERWISE = {"rope_theta": 2**40, "num_train_timesteps": 10_000}  # of the rotations that tell places apart; some schedules are computed step by step
LONGEST = 1024  # list or text
MOST_LAYERS = 128  # under one name
DEEPEST = 256  # layers that all names together can ask for: each takes some milliseconds to build
MOST_NESTED = 80  # layers of a block, times those that nest in each, times the blocks; Stable Diffusion XL has 60
BOUNDLESS = ("lambda_min_clipped", -math.inf)  # as diffusers' own schedulers are saved
CODED = re.compile(r"auto_map|trust_remote_code|custom_pipelines?|custom_code|custom_object_\w*|_?module_file")  # what names code
IMPLEMENTATION = re.compile(r"_?attn_\w*|_?attention_implementation|\w*experts_implementation")
COUNTED = re.compile(r"layers|blocks|depth")  # how deep a network is to be
USUAL = frozenset({"architectures", "model_type", "torch_dtype", "dtype", "transformers_version", "gradient_checkpointing"})
TOLD_BESIDE = {"AutoencoderTiny": ("block_out_channels",)}  # what a class writes of itself beside its constructor's settings


def refuse_code(config: Mapping[str, Any], path: Path) -> None:
    """Raises CheckpointError where a setting, however deep, names code to be run."""
    for key, value in _settings(config):
        fetched = IMPLEMENTATION.fullmatch(key) and any("/" in text for _, text in _settings({key: value}) if isinstance(text, str))
        if fetched or (CODED.fullmatch(key) and value):
            raise CheckpointError(f"{path}: {key!r} names code to be run; checkpoints are data: get a clean copy")


def bounded(config: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    """The config, if nothing in it names code or asks for too much. Raises CheckpointError."""
    refuse_code(config, path)
    for key, value in _settings(config):
        too_long = isinstance(value, (list, dict, str)) and len(value) > LONGEST
        numeric = isinstance(value, (int, float)) and not isinstance(value, bool) and (key, value) != BOUNDLESS
        most = MOST_LAYERS if COUNTED.search(key) else OTHERWISE.get(key, LARGEST_NUMBER)
        if too_long or (numeric and not abs(value) <= most):
            raise CheckpointError(f"{path}: {key} is {short(value)}; at most {LONGEST if too_long else most} is allowed")
    others, nested = _depth(config)
    if nested > MOST_NESTED or others + nested > DEEPEST:
        raise CheckpointError(f"{path} asks for {others + nested} layers; at most {DEEPEST} are allowed, {MOST_NESTED} of them nested, get a clean copy")
    return config


def _depth(config: Mapping[str, Any]) -> tuple[int, int]:
    """How many layers a network has at most: those that are counted outright, and so many a block, times as many as nest in each, times
    the blocks. What nests in the blocks on the way up alone, in reverse order, counts where it is more than on the way down."""
    nested: dict[str, int] = {}
    others = 0
    for key, value in _settings(config):
        if COUNTED.search(key) and isinstance(value, (int, float)):
            either = key.removeprefix("reverse_")
            nested[either] = max(nested.get(either, 1), int(value))
            others += 0 if "per_block" in key else max(int(value), 0)
    widest = max((len(value) for key, value in config.items() if key.endswith("block_types") and isinstance(value, list)), default=1)
    return others, widest * math.prod(depth for key, depth in nested.items() if "per_block" in key)


def known(config: Mapping[str, Any], cls: Any, path: Path, findings: Findings) -> dict[str, Any]:
    """What the class's constructor names; anything else is left out, with a note where it is not usual."""
    parameters = inspect.signature(cls.__init__).parameters.keys() - {"self"}
    usual = {*USUAL, *TOLD_BESIDE.get(cls.__name__, ())}
    own = {key: value for key, value in config.items() if not key.startswith("_") and key not in usual}
    if ignored := sorted(own.keys() - parameters):
        findings.note(f"{path.parent.name}/{path.name}: ignored, for {cls.__name__} knows none of it: {', '.join(ignored)[:200]}")
    return {key: value for key, value in own.items() if key in parameters}


def built(build: Callable[[], Made], path: Path) -> Made:
    """What a library makes of settings. path: of their config. Raises CheckpointError where it makes nothing of them."""
    try:
        return build()
    except MemoryError:
        raise
    except Exception as error:  # in whatever words: of settings that do not go together
        why = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
        raise CheckpointError(f"{path} describes nothing that can be built ({why}); get a clean copy") from error


def _settings(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every value under the name that it, or the list that it is in, stands under; without recursion."""
    pending: list[tuple[str, Any]] = list(config.items())
    while pending:
        key, value = pending.pop()
        yield key, value
        if isinstance(value, dict):
            pending += value.items()
        elif isinstance(value, list):
            pending += [(key, item) for item in value[: LONGEST + 1]]

"""Reads and writes checkpoints of the bundled family: a diffusers folder, safetensors only.

A checkpoint is untrusted input (shared rules: our own reader, an allowlist of classes, exact keys and shapes). No code
from the folder ever runs, nothing is fetched, and nothing outside the folder is read.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor, nn

from engine.errors import CheckpointError
from models.context_encoder import ContextEncoder
from models.denoiser import Denoiser

PIPELINE = "PixelOSPipeline"
COMPONENTS: dict[str, type[Any]] = {"denoiser": Denoiser, "context_encoder": ContextEncoder}
WEIGHTS = "diffusion_pytorch_model.safetensors"
LARGEST_HEADER = 16 * 2**20
LARGEST_FILE = 512 * 2**20
LARGEST_JSON = 4 * 2**20
MOST_TENSORS = 20_000
LARGEST_NUMBER = 4096  # in a config
BEFORE = {"memories": 0, "history": 0, "windows": 0, "given_palette": 0, "palette": 0, "corners": 0}  # settings that older checkpoints do not name, and what they are there
CODE = (".py", ".jinja")
TEMPLATE = "chat_template.jinja"
PICKLES = (".ckpt", ".pt", ".pth", ".bin", ".pkl", ".keras", ".h5", ".onnx")


@dataclass(frozen=True)
class BundledCheckpoint:
    """The two networks, in float32 on the CPU and in eval mode, and the SHA-256 of their weights."""

    name: str
    denoiser: Denoiser
    context_encoder: ContextEncoder
    sha256: str
    family: str = "bundled"

    @property
    def parameters(self) -> int:
        """How many numbers its networks hold."""
        return count_parameters(self.denoiser, self.context_encoder)


def count_parameters(*networks: nn.Module) -> int:
    return sum(parameter.numel() for network in networks for parameter in network.parameters())


def load_bundled(folder: Path, name: str) -> BundledCheckpoint:
    """Raises CheckpointError, saying what and where, if anything about the folder is not as it must be."""
    return build_bundled(folder, name, survey(folder))


def build_bundled(folder: Path, name: str, index: dict[str, Any]) -> BundledCheckpoint:
    """`load_bundled` of a folder whose survey gave `index`."""
    _check_index(folder, index)
    digest = hashlib.sha256()
    networks: dict[str, Any] = {}
    for component in COMPONENTS:
        networks[component], data = _load_component(folder, component)
        digest.update(data)
    return BundledCheckpoint(name, networks["denoiser"], networks["context_encoder"], digest.hexdigest())


def save_bundled(folder: Path, denoiser: nn.Module, context_encoder: nn.Module, dtype: torch.dtype) -> None:
    """Write a checkpoint in diffusers' folder form; weights in `dtype`."""
    index: dict[str, Any] = {"_class_name": PIPELINE}
    for component, network in (("denoiser", denoiser), ("context_encoder", context_encoder)):
        part = folder / component
        part.mkdir(parents=True, exist_ok=True)
        tensors = {key: value.detach().to(dtype).contiguous() for key, value in network.state_dict().items()}
        save_file(tensors, part / WEIGHTS)
        config = {"_class_name": type(network).__name__, **_plain(network.config)}
        (part / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        index[component] = ["models", type(network).__name__]
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")


def _check_index(folder: Path, index: dict[str, Any]) -> None:
    """Refuse other classes than this family's."""
    if index.get("_class_name") != PIPELINE:
        raise CheckpointError(f"{folder} is of the family {index.get('_class_name')!r}, wanted {PIPELINE}")
    for component, network in COMPONENTS.items():
        if index.get(component) != ["models", network.__name__]:
            raise CheckpointError(f"{folder / 'model_index.json'}: {component} must be models.{network.__name__}")


def survey(folder: Path) -> dict[str, Any]:
    """A folder's model_index.json, once nothing in the folder could run, or leads out of it. Raises CheckpointError.

    Pickles are passed over where the same part also has safetensors, as in a hub's cache: nobody opens them.
    """
    if not folder.is_dir():
        raise CheckpointError(f"checkpoint {folder} is not a folder; give a diffusers folder")
    index = read_json(folder / "model_index.json")
    root = folder.resolve()
    blobs = root.parent.parent / "blobs" if root.parent.name == "snapshots" else root
    for path in sorted(folder.rglob("*")):
        target = path.resolve()
        if not target.is_relative_to(root) and target.parent != blobs:
            raise CheckpointError(f"{path} links outside the checkpoint; copy the file into the folder")
        template = path.name == TEMPLATE and path.parent.parent == folder  # beside a tokenizer; nobody reads it
        if path.suffix.casefold() in CODE and not template:
            raise CheckpointError(f"{path} is code; checkpoints are data: remove the file or get a clean copy")
        if path.suffix.casefold() in PICKLES and not any(path.parent.glob("*.safetensors")):
            raise CheckpointError(f"{path} may run code when loaded; convert it to .safetensors where it was made")
    return index


def _load_component(folder: Path, component: str) -> tuple[nn.Module, bytes]:
    path = folder / component / WEIGHTS
    config = _checked_config(folder / component / "config.json", COMPONENTS[component])
    data = read_weights(path)
    with torch.device("meta"):
        shape = COMPONENTS[component](**config)
    tensors = fitting(path, load(data), shape.state_dict())
    network: nn.Module = COMPONENTS[component](**config)
    network.load_state_dict(tensors)
    return network.eval().requires_grad_(False), data


def fitting(path: Path, tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors in float32, if they are exactly the wanted ones, in their shapes, finite. Raises CheckpointError."""
    for key in sorted(set(wanted) ^ set(tensors)):
        problem = "is missing" if key in wanted else "does not belong there"
        raise CheckpointError(f"{path}: the tensor {key} {problem}; the file does not fit its config.json")
    for key, tensor in tensors.items():
        if tensor.shape != wanted[key].shape or not tensor.is_floating_point():
            raise CheckpointError(
                f"{path}: {key} is {tuple(tensor.shape)} {tensor.dtype}, wanted {tuple(wanted[key].shape)} of floats"
            )
        if not torch.isfinite(tensor).all():
            raise CheckpointError(f"{path}: {key} holds values that are not finite; the file is damaged")
    return {key: tensor.float() for key, tensor in tensors.items()}


def _checked_config(path: Path, network: type[Any]) -> dict[str, Any]:
    """The constructor's arguments, of the known names and of bounded whole numbers only."""
    config = read_json(path)
    if config.get("_class_name") != network.__name__:
        raise CheckpointError(f"{path}: _class_name is {config.get('_class_name')!r}, wanted {network.__name__!r}")
    known = {p.name: p.default for p in inspect.signature(network.__init__).parameters.values() if p.name != "self"}
    out: dict[str, Any] = {key: value for key, value in BEFORE.items() if key in known}
    for key, value in config.items():
        if key.startswith("_"):
            continue
        if key not in known:
            raise CheckpointError(f"{path}: unknown setting {key!r}")
        numbers = value if isinstance(value, list) else [value]
        least = 0 if key in BEFORE else 1
        shape_ok = isinstance(value, list) == isinstance(known[key], (list, tuple))
        if not shape_ok or any(type(n) is not int or not least <= n <= LARGEST_NUMBER for n in numbers):
            raise CheckpointError(f"{path}: {key} is {value!r}; whole numbers up to {LARGEST_NUMBER} are allowed")
        if isinstance(value, list) and len(value) != len(known[key]):
            raise CheckpointError(f"{path}: {key} must hold {len(known[key])} numbers")
        out[key] = tuple(value) if isinstance(value, list) else value
    return out


def read_weights(path: Path, largest: int = LARGEST_FILE) -> bytes:
    """A safetensors file's bytes, once its header is known to be sane. Raises CheckpointError."""
    if not path.is_file():
        raise CheckpointError(f"{path} is missing; the checkpoint is incomplete, copy it again")
    if path.stat().st_size > largest:
        raise CheckpointError(f"{path} is larger than {largest >> 20} MB; no part of its family is")
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little") if len(data) >= 8 else math.inf
    if length > min(LARGEST_HEADER, len(data) - 8):
        raise CheckpointError(f"{path} is not a whole safetensors file; copy it again")
    try:
        header = json.loads(data[8 : 8 + int(length)], object_pairs_hook=_no_duplicates)
        load(data)
    except (ValueError, SafetensorError) as error:
        raise CheckpointError(f"{path} is not a sound safetensors file ({error}); copy it again") from error
    if len(header) > MOST_TENSORS:
        raise CheckpointError(f"{path} names {len(header)} tensors; at most {MOST_TENSORS} are allowed")
    return data


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in the header")
    return found


def read_json(path: Path, largest: int = LARGEST_JSON) -> dict[str, Any]:
    """A small JSON object. Raises CheckpointError."""
    try:
        if path.stat().st_size > largest:
            raise CheckpointError(f"{path} is larger than {largest >> 20} MB; no such file is")
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}); the checkpoint is incomplete") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not JSON ({error})") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} must hold a JSON object")
    return content


def _plain(config: Any) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in dict(config).items() if not k.startswith("_")}

"""Reads and writes checkpoints of the bundled family: a diffusers folder, safetensors only.

A checkpoint is untrusted input: the folder is looked over first (`models.survey`), settings are bounded
(`models.configs`), and weights are exactly what the settings call for (`models.weights`). No code from the folder ever
runs, nothing is fetched, and nothing outside the folder is read.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from reprlib import repr as short
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from engine.errors import CheckpointError
from models.configs import bounded, known
from models.context_encoder import ContextEncoder
from models.denoiser import Denoiser
from models.dreaming.book import Book
from models.dreaming.dreamer import Dreamer
from models.eight_bits import checked_ranges
from models.findings import Findings
from models.first_look import PIPELINE, our_parts
from models.layers import AS_OUTSIDE
from models.plain_files import read_json
from models.safetensors_file import open_safetensors
from models.survey import INDEX, Survey, survey
from models.weight_files import OURS
from models.weights import Digest, Reading, filled, fit

COMPONENTS: dict[str, type[Any]] = {"denoiser": Denoiser, "context_encoder": ContextEncoder, "dreamer": Dreamer}
WEIGHTS = OURS.names[0]
READING = Reading(*OURS)
BOOK = "book.safetensors"  # beside the weights of a dreamer
LARGEST_BOOK = 64 * 2**20  # bytes
LARGEST_NUMBER = 4096  # in a config
RANGES = "input_ranges"  # in a config: see models.eight_bits
BEFORE = {  # settings that older checkpoints do not name, and what they are there
    "memories": 0, "history": 0, "windows": 0, "given_palette": 0, "palette": 0, "corners": 0, "edges": 0, "shadows": 0, "inner": AS_OUTSIDE,
}  # fmt: skip


class OfNetworks:
    """A checkpoint of whatever family, by its networks."""

    @property
    def parts(self) -> dict[str, nn.Module]:
        """Its networks by the names that its index gives them."""
        return {}

    @property
    def networks(self) -> list[nn.Module]:
        return list(self.parts.values())

    @property
    def parameters(self) -> int:
        """How many numbers its networks hold."""
        return sum(parameter.numel() for network in self.networks for parameter in network.parameters())


@dataclass(frozen=True)
class BundledCheckpoint(OfNetworks):
    """The networks, in float32 on the CPU and in eval mode, and the SHA-256 of their weights."""

    name: str
    denoiser: Denoiser
    context_encoder: ContextEncoder
    sha256: str
    dreamer: Dreamer | None = None
    family: str = "bundled"
    file_sha256: str = ""  # it is a folder

    @property
    def parts(self) -> dict[str, nn.Module]:
        return {name: network for name in COMPONENTS if (network := getattr(self, name)) is not None}


def load_bundled(folder: Path, name: str) -> BundledCheckpoint:
    """Raises CheckpointError, saying what and where, if anything about the folder is not as it must be."""
    return build_bundled(survey(folder), name)


def build_bundled(surveyed: Survey, name: str) -> BundledCheckpoint:
    """`load_bundled` of a folder that was looked over."""
    folder, index, findings = surveyed.folder, surveyed.index, surveyed.findings
    with findings.row("family"):
        if index["_class_name"] != PIPELINE:
            raise CheckpointError(f"{folder} is of the family {index['_class_name'][:60]!r}, wanted {PIPELINE}; give one of that")
    parts, digest = our_parts(surveyed), hashlib.sha256()
    networks = {part: _network(folder / part, COMPONENTS[part], digest, findings) for part in parts}
    return BundledCheckpoint(name, sha256=digest.hexdigest(), **networks)


def save_bundled(
    folder: Path, denoiser: nn.Module, context_encoder: nn.Module, dtype: torch.dtype, dreamer: nn.Module | None = None
) -> None:
    """Write a checkpoint in diffusers' folder form; weights in `dtype`."""
    index: dict[str, Any] = {"_class_name": PIPELINE}
    given = {"denoiser": denoiser, "context_encoder": context_encoder, "dreamer": dreamer}
    for component, network in given.items():
        if network is None:
            continue
        part = folder / component
        part.mkdir(parents=True, exist_ok=True)
        tensors = {key: value.detach().to(dtype).contiguous() for key, value in network.state_dict().items()}
        save_file(tensors, part / WEIGHTS)
        config = {"_class_name": type(network).__name__, **plain_config(network.config)}
        if ranges := getattr(network, RANGES, None):
            config[RANGES] = {name: [round(x, 4) for x in span] for name, span in ranges.items()}
        (part / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        if book := getattr(network, "book", None):
            save_book(part / BOOK, book)
        index[component] = ["models", type(network).__name__]
    (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n")


def save_book(path: Path, book: Book) -> None:
    """Write a dreamer's book of windows."""
    save_file(book.tensors(), path)


def load_book(path: Path, digest: Digest | None = None) -> Book:
    """What `save_book` wrote; digest sees every byte. Raises CheckpointError."""
    with open_safetensors(path, LARGEST_BOOK) as file:
        pages = {name: page for name, page in file.tensors(digest or hashlib.sha256(), {"U8": torch.uint8}) if page is not None}
        if len(pages) < len(file.entries):
            raise CheckpointError(f"{path} has pages that are not of bytes; get a clean copy")
    try:
        return Book.of(pages)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}; get a clean copy") from None


def fit_bundled(surveyed: Survey) -> list[str]:
    """The parts of a folder that was looked over, once its headers are known to tell just what its settings call for; no tensor is read.
    Raises CheckpointError."""
    parts = our_parts(surveyed)
    for part in parts:
        fit(surveyed.folder / part, _builder(surveyed.folder / part, COMPONENTS[part], surveyed.findings), READING, surveyed.findings)
    return parts


def _builder(folder: Path, cls: type[Any], findings: Findings) -> Callable[[], Any]:
    """What makes a part's network, without its weights. Raises CheckpointError."""
    with findings.row("settings"):
        config = checked_config(folder / "config.json", cls, findings)
        findings.tell("settings", f"{folder.name} {len(config)}")
    return lambda: cls(**config)


def _network(folder: Path, cls: type[Any], digest: Digest, findings: Findings) -> Any:
    path, build = folder / "config.json", _builder(folder, cls, findings)
    ranges = read_json(path).get(RANGES)
    network: Any = filled(folder, build, build, READING, digest, findings)
    if isinstance(network, Dreamer) and (folder / BOOK).is_file():
        with findings.row("tensors"):
            network.book = load_book(folder / BOOK, digest)
    if ranges is not None:
        with findings.row("settings"):
            network.input_ranges = checked_ranges(ranges, network, str(path))
    return network


def checked_config(path: Path, network: type[Any], findings: Findings) -> dict[str, Any]:
    """The constructor's arguments, of the known names and of bounded whole numbers only."""
    config = bounded(read_json(path), path)
    if config.get("_class_name") != network.__name__:
        raise CheckpointError(f"{path}: _class_name is {short(config.get('_class_name'))}, wanted {network.__name__!r}; get a clean copy")
    defaults = {p.name: p.default for p in inspect.signature(network.__init__).parameters.values()}
    out: dict[str, Any] = {key: value for key, value in BEFORE.items() if key in defaults}
    own = {key: value for key, value in config.items() if key != RANGES}
    for key, value in known(own, network, path, findings).items():
        numbers = value if isinstance(value, list) else [value]
        least = 0 if key in BEFORE or key == "blocks" else 1
        shape_ok = isinstance(value, list) == isinstance(defaults[key], (list, tuple))
        if not shape_ok or any(type(n) is not int or not least <= n <= LARGEST_NUMBER for n in numbers):
            raise CheckpointError(f"{path}: {key} is {short(value)}; whole numbers up to {LARGEST_NUMBER} are allowed")
        if isinstance(value, list) and len(value) != len(defaults[key]):
            raise CheckpointError(f"{path}: {key} must hold {len(defaults[key])} numbers")
        out[key] = tuple(value) if isinstance(value, list) else value
    return out


def plain_config(config: Any) -> dict[str, Any]:
    """What a network was made with, as JSON values."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in dict(config).items() if not k.startswith("_")}

"""Textual inversions: words that a text encoder is taught by a few vectors, in a safetensors file of their own.

A file is untrusted, as a checkpoint is, and read by the same reader; of the library only its `load_textual_inversion` is
used, which is given vectors that have been read. A word is taught when a prompt says it for the first time.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.errors import CheckpointError
from models.findings import Findings
from models.number_formats import FLOATS
from models.places import found_in, repository_of
from models.safetensors_file import TAUGHT_NAME, open_safetensors
from models.survey import check_link
from models.weights import finite

LARGEST = 64 * 2**20  # bytes
MOST_VECTORS = 75  # no prompt holds more
WIDTHS = {768: "Stable Diffusion 1.x", 1024: "Stable Diffusion 2.x"}
BOTH = ("clip_l", "clip_g")  # of Stable Diffusion XL, one for each text encoder
EMBEDDING_ROWS = ("links", "headers", "tensors", "finite", "family")
NAMELESS = "learned_embeds"  # what diffusers calls whatever word it saves
SPOKEN = re.compile(r"[^\s,.;:!?()\"]+")


@dataclass(frozen=True)
class Embedding:
    """vectors: float32 (N, D), by tensor; suits: the checkpoints that it is for, in words."""

    vectors: dict[str, Tensor]
    suits: str
    sha256: str

    @property
    def parameters(self) -> int:
        return sum(tensor.numel() for tensor in self.vectors.values())


def widths_of(entries: Mapping[str, Any], path: Path) -> dict[str, int]:
    """How wide the vectors are, by tensor. Raises CheckpointError for a file that is no textual inversion."""
    found = {}
    for name, entry in entries.items():
        counts = entry.shape[:-1] or (1,)
        if len(entry.shape) not in (1, 2) or not 1 <= counts[0] <= MOST_VECTORS or not entry.shape[-1]:
            raise CheckpointError(f"{path}: {name} is {entry.shape}; a textual inversion is up to {MOST_VECTORS} vectors, get a clean copy")
        if entry.dtype not in FLOATS:
            raise CheckpointError(f"{path}: {name} is of {entry.dtype}, wanted floats; get a clean copy")
        found[name] = entry.shape[-1]
    if len(found) != 1 and set(found) != set(BOTH):
        raise CheckpointError(f"{path} holds {', '.join(found)[:80] or 'nothing'}; a textual inversion is one tensor, or clip_l and clip_g")
    return found


def suits(widths: Mapping[str, int]) -> str:
    """The checkpoints that such vectors are for, in words."""
    return "Stable Diffusion XL" if len(widths) == 2 else WIDTHS.get(next(iter(widths.values())), "no family that is known")


def read_embedding(path: Path, findings: Findings | None = None) -> Embedding:
    """Raises CheckpointError, saying what and where, for a file that is no sound textual inversion."""
    findings = findings if findings is not None else Findings()
    digest = hashlib.sha256()
    with findings.row("links"):
        findings.tell("links", check_link(path))
    with findings.row("headers"), open_safetensors(path, LARGEST, TAUGHT_NAME) as file:
        findings.tell("headers", f"{len(file.entries)} tensors")
        with findings.row("tensors"):
            widths = widths_of(file.entries, path)
            findings.tell("tensors", ", ".join(f"{name} {file.entries[name].shape}" for name in widths))
        with findings.row("finite"):
            found = finite(file, {name: name for name in widths}, digest)
            findings.tell("finite", "all")
    findings.tell("family", suits(widths))
    return Embedding({name: tensor.view(-1, tensor.shape[-1]) for name, tensor in found.items()}, suits(widths), digest.hexdigest())


def _word(path: Path) -> str:
    """By what a file's vectors are spoken: its name or, where that says nothing, its repository's."""
    return (repository_of(path) if path.stem == NAMELESS else "") or path.stem


class Vocabulary:
    """The words that a pipeline can be taught. It looks for their files when a prompt says one that it has not met. taught: how many it was."""

    def __init__(self, pipeline: Any, profile: Path | None) -> None:
        self._pipeline, self._profile = pipeline, profile
        self.taught = 0
        self._met: set[str] = set()  # spoken before: taught, refused or no word of a file

    def teach(self, prompt: str) -> list[str]:
        """Teach what `prompt` says. Why not, a line each, of what has a file that cannot be used."""
        new = set(SPOKEN.findall(prompt)) - self._met
        self._met |= new
        if not new or self._profile is None or not hasattr(self._pipeline, "load_textual_inversion"):
            return []
        told = []
        for found in found_in(self._profile):
            word = _word(found.path)
            if found.kind == "embedding" and word in new and not found.foreign:
                new.discard(word)  # the profile's own comes first
                try:
                    self._take(word, read_embedding(found.path))
                except CheckpointError as error:
                    told.append(str(error))
        return told

    def _take(self, word: str, read: Embedding) -> None:
        """Raises CheckpointError where the vectors do not fit, or the word is one already."""
        names = BOTH if len(read.vectors) == 2 else tuple(read.vectors)
        parts: list[tuple[Any, Any]] = [
            (getattr(self._pipeline, f"tokenizer{end}", None), getattr(self._pipeline, f"text_encoder{end}", None)) for end in ("", "_2")
        ]
        pairs = [pair for pair in parts if None not in pair]
        widths = [encoder.get_input_embeddings().weight.shape[-1] for _, encoder in pairs]
        if widths != [read.vectors[name].shape[-1] for name in names]:
            raise CheckpointError(f"{word} is a textual inversion for {read.suits}, which does not fit this checkpoint; leave it out")
        if any(word in tokenizer.get_vocab() for tokenizer, _ in pairs):
            raise CheckpointError(f"{word} is a word of this checkpoint already; rename the file to use it")
        with torch.inference_mode(False), torch.no_grad():
            for name, (tokenizer, encoder) in zip(names, pairs, strict=True):
                vectors = read.vectors[name].to(encoder.device, encoder.dtype)
                self._pipeline.load_textual_inversion(vectors, token=word, tokenizer=tokenizer, text_encoder=encoder)
        self.taught += 1

"""Text encoders that are files of their own, as ComfyUI and Forge keep them, for a denoiser's file that lacks them.

A denoiser, its text encoders and an autoencoder make a whole checkpoint where its family's settings and words are ours: FLUX.1,
Stable Diffusion 3, and U-Nets of Stable Diffusion 1 and XL.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from engine.errors import CheckpointError
from models.arrangements import FIRST, HARMLESS, SD3, WHOLE, XL_FIRST, XL_OPEN, Arrangement, unprefixed
from models.findings import Findings
from models.first_look import header_alone
from models.layout import layout
from models.number_formats import FLOATS
from models.safetensors_file import SafetensorsFile, open_safetensors
from models.scaled import goes_with_weights
from models.single_file import PARTS, Brought, Contents, File, Piece, described
from models.weights import Reading, finite

LARGEST = 32 * 2**30  # bytes
CLIP, T5 = "CLIP", "T5"
WORDS = {CLIP: ("text_model.embeddings.token_embedding.weight",), T5: ("shared.weight", "encoder.embed_tokens.weight")}  # by width
CALLED = {"text_encoder": "clip_l", "text_encoder_2": "clip_g", "text_encoder_3": "t5"}  # the usual words in a file's name
READ = "read are CLIP's and T5's, by transformers' names"
TEXT_ROWS = ("links", "headers", "family", "finite")
U_NETS = {"sd1": (FIRST,), "sdxl": (XL_FIRST, XL_OPEN)}  # layouts, and what their text encoders' tensors begin with
ATTENDED = "transformer_blocks.0.attn2.to_k.weight"  # its columns are as wide as the words that a U-Net sees


class TextEncoder(NamedTuple):
    """What a file's header says. kind: CLIP or T5; width: of what it makes of a word."""

    path: Path
    kind: str
    width: int

    @property
    def title(self) -> str:
        """In words."""
        return f"{self.kind} text encoder of width {self.width}"


def holds_words(entries: Mapping[str, Any]) -> bool:
    """Whether a file is a text encoder and nothing else."""
    return _words(entries) is not None


def _words(entries: Mapping[str, Any]) -> tuple[str, int] | None:
    for kind, names in WORDS.items():
        entry = next((entries[name] for name in names if name in entries), None)
        encoder = "text_model.encoder." if kind == CLIP else "encoder.block."
        strange = any(name.startswith(("vision_model.", "decoder.")) for name in entries)
        if entry is not None and len(entry.shape) == 2 and not strange and any(name.startswith(encoder) for name in entries):
            return kind, entry.shape[1]
    return None


def text_encoder(path: Path, findings: Findings | None = None) -> TextEncoder:
    """What the file is, by its header. Raises CheckpointError."""
    findings = findings if findings is not None else Findings()
    told = _words(header_alone(path, findings, LARGEST))
    with findings.row("family"):
        if told is None:
            raise CheckpointError(f"{path} is no text encoder that is known here; {READ}")
        found = TextEncoder(path, *told)
        findings.tell("family", found.title)
    return found


def read_text_encoder(path: Path, findings: Findings) -> tuple[str, str, int]:
    """Its title, SHA-256, and how many numbers it holds, once all of them are known to be some. Raises CheckpointError."""
    found, digest = text_encoder(path, findings), hashlib.sha256()
    with findings.row("finite"), open_safetensors(path, LARGEST) as file:
        names = {name: name for name, entry in file.entries.items() if entry.dtype in FLOATS and not goes_with_weights(name)}
        finite(file, names, digest)
        findings.tell("finite", f"all {len(names)}")
        return found.title, digest.hexdigest(), sum(math.prod(file.entries[name].shape) for name in names)


def completed(
    contents: Contents, file: File, there: Sequence[Path], files: ExitStack, reading: Reading, findings: Findings
) -> tuple[Contents, list[Brought], list[str]]:
    """A denoiser's file with the text encoders that it lacks: what it is then, the encoders, and what nobody has, in words.

    there: text encoders that may be taken; files: closes what is opened. An autoencoder is not looked for here. Raises
    CheckpointError for an encoder that is taken and cannot be read.
    """
    rows = _rows_of(contents, file)
    whole = {**{row.part: Piece(row, {}) for row in rows}, "vae": Piece(WHOLE[1], {}), **contents.pieces}
    found = described(file, whole, contents.network)
    if found.layout is None:
        return contents, [], []
    known, brought, lacking = _known(there), list[Brought](), list[str]()
    for row in rows:
        if row.part in contents.pieces:
            continue
        kind = T5 if found.layout["model_index"][row.part][1].startswith("T5") else CLIP
        width = found.layout[row.part]["d_model" if kind == T5 else "hidden_size"]
        taken = _taken(known, kind, width, row.part)
        if taken is None:
            lacking.append(f"a {kind} text encoder of width {width} (often called {_called(kind, row.part)})")
            continue
        findings.note(f"its {row.part} is {taken.path}")
        opened = files.enter_context(open_safetensors(taken.path, LARGEST))
        names = _names(opened, row, found.layout["model_index"][row.part][1])
        brought.append(Brought(opened, Contents(taken.path, {row.part: Piece(row, names)}, "", None), reading, findings))
    return replace(found, pieces=contents.pieces), brought, lacking


def _rows_of(contents: Contents, file: File) -> list[Arrangement]:
    """How the text encoders that go with a denoiser would be arranged in its file; none where it is not known."""
    if contents.network == "SD3Transformer2DModel":
        return list(SD3)
    if contents.network in PARTS:
        return [row for row in WHOLE if row.begins.startswith("text_encoders.")]
    if contents.network != "UNet2DConditionModel" or any(part.startswith("text_encoder") for part in contents.pieces):
        return []
    seen = {file.entries[held].shape[-1] for told, held in contents.pieces["unet"].names.items() if told.endswith(ATTENDED)}
    for name, beginnings in U_NETS.items():
        if seen == {layout(name)["unet"]["cross_attention_dim"]}:
            parts = ("text_encoder", "text_encoder_2")
            return [Arrangement(begins, part, unprefixed(begins)) for begins, part in zip(beginnings, parts, strict=False)]
    return []


def _known(there: Sequence[Path]) -> list[TextEncoder]:
    found = []
    for path in there:
        try:
            found.append(text_encoder(path))
        except CheckpointError:
            continue  # nobody asked for that one
    return found


def _called(kind: str, part: str) -> str:
    return "t5xxl" if kind == T5 else CALLED[part]


def _taken(known: Sequence[TextEncoder], kind: str, width: int, part: str) -> TextEncoder | None:
    """The one that is called as usual first; never one that is called as another part's."""
    alike = [one for one in known if (one.kind, one.width) == (kind, width)]
    if kind == CLIP:
        others = [word for word in CALLED.values() if word.startswith("clip") and word != CALLED[part]]
        alike = [one for one in alike if not any(word in one.path.stem.casefold() for word in others)]
    return min(alike, key=lambda one: _called(kind, part)[:6] not in one.path.stem.casefold(), default=None)


def _names(file: SafetensorsFile, row: Arrangement, network: str) -> dict[str, str]:
    """A loose file's names by those that it would have in a whole one, but for what no network of that class has."""
    spare = {"text_projection.weight"} if network == "CLIPTextModel" else set()
    told = {row.begins + name: name for name in file.entries if not goes_with_weights(name) and name not in spare}
    return {name: held for name, held in told.items() if not HARMLESS.match(name)}

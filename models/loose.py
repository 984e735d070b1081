"""Text encoders that are files of their own, as ComfyUI and Forge keep them, for a denoiser's file that lacks them.

A denoiser, its text encoders and an autoencoder make a whole checkpoint where its family's settings and words are ours
(`models/layouts`). What a file is, and what its tensors are called there, `models.spellings` knows.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from engine.errors import CheckpointError
from models.arrangements import (
    DENOISERS,
    FIRST,
    HARMLESS,
    OPEN,
    WHOLE,
    XL_FIRST,
    XL_OPEN,
    Arrangement,
    Tensors,
    unprefixed,
)
from models.findings import Findings
from models.first_look import header_alone
from models.gguf_file import GgufFile
from models.joined import Joined
from models.layout import Layout, layout
from models.packed import need_gguf
from models.scaled import goes_with_weights
from models.single_file import PARTS, READABLE, WITHOUT, Brought, Contents, File, Piece, described
from models.spellings import CLIP, KINDS, MISTRAL, QWEN3, QWEN_SEES, SPARE, T5, Spelling, spelled
from models.survey import look_over_words
from models.weight_files import opened_file
from models.weights import Reading, finite

LARGEST = 32 * 2**30  # bytes
CALLED = {"text_encoder": "clip_l", "text_encoder_2": "clip_g"}  # the usual words in a file's name: of CLIP's, by part
NAMES = {T5: "t5xxl", QWEN3: "qwen_3_4b", QWEN_SEES: "qwen_2.5_vl_7b", MISTRAL: "mistral_3_small"}  # of others
WIDE = {(CLIP, 1024): "clip_h", (QWEN3, 4096): "qwen_3_8b"}  # and where width says more
READ = "read are CLIP's and T5's, Qwen 3's and Qwen 2.5 VL's, and Mistral's, by transformers' names, OpenCLIP's, and, but for CLIP's and Mistral's, those of GGUF"
TEXT_ROWS = ("links", "headers", "family", "finite")
U_NETS = {"sd1": (FIRST,), "sdxl": (XL_FIRST, XL_OPEN), "sd2": (OPEN,)}  # layouts, and what their text encoders' tensors begin with
ATTENDED = "transformer_blocks.0.attn2.to_k.weight"  # its columns are as wide as the words that a U-Net sees
USUAL = "mmproj-F16.gguf"  # what a vision tower is called
LOOKING = {"processor", "text_processor"}  # one of these a family has whose text encoder is shown pictures
TOKENIZER = "tokenizer"  # what a folder with a text encoder's words is called beside it, if not as its file
LED_IN = ".proj_in.weight"  # of as many dimensions as the layer by which a U-Net's attention is led in: 4 of a convolution


class TextEncoder(NamedTuple):
    """What a file's header says. spelling: its kind, and how its tensors are called; width: of what it makes of a word."""

    path: Path
    spelling: Spelling
    width: int

    @property
    def kind(self) -> str:
        return self.spelling.kind

    @property
    def title(self) -> str:
        """In words."""
        return self.spelling.title.format(kind=self.kind, width=self.width)


def text_encoder(path: Path, findings: Findings | None = None) -> TextEncoder:
    """What the file is, by its header. Raises CheckpointError."""
    findings = findings if findings is not None else Findings()
    file = header_alone(path, findings, LARGEST, packed=True)
    told = spelled(file.entries, file.metadata)
    with findings.row("family"):
        if told is None:
            raise CheckpointError(f"{path} is no text encoder that is known here; {READ}")
        found = TextEncoder(path, *told)
        findings.tell("family", found.title)
    return found


def read_text_encoder(path: Path, findings: Findings) -> tuple[str, str, int]:
    """Its title, SHA-256, and how many numbers it holds, once all of them are known to be some. Raises CheckpointError."""
    found, digest = text_encoder(path, findings), hashlib.sha256()
    with findings.row("finite"), _opened(path) as file:
        names = {name: name for name, entry in file.entries.items() if entry.dtype in READABLE and not goes_with_weights(name)}
        finite(file, names, digest)
        findings.tell("finite", f"all {len(names)}")
        return found.title, digest.hexdigest(), sum(math.prod(file.entries[name].shape) for name in names)


@contextmanager
def _opened(path: Path, tower: Path | None = None) -> Iterator[File]:
    """tower: where its other half lies."""
    with opened_file(path, largest=LARGEST) as file:
        if isinstance(file, GgufFile):
            need_gguf(path)
        if tower is None:
            yield file
            return
        with _opened(tower) as other:
            yield Joined(path.with_name(f"{path.name} with {tower.name}"), ((str, file), (str, other)))


def completed(
    contents: Contents, file: File, there: Sequence[Path], files: ExitStack, reading: Reading, findings: Findings
) -> tuple[Contents, list[Brought], list[str]]:
    """A denoiser's file with the text encoders that it lacks: what it is then, the encoders, and in words what nobody has and where to
    put it.

    there: text encoders that may be taken; files: closes what is opened. An autoencoder is not looked for here. Raises
    CheckpointError for an encoder that is taken and cannot be read, or whose words cannot.
    """
    rows = _rows_of(contents, file)
    whole = {**{row.part: Piece(row, {}) for row in rows}, "vae": Piece(WHOLE[1], {}), **contents.pieces}
    found = described(file, whole, contents.network)
    if found.layout is None:
        return contents, [], []
    known, brought, lacking, wordless = _known(there), list[Brought](), list[str](), list[str]()
    for row in rows:
        if row.part in contents.pieces:
            continue
        network, settings = found.layout["model_index"][row.part][1], found.layout[row.part]
        kind, width = KINDS[network], _width(settings)
        called = WIDE.get((kind, width)) or NAMES.get(kind) or CALLED[row.part]
        alike = _alike(known, kind, width, called)
        towers = {one: _tower_of(one, known) for one in alike if one.spelling.rest and LOOKING & found.layout.keys()}
        taken = next((one for one in alike if towers.get(one, one) is not None), None)
        if taken is None:
            lacking.append(_said_lacking(alike, kind, width, called, _knows_words(found.layout, row.part)))
            continue
        findings.note(f"its {row.part} is {taken.path}")
        if (tower := towers.get(taken)) is not None:
            findings.note(f"the vision tower of its {row.part} is {tower.path}")
        elif taken.spelling.rest:
            settings[WITHOUT] = ["model.visual"]
            findings.note(f"its {row.part} has no vision tower, and is shown no pictures")
        if not _knows_words(found.layout, row.part):
            wordless += _take_words(found.layout, row.part, taken, findings)
        opened = files.enter_context(_opened(taken.path, tower and tower.path))
        piece = Piece(_respelled(row, taken.spelling), _names(opened, row, taken.spelling, network))
        brought.append(Brought(opened, Contents(taken.path, {row.part: piece}, "", None), reading, findings))
    encoders = [f"{' and '.join(lacking)} into its text_encoders folder"] if lacking else []
    return replace(found, pieces=contents.pieces), brought, [*encoders, *wordless]


def _rows_of(contents: Contents, file: File) -> list[Arrangement]:
    """How the text encoders that go with a denoiser would be arranged in its file; none where it is not known."""
    if contents.network in PARTS:
        beside = next(row.beside for row in DENOISERS if row.network == contents.network) or WHOLE
        texts = {row.part: row for row in reversed(beside) if row.begins.startswith("text_encoders.")}
        return [texts[part] for part in sorted(texts)]
    if contents.network != "UNet2DConditionModel" or any(part.startswith("text_encoder") for part in contents.pieces):
        return []
    shapes = [(told, file.entries[held].shape) for told, held in contents.pieces["unet"].names.items()]
    seen = {shape[-1:] for told, shape in shapes if told.endswith(ATTENDED)}
    linear = {len(shape) == 2 for told, shape in shapes if told.endswith(LED_IN)}
    for name, beginnings in U_NETS.items():
        settings = layout(name)["unet"]
        if seen == {(settings["cross_attention_dim"],)} and linear == {bool(settings.get("use_linear_projection"))}:
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


def _width(settings: Mapping[str, Any]) -> int:
    """Of what a text encoder with these settings makes of a word."""
    return int(next(told[key] for told in (settings, settings.get("text_config", {})) for key in ("d_model", "hidden_size") if key in told))


def _alike(known: Sequence[TextEncoder], kind: str, width: int, called: str) -> list[TextEncoder]:
    """Those that it could be, the one that is called as usual first; never one that is called as another part's."""
    alike = [one for one in known if (one.kind, one.width) == (kind, width)]
    if kind == CLIP:
        others = [word for word in CALLED.values() if word != called]
        alike = [one for one in alike if not any(word in one.path.stem.casefold() for word in others)]
    return sorted(alike, key=lambda one: called[:6] not in one.path.stem.casefold())


def _tower_of(half: TextEncoder, known: Sequence[TextEncoder]) -> TextEncoder | None:
    """The vision tower that goes with a language half: of its width, beside it before elsewhere, and of those the one that shares
    the most of its name."""
    words = _words_in(half.path)
    towers = [one for one in known if (one.kind, one.width) == (half.spelling.rest, half.width)]
    return min(towers, key=lambda one: (one.path.parent != half.path.parent, -len(words & _words_in(one.path))), default=None)


def _words_in(path: Path) -> set[str]:
    return set(re.findall(r"[a-z0-9.]+", path.stem.casefold()))


def _knows_words(told: Layout, part: str) -> bool:
    """Whether the words of a text encoder ship here, or were found."""
    return "tables" in told[part.replace("text_encoder", TOKENIZER)]


def _take_words(told: Layout, part: str, encoder: TextEncoder, findings: Findings) -> list[str]:
    """Put into a layout where the words of a text encoder lie that do not ship here: in a folder beside it. What lacks, in words, if
    none does. Raises CheckpointError for a folder that holds what it must not."""
    places = encoder.path.with_suffix(""), encoder.path.with_name(TOKENIZER)
    folder = next((place for place in places if place.is_dir()), None)
    if folder is None:
        return [f"the tokenizer of {encoder.path.name} (a folder with its tokenizer.json and tokenizer_config.json) as {places[0]} or {places[1]}"]
    look_over_words(folder, findings)
    if not (folder / "tokenizer_config.json").is_file():
        raise CheckpointError(f"{folder} holds no tokenizer_config.json, which says at which end a text is filled up; copy it there too")
    told[part.replace("text_encoder", TOKENIZER)]["tables"] = str(folder.absolute())
    findings.note(f"the words of its {part} are those of {folder}")
    return []


def _said_lacking(alike: Sequence[TextEncoder], kind: str, width: int, called: str, worded: bool) -> str:
    """In words, to be put into a folder. alike: halves whose vision tower is not there; worded: whether its words ship here."""
    if not alike:
        words = "" if worded else f" with its tokenizer's folder beside it (called as the file, or {TOKENIZER})"
        return f"a {kind} text encoder of width {width} (often called {called}){words}"
    half = alike[0]
    return f"the {half.spelling.rest} that goes with {half.path.name} (a file of width {width}, often called {USUAL} or *-{USUAL})"


def _respelled(row: Arrangement, spelling: Spelling) -> Arrangement:
    """How the tensors of a loose file are arranged that come under the names of one that is whole."""

    def rename(tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
        own = spelling.spell({name.removeprefix(row.begins): tensor for name, tensor in tensors.items()}, config)
        return row.rename({row.begins + name: tensor for name, tensor in own.items()}, config)

    return row._replace(rename=rename)


def _names(file: File, row: Arrangement, spelling: Spelling, network: str) -> dict[str, str]:
    """A loose file's names by those that they would have in a whole one, but for what no network of that class has."""
    spare = (spelling.spare, SPARE.get(network, spelling.spare))
    told = {row.begins + name: name for name in file.entries if not goes_with_weights(name) and not any(one.match(name) for one in spare)}
    return {name: held for name, held in told.items() if not HARMLESS.match(name)}

"""A checkpoint that is one file, or one file and a folder: what it is, what it holds, and its networks.

A file is untrusted, as a folder is. Its header is looked over, what it is follows from its tensors' names, and every
part of it is known to fit before a tensor is read. Settings and words are ours (`models.layout`), or, for a file that
holds a denoiser alone and for FLUX.1 and Stable Diffusion 3, those of a folder that the user has.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from diffusers.loaders.single_file_utils import infer_diffusers_model_type
from torch import Tensor

from engine.errors import CheckpointError
from models.arrangements import (
    BEGINNINGS,
    CODER,
    CONTROL,
    DENOISER,
    DENOISERS,
    FIRST,
    HARMLESS,
    NAMED_CODER,
    OPEN,
    OPEN_ALONE,
    READ,
    TRAINED_CODERS,
    WHOLE,
    XL_FIRST,
    XL_OPEN,
    Arrangement,
    announced,
)
from models.autoencoders import Autoencoder
from models.configs import built
from models.controlnets import ControlNet
from models.findings import Findings
from models.gguf_file import KINDS, GgufFile
from models.layout import Layout, layout
from models.number_formats import FLOATS
from models.safetensors_file import Digest, SafetensorsFile
from models.scaled import goes_with_weights, scales_of
from models.weights import Plan, Reading, assembled, finite, planned

READABLE = {*FLOATS, *(kind.name for kind in KINDS.values())}
File = SafetensorsFile | GgufFile
Alone = Autoencoder | ControlNet  # a part that may take the place of a checkpoint's own
PARTS = {  # of a file that is whole, by its denoiser's class
    "FluxTransformer2DModel": {"transformer", "vae", "text_encoder", "text_encoder_2"},
    "SD3Transformer2DModel": {"transformer", "vae", "text_encoder", "text_encoder_2", "text_encoder_3"},
    **{f"{name}Transformer2DModel": {"transformer", "vae", "text_encoder"} for name in ("Flux2", "ZImage", "QwenImage", "Chroma", "LongCatImage")},
}
WITHOUT = "without"  # of a text encoder's settings in a layout: modules that nobody asks anything of, or that are not there
KLEIN_9B = 12_288  # how wide words are that FLUX.2 klein is told
WORDED = {frozenset((FIRST,)): "sd1", frozenset((OPEN,)): "sd2", frozenset((OPEN_ALONE,)): "sd2", frozenset((XL_FIRST, XL_OPEN)): "sdxl"}  # by its text encoders
GUIDED = ("guidance_in.", "guidance_embedder.")  # of FLUX.2, only dev is told the guidance


class Network(NamedTuple):
    """A part that has no weights yet. build: makes it, on whatever device; empty: without memory for weights; path: of its
    settings, for messages; config: the settings."""

    build: Callable[[], Any]
    empty: Callable[[], Any]
    path: Path
    config: Mapping[str, Any]


class Piece(NamedTuple):
    """A part's tensors in a file. names: the file's names, by the ones that `rename` knows."""

    arrangement: Arrangement
    names: dict[str, str]


@dataclass(frozen=True)
class Contents:
    """What a file's header says. pieces: by part; network: the denoiser's class; layout: the settings that go with it, None where
    it holds a denoiser alone or lacks a part."""

    path: Path
    pieces: Mapping[str, Piece]
    network: str
    layout: Layout | None
    notes: tuple[str, ...] = ()


class Twice:
    """Of a file's bytes, also the digest of the file alone."""

    def __init__(self, every: Digest) -> None:
        self._every, self.file = every, hashlib.sha256()

    def update(self, data: bytes | bytearray, /) -> None:
        self._every.update(data)
        self.file.update(data)


@dataclass
class Brought:
    """The networks of an open file, whose tensors can be read once. sha256: of the file, once they were."""

    file: File
    contents: Contents
    reading: Reading
    findings: Findings
    sha256: str = ""
    _plans: dict[str, Plan] = field(default_factory=dict)
    _tensors: dict[str, Tensor] = field(default_factory=dict)

    def parts(self) -> Sequence[str]:
        return list(self.contents.pieces)

    def fit(self, networks: Mapping[str, Network]) -> None:
        """Raises CheckpointError unless the file holds exactly what the networks need."""
        used: dict[str, str] = {}
        for part, network in networks.items():
            self._plans[part], names = self._fitting(part, network)
            used |= dict.fromkeys(names, part)
        self._needed = sorted(used)

    def read(self, digest: Digest) -> None:
        """Every byte, once. Raises CheckpointError for a number that is none."""
        own = Twice(digest)
        with self.findings.row("finite"):
            self._tensors = finite(self.file, {name: name for name in self._needed}, own, self.reading.dtype)
            self.findings.tell("finite", self.file.path.name)
        self.sha256 = own.file.hexdigest()

    def filled(self, part: str, network: Network) -> Any:
        """The network of one part."""
        piece, plan = self.contents.pieces[part], self._plans[part]
        tensors = {told: self._tensors.pop(name) for told, name in piece.names.items() if name in self._tensors}
        renamed = self._own(part, piece.arrangement.rename(tensors, network.config), plan)
        own = {key: tensor.contiguous() for key, tensor in renamed.items()}
        return assembled(network.empty, network.path, own, {} if plan.shared.keys() <= own.keys() else plan.shared)

    def _own(self, part: str, renamed: Mapping[str, Tensor], plan: Plan) -> dict[str, Tensor]:
        """Under the network's own names, whatever the library's version calls them."""
        spelled = self.reading.spelled
        own = {spelled(key): key for key in plan.wanted}
        return {own.get(spelled(key), key): tensor for key, tensor in renamed.items() if not self.reading.harmless.search(key)}

    def _fitting(self, part: str, network: Network) -> tuple[Plan, set[str]]:
        """What a part is to be filled with, and the file's tensors that do it."""
        piece, path, findings = self.contents.pieces[part], self.file.path, self.findings
        plan = planned(network.build, network.path, self.reading, findings)
        with findings.row("tensors"):
            entries = self.file.entries
            for name in piece.names.values():
                if entries[name].dtype not in READABLE and not HARMLESS.match(name):
                    raise CheckpointError(
                        f"{self.file.holder(name)}: {name} is of {entries[name].dtype}, wanted floats; get a copy in half precision, or a GGUF file"
                    )
            tensors: dict[str, Tensor] = {told: announced(told, entries[name].shape) for told, name in piece.names.items()}
            made = self._own(part, built(lambda: piece.arrangement.rename(tensors, network.config), path), plan)
            for key, tensor in plan.wanted.items():
                if key not in made and key not in plan.shared:
                    raise CheckpointError(f"{path}: the tensor {key} of its {part} is missing; the file is not whole, or of no family here")
                if key in made and made[key].shape != tensor.shape:
                    raise CheckpointError(
                        f"{path}: {key} of its {part} is {tuple(made[key].shape)}, wanted {tuple(tensor.shape)}; it is of no family here, or damaged"
                    )
            used = {told for key in made if key in plan.wanted for told in getattr(made[key], "made_of", ())}
            for told, name in piece.names.items():
                if told not in used and not HARMLESS.match(name):
                    raise CheckpointError(f"{self.file.holder(name)}: the tensor {name} does not belong there; get a clean copy")
            findings.tell("tensors", f"{part} all {len(plan.wanted)}")
        return plan, {piece.names[told] for told in used}


def alone(found: Alone, file: File) -> Contents:
    """What an open part holds."""
    row = CONTROL if isinstance(found, ControlNet) else TRAINED_CODERS[found.cls] if found.trained else NAMED_CODER
    begins = row.begins
    told = {begins + name.removeprefix(found.prefix): name for name in file.entries if not goes_with_weights(name)}
    names = {name: held for name, held in told.items() if not HARMLESS.match(f"{CODER}{name.removeprefix(begins)}") and "model_ema." not in held}
    return Contents(found.path, {found.part: Piece(row, names)}, found.cls, None)


def contents_of(file: File, findings: Findings) -> Contents:
    """What the file is, from its tensors' names alone. Raises CheckpointError for one of no family here."""
    with findings.row("family"):
        pieces = _pieces(file)
        _refuse_others(file)
        denoiser = next((part for part in ("unet", "transformer") if part in pieces), None)
        if denoiser is None:
            raise CheckpointError(f"{file.path} holds no denoiser that is known here; give a checkpoint of a family in the README")
        network = "UNet2DConditionModel" if denoiser == "unet" else _denoiser(file.entries.keys())[2]
        return described(file, pieces, network)


def _pieces(file: File) -> dict[str, Piece]:
    """The file's parts. Raises CheckpointError for a tensor that belongs to none."""
    found: dict[str, Piece] = {}
    beginning, own, _ = _denoiser(file.entries.keys())
    arrangements = (*own, *WHOLE[1:]) if own else WHOLE
    other: list[str] = []
    for name in file.entries:
        if goes_with_weights(name):
            continue
        for row in arrangements:
            begins = beginning if row.begins == DENOISER else row.begins
            if name.startswith(begins):
                piece = found.setdefault(row.part, Piece(row, {}))
                piece.names[row.begins + name.removeprefix(begins)] = name
                break
        else:
            other.append(name)
    strange = [name for name in other if not HARMLESS.match(name) and not name.startswith("text_encoders.")]
    if strange:
        raise CheckpointError(f"{file.path}: the tensor {strange[0]} does not belong to a checkpoint of a family here; get a clean copy")
    return found


def _denoiser(names: Any) -> tuple[str, tuple[Arrangement, ...], str]:
    """What the denoiser's tensors begin with, how they and what goes with it are arranged, and its class; none where it is not known."""
    for beginning in (*BEGINNINGS, ""):
        for row in DENOISERS:
            if beginning + row.mark in names and not (row.never and beginning + row.never in names):
                part = "unet" if row.network == "UNet2DConditionModel" else "transformer"
                return beginning, (Arrangement(DENOISER, part, row.rename), *row.beside), row.network
    return DENOISER, (), ""


def _refuse_others(file: File) -> None:
    try:
        kind = infer_diffusers_model_type(file.entries)  # asks for names and shapes alone
    except (LookupError, AttributeError, ValueError, UnboundLocalError):
        kind = "v1"
    scales_of(file)
    if kind not in READ:
        raise CheckpointError(f"{file.path} is a file of {kind!r}, which no family here is painted from; those that are read from one file stand in the README")


def _unread(file: File, pieces: Mapping[str, Piece]) -> list[str]:
    """What is said of text encoders that no part of a family here is made of."""
    taken = {name for piece in pieces.values() for name in piece.names.values()}
    others = {name.split(".")[1] for name in file.entries if name.startswith("text_encoders.") and name not in taken and not goes_with_weights(name) and not HARMLESS.match(name)}
    return [f"its text encoder {name} is not read" for name in sorted(others)]


def _flux_layout(transformer: Piece, said: str, file: File) -> tuple[str, ...]:
    """Which FLUX.1 a file with all its parts is, and what is said of that. said: what it calls itself."""
    if not any("guidance" in name for name in transformer.names):
        return "flux-schnell", "taken for flux-schnell, since it is not told the guidance"
    if "kontext" in said:
        return "kontext", "taken for kontext, since it calls itself so"
    return "flux", "taken for flux, since it does not call itself kontext"


def _sd3_layout(transformer: Piece, said: str, file: File) -> tuple[str, ...]:
    """Which Stable Diffusion 3: medium 3.5 looks at the picture twice in a block, and 3.5 norms what it looks for."""
    marks = {".attn2.": "sd35-medium", ".ln_q.": "sd35-large"}
    return (next((name for mark, name in marks.items() if any(mark in key for key in transformer.names)), "sd3"),)


def _klein_layout(transformer: Piece, said: str, file: File) -> tuple[str, ...]:
    """Which FLUX.2: dev, or klein."""
    if any(mark in name for name in transformer.names for mark in GUIDED):
        return "flux2", "taken for flux2, since it is told the guidance"
    names = (transformer.names.get(f"{DENOISER}{name}.weight") for name in ("txt_in", "context_embedder"))
    width = next((file.entries[name].shape[-1] for name in names if name is not None and file.entries[name].shape), 0)
    size = "-9b" if width == KLEIN_9B else ""
    kind = "klein-base" if "base" in said else "klein-kv" if "kv" in said and size else "klein"
    return f"{kind}{size}", f"taken for {kind}, by what it calls itself"


def _z_image_layout(transformer: Piece, said: str, file: File) -> tuple[str, ...]:
    """"" for one that sees pictures by eyes of its own."""
    if any("siglip" in name for name in transformer.names):
        return ("",)
    return "z-image-turbo", "taken for z-image-turbo, the one of its kind that paints from words here"


def _qwen_layout(transformer: Piece, said: str, file: File) -> tuple[str, ...]:
    """Which Qwen-Image: names and a mark that ComfyUI leaves are all that tells them apart."""
    if "2511" in said or any("__index_timestep_zero__" in name for name in transformer.names):
        return "qwen-edit-2511", "taken for qwen-edit-plus of 2511, by what it calls itself"
    if "edit" not in said:
        return "qwen-image", "taken for qwen-image, since it does not call itself edit"
    kind = "qwen-edit-plus" if "2509" in said or "plus" in said else "qwen-edit"
    return kind, f"taken for {kind}, by what it calls itself"


def _chroma_layout(transformer: Piece, said: str, file: File) -> tuple[str, ...]:
    return ("chroma",)


def _longcat_layout(transformer: Piece, said: str, file: File) -> tuple[str, ...]:
    return "longcat-edit", "taken for longcat-edit, the one of its kind that paints here"


LAYOUTS_OF = {
    "FluxTransformer2DModel": _flux_layout, "SD3Transformer2DModel": _sd3_layout, "Flux2Transformer2DModel": _klein_layout,
    "ZImageTransformer2DModel": _z_image_layout, "QwenImageTransformer2DModel": _qwen_layout, "ChromaTransformer2DModel": _chroma_layout,
    "LongCatImageTransformer2DModel": _longcat_layout,
}  # fmt: skip


def described(file: File, pieces: dict[str, Piece], network: str) -> Contents:
    """With the layout that fits, by what the file's names and its own words say."""
    said = " ".join([file.path.stem, *(file.metadata.get(f"modelspec.{key}", "") for key in ("title", "architecture"))]).casefold()
    if network in PARTS and pieces.keys() >= PARTS[network]:
        name, *notes = LAYOUTS_OF[network](pieces["transformer"], said, file)
        return Contents(file.path, pieces, network, layout(name) if name else None, (*notes, *_unread(file, pieces)))
    names = file.entries.keys()
    words = frozenset(piece.arrangement.begins for piece in pieces.values()) & {FIRST, OPEN, OPEN_ALONE, XL_FIRST, XL_OPEN}
    family = WORDED.get(words, "")
    if not family or "vae" not in pieces:
        return Contents(file.path, pieces, network, None, tuple(_unread(file, pieces)))
    entry = file.entries.get(pieces["unet"].names.get(f"{DENOISER}input_blocks.0.0.weight", ""))
    channels = entry.shape[1] if entry is not None and len(entry.shape) == 4 else 4
    notes = []
    if channels == 8:
        family = {"sd1": "pix2pix", "sdxl": "pix2pix-xl"}.get(family, family)
    elif f"{DENOISER}time_embed.cond_proj.weight" in pieces["unet"].names and family in ("sd1", "sdxl"):
        family = {"sd1": "lcm", "sdxl": "lcm-xl"}[family]
    elif "turbo" in said and family in ("sd2", "sdxl"):
        family = {"sd2": "sd-turbo", "sdxl": "sdxl-turbo"}[family]
        notes.append(f"taken for {family}, since it calls itself turbo")
    found = layout(family)
    predicts = file.metadata.get("modelspec.prediction_type", "")
    velocity = "v_pred" in names or predicts == "v"
    if family == "sd2" and not velocity:
        velocity = predicts != "epsilon" and not any(word in said for word in ("512", "base"))
        notes.append("taken for one that predicts velocity, as most of Stable Diffusion 2" if velocity else "taken for one that predicts noise")
    found["scheduler"]["prediction_type"] = "v_prediction" if velocity else "epsilon"
    if "ztsnr" in names and found["model_index"]["scheduler"][1] == "EulerDiscreteScheduler":
        found["scheduler"]["rescale_betas_zero_snr"] = True
    return Contents(file.path, pieces, network, found, tuple(notes))

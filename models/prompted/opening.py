"""Opens a prompted checkpoint's folder: our own reading of every file, then the library's classes without its loaders.

A folder is untrusted. Only the classes of its family's row are built, from settings that their constructors name; the
weights must be exactly the tensors that the configs call for, all of them finite. Of a tokenizer's folder only the two
tables are read, and none is ever written: templates and classes that it may name are not looked at.
"""

from __future__ import annotations

import copy
import hashlib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from accelerate import init_empty_weights

from engine.errors import CheckpointError
from models.autoencoders import Autoencoder, is_xl
from models.configs import LARGEST_NUMBER, built, known
from models.encoders import PREFIX, configured, older
from models.families import SPARE, Family
from models.findings import Findings
from models.first_look import recognised as recognised
from models.layout import clip_tables, tables_of
from models.plain_files import read_json
from models.prompted.checkpoint import PromptedCheckpoint
from models.readers import READERS, reader
from models.single_file import WITHOUT, Brought, Network, alone
from models.survey import Survey
from models.vocabularies import added_to, pairs_of, tried
from models.weight_files import OPEN
from models.weights import Reading, filled

READING = Reading(
    *OPEN,
    spelled=lambda name: name.removeprefix(PREFIX),
    spelling=lambda network: partial(older, network),
    harmless=re.compile(r"(^|\.)(position_ids|num_batches_tracked)$|^model_ema\."),  # what older libraries saved too
)
END = "<|endoftext|>"
Held = Callable[[str], torch.dtype]  # by a family's name


Choose = Callable[[Family, int, bool, Findings], Autoencoder | None]  # for a family, so many channels of latents, and whether the checkpoint lacks one


def its_own(family: Family, channels: int, lacking: bool, findings: Findings) -> None:
    return None


def in_float32(family: str) -> torch.dtype:
    return torch.float32


def build_prompted(
    surveyed: Survey, name: str, brought: Sequence[Brought] = (), held: Held = in_float32, choose: Choose = its_own
) -> PromptedCheckpoint:
    """A checkpoint of a folder that was looked over. brought: files that hold some of its parts, or all, the later counting more; held:
    in what number format a family's weights are held; choose: the autoencoder that takes the place of its own.

    Raises CheckpointError, saying what and where, if anything about it is not as it must be.
    """
    for library in (diffusers.utils.logging, transformers.utils.logging):
        library.set_verbosity_error()  # what matters is said here, in one message
        library.disable_progress_bar()
    index, findings = surveyed.index, surveyed.findings
    family, configs = recognised(surveyed)
    reading = READING._replace(dtype=held(family.name))
    digest, main = hashlib.sha256(), next(iter(brought), None)
    lacking = bool(surveyed.given) and not any("vae" in one.contents.pieces for one in brought)
    with ExitStack() as files:
        with findings.row("family"):
            own = configs.get("vae", {})
            coder = choose(family, int(own.get("latent_channels", own.get("z_dim", 4))), lacking, findings)
            if coder is None and lacking:
                raise CheckpointError(
                    f"{surveyed.folder} holds no autoencoder, and none for {family.title} is there; put one into the profile's vae folder, or a diffusers "
                    "folder of the family into its checkpoints folder, or give --vae FILE"
                )
        if coder is not None:
            findings.note(f"its autoencoder is {coder.path}")
            surveyed = replace(surveyed, index={**index, "vae": list(coder.pair)})
            configs = {**configs, "vae": coder.config(is_xl(family), own)}
            file = files.enter_context(coder.opened())
            brought = [*brought, Brought(file, alone(coder, file), reading, findings)]
        components = {part: component(surveyed, part, configs[part]) for part in family.components}
        networks = {part: made for part, made in components.items() if isinstance(made, Network)}
        by = {part: one for one in brought for part in one.contents.pieces if part in networks}
        for one in brought:
            one.reading = reading
            one.fit({part: networks[part] for part in by if by[part] is one})
        for one in brought:
            one.read(digest)
        for part, network in networks.items():
            if part in by:
                components[part] = by[part].filled(part, network)
            else:
                components[part] = filled(network.path.parent, network.build, network.empty, reading, digest, findings)
    found = assembled(name, family, components, index, digest.hexdigest())
    return replace(found, coder=coder.path.name if coder is not None else "", file_sha256=main.sha256 if main is not None else "")


def read_autoencoder(found: Autoencoder, findings: Findings) -> tuple[str, int]:
    """One that lies alone, to its end, as of its usual size: its SHA-256, of both halves of one in two, and how many numbers it holds.
    Raises CheckpointError."""
    surveyed, digest = Survey(found.path, {"vae": list(found.pair)}, findings), hashlib.sha256()
    network = component(surveyed, "vae", found.config(found.called == "xl", {}))
    with found.opened() as file:
        brought = Brought(file, alone(found, file), READING, findings)
        brought.fit({"vae": network})
        brought.read(digest)
        return digest.hexdigest(), sum(parameter.numel() for parameter in brought.filled("vae", network).parameters())


def assembled(
    name: str, family: Family, components: Mapping[str, Any], index: Mapping[str, Any], sha256: str
) -> PromptedCheckpoint:
    """A checkpoint of components that were built. index: switches that its model_index.json says."""
    for part in ("tokenizer", "processor"):
        if family.chat and part in components:
            getattr(components[part], "tokenizer", components[part]).chat_template = family.chat
    cls = getattr(diffusers, family.holder or family.pipeline)
    pipeline = cls(**components, **_unused(cls, index))
    pipeline.set_progress_bar_config(disable=True)
    if "movq" in components:
        pipeline.vae = components["movq"]  # Kandinsky's word for it: everybody else's here
    return PromptedCheckpoint(name, family, pipeline, sha256)


def _unused(cls: Any, index: Mapping[str, Any]) -> dict[str, Any]:
    """What a stock pipeline is given instead of what nobody paints with, and its switches."""
    given = inspect.signature(cls.__init__).parameters
    instead: dict[str, Any] = {**dict.fromkeys(SPARE), "requires_safety_checker": False, "add_watermarker": False}
    switches = ("requires_aesthetics_score", "force_zeros_for_empty_prompt", "is_cosxl_edit", "is_distilled")
    told = {key: index[key] for key in switches if isinstance(index.get(key), bool)}
    return {key: value for key, value in {**instead, **told}.items() if key in given}


def component(surveyed: Survey, part: str, config: dict[str, Any]) -> Any:
    """One component, built; a network without its weights."""
    library, name = surveyed.index[part]
    folder, findings = surveyed.folder / part, surveyed.findings
    if name.startswith("CLIPTokenizer"):
        with findings.row("settings"):
            return tokenizer_of(tables_of(config) or folder, config.get("pad_token"))
    if name in READERS:
        with findings.row("settings"):
            return reader(name, tables_of(config) or folder)
    cls: Any = getattr(transformers if library == "transformers" else diffusers, name)
    path = folder / ("scheduler_config.json" if name.endswith("Scheduler") else "config.json")
    without = config.get(WITHOUT, ()) if part in surveyed.given else ()  # which a layout of ours alone may say
    if library == "transformers":
        settings = configured(cls, config, path)
    else:
        settings = known(config, cls, path, findings)

    def build() -> Any:
        made = cls(copy.deepcopy(settings)) if library == "transformers" else cls.from_config(settings)
        for module in without:
            made.set_submodule(module, torch.nn.Identity())
        return made

    if name.endswith("Scheduler"):
        with findings.row("settings"):
            return built(build, path)

    def empty() -> Any:
        with init_empty_weights():  # unlike on the meta device, what is no weight is made as it is to be
            return build()

    return Network(build, empty, path, config)


def tokenizer_of(folder: Path, padding: str | None = None) -> Any:
    """From its tables alone, two, or the one that newer libraries save: what else a tokenizer's folder may say (templates, classes)
    is not used. padding: the word that fills up, where that is known already."""
    named = folder / "vocab.json"
    if not named.is_file() and (folder / "tokenizer.json").is_file():
        named, (vocabulary, merges) = folder / "tokenizer.json", pairs_of(folder)
        vocabulary |= added_to(folder)
    else:
        vocabulary, merges = _tables(folder)
    padding = padding or next((word for word in map(_padding, (folder / "special_tokens_map.json", folder / "tokenizer_config.json")) if word), END)
    padding = padding if padding in vocabulary else END
    return built(lambda: tried(transformers.CLIPTokenizer(vocabulary, merges, pad_token=padding, model_max_length=77)), named)


def _tables(folder: Path) -> tuple[dict[str, Any], Any]:
    """Words by number and the pairs that are joined, of a table each. Raises CheckpointError."""
    vocabulary, lines = clip_tables(folder)
    if not all(type(number) is int and 0 <= number < LARGEST_NUMBER for number in vocabulary.values()):
        raise CheckpointError(f"{folder / 'vocab.json'} must number its words; get a clean copy")
    merges = [tuple(line.split(" ")) for line in lines if line]
    if not all(len(merge) == 2 for merge in merges):
        raise CheckpointError(f"{folder / 'merges.txt'} must hold two parts a line; get a clean copy")
    return vocabulary, merges


def _padding(path: Path) -> str:
    """The word that fills up, as a tokenizer's settings name it; "" where they do not. Raises CheckpointError."""
    told: Any = read_json(path).get("pad_token") if path.is_file() else None
    word = told.get("content") if isinstance(told, dict) else told
    return word if isinstance(word, str) else ""

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
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import diffusers
import torch
import transformers
from accelerate import init_empty_weights

from engine.errors import CheckpointError
from models.arrangements import announced
from models.autoencoders import Autoencoder, is_xl
from models.configs import LARGEST_NUMBER, built, known
from models.controlnets import ControlNet, misfit
from models.encoders import PREFIX, configured, older
from models.families import SPARE, Family, with_controlnet
from models.findings import Findings
from models.first_look import WORDS
from models.first_look import recognised as recognised
from models.layout import clip_tables, tables_of
from models.plain_files import read_json
from models.prompted.checkpoint import PromptedCheckpoint
from models.readers import READERS, reader
from models.single_file import WITHOUT, Alone, Brought, Network, alone
from models.survey import Survey
from models.vocabularies import Words, tried
from models.weight_files import OPEN, entries_in
from models.weights import Reading, filled

READING = Reading(
    *OPEN,
    spelled=lambda name: name.removeprefix(PREFIX),
    spelling=lambda network: partial(older, network),
    harmless=re.compile(r"(^|\.)(position_ids|num_batches_tracked)$|^model_ema\."),  # what older libraries saved too
)
END = "<|endoftext|>"


def its_own(family: Family, channels: int, lacking: bool, findings: Findings) -> None:
    return None


def in_float32(family: str) -> torch.dtype:
    return torch.float32


class Opening(NamedTuple):
    """How a checkpoint is opened. held: in what number format a family's weights are held, by its name; coder: the autoencoder that
    takes the place of its own, for a family, so many channels of latents, and whether it lacks one; control: the ControlNet
    that does, or stands beside it."""

    held: Callable[[str], torch.dtype] = in_float32
    coder: Callable[[Family, int, bool, Findings], Autoencoder | None] = its_own
    control: ControlNet | None = None


@dataclass
class Prepared:
    """A checkpoint of which settings and headers were read, and no tensor yet. surveyed: its folder, or what stands for one; brought: open
    files that hold some of its parts, or all, the later counting more; coder, control: the autoencoder and the ControlNet that are not its own;
    components: networks without weights, and whatever has none."""

    surveyed: Survey
    family: Family
    configs: Mapping[str, dict[str, Any]]
    brought: Sequence[Brought]
    reading: Reading
    coder: Autoencoder | None
    control: ControlNet | None
    components: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.components = {part: component(self.surveyed, part, self.configs[part]) for part in self.family.components if part not in WORDS}

    @property
    def networks(self) -> dict[str, Network]:
        return {part: made for part, made in self.components.items() if isinstance(made, Network)}

    def entries(self, part: str) -> dict[str, Any]:
        """What the headers say of a network's weights, by the files' names. Raises CheckpointError."""
        if (one := self._by.get(part)) is not None:
            return {name: one.file.entries[name] for name in one.contents.pieces[part].names.values()}
        return entries_in(self.networks[part].path.parent, OPEN)

    @property
    def _by(self) -> dict[str, Brought]:
        return {part: one for one in self.brought for part in one.contents.pieces if part in self.networks}

    def tell(self, findings: Findings) -> None:
        """What is found from here on is told there."""
        self.surveyed = replace(self.surveyed, findings=findings)
        for one in self.brought:
            one.findings = findings

    def fit(self) -> None:
        """Raises CheckpointError where a file that is brought does not hold exactly what its networks need."""
        by, networks = self._by, self.networks
        for one in self.brought:
            one.reading = self.reading
            one.fit({part: networks[part] for part in by if by[part] is one})

    def suit(self) -> None:
        """The same of a folder that lends what a file lacks; settings of ours are the only ones there are, and need not be tried to count what
        goes with them."""
        if not self.surveyed.given:
            self.fit()

    def word(self) -> None:
        """Build what words are split by. Raises CheckpointError."""
        self.components |= {part: component(self.surveyed, part, self.configs[part]) for part in self.family.components if part in WORDS}

    def filled(self, name: str) -> PromptedCheckpoint:
        """With its weights, once it fits and has its words. Raises CheckpointError."""
        digest, by = hashlib.sha256(), self._by
        for one in self.brought:
            one.read(digest)
        for part, network in self.networks.items():
            if part in by:
                self.components[part] = by[part].filled(part, network)
            else:
                self.components[part] = filled(network.path.parent, network.build, network.empty, self.reading, digest, self.surveyed.findings)
        found = assembled(name, self.family, self.components, self.surveyed.index, digest.hexdigest())
        return replace(found, coder=self.coder.path.name if self.coder is not None else "", control=self.control.name if self.control is not None else "")


def quiet() -> None:
    """Let libraries tell of errors alone: what else matters is said here, in one message."""
    for library in (diffusers.utils.logging, transformers.utils.logging):
        library.set_verbosity_error()
        library.disable_progress_bar()


def prepared(surveyed: Survey, files: ExitStack, name: str, brought: Sequence[Brought] = (), how: Opening = Opening()) -> Prepared:
    """A checkpoint of a folder that was looked over. files: closes what is opened; name: of the checkpoint, for messages; brought: files that
    hold some of its parts, or all, the later counting more.

    Raises CheckpointError, saying what and where, if anything about it is not as it must be.
    """
    quiet()
    index, findings = surveyed.index, surveyed.findings
    family, configs = recognised(surveyed)
    if how.control is not None:
        family, index, configs = _controlled(how.control, index, configs, name, findings)
    reading = READING._replace(dtype=how.held(family.name))
    lacking = bool(surveyed.given) and not any("vae" in one.contents.pieces for one in brought)
    with findings.row("family"):
        own = configs.get("vae", {})
        coder = how.coder(family, int(own.get("latent_channels", own.get("z_dim", 4))), lacking, findings)
        if coder is None and lacking:
            raise CheckpointError(
                f"{surveyed.folder} holds no autoencoder, and none for {family.title} is there; put one into the profile's vae folder, or a diffusers "
                "folder of the family into its checkpoints folder, or give --vae FILE"
            )
    if coder is not None:
        findings.note(f"its autoencoder is {coder.path}")
        index, configs = {**index, "vae": list(coder.pair)}, {**configs, "vae": coder.config(is_xl(family), own)}
    for lone in (coder, how.control):
        if lone is not None:
            file = files.enter_context(lone.opened())
            brought = [*brought, Brought(file, alone(lone, file), reading, findings)]
    return Prepared(replace(surveyed, index=index), family, configs, brought, reading, coder, how.control)


def build_prompted(surveyed: Survey, name: str, how: Opening = Opening()) -> PromptedCheckpoint:
    """The checkpoint of a folder that was looked over; the rest as of `prepared`. Raises CheckpointError."""
    with ExitStack() as files:
        found = prepared(surveyed, files, name, (), how)
        found.word()
        found.fit()
        return found.filled(name)


def _controlled(
    control: ControlNet, index: Mapping[str, Any], configs: Mapping[str, dict[str, Any]], name: str, findings: Findings
) -> tuple[Family, dict[str, Any], dict[str, dict[str, Any]]]:
    """What a checkpoint's family, index and settings are with a ControlNet beside it. Raises CheckpointError where that cannot be."""
    with findings.row("family"):
        family, told = with_controlnet(index, configs)
        if not family.control:
            raise CheckpointError(f"the checkpoint {name} is of {family.title}, which takes no ControlNet; leave --controlnet out")
        config = settings_of(control, configs["unet"])
        if why := misfit(config, configs["unet"]):
            raise CheckpointError(f"{control.place} does not go with {name}: {why}; give one made for {family.title.partition(' with ')[0]}, or leave --controlnet out")
    findings.note(f"its ControlNet is {control.place}")
    return family, told, {**configs, control.part: config}


def settings_of(control: ControlNet, unet: Mapping[str, Any]) -> dict[str, Any]:
    """A ControlNet's beside a U-Net with those, {} for none. Raises CheckpointError."""
    with control.opened() as file:
        row, names = alone(control, file).pieces[control.part]
        announcing = {told: announced(told, file.entries[held].shape) for told, held in names.items()}
        made = built(lambda: row.rename({**announcing}, {"layers_per_block": control.layers}), control.path)
    return dict(control.config({key: tuple(tensor.shape) for key, tensor in made.items()}, unet))


def read_alone(found: Alone, findings: Findings) -> tuple[str, int]:
    """A part that lies alone, to its end, as of its usual size: its SHA-256, of both halves of one in two, and how many numbers it holds.
    Raises CheckpointError."""
    surveyed, digest = Survey(found.path, {found.part: list(found.pair)}, findings), hashlib.sha256()
    network = component(surveyed, found.part, settings_of(found, {}) if isinstance(found, ControlNet) else found.config(found.called == "xl", {}))
    with found.opened() as file:
        brought = Brought(file, alone(found, file), READING, findings)
        brought.fit({found.part: network})
        brought.read(digest)
        return digest.hexdigest(), sum(parameter.numel() for parameter in brought.filled(found.part, network).parameters())


def assembled(
    name: str, family: Family, components: Mapping[str, Any], index: Mapping[str, Any], sha256: str
) -> PromptedCheckpoint:
    """A checkpoint of components that were built. index: switches that its model_index.json says."""
    for part in ("tokenizer", "processor"):
        if family.chat and part in components:
            getattr(components[part], "tokenizer", components[part]).chat_template = family.chat
    cls = getattr(diffusers, family.holder or family.pipeline)
    pipeline = cls(**components, **unused(cls, index))
    pipeline.set_progress_bar_config(disable=True)
    if "movq" in components:
        pipeline.vae = components["movq"]  # Kandinsky's word for it: everybody else's here
    return PromptedCheckpoint(name, family, pipeline, sha256)


def unused(cls: Any, index: Mapping[str, Any]) -> dict[str, Any]:
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
        named, words = folder / "tokenizer.json", Words(folder)
        vocabulary, merges = {**words.vocabulary, **words.added}, words.merges
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

"""Autoencoders that are files of their own: what one is, what it is for, and which one a checkpoint is painted with. Knows no torch.

Files of Stable Diffusion, FLUX.1, FLUX.2 and Qwen-Image come by the names of the program that trained them or by diffusers'. Tiny
ones (TAESD, by Ollin Boer Bohan, github.com/madebyollin/taesd) come as diffusers saves them, or as two files, an encoder and a decoder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from engine.errors import CheckpointError
from engine.painter import AUTO, OWN
from models.families import Family
from models.findings import Findings
from models.first_look import header_alone
from models.joined import Joined
from models.layout import layout
from models.places import BESIDE, Found, found_in, place_said, repository_of
from models.safetensors_file import SafetensorsFile, open_safetensors
from models.survey import Pair

LARGEST = 4 * 2**30  # bytes
FULL, TINY, FLUX2, QWEN = "AutoencoderKL", "AutoencoderTiny", "AutoencoderKLFlux2", "AutoencoderKLQwenImage"
OF = {TINY: "tiny ", FLUX2: "FLUX.2 ", QWEN: "Qwen-Image "}
OWN_SETTING = {FULL: "block_out_channels", FLUX2: "block_out_channels", QWEN: "base_dim"}  # by which settings are those of such a class
LAYOUTS = {FLUX2: "klein", QWEN: "qwen-image"}
KINDS = {(4, ""): "Stable Diffusion 1 or 2", (4, "xl"): "Stable Diffusion XL", (16, ""): "FLUX.1", (16, "sd3"): "Stable Diffusion 3"}
SIDES = ("encoder", "decoder")
NAMELESS = "diffusion_pytorch_model"  # what diffusers calls whatever network it saves
BLOCKS = 4  # of a tiny one, each of one width
CHANNELS = (4, 16)  # of latents: Stable Diffusion 1, 2 and XL; 3, FLUX.1 and Qwen-Image
MORE = {FLUX2: (*CHANNELS, 32)}  # of a class that has others too
READ = "read are those of Stable Diffusion, FLUX.1, FLUX.2 and Qwen-Image, and tiny ones of the first two"
VAE_ROWS = ("links", "headers", "family", "tensors", "finite")


@dataclass(frozen=True)
class Autoencoder:
    """One that lies alone. paths: its file, or the two halves of a tiny one; cls: of diffusers; channels: of its latents; trained:
    whether its tensors are named as by the program that trained it; width: of a tiny one's layers."""

    paths: tuple[Path, ...]
    cls: str
    channels: int
    trained: bool = False
    width: int = 0
    part: ClassVar[str] = "vae"
    prefix: ClassVar[str] = "first_stage_model."

    @property
    def path(self) -> Path:
        return self.paths[0]

    @property
    def title(self) -> str:
        """In words."""
        return f"{OF.get(self.cls, '')}autoencoder for latents of {self.channels} channels"

    @property
    def pair(self) -> Pair:
        """As a model_index.json names it."""
        return ("diffusers", self.cls)

    @property
    def called(self) -> str:
        """Whose of those with such tensors it calls itself: Stable Diffusion 1's and 2's are XL's too, FLUX.1's are 3's, and
        Qwen-Image's are Wan's."""
        word = {FLUX2: "", QWEN: "wan"}.get(self.cls, "xl" if self.channels == CHANNELS[0] else "sd3")
        said = f"{repository_of(self.path)} {self.path.stem}".casefold()
        return word if word in said.replace("stable-diffusion-3", "sd3") else ""

    def config(self, xl: bool, own: Mapping[str, Any]) -> dict[str, Any]:
        """Its settings. xl: whether it is for Stable Diffusion XL, which scales latents otherwise than 1 and 2; own: those of the
        checkpoint's own autoencoder, {} for none, which are its family's."""
        if self.cls == TINY:
            widths = [self.width] * BLOCKS
            return {"encoder_block_out_channels": widths, "decoder_block_out_channels": widths, "latent_channels": self.channels}
        if OWN_SETTING[self.cls] in own and "encoder_block_out_channels" not in own:
            return dict(own)
        return layout(LAYOUTS.get(self.cls) or ("flux" if self.channels > 4 else "sdxl" if xl else "sd1"))["vae"]

    @contextmanager
    def opened(self) -> Iterator[SafetensorsFile]:
        """Its tensors, to be read once. Raises CheckpointError."""
        with ExitStack() as files:
            halves = [files.enter_context(open_safetensors(path, LARGEST)) for path in self.paths]
            if len(halves) == 1:
                yield halves[0]
            else:
                yield Joined(self.paths[-1], [*zip((partial(_layer, side) for side in SIDES), halves, strict=True)])


def _layer(side: str, name: str) -> str:
    """diffusers' name for a tensor of a half: its decoder clamps without a layer for it, so that it counts from one less."""
    number, _, rest = name.partition(".")
    return f"{side}.layers.{int(number) - (side == 'decoder')}.{rest}" if number.isdecimal() else f"{side}.{name}"


def side_of(entries: Mapping[str, Any]) -> str:
    """Which half of a tiny autoencoder a file is; "" for none."""
    first = entries.get("0.weight")
    if first is not None and first.shape[1:] == (3, 3, 3):
        return "encoder"
    second = entries.get("1.weight")
    return "decoder" if first is None and second is not None and len(second.shape) == 4 and "3.conv.0.weight" in entries else ""


def holds_autoencoder(entries: Mapping[str, Any]) -> bool:
    """Whether a file is an autoencoder and nothing else, or a half of one."""
    return bool(side_of(entries)) or _coded(entries) is not None


def _coded(entries: Mapping[str, Any]) -> tuple[str, int, bool, int] | None:
    """Class, channels, whether it is named as it was trained, and width, of a whole one."""
    beginnings = ("encoder.", "decoder.", "quant_conv.", "post_quant_conv.", "loss.", "model_ema.", "bn.", "conv1.", "conv2.")
    if not all(name.removeprefix(Autoencoder.prefix).startswith(beginnings) for name in entries):
        return None
    if (tiny := entries.get("decoder.layers.0.weight")) is not None and len(tiny.shape) == 4:
        return TINY, tiny.shape[1], False, tiny.shape[0]
    for prefix, layer, dimensions in (("", "conv_in", 4), (Autoencoder.prefix, "conv_in", 4), ("", "conv1", 5), ("", "conv_in", 5)):
        first = entries.get(f"{prefix}decoder.{layer}.weight")
        if first is not None and len(first.shape) == dimensions and f"{prefix}encoder.{layer}.weight" in entries:
            cls = QWEN if dimensions == 5 else FLUX2 if f"{prefix}bn.running_mean" in entries else FULL
            return cls, first.shape[1], not any(".down_blocks." in name for name in entries), 0
    return None


def autoencoder(path: Path, findings: Findings | None = None) -> Autoencoder:
    """What the file is, by its header, with its other half where it is one. Raises CheckpointError."""
    findings = findings if findings is not None else Findings()
    entries = header_alone(path, findings, LARGEST).entries
    with findings.row("family"):
        if side := side_of(entries):
            found = _paired(path, side, entries)
        elif (told := _coded(entries)) is not None and told[1] in MORE.get(told[0], CHANNELS):
            found = Autoencoder((path,), *told)
        else:
            raise CheckpointError(f"{path} is no autoencoder that is known here; {READ}")
        findings.tell("family", found.title)
    return found


def _paired(path: Path, side: str, entries: Mapping[str, Any]) -> Autoencoder:
    other = SIDES[side == SIDES[0]]
    partner = path.with_name(path.name.replace(side, other)) if side in path.name else path.with_name(f"{path.stem}_{other}{path.suffix}")
    if not partner.is_file():
        raise CheckpointError(f"{path} is the {side} of a tiny autoencoder and stands alone; put its {other} beside it, as {partner.name}")
    halves = {side: entries, other: header_alone(partner, Findings(), LARGEST).entries}
    if side_of(halves[other]) != other:
        raise CheckpointError(f"{partner} is not the {other} that goes with {path.name}; copy both files again")
    first = halves["decoder"]["1.weight"]
    paths = {side: path, other: partner}
    return Autoencoder((paths["encoder"], paths["decoder"]), TINY, first.shape[1], width=first.shape[0])


def is_xl(family: Family) -> bool:
    return "text_encoder_2" in family.components and "unet" in family.components


def scaling(family: Family) -> float:
    """What a whole autoencoder's latents are multiplied with for a Stable Diffusion; a tiny one gives them multiplied already."""
    return float(layout("sdxl" if is_xl(family) else "sd1")["vae"]["scaling_factor"])


def chosen(
    said: str, checkpoint: Path, profile: str | None, family: Family, channels: int, lacking: bool, findings: Findings
) -> Autoencoder | None:
    """Which autoencoder the checkpoint is painted with; None for its own.

    said: "own", a name or a file, or "auto": what the profile's settings name, if it is for this family; else what is called as the
    checkpoint and lies beside it or among autoencoders; else a tiny one for this family, if there is one. channels: of the
    family's latents; lacking: whether the checkpoint has none, so that a whole one is taken before a tiny one. Raises CheckpointError for what is said and cannot be, InputError for broken settings.
    """
    home = Path(profile) if profile is not None else None
    setting = _setting(home) if said == AUTO else said
    if setting == OWN and not lacking:
        return None
    if said not in (AUTO, OWN):
        found = autoencoder(place_said(said, home, "vae", "--vae"))
        if why := _misfit(found, family, channels):
            raise CheckpointError(f"{found.path} does not go with {checkpoint.name}: {why}; give one made for {family.title}, or --vae own")
        return found
    if setting not in (AUTO, OWN):
        found = autoencoder(place_said(setting, home, "vae", f"{home}/settings.toml: vae"))
        if not (why := _misfit(found, family, channels) or _other_kind(found, family)):
            return found
        findings.note(f"the autoencoder {found.path.name} of settings.toml is not used: {why}")
    there = [found for found in found_in(home) if found.kind == "vae" and not found.foreign]
    namesake = _namesake(checkpoint, there, family, channels, findings)
    if namesake is not None or (family.references and not lacking):
        return namesake
    return (_first(False, there, family, channels) if lacking else None) or _first(True, there, family, channels)


def _setting(profile: Path | None) -> str:
    from engine.settings import Settings  # dear, as in models.places

    return Settings.load(profile / "settings.toml").vae if profile is not None else AUTO


def _misfit(found: Autoencoder, family: Family, channels: int) -> str:
    """Why it cannot be the family's; "" where nothing speaks against it."""
    if found.pair not in family.components.get("vae", ()):
        return f"{family.title} takes no {found.cls}"
    if found.channels != channels:
        return f"it is for latents of {found.channels} channels, not of {channels}"
    return ""


def _other_kind(found: Autoencoder, family: Family) -> str:
    """What only a name tells."""
    wanted = ("xl" if is_xl(family) else "") if found.channels == CHANNELS[0] else ("sd3" if family.name == "sd3" else "")
    return "" if found.called == wanted else f"by its name it is for {'Wan' if found.cls == QWEN else KINDS[found.channels, found.called]}"


def _namesake(checkpoint: Path, there: list[Found], family: Family, channels: int, findings: Findings) -> Autoencoder | None:
    stem = checkpoint.stem if checkpoint.is_file() else checkpoint.name
    if stem == NAMELESS:
        return None
    beside = checkpoint.with_name(f"{stem}{BESIDE}")
    for path in (beside, *(found.path for found in there if found.path.name in (f"{stem}.safetensors", beside.name))):
        if path.is_file():
            found = autoencoder(path)
            if not (why := _misfit(found, family, channels)):
                return found
            findings.note(f"the autoencoder {path} is not used: {why}")
    return None


def _first(tiny: bool, there: list[Found], family: Family, channels: int) -> Autoencoder | None:
    """A tiny one or a whole one, for the family by all that is known; one that cannot be read is passed over, since nobody asked for it."""
    for path in (found.path for found in there):
        try:
            found = autoencoder(path)
        except CheckpointError:
            continue
        if (found.cls == TINY) == tiny and not _misfit(found, family, channels) and not _other_kind(found, family):
            return found
    return None

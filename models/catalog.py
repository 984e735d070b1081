"""Which checkpoints there are, and opening a painter for one. Imports torch only when a painter is opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from engine.errors import CheckpointError
from engine.freed import PAINTERS, shape
from engine.painter import AUTO, OWN, GuidePainter, Painter, PainterSpec
from engine.paths import path_said
from models.kinds import misplaced, stray
from models.places import found_in, named, place_said
from models.whole import INDEX, refuse_foreign, whole

if TYPE_CHECKING:
    import torch

    from engine.checkpoints import CheckpointFacts
    from models.controlnets import ControlNet
    from models.findings import Findings
    from models.loading import BundledCheckpoint
    from models.prompted.checkpoint import PromptedCheckpoint
    from models.survey import Survey

NO_LORAS = "takes no LoRAs and no other sampler; leave --lora and --sampler out, or give an open checkpoint with --checkpoint"
NO_VAE = "has no autoencoder that could be another; leave --vae out, or give an open checkpoint with --checkpoint"
NO_CONTROL = "takes no ControlNet; leave --controlnet out, or give an open checkpoint of Stable Diffusion with --checkpoint"
ALWAYS = ("bundled", "guide")
BUNDLED = Path(__file__).parent / "bundled"
LIBRARIES = (  # to open a painter with, those of the bundled family first
    "models.latent_painter", "models.probe", "models.ladder", "models.survey", "models.loading", "models.prompted.painter",
    "models.prompted.from_file", "models.autoencoders", "models.controlnets", "engine.settings", "diffusers.models.unets.unet_2d_condition", "transformers.models.clip.modeling_clip",
)  # fmt: skip
RANDOM = "random:"  # and the name of a preset: its architecture with random weights, see models.presets


def names(checkpoints: Path | None = None) -> list[str]:
    """Names that `--checkpoint` takes: bundled, guide, and what is whole in the profile whose `checkpoints/` is given, or in
    the folders of other programs that its settings name."""
    every = found_in(checkpoints.parent) if checkpoints is not None else []
    mine = [found for found in every if found.kind == "checkpoint" and not found.foreign and whole(found.path)]
    return [*ALWAYS, *(found.name for found in mine if not misplaced(found))]


def resolve(checkpoint: str, profile: str | None = None) -> Path:
    """Where a checkpoint lies that is given by name or path: a folder or a file. Raises CheckpointError if there is none."""
    if checkpoint == "bundled":
        if not (BUNDLED / INDEX).is_file():
            raise CheckpointError(f"the bundled checkpoint is missing in {BUNDLED}; install Pixel OS again")
        return BUNDLED
    path = path_said(checkpoint, CheckpointError)
    if profile is not None and not path.exists():
        path = Path(profile) / "checkpoints" / checkpoint
    if profile is not None and not path.exists():
        path = named(checkpoint, Path(profile), "checkpoint") or path
    if not path.exists():
        known = ", ".join(names(Path(profile) / "checkpoints" if profile else None))
        raise CheckpointError(f"there is no checkpoint {checkpoint!r}; known are {known}, or give a folder or a file")
    if path.is_file():
        refuse_foreign(path)
    return path


def lenders(profile: str | None) -> list[Path]:
    """Diffusers folders that may lend a file the parts which it lacks."""
    every = found_in(Path(profile)) if profile is not None else []
    return [found.path for found in every if found.kind == "checkpoint" and found.path.is_dir()]


def text_encoders(profile: str | None) -> list[Path]:
    """Files that may be text encoders of a denoiser's file that lacks them."""
    every = found_in(Path(profile)) if profile is not None else []
    return [found.path for found in every if found.kind == "text encoder" and not found.foreign]


def open_checkpoint(
    path: Path, findings: Findings | None = None, profile: str | None = None, spec: PainterSpec | None = None
) -> BundledCheckpoint | PromptedCheckpoint:
    """What is in the folder or file, read and built, in bounded memory. findings: told what was found, row by row; profile:
    where parts that a file lacks may be found; spec: what it is opened for: its weights are held in that number format at once,
    else in float32.

    Raises CheckpointError, saying what and where, for one that is not sound.
    """
    from models.findings import Findings
    from models.limits import limited_memory

    findings = findings if findings is not None else Findings()
    surveyed = _looked_at(path, findings)
    name = "bundled" if path == BUNDLED else path.name
    if surveyed is not None and surveyed.index["_class_name"] == "PixelOSPipeline":
        if spec is not None:
            _refuse_parts(spec, name)
        from models.loading import build_bundled

        with limited_memory(path):
            return build_bundled(surveyed, name)
    control = control_of(spec) if spec is not None else None
    from models.autoencoders import chosen
    from models.prompted.opening import Opening, build_prompted

    how = Opening(_held(spec), partial(chosen, spec.vae if spec is not None else AUTO, path, profile), control)
    beside = [control.path] if control is not None else []
    if surveyed is not None:
        with limited_memory(path, *beside):
            return build_prompted(surveyed, name, how)
    from models.prompted.from_file import build_from_file

    folders, words = lenders(profile), text_encoders(profile)
    with limited_memory(path, *folders, *words, *beside):
        return build_from_file(path, findings, folders, how, words)


def control_of(spec: PainterSpec) -> ControlNet | None:
    """The ControlNet that `spec` names, by its header; None where it names none. Raises CheckpointError."""
    if not spec.controlnet:
        return None
    from models.controlnets import controlnet

    return controlnet(place_said(spec.controlnet, _home(spec), "controlnet", "--controlnet"))


def _home(spec: PainterSpec) -> Path | None:
    return Path(spec.profile) if spec.profile is not None else None


def _looked_at(path: Path, findings: Findings) -> Survey | None:
    """Refuse what needs no library to be refused, before any is taken in. What a folder is made of; None of a file. Raises CheckpointError."""
    from models.first_look import look_at_file, look_at_folder
    from models.survey import survey

    if path.is_file():
        look_at_file(path, findings)
        if why := stray(path):
            with findings.row("family"):
                raise CheckpointError(why)
        return None
    surveyed = survey(path, findings)
    look_at_folder(surveyed)
    return surveyed


def first_look(spec: PainterSpec) -> None:
    """Refuse the checkpoint that `spec` names where its files give reason to, which takes no library and so no time. Raises CheckpointError."""
    if spec.checkpoint != "guide" and not spec.checkpoint.startswith(RANDOM):
        look_at(resolve(spec.checkpoint, spec.profile))
        if spec.vae not in (AUTO, OWN):
            from models.autoencoders import autoencoder

            autoencoder(place_said(spec.vae, _home(spec), "vae", "--vae"))
        control_of(spec)


def check_device(name: str) -> None:
    """Raises CheckpointError where the device of an option's name is not there; takes torch in."""
    from models.devices import device_of

    device_of(name)


def look_at(path: Path) -> None:
    """The same of a checkpoint that lies there."""
    from models.findings import Findings

    _looked_at(path, Findings())


def _held(spec: PainterSpec | None) -> Callable[[str], torch.dtype]:
    """In what number format a family's weights are held, by its name."""
    import torch

    if spec is None:
        return lambda family: torch.float32
    from models.devices import device_of
    from models.memory_plan import dtype_for

    device = device_of(spec.device).type
    return lambda family: getattr(torch, dtype_for(family, device, spec.dtype))  # type: ignore[no-any-return]


def check_spec(spec: PainterSpec) -> None:
    """Raises CheckpointError for what can be seen to be wrong before anything is opened."""
    if spec.mode not in ("guided", "dream"):
        raise CheckpointError(f"unknown mode {spec.mode!r}; use guided or dream")
    if spec.checkpoint in ("guide", "bundled") and (spec.loras or spec.sampler != "auto"):
        raise CheckpointError(f"the checkpoint {spec.checkpoint} {NO_LORAS}")
    if spec.checkpoint in ("guide", "bundled"):
        _refuse_parts(spec, spec.checkpoint)
    if spec.checkpoint.startswith(RANDOM) and spec.controlnet:
        raise CheckpointError(f"the checkpoint {spec.checkpoint} {NO_CONTROL}")


def _refuse_parts(spec: PainterSpec, name: str) -> None:
    """Raises CheckpointError where `spec` names a part for a checkpoint that has no such part."""
    if spec.vae not in (AUTO, OWN):
        raise CheckpointError(f"the checkpoint {name} {NO_VAE}")
    if spec.controlnet:
        raise CheckpointError(f"the checkpoint {name} {NO_CONTROL}")


def facts_of(spec: PainterSpec) -> list[CheckpointFacts]:
    """`models.facts.facts`, to be called in another process: the window's never takes torch in."""
    from models.facts import facts

    return facts(spec)


def open_painter(spec: PainterSpec) -> Painter:
    """Open the painter that `spec` describes; what this process frees is kept for its next paint from then on. Raises CheckpointError."""
    check_spec(spec)
    if spec.checkpoint == "guide":
        if spec.mode == "dream":
            raise CheckpointError("the guide painter has no dream mode; use --checkpoint bundled")
        return GuidePainter(spec)
    checkpoint = opened(spec)
    painter = probed(dressed(checkpoint, spec) if spec.loras or spec.sampler != "auto" else checkpoint, spec)
    shape(PAINTERS)
    return painter


def opened(spec: PainterSpec) -> BundledCheckpoint | PromptedCheckpoint:
    """The checkpoint that `spec` names, or a preset's. Raises CheckpointError, InputError."""
    if spec.checkpoint.startswith(RANDOM):
        from models.presets import random_checkpoint

        return random_checkpoint(spec.checkpoint.removeprefix(RANDOM), spec)
    return open_checkpoint(resolve(spec.checkpoint, spec.profile), profile=spec.profile, spec=spec)


def open_carefully(spec: PainterSpec) -> Painter:
    """The same, outliving that memory runs out while it is opened and while it paints. For a session. Raises Shortage too."""
    if spec.checkpoint == "guide":
        return open_painter(spec)
    check_spec(spec)
    first_look(spec)
    from models.devices import device_of
    from models.ladder import careful, opened

    return opened(lambda: careful(open_painter(spec), device_of(spec.device)), spec.checkpoint)


def dressed(checkpoint: BundledCheckpoint | PromptedCheckpoint, spec: PainterSpec) -> PromptedCheckpoint:
    """The checkpoint with the LoRAs of `spec` on, and the sampler that they or the user ask for. Raises CheckpointError."""
    if checkpoint.family == "bundled":
        raise CheckpointError(f"the checkpoint {checkpoint.name} is of the bundled family, which {NO_LORAS}")
    from models.loras.wearing import worn

    prompted = cast("PromptedCheckpoint", checkpoint)
    loras, row = worn(prompted.pipeline, prompted.row, spec)
    return replace(prompted, loras=loras, row=row)


def probed(checkpoint: BundledCheckpoint | PromptedCheckpoint, spec: PainterSpec) -> Painter:
    """A painter of the checkpoint that has shown that it paints. Raises CheckpointError where its parts, each of them sound, do not
    fit together."""
    from models.devices import ran_out
    from models.ladder import careful
    from models.probe import probe

    spec = _tuned(spec, checkpoint.sha256)
    try:
        painter = _painter(checkpoint, spec)
        probe(careful(painter), checkpoint.networks, spec)
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:  # what libraries raise then
        if ran_out(error):
            raise
        why = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
        raise CheckpointError(f"the checkpoint {spec.checkpoint} does not paint: its parts do not fit together ({why}); get a clean copy") from error
    return painter


def _painter(checkpoint: BundledCheckpoint | PromptedCheckpoint, spec: PainterSpec) -> Painter:
    if checkpoint.family == "bundled":
        from models.latent_painter import LatentPainter

        return LatentPainter(cast("BundledCheckpoint", checkpoint), spec)
    from models.prompted.painter import PromptedPainter
    from models.reference.painter import ReferencePainter

    prompted = cast("PromptedCheckpoint", checkpoint)
    return (ReferencePainter if prompted.row.references else PromptedPainter)(prompted, spec)


def _tuned(spec: PainterSpec, sha256: str) -> PainterSpec:
    """With what `bench tune` found for these weights on this machine, if that is wanted and there is any."""
    if not spec.tuned or spec.profile is None:
        return spec
    from engine.tuned import key_of, recall
    from models.devices import device_of, name_of

    found = recall(Path(spec.profile), key_of(sha256, name_of(device_of(spec.device)), spec))
    return spec if found is None else found.applied(spec)

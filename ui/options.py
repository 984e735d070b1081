"""The options that mean the same in every command, and what comes of them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields, replace
from functools import wraps
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

if TYPE_CHECKING:
    from engine.desktop.documents import Documents
    from engine.painter import PainterSpec

MODES = ("guided", "dream")
DTYPES = ("auto", "float32", "float16", "bfloat16", "int8")
_DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?")
LARGEST_WEIGHT = 10.0
_LARGEST_SEED = 2**63 - 1


def profile_said(text: str) -> Path:
    """A profile's folder. Raises InputError for an empty name, as of a variable that is not set, which would be the folder that one is in."""
    from engine.errors import InputError

    if not text:
        raise InputError("--profile is empty; give the profile's folder, or leave it out")
    return Path(text)


@dataclass(frozen=True, slots=True)
class Choice:
    """What was said on the command line; None where nothing was."""

    checkpoint: Annotated[
        str | None, typer.Option(metavar="NAME|FOLDER|FILE", help="What paints: bundled (default), guide, or a path.")
    ] = None
    lora: Annotated[list[str] | None, typer.Option(metavar="FILE[:WEIGHT]", help="A LoRA; repeatable.")] = None
    sampler: Annotated[
        str | None, typer.Option(metavar="auto|own|NAME", help="How a LoRA that needs few steps is sampled; auto: as its name says.")
    ] = None
    vae: Annotated[
        str | None, typer.Option(metavar="auto|own|NAME|FILE", help="The autoencoder of an open checkpoint; own: the one that it brings.")
    ] = None
    controlnet: Annotated[
        str | None, typer.Option(metavar="NAME|FOLDER|FILE", help="A ControlNet that is shown the guide, beside an open checkpoint of Stable Diffusion.")
    ] = None
    mode: Annotated[str | None, typer.Option(metavar="guided|dream", help="Whether the guide is given.")] = None
    size: Annotated[str | None, typer.Option(metavar="WIDTHxHEIGHT", help="Frame size (512x384).")] = None
    style: Annotated[str | None, typer.Option(metavar="TEXT", help="How it should look, in words.")] = None
    steps: Annotated[int | None, typer.Option(metavar="N", help="Sampling steps.")] = None
    device: Annotated[str | None, typer.Option(metavar="auto|cpu|cuda[:N]", help="Where the painter runs.")] = None
    dtype: Annotated[str | None, typer.Option(metavar="|".join(DTYPES), help="The painter's numbers.")] = None
    seed: Annotated[int | None, typer.Option(metavar="N", help="What the noise starts from.")] = None
    profile: Annotated[Path | None, typer.Option(metavar="DIR", help="The profile folder.", parser=profile_said)] = None
    compile: Annotated[
        bool | None, typer.Option("--compile", help="Try to compile the networks, by OpenVINO on a CPU that has it: starting takes longer.")
    ] = None
    vram_budget: Annotated[float | None, typer.Option(metavar="GB", help="Bound on GPU memory.")] = None

    def check(self) -> Choice:
        """The choice itself, if every value can be meant. Raises InputError or SizeError."""
        from engine.errors import InputError
        from engine.geometry import parse_size

        if self.mode is not None and self.mode not in MODES:
            raise InputError(f"--mode {self.mode!r} is not known; use guided or dream")
        if self.size is not None:
            parse_size(self.size)
        if self.style is not None and not self.style.strip():
            raise InputError("--style is empty; say for example --style 'dark blue'")
        if self.steps is not None and not 1 <= self.steps <= 1000:
            raise InputError(f"--steps {self.steps} cannot be; give a whole number from 1 to 1000")
        if self.device is not None and not _DEVICE.fullmatch(self.device):
            raise InputError(f"--device {self.device!r} is not known; use auto, cpu, cuda or cuda:N")
        if self.dtype is not None and self.dtype not in DTYPES:
            raise InputError(f"--dtype {self.dtype!r} is not known; use one of {', '.join(DTYPES)}")
        if self.seed is not None and not 0 <= self.seed <= _LARGEST_SEED:
            raise InputError(f"--seed {self.seed} cannot be; give a whole number from 0 to {_LARGEST_SEED}")
        if self.vram_budget is not None and not 0 < self.vram_budget < 1e6:
            raise InputError(f"--vram-budget {self.vram_budget:g} cannot be; give the GB that may be taken, such as 6")
        return self

    def only(self, meant: Collection[str], command: str, instead: Mapping[str, str] = MappingProxyType({})) -> None:
        """Raises InputError where anything was said beside the profile and what is `meant`. instead: what to say then, by option."""
        from engine.errors import InputError

        for field in fields(self):
            if field.name not in {"profile", *meant} and getattr(self, field.name) is not None:
                raise InputError(f"--{field.name.replace('_', '-')} means nothing to {command}; leave it out{instead.get(field.name, '')}")

    def folder(self) -> Path:
        """The profile's folder; it need not exist."""
        from engine.paths import path_said
        from engine.profile import default_folder

        return path_said(self.profile or default_folder()).absolute()

    def lost_style(self, documents: Documents) -> str:
        """What is to be said of the words of --style that mean nothing, and change nothing; "" where all mean something."""
        from engine.desktop.asking import unknown_in

        return unknown_in(self.style, documents) if self.style else ""

    @property
    def weighed(self) -> tuple[bool, ...]:
        """For each LoRA, whether its weight was said."""
        return tuple(_WEIGHED.fullmatch(text) is not None for text in self.lora or ())

    def spec(self, **otherwise: Any) -> PainterSpec:
        """What to open as the painter: what was said, else `otherwise`, else PainterSpec's own defaults."""
        from engine.geometry import parse_size
        from engine.painter import PainterSpec

        said: dict[str, Any] = {
            "checkpoint": self.checkpoint, "mode": self.mode, "steps": self.steps, "device": self.device,
            "dtype": self.dtype, "seed": self.seed, "size": parse_size(self.size) if self.size else None,
            "loras": tuple(_lora(text, self.folder()) for text in self.lora or ()) or None, "sampler": self.sampler,
            "vae": self.vae, "controlnet": self.controlnet,
            "vram_budget": self.vram_budget, "compiled": self.compile,
        }  # fmt: skip
        given = {key: value for key, value in said.items() if value is not None}
        return replace(PainterSpec(profile=str(self.folder())), **{**otherwise, **given})


_WEIGHED = re.compile(r".*:[-+]?\d*\.?\d+")


def _lora(text: str, profile: Path) -> tuple[str, float]:
    """`FILE[:WEIGHT]` to (file, weight). FILE may be a name of the list of models, or what lies in the profile's `loras/`."""
    from engine.errors import InputError
    from engine.paths import path_said
    from models.places import named

    file, _, weight = text.rpartition(":") if _WEIGHED.fullmatch(text) else (text, "", "1")
    if abs(float(weight)) > LARGEST_WEIGHT:
        raise InputError(f"--lora {text}: a weight of {weight} cannot be; give one from -{LARGEST_WEIGHT:g} to {LARGEST_WEIGHT:g}")
    own = profile / "loras" / Path(file).name
    path = path_said(file)
    if not path.is_file():
        path = named(file, profile, "lora") or own
    if not path.is_file():
        raise InputError(f"there is no LoRA file {file!r}, and none of that name in {own.parent} or in the folders of settings.toml; give FILE or FILE:WEIGHT")
    return str(path), float(weight)


def with_choice(command: Callable[..., Any]) -> Callable[..., Any]:
    """`command(choice=..., ...)` as a command that takes the shared options beside its own; where one is called alike, its own."""
    hints = get_type_hints(Choice, include_extras=True)
    own = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in inspect.signature(command, eval_str=True).parameters.items()
        if name != "choice"
    ]
    taken = {parameter.name for parameter in own}
    shared = [
        inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=hints[f.name])
        for f in fields(Choice)
        if f.name not in taken
    ]

    @wraps(command)
    def spread(**given: Any) -> Any:
        choice = Choice(**{parameter.name: given.pop(parameter.name) for parameter in shared})
        return command(choice=choice.check(), **given)

    del spread.__wrapped__  # type: ignore[attr-defined]  # its signature is not ours
    spread.__signature__ = inspect.Signature(own + shared)  # type: ignore[attr-defined]
    spread.__annotations__ = {p.name: p.annotation for p in own + shared}
    return spread

"""Settings: what the user chose, kept in the profile's settings.toml.

A value comes from the environment (PIXELOS_SIZE, PIXELOS_KEYS__ASK, ...), else from the file, else from here.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from engine.desktop.asking import TEXT_SIZES
from engine.durable import replace_file
from engine.errors import InputError, ProfileError
from engine.events import MODS, is_key
from engine.geometry import LARGEST_SIZE, SIZE_STEP, SMALLEST_SIZE, parse_size
from engine.pace import Caps
from engine.paths import path_said

ENV_PREFIX = "PIXELOS_"
ENV_NESTED = "__"
Combination = tuple[frozenset[str], str]  # modifiers, key

_KEYS_ALLOWED = "f1 to f12, or ctrl, alt or meta and a key, such as ctrl+space; each only once"
_HEADER = "# Pixel OS. Take the # away from a line and change it; a line with # is as Pixel OS has it.\n"


def combination(text: str) -> Combination:
    """The modifiers and the key of a text such as ctrl+shift+f.

    Raises ValueError for a text that is none, and for one that typing would set off.
    """
    *mods, key = [part.strip() for part in re.split(r"\+(?!$)", text.strip().lower())]
    if not is_key(key) or not set(mods) <= set(MODS) or len(set(mods)) < len(mods):
        raise ValueError("not a key combination")
    if not re.fullmatch(r"f\d+", key) and not {"ctrl", "alt", "meta"} & set(mods):
        raise ValueError("typing would set it off")
    return frozenset(mods), key


def _setting(default: Any, meaning: str, allowed: str, **limits: Any) -> Any:
    """A field; `meaning` and `allowed` are its comment in the file, `allowed` is also what an error says."""
    return Field(default, description=meaning, json_schema_extra={"allowed": allowed}, **limits)


def _key(default: str, meaning: str) -> Any:
    return _setting(default, meaning, _KEYS_ALLOWED)


class Keys(BaseModel):
    """Which key combination does what."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ask: str = _key("ctrl+space", "the ask bar")
    region: str = _key("ctrl+shift+space", "a part of the screen to change")
    help: str = _key("f1", "the list of keys")
    checkpoints: str = _key("f2", "the checkpoint picker")
    hud: str = _key("f3", "the HUD: painter, mode, timings")
    more_like_this: str = _key("f7", "more of the current look")
    less_like_this: str = _key("f8", "less of the current look")
    give_back: str = _key("f9", "give the card's memory back, and take it again")
    fullscreen: str = _key("f11", "full screen, and back")
    quit: str = _key("ctrl+q", "end; everything is kept")

    @field_validator("*")
    @classmethod
    def _canonical(cls, text: str) -> str:
        mods, key = combination(text)
        return "+".join([mod for mod in MODS if mod in mods] + [key])

    @model_validator(mode="after")
    def _distinct(self) -> Keys:
        taken: dict[str, str] = {}
        for action, text in self:
            if text in taken:
                raise ValueError(f"{text} is both {taken[text]} and {action}; give one of them another key")
            taken[text] = action
        return self

    def bindings(self) -> dict[Combination, str]:
        """(modifiers, key) -> action."""
        return {combination(text): action for action, text in self}


class Settings(BaseSettings):
    """Everything that can be set. `Settings.load` reads it, `save` writes it."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter=ENV_NESTED,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
    )

    size: str = _setting(
        "512x384",
        "frame size in pixels",
        f"WIDTHxHEIGHT, multiples of {SIZE_STEP} from {SMALLEST_SIZE[0]}x{SMALLEST_SIZE[1]} "
        f"to {LARGEST_SIZE[0]}x{LARGEST_SIZE[1]}",
    )
    fullscreen: bool = _setting(False, "start in full screen", "true or false")
    checkpoint: str = _setting(
        "bundled", "what paints", "bundled, guide, a name, a folder or a .safetensors file", min_length=1
    )
    mode: Literal["guided", "dream"] = _setting("guided", "whether the guide is given", "guided or dream")
    style: str = _setting(
        "light", "the look of a new profile; later the last one comes back", "a style in words", min_length=1
    )
    text_size: int = _setting(
        13, "text size of a new profile, in pixels", f"one of {', '.join(map(str, TEXT_SIZES))}"
    )
    seed: int = _setting(0, "what the noise starts from", "a whole number from 0", ge=0, lt=2**63)
    device: str = _setting(
        "auto", "where the painter runs", "auto, cpu, cuda or cuda:N", pattern=r"^(auto|cpu|cuda(:\d+)?)$"
    )
    folders: tuple[str, ...] = _setting(
        (), "folders of other programs whose checkpoints are used where they lie",
        'a list of folders, such as ["/home/me/ComfyUI", "~/.cache/huggingface/hub"]',
    )
    vae: str = _setting(
        "auto", "the autoencoder of checkpoints that it is made for", "auto, own (each checkpoint's), a name of the list of models, or a file", min_length=1
    )
    frame_cap: int = _setting(60, "frames a second at most", "a whole number from 1 to 1000", ge=1, le=1000)
    paint_cap: float = _setting(0, "paints a second at most", "a number up to 1000; 0 for as many as come", ge=0, le=1000)
    power_cap: int = _setting(
        100, "share of the time in which the painter may compute, in percent", "a whole number from 1 to 100", ge=1, le=100
    )
    speculation: bool = _setting(True, "paint ahead what is likely to come next, as long as it pays", "true or false")
    spare: bool = _setting(True, "keep a painter's process in reserve where memory is ample, so that another checkpoint paints at once", "true or false")
    auto_yield: bool = _setting(True, "give the card's memory back when another program wants it", "true or false")
    vram_reserve: float = _setting(0.5, "GB of the card's memory that other programs may want at any time", "a number from 0 to 100", ge=0, le=100)
    away: Literal["bundled", "guide"] = _setting("bundled", "what paints meanwhile, on the CPU", "bundled or guide")
    keys: Keys = _setting(Keys(), "what the keys do", _KEYS_ALLOWED)

    @property
    def caps(self) -> Caps:
        """How much the painter may do."""
        return Caps(self.paint_cap, self.power_cap / 100)

    @field_validator("size")
    @classmethod
    def _paintable(cls, text: str) -> str:
        try:
            width, height = parse_size(text)
        except InputError as error:
            raise ValueError(str(error)) from error
        return f"{width}x{height}"

    @field_validator("text_size")
    @classmethod
    def _offered(cls, size: int) -> int:
        if size not in TEXT_SIZES:
            raise ValueError("not one of the text sizes")
        return size

    @field_validator("folders")
    @classmethod
    def _paths(cls, folders: tuple[str, ...]) -> tuple[str, ...]:
        try:
            for text in folders:
                path_said(text)
        except InputError as error:
            raise ValueError(str(error)) from error
        return folders

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment before what `load` read from the file."""
        return env_settings, init_settings

    @classmethod
    def load(cls, path: Path) -> Settings:
        """Read the file (none is the same as an empty one) and the environment.

        Raises InputError naming the file or variable, the key, its value, and what is allowed.
        """
        try:
            return cls(**TomlConfigSettingsSource(cls, path)())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path} is not TOML: {error}; mend it, or delete it to begin afresh") from error
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror}); make it readable") from error
        except SettingsError as error:
            raise InputError(f"the environment's {ENV_PREFIX} settings cannot be read: {error}") from error
        except ValidationError as error:
            raise InputError(_explain(error, path)) from error

    def save(self, path: Path) -> None:
        """Write every setting with its comment, atomically. Raises ProfileError."""
        text = _HEADER
        for name in Settings.model_fields:
            comment = f"\n# {_meaning(Settings, name)}: {_allowed(Settings, name)}\n"
            if name == "keys":
                text += comment + "[keys]\n"
                text += "".join(
                    _line(self.keys, key) + f"  # {_meaning(Keys, key)}\n" for key in Keys.model_fields
                )
            else:
                text += comment + _line(self, name) + "\n"
        try:
            replace_file(path, text.encode("utf-8", "replace"))
        except OSError as error:
            raise ProfileError(
                f"{path} cannot be written ({error.strerror}); free some space or make it writable"
            ) from error


def open_settings(path: Path) -> Settings:
    """`Settings.load`, after putting a file to edit where there is none."""
    if not path.exists():
        with contextlib.suppress(ProfileError):  # a full disk is no reason not to start
            Settings.model_construct().save(path)
    return Settings.load(path)


def checked(said: dict[str, Any]) -> dict[str, Any]:
    """Settings said on the command line, if they can be. Raises InputError, naming the option."""
    for name, value in said.items():
        try:
            Settings.__pydantic_validator__.validate_assignment(Settings.model_construct(), name, value)
        except ValidationError as error:
            raise InputError(f"--{name.replace('_', '-')} cannot be {value}; give {_allowed(Settings, name)}") from error
    return said


def _line(model: BaseModel, name: str) -> str:
    """A value's line. A default is commented out, so that a better one can come with an update."""
    value = getattr(model, name)
    mark = "#" if value == type(model).model_fields[name].default else ""
    # A JSON scalar is a TOML one, but for the one character that only TOML wants escaped.
    return f"{mark}{name} = {json.dumps(value, ensure_ascii=False)}".replace("\x7f", "\\u007f")


def _meaning(model: type[BaseModel], name: str) -> str:
    return model.model_fields[name].description or name


def _allowed(model: type[BaseModel], name: str) -> str:
    extra = model.model_fields[name].json_schema_extra
    return str(extra["allowed"]) if isinstance(extra, dict) else ""


def _explain(error: ValidationError, path: Path) -> str:
    """The first thing that is wrong: where it stands, the key, its value, what is allowed."""
    first = error.errors()[0]
    parts = [str(part) for part in first["loc"]]
    key = ".".join(parts)
    model: type[BaseModel] = Keys if len(parts) > 1 else Settings
    variables = {ENV_PREFIX + ENV_NESTED.join(parts[:n]).upper() for n in (1, 2)}
    found = variables & {name.upper() for name in os.environ}
    where = f"the environment variable {max(found)}" if found else str(path)
    if first["type"] == "extra_forbidden":
        return f"{where}: there is no setting {key!r}; there are {', '.join(model.model_fields)}"
    if first["type"] == "value_error" and key == "keys":
        return f"{where}: {first['ctx']['error']}"
    if first["type"] == "value_error" and key == "folders":
        return f"{where}: {key}: {first['ctx']['error']}"
    return f"{where}: {key} cannot be {first['input']!r}; it is {_allowed(model, parts[-1])}"

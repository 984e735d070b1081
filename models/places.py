"""Where checkpoints and what goes with them lie: in the profile, and in folders of other programs, which are only read.

Knows no torch. What another program's folder is like is seen from its subfolders; nothing in it is copied or written.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from engine.errors import CheckpointError
from engine.paths import path_said
from models.formats import PICKLES
from models.plain_files import read_bytes
from models.whole import INDEX, is_controlnet

FILES = (".safetensors", ".gguf")
MOST_FILES = 20_000  # looked at in one folder
PROFILE = {"checkpoint": ("checkpoints",), "lora": ("loras",), "embedding": ("embeddings",), "vae": ("vae",), "text encoder": ("text_encoders",),
           "controlnet": ("controlnets",)}  # fmt: skip
COMFY = {"checkpoint": ("checkpoints", "diffusion_models", "unet", "diffusers"), "lora": ("loras",), "embedding": ("embeddings",), "vae": ("vae", "vae_approx"),
         "text encoder": ("text_encoders", "clip"), "controlnet": ("controlnet",)}  # fmt: skip
FORGE = {"checkpoint": ("models/Stable-diffusion",), "lora": ("models/Lora",), "embedding": ("embeddings",), "vae": ("models/VAE", "models/VAE-approx"),
         "text encoder": ("models/text_encoder",), "controlnet": ("models/ControlNet", "extensions/sd-webui-controlnet/models")}  # fmt: skip
BESIDE = ".vae.safetensors"  # what A1111 calls the autoencoder of the checkpoint that lies beside it
HUB = "models--"
FOLDERS = {Path(name).name.casefold(): kind for kinds in (PROFILE, COMFY, FORGE) for kind, names in kinds.items() for name in names if not name.endswith("/models")}
CALLED = {
    "lora": re.compile("lora"),
    "embedding": re.compile("learned_embeds|textual[-_ ]inversion"),
    "vae": re.compile("(?<!no.)(?<!with.)(?<!baked.)(?<![a-z0-9])vae(?![a-z])|(?<![a-z0-9])tae(?:sd|f[0-9])|autoencoder|^ae$"),
    "text encoder": re.compile("text[-_ ]?encoder|^(?:clip_[lgh]|t5xxl|t5-v1_1)"),
    "controlnet": re.compile("control[-_ ]?net|control_collection|^control_"),
}  # what only files and repositories of a kind are called; a checkpoint may say of itself that it has a VAE, or none
SAID = {  # of what an option may name: in words, what else may be given, and what is taken as it stands
    "vae": ("autoencoder", "auto, own or a file", Path.is_file), "controlnet": ("ControlNet", "a folder or a file", Path.exists),
}  # fmt: skip
SHARD = re.compile("-[0-9]{5}-of-[0-9]{5}$")  # one of several files of a network is nothing alone


class Found(NamedTuple):
    """name: as options take it; kind: a key of PROFILE; place: "profile", or what other program's."""

    name: str
    path: Path
    kind: str
    place: str = "profile"

    @property
    def own(self) -> bool:
        """Whether it is the profile's."""
        return self.place == "profile"

    @property
    def foreign(self) -> bool:
        """Whether it is called as what is never opened: it stands in lists, with the reason."""
        return self.path.suffix.casefold() in PICKLES and not self.path.is_dir()


def found_in(profile: Path | None) -> list[Found]:
    """Everything, the profile's own first; a name stands once for each kind. Raises InputError for broken settings."""
    return told_apart([*own_in(profile), *used_by(profile)]) if profile is not None else []


def named(name: str, profile: Path, kind: str = "") -> Path | None:
    """Where it lies that lists call so, with its ending or without; of any kind where none is said. Raises InputError for broken settings."""
    alike = [found for found in found_in(profile) if kind in ("", found.kind) and name in (found.name, Path(found.name).stem)]
    best = min(alike, key=lambda found: (found.name != name, found.foreign), default=None)
    return best.path if best is not None else None


def place_said(said: str, profile: Path | None, kind: str, who: str) -> Path:
    """Where that lies which is given by name or path. kind: of SAID; who: gives it, for the message. Raises CheckpointError if there is none."""
    title, instead, there = SAID[kind]
    path = path_said(said, CheckpointError)
    if not there(path):
        path = (named(said, profile, kind) if profile is not None else None) or path
    if not there(path):
        known = ", ".join(found.name for found in found_in(profile) if found.kind == kind) or "none"
        raise CheckpointError(f"{who}: there is no {title} {said!r}; known are {known}; or give {instead}")
    return path


def own_in(profile: Path) -> list[Found]:
    """What the profile itself holds."""
    return told_apart([*_kinds(profile, PROFILE, "profile")])


def used_by(profile: Path) -> list[Found]:
    """What lies in the folders of other programs that the profile's settings name. Raises InputError for broken settings."""
    return [found for folder in folders_of(profile) for found in elsewhere(folder)]


def told_apart(every: list[Found]) -> list[Found]:
    """Each by a name of its own."""
    known: dict[tuple[str, str], Found] = {}
    for found in every:
        name = found.name if (found.kind, found.name) not in known else f"{found.path.parent.name}/{found.name}"
        known.setdefault((found.kind, name), found._replace(name=name))
    return list(known.values())


def folders_of(profile: Path) -> list[Path]:
    """The folders of other programs, as the profile's settings name them."""
    from engine.settings import Settings  # dear, and no need of it for a path

    return [path_said(text) for text in Settings.load(profile / "settings.toml").folders]


def watched_in(profile: Path) -> list[Path]:
    """The folders of the profile that something may be dropped into, as far as they are there."""
    return [profile / name for names in PROFILE.values() for name in names if (profile / name).is_dir()]


def elsewhere(folder: Path) -> list[Found]:
    """What a folder of another program holds; a folder that is not there holds nothing."""
    for home in (folder, folder.parent):
        if (home / "models" / "Stable-diffusion").is_dir() and folder in (home, home / "models"):
            return [*_kinds(home, FORGE, "A1111 or Forge")]
    for home in (folder / "models", folder):
        if (home / "checkpoints").is_dir():
            return [*_kinds(home, COMFY, "ComfyUI")]
    for home in (folder, folder / "hub"):
        if any(home.glob(f"{HUB}*")):
            return [*_hub(home)]
    files = _within(folder, "checkpoint", str(folder))
    return [found if found.path.is_dir() or found.kind == "vae" else found._replace(kind=_kind_by_folders(found.path.relative_to(folder.parent))) for found in files]


def _kind_by_folders(path: Path) -> str:
    """What the innermost folder of those holds that is called as one of a kind; checkpoints where none is."""
    return next((FOLDERS[name] for name in (part.casefold() for part in reversed(path.parent.parts)) if name in FOLDERS), "checkpoint")


def _kinds(home: Path, kinds: Mapping[str, tuple[str, ...]], place: str) -> Iterator[Found]:
    for kind, names in kinds.items():
        for name in names:
            yield from _within(home / name, kind, place)


def _within(folder: Path, kind: str, place: str) -> Iterator[Found]:
    """Files and diffusers folders, and what somebody may have taken for one."""
    for path in _walk(folder, (*FILES, *PICKLES), kind in ("checkpoint", "controlnet")):
        yield Found(path.name, path, "vae" if path.name.casefold().endswith(BESIDE) else kind_of_folder(path) or kind, place)


def kind_of_folder(path: Path) -> str:
    """What a diffusers folder is: checkpoint, controlnet, or "" for none, and for a file."""
    return "checkpoint" if (path / INDEX).is_file() else "controlnet" if is_controlnet(path) else ""


def _walk(folder: Path, endings: tuple[str, ...], indexed: bool) -> Iterator[Path]:
    """Files that end so and, where `indexed`, diffusers folders as one, however deep; links to folders are not followed, and what is hidden is left out."""
    seen = 0
    for home, folders, files in os.walk(folder):
        at = Path(home)
        if indexed and at != folder and kind_of_folder(at):
            folders.clear()
            yield at
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        seen += len(files)
        if seen > MOST_FILES:
            return
        for name in sorted(files):
            if name.casefold().endswith(endings) and not name.startswith("."):
                yield at / name


def _hub(home: Path) -> Iterator[Found]:
    """Snapshots of a hub cache, each by the name of its repository, and the files of those that are no checkpoint as a whole."""
    for repository in sorted(home.glob(f"{HUB}*")):
        snapshot = _snapshot(repository)
        if snapshot is None:
            continue
        name = repository.name.removeprefix(HUB).replace("--", "/")
        if kind := kind_of_folder(snapshot):
            yield Found(name, snapshot, kind, "hub cache")
            continue
        for path in _walk(snapshot, FILES, indexed=True):
            inside = path.relative_to(snapshot)
            if path.is_dir() or not SHARD.search(path.stem):
                yield Found(f"{name}/{inside.as_posix()}", path, kind_of_folder(path) or _kind_called(inside, name), "hub cache")


def _kind_called(inside: Path, repository: str) -> str:
    """What a file of a repository is, by the folders that it lies in, else by its own name, else by the repository's. inside: where it lies there."""
    for name in (*reversed(inside.parent.parts), inside.stem, repository.rpartition("/")[2], repository):
        said = name.casefold()
        kind = FOLDERS.get(said) or next((kind for kind, words in CALLED.items() if words.search(said)), None)
        if kind is not None:
            return kind
    return "checkpoint"


def repository_of(path: Path) -> str:
    """The name, without its owner's, of the repository that a file of a hub cache comes from; "" for any other."""
    told = [home for home, below in zip(path.parts, path.parts[1:], strict=False) if home.startswith(HUB) and below == "snapshots"]
    return told[-1].rpartition("--")[2] if told else ""


def _snapshot(repository: Path) -> Path | None:
    """The one that the main branch points to, else the newest."""
    snapshots = [path for path in (repository / "snapshots").glob("*") if path.is_dir()]
    main = repository / "refs" / "main"
    if main.is_file() and main.stat().st_size < 200:
        told = repository / "snapshots" / read_bytes(main, 200).decode("utf-8", "replace").strip()
        snapshots = [path for path in snapshots if path == told] or snapshots
    return max(snapshots, key=lambda path: path.stat().st_mtime, default=None)

"""`pixelos models`: checkpoints and what goes with them, listed, checked, put into the profile and taken out."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import CheckpointError, InputError, ProfileError
from engine.paths import path_said
from ui.options import Choice
from ui.progress import progress

if TYPE_CHECKING:
    from models.check import Verdict

KEPT = ("bundled", "guide")  # names that are not the profile's to give or take
FOLDERS = {"checkpoint": "checkpoints", "lora": "loras", "embedding": "embeddings", "vae": "vae", "text encoder": "text_encoders",
           "controlnet": "controlnets"}  # fmt: skip
USES = {"checkpoint": "use it with --checkpoint {}", "lora": "use it with --lora {}", "embedding": "say {} in a style to use it",
        "vae": "use it with --vae {}, or vae = in settings.toml", "text encoder": "files that lack one take it: {}",
        "controlnet": "use it with --controlnet {}"}  # fmt: skip
PLANNED = ("size", "device", "dtype", "vram_budget")  # what a plan for the memory goes by
ITS_OWN = dict.fromkeys(("vae", "controlnet"), "; models check NAME reckons with it")
BLOCK = 8 * 2**20  # bytes copied at a time


def show_all(choice: Choice) -> None:
    """One line each: what it is, how large, where it lies."""
    choice.only(PLANNED, "models list", ITS_OWN)
    from models.apart import apart
    from models.check import listing

    for verdict in apart(listing, str(choice.folder()), choice.spec()):
        print(_line(verdict))


def _line(verdict: Verdict) -> str:
    where = "" if verdict.name in KEPT or verdict.place == "profile" else f"  {verdict.place}: {verdict.path}"
    if not verdict.loadable:
        return f"{verdict.name:<24} cannot be loaded: {verdict.why}"
    if verdict.family == "guide":
        return f"{verdict.name:<24} {verdict.family:<12} no model: shows the desktop's plain drawing"
    size = f"{verdict.parameters / 1e6:8.1f} M parameters  {verdict.file_mb:8.1f} MB"
    memory = f"  about {verdict.memory_mb:.0f} MB when painting" if verdict.memory_mb else f"  {verdict.kind}"
    if verdict.plan:
        how, _, needs = verdict.plan.partition(":")
        memory = f"  at most {verdict.needs_mb:.0f} MB when painting ({how}{''.join(needs.partition(', ')[1:])})"
    digest = f"  {verdict.sha256[:12]}" if verdict.sha256 else ""
    return f"{verdict.name:<24} {verdict.family:<12} {size}{memory}{digest}{where}"


def check(choice: Choice, path: str) -> None:
    """Say what was found of a checkpoint, or of a LoRA (--checkpoint: the one that it is to fit), row by row.

    Raises CheckpointError where it cannot be loaded.
    """
    choice.only((*PLANNED, *ITS_OWN, "checkpoint"), "models check")
    from models.apart import apart
    from models.check import check as look_over

    if path == "guide":
        print("the painter without a model: nothing to load")
        return
    verdict = apart(look_over, path, str(choice.folder()), True, choice.checkpoint, choice.spec())
    for row in verdict.rows:
        print(f"{row.name:<10} {row.state:<11} {row.found}".rstrip())
    for note in (*verdict.notes, *(_idle(choice, verdict) if verdict.loadable else ())):
        print(f"{'note':<10} {note}")
    if not verdict.loadable:
        raise CheckpointError(verdict.why)
    for name, value in (
        ("path", verdict.path), ("kind", verdict.kind), ("family", verdict.family), ("parameters", f"{verdict.parameters:,}"),
        ("file", f"{verdict.file_mb} MB"), ("memory", f"about {verdict.memory_mb:.0f} MB" if verdict.memory_mb else ""), ("plan", verdict.plan), ("sha256", verdict.sha256),
    ):  # fmt: skip
        if value:
            print(f"{name:<10} {value}")
    print("loadable")


def _idle(choice: Choice, verdict: Verdict) -> list[str]:
    """Of options that were said: those that change nothing for what was looked at."""
    idle = ("checkpoint",) if verdict.kind == "checkpoint" else (*PLANNED, *ITS_OWN)
    return [f"--{name.replace('_', '-')} changes nothing for a {verdict.kind}" for name in idle if getattr(choice, name) is not None]


def add(choice: Choice, said: str | Path, move: bool = False) -> None:
    """Put a sound checkpoint, or what goes with one, into the profile, under its own name: copied, or moved, as what lies in another
    folder of the profile always is."""
    choice.only((), "models add")
    from models.apart import apart
    from models.check import check as look_over

    path = path_said(said).absolute()
    if path.name in KEPT or path.name.startswith("."):
        raise InputError(f"a checkpoint in the profile cannot be called {path.name!r}; rename it first")
    taken = [choice.folder() / folder / path.name for folder in FOLDERS.values() if os.path.lexists(choice.folder() / folder / path.name)]
    if taken not in ([], [path]):
        raise InputError(f"there is {taken[0]} already; remove it first (pixelos models remove {path.name}), or rename what is added")
    verdict = apart(look_over, str(path), str(choice.folder()))
    if not verdict.loadable:
        raise CheckpointError(verdict.why)
    home = choice.folder() / FOLDERS[verdict.kind]
    if path == home / path.name:
        raise InputError(f"{path} is there already, and where it belongs")
    try:
        home.mkdir(parents=True, exist_ok=True)
        _take(path, home / path.name, move or path in taken, verdict.file_sha256 or verdict.sha256 if path.is_file() else "")
    except OSError as error:
        raise ProfileError(f"{home} cannot be written: {error.strerror or error}; make room or give --profile") from error
    name = home / path.name if verdict.kind == "lora" else path.stem if verdict.kind == "embedding" else path.name
    print(f"added; {USES[verdict.kind].format(name)}")


def _take(source: Path, target: Path, move: bool, sha256: str) -> None:
    """Copy a file or folder beside its place and put it there whole, or move it. sha256: of the file that was checked.

    Raises OSError, or CheckpointError where the file is another by now; nothing is left then.
    """
    if move and source.stat().st_dev == target.parent.stat().st_dev and not _linked(source):
        source.rename(target)
        return
    with tempfile.TemporaryDirectory(prefix=".adding-", dir=target.parent) as workshop:
        copy = Path(workshop) / target.name
        files = [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file() and ".git" not in path.parts)
        total, done = sum(path.stat().st_size for path in files) >> 20, 0
        with progress("copying, MB") as show:
            for path in files:
                place = copy / path.relative_to(source) if source.is_dir() else copy
                place.parent.mkdir(parents=True, exist_ok=True)
                found = _copy(path, place, lambda size, before=done: show(before + size >> 20, total))  # type: ignore[misc]
                done += path.stat().st_size
                if sha256 and found != sha256:
                    raise CheckpointError(f"{path} changed while it was copied; add it again once it is whole")
        copy.rename(target)
    if move:
        shutil.rmtree(source) if source.is_dir() else source.unlink()


def _linked(source: Path) -> bool:
    return source.is_symlink() or any(path.is_symlink() for path in source.rglob("*"))


def _copy(source: Path, target: Path, show: Callable[[int], None]) -> str:
    """Content alone, and until the disk has it; its SHA-256."""
    digest = hashlib.sha256()
    with open(source, "rb") as given, open(target, "xb") as taken:
        while block := given.read(BLOCK):
            taken.write(block)
            digest.update(block)
            show(taken.tell())
        taken.flush()
        os.fsync(taken.fileno())
    return digest.hexdigest()


def remove(choice: Choice, name: str, yes: bool = False) -> None:
    """Delete something from the profile; on a terminal only once the user has said so."""
    choice.only((), "models remove")
    from models.places import Found, found_in

    if name in KEPT:
        raise InputError(f"{name!r} is part of Pixel OS and stays")
    every = found_in(choice.folder())
    mine = [found for found in every if found.own and name in (found.name, str(found.path))]
    mine += [Found(name, place, kind) for kind, folder in FOLDERS.items() if (place := _within(choice.folder() / folder, name)) and not mine]
    if not mine:
        for found in every:
            if not found.own and name in (found.name, str(found.path)):
                raise InputError(f"{name!r} lies in {found.path} ({found.place}) and is only used from there; remove it there")
        there = ", ".join(found.name for found in every if found.own) or "nothing"
        raise InputError(f"there is no checkpoint {name!r} in {choice.folder()}; there is: {there}")
    if len(mine) > 1:
        raise InputError(f"there are several called {name!r}: {', '.join(str(found.path) for found in mine)}; give the path of one")
    path = mine[0].path
    if not yes and sys.stdin.isatty() and input(f"Delete {path} for good? [y/N] ").strip().casefold() not in ("y", "yes"):
        print(f"kept {path}")
        return
    try:
        doomed = Path(tempfile.mkdtemp(prefix=".removing-", dir=path.parent))
        path.rename(doomed / path.name)  # gone at once, whatever happens to the rest
        shutil.rmtree(doomed)
    except OSError as error:
        raise ProfileError(f"{path} cannot be removed: {error.strerror or error}") from error
    print(f"removed {path}")


def _within(home: Path, name: str) -> Path | None:
    """What lies directly in a folder of the profile under that name, however broken."""
    path = home / name
    sound = name not in ("", ".", "..") and Path(name).name == name and not name.startswith(".")
    return path if sound and path.exists() and not path.is_symlink() else None

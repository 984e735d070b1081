"""`pixelos models`: checkpoints listed, checked, put into the profile and taken out."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from engine.errors import CheckpointError, InputError, ProfileError
from ui.options import Choice

KEPT = ("bundled", "guide")  # names that are not the profile's to give or take


def show_all(choice: Choice) -> None:
    """One line a checkpoint."""
    from models.apart import apart
    from models.check import Verdict, listing

    def line(verdict: Verdict) -> str:
        if not verdict.loadable:
            return f"{verdict.name:<16} cannot be loaded: {verdict.why}"
        if not verdict.parameters:
            return f"{verdict.name:<16} {verdict.family:<10} no model: shows the desktop's plain drawing"
        return (
            f"{verdict.name:<16} {verdict.family:<10} {verdict.parameters / 1e6:6.1f} M parameters  "
            f"{verdict.file_mb:6.1f} MB  about {verdict.memory_mb:.0f} MB when painting  {verdict.sha256[:12]}"
        )

    for verdict in apart(listing, str(choice.folder())):
        print(line(verdict))


def check(choice: Choice, path: str) -> None:
    """Say what was found of a checkpoint, or of a LoRA (--checkpoint: the one that it is to fit), row by row.

    Raises CheckpointError where it cannot be loaded.
    """
    from models.apart import apart
    from models.check import check as look_over

    if path == "guide":
        print("the painter without a model: nothing to load")
        return
    verdict = apart(look_over, path, str(choice.folder()), True, choice.checkpoint)
    for row in verdict.rows:
        print(f"{row.name:<10} {row.state:<11} {row.found}".rstrip())
    for note in verdict.notes:
        print(f"{'note':<10} {note}")
    if not verdict.loadable:
        raise CheckpointError(verdict.why)
    for name, value in (
        ("path", verdict.path), ("family", verdict.family), ("parameters", f"{verdict.parameters:,}"),
        ("file", f"{verdict.file_mb} MB"), ("memory", f"about {verdict.memory_mb:.0f} MB"), ("sha256", verdict.sha256),
    ):  # fmt: skip
        print(f"{name:<10} {value}")
    print("loadable")


def add(choice: Choice, path: Path) -> None:
    """Copy a sound checkpoint into the profile, under its folder's name."""
    from models.apart import apart
    from models.check import check as look_over

    name = path.expanduser().absolute().name
    home = choice.folder() / "checkpoints"
    if name in KEPT or name.startswith("."):
        raise InputError(f"a checkpoint in the profile cannot be called {name!r}; rename the folder first")
    if (home / name).exists():
        raise InputError(f"there is a checkpoint {name!r} in {home} already; remove it first, or rename the folder")
    verdict = apart(look_over, str(path.expanduser().absolute()))
    if not verdict.loadable:
        raise CheckpointError(verdict.why)
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".adding-", dir=home) as workshop:
            shutil.copytree(verdict.path, Path(workshop) / name)
            (Path(workshop) / name).rename(home / name)
    except OSError as error:
        raise ProfileError(f"{home} cannot be written: {error.strerror or error}; make room or give --profile") from error
    print(f"added; use it with --checkpoint {name}")


def remove(choice: Choice, name: str) -> None:
    """Delete a checkpoint from the profile."""
    home = choice.folder() / "checkpoints"
    if name in KEPT:
        raise InputError(f"{name!r} is part of Pixel OS and stays")
    folder = home / name
    if name in ("", ".", "..") or Path(name).name != name or not folder.is_dir() or folder.is_symlink():
        there = sorted(p.name for p in home.iterdir() if p.is_dir()) if home.is_dir() else []
        raise InputError(f"there is no checkpoint {name!r} in {home}; there are: {', '.join(there) or 'none'}")
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise ProfileError(f"{folder} cannot be removed: {error.strerror or error}") from error
    print(f"removed {folder}")

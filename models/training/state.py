"""What a run leaves on disk to be taken up from, so that a kill at any moment loses nothing that was saved.

    OUT/config.json            what was asked for
    OUT/state/000400.pt        weights, averaged weights, optimiser, updates done, seconds spent; the newest two
    OUT/checkpoint/            the averaged weights, to be opened at once
    OUT/lock                   held by the kernel while a run goes on here
    OUT/metrics.jsonl, metrics.png, sheet_000500.png

A state is one file that appears whole or not at all. The checkpoint is a folder: the new one is written beside the old
one and takes its place; if that is cut short, `settle` puts one of the two back.
"""

from __future__ import annotations

import io
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from engine.durable import clear_temporaries, replace_file, sync_folder
from engine.errors import InputError, PixelOSError
from engine.profile import lock_file
from models.training.config import CHECKPOINT, RECIPE

STATE, LOCK = "state", "lock"
KEPT = 2  # states: the newest, and one in case its file is damaged
VERSION = 2
_EARLIER = f"{STATE}/optimizer.bin"  # what the first version of the training left
_OTHERS = (_EARLIER, CHECKPOINT, "metrics.jsonl", RECIPE)


def save_state(out: Path, done: int, state: dict[str, Any]) -> None:
    """Keep `state` as that of update `done`. Raises OSError; the states before stand then."""
    folder = out / STATE
    folder.mkdir(exist_ok=True)
    data = io.BytesIO()
    torch.save({"version": VERSION, **state}, data)
    replace_file(folder / f"{done:06d}.pt", data.getvalue())
    for old in _states(out)[KEPT:]:
        old.unlink(missing_ok=True)


def load_state(out: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """The newest state that can be read. Raises InputError where there is none."""
    folder = out / STATE
    if (out / _EARLIER).exists() and not _states(out):
        raise InputError(
            f"{folder} was left by an earlier version and cannot be gone on with; begin a new run from its weights: "
            f"--init {out / CHECKPOINT} --out another folder"
        )
    if not _states(out):
        raise InputError(f"nothing to resume in {out}: there is no state in {folder}; leave --resume out")
    for path in _states(out):
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
            say(f"{path} cannot be read ({str(error).splitlines()[0] if str(error) else type(error).__name__})")
            continue
        if state.get("version") == VERSION:
            return state
        say(f"{path} is of another version of Pixel OS")
    raise InputError(f"no state in {folder} can be read; begin a new run: --init {out / CHECKPOINT} --out another folder")


def has_state(out: Path) -> bool:
    """Whether a run left anything there to go on from."""
    return bool(_states(out))


def replace_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a new folder that takes the place of `folder`. Raises what `write` raises, and OSError; the old
    folder stands then."""
    new, old = _beside(folder)
    settle(folder)
    try:
        write(new)
        for path in [*new.rglob("*"), new]:
            _sync(path)
        if folder.exists():
            os.replace(folder, old)
        os.replace(new, folder)
    except BaseException:
        settle(folder)
        raise
    sync_folder(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def settle(folder: Path) -> None:
    """Bring `folder` back in order if replacing it was cut short."""
    new, old = _beside(folder)
    if old.exists() and not folder.exists():
        os.replace(old, folder)
    shutil.rmtree(old, ignore_errors=True)
    shutil.rmtree(new, ignore_errors=True)


@contextmanager
def claimed(out: Path, resume: bool) -> Iterator[None]:
    """The output folder, made where it is missing, and this process's alone inside the block.

    Raises InputError if it cannot be written, is in use, or holds another run and `resume` is not set.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file; give a folder")
    holds = has_state(out) or any((out / name).exists() for name in _OTHERS)
    if holds and not resume:
        raise InputError(f"{out} holds an earlier training; go on with --resume, or give another --out")
    if resume and not holds:
        raise InputError(f"nothing to resume in {out}: there is no state in {out / STATE}; leave --resume out")
    made = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = open(out / LOCK, "a+b")  # noqa: SIM115 - held to the end of the block
    except OSError as error:
        raise InputError(f"--out {out} cannot be written ({error.strerror}); give another folder") from error
    with lock:
        try:
            lock_file(lock)
        except OSError as error:
            raise InputError(
                f"{out} cannot be locked ({error.strerror}): another training is going on there; wait for it, or give "
                "another --out"
            ) from error
        clear_temporaries(out)
        clear_temporaries(out / STATE)
        settle(out / CHECKPOINT)
        try:
            yield
        finally:
            if made and [path.name for path in out.iterdir()] == [LOCK]:  # nothing came of it
                shutil.rmtree(out, ignore_errors=True)


@contextmanager
def told(out: Path) -> Iterator[None]:
    """What the disk refuses, as one message. Raises PixelOSError."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        newest = f"update {int(states[0].stem)} is safe" if (states := _states(out)) else "nothing was saved before"
        raise PixelOSError(f"{out} cannot be written: {why}; {newest}; make room, then go on with --resume") from error


def _states(out: Path) -> list[Path]:
    """The states there are, the newest first."""
    return sorted((p for p in (out / STATE).glob("*.pt") if p.stem.isdigit()), key=lambda p: int(p.stem), reverse=True)


def _beside(folder: Path) -> tuple[Path, Path]:
    return folder.with_name(f".{folder.name}-new"), folder.with_name(f".{folder.name}-old")


def _sync(path: Path) -> None:
    """Wait until the disk has a file, or a folder's entries."""
    if path.is_dir():
        sync_folder(path)
        return
    with open(path, "r+b") as file:
        os.fsync(file.fileno())

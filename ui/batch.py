"""Several replays or measurements in one go, each a command of its own, spread over the GPUs there are."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from engine.errors import InputError, PixelOSError
from engine.spread import VISIBLE, Done, Job, places, spread
from ui.measuring import say
from ui.options import Choice


def batch(command: str, each: Mapping[str, Sequence[str]], choice: Choice, over: Sequence[str | None] | None = None) -> None:
    """Run `pixelos COMMAND` once for each name, with its own arguments and the choice's. over: the places; None: all there are.

    Raises PixelOSError where one of them failed, once all are done.
    """
    where = over if over is not None else available(choice)
    own = said(choice)
    jobs = [Job(name, (sys.executable, "-m", "ui.cli", command, *arguments, *own)) for name, arguments in each.items()]
    say(f"{len(jobs)} to do, {len(where)} at a time")

    def tell(done: Done) -> None:
        on = "" if done.place is None else f" on GPU {done.place}"
        say(f"{done.job.name}: {'done' if done.code == 0 else f'failed with {done.code}'}{on}")

    failed = [done for done in spread(jobs, where, tell) if done.code]
    if failed:
        kind = InputError if all(done.code == 2 for done in failed) else PixelOSError
        raise kind("; ".join(f"{done.job.name}: {done.said.removeprefix('pixelos: ') or f'ended with {done.code}'}" for done in failed))


def available(choice: Choice) -> list[str | None]:
    """Where jobs may run: on every GPU, or as `--device` says; the CPU is one place, whatever it has of cores."""
    from benchmarks.machine import gpus

    if choice.device not in (None, "auto", "cuda"):
        return [None]
    return places(len(gpus()), os.environ.get(VISIBLE))


def said(choice: Choice) -> list[str]:
    """The choice as arguments again."""
    arguments = []
    for field in fields(choice):
        value = getattr(choice, field.name)
        for one in value if isinstance(value, list) else [] if value is None else [value]:
            arguments += [f"--{field.name.replace('_', '-')}", str(one)]
    return arguments


def folders(out: Path, names: Iterable[str]) -> dict[str, Path]:
    """A place in the folder for each name. Raises InputError where two would be the same, or the folder cannot be one."""
    found: dict[str, Path] = {}
    for name in names:
        if name in found:
            raise InputError(f"{name} is given twice, and both would go to {out / name}; rename one, or leave it out")
        found[name] = out / name
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file; several results go into a folder")
    return found

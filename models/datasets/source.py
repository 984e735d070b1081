"""`--data SOURCE`: names of sources, with weights, to one callable that training asks for shots."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import InputError
from engine.paths import path_said
from models.datasets import layout
from models.datasets.reader import DatasetSource
from models.datasets.recording import LOG
from models.datasets.recording_source import RecordingSource
from models.datasets.trace_source import TraceSource
from models.synthetic.shots import Make

SYNTHETIC = "synthetic"
DRAWN = (SYNTHETIC, "screens", "desktops", "moments")  # as they are needed, by functions of models.training.pool


def open_source(text: str) -> Make:
    """SOURCE to what draws shots: `synthetic` (or only its `screens`, only its `moments`), `desktops`, a folder or a trace; several
    joined by commas, each with `:WEIGHT`.

    A weight says how often its source is asked, relative to the others; without one it is 1. Every source gives about
    as many shots a time. Raises InputError naming the part that cannot be meant.
    """
    return joined(text, _open)


def joined(text: str, opened: Callable[[str, Path], Any]) -> Any:
    """The sources that `text` names, each as `opened` opens it by its name and where that may lie, as one."""
    parts = [_weighted(part) for part in _parts(text)]
    if not parts:
        raise InputError("--data is empty; say synthetic, a dataset, a recording or a trace")
    makes = tuple(opened(name, path_said(name)) for name, _ in parts)
    if len(makes) == 1:
        return makes[0]
    whole = sum(weight for _, weight in parts)
    return Mixture(makes, tuple(weight / whole for _, weight in parts))


def has_recordings(text: str) -> bool:
    """Whether SOURCE, or a part of it, is a recording of a program that no desktop here draws."""
    return any((path_said(name) / LOG).is_file() for name, _ in map(_weighted, _parts(text)) if name not in DRAWN)


@dataclass(frozen=True)
class Mixture:
    """Several sources as one, each asked in its share of the times. Travels to a worker process if they do."""

    makes: tuple[Callable[..., list[Any]], ...]
    shares: tuple[float, ...]

    def __call__(self, rng: np.random.Generator, **given: Any) -> list[Any]:
        return self.makes[int(rng.choice(len(self.makes), p=self.shares))](rng, **given)


def _parts(text: str) -> list[str]:
    """The sources that commas separate; a path that exists is one source, whatever is in its name."""
    if text.strip() and os.path.exists(text):
        return [text]
    return [part.strip() for part in text.split(",") if part.strip()]


def _weighted(part: str) -> tuple[str, float]:
    """`NAME[:WEIGHT]` to (name, weight)."""
    name, colon, weight = part.rpartition(":")
    if not colon or not re.fullmatch(r"\d+\.?\d*|\.\d+", weight) or os.path.exists(part):
        return part, 1.0
    if not name:
        raise InputError(f"--data {part!r} is a weight without a source; write for example {SYNTHETIC}:{weight}")
    if float(weight) == 0:
        raise InputError(f"--data {part!r}: a weight of 0 is never asked; give more, or leave {name} out")
    return name, float(weight)


def _open(name: str, path: Path) -> Make:
    if name in DRAWN:
        from models.training import pool  # needs torch, which reading data does not

        make: Make = getattr(pool, name)
        return make
    if path.is_file():
        return TraceSource(path)
    if (path / layout.HEADER).is_file() or (path / layout.PLAN).is_file():
        return DatasetSource(path)
    if (path / LOG).is_file():
        return RecordingSource(path)
    if path.is_dir():
        raise InputError(
            f"--data {name}: the folder has neither a dataset's {layout.HEADER} nor a recording's {LOG}; "
            "docs/data.md says what they look like"
        )
    raise InputError(f"--data {name!r}: there is no such file or folder; say {SYNTHETIC}, a dataset, a recording or a trace")

"""Writes the synthetic source to disk as a dataset that other tools can open: PNG pictures and JSON Lines.

An episode appears whole or not at all, and `dataset.json` last, so a folder that has it is whole. Interrupted, the
same call goes on where it stopped and gives the same dataset.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from engine.durable import replace_file
from engine.errors import InputError, PixelOSError
from engine.geometry import check_size
from engine.theme import Role
from models.datasets.annotation import CONTENT, Annotation
from models.datasets.episodes import EPISODE, episode, ground
from models.datasets.layout import (
    GROUND,
    HEADER,
    LICENCE,
    PLAN,
    PLANES,
    SAMPLES,
    VERSION,
    episode_folder,
    plane_file,
    read_json,
)  # fmt: skip

Say = Callable[[str], None]


def write_dataset(out: Path, seed: int, count: int, size: tuple[int, int] = (512, 384), say: Say | None = None) -> dict[str, Any]:
    """`count` annotated frames of `size` into the folder `out`; returns the header.

    Raises InputError where `out` holds something else or cannot be written, SizeError for a size off the grid.
    """
    if count < 2:
        raise InputError(f"--count {count} cannot be; a dataset has at least 2 frames")
    plan = {"pixelos_dataset": VERSION, "size": list(check_size(size)), "seed": seed, "samples": count}
    try:
        _begin(out, plan)
        episodes = done = 0
        while done < count:
            done += _episode(out, seed, episodes, size, min(EPISODE, count - done))
            episodes += 1
            if say:
                say(f"{done}/{count} frames")
        header = {**plan, "episodes": episodes, "licence": LICENCE, "roles": [r.name.lower() for r in Role], "content": CONTENT}
        replace_file(out / HEADER, _json(header))
        (out / PLAN).unlink(missing_ok=True)
    except OSError as error:
        raise PixelOSError(f"{out} cannot be written: {error.strerror}; make room, then run the same command again") from error
    return header


def _begin(out: Path, plan: dict[str, Any]) -> None:
    """Make the folder, or find that an earlier call with the same settings made it."""
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file; give a folder")
    if (out / HEADER).exists():
        raise InputError(f"{out} holds a whole dataset already; give another --out")
    if (out / PLAN).exists():
        begun = read_json(out / PLAN, "the plan")
        if begun != plan:
            wanted = {key: begun.get(key) for key in ("size", "seed", "samples")}
            raise InputError(f"{out} was begun with other settings, {wanted}; use those, or give another --out")
        return
    if out.is_dir() and any(out.iterdir()):
        raise InputError(f"--out {out} is not empty; give a new folder")
    (out / "episodes").mkdir(parents=True, exist_ok=True)
    replace_file(out / PLAN, _json(plan))


def _episode(out: Path, seed: int, number: int, size: tuple[int, int], most: int) -> int:
    """Write one episode, if it is not there; how many frames it has."""
    folder = episode_folder(out, number)
    if folder.is_dir():
        return sum(1 for _ in open(folder / SAMPLES, "rb"))
    workshop = folder.with_name(folder.name + ".tmp")
    shutil.rmtree(workshop, ignore_errors=True)
    workshop.mkdir(parents=True)
    samples = _write_samples(workshop, episode(seed, number, size, most))
    os.replace(workshop, folder)
    return samples


def _write_samples(folder: Path, annotations: Iterable[Annotation]) -> int:
    lines: list[str] = []
    for number, annotation in enumerate(annotations):
        if not number:
            _save(folder / GROUND, ground(annotation))
        files = {plane: plane_file(plane, number) for plane in PLANES}
        for plane, name in files.items():
            _save(folder / name, getattr(annotation, plane))
        before = plane_file("frame", number - 1) if number else None
        record = {"sample": number, **files, "before": before, "ground": GROUND, **annotation.record}
        lines.append(json.dumps(record, ensure_ascii=False) + "\n")
    replace_file(folder / SAMPLES, "".join(lines).encode())
    return len(lines)


def _save(path: Path, plane: np.ndarray) -> None:
    Image.fromarray(plane).save(path, compress_level=4)


def _json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode()

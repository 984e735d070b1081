"""How a dataset lies on the disk, for its writer and its reader alike; docs/data.md is the same in prose."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.errors import InputError

VERSION = 10
HEADER = "dataset.json"  # written last: a folder without it is not whole
PLAN = "plan.json"  # written first: what an interrupted writing goes on with
SAMPLES = "samples.jsonl"
GROUND = "ground.png"
PLANES = ("frame", "guide", "ink", "verbatim", "shaped", "forms", "semantic")
LICENCE = "Apache-2.0; sentences from Python's own documentation: PSF-2.0"


def episode_folder(out: Path, number: int) -> Path:
    return out / "episodes" / f"{number:06d}"


def plane_file(plane: str, number: int) -> str:
    return f"{plane}_{number:02d}.png"


def read_json(path: Path, what: str) -> dict[str, Any]:
    """The JSON object in a file. Raises InputError saying that `what` cannot be read."""
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{what} {path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{what} {path} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise InputError(f"{what} {path} must hold one JSON object")
    return value


def read_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The JSON objects of a JSON Lines file, each with its 1-based line. Raises InputError naming the line."""
    try:
        lines = path.read_text("utf-8-sig").split("\n")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"line {number} of {path} is broken JSON: {error}") from error
        if not isinstance(record, dict):
            raise InputError(f"line {number} of {path} must be a JSON object, not {line.strip()[:40]!r}")
        yield number, record


def is_size(value: object) -> bool:
    """Whether a JSON value is [width, height] in whole pixels."""
    return isinstance(value, list) and len(value) == 2 and all(type(v) is int and v > 0 for v in value)

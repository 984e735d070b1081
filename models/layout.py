"""Layouts: what a diffusers folder would say of a family's parts, for checkpoints that come as one file and say nothing.

Settings are facts, in `layouts/`; one may be `like` another and say what is otherwise, null for what is left out there.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from models.plain_files import LARGEST_JSON, read_json, read_lines

MOST_MERGES = 2**18  # lines; Qwen's are 151,000
LAYOUTS = Path(__file__).parent / "layouts"
Layout = dict[str, dict[str, Any]]


def layout(name: str) -> Layout:
    """The settings by part, and the index under "model_index"."""
    told: dict[str, Any] = json.loads((LAYOUTS / f"{name}.json").read_text())
    found = layout(told.pop("like")) if "like" in told else {}
    for part, settings in told.items():
        merged = {**found.get(part, {}), **settings}
        found[part] = {key: value for key, value in merged.items() if value is not None}
    return found


def packed(path: Path) -> bytes | None:
    """A file of a folder of ours, which holds it packed; None of anybody else's: what is packed there could be of any size."""
    held = path.with_name(f"{path.name}.gz")
    return gzip.decompress(held.read_bytes()) if held.parent.parent == LAYOUTS and held.is_file() else None


def clip_tables(folder: Path) -> tuple[dict[str, Any], list[str]]:
    """A CLIP tokenizer's words by number, and its merges, a line each. Raises CheckpointError.

    A folder of ours holds the merges alone: words are the bytes, the bytes that end a word, what merging makes of them,
    and two marks, in this order (OpenAI's CLIP, `simple_tokenizer.py`).
    """
    if (merges := packed(folder / "merges.txt")) is not None:
        return merged(merges, ("", "</w>"), ("<|startoftext|>", "<|endoftext|>"))
    return read_json(folder / "vocab.json"), merge_lines(folder)


def merge_lines(folder: Path) -> list[str]:
    """The merges of a tokenizer's folder that is not ours, a line each. Raises CheckpointError."""
    return [line for line in read_lines(folder / "merges.txt", LARGEST_JSON, MOST_MERGES) if line.strip() and not line.startswith("#version")]


@cache
def merged(told: bytes, endings: tuple[str, ...] = ("",), marks: tuple[str, ...] = ()) -> tuple[dict[str, Any], list[str]]:
    """Words by number, not to be changed, and the merges, a line each, of a table of ours: the bytes (as GPT-2 writes them) with each
    ending, what merging makes of them, and marks."""
    merges = told.decode().split("\n")
    letters = [*map(chr, (*range(33, 127), *range(161, 173), *range(174, 256))), *map(chr, range(256, 324))]
    words = [*(letter + ending for ending in endings for letter in letters), *("".join(merge.split(" ")) for merge in merges if merge)]
    return {word: number for number, word in enumerate([*words, *marks])}, merges


def tables_of(told: Mapping[str, Any]) -> Path | None:
    """The folder with a tokenizer's tables, for the settings of a layout's: of ours, or, by its whole path, one that the user has."""
    return LAYOUTS / told["tables"] if "tables" in told else None

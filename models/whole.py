"""Whether a file that is being copied is there to its end, and what it is: by its header and its size alone. Knows no torch."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from engine.errors import CheckpointError
from models.families import SPARE
from models.formats import GGUF, LARGEST_HEADER, foreign_kind, refusal
from models.plain_files import LARGEST_FILE, opened, parsed, read_exactly, read_json

INDEX, CONFIG = "model_index.json", "config.json"
CONTROLNET = "ControlNetModel"  # the class that a ControlNet's folder says it is


def whole(path: Path) -> bool:
    """A file's header fits its size; a folder's index is there with every part that somebody paints with, or it is a ControlNet's, and
    every file of weights that it holds is whole. Whether it can be loaded is another question: `models.check`."""
    try:
        if is_controlnet(path):
            weights = [*path.rglob("*.safetensors")]
            return bool(weights) and all(map(whole, weights))
        if path.is_dir():
            index = read_json(path / INDEX)
            parts = [part for part, told in index.items() if isinstance(told, list) and told and told[0] is not None and part not in SPARE]
            return all((path / part).is_dir() for part in parts) and all(whole(file) for file in path.rglob("*.safetensors"))
        return kind_at(path) != ""
    except (OSError, CheckpointError):
        return False


def is_controlnet(folder: Path) -> bool:
    """Whether a folder is a ControlNet as diffusers saves one, and nothing else, by what it says itself."""
    try:
        return not (folder / INDEX).exists() and (folder / CONFIG).is_file() and read_json(folder / CONFIG).get("_class_name") == CONTROLNET
    except CheckpointError:
        return False


def kind_at(path: Path) -> str:
    """What a file is, as `models.kinds.kind_of` tells it; "" for one that is not there to its end. Raises CheckpointError, OSError."""
    facts = path.stat()
    return _kind_at(path, facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=4096)
def _kind_at(path: Path, size: int, changed: int) -> str:
    """Of a file as it is at that moment."""
    from models.kinds import Header, Shaped, kind_of  # which knows of files that this tells of

    if path.suffix.casefold() == ".gguf":
        from models.gguf_file import open_gguf

        with open_gguf(path, LARGEST_FILE) as packed:
            return kind_of(packed)
    with opened(path, LARGEST_FILE) as (file, found):
        length = int.from_bytes(read_exactly(file, 8, path), "little")
        if length > min(LARGEST_HEADER, found - 8):
            return ""
        header = parsed(read_exactly(file, length, path), path)
    said = header.pop("__metadata__", None)
    ends = [told.get("data_offsets") if isinstance(told, dict) else None for told in header.values()]
    sound = all(isinstance(end, list) and len(end) == 2 and type(end[1]) is int for end in ends)
    if not sound or not found == size == 8 + length + max((end[1] for end in ends), default=0):  # type: ignore[index]
        return ""
    shapes = {name: told.get("shape") for name, told in header.items()}
    entries = {name: Shaped(tuple(shape) if isinstance(shape, list) else ()) for name, shape in shapes.items()}
    return kind_of(Header(entries, {key: text for key, text in said.items() if isinstance(text, str)} if isinstance(said, dict) else {}))


def refuse_foreign(path: Path) -> None:
    """Raises CheckpointError for a file that is neither safetensors nor GGUF, by what it holds."""
    with opened(path, LARGEST_FILE) as (file, size):
        kind = foreign_kind(bytes(read_exactly(file, min(size, 8), path)), path.name)
    if kind is not None and kind is not GGUF:
        raise CheckpointError(refusal(path, kind))

"""A checkpoint's folder looked over before anything in it is believed: what it is made of, and that none of it can run.

Each look is one rule over all files. It returns what it found, in a few words, or raises CheckpointError.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from reprlib import repr as short
from typing import Any

from engine.errors import CheckpointError
from models.configs import refuse_code
from models.findings import Findings
from models.formats import foreign_kind, refusal
from models.plain_files import LARGEST_FILE, opened, read_exactly, read_json

Pair = tuple[str, str]  # library and class, as a model_index.json names them
INDEX = "model_index.json"
MOST_FILES = 2000
CODE = (".py", ".pyc", ".pyd", ".so", ".dll", ".sh", ".bat", ".ps1", ".exe")
TEMPLATE = "chat_template.jinja"  # beside a tokenizer
TEMPLATES = (".jinja", ".jinja2", ".j2")
CLEAN = "checkpoints are data: remove the file or get a clean copy"


@dataclass(frozen=True)
class Survey:
    """A folder that may be read. index: its model_index.json; findings: what was noticed, and what will be; given: settings
    of its parts that are ours, where the checkpoint is a file that says nothing of them."""

    folder: Path
    index: dict[str, Any]
    findings: Findings
    given: Mapping[str, dict[str, Any]] = field(default_factory=dict)


def survey(folder: Path, findings: Findings | None = None) -> Survey:
    """Look over a folder. Raises CheckpointError where anything in it could run, or leads out of it."""
    findings = findings if findings is not None else Findings()
    look_over(folder, findings)
    with findings.row("structure"):
        index = read_json(folder / INDEX)
        pipeline = index.get("_class_name")
        if not isinstance(pipeline, str):
            raise CheckpointError(f"{folder / INDEX}: _class_name must be a text, not {short(pipeline)}; get a clean copy")
        findings.tell("structure", pipeline[:60])
    with findings.row("code"):
        refuse_code(index, folder / INDEX)
    return Survey(folder, index, findings)


def look_over(folder: Path, findings: Findings) -> None:
    """A folder, whatever it holds. Raises CheckpointError where anything in it could run, or leads out of it."""
    with findings.row("structure"):
        files = _files(folder)
        findings.tell("structure", f"{len(files)} files")
    for row, look in LOOKS:
        with findings.row(row):
            findings.tell(row, look(folder, files, findings))


def look_over_words(folder: Path, findings: Findings) -> None:
    """A tokenizer's folder that lies alone, as one in a checkpoint is looked over; nor may the folder itself be a link that leads
    away from what it lies in. Raises CheckpointError."""
    files = [folder, *_files(folder)]
    for row, look in LOOKS:
        with findings.row(row):
            look(folder.parent, files, findings)


def check_components(surveyed: Survey, allowed: Mapping[str, Collection[Pair]], spare: Mapping[str, Collection[Pair]]) -> None:
    """Every part that the index names is of a class that may stand there. allowed: parts that must be there; spare: parts
    that are not used, and passed over. Raises CheckpointError."""
    named = parts_named(surveyed)
    for component in [*allowed, *(key for key in named if key not in allowed)]:
        pairs = allowed.get(component, spare.get(component, ()))
        if (told := named.get(component)) not in [list(pair) for pair in pairs]:
            wanted = ", ".join(sorted(".".join(pair) for pair in pairs)) or "none under this name"
            raise CheckpointError(f"{surveyed.folder / INDEX}: {component[:60]} is {short(told)}; allowed are {wanted}")
        if component not in allowed:
            surveyed.findings.note(f"{component} is ignored: this family paints without it")


def parts_named(surveyed: Survey) -> dict[str, Any]:
    """The parts that the index says are there, and of what class; until `check_components` they may be called anything."""
    return _named(surveyed.index)


def _named(index: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in index.items() if isinstance(value, list) and value != [None, None]}


def check_link(path: Path) -> str:
    """A file alone may be a link as it may be in its folder, or in the snapshot of a hub cache. Raises CheckpointError."""
    return _links(_snapshot_of(path.absolute().parent) or path.absolute().parent, [path], Findings())


def _snapshot_of(folder: Path) -> Path | None:
    """The snapshot of a hub cache that a folder is, or lies in."""
    return next((home for home in (folder, *folder.parents) if home.parent.name == "snapshots"), None)


def _files(folder: Path) -> list[Path]:
    """Everything in the folder but folders, in order; links are not followed, and what git keeps of a clone is not read.

    Raises CheckpointError.
    """
    if not folder.is_dir():
        raise CheckpointError(f"checkpoint {folder} is not a folder; give a diffusers folder")
    found: list[Path] = []
    pending, seen = [folder], 0
    while pending:
        try:
            entries = [entry for entry in islice(os.scandir(pending.pop()), MOST_FILES + 1) if entry.path != str(folder / ".git")]
        except OSError as error:
            raise CheckpointError(f"{folder} cannot be looked through ({error.strerror}); copy the checkpoint again") from error
        seen += len(entries)
        if seen > MOST_FILES:
            raise CheckpointError(f"{folder} holds more than {MOST_FILES} files; give the checkpoint's own folder")
        for entry in entries:
            (pending if entry.is_dir(follow_symlinks=False) else found).append(Path(entry.path))
    return sorted(found)


def _links(folder: Path, files: Sequence[Path], findings: Findings) -> str:
    """Links lead to files of the folder, or of the hub cache in whose snapshot the folder is."""
    root = folder.resolve()
    snapshot = _snapshot_of(root)
    blobs = snapshot.parent.parent / "blobs" if snapshot is not None else None
    for path in files:
        try:
            target = path.resolve()
        except (OSError, RuntimeError) as error:  # links that go round in circles
            raise CheckpointError(f"{path} is a link that leads nowhere; copy the file into the folder") from error
        inside = target.is_relative_to(root)
        if not inside and not (target.parent == blobs and target.is_file()):
            raise CheckpointError(f"{path} links outside the checkpoint; copy the file into the folder")
        if target.exists() and not target.is_file() and not target.is_dir():
            raise CheckpointError(f"{path} is no plain file; remove it or get a clean copy of the checkpoint")
    links = sum(path.is_symlink() for path in files)
    return f"{links}, none leads out" if links else "none"


def _code(folder: Path, files: Sequence[Path], findings: Findings) -> str:
    for path in files:
        if path.suffix.casefold() in CODE:
            raise CheckpointError(f"{path} is code; {CLEAN}")
        if path.name.endswith("config.json"):
            refuse_code(read_json(path), path)
    return "none"


def _templates(folder: Path, files: Sequence[Path], findings: Findings) -> str:
    """Templates of tokenizers are programs too. One in a file of its own is refused; one in a config is never read."""
    ignored = 0
    for path in files:
        if path.name == TEMPLATE and path.parent.parent == folder:
            findings.note(f"{path.relative_to(folder)} is ignored: a family's templates are our own")
            ignored += 1
        elif path.suffix.casefold() in TEMPLATES:
            raise CheckpointError(f"{path} is code: a template that a library would run; {CLEAN}")
        if path.name == "tokenizer_config.json" and "chat_template" in read_json(path):
            findings.note(f"{path.relative_to(folder)}: its chat_template is ignored: a family's templates are our own")
            ignored += 1
    return f"{ignored} ignored" if ignored else "none"


def _pickles(folder: Path, files: Sequence[Path], findings: Findings) -> str:
    """Other forms of weights are passed over where the same part has safetensors too, as in a hub's cache, and in a folder that is
    no part, as where a repository holds exports for other programs. What calls itself safetensors and is none never is."""
    ignored, named = 0, _folders_named(folder)
    for path in files:
        if not path.is_file():
            continue
        with opened(path, LARGEST_FILE) as (file, size):
            kind = foreign_kind(bytes(read_exactly(file, min(size, 8), path)), path.name)
        if kind is None:
            continue
        home = path.relative_to(folder).parts[:-1]
        beside = any(other.parent == path.parent and other.suffix == ".safetensors" for other in files)
        apart = named is not None and home and home[0].casefold() not in named
        if path.suffix == ".safetensors" or not (beside or apart):
            raise CheckpointError(refusal(path, kind))
        why = "the same part has safetensors too" if beside else f"the checkpoint has no part {home[0][:60]}"
        findings.note(f"{path.relative_to(folder)} is ignored: it is {kind.name}, and {why}")
        ignored += 1
    return f"{ignored} ignored, never opened" if ignored else "none"


def _folders_named(folder: Path) -> set[str] | None:
    """Of the parts that the index names, as a system that knows no case would find them; None where it cannot be read."""
    try:
        return {part.casefold() for part in _named(read_json(folder / INDEX))}
    except CheckpointError:
        return None  # which is refused when its turn comes


Look = Callable[[Path, Sequence[Path], Findings], str]
LOOKS: tuple[tuple[str, Look], ...] = (("links", _links), ("code", _code), ("templates", _templates), ("pickles", _pickles))

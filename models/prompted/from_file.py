"""Opens a checkpoint that is one file: whole, or what lacks parts, or settings of its own, that a folder of the same family has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from engine.errors import CheckpointError
from models.families import FAMILIES, family_of
from models.findings import Findings
from models.first_look import ONE_FILE
from models.gguf_file import GgufFile
from models.loose import completed
from models.packed import need_gguf
from models.plain_files import read_json
from models.prompted.checkpoint import PromptedCheckpoint
from models.prompted.opening import READING, Opening, Prepared, prepared
from models.single_file import PARTS, Brought, Contents, contents_of
from models.survey import INDEX, Survey, check_link, survey
from models.weight_files import opened_file as opened_file


def build_from_file(
    path: Path, findings: Findings, folders: Sequence[Path], how: Opening = Opening(), words: Sequence[Path] = ()
) -> PromptedCheckpoint:
    """folders: checkpoints that may lend the parts which the file lacks; words: text encoders that may be taken where
    no folder lends them. Raises CheckpointError."""
    with findings.row("links"):
        findings.tell("links", check_link(path))
    for row, found in ONE_FILE:
        findings.tell(row, found)
    with ExitStack() as files:
        with findings.row("headers"):
            file = files.enter_context(opened_file(path))
            if isinstance(file, GgufFile):  # known to be sound before anybody is asked to install anything for it
                need_gguf(path)
            findings.tell("headers", f"{len(file.entries)} tensors")
        findings.tell("pickles", "none")
        contents = contents_of(file, findings)
        for note in contents.notes:
            findings.note(note)
        brought = Brought(file, contents, READING, findings)

        def ready(found: Prepared) -> None:
            found.word()
            found.fit()

        checkpoint = prepared_file(brought, files, folders, ready, how, words).filled(path.name)
        return replace(checkpoint, file_sha256=brought.sha256)


def prepared_file(
    brought: Brought, files: ExitStack, folders: Sequence[Path], ready: Callable[[Prepared], None] = Prepared.suit, how: Opening = Opening(),
    words: Sequence[Path] = (),
) -> Prepared:  # fmt: skip
    """An open file with what it lacks, of which no tensor was read yet. files: closes what is opened; ready: has a checkpoint show that
    it is one, else the next folder is asked; the rest as of `build_from_file`. Raises CheckpointError."""
    contents, findings = brought.contents, brought.findings
    # nothing but names tells what a transformer's file is, so a folder of its family that the user has may know better than ours
    asked = _alike(contents, folders) if contents.layout is None or "transformer" in contents.pieces else []
    lent, why = _lent(brought, files, asked, ready, how)
    if lent is not None:
        return lent
    others, lacking = list[Brought](), list[str]()
    if contents.layout is None:
        brought.contents, others, lacking = completed(contents, brought.file, words, files, READING, findings)
        for note in brought.contents.notes:
            if note not in contents.notes:  # which were told
                findings.note(note)
    return _whole([brought, *others], files, ready, how, why, lacking)


def _whole(
    brought: Sequence[Brought], files: ExitStack, ready: Callable[[Prepared], None], how: Opening, why: str, lacking: Sequence[str]
) -> Prepared:
    """With our own settings, and words of ours or of the text encoders'. brought: the file, then text encoders that lie apart; why: no
    folder could lend others; lacking: what nobody has, and where to put it. Raises CheckpointError where there are none of ours."""
    contents, findings = brought[0].contents, brought[0].findings
    if contents.layout is None or lacking:
        instead = f", or {' and '.join(lacking)}" if lacking else ""
        with findings.row("family"):
            raise CheckpointError(
                f"{contents.path} holds the {_listed(list(contents.pieces))} alone; put a diffusers folder with the other parts ({_lacking(contents)}) "
                f"of the same family into the profile's checkpoints folder, one of {_families(contents)}{instead}{why}"
            )
    try:
        found = prepared(Survey(contents.path, contents.layout["model_index"], findings, contents.layout), files, contents.path.name, brought, how)
        ready(found)
    except CheckpointError as error:
        raise CheckpointError(f"{error}{why}") from error
    if why:
        findings.note(f"its settings and words are ours{why}")
    return found


def _lent(
    brought: Brought, files: ExitStack, folders: Sequence[Path], ready: Callable[[Prepared], None], how: Opening
) -> tuple[Prepared | None, str]:
    """With what the file lacks from the first folder that it fits, those whose name stands in the file's first; and why there was
    none."""
    contents, findings = brought.contents, brought.findings
    why = ""
    for folder in sorted(folders, key=lambda folder: not _named(folder, contents.path)):
        brought.findings = Findings()
        try:
            found = prepared(survey(folder, brought.findings), files, contents.path.name, [brought], how)
            ready(found)
        except CheckpointError as error:
            why = f"; {folder.name} cannot lend them: {error}"
            continue
        for row, told in brought.findings.told.items():
            if row not in ("structure", "links", "code", "templates", "pickles"):
                findings.told[row] = findings.told.get(row, []) + told
        findings.note(f"all but the {', '.join(contents.pieces)} comes from {folder}")
        found.tell(findings)
        return found, ""
    brought.findings = findings
    return None, why


def _lacking(contents: Contents) -> str:
    """What a folder has to lend. Of what the file holds its settings do, without weights."""
    words = {"text_encoder": "text encoder", "text_encoder_2": "second text encoder", "text_encoder_3": "third text encoder", "vae": "autoencoder"}
    lacking = PARTS.get(contents.network, {"text_encoder", "vae"}) - contents.pieces.keys()
    settings = "; of what the file holds, its settings alone" if {"text_encoder", "vae"} <= contents.pieces.keys() else ""
    return ", ".join([*(word for part, word in words.items() if part in lacking), "tokenizer", "scheduler"]) + settings


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def part_family(contents: Contents) -> str:
    """The family of a whole file; of a denoiser alone, those that it could be of."""
    if contents.layout is not None:
        index = contents.layout["model_index"]
        return family_of(index["_class_name"], {**contents.layout, "model_index": index}).name
    return _families(contents)


def _families(contents: Contents) -> str:
    """That a denoiser of its class could be of."""
    return ", ".join(row.name for row in FAMILIES if any(name == contents.network for pairs in row.components.values() for _, name in pairs))


def _alike(contents: Contents, folders: Sequence[Path]) -> list[Path]:
    """Folders whose denoiser is of the file's class, and whose pipeline is of its family where that is known."""
    ours = contents.layout["model_index"]["_class_name"] if contents.layout is not None else None
    pipelines = {index for row in FAMILIES if ours is None or ours in row.indexes for index in row.indexes}
    found = []
    for folder in folders:
        try:
            index = read_json(folder / INDEX)
        except CheckpointError:
            continue
        part = "unet" if "unet" in contents.pieces else "transformer"
        if index.get("_class_name") in pipelines and index.get(part) == ["diffusers", contents.network]:
            found.append(folder)
    return found


def _named(folder: Path, path: Path) -> bool:
    """Whether a file calls itself by a word of the family whose folder this is."""
    index = str(read_json(folder / INDEX).get("_class_name"))
    return any(word in path.stem.casefold() and word in index.casefold() for word in ("kontext", "klein", "edit", "inpaint"))

"""Somebody else's checkpoint as one file: what is hostile is refused in one message, its harmless twin loads."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import models.layout
from engine.errors import CheckpointError
from engine.painter import Painter, PainterSpec
from models.catalog import open_checkpoint, open_painter
from models.check import check
from models.findings import ROWS
from models.prompted.opening import tokenizer_of
from models.safetensors_file import SafetensorsFile
from tests.checkpoints import tiny_checkpoint
from tests.hostile import CASES, PAYLOAD, Base, nothing, tensors
from tests.one_file import layout_of, whole_file
from tests.test_painters import SIZE, ask, drawn, empty, show
from tests.tiny_families import tiny_folder

SPEC = PainterSpec(size=SIZE, threads=1, device="cpu", steps=1)
NAME = "dream.safetensors"
FITS = "wanted \\(32,\\); it is of no family here|wanted .* of floats|wanted floats"
CASES_OF_A_FILE = {
    "a pickle called safetensors": "", "torch's zip called safetensors": "", "a header without end": "", "a header of 61 MB": "",
    "a header of a million values": "", "20,001 tensors more": "", "a name twice": "", "a name that is a path": "", "tensors that overlap": "",
    "a shape without end": "", "bytes behind the last tensor": "", "half a file": "", "an empty file": "", "a tensor that is missing": "",
    "a tensor too many": "", "a tensor too many, but known": "", "a tensor of another shape": FITS, "a tensor of whole numbers": FITS,
    "a number that is none": "", "a number without end": "", "GGUF called safetensors": "announces .* tensors",
}  # what the refusal must say, where that is not what it says of a folder


class Alone(Base):
    """A file in a folder of its own, in the place of a folder's part."""

    def weights(self, folder: Path) -> Path:
        return folder / NAME


BASE = Alone("sd1", "", "model.diffusion_model.input_blocks.0.0.bias")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sound file, the folder that it was made of, and a bundled checkpoint."""
    home = tmp_path_factory.mktemp("sound")
    tiny_checkpoint(home / "bundled")
    tiny_folder(home / "sd1", "sd1")
    (home / "file").mkdir()
    whole_file(home / "sd1", home / "file" / NAME)
    (home / "layouts").mkdir()
    (home / "layouts" / "sd1.json").write_text(json.dumps(layout_of(home / "sd1")))
    shutil.copytree(home / "sd1" / "tokenizer", home / "layouts" / "words")
    return home


@pytest.fixture(scope="module")
def old(sound: Path) -> Painter:
    return open_painter(replace(SPEC, checkpoint=str(sound / "bundled")))


@pytest.fixture(autouse=True)
def tiny_layouts(sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.layout, "LAYOUTS", sound / "layouts")


@pytest.fixture
def refused(old: Painter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, str], None]:
    """Opens what must be refused: in one message and without a trace; what painted goes on painting. How soon is measured by
    `benchmarks.refusals`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "planted.py").write_text(PAYLOAD)

    def painted() -> np.ndarray:
        old.restore(None)
        return show(old, empty(), ask(drawn(1)))

    def refuse(path: Path, message: str) -> None:
        before = painted()
        with pytest.raises(CheckpointError, match=message) as refusal:
            open_painter(replace(SPEC, checkpoint=str(path)))
        said = str(refusal.value)
        assert "\n" not in said and len(said) < 700 and str(tmp_path) in said
        assert not (tmp_path / "ran").exists() and (painted() == before).all()

    return refuse


def copied(sound: Path, to: Path) -> Path:
    return Path(shutil.copytree(sound / "file", to))


@pytest.mark.parametrize("name", CASES_OF_A_FILE)
def test_what_is_hostile_is_refused_and_its_twin_loads(
    sound: Path, tmp_path: Path, refused: Callable[[Path, str], None], name: str
) -> None:
    case = CASES[name]
    if case.twin is not nothing:  # which the file that every row passes is
        twin = copied(sound, tmp_path / "twin")
        case.twin(twin, BASE)
        assert open_checkpoint(twin / NAME).family == "sd1"
    hostile = copied(sound, tmp_path / "hostile")
    case.hostile(hostile, BASE)
    refused(hostile / NAME, CASES_OF_A_FILE[name] or case.message)


def test_a_sound_file_passes_every_row(sound: Path) -> None:
    verdict = check(str(sound / "file" / NAME))
    assert verdict.loadable and verdict.family == "sd1" and verdict.parameters > 10_000
    assert [row.name for row in verdict.rows] == list(ROWS) and all(row.state == "sound" for row in verdict.rows), verdict.rows


def test_a_file_that_does_not_paint_does_not_take_over(sound: Path, tmp_path: Path, refused: Callable[[Path, str], None]) -> None:
    """Row 12."""
    folder = copied(sound, tmp_path / "huge")
    tensors(lambda held, key: held.update({key: torch.full_like(held[key].float(), 3e38)}))(folder, BASE)
    open_checkpoint(folder / NAME)
    refused(folder / NAME, "does not paint")


def test_a_link_leads_to_its_own_folder_or_its_own_cache(sound: Path, tmp_path: Path, refused: Callable[[Path, str], None]) -> None:
    """Row 9."""
    outside = copied(sound, tmp_path / "outside")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / NAME).symlink_to(outside / NAME)
    refused(tmp_path / "in" / NAME, "links outside")
    (outside / "other.safetensors").symlink_to(NAME)
    assert open_checkpoint(outside / "other.safetensors").family == "sd1"
    snapshot, blobs = tmp_path / "models--me--x" / "snapshots" / "abc", tmp_path / "models--me--x" / "blobs"
    for folder in (snapshot, blobs):
        folder.mkdir(parents=True)
    shutil.copy(outside / NAME, blobs / "0a1b")
    (snapshot / NAME).symlink_to("../../blobs/0a1b")
    assert open_checkpoint(snapshot / NAME).family == "sd1"


def test_what_is_told_is_the_hash_of_the_file_that_was_loaded(sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 16: another file takes its place between the look at the header and the reading."""
    import hashlib

    folder, other = copied(sound, tmp_path / "one"), copied(sound, tmp_path / "other")
    tensors(lambda held, key: held[key].fill_(7))(other, BASE)
    wanted, digest = load_file(folder / NAME)[BASE.tensor], hashlib.sha256((folder / NAME).read_bytes()).hexdigest()
    read = SafetensorsFile.tensors

    def late(self: SafetensorsFile, *given: object) -> object:
        os.replace(other / NAME, folder / NAME)
        return read(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(SafetensorsFile, "tensors", late)
    found = open_checkpoint(folder / NAME)
    assert found.sha256 == digest
    assert torch.equal(found.pipeline.unet.state_dict()["conv_in.bias"], wanted.float())  # type: ignore[union-attr]


def test_packed_merges_of_somebody_elses_are_not_unpacked(sound: Path, tmp_path: Path) -> None:
    """Of any size once unpacked: only ours are."""
    folder = Path(shutil.copytree(sound / "sd1" / "tokenizer", tmp_path / "words"))
    (folder / "merges.txt").rename(folder / "merges.txt.gz")
    with pytest.raises(CheckpointError, match=r"merges\.txt cannot be read"):
        tokenizer_of(folder)

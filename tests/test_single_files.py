"""Checkpoints that are one file: the same painting as from the folder, whatever program named their tensors."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import models.layout
from engine.errors import CheckpointError
from engine.painter import PainterSpec
from models.arrangements import DENOISERS
from models.catalog import open_checkpoint
from models.prompted.painter import PromptedCheckpoint, PromptedPainter
from tests.one_denoiser import NAMED, denoiser_file, flux_tensors, library_flux
from tests.one_file import layout_of, part, whole_file
from tests.test_families import request
from tests.test_painters import SIZE
from tests.tiny_families import tiny_folder

SPEC = PainterSpec(size=SIZE, seed=5, threads=1, device="cpu", steps=1)
WHOLE = {"sd1": "dream", "sd2": "v2-1", "sd-turbo": "sd_turbo", "lcm": "lcm", "pix2pix": "edits", "sdxl": "xl", "sdxl-turbo": "xl_turbo",
         "pix2pix-xl": "xl-edits"}  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("single")


@pytest.fixture(autouse=True)
def layouts(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Layouts of tiny checkpoints in the place of ours."""
    monkeypatch.setattr(models.layout, "LAYOUTS", home / "layouts")
    return home / "layouts"


def folder_of(home: Path, family: str) -> Path:
    if not (home / family).is_dir():
        tiny_folder(home / family, family)
        (home / "layouts").mkdir(exist_ok=True)
        (home / "layouts" / f"{family}.json").write_text(json.dumps(layout_of(home / family)))
        if not (home / "layouts" / "words").is_dir():
            shutil.copytree(home / family / "tokenizer", home / "layouts" / "words")
    return home / family


def file_of(home: Path, family: str, **how: Any) -> Path:
    return whole_file(folder_of(home, family), home / f"{WHOLE[family]}.safetensors", **how)


def opened(path: Path, profile: Path | None = None) -> PromptedCheckpoint:
    found = open_checkpoint(path, profile=str(profile) if profile else None)
    assert isinstance(found, PromptedCheckpoint)
    return found


@pytest.mark.parametrize("family", WHOLE)
def test_a_file_paints_as_the_folder_it_was_made_of(home: Path, family: str) -> None:
    file, folder = opened(file_of(home, family)), opened(folder_of(home, family))
    assert file.family == family
    assert torch.equal(PromptedPainter(file, SPEC).frame(request()), PromptedPainter(folder, SPEC).frame(request()))


@pytest.mark.parametrize("family", ["kontext", "flux-schnell", "klein", "qwen-image", "sd1"])
def test_a_denoiser_alone_takes_the_rest_from_a_folder_of_its_kind(home: Path, tmp_path: Path, family: str) -> None:
    """The folder's own denoiser is another: what is painted comes of the file's."""
    whole, lent = tiny_folder(tmp_path / "whole", family), tmp_path / "profile" / "checkpoints" / "parts"
    tiny_folder(lent, family, seed=1)
    file = denoiser_file(whole, tmp_path / "alone.safetensors", NAMED[family], "model.diffusion_model." if family == "kontext" else "")
    found, beside = opened(file, tmp_path / "profile"), opened(lent)
    assert found.family == family and found.sha256 != beside.sha256
    name = "unet" if family == "sd1" else "transformer"
    ours, wanted, other = found.pipeline.components[name].state_dict(), part(whole, name), beside.pipeline.components[name].state_dict()
    assert ours.keys() == wanted.keys() and all(torch.equal(ours[key], wanted[key]) for key in wanted)
    assert not all(torch.equal(ours[key], other[key]) for key in wanted)


def test_flux_is_renamed_as_the_library_does(home: Path, tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "flux", "flux")
    tensors = part(folder, "transformer")
    theirs = flux_tensors(tensors)
    assert theirs.keys() != tensors.keys()
    renamed = library_flux(theirs, 32)
    assert renamed.keys() == tensors.keys() and all(torch.equal(renamed[key], tensors[key]) for key in tensors)
    ours = next(row for row in DENOISERS if row.network == "FluxTransformer2DModel").rename(theirs, {"num_attention_heads": 2, "attention_head_dim": 16})
    assert ours.keys() == renamed.keys() and all(torch.equal(ours[key], renamed[key]) for key in ours)


def test_a_denoiser_alone_says_what_is_missing_and_where_to_put_it(tmp_path: Path) -> None:
    file = denoiser_file(tiny_folder(tmp_path / "kontext", "kontext"), tmp_path / "alone.safetensors", NAMED["kontext"])
    with pytest.raises(CheckpointError, match=r"holds the transformer alone; put a diffusers folder with the other parts .*kontext, .*flux"):
        open_checkpoint(file, profile=str(tmp_path / "profile"))
    tiny_folder(tmp_path / "profile" / "checkpoints" / "schnell", "flux-schnell")
    with pytest.raises(CheckpointError, match=r"schnell cannot lend them: .*does not belong"):
        open_checkpoint(file, profile=str(tmp_path / "profile"))

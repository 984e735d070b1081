"""Checkpoints that are one file: the same painting as from the folder, whatever program named their tensors."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import models.layout
from engine.errors import CheckpointError
from engine.painter import PainterSpec
from models.arrangements import DENOISERS
from models.catalog import open_checkpoint
from models.findings import Findings
from models.prompted.checkpoint import PromptedCheckpoint
from models.prompted.painter import PromptedPainter
from models.reference.painter import ReferencePainter
from tests.one_denoiser import NAMED, denoiser_file, flux_file, flux_tensors, library_flux
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


@pytest.mark.parametrize("family", ["kontext", "flux-schnell", "flux", "klein", "qwen-image", "qwen-edit", "sd1"])
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


@pytest.mark.parametrize("family", ["flux", "kontext"])
def test_flux_with_all_its_parts_takes_its_words_and_settings_from_a_folder_without_weights(tmp_path: Path, family: str) -> None:
    whole, profile = tiny_folder(tmp_path / "whole", family), tmp_path / "profile"
    file = flux_file(whole, tmp_path / f"{family}-all-in-one.safetensors")
    with pytest.raises(CheckpointError, match=r"holds the .* alone; put .* the other parts \(tokenizer, scheduler; of what the file holds, its settings alone\)"):
        opened(file, profile)
    lent = Path(shutil.copytree(whole, profile / "checkpoints" / "words", ignore=shutil.ignore_patterns("*.safetensors")))
    found, beside = opened(file, profile), opened(whole)
    assert found.family == family and not list(lent.rglob("*.safetensors"))
    for name, network in beside.parts.items():
        theirs, ours = network.state_dict(), found.parts[name].state_dict()
        assert ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in theirs), name
    assert torch.equal(ReferencePainter(found, SPEC).frame(request()), ReferencePainter(beside, SPEC).frame(request()))


def test_flux_with_all_its_parts_is_not_filled_up_from_a_folder_and_says_what_it_does_not_read(tmp_path: Path) -> None:
    """A part that does not fit is refused, not taken from elsewhere."""
    whole, profile = tiny_folder(tmp_path / "whole", "flux"), tmp_path / "profile"
    tiny_folder(profile / "checkpoints" / "words", "flux", seed=1)
    file = flux_file(whole, tmp_path / "all.safetensors")
    held = load_file(file)
    save_file({**held, "text_encoders.other.weight": torch.zeros(2)}, file)
    findings = Findings()
    open_checkpoint(file, findings, profile=str(profile))
    assert "its text encoder other is not read" in findings.notes
    save_file({name: tensor for name, tensor in held.items() if not name.endswith("t5xxl.transformer.encoder.final_layer_norm.weight")}, file)
    with pytest.raises(CheckpointError, match=r"words cannot lend them: .*final_layer_norm.weight of its text_encoder_2 is missing"):
        opened(file, profile)


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


def scheduler_of(path: Path) -> dict[str, Any]:
    return dict(opened(path).pipeline.scheduler.config)


def test_a_file_tells_what_it_predicts_by_its_words_its_marks_or_its_name(home: Path, tmp_path: Path) -> None:
    folder = folder_of(home, "sd2")
    for name, told, wanted in (("a", {}, "v_prediction"), ("v2-1_512-ema", {}, "epsilon"), ("a", {"modelspec.prediction_type": "epsilon"}, "epsilon"),
                               ("512", {"modelspec.prediction_type": "v"}, "v_prediction")):  # fmt: skip
        assert scheduler_of(whole_file(folder, tmp_path / f"{name}.safetensors", told))["prediction_type"] == wanted
    file = whole_file(folder_of(home, "sdxl"), tmp_path / "noob.safetensors")
    assert "v_prediction" not in str(scheduler_of(file))
    save_file({**load_file(file), "v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)}, file)
    assert scheduler_of(file)["prediction_type"] == "v_prediction" and scheduler_of(file)["rescale_betas_zero_snr"]


def test_half_and_quarter_precision_are_read(home: Path, tmp_path: Path) -> None:
    file = whole_file(folder_of(home, "sd1"), tmp_path / "dream.safetensors")
    for dtype in (torch.float16, torch.bfloat16, torch.float8_e4m3fn):
        held = {name: tensor.to(dtype) if tensor.is_floating_point() else tensor for name, tensor in load_file(file).items()}
        save_file(held, tmp_path / "small.safetensors")
        bias = opened(tmp_path / "small.safetensors").pipeline.unet.conv_in.bias
        assert torch.equal(bias, held["model.diffusion_model.input_blocks.0.0.bias"].float())


def test_what_is_not_in_the_file_comes_from_a_folder_of_its_family(home: Path, tmp_path: Path) -> None:
    folder = folder_of(home, "sdxl")
    file = whole_file(folder, tmp_path / "bare.safetensors", without="vae")
    with pytest.raises(CheckpointError, match="holds the text_encoder, text_encoder_2 and unet alone"):
        opened(file, tmp_path / "profile")
    shutil.copytree(folder, tmp_path / "profile" / "checkpoints" / "xl")
    found = opened(file, tmp_path / "profile")
    assert found.family == "sdxl" and torch.equal(PromptedPainter(found, SPEC).frame(request()), PromptedPainter(opened(folder), SPEC).frame(request()))


OTHERS = {
    "inpainting": ({"model.diffusion_model.input_blocks.0.0.weight": torch.zeros(320, 9, 3, 3)}, "a file of 'inpainting'"),
    "xl_refiner": ({"conditioner.embedders.0.model.transformer.resblocks.9.mlp.c_proj.bias": torch.zeros(1280)}, "does not belong to a checkpoint"),
    "chroma": ({"distilled_guidance_layer.in_proj.bias": torch.zeros(8), "double_blocks.0.img_attn.norm.key_norm.scale": torch.zeros(8)}, "a file of 'chroma'"),
    "controlnet": ({"control_model.time_embed.0.weight": torch.zeros(8, 8)}, "does not belong to a checkpoint"),
    "an autoencoder": ({"encoder.conv_in.weight": torch.zeros(8, 3, 3, 3), "decoder.conv_in.weight": torch.zeros(8, 3, 3, 3), "x": torch.zeros(1)}, "does not belong|holds no denoiser"),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_of_no_family_here_is_refused_by_what_it_is(tmp_path: Path, name: str) -> None:
    tensors, message = OTHERS[name]
    save_file(tensors, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match=message):
        opened(tmp_path / "other.safetensors", tmp_path / "profile")

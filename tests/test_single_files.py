"""Checkpoints that are one file: the same painting as from the folder, whatever program named their tensors."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

import models.layout
from engine.errors import CheckpointError
from engine.geometry import Rect
from engine.painter import PainterSpec
from models.arrangements import DENOISERS
from models.catalog import open_checkpoint, open_painter
from models.check import glance
from models.findings import Findings
from models.places import Found
from models.prompted.checkpoint import PromptedCheckpoint
from models.prompted.painter import PromptedPainter
from models.reference.painter import ReferencePainter
from tests.one_denoiser import NAMED, denoiser_file, flux_tensors, library_flux, transformer_file
from tests.one_file import layout_of, part, whole_file
from tests.test_families import request
from tests.test_painters import SIZE, ask, drawn, empty, show
from tests.test_reference_tables import change
from tests.test_references import small_pictures  # noqa: F401 - a fixture of every test here
from tests.tiny_families import tiny_folder
from ui.cli import status

SHIPPED = models.layout.LAYOUTS

SPEC = PainterSpec(size=SIZE, seed=5, threads=1, device="cpu", steps=1)
WHOLE = {"sd1": "dream", "sd2": "v2-1", "sd-turbo": "sd_turbo", "lcm": "lcm", "pix2pix": "edits", "sdxl": "xl", "sdxl-turbo": "xl_turbo",
         "pix2pix-xl": "xl-edits", "lcm-xl": "lcm-xl", "flux": "flux-dev", "flux-schnell": "flux-schnell", "kontext": "flux-kontext-dev", "sd3": "sd3",
         "klein": "klein-aio", "z-image-turbo": "z-image-aio", "qwen-edit": "Qwen-Edit-AIO", "chroma": "chroma-aio"}  # fmt: skip
TRANSFORMERS = ("flux", "flux-schnell", "kontext", "sd3", "klein", "z-image-turbo", "qwen-edit", "chroma")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of tiny checkpoints and their layouts; what none was made of yet has ours, so that no test needs another to have been before."""
    home = tmp_path_factory.mktemp("single")
    shutil.copytree(SHIPPED, home / "layouts")
    return home


@pytest.fixture(autouse=True)
def layouts(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Layouts of tiny checkpoints in the place of ours."""
    monkeypatch.setattr(models.layout, "LAYOUTS", home / "layouts")
    return home / "layouts"


def folder_of(home: Path, family: str) -> Path:
    if not (home / family).is_dir():
        tiny_folder(home / family, family)
        (home / "layouts" / f"{family}.json").write_text(json.dumps(layout_of(home / family)))
        if family == "sd3":  # as it was trained
            encoder = home / family / "text_encoder" / "model.safetensors"
            save_file({**load_file(encoder), "text_projection.weight": torch.eye(16)}, encoder)
        for name, told in layout_of(home / family).items():
            if "tables" in told:
                shutil.copytree(home / family / name, home / "layouts" / told["tables"], dirs_exist_ok=True)
    return home / family


def file_of(home: Path, family: str) -> Path:
    """With nothing beside it but other files."""
    return (transformer_file if family in TRANSFORMERS else whole_file)(folder_of(home, family), home / f"{WHOLE[family]}.safetensors")


def painted(found: PromptedCheckpoint, spec: PainterSpec = SPEC) -> torch.Tensor:
    return (ReferencePainter if found.row.references else PromptedPainter)(found, spec).frame(request())


def opened(path: Path, profile: Path | None = None) -> PromptedCheckpoint:
    found = open_checkpoint(path, profile=str(profile) if profile else None)
    assert isinstance(found, PromptedCheckpoint)
    return found


@pytest.mark.parametrize("family", WHOLE)
def test_a_file_paints_as_the_folder_it_was_made_of(home: Path, family: str) -> None:
    file, folder = opened(file_of(home, family)), opened(folder_of(home, family))
    assert file.family == folder.family == family
    assert torch.equal(painted(file), painted(folder))


@pytest.mark.parametrize(("family", "name"), [("sd-turbo", "sd_turbo"), ("sd2", "other")])
def test_sd_turbo_as_it_was_released_paints_as_its_folder(home: Path, tmp_path: Path, family: str, name: str) -> None:
    """It calls its text encoder as the refiner of Stable Diffusion XL does."""
    folder = folder_of(home, family)
    file = opened(whole_file(folder, tmp_path / f"{name}.safetensors", words="conditioner.embedders.0.model."))
    assert file.family == family and file.parts.keys() == opened(folder).parts.keys()
    assert torch.equal(painted(file), painted(opened(folder)))
    bare = whole_file(folder, tmp_path / f"bare_{name}.safetensors", without="vae", words="conditioner.embedders.0.model.")
    with pytest.raises(CheckpointError, match=r"holds no autoencoder, and none for (SD-Turbo|Stable Diffusion 2\.x) is there"):
        opened(bare, tmp_path / "profile")


@pytest.mark.parametrize("family", ["kontext", "flux-schnell", "flux", "klein", "qwen-image", "qwen-edit", "sd1", "sd3", "z-image-turbo", "chroma", "longcat-edit"])
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


def test_flux_paints_guided_with_the_words_that_ship(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their tables are of their real size, all else is tiny, and nothing lies beside the file."""
    folder = Path(shutil.copytree(folder_of(home, "flux"), tmp_path / "flux"))
    for name, cls, config, words in (
        ("text_encoder", transformers.CLIPTextModel, {"bos_token_id": 49406, "eos_token_id": 49407, "pad_token_id": 49407}, 49408),
        ("text_encoder_2", transformers.T5EncoderModel, {}, 32128),
    ):  # fmt: skip
        settings = {**json.loads((folder / name / "config.json").read_text()), **config, "vocab_size": words}
        cls(cls.config_class(**settings)).save_pretrained(folder / name)
    told = layout_of(folder) | {"tokenizer": {"tables": "clip"}, "tokenizer_2": {"tables": "t5"}}
    shutil.copytree(SHIPPED, tmp_path / "layouts")
    (tmp_path / "layouts" / "flux.json").write_text(json.dumps(told))
    monkeypatch.setattr(models.layout, "LAYOUTS", tmp_path / "layouts")
    (tmp_path / "alone").mkdir()
    file = transformer_file(folder, tmp_path / "alone" / "all.safetensors")
    painter = open_painter(replace(SPEC, checkpoint=str(file)))
    frame = show(painter, empty(), ask(drawn(1)))
    assert painter.info.family == "flux" and np.unique(frame).size > 10
    before = frame.copy()
    after = show(painter, frame, ask(drawn(2), (Rect(0, 0, 64, 64),)))
    assert (after[:64, :64] != before[:64, :64]).any() and (after[128:] == before[128:]).all()


@pytest.mark.parametrize("family", ["flux", "kontext"])
def test_flux_takes_words_and_settings_from_a_folder_of_its_family_first(home: Path, tmp_path: Path, family: str) -> None:
    """Which needs no weights: what does not fit ours may fit theirs, and they may know better."""
    whole, profile = folder_of(home, family), tmp_path / "profile"
    file = transformer_file(whole, tmp_path / f"{family}-all-in-one.safetensors")
    lent = Path(shutil.copytree(whole, profile / "checkpoints" / "words", ignore=shutil.ignore_patterns("*.safetensors")))
    change(lent / "scheduler" / "scheduler_config.json", shift=2.0)
    findings = Findings()
    found, beside = open_checkpoint(file, findings, str(profile)), opened(whole)
    assert isinstance(found, PromptedCheckpoint) and found.family == family and not list(lent.rglob("*.safetensors"))
    assert found.pipeline.scheduler.config.shift == 2.0 != beside.pipeline.scheduler.config.shift
    assert f"all but the text_encoder, text_encoder_2, transformer, vae comes from {lent}" in [sorted_parts(note) for note in findings.notes]
    for name, network in beside.parts.items():
        theirs, ours = network.state_dict(), found.parts[name].state_dict()
        assert ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in theirs), name


def sorted_parts(note: str) -> str:
    found = re.fullmatch(r"all but the (.*) comes from (.*)", note)
    return f"all but the {', '.join(sorted(found[1].split(', ')))} comes from {found[2]}" if found else note


def test_a_folder_of_another_family_or_of_other_sizes_is_passed_over(home: Path, tmp_path: Path) -> None:
    profile = tmp_path / "profile"
    file = transformer_file(folder_of(home, "flux"), tmp_path / "all.safetensors")
    shutil.copytree(folder_of(home, "kontext"), profile / "checkpoints" / "kontext")
    other = Path(shutil.copytree(folder_of(home, "flux"), profile / "checkpoints" / "other"))
    change(other / "text_encoder_2" / "config.json", d_ff=48)
    findings = Findings()
    found = open_checkpoint(file, findings, profile=str(profile))
    assert found.family == "flux" and "taken for flux, since it does not call itself kontext" in findings.notes
    assert any(re.match("its settings and words are ours; other cannot lend them: .*of its text_encoder_2 is", note) for note in findings.notes)


def test_flux_is_told_apart_by_its_tensors_and_its_own_words(home: Path, tmp_path: Path) -> None:
    folder_of(home, "flux"), folder_of(home, "kontext"), folder_of(home, "flux-schnell")
    for family, name, told, note in (
        ("kontext", "edits", {"modelspec.title": "FLUX.1 Kontext [dev]"}, "since it calls itself so"), ("flux", "dev", {}, "since it does not"),
        ("flux-schnell", "kontext", {}, "since it is not told the guidance"),
    ):  # fmt: skip
        findings = Findings()
        file = transformer_file(home / family, tmp_path / f"{name}.safetensors", told)
        assert open_checkpoint(file, findings).family == family and any(f"taken for {family}, {note}" in line for line in findings.notes)
        assert glance(Found(file.name, file, "checkpoint")).family == family


def test_the_words_of_t5_may_have_either_name_and_what_is_not_read_is_said(home: Path, tmp_path: Path) -> None:
    folder, name = folder_of(home, "flux"), "text_encoders.t5xxl.transformer."
    wanted = part(folder, "text_encoder_2")["shared.weight"]
    spare: Any = {
        "text_encoders.other.weight": torch.zeros(2), "text_encoders.t5xxl.spiece_model": torch.zeros(4, dtype=torch.uint8),
        "text_encoders.t5xxl.transformer.scaled_fp8": torch.zeros(0).to(torch.float8_e4m3fn), "model.diffusion_model.scaled_fp8": torch.zeros(2),
    }  # fmt: skip
    for held in ({}, {f"{name}encoder.embed_tokens.weight": None}, {f"{name}encoder.embed_tokens.weight": wanted, f"{name}shared.weight": None},
                 {f"{name}encoder.embed_tokens.weight": wanted}):  # fmt: skip
        findings = Findings()
        found: Any = open_checkpoint(transformer_file(folder, tmp_path / "all.safetensors", **held, **spare), findings)
        words = found.pipeline.text_encoder_2
        assert torch.equal(words.shared.weight, wanted) and torch.equal(words.encoder.embed_tokens.weight, wanted)
        assert [note for note in findings.notes if "text encoder" in note] == ["its text encoder other is not read"]


NORM, BLOCK = "text_encoders.t5xxl.transformer.encoder.final_layer_norm.weight", "model.diffusion_model.double_blocks.0.img_attn"
UNFIT: dict[str, tuple[dict[str, Any], str, str]] = {
    "a part of another size": ({NORM: torch.zeros(17)}, "tensors", r"final_layer_norm.weight of its text_encoder_2 is \(17,\), wanted \(16,\)"),
    "a tensor that is missing": ({NORM: None}, "tensors", "final_layer_norm.weight of its text_encoder_2 is missing"),
    "a tensor too many": ({"model.diffusion_model.double_blocks.0.more.weight": torch.zeros(2)}, "tensors", "double_blocks.0.more.weight does not belong"),
    "a number that is none": ({NORM: torch.full((16,), torch.nan)}, "finite", "final_layer_norm.weight holds values that are not finite"),
    "numbers that another scales": ({f"{BLOCK}.qkv.scale_weight": torch.ones(())}, "family", "qkv.weight is scaled .*half precision"),
    "a tensor that cannot be cut": ({f"{BLOCK}.qkv.weight": torch.ones(())}, "tensors", r"attn.to_q.weight of its transformer is \(\), wanted \(32, 32\)"),
    "a tensor that is cut elsewhere": ({f"{BLOCK}.qkv.bias": torch.ones(95)}, "tensors", r"attn.to_q.bias of its transformer is \(95,\), wanted \(32,\)"),
}  # by what is in the place of a tensor: the row that refuses it, and what is said


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("name", UNFIT)
def test_flux_that_does_not_fit_is_refused_in_one_message_whatever_lies_beside_it(home: Path, tmp_path: Path, name: str, beside: bool) -> None:
    """Neither is a part that does not fit taken from elsewhere."""
    instead, row, message = UNFIT[name]
    if beside:
        shutil.copytree(folder_of(home, "flux"), tmp_path / "profile" / "checkpoints" / "words")
    file = transformer_file(folder_of(home, "flux"), tmp_path / "all.safetensors", **instead)
    findings = Findings()
    with pytest.raises(CheckpointError, match=message) as refused:
        open_checkpoint(file, findings, profile=str(tmp_path / "profile"))
    assert "\n" not in str(refused.value) and str(file) in str(refused.value) and findings.refused == row


@pytest.mark.usefixtures("libraries_at_hand")
def test_flux_of_other_sizes_than_the_real_one_is_refused_with_exit_code_2(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the layout that ships: the command looks at it in a process of its own."""
    file = transformer_file(folder_of(home, "flux"), tmp_path / "all.safetensors")
    assert status(["models", "check", str(file), "--profile", str(tmp_path / "profile")]) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said and said.count("\n") == 1 and "of its transformer is" in said and "damaged" in said


@pytest.mark.parametrize(("family", "which"), [("flux", "second"), ("sd3", "third")])
def test_a_transformer_that_lacks_an_encoder_says_which_and_takes_it_from_a_folder(home: Path, tmp_path: Path, family: str, which: str) -> None:
    whole, profile = folder_of(home, family), tmp_path / "profile"
    held = transformer_file(whole, tmp_path / "all.safetensors")
    without: dict[str, Any] = {name: None for name in load_file(held) if "t5xxl" in name}
    file = transformer_file(whole, tmp_path / "lacks.safetensors", **without)
    with pytest.raises(CheckpointError, match=rf"holds the .* alone; put .* the other parts \({which} text encoder, tokenizer, scheduler; of what the file holds"):
        opened(file, profile)
    shutil.copytree(whole, profile / "checkpoints" / "parts")
    assert torch.equal(painted(opened(file, profile)), painted(opened(whole)))


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
    with pytest.raises(CheckpointError, match="holds no autoencoder, and none for Stable Diffusion XL is there; put one into the profile's vae folder"):
        opened(file, tmp_path / "profile")
    shutil.copytree(folder, tmp_path / "profile" / "checkpoints" / "xl")
    found = opened(file, tmp_path / "profile")
    assert found.family == "sdxl" and torch.equal(PromptedPainter(found, SPEC).frame(request()), PromptedPainter(opened(folder), SPEC).frame(request()))


OTHERS = {
    "inpainting": ({"model.diffusion_model.input_blocks.0.0.weight": torch.zeros(320, 9, 3, 3)}, "a file of 'inpainting'"),
    "xl_refiner": ({"conditioner.embedders.0.model.transformer.resblocks.9.mlp.c_proj.bias": torch.zeros(1280)}, "a file of 'xl_refiner'"),
    "the words of sd_turbo": ({"conditioner.embedders.0.model.ln_final.weight": torch.zeros(1024)}, "holds no denoiser"),
    "flux3": ({"early_stream_modulations.image.lin.weight": torch.zeros(8), "double_blocks.0.img_attn.norm.key_norm.scale": torch.zeros(8)}, "a file of 'flux-3"),
    "controlnet": ({"control_model.time_embed.0.weight": torch.zeros(8, 8)}, "does not belong to a checkpoint"),
    "an autoencoder": ({"encoder.conv_in.weight": torch.zeros(8, 3, 3, 3), "decoder.conv_in.weight": torch.zeros(8, 3, 3, 3), "x": torch.zeros(1)}, "does not belong|holds no denoiser"),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_of_no_family_here_is_refused_by_what_it_is(tmp_path: Path, name: str) -> None:
    tensors, message = OTHERS[name]
    save_file(tensors, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match=message):
        opened(tmp_path / "other.safetensors", tmp_path / "profile")


def test_what_is_left_of_chroma_is_not_taken_for_the_flux_that_it_was_made_of(home: Path, tmp_path: Path) -> None:
    folder_of(home, "chroma")
    save_file({"distilled_guidance_layer.norms.0.scale": torch.zeros(8), "double_blocks.0.img_attn.norm.key_norm.scale": torch.zeros(8)}, tmp_path / "half.safetensors")
    with pytest.raises(CheckpointError, match=r"holds the transformer alone; .* of chroma, or a T5 text encoder"):
        opened(tmp_path / "half.safetensors", tmp_path / "profile")

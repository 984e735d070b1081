"""A denoiser, text encoders and an autoencoder that lie apart, as ComfyUI and Forge keep them: together a checkpoint, or what lacks is said."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from engine.errors import CheckpointError
from models.catalog import open_checkpoint
from models.check import check, listing
from models.findings import Findings
from models.prompted.checkpoint import PromptedCheckpoint
from tests.hostile import PICKLE
from tests.loose_parts import coder_named, words_named, written
from tests.one_denoiser import NAMED, packed_file
from tests.one_file import config, part, unet_names
from tests.test_places import use
from tests.test_single_files import TRANSFORMERS as SINGLE
from tests.test_single_files import file_of, folder_of, home, layouts, painted  # noqa: F401 - two are fixtures
from tests.tiny_families import tiny_folder
from ui.cli import status

CALLED = {  # by family: of each of its text encoders, what the usual file is called
    "flux": {"text_encoder": "clip_l", "text_encoder_2": "t5xxl_fp16"}, "kontext": {"text_encoder": "clip_l", "text_encoder_2": "t5xxl_fp16"},
    "sd3": {"text_encoder": "clip_l", "text_encoder_2": "clip_g", "text_encoder_3": "t5xxl_fp16"},
    "sd1": {"text_encoder": "clip_l"}, "sdxl": {"text_encoder": "clip_l", "text_encoder_2": "clip_g"}, "sd2": {"text_encoder": "clip_l_of_h"},
    **{family: {"text_encoder": "qwen_3_4b"} for family in ("klein", "klein-base", "z-image-turbo")}, "chroma": {"text_encoder": "t5xxl_fp16"},
    **{family: {"text_encoder": "qwen_2.5_vl_7b"} for family in ("qwen-image", "qwen-edit", "qwen-edit-plus")},
}  # fmt: skip
DENOISERS = {"flux": "flux1-dev", "kontext": "flux1-dev-kontext", "sd3": "sd3_medium", "sd1": "dream", "sdxl": "dreamxl", "sd2": "v2-1_768",
             "klein": "flux-2-klein-4b", "klein-base": "flux-2-klein-base-4b", "z-image-turbo": "z_image_turbo_bf16", "chroma": "Chroma1-HD",
             "qwen-image": "qwen_image_bf16", "qwen-edit": "qwen_image_edit_bf16", "qwen-edit-plus": "qwen_image_edit_2509_bf16"}  # fmt: skip
CODERS = {"sd3": "sd3_vae", "sd1": "mse", "sd2": "mse", "sdxl": "sdxl_vae", "klein": "flux2-vae", "klein-base": "flux2-vae",
          **dict.fromkeys(("qwen-image", "qwen-edit", "qwen-edit-plus"), "qwen_image_vae"),
          **dict.fromkeys(("flux", "kontext", "z-image-turbo", "chroma"), "ae")}  # fmt: skip


def laid_apart(folder: Path, family: str, models: Path, words: str = "text_encoders", named: str = "", coder: str = "trained") -> Path:
    """A folder's parts in a ComfyUI. named: by whom the text encoders' tensors are named; coder: the autoencoder's. The denoiser's file."""
    if family not in SINGLE and not (folder / "unet").is_dir():
        denoiser = NAMED[family](part(folder, "transformer"))
    elif (folder / "unet").is_dir():
        unet = part(folder, "unet")
        named = unet_names(list(unet), config(folder, "unet")["layers_per_block"])
        denoiser = {named[name].removeprefix("model."): tensor for name, tensor in unet.items()}
    else:
        whole = load_file(file_of(folder.parent, family))
        denoiser = {name.removeprefix("model.diffusion_model."): tensor for name, tensor in whole.items() if name.startswith("model.diffusion_model.")}
    for encoder, name in CALLED[family].items():
        clip = name.startswith("clip")
        if named == "GGUF" and not clip:
            packed_file(folder, models / words / f"{name}.gguf", lambda tensors, name=name: words_named(tensors, name, named), "Q8_0", encoder)
        else:
            written(models / words / f"{name}.safetensors", words_named(part(folder, encoder), name, named if clip else ""))
    written(models / "vae" / f"{CODERS[family]}.safetensors", coder_named(folder, coder))
    (models / "checkpoints").mkdir(exist_ok=True)
    return written(models / "diffusion_models" / f"{DENOISERS[family]}.safetensors", denoiser)


@pytest.fixture
def comfy(tmp_path: Path) -> Path:
    """A ComfyUI's folder of models that the profile uses."""
    models = tmp_path / "ComfyUI" / "models"
    models.mkdir(parents=True)
    (tmp_path / "profile").mkdir()
    use(tmp_path / "profile", tmp_path / "ComfyUI")
    return models


def opened(path: Path, profile: Path, findings: Findings | None = None) -> PromptedCheckpoint:
    found = open_checkpoint(path, findings, profile=str(profile))
    assert isinstance(found, PromptedCheckpoint)
    return found


def laid_out(home: Path, family: str) -> Path:  # noqa: F811
    """The family's folder, and the layouts of those that it is told from."""
    for other in ("sd1", "sdxl") if family == "sd2" else ():
        folder_of(home, other)
    return folder_of(home, family)


@pytest.mark.parametrize(("family", "words", "named"), [
    *((family, "text_encoders", "") for family in CALLED), ("flux", "clip", ""),
    *((family, "text_encoders", "OpenCLIP") for family in ("sd1", "sd2", "sdxl", "flux", "sd3")),
])  # fmt: skip
def test_parts_that_lie_apart_paint_as_the_folder_that_they_were_of(
    home: Path, tmp_path: Path, comfy: Path, family: str, words: str, named: str  # noqa: F811
) -> None:
    folder = laid_out(home, family)
    file, findings = laid_apart(folder, family, comfy, words, named), Findings()
    found, whole = opened(file, tmp_path / "profile", findings), opened(folder, tmp_path / "none")
    assert found.family == family and torch.equal(painted(found), painted(whole))
    for name, network in whole.parts.items():
        theirs, ours = network.state_dict(), found.parts[name].state_dict()
        assert ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in theirs), name
    told = "\n".join(findings.notes)
    assert all(f"its {encoder} is {comfy / words / name}.safetensors" in told for encoder, name in CALLED[family].items()), told
    assert f"its autoencoder is {comfy / 'vae' / CODERS[family]}.safetensors" in told
    verdict = check(file.name, str(tmp_path / "profile"), paint=False)
    assert verdict.loadable and verdict.family == family and verdict.file_sha256 != verdict.sha256


@pytest.mark.parametrize(("lost", "message"), [
    ("text_encoders/t5xxl_fp16", r"holds the transformer alone; .*, or a T5 text encoder of width \d+ \(often called t5xxl\) into its text_encoders folder"),
    ("text_encoders/clip_l", r"holds the transformer alone; .*, or a CLIP text encoder of width \d+ \(often called clip_l\) into its text_encoders folder"),
    ("vae/ae", r"holds no autoencoder, and none for FLUX.1 is there; put one into the profile's vae folder"),
])  # fmt: skip
def test_what_lacks_is_named(home: Path, tmp_path: Path, comfy: Path, lost: str, message: str) -> None:  # noqa: F811
    file = laid_apart(folder_of(home, "flux"), "flux", comfy)
    (comfy / f"{lost}.safetensors").unlink()
    with pytest.raises(CheckpointError, match=message) as refused:
        opened(file, tmp_path / "profile")
    assert "\n" not in str(refused.value) and str(file) in str(refused.value)


def test_one_that_lies_in_the_profile_will_do(home: Path, tmp_path: Path, comfy: Path) -> None:  # noqa: F811
    file, profile = laid_apart(folder_of(home, "flux"), "flux", comfy), tmp_path / "profile"
    for name in ("text_encoders", "vae"):
        (comfy / name).rename(profile / name)
    found = opened(file, profile)
    assert found.family == "flux" and found.coder == "ae.safetensors"


def test_a_folder_of_the_family_is_asked_first(home: Path, tmp_path: Path, comfy: Path) -> None:  # noqa: F811
    file, findings = laid_apart(folder_of(home, "flux"), "flux", comfy), Findings()
    lent = tiny_folder(tmp_path / "profile" / "checkpoints" / "mine", "flux", seed=3)
    opened(file, tmp_path / "profile", findings)
    assert any(f"all but the transformer comes from {lent}" in note for note in findings.notes)


HOSTILE: dict[str, tuple[Any, str]] = {
    "a number that is none": (lambda held, name: held[name].fill_(float("nan")), "not finite"),
    "a tensor that is missing": (lambda held, name: held.pop(name), "is missing"),
    "a tensor too many": (lambda held, name: held.update({"encoder.more.weight": torch.zeros(2)}), "encoder.more.weight does not belong there"),
    "a tensor of another shape": (lambda held, name: held.update({name: torch.zeros(3)}), r"is \(3,\), wanted"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_text_encoder_that_is_hostile_is_refused(home: Path, tmp_path: Path, comfy: Path, name: str) -> None:  # noqa: F811
    change, message = HOSTILE[name]
    file, path = laid_apart(folder_of(home, "flux"), "flux", comfy), comfy / "text_encoders" / "t5xxl_fp16.safetensors"
    held = {key: tensor.clone() for key, tensor in load_file(path).items()}
    change(held, "encoder.final_layer_norm.weight")
    written(path, held)
    with pytest.raises(CheckpointError, match=message) as refused:
        opened(file, tmp_path / "profile")
    assert "\n" not in str(refused.value) and str(path) in str(refused.value)


def test_text_encoders_are_listed_and_checked(home: Path, tmp_path: Path, comfy: Path, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    laid_apart(folder_of(home, "flux"), "flux", comfy)
    profile = str(tmp_path / "profile")
    (comfy / "text_encoders" / "old.bin").write_bytes(PICKLE)
    written(comfy / "text_encoders" / "gemma.safetensors", {"model.embed_tokens.weight": torch.zeros(4, 4), "a.b": torch.zeros(1), "c.d": torch.zeros(1)})
    told = {verdict.name: verdict for verdict in listing(profile) if verdict.kind == "text encoder"}
    assert told["clip_l.safetensors"].family.startswith("CLIP text encoder of width") and told["t5xxl_fp16.safetensors"].family.startswith("T5 text encoder of")
    assert "is a pickle" in told["old.bin"].why and "is no text encoder that is known here; read are CLIP's and T5's" in told["gemma.safetensors"].why
    verdict = check("clip_l", profile)
    assert verdict.loadable and verdict.kind == "text encoder" and [row.state for row in verdict.rows] == ["sound"] * 4, verdict
    broken = comfy / "text_encoders" / "broken.safetensors"
    shutil.copy(comfy / "text_encoders" / "clip_l.safetensors", broken)
    written(broken, {key: torch.full_like(tensor, float("nan")) for key, tensor in load_file(broken).items()})
    assert "not finite" in check("broken", profile).why
    assert status(["models", "check", str(comfy / "text_encoders" / "old.bin"), "--profile", profile]) == 2
    assert "is a pickle" in capsys.readouterr().err

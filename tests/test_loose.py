"""A denoiser, text encoders and an autoencoder that lie apart, as ComfyUI and Forge keep them: together a checkpoint, or what lacks is said."""

from __future__ import annotations

import importlib.util
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from safetensors.torch import load_file

from engine.errors import CheckpointError
from engine.painter import PainterSpec
from models.catalog import open_checkpoint
from models.check import check, listing
from models.encoders import older
from models.facts import facts
from models.findings import Findings
from models.packed import is_packed, unpacked
from models.places import found_in
from models.prompted.checkpoint import PromptedCheckpoint
from models.sizes import sizes_of
from tests.conftest import need_package
from tests.hostile import PICKLE
from tests.loose_parts import coder_named, tiny_coder, words_named, written
from tests.one_denoiser import NAMED, packed_file
from tests.one_file import config, layout_of, part, unet_names
from tests.test_controlnets import beside
from tests.test_lone_controlnets import control_of, spelled
from tests.test_places import use
from tests.test_references import small_pictures  # noqa: F401 - a fixture of every test here
from tests.test_single_files import SHIPPED, SPEC, file_of, folder_of, home, layouts, painted  # noqa: F401 - two are fixtures
from tests.test_single_files import TRANSFORMERS as SINGLE
from tests.tiny_families import tiny_folder
from ui.cli import status

CALLED = {  # by family: of each of its text encoders, what the usual file is called
    "flux": {"text_encoder": "clip_l", "text_encoder_2": "t5xxl_fp16"}, "kontext": {"text_encoder": "clip_l", "text_encoder_2": "t5xxl_fp16"},
    "sd3": {"text_encoder": "clip_l", "text_encoder_2": "clip_g", "text_encoder_3": "t5xxl_fp16"},
    "sd1": {"text_encoder": "clip_l"}, "sdxl": {"text_encoder": "clip_l", "text_encoder_2": "clip_g"}, "sd2": {"text_encoder": "clip_l_of_h"},
    **{family: {"text_encoder": "qwen_3_4b"} for family in ("klein", "klein-base", "z-image-turbo")}, "chroma": {"text_encoder": "t5xxl_fp16"},
    **{family: {"text_encoder": "qwen_2.5_vl_7b"} for family in ("qwen-image", "qwen-edit", "qwen-edit-plus", "longcat-edit")},
    "flux2": {"text_encoder": "mistral_3_small_flux2_fp8"},
}  # fmt: skip
DENOISERS = {"flux": "flux1-dev", "kontext": "flux1-dev-kontext", "sd3": "sd3_medium", "sd1": "dream", "sdxl": "dreamxl", "sd2": "v2-1_768",
             "klein": "flux-2-klein-4b", "klein-base": "flux-2-klein-base-4b", "z-image-turbo": "z_image_turbo_bf16", "chroma": "Chroma1-HD",
             "qwen-image": "qwen_image_bf16", "qwen-edit": "qwen_image_edit_bf16", "qwen-edit-plus": "qwen_image_edit_2509_bf16",
             "longcat-edit": "longcat_image_edit_bf16", "flux2": "flux2_dev_fp8mixed"}  # fmt: skip
CODERS = {"sd3": "sd3_vae", "sd1": "mse", "sd2": "mse", "sdxl": "sdxl_vae", "klein": "flux2-vae", "klein-base": "flux2-vae", "flux2": "flux2-vae",
          **dict.fromkeys(("qwen-image", "qwen-edit", "qwen-edit-plus"), "qwen_image_vae"),
          **dict.fromkeys(("flux", "kontext", "z-image-turbo", "chroma", "longcat-edit"), "ae")}  # fmt: skip


def laid_apart(folder: Path, family: str, models: Path, words: str = "text_encoders", named: str = "", kind: str = "") -> Path:
    """A folder's parts in a ComfyUI. named: by whom the text encoders' tensors are named; kind: how GGUF packs them. The denoiser's file."""
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
        if kind and not clip:
            packed_file(folder, models / words / f"{name}.gguf", lambda tensors, name=name: words_named(tensors, name, "GGUF"), kind, encoder)
        else:
            written(models / words / f"{name}.safetensors", words_named(part(folder, encoder), name, named if clip else ""))
    if family == "flux2":  # whose words do not ship
        shutil.copytree(folder / "tokenizer", models / words / CALLED[family]["text_encoder"])
    written(models / "vae" / f"{CODERS[family]}.safetensors", coder_named(folder, "trained"))
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
    if family == "flux2":
        folder = folder_of(home, family)
        told = layout_of(folder) | {"tokenizer": {}}
        told["text_encoder"]["text_config"]["num_hidden_layers"] = 30
        told["text_encoder"]["without"] = json.loads((SHIPPED / "flux2.json").read_text())["text_encoder"]["without"]
        (home / "layouts" / "flux2.json").write_text(json.dumps(told))
        return folder
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
        assert ours.keys() == theirs.keys() or (family == "flux2" and ours.keys() < theirs.keys())  # that is asked for thirty layers
        assert all(torch.equal(ours[key], theirs[key]) for key in ours), name
    told = "\n".join(findings.notes)
    assert all(f"its {encoder} is {comfy / words / name}.safetensors" in told for encoder, name in CALLED[family].items()), told
    assert f"its autoencoder is {comfy / 'vae' / CODERS[family]}.safetensors" in told
    verdict = check(file.name, str(tmp_path / "profile"), paint=False)
    assert verdict.loadable and verdict.family == family and verdict.file_sha256 != verdict.sha256


@pytest.mark.parametrize(("family", "kind"), [("flux", "Q8_0"), ("sd3", "Q8_0"), ("chroma", "Q4_0"), ("klein", "BF16"), ("z-image-turbo", "F16")])
def test_text_encoders_in_gguf_paint_as_they_do_unpacked(home: Path, tmp_path: Path, comfy: Path, family: str, kind: str) -> None:  # noqa: F811
    need_package("gguf")
    folder = folder_of(home, family)
    file = laid_apart(folder, family, comfy, kind=kind)
    found, whole = opened(file, tmp_path / "profile"), opened(folder, tmp_path / "none")
    name = next(encoder for encoder, called in CALLED[family].items() if not called.startswith("clip"))
    packed = [key for key, weight in found.parts[name].named_parameters() if is_packed(weight)]
    assert bool(packed) == kind.startswith("Q") == any(key.endswith(".wo.weight") for key in packed)
    numbers = {key: unpacked(weight.detach()) if is_packed(weight) else weight for key, weight in found.parts[name].state_dict().items()}
    theirs = whole.parts[name].state_dict()
    assert numbers.keys() == theirs.keys() and all(torch.allclose(numbers[key], theirs[key], atol=0.1) for key in theirs)
    assert not all(torch.equal(numbers[key], theirs[key]) for key in theirs)  # packing loses a little
    whole.parts[name].load_state_dict(numbers)
    assert torch.equal(painted(found), painted(whole))
    half = replace(SPEC, dtype="bfloat16")
    assert painted(cast("PromptedCheckpoint", open_checkpoint(file, profile=str(tmp_path / "profile"), spec=half)), half).isfinite().all()
    verdict = check(f"{CALLED[family][name]}.gguf", str(tmp_path / "profile"))
    assert verdict.loadable and verdict.kind == "text encoder" and [row.state for row in verdict.rows] == ["sound"] * 4, verdict


def test_a_language_model_of_eight_bits_is_multiplied_by_its_scales(home: Path, tmp_path: Path, comfy: Path) -> None:  # noqa: F811
    file, path = laid_apart(folder_of(home, "qwen-edit"), "qwen-edit", comfy), comfy / "text_encoders" / "qwen_2.5_vl_7b.safetensors"
    held: dict[str, torch.Tensor] = {"scaled_fp8": torch.zeros(0).to(torch.float8_e4m3fn)}
    wanted = {}
    for key, tensor in load_file(path).items():
        if tensor.ndim == 2 and "_proj" in key:
            scale = tensor.abs().max() / 448
            held |= {key: (tensor / scale).to(torch.float8_e4m3fn), f"{key.removesuffix('weight')}scale_weight": scale}
            wanted[key] = held[key].float() * scale
        else:
            held[key] = tensor
    written(path, held)
    found = opened(file, tmp_path / "profile")
    numbers = {older(type(found.parts["text_encoder"]).__name__, key): tensor for key, tensor in wanted.items()}
    ours = found.parts["text_encoder"].state_dict()
    assert numbers and all(torch.equal(ours[key], tensor) for key, tensor in numbers.items()) and painted(found).isfinite().all()


def test_a_text_encoder_in_gguf_says_what_it_needs(home: Path, tmp_path: Path, comfy: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    need_package("gguf")
    file = laid_apart(folder_of(home, "chroma"), "chroma", comfy, kind="Q8_0")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CheckpointError, match=r"t5xxl_fp16\.gguf is GGUF, which needs the package gguf; install it \(pip install gguf\)"):
        opened(file, tmp_path / "profile")


NAMED_AS = {  # files by their names, and which they are taken for
    "klein": {"flux-2-klein-4b-fp8": "klein", "flux-2-klein-base-4b": "klein-base"},
    "qwen-image": {"qwen_image_fp8": "qwen-image", "qwen_image_edit": "qwen-edit", "Qwen-Image-Edit-2509": "qwen-edit-plus", "qwen_image_edit_2511": "qwen-edit-2511"},
}  # fmt: skip


@pytest.mark.parametrize("family", NAMED_AS)
def test_transformers_that_are_alike_are_told_apart_by_what_they_call_themselves(home: Path, tmp_path: Path, comfy: Path, family: str) -> None:  # noqa: F811
    file = laid_apart(folder_of(home, family), family, comfy)
    for other in ("klein-base",) if family == "klein" else ("qwen-edit", "qwen-edit-plus"):
        folder_of(home, other)
    told = {"like": "qwen-edit-plus", "transformer": {"zero_cond_t": True}}
    (home / "layouts" / "qwen-edit-2511.json").write_text(json.dumps(told))
    for name, wanted in NAMED_AS[family].items():
        findings = Findings()
        found = opened(file.rename(file.with_stem(name)), tmp_path / "profile", findings)
        assert found.family == wanted.replace("2511", "plus") and any(note.startswith("taken for") for note in findings.notes)
        assert bool(getattr(found.pipeline.transformer.config, "zero_cond_t", False)) == (wanted == "qwen-edit-2511")
        file = file.with_stem(name)
    if family == "qwen-image":
        written(file, load_file(file) | {"__index_timestep_zero__": torch.zeros(0)})
        found = opened(file.rename(file.with_stem("rapid")), tmp_path / "profile")
        assert found.family == "qwen-edit-plus" and found.pipeline.transformer.config.zero_cond_t


def test_an_autoencoder_of_wan_is_not_taken(home: Path, tmp_path: Path, comfy: Path) -> None:  # noqa: F811
    file = laid_apart(folder_of(home, "qwen-image"), "qwen-image", comfy)
    (comfy / "vae" / "qwen_image_vae.safetensors").rename(comfy / "vae" / "wan_2.1_vae.safetensors")
    with pytest.raises(CheckpointError, match="holds no autoencoder, and none for Qwen-Image is there; put one into the profile's vae folder"):
        opened(file, tmp_path / "profile")


@pytest.mark.parametrize(("family", "lost", "message"), [
    ("klein", "text_encoders/qwen_3_4b", r"holds the transformer alone; .*, or a Qwen 3 text encoder of width \d+ \(often called qwen_3_4b\) into its text_encoders folder"),
    ("qwen-edit", "text_encoders/qwen_2.5_vl_7b", r"alone; .*, or a Qwen 2.5 VL text encoder of width \d+ \(often called qwen_2.5_vl_7b\) into its text_encoders folder"),
    ("klein", "vae/flux2-vae", r"holds no autoencoder, and none for FLUX.2 klein is there; put one into the profile's vae folder"),
    ("flux", "text_encoders/t5xxl_fp16", r"holds the transformer alone; .*, or a T5 text encoder of width \d+ \(often called t5xxl\) into its text_encoders folder"),
    ("flux", "text_encoders/clip_l", r"holds the transformer alone; .*, or a CLIP text encoder of width \d+ \(often called clip_l\) into its text_encoders folder"),
    ("flux", "vae/ae", r"holds no autoencoder, and none for FLUX.1 is there; put one into the profile's vae folder"),
])  # fmt: skip
def test_what_lacks_is_named(home: Path, tmp_path: Path, comfy: Path, family: str, lost: str, message: str) -> None:  # noqa: F811
    file = laid_apart(folder_of(home, family), family, comfy)
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


@pytest.mark.parametrize("lent", [False, True])
def test_a_controlnet_goes_with_a_denoiser_that_lies_alone(home: Path, tmp_path: Path, comfy: Path, lent: bool) -> None:  # noqa: F811
    """Whether the other parts lie alone too or a folder lends them; and it counts with them in the estimate."""
    folder, profile = folder_of(home, "sd1"), tmp_path / "profile"
    file, network = laid_apart(folder, "sd1", comfy), control_of(folder)
    both = beside(Path(shutil.copytree(folder, tmp_path / "both")), network)
    control = written(comfy / "controlnet" / "canny.safetensors", spelled(network, "trained"))
    if lent:
        shutil.copytree(folder, profile / "checkpoints" / "lender")
        shutil.rmtree(comfy / "text_encoders")
    spec = replace(SPEC, checkpoint=str(file), profile=str(profile), controlnet=control.stem)
    found = cast("PromptedCheckpoint", open_checkpoint(file, None, str(profile), spec))
    assert found.family == "sd-control" and torch.equal(painted(found), painted(opened(both, profile)))
    told = sizes_of(next(one for one in found_in(profile) if one.path == file), spec).parts
    assert told["controlnet"] == sum(weight.numel() for weight in network.parameters()) and told.keys() == found.parts.keys()


@pytest.mark.parametrize("family", ["flux", "sd3", "sdxl", "sd2", "klein", "qwen-edit", "flux2"])
def test_an_estimate_counts_all_that_would_be_taken(home: Path, tmp_path: Path, comfy: Path, family: str) -> None:  # noqa: F811
    file, profile = laid_apart(laid_out(home, family), family, comfy), tmp_path / "profile"
    found = next(one for one in found_in(profile) if one.path == file)
    told = sizes_of(found, PainterSpec(profile=str(profile)))
    held = {name: sum({tensor.data_ptr(): tensor.numel() for tensor in part.state_dict().values()}.values()) for name, part in opened(file, profile).parts.items()}
    assert told.family == family and told.parts.keys() == held.keys()
    assert all(told.parts[part] == pytest.approx(held[part], rel=0.05) for part in held), (told.parts, held)
    (fact,) = (one for one in facts(PainterSpec(profile=str(profile), device="cpu")) if one.name == file.name)
    (verdict,) = (one for one in listing(str(profile)) if one.name == file.name)
    assert fact.parameters == verdict.parameters == sum(told.parts.values()) and verdict.family == fact.family == family
    (comfy / "text_encoders" / f"{CALLED[family]['text_encoder']}.safetensors").unlink()
    (verdict,) = (one for one in listing(str(profile)) if one.name == file.name)
    assert verdict.loadable and family in verdict.family.split(", ") and verdict.parameters == told.parts["transformer" if "transformer" in held else "unet"]


def test_an_estimate_counts_what_a_folder_lends_and_the_autoencoder_that_is_asked_for(home: Path, tmp_path: Path, comfy: Path) -> None:  # noqa: F811
    file, profile = laid_apart(folder_of(home, "sd1"), "sd1", comfy), tmp_path / "profile"
    found, spec = next(one for one in found_in(profile) if one.path == file), PainterSpec(profile=str(profile), checkpoint=file.name)
    before = sizes_of(found, spec)
    tiny = written(comfy / "vae_approx" / "taesd.safetensors", tiny_coder().state_dict())
    small = sizes_of(found, replace(spec, vae=str(tiny))).parts
    assert small["vae"] == sum(tensor.numel() for tensor in tiny_coder().parameters()) and small | {"vae": 0} == before.parts | {"vae": 0}
    told = {one.name: one.parameters for one in facts(replace(spec, vae=str(tiny)))}
    assert told[file.name] == sum(small.values())
    lent = tiny_folder(profile / "checkpoints" / "mine", "sd1", seed=3)
    (comfy / "text_encoders" / "clip_l.safetensors").unlink()
    tiny.unlink()
    held = opened(lent, profile).parts
    assert sizes_of(found, spec).parts == {part: sum(weight.numel() for weight in held[part].parameters()) for part in held}


def test_one_that_is_given_by_its_path_is_told_of_as_by_its_name(home: Path, tmp_path: Path, comfy: Path) -> None:  # noqa: F811
    file, profile = laid_apart(folder_of(home, "flux"), "flux", comfy), str(tmp_path / "profile")
    (fact,) = (one for one in facts(PainterSpec(str(file), profile=profile, device="cpu")) if one.name == str(file))
    (same,) = (one for one in facts(PainterSpec(profile=profile, device="cpu")) if one.name == file.name)
    assert replace(fact, name=file.name) == same and same.needs_mb * 1e6 > 4 * same.parameters
    assert not [one for one in facts(PainterSpec("gone", profile=profile)) if one.name == "gone"]


HOSTILE: dict[str, tuple[Any, str]] = {
    "a number that is none": (lambda held, name: held[name].fill_(float("nan")), "not finite"),
    "a tensor that is missing": (lambda held, name: held.pop(name), "is missing"),
    "a tensor too many": (lambda held, name: held.update({"encoder.more.weight": torch.zeros(2)}), "encoder.more.weight does not belong there"),
    "a tensor of another shape": (lambda held, name: held.update({name: torch.zeros(3)}), r"is \(3,\), wanted"),
}


@pytest.mark.parametrize(("family", "called", "norm"), [
    ("flux", "t5xxl_fp16", "encoder.final_layer_norm.weight"), ("klein", "qwen_3_4b", "model.norm.weight"),
    ("z-image-turbo", "qwen_3_4b", "model.norm.weight"), ("qwen-edit", "qwen_2.5_vl_7b", "visual.merger.ln_q.weight"),
])  # fmt: skip
@pytest.mark.parametrize("name", HOSTILE)
def test_a_text_encoder_that_is_hostile_is_refused(
    home: Path, tmp_path: Path, comfy: Path, name: str, family: str, called: str, norm: str  # noqa: F811
) -> None:
    change, message = HOSTILE[name]
    file, path = laid_apart(folder_of(home, family), family, comfy), comfy / "text_encoders" / f"{called}.safetensors"
    held = {key: tensor.clone() for key, tensor in load_file(path).items()}
    change(held, norm)
    written(path, held)
    with pytest.raises(CheckpointError, match=message) as refused:
        opened(file, tmp_path / "profile")
    assert "\n" not in str(refused.value) and str(path) in str(refused.value)


@pytest.mark.usefixtures("libraries_at_hand")
def test_text_encoders_are_listed_and_checked(home: Path, tmp_path: Path, comfy: Path, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    files = {family: laid_apart(folder_of(home, family), family, comfy) for family in ("flux", "klein", "qwen-edit")}
    profile = str(tmp_path / "profile")
    (comfy / "text_encoders" / "old.bin").write_bytes(PICKLE)
    written(comfy / "text_encoders" / "gemma.safetensors", {"model.embed_tokens.weight": torch.zeros(4, 4), "a.b": torch.zeros(1), "c.d": torch.zeros(1)})
    told = {verdict.name: verdict for verdict in listing(profile) if verdict.kind == "text encoder"}
    assert told["clip_l.safetensors"].family.startswith("CLIP text encoder of width") and told["t5xxl_fp16.safetensors"].family.startswith("T5 text encoder of")
    assert told["qwen_3_4b.safetensors"].family.startswith("Qwen 3 text encoder of") and told["qwen_2.5_vl_7b.safetensors"].family.startswith("Qwen 2.5 VL text")
    coders = {verdict.name: verdict.family for verdict in listing(profile) if verdict.kind == "vae"}
    assert coders["flux2-vae.safetensors"].startswith("FLUX.2 autoencoder") and coders["qwen_image_vae.safetensors"].startswith("Qwen-Image autoencoder")
    assert "is a pickle" in told["old.bin"].why and "is no text encoder that is known here; read are CLIP's and T5's" in told["gemma.safetensors"].why
    verdict = check("clip_l", profile)
    assert verdict.loadable and verdict.kind == "text encoder" and [row.state for row in verdict.rows] == ["sound"] * 4, verdict
    broken = comfy / "text_encoders" / "broken.safetensors"
    shutil.copy(comfy / "text_encoders" / "clip_l.safetensors", broken)
    written(broken, {key: torch.full_like(tensor, float("nan")) for key, tensor in load_file(broken).items()})
    assert "not finite" in check("broken", profile).why
    assert status(["models", "check", str(comfy / "text_encoders" / "old.bin"), "--profile", profile]) == 2
    assert "is a pickle" in capsys.readouterr().err
    for family, wanted in (("klein", "a Qwen 3 text encoder of width 2560 (often called qwen_3_4b)"), ("qwen-edit", "a Qwen 2.5 VL text encoder of width 3584")):
        assert status(["models", "check", str(files[family]), "--profile", profile]) == 2  # by the layouts that ship, in a process of its own
        said = capsys.readouterr().err
        assert wanted in said and said.count("\n") == 1 and "Traceback" not in said

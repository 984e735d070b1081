"""ControlNets that lie alone: found, checked, and painted with beside checkpoints of one file and of folders."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from safetensors.torch import load_file

from engine.checkpoints import opened_as
from engine.errors import CheckpointError
from engine.painter import PainterSpec
from models.arrangements import CONTROL, announced
from models.catalog import check_spec, first_look, open_checkpoint, open_painter
from models.check import check, listing
from models.controlnets import ControlNet, controlnet, misfit
from models.facts import fact
from models.families import FAMILIES
from models.findings import Findings
from models.layout import layout
from models.places import PROFILE, Found, found_in
from models.prompted.checkpoint import PromptedCheckpoint
from models.watching import SAID
from tests.hostile import FILE, PICKLE, edit_json
from tests.loose_parts import written
from tests.one_file import config, control_tensors, part, whole_file
from tests.test_controlnets import beside
from tests.test_places import told, use
from tests.test_single_files import SHIPPED, SPEC, folder_of, home, layouts, painted  # noqa: F401 - two are fixtures
from tests.tiny_families import tiny_controlnet
from ui import checkpoints as command
from ui.options import Choice
from ui.start import _Here

CONTROLLED = [row.name for row in FAMILIES if row.control]
SPELLED = ("diffusers", "trained", "trained, without a beginning")
Tensors = dict[str, torch.Tensor]


def opened(path: Path, control: Path | str = "", profile: Path | None = None, findings: Findings | None = None) -> PromptedCheckpoint:
    found = open_checkpoint(path, findings, str(profile) if profile else None, replace(SPEC, controlnet=str(control), profile=str(profile) if profile else None))
    assert isinstance(found, PromptedCheckpoint)
    return found


def control_of(folder: Path, seed: int = 3, **otherwise: Any) -> Any:
    """A ControlNet for the folder's U-Net, which is shown the noisy latents alone."""
    torch.manual_seed(seed)
    settings = {**config(folder, "unet"), "in_channels": 4, "time_cond_proj_dim": None, **otherwise}
    return tiny_controlnet(diffusers.UNet2DConditionModel.from_config(settings))


def spelled(network: Any, how: str) -> Tensors:
    tensors = network.state_dict()
    if how == "diffusers":
        return dict(tensors)
    return control_tensors(tensors, network.config.layers_per_block, "control_model." if how == "trained" else "")


def plain(home: Path, family: str) -> Path:  # noqa: F811
    """The family's folder without a ControlNet."""
    return folder_of(home, {"sd-control": "sd1"}.get(family, family.removesuffix("-control")))


@pytest.mark.parametrize("family", CONTROLLED)
def test_a_file_with_a_controlnets_file_paints_as_the_folder_with_both(home: Path, tmp_path: Path, family: str) -> None:  # noqa: F811
    folder = plain(home, family)
    network = control_of(folder)
    both = opened(beside(Path(shutil.copytree(folder, tmp_path / "both")), network))
    wanted = painted(both)
    single = whole_file(folder, tmp_path / f"{'turbo' if 'turbo' in family else 'dream'}.safetensors")
    bare = opened(single)
    assert both.family == family and not torch.equal(painted(bare), wanted)
    for how in SPELLED[:2]:
        file = written(tmp_path / "canny.safetensors", spelled(network, how))
        found = opened(single, file)
        assert found.family == family and torch.equal(painted(found), wanted), how
        assert found.control == "canny.safetensors" and found.sha256 != bare.sha256 and both.control == bare.control == ""


@pytest.mark.parametrize("family", ["sd-control", "sdxl-control"])
def test_a_folder_takes_a_controlnets_folder_in_the_place_of_its_own_too(home: Path, tmp_path: Path, family: str) -> None:  # noqa: F811
    folder = plain(home, family)
    network = control_of(folder)
    both = beside(Path(shutil.copytree(folder, tmp_path / "both")), network)
    lone = Path(shutil.copytree(both / "controlnet", tmp_path / "profile" / "controlnets" / "canny"))
    edit_json(lone / "config.json", controlnet_conditioning_channel_order="bgr")
    edit_json(both / "controlnet" / "config.json", controlnet_conditioning_channel_order="bgr")
    wanted = painted(opened(both))
    found = opened(folder, "canny", tmp_path / "profile")
    assert torch.equal(painted(found), wanted) and found.control == "canny" and found.pipeline.controlnet.config.controlnet_conditioning_channel_order == "bgr"
    own = beside(Path(shutil.copytree(folder, tmp_path / "own")), control_of(folder, seed=4))
    findings = Findings()
    assert not torch.equal(painted(opened(own)), wanted) and torch.equal(painted(opened(own, lone, findings=findings)), wanted)
    assert f"its ControlNet is {lone}" in findings.notes
    painter = open_painter(replace(SPEC, checkpoint=str(folder), controlnet=str(lone)))
    assert painter.info.family == family and painter.info.note.endswith("The ControlNet is canny.")


@pytest.mark.parametrize("how", SPELLED)
def test_one_with_less_of_a_u_net_is_told_by_its_tensors(home: Path, tmp_path: Path, how: str) -> None:  # noqa: F811
    """As the small ones of Stable Diffusion XL, which attend to nothing."""
    folder = folder_of(home, "sdxl")
    network = control_of(folder, down_block_types=["DownBlock2D", "DownBlock2D"], up_block_types=["UpBlock2D", "UpBlock2D"], mid_block_type="UNetMidBlock2D")
    file = written(tmp_path / "small.safetensors", spelled(network, how))
    both = beside(Path(shutil.copytree(folder, tmp_path / "both")), network)
    assert torch.equal(painted(opened(folder, file)), painted(opened(both)))
    assert controlnet(file).title == "ControlNet for Stable Diffusion XL"


def test_deeper_attention_and_more_layers_are_told_by_its_tensors(home: Path, tmp_path: Path) -> None:  # noqa: F811
    """As Stable Diffusion XL's, each of whose blocks looks at the words another number of times."""
    settings = {
        **config(folder_of(home, "sdxl"), "unet"), "layers_per_block": 2, "block_out_channels": [32, 32, 64], "transformer_layers_per_block": [1, 2, 3],
        "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"], "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    }  # fmt: skip
    folder = Path(shutil.copytree(folder_of(home, "sdxl"), tmp_path / "deep"))
    torch.manual_seed(0)
    unet = diffusers.UNet2DConditionModel.from_config(settings)
    unet.save_pretrained(folder / "unet")
    network = tiny_controlnet(unet)
    file = written(tmp_path / "deep.safetensors", spelled(network, "trained"))
    found = opened(folder, file).pipeline.controlnet
    assert {**found.config}["transformer_layers_per_block"][1:] == [2, 3] and found.config.layers_per_block == 2
    assert all(torch.equal(tensor, network.state_dict()[name]) for name, tensor in found.state_dict().items())
    assert opened(folder, file).family == "sdxl-control" and check(str(file)).loadable


SMALL = {"down_block_types": ["DownBlock2D"] * 3, "mid_block_type": "UNetMidBlock2D", "transformer_layers_per_block": [0, 0, 0]}


@pytest.mark.parametrize(("family", "otherwise", "numbers"), [
    ("sd1", {}, 361_279_120), ("sd2", {}, 364_228_240), ("sdxl", {}, 1_251_014_160), ("sdxl", {"transformer_layers_per_block": [0, 0, 1]}, 272_586_000),
    ("sdxl", SMALL, 125_690_640),
])  # fmt: skip
def test_those_of_real_size_are_told_by_their_tensors_in_either_spelling(monkeypatch: pytest.MonkeyPatch, family: str, otherwise: dict[str, Any], numbers: int) -> None:
    monkeypatch.setattr("models.layout.LAYOUTS", SHIPPED)
    unet = layout(family)["unet"]
    known = {key: value for key, value in {**unet, **otherwise}.items() if key not in ("sample_size", "out_channels", "up_block_types")}
    with torch.device("meta"):
        network = diffusers.ControlNetModel(**known)
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert sum(tensor.numel() for tensor in network.parameters()) == numbers
    for how in SPELLED:
        tensors = {name.removeprefix("control_model."): tensor for name, tensor in spelled(network, how).items()}
        made = CONTROL.rename({name: announced(name, tuple(tensor.shape)) for name, tensor in tensors.items()}, {"layers_per_block": 2})
        settings = ControlNet(Path(), Path(), "", 2).config({name: tuple(tensor.shape) for name, tensor in made.items()}, unet)
        with torch.device("meta"):
            found = diffusers.ControlNetModel.from_config(settings)
        assert {name: tuple(tensor.shape) for name, tensor in found.state_dict().items()} == wanted and not misfit(settings, unet)
        assert [settings[name] for name in ("attention_head_dim", "cross_attention_dim")] == [unet[name] for name in ("attention_head_dim", "cross_attention_dim")]


def test_one_made_for_instruct_pix2pix_is_shown_the_picture_too(home: Path, tmp_path: Path) -> None:  # noqa: F811
    file = written(tmp_path / "edits.safetensors", spelled(control_of(folder_of(home, "pix2pix"), in_channels=8), "trained"))
    assert opened(folder_of(home, "pix2pix"), file).pipeline.controlnet.config.in_channels == 8
    with pytest.raises(CheckpointError, match=r"does not go with sd1: it is shown latents of 8 channels, the denoiser of 4; give one made for Stable Diffusion, or leave"):
        opened(folder_of(home, "sd1"), file)


def test_what_is_said_and_cannot_be_is_refused(home: Path, tmp_path: Path) -> None:  # noqa: F811
    folder = folder_of(home, "sd1")
    for family, network, why in (
        ("sd1", control_of(folder_of(home, "sdxl")), "it is told words of width 64, the denoiser of 32"),
        ("sdxl", control_of(folder), "it is told words of width 32, the denoiser of 64"),
        ("sd1", control_of(folder, block_out_channels=[32, 64]), r"its blocks have \(32, 64\) channels, the denoiser's \(32, 32\)"),
        ("sd1", control_of(folder, layers_per_block=2), "its blocks have 2 layers, the denoiser's 1"),
        ("sdxl", control_of(folder, cross_attention_dim=64), "beside words it is told nothing, the denoiser text_time"),
    ):
        file = written(tmp_path / "wrong.safetensors", spelled(network, "trained"))
        for target in (folder_of(home, family), whole_file(folder_of(home, family), tmp_path / "dream.safetensors")):
            with pytest.raises(CheckpointError, match=rf"wrong\.safetensors does not go with {target.name}: {why}; give one made for") as refused:
                opened(target, file)
            assert "\n" not in str(refused.value)
    with pytest.raises(CheckpointError, match=r"the checkpoint flux is of FLUX\.1, which takes no ControlNet; leave --controlnet out"):
        opened(folder_of(home, "flux"), file)
    with pytest.raises(CheckpointError, match="--controlnet: there is no ControlNet 'none'; known are none; or give a folder or a file"):
        first_look(PainterSpec(str(folder), controlnet="none"))
    for name in ("bundled", "guide", "random:sd-turbo"):
        with pytest.raises(CheckpointError, match=f"the checkpoint {name} takes no ControlNet; leave --controlnet out"):
            check_spec(PainterSpec(name, controlnet=str(file)))
    assert Choice(controlnet="canny").spec().controlnet == "canny"


OTHERS = {
    "a union of several ControlNets": "task_embedding", "a ControlNet-XS": "enc_zero_convs_out.0.weight", "a Control-LoRA": "lora_controlnet",
    "a ControlNet-LLLite": "lllite_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q.down.0.weight",
    "a ControlNet of a diffusion transformer": "controlnet_x_embedder.weight", "a T2I adapter": "adapter.body.0.resnets.0.block1.weight",
    "an IP-Adapter": "image_proj.proj.weight", "no ControlNet that is known here": "unet.mid_block.lora_A.weight",
}  # what files say that are like a ControlNet, and a LoRA  # fmt: skip


@pytest.mark.parametrize("what", OTHERS)
def test_what_is_like_one_is_refused_by_its_name(home: Path, tmp_path: Path, what: str) -> None:  # noqa: F811
    tensors = spelled(control_of(folder_of(home, "sd1")), "diffusers") if "union" in what else {f"x{number}": torch.zeros(2, 2, 3, 3) for number in range(3)}
    file = written(tmp_path / "other.safetensors", {**tensors, OTHERS[what]: torch.zeros(2, 2, 3, 3)})
    for use_it in (lambda: first_look(PainterSpec(str(folder_of(home, "sd1")), controlnet=str(file))), lambda: opened(folder_of(home, "sd1"), file)):
        with pytest.raises(CheckpointError, match=rf"other\.safetensors is {what}; read are plain ones of Stable Diffusion 1, 2 and XL"):
            use_it()
    verdict = check(str(file))
    assert not verdict.loadable and (verdict.kind == "lora" or f"is {what}" in verdict.why)


HOSTILE: dict[str, tuple[Any, str, str]] = {
    "a number that is none": (lambda held: held["controlnet_mid_block.bias"].fill_(float("nan")), "finite", "not finite"),
    "a tensor that is missing": (lambda held: held.pop("mid_block.resnets.0.conv1.bias"), "tensors", "conv1.bias of its controlnet is missing"),
    "a tensor too many": (lambda held: held.update({"mid_block.more.weight": torch.zeros(2)}), "tensors", "mid_block.more.weight does not belong there"),
    "a tensor of another shape": (lambda held: held.update({"controlnet_mid_block.bias": torch.zeros(4)}), "tensors", r"is \(4,\), wanted \(32,\)"),
    "a tensor of whole numbers": (lambda held: held.update({"controlnet_mid_block.bias": torch.zeros(32, dtype=torch.int64)}), "tensors", "wanted floats"),
    "a shape that is none": (lambda held: held.update({"conv_in.weight": torch.zeros(())}), "tensors", r"conv_in\.weight of its controlnet is \(\)"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_one_that_is_hostile_is_refused_by_the_check_and_when_it_is_used(home: Path, tmp_path: Path, name: str) -> None:  # noqa: F811
    change, row, message = HOSTILE[name]
    folder = folder_of(home, "sd1")
    tensors = {key: tensor.clone() for key, tensor in spelled(control_of(folder), "diffusers").items()}
    twin = written(tmp_path / "twin.safetensors", tensors)
    verdict = check(str(twin))
    assert verdict.loadable and verdict.kind == "controlnet" and all(one.state == "sound" for one in verdict.rows), verdict
    assert check(str(twin), fits=str(folder)).loadable
    change(tensors)
    file = written(tmp_path / "hostile.safetensors", tensors)
    verdict = check(str(file))
    assert not verdict.loadable and verdict.kind == "controlnet" and "\n" not in verdict.why
    assert [one.name for one in verdict.rows if one.state == "refused"] == [row]
    with pytest.raises(CheckpointError, match=f"{message}|does not go with sd1") as refused:
        opened(folder, file)
    assert "\n" not in str(refused.value) and str(file) in str(refused.value)


def test_a_folder_is_looked_over_before_anything_in_it_is_read(home: Path, tmp_path: Path) -> None:  # noqa: F811
    folder, lone = folder_of(home, "sd1"), tmp_path / "canny"
    control_of(folder).save_pretrained(lone)
    assert check(str(lone)).loadable and check(str(lone)).kind == "controlnet"
    away = tmp_path / "away.safetensors"
    shutil.copy(lone / FILE, away)

    def refused(change: Any, why: str) -> None:
        made = Path(shutil.copytree(lone, tmp_path / "made"))
        change(made)
        for verdict in (check(str(made)), check(str(folder), paint=False)):
            assert verdict.loadable == (verdict.path == str(folder)), verdict
        with pytest.raises(CheckpointError, match=why) as error:
            first_look(PainterSpec(str(folder), controlnet=str(made)))
        assert "\n" not in str(error.value)
        with pytest.raises(CheckpointError, match=why):
            opened(folder, made)
        shutil.rmtree(made)

    def linked(made: Path) -> None:
        (made / FILE).unlink()
        (made / FILE).symlink_to(away)

    def pickled(made: Path) -> None:
        (made / FILE).rename(made / "diffusion_pytorch_model.bin")
        (made / "diffusion_pytorch_model.bin").write_bytes(PICKLE)

    refused(lambda made: (made / "run.py").write_text("x"), r"run\.py is code")
    refused(lambda made: edit_json(made / "config.json", auto_map={"x": "y"}), "'auto_map' names code to be run")
    refused(lambda made: edit_json(made / "config.json", layers_per_block=10**9), "layers_per_block is 1000000000; at most")
    refused(lambda made: edit_json(made / "config.json", _class_name="ControlNetUnionModel"), "is no ControlNet's folder")
    refused(lambda made: (made / FILE).write_bytes(PICKLE), "is a pickle")
    refused(linked, "links outside")
    refused(pickled, "is a pickle")
    edit_json(lone / "config.json", layers_per_block="many", in_channels="x")
    with pytest.raises(CheckpointError, match="its blocks have many layers"):
        opened(folder, lone)
    assert not check(str(lone)).loadable


def test_they_are_found_where_other_programs_keep_them(home: Path, tmp_path: Path) -> None:  # noqa: F811
    profile, comfy, forge = tmp_path / "profile", tmp_path / "ComfyUI" / "models", tmp_path / "forge"
    tensors = spelled(control_of(folder_of(home, "sd1")), "trained")
    profile.mkdir()
    (comfy / "checkpoints").mkdir(parents=True)
    (forge / "models" / "Stable-diffusion").mkdir(parents=True)
    for place in (comfy / "controlnet" / "SD1" / "a", forge / "models" / "ControlNet" / "b", forge / "extensions" / "sd-webui-controlnet" / "models" / "c"):
        written(place.with_suffix(".safetensors"), tensors)
    control_of(folder_of(home, "sd1")).save_pretrained(comfy / "controlnet" / "depth")
    hub = tmp_path / "hub"
    for repository, name in (("me/sd-controlnet-canny", ""), ("me/several", "depth"), ("me/ControlNet-v1-1", "control_v11p_sd15_lineart"), ("me/models", "models/dream")):
        snapshot = hub / f"models--{repository.replace('/', '--')}" / "snapshots" / "abc" / name
        if repository == "me/several" or not name:
            control_of(folder_of(home, "sd1")).save_pretrained(snapshot)
        else:
            written(snapshot.with_name(f"{snapshot.name}.safetensors"), tensors)
    use(profile, tmp_path / "ComfyUI", forge, hub)
    assert told(profile) == {
        ("controlnet", "a.safetensors", "ComfyUI"), ("controlnet", "depth", "ComfyUI"), ("controlnet", "b.safetensors", "A1111 or Forge"),
        ("controlnet", "c.safetensors", "A1111 or Forge"), ("controlnet", "me/sd-controlnet-canny", "hub cache"),
        ("controlnet", "me/several/depth", "hub cache"), ("controlnet", "me/ControlNet-v1-1/control_v11p_sd15_lineart.safetensors", "hub cache"),
        ("checkpoint", "me/models/models/dream.safetensors", "hub cache"),
    }  # fmt: skip
    assert {verdict.name for verdict in listing(str(profile)) if verdict.kind == "controlnet" and verdict.loadable and "ControlNet for words" in verdict.family} == {
        name for kind, name, _ in told(profile) if kind == "controlnet"
    }
    folder = folder_of(home, "sd1")
    assert opened(folder, "sd-controlnet-canny", profile).control == "sd-controlnet-canny"
    assert opened(folder, "control_v11p_sd15_lineart", profile).control == "control_v11p_sd15_lineart.safetensors"


def test_they_go_into_the_profile_and_out_again(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr("models.apart.apart", lambda work, *given: work(*given))
    choice, folder = Choice(profile=tmp_path / "profile"), folder_of(home, "sd1")
    network = control_of(folder)
    network.save_pretrained(tmp_path / "depth")
    for path in (written(tmp_path / "canny.safetensors", spelled(network, "trained")), tmp_path / "depth"):
        command.add(choice, path)
        assert f"use it with --controlnet {path.name}" in capsys.readouterr().out
    assert torch.equal(load_file(tmp_path / "profile" / "controlnets" / "depth" / FILE)["conv_in.bias"], network.conv_in.bias)
    command.show_all(choice)
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert all("ControlNet for words of width 32" in lines[name] for name in ("canny.safetensors", "depth"))
    command.check(choice, "depth")
    assert "kind       controlnet" in capsys.readouterr().out
    command.check(replace(choice, checkpoint=str(folder)), "canny")
    assert "its ControlNet is" in capsys.readouterr().out
    for name in ("depth", "canny.safetensors"):
        command.remove(choice, name)
    assert not found_in(tmp_path / "profile")
    assert PROFILE.keys() == command.FOLDERS.keys() == command.USES.keys() == SAID.keys()


def test_its_size_counts_in_the_plan_of_the_checkpoint_that_it_was_given_with(home: Path, tmp_path: Path) -> None:  # noqa: F811
    folder = folder_of(home, "sd1")
    network = control_of(folder)
    file = written(tmp_path / "canny.safetensors", spelled(network, "trained"))
    spec = replace(SPEC, checkpoint="sd1", controlnet=str(file))
    found, bare = Found("sd1", folder, "checkpoint"), fact(Found("sd1", folder, "checkpoint"), replace(spec, controlnet=""))
    more = sum(parameter.numel() for parameter in network.parameters())
    assert fact(found, spec).parameters == bare.parameters + more and fact(found, spec).needs_mb > bare.needs_mb
    assert fact(found._replace(name="other"), opened_as(spec, "other")).parameters == bare.parameters
    here = _Here(replace(spec, checkpoint=str(folder)))
    assert here.spec_of(str(folder)).controlnet == str(file) and here.spec_of("bundled").controlnet == ""
    assert here._needs(here.spec_of(str(folder))) > here._needs(replace(spec, checkpoint=str(folder), controlnet=""))


def test_a_file_that_holds_a_denoiser_too_is_none(home: Path, tmp_path: Path) -> None:  # noqa: F811
    folder = folder_of(home, "sd1")
    whole = load_file(whole_file(folder, tmp_path / "dream.safetensors"))
    file = written(tmp_path / "both.safetensors", {**whole, **spelled(control_of(folder), "trained")})
    with pytest.raises(CheckpointError, match=r"both\.safetensors is no ControlNet that is known here"):
        opened(folder, file)
    assert "does not belong to a checkpoint" in check(str(file)).why and part(folder, "unet")
    assert json.loads((folder / "model_index.json").read_text()).get("controlnet") is None

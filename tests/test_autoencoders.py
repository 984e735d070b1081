"""Autoencoders that lie alone: found, checked, and painted with where the user, a name or a setting says so."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.errors import CheckpointError, InputError
from engine.painter import PainterSpec
from models.autoencoders import autoencoder
from models.catalog import check_spec, first_look, open_checkpoint, open_painter
from models.check import check, glance
from models.findings import Findings
from models.places import found_in
from models.prompted.checkpoint import PromptedCheckpoint
from tests.hostile import PICKLE
from tests.loose_parts import coder_named, tiny_coder, tiny_halves, written
from tests.one_file import whole_file
from tests.test_painters import ask, drawn, empty, show
from tests.test_places import use
from tests.test_references import small_pictures  # noqa: F401 - a fixture of every test here
from tests.test_single_files import SPEC, folder_of, home, layouts, painted  # noqa: F401 - two are fixtures
from tests.tiny_families import tiny_folder
from ui import checkpoints as command
from ui.cli import status
from ui.options import Choice

NAMES = ("trained", "trained, in a whole file", "diffusers", "older diffusers")


def opened(path: Path, profile: Path | None = None, vae: str = "auto", findings: Findings | None = None) -> PromptedCheckpoint:
    spec = replace(SPEC, vae=vae)
    found = open_checkpoint(path, findings, str(profile) if profile else None, spec)
    assert isinstance(found, PromptedCheckpoint)
    return found


@pytest.fixture(scope="module")
def other(home: Path) -> Path:  # noqa: F811
    """A checkpoint whose autoencoder is another, of the family's own size."""
    folder_of(home, "sd1")
    return tiny_folder(home / "other", "sd1", seed=1)


def with_coder(folder: Path, coder: Path | Any, to: Path) -> Path:
    """The folder with another's autoencoder, or with a network as its autoencoder."""
    made = Path(shutil.copytree(folder, to))
    shutil.rmtree(made / "vae")
    if isinstance(coder, Path):
        shutil.copytree(coder / "vae", made / "vae")
        return made
    coder.save_pretrained(made / "vae")
    index = json.loads((made / "model_index.json").read_text())
    (made / "model_index.json").write_text(json.dumps({**index, "vae": ["diffusers", type(coder).__name__]}))
    return made


@pytest.mark.parametrize("named", NAMES)
def test_one_is_painted_with_however_its_tensors_are_named(home: Path, other: Path, tmp_path: Path, named: str) -> None:  # noqa: F811
    folder, file = folder_of(home, "sd1"), written(tmp_path / "mse.safetensors", coder_named(other, named))
    wanted = painted(opened(with_coder(folder, other, tmp_path / "both")))
    found, own = opened(folder, vae=str(file)), opened(folder)
    assert torch.equal(painted(found), wanted) and not torch.equal(painted(own), wanted)
    assert found.coder == "mse.safetensors" and found.sha256 != own.sha256 and own.coder == ""
    single = whole_file(folder, tmp_path / "dream.safetensors")
    assert torch.equal(painted(opened(single, vae=str(file))), wanted)


@pytest.mark.parametrize(("family", "named"), [
    ("klein", "trained"), ("klein", "trained, nested"), ("klein", "diffusers"), ("qwen-edit", "trained"), ("qwen-edit", "diffusers"),
])  # fmt: skip
def test_those_of_flux2_and_qwen_image_are_painted_with_too(home: Path, tmp_path: Path, family: str, named: str) -> None:  # noqa: F811
    folder, lender = folder_of(home, family), tiny_folder(tmp_path / "lender", family, seed=1)
    file = written(tmp_path / "mine.safetensors", coder_named(lender, named))
    wanted = painted(opened(with_coder(folder, lender, tmp_path / "both")))
    found, own = opened(folder, vae=str(file)), opened(folder)
    assert torch.equal(painted(found), wanted) and not torch.equal(painted(own), wanted)
    assert autoencoder(file).title.startswith("FLUX.2 " if family == "klein" else "Qwen-Image ") and not autoencoder(file).called


def test_a_folder_with_the_older_names_is_read_as_the_library_reads_it(home: Path, tmp_path: Path) -> None:  # noqa: F811
    """As Stable Diffusion's own folders name the attention of their autoencoders."""
    folder = Path(shutil.copytree(folder_of(home, "sd1"), tmp_path / "old"))
    weights = folder / "vae" / "diffusion_pytorch_model.safetensors"
    save_file(coder_named(folder, "older diffusers"), weights)
    assert any("proj_attn" in name for name in load_file(weights))
    theirs, ours = diffusers.AutoencoderKL.from_pretrained(folder / "vae", local_files_only=True).state_dict(), opened(folder).pipeline.vae.state_dict()
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_tiny_pair_in_another_programs_folder_gives_the_fast_autoencoder(home: Path, tmp_path: Path) -> None:  # noqa: F811
    profile, folder, coder = tmp_path / "profile", folder_of(home, "sd1"), tiny_coder()
    (tmp_path / "ComfyUI" / "models" / "checkpoints").mkdir(parents=True)
    tiny_halves(coder, tmp_path / "ComfyUI" / "models" / "vae_approx")
    profile.mkdir()
    use(profile, tmp_path / "ComfyUI")
    wanted = painted(opened(with_coder(folder, coder, tmp_path / "tiny")))
    findings = Findings()
    found = opened(folder, profile, findings=findings)
    assert torch.equal(painted(found), wanted) and type(found.pipeline.vae).__name__ == "AutoencoderTiny"
    assert any("its autoencoder is" in note and "taesd_encoder" in note for note in findings.notes)
    painter = open_painter(replace(SPEC, checkpoint=str(folder), profile=str(profile)))
    assert "The autoencoder is taesd_encoder.safetensors." in painter.info.note
    frame = show(painter, empty(), ask(drawn(1)))
    assert np.unique(frame).size > 10
    assert torch.equal(painted(opened(folder, profile, "own")), painted(opened(folder))), "its own, where that is said"
    assert opened(folder_of(home, "sdxl"), profile).coder == "", "by its name it is for Stable Diffusion 1 or 2"
    edits = opened(folder_of(home, "pix2pix"), profile)
    assert edits.coder == "taesd_encoder.safetensors" and torch.equal(painted(edits), painted(opened(with_coder(folder_of(home, "pix2pix"), coder, tmp_path / "edits"))))
    assert opened(folder_of(home, "pix2pix-xl"), profile).coder == "", "as SDXL"
    tiny_halves(coder, tmp_path / "ComfyUI" / "models" / "vae_approx", "taesdxl")
    assert opened(folder_of(home, "sdxl"), profile).coder == "taesdxl_encoder.safetensors"
    assert opened(folder, profile).coder == "taesd_encoder.safetensors"


def test_a_tiny_one_of_one_file_and_of_the_real_width(home: Path, tmp_path: Path) -> None:  # noqa: F811
    coder = diffusers.AutoencoderTiny()
    file = written(tmp_path / "taesd.safetensors", coder.state_dict())
    found = opened(folder_of(home, "sd1"), vae=str(file)).pipeline.vae
    assert {**found.config}["decoder_block_out_channels"] == [64] * 4 and found.config.scaling_factor == 1.0
    assert all(torch.equal(tensor, coder.state_dict()[name]) for name, tensor in found.state_dict().items())
    for half in tiny_halves(coder, tmp_path):
        assert check(str(half)).loadable and check(str(half)).parameters == sum(tensor.numel() for tensor in coder.parameters())


@pytest.mark.parametrize("place", ["checkpoints/dream.vae.safetensors", "vae/dream.safetensors", "vae/dream.vae.safetensors"])
def test_one_that_is_called_as_the_checkpoint_goes_with_it(home: Path, other: Path, tmp_path: Path, place: str) -> None:  # noqa: F811
    profile = tmp_path / "profile"
    (profile / "checkpoints").mkdir(parents=True)
    file = whole_file(folder_of(home, "sd1"), profile / "checkpoints" / "dream.safetensors")
    another = whole_file(folder_of(home, "sd1"), profile / "checkpoints" / "another.safetensors")
    path = written(profile / place, coder_named(other, "trained"))
    assert opened(file, profile).coder == path.name and opened(another, profile).coder == ""
    assert {(found.kind, found.name) for found in found_in(profile)} == {("checkpoint", "dream.safetensors"), ("checkpoint", "another.safetensors"), ("vae", path.name)}
    verdict = check("dream.safetensors", str(profile))
    assert verdict.loadable and any(f"its autoencoder is {path}" in note for note in verdict.notes)


def test_a_setting_names_one_for_every_checkpoint_that_it_is_for(home: Path, other: Path, tmp_path: Path) -> None:  # noqa: F811
    profile = tmp_path / "profile"
    written(profile / "vae" / "mse.safetensors", coder_named(other, "trained"))
    tiny_halves(tiny_coder(), profile / "vae")
    settings = profile / "settings.toml"
    settings.write_text('vae = "mse"\n')
    assert opened(folder_of(home, "sd1"), profile).coder == "mse.safetensors"
    findings = Findings()
    assert opened(folder_of(home, "sdxl"), profile, findings=findings).coder == ""
    assert "the autoencoder mse.safetensors of settings.toml is not used: by its name it is for Stable Diffusion 1 or 2" in findings.notes
    settings.write_text('vae = "own"\n')
    assert opened(folder_of(home, "sd1"), profile).coder == ""
    settings.write_text('vae = "gone"\n')
    with pytest.raises(CheckpointError, match=r"settings\.toml: vae: there is no autoencoder 'gone'; known are mse\.safetensors, taesd_decoder\.safetensors"):
        opened(folder_of(home, "sd1"), profile)
    settings.write_text("vae = 3\n")
    with pytest.raises(InputError, match="vae cannot be 3; it is auto, own"):
        opened(folder_of(home, "sd1"), profile)


def test_what_is_said_and_cannot_be_is_refused(home: Path, other: Path, tmp_path: Path) -> None:  # noqa: F811
    folder, halves = folder_of(home, "sd1"), tiny_halves(tiny_coder(), tmp_path)
    with pytest.raises(CheckpointError, match=r"does not go with flux: FLUX\.1 takes no AutoencoderTiny; give one made for"):
        opened(folder_of(home, "flux"), vae=str(halves[0]))
    wide = coder_named(other, "trained")
    wide["decoder.conv_in.weight"] = torch.zeros(8, 16, 3, 3)
    with pytest.raises(CheckpointError, match="it is for latents of 16 channels, not of 4"):
        opened(folder, vae=str(written(tmp_path / "wide.safetensors", wide)))
    with pytest.raises(CheckpointError, match="--vae: there is no autoencoder 'none'; known are none; or give auto, own or a file"):
        first_look(PainterSpec(str(folder), vae="none"))
    with pytest.raises(CheckpointError, match="bundled has no autoencoder that could be another; leave --vae out"):
        check_spec(PainterSpec(vae=str(halves[0])))
    assert Choice(vae="own").spec().vae == "own"


def test_a_file_without_an_autoencoder_takes_one_that_lies_alone(home: Path, other: Path, tmp_path: Path) -> None:  # noqa: F811
    folder, profile = folder_of(home, "sd1"), tmp_path / "profile"
    bare = whole_file(folder, tmp_path / "bare.safetensors", without="vae")
    with pytest.raises(CheckpointError, match=r"holds no autoencoder, and none for Stable Diffusion 1\.x is there"):
        opened(bare, profile)
    tiny_halves(tiny_coder(), profile / "vae")
    assert opened(bare, profile).coder == "taesd_encoder.safetensors"
    written(profile / "vae" / "xl.safetensors", coder_named(other, "diffusers"))
    assert opened(bare, profile).coder == "taesd_encoder.safetensors", "the other is for XL by its name"
    written(profile / "vae" / "mse.safetensors", coder_named(other, "diffusers"))
    found = opened(bare, profile)
    assert found.coder == "mse.safetensors" and torch.equal(painted(found), painted(opened(with_coder(folder, other, tmp_path / "both"))))


def nan(tensors: dict[str, torch.Tensor]) -> None:
    next(iter(tensors.values())).fill_(float("nan"))


HOSTILE: dict[str, tuple[Any, str, str]] = {
    "a number that is none": (nan, "finite", "not finite"),
    "a tensor that is missing": (lambda held: held.pop("decoder.conv_out.bias"), "tensors", "conv_out.bias of its vae is missing"),
    "a tensor too many": (lambda held: held.update({"decoder.more.weight": torch.zeros(2)}), "tensors", "decoder.more.weight does not belong there"),
    "a tensor of another shape": (lambda held: held.update({"decoder.conv_out.bias": torch.zeros(4)}), "tensors", r"is \(4,\), wanted \(3,\)"),
    "a tensor of whole numbers": (lambda held: held.update({"decoder.conv_out.bias": torch.zeros(3, dtype=torch.int64)}), "tensors", "wanted floats"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_one_that_is_hostile_is_refused_by_the_check_and_when_it_is_used(home: Path, other: Path, tmp_path: Path, name: str) -> None:  # noqa: F811
    change, row, message = HOSTILE[name]
    tensors = coder_named(other, "trained")
    twin = written(tmp_path / "twin.safetensors", tensors)
    verdict = check(str(twin))
    assert verdict.loadable and verdict.kind == "vae" and all(one.state == "sound" for one in verdict.rows), verdict
    assert check(str(twin), fits=str(folder_of(home, "sd1"))).loadable
    tensors = {key: tensor.clone() for key, tensor in tensors.items()}
    change(tensors)
    file = written(tmp_path / "hostile.safetensors", tensors)
    verdict = check(str(file))
    assert not verdict.loadable and [one.name for one in verdict.rows if one.state == "refused"] == [row]
    for _ in range(2):
        with pytest.raises(CheckpointError, match=message) as refused:
            opened(folder_of(home, "sd1"), vae=str(file))
        assert "\n" not in str(refused.value) and str(file) in str(refused.value)


def test_halves_links_and_pickles_are_refused_by_what_they_are(tmp_path: Path) -> None:
    encoder, decoder = tiny_halves(tiny_coder(), tmp_path / "a")
    decoder.unlink()
    assert f"{encoder} is the encoder of a tiny autoencoder and stands alone; put its decoder beside it, as taesd_decoder.safetensors" in check(str(encoder)).why
    shutil.copy(encoder, decoder)
    with pytest.raises(CheckpointError, match="is not the decoder that goes with"):
        autoencoder(encoder)
    decoder.write_bytes(PICKLE)
    with pytest.raises(CheckpointError, match=r"taesd_decoder\.safetensors is a pickle, .* by its content"):
        autoencoder(encoder)
    decoder.unlink()
    (tmp_path / "b").mkdir()
    decoder.symlink_to(tiny_halves(tiny_coder(), tmp_path / "b")[1])
    with pytest.raises(CheckpointError, match="links outside"):
        autoencoder(encoder)
    for tensors in ({"encoder.conv1.weight": torch.zeros(2, 2, 3, 3, 3), "x": torch.zeros(1), "y": torch.zeros(1)}, {"decoder.conv_in.weight": torch.zeros(8, 32, 3, 3), "encoder.conv_in.weight": torch.zeros(8, 3, 3, 3), "quant_conv.bias": torch.zeros(8)}):
        with pytest.raises(CheckpointError, match="is no autoencoder that is known here; read are"):
            autoencoder(written(tmp_path / "odd.safetensors", tensors))


def test_they_are_listed_and_go_into_the_profile(home: Path, other: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr("models.apart.apart", lambda work, *given: work(*given))
    profile, web = tmp_path / "profile", tmp_path / "webui"
    (web / "models" / "Stable-diffusion").mkdir(parents=True)
    written(web / "models" / "VAE" / "mse.safetensors", coder_named(other, "trained"))
    (web / "models" / "VAE-approx").mkdir()
    (web / "models" / "VAE-approx" / "model.pt").write_bytes(PICKLE)
    profile.mkdir()
    use(profile, web)
    choice = Choice(profile=profile)
    halves = tiny_halves(tiny_coder(), tmp_path / "given")
    for path in (*halves, written(tmp_path / "given" / "own.safetensors", coder_named(other, "diffusers"))):
        command.add(choice, path)
        assert (profile / "vae" / path.name).read_bytes() == path.read_bytes()
    assert "use it with --vae own.safetensors" in capsys.readouterr().out.replace("--vae own,", "--vae own.safetensors,")
    command.show_all(choice)
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "autoencoder for latents of 4 channels" in lines["mse.safetensors"] and "A1111 or Forge" in lines["mse.safetensors"]
    assert "tiny autoencoder" in lines["taesd_encoder.safetensors"] and "is a pickle" in lines["model.pt"]
    assert glance(next(found for found in found_in(profile) if found.name == "mse.safetensors")).kind == "vae"
    broken = written(tmp_path / "broken.safetensors", coder_named(other, "trained") | {"decoder.conv_out.bias": torch.full((3,), torch.nan)})
    assert status(["models", "check", str(broken), "--profile", str(profile)]) == 2
    told = capsys.readouterr()
    assert "not finite" in told.err and "Traceback" not in told.err and "finite     refused" in told.out
    assert status(["models", "check", "mse", "--profile", str(profile)]) == 0
    assert "kind       vae" in capsys.readouterr().out
    command.remove(choice, "own.safetensors")
    assert not (profile / "vae" / "own.safetensors").exists()

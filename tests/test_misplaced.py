"""What a file is by the folder that it lies in, what lies among checkpoints and is none, and what lists and checks make of the options that are said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.errors import CheckpointError, InputError
from engine.painter import PainterSpec
from models.catalog import look_at, names, open_checkpoint
from models.check import check, glance, listing
from models.facts import fact
from models.places import Found
from models.watching import News, Watch
from tests.test_places import LORA, file, here, next_news, profile, told, use, watch  # noqa: F401 - three are fixtures
from tests.tiny_families import tiny_folder
from ui import checkpoints as command
from ui.options import Choice

WEBUI = {"models/Stable-diffusion/sub/a.safetensors": "checkpoint", "models/Lora/sub/b.safetensors": "lora", "models/VAE/c.safetensors": "vae",
         "models/ControlNet/d.safetensors": "controlnet", "embeddings/e.safetensors": "embedding", "models/ESRGAN/f.pth": ""}  # fmt: skip


@pytest.mark.parametrize(("named", "place"), [
    ("", "A1111 or Forge"), ("models", "A1111 or Forge"), ("models/Lora", None), ("models/Stable-diffusion", None), ("models/VAE", None),
    ("models/ControlNet", None), ("models/Lora/sub", None),
])  # fmt: skip
def test_a_folder_one_level_down_is_read_by_the_names_of_its_folders(profile: Path, tmp_path: Path, named: str, place: str | None) -> None:  # noqa: F811
    """place: of which program its files are said to be, None for the folder's own."""
    home = tmp_path / "webui"
    for name in WEBUI:
        file(home / name)
    use(profile, home / named)
    inside = {name: kind for name, kind in WEBUI.items() if place or name.startswith(f"{named}/")}
    unknown = {"models/Lora/sub": "checkpoint"}  # whose own name says nothing
    wanted = {(unknown.get(named, kind), Path(name).name, place or str(home / named)) for name, kind in inside.items() if kind}
    assert wanted and told(profile) == wanted


def test_subfolders_of_a_plain_folder_are_read_by_their_names(profile: Path, tmp_path: Path) -> None:  # noqa: F811
    kinds = {"a": "checkpoint", "Lora/sub/b": "lora", "loras/vae/c": "vae", "text_encoder/d": "text encoder", "mine/e": "checkpoint"}
    for name in kinds:
        file(tmp_path / "AI" / f"{name}.safetensors")
    use(profile, tmp_path / "AI")
    assert {(kind, name) for kind, name, _ in told(profile)} == {(kind, f"{Path(name).name}.safetensors") for name, kind in kinds.items()}


CLIP = {"text_model.embeddings.token_embedding.weight": torch.zeros(9, 8), "text_model.encoder.layers.0.mlp.fc1.weight": torch.zeros(8, 8),
        "text_model.encoder.layers.0.mlp.fc1.bias": torch.zeros(8)}  # fmt: skip
ASTRAY = {
    "a LoRA": ("loras", LORA), "a textual inversion": ("embeddings", {"emb_params": torch.zeros(2, 768)}), "a text encoder": ("text_encoders", CLIP),
    "an autoencoder": ("vae", {"encoder.conv_in.weight": torch.zeros(8, 3, 3, 3), "decoder.conv_in.weight": torch.zeros(8, 4, 3, 3)}),
    "a ControlNet or like one": ("controlnets", {"controlnet_cond_embedding.conv_in.weight": torch.zeros(8, 3, 3, 3), "x": torch.zeros(1, 1, 1, 1)}),
    "an upscaler": ("", {"model.0.weight": torch.zeros(8, 3, 3, 3), "model.1.sub.0.RDB1.conv1.0.weight": torch.zeros(8, 8, 3, 3)}),
}  # fmt: skip


@pytest.mark.parametrize("what", ASTRAY)
def test_what_is_no_checkpoint_is_refused_among_checkpoints_by_what_it_is(profile: Path, watch: Watch, what: str) -> None:  # noqa: F811
    home, tensors = ASTRAY[what]
    path = file(profile / "checkpoints" / "look.safetensors", **tensors)
    why = f"{path} is {what}, and no checkpoint; " + (f"put it into the profile's {home} folder (pixelos models add does that)" if home else "nothing here uses one")
    assert next_news(watch) == News(("bundled", "guide"), (why,)) and names(profile / "checkpoints") == ["bundled", "guide"]
    found, spec = Found("look.safetensors", path, "checkpoint"), PainterSpec(profile=str(profile))
    told = fact(found, spec)
    assert told.why == glance(found, spec).why == why and not glance(found, spec).loadable
    for opened in (open_checkpoint, look_at):
        with pytest.raises(CheckpointError) as refused:
            opened(path)
        assert str(refused.value) == why


@pytest.mark.usefixtures("here")
def test_lists_and_checks_plan_for_the_memory_and_the_frame_that_are_said(
    profile: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]  # noqa: F811
) -> None:
    """A frame of 1024x768 takes 7.2 GB of the autoencoder at once, and 2.4 in tiles."""
    monkeypatch.setattr("models.facts.free_on", lambda device: ("cpu", 16 * 10**9))
    tiny_folder(profile / "checkpoints" / "dream", "sd1")
    choice = Choice(profile=profile, size="1024x768")
    for budget, dtype, plan, listed in (
        (None, None, "float32: 7.2 GB at most", "MB when painting (float32)"),
        (3.0, None, "float32, in slices and tiles: 2.4 GB at most", "MB when painting (float32, in slices and tiles)"),
        (3.0, "float16", "float16, in slices and tiles: 1.2 GB at most", "MB when painting (float16, in slices and tiles)"),
        (1.0, None, "float32, in slices and tiles: 2.4 GB at most, more than may be taken", "MB when painting (float32, in slices and tiles, more than may be taken)"),
    ):  # fmt: skip
        said = replace(choice, vram_budget=budget, dtype=dtype)
        command.check(said, "dream")
        assert f"\nplan       {plan}\n" in capsys.readouterr().out
        command.show_all(said)
        assert next(line for line in capsys.readouterr().out.splitlines() if line.startswith("dream ")).endswith(listed)


@pytest.mark.usefixtures("here")
def test_a_check_takes_the_autoencoder_and_the_controlnet_that_are_said_and_says_what_it_makes_nothing_of(
    profile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]  # noqa: F811
) -> None:
    folder = tiny_folder(profile / "checkpoints" / "dream", "sd1")
    tiny = tiny_folder(tmp_path / "tiny", "sd1", seed=3, tiny_vae=True) / "vae" / "diffusion_pytorch_model.safetensors"
    choice = Choice(profile=profile)
    told = []
    for said in (choice, replace(choice, vae=str(tiny))):
        command.check(said, "dream")
        told.append(next(line for line in capsys.readouterr().out.splitlines() if line.startswith("sha256")))
    assert told[0] != told[1]
    with pytest.raises(CheckpointError, match="there is no ControlNet 'nowhere'"):
        command.check(replace(choice, controlnet="nowhere"), "dream")
    with pytest.raises(CheckpointError, match=r"bundled has no autoencoder that could be another"):
        command.check(replace(choice, vae=str(tiny)), "bundled")
    command.check(replace(choice, checkpoint="bundled"), str(folder))
    assert "--checkpoint changes nothing for a checkpoint" in capsys.readouterr().out
    command.check(replace(choice, vram_budget=4), str(tiny))
    assert "--vram-budget changes nothing for a vae" in capsys.readouterr().out


def test_a_device_that_is_not_there_is_not_planned_for(profile: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for look in (lambda spec: check("bundled", str(profile), spec=spec), lambda spec: listing(str(profile), spec)):
        with pytest.raises(CheckpointError, match="device 'cuda' is not there"):
            look(PainterSpec(device="cuda"))


@pytest.mark.usefixtures("here")
def test_what_lies_in_the_wrong_folder_of_the_profile_is_put_into_the_right_one(profile: Path, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    path = file(profile / "checkpoints" / "look.safetensors", **LORA)
    data = path.read_bytes()
    command.add(Choice(profile=profile), path)
    lora = profile / "loras" / "look.safetensors"
    assert not path.exists() and lora.read_bytes() == data and str(lora) in capsys.readouterr().out
    with pytest.raises(InputError, match="is there already, and where it belongs"):
        command.add(Choice(profile=profile), lora)
    assert lora.read_bytes() == data

"""Hugging Face's cache: used in place, through its links, each file as what its folders and names say."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from models.autoencoders import chosen
from models.catalog import names, resolve
from models.check import check, glance
from models.embeddings import Vocabulary
from models.families import FAMILIES
from models.findings import Findings
from models.places import found_in
from tests.test_places import file, folder, profile, told, tree, use  # noqa: F401 - two are fixtures
from tests.test_reference_tables import change
from tests.tiny_families import tiny_folder


def linked(snapshot: Path) -> None:
    """As a hub cache keeps its files: as links into blobs."""
    blobs = snapshot.parent.parent / "blobs"
    blobs.mkdir(parents=True, exist_ok=True)
    for i, path in enumerate(path for path in sorted(snapshot.rglob("*")) if path.is_file()):
        blob = path.rename(blobs / str(i))
        path.symlink_to(os.path.relpath(blob, path.parent))


def snapshot_of(cache: Path, repository: str, *files: str) -> Path:
    """A repository of a hub cache with such files."""
    snapshot = cache / f"models--{repository.replace('/', '--')}" / "snapshots" / "abc"
    for name in files:
        file(snapshot / name)
    linked(snapshot)
    return snapshot


def test_a_hub_cache_is_used_by_its_names_and_through_its_links(profile: Path, tmp_path: Path, folder: Path) -> None:  # noqa: F811
    home = tmp_path / "huggingface" / "hub" / "models--me--mine"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text("abc")
    (home / "snapshots" / "older").mkdir(parents=True)
    snapshot = Path(shutil.copytree(folder, home / "snapshots" / "abc"))
    linked(snapshot)
    use(profile, tmp_path / "huggingface")
    before = tree(tmp_path / "huggingface")
    assert told(profile) == {("checkpoint", "me/mine", "hub cache")} and resolve("me/mine", str(profile)) == snapshot
    assert check("me/mine", str(profile), paint=False).loadable and "me/mine" in names(profile / "checkpoints")
    assert tree(tmp_path / "huggingface") == before
    (snapshot / "denoiser" / "config.json").unlink()
    (snapshot / "denoiser" / "config.json").symlink_to(tmp_path / "profile" / "settings.toml")
    assert "links outside" in check("me/mine", str(profile), paint=False).why


def test_a_hub_cache_without_parts_that_nobody_paints_with_is_offered(profile: Path, tmp_path: Path) -> None:  # noqa: F811
    """As diffusers fetches one that is asked for with `safety_checker=None`."""
    snapshot = tiny_folder(tmp_path / "models--me--dream" / "snapshots" / "abc", "sd1")
    change(snapshot / "model_index.json", safety_checker=["stable_diffusion", "StableDiffusionSafetyChecker"],
           feature_extractor=["transformers", "CLIPImageProcessor"], image_encoder=["transformers", "CLIPVisionModelWithProjection"])  # fmt: skip
    linked(snapshot)
    use(profile, tmp_path)
    assert "me/dream" in names(profile / "checkpoints")
    seen = glance(next(found for found in found_in(profile) if found.name == "me/dream"))
    assert seen.loadable and seen.family == "sd1" and check("me/dream", str(profile), paint=False).loadable
    shutil.rmtree(snapshot / "unet")
    assert "me/dream" not in names(profile / "checkpoints")


def test_files_deep_in_a_hub_cache_are_found_through_their_links(profile: Path, tmp_path: Path, folder: Path) -> None:  # noqa: F811
    kinds = {"diffusion_models/flux.safetensors": "checkpoint", "text_encoders/clip_l.safetensors": "text encoder", "vae/ae.safetensors": "vae",
             "loras/look.safetensors": "lora", "vae/fp16/ae.safetensors": "vae"}  # fmt: skip
    snapshot = snapshot_of(tmp_path, "Comfy-Org/flux", *(f"split_files/{name}" for name in kinds), ".hidden/a.safetensors", "big-00001-of-00002.safetensors")
    away = file(tmp_path / "away" / "b.safetensors")
    (snapshot / "elsewhere").symlink_to(away.parent)
    Path(shutil.copytree(folder, snapshot / "small"))
    use(profile, tmp_path)
    assert told(profile) == {*((kind, f"Comfy-Org/flux/split_files/{name}", "hub cache") for name, kind in kinds.items()), ("checkpoint", "Comfy-Org/flux/small", "hub cache")}
    assert resolve("flux", str(profile)) == snapshot / "split_files" / "diffusion_models" / "flux.safetensors"
    assert "Comfy-Org/flux/split_files/diffusion_models/flux.safetensors" in names(profile / "checkpoints")


def test_a_diffusers_folder_deep_in_a_hub_cache_is_read_through_its_links(profile: Path, tmp_path: Path, folder: Path) -> None:  # noqa: F811
    snapshot = tmp_path / "models--me--several" / "snapshots" / "abc"
    shutil.copytree(folder, snapshot / "small")
    linked(snapshot)
    use(profile, tmp_path)
    assert check("me/several/small", str(profile), paint=False).loadable
    config = snapshot / "small" / "denoiser" / "config.json"
    config.unlink()
    config.symlink_to(profile / "settings.toml")
    assert "links outside" in check("me/several/small", str(profile), paint=False).why


@pytest.mark.parametrize(("repository", "name", "kind"), [
    ("stabilityai/sd-vae-ft-mse", "diffusion_pytorch_model", "vae"), ("madebyollin/taesd", "taesd_decoder", "vae"), ("madebyollin/taef1", "diffusion_pytorch_model", "vae"),
    ("black-forest-labs/FLUX.1-dev", "ae", "vae"), ("black-forest-labs/FLUX.1-dev", "flux1-dev", "checkpoint"), ("black-forest-labs/FLUX.1-dev", "vae/diffusion_pytorch_model", "vae"),
    ("someone/model-no-vae", "model", "checkpoint"), ("stabilityai/stable-diffusion-xl-base-1.0", "sd_xl_base_1.0_0.9vae", "checkpoint"),
    ("someone/sd-vae-too", "unet/diffusion_pytorch_model", "checkpoint"), ("someone/sd-vae-too", "lora/look", "lora"),
    ("stabilityai/stable-diffusion-3", "text_encoder_2/model", "text encoder"), ("comfyanonymous/flux_text_encoders", "t5xxl_fp16", "text encoder"),
    ("stabilityai/stable-diffusion-3", "sd3_medium_incl_clips_t5xxlfp16", "checkpoint"), ("sd-concepts-library/cat", "learned_embeds", "embedding"),
    ("latent-consistency/lcm-lora-sdv1-5", "pytorch_lora_weights", "lora"),
])  # fmt: skip
def test_what_a_file_of_a_hub_cache_is_its_folders_say_then_its_name_then_its_repositorys(profile: Path, tmp_path: Path, repository: str, name: str, kind: str) -> None:  # noqa: F811
    snapshot_of(tmp_path, repository, f"{name}.safetensors")
    use(profile, tmp_path)
    assert told(profile) == {(kind, f"{repository}/{name}.safetensors", "hub cache")}


def test_a_hub_caches_snapshot_is_looked_through_within_bounds(profile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    snapshot_of(tmp_path, "me/many", "a.safetensors", "b/1.safetensors", "b/2.safetensors")
    use(profile, tmp_path)
    assert len(told(profile)) == 3
    monkeypatch.setattr("models.places.MOST_FILES", 2)
    assert told(profile) == {("checkpoint", "me/many/a.safetensors", "hub cache")}


@pytest.mark.parametrize(("repository", "family"), [
    ("stabilityai/sdxl-vae", "sdxl"), ("stabilityai/sd-vae-ft-mse", "sd1"), ("madebyollin/taesdxl", "sdxl"), ("madebyollin/taesd", "sd1"),
    ("xlabs/some-vae", "sd1"), ("stabilityai/stable-diffusion-3-medium", "sd3"), ("me/flux-vae", "flux"),
])  # fmt: skip
def test_whom_an_autoencoder_is_for_its_repository_says_where_its_name_does_not(profile: Path, tmp_path: Path, repository: str, family: str) -> None:  # noqa: F811
    alike = next(alike for alike in (("sd1", "sdxl"), ("sd3", "flux")) if family in alike)
    channels, denoiser = 16 if "flux" in alike else 4, file(tmp_path / "diffusion_pytorch_model.safetensors")
    path = snapshot_of(tmp_path, repository, "vae/diffusion_pytorch_model.safetensors") / "vae" / "diffusion_pytorch_model.safetensors"
    file(path.resolve(), **{"encoder.conv_in.weight": torch.zeros(8, 3, 3, 3), "decoder.conv_in.weight": torch.zeros(8, channels, 3, 3), "quant_conv.bias": torch.zeros(8)})
    use(profile, tmp_path)
    taken = {row.name: chosen("auto", denoiser, str(profile), row, channels, True, Findings()) for row in FAMILIES if row.name in alike}
    assert {name: found.path for name, found in taken.items() if found is not None} == {family: path}


def test_a_word_of_a_repository_is_said_by_the_repositorys_name(profile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    for name in ("cat", "dog"):
        file(snapshot_of(tmp_path, f"sd-concepts-library/{name}", "learned_embeds.safetensors").joinpath("learned_embeds.safetensors").resolve(), emb_params=torch.zeros(1, 768))
    use(profile, tmp_path)
    words = Vocabulary(SimpleNamespace(load_textual_inversion=None), profile)
    said: list[tuple[str, str]] = []
    monkeypatch.setattr(words, "_take", lambda word, read: said.append((word, read.suits)))
    assert words.teach("a dog, learned_embeds") == [] and said == [("dog", "Stable Diffusion 1.x")]

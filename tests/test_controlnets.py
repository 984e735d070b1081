"""A ControlNet beside denoisers that no stock pipeline has one for: InstructPix2Pix and the Latent Consistency Models.

Their frames are held to the stock pipeline without one, whose U-Net is handed what the ControlNet adds (`models.prompted.stock`,
among all families in `tests.test_families`). Here that measure itself is held to pipelines that do have a ControlNet.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch

from engine.errors import CheckpointError
from engine.painter import Words
from models.check import check
from models.families import FAMILIES, family_of, pipeline_of
from models.prompted.stock import stock_frame
from tests.hostile import edit_json
from tests.test_families import SPEC, opened, painter_of, request, stock
from tests.test_loras import given, lora_of, wears
from tests.tiny_families import folder_of, tiny_controlnet, tiny_folder

ROWS = {row.name: row for row in FAMILIES}
HELD = [row.name for row in FAMILIES if row.holder]
STOCK = {"sd-control": "StableDiffusionImg2ImgPipeline", "sdxl-control": "StableDiffusionXLImg2ImgPipeline"}  # without a ControlNet
ASKED = request(words=Words("dark blue"))


def test_every_latent_family_has_one_with_a_controlnet() -> None:
    plain = {row.pipeline.replace("ControlNet", "") for row in FAMILIES if not row.references and not row.control}
    assert plain == {row.pipeline.replace("ControlNet", "") for row in FAMILIES if row.control} and len(HELD) == 4


def beside(folder: Path, controlnet: Any) -> Path:
    """The folder, with a ControlNet put into it and named there."""
    controlnet.save_pretrained(folder / "controlnet")
    edit_json(folder / "model_index.json", controlnet=["diffusers", "ControlNetModel"])
    return folder


@pytest.mark.parametrize("family", HELD)
def test_one_that_was_not_trained_yet_leaves_the_stock_pipelines_frame(tmp_path: Path, family: str) -> None:
    """It adds nothing: its last layers begin at zero."""
    plain = family.removesuffix("-control")
    folder = tiny_folder(tmp_path / plain, plain)
    before = painter_of(folder)
    expected = stock(folder, before, ASKED)
    unet = diffusers.UNet2DConditionModel(**{**before.pipeline.unet.config, "in_channels": 4, "time_cond_proj_dim": None})
    painter = painter_of(beside(folder, diffusers.ControlNetModel.from_unet(unet)))
    assert painter.info.family == family and painter.family.pipeline == before.family.pipeline
    assert (painter.frame(ASKED) - expected).abs().max() <= 1e-4
    beside(folder, tiny_controlnet(unet))
    assert (painter_of(folder).frame(ASKED) - expected).abs().max() > 0.01


@pytest.mark.parametrize("family", STOCK)
def test_a_stock_pipeline_whose_denoiser_is_handed_it_paints_as_the_one_that_has_it(checkpoints: Path, family: str) -> None:
    folder = folder_of(checkpoints, family)
    painter = painter_of(folder)
    handed = replace(painter.family, pipeline=STOCK[family], holder=painter.family.pipeline)
    assert ASKED.guide is not None
    found = stock_frame(opened(folder).pipeline, handed, painter.telling.prompt(ASKED), ASKED.guide, painter.info.steps, SPEC.seed)
    assert (stock(folder, painter, ASKED) - found).abs().max() <= 1e-5


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_a_latent_consistency_model_paints_as_the_stock_pipeline_that_begins_at_its_latents(checkpoints: Path, strength: float) -> None:
    """That pipeline tells the guidance and has a ControlNet; it begins at noise, or at latents and timesteps that it is given."""
    folder = folder_of(checkpoints, "lcm-control")
    painter = painter_of(folder)
    row = replace(painter.family, strength=strength)
    painter._run = run = painter._run_of(row, painter.info.steps)
    found = painter.frame(ASKED)
    pipeline = opened(folder).pipeline
    assert type(pipeline) is diffusers.StableDiffusionControlNetPipeline and ASKED.guide is not None
    shown = torch.from_numpy(ASKED.guide.copy()).permute(2, 0, 1)[None].float() / 255
    generator = torch.Generator().manual_seed(SPEC.seed)
    posterior, noise = (torch.randn(run.fields[0].shape, generator=generator) for _ in range(2))
    with torch.no_grad():
        seen = pipeline.vae.encode(shown * 2 - 1).latent_dist
    clean = (seen.mean + seen.std * posterior) * pipeline.vae.config.scaling_factor
    latents = pipeline.scheduler.add_noise(clean, noise, run.path.timesteps[:1])
    expected = pipeline(
        painter.telling.prompt(ASKED), image=shown, latents=latents, timesteps=[int(t) for t in run.path.timesteps], generator=generator,
        guidance_scale=row.guidance, controlnet_conditioning_scale=row.control, output_type="pt",
    ).images  # fmt: skip
    assert len(run.path.timesteps) == 4 and (expected - found).abs().max() <= 1e-4


def test_one_made_of_instruct_pix2pixs_own_denoiser_is_shown_the_picture_too(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "edits", "pix2pix-control")
    narrow = painter_of(folder)
    before = narrow.frame(ASKED)
    tiny_controlnet(narrow.pipeline.unet).save_pretrained(folder / "controlnet")
    painter = painter_of(folder)
    assert painter.pipeline.controlnet.config.in_channels == 8
    found = painter.frame(ASKED)
    assert (stock(folder, painter, ASKED) - found).abs().max() <= 1e-4 < (found - before).abs().max()


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
def test_one_that_lies_alone_paints_as_in_the_stock_pipeline_with_a_lora_too(tmp_path: Path, family: str) -> None:
    folder = tiny_folder(tmp_path / family, family)
    both = beside(Path(shutil.copytree(folder, tmp_path / "both")), tiny_controlnet(opened(folder).pipeline.unet))
    lora = lora_of(folder, tmp_path / "a.safetensors"), 0.8
    for worn in ((), (lora,)):
        painter = painter_of(folder, controlnet=str(both / "controlnet"), loras=given(*worn), steps=2)
        expected = stock(both, painter, ASKED, wears(*worn) if worn else lambda pipeline: None)
        assert (expected - painter.frame(ASKED)).abs().max() <= 1e-4 and painter.info.family == {"sd1": "sd", "sd2": "sd"}.get(family, family) + "-control"


@pytest.mark.parametrize(("cls", "given", "of"), [
    ("StableDiffusionControlNetPipeline", {"requires_safety_checker": False}, ("pix2pix", "sd-control")), ("StableDiffusionXLControlNetPipeline", {}, ("pix2pix-xl", "sdxl-control")),
])  # fmt: skip
def test_the_stock_pipelines_with_a_controlnet_save_what_is_opened_as_such(
    checkpoints: Path, tmp_path: Path, cls: str, given: dict[str, bool], of: tuple[str, str]
) -> None:
    """The way to make such a folder: the library's own, of the parts of two."""
    edits, control = (opened(folder_of(checkpoints, name)).pipeline for name in of)
    getattr(diffusers, cls)(**edits.components, controlnet=control.controlnet, **given).save_pretrained(tmp_path / "made")
    assert painter_of(tmp_path / "made").info.family == f"{of[0]}-control"


@pytest.mark.parametrize("family", [row.name for row in FAMILIES if not row.references and not row.control])
def test_one_that_is_put_into_a_folder_and_named_there_is_painted_with(checkpoints: Path, family: str) -> None:
    folder = folder_of(checkpoints, family)
    told = json.loads((folder / "model_index.json").read_text())
    assert pipeline_of(told) == told["_class_name"]
    named = pipeline_of(told | {"controlnet": ["diffusers", "ControlNetModel"]})
    configs = {part: json.loads((folder / part / file).read_text()) for part, file in (("unet", "config.json"), ("scheduler", "scheduler_config.json"))}
    assert family_of(named, configs).name == {"sd1": "sd", "sd2": "sd"}.get(family, family) + "-control"


@pytest.mark.parametrize("pipeline", ["StableDiffusionControlNetPipeline", "StableDiffusionControlNetImg2ImgPipeline"])
def test_what_the_denoiser_takes_tells_which_family_it_is(pipeline: str) -> None:
    for unet, family in (({"in_channels": 8}, "pix2pix-control"), ({"time_cond_proj_dim": 256}, "lcm-control"), ({"in_channels": 4}, "sd-control")):
        assert family_of(pipeline, {"unet": unet}) == ROWS[family]
        assert family_of(pipeline.replace("Diffusion", "DiffusionXL"), {"unet": unet}).name == family.replace("-control", "-xl-control").replace("sd-xl", "sdxl")


def test_one_that_does_not_fit_the_denoiser_is_refused_by_name(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "sd", "sd-control")
    wide = diffusers.UNet2DConditionModel(**{**opened(folder).pipeline.unet.config, "in_channels": 9})
    tiny_controlnet(wide).save_pretrained(folder / "controlnet")
    verdict = check(str(folder))
    assert not verdict.loadable and "its parts do not fit together" in verdict.why and "to have 9 channels" in verdict.why
    with pytest.raises(CheckpointError, match="do not fit together"):
        painter_of(folder)

"""Open checkpoints that are told in words what to paint: as the stock pipelines paint, and as a painter must."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import nn

from engine.desktop.desktop import Desktop
from engine.desktop.documents import Documents
from engine.errors import CheckpointError
from engine.events import Ask, Text
from engine.geometry import Rect
from engine.mailbox import DirectMailbox
from engine.painter import PainterSpec, PaintRequest, Words
from engine.session import Session
from models.catalog import open_checkpoint, open_painter
from models.check import check
from models.families import FAMILIES
from models.prompted.checkpoint import PromptedCheckpoint
from models.prompted.conditioning import CONTEXT_TOKENS, conditioned, context_tokens
from models.prompted.painter import PromptedPainter
from models.prompted.stock import stock_frame
from models.prompted.stock_loading import library_folder
from models.prompted.trajectory import trajectory
from tests.hostile import FILE, edit_json
from tests.test_painters import SIZE, ask, drawn, show
from tests.tiny_families import folder_of, tiny_controlnet, tiny_folder

BETAS: dict[str, Any] = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
LATENT = [row.name for row in FAMILIES if not row.references]
SPEC = PainterSpec(size=SIZE, seed=5, threads=1, device="cpu")
WORDS = Words("dark blue", ("The user clicked the button Open.",), "You chose style: dark blue.")
TYPED = ("The quick brown fox jumps over the lazy", "dog. Hello")  # as the page wraps it
SCHEDULERS: dict[str, Callable[[], Any]] = {
    "DDIM": lambda: diffusers.DDIMScheduler(**BETAS, clip_sample=False, steps_offset=1),
    "DDPM": lambda: diffusers.DDPMScheduler(**BETAS, clip_sample=False),
    "PNDM": lambda: diffusers.PNDMScheduler(**BETAS, skip_prk_steps=True),
    "Euler": lambda: diffusers.EulerDiscreteScheduler(**BETAS),
    "Euler, ancestral": lambda: diffusers.EulerAncestralDiscreteScheduler(**BETAS),
    "DPM++ 2M": lambda: diffusers.DPMSolverMultistepScheduler(**BETAS),
    "DPM++ SDE": lambda: diffusers.DPMSolverMultistepScheduler(**BETAS, algorithm_type="sde-dpmsolver++"),
    "UniPC": lambda: diffusers.UniPCMultistepScheduler(**BETAS),
    "DEIS": lambda: diffusers.DEISMultistepScheduler(**BETAS),
    "Heun": lambda: diffusers.HeunDiscreteScheduler(**BETAS),
    "KDPM2": lambda: diffusers.KDPM2DiscreteScheduler(**BETAS),
    "LCM": lambda: diffusers.LCMScheduler(**BETAS),
    "TCD": lambda: diffusers.TCDScheduler(**BETAS),
}


@pytest.fixture(scope="module")
def folders(checkpoints: Path) -> Path:
    for name in LATENT:
        folder_of(checkpoints, name)
    return checkpoints


def opened(folder: Path) -> PromptedCheckpoint:
    checkpoint = open_checkpoint(folder)
    assert isinstance(checkpoint, PromptedCheckpoint)
    return checkpoint


def painter_of(folder: Path, **settings: Any) -> PromptedPainter:
    painter = open_painter(replace(SPEC, checkpoint=str(folder), **settings))
    assert isinstance(painter, PromptedPainter)
    return painter


def request(seed: int = 0, damage: tuple[Rect, ...] = (Rect(0, 0, *SIZE),), words: Words = WORDS) -> PaintRequest:
    return replace(ask(drawn(seed), damage), words=words)


def stock(
    folder: Path, painter: PromptedPainter, asked: PaintRequest, prepare: Callable[[Any], Any] = lambda pipeline: None
) -> torch.Tensor:
    """The same frame by the library's own pipeline, once `prepare` has had it: float (1, 3, H, W) in [0, 1]."""
    pipeline = library_folder(folder, painter.family)
    prepare(pipeline)
    assert asked.guide is not None
    return stock_frame(pipeline, painter.family, painter.telling.prompt(asked), asked.guide, painter.info.steps, SPEC.seed)


@pytest.mark.parametrize("family", LATENT)
def test_the_whole_frame_is_the_stock_pipelines(folders: Path, family: str) -> None:
    painter = painter_of(folders / family)
    assert painter.info.family == family and painter.info.prompted
    asked = request(words=Words("dark blue"))
    expected, found = stock(folders / family, painter, asked), painter.frame(asked)
    assert expected.std() > 0.01  # something is painted
    assert (expected - found).abs().max() <= 1e-4


def test_a_controlnet_of_stable_diffusion_2_paints_as_in_the_stock_pipeline(tmp_path: Path) -> None:
    """Its attention is laid out otherwise, and it predicts velocity."""
    folder = tiny_folder(tmp_path / "sd", "sd2")
    tiny_controlnet(opened(folder).pipeline.unet).save_pretrained(folder / "controlnet")
    edit_json(folder / "model_index.json", _class_name="StableDiffusionControlNetPipeline", controlnet=["diffusers", "ControlNetModel"])
    painter = painter_of(folder, steps=2)
    assert painter.info.family == "sd-control" and painter.pipeline.scheduler.config.prediction_type == "v_prediction"
    asked = request(words=Words("paper"))
    found = painter.frame(asked)
    assert (stock(folder, painter, asked) - found).abs().max() <= 1e-4


@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_scheduler_paints_as_in_the_stock_pipeline(tmp_path: Path, name: str) -> None:
    folder = tiny_folder(tmp_path / "sd", "sd1", scheduler=SCHEDULERS[name]())
    painter = painter_of(folder, steps=3)
    asked = request(words=Words("paper"))
    assert (stock(folder, painter, asked) - painter.frame(asked)).abs().max() <= 1e-4


@pytest.mark.parametrize("family", ["sd-turbo", "pix2pix", "pix2pix-xl"])
def test_a_tiny_autoencoder_paints_as_in_the_stock_pipeline(tmp_path: Path, family: str) -> None:
    folder = tiny_folder(tmp_path / "sd", family, tiny_vae=True)
    painter = painter_of(folder, steps=2)
    assert (stock(folder, painter, request(words=Words())) - painter.frame(request(words=Words()))).abs().max() <= 1e-4


@pytest.mark.parametrize(("family", "factor"), [("pix2pix", 0.18215), ("pix2pix-xl", 0.13025), ("pix2pix-control", 0.18215)])
def test_a_checkpoint_that_edits_is_shown_through_a_tiny_autoencoder_what_it_was_taught_with(tmp_path: Path, family: str, factor: float) -> None:
    """The latents of a whole one, unscaled: a tiny one that gives just the whole one's, scaled as tiny ones' are, paints what the stock
    pipeline paints with the whole one."""
    folder = tiny_folder(tmp_path / "sd", family)
    edit_json(folder / "vae" / "config.json", scaling_factor=factor)
    checkpoint = opened(folder)
    checkpoint.pipeline.vae = as_if_tiny(checkpoint.pipeline.vae)
    painter, asked = PromptedPainter(checkpoint, replace(SPEC, steps=2)), request(words=Words("paper"))
    assert (stock(folder, painter, asked) - painter.frame(asked)).abs().max() <= 1e-4


def as_if_tiny(whole: diffusers.AutoencoderKL) -> diffusers.AutoencoderTiny:
    """A tiny autoencoder that lost nothing of what it was made after."""

    class Half(nn.Module):
        def __init__(self, run: Callable[[torch.Tensor], torch.Tensor]) -> None:
            super().__init__()
            self.forward = run

    tiny, factor = diffusers.AutoencoderTiny(encoder_block_out_channels=(8,) * 4, decoder_block_out_channels=(8,) * 4), whole.config.scaling_factor
    assert tiny.config.scaling_factor == 1
    tiny.encoder = Half(lambda pixels: whole.encode(pixels).latent_dist.mode() * factor)
    tiny.decoder = Half(lambda latents: whole.decode(latents / factor).sample)
    tiny.whole = whole
    return tiny


def test_settings_that_are_not_the_usual_ones_are_read_as_the_library_reads_them(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "sd", "sd2", scheduler=diffusers.EulerDiscreteScheduler(beta_schedule="linear", prediction_type="v_prediction", steps_offset=1))
    edit_json(folder / "vae" / "config.json", scaling_factor=0.3)
    edit_json(folder / "tokenizer" / "tokenizer_config.json", pad_token="!")
    painter, asked = painter_of(folder, steps=2), request(words=Words("paper"))
    assert (stock(folder, painter, asked) - painter.frame(asked)).abs().max() <= 1e-4


def test_an_autoencoder_that_half_precision_is_too_small_for_works_in_full(tmp_path: Path) -> None:
    """What comes out of a layer is beyond float16, the norm behind it makes that no number at all, and its settings tell nothing of it."""
    folder = tiny_folder(tmp_path / "sd", "sd-turbo")
    edit_json(folder / "vae" / "config.json", force_upcast=False)
    file = folder / "vae" / FILE
    held = load_file(file)
    save_file({name: tensor * (3e4 if name == "decoder.conv_in.weight" else 1) for name, tensor in held.items()}, file)
    painter = painter_of(folder, dtype="float16")
    found = painter.frame(request(words=Words()))
    assert painter.pipeline.unet.dtype == torch.float16 and painter.pipeline.vae.dtype == torch.float32
    assert found.isfinite().all() and (found - painter_of(folder).frame(request(words=Words()))).abs().mean() < 0.02


def test_a_scheduler_that_clips_is_refused_by_name(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "sd", "sd1", scheduler=diffusers.DDIMScheduler(**BETAS, clip_sample=False, thresholding=True))
    with pytest.raises(CheckpointError, match="DDIMScheduler does more than add"):
        painter_of(folder)


def test_a_latent_consistency_model_with_another_scheduler_is_refused_by_name(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "lcm", "lcm", scheduler=diffusers.EulerDiscreteScheduler(**BETAS))
    with pytest.raises(CheckpointError, match="painted with LCMScheduler, not with EulerDiscreteScheduler"):
        painter_of(folder)


@pytest.mark.parametrize("padding", ["<|endoftext|>", "!"])
def test_a_tokenizer_as_newer_libraries_save_it_says_the_same(tmp_path: Path, padding: str) -> None:
    """Both tables in one file, what fills up in another; Stable Diffusion 2 fills up with an exclamation mark."""
    folder = tiny_folder(tmp_path / "sd", "sd2")
    edit_json(folder / "tokenizer" / "tokenizer_config.json", pad_token=padding)
    older = opened(folder).pipeline.tokenizer
    shutil.rmtree(folder / "tokenizer")
    older.save_pretrained(folder / "tokenizer")
    assert not (folder / "tokenizer" / "vocab.json").exists()
    newer, words = opened(folder).pipeline.tokenizer, "The user clicked: Open! Ünï"
    theirs = transformers.CLIPTokenizer.from_pretrained(folder / "tokenizer")
    assert newer.pad_token == older.pad_token == theirs.pad_token == padding
    numbers = [read(words, padding="max_length")["input_ids"] for read in (newer, older, theirs)]
    assert numbers[0] == numbers[1] == numbers[2]


def test_a_trajectory_takes_noise_where_its_scheduler_does() -> None:
    scheduler = diffusers.LCMScheduler(**BETAS)
    scheduler.set_timesteps(4)
    fresh = trajectory(scheduler, scheduler.timesteps, False).fresh
    assert all(weight > 0 for weight in fresh[:3]) and fresh[3] == 0


@pytest.mark.parametrize("family", LATENT)
def test_pixels_outside_the_damage_stay_bit_identical(folders: Path, family: str) -> None:
    painter = painter_of(folders / family, steps=1)
    frame = show(painter, np.zeros((SIZE[1], SIZE[0], 3), np.uint8), request())
    before = frame.copy()
    rect = Rect(64, 40, 48, 32)
    show(painter, frame, request(1, (rect,)))
    changed = (frame != before).any(-1)
    assert changed.any()
    changed[rect.slices] = False
    assert not changed.any()


@pytest.mark.parametrize("family", LATENT)
def test_a_dream_answers_what_the_events_did(folders: Path, family: str) -> None:
    painter = painter_of(folders / family, mode="dream", steps=1)
    frame = show(painter, np.zeros((SIZE[1], SIZE[0], 3), np.uint8), request())
    other = painter_of(folders / family, mode="dream", steps=1)
    other.restore(painter.latents())
    dreamt = replace(request(), guide=None, verbatim=None, forms=None)
    opened = show(painter, frame.copy(), dreamt)
    closed = show(other, frame.copy(), replace(dreamt, words=replace(WORDS, told=("The user closed the window.",))))
    assert (opened != frame).any() and (opened != closed).any()


def test_latents_are_restored_without_loss(folders: Path) -> None:
    first, second = (painter_of(folders / "sd-turbo") for _ in range(2))
    frame = show(first, np.zeros((SIZE[1], SIZE[0], 3), np.uint8), request())
    second.restore(first.latents())
    part = request(2, (Rect(0, 0, 64, 64),))
    assert (show(first, frame.copy(), part) == show(second, frame.copy(), part)).all()


def test_the_context_is_a_few_tokens_behind_the_instruction_and_changes_the_picture(folders: Path) -> None:
    checkpoint = opened(folders / "sd1")
    plain, known = (conditioned(checkpoint.pipeline, checkpoint.row, "paper", "", context_tokens(checkpoint.pipeline, words), 5.0).embeds for words in ("", "You like wood."))
    assert known.shape[1] == plain.shape[1] + CONTEXT_TOKENS and torch.equal(known[:, : plain.shape[1]], plain)
    painter = painter_of(folders / "sd1", steps=1)
    assert not torch.equal(painter.frame(request(words=Words("paper"))), painter.frame(request(words=Words("paper", known="You like wood."))))


def test_a_family_that_is_not_in_the_table_is_refused_with_those_that_are(folders: Path, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "model_index.json").write_text('{"_class_name": "ShapEPipeline"}')
    with pytest.raises(CheckpointError, match=r"ShapEPipeline.*bundled.*sd-turbo.*pix2pix-xl"):
        painter_of(tmp_path / "x")


@pytest.mark.parametrize("family", ["sd-turbo", "pix2pix", "sd-turbo-control", "klein"])
def test_typing_is_read_with_any_checkpoint_at_all(checkpoints: Path, family: str, ocr: Callable[[np.ndarray], str]) -> None:
    desktop = Desktop((512, 384), Documents())
    painter = open_painter(replace(SPEC, checkpoint=str(folder_of(checkpoints, family)), size=desktop.size, steps=1))
    session = Session(desktop, DirectMailbox(painter))
    session.step((), 0.1)
    for i, words in enumerate(("The quick brown fox ", "jumps over ", "the lazy dog. Hello")):
        frame = session.step([*([Ask(0.5, "notes")] if not i else []), Text(0.6 + i, words)], 0.7 + i)
    assert frame.repaired_glyphs > 10
    whole = Rect(0, 0, *desktop.size)
    lines = [(item.text, part) for item, part, _ in session.guide.text_under(whole) if item.text in TYPED]
    assert sorted(text for text, _ in lines) == sorted(TYPED)
    for text, part in lines:  # what the painter made of the rest of the page is noise, and noise can be read as letters
        # Two pixels more: black on grey alone is as dark as it is bright, and may be taken for white on black.
        assert text in " ".join(ocr(frame.pixels[part.grow(2).slices]).split())


def test_models_check_tells_the_family(folders: Path) -> None:
    verdict = check(str(folders / "pix2pix"))
    assert verdict.loadable and verdict.family == "pix2pix" and verdict.parameters > 10_000

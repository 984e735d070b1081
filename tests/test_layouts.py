"""The layouts of families whose checkpoints come as one file: their real sizes and names, without their numbers."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
import torch
from diffusers.loaders.single_file_utils import infer_diffusers_model_type

from engine.errors import CheckpointError
from models.findings import Findings
from models.layout import LAYOUTS, layout, packed
from models.prompted.opening import READING, component, recognised, tokenizer_of
from models.readers import reader
from models.safetensors_file import Entry
from models.single_file import Brought, Network, contents_of
from models.survey import Survey
from tests.one_denoiser import whole_flux, whole_sd3
from tests.one_file import clip_tensors, coder_tensors, open_clip_tensors, unet_names
from tests.t5_words import NUMBERED

DENOISERS = {"sd1": 859_520_964, "sd2": 865_910_724, "sdxl": 2_567_463_684, "flux": 11_901_408_320, "flux-schnell": 11_891_178_560,
              "sd3": 2_084_951_104, "sd35-medium": 2_469_663_936, "sd35-large": 8_146_280_768}  # as published, with the tables of places  # fmt: skip
KINDS = {"flux": "flux-dev", "kontext": "flux-dev", "flux-schnell": "flux-schnell", "lcm-xl": "xl_base", "sd3": "sd3", "sd35-medium": "sd35_medium", "sd35-large": "sd35_large",
         "sd1": "v1", "sd2": "v2", "sdxl": "xl_base", "pix2pix": "instruct-pix2pix", "pix2pix-xl": "xl_base", "sd-turbo": "v2", "sdxl-turbo": "xl_base", "lcm": "v1"}  # fmt: skip
CODERS = {4: 83_653_863, 16: 83_819_683}  # by the channels of what they make
ENCODERS = {"CLIPTextModel": {768: 123_060_480, 1024: 340_387_840}, "CLIPTextModelWithProjection": {768: 123_650_304, 1280: 694_659_840}, "T5EncoderModel": {4096: 4_762_310_656}}


def networks(name: str) -> tuple[Survey, dict[str, Network]]:
    surveyed = Survey(Path(name), layout(name)["model_index"], Findings(), layout(name))
    family, configs = recognised(surveyed)
    assert family.name == ("sd3" if name.startswith("sd35") else name)
    made = {part: component(surveyed, part, configs[part]) for part in family.components}
    return surveyed, {part: network for part, network in made.items() if isinstance(network, Network)}


def original(name: str, own: dict[str, dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """A file of the real size, as those who trained it name its tensors; of FLUX.1, as ComfyUI does."""
    if "transformer" in own:
        return whole_sd3(own) if "text_encoder_3" in own else whole_flux(own)
    names = unet_names(list(own["unet"]), layout(name)["unet"]["layers_per_block"])
    found = {names[key]: tensor for key, tensor in own["unet"].items()} | coder_tensors(own["vae"])
    if "text_encoder_2" in own:
        found |= clip_tensors(own["text_encoder"], "conditioner.embedders.0.transformer.")
        return found | open_clip_tensors(own["text_encoder_2"], "conditioner.embedders.1.model.")
    if layout(name)["unet"].get("use_linear_projection"):
        return found | open_clip_tensors(own["text_encoder"], "cond_stage_model.model.")
    return found | clip_tensors(own["text_encoder"], "cond_stage_model.transformer.")


@pytest.mark.parametrize("name", sorted(path.stem for path in LAYOUTS.glob("*.json")))
def test_a_layout_is_what_files_of_its_family_hold(name: str) -> None:
    surveyed, parts = networks(name)
    with torch.device("meta"):
        own = {part: network.build().state_dict() for part, network in parts.items()}
    sizes = {part: sum(tensor.numel() for tensor in tensors.values()) for part, tensors in own.items()}
    denoiser = "transformer" if "transformer" in own else "unet"
    if name in DENOISERS:
        assert sizes[denoiser] == DENOISERS[name]
    assert sizes["vae"] == CODERS[layout(name)["vae"]["latent_channels"]]
    for part in (part for part in own if part.startswith("text_encoder")):
        words = own[part].get("encoder.embed_tokens.weight", torch.empty(0))  # T5's have two names
        config, kind = layout(name)[part], surveyed.index[part][1]
        assert sizes[part] - words.numel() == ENCODERS[kind][config.get("hidden_size") or config["d_model"]]
    entries = {key: Entry("F16", tuple(tensor.shape), 0, 0) for key, tensor in original(name, own).items()}
    assert infer_diffusers_model_type(entries) == KINDS[name]  # the library takes it for the same
    called = next((word for word in ("turbo", "kontext") if word in name), "dream")
    file: Any = SimpleNamespace(path=Path(f"{called}.safetensors"), entries=entries, metadata={})
    contents = contents_of(file, Findings())
    said = {} if denoiser == "transformer" else {"scheduler": {"prediction_type": mock.ANY, **layout(name)["scheduler"]}}
    assert contents.layout == layout(name) | said
    if name in DENOISERS:  # the others differ from these in a number or two
        Brought(file, contents, READING, Findings()).fit(parts)


def test_words_are_numbered_as_clip_numbers_them() -> None:
    words = tokenizer_of(LAYOUTS / "clip")
    assert words("a photo of a cat").input_ids == [49406, 320, 1125, 539, 320, 2368, 49407]
    assert len(words) == 49408 and words.pad_token == "<|endoftext|>" and tokenizer_of(LAYOUTS / "clip", "!").pad_token_id == 0


def test_words_are_numbered_as_t5_numbers_them() -> None:
    words = reader("T5TokenizerFast", LAYOUTS / "t5")
    assert {text: words(text).input_ids for text, _ in NUMBERED} == dict(NUMBERED)
    marks = ["<pad>", "</s>", "<unk>", *(f"<extra_id_{i}>" for i in reversed(range(100)))]
    assert words.convert_tokens_to_ids(marks) == [0, 1, 2, *range(32000, 32100)]
    assert len(words) == 32100 and words.pad_token_id == 0 and words.model_max_length == 512


def test_what_is_packed_is_unpacked_in_a_folder_of_ours_alone(tmp_path: Path) -> None:
    for name, table in (("clip", "merges.txt"), ("t5", "spiece.model")):
        assert packed(LAYOUTS / name / table) and packed(Path(shutil.copytree(LAYOUTS / name, tmp_path / name)) / table) is None
    with pytest.raises(CheckpointError, match=r"spiece\.model cannot be read"):
        reader("T5TokenizerFast", tmp_path / "t5")

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
from models.encoders import older
from models.findings import Findings
from models.layout import LAYOUTS, layout, packed
from models.prompted.opening import READING, component, recognised, tokenizer_of
from models.readers import reader
from models.safetensors_file import Entry
from models.single_file import Brought, Network, contents_of, described
from models.spellings import spelled
from models.survey import Survey
from tests.conftest import need_package
from tests.loose_parts import half_named
from tests.one_denoiser import whole_flux, whole_other, whole_sd3
from tests.one_file import clip_tensors, coder_tensors, open_clip_tensors, unet_names
from tests.t5_words import NUMBERED

DENOISERS = {"sd1": 859_520_964, "sd2": 865_910_724, "sdxl": 2_567_463_684, "flux": 11_901_408_320, "flux-schnell": 11_891_178_560,
              "sd3": 2_084_951_104, "sd35-medium": 2_469_663_936, "sd35-large": 8_146_280_768, "klein": 3_875_544_576, "klein-9b": 9_078_581_248,
              "z-image-turbo": 6_154_908_736, "qwen-edit": 20_430_401_088, "chroma": 8_899_983_424}  # as published, with the tables of places  # fmt: skip
KINDS = {"flux": "flux-dev", "kontext": "flux-dev", "flux-schnell": "flux-schnell", "lcm-xl": "xl_base", "sd3": "sd3", "sd35-medium": "sd35_medium", "sd35-large": "sd35_large",
         "sd1": "v1", "sd2": "v2", "sdxl": "xl_base", "pix2pix": "instruct-pix2pix", "pix2pix-xl": "xl_base", "sd-turbo": "v2", "sdxl-turbo": "xl_base", "lcm": "v1",
         **dict.fromkeys(("klein", "klein-base", "klein-9b", "klein-base-9b", "klein-kv-9b"), "flux-2-dev"), "z-image-turbo": "z-image-turbo", "chroma": "chroma", "flux2": "flux-2-dev", "longcat-edit": "v1",
         **dict.fromkeys(("qwen-image", "qwen-edit", "qwen-edit-plus", "qwen-edit-2511"), "v1")}  # fmt: skip
FAMILY = {"sd35-medium": "sd3", "sd35-large": "sd3", "klein-9b": "klein", "klein-base-9b": "klein-base", "klein-kv-9b": "klein-kv", "qwen-edit-2511": "qwen-edit-plus"}
CALLED = {  # how a file calls itself
    "klein-base": "flux-2-klein-base-4b", "klein-base-9b": "flux-2-klein-base-9b", "klein-kv-9b": "flux-2-klein-9b-kv", "kontext": "kontext",
    "sd-turbo": "turbo", "sdxl-turbo": "turbo", "qwen-edit": "qwen_image_edit_bf16", "qwen-edit-plus": "qwen_image_edit_2509_bf16",
    "qwen-edit-2511": "qwen_image_edit_2511_bf16",
}  # fmt: skip
NORMS = ("bn.running_mean", "bn.running_var", "bn.num_batches_tracked")  # FLUX.2's autoencoder's: no weights
CODERS = {4: 83_653_863, 16: 83_819_683, 32: 84_046_115, None: 126_892_531}  # by the channels of what they make, None for Qwen-Image's
ENCODERS = {"CLIPTextModel": {768: 123_060_480, 1024: 340_387_840}, "CLIPTextModelWithProjection": {768: 123_650_304, 1280: 694_659_840}, "T5EncoderModel": {4096: 4_762_310_656},
            "Qwen3ForCausalLM": {2560: 4_022_468_096, 4096: 8_190_735_360}, "Qwen3Model": {2560: 4_022_468_096},
            "Qwen2_5_VLForConditionalGeneration": {3584: 8_292_166_656},
            "Mistral3ForConditionalGeneration": {5120: 17_343_754_240}}  # fmt: skip


def networks(name: str) -> tuple[Survey, dict[str, Network]]:
    surveyed = Survey(Path(name), layout(name)["model_index"], Findings(), layout(name))
    family, configs = recognised(surveyed)
    assert family.name == FAMILY.get(name, name)
    made = {part: component(surveyed, part, configs[part]) for part in family.components if configs[part]}  # but for words that do not ship
    return surveyed, {part: network for part, network in made.items() if isinstance(network, Network)}


def original(name: str, own: dict[str, dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """A file of the real size, as those who trained it name its tensors; of FLUX.1, as ComfyUI does."""
    if "transformer" in own and "text_encoder_2" not in own:
        return whole_other(own, name)
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
    sizes = {part: sum(tensor.numel() for key, tensor in tensors.items() if key not in NORMS) for part, tensors in own.items()}
    denoiser = "transformer" if "transformer" in own else "unet"
    if name in DENOISERS:
        assert sizes[denoiser] == DENOISERS[name]
    assert sizes["vae"] == CODERS[layout(name)["vae"].get("latent_channels")]
    for part in (part for part in own if part.startswith("text_encoder")):
        config, kind = layout(name)[part], surveyed.index[part][1]
        twice = {"T5EncoderModel": "encoder.embed_tokens.weight", "Qwen3ForCausalLM": "lm_head.weight" if config.get("tie_word_embeddings") else ""}
        words = own[part].get(twice.get(kind, ""), torch.empty(0))  # which have two names
        config = config.get("text_config", config)
        assert sizes[part] - words.numel() == ENCODERS[kind][config.get("hidden_size") or config["d_model"]]
    entries = {key: Entry("F16", tuple(tensor.shape), 0, 0) for key, tensor in original(name, own).items()}
    assert infer_diffusers_model_type(entries) == KINDS[name]  # the library takes it for the same
    file: Any = SimpleNamespace(path=Path(f"{CALLED.get(name, 'dream')}.safetensors"), entries=entries, metadata={})
    contents = contents_of(file, Findings())
    if name == "flux2":  # which has no whole file: its words could not be in there
        assert contents.layout is None
        contents = described(file, {"text_encoder": contents.pieces["vae"], **contents.pieces}, contents.network)
    said = {} if denoiser == "transformer" else {"scheduler": {"prediction_type": mock.ANY, **layout(name)["scheduler"]}}
    assert contents.layout == layout(name) | said
    if name in DENOISERS:  # the others differ from these in a number or two
        Brought(file, contents, READING, Findings()).fit(parts)


def test_sd_turbo_as_it_was_released_is_told_from_the_refiner_of_xl_by_how_wide_its_words_are() -> None:
    """Both call their text encoder the same."""
    surveyed, parts = networks("sd-turbo")
    begins = {"cond_stage_model.model.": "conditioner.embedders.0.model."}
    with torch.device("meta"):
        held = original("sd-turbo", {part: network.build().state_dict() for part, network in parts.items()})
    shapes = {next((name.replace(*pair) for pair in begins.items() if name.startswith(pair[0])), name): tuple(tensor.shape) for name, tensor in held.items()}
    assert shapes["conditioner.embedders.0.model.ln_final.weight"] == (1024,)
    refiner = {name: tuple(1280 if side == 1024 else side for side in shape) for name, shape in shapes.items()}
    turbo, refused = (
        SimpleNamespace(path=Path("sd_turbo.safetensors"), entries={name: Entry("F16", shape, 0, 0) for name, shape in sides.items()}, metadata={})
        for sides in (shapes, refiner)
    )  # fmt: skip
    contents = contents_of(turbo, Findings())  # type: ignore[arg-type]
    assert contents.layout is not None and contents.layout["model_index"] == surveyed.index
    Brought(turbo, contents, READING, Findings()).fit(parts)  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match="a file of 'xl_refiner', which no family here is painted from"):
        contents_of(refused, Findings())  # type: ignore[arg-type]


def test_what_llama_cpp_makes_of_qwen_2_5_vl_is_what_its_layout_asks_for() -> None:
    need_package("gguf")
    with torch.device("meta"):
        encoder = networks("qwen-edit")[1]["text_encoder"].build()
    wanted = {key: tensor.shape for key, tensor in encoder.state_dict().items() if key != "lm_head.weight"}
    halves = [half_named(encoder.state_dict(), tower) for tower in (False, True)]
    metadata = {"general.architecture": "qwen2vl", "general.name": "Qwen2.5 VL 7B Instruct"}
    known = [spelled({key: Entry("F16", tuple(tensor.shape), 0, 0) for key, tensor in half.items()}, metadata) for half in halves]
    assert all(known) and [width for _, width in filter(None, known)] == [3584, 3584]
    found: dict[str, torch.Size] = {}
    for half, (spelling, _) in zip(halves, filter(None, known), strict=True):
        read = {key: tensor for key, tensor in half.items() if not spelling.spare.match(key)}
        found |= {older(type(encoder).__name__, key): tensor.shape for key, tensor in spelling.spell(read, {}).items()}
    assert found == wanted


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


QWENS: tuple[tuple[str, list[int]], ...] = (  # sentences, and Qwen's numbers for them, as programs' own tests publish them
    ("Hello, world!", [9707, 11, 1879, 0]), ("The quick brown fox.", [785, 3974, 13876, 38835, 13]),
    ("Describe this image in detail.", [74785, 419, 2168, 304, 7716, 13]), (" hello sir. How are you Edward?", [23811, 27048, 13, 2585, 525, 498, 21891, 30]),
    ("杭州是个好地方", [104130, 104104, 52801, 100371]), ("<|im_start|>hello<|im_end|>", [151644, 14990, 151645]),
)  # fmt: skip


def test_words_are_numbered_as_qwen_numbers_them() -> None:
    words = reader("Qwen2TokenizerFast", LAYOUTS / "qwen")
    assert {text: words(text).input_ids for text, _ in QWENS} == dict(QWENS)
    assert words.convert_tokens_to_ids(["<|endoftext|>", "<|im_end|>", "<|image_pad|>", "<think>", "</think>"]) == [151643, 151645, 151655, 151667, 151668]
    assert len(words) == 151669 and words.pad_token_id == 151643 and words.padding_side == "right"
    assert reader("Qwen2VLProcessor", LAYOUTS / "qwen").image_token_id == 151655


def test_what_is_packed_is_unpacked_in_a_folder_of_ours_alone(tmp_path: Path) -> None:
    for name, table in (("clip", "merges.txt"), ("t5", "spiece.model"), ("qwen", "merges.txt")):
        assert packed(LAYOUTS / name / table) and packed(Path(shutil.copytree(LAYOUTS / name, tmp_path / name)) / table) is None
    with pytest.raises(CheckpointError, match=r"spiece\.model cannot be read"):
        reader("T5TokenizerFast", tmp_path / "t5")
    with pytest.raises(CheckpointError, match=r"tokenizer\.json is missing"):
        reader("Qwen2TokenizerFast", tmp_path / "qwen")

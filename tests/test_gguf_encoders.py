"""Language models in GGUF as text encoders: Qwen 2.5 VL in two files, its language half and its vision tower, and Qwen 3 packed in blocks."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import models.layout
from engine.errors import CheckpointError
from models.catalog import open_checkpoint
from models.check import check, listing
from models.findings import Findings
from models.loose import text_encoder
from models.packed import is_packed, unpacked
from models.prompted.checkpoint import PromptedCheckpoint
from tests import tiny_references
from tests.conftest import need_package
from tests.loose_parts import half_named, words_named, written
from tests.one_denoiser import packed_file
from tests.one_file import layout_of, part
from tests.test_loose import comfy, laid_apart, opened  # noqa: F401 - one is a fixture
from tests.test_references import small_pictures  # noqa: F401 - a fixture of every test here
from tests.test_single_files import SPEC, folder_of, home, layouts, painted  # noqa: F401 - two are fixtures
from tests.tiny_families import tiny_folder

NAME = "Qwen2.5-VL-7B-Instruct"
HALF, TOWER = f"{NAME}-Q4_K_M.gguf", f"{NAME}-mmproj-F16.gguf"
Change = Callable[[dict[str, Tensor]], object]
Kind = str | Callable[[str], str]


@pytest.fixture(autouse=True)
def library() -> None:
    need_package("gguf")


def q4_k_m(name: str) -> str:
    """As llama.cpp packs most files: some tensors finer."""
    return "Q6_K" if any(word in name for word in ("attn_v", "ffn_down", "output.", "token_embd")) else "Q4_K"


def halved(
    folder: Path, models: Path, kind: Kind = "F32", seen: Kind = "F32", change: Change = len, changed: bool = False, arch: str = "qwen2vl",
    called: str = NAME,
) -> tuple[Path, Path]:  # fmt: skip
    """The text encoder of a folder as two files among those of a ComfyUI. kind, seen: how each is packed; change: of the tensors of one,
    the vision tower where `changed`; arch, called: what the language half says of itself."""

    def named(tensors: dict[str, Tensor], tower: bool) -> dict[str, Tensor]:
        found = half_named(tensors, tower)
        if tower == changed:
            change(found)
        return found

    words = models / "text_encoders"
    return (packed_file(folder, words / HALF, lambda tensors: named(tensors, False), kind, "text_encoder", arch, called),
            packed_file(folder, words / TOWER, lambda tensors: named(tensors, True), seen, "text_encoder", "clip", called))  # fmt: skip


def wordless(folder: Path, family: str, models: Path) -> Path:
    """A folder's denoiser and autoencoder laid apart, without a text encoder."""
    file = laid_apart(folder, family, models)
    shutil.rmtree(models / "text_encoders")
    return file


def denoiser(home: Path, family: str, models: Path) -> tuple[Path, Path]:  # noqa: F811
    """The family's folder, and what of it lies apart."""
    folder = folder_of(home, family)
    return folder, wordless(folder, family, models)


def headless(encoder: Any, tensors: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
    return {key: tensor for key, tensor in (tensors or encoder.state_dict()).items() if key != "lm_head.weight"}


def same(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> bool:
    return ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in theirs)


def states(found: PromptedCheckpoint) -> Tensor:
    """What the text encoder makes of words and a picture, (1, L, D)."""
    shades = np.arange(56 * 84 * 3, dtype=np.uint32).reshape(56, 84, 3) * 7 % 256
    read = found.pipeline.processor(["make <|vision_start|><|image_pad|><|vision_end|> blue"], [Image.fromarray(shades.astype(np.uint8))])
    encoder = found.parts["text_encoder"]
    with torch.inference_mode():
        seen = encoder(**{name: told.to(encoder.dtype) if told.is_floating_point() else told for name, told in read.items()}, output_hidden_states=True)
    return cast("Tensor", seen.hidden_states[-1])


@pytest.mark.parametrize(("family", "kind"), [("qwen-edit", "F32"), ("qwen-edit-plus", "F16")])
def test_both_halves_are_the_text_encoder_that_they_were_of(home: Path, tmp_path: Path, comfy: Path, family: str, kind: str) -> None:  # noqa: F811
    folder, file = denoiser(home, family, comfy)
    half, tower = halved(folder, comfy, kind, kind)
    findings = Findings()
    found, whole = opened(file, tmp_path / "profile", findings), opened(folder, tmp_path / "none")
    theirs = {key: tensor.half().float() if kind == "F16" and tensor.ndim > 1 else tensor for key, tensor in whole.parts["text_encoder"].state_dict().items()}
    encoder = found.parts["text_encoder"]
    assert same(headless(encoder), headless(whole.parts["text_encoder"], theirs)) and any(".visual." in key for key in theirs)
    assert encoder.lm_head.weight is encoder.get_input_embeddings().weight  # nobody looks at what comes of it
    whole.parts["text_encoder"].load_state_dict(theirs)
    assert found.family == family and torch.equal(states(found), states(whole))
    assert kind == "F16" or torch.equal(painted(found), painted(whole))
    assert {f"its text_encoder is {half}", f"the vision tower of its text_encoder is {tower}"} <= set(findings.notes)


def test_what_is_shown_no_pictures_needs_no_vision_tower(home: Path, tmp_path: Path, comfy: Path) -> None:  # noqa: F811
    folder, file = denoiser(home, "qwen-image", comfy)
    half, tower = halved(folder, comfy)
    for there in (True, False):
        if not there:
            tower.unlink()
        findings = Findings()
        found, whole = opened(file, tmp_path / "profile", findings), opened(folder, tmp_path / "none")
        theirs = {key: tensor for key, tensor in headless(whole.parts["text_encoder"]).items() if ".visual." not in key}
        assert same(headless(found.parts["text_encoder"]), theirs)
        assert found.family == "qwen-image" and torch.equal(painted(found), painted(whole))
        assert f"its text_encoder is {half}" in findings.notes and "its text_encoder has no vision tower, and is shown no pictures" in findings.notes
    verdict = check(str(file), str(tmp_path / "profile"), paint=False)
    assert verdict.loadable and verdict.family == "qwen-image"


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folders whose text encoder's rows are long enough for every kind of block."""
    base = tmp_path_factory.mktemp("wide")

    def folder(family: str) -> Path:
        if not (base / family).is_dir():
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(tiny_references, "WIDTH", 256)
                tiny_folder(base / family, family)
        return base / family

    return folder


PACKED: dict[str, tuple[str, Kind, Kind]] = {
    "Qwen 2.5 VL, 8 bits": ("qwen-edit", "Q8_0", "Q8_0"), "Qwen 2.5 VL, most files": ("qwen-edit", q4_k_m, "F16"),
    "Qwen 2.5 VL, without its tower": ("qwen-image", q4_k_m, "F16"),
    "its tower packed in several ways": ("qwen-edit", "Q4_0", lambda name: "Q8_0" if "attn_v" in name else "Q5_1"),
    **{f"Qwen 3 of {family}, {name}": (family, kind, "") for family in ("klein", "z-image-turbo") for name, kind in (("8 bits", "Q8_0"), ("Q4_K", "Q4_K"), ("most files", q4_k_m))},
}  # fmt: skip
IN_HALF = ("Qwen 2.5 VL, most files", "its tower packed in several ways")  # opened in half precision too


@pytest.mark.parametrize("name", PACKED)
def test_what_is_packed_runs_and_paints_as_the_numbers_do_that_the_formats_own_library_unpacks(
    home: Path, tmp_path: Path, comfy: Path, wide: Callable[[str], Path], name: str, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:
    family, kind, seen = PACKED[name]
    folder_of(home, family)  # whose tables are those of the wide one
    shutil.copytree(home / "layouts", tmp_path / "layouts")
    monkeypatch.setattr(models.layout, "LAYOUTS", tmp_path / "layouts")
    folder = wide(family)
    (tmp_path / "layouts" / f"{family}.json").write_text(json.dumps(layout_of(folder)))
    file = wordless(folder, family, comfy)
    if family.startswith("qwen"):
        files = [*halved(folder, comfy, kind, seen)][: 1 if family == "qwen-image" else 2]
    else:
        files = [packed_file(folder, comfy / "text_encoders" / "Qwen3-4B.gguf", lambda tensors: words_named(tensors, "qwen_3_4b", "GGUF"), kind, "text_encoder", "qwen3")]
    found, whole = opened(file, tmp_path / "profile"), opened(folder, tmp_path / "none")
    encoder, other = found.parts["text_encoder"], whole.parts["text_encoder"]
    packed = {key for key, weight in encoder.named_parameters() if is_packed(weight)}
    layers = [key for key, module in encoder.named_modules() if isinstance(module, torch.nn.Linear) and module.in_features % 256 == 0]
    assert len(packed) > 10 and {f"{key}.weight" for key in layers if ".visual." not in key and key != "lm_head"} <= packed
    numbers = {key: unpacked(weight.detach()) if is_packed(weight) else weight for key, weight in encoder.state_dict().items()}
    theirs = library_numbers(files)
    held = {key.replace("model.language_model.", "model.").removeprefix("model."): tensor for key, tensor in numbers.items()}
    known = theirs.keys() & held.keys() - {"lm_head.weight"}
    assert len(known) > 20
    for key in known:  # diffusers multiplies in half precision where the format's own library does not
        assert torch.allclose(held[key], theirs[key], rtol=2e-3, atol=3e-4), key
    other.load_state_dict({**other.state_dict(), **numbers})
    shown = painted if family != "qwen-edit" else states
    assert torch.equal(shown(found), shown(whole))
    if name in IN_HALF:
        half = cast("PromptedCheckpoint", open_checkpoint(file, profile=str(tmp_path / "profile"), spec=replace(SPEC, dtype="bfloat16")))
        assert states(half).isfinite().all() and states(half).dtype == torch.bfloat16


def library_numbers(files: list[Path]) -> dict[str, Tensor]:
    """What the format's own library reads in files, by transformers' names without their beginnings."""
    import gguf

    found = {}
    for file in files:
        reader = gguf.GGUFReader(file)
        arch = gguf.MODEL_ARCH.MMPROJ if "mmproj" in file.name else gguf.MODEL_ARCH.QWEN2VL if "VL" in file.name else gguf.MODEL_ARCH.QWEN3
        names = gguf.get_tensor_name_map(arch, 64).mapping
        for held in reader.tensors:
            owner, _, kind = held.name.rpartition(".")
            told = [name for name, (_, ours) in names.items() if ours == owner and name.startswith(("model.layers.", "visual.blocks.", "model.embed_tokens", "model.norm", "lm_head"))]
            shape = tuple(int(side) for side in held.shape[::-1])
            numbers = torch.from_numpy(gguf.quants.dequantize(held.data, held.tensor_type).copy()).float().view(shape)
            found |= {f"{name.removeprefix('model.')}.{kind}": numbers for name in told}
    return found


def test_which_half_lacks_is_said_in_one_message(home: Path, tmp_path: Path, comfy: Path, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    folder, file = denoiser(home, "qwen-edit", comfy)
    half, tower = halved(folder, comfy)
    away = half.rename(tmp_path / HALF)
    with pytest.raises(CheckpointError, match=r"or a Qwen 2\.5 VL text encoder of width 16 \(often called qwen_2\.5_vl_7b\) into its text_encoders folder$"):
        opened(file, tmp_path / "profile")
    away.rename(half)
    tower.write_bytes(tower.read_bytes()[:-200])  # still being copied
    for there in (True, False):
        if not there:
            tower.unlink()
        with pytest.raises(CheckpointError) as refused:
            opened(file, tmp_path / "profile")
        said = str(refused.value)
        assert said.startswith(str(file)) and "\n" not in said
        assert said.endswith(f"or the vision tower of Qwen 2.5 VL that goes with {HALF} (a file of width 16, often called mmproj-F16.gguf or *-mmproj-F16.gguf) into its text_encoders folder")
    written(half.with_name("encoder.safetensors"), words_named(part(folder, "text_encoder"), "qwen_2.5_vl_7b"))  # whole, and taken then
    assert opened(file, tmp_path / "profile").family == "qwen-edit"


def test_a_vision_tower_is_taken_by_its_width_its_place_and_its_name(home: Path, tmp_path: Path, comfy: Path) -> None:  # noqa: F811
    folder, file = denoiser(home, "qwen-edit", comfy)
    half, tower = halved(folder, comfy)
    elsewhere = tmp_path / "profile" / "text_encoders"
    elsewhere.mkdir()
    for other in (tower.with_name("AAA-mmproj-F16.gguf"), elsewhere / TOWER):
        packed_file(folder, other, lambda tensors: {name: tensor + 1 for name, tensor in half_named(tensors, True).items()}, "F32", "text_encoder", "clip")
    twice = tower.with_name(f"{NAME}-mmproj-BF16.gguf")  # as wide again
    packed_file(folder, twice, lambda tensors: {name: torch.cat([tensor] * (1 + name.startswith("mm.2"))) for name, tensor in half_named(tensors, True).items()},
                "F32", "text_encoder", "clip")  # fmt: skip
    findings = Findings()
    opened(file, tmp_path / "profile", findings)
    assert f"the vision tower of its text_encoder is {tower}" in findings.notes
    tower.rename(elsewhere / "mmproj-F16.gguf")
    (tower.with_name("AAA-mmproj-F16.gguf")).unlink()
    findings = Findings()
    opened(file, tmp_path / "profile", findings)
    assert f"the vision tower of its text_encoder is {elsewhere / TOWER}" in findings.notes


@pytest.mark.parametrize(("arch", "called"), [("qwen2", "Qwen2.5 7B Instruct"), ("qwen2vl", "Qwen2 VL 7B Instruct"), ("qwen2vl", "Qwen2-VL-7B")])
def test_models_with_the_same_tensors_are_not_taken_for_it(home: Path, tmp_path: Path, comfy: Path, arch: str, called: str) -> None:  # noqa: F811
    folder, file = denoiser(home, "qwen-edit", comfy)
    half, _ = halved(folder, comfy, arch=arch, called=called)
    with pytest.raises(CheckpointError, match=r"is no text encoder that is known here; read are .* Qwen 2\.5 VL's"):
        text_encoder(half)
    with pytest.raises(CheckpointError, match=r"or a Qwen 2\.5 VL text encoder of width 16"):
        opened(file, tmp_path / "profile")


def older_tower(tensors: dict[str, Tensor]) -> None:
    """As other converters write it: queries, keys and values together, and zeros for places."""
    for name in [name for name in tensors if ".attn_q." in name]:
        tensors[name.replace("attn_q", "attn_qkv")] = torch.cat([tensors.pop(name.replace("attn_q", f"attn_{letter}")) for letter in "qkv"])
    tensors["v.position_embd.weight"] = torch.zeros(10, 10)


def test_a_vision_tower_of_another_converter_is_read(home: Path, tmp_path: Path, comfy: Path) -> None:  # noqa: F811
    folder, file = denoiser(home, "qwen-edit", comfy)
    halved(folder, comfy, change=older_tower, changed=True)
    found, whole = opened(file, tmp_path / "profile"), opened(folder, tmp_path / "none")
    assert same(*(headless(one.parts["text_encoder"]) for one in (found, whole)))


HOSTILE: dict[str, tuple[bool, Change, str]] = {  # whether it is the tower, what is done to it, and what is said
    "a number that is none": (False, lambda held: held.update({"output_norm.weight": torch.full((16,), float("nan"))}), f"{HALF}: output_norm.weight holds values that are not finite"),
    "a tower's number that is none": (True, lambda held: held.update({"v.post_ln.weight": torch.full((8,), float("inf"))}), f"{TOWER}: v.post_ln.weight holds values that are not finite"),
    "a tensor that is missing": (False, lambda held: held.pop("blk.1.ffn_up.weight"), f"{HALF} with {TOWER}: the tensor model.language_model.layers.1.mlp.up_proj.weight of its text_encoder is missing"),
    "a tower's tensor that is missing": (True, lambda held: held.pop("v.blk.1.attn_k.weight"), "model.visual.blocks.1.attn.qkv.weight of its text_encoder is missing"),
    "a frame that is missing": (True, lambda held: held.pop("v.patch_embd.weight.1"), r"model.visual.patch_embed.proj.weight of its text_encoder is \(8, 3, 14, 14\), wanted \(8, 3, 2, 14, 14\)"),
    "a tensor too many": (False, lambda held: held.update({"blk.9.attn_q.weight": torch.zeros(2)}), f"{HALF}: the tensor blk.9.attn_q.weight does not belong there"),
    "a tower's tensor too many": (True, lambda held: held.update({"v.class_embd": torch.zeros(2)}), f"{TOWER}: the tensor v.class_embd does not belong there"),
    "a tensor in both": (True, lambda held: held.update({"token_embd.weight": torch.zeros(2, 2)}), f"{TOWER}: the tensor token_embd.weight is in {HALF} too"),
    "a tensor of another shape": (False, lambda held: held.update({"output_norm.weight": torch.zeros(3)}), r"is \(3,\), wanted \(16,\)"),
    "rows that cannot be joined": (True, lambda held: held.update({"v.blk.0.attn_k.weight": torch.zeros(8, 3)}), "describes nothing that can be built"),
    "frames that cannot be joined": (True, lambda held: held.update({"v.patch_embd.weight.1": torch.zeros(3)}), "describes nothing that can be built"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_half_that_is_hostile_is_refused(home: Path, tmp_path: Path, comfy: Path, name: str) -> None:  # noqa: F811
    tower, change, message = HOSTILE[name]
    folder, file = denoiser(home, "qwen-edit", comfy)
    halved(folder, comfy, change=change, changed=tower)
    with pytest.raises(CheckpointError, match=message) as refused:
        opened(file, tmp_path / "profile")
    assert "\n" not in str(refused.value) and str(comfy) in str(refused.value)


def test_both_halves_are_listed_and_checked(home: Path, tmp_path: Path, comfy: Path) -> None:  # noqa: F811
    folder, _ = denoiser(home, "qwen-edit", comfy)
    half, tower = halved(folder, comfy, "Q8_0", "F16")
    profile = str(tmp_path / "profile")
    told = {verdict.name: verdict.family for verdict in listing(profile) if verdict.kind == "text encoder"}
    assert told[HALF] == "Qwen 2.5 VL text encoder of width 16 without its vision tower, which is a file of its own"
    assert told[TOWER] == "vision tower of Qwen 2.5 VL, for a text encoder of width 16"
    for path in (half, tower):
        verdict = check(str(path), profile)
        assert verdict.loadable and verdict.kind == "text encoder" and [row.state for row in verdict.rows] == ["sound"] * 4, verdict

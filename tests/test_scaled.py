"""Weights of eight bits with a scale for the whole tensor, as ComfyUI saves them: they paint what the same numbers paint in full."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.errors import CheckpointError
from models.catalog import open_checkpoint
from models.check import glance
from models.findings import Findings
from models.places import Found
from models.safetensors_file import open_safetensors
from models.scaled import unscaled
from models.weight_files import LARGEST
from models.weights import BYTES
from tests.hostile import FILE
from tests.one_denoiser import NAMED, denoiser_file, packed_file
from tests.test_single_files import file_of, folder_of, home, layouts, opened, painted  # noqa: F401 - two are fixtures
from tests.tiny_families import tiny_folder
from ui.cli import status

Tensors = dict[str, torch.Tensor]
MOST = 448.0  # the largest number in this float of eight bits
KEY = "model.diffusion_model.double_blocks.0.img_attn.qkv"


def scaled(tensors: Tensors, newer: bool = False) -> tuple[Tensors, Tensors]:
    """A file as ComfyUI saves it, older or newer, and the weights that it is to give."""
    file, wanted = dict(tensors), dict(tensors)
    for name, weight in tensors.items():
        if not name.endswith(".weight") or weight.ndim != 2 or not weight.is_floating_point():
            continue
        layer, scale = name.removesuffix(".weight"), weight.abs().amax() / MOST
        file[name] = (weight / scale).to(torch.float8_e4m3fn)
        file[f"{layer}.weight_scale" if newer else f"{layer}.scale_weight"] = scale.float().reshape((1,) if newer else ())
        file[f"{layer}.input_scale" if newer else f"{layer}.scale_input"] = torch.tensor(0.5)
        wanted[name] = file[name].float() * scale
        if newer:
            file[f"{layer}.comfy_quant"] = mark({"format": "float8_e4m3fn"})
    if not newer:
        file["model.diffusion_model.scaled_fp8"] = torch.zeros(2).to(torch.float8_e4m3fn)
    return file, wanted


def mark(told: dict[str, Any]) -> torch.Tensor:
    return torch.tensor(list(json.dumps(told).encode()), dtype=torch.uint8)


@pytest.mark.parametrize("newer", [False, True])
@pytest.mark.parametrize("family", ["flux", "sd3", "sd1", "sdxl"])
def test_a_scaled_file_paints_what_its_weights_paint_in_full(home: Path, tmp_path: Path, family: str, newer: bool) -> None:  # noqa: F811
    """U-Nets, transformers, CLIP and T5, each in the file with all else."""
    file, wanted = scaled(load_file(file_of(home, family)), newer)
    save_file(file, tmp_path / "scaled.safetensors", {"_quantization_metadata": json.dumps({"layers": {KEY: {"format": "float8_e4m3fn"}}})} if newer else {})
    save_file(wanted, tmp_path / "full.safetensors")
    small, full = opened(tmp_path / "scaled.safetensors"), opened(tmp_path / "full.safetensors")
    assert small.family == full.family == family and torch.equal(painted(small), painted(full))
    assert not torch.equal(painted(small), painted(opened(folder_of(home, family))))  # eight bits are fewer
    assert glance(Found("scaled", tmp_path / "scaled.safetensors", "checkpoint")).loadable


@pytest.mark.parametrize("family", ["kontext", "klein", "qwen-image", "sd1"])
def test_a_scaled_denoiser_alone_takes_the_rest_from_a_folder(tmp_path: Path, family: str) -> None:
    folder = tiny_folder(tmp_path / "profile" / "checkpoints" / "parts", family)
    plain = denoiser_file(folder, tmp_path / "plain.safetensors", NAMED[family], "model.diffusion_model." if family == "kontext" else "")
    file, wanted = scaled(load_file(plain))
    save_file(file, tmp_path / "scaled.safetensors")
    save_file(wanted, tmp_path / "full.safetensors")
    part = "unet" if family == "sd1" else "transformer"
    small, full = (opened(tmp_path / f"{name}.safetensors", tmp_path / "profile").pipeline.components[part].state_dict() for name in ("scaled", "full"))
    assert small.keys() == full.keys() and all(torch.equal(small[key], full[key]) for key in full)


def test_a_part_of_a_folder_may_be_scaled(home: Path, tmp_path: Path) -> None:  # noqa: F811
    folders = [Path(shutil.copytree(folder_of(home, "flux"), tmp_path / name)) for name in ("small", "full")]
    for part, name in (("transformer", FILE), ("text_encoder_2", "model.safetensors")):
        for folder, tensors in zip(folders, scaled(load_file(folders[0] / part / name)), strict=True):
            save_file(tensors, folder / part / name)
    assert torch.equal(*(painted(opened(folder)) for folder in folders))


def test_a_scale_may_stand_before_or_behind_its_weight(tmp_path: Path) -> None:
    """Every byte is hashed either way."""
    weight, scale = torch.randn(8, 8).to(torch.float8_e4m3fn), torch.tensor(0.3)
    wanted = weight.float() * scale
    for names in (("a.weight", "a.scale_weight"), ("a.scale_weight", "a.weight")):
        tensors = {"a.weight": weight, "a.scale_weight": scale}
        header, at = {}, 0
        for name in names:
            size = tensors[name].numel() * tensors[name].element_size()
            header[name] = {"dtype": "F32" if tensors[name].dtype == torch.float32 else "F8_E4M3", "shape": list(tensors[name].shape), "data_offsets": [at, at + size]}
            at += size
        text = json.dumps(header).encode()
        data = b"".join(tensors[name].reshape(-1).view(torch.uint8).numpy().tobytes() for name in names)
        (tmp_path / "x.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data)
        digest = sha256()
        with open_safetensors(tmp_path / "x.safetensors", LARGEST) as file:
            found = dict(unscaled(file, {"a.weight"}, digest, BYTES))
        assert found.keys() == {"a.weight"} and torch.equal(found["a.weight"], wanted)
        assert digest.hexdigest() == sha256((tmp_path / "x.safetensors").read_bytes()).hexdigest()


Change = Callable[[Tensors], Tensors]
UNFIT: dict[str, tuple[Change, str, str]] = {
    "no weight": (lambda t: {"model.diffusion_model.spare.scale_weight": torch.ones(())}, "family", r"spare.scale_weight goes with .*spare.weight, which is not there"),
    "no weight for an input": (lambda t: {"model.diffusion_model.spare.scale_input": torch.ones(())}, "family", "spare.scale_input goes with .* not there"),
    "a scale a row": (lambda t: {f"{KEY}.scale_weight": torch.ones(96, 1)}, "family", r"scale_weight is \(96, 1\) F32; only one scale"),
    "no scale in it": (lambda t: {f"{KEY}.scale_weight": torch.ones(0)}, "family", r"scale_weight is \(0,\) F32; only one scale"),
    "a whole number": (lambda t: {f"{KEY}.scale_weight": torch.ones((), dtype=torch.int64)}, "family", r"scale_weight is \(\) I64; only one scale"),
    "two scales": (lambda t: {f"{KEY}.weight_scale": torch.ones(())}, "family", "has two scales"),
    "a weight in full": (lambda t: {f"{KEY}.weight": t[f"{KEY}.weight"].float()}, "family", r"qkv.weight is scaled \(.*\) and of F32; only float8_e4m3fn"),
    "whole eight bits": (lambda t: {f"{KEY}.weight": t[f"{KEY}.weight"].view(torch.int8)}, "family", r"qkv.weight is scaled \(.*\) and of I8; only"),
    "not finite": (lambda t: {f"{KEY}.scale_weight": torch.tensor(torch.inf)}, "finite", "the scale .*qkv.scale_weight is not finite"),
    "no number": (lambda t: {f"{KEY}.scale_weight": torch.tensor(torch.nan)}, "finite", "the scale .*qkv.scale_weight is not finite"),
    "too large together": (lambda t: {f"{KEY}.scale_weight": torch.tensor(3e38)}, "finite", "qkv.weight holds values that are not finite"),
    "another format": (lambda t: {f"{KEY}.comfy_quant": mark({"format": "nvfp4"})}, "finite", "comfy_quant says format=nvfp4; only float8_e4m3fn"),
    "weights that were turned": (lambda t: {f"{KEY}.comfy_quant": mark({"format": "float8_e4m3fn", "convrot": True})}, "finite", "convrot=True; only"),
    "a mark that is none": (lambda t: {f"{KEY}.comfy_quant": torch.zeros(4, dtype=torch.uint8)}, "finite", "is not JSON as it must be"),
    "a mark of any length": (lambda t: {f"{KEY}.comfy_quant": torch.zeros(5000, dtype=torch.uint8)}, "family", "tells nothing of a weight"),
}  # by what is in the place of a tensor: the row that refuses it, and what is said


@pytest.mark.parametrize("name", UNFIT)
def test_scales_that_do_not_go_with_their_weights_are_refused_in_one_message(home: Path, tmp_path: Path, name: str) -> None:  # noqa: F811
    change, row, message = UNFIT[name]
    file, _ = scaled(load_file(file_of(home, "flux")))
    path, findings = tmp_path / "scaled.safetensors", Findings()
    save_file({**file, **change(file)}, path)
    with pytest.raises(CheckpointError, match=message) as refused:
        open_checkpoint(path, findings, profile=str(tmp_path / "profile"))
    assert "\n" not in str(refused.value) and str(path) in str(refused.value) and findings.refused == row


@pytest.mark.parametrize("told", ['{"layers": {"a": {"format": "mxfp8"}}}', '{"layers": []}', "[", '{"layers": {"a": 3}}'])
def test_what_the_header_says_of_another_format_is_refused(home: Path, tmp_path: Path, told: str) -> None:  # noqa: F811
    file, _ = scaled(load_file(file_of(home, "flux")))
    save_file(file, tmp_path / "scaled.safetensors", {"_quantization_metadata": told})
    with pytest.raises(CheckpointError, match=r"_quantization_metadata|is not JSON"):
        opened(tmp_path / "scaled.safetensors")


@pytest.mark.parametrize("part", ["transformer", "text_encoder_2"])
def test_a_folder_with_a_scale_that_has_no_weight_is_refused(home: Path, tmp_path: Path, part: str) -> None:  # noqa: F811
    folder = Path(shutil.copytree(folder_of(home, "flux"), tmp_path / "flux"))
    path = folder / part / (FILE if part == "transformer" else "model.safetensors")
    save_file({**load_file(path), "spare.weight_scale": torch.ones(())}, path)
    with pytest.raises(CheckpointError, match=r"spare.weight_scale goes with spare.weight, which is not there"):
        opened(folder)


def test_a_gguf_file_with_scales_is_refused(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "profile" / "checkpoints" / "flux", "flux")
    path = packed_file(folder, tmp_path / "x.gguf", lambda tensors: {**NAMED["flux"](tensors), "double_blocks.0.img_attn.qkv.scale_weight": torch.ones(1)}, "Q8_0")
    with pytest.raises(CheckpointError, match="is scaled"):
        opened(path, tmp_path / "profile")


def test_the_command_refuses_one_in_a_line(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    file, _ = scaled(load_file(file_of(home, "flux")))
    save_file({**file, f"{KEY}.scale_weight": torch.ones(96)}, tmp_path / "scaled.safetensors")
    assert status(["models", "check", str(tmp_path / "scaled.safetensors"), "--profile", str(tmp_path / "profile")]) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said and said.count("\n") == 1 and "only one scale for a whole tensor" in said

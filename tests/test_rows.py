"""Weights of eight bits with a scale a row, as bitsandbytes and quanto save them: read without either package, each beside a twin."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import diffusers
import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.errors import CheckpointError
from models.catalog import open_checkpoint
from models.packed import unpacked
from models.prompted.checkpoint import PromptedCheckpoint
from models.reference.painter import ReferencePainter
from models.rows import RowLinear
from tests.hostile import FILE, edit_json
from tests.test_references import SPEC, request
from tests.tiny_families import tiny_folder

KEY = "transformer_blocks.0.ff.net.0.proj"
Tensors = dict[str, torch.Tensor]
TOLD = {
    "bitsandbytes": {"quant_method": "bitsandbytes", "load_in_8bit": True, "load_in_4bit": False, "llm_int8_threshold": 6.0},
    "quanto int8": {"quant_method": "quanto", "weights_dtype": "int8"}, "quanto float8": {"quant_method": "quanto", "weights_dtype": "float8"},
}  # fmt: skip


def packed(tensors: Tensors, layers: list[str], kind: str) -> tuple[Tensors, Tensors]:
    """The file as the library saves it, and the weights that it is to give."""
    file, wanted = dict(tensors), dict(tensors)
    for layer in layers:
        weight = file.pop(f"{layer}.weight")
        largest = weight.abs().amax(1)
        if kind == "bitsandbytes":
            numbers = (weight * (127 / largest)[:, None]).round().to(torch.int8)
            file |= {f"{layer}.weight": numbers, f"{layer}.SCB": largest, f"{layer}.weight_format": torch.tensor(0, dtype=torch.uint8)}
            wanted[f"{layer}.weight"] = numbers.float() * (largest / 127)[:, None]
            continue
        most = 127.0 if kind.endswith("int8") else torch.finfo(torch.float8_e4m3fn).max
        scale = (largest / most)[:, None]
        numbers = (weight / scale).round().to(torch.int8) if kind.endswith("int8") else (weight / scale).to(torch.float8_e4m3fn)
        one = torch.ones(())
        file |= {f"{layer}.weight._data": numbers, f"{layer}.weight._scale": scale, f"{layer}.input_scale": one, f"{layer}.output_scale": one.clone()}
        wanted[f"{layer}.weight"] = numbers.float() * scale
    return file, wanted


@pytest.fixture(scope="module", params=TOLD)
def folders(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Path]:
    """Its kind, a Flux whose transformer is kept so, and one with the same numbers in full."""
    home = tmp_path_factory.mktemp("rows")
    plain = tiny_folder(home / "plain", "flux")
    kept = Path(shutil.copytree(plain, home / "kept"))
    network = diffusers.FluxTransformer2DModel.from_pretrained(plain / "transformer")
    layers = [name for name, module in network.named_modules() if type(module) is torch.nn.Linear]
    file, wanted = packed(load_file(plain / "transformer" / FILE), layers, request.param)
    save_file(file, kept / "transformer" / FILE)
    save_file(wanted, plain / "transformer" / FILE)
    edit_json(kept / "transformer" / "config.json", quantization_config=TOLD[request.param])
    return request.param, kept, plain


def opened(folder: Path) -> PromptedCheckpoint:
    found = open_checkpoint(folder)
    assert isinstance(found, PromptedCheckpoint)
    return found


def test_it_stays_in_eight_bits_and_paints_what_its_numbers_say(folders: tuple[str, Path, Path]) -> None:
    kind, kept, plain = folders
    found, other = opened(kept), opened(plain)
    layer = found.pipeline.transformer.get_submodule(KEY)
    inner = layer.in_features
    with torch.no_grad():
        seen = layer(torch.eye(inner)) - layer(torch.zeros(inner, inner))
    assert torch.allclose(seen.T, other.pipeline.transformer.get_submodule(KEY).weight, atol=1e-6)
    frames = [ReferencePainter(checkpoint, SPEC).frame(request()) for checkpoint in (found, other)]
    assert isinstance(layer, RowLinear) and layer.weight.dtype.itemsize == 1, "placing it made more of it"
    assert (frames[0] - frames[1]).abs().max() <= 1e-5 and frames[0].std() > 0.01


HOSTILE: dict[str, tuple[Callable[[Tensors, str, str], object], str]] = {
    "no scale": (lambda held, numbers, scale: held.pop(scale), "do not go together"),
    "too few scales": (lambda held, numbers, scale: held.update({scale: held[scale][:-1]}), "do not go together"),
    "scales of whole numbers": (lambda held, numbers, scale: held.update({scale: held[scale].long()}), "do not go together"),
    "too few rows": (lambda held, numbers, scale: held.update({numbers: held[numbers][:-1].clone()}), "do not go together"),
    "a scale that is none": (lambda held, numbers, scale: held[scale].fill_(float("nan")), "not finite"),
    "a scale without end": (lambda held, numbers, scale: held[scale].fill_(float("inf")), "not finite"),
    "scales without a weight": (lambda held, numbers, scale: held.pop(numbers), "does not belong there|is missing|which is not there"),
    "another layer's numbers": (lambda held, numbers, scale: held.update({numbers: held[numbers].T.contiguous()}), "do not go together"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_does_not_go_together_is_refused(folders: tuple[str, Path, Path], tmp_path: Path, name: str) -> None:
    """Each is the folder of the test above, which loads, with one thing changed."""
    kind, kept, _ = folders
    folder = Path(shutil.copytree(kept, tmp_path / "flux"))
    file = folder / "transformer" / FILE
    held = load_file(file)
    change, message = HOSTILE[name]
    change(held, *((f"{KEY}.weight", f"{KEY}.SCB") if kind == "bitsandbytes" else (f"{KEY}.weight._data", f"{KEY}.weight._scale")))
    save_file(held, file)
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(folder)


def test_what_is_kept_for_other_arithmetic_is_refused(folders: tuple[str, Path, Path], tmp_path: Path) -> None:
    kind, kept, _ = folders
    name = "weight_format" if kind == "bitsandbytes" else "input_scale"
    folder = Path(shutil.copytree(kept, tmp_path / "flux"))
    file = folder / "transformer" / FILE
    held = load_file(file)
    held[f"{KEY}.{name}"] = torch.full_like(held[f"{KEY}.{name}"], 2)
    save_file(held, file)
    with pytest.raises(CheckpointError, match=r"laid out for one kind of GPU|activations in eight bits"):
        open_checkpoint(folder)


def test_what_is_unpacked_is_what_was_packed() -> None:
    from models.rows import parameter

    numbers, scale = torch.tensor([[127, -64], [1, 0]], dtype=torch.int8), torch.tensor([2.0, 127.0])
    assert torch.allclose(unpacked(parameter({"weight": numbers, "largest": scale}, Path("x"), "w")), torch.tensor([[2.0, -64 * 2 / 127], [1.0, 0.0]]))

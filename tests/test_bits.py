"""Weights that bitsandbytes packed into four bits: as the library itself reads them; what does not go together is refused."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers.quantizers.bitsandbytes.bnb_quantizer import BnB4BitDiffusersQuantizer
from safetensors.torch import load_file, save_file

from engine.errors import CheckpointError
from models.bits import linear_numbers, pack
from models.catalog import open_carefully, open_checkpoint
from models.ladder import PACKED
from models.memory_plan import MemoryPlan, plans
from models.packed import in_bits, unpacked
from models.places import Found
from models.placing import place
from models.prompted.checkpoint import PromptedCheckpoint
from models.reference.painter import ReferencePainter
from models.sizes import sizes_of
from tests.conftest import need_package
from tests.hostile import FILE, edit_json
from tests.test_memory_plan import Pipeline
from tests.test_references import SPEC, request, small_pictures  # noqa: F401 - a fixture of every test here
from tests.tiny_families import tiny_folder

ROOT = Path(__file__).parent.parent
KEY = "transformer_blocks.0.ff.net.0.proj.weight"
STATE = f"{KEY}.quant_state.bitsandbytes__nf4"


@pytest.fixture(scope="module")
def library() -> None:
    need_package("bitsandbytes")


@pytest.fixture(scope="module")
def packed(library: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Flux whose transformer the library packed and saved."""
    home = tmp_path_factory.mktemp("bits")
    folder = tiny_folder(home / "flux", "flux")
    anywhere = pytest.MonkeyPatch()
    anywhere.setattr(BnB4BitDiffusersQuantizer, "validate_environment", lambda *given, **how: None)  # which asks for a GPU
    anywhere.setattr(BnB4BitDiffusersQuantizer, "update_device_map", lambda self, devices: {"": "cpu"})
    how = diffusers.BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=torch.float32)
    transformer = diffusers.FluxTransformer2DModel.from_pretrained(folder / "transformer", quantization_config=how)
    shutil.rmtree(folder / "transformer")
    transformer.save_pretrained(folder / "transformer")
    yield folder
    anywhere.undo()


def opened(folder: Path) -> PromptedCheckpoint:
    found = open_checkpoint(folder)
    assert isinstance(found, PromptedCheckpoint)
    return found


def test_it_paints_what_the_library_reads_of_it(packed: Path) -> None:
    found, other = opened(packed), opened(packed)
    ours = found.pipeline.transformer
    assert in_bits(ours.get_parameter(KEY))
    theirs = diffusers.FluxTransformer2DModel.from_pretrained(packed / "transformer")
    for name, weight in theirs.named_parameters():
        mine = ours.get_parameter(name)
        assert torch.equal(unpacked(mine) if in_bits(mine) else mine, unpacked(weight) if in_bits(weight) else weight.float()), name
    numbers = {name: unpacked(weight) if in_bits(weight) else weight.float() for name, weight in theirs.named_parameters()}
    plain = diffusers.FluxTransformer2DModel.from_config({key: value for key, value in theirs.config.items() if key != "quantization_config"})
    plain.load_state_dict(numbers)
    other.pipeline.transformer = plain.eval()
    frames = [ReferencePainter(checkpoint, SPEC).frame(request()) for checkpoint in (found, other)]
    assert torch.equal(*frames) and frames[0].std() > 0.01


@pytest.fixture
def short_gpu(library: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU's part played by the CPU, on which a tiny checkpoint fits in four bits and no larger."""

    def fitting(parts: Any, size: Any, most: int, device: str, *rest: Any) -> list[MemoryPlan]:
        ladder = plans(parts, size, 10**15, "cuda", *rest)
        return [one for one in ladder if one.packed] or ladder

    monkeypatch.setattr("models.memory_plan.LARGE", 0)
    monkeypatch.setattr("models.placing.plans", fitting)


def packed_layers(network: torch.nn.Module) -> tuple[int, int]:
    """How many linear layers lie in four bits, and how many do not."""
    from bitsandbytes.nn import Linear4bit

    every = [layer for layer in network.modules() if isinstance(layer, torch.nn.Linear)]
    bits = [layer for layer in every if isinstance(layer, Linear4bit) and in_bits(layer.weight)]
    return len(bits), len(every) - len(bits)


@pytest.mark.parametrize(("family", "least"), [("kontext", 0.9), ("klein", 0.9), ("fibo2", 0.3)])
def test_a_plan_in_four_bits_paints_what_its_weights_unpacked_paint(short_gpu: None, tmp_path: Path, family: str, least: float) -> None:
    """least: how much alike the frame of the weights as they were is; random ones make far more of a small difference than trained
    ones do, a little of it in each family."""
    folder = tiny_folder(tmp_path / family, family)
    found, other = opened(folder), opened(folder)
    painter = ReferencePainter(found, replace(SPEC, dtype="auto"))
    assert painter.placement.plan.packed and painter.info.plan.startswith("bfloat16, large networks in four bits, in slices and tiles: ")
    assert packed_layers(found.pipeline.transformer)[1] == 0 and packed_layers(found.pipeline.text_encoder)[0] > 0
    assert packed_layers(found.pipeline.vae)[0] == 0
    whole = ReferencePainter(other, replace(SPEC, dtype="bfloat16"))
    assert not whole.placement.plan.packed and whole.placement.tile()  # a number format that is asked for is kept to
    exact = whole.frame(request())
    for part, network in found.parts.items():
        for name, weight in network.named_parameters():
            if in_bits(weight):
                theirs, ours = other.parts[part].get_parameter(name), unpacked(weight)
                assert (ours - theirs).norm() < 0.12 * theirs.norm(), name
                theirs.data.copy_(ours)
    whole.words.forget()
    frames = [one.frame(request()) for one in (painter, whole)]
    assert torch.equal(*frames) and torch.isfinite(frames[0]).all()
    alike = torch.corrcoef(torch.stack([frames[0].flatten(), exact.flatten()]))[0, 1]
    assert least < alike < 1


def test_a_shortage_while_it_paints_packs_and_goes_on(short_gpu: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.placing.plans", lambda parts, size, most, device, *rest: plans(parts, size, 10**15, "cuda", *rest)[:3])
    painter = open_carefully(replace(SPEC, checkpoint=str(tiny_folder(tmp_path / "kontext", "kontext")), dtype="auto"))
    transformer = painter.painter.placement._parts["transformer"]

    def run_out(module: torch.nn.Module, given: Any) -> None:
        if not packed_layers(transformer)[0]:
            raise torch.OutOfMemoryError("CUDA out of memory, injected")

    transformer.register_forward_pre_hook(run_out)
    got = painter.paint(request())
    assert packed_layers(transformer)[1] == 0 and PACKED in painter.info.gave_up and "four bits" in painter.info.plan
    assert got.patches and all(np.ptp(patch.pixels) > 0 for patch in got.patches)


def test_it_packs_as_the_library_does(packed: Path, tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "flux", "flux")
    how = diffusers.BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.float32)
    theirs = diffusers.FluxTransformer2DModel.from_pretrained(folder / "transformer", quantization_config=how, torch_dtype=torch.float32)
    ours = opened(folder).pipeline.transformer
    numbers = linear_numbers(ours)
    pack(ours, torch.device("cpu"), torch.float32)
    assert linear_numbers(ours) == 0 and numbers == sum(unpacked(weight).numel() for weight in ours.parameters() if in_bits(weight))
    for name, weight in theirs.named_parameters():
        mine = ours.get_parameter(name)
        assert in_bits(mine) == in_bits(weight), name
        assert torch.equal(unpacked(mine) if in_bits(mine) else mine, unpacked(weight) if in_bits(weight) else weight), name


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("width", [16, 64, 100, 256])
def test_rows_of_any_width_come_out_as_they_went_in(width: int) -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(width, 48))
    before, given = network[0].weight.detach(), torch.randn(3, width)
    pack(network, torch.device("cpu"), torch.float32)
    after = unpacked(network[0].weight)
    assert (after - before).norm() < 0.12 * before.norm()
    torch.testing.assert_close(network(given), given @ after.T + network[0].bias)


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("family", ["kontext", "klein", "sana-sprint"])
def test_headers_promise_no_more_than_can_be_packed(tmp_path: Path, family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tiny_folder(tmp_path / family, family)
    told, parts = sizes_of(Found(family, folder, "checkpoint")), opened(folder).parts
    for part in ("transformer", "text_encoder"):
        assert 0.5 * linear_numbers(parts[part]) <= told.linear[part] <= linear_numbers(parts[part])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    without = sizes_of(Found(family, folder, "checkpoint"))
    assert set(without.linear.values()) == {0} and without.parts == told.parts
    assert not any(map(linear_numbers, parts.values()))


def test_a_network_in_four_bits_waits_in_the_main_memory_by_diffusers_own_way(library: None) -> None:
    pipeline, part = Pipeline(), torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.LayerNorm(64))
    plan = MemoryPlan("bfloat16", True, "model", 0, True, ("transformer",))
    place(pipeline, {"transformer": part}, plan, torch.device("cpu"), torch.bfloat16)
    assert pipeline.used == ["enable_attention_slicing", "tiling", "remove_all_hooks", "enable_model_cpu_offload device"]
    assert packed_layers(part) == (1, 0) and part[1].weight.dtype == torch.bfloat16


@pytest.mark.usefixtures("library")
def test_a_library_that_is_there_says_nothing_where_nobody_asked_for_it() -> None:
    """One message on stderr is all that a command may leave there, and diffusers takes this package in for every checkpoint."""
    done = subprocess.run([sys.executable, "-c", "import models, bitsandbytes"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def state(**changes: object) -> Callable[[dict[str, torch.Tensor]], None]:
    def change(held: dict[str, torch.Tensor]) -> None:
        told = {**json.loads(bytes(held[STATE].tolist())), **changes}
        held[STATE] = torch.tensor(list(json.dumps(told).encode()), dtype=torch.uint8)

    return change


HOSTILE: dict[str, tuple[Callable[[dict[str, torch.Tensor]], object], str]] = {
    "a piece that is missing": (lambda held: held.pop(f"{KEY}.absmax"), "do not go together"),
    "the weight is missing": (lambda held: held.pop(KEY), "does not belong"),
    "too few bytes": (lambda held: held.update({KEY: held[KEY][:-1]}), "do not go together"),
    "a piece of another kind": (lambda held: held.update({f"{KEY}.quant_map": held[f"{KEY}.quant_map"].double()}), "unpacks nothing"),
    "another shape": (state(shape=[2**20, 2**20]), "unpacks nothing"),
    "no block": (state(blocksize=0), "unpacks nothing"),
    "a type that is a function": (state(dtype="load"), "unpacks nothing"),
    "another way to pack": (state(quant_type="fp4"), "unpacks nothing"),
    "an offset that is none": (state(nested_offset=float("inf")), "unpacks nothing"),
    "a number that is none": (lambda held: held[f"{KEY}.nested_absmax"].fill_(float("nan")), "not finite"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_does_not_go_together_is_refused_and_its_twin_loads(packed: Path, tmp_path: Path, name: str) -> None:
    folder = Path(shutil.copytree(packed, tmp_path / "flux"))
    file = folder / "transformer" / FILE
    held = load_file(file)
    save_file(held, file)
    assert opened(folder).family == "flux"
    change, message = HOSTILE[name]
    change(held)
    save_file(held, file)
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(folder)


@pytest.mark.parametrize(("told", "message"), [
    ({"quant_method": "bitsandbytes", "load_in_4bit": True}, r"needs the package bitsandbytes \(pip install bitsandbytes\)"),
    ({"quant_method": "quanto", "weights_dtype": "int4"}, "packed by quanto into int4; only int8 and float8"),
    ({"quant_method": "quanto", "weights": "int8", "activations": "int8"}, "packed by quanto into int8; only int8 and float8"),
    ({"quant_method": "torchao"}, "by torchao, whose files are pickles"), ({"quant_method": "os.system"}, "packed by 'os.system', which is not read here"),
])  # fmt: skip
def test_one_message_says_what_is_missing_or_why_it_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: dict[str, object], message: str) -> None:
    folder = tiny_folder(tmp_path / "flux", "flux")
    edit_json(folder / "transformer" / "config.json", quantization_config=told)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(folder)

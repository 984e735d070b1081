"""Weights that bitsandbytes packed into four bits: as the library itself reads them; what does not go together is refused."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import diffusers
import pytest
import torch
from diffusers.quantizers.bitsandbytes.bnb_quantizer import BnB4BitDiffusersQuantizer
from safetensors.torch import load_file, save_file

from engine.errors import CheckpointError
from models.catalog import open_checkpoint
from models.packed import in_bits, unpacked
from models.prompted.checkpoint import PromptedCheckpoint
from models.reference.painter import ReferencePainter
from tests.conftest import need_package
from tests.hostile import FILE, edit_json
from tests.test_references import SPEC, request
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

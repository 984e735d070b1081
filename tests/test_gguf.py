"""GGUF: the weights stay packed and paint as they would unpacked; a file that is not as it must be is refused before a library sees it."""

from __future__ import annotations

import hashlib
import importlib.util
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.errors import CheckpointError
from models.catalog import open_checkpoint
from models.gguf_file import open_gguf
from models.loose import text_encoder
from models.packed import is_packed, unpacked
from models.prompted.checkpoint import PromptedCheckpoint
from models.reference.painter import ReferencePainter
from tests.conftest import need_package
from tests.fuzz_targets import gguf
from tests.one_denoiser import NAMED, packed_file
from tests.test_references import SPEC, request, small_pictures  # noqa: F401 - a fixture of every test here
from tests.tiny_families import tiny_folder

HEAD = gguf([("a.weight", (2, 32), 8, 0, bytes(68))])


@pytest.fixture
def library() -> None:
    need_package("gguf")


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(("family", "kind"), [("kontext", "Q8_0"), ("flux-schnell", "Q4_0"), ("qwen-image", "Q5_1"), ("klein", "BF16"), ("sd3", "Q8_0")])
def test_a_packed_transformer_paints_as_it_does_unpacked(tmp_path: Path, family: str, kind: str) -> None:
    folder = tiny_folder(tmp_path / "profile" / "checkpoints" / "parts", family)
    file = packed_file(folder, tmp_path / "model.gguf", NAMED[family], kind)
    found = open_checkpoint(file, profile=str(tmp_path / "profile"))
    assert isinstance(found, PromptedCheckpoint) and found.family == family
    transformer = found.pipeline.transformer
    packed = [name for name, weight in transformer.named_parameters() if is_packed(weight)]
    assert bool(packed) == (kind != "BF16")
    folder_whole = open_checkpoint(folder)
    assert isinstance(folder_whole, PromptedCheckpoint)
    numbers = {name: unpacked(weight.detach()) if is_packed(weight) else weight for name, weight in transformer.state_dict().items()}
    whole = folder_whole.pipeline.transformer
    assert not all(torch.equal(numbers[name], tensor) for name, tensor in whole.state_dict().items())  # packing loses a little
    assert all(torch.allclose(numbers[name], tensor, atol=0.1) for name, tensor in whole.state_dict().items())
    whole.load_state_dict(numbers)
    frames = [ReferencePainter(checkpoint, SPEC).frame(request()) for checkpoint in (found, folder_whole)]
    assert torch.equal(*frames) and frames[0].std() > 0.01


@pytest.mark.usefixtures("library")
def test_a_packed_number_that_is_none_is_refused(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "profile" / "checkpoints" / "parts", "kontext")
    file = packed_file(folder, tmp_path / "model.gguf", NAMED["kontext"], "Q8_0")
    with open_gguf(file, 2**30) as header:
        entry = header.entries["double_blocks.0.img_mlp.0.weight"]
        behind = file.stat().st_size - header._size
    data = bytearray(file.read_bytes())
    data[behind + entry.start : behind + entry.start + 2] = struct.pack("<H", 0x7E00)
    file.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"img_mlp\.0\.weight holds values that are not finite"):
        open_checkpoint(file, profile=str(tmp_path / "profile"))


def test_without_the_package_one_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.gguf").write_bytes(HEAD)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CheckpointError, match=r"needs the package gguf; install it \(pip install gguf\)"):
        open_checkpoint(tmp_path / "model.gguf")


def counts(tensors: int, keys: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:8] + struct.pack("<QQ", tensors, keys) + data[24:]


LINE = ("a.weight", (2, 32), 8, 0, bytes(68))
HOSTILE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "a file of another kind": (lambda data: b"GGML" + data[4:], "no GGUF file|not a whole"),
    "another version": (lambda data: data[:4] + b"\x09\0\0\0" + data[8:], "version 9"),
    "tensors without end": (counts(2**63, 0), "at most 20000"),
    "values without end": (counts(1, 2**40), "at most"),
    "the file that hung a reader": (lambda data: b"GGUF\x03\0\0\0" + b"\xff" * 35, "at most"),
    "a text without end": (lambda data: gguf([LINE], [(b"k", 8, struct.pack("<Q", 2**40))]), "a text of"),
    "a list without end": (lambda data: gguf([LINE], [(b"k", 9, struct.pack("<IQ", 4, 2**40))]), "a list that is too long"),
    "a list of lists": (lambda data: gguf([LINE], [(b"k", 9, struct.pack("<IQ", 9, 1) + bytes(12))]), "or of lists"),
    "a value of no kind": (lambda data: gguf([LINE], [(b"k", 77, b"")]), "a kind that is not known"),
    "an alignment that is none": (lambda data: gguf([LINE], [(b"general.alignment", 4, struct.pack("<I", 3))]), "bytes apart"),
    "a name that is a path": (lambda data: gguf([("../../x", *LINE[1:])]), "no plain tensor name"),
    "a name twice": (lambda data: gguf([LINE, ("a.weight", (2, 32), 8, 96, bytes(68))]), "stands twice"),
    "a shape without end": (lambda data: gguf([("a.weight", (2**40, 2**40), 8, 0, b"")]), "no sound shape"),
    "many dimensions": (lambda data: gguf([("a.weight", (1,) * 9, 0, 0, bytes(4))]), "9 dimensions"),
    "packed in an unknown way": (lambda data: gguf([("a.weight", (2, 32), 99, 0, bytes(68))]), "packed in a way"),
    "half a block": (lambda data: gguf([("a.weight", (2, 31), 8, 0, bytes(68))]), "no shape that can be packed"),
    "tensors that overlap": (lambda data: gguf([LINE, ("b.weight", (2, 32), 8, 32, bytes(68))]), "does not begin where"),
    "a tensor behind the file": (lambda data: gguf([("a.weight", (2000, 32), 8, 0, bytes(68))]), "not a whole GGUF file"),
    "bytes that are no tensor": (lambda data: data + bytes(100), "that are no tensor"),
    "half a file": (lambda data: data[: len(data) // 2], "not a whole"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_and_its_twin_is_read(tmp_path: Path, name: str) -> None:
    """Row 14. The twin is what the file was before; it is refused for what it holds, not for how."""
    path = tmp_path / "model.gguf"
    path.write_bytes(HEAD)
    digest = hashlib.sha256()
    with open_gguf(path, 2**20) as file:
        assert file.entries["a.weight"].shape == (2, 32)
        if importlib.util.find_spec("gguf"):
            assert [name for name, _ in file.tensors(digest)] == ["a.weight"] and digest.hexdigest() == hashlib.sha256(HEAD).hexdigest()
    change, message = HOSTILE[name]
    path.write_bytes(change(HEAD))
    with pytest.raises(CheckpointError, match=message), open_gguf(path, 2**20):
        pass
    with pytest.raises(CheckpointError):
        open_checkpoint(path)
    with pytest.raises(CheckpointError):
        text_encoder(path)


def test_a_painter_in_half_precision_unpacks_into_it(tmp_path: Path, library: None) -> None:
    folder = tiny_folder(tmp_path / "profile" / "checkpoints" / "parts", "kontext")
    file = packed_file(folder, tmp_path / "model.gguf", NAMED["kontext"], "Q8_0")
    found = open_checkpoint(file, profile=str(tmp_path / "profile"))
    assert isinstance(found, PromptedCheckpoint)
    assert ReferencePainter(found, replace(SPEC, dtype="bfloat16", steps=1)).frame(request()).isfinite().all()

"""Convolutions in eight bits: as good as float32, chosen where they can be, and never believed blindly."""

from __future__ import annotations

import json
import math
import platform
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from engine.errors import CheckpointError
from engine.painter import PainterSpec
from models import eight_bits
from models.catalog import BUNDLED, open_painter
from models.eight_bits import Conv8, checked_ranges, in_eight_bits, measured
from models.likeness import psnr
from models.loading import BundledCheckpoint, load_bundled
from models.training.heldout import held_out, paint

SIZE = (256, 192)
ABLE = pytest.mark.skipif(not eight_bits.supported(), reason="this CPU multiplies no bytes (VNNI)")


@pytest.fixture(scope="module")
def bundled() -> BundledCheckpoint:
    return load_bundled(BUNDLED, "bundled")


@ABLE
def test_a_convolution_in_eight_bits_gives_nearly_the_same() -> None:
    torch.manual_seed(1)
    layer = nn.Conv2d(32, 48, 3, padding=1)
    x = torch.randn(2, 32, 24, 40).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        exact, near = layer(x), Conv8(layer, float(x.min()), float(x.max()))(x)
    assert 0 < (exact - near).abs().mean() < 0.02 * exact.abs().mean()
    assert near.is_contiguous(memory_format=torch.channels_last)


@ABLE
def test_what_lies_outside_the_range_is_clipped() -> None:
    layer = nn.Conv2d(1, 1, 1, bias=False)
    layer.weight.data.fill_(1.0)
    with torch.inference_mode():
        shown = Conv8(layer, -1.0, 1.0)(torch.tensor([-9.0, -1.0, 0.0, 0.5, 9.0]).view(1, 1, 1, 5))
    assert np.allclose(shown.flatten().numpy(), [-1, -1, 0, 0.5, 1], atol=0.01)


@ABLE
def test_the_bundled_checkpoint_paints_as_well_in_eight_bits(bundled: BundledCheckpoint) -> None:
    shots = held_out()[::3]
    full = paint(bundled.denoiser, bundled.context_encoder, shots)
    less = paint(in_eight_bits(bundled.denoiser), bundled.context_encoder, shots)
    assert min(psnr(a, b) for a, b in zip(full, less, strict=True)) > 46
    lost = [psnr(a, s.frame) - psnr(b, s.frame) for a, b, s in zip(full, less, shots, strict=True)]
    assert max(lost) < 0.5


@ABLE
@pytest.mark.parametrize("mode", ["guided", "dream"])
def test_a_cpu_that_can_paints_the_bundled_checkpoint_in_eight_bits(mode: str) -> None:
    spec = PainterSpec(size=SIZE, mode=mode, device="cpu", threads=1)
    assert open_painter(spec).info.dtype == "int8"
    full = PainterSpec(size=SIZE, mode=mode, device="cpu", threads=1, dtype="float32")
    assert open_painter(full).info.dtype == "float32"


@pytest.mark.parametrize("told", [{}, {"avx_vnni": False}, {"avx_vnni": True}, {"avx512_vnni": True}])
def test_a_cpu_is_believed_where_its_sums_are_exact(monkeypatch: pytest.MonkeyPatch, told: dict[str, bool]) -> None:
    monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: told, raising=False)
    for exact in (True, False):
        monkeypatch.setattr(eight_bits, "_adds_exactly", lambda exact=exact: exact)
        assert eight_bits.supported.__wrapped__() == (exact and any(told.values()))


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="only of x86 CPUs without VNNI is it known that their sums of bytes overflow")
def test_where_bytes_are_not_multiplied_sums_overflow_and_it_is_seen() -> None:
    assert eight_bits._adds_exactly() == eight_bits.supported()


def test_a_cpu_that_cannot_paints_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eight_bits, "supported", lambda: False)
    assert open_painter(PainterSpec(size=SIZE, device="cpu", threads=1)).info.dtype == "float32"
    with pytest.raises(CheckpointError, match="VNNI"):
        open_painter(PainterSpec(size=SIZE, device="cpu", threads=1, dtype="int8"))


@ABLE
def test_a_checkpoint_without_ranges_paints_in_float32(tmp_path: Path) -> None:
    spec = PainterSpec(checkpoint=str(_with_ranges(tmp_path, None)), size=SIZE, device="cpu", threads=1)
    assert open_painter(spec).info.dtype == "float32"
    with pytest.raises(CheckpointError, match="input_ranges"):
        open_painter(PainterSpec(checkpoint=spec.checkpoint, size=SIZE, device="cpu", threads=1, dtype="int8"))


@pytest.mark.parametrize(
    "ranges",
    [[1, 2], "no", {"nowhere": [0, 1]}, {"to_coarse": [0]}, {"to_coarse": [0, "1"]}, {"to_coarse": [1, 2]}, {"to_coarse": [-2, -1]},
     {"to_coarse": [-1e5, 1]}, {"to_coarse": [0, True]}, {"summary": [-1, 1]}],
)  # fmt: skip
def test_ranges_that_cannot_be_are_refused(tmp_path: Path, ranges: Any) -> None:
    with pytest.raises(CheckpointError, match=r"config\.json: input_ranges"):
        load_bundled(_with_ranges(tmp_path, ranges), "x")


def test_ranges_of_layers_that_stay_in_full_are_passed_over(tmp_path: Path) -> None:
    """Older checkpoints tell the head's."""
    found = load_bundled(_with_ranges(tmp_path, {"head": [-1, 1], "to_coarse": [-1, 1]}), "x").denoiser
    assert found.input_ranges == {"to_coarse": (-1.0, 1.0)}


def test_no_number_at_all_is_refused(bundled: BundledCheckpoint) -> None:
    with pytest.raises(CheckpointError, match="two numbers around zero"):
        checked_ranges({"head": [0, math.nan]}, bundled.denoiser, "config.json")


def test_ranges_are_what_layers_are_given_but_for_the_rarest() -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU())
    given = torch.linspace(-3, 5, 40_000).view(1, 1, 200, 200)
    with measured(network) as ranges:
        network(given)
        network(given / 2)
    low, high = ranges["0"]
    assert -3 < low < -2.99 and 4.99 < high < 5


def _with_ranges(folder: Path, ranges: Any) -> Path:
    """The bundled checkpoint with these ranges of its denoiser; None: without."""
    copytree(BUNDLED, folder / "checkpoint")
    path = folder / "checkpoint" / "denoiser" / "config.json"
    config = json.loads(path.read_text())
    config.pop("input_ranges")
    path.write_text(json.dumps(config if ranges is None else {**config, "input_ranges": ranges}))
    return folder / "checkpoint"

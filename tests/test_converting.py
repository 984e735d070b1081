"""OpenVINO in torch's place, on a CPU: the same pictures, in every size, and torch again where it cannot be."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmarks.side_by_side import _StockPrompted
from engine.geometry import Rect
from engine.painter import OPENVINO, TORCH_COMPILE, Painter, PainterSpec, PaintRequest, Words
from models.catalog import open_painter
from models.compiling import Blocks
from models.converting import OWN, Converted, Lone, regions_of
from tests.conftest import need_package
from tests.test_painters import SIZE, ask, drawn
from tests.tiny_families import tiny_folder

SPEC = PainterSpec(size=SIZE, threads=1, device="cpu", dtype="float32", compiled=True)
DAMAGE = (Rect(40, 48, 24, 16),)


@pytest.fixture(autouse=True)
def _there() -> None:
    need_package("openvino")


def opened(folder: Path, family: str, **how: Any) -> Painter:
    return open_painter(replace(SPEC, checkpoint=str(tiny_folder(folder, family, tiny_vae=True)), **how))


def requests() -> list[PaintRequest]:
    """The whole frame, a small crop, two crops at once, and what is told in more words."""
    whole, told = Rect(0, 0, *SIZE), Words("dark blue, rounded", known="writes at night and likes large letters")
    first = replace(ask(drawn(1), (whole,)), words=Words("dark"))
    return [first, replace(ask(drawn(2), DAMAGE), words=Words("dark")), replace(ask(drawn(3), DAMAGE), words=told)]


@pytest.mark.parametrize("family", ["sd-turbo", "lcm", "sdxl", "pix2pix", "sd-control"])
def test_it_paints_what_torch_paints(family: str, tmp_path: Path) -> None:
    """Guidance, what Latent Consistency Models and SDXL are told beside words, pictures that are edited, and a ControlNet."""
    converted = opened(tmp_path / "one", family)
    plain = opened(tmp_path / "other", family, compiled=False)
    assert (converted.info.compiler, converted.info.note) == (OPENVINO, "") and converted.info.compile_s > 0 and not plain.info.compiler
    for request in requests():
        one, other = (painter.paint(request).patches[-1].pixels.astype(int) for painter in (converted, plain))
        assert np.abs(one - other).max() <= 1 and np.ptp(one) > 0


class Halved(nn.Module):
    """As a U-Net: down, and up again to what it was; on its way it asks whether the sides come out, as diffusers' does."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(4, 4, 3, stride=2, padding=1)

    def forward(self, x: Tensor, scale: float, more: dict[str, Tensor], flag: bool = True) -> tuple[list[Tensor], Tensor]:
        uneven = any(side % 2 for side in x.shape[2:])
        how: dict[str, Any] = {"size": x.shape[2:]} if uneven else {"scale_factor": 2.0}
        up = x + nn.functional.interpolate(self.layer(x), **how) * scale
        return [up + more["shift"].view(-1, 1, 1, 1)], up if flag else -up


def test_one_conversion_computes_every_size_and_batch() -> None:
    network = Halved().requires_grad_(False)
    region = Converted(network)
    region.compile("")
    for batch, high, wide in [(1, 8, 8), (3, 8, 12), (2, 24, 4), (1, 7, 8), (2, 5, 9)]:
        given = torch.randn(batch, 4, high, wide), 2.0, {"shift": torch.randn(batch, 1)}
        (found,), last = network(*given, flag=False)
        (wanted,), own = Halved.forward(network, *given, flag=False)
        assert torch.allclose(found, wanted, atol=1e-5) and torch.allclose(last, own, atol=1e-5)
        assert len(region._models) == 1
    kept = last.clone()
    (other,), _ = network(*given, flag=True)
    assert len(region._models) == 2, "another constant makes another function"
    assert torch.equal(kept, last), "what was given is not written over"
    region.as_it_was()
    assert torch.equal(network(*given)[0][0], Halved.forward(network, *given)[0][0]) and "forward" not in vars(network)


@pytest.mark.parametrize("roomy", [True, False])
def test_the_first_sizes_are_compiled_for_themselves_where_there_is_room(roomy: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    network = Halved().requires_grad_(False)
    region = Converted(network)
    region.compile("")
    monkeypatch.setattr("models.converting.free_bytes", lambda device: 1 << 40 if roomy else 0)
    sizes = [(8, 8), (8, 12), (12, 8), (16, 16), (8, 8), (8, 12)]
    for high, wide in sizes:
        given = torch.randn(1, 4, high, wide), 2.0, {"shift": torch.randn(1, 1)}
        assert torch.allclose(network(*given)[1], Halved.forward(network, *given)[1], atol=1e-5)
    (model,) = region._models.values()
    own = [model._request((torch.zeros(1, 4, *size), torch.zeros(1, 1))) for size in sizes]
    assert len({id(request) for request in own}) == (OWN + 1 if roomy else 1), "each of the first, and one for any"
    assert own[3] is model._any and own[0] is own[4] and own[1] is own[5]
    longer = model._request((torch.zeros(1, 4, 8, 8), torch.zeros(2, 1)))
    assert longer is own[0], "words may be more or fewer"


INTERRUPTED = """
import signal, torch
from models.converting import Converted
from tests.test_converting import Halved

regions = [Converted(Halved().requires_grad_(False)) for _ in range(2)]
for region in regions:
    region.compile("")
    region._network(torch.randn(1, 4, 8, 8), 2.0, {"shift": torch.randn(1, 1)})
for region in regions:
    region.as_it_was()
signal.signal(signal.SIGINT, lambda *_: print("heard"))
signal.raise_signal(signal.SIGINT)
"""


def test_who_was_computed_by_it_and_is_gone_leaves_signals_their_stack() -> None:
    """Each of OpenVINO's cores leaves the stack for signals that it found: of the second, that is the first one's, which is gone. It is tried
    in a process of its own, for it crashed."""
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, cwd=Path(__file__).parent.parent, timeout=300)
    assert (done.returncode, done.stdout) == (0, "heard\n"), done.stderr


@pytest.mark.parametrize(("what", "value", "why"), [
    ("CLOSE", 0.0, "what it computes is not what torch does"), ("free_bytes", lambda device: 0, "GB of memory"),
])  # fmt: skip
def test_where_it_does_not_work_torch_goes_on_and_it_is_said(what: str, value: Any, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"models.converting.{what}", value)
    painter = opened(tmp_path, "sd-turbo")
    assert painter.info.note.startswith(f"{OPENVINO} does not work here (") and why in painter.info.note and not painter.info.compiler
    assert "forward" not in vars(painter.pipeline.unet)  # type: ignore[attr-defined]
    assert np.ptp(painter.paint(requests()[0]).patches[0].pixels) > 0


def test_weights_that_may_change_and_other_devices_are_torch_compiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    painter: Any = opened(tmp_path, "sd-turbo", compiled=False)
    steady, moving = (regions_of(painter.pipeline, steady) for steady in (True, False))
    assert [type(region) for region in steady] == [Lone, *[Converted] * 3] and [region.compiler for region in moving] == [TORCH_COMPILE]
    painter.pipeline.unet.half()
    assert isinstance(regions_of(painter.pipeline, True)[0], Blocks), "it was never tried in half precision"


def test_networks_that_are_placed_anew_are_torchs_again(tmp_path: Path) -> None:
    """Memory ran out: what OpenVINO made of them goes first."""
    painter: Any = opened(tmp_path, "sd-turbo")
    assert "forward" in vars(painter.pipeline.unet)
    assert painter.at_once == 1 < open_painter(replace(SPEC, checkpoint=str(tmp_path), compiled=False)).at_once  # type: ignore[attr-defined]
    assert painter.ladder.down()
    assert "forward" not in vars(painter.pipeline.unet)


def test_the_stock_call_that_the_bench_compares_with_is_torchs(tmp_path: Path) -> None:
    painter: Any = opened(tmp_path, "sd-turbo", threads=2)
    assert torch.get_num_threads() == 1
    _StockPrompted(painter, SPEC)
    assert torch.get_num_threads() == 2, "and so are its threads"
    assert not {"forward"} & {name for part in (painter.pipeline.unet, painter.pipeline.vae.decoder) for name in vars(part)}

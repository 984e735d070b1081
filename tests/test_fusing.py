"""Layers computed in fewer launches give what they gave, with torch in the place of a GPU's kernels; and are as they were after."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.attention_processor import SlicedAttnProcessor
from diffusers.models.resnet import ResnetBlock2D
from torch import Tensor, nn

from engine.painter import FUSING, PainterSpec, Words
from models import kernels
from models.catalog import open_painter
from models.devices import lay_out
from models.fusing import Fused, _convolves, convolved_by_torch, fused_for
from models.kernels import PlainKernels, kernels_for
from models.prompted.painter import PromptedPainter
from models.together import Together, together
from tests.test_painters import SIZE, ask, drawn
from tests.tiny_families import tiny_folder


class Counted(PlainKernels):
    """What was called, by name."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        if name in ("norm", "gated", "summed", "row_norm", "doubled"):
            self.calls.append(name)
        return super().__getattribute__(name)


@pytest.mark.parametrize(("family", "tiny_vae"), [("sd-turbo", True), ("sd1", False), ("sdxl-turbo", False), ("sdxl-control", True)])
def test_a_fused_checkpoint_paints_the_same_frame(family: str, tiny_vae: bool, tmp_path: Path) -> None:
    spec = PainterSpec(size=SIZE, threads=1, device="cpu", dtype="float32", checkpoint=str(tiny_folder(tmp_path / family, family, tiny_vae=tiny_vae)), steps=1)
    painter = open_painter(spec)
    assert isinstance(painter, PromptedPainter)
    request = replace(ask(drawn(1)), words=Words("dark"))
    networks = [part for part in painter.pipeline.components.values() if isinstance(part, nn.Module)]
    for network in networks:
        lay_out(network)
    before = painter.frame(request)
    counted, convolved = Counted(), list[bool]()

    def convolution(layer: nn.Conv2d, x: Tensor, added: Tensor | None) -> Tensor:
        convolved.append(added is not None)
        return convolved_by_torch(layer, x, added)

    fused = Fused(networks, counted, convolution)
    after = painter.frame(request)
    assert fused and {"norm", "gated", "summed", "row_norm", "doubled"} == set(counted.calls)
    assert tiny_vae == bool(convolved) and (not tiny_vae or {True, False} == set(convolved))
    assert float((after - before).abs().max()) <= 1e-4
    called = len(counted.calls)
    fused.undo()
    assert not fused and torch.equal(painter.frame(request), before) and len(counted.calls) == called


def test_a_convolution_that_a_lora_holds_is_asked_itself() -> None:
    class Taught(nn.Module):
        def __init__(self, inner: nn.Conv2d) -> None:
            super().__init__()
            self.inner, self.asked = inner, 0

        def forward(self, x: Tensor) -> Tensor:
            self.asked += 1
            found: Tensor = self.inner(x) + 1
            return found

    block: Any = ResnetBlock2D(in_channels=32, out_channels=64, temb_channels=16).eval()
    block.conv1 = taught = Taught(block.conv1)
    x, told = torch.randn(2, 32, 8, 8), torch.randn(2, 16)
    with torch.no_grad():
        before = block(x, told)
        Fused([block], PlainKernels())
        assert torch.allclose(block(x, told), before, atol=1e-5) and taught.asked == 2


def test_a_block_that_is_masked_or_sliced_or_taught_goes_its_own_way() -> None:
    block: Any = BasicTransformerBlock(64, 2, 32, cross_attention_dim=48).eval()
    x, words, mask = torch.randn(2, 12, 64), torch.randn(2, 7, 48), torch.zeros(2, 1, 7)
    mask[1, :, 4:] = -1e4
    counted = Counted()
    with torch.no_grad():
        expected = [block(x, encoder_hidden_states=words, encoder_attention_mask=told) for told in (None, mask)]
        Fused([block], counted)
        assert torch.allclose(block(x, encoder_hidden_states=words), expected[0], atol=1e-5) and counted.calls.count("row_norm") == 2
        assert torch.allclose(block(x, encoder_hidden_states=words, encoder_attention_mask=mask), expected[1], atol=1e-5)
        block.attn1.processor = SlicedAttnProcessor(1)
        assert torch.allclose(block(x, encoder_hidden_states=words), expected[0], atol=1e-5) and counted.calls.count("row_norm") == 2
        block.attn1.processor = block.attn2.processor
        last = block.ff.net[2]
        block.ff.net[2] = nn.Sequential(last)  # as a LoRA would hold it
        block.attn2.to_k, block.attn1.to_out[0] = nn.Sequential(block.attn2.to_k), nn.Sequential(block.attn1.to_out[0])
        assert torch.allclose(block(x, encoder_hidden_states=words), expected[0], atol=1e-5) and counted.calls.count("row_norm") == 4


def test_layers_put_together_compute_in_one_product_as_long_as_they_lie_so() -> None:
    layers = [nn.Linear(8, width) for width in (4, 6, 2)]
    before = [layer.weight.clone() for layer in layers]
    shared = Together(layers, F.silu)
    whole = together([layer.weight for layer in layers])
    assert whole is not None and torch.equal(whole, torch.cat(before)) and all(map(torch.equal, before, [layer.weight for layer in layers]))
    x = torch.randn(3, 8)
    with torch.no_grad():
        for _ in range(2):  # the same tensor with other numbers in it, as in a capture that is replayed
            for layer in layers:
                assert torch.allclose(shared(layer, x), layer(F.silu(x)), atol=1e-6)
            x.normal_()
        assert torch.allclose(shared(layers[1], torch.ones(1, 8)), layers[1](F.silu(torch.ones(1, 8))))  # out of turn
        layers[1].double().float()  # it went elsewhere and came back
        assert together([layer.weight for layer in layers]) is None
        for layer in layers:
            assert torch.allclose(shared(layer, x), layer(F.silu(x)), atol=1e-6)


def test_nothing_is_fused_without_a_gpu_or_where_numbers_are_to_be_exact() -> None:
    block = ResnetBlock2D(in_channels=32, temb_channels=None).eval()
    for device, dtype, without in (("cpu", torch.float16, ()), ("cuda", torch.float32, ()), ("cuda", torch.float16, (FUSING,))):
        assert not fused_for([block], torch.device(device), dtype, PainterSpec(without=without))
    assert kernels_for(torch.device("cpu")) is None


def test_kernels_that_are_wrong_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(PlainKernels):
        def gated(self, x: Tensor) -> Tensor:
            return super().gated(x) + 0.5

    def refused(layer: nn.Conv2d, x: Tensor, added: Tensor | None) -> Tensor:
        raise RuntimeError("no engine was found")

    cpu = torch.device("cpu")
    assert _convolves(convolved_by_torch, cpu, torch.float32) and not _convolves(refused, cpu, torch.float32)
    assert not _convolves(lambda layer, x, added: convolved_by_torch(layer, x, None), cpu, torch.float32)
    assert kernels._agree(PlainKernels(), PlainKernels(), cpu) and not kernels._agree(Wrong(), PlainKernels(), cpu)

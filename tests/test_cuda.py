"""On a CUDA GPU, where there is one: what stand-ins play everywhere else (`tests.stand_in_gpu`).

What a painter gives is held beside the same painter without graphs, the CPU's, and the stock pipeline's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.cost import made_ready
from benchmarks.easel import Easel
from engine.desktop.desktop import Desktop
from engine.desktop.documents import Documents
from engine.events import Ask, Key, Text
from engine.geometry import Rect
from engine.guide import Guide
from engine.painter import FUSING, GRAPHS, Painter, PainterSpec, PaintRequest, Words
from engine.session import Session
from engine.swap_mailbox import SwapMailbox
from models.card import DriverMeter, own_card
from models.catalog import open_carefully, open_painter
from models.devices import device_of
from models.ferry import Ferry
from models.kernels import PlainKernels, kernels_for, triton
from models.prompted.painter import PromptedPainter
from models.prompted.stock import stock_frame
from models.training.loop import TrainConfig, train
from tests.checkpoints import tiny_checkpoint
from tests.test_graphs import REQUESTS, frames
from tests.test_painters import SIZE, WHOLE, ask, drawn, empty, show
from tests.tiny_families import tiny_folder

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU")
SPEC = PainterSpec(size=SIZE, device="cuda")


@pytest.fixture(autouse=True)
def exact() -> Iterator[None]:
    """float32 means float32 here, and what a test took is given back."""
    convolutions, products = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = convolutions, products
    torch.cuda.empty_cache()


def apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.abs(one.astype(int) - other.astype(int))


def ready(painter: Painter) -> Painter:
    told = made_ready(painter)
    assert told is not None and told.complete and not told.note, str(told)
    return painter


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_bundled_checkpoint_paints_the_same_from_graphs(dtype: str) -> None:
    spec = replace(SPEC, dtype=dtype)
    graphed = ready(open_painter(spec))
    eager = frames(open_painter(replace(spec, without=(GRAPHS,))), REQUESTS)
    replayed = frames(graphed, REQUESTS)
    for one, other in zip(eager, replayed, strict=True):
        assert (apart(one, other) > 1).mean() < (1e-5 if dtype == "float32" else 2e-3)
    kept = graphed.paint(ask(drawn(7))).patches[0].pixels
    copy = kept.copy()
    graphed.paint(ask(drawn(8)))
    assert (kept == copy).all(), "what was handed out is not painted over"


def test_the_gpu_shows_what_the_cpu_shows() -> None:
    on_cpu = frames(open_painter(PainterSpec(size=SIZE, device="cpu", dtype="float32")), REQUESTS)
    for dtype, most in (("float32", 1e-4), ("bfloat16", 0.01)):
        on_gpu = frames(ready(open_painter(replace(SPEC, dtype=dtype))), REQUESTS)
        for one, other in zip(on_cpu, on_gpu, strict=True):
            assert (apart(one, other) > 8).mean() < most, dtype
            assert apart(one, other).mean() < 0.7, dtype


def test_a_dream_goes_on_as_on_the_cpu() -> None:
    seen = []
    for spec in (PainterSpec(device="cpu", dtype="float32", mode="dream"), PainterSpec(device="cuda", dtype="float32", mode="dream")):
        desktop = Desktop(spec.size, Documents({}))
        easel = Easel(open_painter(spec), desktop)
        easel.paint()
        made_ready(easel.painter)
        for event in (Ask(1.0, "Notes"), Key(1.5, "n", ("ctrl",)), *(Text(2 + i / 5, letter) for i, letter in enumerate("Hello you")), Ask(6.0, "Files")):
            easel.feed(event)
        seen.append(easel.frame)
    assert (apart(*seen) > 8).mean() < 0.002


@pytest.mark.parametrize("family", ["sd-turbo", "lcm", "pix2pix", "sdxl-turbo", "sdxl-control"])
def test_prompted_painters_paint_the_same_from_graphs(family: str, tmp_path: Path) -> None:
    folder = str(tiny_folder(tmp_path / family, family, tiny_vae=family == "sdxl-control"))
    spec = replace(SPEC, checkpoint=folder, steps=2, least_crop=128, dtype="float32")
    requests = [replace(request, words=Words("dark")) for request in REQUESTS[:4]]
    painter = open_painter(spec)
    eager = frames(painter, requests)
    painter.restore(None)
    ready(painter).close()  # the frame cache
    for one, other in zip(eager, frames(painter, requests), strict=True):
        assert (apart(one, other) > 1).mean() < 1e-3


@pytest.mark.parametrize("family", ["sd-turbo", "pix2pix", "sdxl-turbo"])
def test_the_whole_frame_is_the_stock_pipelines(family: str, tmp_path: Path) -> None:
    spec = replace(SPEC, checkpoint=str(tiny_folder(tmp_path / family, family)), steps=2, dtype="float32", without=(GRAPHS,))
    painter = open_painter(spec)
    assert isinstance(painter, PromptedPainter)
    asked = replace(ask(drawn(1)), words=Words("dark"))
    assert asked.guide is not None
    stock = stock_frame(painter.pipeline, painter.family, painter.telling.prompt(asked), asked.guide, 2, spec.seed)
    show(painter, empty(), asked)
    assert float((painter.frame(asked).cpu() - stock).abs().max()) <= 1e-4


@pytest.mark.parametrize("family", ["sd1", "kontext", "klein", "qwen-edit"])
def test_half_precision_gives_a_picture(family: str, tmp_path: Path) -> None:
    painter = open_carefully(replace(SPEC, checkpoint=str(tiny_folder(tmp_path / family, family)), steps=1))
    frame = show(painter, empty(), replace(ask(drawn(1)), words=Words("dark")))
    made_ready(painter)
    assert frame.std() > 1 and painter.info.dtype in ("float16", "bfloat16")
    assert show(painter, frame.copy(), replace(ask(drawn(2), (Rect(64, 64, 32, 32),)), words=Words("dark"))).shape == frame.shape


@pytest.mark.parametrize("family", ["sd-turbo", "sd1", "sdxl-control"])
def test_fused_layers_paint_the_same_in_half_precision(family: str, tmp_path: Path) -> None:
    spec = replace(SPEC, checkpoint=str(tiny_folder(tmp_path / family, family, tiny_vae=family != "sd1")), steps=1, least_crop=128)
    requests = [replace(request, words=Words("dark")) for request in REQUESTS[:4]]
    fused, plain = (open_painter(replace(spec, without=without)) for without in ((), (FUSING,)))
    assert isinstance(fused, PromptedPainter) and isinstance(plain, PromptedPainter)
    assert fused.placement.fused and not plain.placement.fused
    before = frames(fused, requests)  # launch by launch
    ready(fused).restore(None)
    fused.close()
    for one, other, third in zip(before, frames(fused, requests), frames(plain, requests), strict=True):
        assert (apart(one, other) > 1).mean() < 1e-3 and apart(one, third).mean() < 1.0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_kernels_give_what_torch_gives(dtype: torch.dtype) -> None:
    if triton is None:
        assert kernels_for(device_of("cuda")) is None
        return
    found = kernels_for(device_of("cuda"))
    assert found is not None
    off = {torch.float32: 1e-4, torch.float16: 0.01, torch.bfloat16: 0.02}[dtype]  # a step of half precision, of the number itself
    plain = PlainKernels()
    for shape in ((1, 320, 64, 64), (2, 1920, 16, 24), (1, 960, 8, 8), (3, 128, 120, 96), (1, 2560, 8, 8), (1, 320, 32, 32)):
        x, added, weight, bias = (torch.randn(size, device="cuda", dtype=dtype) for size in (shape, shape[:2], shape[1:2], shape[1:2]))
        rows = x.flatten(2).transpose(1, 2)
        for silu, *more in ((True, added, bias), (False, None, None), (True, None, bias)):
            one, other = (kernels.norm(3 * x + 1, 32, weight, bias, 1e-5, silu, *more) for kernels in (found, plain))
            torch.testing.assert_close(one, other, atol=5 * off, rtol=off)
        for biases in ((), (bias,), (bias, weight)):
            torch.testing.assert_close(found.summed(x, 2 * x, biases), plain.summed(x, 2 * x, biases), atol=2 * off, rtol=off)
        for first, second in ((bias, weight), (None, None)):
            pairs = zip(*(kernels.row_norm(rows, 2 * rows, first, weight, bias, 1e-5, second) for kernels in (found, plain)), strict=True)
            for one, other in pairs:
                torch.testing.assert_close(one, other, atol=5 * off, rtol=off)
        assert torch.equal(found.doubled(x), plain.doubled(x))
    torch.testing.assert_close(found.gated(x), plain.gated(x), atol=2 * off, rtol=off)


def test_the_bundled_checkpoint_compiled_paints_the_same() -> None:
    spec = replace(SPEC, dtype="bfloat16")
    plain, compiled = ready(open_painter(spec)), open_painter(replace(spec, compiled=True))
    assert not compiled.info.note, compiled.info.note
    for one, other in zip(frames(plain, REQUESTS), frames(ready(compiled), REQUESTS), strict=True):
        assert (apart(one, other) > 8).mean() < 0.01 and apart(one, other).mean() < 0.7


def test_copies_are_whole_while_the_gpu_is_busy() -> None:
    device = device_of("cuda")
    ferry, busy = Ferry(device), torch.randn(4096, 4096, device=device)
    rng = np.random.default_rng(0)
    for _ in range(40):
        sent = [rng.integers(0, 256, (int(rng.integers(8, 400)), 512, 3), np.uint8) for _ in range(6)]
        there = [ferry.up(picture) for picture in sent]
        busy = busy @ busy / 64
        for picture, tensor in zip(sent, there, strict=True):
            assert (ferry.down(255 - tensor) == 255 - picture).all()


def test_text_encoders_leave_the_gpu_in_a_pause(tmp_path: Path) -> None:
    painter = open_painter(replace(SPEC, checkpoint=str(tiny_folder(tmp_path / "sd1", "sd1")), without=(GRAPHS,)))
    request = replace(ask(drawn(1)), words=Words("dark"))
    assert isinstance(painter, PromptedPainter)
    encoder = painter.pipeline.text_encoder
    for _ in range(2):
        painter.paint(request)
    assert next(encoder.parameters()).device.type == "cuda"
    made_ready(painter)
    assert next(encoder.parameters()).device.type == "cpu"
    painter.paint(replace(request, words=Words("of wool")))
    assert next(encoder.parameters()).device.type == "cuda"


@pytest.mark.parametrize("kind", ["bundled", "sd1"])
def test_a_card_that_is_full_costs_no_session(kind: str, tmp_path: Path) -> None:
    """A real shortage: other tensors hold nearly all that this process may take."""
    checkpoint = kind if kind == "bundled" else str(tiny_folder(tmp_path / kind, kind))
    painter = open_carefully(replace(SPEC, checkpoint=checkpoint, size=(512, 384)))
    asked = ask_whole()
    painter.paint(asked)
    made_ready(painter)
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 8e6) / total)
    try:
        for seed in range(2, 5):
            patches = painter.paint(ask_whole(seed)).patches
            assert sum(patch.rect.area for patch in patches) == 512 * 384
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def ask_whole(seed: int = 1) -> PaintRequest:
    desktop = Desktop((512, 384), Documents({}))
    desktop.handle(Ask(1.0, ("Notes", "Calculator", "Files", "Settings")[seed % 4]))
    guide = Guide((512, 384))
    guide.update(desktop.items)
    return replace(ask(guide, (Rect(0, 0, 512, 384),)), words=Words("dark"))


def test_the_key_gives_the_cards_memory_back(tmp_path: Path) -> None:
    meter = DriverMeter("cuda")
    home = PainterSpec(size=SIZE, device="cuda")
    mailbox = SwapMailbox(open_carefully, home)
    session = Session(Desktop(SIZE), mailbox)
    try:
        session.settle(60)
        wait_for(session, lambda: mailbox.card is not None)
        painting = meter()
        assert painting is not None and mailbox.card is not None and mailbox.card.own > 10e6
        mailbox.give_back(None, "given back")
        wait_for(session, lambda: (now := meter()) is not None and now.free - painting.free > 200e6)
        mailbox.come_back()
        wait_for(session, lambda: mailbox.info is not None and not session.waiting)
    finally:
        session.close()


def wait_for(session: Session, met: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not met():
        assert time.monotonic() < end
        session.step((), session.desktop.t)
        time.sleep(0.02)


def test_the_card_is_read() -> None:
    reading = own_card(device_of("cuda"))
    told = DriverMeter("cuda")()
    assert reading is not None and told is not None
    assert abs(reading.total - told.total) < 2e9 and 0 < reading.free <= reading.total


@pytest.mark.parametrize("part", ["painter", "dreamer"])
@pytest.mark.parametrize("lanes", [1, 2])
def test_what_is_trained_on_a_gpu_paints(part: str, lanes: int, tmp_path: Path) -> None:
    init = tiny_checkpoint(tmp_path / "init")
    config = TrainConfig(
        tmp_path / "run", part, init, updates=3, crops=4, pool=4, lanes=lanes, prefetch=lanes > 1, save_every=2, look_every=2, device="cuda",
    )  # fmt: skip
    lines: list[str] = []
    checkpoint = train(config, lines.append)
    painter = open_painter(replace(SPEC, checkpoint=str(checkpoint)))
    assert show(painter, empty(), ask(drawn(1), WHOLE)).std() > 1
    again = train(replace(config, resume=True, updates=4), lines.append)
    assert again == checkpoint

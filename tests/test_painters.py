"""What every painter keeps to, whatever it paints with."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.context import APP_SLOTS, RECENT_SIZE, slow_features
from engine.geometry import Rect
from engine.guide import Guide
from engine.painter import CACHE, ContextFeatures, Painter, PainterSpec, PaintRequest
from engine.style_words import from_words
from engine.styles import PRESETS, Style
from models.catalog import BUNDLED, open_painter
from models.crops import PaintCrop, alike, evened
from models.latent_painter import LatentPainter
from models.layers import Block
from models.synthetic.renderer import StyledRenderer
from models.synthetic.screens import Screen
from tests.checkpoints import tiny_checkpoint
from tests.test_styles import inks_turned
from tests.tiny_families import tiny_folder

SIZE = (256, 192)
WHOLE = (Rect(0, 0, *SIZE),)


@pytest.fixture(params=["guide", "tiny", "bundled", "kontext", "klein"])
def spec(request: pytest.FixtureRequest, tmp_path: Path) -> PainterSpec:
    name = request.param
    if name in ("kontext", "klein"):
        return PainterSpec(checkpoint=str(tiny_folder(tmp_path / name, name)), size=SIZE, threads=1, device="cpu", steps=1)
    checkpoint = str(tiny_checkpoint(tmp_path / "tiny")) if name == "tiny" else name
    return PainterSpec(checkpoint=checkpoint, size=SIZE, threads=1, device="cpu")


def context(style: str | Style = "light", seed: int = 0) -> ContextFeatures:
    use = (np.random.default_rng(seed).random((2, APP_SLOTS)) < 0.2).astype(np.float32)
    look = PRESETS[style] if isinstance(style, str) else style
    slow = slow_features(look, 13, use, 9)
    return ContextFeatures(slow, np.zeros(RECENT_SIZE, np.float32))


def drawn(seed: int) -> Guide:
    guide = Guide(SIZE)
    guide.update(Screen.random(np.random.default_rng(seed), SIZE).items())
    return guide


def ask(guide: Guide, damage: tuple[Rect, ...] = WHOLE, style: str | Style = "light") -> PaintRequest:
    return PaintRequest(1, (), damage, guide.pixels, guide.verbatim, context(style), forms=guide.forms)


def blocks(painter: Painter) -> list[Block]:
    return [layer for layer in painter._denoiser.modules() if isinstance(layer, Block)]  # type: ignore[attr-defined]


def show(painter: Painter, frame: np.ndarray, request: PaintRequest) -> np.ndarray:
    for patch in painter.paint(request).patches:
        assert patch.pixels.dtype == np.uint8 and patch.pixels.shape == (patch.rect.h, patch.rect.w, 3)
        frame[patch.rect.slices] = patch.pixels
    return frame


def empty() -> np.ndarray:
    return np.zeros((SIZE[1], SIZE[0], 3), np.uint8)


def test_pixels_outside_the_damage_stay_bit_identical(spec: PainterSpec) -> None:
    painter = open_painter(spec)
    frame = show(painter, empty(), ask(drawn(1)))
    damage = (Rect(40, 48, 24, 16), Rect(160, 96, 64, 40))
    after = show(painter, frame.copy(), ask(drawn(2), damage))
    outside = np.ones(frame.shape[:2], bool)
    for rect in damage:
        outside[rect.slices] = False
    assert (frame[outside] == after[outside]).all()
    assert (frame[~outside] != after[~outside]).any()
    assert spec.checkpoint != "guide" or (painter.latents() == after).all()


def test_the_same_requests_give_the_same_pixels(spec: PainterSpec) -> None:
    frames = []
    for _ in range(2):
        painter = open_painter(spec)
        frame = show(painter, empty(), ask(drawn(1)))
        frames.append(show(painter, frame, ask(drawn(3), (Rect(64, 64, 64, 64),), "ocean")))
    assert (frames[0] == frames[1]).all()


def test_restored_latents_go_on_where_they_were(spec: PainterSpec) -> None:
    first = open_painter(spec)
    show(first, empty(), ask(drawn(1)))
    second = open_painter(spec)
    second.restore(first.latents())
    damage = (Rect(96, 80, 48, 48),)
    one, other = empty(), empty()
    assert (show(first, one, ask(drawn(4), damage)) == show(second, other, ask(drawn(4), damage))).all()


def test_a_screen_looks_the_same_however_it_was_come_to(tmp_path: Path) -> None:
    """Nothing of what was painted before shines through a guide, so nothing can drift."""
    painter = open_painter(PainterSpec(checkpoint=str(tiny_checkpoint(tmp_path)), size=SIZE, threads=1, device="cpu", without=(CACHE,)))
    fresh = show(painter, empty(), ask(drawn(1)))
    show(painter, empty(), ask(drawn(2)))
    assert (show(painter, empty(), ask(drawn(1))) == fresh).all()


def test_no_damage_paints_nothing(spec: PainterSpec) -> None:
    painter = open_painter(spec)
    assert painter.paint(ask(drawn(1), ())).patches == ()


def test_what_was_painted_before_comes_out_of_the_frame_cache(tmp_path: Path) -> None:
    painter = open_painter(PainterSpec(checkpoint=str(tiny_checkpoint(tmp_path)), size=SIZE, threads=1))
    guide, damage = drawn(5), (Rect(64, 64, 16, 16),)
    show(painter, empty(), ask(guide))
    sources = [painter.paint(ask(guide, damage)).source for _ in range(12)]
    assert sources[0] == "painted" and sources[-1] == "cached"


def test_what_a_context_makes_of_the_layers_is_computed_once_and_painted_as_if_anew() -> None:
    spec = PainterSpec(size=SIZE, threads=1, device="cpu", without=(CACHE,))
    painter, asked = open_painter(spec), list[Block]()
    hooks = [layer.modulate.register_forward_hook(lambda layer, *_: asked.append(layer)) for layer in blocks(painter)]
    crops = [(Rect(0, 0, 32, 32),), (Rect(128, 96, 32, 32),)]
    for style in ("paper", "paper", "dark", "paper"):
        before = len(asked)
        frames = [show(painter, empty(), ask(drawn(3), crop, style)) for crop in crops]
        assert len(asked) - before in (0, len(hooks))
        fresh = open_painter(spec)
        assert all((show(fresh, empty(), ask(drawn(3), crop, style)) == frame).all() for crop, frame in zip(crops, frames, strict=True))
    assert len(asked) == 3 * len(hooks)


def test_pictures_keep_their_own_pixels_under_every_style() -> None:
    painter = open_painter(PainterSpec(size=SIZE, threads=1, device="cpu"))
    guide = drawn(6)
    guide.pixels[64:128, 64:192] = np.random.default_rng(0).integers(0, 256, (8, 16, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    guide.verbatim[64:128, 64:192] = 255
    for style in PRESETS:
        frame = show(painter, empty(), ask(guide, style=style))
        assert (frame[64:128, 64:192] == guide.pixels[64:128, 64:192]).all(), style


@pytest.mark.parametrize("style", ["light", "dark", "candy", "sunset"])
def test_the_bundled_checkpoint_rounds_windows_and_buttons_as_the_style_says(style: str) -> None:
    guide, items = Guide(SIZE), Screen.random(np.random.default_rng(12), SIZE).items()
    guide.update(items)
    looks = [replace(PRESETS[style], radius=radius) for radius in (0.0, 12.0)]
    square, rounded = (StyledRenderer(look, SIZE).render(items).astype(int) for look in looks)
    shaped = np.abs(square - rounded).max(-1) > 60
    assert shaped.sum() > 100
    for look, own, other in zip(looks, (square, rounded), (rounded, square), strict=True):
        painter = open_painter(PainterSpec(size=SIZE, threads=1, device="cpu"))
        painted = show(painter, empty(), ask(guide, style=look)).astype(int)
        errors = [np.abs(painted - picture)[shaped].mean() for picture in (own, other)]
        assert errors[0] < 0.4 * errors[1]


@pytest.mark.parametrize(("other", "turning"), [("candy", 0.0), ("sunset", 2.0)])
def test_the_bundled_checkpoint_paints_the_way_to_another_look_in_even_steps(other: str, turning: float) -> None:
    """But for those, `turning` times an even one, at which inks turn from dark to light."""
    painter = open_painter(PainterSpec(size=SIZE, threads=1, device="cpu"))
    steps = [from_words(f"{percent}% of the way from ocean to {other}")[0] for percent in range(0, 101, 10)]
    frames = [show(painter, empty(), ask(drawn(8), style=style)).astype(int) for style in steps]
    even = np.abs(frames[0] - frames[-1]).mean() / 10
    jumps = [np.abs(a - b).mean() / even for a, b in zip(frames, frames[1:], strict=False)]
    turned = inks_turned(steps)
    assert even > 3 and any(turned) == bool(turning)
    assert max(jump for jump, turns in zip(jumps, turned, strict=True) if not turns) < 1.4
    assert all(jump < turning for jump, turns in zip(jumps, turned, strict=True) if turns)


def test_the_bundled_checkpoint_is_small_and_safe() -> None:
    from models.loading import survey

    survey(BUNDLED)
    assert sum(p.stat().st_size for p in BUNDLED.rglob("*.safetensors")) <= 20e6


UNNEEDED = {"diffusers", "transformers", "torch._dynamo", "bitsandbytes", "peft"}  # together they take three times as long as torch
STARTED = """
import sys
from engine.desktop.desktop import Desktop
from engine.mailbox import DirectMailbox
from engine.session import Session
from models.catalog import open_carefully
from engine.painter import PainterSpec

size = (256, 192)
session = Session(Desktop(size), DirectMailbox(open_carefully(PainterSpec(size=size, threads=1, device="cpu", mode=sys.argv[1]))))
session.begin()
session.settle(60)
assert session.pixels.std() > 10
print(*sorted(sys.modules))
"""


LISTED = """
import sys
from models.check import listing
from models.facts import facts
from engine.painter import PainterSpec

assert [told.name for told in (*listing(), *facts(PainterSpec()))] == ["bundled", "guide"] * 2
print(*sorted(sys.modules))
"""


@pytest.mark.parametrize("what", [STARTED.replace("sys.argv[1]", '"guided"'), STARTED.replace("sys.argv[1]", '"dream"'), LISTED], ids=["guided", "dream", "listed"])
def test_the_bundled_checkpoint_starts_and_is_told_of_without_what_others_need(what: str) -> None:
    done = subprocess.run([sys.executable, "-c", what], capture_output=True, text=True, cwd=Path(__file__).parent.parent, timeout=300)
    assert done.returncode == 0 and "torch" in done.stdout.split(), done.stderr
    assert not UNNEEDED & set(done.stdout.split())


def test_small_crops_are_painted_at_once_as_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rects = (Rect(16, 16, 16, 16), Rect(200, 24, 16, 16), Rect(120, 140, 16, 16), Rect(24, 150, 24, 16), Rect(180, 120, 16, 8))
    for dtype in ("float32", "auto"):
        spec = PainterSpec(size=SIZE, device="cpu", threads=1, dtype=dtype, without=(CACHE,))
        painter = open_painter(spec)
        assert isinstance(painter, LatentPainter)
        counts: list[int] = []
        def counted(*given: Any, into: list[int] = counts, then: Any = painter._repaint) -> Any:
            into.append(len(given[-1]))
            return then(*given)

        monkeypatch.setattr(painter, "_repaint", counted)
        at_once = show(painter, empty(), ask(drawn(3), rects))
        one_by_one = empty()
        for rect in rects:
            one_by_one = show(painter, one_by_one, ask(drawn(3), (rect,)))
        assert counts[:-5] in ([4, 1], [4], [3, 2]) and counts[-5:] == [1] * 5 and (at_once != empty()).any()
        assert np.abs(at_once.astype(int) - one_by_one).max() <= 1 and (at_once != one_by_one).mean() < 1e-5


def test_what_is_painted_at_once_is_small_and_hardly_grown() -> None:
    size = (256, 192)
    areas = [Rect(0, 0, 64, 64), Rect(176, 112, 80, 80), Rect(192, 128, 64, 64), Rect(0, 0, 256, 192), Rect(0, 64, 64, 64), Rect(16, 0, 64, 80), Rect(0, 0, 64, 160)]
    crops = [PaintCrop(area, (area,)) for area in areas]
    even = evened(crops, size, 96 * 96, 3)
    assert [crop.area for crop in even] == [*areas[:5], Rect(16, 0, 80, 80), areas[6]] and all(crop.damage == one.damage for crop, one in zip(even, crops, strict=True))
    assert alike(even, range(7), 96 * 96, 3) == [[0, 2, 4], [6], [1, 5], [3]]
    assert alike(even, [4, 5, 6], 96 * 96, 3) == [[4], [6], [5]] and alike(even, [], 96 * 96, 3) == []
    assert [crop.area for crop in evened([crops[2], crops[5]], size, 96 * 96, 3)] == [Rect(192, 112, 64, 80), areas[5]], "it stays on the frame"
    apart = [crops[0], crops[6]]
    assert evened(apart, size, 96 * 192, 3) == apart, "more than half as large again"
    assert evened(crops, size, 96 * 96, 1) == crops and alike(crops, [2, 0], 96 * 96, 1) == [[2], [0]]

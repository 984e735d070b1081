"""The way down when memory runs out: at every stage, down to the last step, it costs no frame and never the session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from engine.desktop.desktop import Desktop
from engine.errors import CheckpointError, PixelOSError, Shortage
from engine.events import Ask, Text
from engine.geometry import Rect
from engine.mailbox import DirectMailbox
from engine.painter import Edit, PainterSpec, PaintRequest, Words
from engine.session import Session
from engine.text_check import check
from models.catalog import open_carefully
from models.crops import BUNDLED_CELLS, PROMPTED_CELLS, SMALL_CELLS, Cells, plan
from models.ferry import Ferry
from models.ladder import CROPPED, LEAST_CROP, SHRUNK, TILED, WAITING, Careful, Ladder
from models.memory_plan import plans
from models.placing import Placement
from tests.test_memory_plan import STAGES, Pipeline, forget, network_of
from tests.test_painters import SIZE, WHOLE, ask, drawn
from tests.tiny_families import tiny_folder

SPEC = PainterSpec(size=SIZE, seed=5, threads=1, device="cpu", steps=1)
NETWORK = {"sd-turbo": "unet", "kontext": "transformer", "bundled": "denoiser"}


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Careful]:
    home = tmp_path_factory.mktemp("ladder")
    folders = {kind: str(tiny_folder(home / kind, kind)) for kind in ("sd-turbo", "kontext")}
    found = {kind: open_carefully(replace(SPEC, checkpoint=folders.get(kind, kind))) for kind in NETWORK}
    return {kind: painter for kind, painter in found.items() if isinstance(painter, Careful)}


@pytest.fixture(autouse=True)
def emptied(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts how often caches are emptied, which takes long beside so many modules."""
    counts: list[int] = []
    monkeypatch.setattr("models.ladder.empty_caches", lambda: counts.append(1))
    return counts


def anew(opened: dict[str, Careful], kind: str) -> Careful:
    """The painter as if memory had never run out."""
    painter = opened[kind]
    inner: Any = painter.painter
    inner.ladder = painter.ladder = Ladder(SIZE)
    forget(painter)
    return painter


def run_out(*given: Any, **how: Any) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory, injected")


def short_until(painter: Careful, stage: str, enough: Callable[[], bool], monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Memory runs out whenever the stage begins, until `enough`; what ends that."""
    if stage == "copying back":
        before = Ferry.down

        def copied(ferry: Ferry, tensor: torch.Tensor) -> np.ndarray:
            if not enough():
                run_out()
            return before(ferry, tensor)

        monkeypatch.setattr(Ferry, "down", copied)
        return lambda: monkeypatch.setattr(Ferry, "down", before)
    hook = network_of(painter, stage).register_forward_pre_hook(lambda module, given: None if enough() else run_out())
    return hook.remove


def whole_frame(painter: Careful, request: PaintRequest) -> np.ndarray:
    frame = np.zeros((SIZE[1], SIZE[0], 4), np.uint8)
    for patch in painter.paint(request).patches:
        frame[patch.rect.slices] = np.dstack([patch.pixels, np.full(patch.pixels.shape[:2], 255, np.uint8)])
    assert (frame[..., 3] == 255).all(), "a part was not painted"
    return frame[..., :3]


@pytest.mark.parametrize(("kind", "stage"), [(kind, stage) for kind, stages in STAGES.items() for stage in (*stages, "copying back")])
def test_at_every_stage_the_last_step_still_paints_the_frame(
    opened: dict[str, Careful], kind: str, stage: str, monkeypatch: pytest.MonkeyPatch, emptied: list[int]
) -> None:
    painter = anew(opened, kind)
    ladder = painter.ladder
    assert ladder is not None
    end = short_until(painter, stage, lambda: ladder.scale == 2, monkeypatch)
    try:
        frame = whole_frame(painter, ask(drawn(0)))
    finally:
        end()
    assert len(emptied) == 3  # before anything is given up, and before each step
    assert np.ptp(frame) > 0 and ladder.gave_up == (CROPPED, SHRUNK) and ladder.most == LEAST_CROP - 64
    assert painter.info.gave_up == ladder.gave_up and painter.info.plan.endswith("crops of at most 192 pixels, half the size, scaled up")
    assert painter.latents().shape == opened[kind].painter.latents().shape
    after = painter.paint(ask(drawn(1), (Rect(40, 48, 24, 16),)))
    assert [patch.rect for patch in after.patches] == [Rect(40, 48, 24, 16)]


def pixels_of(given: tuple[Any, ...], how: dict[str, Any]) -> int:
    """What a denoiser's first argument spans: cells, or tokens of a sequence."""
    first = next(value for value in (*given, *how.values()) if isinstance(value, torch.Tensor))
    return int(np.prod(first.shape[-2:] if first.ndim == 4 else first.shape[1:2]))


@pytest.mark.parametrize("kind", NETWORK)
def test_each_step_asks_the_denoiser_for_less(opened: dict[str, Careful], kind: str) -> None:
    """Memory for so many cells and no more: crops are enough where there is a little less than the frame needs, half the
    size where there is a third."""
    painter = anew(opened, kind)
    seen: list[int] = []
    network = network_of(painter, NETWORK[kind])
    look = network.register_forward_pre_hook(lambda module, given, how: seen.append(pixels_of(given, how)), with_kwargs=True)
    whole_frame(painter, ask(drawn(0)))
    look.remove()
    for share, gave_up in ((0.9, (CROPPED,)), (0.3, (CROPPED, SHRUNK))):
        painter = anew(opened, kind)
        most = round(max(seen) * share)

        def limited(module: Any, given: Any, how: Any, most: int = most) -> None:
            if pixels_of(given, how) > most:
                run_out()

        hook = network.register_forward_pre_hook(limited, with_kwargs=True)
        frame = whole_frame(painter, ask(drawn(0)))
        hook.remove()
        assert painter.info.gave_up == gave_up and np.ptp(frame) > 0


@pytest.mark.parametrize("kind", ["sd-turbo", "kontext"])
@pytest.mark.parametrize("told", ["dream", "edit"])
def test_dreams_and_edits_go_the_same_way_down(opened: dict[str, Careful], kind: str, told: str) -> None:
    painter = anew(opened, kind)
    whole_frame(painter, ask(drawn(0)))
    ladder = painter.ladder
    assert ladder is not None
    hook = network_of(painter, NETWORK[kind]).register_forward_pre_hook(lambda module, given: None if ladder.scale == 2 else run_out())
    asked = ask(drawn(1))
    request = replace(asked, edit=Edit("a cat")) if told == "edit" else replace(asked, guide=None, verbatim=None, forms=None, words=Words(told=("x",)))
    frame = whole_frame(painter, request)
    hook.remove()
    assert np.ptp(frame) > 0 and SHRUNK in painter.info.gave_up


def test_at_half_the_size_pictures_stay_exact_and_text_is_legible(opened: dict[str, Careful]) -> None:
    painter = anew(opened, "bundled")
    ladder = painter.ladder
    assert ladder is not None
    while ladder.down():
        pass
    request = ask(drawn(0))
    assert request.guide is not None and request.verbatim is not None
    part = Rect(64, 32, 96, 64)
    request.verbatim[part.slices] = 255
    assert (whole_frame(painter, request)[part.slices] == request.guide[part.slices]).all()
    painter.restore(None)
    session = Session(Desktop(SIZE), DirectMailbox(painter))
    session.step([Ask(0.1, "notes"), Text(0.2, "legible at any size")], 0.2)
    session.settle(10.0)
    paints = session.desktop.style.paints(SIZE)
    left = check(session.pixels.copy(), WHOLE, session.guide, paints, repair=False)
    assert session.statistics.repaired > 0 and left.glyphs > 15 and left.wrong == 0


def test_where_no_step_is_left_it_says_so(opened: dict[str, Careful]) -> None:
    for kind, error in (("kontext", Shortage), ("bundled", PixelOSError)):
        painter = anew(opened, kind)
        hook = network_of(painter, NETWORK[kind]).register_forward_pre_hook(run_out)
        with pytest.raises(error, match="memory ran out while"):
            painter.paint(ask(drawn(0)))
        hook.remove()
        assert painter.info.gave_up == (CROPPED, SHRUNK)


def test_every_step_is_taken_in_turn_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU: pieces, crops, offloads, half the size; then no more."""
    monkeypatch.setattr("models.placing.place", lambda *given: None)
    placement = Placement(Pipeline(), {"unet": torch.nn.Linear(2, 2)}, "sd1", replace(SPEC, size=(512, 384)))
    steps = plans({"unet": 1}, (512, 384), 0, "cuda", "sd1")
    placement.plan, placement._ladder = steps[0], steps[1:]
    ladder, seen = Ladder((512, 384), placement), list[tuple[bool, int, str, int]]()
    while ladder.down():
        seen.append((placement.plan.sliced, ladder.most, placement.plan.offload, ladder.scale))
    assert seen == [(True, 0, "none", 1), (True, 256, "none", 1), (True, 256, "model", 1), (True, 256, "group", 1), (True, 256, "sequential", 1),
                    (True, 256, "sequential", 2)]  # fmt: skip
    assert ladder.gave_up == (TILED, CROPPED, WAITING, SHRUNK)
    assert ladder.plan.startswith("float16, in slices and tiles, one layer at a time, crops of at most 256 pixels, half the size, scaled up: ")


@pytest.mark.parametrize(("size", "sides"), [((1024, 768), [512, 256]), ((512, 384), [256]), ((256, 192), [192])])
def test_crops_become_smaller_as_long_as_they_show_something(size: tuple[int, int], sides: list[int]) -> None:
    ladder, seen = Ladder(size), list[int]()
    while ladder.down() and ladder.scale == 1:
        seen.append(ladder.most)
    assert seen == sides and ladder.scale == 2 and not ladder.down()


@pytest.mark.parametrize("cells", [PROMPTED_CELLS, SMALL_CELLS, BUNDLED_CELLS])
@pytest.mark.parametrize("size", [(1024, 768), (512, 384), (320, 256), (256, 192)])
def test_smaller_crops_cover_the_damage_with_enough_around_it(cells: Cells, size: tuple[int, int]) -> None:
    rng, bounds = np.random.default_rng(0), Rect(0, 0, *size)
    limited = cells.at_most(64)  # the smallest that leaves something between its margins
    for _ in range(30):
        x, y = (8 * int(rng.integers(0, side // 8 - 1)) for side in size)
        rect = Rect(x, y, 8 * int(rng.integers(1, (size[0] - x) // 8 + 1)), 8 * int(rng.integers(1, (size[1] - y) // 8 + 1)))
        covered = np.zeros(size[::-1], bool)
        for crop in plan((rect,), size, limited):
            assert bounds.covers(crop.area) and max(crop.area.w, crop.area.h) <= limited.most
            for part in crop.damage:
                assert rect.covers(part) and crop.area.covers(part.grow(cells.margin // 2).meet(bounds).meet(rect.grow(cells.margin)))
                covered[part.slices] = True
        assert covered[rect.slices].all() and covered.sum() == rect.area


# Loading


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How often files were read; the first reads find no memory, as many as its second number says."""
    counts = [0, 0]
    before = torch.nn.Module.load_state_dict

    def load(module: torch.nn.Module, *given: Any, **how: Any) -> Any:
        counts[0] += 1
        if counts[0] <= counts[1]:
            raise MemoryError
        return before(module, *given, **how)

    monkeypatch.setattr(torch.nn.Module, "load_state_dict", load)
    yield counts


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_folder(tmp_path_factory.mktemp("loading") / "sd-turbo", "sd-turbo")


def test_a_shortage_while_files_are_read_is_tried_again_with_empty_caches(
    folder: Path, reads: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = psutil.virtual_memory()._replace(available=1)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: there)
    monkeypatch.setattr("models.limits.AHEAD", 0)
    monkeypatch.setattr("models.limits._lowered", lambda room: None)
    reads[1] = 1
    painter = open_carefully(replace(SPEC, checkpoint=str(folder)))
    assert painter.paint(ask(drawn(0))).patches
    reads[:] = [0, 1000]
    with pytest.raises(Shortage, match="close other programs"):
        open_carefully(replace(SPEC, checkpoint=str(folder)))
    assert reads[0] == 2


def test_a_checkpoint_that_asks_for_more_than_its_files_are_worth_is_no_shortage(folder: Path, reads: list[int]) -> None:
    reads[1] = 1000
    with pytest.raises(CheckpointError, match="get a clean copy") as refused:
        open_carefully(replace(SPEC, checkpoint=str(folder)))
    assert not isinstance(refused.value, Shortage) and reads[0] == 1

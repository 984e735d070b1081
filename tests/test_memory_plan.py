"""How a checkpoint is laid out in memory: a pure plan, its carrying out, and the way down when memory runs out all the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import PixelOSError
from engine.painter import Painter, PainterSpec
from models.catalog import open_carefully, open_painter
from models.facts import facts
from models.ladder import Careful, CarefulGuessing, CarefulPreviewing, CarefulStepping
from models.memory_plan import GB, RESERVE, MemoryPlan, dtype_for, plan, plans, room
from models.placing import Placement, place
from tests.test_painters import SIZE, ask, drawn
from tests.tiny_families import tiny_folder

SD = {"unet": 860_000_000, "text_encoder": 123_000_000, "vae": 84_000_000}
KONTEXT = {"transformer": 11_900_000_000, "text_encoder": 123_000_000, "text_encoder_2": 4_760_000_000, "vae": 84_000_000}
LINEAR = {"transformer": 11_900_000_000, "text_encoder": 85_000_000, "text_encoder_2": 3_620_000_000, "vae": 2_000_000}
OURS = {"denoiser": 5_000_000, "context_encoder": 100_000, "dreamer": 3_000_000}
SPEC = PainterSpec(size=SIZE, seed=5, threads=1, device="cpu", steps=1)


@pytest.mark.parametrize(
    ("parts", "free_gb", "device", "family", "wished", "wanted"),
    [
        (SD, 24, "cuda", "sd1", "auto", ("float16", False, "none")),
        (SD, 24, "cuda", "sd1", "float32", ("float32", False, "none")),
        (SD, 4.2, "cuda", "large sd1", "auto", ("float16", True, "none")),
        (SD, 2.8, "cuda", "sd1", "auto", ("float16", True, "model")),
        (SD, 2.1, "cuda", "sd1", "auto", ("float16", True, "group")),
        (SD, 16, "cpu", "sd1", "auto", ("float32", False, "none")),
        (SD, 16, "cpu", "sd1", "bfloat16", ("bfloat16", False, "none")),
        (SD, 4, "cpu", "sd1", "auto", ("float32", True, "none")),
        (KONTEXT, 80, "cuda", "kontext", "auto", ("bfloat16", False, "none")),
        (KONTEXT, 32, "cuda", "kontext", "auto", ("bfloat16", True, "model")),
        (KONTEXT, 12, "cuda", "kontext", "auto", ("bfloat16", True, "group")),
        (OURS, 0.5, "cpu", "bundled", "auto", ("float32", False, "none")),
    ],
)
def test_what_fits_is_the_quickest_way(
    parts: dict[str, int], free_gb: float, device: str, family: str, wished: str, wanted: tuple[str, bool, str]
) -> None:
    size = (1024, 768) if family.startswith("large ") else (512, 384)
    found = plan(parts, size, round(free_gb * GB), device, family.removeprefix("large "), wished)
    assert (found.dtype, found.sliced, found.offload) == wanted, str(found)


@pytest.mark.parametrize(
    ("free_gb", "device", "wished", "wanted"),
    [
        (80, "cuda", "auto", (False, "none", False)),
        (32, "cuda", "auto", (True, "none", True)),
        (16, "cuda", "auto", (True, "none", True)),
        (12, "cuda", "auto", (True, "model", True)),
        (6, "cuda", "auto", (True, "group", False)),
        (3.5, "cuda", "auto", (True, "sequential", False)),
        (32, "cuda", "bfloat16", (True, "model", False)),
        (32, "cpu", "auto", (True, "none", False)),
    ],
)
def test_four_bits_come_before_anything_waits_and_are_no_number_format_that_was_asked_for(
    free_gb: float, device: str, wished: str, wanted: tuple[bool, str, bool]
) -> None:
    found = plan(KONTEXT, (512, 384), round(free_gb * GB), device, "kontext", wished, linear=LINEAR)
    assert (found.sliced, found.offload, bool(found.packed)) == wanted, str(found)
    assert found.packed in ((), ("transformer", "text_encoder_2")) and ("four bits" in str(found)) == bool(found.packed)


def test_what_lies_in_four_bits_is_counted_with_its_scales_and_the_rest_as_it_was() -> None:
    weights = plan({"transformer": 10**10}, (0, 0), 10**10, "cuda", "flux", linear={"transformer": 8 * 10**9})
    assert weights.packed == ("transformer",) and weights.needs == 8 * 10**9 * 4.5 / 8 + 2 * 10**9 * 2


def test_a_budget_bounds_what_is_taken_and_never_makes_memory() -> None:
    assert room(24 * 10**9) == pytest.approx(24 * GB * 0.92)
    assert room(2 * 10**9) == pytest.approx(2 * GB - RESERVE)
    assert room(24 * 10**9, 6) == 6 * 10**9 and room(2 * 10**9, 6) == 2 * 10**9 and room(0) == 0
    assert plan(SD, (512, 384), 24 * 10**9, "cuda", "sd1", budget=2.4).offload != "none"


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["unet", "transformer", "text_encoder", "vae", "controlnet"]), st.integers(1, 10**11), min_size=1),
    st.tuples(st.integers(4, 32), st.integers(3, 32)), st.integers(0, 10**11), st.sampled_from(["cpu", "cuda"]),
    st.sampled_from(["auto", "float32", "float16", "bfloat16", "int8"]), st.none() | st.floats(0.1, 100), st.floats(0, 1),
)  # fmt: skip
def test_every_plan_holds_what_it_promises(
    parts: dict[str, int], cells: tuple[int, int], free: int, device: str, dtype: str, budget: float | None, share: float
) -> None:
    size = cells[0] * 64, cells[1] * 64
    linear = {name: round(count * share) for name, count in parts.items()}
    found = plan(parts, size, free, device, "sd1", dtype, budget, linear)
    ladder = plans(parts, size, room(free, budget), device, "sd1", dtype, linear)
    assert found in ladder and found.dtype == dtype_for("sd1", device, dtype)
    assert found.fits == (found.needs <= room(free, budget)) and (found.fits or not any(one.fits for one in ladder))
    assert [one.needs for one in ladder] == sorted((one.needs for one in ladder), reverse=True)
    assert device == "cuda" or {one.offload for one in ladder} == {"none"}
    assert all(one.packed == () or (device == "cuda" and dtype == "auto") for one in ladder) and not ladder[0].packed
    more = plan(parts, size, free + 10**10, device, "sd1", dtype, budget, linear)
    assert ladder.index(found) >= [(one.sliced, one.offload, one.packed) for one in ladder].index((more.sliced, more.offload, more.packed))


class Pipeline:
    """Notes which of diffusers' switches are used."""

    class Vae:
        def __init__(self, used: list[str]) -> None:
            self.enable_tiling: Callable[[], None] = lambda: used.append("tiling")

    def __init__(self) -> None:
        self.used: list[str] = []
        self.vae = self.Vae(self.used)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith(("enable_", "remove_")):
            raise AttributeError(name)
        return lambda **given: self.used.append(f"{name} {' '.join(sorted(given))}".strip())


@pytest.mark.parametrize(
    ("offload", "used"),
    [
        ("model", ["enable_model_cpu_offload device"]),
        ("group", ["enable_group_offload num_blocks_per_group offload_device offload_type onload_device"]),
        ("sequential", ["enable_sequential_cpu_offload device"]),
    ],
)
def test_offload_is_diffusers_own(offload: Any, used: list[str]) -> None:
    pipeline, part = Pipeline(), torch.nn.Linear(2, 2)
    place(pipeline, {"unet": part}, MemoryPlan("float16", True, offload, 0, True), torch.device("cuda"), torch.float16)
    assert pipeline.used == ["enable_attention_slicing", "tiling", "remove_all_hooks", *used]
    assert part.weight.dtype == torch.float16 and part.weight.device.type == "cpu"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("planned")
    for name in ("sd-turbo", "kontext"):
        tiny_folder(home / name, name)
    return home


def opened(folders: Path, kind: str, **settings: Any) -> Painter:
    checkpoint = "bundled" if kind == "bundled" else str(folders / kind)
    return open_carefully(replace(SPEC, checkpoint=checkpoint, **settings))


def test_weights_are_held_in_the_format_asked_for_from_the_moment_they_are_read(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held: set[torch.dtype] = set()
    before = torch.nn.Module.load_state_dict

    def load(module: torch.nn.Module, tensors: Any, *given: Any, **how: Any) -> Any:
        held.update(tensor.dtype for tensor in tensors.values())
        return before(module, tensors, *given, **how)

    monkeypatch.setattr(torch.nn.Module, "load_state_dict", load)
    painter = open_painter(replace(SPEC, checkpoint=str(folders / "sd-turbo"), dtype="bfloat16"))
    assert held == {torch.bfloat16} and painter.info.dtype == "bfloat16" and "bfloat16" in painter.info.plan
    request = ask(drawn(0))
    assert all(np.ptp(patch.pixels) > 0 for patch in painter.paint(request).patches)


def test_a_shortage_while_placing_goes_on_with_the_next_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def short(pipeline: Any, parts: Any, chosen: MemoryPlan, *where: Any) -> None:
        tried.append("sliced" if chosen.sliced else "whole")
        if len(tried) == 1:
            raise torch.OutOfMemoryError("injected")

    monkeypatch.setattr("models.placing.place", short)
    placement = Placement(Pipeline(), {"unet": torch.nn.Linear(2, 2)}, "sd1", SPEC)
    assert tried == ["whole", "sliced"] and placement.plan.sliced and not placement.down()


STAGES = {
    "sd-turbo": ("text_encoder", "unet", "vae.encoder", "vae.decoder"),
    "kontext": ("text_encoder", "transformer", "vae.encoder", "vae.decoder"),
    "bundled": ("encoder", "denoiser"),
}


def network_of(painter: Careful, stage: str) -> torch.nn.Module:
    inner: Any = painter.painter
    if stage in ("encoder", "denoiser"):
        return inner._tokens._encoder if stage == "encoder" else inner._denoiser  # type: ignore[no-any-return]
    found: Any = inner.placement._pipeline
    for name in stage.split("."):
        found = getattr(found, name)
    return found  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def painters(folders: Path) -> dict[str, Careful]:
    found = {kind: opened(folders, kind) for kind in STAGES}
    return {kind: painter for kind, painter in found.items() if isinstance(painter, Careful)}


@contextmanager
def short(painter: Careful, stage: str, times: int) -> Iterator[list[int]]:
    """Memory runs out so many times as the stage begins; yields what is left of them."""
    left = [times]

    def run_out(module: torch.nn.Module, given: Any) -> None:
        if left[0]:
            left[0] -= 1
            raise torch.OutOfMemoryError("CUDA out of memory, injected")

    hook = network_of(painter, stage).register_forward_pre_hook(run_out)
    try:
        yield left
    finally:
        hook.remove()


@pytest.mark.parametrize(("kind", "stage"), [(kind, stage) for kind, stages in STAGES.items() for stage in stages])
def test_a_shortage_at_any_stage_costs_no_frame(painters: dict[str, Careful], kind: str, stage: str) -> None:
    """Caches are emptied, and the same pixels come as without one."""
    painter, request = painters[kind], ask(drawn(0))
    painter.restore(None)
    wanted = painter.paint(request)
    forget(painter)
    with short(painter, stage, 1) as left:
        got = painter.paint(request)
    assert left == [0] and len(got.patches) == len(wanted.patches)
    for ours, theirs in zip(got.patches, wanted.patches, strict=True):
        assert ours.rect == theirs.rect and (ours.pixels == theirs.pixels).all()


def forget(painter: Careful) -> None:
    """What was kept from one paint to the next, so that every stage is gone through again."""
    inner: Any = painter.painter
    painter.restore(None)
    if hasattr(inner, "telling"):
        inner.telling.forget()
    if getattr(inner, "words", None) is not None:
        inner.words.forget()
    if hasattr(inner, "_lookups"):
        inner._tokens._kept.clear()
        inner._lookups.clear()
    if hasattr(inner, "_recall"):
        inner._recall.clear()


@pytest.mark.parametrize("kind", ["sd-turbo", "kontext"])
def test_a_second_shortage_is_met_by_a_thriftier_plan(folders: Path, kind: str) -> None:
    painter = opened(folders, kind)
    assert isinstance(painter, Careful)
    inner: Any = painter.painter
    assert not inner.placement.plan.sliced
    with short(painter, STAGES[kind][1], 2) as left:
        got = painter.paint(ask(drawn(0)))
    assert left == [0] and inner.placement.plan.sliced and inner.placement._pipeline.vae.use_tiling
    assert got.patches and all(np.ptp(patch.pixels) > 0 for patch in got.patches)


def test_a_tiny_autoencoder_goes_on_in_half_precision_where_others_work_in_tiles(tmp_path: Path) -> None:
    painter: Any = opened(tmp_path, tiny_folder(tmp_path / "dreamlite", "dreamlite").name, dtype="bfloat16")
    assert painter.painter.placement.tile()
    assert all(np.ptp(patch.pixels) > 0 for patch in painter.paint(ask(drawn(0))).patches)


@pytest.mark.parametrize("kind", STAGES)
def test_where_nothing_helps_it_says_so_and_is_as_it_was(painters: dict[str, Careful], kind: str) -> None:
    painter = painters[kind]
    assert isinstance(painter, CarefulStepping) and isinstance(painter, CarefulGuessing) != isinstance(painter, CarefulPreviewing) == (kind != "bundled")
    forget(painter)
    before = painter.painter.latents().copy()
    with short(painter, STAGES[kind][1], 1000), pytest.raises(PixelOSError, match="memory ran out"):
        painter.paint(ask(drawn(0)))
    assert (painter.painter.latents() == before).all()
    assert painter.paint(ask(drawn(0))).patches


def test_another_error_is_no_shortage(painters: dict[str, Careful]) -> None:
    painter = painters["bundled"]
    forget(painter)

    def wrong(*given: Any) -> None:
        raise RuntimeError("size mismatch")

    hook = network_of(painter, "denoiser").register_forward_pre_hook(wrong)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="size mismatch"):
        painter.paint(ask(drawn(0)))
    hook.remove()


def test_the_picker_is_told_the_plan_and_the_licence(folders: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    (folders / "sd-turbo" / "LICENSE.md").write_text("terms")
    copytree(folders / "sd-turbo", tmp_path / "checkpoints" / "mine")
    told = {one.name: one for one in facts(replace(SPEC, profile=str(tmp_path)))}
    assert set(told) >= {"bundled", "guide"} and told["bundled"].needs_mb > 30 and told["bundled"].plan == ""
    assert "float32" in told["mine"].plan and told["mine"].licence == "LICENSE.md"

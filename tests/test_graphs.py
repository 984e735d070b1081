"""CUDA graphs, with the capture faked: static shapes, no input of a later call leaks, and painting goes on where one fails."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.forms import CAST
from engine.geometry import Rect
from engine.painter import (
    BATCHES,
    GRAPHS,
    Painter,
    PainterSpec,
    Painting,
    PaintRequest,
    Readiness,
    ReadyingPainter,
    Words,
)
from engine.theme import Role
from models.catalog import open_carefully, open_painter
from models.crops import BUNDLED_CELLS, plan
from models.denoiser import pack
from models.graphs import Graphs
from models.inputs import build_of, corner_maps, palette_of, to_latents
from models.materials import Materials
from models.reference.painter import ReferencePainter
from models.relief import RAISED, Relief, is_ground, kinds_of, seen_of, sides_of
from tests.checkpoints import tiny_checkpoint, tiny_networks
from tests.stand_in_gpu import FakeRecorder, UnfitForCapture
from tests.test_models import made_of
from tests.test_painters import SIZE, WHOLE, ask, context, drawn, empty, show
from tests.tiny_families import tiny_folder

CPU = torch.device("cpu")
SPEC = PainterSpec(size=SIZE, threads=1, device="cpu", dtype="float32")


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> FakeRecorder:
    return faked(monkeypatch, FakeRecorder())


def faked(monkeypatch: pytest.MonkeyPatch, recorder: FakeRecorder) -> FakeRecorder:
    monkeypatch.setattr("models.graphs.recorder_for", lambda device: recorder)
    return recorder


def captured(graphs: Graphs) -> list[Readiness]:
    told = []
    while (readiness := graphs.advance()) is not None:
        told.append(readiness)
    return told


def made_ready(painter: Painter) -> list[Readiness]:
    told = []
    while isinstance(painter, ReadyingPainter) and (readiness := painter.get_ready()) is not None:
        told.append(readiness)
    return told


def twice(x: Tensor, y: Tensor | None) -> Tensor:
    return 2 * x if y is None else 2 * x + y


def test_a_captured_function_gives_what_it_gave_and_results_stay(recorder: FakeRecorder) -> None:
    graphs = Graphs(CPU)
    function = graphs.wrap(twice)
    graphs.rehearse([lambda: function(torch.zeros(4), None), lambda: function(torch.zeros(4), torch.zeros(4))])
    assert [(one.done, one.of) for one in captured(graphs)] == [(0, 2), (1, 2), (2, 2)]
    a, b = torch.arange(4.0), torch.full((4,), 3.0)
    first = function(a, None)
    second = function(b, a)
    third = function(a + 1, None)
    assert recorder.recorded == 2 and recorder.replays == 5
    assert first.tolist() == [0, 2, 4, 6] and second.tolist() == [6, 7, 8, 9] and third.tolist() == [2, 4, 6, 8]
    b.fill_(100)
    assert second.tolist() == [6, 7, 8, 9]


def test_what_was_not_captured_is_called_and_captured_in_the_next_pause(recorder: FakeRecorder) -> None:
    graphs, given = Graphs(CPU), torch.zeros(2)
    function = graphs.wrap(twice)
    graphs.rehearse([lambda: function(given, None)])
    captured(graphs)
    given = torch.ones(3)
    assert function(given, None).tolist() == [2, 2, 2] and recorder.recorded == 1
    assert [str(one) for one in captured(graphs)] == ["0 of 1 ready", "1 of 1 ready"] and recorder.recorded == 2
    assert function(torch.zeros(9), None).tolist() == [0] * 9
    captured(graphs)
    assert function(torch.zeros(9), None).tolist() == [0] * 9 and captured(graphs) == []


def test_weights_that_changed_are_captured_anew(recorder: FakeRecorder) -> None:
    graphs = Graphs(CPU)
    function = graphs.wrap(twice)
    graphs.rehearse([lambda: function(torch.zeros(2), None)])
    captured(graphs)
    graphs.renew()
    replays = recorder.replays
    assert function(torch.ones(2), None).tolist() == [2, 2] and recorder.replays == replays
    captured(graphs)
    assert recorder.recorded == 2 and function(torch.ones(2), None).tolist() == [2, 2] and recorder.replays > replays


@pytest.mark.parametrize("why", [torch.OutOfMemoryError("CUDA out of memory"), UnfitForCapture("operation not permitted"), MemoryError()])
def test_a_capture_that_fails_is_said_and_all_goes_on_without(monkeypatch: pytest.MonkeyPatch, why: Exception) -> None:
    recorder = faked(monkeypatch, FakeRecorder(2, why))
    graphs = Graphs(CPU)
    function = graphs.wrap(twice)
    graphs.rehearse([lambda: function(torch.zeros(2), None), lambda: function(torch.zeros(3), None)])
    last = captured(graphs)[-1]
    assert last.complete and last.note.startswith("a capture failed: ") and "painting without" in str(last)
    replays = recorder.replays
    assert function(torch.ones(2), None).tolist() == [2, 2] and recorder.replays == replays and captured(graphs) == []


@pytest.mark.parametrize("unfit", [lambda x: x[x > 0], lambda x: x * float(x.sum()), lambda x: x + torch.tensor([1.0, 2.0])])
def test_what_no_graph_can_hold_is_refused_by_the_fake_too(recorder: FakeRecorder, unfit: Any) -> None:
    graphs = Graphs(CPU)
    function = graphs.wrap(unfit)
    graphs.rehearse([lambda: function(torch.ones(2))])
    assert "not permitted" in captured(graphs)[-1].note
    assert function(torch.ones(2)).tolist() == unfit(torch.ones(2)).tolist()


def test_left_out_or_without_a_gpu_there_are_none(recorder: FakeRecorder, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Graphs(CPU, (GRAPHS,)).wrap(twice) is twice and not Graphs(CPU, (GRAPHS,)).on
    monkeypatch.undo()
    graphs = Graphs(CPU)
    graphs.rehearse([lambda: twice(torch.zeros(1), None)])
    assert not graphs.on and graphs.wrap(twice) is twice and graphs.advance() is None and not graphs.drop()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> PainterSpec:
    return replace(SPEC, checkpoint=str(tiny_checkpoint(tmp_path_factory.mktemp("tiny"))))


REQUESTS = [
    ask(drawn(1)), ask(drawn(2), (Rect(40, 48, 24, 16),)), ask(drawn(3), (Rect(160, 96, 64, 40),), "ocean"), ask(drawn(4), (Rect(40, 48, 24, 16),)),
    ask(drawn(2), (Rect(8, 8, 16, 16), Rect(200, 150, 16, 16)), "candy"), ask(drawn(5), WHOLE, "wood"),
]  # fmt: skip


def frames(painter: Painter, requests: list[PaintRequest]) -> list[np.ndarray]:
    frame, found = empty(), []
    for request in requests:
        found.append(show(painter, frame, request).copy())
    return found


def test_the_bundled_family_paints_the_same_from_graphs(tiny: PainterSpec, recorder: FakeRecorder) -> None:
    """Eager and replayed bit for bit; beside the way without graphs, that computes corners only where there are any, to a level."""
    requests = REQUESTS[:4]
    graphed = open_painter(tiny)
    before = frames(graphed, requests)
    assert recorder.recorded == 0
    graphed.restore(None)
    graphed.close()  # the frame cache
    told = made_ready(graphed)
    sizes = {crop.area[2:] for request in requests for crop in plan(request.damage, SIZE, BUNDLED_CELLS.few(SIZE))}
    assert recorder.recorded == len(told) - 1 == 3 and told[-1].complete and sizes <= {(64, 64), (128, 128), SIZE}
    replays = recorder.replays
    first = graphed.paint(requests[0]).patches[0].pixels
    kept = first.copy()
    graphed.restore(None)
    graphed.close()
    after = frames(graphed, requests)
    assert (first == kept).all()  # what was handed out is not painted over
    assert recorder.recorded == 3 and recorder.replays - replays >= len(requests)
    assert all((one == other).all() for one, other in zip(before, after, strict=True))
    plain = frames(open_painter(replace(tiny, without=(GRAPHS,))), requests)
    assert max(np.abs(one.astype(int) - other).max() for one, other in zip(after, plain, strict=True)) <= 2


def test_corners_are_the_same_whether_some_pixels_are_computed_or_all() -> None:
    """A CUDA graph cannot know how many there are."""
    guide, denoiser = drawn(2), tiny_networks()[0]
    assert (guide.forms[..., 0] > 0).sum() > 50
    generator = torch.Generator().manual_seed(0)
    slow = torch.from_numpy(context("candy").slow)[None]
    cells = SIZE[1] // 4, SIZE[0] // 4
    materials = Materials(
        torch.rand(1, 19, generator=generator), torch.rand(1, 19, generator=generator), torch.randn(1, 48, *cells, generator=generator),
        torch.randn(1, 16, *cells, generator=generator), build_of(slow.numpy()),
    )  # fmt: skip
    corners = torch.from_numpy(guide.forms)[None]
    some, every = (corner_maps(corners, palette_of(slow), materials, static=static) for static in (False, True))
    assert torch.allclose(some, every, atol=1e-6)
    fine, painted = torch.randn(1, 8, *cells, generator=generator), torch.randn(1, *cells, 16, 3, generator=generator)
    told = torch.randn(1, denoiser.corner.from_context.out_features, generator=generator)
    torch.nn.init.normal_(denoiser.corner.out.weight)
    with torch.no_grad():
        few, dense = (denoiser.corner(fine, some, told, palette_of(slow), static).over(painted) for static in (False, True))
    assert torch.allclose(few, dense, atol=1e-5) and not torch.allclose(few, painted, atol=1e-2)


@pytest.mark.parametrize(("all_raised", "lit"), [(False, False), (True, False), (True, True)])
def test_edges_are_the_same_whether_some_pixels_are_computed_or_all(all_raised: bool, lit: bool) -> None:
    """And these are those beside edges, of menus too where all that is raised is decided, and none of pictures then; and where it is told what
    lies in shadows and glows, all that does."""
    guide, relief = drawn(4), Relief(8, 96, all_raised=all_raised, lit=lit)
    torch.nn.init.normal_(relief.out.weight)
    generator = torch.Generator().manual_seed(0)
    cells = SIZE[1] // 4, SIZE[0] // 4
    fine, painted = torch.randn(1, 8, *cells, generator=generator), torch.randn(1, *cells, 16, 3, generator=generator)
    told = torch.randn(1, 32, generator=generator), torch.randn(1, 32, generator=generator)
    paints = torch.randn(1, 21, 7, generator=generator)
    ground, texture = torch.randn(1, *cells, 16, 3, generator=generator), torch.randn(1, *cells, 16, 1, generator=generator)
    seen = seen_of(to_latents(guide.pixels[None]), torch.from_numpy(guide.forms[None]), made_of(1).build)
    roles, forms, light = seen
    torch.nn.init.normal_(relief.from_kind.weight)
    glow = torch.randn(1, 3, generator=generator)
    if lit:
        torch.nn.init.normal_(relief.from_light.weight)
    with torch.no_grad():
        few, dense = (relief.over(painted, fine, seen, told, paints, glow, ground, texture, static) for static in (False, True))
    assert torch.allclose(few, dense, atol=1e-5)
    may_be, kinds = (roles.unsqueeze(-1) == torch.tensor(RAISED)).any(-1), kinds_of(forms[..., 3])
    divided = np.kron(np.array([[len(np.unique(c)) > 1 for c in np.hsplit(r, cells[1])] for r in np.vsplit(guide.forms[..., 3] & CAST, cells[0])]), np.ones((4, 4)))
    assert 0 < divided.mean() < 0.2
    menus, pictured = (kinds > 1) & (roles == Role.SURFACE), is_ground(roles) & (kinds == 0)
    cut = torch.from_numpy(divided > 0) & is_ground(roles)
    assert menus.sum() > 100 and (cut & pictured).sum() > 20
    near = ((sides_of(roles) > 0) | (kinds > 1)) & may_be | cut
    if all_raised:
        near = near & ~(cut & pictured & ~((sides_of(roles) > 0) & may_be)) | menus
    if lit:
        near = near | ((light[..., 2:] > 0).any(-1) & is_ground(roles))
    beside = pack(near[:, None].float()).permute(0, 2, 3, 1) > 0
    assert 0.02 < beside.float().mean() < 0.5
    assert (few != painted).any(-1)[beside].all() and (few == painted).all(-1)[~beside].all()


def test_a_crop_is_of_few_sizes_and_holds_its_damage_with_the_margin() -> None:
    size, generator = (512, 384), np.random.default_rng(0)
    cells = BUNDLED_CELLS.few(size)
    assert cells.sizes == ((64, 64), (128, 128), (256, 256))
    for _ in range(200):
        x, y = int(generator.integers(0, 63)) * 8, int(generator.integers(0, 47)) * 8
        w, h = int(generator.integers(1, 65 - x // 8)) * 8, int(generator.integers(1, 49 - y // 8)) * 8
        (crop,) = plan((Rect(x, y, w, h),), size, cells)
        assert crop.area[2:] in (*cells.sizes, size) and crop.area.x % 16 == crop.area.y % 16 == 0
        assert crop.area.covers(Rect(x, y, w, h).grow(cells.margin).meet(Rect(0, 0, *size)))


def test_painting_goes_on_where_a_capture_fails(tiny: PainterSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = faked(monkeypatch, FakeRecorder(2))
    painter = open_painter(tiny)
    before = frames(painter, REQUESTS[:2])
    told = made_ready(painter)
    assert "out of memory" in told[-1].note
    painter.restore(None)
    painter.close()
    replays = recorder.replays
    after = frames(painter, REQUESTS[:2])
    assert recorder.replays == replays and all((one == other).all() for one, other in zip(before, after, strict=True))


def test_where_memory_runs_out_graphs_are_what_goes_first(tiny: PainterSpec, recorder: FakeRecorder, monkeypatch: pytest.MonkeyPatch) -> None:
    painter = open_carefully(tiny)
    made_ready(painter)
    inner: Any = painter.painter  # type: ignore[attr-defined]
    before, short = inner.paint, [torch.OutOfMemoryError("CUDA out of memory")] * 2

    def paint(request: PaintRequest) -> Painting:
        if short:
            raise short.pop()
        found: Painting = before(request)
        return found

    monkeypatch.setattr(inner, "paint", paint)
    replays = recorder.replays
    assert painter.paint(REQUESTS[0]).patches and recorder.replays == replays
    assert [str(one) for one in made_ready(painter)] == ["painting without: memory was needed"]


@pytest.mark.parametrize(
    ("family", "steps", "pieces", "least"), [("pix2pix", 5, 4, 14), ("pix2pix", 2, 5, 8), ("pix2pix-control", 2, 5, 8), ("sdxl-control", 2, 7, 2)],
)  # fmt: skip
def test_prompted_painters_paint_the_same_from_graphs(
    family: str, steps: int, pieces: int, least: int, tmp_path: Path, recorder: FakeRecorder
) -> None:
    """Denoiser, ControlNet, both kinds of autoencoder, with two branches and three; call by call, and in one go where that is few.
    least: replays that three paints take at the least."""
    spec = replace(SPEC, checkpoint=str(tiny_folder(tmp_path / family, family, tiny_vae=family == "sdxl-control")), steps=steps, least_crop=128)
    requests = [replace(request, words=Words("dark")) for request in (REQUESTS[1], REQUESTS[3])]
    painter = open_carefully(spec)
    before = frames(painter, requests)
    told = made_ready(painter)
    assert told[-1].complete and not told[-1].note and len(told) == pieces + 1
    painter.restore(None)
    painter.close()
    recorded, replays = recorder.recorded, recorder.replays
    after = frames(painter, requests)
    assert recorder.recorded == recorded >= 5 and recorder.replays - replays >= least
    painter.paint(replace(requests[1], seq=9, words=Words("dark", known="Writes every morning.")))
    assert recorder.recorded == recorded, "what comes to be known of the user was captured for, too"
    assert max(np.abs(one.astype(int) - other).max() for one, other in zip(before, after, strict=True)) <= 1


def test_two_of_the_smallest_crops_are_one_replay(tmp_path: Path, recorder: FakeRecorder) -> None:
    spec = replace(SPEC, checkpoint=str(tiny_folder(tmp_path / "sd", "sd-turbo", tiny_vae=True)), steps=1, least_crop=128)
    corners = Rect(16, 16, 16, 16), Rect(SIZE[0] - 32, SIZE[1] - 32, 16, 16)
    asked = replace(ask(drawn(2), corners), words=Words("dark"))
    shown, replays = [], []
    for without in ((), (BATCHES,)):
        painter = open_painter(replace(spec, without=without))
        show(painter, empty(), replace(ask(drawn(1)), words=Words("dark")))
        made_ready(painter)
        before = recorder.replays, recorder.recorded
        shown.append(show(painter, empty(), asked))
        assert recorder.recorded == before[1]
        replays.append(recorder.replays - before[0])
    assert replays == [1, 2] and np.abs(shown[0].astype(int) - shown[1]).max() <= 1


@pytest.mark.parametrize("family", ["klein", "kontext", "flux2"])
def test_painters_by_reference_paint_the_same_with_their_transformer_captured(family: str, tmp_path: Path, recorder: FakeRecorder) -> None:
    spec = replace(SPEC, checkpoint=str(tiny_folder(tmp_path / family, family)), steps=2, least_crop=128)
    requests = [replace(request, words=Words("dark")) for request in (REQUESTS[1], REQUESTS[5])]
    painter = reference_painter(spec)
    before = frames(painter, requests)
    told = made_ready(painter)
    assert told[-1].complete and not told[-1].note and len(told) == 3 and recorder.recorded == 2
    painter.restore(None)
    replays = recorder.replays
    after = frames(painter, requests)
    assert recorder.recorded == 2 and recorder.replays - replays == 4, "two steps each of a crop and of the frame"
    assert all((one == other).all() for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize("family", ["klein", "kontext"])
def test_a_reference_painters_transformer_is_captured_anew_for_a_context_that_comes_and_goes(
    family: str, tmp_path: Path, recorder: FakeRecorder
) -> None:
    """Its tokens make what is told longer: that is another graph, and the one before is kept."""
    spec = replace(SPEC, checkpoint=str(tiny_folder(tmp_path / family, family)), steps=1, least_crop=128)
    unknown, known = (replace(REQUESTS[1], words=Words("dark", known=known)) for known in ("", "You like wood."))
    painter = reference_painter(spec)
    frames(painter, [unknown])
    made_ready(painter)
    painter.restore(None)
    before = frames(painter, [known])
    assert recorder.recorded == 2, "nothing is captured while somebody waits"
    made_ready(painter)
    painter.restore(None)
    replays = recorder.replays
    assert all((one == other).all() for one, other in zip(before, frames(painter, [known]), strict=True))
    assert recorder.recorded == 4 and recorder.replays == replays + 1
    frames(painter, [unknown])
    assert recorder.recorded == 4 and recorder.replays == replays + 2


def reference_painter(spec: PainterSpec) -> ReferencePainter:
    painter = open_painter(spec)
    assert isinstance(painter, ReferencePainter) and painter.graphs.on
    return painter

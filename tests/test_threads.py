"""The number of threads is measured in pauses, where there is a choice, and changes nothing that is painted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from engine.geometry import Rect
from engine.painter import THREAD_COUNT, PainterSpec, Readiness
from models.catalog import open_painter
from models.latent_painter import LatentPainter
from models.threads import AGAIN_S, ROUNDS, Threads, counts_of
from tests.test_pace import Clock

CPU = torch.device("cpu")


class Machine:
    """Paints as quickly as it is told, by the number of threads, of which there are as many as torch was given last."""

    def __init__(self, seconds: dict[int, float]) -> None:
        self.seconds, self.clock = seconds, Clock()
        self.threads = Threads(tuple(seconds), self.clock)
        self.painted = 0

    def paint(self) -> None:
        self.clock.now += self.seconds[self.threads.count] * (5 if self.painted < len(self.seconds) else 1)  # the first take longer
        self.painted += 1

    def measured(self) -> list[Readiness]:
        """All of a measurement, piece by piece."""
        found = list[Readiness]()
        while (one := self.threads.measure(self.paint)) is not None:
            found.append(one)
        return found


@pytest.mark.parametrize(
    ("seconds", "best"),
    [
        ({2: 0.020, 1: 0.030}, 2),
        ({2: 0.029, 1: 0.031}, 2),
        ({2: 0.030, 1: 0.028}, 2),  # hardly sooner, and what is larger gains more by the second
        ({2: 0.054, 1: 0.036}, 1),  # another program is on one core
        ({8: 0.014, 4: 0.010, 1: 0.030}, 4),  # two threads are one core's
        ({8: 0.050, 4: 0.040, 1: 0.030}, 1),
    ],
)
def test_fewer_threads_paint_where_they_are_clearly_quicker(seconds: dict[int, float], best: int) -> None:
    machine = Machine(seconds)
    assert machine.threads.count == max(seconds), "all of them until it is known better"
    told = machine.measured()
    assert machine.threads.count == best
    assert len(told) == machine.painted == len(seconds) * (1 + ROUNDS)
    assert told[-1].complete and not told[0].complete


def test_it_is_measured_again_for_what_else_runs_comes_and_goes() -> None:
    machine = Machine({2: 0.054, 1: 0.036})
    machine.measured()
    machine.seconds = {2: 0.020, 1: 0.030}
    assert not machine.measured() and machine.threads.count == 1
    machine.clock.now += AGAIN_S
    assert machine.measured() and machine.threads.count == 2


def test_what_is_tried_meanwhile_paints_nothing_else() -> None:
    machine = Machine({2: 0.054, 1: 0.036})
    for _ in range(3):
        machine.threads.measure(machine.paint)
        assert machine.threads.count == 2


@pytest.mark.parametrize(
    ("spec", "asked", "counts"),
    [
        (PainterSpec(), "", (7, 3, 1)),
        (PainterSpec(threads=2), "", (2,)),
        (PainterSpec(), "4", (4,)),
        (PainterSpec(without=(THREAD_COUNT,)), "", (7,)),
        (PainterSpec(compiled=True), "", (7,)),
    ],
)
def test_what_is_said_is_not_measured(monkeypatch: pytest.MonkeyPatch, spec: PainterSpec, asked: str, counts: Sequence[int]) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert counts_of(spec, CPU) == counts
    assert counts_of(spec, torch.device("cuda")) == ()
    assert Threads(counts).measure(lambda: None) is None or len(counts) > 1


def test_a_painter_measures_in_its_pauses_and_paints_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    painter = open_painter(PainterSpec(size=(256, 192), device="cpu"))
    try:
        assert isinstance(painter, LatentPainter) and painter.info.threads == 2
        latents, area = painter.latents(), Rect(0, 0, 256, 192)
        pieces = 0
        while painter.get_ready() is not None:
            pieces += 1
        assert pieces == 2 * (1 + ROUNDS) and painter.info.threads in (1, 2)
        assert (painter.latents() == latents).all()
        with torch.inference_mode():
            painted = list[np.ndarray]()
            for count in (1, 2):
                painter._threads.count = count
                painted.append(_painted(painter, area))
        assert (painted[0] == painted[1]).all()
    finally:
        painter.close()
        torch.set_num_threads(before)


def _painted(painter: LatentPainter, area: Rect) -> np.ndarray:
    from engine.desktop.desktop import Desktop
    from engine.guide import Guide
    from engine.painter import PaintRequest

    desktop, guide = Desktop(area[2:]), Guide(area[2:])
    guide.update(desktop.items)
    painter.close()  # and with it what it knows
    painting = painter.paint(PaintRequest(0, (), (area,), guide.pixels, guide.verbatim, desktop.features(), forms=guide.forms))
    return painting.patches[0].pixels

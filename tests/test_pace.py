"""How much the painter may do: paints a second, a share of the time, nothing while nobody looks."""

from __future__ import annotations

import time
from typing import Any

import pytest

from engine.desktop.desktop import Desktop
from engine.errors import InputError
from engine.events import Ask, Text
from engine.geometry import Rect
from engine.pace import Caps, Pace
from engine.process_mailbox import ProcessMailbox
from engine.session import Session
from engine.settings import checked
from tests.painters_for_tests import SIZE, SLOW_S, SPEC, SlowPainter, noisy

LONG_S = 30.0


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def paced(caps: Caps, took: float, painted: bool = True) -> float:
    """How long the next paint waits after one that took so long."""
    clock = Clock()
    pace = Pace(caps, clock)
    assert pace.wait == 0, "the first paint waits for nothing"
    pace.begin()
    clock.now += took
    pace.end(painted)
    return pace.wait


def test_without_caps_nothing_waits() -> None:
    assert paced(Caps(), 3.0) == 0


def test_paints_follow_one_another_no_faster_than_the_cap() -> None:
    assert paced(Caps(paints=4), 0.05) == pytest.approx(0.20)
    assert paced(Caps(paints=4), 0.5) == 0, "what took longer than that has waited long enough"
    assert paced(Caps(paints=4), 0.001, painted=False) == 0, "what is looked up is no paint"


def test_the_painter_rests_for_its_share_of_the_time() -> None:
    assert paced(Caps(power=0.5), 0.2) == pytest.approx(0.2)
    assert paced(Caps(power=0.1), 0.2) == pytest.approx(1.8)
    assert paced(Caps(power=0.1), 0.01, painted=False) == pytest.approx(0.09), "looking up takes power too"
    assert paced(Caps(paints=1, power=0.5), 0.2) == pytest.approx(0.8), "both hold"


def painted_in(seconds: float, caps: Caps) -> int:
    """How many paints of SLOW_S are done while there is always something to paint; the last thing asked for is painted."""
    mailbox = ProcessMailbox(SlowPainter, SPEC, caps=caps)
    try:
        mailbox.post(noisy(1, "a"))
        assert mailbox.wait(LONG_S)
        while not mailbox.collect():
            mailbox.wait(LONG_S)
        seq, count, until = 1, 0, time.monotonic() + seconds
        while time.monotonic() < until:
            seq += 1
            mailbox.post(noisy(seq, "b", Rect(0, 0, 64, 64)))
            count += len(mailbox.collect())
            time.sleep(0.005)
        latest = 0
        while latest < seq:
            assert mailbox.wait(LONG_S)
            latest = max([latest, *(painting.seq for painting in mailbox.collect())])
        return count
    finally:
        mailbox.close()


def test_a_capped_painter_paints_less_and_still_paints_the_newest() -> None:
    free = painted_in(1.0, Caps())
    assert free > 8, "a paint takes 50 ms"
    assert painted_in(1.5, Caps(paints=4)) <= 7
    assert painted_in(1.0, Caps(power=0.25)) <= 1.0 / (4 * SLOW_S) + 1


def test_while_nobody_looks_damage_gathers_and_is_painted_when_somebody_does() -> None:
    session = Session(Desktop(SIZE), ProcessMailbox(SlowPainter, SPEC))
    try:
        session.settle(LONG_S)
        painted = session.statistics.guide
        assert painted > 0
        session.watched = False
        session.step([Ask(1.0, "notes"), Text(1.0, "hello")], 1.0)
        for tick in range(30):  # the caret blinks
            frame = session.step((), 2.0 + tick / 10)
            assert not frame.changed
            time.sleep(0.005)
        assert session.statistics.guide == painted and not session.waiting
        assert (session.pixels != session.guide.pixels).any(), "what happened is known and not painted"
        session.watched = True
        session.settle(LONG_S)
        assert (session.pixels == session.guide.pixels).all()
        assert session.statistics.guide == painted + 1, "all of it in one paint"
    finally:
        session.close()


@pytest.mark.parametrize("said", [{"paint_cap": -1.0}, {"paint_cap": 1001.0}, {"power_cap": 0}, {"power_cap": 101}])
def test_a_cap_that_cannot_be_is_refused_by_its_option(said: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(said)).replace("_", "-")):
        checked(said)

"""The card is given back, by a key or when another program wants it, and taken again; the session goes on meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import psutil
import pytest

from engine.card import Reading
from engine.desktop.desktop import Desktop
from engine.events import Ask, Text
from engine.painter import PainterSpec
from engine.process_mailbox import ProcessMailbox
from engine.session import Session
from engine.swap_mailbox import SwapMailbox
from engine.yielding import BACK_S, GB, READ_S, Rivals, Yielding
from models.card import DriverMeter, driver_name
from models.catalog import open_carefully
from tests.painters_for_tests import SIZE, SPEC, CardPainter, by_name_counted
from tests.test_pace import Clock
from tests.test_process_mailbox import own_segments
from tests.test_swap import run_until, shown, spec

TOTAL = 24 * GB


class Desk:
    """A session that "tinted" paints, a card that the test fills, a clock that the test moves."""

    def __init__(self, instead: str | None = "bundled", automatic: bool = True) -> None:
        self.mailbox = SwapMailbox(by_name_counted, spec("tinted"))
        self.session = Session(Desktop(SIZE), self.mailbox)
        self.said: list[str] = []
        self.clock = Clock()
        self.others, self.own = 1 * GB, 6 * GB
        meanwhile = spec(instead) if instead else None
        self.yielding = Yielding(self.mailbox, self.card, lambda _: meanwhile, self.said.append, 0.5 * GB, automatic, clock=self.clock)

    def card(self) -> Reading:
        own = 0 if self.mailbox.away else self.own
        return Reading(round(TOTAL - self.others - own), round(TOTAL), round(own))

    def pass_(self, seconds: float) -> None:
        """Time goes by, and the window's loop with it."""
        for _ in range(round(seconds / READ_S)):
            self.clock.now += READ_S
            self.yielding.follow()
            self.session.step((), self.session.desktop.t)

    def painter(self) -> str:
        return self.mailbox.info.name if self.mailbox.info is not None else ""

    def until_painted_by(self, name: str) -> None:
        run_until(self.session, lambda: self.painter() == name and not self.session.waiting)

    def close(self) -> None:
        self.session.close()
        assert own_segments() == []


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    made.until_painted_by("tinted")
    yield made
    made.close()


def test_the_key_gives_the_card_back_at_once_and_takes_it_again(desk: Desk) -> None:
    pid = desk.mailbox.pid
    desk.session.step([Ask(0.1, "notes"), Text(0.2, "Hello")], 0.2)
    assert (shown(desk.session) == 255 - desk.session.guide.pixels).all()
    desk.yielding.toggle()
    assert pid is not None
    run_until(desk.session, lambda: not psutil.pid_exists(pid))
    assert "F9" in desk.yielding.says and "tinted" in desk.said[-1]
    desk.until_painted_by("bundled")
    desk.session.step([Text(1.0, " there")], 1.0)
    assert (shown(desk.session) == 255 - desk.session.guide.pixels).all(), "who stands in paints everything"
    desk.yielding.toggle()
    desk.until_painted_by("tinted")
    assert desk.mailbox.warm == () and not desk.yielding.says, "nobody who stood in is kept"
    assert desk.mailbox.latest is not None and desk.mailbox.latest.lent, "nobody chose that"


def test_without_a_stand_in_the_whole_guide_is_shown_and_labelled() -> None:
    desk = Desk(instead=None)
    try:
        desk.until_painted_by("tinted")
        desk.yielding.toggle()
        frame = desk.session.step((), desk.session.desktop.t)
        assert (desk.session.pixels == desk.session.guide.pixels).all() and frame.source == "guide"
        assert "away" in desk.session.label and "F9" in desk.session.label and desk.mailbox.pid is None
        desk.session.step([Ask(0.1, "notes"), Text(0.2, "Hello")], 0.2)
        assert (desk.session.pixels == desk.session.guide.pixels).all()
        begun = time.monotonic()
        desk.session.settle(30.0)
        assert time.monotonic() - begun < 15.0, "nobody is waited for"
        desk.yielding.toggle()
        desk.until_painted_by("tinted")
        assert (shown(desk.session) == 255 - desk.session.guide.pixels).all()
    finally:
        desk.close()


def test_a_game_that_starts_gets_the_card_and_its_end_brings_the_painter_back(desk: Desk) -> None:
    desk.pass_(60)
    assert not desk.mailbox.away and not desk.said
    desk.others = 9 * GB
    desk.pass_(3)
    assert desk.mailbox.away and "Another program wants the card" in desk.said[-1]
    desk.until_painted_by("bundled")
    desk.others = 18 * GB
    desk.pass_(300)
    assert desk.mailbox.away, "as long as it is played"
    desk.others = 1 * GB
    desk.pass_(BACK_S - 2)
    assert desk.mailbox.away, "it may only be between two levels"
    desk.pass_(4)
    assert not desk.mailbox.away and "comes back" in desk.said[-1]
    desk.until_painted_by("tinted")


def test_whoever_is_driven_off_again_at_once_waits_longer_the_next_time(desk: Desk) -> None:
    waited = []
    for _ in range(3):
        desk.pass_(3)
        desk.others = 9 * GB
        desk.pass_(3)
        assert desk.mailbox.away
        desk.others, passed = 1 * GB, 0
        while desk.mailbox.away:
            desk.pass_(1)
            passed += 1
        waited.append(passed)
        desk.until_painted_by("tinted")
    assert waited[0] < waited[1] < waited[2]


def test_after_the_key_only_a_program_that_came_and_went_brings_the_painter_back_by_itself(desk: Desk) -> None:
    desk.pass_(3)
    desk.yielding.toggle()
    desk.pass_(100)
    assert desk.mailbox.away, "the card is free because it was given back"
    desk.others = 9 * GB
    desk.pass_(5)
    desk.others = 1 * GB
    desk.pass_(BACK_S + 3)
    assert not desk.mailbox.away


def test_a_checkpoint_chosen_meanwhile_ends_it(desk: Desk) -> None:
    desk.yielding.toggle()
    desk.until_painted_by("bundled")
    desk.mailbox.swap(spec("tinted too"))
    desk.until_painted_by("tinted too")
    desk.pass_(2)
    assert not desk.mailbox.away and not desk.yielding.says


def test_a_stand_in_that_cannot_be_opened_leaves_the_guide_and_the_way_back() -> None:
    desk = Desk(instead="not there")
    try:
        desk.until_painted_by("tinted")
        desk.yielding.toggle()
        run_until(desk.session, lambda: desk.mailbox.status.state == "away")
        assert desk.painter() == "" and (desk.session.pixels == desk.session.guide.pixels).all()
        desk.yielding.toggle()
        desk.until_painted_by("tinted")
    finally:
        desk.close()


def test_where_it_is_switched_off_only_the_key_counts() -> None:
    desk = Desk(automatic=False)
    try:
        desk.until_painted_by("tinted")
        desk.others = 20 * GB
        desk.pass_(10)
        assert not desk.mailbox.away
    finally:
        desk.close()


def wanted(*readings: tuple[float, float], own: float = 6) -> bool:
    """Whether rivals are seen in readings of (seconds since the one before, GB that others have)."""
    rivals, now, found = Rivals(0.5 * GB), 0.0, False
    for seconds, others in readings:
        now += seconds
        found = rivals.want(Reading(round(TOTAL - (others + own) * GB), round(TOTAL), round(own * GB)), now)
    return found


def test_what_counts_as_wanting_the_card() -> None:
    assert not wanted((1, 1), (1, 1), (1, 1))
    assert wanted((1, 1), (1, 5), (1, 5)), "much in a short time"
    assert not wanted((1, 1), (1, 5)), "one reading may be a moment's"
    assert not wanted(*[(10, 1 + n / 5) for n in range(25)]), "a little more every ten seconds, and much is free"
    assert wanted(*[(10, 1 + n / 5) for n in range(25)], own=18.0), "until nothing is"
    assert not wanted((1, 1), (1, 1.1), (1, 1.1), own=22.8), "what the painter took itself drives nobody off"


def test_the_painters_process_tells_of_its_card() -> None:
    mailbox = ProcessMailbox(CardPainter, SPEC)
    try:
        end = time.monotonic() + 30
        while mailbox.card is None:
            assert time.monotonic() < end
            time.sleep(0.01)
        assert mailbox.card == Reading(3_000, 10_000, 5_000) and mailbox.card.others == 2_000
    finally:
        mailbox.close()
    assert mailbox.card is None


def test_the_drivers_name_of_a_card_heeds_what_is_visible() -> None:
    assert driver_name("auto", None) == "0" and driver_name("cuda:1", "") == "1"
    assert driver_name("cuda:1", "3,5") == "5" and driver_name("cuda", "GPU-abc") == "GPU-abc"
    assert DriverMeter("cpu")() is None


@pytest.mark.usefixtures("libraries_at_hand")
def test_on_a_cpu_the_key_releases_the_painters_memory() -> None:
    others = set(psutil.Process().children(recursive=True))  # such as the X server of tests before
    home = PainterSpec(size=SIZE, device="cpu", threads=1)
    mailbox = SwapMailbox(open_carefully, replace(home, checkpoint="bundled"))
    session = Session(Desktop(SIZE), mailbox)
    said: list[str] = []
    yielding = Yielding(mailbox, lambda: None, lambda _: None, said.append)
    try:
        session.settle(60)
        assert mailbox.card is None, "there is none"
        before = painters_mb(others)
        assert before > 150
        yielding.toggle()
        end = time.monotonic() + 60
        while (held := painters_mb(others)) > 40:
            assert time.monotonic() < end, f"{held:.0f} MB of {before:.0f} MB are still held"
            session.step((), session.desktop.t)
            time.sleep(0.02)
        yielding.toggle()
        run_until(session, lambda: mailbox.info is not None and not session.waiting)
        assert session.mailbox.info is not None and session.mailbox.info.family == "bundled"
    finally:
        session.close()


def painters_mb(others: set[psutil.Process]) -> float:
    """What the processes hold that this one has started since `others`."""
    total = 0.0
    for process in set(psutil.Process().children(recursive=True)) - others:
        try:
            total += process.memory_info().rss / 1e6
        except psutil.Error:
            continue
    return total

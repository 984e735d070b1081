"""The checkpoint is changed while the session runs: nothing is lost by it, least of all where the new one is bad."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from engine.desktop.desktop import Desktop
from engine.events import Ask, Text
from engine.geometry import Rect
from engine.painter import PainterSpec, Painting, Patch
from engine.painter_process import Limits
from engine.session import Session
from engine.swap import flat
from engine.swap_mailbox import Room, SwapMailbox
from tests.painters_for_tests import SIZE, SPEC, by_name_counted, text_seen
from tests.test_process_mailbox import own_segments
from ui.hud import hud_rows

LONG_S = 30.0


def spec(checkpoint: str) -> PainterSpec:
    return replace(SPEC, checkpoint=checkpoint)


def always(spec: PainterSpec, gone: Sequence[PainterSpec]) -> bool:
    return True


@contextmanager
def session_of(room: Room = always, limits: Limits | None = None) -> Iterator[tuple[Session, SwapMailbox]]:
    mailbox = SwapMailbox(by_name_counted, SPEC, limits, room)
    session = Session(Desktop(SIZE), mailbox)
    try:
        yield session, mailbox
    finally:
        session.close()
        assert own_segments() == []


def run_until(session: Session, condition: Callable[[], bool]) -> None:
    end = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < end, f"it never came to that: {session.mailbox.status}"
        session.step((), session.desktop.t)
        time.sleep(0.005)


def swapped(session: Session, mailbox: SwapMailbox, checkpoint: str) -> str:
    """Change the painter and wait until it has or has not worked; the state it came to."""
    mailbox.swap(spec(checkpoint))
    run_until(session, lambda: mailbox.latest is not None and not mailbox.latest.under_way)
    return mailbox.latest.state if mailbox.latest else ""


def shown(session: Session) -> np.ndarray:
    return session.settle(LONG_S).pixels.copy()


@pytest.fixture
def running() -> Iterator[tuple[Session, SwapMailbox]]:
    with session_of() as (session, mailbox):
        shown(session)
        session.step([Ask(0.1, "notes"), Text(0.2, "Hello")], 0.2)
        assert (shown(session) == session.guide.pixels).all()
        yield session, mailbox


def test_another_checkpoint_takes_over_the_whole_frame_and_the_desktop_stays(running: tuple[Session, SwapMailbox]) -> None:
    session, mailbox = running
    before, documents = session.desktop.state(), dict(session.desktop.documents.contents)
    assert swapped(session, mailbox, "tinted") == "done"
    assert (shown(session) == 255 - session.guide.pixels).all()
    assert mailbox.info is not None and mailbox.info.name == "tinted" and "tinted" in session.label
    assert session.desktop.state()["windows"] == before["windows"] and session.desktop.documents.contents == documents
    session.step([Text(1.0, " there")], 1.0)
    assert (shown(session) == 255 - session.guide.pixels).all()


def test_no_frame_on_the_way_is_anything_but_one_of_the_two(running: tuple[Session, SwapMailbox]) -> None:
    session, mailbox = running
    mailbox.swap(spec("tinted"))
    seen = set()
    end = time.monotonic() + LONG_S
    while mailbox.latest is None or mailbox.latest.under_way:
        assert time.monotonic() < end
        pixels = session.step((), session.desktop.t).pixels
        old, new = (pixels == session.guide.pixels).all(), (pixels == 255 - session.guide.pixels).all()
        assert old or new
        seen.add("new" if new else "old")
        time.sleep(0.002)
    assert seen == {"old", "new"}


def test_what_is_typed_meanwhile_is_painted_by_both(running: tuple[Session, SwapMailbox]) -> None:
    session, mailbox = running
    mailbox.swap(spec("tinted"))
    t, end = 1.0, time.monotonic() + LONG_S
    while mailbox.latest is None or mailbox.latest.under_way:
        assert time.monotonic() < end
        t += 0.1
        session.step([Text(t, "x")], t)
        time.sleep(0.01)
    assert (shown(session) == 255 - session.guide.pixels).all()
    editor = next(widget for widget in session.desktop.widgets if widget.role == "editor")
    assert editor.text.replace("\n", "").count("x") == round((t - 1.0) / 0.1)


def test_back_is_at_once_while_both_fit(running: tuple[Session, SwapMailbox]) -> None:
    session, mailbox = running
    first = mailbox.pid
    assert swapped(session, mailbox, "tinted") == "done"
    assert mailbox.warm == (SPEC,)
    begun = time.monotonic()
    assert swapped(session, mailbox, "guide") == "done"
    assert time.monotonic() - begun < 5.0
    assert mailbox.pid == first and (shown(session) == session.guide.pixels).all()


@pytest.mark.parametrize(("checkpoint", "why"), [("nowhere", "is not there"), ("flat", "one flat colour")])
def test_a_bad_checkpoint_changes_nothing_and_says_why(running: tuple[Session, SwapMailbox], checkpoint: str, why: str) -> None:
    session, mailbox = running
    first, frame = mailbox.pid, shown(session)
    assert swapped(session, mailbox, checkpoint) == "refused"
    assert mailbox.latest is not None and why in mailbox.latest.why
    assert mailbox.pid == first and mailbox.spec == SPEC and (shown(session) == frame).all()
    session.step([Text(1.0, "!")], 1.0)
    assert (shown(session) == session.guide.pixels).all()


def test_a_frame_is_flat_unless_something_in_any_of_its_patches_shows() -> None:
    left, right = np.full((16, 8, 3), 250, np.uint8), np.full((16, 8, 3), 252, np.uint8)
    painting = Painting(1, (Patch(Rect(0, 0, 8, 16), left), Patch(Rect(8, 0, 8, 16), right)), "painted", {})
    assert flat(painting) and flat(replace(painting, patches=()))
    right[15, 7, 2] = 254
    assert not flat(painting)
    right[:], left[15, 7, 0] = 250, 246
    assert not flat(painting)


def test_one_whose_first_frame_never_comes_is_refused_while_the_other_goes_on() -> None:
    with session_of(limits=Limits(first_paint=4.0)) as (session, mailbox):
        first = shown(session)
        mailbox.swap(spec("stuck"))
        run_until(session, lambda: mailbox.latest is not None and mailbox.latest.state == "trying")
        session.step([Ask(0.1, "notes")], 0.1)
        assert (shown(session) == session.guide.pixels).all() and (session.pixels != first).any()
        run_until(session, lambda: mailbox.latest is not None and not mailbox.latest.under_way)
        assert mailbox.latest is not None and mailbox.latest.state == "refused" and "did not finish a paint" in mailbox.latest.why
        assert mailbox.spec == SPEC and mailbox.coming_pid is None and (session.pixels == session.guide.pixels).all()


def test_a_process_killed_while_it_loads_changes_nothing(running: tuple[Session, SwapMailbox]) -> None:
    session, mailbox = running
    mailbox.swap(spec("slow to open"))
    run_until(session, lambda: mailbox.latest is not None and 0.005 <= mailbox.latest.share < 1)
    assert mailbox.coming_pid is not None
    os.kill(mailbox.coming_pid, signal.SIGKILL)
    run_until(session, lambda: mailbox.latest is not None and mailbox.latest.state == "refused")
    assert mailbox.latest is not None and "killed" in mailbox.latest.why
    assert (shown(session) == session.guide.pixels).all() and mailbox.coming_pid is None


def test_the_last_choice_counts(running: tuple[Session, SwapMailbox]) -> None:
    session, mailbox = running
    mailbox.swap(spec("slow to open"))
    assert swapped(session, mailbox, "tinted") == "done" and mailbox.spec == spec("tinted")


def test_one_that_took_over_is_started_again_when_it_dies(running: tuple[Session, SwapMailbox]) -> None:
    session, mailbox = running
    assert swapped(session, mailbox, "crashing") == "done"
    first = mailbox.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    run_until(session, lambda: mailbox.pid not in (None, first) and mailbox.status.state == "ready")
    session.step([Text(1.0, "again")], 1.0)
    assert (shown(session) == session.guide.pixels).all()


def test_without_room_for_both_the_old_one_goes_first_and_comes_back_where_the_new_one_is_bad() -> None:
    def none(spec: PainterSpec, gone: Sequence[PainterSpec]) -> bool:
        return False

    with session_of(none) as (session, mailbox):
        shown(session)
        mailbox.swap(spec("tinted"))
        session.step([Ask(0.1, "notes")], 0.1)
        assert mailbox.latest is not None and not mailbox.latest.beside
        assert "guide shown" in session.label and "loading checkpoint tinted" in session.label
        run_until(session, lambda: mailbox.latest is not None and mailbox.latest.state == "done")
        assert (shown(session) == 255 - session.guide.pixels).all() and mailbox.warm == ()
        assert swapped(session, mailbox, "nowhere") == "refused"
        session.step([Text(1.0, "still here")], 1.0)
        run_until(session, lambda: mailbox.status.state == "ready")
        assert (shown(session) == 255 - session.guide.pixels).all() and mailbox.spec == spec("tinted")


@pytest.mark.parametrize(("times", "came_to"), [(1, "done"), (2, "done"), (3, "refused")])
def test_a_shortage_while_loading_sends_the_others_away_before_it_is_given_up(
    running: tuple[Session, SwapMailbox], tmp_path: Path, times: int, came_to: str
) -> None:
    """First who is kept ready, then who paints; where that does not help, who painted comes back with what it held."""
    session, mailbox = running
    assert swapped(session, mailbox, "tinted") == "done" and mailbox.warm == (SPEC,)
    held = mailbox.latents()
    mailbox.swap(replace(spec(f"greedy {times}"), profile=str(tmp_path)))
    run_until(session, lambda: mailbox.latest is not None and not mailbox.latest.under_way)
    assert mailbox.latest is not None and mailbox.latest.state == came_to
    assert (tmp_path / "tried").read_text() == "x" * min(times + 1, 3) and mailbox.latest.beside == (times == 1)
    assert mailbox.warm == ((spec("tinted"),) if times == 1 else ())
    run_until(session, lambda: mailbox.status.state == "ready")
    assert (shown(session) == 255 - session.guide.pixels).all()
    if came_to == "refused":
        assert "memory ran out" in mailbox.latest.why and mailbox.spec == spec("tinted")
        assert text_seen(mailbox.latents()) == text_seen(held)


def test_what_a_painter_gives_up_is_known_and_one_that_cannot_go_on_is_given_up_at_once(running: tuple[Session, SwapMailbox]) -> None:
    session, mailbox = running
    assert swapped(session, mailbox, "thrifty") == "done" and mailbox.info is not None and mailbox.info.gave_up == ()
    session.step([Text(1.0, "!")], 1.0)
    shown(session)
    assert mailbox.info.gave_up == ("it paints at half the size",) and "half the size" in mailbox.info.plan
    rows = dict(hud_rows(session))
    assert rows["memory ran short"] == "it paints at half the size" and rows["memory plan"] == mailbox.info.plan
    session.step([Text(2.0, "?")], 2.0)
    run_until(session, lambda: mailbox.status.state == "gave up")
    assert mailbox.status.deaths == 1 and mailbox.status.why == "memory ran out here"


def test_who_is_kept_ready_goes_first_where_room_is_short() -> None:
    def two(wanted: PainterSpec, gone: Sequence[PainterSpec]) -> bool:
        return wanted.checkpoint != "tinted too" or SPEC in gone

    with session_of(two) as (session, mailbox):
        shown(session)
        assert swapped(session, mailbox, "tinted") == "done" and mailbox.warm == (SPEC,)
        assert swapped(session, mailbox, "tinted too") == "done"
        assert mailbox.latest is not None and mailbox.latest.beside and mailbox.warm == (spec("tinted"),)
        mailbox.cool()
        assert mailbox.warm == () and (shown(session) == 255 - session.guide.pixels).all()


@contextmanager
def with_spares(*libraries: str) -> Iterator[tuple[Session, SwapMailbox]]:
    mailbox = SwapMailbox(by_name_counted, SPEC, libraries=libraries)
    session = Session(Desktop(SIZE), mailbox)
    try:
        shown(session)
        yield session, mailbox
    finally:
        session.close()
        assert own_segments() == [] and mailbox.spares.pid is None


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_swap_that_was_expected_takes_the_process_that_waits() -> None:
    """Once: the next one starts its own."""
    with with_spares("fractions", "no_such_library") as (session, mailbox):
        mailbox.spares.expect(True)
        waiting = mailbox.spares.pid
        mailbox.spares.expect(True)
        assert waiting is not None and mailbox.spares.pid == waiting
        assert swapped(session, mailbox, "tinted") == "done" and mailbox.pid == waiting and mailbox.spares.pid is None
        assert (shown(session) == 255 - session.guide.pixels).all()
        session.step([Text(1.0, "on")], 1.0)
        assert (shown(session) == 255 - session.guide.pixels).all()
        assert swapped(session, mailbox, "flat") == "refused" and mailbox.pid == waiting


def test_a_process_that_waits_for_nothing_ends_and_one_that_died_is_no_loss() -> None:
    with with_spares("fractions") as (session, mailbox):
        mailbox.spares.expect(True)
        unneeded = mailbox.spares.pid
        assert unneeded is not None
        mailbox.spares.expect(False)
        run_until(session, lambda: gone(unneeded))
        mailbox.spares.expect(True)
        dead = mailbox.spares.pid
        assert dead is not None and dead != unneeded
        os.kill(dead, signal.SIGKILL)
        run_until(session, lambda: gone(dead))
        assert swapped(session, mailbox, "tinted") == "done" and mailbox.pid not in (dead, None)
        mailbox.spares.expect(True)
        left = mailbox.spares.pid
    assert left is not None
    end = time.monotonic() + LONG_S
    while not gone(left):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_process_that_waits_goes_on_for_a_painter_that_died() -> None:
    with with_spares("fractions") as (session, mailbox):
        mailbox.spares.expect(True)
        waiting, lost = mailbox.spares.pid, mailbox.pid
        assert waiting is not None and lost is not None
        os.kill(lost, signal.SIGKILL)
        run_until(session, lambda: mailbox.pid == waiting and mailbox.status.state == "ready")
        assert mailbox.spares.pid is None and mailbox.status.deaths == 1
        session.step([Text(1.0, "on")], 1.0)
        assert (shown(session) == session.guide.pixels).all()


def test_nothing_waits_where_no_libraries_are_named() -> None:
    with with_spares() as (_, mailbox):
        mailbox.spares.expect(True)
        assert mailbox.spares.pid is None

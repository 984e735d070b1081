"""The painter's process may die, hang or fail at any moment; the session goes on and nothing is lost."""

from __future__ import annotations

import os
import random
import string
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import platformdirs
import psutil
import pytest

from engine.events import Text
from engine.frame_memory import LINUX_SEGMENTS
from engine.geometry import Rect
from engine.mailbox import DirectMailbox
from engine.painter import OpenPainter, Painting
from engine.painter_process import Limits
from engine.process_mailbox import ProcessMailbox
from tests.painters_for_tests import (
    NAMED,
    SIZE,
    SLOW_S,
    SPEC,
    STEADY_S,
    STEP_S,
    STEPS,
    BriskPainter,
    CrashingPainter,
    FatallyReadyingPainter,
    FrozenPainter,
    HangingPainter,
    OnceFailingPainter,
    PatientPainter,
    RaisingPainter,
    ReadyingPainterOfThree,
    RememberingPainter,
    SlowPainter,
    SteadyPainter,
    StrayPainter,
    ThreadedPainter,
    broken_opener,
    hanging_opener,
    missing_checkpoint,
    noisy,
    paints_done,
    text_seen,
)
from tests.test_mailbox import asked

LONG_S = 30.0  # only a hang takes this long
HELD_UP_S = 5.0  # the caller of something that never waits, on the busiest machine
NO_PAUSE = Limits(backoff=0.0)


@contextmanager
def mailbox_of(painter: OpenPainter, limits: Limits | None = None) -> Iterator[ProcessMailbox]:
    mailbox = ProcessMailbox(painter, SPEC, limits)
    try:
        yield mailbox
    finally:
        begun = time.monotonic()
        mailbox.close()
        assert time.monotonic() - begun < LONG_S / 2, "one that does not end is ended"
        assert mailbox.status.state == "closed"
        assert own_segments() == []


def own_segments() -> list[str]:
    return [path.name for path in LINUX_SEGMENTS.glob(f"pixelos_{os.getpid()}_*")]


def until(condition: Callable[[], bool], limit_s: float = LONG_S) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.005)


def paintings_to(mailbox: ProcessMailbox, seq: int) -> list[Painting]:
    done: list[Painting] = []
    end = time.monotonic() + LONG_S
    while not done or done[-1].seq < seq:
        assert time.monotonic() < end, f"no painting came: {mailbox.status}"
        mailbox.wait(1.0)
        done += mailbox.collect()
    return done


def show(frame: np.ndarray, paintings: list[Painting]) -> np.ndarray:
    for painting in paintings:
        for patch in painting.patches:
            frame[patch.rect.slices] = patch.pixels
    return frame


def same(ours: np.ndarray | None, theirs: np.ndarray | None) -> bool:
    return ours is not None and theirs is not None and np.array_equal(ours, theirs)


def empty_frame() -> np.ndarray:
    return np.zeros((SIZE[1], SIZE[0], 3), np.uint8)


def test_both_mailboxes_paint_the_same_bit_for_bit() -> None:
    requests = [noisy(1, "a"), noisy(2, "b", Rect(8, 16, 40, 24)), noisy(3, "c", Rect(200, 96, 56, 96))]
    direct = DirectMailbox(RememberingPainter(SPEC))
    with mailbox_of(RememberingPainter) as mailbox:
        assert mailbox.needs_full() and not mailbox.needs_full()
        assert mailbox.status.state == "starting" and mailbox.info is None
        for request in requests:
            direct.post(request)
            mailbox.post(request)
            (ours,) = paintings_to(mailbox, request.seq)
            (theirs,) = direct.collect()
            assert (ours.seq, ours.source) == (theirs.seq, theirs.source)
            for a, b in zip(ours.patches, theirs.patches, strict=True):
                assert a.rect == b.rect and np.array_equal(a.pixels, b.pixels)
            assert same(mailbox.latents(), direct.latents())
        assert mailbox.info == direct.info and mailbox.status.state == "ready"
        assert not mailbox.needs_full()


def test_a_slow_painter_paints_little_and_misses_no_event() -> None:
    with mailbox_of(SlowPainter) as mailbox:
        mailbox.post(noisy(0, "^"))
        frame = show(empty_frame(), paintings_to(mailbox, 0))
        typed = (string.ascii_letters * 2)[:50]
        waits, start = list[float](), time.monotonic()
        for seq, letter in enumerate(typed, start=1):
            rect = Rect(8 * (seq % 30), 8 * (seq // 4), 16, 8)
            request = noisy(seq, letter, rect)
            begun = time.monotonic()
            mailbox.post(request)
            waits.append(time.monotonic() - begun)
            assert request.guide is not None
            request.guide[:] = 0  # the caller may draw over it at once
            time.sleep(0.002)
        took = time.monotonic() - start
        final = noisy(51, "$")
        mailbox.post(final)
        show(frame, paintings_to(mailbox, 51))
        assert text_seen(mailbox.latents()) == "^" + typed + "$"
        # One after the other for as long as keys came, and at most three before and after.
        assert paints_done(mailbox.latents()) <= took / SLOW_S + 3
        assert same(frame, final.guide)
        assert sorted(waits)[len(waits) // 2] < SLOW_S / 2, "the caller waits for no paint"


def test_latents_of_an_earlier_run_are_painted_on_from() -> None:
    with mailbox_of(RememberingPainter) as mailbox:
        mailbox.post(noisy(1, "before"))
        paintings_to(mailbox, 1)
        saved = mailbox.latents()
    assert saved is not None
    with mailbox_of(RememberingPainter) as mailbox:
        mailbox.needs_full()
        mailbox.restore(saved)
        assert mailbox.needs_full()
        mailbox.post(noisy(2, " and after"))
        paintings_to(mailbox, 2)
        assert text_seen(mailbox.latents()) == "before and after"
        mailbox.restore(saved)  # also between two paints
        mailbox.post(noisy(3, "!"))
        paintings_to(mailbox, 3)
        assert text_seen(mailbox.latents()) == "before!"
        mailbox.restore(np.zeros(3, np.float32))  # another painter's: not taken
        mailbox.post(noisy(4, "!"))
        paintings_to(mailbox, 4)
        assert text_seen(mailbox.latents()) == "before!!"


def test_ten_kills_at_random_moments_lose_nothing() -> None:
    choice = random.Random(5)
    limits = Limits(deaths=1000, backoff=0.0, quick=0.0)
    with mailbox_of(BriskPainter, limits) as mailbox:
        seq, typed, waits, kills = 0, "", list[float](), 0
        frame = empty_frame()
        kill_at = 0.0
        last_pid = None
        while kills < 10:
            seq += 1
            typed += (letter := choice.choice(string.ascii_letters))
            request = noisy(seq, letter)
            begun = time.monotonic()
            mailbox.post(request)
            show(frame, mailbox.collect())
            waits.append(time.monotonic() - begun)
            pid = mailbox.pid
            if pid != last_pid and mailbox.status.state in ("ready", "painting"):
                last_pid, kill_at = pid, time.monotonic() + choice.random() * 0.05
            if pid and pid == last_pid and time.monotonic() >= kill_at:
                psutil.Process(pid).kill()
                kills, kill_at = kills + 1, float("inf")
            time.sleep(0.004)
        seq += 1
        final = noisy(seq, "$")
        mailbox.post(final)
        show(frame, paintings_to(mailbox, seq))
        assert mailbox.status.deaths == 10
        assert text_seen(mailbox.latents()) == typed + "$"
        assert same(frame, final.guide)
        assert sum(wait > HELD_UP_S / 10 for wait in waits) < kills / 2, "no death holds the caller up"


@pytest.mark.parametrize(
    ("painter", "limits", "words"),
    [
        (HangingPainter, Limits(paint=0.3, first_paint=0.3, backoff=0.0, deaths=1), "did not finish a paint"),
        (FrozenPainter, Limits(beat=1.5, backoff=0.0, deaths=1), "showed no sign of life"),
    ],
)
def test_a_hang_is_noticed(painter: OpenPainter, limits: Limits, words: str) -> None:
    with mailbox_of(painter, limits) as mailbox:
        mailbox.post(noisy(1, "fine"))
        paintings_to(mailbox, 1)
        mailbox.post(noisy(2, "!"))
        until(lambda: mailbox.status.state == "gave up")
        assert words in mailbox.status.why
        # What hung it is still owed, and painted by whoever comes next, from the latents before it.
        assert text_seen(mailbox.latents()) == "fine"


def test_three_quick_deaths_are_the_end_until_somebody_asks_again() -> None:
    with mailbox_of(CrashingPainter, NO_PAUSE) as mailbox:
        mailbox.post(noisy(1, "!"))
        until(lambda: mailbox.status.state == "gave up")
        assert mailbox.status.deaths == 3
        assert "exit code 7" in mailbox.status.why and "3 times" in mailbox.status.why
        mailbox.post(noisy(2, "x"))
        assert mailbox.collect() == [] and mailbox.pid is None
        mailbox.retry()
        assert mailbox.status.state != "gave up"
        until(lambda: mailbox.status.state == "gave up")
        assert mailbox.status.deaths == 6


def test_asking_again_paints_what_came_meanwhile_on_the_latents_from_before() -> None:
    with mailbox_of(RememberingPainter, Limits(deaths=1)) as mailbox:
        mailbox.needs_full()
        mailbox.post(noisy(1, "before"))
        paintings_to(mailbox, 1)
        psutil.Process(mailbox.pid).kill()
        until(lambda: mailbox.status.state == "gave up")
        assert "was killed" in mailbox.status.why or os.name == "nt"
        assert text_seen(mailbox.latents()) == "before"
        mailbox.post(noisy(2, ", mean"))
        mailbox.post(noisy(3, "while"))
        mailbox.retry()
        paintings_to(mailbox, 3)
        assert text_seen(mailbox.latents()) == "before, meanwhile"
        assert not mailbox.needs_full()  # it holds exactly what was shown


def test_a_paint_that_raises_is_tried_again_from_the_latents_before_it() -> None:
    with mailbox_of(OnceFailingPainter) as mailbox:
        mailbox.post(noisy(1, "once"))
        paintings_to(mailbox, 1)
        assert text_seen(mailbox.latents()) == "once"
        assert mailbox.status.deaths == 0


@pytest.mark.parametrize(("painter", "words"), [(RaisingPainter, NAMED), (StrayPainter, "does not fit")])
def test_a_painter_that_always_raises_is_given_up_with_its_words(painter: OpenPainter, words: str) -> None:
    with mailbox_of(painter, Limits(backoff=0.0, deaths=1)) as mailbox:
        mailbox.post(noisy(1, "!"))
        until(lambda: mailbox.status.state == "gave up")
        assert words in mailbox.status.why and mailbox.status.deaths == 1


def test_a_wrong_checkpoint_is_given_up_at_once_with_its_message() -> None:
    with mailbox_of(missing_checkpoint) as mailbox:
        until(lambda: mailbox.status.state == "gave up")
        assert mailbox.status.why == "checkpoint 'guide' is not there; name a folder that is"
        assert mailbox.status.deaths == 1 and mailbox.info is None


def test_an_opener_that_fails_for_another_reason_is_tried_three_times() -> None:
    with mailbox_of(broken_opener, NO_PAUSE) as mailbox:
        until(lambda: mailbox.status.state == "gave up")
        assert NAMED in mailbox.status.why and mailbox.status.deaths == 3


@pytest.mark.parametrize("painter", [RaisingPainter, broken_opener, ThreadedPainter])
def test_where_it_failed_is_for_the_log_and_not_for_the_terminal(
    painter: OpenPainter, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIXELOS_DEBUG", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    log = platformdirs.user_log_path("pixelos", appauthor=False) / "pixelos.log"
    before = log.read_text() if log.exists() else ""  # only on Linux it is the test's own
    _fail(painter)
    assert "Traceback" not in capfd.readouterr().err
    told = log.read_text().removeprefix(before)
    assert "Traceback" in told and f"RuntimeError: {NAMED}" in told
    monkeypatch.setenv("PIXELOS_DEBUG", "1")
    _fail(painter)
    assert f"RuntimeError: {NAMED}" in capfd.readouterr().err and log.read_text() == before + told


def _fail(painter: OpenPainter) -> None:
    with mailbox_of(painter, Limits(backoff=0.0, deaths=1)) as mailbox:
        mailbox.post(noisy(1, "!"))
        until(lambda: mailbox.status.state == "gave up")
        assert mailbox.status.why and "Traceback" not in mailbox.status.why


def test_a_checkpoint_that_does_not_open_in_time_is_given_up() -> None:
    with mailbox_of(hanging_opener, Limits(opening=0.5, deaths=1)) as mailbox:
        until(lambda: mailbox.status.state == "gave up")
        assert "did not open its checkpoint within" in mailbox.status.why


def test_a_stopped_process_never_stops_the_caller() -> None:
    with mailbox_of(RememberingPainter, Limits(beat=LONG_S, backoff=0.0)) as mailbox:
        until(lambda: mailbox.status.state == "ready")
        assert mailbox.pid is not None
        stopped = psutil.Process(mailbox.pid)
        stopped.suspend()
        many = tuple(
            Text(float(n), "é" if n % 200 == 0 else "") for n in range(20_000)
        )  # far more than a pipe takes
        rescue = threading.Timer(HELD_UP_S, stopped.kill)  # or whoever waits for it would wait for ever
        rescue.start()
        mailbox.post(asked(1, many))
        mailbox.post(asked(2, (Text(0.0, "$"),)))
        assert rescue.is_alive(), "the caller waited for a process that is stopped"
        rescue.cancel()
        stopped.kill()
        paintings_to(mailbox, 2)
        assert mailbox.status.deaths == 1
        assert text_seen(mailbox.latents()) == "é" * 100 + "$"


def test_what_nobody_will_see_is_dropped_between_steps_and_nothing_of_it_is_lost() -> None:
    with mailbox_of(SteadyPainter) as mailbox:
        mailbox.post(noisy(1, "a"))
        paintings_to(mailbox, 1)
        mailbox.post(noisy(2, "b", Rect(0, 0, 64, 64)))
        until(lambda: mailbox.status.steps[0] == 1)
        mailbox.post(noisy(3, "c", Rect(0, 0, 96, 64)))
        done = paintings_to(mailbox, 3)
        assert [painting.seq for painting in done] == [3], "the one before was given up"
        assert done[0].patches[0].rect == Rect(0, 0, 96, 64)
        assert (paints_done(mailbox.latents()), text_seen(mailbox.latents())) == (2, "abc") and mailbox.status.deaths == 0


def test_what_will_still_be_seen_is_finished() -> None:
    with mailbox_of(SteadyPainter) as mailbox:
        mailbox.post(noisy(1, "a"))
        paintings_to(mailbox, 1)
        mailbox.post(noisy(2, "b", Rect(0, 0, 64, 64)))
        until(lambda: mailbox.status.steps[0] == 1)
        mailbox.post(noisy(3, "c", Rect(64, 0, 96, 64)))
        assert [painting.seq for painting in paintings_to(mailbox, 3)] == [2, 3]


def test_whoever_types_on_and_on_still_sees_something() -> None:
    """Each request paints anew what the one before was to: only every other may be dropped."""
    with mailbox_of(SteadyPainter) as mailbox:
        mailbox.post(noisy(1, "a"))
        paintings_to(mailbox, 1)
        seq, seen, end = 1, 0, time.monotonic() + 5 * STEPS * STEADY_S
        while time.monotonic() < end:
            seq += 1
            mailbox.post(noisy(seq, "x", Rect(0, 0, 64, 64)))
            seen += len(mailbox.collect())
            time.sleep(STEADY_S / 2)
        assert seen >= 2


def test_a_paint_of_many_steps_is_no_hang_and_tells_how_far_it_is() -> None:
    limits = Limits(first_paint=STEPS * STEP_S - 0.5, paint=STEPS * STEP_S - 0.5)
    with mailbox_of(PatientPainter, limits) as mailbox:
        mailbox.post(noisy(1, "a"))
        until(lambda: mailbox.status.why == f"step 2 of {STEPS}")
        assert mailbox.status.state == "painting"
        assert paintings_to(mailbox, 1)[-1].seq == 1
        until(lambda: mailbox.status.state == "ready")
        assert mailbox.status.why == "" and mailbox.status.deaths == 0


def test_a_painter_gets_ready_between_paints_and_tells_how_far_it_is() -> None:
    with mailbox_of(ReadyingPainterOfThree) as mailbox:
        until(lambda: mailbox.info is not None)
        time.sleep(0.1)
        assert mailbox.readiness is None  # the first frame comes first
        mailbox.post(noisy(1, "a"))
        paintings_to(mailbox, 1)
        until(lambda: mailbox.readiness is not None and mailbox.readiness.complete)
        assert str(mailbox.readiness) == "3 of 3 ready"
        mailbox.post(noisy(2, "b"))
        paintings_to(mailbox, 2)
        assert text_seen(mailbox.latents()) == "ab"


def test_a_painter_that_dies_of_getting_ready_does_without_from_then_on() -> None:
    with mailbox_of(FatallyReadyingPainter, NO_PAUSE) as mailbox:
        mailbox.post(noisy(1, "a"))
        paintings_to(mailbox, 1)
        until(lambda: mailbox.status.deaths == 1 and mailbox.status.state == "ready")
        mailbox.post(noisy(2, "b"))
        paintings_to(mailbox, 2)
        time.sleep(0.2)
        assert mailbox.status.deaths == 1 and text_seen(mailbox.latents()) == "ab"
        assert mailbox.readiness is not None and "lost while it got ready" in mailbox.readiness.note

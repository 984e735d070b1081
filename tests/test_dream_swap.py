"""A dream goes on when another checkpoint takes it over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from engine.desktop.desktop import Desktop
from engine.events import Ask, Event, Style, Text
from engine.geometry import Rect
from engine.mailbox import DirectMailbox
from engine.painter import PainterSpec, PaintRequest
from engine.painter_process import Limits
from engine.session import Session
from engine.swap_mailbox import SwapMailbox
from models.catalog import BUNDLED, open_painter
from tests.painters_for_tests import dreaming
from tests.test_painters import SIZE
from tests.test_process_mailbox import own_segments

LONG_S = 120.0
SPEC = PainterSpec(size=SIZE, mode="dream", device="cpu", threads=1, dtype="float32")
PATIENT = Limits(paint=LONG_S, beat=LONG_S)
BEFORE: tuple[Event, ...] = (Ask(0.1, "notes"), Text(0.2, "H"))
AFTER: tuple[Event, ...] = (Text(0.3, "i"),)
OPENS: tuple[Event, ...] = (Ask(0.3, "calculator"),)  # and is seen in a dream


def run_until(session: Session, condition: Callable[[], bool]) -> None:
    end = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < end, f"it never came to that: {session.mailbox.status}"
        session.step((), session.desktop.t)
        time.sleep(0.005)


def told(session: Session, events: tuple[Event, ...]) -> np.ndarray:
    for event in events:
        session.step([event], event.t)
        session.settle(LONG_S)
    return session.pixels.copy()


def swapped(session: Session, mailbox: SwapMailbox, spec: PainterSpec) -> None:
    mailbox.swap(spec)
    run_until(session, lambda: mailbox.latest is not None and not mailbox.latest.under_way)
    assert mailbox.latest is not None and mailbox.latest.state == "done", mailbox.latest
    session.settle(LONG_S)


@pytest.mark.usefixtures("libraries_at_hand")
def test_a_copy_of_the_bundled_checkpoint_dreams_on_what_was_dreamt(tmp_path: Path) -> None:
    """As a painter does that was given back what it held: the frame stays, and every later frame is the same to the bit."""
    copytree(BUNDLED, tmp_path / "copy")
    mailbox = SwapMailbox(open_painter, SPEC, PATIENT)
    session = Session(Desktop(SIZE), mailbox)
    try:
        session.settle(LONG_S)
        dreamt = told(session, BEFORE)
        assert (dreamt != session.guide.pixels).any(), "no dream: what is shown is the guide"
        swapped(session, mailbox, replace(SPEC, checkpoint=str(tmp_path / "copy")))
        assert mailbox.info is not None and mailbox.info.name == "copy" and (session.pixels == dreamt).all()
        went_on = told(session, OPENS)
    finally:
        session.close()
    painter = open_painter(SPEC)
    alone = Session(Desktop(SIZE), DirectMailbox(painter))
    alone.settle(LONG_S)
    assert (told(alone, BEFORE) == dreamt).all()
    painter.restore(painter.latents())
    assert (told(alone, OPENS) == went_on).all() and (went_on != dreamt).any()


def test_a_dream_is_painted_anew_in_another_look_and_goes_on() -> None:
    """What was dreamt and not what the desktop holds: the guide stays away."""
    painter = open_painter(SPEC)
    session = Session(Desktop(SIZE), DirectMailbox(painter))
    session.settle(LONG_S)
    before = told(session, BEFORE)
    imagined = [plane.copy() for plane in painter._dream.guide]  # type: ignore[attr-defined]
    after = told(session, (Style(0.4, "ocean"),))
    assert (after != before).any(-1).mean() > 0.9
    now = painter._dream.guide  # type: ignore[attr-defined]
    assert (now[0] != imagined[0]).any(-1).mean() < 0.2
    features = session.desktop.features()
    guided = open_painter(replace(SPEC, mode="guided"))
    whole = PaintRequest(1, (), (Rect(0, 0, *SIZE),), now[0], now[1], features, forms=now[2])
    assert (guided.paint(whole).patches[0].pixels == after).all()


@pytest.fixture(params=["beside", "instead"])
def dream(request: pytest.FixtureRequest) -> Iterator[tuple[Session, SwapMailbox]]:
    """With room for both, and for one alone."""
    mailbox = SwapMailbox(dreaming, replace(SPEC, checkpoint="counting"), room=lambda spec, gone: request.param == "beside")
    session = Session(Desktop(SIZE), mailbox)
    try:
        session.settle(LONG_S)
        told(session, BEFORE)
        yield session, mailbox
    finally:
        session.close()
        assert own_segments() == []


def test_one_of_another_family_wakes_from_the_frame_that_was_dreamt(dream: tuple[Session, SwapMailbox]) -> None:
    """A counting dreamer darkens the frame by a level an event: the guide would be bright again."""
    session, mailbox = dream
    shown, guide = session.pixels.copy(), session.guide.pixels
    assert (shown != guide).any()
    swapped(session, mailbox, replace(SPEC, checkpoint="counting otherwise"))
    assert (session.pixels == shown).all()
    assert (told(session, AFTER) == np.maximum(shown.astype(int) - len(AFTER), 0)).all()


@pytest.mark.parametrize("dream", ["beside"], indirect=True)
def test_one_of_the_family_is_handed_all_that_is_remembered(dream: tuple[Session, SwapMailbox]) -> None:
    session, mailbox = dream
    shown, held = session.pixels.copy(), mailbox.latents()
    swapped(session, mailbox, replace(SPEC, checkpoint="counting too"))
    assert (session.pixels == shown).all()
    told(session, AFTER)
    now = mailbox.latents()
    assert held is not None and now is not None and now[0, 0, 3] == held[0, 0, 3] + len(AFTER), "its count began anew"


@pytest.mark.parametrize("dream", ["instead"], indirect=True)
def test_what_happened_while_nobody_dreamt_is_dreamt_then(dream: tuple[Session, SwapMailbox]) -> None:
    session, mailbox = dream
    shown = session.pixels.copy()
    mailbox.swap(replace(SPEC, checkpoint="counting otherwise"))
    session.step([Text(0.3, "i")], 0.3)
    assert "loading checkpoint" in session.label and (session.pixels != shown).any(), "the guide is shown where something is typed"
    run_until(session, lambda: mailbox.latest is not None and mailbox.latest.state == "done")
    assert (session.pixels == shown).all()
    session.settle(LONG_S)
    assert (session.pixels == np.maximum(shown.astype(int) - 1, 0)).all()
    assert (told(session, (Text(0.4, "!"),)) == np.maximum(shown.astype(int) - 2, 0)).all()


@pytest.mark.parametrize("dream", ["instead"], indirect=True)
def test_a_look_that_was_asked_for_while_nobody_dreamt_is_woken_in(dream: tuple[Session, SwapMailbox]) -> None:
    session, mailbox = dream
    mailbox.swap(replace(SPEC, checkpoint="counting otherwise"))
    session.step([Style(0.3, "dark")], 0.3)
    run_until(session, lambda: mailbox.latest is not None and mailbox.latest.state == "done")
    session.settle(LONG_S)
    assert (session.pixels == session.guide.pixels).all()

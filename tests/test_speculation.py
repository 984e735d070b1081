"""What is painted ahead saves work, delays nothing and changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from engine.desktop.desktop import Desktop
from engine.events import Ask, Down, Event, Key, Move, Text, Up
from engine.geometry import Rect
from engine.mailbox import DirectMailbox
from engine.pace import Caps
from engine.painter import CACHE, Painter, PainterSpec, Painting, PaintRequest
from engine.process_mailbox import ProcessMailbox
from engine.scene import find
from engine.session import Session
from engine.speculation import PATIENCE, PAUSE_S, REST_S, TRIED, Speculation
from models.catalog import open_carefully
from tests.painters_for_tests import SIZE, GuessingGuide
from tests.test_pace import Clock

SPEC = PainterSpec(size=SIZE, device="cpu", threads=1)
LONG_S = 60.0


class Here:
    """A painter in this process that paints ahead at once, in the place of the one in its own process."""

    def __init__(self, painter: Painter) -> None:
        self.painter, self.ahead = painter, 0
        self.asked: list[Sequence[PaintRequest]] = []

    def guess(self, requests: Sequence[PaintRequest]) -> bool:
        self.asked.append(requests)
        self.ahead += self.painter.guess(requests, lambda: False)  # type: ignore[attr-defined]
        return True


@pytest.fixture
def painter(small_bundled: Painter) -> Painter:
    return small_bundled


def begun(painter: Painter, ahead: bool) -> tuple[Session, Speculation, Here]:
    """A session that begins with a painter that knows nothing."""
    painter.restore(None)
    painter._lookups.clear()  # type: ignore[attr-defined]
    session, here = Session(Desktop(SIZE), DirectMailbox(painter)), Here(painter)
    return session, Speculation(session, lambda: here, ahead, Clock()), here  # type: ignore[arg-type, return-value]


def random_walk(seed: int, desktop: Desktop) -> Iterator[list[Event]]:
    """Somebody moves the pointer about, from widget to widget and between them, presses, opens menus, types and pauses."""
    rng, t = np.random.default_rng(seed), 0.5
    yield [Ask(t, "notes")]
    for _ in range(14):
        widgets = [widget for widget in desktop.widgets if widget.rect]
        x, y = widgets[int(rng.integers(len(widgets)))].rect.centre
        from_x, from_y = desktop.router.pointer
        for part in (0.5, 1.0):
            t = round(t + 0.02, 3)
            yield [Move(t, round(from_x + part * (x - from_x)), round(from_y + part * (y - from_y)))]
        t = round(t + float(rng.choice((0.05, 0.3, 0.6))), 3)
        kind = rng.integers(4)
        if kind == 0:
            yield [Down(t, "left", x, y)]
            t = round(t + 0.08, 3)
            yield [Up(t, "left", x, y)]
        elif kind == 1:
            yield [Text(t, "a")]
        elif kind == 2:
            yield [Down(t, "right", x, y)]
            yield [Up(t + 0.08, "right", x, y)]
            yield [Key(t + 0.2, "escape")]
        else:
            yield []


def walked(painter: Painter, seed: int, ahead: bool) -> tuple[list[tuple[bytes, tuple[Rect, ...]]], Session, Here]:
    """Frames, latents and damage on a random walk."""
    session, speculation, here = begun(painter, ahead)
    seen, t = list[tuple[bytes, tuple[Rect, ...]]](), 0.0
    for events in random_walk(seed, session.desktop):
        t = max([t + 0.01, *(event.t for event in events)])
        frame = session.step(events, t)
        latents = painter.latents()
        seen.append((frame.pixels.tobytes() + latents.tobytes(), frame.damage))
        while speculation.follow():
            assert (painter.latents() == latents).all(), "a guess leaves the latents alone"
    return seen, session, here


@pytest.mark.parametrize("seed", range(3))
def test_frames_are_the_same_with_and_without_byte_for_byte(painter: Painter, seed: int) -> None:
    plain, without, _ = walked(painter, seed, ahead=False)
    guessed, with_it, here = walked(painter, seed, ahead=True)
    assert plain == guessed
    assert here.ahead > 5 and with_it.statistics.needed > 0, "some of them came true"
    assert with_it.statistics.painted <= without.statistics.painted  # fewer, unless something else of the same events was new


def test_the_desktop_is_the_same_too(painter: Painter) -> None:
    """A guess presses buttons: on a copy. Nothing of it reaches documents, windows or what is known of the user."""
    session, speculation, _ = begun(painter, ahead=True)
    session.step([Ask(0.5, "notes"), Text(0.6, "keep me")], 0.6)
    x, y = find(session.desktop.widgets, "Notes/close").rect.centre
    session.step([Move(0.7, x, y)], 0.7)
    before, contents, features = session.desktop.state(), dict(session.desktop.documents.contents), session.desktop.features()
    while speculation.follow():
        pass
    assert session.desktop.state() == before and session.desktop.documents.contents == contents
    assert session.desktop.features() == features


def test_a_hover_and_the_carets_blink_come_out_of_the_cache(painter: Painter) -> None:
    session, speculation, _ = begun(painter, ahead=True)
    icons = [widget.rect.centre for widget in session.desktop.widgets if widget.role == "icon"]
    for t, off in ((0.1, 60), (0.2, 40)):  # towards the icon
        session.step([Move(t, icons[0][0] + off, icons[0][1])], t)
        while speculation.follow():
            pass
    assert session.step([Move(0.3, *icons[0])], 0.3).source == "cached"
    session.step([Ask(1.0, "notes")], 1.0)
    session.step([Text(1.1, "a")], 1.1)
    while speculation.follow():
        pass
    editor = find(session.desktop.widgets, "Notes/text").rect
    blinks = [session.step([], 1.1 + tick / 10) for tick in range(1, 8)]
    carets = [frame for frame in blinks if any(rect.meet(editor) and rect.x < editor.x + 48 for rect in frame.damage)]
    assert carets and {frame.source for frame in carets} == {"cached"}


def paused(session: Session, speculation: Speculation, seconds: float) -> None:
    """Nothing comes for so long."""
    t = round(session.desktop.t + seconds, 3)
    session.step([], t)
    while speculation.follow():
        pass


def test_after_a_pause_the_menu_that_a_right_click_opens_comes_out_of_the_cache(painter: Painter) -> None:
    for pause, source in ((PAUSE_S / 2, "painted"), (PAUSE_S, "cached")):
        session, speculation, _ = begun(painter, ahead=True)
        session.step([Ask(0.5, "settings")], 0.5)
        x, y = find(session.desktop.widgets, "Settings/title").rect.centre
        session.step([Move(1.0, x, y)], 1.0)
        paused(session, speculation, 0.0)
        paused(session, speculation, pause)
        t = session.desktop.t
        assert session.step([Down(t, "right", x, y)], t).source == source
        assert session.desktop.menu


def test_after_a_key_the_menu_that_a_key_opens_does_so_too(painter: Painter) -> None:
    session, speculation, _ = begun(painter, ahead=True)
    session.step([Ask(0.5, "calculator")], 0.5)
    session.step([Key(1.0, "7")], 1.0)
    paused(session, speculation, 1.0)  # the first tick after the key is a tenth of a second later at most
    t = session.desktop.t
    assert session.step([Key(t, "f10", ("shift",))], t).source == "cached"
    assert session.desktop.menu


def test_who_opens_no_menus_has_none_painted_ahead(painter: Painter) -> None:
    session, speculation, here = begun(painter, ahead=True)
    session.step([Ask(0.5, "settings")], 0.5)
    x, y = find(session.desktop.widgets, "Settings/title").rect.centre

    def rested(pauses: int) -> int:
        """In how many of so many pauses on the title something was guessed that has a right button held."""
        before = len(here.asked)
        for pause in range(pauses):
            t = session.desktop.t + 0.1
            session.step([Move(t, x + pause % 2, y)], t)
            paused(session, speculation, 0.0)
            paused(session, speculation, PAUSE_S + 0.05)
        return sum("right" in request.buttons for requests in here.asked[before:] for request in requests[:1])

    assert rested(PATIENCE) == PATIENCE
    assert rested(5) == 0
    t = session.desktop.t + 0.1
    session.step([Down(t, "right", x, y)], t)
    speculation.follow()
    session.step([Key(t + 0.1, "escape")], t + 0.1)
    session.step([Up(t + 0.2, "right", x, y)], t + 0.2)
    assert rested(3) == 3, "but who opened one has"


def test_no_guess_is_made_for_what_is_shown_in_dreams_or_by_painters_that_keep_nothing() -> None:
    for spec in (replace(SPEC, mode="dream"), replace(SPEC, without=(CACHE,))):
        painter = open_carefully(spec)
        assert not painter.info.guesses
        painter.close()


def speculating(painter: type[GuessingGuide], caps: Caps = Caps()) -> tuple[Session, ProcessMailbox]:
    mailbox = ProcessMailbox(painter, replace(SPEC, checkpoint="guide"), caps=caps)
    session = Session(Desktop(SIZE), mailbox)
    session.settle(LONG_S)
    return session, mailbox


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def guessed(session: Session) -> PaintRequest:
    guide = session.guide
    return PaintRequest(0, (), (Rect(0, 0, 64, 64),), guide.pixels, guide.verbatim, session.desktop.features(), forms=guide.forms)


def test_a_request_drops_a_guess_at_once() -> None:
    session, mailbox = speculating(GuessingGuide)  # a guess takes a minute there, if it is let
    try:
        assert mailbox.guesses and mailbox.guess([guessed(session)])
        assert not mailbox.guess([guessed(session)]), "one at a time"
        time.sleep(0.2)
        begun_at = time.monotonic()
        session.step([Ask(1.0, "notes")], 1.0)
        session.settle(LONG_S)
        assert time.monotonic() - begun_at < LONG_S / 2
        assert (session.pixels == session.guide.pixels).all()
        until(lambda: mailbox.ahead == 1)
        assert mailbox.guess([guessed(session)]), "and the next may come"
    finally:
        session.close()


def test_whose_work_is_capped_paints_nothing_ahead() -> None:
    session, mailbox = speculating(GuessingGuide, Caps(power=0.5))
    try:
        assert not mailbox.guesses
    finally:
        session.close()


class Idler(Here):
    """Paints ahead what nobody ever needs."""

    def guess(self, requests: Sequence[PaintRequest]) -> bool:
        self.ahead += len(requests)
        return True


def test_where_it_does_not_pay_it_switches_itself_off_for_a_while(painter: Painter) -> None:
    session, clock = Session(Desktop(SIZE), DirectMailbox(painter)), Clock()
    idler = Idler(painter)
    speculation = Speculation(session, lambda: idler, clock=clock)  # type: ignore[arg-type, return-value]
    t = 0.0
    session.step([Ask(0.0, "calculator")], 0.0)
    while speculation.on:
        t += 0.1
        assert t < 100, f"{idler.ahead} patches for nothing"
        session.step([Move(t, int(10 * t) % 250, int(37 * t) % 190)], t)
        while speculation.follow():
            pass
    assert TRIED <= idler.ahead < 2 * TRIED
    for _ in range(5):
        assert not speculation.follow()
    clock.now += REST_S
    assert speculation.on, "it is tried again"


def test_a_painting_tells_how_much_of_it_had_been_painted_ahead(painter: Painter) -> None:
    session, speculation, here = begun(painter, ahead=True)
    x, y = next(widget.rect.centre for widget in session.desktop.widgets if widget.role == "icon")
    session.step([Move(0.1, x, y)], 0.1)
    while speculation.follow():
        pass
    painting: Painting = here.painter.paint(here.asked[0][0])
    assert painting.needed == 1 and painting.source == "cached"

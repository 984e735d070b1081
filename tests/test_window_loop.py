"""The window's loop without a screen: events are posted as the system would, the session shows what came of them."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Any

import numpy as np
import pytest

from engine.desktop.desktop import Desktop
from engine.errors import InputError
from engine.events import Event, Key, Move, Text
from engine.mailbox import DirectMailbox, MailboxStatus
from engine.painter import GuidePainter, PainterSpec
from engine.session import Session
from engine.settings import Keys, Settings
from tests.conftest import needed
from ui.display import need_display, open_window
from ui.overlay import caret_of
from ui.window import LEAD_S, Window, run

pygame = needed("pygame", "pygame-ce")

HANG = 1000  # loops after which a window that should have ended is ended


@pytest.fixture(autouse=True)
def without_a_screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    yield
    pygame.display.quit()


class Notebook:
    """Takes what the window handled, as a recorder does."""

    trouble = None

    def __init__(self) -> None:
        self.events: list[Event] = []

    def take(self, events: list[Event]) -> None:
        self.events += events


def settings(**values: Any) -> Settings:
    return Settings.model_construct(**{name: field.default for name, field in Settings.model_fields.items()} | values)


def session() -> Session:
    return Session(Desktop(), DirectMailbox(GuidePainter(PainterSpec(checkpoint="guide"))))


def event(kind: int, **values: Any) -> Any:
    return pygame.event.Event(kind, **values)


def down(key: int, mod: int = 0, text: str = "") -> list[Any]:
    """A key press and release as SDL reports them, with the text it writes."""
    typed = [event(pygame.TEXTINPUT, text=text)] if text else []
    return [event(pygame.KEYDOWN, key=key, mod=mod, unicode=text, scancode=0), *typed,
            event(pygame.KEYUP, key=key, mod=mod, scancode=0)]  # fmt: skip


def play(batches: list[list[Any]], shown: Session | None = None, **chosen: Any) -> tuple[Session, list[Event]]:
    """Run the window on posted events, one batch a loop, then close it."""
    shown, notebook, ticks = shown or session(), Notebook(), [0]
    left = [*batches, [event(pygame.QUIT)]]

    def clock() -> float:
        ticks[0] += 1
        if ticks[0] % 2 and left:  # called twice a loop
            for posted in left.pop(0):
                pygame.event.post(posted)
        assert ticks[0] < HANG
        return ticks[0] / 20

    run(shown, settings(**chosen), clock, notebook)  # type: ignore[arg-type]
    return shown, notebook.events


def draw(window: Window, shown: Session, events: list[Event], t: float) -> None:
    """One loop's second half, however soon it follows the one before."""
    window._shown.append(0.0)
    window.show(shown.step(events, t))


def typed(text: str) -> list[Any]:
    return [one for char in text for one in down(ord(char), text=char)]


def open_notes() -> list[list[Any]]:
    return [[*down(pygame.K_SPACE, pygame.KMOD_LCTRL), *typed("notes"), *down(pygame.K_RETURN)]]


def text_of(shown: Session) -> str:
    return next(w.text for w in shown.desktop.widgets if w.role == "editor")


def test_what_is_typed_is_shown() -> None:
    shown, events = play([*open_notes(), typed("hi there")])
    assert text_of(shown) == "hi there"
    assert (shown.step([], 99.0).pixels == shown.guide.pixels).all() and shown.guide.ink.any()
    assert Key(events[0].t, "space", ("ctrl",)) == events[0] and isinstance(events[-1], Text)


def test_shortcuts_write_no_letters_though_the_system_sends_them() -> None:
    shown, _ = play([*open_notes(), [*down(ord("a"), text="a"), *down(ord("x"), pygame.KMOD_LALT, "x"),
                     *down(ord("b"), text="b")]])  # fmt: skip
    assert text_of(shown) == "ab"


def test_the_key_that_closes_the_list_of_keys_does_nothing_else() -> None:
    shown, _ = play([*open_notes(), down(pygame.K_F1), down(ord("x"), text="x"), down(ord("y"), text="y")])
    assert text_of(shown) == "y"


def test_letters_typed_over_one_another_all_arrive() -> None:
    """Two keys held at once, the first released after the second was pressed."""
    a, b = down(ord("a"), text="a"), down(ord("b"), text="b")
    shown, _ = play([*open_notes(), [*a[:2], *b[:2], a[2], b[2]]])
    assert text_of(shown) == "ab"


def test_composed_text_arrives_once_and_its_composing_changes_nothing() -> None:
    composing = [event(pygame.TEXTEDITING, text="´", start=0, length=1)]
    shown, events = play([*open_notes(), composing, [event(pygame.TEXTINPUT, text="é")]])
    assert text_of(shown) == "é"
    assert [e.text for e in events if isinstance(e, Text)][-1] == "é"


def test_what_is_being_composed_is_shown_at_the_caret_and_is_no_part_of_the_frame() -> None:
    shown = session()
    with open_window((512, 384), fullscreen=False) as screen:
        window = Window(screen, shown, settings())

        def loop(posted: list[Any], t: float) -> np.ndarray:
            for one in posted:
                pygame.event.post(one)
            draw(window, shown, window.read(t), t)
            return pygame.surfarray.array3d(screen).swapaxes(0, 1)

        loop(open_notes()[0], 0.1)
        caret = caret_of(shown.desktop)
        assert caret is not None
        before = loop([], 0.2).copy()
        after = loop([event(pygame.TEXTEDITING, text="nihao", start=0, length=5)], 0.3)
        rows, columns = np.nonzero((before != after).any(2))
        scale = screen.get_width() / 512
        assert abs(columns.min() / scale - caret.x) < 4 and abs(rows.min() / scale - caret.y) < 4
        assert not text_of(shown) and not any(isinstance(e, Text) and "nihao" in e.text for e in window.read(0.4))


def test_presses_beside_the_frame_are_none() -> None:
    button = {"button": 1, "touch": False, "window": None}
    resize = [event(pygame.VIDEORESIZE, size=(512, 384), w=512, h=384)]
    outside = [event(pygame.MOUSEBUTTONDOWN, pos=(-40, 380), **button), event(pygame.MOUSEBUTTONUP, pos=(-40, 380), **button)]
    _, events = play([resize, outside])
    assert [e.type for e in events] == ["up"]


def test_moves_in_a_row_count_as_one_and_stay_in_order_with_presses() -> None:
    def move(x: int) -> Any:
        return event(pygame.MOUSEMOTION, pos=(x, 300), rel=(1, 0), buttons=(0, 0, 0), touch=False, window=None)

    press = event(pygame.MOUSEBUTTONDOWN, pos=(300, 300), button=1, touch=False, window=None)
    release = event(pygame.MOUSEBUTTONUP, pos=(320, 300), button=1, touch=False, window=None)
    _, events = play([[move(290), move(295), press, move(305), move(310), release]])
    assert [e.type for e in events] == ["move", "down", "move", "up"]


def test_rebound_keys_hold() -> None:
    ask = [*down(ord("k"), pygame.KMOD_LCTRL), *typed("notes"), *down(pygame.K_RETURN)]
    shown, _ = play([ask], keys=Keys(ask="ctrl+k"))
    assert any(w.role == "editor" for w in shown.desktop.widgets)
    notebook = play([down(ord("e"), pygame.KMOD_LCTRL), open_notes()[0]], keys=Keys(quit="ctrl+e"))[1]
    assert notebook == []  # it ended before


def test_full_screen_and_back_and_panels_change_no_pixel_of_the_frame() -> None:
    keys = [down(pygame.K_F11), down(pygame.K_F3), down(pygame.K_F11), down(pygame.K_F3)]
    shown, events = play(keys)
    assert {e.type for e in events} <= {"move"} and (shown.step([], 99.0).pixels == shown.guide.pixels).all()


class LateMailbox(DirectMailbox):
    """Its painter is lost: nothing is ever painted."""

    info = None  # type: ignore[assignment]
    status = MailboxStatus("gave up", "lost three times")  # type: ignore[assignment]

    def post(self, request: Any) -> None:
        raise AssertionError("nobody paints")


def test_text_is_legible_while_no_painter_is_there_whatever_the_style() -> None:
    """The guide shows it already; letters in the style's light ink would vanish on its white paper."""
    shown = Session(Desktop(), LateMailbox(GuidePainter(PainterSpec(checkpoint="guide"))))
    shown.desktop.prefer("style", "dark")
    with open_window((512, 384), fullscreen=False) as screen:
        window = Window(screen, shown, settings())
        for t, batch in ((0.1, open_notes()[0]), (0.2, typed("h")), (0.3, typed("i"))):
            for posted in batch:
                pygame.event.post(posted)
            draw(window, shown, window.read(t), t)
        picture = pygame.surfarray.array3d(screen).swapaxes(0, 1)
    editor = next(w.rect for w in shown.desktop.widgets if w.role == "editor")
    scale = picture.shape[1] // 512
    part = picture[::scale, ::scale][editor.slices]
    assert (part == shown.guide.pixels[editor.slices]).all() and (part.max(2) < 60).any()


def test_waiting_for_a_painter_that_never_comes_is_no_busy_loop() -> None:
    shown = Session(Desktop(), LateMailbox(GuidePainter(PainterSpec(checkpoint="guide"))))
    with open_window((512, 384), fullscreen=False) as screen:
        window = Window(screen, shown, settings())
        for t in (0.1, 0.2, 0.3):
            window.show(shown.step(window.read(t), t))
        assert shown.waiting and window._patience() >= 50


def test_a_hidden_window_draws_nothing_and_wakes_seldom() -> None:
    shown = session()
    with open_window((512, 384), fullscreen=False) as screen:
        window = Window(screen, shown, settings())
        window.show(shown.step(window.read(0.1), 0.1))
        for posted in (event(pygame.WINDOWHIDDEN), *down(pygame.K_F1)):  # the list of keys would be drawn
            pygame.event.post(posted)
        events = window.read(0.2)
        screen.fill((1, 2, 3))
        draw(window, shown, events, 0.2)
        assert (pygame.surfarray.array3d(screen) == (1, 2, 3)).all() and window._patience() >= 500
        pygame.event.post(event(pygame.WINDOWSHOWN))
        draw(window, shown, window.read(0.3), 0.3)
        assert not (pygame.surfarray.array3d(screen) == (1, 2, 3)).all()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_the_window_like_its_button(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    fired = []

    def clock() -> float:
        fired.append(number)
        if len(fired) == 4:
            signal.raise_signal(number)
        assert len(fired) < HANG
        return len(fired) / 20

    run(session(), settings(), clock)
    assert signal.getsignal(number) == before


def test_no_display_is_said_before_anything_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    with pytest.raises(InputError, match="pixelos replay"):
        need_display()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere the system has a display")
def test_a_display_at_which_nobody_answers_is_none_but_who_names_a_driver_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", ":4321")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/nowhere")
    need_display()  # SDL_VIDEODRIVER is set
    monkeypatch.delenv("SDL_VIDEODRIVER")
    with pytest.raises(InputError, match="DISPLAY=:4321"), open_window((512, 384), fullscreen=False):
        """Nobody would see it."""


def test_a_window_that_nobody_can_see_has_nothing_painted() -> None:
    shown = session()
    with open_window((512, 384), fullscreen=False) as screen:
        window = Window(screen, shown, settings())
        assert shown.watched and not window.hidden
        pygame.event.post(event(pygame.WINDOWMINIMIZED))
        window.read(0.1)
        assert window.hidden
        pygame.event.post(event(pygame.WINDOWRESTORED))
        window.read(0.2)
        assert not window.hidden
    shown, _ = play([[event(pygame.WINDOWMINIMIZED)], *open_notes(), typed("hi")], shown)
    assert not shown.watched and text_of(shown) == "hi"
    assert (shown.pixels != shown.guide.pixels).any(), "it was typed, not painted"


def test_the_key_that_gives_the_card_back_reaches_no_document(monkeypatch: pytest.MonkeyPatch) -> None:
    class Counter:
        says, pressed = "", 0

        def toggle(self) -> None:
            self.pressed += 1

    shown, counter = session(), Counter()
    with open_window((512, 384), fullscreen=False) as screen:
        window = Window(screen, shown, settings(), yielding=counter)  # type: ignore[arg-type]
        for posted in down(pygame.K_F9):
            pygame.event.post(posted)
        assert window.read(0.1) == [] and counter.pressed == 1
        other = Window(screen, shown, settings(keys=Keys(give_back="ctrl+g")), yielding=counter)  # type: ignore[arg-type]
        for posted in (*down(pygame.K_F9), *down(ord("g"), pygame.KMOD_LCTRL)):
            pygame.event.post(posted)
        assert [one.key for one in other.read(0.2) if isinstance(one, Key)] == ["f9"] and counter.pressed == 2


def test_of_many_moves_one_is_taken_a_frame_and_none_is_lost_that_is_the_last() -> None:
    shown = session()
    with open_window(shown.desktop.size, fullscreen=False) as screen:
        window = Window(screen, shown, settings(frame_cap=2))

        def moved(*places: tuple[int, int], also: Sequence[Any] = ()) -> list[Event]:
            for posted in (*(event(pygame.MOUSEMOTION, pos=place, rel=(1, 1), buttons=(0, 0, 0)) for place in places), *also):
                pygame.event.post(posted)
            return window.read(1.0)

        while window.read(0.0):
            """What the system has to say of a new window."""
        window._shown.append(monotonic())  # a frame was shown: the next may be in half a second
        (first,) = moved((10, 10), (200, 100))
        assert moved((220, 120)) == [], "it has time until then"
        kept, key = moved((240, 140), also=down(pygame.K_LEFT))
        assert isinstance(first, Move) and isinstance(kept, Move) and (kept.x, kept.y) > (first.x, first.y)
        assert key == Key(1.0, "left"), "who presses a key does not wait, and it comes after what came before it"
        assert moved((260, 160)) == []
        until, found = monotonic() + 5, list[Event]()
        while not found and monotonic() < until:
            found = window.read(2.0)
        assert [(type(one), one.t) for one in found] == [(Move, 2.0)] and monotonic() >= window._due - LEAD_S

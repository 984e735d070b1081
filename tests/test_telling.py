"""What events did, in plain words."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from engine.desktop.desktop import Desktop
from engine.desktop.documents import Documents
from engine.events import Ask, Down, Key, Move, Text, Up
from engine.mailbox import DirectMailbox, combine
from engine.painter import TOLD, GuidePainter, PainterInfo, PainterSpec, Painting, PaintRequest, Words
from engine.scene import find
from engine.session import Session
from engine.telling import LONGEST, told
from tests.painters_for_tests import noisy

SIZE = (512, 384)


def calculator() -> Desktop:
    desktop = Desktop(SIZE, Documents())
    desktop.handle(Ask(0.5, "Calculator"))
    desktop.advance(1.0)
    return desktop


def test_a_click_names_the_button_and_its_window() -> None:
    desktop = calculator()
    widget = find(desktop.widgets, "7")
    x, y = widget.rect.x + 2, widget.rect.y + 2
    sentences = told([Move(1.1, x, y), Down(1.2, "left", x, y), Up(1.3, "left", x, y)], desktop.widgets)
    assert sentences[-1].startswith("The user clicked the button '7' in the window 'Calculator'.")


def test_letters_are_told_as_one_text_and_keys_by_name() -> None:
    typed, pressed = told([*(Text(0.1 * i, c) for i, c in enumerate("it's")), Key(1.0, "a", ("ctrl",))], ())
    assert "typed 'it’s'" in typed and "ctrl+a" in pressed


def test_nothing_that_happened_is_nothing_told() -> None:
    assert told([], calculator().widgets) == ()


@given(st.lists(st.builds(Text, st.just(0.0), st.text(min_size=1)) | st.builds(Ask, st.just(0.0), st.text(min_size=1)), max_size=20))
def test_what_is_told_is_one_line_of_bounded_length(events: list[Text | Ask]) -> None:
    assert all(sentence.isprintable() and len(sentence) <= 3 * LONGEST for sentence in told(events, ()))


def test_requests_that_wait_tell_what_both_did() -> None:
    one, two = (replace(noisy(i, "x"), words=Words("paper", what, "known")) for i, what in enumerate((("First.",) * TOLD, ("Second.",))))
    assert combine(one, two).words == Words("paper", ("First.",) * (TOLD - 1) + ("Second.",), "known")


def test_a_prompted_painter_is_told_the_look_the_events_and_what_is_known() -> None:
    asked: list[PaintRequest] = []

    class Prompted(GuidePainter):
        def __init__(self, spec: PainterSpec) -> None:
            super().__init__(spec)
            self.info = PainterInfo("sd", "sd1", "", "guided", "cpu", "float32", 1, prompted=True)

        def paint(self, request: PaintRequest) -> Painting:
            asked.append(request)
            return super().paint(request)

    desktop = Desktop(SIZE, Documents())
    desktop.prefer("style", "dark blue")
    session = Session(desktop, DirectMailbox(Prompted(PainterSpec(size=SIZE))))
    session.step((), 0.1)
    session.step([Ask(0.5, "Calculator")], 0.6)
    assert asked[-1].words.look == "dark blue" and asked[-1].words.told == ("The user asked for 'Calculator'.",)
    assert "dark blue" in asked[-1].words.known

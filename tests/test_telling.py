"""What events did, in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.desktop.bitmap import encode
from engine.desktop.desktop import Desktop
from engine.desktop.documents import Documents
from engine.events import Ask, Click, Down, Drag, Event, Key, Move, Style, Text, Up, Wheel
from engine.mailbox import DirectMailbox, combine
from engine.painter import TOLD, GuidePainter, PainterInfo, PainterSpec, Painting, PaintRequest, Words
from engine.scene import find
from engine.session import Session
from engine.telling import LONGEST, added, told, way
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
    assert "typed 'it’s'" in typed and "Ctrl+A" in pressed


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
    session.step([Style(1.0, "frobnicated rounded corners")], 1.1)
    assert asked[-1].words.look == "dark blue, frobnicated rounded corners", "all of it, whatever the lexicon knows"
    night = np.full((20, 20, 3), (10, 12, 60), np.uint8)
    night[5:9, 5:9] = 250, 210, 40
    desktop.documents.write("Harbour.png", encode(night))
    session.step([Style(2.0, "like Harbour, wobbly")], 2.1)
    assert asked[-1].words.look.startswith("dark, gold accents, navy") and asked[-1].words.look.endswith(", wobbly")


def screen(*apps: str) -> Desktop:
    """A desktop with these apps open, the last in front."""
    desktop = Desktop(SIZE, Documents())
    for i, app in enumerate(apps):
        desktop.handle(Ask(0.5 + i, app))
    desktop.advance(len(apps) + 1.0)
    return desktop


def place(desktop: Desktop, path: str) -> tuple[int, int]:
    return find(desktop.widgets, path).rect.centre


def clicked(desktop: Desktop, path: str, button: str = "left") -> str:
    x, y = place(desktop, path)
    return told([Down(9.0, button, x, y), Up(9.1, button, x, y)], desktop.widgets)[-1]


def live(desktop: Desktop, *steps: Sequence[Event]) -> list[tuple[str, ...]]:
    """What each step tells, one after another, of the desktop as it is then."""
    said = []
    for events in steps:
        said.append(told(events, desktop.widgets, desktop.router.pointer))
        for event in events:
            desktop.handle(event)
    return said


def test_a_drag_is_told_from_what_and_to_where() -> None:
    desktop = screen("Notes")
    x, y = place(desktop, "Notes/title")
    events = [Down(9.0, "left", x, y), Move(9.1, x + 50, y), Move(9.2, x + 120, y + 20), Up(9.3, "left", x + 120, y + 30)]
    assert told(events, desktop.widgets) == (
        "The user dragged the title bar of the window 'Notes' 120 pixels right and 30 down. Show the window there.",
    )
    assert told(events[:3], desktop.widgets) == (
        "The user is dragging the title bar of the window 'Notes' 120 pixels right and 20 down. Show the window there.",
    )


def test_a_drag_over_several_steps_is_told_by_how_far_it_went_since_the_step_before() -> None:
    desktop = screen("Notes")
    x, y = place(desktop, "Notes/title")
    window = find(desktop.widgets, "Notes").rect
    said = live(
        desktop, [Down(9.0, "left", x, y)], [Move(9.1, x + 40, y)], [Move(9.2, x + 30, y + 9), Move(9.3, x + 30, y + 10)],
        [Up(9.4, "left", x + 30, y + 10)], [Move(9.5, x + 30, y + 11)],
    )  # fmt: skip
    title = "the title bar of the window 'Notes'"
    assert said == [
        (f"The user took hold of {title}.",),
        (f"The user is dragging {title} 40 pixels right. Show the window there.",),
        (f"The user is dragging {title} 10 pixels left and 10 down. Show the window there.",),
        (f"The user let go of {title}.",),
        (f"The pointer is over {title}.",),
    ]
    assert find(desktop.widgets, "Notes").rect == window.shift(30, 10)  # which the ways told add up to


def test_steps_that_wait_tell_one_drag_and_only_the_last_of_what_was_passed_over() -> None:
    desktop = screen("Notes")
    x, y = place(desktop, "Notes/title")
    ways = [[Move(9.1 + i, x + 2 * i, y + i)] for i in range(1, 3 * TOLD)]
    said = live(desktop, [Down(9.0, "left", x, y)], *ways, [Up(99.0, "left", x, y + 7)])
    assert reduce(added, said) == (
        "The user took hold of the title bar of the window 'Notes'.",
        "The user dragged the title bar of the window 'Notes' 7 pixels down. Show the window there.",
    )
    over: list[tuple[str, ...]] = [(f"The pointer is over the icon '{i}'.",) for i in range(3 * TOLD)]
    clicked_once: tuple[str, ...] = ("The user clicked.",)
    assert reduce(added, over, clicked_once) == ("The user clicked.", over[-1][0])
    assert added(said[1], ("The user is dragging the canvas 3 pixels up. Show the stroke.",))[:1] == said[1]  # of another thing


@given(st.integers(-500, 500), st.integers(-500, 500), st.integers(-500, 500), st.integers(-500, 500))
def test_two_ways_add_up(x: int, y: int, more_x: int, more_y: int) -> None:
    (both,) = added(
        (f"The user is dragging the slider {way(x, y)}. Show it there.",), (f"The user dragged the slider {way(more_x, more_y)}. Show it there.",),
    )  # fmt: skip
    assert both == f"The user dragged the slider {way(x + more_x, y + more_y)}. Show it there."


def test_text_is_dragged_across_and_a_title_bar_that_stays_is_clicked() -> None:
    desktop = screen("Calculator", "Notes")
    x, y = place(desktop, "Notes/text")
    (sentence,) = told([Down(9.0, "left", x, y), Move(9.1, x - 20, y), Up(9.2, "left", x - 20, y)], desktop.widgets)
    assert sentence == "The user dragged across the text of the window 'Notes' 20 pixels left. Show what it passed selected."
    assert clicked(desktop, "Notes/title") == "The user clicked the title bar of the window 'Notes'. Show what it does."
    behind = told([Down(9.0, "left", *(point := find(desktop.widgets, "Calculator/title").rect)[:2]), Up(9.1, "left", *point[:2])], desktop.widgets)
    assert behind == ("The user clicked the title bar of the window 'Calculator'. Show the window in front.",)


@pytest.mark.parametrize(("path", "shown"), [
    ("icons/Paint", "Show the window that opens."), ("taskbar/Calculator", "Show the window that opens."),
    ("taskbar/Notes", "Show the window gone."), ("Notes/close", "Show the window gone."), ("Notes/maximise", "Show the window fill the screen."),
    ("Notes/Find", "Show it chosen."), ("Notes/text", "Show the caret there."), ("Notes/New", "Show what it does."),
])  # fmt: skip
def test_what_a_click_asks_for_is_of_the_kind_of_what_was_hit(path: str, shown: str) -> None:
    assert clicked(screen("Calculator", "Notes"), path).endswith(f". {shown}")


def test_menus_are_told() -> None:
    desktop = screen("Notes")
    assert clicked(desktop, "Notes/text", "right") == "The user clicked the text of the window 'Notes' with the right button. Show the menu."
    x, y = place(desktop, "taskbar/Notes")
    desktop.handle(Down(9.0, "right", x, y))
    desktop.handle(Up(9.1, "right", x, y))
    assert clicked(desktop, "menu/Close") == "The user clicked the entry 'Close' in the menu. Show the menu gone and what the entry does."
    assert clicked(desktop, "icons/Files").endswith(" Show the menu gone.")
    assert told([Key(9.2, "down")], desktop.widgets) == ("The user pressed Down in the menu.",)


def test_wheel_and_keys_name_what_they_reach() -> None:
    desktop = screen("Notes")
    x, y = place(desktop, "Notes/text")
    said = told([Move(9.0, x, y), Wheel(9.1, -1), Key(9.2, "enter"), Key(9.3, "z", ("ctrl", "shift")), Text(9.4, "a"), Text(9.5, "b")], desktop.widgets)
    assert said[1:] == (
        "The user scrolled down in the text of the window 'Notes'.", "The user pressed Enter in the text of the window 'Notes'.",
        "The user pressed Ctrl+Shift+Z in the text of the window 'Notes'.",
        "The user typed 'ab' in the text of the window 'Notes'. The text appears at the caret.",
    )  # fmt: skip
    assert told([Wheel(9.0, 1)], desktop.widgets, (x, y)) == ("The user scrolled up in the text of the window 'Notes'.",)
    log = screen("Log")
    x, y = place(log, "Log/filter")
    assert told([Down(9.0, "left", x, y), Up(9.1, "left", x, y), Text(9.2, "a")], log.widgets)[-1].startswith("The user typed 'a' in the field 'filter' in the window 'Log'.")


def test_what_a_trace_names_is_told_as_what_the_pointer_hits() -> None:
    desktop = screen("Notes")
    x, y = place(desktop, "Notes/title")
    assert told([Drag(9.0, "Notes/title", (x + 5, y))], desktop.widgets) == (
        "The user dragged the title bar of the window 'Notes' 5 pixels right. Show the window there.",
    )
    assert told([Click(9.0, "Notes/close")], desktop.widgets)[0].endswith("Show the window gone.")
    assert told([Ask(9.0, "Paint"), Click(9.1, "red")], desktop.widgets)[1] == "The user clicked 'red'."


def test_no_more_is_told_than_a_painter_takes() -> None:
    assert len(told([Key(float(i), "a") for i in range(4 * TOLD)], ())) == TOLD

"""Popups in dreams: when a menu or the launcher closes, what stood below it stands there again, to the bit."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.desktop.desktop import Desktop
from engine.events import Ask, Down, Event, Key, Move, Text, Up
from engine.geometry import Rect
from engine.painter import ContextFeatures
from engine.scene import find
from engine.theme import NEUTRAL, Role
from models.dreaming.book import Book
from models.dreaming.dream import Dream
from models.dreaming.planes import planes_of
from models.dreaming.popups import Deed
from models.dreaming.recollection import Recollection
from tests.as_one import as_one
from tests.test_dream_windows import one_window, two_windows, windows_alike, woken
from tests.test_dreaming import SIZE, Always, request, shown

OPEN = Key(5.0, "space", ("ctrl",))
ESCAPE = Key(9.0, "escape")
SPOT = (300, 120)


def untold(desktop: Desktop) -> ContextFeatures:
    """A context that does not tell what is asked."""
    return replace(desktop.features(), clock="", asked=None)


def smeared(planes: Tensor, part: Rect) -> Tensor:
    """As a dreamer leaves a popup: a guess, with strokes in it."""
    out = planes.clone()
    out[:3, *part.slices] = torch.from_numpy(NEUTRAL[Role.SURFACE]).view(3, 1, 1)
    out[:3, part.y + 10 : part.y + 20, part.x : part.right] = 200
    return out


class Lived:
    """A desktop with two windows, and what a dream knows that saw both and is not told what is asked; popups look as a dreamer leaves them."""

    def __init__(self) -> None:
        self.desktop = one_window()
        self.known = woken(self.desktop)
        self.take(Ask(2.0, "calculator"))
        self.known.show(planes_of(shown(self.desktop)))

    def take(self, *events: Event) -> None:
        for event in events:
            self.desktop.handle(event)
            self.known.turn(event, untold(self.desktop))
            if self.known.popups.deed is Deed.OPENED:
                self.known.show(smeared(self.known.planes, self.known.popups.reach))

    @property
    def open(self) -> bool:
        """Whether a popup is open on the desktop; the dream has to know."""
        found = self.desktop.menu is not None or self.desktop.ask_bar is not None
        assert bool(self.known.popups) == found
        return found


def right(x: int, y: int) -> list[Event]:
    return [Down(5.0, "right", x, y), Up(5.1, "right", x, y)]


def click(x: int, y: int, t: float = 8.0) -> list[Event]:
    return [Down(t, "left", x, y), Up(t + 0.1, "left", x, y)]


@pytest.mark.parametrize(
    ("opens", "closes"),
    [
        ([OPEN], [ESCAPE]), ([OPEN], [Key(9.0, "space", ("ctrl",))]), ([OPEN, Text(6.0, "x"), Key(6.5, "down")], [ESCAPE]),
        ([OPEN, Text(6.0, "q")], [Key(9.0, "enter")]), ([OPEN], click(500, 300)[:1]), ([OPEN], [Ask(9.0, "sing")]),
        (right(*SPOT), [ESCAPE]), (right(*SPOT), [Key(9.0, "tab")]), ([*right(*SPOT), Key(6.0, "down")], click(20, 330)),
        ([*right(*SPOT), Move(6.0, 320, 160)], right(20, 330)), ([Key(5.0, "f10", ("shift",))], [ESCAPE]),
    ],
)  # fmt: skip
def test_what_stood_below_a_popup_stands_there_again(opens: list[Event], closes: list[Event]) -> None:
    lived = Lived()
    lived.take(Move(4.0, *SPOT))
    before = lived.known.planes
    lived.take(*opens)
    assert lived.open and not torch.equal(before, lived.known.planes)
    lived.take(*closes)
    assert not lived.open and torch.equal(before, lived.known.planes)


def test_the_launcher_s_button_opens_it_and_a_press_elsewhere_closes_it() -> None:
    lived = Lived()
    before, (x, y) = lived.known.planes, find(lived.desktop.widgets, "taskbar/Launcher").rect.centre
    lived.take(*click(x, y, 5.0))
    assert lived.open
    lived.take(*click(x, y, 6.0))
    assert lived.open, "the press closes it, the release opens it again"
    lived.take(*click(510, 300, 8.0))
    assert not lived.open and torch.equal(before, lived.known.planes)


def test_an_entry_that_is_clicked_closes_the_launcher_and_its_field_does_not() -> None:
    lived = Lived()
    lived.take(OPEN)
    lived.take(*click(*find(lived.desktop.widgets, "ask/field").rect.centre, 6.0))
    assert lived.open
    lived.take(*click(*find(lived.desktop.widgets, "ask/Calculator").rect.centre, 8.0))
    assert not lived.open and windows_alike(lived.known, lived.desktop) > 0.985


def test_nothing_of_a_popup_stays_on_the_windows_that_come_and_go_with_it() -> None:
    """What an entry opens or closes is laid on what stood below, not on the popup."""
    lived = Lived()
    lived.take(*right(*find(lived.desktop.widgets, "Calculator/title").rect.centre), Key(6.0, "up"), Key(7.0, "enter"))
    assert [window.name for window in lived.desktop.stack.windows] == ["Notes"]
    assert not lived.open and windows_alike(lived.known, lived.desktop) > 0.985
    lived.take(OPEN, Text(11.0, "c"), Key(12.0, "escape"), OPEN, *[Text(13.0, char) for char in "calc"], Key(14.0, "enter"))
    assert not lived.open and windows_alike(lived.known, lived.desktop) > 0.97


def test_a_menu_stays_on_top_of_a_window_that_is_asked_for() -> None:
    lived = Lived()
    lived.take(*right(*SPOT))
    box = lived.known.popups.box(lived.known.planes)
    menu = lived.known.planes[:, *box.slices]
    lived.take(Ask(6.0, "notes"))
    assert lived.open and torch.equal(lived.known.planes[:, *box.slices], menu)
    lived.take(ESCAPE)
    assert not lived.open and windows_alike(lived.known, lived.desktop) > 0.985


def test_a_right_press_that_opens_nothing_is_soon_forgotten() -> None:
    """An icon has no menu; elsewhere there is one only where the dreamer shows one."""
    desktop = two_windows()
    known = woken(desktop)
    for event in right(*find(desktop.widgets, "icons/Files").rect.centre):
        known.turn(event, untold(desktop))
        assert not known.popups and not known.within_reach(event, ((0, 0),)).any()
    for event in right(*SPOT):
        known.turn(event, untold(desktop))
    assert not known.popups
    known.show(other := smeared(known.planes, Rect(100, 100, 80, 80)))
    known.turn(ESCAPE, untold(desktop))
    assert torch.equal(known.planes, other)


def test_while_a_popup_is_open_events_reach_nothing_else() -> None:
    lived = Lived()
    lived.take(OPEN)
    box = find(lived.desktop.widgets, "ask").rect
    first = lived.known.within_reach(OPEN, ((0, 0),))
    assert first[box.cells].all(), "all of it may be shown at once"
    for event in (None, Key(6.0, "down"), Move(6.0, 400, 300)):
        lived.known.turn(event, untold(lived.desktop))
        near = lived.known.within_reach(event, ((400, 300),))
        assert near[box.cells].all() and not near[box.bottom // 8 + 2 :].any() and not near[:, : box.x // 8].any(), event


def test_what_is_typed_into_the_launcher_is_not_typed_into_the_note_below() -> None:
    desktop = Desktop(SIZE)
    desktop.handle(Ask(0.1, "notes"))
    dream = Dream(Always(0), SIZE)
    dream.begin(request(desktop, guide=shown(desktop)))
    before = shown(desktop).pixels.copy()
    events: list[Event] = [OPEN, Text(6.0, "a"), Key(6.5, "backspace"), Text(7.0, "b"), ESCAPE]
    for event in events:
        desktop.handle(event)
        dream.answer(request(desktop, (event,)))
    assert (dream.guide[0] == before).all()
    desktop.handle(letter := Text(10.0, "c"))
    dream.answer(request(desktop, (letter,)))
    at = find(desktop.widgets, "Notes/text").rect.slices
    assert (dream.guide[0][at] == shown(desktop).pixels[at]).mean() > 0.999, "from now on it is"


def test_many_events_at_once_open_and_close_the_same() -> None:
    desktop = two_windows()
    dream = Dream(Always(0), SIZE)
    dream.begin(request(desktop, guide=shown(desktop)))
    before = dream.guide[0].copy()
    events: list[Event] = [OPEN, *(Text(5.1 + i / 10, "x") for i in range(12)), ESCAPE]
    for event in events:
        desktop.handle(event)
    dream.answer(request(desktop, tuple(events)))
    assert not dream._known.popups and (dream.guide[0] == before).all()


def test_a_dream_that_wakes_with_the_launcher_does_not_think_it_opens() -> None:
    desktop = two_windows()
    desktop.handle(OPEN)
    known = Recollection(SIZE, Book())
    known.begin(planes_of(shown(desktop)), desktop.features())
    known.turn(Key(6.0, "space", ("ctrl",)), desktop.features())
    assert not known.popups


@pytest.mark.parametrize("opens", [[OPEN, Text(6.0, "x")], right(*SPOT), [Down(5.0, "left", 17, 372)]])
def test_a_copy_taken_while_a_popup_is_open_goes_on_the_same(opens: list[Event]) -> None:
    lived = Lived()
    lived.take(*opens)
    copy = Recollection(SIZE, Book())
    copy.restore(as_one(lived.known, SIZE, 3))
    for event in (Up(7.0, "left", 17, 372), None, Key(8.0, "down"), Ask(8.5, "snake"), ESCAPE):
        if event is not None:
            lived.desktop.handle(event)
        for one in (lived.known, copy):
            one.turn(event, lived.desktop.features())
    assert torch.equal(lived.known.planes, copy.planes) and torch.equal(as_one(lived.known, SIZE, 3), as_one(copy, SIZE, 3))

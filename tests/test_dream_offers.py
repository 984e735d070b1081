"""Menus and the launcher in dreams: what they show the book has, which row is chosen follows from the events."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.desktop.desktop import Desktop
from engine.drawing import Fill
from engine.events import Ask, Event, Key, Move, Text, Wheel
from engine.forms import BESIDE, SHAPES
from engine.geometry import Rect
from engine.scene import find
from models.catalog import BUNDLED
from models.dreaming.book import WINDOW_MENU, Book
from models.dreaming.dream import Dream
from models.dreaming.offers import Offer
from models.dreaming.planes import planes_of
from models.dreaming.recollection import Recollection
from models.loading import load_bundled
from tests.test_dream_pages import dream_of
from tests.test_dream_popups import ESCAPE, OPEN, click, right, untold
from tests.test_dream_windows import one_window, woken
from tests.test_dreaming import SIZE, Always, request, shown

ALIKE = 0.97  # share of a popup's pixels
NEAR = 40  # grey levels: a page's mixtures are as near as codes come


class Lived:
    """A desktop with a Notes and a Calculator, and what a dream knows of it that has this book."""

    def __init__(self, book: Book, desktop: Desktop | None = None) -> None:
        self.desktop = desktop or one_window()
        self.known = woken(self.desktop, book)

    def take(self, *events: Event) -> None:
        for event in events:
            self.desktop.handle(event)
            self.known.turn(event, untold(self.desktop))

    def alike(self, path: str) -> float:
        """Share of a popup's pixels that are as the desktop shows them."""
        box = find(self.desktop.widgets, path).rect
        right = planes_of(shown(self.desktop))[:3, *box.slices]
        return float(((self.known.planes[:3, *box.slices].int() - right.int()).abs().amax(0) < NEAR).float().mean())


@pytest.mark.parametrize("place", ["Calculator/title", "Calculator/7", "desktop", "taskbar/Calculator", "Notes/text", "Calculator/display"])
def test_a_menu_shows_what_the_desktop_s_does(book: Book, place: str) -> None:
    lived = Lived(book)
    lived.take(Ask(2.0, "calculator"))
    spot = (505, 20) if place == "desktop" else find(lived.desktop.widgets, place).rect.centre
    lived.take(*right(*spot))
    assert lived.desktop.menu and lived.known.popups.known and lived.alike("menu") > ALIKE


@pytest.mark.parametrize("place", ["Settings/title", "Calculator/title", "taskbar/Settings"])
def test_the_menu_of_a_maximised_window_offers_its_former_size(book: Book, place: str) -> None:
    lived = Lived(book)
    for t, app in ((2.0, "calculator"), (3.0, "settings")):
        lived.take(Ask(t, app), Key(t + 0.1, "enter", ("alt",)))
    lived.take(Ask(4.0, place.split("/")[0]))
    lived.take(*right(*find(lived.desktop.widgets, place).rect.centre))
    menu = lived.desktop.menu
    assert menu and "Restore" in [name for name, _ in menu.entries] and lived.alike("menu") > ALIKE


def test_a_text_has_its_own_menu_where_large_letters_stand_too() -> None:
    dreamer = load_bundled(BUNDLED, "bundled").dreamer
    assert dreamer is not None
    desktop = one_window()
    desktop.prefer("text_size", 20)
    desktop.handle(Text(3.0, "Wide MMMM, WWWW and HHHH"))
    lived, (x, y, *_) = Lived(dreamer.book, desktop), find(desktop.widgets, "Notes/text").rect
    for i in range(25):
        lived.take(*right(x + 8 + 5 * i, y + 16))
        assert desktop.menu and [name for name, _ in desktop.menu.entries] == ["Select all"] and lived.alike("menu") > ALIKE, i
        lived.take(ESCAPE)
    for i in range(1, 5):
        lived.take(*right(x - i, y + 60))
        offer = lived.known.popups._open.offer
        assert desktop.menu and len(desktop.menu.entries) > 4 and isinstance(offer, Offer) and offer.subject.app == WINDOW_MENU, "right beside it is the window's"
        lived.take(ESCAPE)


@pytest.mark.parametrize("opens", ["menu", "ask", "notice"])
def test_a_popup_is_told_as_round_as_the_desktop_s_and_what_lies_beneath_its_corners(book: Book, opens: str) -> None:
    """On a window, on two, and where those end."""
    desktop = one_window()
    desktop.handle(Ask(2.0, "calculator"))
    dream = dream_of(desktop, book, belief=-9.0)
    x, y, w, h = find(desktop.widgets, "Calculator").rect
    spots = [(x + w // 2, y + 6), (x + 3, y + h - 3), (x + w - 30, y + h - 30)] if opens == "menu" else [(0, 0)]
    for spot in spots:
        events = {"menu": right(*spot), "ask": [OPEN], "notice": [Ask(5.0, "sing")]}[opens]
        for event in events:
            desktop.handle(event)
        dream.answer(request(desktop, tuple(events)))
        boxes = [item.whole for item in desktop.items if isinstance(item, Fill) and item.shape in ("menu", "window")]
        forms, wanted = dream.guide[2], shown(desktop).forms
        marked = np.zeros(forms.shape[:2], bool)
        for box in boxes if opens == "menu" else boxes[-1:]:
            part = box.meet(Rect(0, 0, *SIZE)).slices
            corner = (wanted[part][..., 0] > 0) & ((wanted[part][..., 1] >> BESIDE) == SHAPES.index("menu" if box == boxes[-1] else "window"))
            assert corner.sum() > 20
            marked[part] |= corner
        assert (forms[marked][:, :3] == wanted[marked][:, :3]).all(-1).mean() > 0.98, spot
        desktop.handle(ESCAPE)
        dream.answer(request(desktop, (ESCAPE,)))


@pytest.mark.parametrize("spot", [(509, 345), (509, 20), (100, 345)])
def test_a_menu_that_has_no_room_opens_upwards_and_to_the_left(book: Book, spot: tuple[int, int]) -> None:
    lived = Lived(book, Desktop(SIZE))
    lived.take(*right(*spot))
    assert lived.alike("menu") > ALIKE


def test_the_row_under_the_keyboard_and_the_one_under_the_pointer_are_lit(book: Book) -> None:
    lived = Lived(book)
    lived.take(Ask(2.0, "calculator"))
    lived.take(*right(*find(lived.desktop.widgets, "Calculator/title").rect.centre))
    entries = [w.rect.centre for w in lived.desktop.widgets if w.role == "entry"]
    first = lived.known.planes
    for event in (Key(6.0, "down"), Key(6.1, "up"), Key(6.2, "up"), Move(6.3, *entries[1]), Wheel(6.4, 1), Move(6.5, 500, 300), Key(6.6, "down")):
        lived.take(event)
        assert lived.alike("menu") > ALIKE, event
        assert not torch.equal(first, lived.known.planes) or event.t == 6.1
    assert not lived.known.within_reach(Key(7.0, "down"), ((0, 0),)).any(), "nothing is left to dream"


def test_an_entry_does_what_it_does_to_windows(book: Book) -> None:
    lived = Lived(book)
    lived.take(Ask(2.0, "calculator"))
    lived.take(*right(*find(lived.desktop.widgets, "Calculator/title").rect.centre), Key(6.0, "up"), Key(7.0, "enter"))
    assert [window.name for window in lived.desktop.stack.windows] == ["Notes"] and not lived.known.popups


def test_the_launcher_shows_what_the_desktop_s_does_until_something_is_typed(book: Book) -> None:
    lived = Lived(book, Desktop(SIZE))
    before = lived.known.planes
    lived.take(OPEN)
    assert lived.alike("ask") > ALIKE
    second = [w.rect.centre for w in lived.desktop.widgets if w.role == "entry"][1]
    for event in (Key(6.0, "down"), Move(6.5, *second), Key(7.0, "down"), Key(7.1, "up"), Key(7.2, "up"), Key(7.3, "up")):
        lived.take(event)
        assert lived.known.popups.known and lived.alike("ask") > 0.95, event
    lived.take(Text(8.0, "c"))
    assert lived.known.popups and not lived.known.popups.known
    lived.take(ESCAPE)
    assert torch.equal(before, lived.known.planes)


def test_the_ask_bar_shows_what_is_told_of_it(book: Book) -> None:
    """Letters, suggestions, the chosen one and the one under the pointer; several events in one request; and what it hid."""
    desktop = one_window()
    dream = dream_of(desktop, book, belief=-9.0)
    requests: list[tuple[Event, ...]] = [
        (OPEN,), (Text(6.0, "c"),), (Key(6.1, "down"),), (Move(6.2, 256, 100),), (Text(6.3, "a"), Text(6.4, "n"), Key(6.5, "backspace")), (ESCAPE, Move(9.0, 500, 300)),
        (Key(9.1, "space", ("ctrl",)), Text(9.2, "d"), Key(9.3, "escape"), Key(9.4, "space", ("ctrl",))), (Text(9.5, "calc"), Key(9.6, "enter")),
    ]  # fmt: skip
    for events in requests:
        for event in events:
            desktop.handle(event)
        dream.answer(request(desktop, events))
        assert (dream.guide[0][:340] == shown(desktop).pixels[:340]).all(-1).mean() > (0.9 if desktop.stack.of("Calculator") else 0.995), events  # the text below has no focus then
        if desktop.ask_bar:
            at = find(desktop.widgets, "ask").rect.slices
            assert (dream.guide[0][at] == shown(desktop).pixels[at]).all(-1).mean() > 0.999, events
        assert bool(dream._known.popups) == bool(desktop.ask_bar)


def test_a_popup_that_the_book_knows_asks_the_dreamer_nothing(book: Book) -> None:
    desktop = one_window()
    dreamer = Always(0)
    dreamer.book = book
    dream = Dream(dreamer, SIZE)
    dream.begin(request(desktop, guide=shown(desktop)))
    before = dream.guide[0].copy()
    for event in (*right(300, 120), Move(6.0, 310, 140), Key(6.2, "down"), ESCAPE):
        desktop.handle(event)
        dream.answer(request(desktop, (event,)))
        assert dream._known.popups.known == (event is not ESCAPE)
    assert (dream.guide[0] == before).all()


def test_nothing_opens_on_the_bare_taskbar(book: Book) -> None:
    lived = Lived(book)
    lived.take(*right(400, 372))
    assert not lived.desktop.menu and not lived.known.popups


@pytest.mark.parametrize("opens", [[OPEN], right(300, 120)])
def test_a_copy_of_an_open_popup_goes_on_the_same(book: Book, opens: list[Event]) -> None:
    lived = Lived(book)
    lived.take(*opens, Key(6.0, "down"))
    copy, other = Recollection(SIZE, book), Recollection(SIZE, Book())
    for one in (copy, other):
        one.restore(lived.known.state())
    assert copy.popups.known and not other.popups.known and other.popups, "another book has no such page"
    for event in (Move(7.0, 310, 150), Key(8.0, "down"), *click(20, 200)):
        lived.take(event)
        copy.turn(event, untold(lived.desktop))
        assert torch.equal(lived.known.planes, copy.planes), event


def test_a_button_in_the_taskbar_has_its_window_s_menu_in_whatever_colour_it_stands(book: Book) -> None:
    lived = Lived(book)
    lived.take(Ask(2.0, "calculator"))
    x, y, w, h = find(lived.desktop.widgets, "taskbar/Calculator").rect
    lived.take(*right(x + w - 8, y + h // 2))
    assert len([w for w in lived.desktop.widgets if w.role == "entry"]) == 6 and lived.alike("menu") > ALIKE

"""Menus and the ask bar in dreams: what they show is told, and looks as the desktop's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from engine.desktop.desktop import Desktop
from engine.desktop.documents import Documents
from engine.drawing import Fill
from engine.events import Ask, Event, Key, Move, Text, Wheel
from engine.forms import BESIDE, SHAPES
from engine.geometry import Rect
from engine.scene import find
from models.dreaming.book import Book
from models.dreaming.dream import Dream
from models.dreaming.planes import SEEN, planes_of
from models.dreaming.recollection import Recollection
from models.loading import load_book
from tests.as_one import as_one
from tests.test_dream_pages import dream_of
from tests.test_dream_popups import ESCAPE, OPEN, click, right
from tests.test_dream_windows import one_window, windows_alike, woken
from tests.test_dreaming import SIZE, Always, request, shown


class Lived:
    """A desktop with a Notes, and what a dream knows of it that is told what is open."""

    def __init__(self, book: Book, desktop: Desktop | None = None) -> None:
        self.desktop = desktop or one_window()
        self.known = woken(self.desktop, book)

    def take(self, *events: Event) -> None:
        for event in events:
            self.desktop.handle(event)
            assert self.desktop.items, "it is drawn before anybody is asked to paint it"
            context = self.desktop.features()
            self.known.turn(event, context)
            self.known.tell(context, self.desktop.router.pointer)

    def same(self, path: str) -> bool:
        """Whether a popup is as the desktop shows it, and marked as round."""
        box = find(self.desktop.widgets, path).rect.meet(Rect(0, 0, *SIZE))
        return bool((self.known.planes[: SEEN + 1, *box.slices] == planes_of(shown(self.desktop))[: SEEN + 1, *box.slices]).all())


@pytest.mark.parametrize(
    "place",
    ["Calculator/title", "Calculator/7", "desktop", "taskbar/Calculator", "Notes/text", "Calculator/display", "Calculator/close"],
)
def test_a_menu_shows_what_the_desktop_s_does(book: Book, place: str) -> None:
    lived = Lived(book)
    lived.take(Ask(2.0, "calculator"))
    spot = (505, 20) if place == "desktop" else find(lived.desktop.widgets, place).rect.centre
    lived.take(*right(*spot))
    assert lived.desktop.menu and lived.known.popups.known and lived.same("menu")


def test_what_a_menu_offers_is_what_there_is_to_offer(book: Book) -> None:
    """Of a maximised window its former size; of a note with a name another name; of a text with something selected more than of one without."""
    lived, seen = Lived(book, Desktop(SIZE, Documents({"Milk.md": "Two bottles"}))), set()
    for events, place in (
        ([Ask(2.0, "milk.md")], "Notes/title"), ([Key(3.0, "enter", ("alt",))], "Notes/title"), ([], "Notes/text"),
        ([Key(4.0, "a", ("ctrl",)), Key(4.1, "c", ("ctrl",))], "Notes/text"),
    ):  # fmt: skip
        lived.take(*events)
        lived.take(*right(*find(lived.desktop.widgets, place).rect.centre))
        assert lived.desktop.menu and lived.same("menu")
        seen.add(tuple(name for name, _ in lived.desktop.menu.entries))
        lived.take(ESCAPE)
    assert len(seen) == 4


@pytest.mark.parametrize("spot", [(509, 345), (509, 20), (100, 345)])
def test_a_menu_that_has_no_room_opens_upwards_and_to_the_left(book: Book, spot: tuple[int, int]) -> None:
    lived = Lived(book, Desktop(SIZE))
    lived.take(*right(*spot))
    assert lived.same("menu")


def test_the_row_under_the_keyboard_and_the_one_under_the_pointer_are_lit(book: Book) -> None:
    lived = Lived(book)
    lived.take(Ask(2.0, "calculator"))
    lived.take(*right(*find(lived.desktop.widgets, "Calculator/title").rect.centre))
    entries = [w.rect.centre for w in lived.desktop.widgets if w.role == "entry"]
    first = lived.known.planes
    for event in (Key(6.0, "down"), Key(6.1, "up"), Key(6.2, "up"), Move(6.3, *entries[1]), Wheel(6.4, 1), Move(6.5, 500, 300), Key(6.6, "down")):
        lived.take(event)
        assert lived.same("menu"), event
        assert not torch.equal(first, lived.known.planes) or event.t == 6.1
    assert not lived.known.within_reach(Key(7.0, "down"), ((0, 0),)).any(), "nothing is left to dream"


def test_an_entry_does_what_it_does_to_windows(book: Book) -> None:
    lived = Lived(book)
    lived.take(Ask(2.0, "calculator"))
    lived.take(*right(*find(lived.desktop.widgets, "Calculator/title").rect.centre), Key(6.0, "up"), Key(7.0, "enter"))
    assert [window.name for window in lived.desktop.stack.windows] == ["Notes"] and not lived.known.popups
    assert windows_alike(lived.known, lived.desktop) > 0.98


def test_a_menu_stays_on_top_of_what_is_asked_for_and_hides_nothing_when_it_is_gone(book: Book) -> None:
    lived = Lived(book)
    lived.take(Ask(2.0, "calculator"), *right(300, 120), Ask(6.0, "files"))
    assert lived.desktop.menu and lived.same("menu") and windows_alike(lived.known, lived.desktop) > 0.97
    lived.take(ESCAPE)
    assert not lived.known.popups and windows_alike(lived.known, lived.desktop) > 0.97


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


def test_menus_open_and_close_within_a_request_too(book: Book) -> None:
    """A key that chooses an entry is none for the text below, be the menu seen or not."""
    desktop = one_window()
    desktop.handle(Ask(2.0, "calculator"))
    dream = dream_of(desktop, book, belief=-9.0)
    title, text = (find(desktop.widgets, path).rect.centre for path in ("Calculator/title", "Notes/text"))
    requests: list[tuple[Event, ...]] = [
        (*right(*title), Key(6.0, "down")), (Key(6.1, "down"), *click(505, 300, 6.2)), (*right(*title), ESCAPE), (*right(*title), Key(10.0, "up"), Key(10.1, "enter")),
        (*click(*text, 11.0), Text(11.5, "a")), (*right(*text), Key(12.0, "enter"), Text(12.5, "b")),
    ]  # fmt: skip
    for events in requests:
        for event in events:
            desktop.handle(event)
        dream.answer(request(desktop, events))
        assert bool(dream._known.popups) == bool(desktop.menu), events
        assert (dream.guide[0][:340] == shown(desktop).pixels[:340]).all(-1).mean() > 0.99, events


def test_a_popup_that_is_told_asks_the_dreamer_nothing(book: Book) -> None:
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


def test_nothing_opens_where_the_desktop_opens_nothing(book: Book) -> None:
    lived = Lived(book)
    before = lived.known.planes
    for spot in ((400, 372), find(lived.desktop.widgets, "icons/Files").rect.centre):
        lived.take(*right(*spot))
        assert not lived.desktop.menu and not lived.known.popups
    assert torch.equal(before[:3, :340], lived.known.planes[:3, :340])


@pytest.mark.parametrize("opens", [[OPEN], right(300, 120)])
def test_a_copy_of_an_open_popup_goes_on_the_same(book: Book, opens: list[Event]) -> None:
    lived = Lived(book)
    lived.take(*opens, Key(6.0, "down"))
    copy = Recollection(SIZE, book)
    copy.restore(as_one(lived.known, SIZE, 3))
    for event in (Move(7.0, 310, 150), Key(8.0, "down"), *click(20, 200)):
        lived.take(event)
        copy.turn(event, lived.desktop.features())
        copy.tell(lived.desktop.features(), lived.desktop.router.pointer)
        assert torch.equal(lived.known.planes, copy.planes), event


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


def test_pages_of_popups_in_an_older_book_are_left_out(book: Book, tmp_path: Path) -> None:
    known = book.tensors()
    former = {f"{name}.13": known["notes.13"].clone() for name in ("menu-notes", "menu-ground", "field-menu-paint", "launcher")}
    save_file({**known, **former}, tmp_path / "book.safetensors")
    assert load_book(tmp_path / "book.safetensors").tensors().keys() == known.keys()

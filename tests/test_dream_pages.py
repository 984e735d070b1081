"""What a dream is told of what is open: pages that are turned to, rows of lists, the clock; and what an event leaves as it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import reduce

import numpy as np
import pytest
import torch

from engine.desktop import bitmap
from engine.desktop.apps.registry import APPS
from engine.desktop.desktop import Desktop
from engine.desktop.documents import Documents
from engine.events import Ask, Down, Event, Key, Move, Text, Up, Wait, Wheel
from engine.geometry import Rect
from engine.scene import find
from models.catalog import BUNDLED
from models.dreaming import taskbar
from models.dreaming.book import Book, turned
from models.dreaming.course import Course
from models.dreaming.dream import Dream
from models.dreaming.letters import caret_in
from models.dreaming.planes import PLANES, SEEN, planes_of
from models.dreaming.recollection import Recollection
from models.dreaming.steps import Step
from models.dreaming.windows import Windows
from models.loading import load_bundled
from tests.as_one import as_one
from tests.test_dream_windows import dragged, windows_alike, woken
from tests.test_dreaming import SIZE, Always, request, shown

TEXT = "Two bottles of milk, the fresh one from the farm\n" * 12
LISTED = ("Notes/note list", "Files/documents", "Log/lines")


@pytest.fixture(scope="module")
def bundled_book() -> Book:
    dreamer = load_bundled(BUNDLED, "bundled").dreamer
    assert dreamer is not None
    return dreamer.book


def desktop_with_documents() -> Desktop:
    return Desktop(SIZE, Documents({"Bread.md": TEXT, "Cow.txt": "# A cow\n" + TEXT, "Milk.md": "Milk"}))


def click(desktop: Desktop, path: str) -> Iterator[Event]:
    """On the first widget whose path ends so, and away from it."""
    x, y = next(w.rect for w in desktop.widgets if w.path.endswith(path)).centre
    for happen in (Down, Up):
        yield happen(round(desktop.t + 0.1, 2), "left", x, y)
    yield Move(round(desktop.t + 0.1, 2), 200, SIZE[1] - 4)


def told(known: Recollection, desktop: Desktop, event: Event) -> None:
    desktop.handle(event)
    assert desktop.items, "it is drawn before anybody is asked to paint it"
    known.turn(event, desktop.features())


def dream_of(desktop: Desktop, book: Book, belief: float = 9.0, picture: int = 1) -> Dream:
    """Of a dreamer that changes all it can, or nothing."""
    dreamer = Always(picture, belief=belief)
    dreamer.book = book
    dream = Dream(dreamer, SIZE)
    dream.begin(request(desktop, guide=shown(desktop)))
    return dream


def test_every_page_of_an_app_is_a_page_of_the_bundled_book(bundled_book: Book) -> None:
    pages = [turned(slot, page) for slot, (name, app) in enumerate(APPS.items()) for page in app.pages if name == "Notes"]  # the others are drawn
    assert len(set(pages)) == len(pages) == 3
    assert all(page is not None and bundled_book.knows(page) for page in pages)
    assert turned(0, "") is None and turned(0, "bin") is None


def test_pages_that_are_turned_to_show_what_is_told(bundled_book: Book) -> None:
    """Of Notes all but the field that asks is laid out anew, in windows of other sizes too, and all of Settings and Files."""
    desktop = desktop_with_documents()
    known = woken(desktop, bundled_book)
    for happen in (Ask(1.0, "bread.md"), None, Key(20.0, "enter", ("alt",)), None, Key(40.0, "enter", ("alt",))):
        ways = (click(desktop, way) for way in ("Notes/Documents", "Notes/Find", "Notes/Documents", "Notes/Find"))
        for event in [happen] if happen else [event for way in ways for event in way]:
            told(known, desktop, event)
        assert windows_alike(known, desktop) > 0.985, happen
    for app, ways in (("Settings", ("System", "About you", "Look")), ("Files", ("Bin",))):
        told(known, desktop, Ask(round(desktop.t + 1, 1), app.casefold()))
        for way in ways:
            for event in click(desktop, f"{app}/{way}"):
                told(known, desktop, event)
            front = desktop.stack.front
            assert front is not None and front.app.shown_page() == ("" if way == "Look" else way if app == "Settings" else "bin")
            assert windows_alike(known, desktop) > 0.985, way


def test_a_list_shows_the_rows_that_are_told_of(bundled_book: Book) -> None:
    """Row by row as the desktop draws them, while documents come and go and the log grows."""
    desktop = desktop_with_documents()
    known = woken(desktop, bundled_book)
    events = [
        Ask(1.0, "files"), Ask(2.0, "log"), Key(3.0, "end"), Wait(4.0), Ask(5.0, "bread.md"), Key(6.0, "d", ("ctrl",)), Key(7.0, "escape"),
        Ask(7.5, "log"), Wheel(7.6, 2), Key(7.7, "up"), Ask(8.0, "new note"), Text(9.0, "Eggs"), Key(9.5, "enter"), Wait(11.0), Ask(12.0, "log"), Ask(13.0, "bigger text"), Ask(14.0, "files"),
    ]  # fmt: skip
    events[5:5] = [Key(5.2, "d", ("ctrl",)), Key(5.4, "f", ("ctrl",)), Key(5.6, "escape"), Key(5.8, "d", ("ctrl",))]
    looked = set()
    for event in events:
        told(known, desktop, event)
        for path in LISTED:
            widget = next((w for w in desktop.widgets if w.path == path), None)
            front = desktop.stack.front
            if widget is None or front is None or not path.startswith(front.name):
                continue
            looked.add(path)
            at = widget.rect.inset(3, 3, 3, 3).meet(Rect(0, 0, SIZE[0], SIZE[1] // 2)).slices  # what a notice may cover is left out
            alike = (known.planes[:3, *at] == planes_of(shown(desktop))[:3, *at]).all(0).float().mean()
            assert alike > 0.97, (event, path)
    assert looked == set(LISTED)


def test_a_page_that_is_scrolled_shows_the_part_that_is_told(bundled_book: Book) -> None:
    """Of Settings, drawn as it is with what is preferred."""
    desktop = desktop_with_documents()
    known = woken(desktop, bundled_book)
    told(known, desktop, Ask(1.0, "settings"))
    told(known, desktop, Move(2.0, *find(desktop.widgets, "Settings/page").rect.centre))
    for event in (Wheel(3.0, -1), Wheel(4.0, -2), Wheel(5.0, -9), *click(desktop, "Settings/System"), Wheel(9.0, -1), Wheel(10.0, 3)):
        told(known, desktop, event)
        assert windows_alike(known, desktop) > 0.98, event  # but for what the pointer lights


def test_an_icon_is_lit_while_the_pointer_is_on_it(bundled_book: Book) -> None:
    """As the desktop draws it, pressed too, beside a window that covers a part of it; whatever a dreamer says."""
    for path, size in (("icons/Snake", "normal"), ("icons/Paint", "bigger")):
        desktop = desktop_with_documents()
        dream = dream_of(desktop, bundled_book, picture=2)
        x, y = find(desktop.widgets, path).rect.centre
        events = [Ask(round(desktop.t + 1, 1), f"{size} text"), Wait(round(desktop.t + 9, 1)), Move(round(desktop.t + 10, 1), x, y), Down(round(desktop.t + 11, 1), "left", x, y),
                  Move(round(desktop.t + 11.1, 1), x + 200, y), Move(round(desktop.t + 11.2, 1), x, y), Up(round(desktop.t + 12, 1), "left", x, y), Move(round(desktop.t + 15, 1), x + 1, y)]  # fmt: skip
        for event in events:
            desktop.handle(event)
            dream.answer(request(desktop, () if isinstance(event, Wait) else (event,)))
            icon = find(desktop.widgets, path).rect
            if isinstance(event, (Move, Down, Up)):
                assert (dream.guide[0][icon.slices] == shown(desktop).pixels[icon.slices]).all(), event


@pytest.mark.parametrize("look", ["light", "sketch"])
def test_buttons_around_what_windows_hold_are_lit_while_the_pointer_is_on_them(bundled_book: Book, look: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In title bars, also of windows behind and beneath others, and in the taskbar; and no dreamer is asked what a pointer does there."""
    asked: list[Event] = []
    desktop = desktop_with_documents()
    for event in (Ask(1.0, look), Ask(2.0, "bread.md"), Ask(3.0, "calculator"), Ask(4.0, "paint"), Key(5.0, "m", ("alt",)), Ask(6.0, "notes"), Wait(20.0)):
        desktop.handle(event)
    dream = dream_of(desktop, bundled_book, picture=2)
    monkeypatch.setattr(Always, "tokens", lambda dreamer, slow, recent: asked.append(event))
    for path in ("Notes/close", "Notes/maximise", "Calculator/minimise", "Calculator/close", "taskbar/Launcher", "taskbar/Calculator", "taskbar/Paint", "Notes/title"):
        x, y = find(desktop.widgets, path).rect.centre
        t = round(desktop.t + 1, 1)
        for event in (Move(t, x, y), Move(t + 0.1, x + 1, y), Move(t + 0.2, 60, SIZE[1] - 40)):
            desktop.handle(event)
            dream.answer(request(desktop, (event,)))
            at, seen = find(desktop.widgets, path).rect.slices, shown(desktop).pixels
            apart = np.abs(dream.guide[0][at].astype(int) - seen[at]).max()
            assert apart <= path.startswith("taskbar/"), (path, event)  # names change their ink by a share, which is rounded
    assert not asked
    monkeypatch.undo()
    x, y = find(desktop.widgets, "Notes/close").rect.centre
    for event in (Move(90.0, x, y), Down(90.1, "left", x, y), Move(90.2, x - 40, y + 60), Up(90.3, "left", x - 40, y + 60), Move(90.4, x, y)):
        desktop.handle(event)
        dream.answer(request(desktop, (event,)))
        at = find(desktop.widgets, "Notes/close").rect.slices
        assert (dream.guide[0][at] == shown(desktop).pixels[at]).all(), event


def test_what_comes_beneath_a_pointer_that_rests_is_not_lit(bundled_book: Book) -> None:
    """A window that is asked for: its buttons, and what it holds; until the pointer moves."""
    for path in ("Calculator/close", "Calculator/5"):
        desktop = desktop_with_documents()
        desktop.handle(Ask(1.0, "calculator"))
        x, y = find(desktop.widgets, path).rect.centre
        for event in (Key(2.0, "w", ("ctrl",)), Wait(20.0)):
            desktop.handle(event)
        dream = dream_of(desktop, bundled_book, picture=2)
        for event in (Move(21.0, x, y), Ask(22.0, "calculator"), Move(23.0, x + 1, y)):
            desktop.handle(event)
            dream.answer(request(desktop, (event,)))
            part = Rect(x - 6, y - 6, 12, 12).slices
            assert (dream.guide[0][part] == shown(desktop).pixels[part]).all(), (path, event)


@pytest.mark.parametrize("app", ["Calculator", "Settings", "Files"])
def test_what_is_pointed_at_in_a_window_of_which_all_is_told_is_lit(bundled_book: Book, app: str) -> None:
    """And pressed, until the pointer leaves; as the desktop draws it, whatever a dreamer says."""
    desktop = desktop_with_documents()
    for event in (Ask(2.0, app.lower()), Wait(20.0)):
        desktop.handle(event)
    dream = dream_of(desktop, bundled_book, picture=2)
    window = find(desktop.widgets, app).rect
    inside = window.inset(2, 30, 2, 2)
    widgets = [w for w in desktop.widgets if w.path.startswith(f"{app}/") and w.touch is not None and inside.covers(w.rect)]
    rects = [w.rect for w in widgets if app != "Settings" or "focused" not in w.state]  # what has the focus there nobody tells
    assert len(rects) >= 5
    for x, y in [rect.centre for rect in rects][::3]:
        t = round(desktop.t + 1, 1)
        for event in (Move(t, x, y), Move(t + 0.1, x + 1, y), Move(t + 0.2, SIZE[0] - 1, y)):
            desktop.handle(event)
            dream.answer(request(desktop, (event,)))
            assert (dream.guide[0][inside.slices] == shown(desktop).pixels[inside.slices]).all(), event
    events = [Move(80.0, *rects[-1].centre), Down(80.1, "left", *rects[-1].centre), Up(80.2, "left", window.x + 40, window.y + 8)]
    for event in events:  # it begins on the last of them, and is given up on the title bar
        desktop.handle(event)
        dream.answer(request(desktop, (event,)))
        assert (dream.guide[0][rects[-1].slices] == shown(desktop).pixels[rects[-1].slices]).all() or app == "Settings", event


def test_a_calculator_shows_what_is_told(bundled_book: Book) -> None:
    """To the last pixel: keys, sums, results above them, what goes wrong, in windows of other sizes, and in the window behind."""
    desktop = desktop_with_documents()
    known = woken(desktop, bundled_book)
    events = [Ask(1.0, "calculator"), *(Text(2 + i / 10, char) for i, char in enumerate("7*8=/0=4+(1.5-123456789012345678901234")), Key(7.0, "escape"),
              Text(7.1, "9"), Ask(8.0, "bigger text"), Text(8.1, "1"), Key(14.0, "enter", ("alt",)), Text(14.1, "2"), Ask(20.0, "files"), Ask(21.0, "calculator")]  # fmt: skip
    for event in events:
        told(known, desktop, event)
        at = find(desktop.widgets, "Calculator").rect.inset(8, 36, 8, 8)
        if event.t < 20:
            assert torch.equal(known.planes[:3, *at.slices], planes_of(shown(desktop))[:3, *at.slices]), event
    assert windows_alike(known, desktop) > 0.98


def test_what_a_calculator_shows_is_no_text_that_is_written(bundled_book: Book) -> None:
    desktop = desktop_with_documents()
    desktop.handle(Ask(1.0, "calculator"))
    course = Course(SIZE, bundled_book)
    course.begin(planes_of(shown(desktop)), desktop.features())
    for event in (Move(1.5, *find(desktop.widgets, "Calculator").rect.centre), Text(2.0, "7"), Text(2.2, "8")):
        desktop.handle(event)
        question = course.ask(Step(event, desktop.features(), desktop.router.pointer, ()), lambda codes: (120, 70))
        assert question is None, "all that it shows is told"
        assert (course.known.planes[:3].permute(1, 2, 0).numpy() == shown(desktop).pixels).all(), event


def test_the_clock_shows_what_is_told(bundled_book: Book) -> None:
    desktop = desktop_with_documents()
    known = woken(desktop, bundled_book)
    for event in (Wait(61.0), Ask(62.0, "bigger text"), Wait(125.0), Ask(126.0, "normal text")):
        told(known, desktop, event)
        at = taskbar.clock_part(SIZE, desktop.text_size).slices
        assert (known.planes[:3, *at] == planes_of(shown(desktop))[:3, *at]).all(), event


def test_what_lies_around_windows_stays_as_it_is_but_where_the_pointer_is(bundled_book: Book) -> None:
    desktop = desktop_with_documents()
    desktop.handle(Ask(1.0, "calculator"))
    dream, rest = dream_of(desktop, bundled_book, picture=2), shown(desktop).pixels
    dream._known._places.replace(Rect(0, 0, *SIZE), torch.full((PLANES, *SIZE[::-1]), 77, dtype=torch.uint8), dream._known.planes)
    icon = find(desktop.widgets, "icons/Notes").rect
    window = find(desktop.widgets, "Calculator").rect
    for event in (Move(2.0, *icon.centre), Key(3.0, "5"), Move(4.0, *window.centre)):
        desktop.handle(event)
        dream.answer(request(desktop, (event,)))
        apart = (dream.guide[0] != rest).any(-1)
        apart[window.slices] = False
        apart[taskbar.clock_part(SIZE, 13).slices] = False
        lit = np.zeros_like(apart)
        lit[icon.slices] = event.t < 4
        assert not (apart & ~lit).any(), event


def test_a_text_that_is_told_is_not_dreamt_over(bundled_book: Book) -> None:
    desktop = desktop_with_documents()
    desktop.handle(Ask(1.0, "bread.md"))
    dream = dream_of(desktop, bundled_book, picture=2)
    for event in (Key(2.0, "end"), Text(3.0, "x"), Key(4.0, "a", ("ctrl",)), Key(9.0, "pagedown"), Key(10.0, "f7"), Key(11.0, "f", ("ctrl",)), Text(12.0, "q")):
        desktop.handle(event)
        dream.answer(request(desktop, (event,)))
        at = find(desktop.widgets, "Notes/text").rect.inset(4, 4, 20, 4).slices
        assert (dream.guide[0][at] == shown(desktop).pixels[at]).all(), event


def test_what_stands_around_a_told_text_is_not_dreamt_over_while_it_is_searched(bundled_book: Book) -> None:
    desktop = desktop_with_documents()
    desktop.handle(Ask(1.0, "bread.md"))
    dream = dream_of(desktop, bundled_book, picture=2)
    for event in (Key(2.0, "f", ("ctrl",)), Text(3.0, "f"), None, *dragged(desktop, "Notes/title", 24, 16), None, Move(6.0, 300, 200), None):
        if event is not None:
            desktop.handle(event)
        dream.answer(request(desktop, () if event is None else (event,)))
        window, text = (find(desktop.widgets, path).rect for path in ("Notes", "Notes/text"))
        below = Rect(window.x, text.y, window.w, window.bottom - text.y).slices
        assert (dream.guide[0][below] == shown(desktop).pixels[below]).all(), event


def test_keys_leave_the_tools_above_a_text_as_they_are_for_it(bundled_book: Book) -> None:
    """Of a note that has no name yet, too: no dreamer is believed, who would change all of them."""
    desktop = desktop_with_documents()
    for event in (Ask(1.0, "notes"), Key(1.5, "n", ("ctrl",))):
        desktop.handle(event)
    dream, states = dream_of(desktop, bundled_book, picture=2), set()
    for event in (Key(2.0, "n", ("ctrl",)), Text(2.1, "#"), Text(2.2, " "), Text(2.3, "x"), Key(2.4, "z", ("ctrl",)), Key(2.5, "f7")):
        desktop.handle(event)
        dream.answer(request(desktop, (event,)))
        above = reduce(Rect.join, (w.rect for w in desktop.widgets if w.path in ("Notes/Documents", "Notes/Find")))
        for part in (above, find(desktop.widgets, "Notes/text").rect):
            assert (dream.guide[0][part.slices] == shown(desktop).pixels[part.slices]).all(), event
        states.add(shown(desktop).pixels[above.slices].tobytes())
    assert len(states) > 2, "what can be undone, done again, and is a heading"


@pytest.mark.parametrize("ways", [("Notes/List",), ("Notes/Heading", "Notes/Heading"), ("Notes/Undo",), ("Notes/Undo", "Notes/Redo")])
def test_what_a_tool_makes_of_a_text_is_followed(bundled_book: Book, ways: tuple[str, ...]) -> None:
    """No dreamer says so here: that the text says something else now is enough."""
    desktop = desktop_with_documents()
    desktop.handle(Ask(1.0, "bread.md"))
    dream = dream_of(desktop, bundled_book, belief=-9.0)
    events: list[Event] = [Key(2.0, "down"), Text(3.0, "x"), Key(4.0, "down"), Key(5.0, "down")]
    for way in ("", *ways):
        for event in click(desktop, way) if way else events:
            desktop.handle(event)
            dream.answer(request(desktop, (event,)))
        at = find(desktop.widgets, "Notes/text").rect.inset(4, 4, 20, 4).slices
        assert (dream.guide[0][at] == shown(desktop).pixels[at]).all(), way


def test_a_text_behind_another_window_has_its_caret_where_it_was_when_it_comes_back_in_another_size(bundled_book: Book) -> None:
    desktop = desktop_with_documents()
    desktop.handle(Ask(1.0, "bread.md"))
    dream = dream_of(desktop, bundled_book, belief=-9.0)
    for event in (Key(2.0, "down"), Text(2.1, "x"), Ask(3.0, "calculator"), Text(3.1, "7"), Ask(4.0, "maximise notes"), Text(4.1, "y")):
        desktop.handle(event)
        dream.answer(request(desktop, (event,)))
        if desktop.stack.windows[-1].app.name == "Notes":
            at = find(desktop.widgets, "Notes/text").rect.inset(4, 4, 20, 4).slices
            assert (dream.guide[0][at] == shown(desktop).pixels[at]).all(), event
    assert desktop.stack.windows[-1].app.name == "Notes"


def test_the_wheel_is_not_dreamt(bundled_book: Book) -> None:
    """Turned thrice at once: where that leads is told."""
    desktop = desktop_with_documents()
    desktop.handle(Ask(1.0, "settings"))
    dreams = [dream_of(desktop, bundled_book, belief=belief) for belief in (9.0, -9.0)]
    turns = tuple(Wheel(3.0 + i / 100, -1) for i in range(3))
    desktop.handle(Move(2.0, *find(desktop.widgets, "Settings/page").rect.centre))
    for turn in turns:
        desktop.handle(turn)
    for dream in dreams:
        before = dream.guide[0]
        dream.answer(request(desktop, turns))
        assert (dream.guide[0] != before).any()
    assert (dreams[0].guide[0] == dreams[1].guide[0]).all()


def test_a_pointer_lights_what_hangs_together_with_it() -> None:
    known, found = Recollection(SIZE, Book()), torch.zeros(SIZE[1] // 8, SIZE[0] // 8, dtype=torch.bool)
    found[10, 5:9] = found[11, 9] = found[10, 11] = found[30, 30] = True
    lit = known.around((8 * 5 + 1, 8 * 10 + 1), found)
    assert lit.nonzero().tolist() == [[10, 5], [10, 6], [10, 7], [10, 8], [11, 9]]
    assert known.around((8 * 4 + 1, 8 * 9), found).equal(lit), "the one beside it"
    assert not known.around((8 * 20, 8 * 20), found).any()


def test_a_copy_of_windows_knows_pages_rows_and_what_was_laid(bundled_book: Book) -> None:
    desktop = desktop_with_documents()
    windows, planes = Windows(SIZE, bundled_book), planes_of(shown(desktop))
    windows.begin(planes, desktop.features())
    for event in (Ask(1.0, "bread.md"), Key(2.0, "d", ("ctrl",)), Ask(3.0, "files")):
        desktop.handle(event)
        planes = windows.laid(planes, desktop.features(), event)
    copy = Windows(SIZE, bundled_book)
    copy.restore(as_one(windows, SIZE))
    assert copy.shown == windows.shown and all(window.rows for window in copy.shown) and copy.shown[1].page
    assert copy.laid(planes, desktop.features()).equal(planes)  # what is open in windows is told again with each event
    smeared = planes.clone()
    smeared[:SEEN] = 9
    assert copy.at_rest(smeared).equal(windows.at_rest(smeared)) and not copy.at_rest(smeared).equal(smeared)


def test_a_text_gets_the_focus_back_while_something_is_asked(bundled_book: Book) -> None:
    """By a press on it, or because it says something else now."""
    for way in ("press", "edit"):
        desktop = desktop_with_documents()
        desktop.handle(Ask(1.0, "bread.md"))
        dream = dream_of(desktop, bundled_book, belief=-9.0)
        x, y = find(desktop.widgets, "Notes/text").rect.centre
        press = [Down(3.0, "left", x, y), Up(3.1, "left", x, y)]
        for event in (Key(2.0, "f", ("ctrl",)), *press, Text(4.0, "a"), Text(5.0, "b")):
            desktop.handle(event)
            if way == "press" or not isinstance(event, (Down, Up)):
                dream.answer(request(desktop, (event,)))
        at = find(desktop.widgets, "Notes/text").rect.slices
        assert (dream.guide[0][at] == shown(desktop).pixels[at]).all(), way
        bar = find(desktop.widgets, "Notes/find").rect.slices
        assert (dream.guide[0][bar] == shown(desktop).pixels[bar]).all(-1).mean() > 0.95, way


def test_a_picture_that_is_told_shows_what_was_painted(bundled_book: Book) -> None:
    """No dreamer says so here."""
    desktop = Desktop(SIZE, Documents({"Cow.png": bitmap.encode(bitmap.blank(320, 240))}))
    desktop.handle(Ask(1.0, "cow.png"))
    dream = dream_of(desktop, bundled_book, belief=-9.0)
    x, y = find(desktop.widgets, "Paint/picture").rect.centre
    strokes = [Down(2.0, "left", x, y), Move(2.1, x + 30, y + 10), Up(2.2, "left", x + 30, y + 10), Move(2.3, 200, SIZE[1] - 4)]
    filled = [Down(5.0, "left", x, y + 20), Up(5.1, "left", x, y + 20), Move(5.2, 200, SIZE[1] - 4)]
    at, before = find(desktop.widgets, "Paint/picture").rect.slices, dream.guide[0]
    for events in (strokes, click(desktop, "Paint/fill"), filled):
        for event in events:
            desktop.handle(event)
            dream.answer(request(desktop, (event,)))
        assert (dream.guide[0][at] == shown(desktop).pixels[at]).all() and (dream.guide[0][at] != before[at]).any()


def test_what_is_told_stays_as_it_is_but_where_a_pointer_is(bundled_book: Book) -> None:
    """However sure a dreamer is that all of it changes: a drag of a window, keys, and a pointer that passes over."""
    desktop = desktop_with_documents()
    for app in ("log", "files", "settings"):
        desktop.handle(Ask(round(desktop.t + 1, 1), app))
    desktop.advance(desktop.t + 5)
    for app, inner in (("Settings", "page"), ("Files", "documents"), ("Log", "lines")):
        desktop.handle(Ask(round(desktop.t + 1, 1), app.casefold()))
        dream = dream_of(desktop, bundled_book, belief=9.0, picture=2)  # which shows the same, but for what stands elsewhere
        (x, y), box = find(desktop.widgets, f"{app}/title").rect.centre, find(desktop.widgets, f"{app}/{inner}").rect
        events = [Down(desktop.t + 0.1, "left", x, y), Move(desktop.t + 0.2, x + 9, y + 7), Up(desktop.t + 0.3, "left", x + 9, y + 7), Move(desktop.t + 0.4, *box.centre)]
        for event in [*events, Key(desktop.t + 0.5, "down")]:
            desktop.handle(event)
            dream.answer(request(desktop, (event,)))
            seen = find(desktop.widgets, f"{app}/{inner}").rect.inset(3, 3, 3, 3).meet(desktop.stack.area)
            lit = Rect(*desktop.router.pointer, 1, 1).grow(60)
            apart = (dream.guide[0] != shown(desktop).pixels).any(-1)
            apart[lit.meet(Rect(0, 0, *SIZE)).slices] = False
            assert apart[seen.slices].mean() < (0.02 if app == "Settings" else 0.002), (app, event)  # what the desktop lights may be larger


def test_files_shows_what_is_chosen_renamed_and_in_the_bin(bundled_book: Book) -> None:
    desktop = desktop_with_documents()
    known = woken(desktop, bundled_book)
    told(known, desktop, Ask(1.0, "files"))
    for event in (Key(2.0, "down"), Key(3.0, "down"), Key(4.0, "r", ("ctrl",)), Key(5.0, "escape"), Key(6.0, "delete"), Key(11.0, "enter", ("alt",))):
        told(known, desktop, event)
        at = find(desktop.widgets, "Files").rect.meet(Rect(0, 0, SIZE[0], 200)).slices  # above the notice
        assert (known.planes[:3, *at] == planes_of(shown(desktop))[:3, *at]).all(0).float().mean() > 0.995, event


def test_what_is_typed_into_fields_is_shown(bundled_book: Book) -> None:
    """A new name in Files, what is looked for in a note, and in the log, by a dreamer that changes all that it may."""
    desktop = desktop_with_documents()
    dream = dream_of(desktop, bundled_book, belief=9.0)
    scenes = (
        ("Files/documents/new name", [Ask(1.0, "files"), Key(1.1, "down"), Key(1.2, "r", ("ctrl",))]),
        ("Notes/find", [Ask(21.0, "cow.txt"), Key(21.1, "f", ("ctrl",))]),
        ("Log/filter", [Ask(41.0, "log"), Key(41.1, "f", ("ctrl",))]),
    )
    for path, opens in scenes:
        dream.begin(request(desktop, guide=shown(desktop)))
        for event in (*opens, *(Text(opens[-1].t + (i + 1) / 4, letter) for i, letter in enumerate("cow")), Key(opens[-1].t + 2, "backspace")):
            desktop.handle(event)
            dream.answer(request(desktop, (event,)))
            if event not in opens:
                at = find(desktop.widgets, path).rect.inset(6, 3, 6, 3).slices
                assert (dream.guide[0][at] == shown(desktop).pixels[at]).all(-1).mean() > 0.98, (path, event)


def test_what_is_said_is_shown_and_goes(bundled_book: Book) -> None:
    """Above all else, and what it hid is there again."""
    desktop = desktop_with_documents()
    dream = dream_of(desktop, bundled_book, belief=-9.0)
    for event in (Ask(1.0, "log"), Key(2.0, "c", ("ctrl",))):
        desktop.handle(event)
        dream.answer(request(desktop, (event,)))
    assert desktop.notice and (dream.guide[0][280:352] == shown(desktop).pixels[280:352]).all()
    hidden = as_one(dream, SIZE, 3)
    desktop.advance(9.0)
    assert not desktop.notice
    (changed,) = dream.answer(request(desktop))
    assert changed.w < 200 and (dream.guide[0][280:352] == shown(desktop).pixels[280:352]).all()
    other = dream_of(desktop, bundled_book, belief=-9.0)
    other.restore(hidden)
    assert (other.guide[0] == dream.guide[0]).all(), "nothing of it is remembered"


def test_only_the_window_in_front_shows_what_has_the_focus(bundled_book: Book) -> None:
    desktop = desktop_with_documents()
    known = woken(desktop, bundled_book)
    for event in (Ask(1.0, "bread.md"), Ask(2.0, "snake"), Key(2.1, "p"), Key(3.0, "tab", ("alt",)), Key(4.0, "tab", ("alt",))):
        told(known, desktop, event)
        for path in ("Notes/text", "Snake/field"):
            box = next((w.rect for w in desktop.widgets if w.path == path), None)
            for edge in (box._replace(w=1, h=20), box._replace(w=20, h=1)) if box else ():
                assert (known.planes[:, *edge.slices] == planes_of(shown(desktop))[:, *edge.slices]).all(), (event, path, "its corners, too")
            if box and path == "Notes/text":
                mine, wanted = (caret_in(planes, box.inset(1, 1, 1, 1)) for planes in (known.planes, planes_of(shown(desktop))))
                assert mine == wanted and (mine is not None) == ("active" in find(desktop.widgets, "Notes").state), event


def text_shown(dream: Dream, desktop: Desktop) -> bool:
    """Whether the text of the window in front stands as the desktop shows it, caret and all."""
    at = find(desktop.widgets, "Notes/text").rect.inset(2, 2, 2, 2).slices
    return bool((dream.guide[0][at] == shown(desktop).pixels[at]).all())


def test_a_text_comes_back_as_it_was_left_before_the_dream(bundled_book: Book) -> None:
    """Scrolled, and with something selected."""
    desktop = desktop_with_documents()
    for event in (Ask(1.0, "bread.md"), Key(1.1, "end", ("ctrl",)), Key(1.2, "up"), Key(1.3, "home", ("shift",)), Ask(2.0, "milk.md")):
        desktop.handle(event)
    assert desktop.items
    dream = dream_of(desktop, bundled_book, belief=-9.0)
    for event in (Ask(3.0, "bread.md"), Text(3.5, "x"), Ask(4.0, "cow.txt"), Wheel(4.2, -3), Ask(5.0, "bread.md"), Key(5.5, "up", ("ctrl",))):
        desktop.handle(event)
        dream.answer(request(desktop, (event,)))
        assert text_shown(dream, desktop), event
    notes = desktop.stack.of("Notes")
    assert notes is not None and notes.app.in_text() is not None and notes.app.in_text()["top"] > 0


def test_a_text_whose_caret_is_out_of_view_is_written_on_where_it_is(bundled_book: Book) -> None:
    desktop = desktop_with_documents()
    for event in (Ask(1.0, "bread.md"), Key(1.1, "end", ("ctrl",)), Ask(2.0, "milk.md"), Ask(3.0, "bread.md")):
        desktop.handle(event)
    desktop.handle(Move(3.1, *find(desktop.widgets, "Notes/text").rect.centre))
    for i in range(9):
        desktop.handle(Wheel(3.2 + i / 10, 3))
    assert desktop.items
    dream = dream_of(desktop, bundled_book)
    for event in (Text(5.0, "c"), Text(5.1, "o"), Key(5.2, "backspace"), Key(5.3, "enter")):
        desktop.handle(event)
        dream.answer(request(desktop, (event,)))
        assert text_shown(dream, desktop), event


def test_a_press_right_below_the_rows_and_a_tool_that_scrolls_are_followed(bundled_book: Book) -> None:
    desktop = desktop_with_documents()
    desktop.handle(Ask(1.0, "bread.md"))
    dream = dream_of(desktop, bundled_book, belief=-9.0)
    x, y, _, h = find(desktop.widgets, "Notes/text").rect
    tops = set()
    events: list[Event] = [*(happen(2.0 + i / 10, "left", x + 40, y + h - 3) for i, happen in enumerate((Down, Up))), Key(2.5, "home", ("shift", "ctrl"))]
    for event in [*events, *click(desktop, "Notes/Heading")]:
        event = replace(event, t=desktop.t + 0.1)
        desktop.handle(event)
        dream.answer(request(desktop, (event,)))
        assert text_shown(dream, desktop), event
        tops.add(desktop.stack.windows[-1].app.in_text()["top"])  # type: ignore[index]
    assert len(tops) > 1


def test_what_is_searched_for_is_shown_in_the_text_and_the_field_keeps_the_focus(bundled_book: Book) -> None:
    """Typed, and the next one; a tool pressed meanwhile; what is found nowhere; and the window stays as round as it was."""
    desktop = Desktop(SIZE, Documents({"Bread.md": TEXT + "A loaf, the last loaf\n" + TEXT}))
    desktop.handle(Ask(1.0, "bread.md"))
    dream = dream_of(desktop, bundled_book, belief=-9.0)
    tops = set()
    for event in (Key(2.0, "f", ("ctrl",)), *(Text(2.1, letter) for letter in "loaf"), Key(3.0, "enter"), *click(desktop, "Notes/Heading"), Key(4.0, "enter"), Text(5.0, "#")):
        event = replace(event, t=round(desktop.t + 0.1, 2))
        desktop.handle(event)
        dream.answer(request(desktop, (event,)))
        assert text_shown(dream, desktop), event
        field = find(desktop.widgets, "Notes/find").rect.slices
        assert (dream.guide[0][field] == shown(desktop).pixels[field]).all(-1).mean() > 0.99, event
        tops.add(desktop.stack.windows[-1].app.in_text()["top"])  # type: ignore[index]
        round_at = find(desktop.widgets, "Notes").rect.slices
        assert ((dream.guide[2][round_at][..., 0] > 0) == (shown(desktop).forms[round_at][..., 0] > 0))[-3:].all(), event
    assert len(tops) > 1

"""What a dream follows to the pixel because it is told what has the keyboard, what is asked again, how a game stands, what can be
undone, and what a tool is."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from engine.desktop import bitmap
from engine.desktop.apps.snake import Snake
from engine.desktop.desktop import Desktop
from engine.desktop.documents import Documents
from engine.events import Ask, Down, Event, Key, Move, Text, Up, Wait, Wheel
from engine.forms import CAST
from engine.scene import find
from models.dreaming.book import Book
from models.dreaming.dream import Dream
from models.dreaming.papers import is_whole
from tests.test_dream_pages import bundled_book as bundled_book  # a fixture
from tests.test_dream_pages import click, desktop_with_documents, dream_of
from tests.test_dreaming import SIZE, request, shown


def alike(dream: Dream, desktop: Desktop) -> bool:
    """Whether it shows what the desktop does."""
    guide = shown(desktop)
    return bool((dream.guide[0] == guide.pixels).all() and (dream.guide[1] == guide.verbatim).all())


def keep_up(dream: Dream, desktop: Desktop, events: Iterable[Event]) -> list[bool]:
    """Whether it shows what the desktop does after each of the events."""
    found = []
    for event in events:
        desktop.handle(event)
        dream.answer(request(desktop, (event,)))
        found.append(alike(dream, desktop))
    return found


def keys(desktop: Desktop, *names: str) -> Iterable[Event]:
    for name in names:
        yield Key(round(desktop.t + 0.1, 2), name)


def still(desktop: Desktop, book: Book) -> Dream:
    """A dream whose dreamer changes nothing: all that it shows follows by rule."""
    return dream_of(desktop, book, belief=-9.0)


def test_the_icon_that_has_the_keyboard_is_lit(bundled_book: Book) -> None:
    desktop = Desktop(SIZE)
    dream, before = still(desktop, bundled_book), shown(desktop).pixels
    assert all(keep_up(dream, desktop, keys(desktop, "tab", "tab", "down", "up")))
    assert desktop.router.focus == "icons/Files" and (shown(desktop).pixels != before).any()
    lit = find(desktop.widgets, "icons/Files").rect.slices
    keep_up(dream, desktop, [Ask(9.0, "calculator")])
    assert (dream.guide[0][lit] == before[lit]).all(), "the window has it"
    assert keep_up(dream, desktop, [Key(9.2, "w", ("ctrl",))]) == [True] and (dream.guide[0][lit] != before[lit]).any()


@pytest.mark.parametrize("app", ["calculator", "files", "settings"])
def test_in_a_window_of_which_all_is_told_what_has_the_keyboard_is_edged(bundled_book: Book, app: str) -> None:
    desktop = desktop_with_documents()
    desktop.handle(Ask(1.0, app))
    dream = still(desktop, bundled_book)
    found = set()
    for right in keep_up(dream, desktop, keys(desktop, *["tab"] * 4)):
        assert right
        found.add(desktop.router.focus)
    assert found
    keep_up(dream, desktop, [Ask(9.0, "log"), Key(9.2, "tab", ("alt",))])
    window = next(w.rect for w in desktop.stack.windows if w.name.casefold() == app).slices
    assert (dream.guide[0][window] == shown(desktop).pixels[window]).all(), "another window had it, and gave it back"


def test_what_takes_something_away_asks_to_be_clicked_again(bundled_book: Book) -> None:
    desktop = desktop_with_documents()
    for event in (Ask(1.0, "settings"), Key(1.2, "left"), Key(1.3, "end")):
        desktop.handle(event)
    dream = still(desktop, bundled_book)
    assert all(keep_up(dream, desktop, click(desktop, "Settings/Forget")))
    assert desktop.features().work[0].asks
    assert all(keep_up(dream, desktop, click(desktop, "Settings/Forget"))) and not desktop.features().work[0].asks


def test_a_game_is_shown_as_it_stands_when_it_pauses_ends_or_begins(bundled_book: Book) -> None:
    desktop = Desktop(SIZE)
    desktop.handle(Ask(1.0, "snake"))
    dream = still(desktop, bundled_book)
    desktop.handle(Wait(2.0))  # it moved on, and nobody dreamt of it
    assert not alike(dream, desktop)
    assert all(keep_up(dream, desktop, keys(desktop, "space", "space")))
    desktop.handle(Wait(12.0))
    assert keep_up(dream, desktop, keys(desktop, "x")) == [True] and desktop.features().work[0].page == "over"
    assert keep_up(dream, desktop, keys(desktop, "enter")) == [True] and desktop.features().work[0].page == ""


def test_a_game_is_shown_as_it_stands_when_something_is_eaten(bundled_book: Book) -> None:
    desktop = Desktop(SIZE)
    desktop.handle(Ask(1.0, "snake"))
    dream, game = still(desktop, bundled_book), desktop.stack.windows[-1].app
    assert isinstance(game, Snake)
    x, y = game.body[0]
    game.food = x + 3, y
    desktop.stale()
    keep_up(dream, desktop, [Move(1.1, 5, 5)])
    assert alike(dream, desktop), "and where the food lies"
    right = keep_up(dream, desktop, [Wait(1.1 + i / 5) for i in range(1, 6)])
    assert game.score == 1 and True in right and False in right, "between, how it moves is dreamt, here by nobody"


@pytest.mark.parametrize("tool", ["b", "e", "f"])
def test_a_stroke_is_painted_while_the_button_is_down(bundled_book: Book, tool: str) -> None:
    desktop = Desktop(SIZE)
    desktop.handle(Ask(1.0, "paint"))
    view = find(desktop.widgets, "Paint/picture").rect
    x, y = view.x + 20, view.centre[1]
    for event in (Key(1.2, "5"), Move(1.3, x, y), Down(1.4, "left", x, y), Move(1.5, x + 40, y), Up(1.6, "left", x + 40, y), Key(1.7, "3"), Key(1.8, tool)):
        desktop.handle(event)
    dream, before = still(desktop, bundled_book), shown(desktop).pixels
    ways = [(x + 30, y), (x + 60, y + 20), (SIZE[0] + 40, y + 30), (x, y - 20)]
    events: list[Event] = [Down(2.0, "left", x, y), *(Move(round(2.1 + i / 10, 1), *at) for i, at in enumerate(ways)), Up(3.0, "left", x, y - 20)]
    assert all(keep_up(dream, desktop, events)) and (shown(desktop).pixels != before).any()
    lone = [Move(4.0, x, y + 5), Down(4.1, "right", x, y + 5), Key(4.2, "escape"), Move(4.3, x + 40, y)]
    before = shown(desktop).pixels[view.slices].copy()
    keep_up(dream, desktop, lone)
    assert (dream.guide[0][view.slices] == before).all(), "no tool is down"


def test_all_of_paint_is_as_it_is_told(bundled_book: Book) -> None:
    """Tools under a pointer and pressed, colours by the keyboard, its cross, and behind another window nothing that has the focus."""
    desktop = Desktop(SIZE)
    desktop.handle(Ask(1.0, "paint"))
    dream, view = still(desktop, bundled_book), find(desktop.widgets, "Paint/picture").rect
    events: list[Event] = []
    for i, name in enumerate(("eraser", "small", "teal", "fill", "brush")):
        x, y = find(desktop.widgets, f"Paint/{name}").rect.centre
        events += [Move(2.0 + i, x, y), Down(2.1 + i, "left", x, y), Up(2.2 + i, "left", x, y)]
    x, y = view.centre
    events += [Move(8.0, x, y), Down(8.1, "left", x, y), Move(8.2, x + 30, y), Up(8.3, "left", x + 30, y), Move(8.4, 200, SIZE[1] - 4)]
    events += [Key(9.0, "right"), Key(9.1, "down", ("shift",)), Key(9.2, "tab"), Key(9.3, "z", ("ctrl",)), Key(9.4, "]"), Ask(10.0, "calculator"), Ask(11.0, "paint")]
    assert all(keep_up(dream, desktop, events))


def test_all_of_the_log_is_as_it_is_told(bundled_book: Book) -> None:
    """What has the keyboard, what the pointer lights, its scroll bar, a filter."""
    desktop = Desktop(SIZE)
    for event in (Ask(1.0, "log"), *(Down(round(1.1 + i / 50, 2), "right", 500, 200 + i) for i in range(120)), Key(3.6, "escape")):
        desktop.handle(event)
    dream, (x, y) = still(desktop, bundled_book), find(desktop.widgets, "Log/Copy").rect.centre
    bar = find(desktop.widgets, "Log/scrollbar").rect
    events = [Move(4.0, x, y), Move(4.1, bar.centre[0], bar.bottom - 4), Down(4.2, "left", bar.centre[0], bar.bottom - 4), Move(4.3, bar.x, bar.y + 9), Up(4.4, "left", bar.x, bar.y + 9)]
    events += [Key(5.0, "f", ("ctrl",)), Text(5.1, "7"), Key(5.2, "enter"), Key(5.3, "up"), Key(5.4, "space", ("ctrl",)), Key(5.5, "escape")]
    assert all(keep_up(dream, desktop, events))


def test_a_text_behind_another_window_is_scrolled_and_told_the_length_of(bundled_book: Book) -> None:
    desktop = Desktop(SIZE)
    for event in (Ask(1.0, "notes"), Text(1.2, "\n".join(f"line {i} of a long text" for i in range(60)))):
        desktop.handle(event)
    assert desktop.items
    text = find(desktop.widgets, "Notes/text").rect
    desktop.handle(Ask(1.3, "calculator"))
    over = next(at for at in ((text.right - 30, text.bottom - 9), (text.x + 9, text.bottom - 9)) if not desktop.stack.windows[-1].rect.holds(*at))
    dream = still(desktop, bundled_book)
    assert all(keep_up(dream, desktop, [Wait(3.0), Move(3.1, *over), Wheel(3.2, -4), Wheel(3.3, 2)]))


def test_pictures_of_windows_in_another_size_of_text_are_no_older_than_what_is_told(bundled_book: Book) -> None:
    desktop = Desktop(SIZE)
    for event in (Ask(1.0, "notes"), Text(1.2, "one"), Ask(1.5, "paint")):
        desktop.handle(event)
    dream = still(desktop, bundled_book)
    x, y = find(desktop.widgets, "Paint/eraser").rect.centre
    events = [Ask(2.0, "bigger text"), Down(3.0, "left", x, y), Up(3.1, "left", x, y), Ask(4.0, "notes"), Text(4.5, " two"), Wait(20.0), Ask(21.0, "normal text")]
    for more, app in ((events, "Notes"), ([Ask(41.0, "paint")], "Paint")):
        keep_up(dream, desktop, more)
        window = next(window.rect for window in desktop.stack.windows if window.name == app).slices
        assert (dream.guide[0][window] == shown(desktop).pixels[window]).all(), app


def test_a_game_that_stands_still_is_as_it_is_told(bundled_book: Book) -> None:
    """Behind the ask bar, another window, and with what it says above its board."""
    desktop = Desktop(SIZE)
    desktop.handle(Ask(1.0, "snake"))
    dream, (x, y) = still(desktop, bundled_book), find(desktop.widgets, "Snake/title").rect.centre
    events = [Key(1.1, "space"), Move(1.2, x, y), Down(1.3, "left", x, y), Move(1.4, x - 40, y + 20), Up(1.5, "left", x - 40, y + 20)]
    events += [Key(2.0, "space", ("ctrl",)), Key(2.1, "escape"), Ask(3.0, "calculator"), Ask(4.0, "snake")]
    assert all(keep_up(dream, desktop, events))
    board = find(desktop.widgets, "Snake/field").rect.slices
    shadows = [forms[board][..., 3] & CAST for forms in (dream.guide[2], shown(desktop).forms)]
    assert (shadows[0] == shadows[1]).all() and shadows[0].any()


def test_a_text_behind_the_ask_bar_has_no_keyboard(bundled_book: Book) -> None:
    desktop = Desktop(SIZE)
    for event in (Ask(1.0, "notes"), Text(1.2, "a text")):
        desktop.handle(event)
    dream = still(desktop, bundled_book)
    assert all(keep_up(dream, desktop, [Key(2.0, "space", ("ctrl",)), Text(2.1, "d"), Key(2.2, "escape"), Text(2.3, "b")]))


def test_popups_stand_above_a_notice(bundled_book: Book) -> None:
    desktop = Desktop(SIZE)
    desktop.handle(Ask(1.0, "calculator"))
    dream, notice = still(desktop, bundled_book), Ask(2.0, "bigger text")
    events: list[Event] = [notice, Down(2.2, "right", SIZE[0] - 60, 250), Up(2.3, "right", SIZE[0] - 60, 250)]
    keep_up(dream, desktop, events)
    menu = find(desktop.widgets, "menu").rect.meet(find(desktop.widgets, "notice").rect)
    assert menu and (dream.guide[0][menu.slices] == shown(desktop).pixels[menu.slices]).all()


def test_buttons_in_the_taskbar_that_grow_narrow_keep_nothing_of_longer_names(bundled_book: Book) -> None:
    desktop = Desktop(SIZE)
    dream = still(desktop, bundled_book)
    events = [Move(0.5, 5, 5), *(Ask(1.0 + i, app) for i, app in enumerate(("calculator", "files", "notes", "settings", "log", "paint")))]
    assert all(keep_up(dream, desktop, [*events, Key(9.0, "w", ("ctrl",)), Key(10.0, "w", ("ctrl",)), Key(11.0, "m", ("alt",))]))


def test_a_picture_that_is_too_large_to_be_told_is_dreamt_beside_its_tools(bundled_book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.desktop.features.LARGEST", 0)
    desktop = Desktop(SIZE, Documents({"Cow.png": bitmap.encode(bitmap.blank(320, 240))}))
    desktop.handle(Ask(1.0, "cow.png"))
    dream = still(desktop, bundled_book)
    for event in (*click(desktop, "Paint/fill"), Move(5.0, 200, SIZE[1] - 4)):
        keep_up(dream, desktop, [event])
    tools = find(desktop.widgets, "Paint/eraser").rect.join(find(desktop.widgets, "Paint/brush").rect).slices
    assert not is_whole(desktop.features().work[0]) and (dream.guide[0][tools] == shown(desktop).pixels[tools]).all()


def test_undo_and_redo_stay_lit_where_a_text_is_laid_anew(bundled_book: Book) -> None:
    desktop = Desktop(SIZE)
    for event in (Ask(1.0, "notes"), Text(1.2, "alpha beta"), Text(1.4, " alpha"), Key(1.6, "z", ("ctrl",))):
        desktop.handle(event)
    assert desktop.features().work[0].place["deeds"] == (True, True)  # type: ignore[index]
    dream = still(desktop, bundled_book)
    searched = [Key(2.0, "f", ("ctrl",)), Text(2.2, "a"), Text(2.4, "l"), Key(2.6, "escape"), Key(2.8, "z", ("ctrl",))]
    assert all(keep_up(dream, desktop, searched))
    assert desktop.features().work[0].place["deeds"] == (False, True)  # type: ignore[index]


def test_a_text_is_scrolled_by_its_bar_which_takes_the_keyboard_until_the_text_is_pressed(bundled_book: Book) -> None:
    desktop = Desktop(SIZE)
    for event in (Ask(1.0, "notes"), Text(1.2, "\n".join(f"line {i} of a long text" for i in range(60))), Wait(2.0)):
        desktop.handle(event)
    dream, bar = still(desktop, bundled_book), find(desktop.widgets, "Notes/scrollbar").rect
    x, y = bar.centre[0], bar.y + 20
    scrolled = [Move(4.0, x, y), Down(4.1, "left", x, y), Move(4.2, x, y + 40), Up(4.3, "left", x, y + 40), Key(4.4, "up"), Text(4.5, "q")]
    assert all(keep_up(dream, desktop, scrolled)) and desktop.features().work[0].focus == "scrollbar"
    pressed = [Down(5.0, "left", bar.x - 60, y), Up(5.1, "left", bar.x - 60, y), Text(5.2, "h")]
    assert all(keep_up(dream, desktop, pressed)) and desktop.features().work[0].focus == "text"


def test_the_launcher_is_lit_beside_what_it_opened(bundled_book: Book) -> None:
    desktop = Desktop(SIZE)
    dream, (x, y) = still(desktop, bundled_book), find(desktop.widgets, "taskbar/Launcher").rect.centre
    pressed = [Move(1.0, x, y), Down(1.1, "left", x, y), Up(1.2, "left", x, y), Move(1.4, x + 1, y), Move(1.5, x + 100, y - 60), Key(1.8, "escape")]
    assert all(keep_up(dream, desktop, pressed)) and desktop.ask_bar is None


def test_beside_a_text_that_is_pressed_its_documents_stay_listed_and_its_length_is_told_as_it_is(bundled_book: Book) -> None:
    desktop = desktop_with_documents()
    desktop.handle(Ask(1.0, "bread.md"))
    for event in (*click(desktop, "Notes/Documents"), Wait(3.0)):
        desktop.handle(event)
    dream, text = still(desktop, bundled_book), find(desktop.widgets, "Notes/text").rect
    x, y = text.x + 60, text.y + 30
    selects: list[Event] = [Down(4.0, "left", x, y), Move(4.2, x + 30, y + 20), Up(4.3, "left", x + 30, y + 20)]
    assert all(keep_up(dream, desktop, [*selects, Down(5.0, "left", x, y), Up(5.1, "left", x, y), Text(5.2, "s")]))
    assert desktop.features().work[0].rows and desktop.features().work[0].place["characters"] is None  # type: ignore[index]
    keep_up(dream, desktop, [Wait(9.0)])
    label = find(desktop.widgets, "Notes/status").rect.slices
    assert (dream.guide[0][label] == shown(desktop).pixels[label]).all() and desktop.features().work[0].place["characters"]  # type: ignore[index]

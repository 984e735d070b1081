"""The desktop as a user has it: windows, menus, the ask bar, the keyboard alone, and the same again from the same."""

from __future__ import annotations

import json

import numpy as np
import pytest

from engine.desktop.asking import Shown, answer
from engine.desktop.bitmap import encode
from engine.desktop.desktop import Desktop
from engine.desktop.documents import Documents
from engine.desktop.looks import look
from engine.errors import InputError
from engine.events import Ask, Click, Down, Drag, Event, Key, Move, Style, Text, Up, Wait
from engine.geometry import Rect
from engine.guide import Guide
from engine.scene import find
from engine.styles import PRESETS, mix, turned
from models.synthetic.sessions import User as Stranger
from models.synthetic.sessions import play, random_desktop
from tests.user import PAPERS, User

SIZES = ((256, 192), (512, 384), (1024, 768))
TEXT_SIZES = (11, 13, 16, 20)


def front(user: User) -> str:
    window = user.desktop.stack.front
    return window.name if window else ""


def unknown_words(user: User) -> tuple[str, ...]:
    return look(user.desktop.style_words, user.desktop.documents)[1]


def place(user: User, app: str) -> Rect:
    window = user.desktop.stack.of(app)
    assert window is not None
    return window.rect


def shown(desktop: Desktop) -> Guide:
    guide = Guide(desktop.size)
    guide.update(desktop.items)
    return guide


# Windows


def test_an_icon_opens_an_app_in_front() -> None:
    user = User()
    user.clicks("icons/Notes")
    user.clicks("icons/Files")
    assert front(user) == "Files"
    assert user.names("window") == ["Notes", "Files"], "back to front"


def test_opening_an_open_app_brings_it_to_the_front() -> None:
    user = User("notes")
    user.does(Ask, "calculator")
    user.does(Ask, "Notes")
    assert front(user) == "Notes" and len(user.names("window")) == 2


def test_a_press_raises_and_focuses_a_window() -> None:
    user = User("notes")
    user.does(Ask, "calculator")
    user.clicks("Notes/title")
    assert front(user) == "Notes"
    user.types("Hello")
    assert "Hello" in user.sees("Notes/text").text


def test_a_window_follows_its_title_bar_and_stays_reachable() -> None:
    user = User("calculator")
    before = place(user, "Calculator")
    x, y = user.sees("Calculator/title").rect.centre
    user.drags((x, y), (x + 20, y + 10), (x + 40, y + 30))
    assert place(user, "Calculator") == before.shift(40, 30)
    user.does(Drag, "Calculator/title", (5000, 5000))
    assert user.sees("Calculator/title").rect.w >= 40
    user.does(Drag, "Calculator/title", (-5000, -5000))
    assert place(user, "Calculator").y >= 0 and user.sees("Calculator/title").rect.w >= 40


@pytest.mark.parametrize(
    ("handle", "change"), [("resize", (1, 1)), ("resize-right", (1, 0)), ("resize-bottom", (0, 1)), ("resize-left", (-1, 0))]
)
def test_edges_resize(handle: str, change: tuple[int, int]) -> None:
    user = User("notes", size=(1024, 768))
    before = place(user, "Notes")
    x, y = user.sees(f"Notes/{handle}").rect.centre
    user.drags((x, y), (x + 30, y + 20))
    after = place(user, "Notes")
    assert (after.w - before.w, after.h - before.h) == (30 * change[0], 20 * change[1])
    if handle == "resize-left":
        assert after.right == before.right


def test_a_window_cannot_be_made_smaller_than_it_can_be_used() -> None:
    user = User("notes")
    user.drags(user.sees("Notes/resize").rect.centre, (0, 0))
    rect = place(user, "Notes")
    assert rect.w >= 210 and rect.h >= 140


def test_minimise_and_back_by_the_taskbar() -> None:
    user = User("notes")
    user.clicks("Notes/minimise")
    assert front(user) == "" and "minimised" in user.sees("taskbar/Notes").state
    user.clicks("taskbar/Notes")
    assert front(user) == "Notes"
    user.clicks("taskbar/Notes")
    assert front(user) == "", "the front window's own button minimises it"


def test_maximise_and_back() -> None:
    user = User("notes")
    before = place(user, "Notes")
    user.clicks("Notes/maximise")
    assert place(user, "Notes") == user.desktop.work_area
    user.clicks("Notes/maximise")
    assert place(user, "Notes") == before
    user.clicks("Notes/title", times=2)
    assert place(user, "Notes") == user.desktop.work_area
    user.clicks("Notes/title", times=2)
    assert place(user, "Notes") == before, "a hand that goes up again drags nothing"


def test_a_maximised_window_keeps_filling_when_the_text_grows() -> None:
    user = User("notes")
    user.clicks("Notes/maximise")
    user.does(Ask, "bigger text")
    assert place(user, "Notes") == user.desktop.work_area


def test_closing_gives_the_focus_to_the_window_behind() -> None:
    user = User("notes")
    user.does(Ask, "calculator")
    user.clicks("Calculator/close")
    assert front(user) == "Notes" and user.names("window") == ["Notes"]
    user.types("on")
    assert "on" in user.sees("Notes/text").text


def test_a_release_over_a_window_that_is_gone_does_nothing() -> None:
    user = User("calculator")
    x, y = user.sees("Calculator/7").rect.centre
    user.does(Down, "left", x, y)
    user.presses("ctrl+w")
    user.does(Up, "left", x, y)
    assert user.names("window") == []


def test_a_button_released_elsewhere_is_not_pressed() -> None:
    user = User("calculator")
    user.does(Down, "left", *user.sees("Calculator/7").rect.centre)
    assert "pressed" in user.sees("Calculator/7").state
    user.does(Up, "left", 1, 1)
    assert user.sees("Calculator/display").text == "0"


def test_hover_is_seen_and_leaves() -> None:
    user = User("calculator")
    still = shown(user.desktop).pixels
    user.does(Move, *user.sees("Calculator/7").rect.centre)
    assert "hovered" in user.sees("Calculator/7").state
    assert (shown(user.desktop).pixels != still).any()
    user.does(Move, 300, 340)
    assert "hovered" not in user.sees("Calculator/7").state


# Menus


def test_a_context_menu_by_pointer() -> None:
    user = User("notes")
    user.right_clicks("Notes/title")
    assert {"Maximise", "Minimise", "Close"} <= set(user.names("entry"))
    user.clicks("Close")
    assert user.names("window") == [] and user.names("entry") == []


def test_a_context_menu_by_keyboard() -> None:
    user = User("settings")
    user.presses("shift+f10")
    count = len(user.names("entry"))
    user.presses(*["down"] * (count - 1), "enter")
    assert user.names("window") == [], "Close is the last entry"


def test_escape_and_a_press_outside_close_a_menu_and_nothing_else() -> None:
    user = User("notes")
    user.right_clicks("Notes/title")
    user.presses("escape")
    assert user.names("menu") == []
    user.right_clicks("Notes/title")
    user.clicks("icons/Log")
    assert user.names("menu") == [] and user.names("window") == ["Notes"]


def test_a_menu_longer_than_the_screen_scrolls() -> None:
    user = User("notes", size=(256, 192), text_size=20)
    user.types("Title")
    user.waits(3)
    user.right_clicks("Notes/title")
    entries = user.desktop.menu.entries if user.desktop.menu else ()
    assert len(user.names("entry")) < len(entries)
    user.presses("up")
    assert user.names("entry")[-1] == "Close"
    user.turns_wheel("menu", len(entries))
    assert user.names("entry")[0] == entries[0][0]


def test_the_bare_desktop_has_a_menu() -> None:
    user = User()
    user.does(Down, "right", 300, 200)
    user.does(Up, "right", 300, 200)
    user.clicks("Notes")
    assert front(user) == "Notes"


# The ask bar


def test_the_ask_bar_opens_an_app() -> None:
    user = User()
    user.presses("ctrl+space")
    user.types("calc")
    assert user.names("entry") == ["Calculator"]
    user.presses("enter")
    assert front(user) == "Calculator" and user.names("bar") == []


def test_a_suggestion_is_chosen_by_arrows_or_pointer() -> None:
    user = User(documents=PAPERS)
    user.presses("ctrl+space")
    user.types("a")
    entries = user.names("entry")
    user.presses("down", "down", "enter")
    assert front(user) == entries[1]
    user.clicks("taskbar/Launcher")
    user.clicks("ask/" + user.names("entry")[0])
    assert user.names("bar") == []


def test_escape_closes_the_ask_bar_and_typing_goes_on_where_it_was() -> None:
    user = User("notes")
    user.presses("ctrl+space")
    user.types("x")
    user.presses("escape")
    user.types("y")
    assert user.sees("Notes/text").text == "y"


@pytest.mark.parametrize(
    ("sentence", "reading"),
    [
        ("NOTES", ("open", "Notes")),
        ("open the calculator", ("open", "Calculator")),
        ("please open my calculator.", ("open", "Calculator")),
        ("open the file Alpha.txt", ("document", "Alpha.txt")),
        ("open my file beta", ("document", "beta.md")),
        ("show me the file “Alpha”", ("document", "Alpha.txt")),
        ("open the document beta", ("document", "beta.md")),
        ("new note", ("entry", "New note")),
        ("make me a new document", ("entry", "New note")),
        ("New drawing", ("entry", "New picture")),
        ("don't make the text bigger", ("prefer", None)),
        ("no rounded corners please", ("prefer", ("style", "no rounded corners please"))),
        ("show beta", ("document", "beta.md")),
        ("beta", ("document", "beta.md")),
        ("Alpha.txt", ("document", "Alpha.txt")),
        ("bigger text", ("prefer", ("text_size", 16))),
        ("text size 20", ("prefer", ("text_size", 20))),
        ("make it a cosy wooden cabin", ("prefer", ("style", "make it a cosy wooden cabin"))),
        ("snak", ("open", "Snake")),
    ],
)
def test_readings_of_a_sentence(sentence: str, reading: tuple[str, object]) -> None:
    reply = answer(sentence, ["Notes", "Calculator", "Snake"], Documents({"beta.md": "", "Alpha.txt": ""}), Shown(13, "light"))
    assert getattr(reply, reading[0]) == reading[1]


def test_a_new_note_or_picture_is_what_ctrl_n_begins() -> None:
    user = User(documents=PAPERS)
    for sentence, app, typed in (("new note", "Notes", "Apples"), ("open a new note", "Notes", "Pears"), ("new picture", "Paint", "")):
        user.does(Ask, app)
        user.does(Ask, sentence)
        assert user.desktop.stack.front.name == app and user.app.shown_document() == ""  # type: ignore[union-attr]
        user.types(typed)
    assert {"Apples.md", "Pears.md"} <= set(user.documents.names())
    assert user.documents.text("beta.md") == PAPERS["beta.md"]
    user.documents.write("new note.md", "mine")
    user.does(Ask, "new note")
    assert user.app.shown_document() == "new note.md", "a name beats what it might be"


def test_an_apps_name_beats_a_document_and_a_style() -> None:
    assert answer("paint", ["Paint"], Documents({"paint.md": ""}), Shown(13, "light")).open == "Paint"


def test_what_is_not_understood_is_said_and_changes_nothing() -> None:
    user = User()
    before = user.desktop.style_words
    user.does(Ask, "fly me to the moon")
    assert "fly me to the moon" in user.notice and user.desktop.style_words == before
    user.waits(5)
    assert "notice" not in user.names("label")


def test_the_launcher_learns_what_is_used() -> None:
    user = User()
    for _ in range(3):
        user.does(Ask, "snake")
        user.presses("ctrl+w")
    user.presses("ctrl+space")
    assert user.names("entry")[0] == "Snake"


def test_the_launcher_offers_the_last_document() -> None:
    user = User(documents=PAPERS)
    user.does(Ask, "gamma")
    user.presses("ctrl+space")
    assert "gamma.md" in user.names("entry")


def test_a_style_and_feedback_on_it() -> None:
    user = User()
    user.does(Style, "dark blue, rounded")
    user.presses("f7", "f7", "f8")
    assert user.desktop.context.liking == {"dark blue, rounded": 1}
    assert user.desktop.style.dark


def test_a_look_like_a_picture_of_ones_own() -> None:
    user = User()
    night = np.full((20, 20, 3), (10, 12, 60), np.uint8)
    night[5:9, 5:9] = 250, 210, 40
    user.desktop.documents.write("Harbour.png", encode(night))
    user.does(Ask, "look like harbour")
    assert user.desktop.style_words == "look like harbour" and not unknown_words(user)
    assert user.desktop.style.dark and abs(user.desktop.style.wall_hue - 0.66) < 0.03
    user.desktop.documents.delete("Harbour.png")
    assert not user.desktop.style.dark and unknown_words(user) == ("harbour",)
    user.desktop.documents.write("Broken.png", b"no picture")
    user.does(Style, "dark like broken")
    assert user.desktop.style.dark and unknown_words(user) == ("broken",)


def test_a_look_between_two() -> None:
    user = User()
    user.does(Ask, "between forest and wobbly candy")
    assert user.desktop.style == mix(PRESETS["forest"], turned(PRESETS["candy"], True), 0.5)
    assert unknown_words(user) == ("wobbly",)


# The keyboard alone


def test_everything_by_keyboard() -> None:
    user = User()
    user.presses("tab", "tab", "enter")
    first = front(user)
    assert first
    before = place(user, first)
    user.presses("alt+right", "alt+down")
    assert place(user, first) == before.shift(16, 16)
    user.presses("alt+shift+left")
    assert place(user, first).w == max(before.w - 16, user.desktop.stack.windows[0].smallest(15)[0])
    user.presses("alt+enter")
    assert place(user, first) == user.desktop.work_area
    user.presses("alt+enter", "ctrl+space")
    user.types("log")
    user.presses("enter", "alt+tab")
    assert front(user) == first
    user.presses("alt+m")
    assert front(user) == "Log"
    user.presses("alt+tab")
    assert front(user) == first, "a minimised window comes back, too"
    user.presses("ctrl+w", "alt+f4")
    assert user.names("window") == []


def test_tab_goes_round_in_the_front_window() -> None:
    user = User("settings", size=(1024, 768))
    user.does(Ask, "notes")
    user.does(Ask, "settings")
    seen = [user.desktop.router.focus]
    while len(seen) < 60 and (len(seen) < 2 or seen[-1] != seen[0]):
        user.presses("tab")
        seen.append(user.desktop.router.focus)
    assert len(set(seen)) > 10 and all(path.startswith("Settings/") for path in seen)
    user.presses("shift+tab")
    assert user.desktop.router.focus == seen[-2]


def test_text_for_a_widget_that_takes_none_counts_as_keys() -> None:
    user = User("calculator")
    user.types("7*6")
    user.presses("enter")
    assert user.sees("Calculator/display").text.endswith("42")


# Targets


def test_a_target_is_found_by_path_and_by_name_in_any_case() -> None:
    user = User()
    user.does(Click, "notes")
    assert front(user) == "Notes"
    user.does(Click, "Notes/Close")
    assert front(user) == ""


@pytest.mark.parametrize("event", [Click(1.0, "Nothing"), Drag(1.0, "Nothing", (5, 5))])
def test_a_target_that_is_not_there_changes_nothing(event: Event) -> None:
    user = User("notes")
    before = user.desktop.widgets
    with pytest.raises(InputError, match="no widget 'Nothing'"):
        user.desktop.handle(event)
    assert [w.path for w in user.desktop.widgets] == [w.path for w in before]


def test_a_covered_widget_is_refused() -> None:
    user = User("notes")
    user.clicks("Notes/maximise")
    with pytest.raises(InputError, match="covered"):
        user.does(Click, "icons/Log")


# Time


def test_the_clock_turns_with_the_minutes_of_the_wall() -> None:
    from datetime import datetime, timezone

    desktop = Desktop(start=datetime(2026, 1, 1, 9, 0, 58, tzinfo=timezone.utc))
    assert shown(desktop) and next(w.text for w in desktop.widgets if w.name == "clock") == "09:00"
    desktop.advance(2.5)
    assert next(w.text for w in desktop.widgets if w.name == "clock") == "09:01"


def test_nothing_changes_while_nothing_happens() -> None:
    user = User()
    user.waits(1)
    items = list(user.desktop.items)
    user.desktop.advance(user.desktop.t + 20)
    assert list(user.desktop.items) == items


def test_the_caret_blinks_and_typing_shows_it() -> None:
    user = User("notes")
    user.desktop.advance(user.desktop.t + 0.6)
    hidden = len(user.desktop.items)
    user.types("a")
    assert len(user.desktop.items) > hidden


# The same again


def test_the_same_events_give_the_same_screens() -> None:
    guides, scenes = [], []
    for _ in range(2):
        rng = np.random.default_rng(3)
        desktop = random_desktop(rng, (512, 384))
        stranger = Stranger(rng, desktop)
        for _ in range(80):
            play(desktop, stranger.act())
        guides.append(shown(desktop).pixels.tobytes())
        scenes.append([w.as_record() for w in desktop.widgets])
    assert guides[0] == guides[1] and scenes[0] == scenes[1]


@pytest.mark.parametrize("seed", range(8))
def test_a_state_brings_back_the_very_same_screen(seed: int) -> None:
    rng = np.random.default_rng(seed)
    desktop = random_desktop(rng, (512, 384))
    stranger = Stranger(rng, desktop)
    for _ in range(12):
        play(desktop, stranger.act())
    play(desktop, [Up(desktop.t, "left", *desktop.router.pointer), Key(desktop.t, "escape")])
    desktop.menu = None
    desktop.stale()
    wanted = shown(desktop)
    state = json.loads(json.dumps(desktop.state()))
    twin = Desktop((512, 384), Documents(desktop.documents.contents), desktop.clock.start, state)
    found = shown(twin)
    assert (found.pixels == wanted.pixels).all() and (found.ink == wanted.ink).all()
    later = [Text(desktop.t + 0.3, "And so on"), Key(desktop.t + 0.4, "tab"), Wait(desktop.t + 2.0)]
    play(desktop, later)
    play(twin, later)
    assert [w.as_record() for w in twin.widgets] == [w.as_record() for w in desktop.widgets]


# Small screens, large letters


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("text_size", TEXT_SIZES)
def test_shell_and_windows_fit_every_screen_and_text_size(size: tuple[int, int], text_size: int) -> None:
    user = User(size=size, text_size=text_size)
    screen = Rect(0, 0, *size)
    icons = [w for w in user.desktop.widgets if w.role == "icon"]
    assert len(icons) == 7 and all(screen.covers(w.rect) and w.rect.h >= 28 for w in icons)
    for app in ("notes", "files", "paint", "calculator", "settings", "snake", "log"):
        user.does(Ask, app)
        window = user.sees(user.names("window")[-1])
        assert user.desktop.work_area.covers(window.rect)
        close = user.sees(f"{window.name}/close")
        assert screen.covers(close.rect) and close.rect.w >= 12
    user.does(Ask, "fly me to the moon")
    notice = user.sees("notice").rect
    assert screen.covers(notice)
    words = " ".join(text for text in user.texts if text in user.notice)
    assert user.notice in words, "all of it can be read"
    tasks = [w.rect for w in user.desktop.widgets if w.path.startswith("taskbar/") and w.role == "button"]
    assert all(screen.covers(r) and r.w >= 12 for r in tasks)
    user.presses("ctrl+space")
    bar = user.sees("ask").rect
    assert all(bar.covers(user.sees(f"ask/{name}").rect) for name in user.names("entry")) and user.names("entry")


def test_the_log_shows_the_event_that_opened_it_and_every_one_after() -> None:
    desktop = Desktop((512, 384))
    x, y = find(desktop.widgets, "Log").rect.centre
    for i in range(2):
        for press in (Down, Up):
            desktop.handle(press(1.0 + i / 10, "left", x, y))
    assert find(desktop.widgets, "Log/lines").text.splitlines()[-1].split()[1] == "up"
    desktop.handle(Key(2.0, "f5"))
    assert find(desktop.widgets, "Log/lines").text.splitlines()[-1].split()[1:] == ["key", "f5"]

"""Settings and Log as a user uses them, and what holds for every app."""

from __future__ import annotations

import json

import pytest

from engine.desktop import bitmap
from engine.drawing import Glyphs
from engine.events import Move
from engine.guide import Guide
from engine.typeface import line_height, width
from tests.user import PAPERS, User

# Settings


def test_choosing_a_style_and_a_text_size() -> None:
    user = User("settings", size=(1024, 768))
    user.clicks("ocean")
    assert user.desktop.style_words == "ocean"
    user.clicks("Text size 20")
    assert user.desktop.text_size == 20
    assert user.sees("Text size 20").value is True


def test_what_counts_from_the_next_start() -> None:
    user = User("settings", size=(1024, 768))
    user.clicks("System")
    for name, key in (("640x448", "size"), ("dream", "mode"), ("guide", "checkpoint")):
        user.clicks(f"Settings/{name}")
        assert user.desktop.preference(key) == name
    assert user.sees("Window size and mode count from the next start, a checkpoint at once.")


def test_forgetting_asks_a_second_time() -> None:
    user = User("settings", size=(1024, 768))
    user.clicks("About you")
    assert any("opened Settings" in name for name in user.names("label"))
    user.clicks("Forget")
    assert user.sees("Forget").text == "Click again to forget"
    user.clicks("Forget")
    assert not any("opened Settings" in name for name in user.names("label"))


@pytest.mark.parametrize("notches", range(9))
def test_whatever_is_in_sight_answers_the_first_click(notches: int) -> None:
    """A page that scrolled under the pointer when something at its edge was pressed would swallow the click."""
    user = User("settings", size=(256, 192))
    user.clicks("System")
    user.turns_wheel("Settings/page", -notches)
    rows = [w for w in user.desktop.widgets if w.role in ("row", "toggle") and w.rect.y > user.sees("Settings/System").rect.bottom]
    for name in [w.name for w in rows if w.rect]:
        user.clicks(f"Settings/{name}")
        chosen = {user.desktop.preference(key) for key in ("size", "mode", "checkpoint")}
        assert name in chosen or name.casefold() in chosen


def test_settings_by_keyboard_in_the_smallest_window() -> None:
    user = User("settings", size=(256, 192))
    for _ in range(60):
        user.presses("down")
        if user.desktop.router.focus == "Settings/Text size 20":
            break
    assert "focused" in user.sees("Text size 20").state, "scrolled into view"
    user.presses("enter")
    assert user.desktop.text_size == 20


def test_tabs_by_arrow_keys() -> None:
    user = User("settings")
    user.presses("right")
    assert user.app.page == "System"
    user.presses("left", "left")
    assert user.app.page == "About you"


# Log


def test_the_log_shows_what_happened_newest_last() -> None:
    user = User("log")
    user.presses("f9", "f11")
    assert user.sees("lines").text.splitlines()[-1].split()[-2:] == ["key", "f11"]


def test_the_log_follows_its_end_unless_scrolled_up() -> None:
    user = User("log")
    user.presses(*["f9"] * 40)
    user.turns_wheel("lines", 2)
    seen = user.sees("lines").text
    user.presses("f11")
    assert user.sees("lines").text == seen
    user.presses("end", "f11")
    assert user.sees("lines").text.splitlines()[-1].endswith("f11")


def test_filtering_and_copying_the_log() -> None:
    user = User("log")
    user.presses("f9", "f11", "f9", "ctrl+f")
    user.types("F11")
    assert all("f11" in line.casefold() for line in user.sees("lines").text.splitlines())
    user.clicks("Copy")
    assert "f11" in user.desktop.clipboard and "f9" not in user.desktop.clipboard


def test_a_long_line_is_wrapped() -> None:
    user = User("log")
    user.presses("ctrl+f")
    user.types("x" * 100)
    user.presses("escape")
    assert user.sees("lines").text.count("x") >= 100


# All of them

EVERY = ("Files", "Paint", "Calculator", "Settings", "Snake", "Log")
PICTURE = bitmap.encode(bitmap.blank(64, 48))


def busy(app: str) -> User:
    """A user in the middle of something."""
    user = User(app, documents={**PAPERS, "Sun.png": PICTURE})
    if app == "Files":
        user.presses("b", "ctrl+r")
        user.types("new")
    elif app == "Paint":
        user.presses("4", "]", "space", "ctrl+right", "shift+down", "ctrl+z")
    elif app == "Calculator":
        user.types("1/3=")
        user.types("*2+")
    elif app == "Settings":
        user.presses("right", "down", "down", "pagedown")
    elif app == "Snake":
        user.waits(0.6)
        user.types("wa")
        user.presses("p")
    else:
        user.presses(*["f9"] * 30, "pageup", "ctrl+f")
        user.types("f")
    return user


@pytest.mark.parametrize("app", EVERY)
def test_a_restart_changes_nothing(app: str) -> None:
    user = busy(app)
    back = user.comes_back()
    assert back.app.state() == user.app.state()
    if app != "Log":  # its lines are of this start
        seen = [(w.path, w.text, w.value, w.rect) for w in user.desktop.widgets if w.path.startswith(app)]
        assert [
            (w.path, w.text, w.value, w.rect) for w in back.desktop.widgets if w.path.startswith(app)
        ] == seen


@pytest.mark.parametrize("app", EVERY)
def test_every_app_has_a_menu_and_answers_any_key(app: str) -> None:
    user = busy(app)
    assert all(label and callable(action) for label, action in user.app.menu())
    user.presses(
        "up", "down", "left", "right", "home", "end", "pageup", "pagedown", "tab", "insert", "delete"
    )
    user.presses("backspace", "a", "7", "%", "[", "enter", "space", "shift+f10", "escape")
    user.turns_wheel(app, 1)
    user.turns_wheel(app, -5)
    json.dumps(user.desktop.state())


@pytest.mark.parametrize("app", EVERY)
@pytest.mark.parametrize("text_size", [11, 13, 16, 20])
@pytest.mark.parametrize("size", [(256, 192), (512, 384), (1024, 768)])
def test_text_stays_inside_its_window(app: str, text_size: int, size: tuple[int, int]) -> None:
    """No line of text is cut at a side; above and below, only what scrolls may be."""
    user = User(app, size=size, text_size=text_size, documents={**PAPERS, "Sun.png": PICTURE})
    user.does(Move, 0, 0)
    Guide(size).update(user.desktop.items)
    shapes = [getattr(item, "shape", "") for item in user.desktop.items]
    for item in user.desktop.items[shapes.index("window") : shapes.index("bar")]:
        if not isinstance(item, Glyphs):
            continue
        assert item.rect.w >= width(item.face, item.text), f"{item.text!r} is cut at a side"
        assert app == "Settings" or item.rect.h == line_height(item.face), f"{item.text!r} is cut"


@pytest.mark.parametrize("app", EVERY)
def test_no_two_things_to_click_overlap(app: str) -> None:
    for text_size in (11, 20):
        user = User(app, text_size=text_size, documents={**PAPERS, "Sun.png": PICTURE})
        boxes = [
            w
            for w in user.desktop.widgets
            if w.path.startswith(app + "/") and w.role in ("button", "toggle", "field")
        ]
        for i, one in enumerate(boxes):
            for other in boxes[:i]:
                assert not one.rect.meet(other.rect), f"{one.path} and {other.path}"

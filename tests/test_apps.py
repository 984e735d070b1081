"""The six smaller apps, used as a user would: through the desktop, by pointer and by keyboard."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.desktop import bitmap
from engine.desktop.desktop import Desktop
from engine.desktop.documents import Documents
from engine.drawing import Glyphs
from engine.events import Ask, Click, Down, Event, Key, Move, Text, Up, Wait, Wheel
from engine.guide import Guide
from engine.scene import Widget, find
from engine.typeface import line_height, width


class User:
    """Somebody at a desktop: every act is an event, a twentieth of a second after the last."""

    def __init__(
        self, app: str = "", size: tuple[int, int] = (512, 384), text_size: int = 13, **contents: Any
    ) -> None:
        self.desktop = Desktop(size, Documents(contents.get("documents")))
        if text_size != 13:
            self.desktop.prefer("text_size", text_size)
        if app:
            self.does(Ask, app)

    def does(self, kind: type[Event], *values: Any, after: float = 0.05) -> None:
        self.desktop.handle(kind(round(self.desktop.t + after, 3), *values))

    def types(self, text: str) -> None:
        self.does(Text, text)

    def presses(self, *keys: str) -> None:
        """Keys, modifiers joined by plus: "ctrl+z"."""
        for key in keys:
            *mods, name = key.split("+") if len(key) > 1 else (key,)
            self.does(Key, name, tuple(mods))

    def clicks(self, target: str, times: int = 1) -> None:
        for i in range(times):
            self.does(Click, target, after=0.05 if i else 1.0)

    def drags(self, *points: tuple[int, int]) -> None:
        self.does(Down, "left", *points[0], after=1.0)
        for point in points[1:]:
            self.does(Move, *point)
        self.does(Up, "left", *points[-1])

    def turns_wheel(self, target: str, notches: int) -> None:
        self.does(Move, *self.sees(target).rect.centre)
        self.does(Wheel, notches)

    def right_clicks(self, target: str) -> None:
        x, y = self.sees(target).rect.centre
        self.does(Down, "right", x, y)
        self.does(Up, "right", x, y)

    def waits(self, seconds: float) -> None:
        self.does(Wait, after=seconds)

    def sees(self, target: str) -> Widget:
        return find(self.desktop.widgets, target)

    def names(self, role: str) -> list[str]:
        return [w.name for w in self.desktop.widgets if w.role == role and w.rect]

    @property
    def app(self) -> Any:
        return self.desktop.stack.front.app  # type: ignore[union-attr]

    @property
    def documents(self) -> Documents:
        return self.desktop.documents

    @property
    def notice(self) -> str:
        return self.sees("notice").text

    def comes_back(self) -> User:
        """The program was killed and started again: only JSON and the documents remain."""
        back = User(size=self.desktop.size)
        state = json.loads(json.dumps(self.desktop.state()))
        back.desktop = Desktop(self.desktop.size, Documents(self.documents.contents), state=state)
        return back


def picture(user: User) -> np.ndarray:
    """What is kept of the picture: the PNG in the documents."""
    content = user.documents.read("Picture.png")
    assert isinstance(content, bytes)
    return np.array(Image.open(io.BytesIO(content)))


# Calculator


@pytest.mark.parametrize(
    ("typed", "shows"),
    [
        ("0.1+0.2", "0.3"),
        ("2+3*4", "14"),
        ("(2+3)*4", "20"),
        ("8/2/2", "2"),
        ("-5+2", "−3"),
        ("6*-2", "−12"),
        ("200+10%", "220"),
        ("200*10%", "20"),
        ("2(3+4", "14"),
        ("1/3", "0.3333333333333333"),
        ("9999999999999999+1", "1e16"),
        ("0,5*3", "1.5"),
        ("1-0.9", "0.1"),
        ("1/8", "0.125"),
    ],
)
def test_the_calculator_knows_arithmetic(typed: str, shows: str) -> None:
    user = User("calculator")
    user.types(typed)
    user.presses("enter")
    assert user.sees("display").text == shows


def test_a_third_times_three_is_one() -> None:
    user = User("calculator")
    user.types("1/3=")
    user.types("*3=")
    assert user.sees("display").text == "1"


def test_the_calculator_by_pointer() -> None:
    user = User("calculator")
    for key in ("7", "×", "(", "8", "−", "2", ")", "="):
        user.clicks(key)
    assert user.sees("display").text == "42"
    user.clicks("±")
    assert user.sees("display").text == "−42"
    user.clicks("C")
    assert user.sees("display").text == "0"


def test_enter_means_equals_after_a_click_on_a_key() -> None:
    user = User("calculator")
    user.clicks("7")
    user.presses("+", "1", "enter")
    assert user.sees("display").text == "8"


def test_dividing_by_zero_is_said_and_can_be_mended() -> None:
    user = User("calculator")
    user.types("5/0=")
    assert user.sees("display").text == "Cannot divide by zero"
    user.presses("backspace")
    assert user.sees("display").text == "5÷0"
    user.presses("backspace", "2", "enter")
    assert user.sees("display").text == "2.5"


def test_an_unfinished_sum_is_not_lost() -> None:
    user = User("calculator")
    user.types("5+=")
    assert "missing" in user.sees("display").text
    user.presses("3", "enter")
    assert user.sees("display").text == "3", "a digit after a message begins anew"
    user.types("5+=")
    user.presses("backspace", "3", "=")
    assert user.sees("display").text == "8"


def test_what_cannot_follow_is_not_taken() -> None:
    user = User("calculator")
    user.types("1.2.3++4)")
    assert user.sees("display").text == "1.23+4"


def test_the_result_is_copied_and_pasted() -> None:
    user = User("calculator")
    user.types("2-7=")
    user.presses("ctrl+c", "escape", "ctrl+v")
    assert user.desktop.clipboard == "-5"
    assert user.sees("display").text == "−5"


def test_results_are_shown_above_the_display() -> None:
    user = User("calculator")
    user.types("6*7=")
    user.types("1+1=")
    texts = [item.text for item in user.desktop.items if isinstance(item, Glyphs)]
    assert "1+1 = 2" in texts


# Snake


def test_the_snake_moves_by_itself_and_turns() -> None:
    user = User("snake")
    before = user.app.body[0]
    user.waits(0.6)
    assert user.app.body[0] == (before[0] + 3, before[1])
    user.presses("up")
    user.waits(0.4)
    assert user.app.body[0][1] < before[1]


def test_two_quick_turns_are_both_taken_but_no_turning_back() -> None:
    user = User("snake")
    user.presses("left")
    user.waits(0.2)
    assert user.app.heading == "right"
    user.types("wa")
    user.waits(0.5)
    assert user.app.heading == "left"


def test_eating_grows_the_snake() -> None:
    user = User("snake")
    x, y = user.app.body[0]
    user.app.food = (x + 1, y)
    user.waits(0.2)
    assert user.app.score == 1 and len(user.app.body) == 4
    assert user.sees("score").text == "Score 1" and user.sees("best").text == "Best 1"
    assert user.app.food not in user.app.body


def test_the_wall_ends_the_game_and_enter_begins_another() -> None:
    user = User("snake")
    user.waits(5)
    assert user.sees("field").text == "Game over"
    user.presses("enter")
    assert user.sees("field").text == "Playing"


def test_the_snake_waits_while_the_keyboard_is_elsewhere() -> None:
    user = User("snake")
    user.presses("ctrl+space")
    user.waits(5)
    user.presses("escape")
    assert user.sees("field").text == "Paused"
    user.presses("space")
    assert user.sees("field").text == "Playing"


def test_food_is_the_same_in_every_replay() -> None:
    games = []
    for _ in range(2):
        user = User("snake")
        user.waits(0.4)
        user.presses("up")
        user.waits(1)
        games.append(user.app.state())
    assert games[0] == games[1]


# Paint


def middle(user: User) -> tuple[int, int]:
    return user.sees("Paint/picture").rect.centre


def test_a_stroke_is_in_the_documents_when_it_ends() -> None:
    user = User("paint")
    x, y = middle(user)
    assert user.documents.names() == []
    user.clicks("red")
    user.drags((x - 50, y), (x, y), (x + 50, y))
    pixels = picture(user)
    red = (pixels == (214, 48, 49)).all(2)
    assert red[120, 112:209].all(), "no gaps between the points of a stroke"
    assert not red[100].any() and not red[140].any()
    assert user.sees("Paint/title").text == "Picture.png · Paint"


def test_filling_stops_at_lines() -> None:
    user = User("paint")
    view = user.sees("Paint/picture").rect
    x, y = view.centre
    user.drags((x, view.y), (x, view.bottom + 30))
    user.clicks("fill")
    user.clicks("blue")
    user.drags((x - 80, y))
    pixels = picture(user)
    assert (pixels[:, :150] == (45, 98, 200)).all()
    assert (pixels[:, 170:] == 255).all()


def test_filling_a_maze_is_bounded() -> None:
    maze = bitmap.blank(320, 240)
    for row in range(1, 240, 2):
        maze[row] = 0
        maze[row, 0 if row % 4 == 1 else -1] = 255
    bitmap.flood(maze, 5, 0, (1, 2, 3))
    assert not (maze == 255).all(2).any()
    noise = np.random.default_rng(3).integers(0, 2, (480, 640, 1), np.uint8).repeat(3, 2) * 255
    bitmap.flood(noise, 320, 240, (9, 9, 9))


def test_undo_and_redo() -> None:
    user = User("paint")
    x, y = middle(user)
    user.drags((x - 20, y), (x + 20, y))
    first = picture(user)
    user.clicks("clear")
    assert (picture(user) == 255).all()
    user.presses("ctrl+z")
    assert (picture(user) == first).all()
    user.clicks("undo")
    assert (picture(user) == 255).all()
    user.presses("ctrl+y")
    assert (picture(user) == first).all()


def test_painting_by_keyboard_alone() -> None:
    user = User("paint")
    user.presses("5", "b", "]", "right", "space", "shift+right", "shift+down")
    pixels = picture(user)
    assert tuple(pixels[120, 166]) == tuple(pixels[126, 172]) == (240, 140, 40)
    user.presses("e", "left", "up", "space")
    assert tuple(picture(user)[120, 166]) == (255, 255, 255)
    user.presses("f", "9", "ctrl+left", "ctrl+left", "enter")
    assert tuple(picture(user)[5, 5]) == (45, 98, 200)


def test_swatches_by_arrow_keys() -> None:
    user = User("paint")
    user.clicks("black")
    user.presses("right", "down")
    assert user.app.colour == "orange"
    assert user.sees("orange").state == ("checked", "focused")


def test_an_unfinished_stroke_and_its_undo_survive_a_kill() -> None:
    user = User("paint")
    x, y = middle(user)
    user.drags((x - 60, y - 30), (x + 20, y - 30))
    first = picture(user)
    user.clicks("teal")
    user.does(Down, "left", x, y)
    user.does(Move, x + 30, y)
    back = user.comes_back()
    assert (back.app.pixels == user.app.pixels).all()
    back.app.closing()
    assert tuple(picture(back)[120, 175]) == (40, 160, 160)
    back.presses("ctrl+z")
    assert (picture(back) == first).all()


def test_a_picture_follows_its_document_to_a_new_name() -> None:
    user = User("paint")
    x, y = middle(user)
    user.drags((x, y))
    user.documents.rename("Picture.png", "Cat.png")
    user.drags((x + 40, y))
    assert user.documents.names() == ["Cat.png"]
    user.waits(0.2)
    assert user.sees("Paint/title").text == "Cat.png · Paint"


def test_a_deleted_picture_is_not_written_over_in_the_bin() -> None:
    user = User("paint")
    x, y = middle(user)
    user.drags((x, y))
    kept = user.documents.read("Picture.png")
    user.documents.delete("Picture.png")
    user.drags((x + 40, y))
    assert user.documents.read(".bin/Picture.png") == kept
    assert user.documents.names() == ["Picture.png"]


def test_a_large_picture_is_shown_small_and_left_as_it_is() -> None:
    out = io.BytesIO()
    Image.new("RGB", (1600, 1200), (10, 200, 30)).save(out, "PNG")
    user = User(documents={"Photo.png": out.getvalue()})
    user.does(Ask, "Photo.png")
    assert "1600×1200" in user.notice
    assert user.app.pixels.shape == (480, 640, 3)
    user.drags(middle(user))
    assert user.documents.read("Photo.png") == out.getvalue()
    assert user.documents.names() == ["Photo 2.png", "Photo.png"]


def test_a_damaged_picture_is_said_and_left_alone() -> None:
    user = User(documents={"Broken.png": b"\x89PNG\r\n\x1a\n nothing"})
    user.does(Ask, "Broken.png")
    assert "Broken.png cannot be read" in user.notice
    user.drags(middle(user))
    assert user.documents.read("Broken.png") == b"\x89PNG\r\n\x1a\n nothing"


def test_the_same_picture_makes_the_same_bytes() -> None:
    pixels = bitmap.blank(40, 30)
    bitmap.stroke(pixels, (5, 5), (30, 20), 7, (1, 2, 3))
    assert bitmap.encode(pixels) == bitmap.encode(pixels.copy())
    again, size = bitmap.decode("x.png", bitmap.encode(pixels))
    assert size == (40, 30) and (again == pixels).all()


# Files

PAPERS = {"beta.md": "two words", "Alpha.txt": "one", "gamma.md": ""}


def rows(user: User) -> list[str]:
    return user.names("row")


def test_documents_are_listed_by_name_with_their_length() -> None:
    user = User("files", documents=PAPERS)
    assert rows(user) == ["Alpha.txt", "beta.md", "gamma.md"]
    texts = [item.text for item in user.desktop.items if isinstance(item, Glyphs)]
    assert {"1 word", "2 words", "empty"} <= set(texts)


def test_a_double_click_opens_a_document_in_its_app() -> None:
    user = User("files", documents=PAPERS)
    user.clicks("beta.md", times=2)
    assert user.app.name == "Notes"


def test_a_picture_opens_in_paint_by_keyboard() -> None:
    user = User("files", documents={**PAPERS, "Sun.png": bitmap.encode(bitmap.blank(64, 48))})
    user.presses("s", "enter")
    assert user.app.name == "Paint" and user.app.document == "Sun.png"


def test_delete_and_bring_back() -> None:
    user = User("files", documents=PAPERS)
    user.presses("end", "delete")
    assert rows(user) == ["Alpha.txt", "beta.md"]
    user.presses("ctrl+z")
    assert rows(user) == ["Alpha.txt", "beta.md", "gamma.md"]
    user.clicks("Alpha.txt")
    user.clicks("Delete")
    user.clicks("Bin")
    assert rows(user) == ["Alpha.txt"]
    user.clicks("Alpha.txt", times=2)
    user.clicks("Documents")
    assert rows(user) == ["Alpha.txt", "beta.md", "gamma.md"]


def test_the_bin_is_emptied_only_by_a_second_click() -> None:
    user = User("files", documents=PAPERS)
    user.presses("home", "delete")
    user.clicks("Bin")
    user.clicks("Empty bin")
    assert rows(user) == ["Alpha.txt"]
    assert user.sees("Empty bin").text == "Click again"
    user.clicks("Empty bin")
    assert rows(user) == [] and user.documents.names(binned=True) == []


def test_renaming_in_place() -> None:
    user = User("files", documents=PAPERS)
    user.presses("b", "ctrl+r")
    user.types("Delta")
    assert user.sees("new name").text == "Delta.md"
    user.presses("enter")
    assert rows(user) == ["Alpha.txt", "Delta.md", "gamma.md"]
    assert user.documents.text("Delta.md") == "two words"
    assert "selected" in user.sees("Delta.md").state


def test_a_name_that_is_taken_is_refused_in_words() -> None:
    user = User("files", documents=PAPERS)
    user.clicks("beta.md")
    user.clicks("Rename")
    user.presses("ctrl+a")
    user.types("gamma")
    user.presses("enter")
    assert "taken" in user.notice
    user.presses("escape")
    assert rows(user) == ["Alpha.txt", "beta.md", "gamma.md"]


def test_the_context_menu_of_a_document() -> None:
    user = User("files", documents=PAPERS)
    user.right_clicks("gamma.md")
    assert {"Open", "Rename", "Delete"} <= set(user.names("entry"))
    user.clicks("menu/Delete")
    assert rows(user) == ["Alpha.txt", "beta.md"]


def test_a_long_list_scrolls_with_the_selection_and_the_wheel() -> None:
    user = User("files", documents={f"note {i:03}.md": "" for i in range(60)})
    user.presses("end")
    assert rows(user)[-1] == "note 059.md"
    user.turns_wheel("Files/documents", 40)
    assert rows(user)[0] == "note 000.md"
    user.presses("home", "down")
    assert "selected" in user.sees("note 001.md").state


def test_an_empty_folder_says_so() -> None:
    user = User("files")
    assert user.sees("No documents yet.")
    user.presses("down", "enter", "delete", "ctrl+r")


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
    assert user.sees("Window size, mode and checkpoint count from the next start.")


def test_forgetting_asks_a_second_time() -> None:
    user = User("settings", size=(1024, 768))
    user.clicks("About you")
    assert any("opened Settings" in name for name in user.names("label"))
    user.clicks("Forget")
    assert user.sees("Forget").text == "Click again to forget"
    user.clicks("Forget")
    assert not any("opened Settings" in name for name in user.names("label"))


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

"""Paint, as a user uses it, and the pixels under it."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from engine.desktop import bitmap
from engine.errors import InputError
from engine.events import Ask, Down, Move
from tests.user import User


def picture(user: User) -> np.ndarray:
    """What is kept of the picture: the PNG in the documents."""
    content = user.documents.read("Picture.png")
    assert isinstance(content, bytes)
    return np.array(Image.open(io.BytesIO(content)))


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
    assert user.app.box.colour == "orange"
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


def test_a_damaged_history_is_refused_when_it_is_read() -> None:
    pixels = bitmap.blank(40, 30)
    after = pixels.copy()
    after[3:9, 4:20] = 0
    change = bitmap.Change.between(pixels, after)
    assert change is not None
    record = change.as_record()
    assert bitmap.Change.from_record(record, pixels) == change
    for damaged in ([[30, 0, 20, 6], *record[1:]], [record[0], "AAAA", record[2]]):
        with pytest.raises(InputError, match="damaged"):
            bitmap.Change.from_record(damaged, pixels)

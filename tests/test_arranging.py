"""Layout by the ask bar: what is said of windows moves them as their keys do, and nothing else is taken for it."""

from __future__ import annotations

from itertools import combinations, permutations
from pathlib import Path

import numpy as np
import pytest

from engine.desktop.arranging import Arrangement
from engine.desktop.asking import Answer, Shown, answer
from engine.desktop.desktop import Desktop
from engine.desktop.documents import Documents
from engine.desktop.stack import SIDES, half, tiles
from engine.desktop.window import Window
from engine.events import Ask
from engine.geometry import Rect
from engine.mailbox import DirectMailbox
from engine.painter import GuidePainter, PainterSpec
from engine.replay import replay
from engine.session import Session
from engine.trace import parse_trace
from tests.user import PAPERS, User

APPS = ["Notes", "Files", "Paint", "Calculator", "Snake"]
PLAIN, TURNS, PICTURE = Shown(13, "light"), Shown(13, "light", turns=True), Shown(13, "light", picture=True, turns=True)


def read(sentence: str, shown: Shown = PLAIN) -> Answer:
    return answer(sentence, APPS, Documents({**PAPERS, "salt and pepper.md": ""}), shown)


def window(user: User, app: str) -> Window:
    found = user.desktop.stack.of(app)
    assert found is not None
    return found


def rect(user: User, app: str) -> Rect:
    return window(user, app).rect


def order(user: User) -> list[str]:
    """Windows back to front, without those that are minimised."""
    return [w.name for w in user.desktop.stack.windows if not w.minimised]


def somebody(*apps: str, size: tuple[int, int] = (1024, 768)) -> User:
    user = User(size=size, documents=dict(PAPERS))
    for app in apps:
        user.does(Ask, app)
    return user


# What is read


@pytest.mark.parametrize(
    ("sentences", "wish"),
    [
        ("maximise|Maximize the window|full size|make it full screen|please maximise this window", Arrangement("maximise")),
        ("maximise notes|maximize the notes window|make notes full size|Notes full-size.", Arrangement("maximise", ("Notes",))),
        ("minimise|minimize the window|hide this window", Arrangement("minimise")),
        ("hide alpha|minimise Alpha.txt", Arrangement("minimise", ("Alpha.txt",))),
        ("show the desktop|show desktop|hide everything|minimise all windows|minimize all the windows", Arrangement("minimise", every=True)),
        ("restore notes|bring notes back|bring back the notes|unminimize notes", Arrangement("restore", ("Notes",))),
        ("close the window|close", Arrangement("close")),
        ("close notes|quit notes|close the notes app", Arrangement("close", ("Notes",))),
        ("close all windows|close everything|close all|close all my open windows", Arrangement("close", every=True)),
        ("tile|tile the windows|arrange windows|side by side|put the windows side by side|windows in a grid", Arrangement("tile", every=True)),
        ("notes and paint side by side|tile notes and paint", Arrangement("tile", ("Notes", "Paint"))),
        ("notes on the left|put notes left|move notes to the left half of the screen|snap notes to the left", Arrangement("left", ("Notes",))),
        ("left half|put the window on the left|move it to the left-hand side", Arrangement("left")),
        ("salt and pepper on the right", Arrangement("right", ("salt and pepper.md",))),
        ("notes in the upper half|notes at the top", Arrangement("top", ("Notes",))),
        ("put notes at the bottom|notes to the lower half", Arrangement("bottom", ("Notes",))),
    ],
)  # fmt: skip
def test_layouts_are_read_whoever_paints(sentences: str, wish: Arrangement) -> None:
    for sentence in sentences.split("|"):
        assert read(sentence) == read(sentence, TURNS) == Answer(arrange=wish), sentence


def test_names_and_looks_are_no_layouts() -> None:
    assert read("notes").open == "Notes" and read("show the files").open == "Files" and read("calc").open == "Calculator"
    assert read("salt and pepper").document == "salt and pepper.md"
    assert answer("Tile", APPS, Documents({"tile.md": ""}), PLAIN).document == "tile.md"
    for style in ("wooden desktop", "grid", "hand", "paper", "paper on the left", "rounded, dark", "left=1", "close to the sea"):
        assert (prefer := read(style).prefer) and prefer[0] == "style", style
    assert read("bigger text").prefer == ("text_size", 16)


def test_what_can_be_painted_is_left_to_who_turns() -> None:
    for sentence in ("put a cat on the left", "hide the icons", "arrange flowers in a vase", "draw a house on the right"):
        assert read(sentence, TURNS).turn == sentence
    for sentence in ("put this on the left", "hide it", "restore the old photo", "close the window", "side by side"):
        assert read(sentence, PICTURE).turn == sentence, "of the picture, as it names no window"
    assert read("put notes on the left", PICTURE).arrange == Arrangement("left", ("Notes",))
    assert read("tile the windows", PICTURE).arrange == Arrangement("tile", every=True)
    assert read("show the desktop", PICTURE).step == "0"


# What is done


def test_maximise_minimise_and_restore_by_name_and_in_front() -> None:
    user = somebody("notes", "files")
    before = rect(user, "Notes")
    user.does(Ask, "maximise notes")
    user.does(Ask, "maximise notes")
    assert rect(user, "Notes") == user.desktop.work_area and window(user, "Notes").normal == before, "not a toggle"
    assert order(user) == ["Files", "Notes"], "it came to the front"
    user.does(Ask, "restore")
    assert rect(user, "Notes") == before and window(user, "Notes").normal is None
    user.does(Ask, "minimise the window")
    assert order(user) == ["Files"]
    user.does(Ask, "restore notes")
    assert order(user) == ["Files", "Notes"] and rect(user, "Notes") == before


def test_a_document_names_the_window_that_shows_it() -> None:
    user = somebody("alpha", "files")
    user.does(Ask, "maximise alpha")
    assert window(user, "Notes").normal and order(user)[-1] == "Notes"
    user.does(Ask, "hide beta")
    assert "beta.md is not open" in user.notice and order(user)[-1] == "Notes"


@pytest.mark.parametrize("side", SIDES)
def test_a_window_takes_half_of_the_screen(side: str) -> None:
    user = somebody("notes", "files")
    user.does(Ask, "maximise notes")
    user.does(Ask, f"put notes on the {side}")
    assert rect(user, "Notes") == half(user.desktop.work_area, side) and not window(user, "Notes").normal
    assert order(user)[-1] == "Notes"
    user.does(Ask, f"{side} half")
    user.does(Ask, f"files on the {side}")
    assert rect(user, "Files") == rect(user, "Notes")


@pytest.mark.parametrize("side", SIDES)
def test_a_window_too_large_for_a_half_stays_on_the_screen(side: str) -> None:
    user = somebody("calculator", size=(256, 192))
    user.does(Ask, f"put it on the {side}")
    area, place = user.desktop.work_area, rect(user, "Calculator")
    assert area.covers(place)
    assert getattr(place, {"left": "x", "top": "y"}.get(side, side)) == getattr(area, {"left": "x", "top": "y"}.get(side, side))


@pytest.mark.parametrize("count", range(1, 8))
def test_tiles_fill_the_area_and_do_not_overlap(count: int) -> None:
    area, rng = Rect(3, 5, 1021, 743), np.random.default_rng(count)
    for most in (1, 240, 400, 900):
        least = [tuple(map(int, rng.integers(1, most + 1, 2))) for _ in range(count)]
        found = tiles(area, least)
        assert len(found) == count and sum(r.area for r in found) == area.area and all(area.covers(r) for r in found)
        assert not any(one.meet(other) for one, other in combinations(found, 2))
        if most < 300 or count == 1:
            assert all(r.w >= w and r.h >= h for r, (w, h) in zip(found, least, strict=True)), "for all there is room"
        if most == 1:
            assert max(r.h for r in found) - min(r.h for r in found) <= 1, "none needs more than the others"


def test_a_window_that_needs_more_than_its_tile_gets_it_from_the_others() -> None:
    user = somebody("calculator", "notes", "settings", size=(640, 448))
    user.does(Ask, "tile the windows")
    places = [rect(user, name) for name in ("Calculator", "Notes", "Settings")]
    assert not any(one.meet(other) for one, other in combinations(places, 2)) and sum(r.area for r in places) == user.desktop.work_area.area
    assert places[0].h == places[1].h > places[2].h


@pytest.mark.parametrize("names", list(permutations(("calculator", "notes", "settings"))))
def test_windows_are_tiled_in_columns_where_rows_have_no_room_for_all(names: tuple[str, ...]) -> None:
    user = somebody(*names, size=(512, 384))
    user.does(Ask, "tile the windows")
    places = {name: rect(user, name.title()) for name in names}
    assert not any(one.meet(other) for one, other in combinations(places.values(), 2)) and sum(r.area for r in places.values()) == user.desktop.work_area.area
    assert places["calculator"].h == user.desktop.work_area.h > places["notes"].h


def test_tiled_windows_keep_their_order_and_minimised_ones_stay_so() -> None:
    user = somebody("paint", "notes", "log", "files")
    user.does(Ask, "maximise files")
    user.does(Ask, "hide log")
    user.does(Ask, "tile the windows")
    area = user.desktop.work_area
    assert [rect(user, name) for name in ("Files", "Notes", "Paint")] == tiles(area, [(1, 1)] * 3), "as in the taskbar"
    assert order(user) == ["Paint", "Notes", "Files"] and not window(user, "Files").normal
    user.does(Ask, "paint and log side by side")
    assert [rect(user, name) for name in ("Paint", "Log")] == [half(area, "left"), half(area, "right")]
    assert not window(user, "Log").minimised and rect(user, "Notes") == tiles(area, [(1, 1)] * 3)[1]


def test_the_desktop_is_shown_and_the_windows_come_back() -> None:
    user = somebody("notes", "files", "paint")
    user.does(Ask, "show the desktop")
    assert order(user) == [] and user.desktop.stack.front is None and len(user.names("icon")) > 3
    user.does(Ask, "restore")
    assert order(user) == ["Notes", "Files", "Paint"]
    user.types("x")
    user.does(Ask, "close all windows")
    assert user.desktop.stack.windows == [] and "notice" not in user.names("label")


def test_what_is_not_there_is_said_and_changes_nothing() -> None:
    user = somebody()
    for sentence in ("maximise", "tile the windows", "close all windows", "show the desktop", "restore", "left half"):
        user.does(Ask, sentence)
        assert user.notice.startswith("No window is open."), sentence
    user.does(Ask, "snake on the left")
    assert "Snake is not open. Ask for “Snake”" in user.notice
    user.does(Ask, "notes")
    before = rect(user, "Notes")
    for sentence, said in (("minimise the browser", "the browser"), ("notes and foo side by side", "foo"), ("restore", "No window is")):
        user.does(Ask, sentence)
        assert said in user.notice and rect(user, "Notes") == before and order(user) == ["Notes"], sentence
    user.does(Ask, "minimise")
    user.does(Ask, "left half")
    assert "All windows are minimised" in user.notice


def test_a_layout_survives_a_restart() -> None:
    user = somebody("notes", "files", "paint", "log")
    for sentence in ("tile the windows", "hide paint", "maximise notes", "files on the right"):
        user.does(Ask, sentence)
    back = user.comes_back()
    assert back.desktop.stack.state() == user.desktop.stack.state()
    back.does(Ask, "restore notes")
    user.does(Ask, "restore notes")
    assert rect(back, "Notes") == rect(user, "Notes") == tiles(user.desktop.work_area, [(1, 1)] * 4)[2]


def test_a_trace_of_layouts_replays(tmp_path: Path) -> None:
    said = ("notes", "files", "side by side", "maximise notes", "show the desktop", "bring back files", "put it on the left")
    lines = [f'{{"t": {t}, "type": "ask", "text": "{sentence}"}}' for t, sentence in enumerate(said)]
    header = '{"pixelos_trace": 1, "size": [384, 256], "seed": 7}'
    trace = parse_trace("\n".join((header, *lines)).encode(), "a.jsonl")
    spec = PainterSpec(checkpoint="guide", size=trace.header.size)
    finals = [replay(trace, GuidePainter(spec), spec, tmp_path / name, "all")["final_frame_sha256"] for name in "ab"]
    assert finals[0] == finals[1]


def test_a_layout_brings_the_desktop_back_from_behind_a_picture() -> None:
    spec = PainterSpec(checkpoint="guide", size=(384, 256))
    session = Session(Desktop(spec.size), DirectMailbox(GuidePainter(spec)))
    turning = session.desktop.turning
    session.step((Ask(0.1, "notes"),), 0.1)
    turning.strip.start("Harbour", b"")
    assert turning.shown
    session.desktop.ask("maximise nonsense")
    assert turning.shown, "nothing was done"
    session.desktop.ask("maximise notes")
    assert not turning.shown and session.desktop.stack.front and session.desktop.stack.front.normal
    session.close()

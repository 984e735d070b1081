"""Notes as a user writes in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from engine.desktop.desktop import Desktop
from engine.desktop.documents import Documents
from engine.drawing import Fill, Glyphs, Outline
from engine.events import Down, Move, Text, Up
from engine.geometry import Rect
from engine.guide import Guide
from engine.scene import Widget
from engine.theme import Role
from engine.typeface import glyph, line_height, width
from tests.user import User

LONG = "the quick brown fox jumps over the lazy dog and rests "


def notes(text: str = "", **how: Any) -> User:
    user = User("notes", **how)
    if text:
        user.types(text)
    return user


def written(user: User) -> str:
    return user.sees("Notes/text").text


def paper(user: User) -> Widget:
    return user.sees("Notes/text")


def lines(user: User) -> list[Glyphs]:
    """What is drawn on the paper, top to bottom."""
    area = paper(user).rect
    found = [item for item in user.desktop.items if isinstance(item, Glyphs) and area.covers(item.rect)]
    return sorted(found, key=lambda item: (item.y, item.x))


def lit(user: User, role: Role = Role.SELECTION) -> list[Rect]:
    area = paper(user).rect
    return [i.rect for i in user.desktop.items if isinstance(i, Fill) and i.role == role and area.covers(i.rect)]


def at(user: User, text: str, before: str = "") -> tuple[int, int]:
    """The point at the start of the first row that begins with `text`, behind `before`."""
    row = next(item for item in lines(user) if item.text.startswith(text))
    return row.x + width(row.face, before), row.y + line_height(row.face) // 2


def selected(user: User) -> str:
    return user.app.editor.buffer.selected


# Opening and saving


def test_notes_opens_on_an_empty_document_ready_to_type() -> None:
    user = notes()
    assert "focused" in paper(user).state
    assert (written(user), user.documents.names()) == ("", [])
    user.types("Hello")
    assert written(user) == "Hello"
    assert user.documents.contents == {"Hello.md": "Hello"}


def test_every_change_is_saved_at_once() -> None:
    user = notes("a")
    user.presses("b", "enter", "shift+c", "backspace", "space", "d")
    assert written(user) == "ab\n d"
    assert list(user.documents.contents.values()) == ["ab\n d"]


def test_a_document_is_named_after_its_first_line() -> None:
    user = notes("# Shop")
    user.types("ping: list?")
    user.waits(1.5)
    assert user.documents.names() == ["Shopping list.md"]
    assert user.sees("Notes/title").text == "Shopping list.md"
    user.presses("enter")
    user.types("more")
    user.waits(1.5)
    assert user.documents.names() == ["Shopping list.md"]


def test_two_documents_never_share_a_name() -> None:
    user = notes("Diary")
    user.presses("ctrl+n")
    user.types("diary")
    user.waits(2)
    assert user.documents.contents == {"Diary.md": "Diary", "diary 2.md": "diary"}


def test_a_name_chosen_by_the_user_stays() -> None:
    user = notes("First line")
    user.app.rename()
    user.desktop.stale()
    user.types("Mine")
    user.presses("enter", "home")
    user.types("Changed ")
    user.waits(2)
    assert user.documents.contents == {"Mine.md": "Changed First line"}
    assert "focused" in paper(user).state


def test_a_bad_name_is_refused_and_nothing_is_lost() -> None:
    user = notes("First line")
    user.app.rename()
    user.desktop.stale()
    user.types("a/b")
    user.presses("enter")
    assert "cannot be a document's name" in user.notice
    user.presses("escape")
    assert user.documents.contents == {"First line.md": "First line"}


@pytest.mark.parametrize("line", ["...", "///", "- ", "con", "a" * 300, "\x07"])
def test_any_first_line_gives_a_name_a_file_can_have(line: str) -> None:
    user = notes(line)
    (name,) = user.documents.names()
    assert len(name) < 60 and name.endswith(".md") and not name.startswith(".")
    assert user.documents.contents[name] == line


def test_opening_a_document_by_name_shows_it() -> None:
    user = User("beta", documents={"beta.md": "# Beta\nits text", "other.md": ""})
    assert written(user) == "# Beta\nits text"
    assert user.sees("Notes/title").text == "beta.md"


def test_notes_opens_again_with_the_document_written_last() -> None:
    user = notes("Remember me")
    user.presses("ctrl+w")
    user.clicks("icons/Notes")
    assert written(user) == "Remember me"


# Typing, wrapping, unusual text


def test_long_lines_wrap_at_words_and_nothing_is_drawn_outside_the_paper() -> None:
    user = notes(LONG * 6)
    rows = lines(user)
    assert len(rows) > 5
    assert all(row.text.split()[0] in LONG.split() for row in rows)
    assert " ".join(row.text for row in rows)[-40:] == (LONG * 6).strip()[-40:]
    assert written(user) == LONG * 6


def test_typing_a_character_changes_one_row_only() -> None:
    user = notes("one\ntwo\nthree\nfour")
    user.presses("up", "home", "x")
    before = {(row.y, row.text) for row in lines(user)}
    user.presses("y")
    after = {(row.y, row.text) for row in lines(user)}
    assert {text for _, text in before ^ after} == {"xthree", "xythree"}
    guide = Guide(user.desktop.size)
    guide.update(user.desktop.items)
    user.presses("z")
    damage = guide.update(user.desktop.items)
    assert all(rect.h <= 32 for rect in damage)


def test_greek_cyrillic_and_combining_text() -> None:
    text = "Ξεσκεπάζω ψυχοφθόρα. Съешь ещё этих булок. e\u0301te\u0301"
    user = notes(text)
    assert written(user) == text
    user.presses("end", "backspace")
    assert written(user) == text[:-2]
    assert any("Съешь" in row.text for row in lines(user))


def test_a_character_no_font_has_is_kept_and_drawn_as_a_box() -> None:
    user = notes("a\U0001f9ffb")
    assert list(user.documents.contents.values()) == ["a\U0001f9ffb"]
    (row,) = lines(user)
    assert row.text == "a\U0001f9ffb"
    box = glyph(row.face, "\U0001f9ff")
    assert box.advance > 3 and box.coverage.any()


def test_the_caret_blinks_in_the_text_it_belongs_to() -> None:
    user = notes("ab")
    (caret,) = lit(user, Role.ACCENT)
    (row,) = lines(user)
    assert (caret.w, caret.x + 1) == (2, row.x + width(row.face, "ab"))
    user.waits(0.7)
    assert not lit(user, Role.ACCENT)
    user.presses("left")
    assert len(lit(user, Role.ACCENT)) == 1


def test_tab_inserts_a_tab_and_shift_tab_leaves_the_text() -> None:
    user = notes("a")
    user.presses("tab", "b")
    assert written(user) == "a\tb"
    user.presses("ctrl+d", "escape", "shift+tab")
    assert "focused" not in paper(user).state


# Caret and selection


def test_up_and_down_keep_to_their_column() -> None:
    user = notes("a long first line\nab\nanother long line")
    user.presses("home", *["right"] * 9, "up", "up")
    buffer = user.app.editor.buffer
    assert abs(buffer.caret - 9) <= 1
    first = buffer.caret
    user.presses("down")
    assert buffer.caret == len("a long first line\nab")
    user.presses("up")
    assert buffer.caret == first


def test_home_and_end_go_to_the_ends_of_the_row_with_ctrl_of_the_text() -> None:
    user = notes(LONG * 2)
    buffer, layout = user.app.editor.buffer, user.app.editor.view.layout
    user.presses("ctrl+home", "down", "home")
    assert buffer.caret == layout.starts[1]
    user.presses("end")
    assert buffer.caret == layout.starts[2] - 1
    user.presses("ctrl+end")
    assert buffer.caret == len(LONG) * 2


def test_keys_select_and_the_clipboard_carries_text_between_documents() -> None:
    user = notes("one two three")
    user.presses("ctrl+shift+left")
    assert selected(user) == "three"
    assert lit(user)
    user.presses("ctrl+x", "ctrl+n", "ctrl+v", "ctrl+v", "ctrl+a", "ctrl+c")
    assert user.desktop.clipboard == "threethree"
    assert sorted(user.documents.contents.values()) == ["one two ", "threethree"]


def test_the_pointer_places_the_caret_and_drags_a_selection() -> None:
    user = notes("first row\nsecond row\nthird row")
    user.drags(at(user, "first", "first "), at(user, "second", "second"))
    assert selected(user) == "row\nsecond"
    assert len(lit(user)) == 2
    user.does(Down, "left", *at(user, "third", "third"), ("shift",), after=1.0)
    user.does(Up, "left", *at(user, "third", "third"))
    assert selected(user) == "row\nsecond row\nthird"


def press(user: User, point: tuple[int, int], times: int) -> None:
    for i in range(times):
        user.does(Down, "left", *point, after=0.05 if i else 1.0)
        user.does(Up, "left", *point)


def test_a_double_click_takes_a_word_and_a_triple_click_the_paragraph() -> None:
    user = notes("first words\nsecond paragraph here")
    press(user, at(user, "second", "second pa"), 2)
    assert selected(user) == "paragraph"
    press(user, at(user, "second", "second pa"), 3)
    assert selected(user) == "second paragraph here"


def test_dragging_after_a_double_click_selects_whole_words() -> None:
    user = notes("first words and more of them")
    point = at(user, "first", "first wo")
    press(user, point, 1)
    user.does(Down, "left", *point)
    user.does(Move, *at(user, "first", "first words and mo"))
    assert selected(user) == "words and more"
    user.does(Move, *at(user, "first", "fi"))
    assert selected(user) == "first words"


def test_the_context_menu_copies_and_pastes() -> None:
    user = notes("word")
    user.presses("ctrl+a")
    user.right_clicks("Notes/text")
    user.clicks("Cut")
    assert written(user) == ""
    user.right_clicks("Notes/text")
    user.clicks("Paste")
    assert written(user) == "word"


def test_undo_and_redo_by_key_and_by_button() -> None:
    user = notes()
    for char in "one two":
        user.types(char)
    user.presses("ctrl+z")
    assert written(user) == "one "
    user.clicks("Undo")
    assert written(user) == ""
    user.presses("ctrl+shift+z")
    user.clicks("Redo")
    assert written(user) == "one two"
    assert "focused" in paper(user).state
    assert "disabled" in user.sees("Notes/Redo").state


@pytest.mark.parametrize("asks", (lambda user: user.presses("ctrl+f"), lambda user: user.app.rename()))
def test_what_is_selected_in_a_field_is_so_after_a_restart(asks: Callable[[User], None]) -> None:
    user = notes("word")
    user.presses("ctrl+a")
    asks(user)
    desktop = user.desktop
    desktop.stale()
    twin = Desktop(desktop.size, Documents(desktop.documents.contents), desktop.clock.start, json.loads(json.dumps(desktop.state())))
    for both in (user.desktop, twin):
        both.handle(Text(desktop.t + 0.1, "x"))
    assert [w.as_record() for w in twin.widgets] == [w.as_record() for w in desktop.widgets]
    assert any(w.role == "field" and w.text == "x" for w in desktop.widgets), "what was selected is typed over"


# Scrolling


def test_the_caret_stays_in_view_and_the_wheel_scrolls_without_it() -> None:
    user = notes("\n".join(f"line {i}" for i in range(100)))
    assert lines(user)[-1].text == "line 99"
    user.turns_wheel("Notes/text", 200)
    assert lines(user)[0].text == "line 0"
    user.turns_wheel("Notes/text", -1)
    assert lines(user)[0].text == "line 3"
    user.presses("x")
    assert lines(user)[-1].text == "line 99x"
    user.presses("ctrl+home", "pagedown", "pagedown")
    caret = user.app.editor.buffer.caret
    assert 10 < user.app.editor.buffer.text.count("\n", 0, caret) < 30
    user.presses("pageup", "pageup")
    assert lines(user)[0].text == "line 0"


def test_the_caret_stays_in_view_when_the_window_shrinks() -> None:
    user = notes("\n".join(f"line {i}" for i in range(100)))
    user.presses("alt+enter", "ctrl+home", *["down"] * 12, "alt+enter")
    assert lines(user)[-1].text == "line 12"


def test_the_scroll_bar_moves_the_text() -> None:
    user = notes("\n".join(f"line {i}" for i in range(100)))
    bar = user.sees("Notes/scrollbar").rect
    user.drags(bar.centre, (bar.x, bar.y))
    assert lines(user)[0].text == "line 0"


def test_dragging_beyond_the_paper_scrolls() -> None:
    user = notes("\n".join(f"line {i}" for i in range(100)))
    area = paper(user).rect
    user.does(Down, "left", *area.centre, after=1.0)
    for i in range(200):
        user.does(Move, area.x + 20, area.y - 5 - i % 2)
    assert lines(user)[0].text == "line 0"
    assert len(selected(user)) > 500


# Headings and lists


def test_headings_are_larger_and_bold_and_their_marker_stays_visible() -> None:
    user = notes("# Title\nplain")
    marker, title, plain = lines(user)
    assert (marker.text, marker.role) == ("#", Role.MUTED)
    assert title.text == "Title" and title.face.size > plain.face.size and title.face.weight == "bold"


def test_heading_keys_and_button_change_the_marker() -> None:
    user = notes("Title")
    user.presses("ctrl+1")
    assert written(user) == "# Title"
    user.presses("ctrl+2")
    assert written(user) == "## Title"
    user.presses("ctrl+0")
    assert written(user) == "Title"
    user.clicks("Heading")
    assert written(user) == "# Title"
    assert user.sees("Notes/Heading").value is True
    user.types("!")
    assert written(user) == "# Title!"
    user.presses("ctrl+z", "ctrl+z")
    assert written(user) == "Title"


def test_a_list_continues_and_an_empty_item_ends_it() -> None:
    user = notes("- bread")
    user.presses("enter")
    user.types("butter")
    user.presses("enter", "enter")
    user.types("done")
    assert written(user) == "- bread\n- butter\ndone"


def test_numbered_lists_count_on_and_quotes_continue() -> None:
    user = notes("9. nine")
    user.presses("enter")
    assert written(user) == "9. nine\n10. "
    user.presses("enter")
    user.types("> said")
    user.presses("enter")
    assert written(user) == "9. nine\n> said\n> "


def test_a_list_is_switched_on_and_off_for_all_selected_lines() -> None:
    user = notes("one\ntwo\nthree")
    user.presses("ctrl+a", "ctrl+l")
    assert written(user) == "- one\n- two\n- three"
    user.presses("ctrl+shift+l")
    assert written(user) == "1. one\n2. two\n3. three"
    user.presses("ctrl+shift+l")
    assert written(user) == "one\ntwo\nthree"
    user.presses("ctrl+z")
    assert written(user) == "1. one\n2. two\n3. three"


def test_wrapped_rows_of_an_item_hang_under_its_text() -> None:
    user = notes("- " + LONG * 2)
    marker, first, second, *_ = lines(user)
    assert second.x == first.x > marker.x


# Find


def test_finding_lights_up_every_place_and_goes_round() -> None:
    user = notes("The tea and the coffee.\nOther things")
    user.presses("ctrl+f")
    user.types("the")
    assert user.sees("Notes/count").text == "1 of 3"
    assert len(lit(user)) >= 3
    assert selected(user) == "The"
    user.presses("enter")
    assert (selected(user), user.sees("Notes/count").text) == ("the", "2 of 3")
    user.presses("enter", "enter")
    assert user.sees("Notes/count").text == "1 of 3"
    user.presses("shift+enter")
    assert user.sees("Notes/count").text == "3 of 3"
    user.clicks("previous")
    assert user.sees("Notes/count").text == "2 of 3"
    assert any(isinstance(item, Outline) and item.role == Role.ACCENT for item in user.desktop.items)
    user.presses("escape")
    assert "focused" in paper(user).state
    user.presses("x")
    assert written(user) == "The tea and x coffee.\nOther things"


def test_finding_what_is_not_there_says_so() -> None:
    user = notes("ΚΑΛΗΜΕΡΑ")
    user.presses("ctrl+f")
    user.types("καλημερα")
    assert user.sees("Notes/count").text == "1 of 1"
    user.types("z")
    assert user.sees("Notes/count").text == "none"
    assert not user.names("bar") and "disabled" in user.sees("next").state


# Counting


def test_words_and_characters_are_counted() -> None:
    user = notes("# One two\n- don't — three")
    user.waits(1)
    assert user.sees("Notes/status").text == "4 words · 25 characters"
    user.presses("ctrl+a", "backspace")
    assert user.sees("Notes/status").text == "0 words", "characters are told at rest"
    user.waits(1)
    assert user.sees("Notes/status").text == "0 words · 0 characters"
    user.types("a word")
    assert user.sees("Notes/status").text == "2 words"


# Many documents


def test_the_list_of_documents_shows_and_turns_to_them() -> None:
    user = User("notes", documents={"a.md": "alpha", "b.txt": "beta", "c.png": b"..."})
    user.clicks("Documents")
    assert user.names("row") == ["New note", "a.md", "b.txt"]
    user.clicks("b.txt")
    assert written(user) == "beta"
    assert "focused" in paper(user).state
    user.presses("ctrl+tab")
    assert written(user) == "alpha"
    user.presses("ctrl+shift+tab", "end", "!")
    assert user.documents.contents["b.txt"] == "beta!"
    user.clicks("Documents")
    assert not user.names("row")


def test_the_list_can_be_used_by_keyboard() -> None:
    user = User("notes", documents={"a.md": "alpha", "b.md": "beta"})
    user.presses("ctrl+d", "down", "down")
    assert written(user) == "beta"
    user.presses("enter", "x")
    assert user.documents.contents["b.md"] == "xbeta"


def test_an_untouched_empty_document_makes_no_file() -> None:
    user = User("notes", documents={"a.md": "alpha"})
    user.presses("ctrl+n", "ctrl+tab", "ctrl+n")
    user.waits(2)
    user.presses("ctrl+w")
    assert user.documents.names() == ["a.md"]


def test_undo_belongs_to_its_document() -> None:
    user = notes("first")
    user.presses("ctrl+n")
    user.types("second")
    user.presses("ctrl+z", "ctrl+z", "ctrl+tab")
    assert written(user) == "first"
    user.presses("ctrl+z")
    assert sorted(user.documents.contents.values()) == ["", ""]
    user.presses("ctrl+y")
    assert "first" in user.documents.contents.values()


def test_a_document_deleted_elsewhere_gives_way_to_another() -> None:
    user = User("b.md", documents={"a.md": "alpha", "b.md": "beta"})
    user.documents.delete("b.md")
    user.waits(0.3)
    assert written(user) == "alpha"
    assert user.sees("Notes/title").text == "a.md"
    user.documents.delete("a.md")
    user.waits(0.3)
    assert written(user) == ""
    user.types("new")
    assert user.documents.contents == {"new.md": "new", ".bin/a.md": "alpha", ".bin/b.md": "beta"}


def test_a_document_renamed_in_files_is_followed() -> None:
    user = User("b.md", documents={"a.md": "alpha", "b.md": "beta"})
    user.documents.rename("b.md", "z.md")
    user.waits(0.3)
    user.types("!")
    user.waits(2)
    assert user.documents.contents == {"a.md": "alpha", "z.md": "!beta"}


def test_a_document_changed_elsewhere_is_shown_as_it_is_and_its_old_undo_is_gone() -> None:
    user = User("a.md", documents={"a.md": "alpha"})
    user.types("x")
    user.documents.write("a.md", "something else")
    user.waits(0.3)
    assert written(user) == "something else"
    user.presses("ctrl+z")
    assert user.documents.contents == {"a.md": "something else"}


def test_delete_in_the_menu_moves_the_document_to_the_bin() -> None:
    user = notes("gone soon")
    user.right_clicks("Notes/title")
    user.clicks("Delete")
    assert user.documents.names() == [] and user.documents.names(binned=True) == ["gone soon.md"]
    assert written(user) == ""


def test_a_picture_is_not_opened_as_text() -> None:
    user = User("notes", documents={"p.png": b"\x89PNG"})
    user.desktop.open("Notes", document="p.png")
    user.types("text")
    assert user.documents.contents["p.png"] == b"\x89PNG"


# Coming back, large documents, looks


def test_everything_comes_back_after_a_restart() -> None:
    user = notes("# Title\n" + LONG * 20)
    user.presses("ctrl+n")
    user.types("Second")
    user.presses("ctrl+tab", "ctrl+home", "down")
    for char in "new words":
        user.types(char)
    user.clicks("Documents")
    user.presses("ctrl+f")
    user.types("fox")
    user.presses("enter", "enter")
    back = user.comes_back()
    for each in (user, back):
        each.does(Move, 500, 340)
    assert [w.as_record() for w in back.desktop.widgets] == [w.as_record() for w in user.desktop.widgets]
    assert back.desktop.items == user.desktop.items
    for each in (user, back):
        each.presses("escape", "ctrl+z", "ctrl+z")
        assert written(each).startswith("# Title\nthe quick")
    back.presses("ctrl+tab", "ctrl+z")
    assert written(back) == ""


def test_two_hundred_thousand_characters_in_one_document() -> None:
    user = User("long.md", documents={"long.md": LONG * 3704})
    length = len(LONG) * 3704
    assert length > 200_000
    user.presses("ctrl+end", "ctrl+1", "ctrl+0")
    user.types("end")
    user.presses("ctrl+home", "x", "pagedown", "down", "end", "y")
    user.waits(1)
    assert user.sees("Notes/status").text == f"{11 * 3704 + 1:,} words · {length + 5:,} characters"
    user.presses("ctrl+a", "delete", "ctrl+z")
    assert written(user).startswith("xthe quick") and written(user).endswith("rests end")


@pytest.mark.parametrize("size", [11, 13, 16, 20])
@pytest.mark.parametrize("frame", [(256, 192), (512, 384)])
def test_nothing_is_cut_off_at_any_text_size(size: int, frame: tuple[int, int]) -> None:
    user = notes("# A heading\n- item\n" + LONG, text_size=size, size=frame)
    user.clicks("Documents")
    assert len({user.sees(f"Notes/{name}").rect.w for name in ("New", "Undo", "List", "Find")}) == 1
    user.presses("ctrl+f")
    for item in user.desktop.items:
        if isinstance(item, Glyphs) and item in lines(user):
            assert item.rect.h == line_height(item.face)
            assert item.rect.right <= paper(user).rect.right
    window, parts = user.sees("Notes").rect, [paper(user)]
    parts += [w for w in user.desktop.widgets if w.role in ("button", "toggle", "field") and w.path.startswith("Notes/")]
    assert all(window.covers(part.rect) and part.rect.w >= 16 and part.rect.h >= 16 for part in parts)

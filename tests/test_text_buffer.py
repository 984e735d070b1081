"""Editing text: caret, selection, undo, the single-line field, and where rows end."""

from __future__ import annotations

import json
from dataclasses import dataclass
from sys import getallocatedblocks
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.desktop.canvas import Canvas, Sheet
from engine.desktop.text_buffer import TextBuffer
from engine.desktop.text_field import TextField
from engine.desktop.text_layout import TextLayout
from engine.desktop.word_count import WordCount, count
from engine.drawing import Fill, Glyphs
from engine.geometry import Rect
from engine.scene import Touch, Widget
from engine.theme import Role
from engine.typeface import width

ACCENTED = "e\u0301"  # e and a combining acute: one character to its reader


def typed(text: str, single: bool = False) -> TextBuffer:
    buffer = TextBuffer(single=single)
    for char in text:
        buffer.insert(char)
    return buffer


# The buffer


def test_the_caret_steps_over_a_letter_and_its_marks_at_once() -> None:
    buffer = TextBuffer("a" + ACCENTED + "b")
    buffer.move(len(buffer.text))
    stops = [buffer.caret]
    while buffer.caret:
        buffer.step(-1)
        stops.append(buffer.caret)
    assert stops == [4, 3, 1, 0]
    buffer.move(3)
    buffer.backspace()
    assert buffer.text == "ab"


def test_joined_pictures_are_one_character() -> None:
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    buffer = TextBuffer(family + "!")
    buffer.step(1)
    assert buffer.caret == len(family)


def test_words_are_stepped_over_and_deleted_whole() -> None:
    buffer = TextBuffer("Καλημέρα, κόσμε και φίλοι")
    stops = []
    while buffer.caret < len(buffer.text):
        buffer.step(1, by_word=True)
        stops.append(buffer.text[buffer.caret :][:3])
    assert stops == [", κ", "κόσ", "και", "φίλ", ""]
    buffer.backspace(by_word=True)
    buffer.backspace(by_word=True)
    assert buffer.text == "Καλημέρα, κόσμε "
    buffer.move(0)
    buffer.delete(by_word=True)
    assert buffer.text == ", κόσμε "


def test_line_ends_become_one_kind_and_stray_halves_a_replacement() -> None:
    assert TextBuffer("a\r\nb\rc").text == "a\nb\nc"
    assert TextBuffer("a\nb", single=True).text == "a b"
    buffer = TextBuffer()
    buffer.insert("\ud83d\ude00 \ud83d.")
    assert buffer.text == "\U0001f600 \ufffd."


def test_what_no_font_has_is_kept() -> None:
    strange = "\x07\u0001漢字\U0001f600\u200b"
    assert typed(strange).text == strange


def test_typing_is_undone_word_by_word() -> None:
    buffer = typed("one two three")
    seen = []
    while buffer.undo():
        seen.append(buffer.text)
    assert seen == ["one two ", "one ", ""]
    while buffer.redo():
        seen.append(buffer.text)
    assert seen[3:] == ["one ", "one two ", "one two three"]


def test_moving_the_caret_ends_a_stretch_of_typing() -> None:
    buffer = typed("ac")
    buffer.step(-1)
    buffer.insert("b")
    buffer.undo()
    assert (buffer.text, buffer.caret) == ("ac", 1)


def test_deleting_is_undone_in_stretches_with_the_selection_back() -> None:
    buffer = typed("some words here")
    for _ in "here":
        buffer.backspace()
    assert buffer.text == "some words "
    buffer.undo()
    assert buffer.text == "some words here"
    buffer.select(5, 10)
    buffer.delete()
    assert buffer.text == "some  here"
    buffer.undo()
    assert (buffer.selected, buffer.anchor, buffer.caret) == ("words", 5, 10)


def test_typing_after_undo_forgets_what_was_undone() -> None:
    buffer = typed("one two")
    buffer.undo()
    buffer.insert("x")
    assert not buffer.redo()
    assert buffer.text == "one x"


def test_history_is_bounded_but_the_newest_steps_stay() -> None:
    buffer = TextBuffer()
    for i in range(2000):
        buffer.insert(f"word{i} ")
    assert len(buffer.history.done) <= 500
    kept = buffer.state()["history"]
    assert len(kept["done"]) == 200
    assert kept["done"][-1][2] == "word1999 "
    buffer.select_all()
    buffer.insert("x" * 2_000_000)
    assert buffer.undo()
    assert buffer.text.endswith("word1999 ")
    assert len(json.dumps(buffer.state())) < 300_000


def test_history_comes_back_only_with_the_same_text() -> None:
    buffer = typed("one two")
    state = json.loads(json.dumps(buffer.state()))
    same, other = TextBuffer("one two"), TextBuffer("one too")
    same.restore(state)
    other.restore(state)
    assert same.undo() and same.text == "one "
    assert not other.undo() and other.text == "one too"


def test_a_damaged_state_is_no_trouble() -> None:
    buffer = TextBuffer("one")
    buffer.restore({"caret": 900, "anchor": -4, "of": 1, "history": {"done": [["x"]]}})
    assert (buffer.caret, buffer.anchor) == (3, 0)


@dataclass
class Model:
    """The simplest thing that edits: a text and two offsets, every change kept whole."""

    text: str = ""
    caret: int = 0
    anchor: int = 0

    def replace(self, low: int, high: int, new: str) -> None:
        self.text = self.text[:low] + new + self.text[high:]
        self.caret = self.anchor = low + len(new)


ACTS = st.one_of(
    st.tuples(st.just("insert"), st.text(alphabet="ab \nж", max_size=6)),
    st.tuples(st.sampled_from(["backspace", "delete", "undo", "redo", "cut"]), st.none()),
    st.tuples(st.just("select"), st.tuples(st.integers(0, 40), st.integers(0, 40))),
)


@given(st.lists(ACTS, max_size=60))
@settings(max_examples=150, deadline=None)
def test_editing_agrees_with_a_simple_model(acts: list[tuple[str, Any]]) -> None:
    buffer, model = TextBuffer(), Model()
    for act, value in acts:
        low, high = sorted((model.caret, model.anchor))
        if act == "insert":
            buffer.insert(value)
            model.replace(low, high, value)
        elif act in ("backspace", "delete", "cut"):
            getattr(buffer, act)()
            if low == high and act != "cut":
                low, high = (low - 1, high) if act == "backspace" else (low, high + 1)
            low, high = max(low, 0), min(high, len(model.text))
            model.replace(low, high, "")
        elif act == "select":
            buffer.select(*value)
            end = len(model.text)
            model.anchor, model.caret = min(value[0], end), min(value[1], end)
        else:
            getattr(buffer, act)()
            model = Model(buffer.text, buffer.caret, buffer.anchor)
        assert (buffer.text, buffer.caret, buffer.anchor) == (model.text, model.caret, model.anchor)
    text = buffer.text
    steps = 0
    while buffer.undo():
        steps += 1
    assert buffer.text == ""
    for _ in range(steps):
        assert buffer.redo()
    assert buffer.text == text or not steps


# The field


class Alone:
    """What a field needs of the desktop."""

    clipboard = ""


class OnSheet:
    """A field drawn alone, focused."""

    def __init__(self, text: str = "", **actions: Any) -> None:
        self.field = TextField(Alone(), text)  # type: ignore[arg-type]
        self.actions = actions

    def draw(self, focus: str = "name") -> tuple[Widget, Sheet]:
        sheet = Sheet(focus=focus)
        canvas = Canvas(sheet, Rect(0, 0, 256, 64))
        return self.field.draw(canvas, "name", Rect(10, 10, 100, 24), **self.actions), sheet

    @property
    def touch(self) -> Touch:
        touch = self.draw()[0].touch
        assert touch
        return touch

    def presses(self, *keys: str) -> list[bool]:
        used = []
        for key in keys:
            *mods, name = key.split("+")
            assert self.touch.key
            used.append(self.touch.key(name, tuple(mods)))
        return used


def carets(sheet: Sheet) -> list[Rect]:
    return [item.rect for item in sheet.items if isinstance(item, Fill) and item.role == Role.ACCENT]


def test_a_field_holds_what_is_typed_and_tells_of_changes() -> None:
    changes: list[int] = []
    user = OnSheet(on_change=lambda: changes.append(1))
    assert user.touch.text
    user.touch.text("Привет")
    user.presses("backspace", "left", "home")
    assert user.field.text == "Приве"
    assert len(changes) == 2
    widget, sheet = user.draw()
    assert (widget.role, widget.text) == ("field", "Приве")
    assert "Приве" in [item.text for item in sheet.items if isinstance(item, Glyphs)]


def test_a_field_uses_only_the_keys_it_knows() -> None:
    user = OnSheet("x", on_enter=lambda: None)
    assert user.presses("left", "end", "ctrl+a", "enter") == [True] * 4
    assert user.presses("escape", "up", "tab", "f5", "ctrl+f", "alt+left", "shift+enter") == [False] * 7


def test_cut_copy_paste_and_undo_in_a_field() -> None:
    user = OnSheet("one two")
    user.presses("ctrl+shift+left", "ctrl+x", "home", "ctrl+v")
    assert user.field.text == "twoone "
    user.presses("ctrl+z", "ctrl+z")
    assert user.field.text == "one two"
    user.presses("ctrl+y")
    assert user.field.text == "one "


def test_the_caret_of_a_long_text_stays_in_the_field() -> None:
    user = OnSheet("a text that is a good deal longer than its field")
    for keys in (("end",), ("home",), ("ctrl+right",) * 5):
        user.presses(*keys)
        (caret,) = carets(user.draw()[1])
        assert Rect(10, 10, 100, 24).covers(caret)
        assert caret.w == 2


def test_what_is_typed_into_a_long_text_is_not_kept_letter_by_letter() -> None:
    user = OnSheet("a long text " * 200)
    user.touch  # noqa: B018 - all that a first drawing keeps
    before = getallocatedblocks()
    for _ in range(100):
        assert user.touch.text
        user.touch.text("a")
    assert getallocatedblocks() - before < 20 * len(user.field.text), "a hundred texts, each of them with thousands of offsets"


def test_the_caret_shows_only_while_the_field_is_focused() -> None:
    user = OnSheet("x")
    assert len(carets(user.draw()[1])) == 1
    assert not carets(user.draw(focus="elsewhere")[1])


def test_the_pointer_places_the_caret_and_selects() -> None:
    user = OnSheet("pick these words")
    sheet = user.draw()[1]
    x = next(item.x for item in sheet.items if isinstance(item, Glyphs))
    face = next(item.face for item in sheet.items if isinstance(item, Glyphs))
    user.presses("home")
    assert user.touch.press and user.touch.drag
    user.touch.press(x + width(face, "pick ") + 1, 20, 1, ())
    assert user.field.buffer.caret == 5
    user.touch.drag(x + width(face, "pick these"), 20)
    assert user.field.buffer.selected == "these"
    user.touch.press(x + 2, 20, 2, ())
    assert user.field.buffer.selected == "pick"
    user.touch.press(x + 2, 20, 3, ())
    assert user.field.buffer.selected == "pick these words"


def test_a_placeholder_is_drawn_but_not_held() -> None:
    user = OnSheet(placeholder="Find")
    widget, sheet = user.draw()
    assert widget.text == ""
    assert "Find" in [item.text for item in sheet.items if isinstance(item, Glyphs)]


# Rows


def rows(text: str, room: int, size: int = 13) -> list[str]:
    layout = TextLayout()
    layout.fit(text, room, size)
    return [text[slice(*layout.span(row))] for row in range(layout.count)]


def test_rows_end_behind_spaces_and_hyphens() -> None:
    assert rows("the quick brown fox", 70) == ["the quick ", "brown fox"]
    assert rows("half-hearted", 60) == ["half-", "hearted"]
    assert rows("a\n\nb\n", 70) == ["a", "", "b", ""]


def test_a_word_wider_than_a_row_is_broken_but_not_within_a_character() -> None:
    parts = rows((ACCENTED * 40) + " end", 60)
    assert "".join(parts) == ACCENTED * 40 + " end"
    assert all(len(part.rstrip()) % 2 == 0 for part in parts[:-1])


def test_no_row_is_wider_than_there_is_room() -> None:
    text = "Слова разной длины, и одно оченьоченьоченьдлинное. " * 9
    layout = TextLayout()
    layout.fit(text, 120, 13)
    for row in range(layout.count):
        assert layout.pen(row, layout.last_stop(row)) <= 120


ALPHABETS = ("ab \n", "abc  -\n#", "a \n- #>1.", "aaaaaaaaaaaa ", "iW e\u0301\nж")


@given(st.data())
@settings(max_examples=120, deadline=None)
def test_wrapping_after_edits_equals_wrapping_from_scratch(data: st.DataObject) -> None:
    some = st.text(alphabet=data.draw(st.sampled_from(ALPHABETS)), max_size=200)
    text, room = data.draw(some), data.draw(st.sampled_from([12, 40, 75, 110]))
    layout, words = TextLayout(), WordCount(text)
    layout.fit(text, room, 13)
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(text)))
        end = data.draw(st.sampled_from([at, at + 1, at + 30]))
        removed, inserted = text[at:end], data.draw(st.one_of(some, st.sampled_from(["", " ", "a", "\n"])))
        text = text[:at] + inserted + text[end:]
        layout.edit(text, at, len(removed), len(inserted))
        words.edit(text, at, removed, inserted)
        fresh = TextLayout()
        fresh.fit(text, room, 13)
        assert layout.starts.tolist() == fresh.starts.tolist()
        assert words.words == count(text)

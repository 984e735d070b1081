"""Texts in dreams: read off the guide to the last pixel or not at all, and carried on as an editor would."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine.desktop.desktop import Desktop
from engine.desktop.documents import Documents
from engine.events import Ask, Click, Down, Event, Key, Move, Text, Up, Wait, Wheel
from engine.geometry import Rect
from engine.guide import Guide
from engine.painter import PaintRequest
from engine.scene import Widget, find
from engine.theme import NEUTRAL, Role
from models.dreaming.dream import Dream
from models.dreaming.dreamer import Dreamer
from models.dreaming.field import Field
from models.dreaming.planes import planes_of
from models.dreaming.steps import LATEST, Step, steps_of

SIZE = (384, 320)
SHORT = "Milk, bread\nand a dozen eggs"
LOOKS = "# Shopping\n\n- milk, the fresh one from the farm behind the hill, two bottles of it\n- bread\n\n> not too much\n\n1. Zürich (Größe 3½)\n## Жук, λόγος"
LONG = "\n".join(f"line {i} of a list" for i in range(40))


def notes(text: str, size: int = 13) -> Desktop:
    """Notes with a document in front, its caret at the start."""
    desktop = Desktop(SIZE, Documents({"A.md": text}))
    desktop.prefer("text_size", size)
    desktop.handle(Ask(0.1, "a.md"))
    return desktop


def shown(desktop: Desktop) -> Tensor:
    guide = Guide(desktop.size)
    guide.update(desktop.items)
    return planes_of(guide)


def editor(desktop: Desktop) -> Widget:
    return find(desktop.widgets, "Notes/text")


def step(desktop: Desktop, event: Event | None) -> Step:
    return Step(event, desktop.features(), desktop.router.pointer, desktop.router.buttons)


def front(desktop: Desktop) -> Rect:
    window = desktop.stack.front
    assert window is not None
    return window.rect


class Dreamt:
    """A field beside the desktop that it dreams of: `planes` is what the dream shows; told: whether the context tells what it says."""

    def __init__(self, desktop: Desktop, told: bool = False) -> None:
        self.desktop, self.field, self.planes, self.told = desktop, Field(), shown(desktop), told
        if told:
            self._answer(None)  # from here on it has been told

    def _text(self) -> str:
        return str(self.desktop.features().work[0].content)

    def feed(self, event: Event) -> bool:
        """Both answer, once time has passed; whether the field knew an answer. Where it did not, the dream is shown what there is."""
        while (t := round(self.desktop.t + 0.1, 3)) <= event.t:
            before = self.desktop.items
            self.desktop.advance(t)
            if self.desktop.items != before:
                self._answer(None)
        self.desktop.handle(event)
        return self._answer(event)

    def _answer(self, event: Event | None) -> bool:
        told = self.field.answer(self.planes, front(self.desktop), step(self.desktop, event), self._text() if self.told else None)
        if not told:
            self.planes = shown(self.desktop)
            return False
        self.planes = self.planes.clone()
        for part, look in told:
            self.planes[:, *part.slices] = look
        return True

    def agrees(self) -> bool:
        """Whether the dream shows the text, and how long it is, as the desktop does."""
        truth, box = shown(self.desktop), editor(self.desktop).rect
        parts = [box.inset(6, 6, 13, 6), *(widget.rect for widget in self.desktop.widgets if widget.path == "Notes/status")]
        return all(torch.equal(self.planes[:3, *part.slices], truth[:3, *part.slices]) for part in parts)


@pytest.mark.parametrize("size", [11, 13, 16])
@pytest.mark.parametrize("text", [SHORT, LOOKS, LONG, ""])
def test_a_text_is_read_and_goes_on_as_it_is_edited(text: str, size: int) -> None:
    dreamt = Dreamt(notes(text, size))
    keys = [Key(1.0, "down"), Key(1.1, "end"), Text(1.2, "é"), Key(1.3, "left", ("shift",)), Text(1.4, "x"), Key(1.5, "enter"), Key(1.6, "backspace"),
            Key(1.7, "z", ("ctrl",)), Text(1.75, "y"), Key(1.8, "home", ("shift",)), Key(1.9, "x", ("ctrl",)), Key(2.0, "v", ("ctrl",)), Text(2.2, " ")]  # fmt: skip
    for key in keys:
        assert dreamt.feed(key), key
        assert dreamt.agrees(), key


@pytest.mark.parametrize("size", [19, 22])
def test_letters_of_a_font_that_reach_far_over_their_own_room_do_no_harm(size: int) -> None:
    dreamt = Dreamt(notes("> to do", size))  # oblique: its J begins four pixels before the pen
    assert dreamt.feed(Key(1.0, "end")) and dreamt.agrees()
    dreamt.feed(Text(1.1, "Jľ"))
    dreamt.feed(Text(1.2, "x"))
    assert dreamt.agrees()


def test_what_cannot_be_read_to_the_last_pixel_is_left_to_the_dreamer() -> None:
    dreamt = Dreamt(notes(SHORT))
    box = editor(dreamt.desktop).rect
    dreamt.planes[1, box.y + 14, box.x + 20] ^= 40
    dreamt.desktop.handle(Text(1.0, "a"))
    assert dreamt.field.answer(dreamt.planes, front(dreamt.desktop), step(dreamt.desktop, Text(1.0, "a"))) == []


def test_what_is_not_in_view_is_not_known() -> None:
    for key in ("pagedown", "end"):
        dreamt = Dreamt(notes(LONG))
        assert not dreamt.feed(Key(1.0, key, ("ctrl",) * (key == "end")))
    dreamt = Dreamt(notes(LONG))
    assert not dreamt.feed(Key(1.0, "z", ("ctrl",)))  # nothing that was done in the dream
    assert not dreamt.feed(Key(1.2, "v", ("ctrl",)))


def test_rows_that_come_into_view_from_above_are_blank() -> None:
    desktop = notes(LONG)
    desktop.handle(Key(0.5, "end", ("ctrl",)))
    dreamt = Dreamt(desktop)
    assert dreamt.feed(Key(1.0, "home", ("shift",))) and dreamt.feed(Key(1.1, "backspace")) and dreamt.agrees()
    assert dreamt.feed(Key(1.2, "backspace"))
    box, truth = editor(desktop).rect, shown(desktop)
    row = 19
    below, first = Rect(box.x + 6, box.y + 6 + row, box.w - 19, box.h - 12 - row), Rect(box.x + 6, box.y + 6, box.w - 19, row)
    assert torch.equal(dreamt.planes[:3, *below.slices], truth[:3, *below.slices])
    assert (dreamt.planes[:3, *first.slices] == torch.from_numpy(NEUTRAL[Role.FIELD])[:, None, None]).all()


def test_the_pointer_puts_the_caret_selects_and_leaves_a_text_as_it_is() -> None:
    dreamt = Dreamt(notes(SHORT))
    box = editor(dreamt.desktop).rect
    x, y = box.x + 60, box.y + 14
    events: list[Event] = [Move(1.0, x, y), Down(1.1, "left", x, y), Move(1.2, x + 30, y + 19), Up(1.3, "left", x + 48, y + 19), Move(1.4, x, y),
                           Down(2.0, "left", x, y), Up(2.05, "left", x, y), Down(2.1, "left", x, y), Up(2.2, "left", x, y)]  # fmt: skip
    for event in events:
        assert dreamt.feed(event) and dreamt.agrees(), event


def test_the_caret_blinks_and_the_first_tick_after_a_letter_is_no_blink() -> None:
    dreamt = Dreamt(notes(SHORT))
    for t in (0.6, 1.1, 1.6):
        dreamt.feed(Wait(t))
        assert dreamt.agrees(), t
    assert dreamt.feed(Text(2.0, "a"))
    for t in (2.4, 2.5, 3.0):  # the letters are counted, then it blinks
        dreamt.feed(Wait(t))
        assert dreamt.agrees(), t


def test_a_dream_that_wakes_while_somebody_types_counts_the_characters_at_rest() -> None:
    desktop = notes(SHORT)
    desktop.handle(Text(1.0, "x"))
    dreamt = Dreamt(desktop)
    assert dreamt.feed(Key(1.6, "right")) and dreamt.agrees()
    status = find(desktop.widgets, "Notes/status").text
    assert status == f"6 words · {len(SHORT) + 1} characters"


def test_a_field_that_is_not_in_focus_or_not_in_front_answers_nothing() -> None:
    dreamt = Dreamt(notes(SHORT))
    assert dreamt.field.answer(dreamt.planes, None, step(dreamt.desktop, Text(1.0, "a"))) == []
    assert dreamt.field.answer(dreamt.planes, Rect(0, 0, 40, 40), step(dreamt.desktop, Text(1.0, "a"))) == []
    dreamt.desktop.handle(Key(1.0, "f", ("ctrl",)))
    asked = shown(dreamt.desktop)
    assert dreamt.field.answer(asked, front(dreamt.desktop), step(dreamt.desktop, Text(1.1, "a"))) == []


KEYS = st.sampled_from(["left", "right", "up", "down", "home", "end", "backspace", "delete", "enter", "tab"])
EVENTS = st.one_of(
    st.tuples(KEYS, st.sampled_from([(), ("shift",), ("ctrl",), ("ctrl", "shift")])),
    st.tuples(st.sampled_from("axcvzyl012"), st.just(("ctrl",))),
    st.sampled_from("aB -#>1é.").map(lambda char: (char, None)),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(EVENTS, max_size=25))
def test_whatever_is_done_to_a_text_that_is_all_in_view_a_dream_agrees(events: list[tuple[str, tuple[str, ...] | None]]) -> None:
    dreamt = Dreamt(notes("one two\n\n- three"))
    for i, (name, mods) in enumerate(events):
        event = Text(1 + i / 10, name) if mods is None else Key(1 + i / 10, name, mods)
        if dreamt.feed(event):
            assert dreamt.agrees(), (event, np.argwhere((dreamt.planes[:3] != shown(dreamt.desktop)[:3]).any(0).numpy())[:3])


def test_letters_of_a_long_request_are_all_written_however_far_back_they_lie() -> None:
    desktop = notes("")
    asleep = desktop.features()
    letters = [Text(1 + i / 10, char) for i, char in enumerate("The quick brown fox")]
    for letter in letters:
        desktop.handle(letter)
    request = PaintRequest(1, tuple(letters), (), None, None, desktop.features(), desktop.router.pointer, desktop.router.buttons)
    steps = list(steps_of(request))
    assert [one.event for one in steps] == letters and [one.past for one in steps] == [True] * (len(letters) - LATEST) + [False] * LATEST
    dream = Dream(Dreamer().eval(), SIZE)  # untaught: what is not sure is left out, or nonsense
    before = notes("")
    guide = Guide(SIZE)
    guide.update(before.items)
    dream.begin(PaintRequest(0, (), (), guide.pixels, guide.verbatim, asleep, (0, 0), forms=guide.forms))
    dream.answer(request)
    box, truth = editor(desktop).rect.inset(6, 6, 13, 6), shown(desktop)
    assert (dream.guide[0][box.slices] == truth[:3, *box.slices].permute(1, 2, 0).numpy()).all()


@pytest.mark.parametrize(
    ("events", "after", "held"),
    [
        ([Down(1.0, "left", 40, 40), Up(1.1, "left", 40, 40)], (), [("left",), ()]),
        ([Click(1.0, "Notes")], (), [("left",), ()]),
        ([Move(1.0, 9, 9), Down(1.1, "left", 9, 9), Move(1.2, 30, 9)], ("left",), [(), ("left",), ("left",)]),
        ([Up(1.0, "right", 9, 9), Text(1.1, "ab")], ("left",), [("left",)] * 3),
        ([Down(1.0, "right", 9, 9), Up(1.1, "left", 9, 9)], ("right",), [("left", "right"), ("right",)]),
    ],
)
def test_each_step_of_a_request_has_the_buttons_that_were_down_then(
    events: list[Event], after: tuple[str, ...], held: list[tuple[str, ...]]
) -> None:
    """A press and its release often come in one request: a painter that was busy takes both."""
    asleep = notes("").features()
    steps = list(steps_of(PaintRequest(1, tuple(events), (), None, None, asleep, (9, 9), after)))
    assert [tuple(sorted(step.buttons)) for step in steps] == held


@pytest.mark.parametrize("size", [13, 16])
def test_a_document_that_the_context_tells_of_is_known_to_its_end(size: int) -> None:
    """It scrolls, by wheel and keys, and goes on when its window is come back to."""
    desktop = notes(LONG, size)
    x, y = editor(desktop).rect.centre
    dreamt = Dreamt(desktop, told=True)
    desktop.handle(Move(0.9, x, y))
    for event in (
        Key(1.0, "end"), Wheel(1.2, -2), Wheel(1.4, 1), Key(1.6, "pagedown"), Text(1.8, "a"), Key(2.0, "end", ("ctrl",)), Key(2.2, "enter"), Text(2.4, "b"),
        Key(2.6, "pageup"), Down(2.8, "left", x, y), Up(2.9, "left", x, y), Text(3.0, "c"),
    ):  # fmt: skip
        assert dreamt.feed(event), event
        assert dreamt.agrees(), event
    assert not Dreamt(notes(LONG, size)).feed(Key(1.0, "pagedown")), "of a text that nobody told of, another page is not known"


def test_a_text_that_was_told_is_found_again_where_it_is_scrolled_to() -> None:
    desktop = notes(LONG)
    for event in (Key(1.0, "pagedown"), Key(1.1, "pagedown"), Key(1.2, "end")):
        desktop.handle(event)
    dreamt = Dreamt(desktop, told=True)
    for event in (Text(1.4, "x"), Key(1.6, "pagedown"), Key(1.8, "home", ("ctrl",))):
        assert dreamt.feed(event) and dreamt.agrees(), event

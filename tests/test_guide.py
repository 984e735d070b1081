"""Redrawing only the damage gives the same guide as redrawing everything, whatever the user does."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.desktop.apps.registry import APPS
from engine.desktop.desktop import Desktop
from engine.desktop.documents import Documents
from engine.desktop.screen import Parts, drawn
from engine.drawing import Fill, Glyphs, Item, grouped
from engine.events import Ask, Drag, Event, Key, Move, Wait
from engine.geometry import GRID, Rect, merge
from engine.group_pictures import GroupPictures
from engine.guide import Guide
from engine.plain import blend
from engine.scene import find
from engine.theme import Role
from engine.typeface import Face
from models.synthetic.sessions import User, play, random_desktop
from tests.strategies import any_event

SIZE, SMALL = (512, 384), (320, 256)  # on the small one windows overlap more, and all is drawn anew in half the time


def afresh(desktop: Desktop) -> Guide:
    guide = Guide(desktop.size)
    guide.update(desktop.items)
    return guide


def same(one: Guide, other: Guide) -> bool:
    pairs = ((one.pixels, other.pixels), (one.ink, other.ink), (one.verbatim, other.verbatim), (one.forms, other.forms))
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("seed", range(4))
def test_damage_is_exact_over_long_random_sessions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    desktop = random_desktop(rng, SMALL)
    user, guide, events = User(rng, desktop), afresh(desktop), 0
    while events < 300:
        deed = user.act()
        events += len(deed)
        before = guide.pixels.copy()
        play(desktop, deed)
        damage = guide.update(desktop.items)
        assert same(guide, afresh(desktop))
        outside = np.ones(before.shape[:2], bool)
        for rect in damage:
            assert rect == rect.snap() and Rect(0, 0, *SMALL).covers(rect)
            outside[rect.slices] = False
        assert (before[outside] == guide.pixels[outside]).all()


@pytest.mark.parametrize("seed", range(3))
def test_any_events_at_all_are_taken(seed: int) -> None:
    """Keys nobody has, clicks beside the screen, half characters: no event ends the desktop or spoils the guide."""
    rng = np.random.default_rng(seed)
    size = ((256, 192), (512, 384), (320, 256))[seed]
    desktop = Desktop(size, Documents({"Ideas.md": "# A\nb\n- c\n" * 8, "broken.png": b"no picture"}))
    guide, t = afresh(desktop), 0.0
    for count in range(200):
        t += float(rng.choice([0.0, 0.05, 0.3, 2.0]))
        desktop.handle(any_event(rng, size, t))
        guide.update(desktop.items)
        if count % 10 == 0:
            assert same(guide, afresh(desktop))
            json.dumps(desktop.state())


@pytest.mark.parametrize("size", [(256, 192), (512, 384), (640, 448)])
def test_windows_that_move_and_come_again_look_as_if_drawn_anew(size: tuple[int, int]) -> None:
    """Over one another, half beside the screen, maximised and put back, closed and opened, each with another in front."""
    rng = np.random.default_rng(size[0])
    desktop = Desktop(size, Documents({"Ideas.md": "# A\nb\n- c\n" * 8}))
    play(desktop, [Ask(0.1, app) for app in ("calculator", "ideas", "settings")])
    guide = afresh(desktop)
    for _ in range(24):
        t, window = desktop.t + 0.2, desktop.stack.windows[int(rng.integers(3))]
        x, y = (int(rng.integers(length)) for length in size)
        deeds: list[list[Event]] = [
            [Drag(t, f"{window.name}/title", (x, y))], [Key(t, "enter", ("alt",))], [Key(t, "tab", ("alt",))], [Move(t, x, y)],
            [Ask(t, "close calculator"), Ask(t, "calculator")], [Ask(t, "snake"), Key(t, "w", ("ctrl",))],
        ]  # fmt: skip
        for event in deeds[int(rng.integers(len(deeds)))]:
            play(desktop, [event])
            guide.update(desktop.items)
            assert same(guide, afresh(desktop))


def test_parts_that_are_taken_again_are_as_if_drawn_anew() -> None:
    """Whatever the user does, the pointer is on, the caret shows and the log is told."""
    rng = np.random.default_rng(5)
    desktop = random_desktop(rng, SMALL)
    user, parts, apps = User(rng, desktop), Parts(), [*APPS]
    for _ in range(250):
        t, (x, y) = desktop.t + 0.1, rng.integers(0, SMALL)
        deeds: list[Sequence[Event]] = [user.act(), user.act(), [Move(t, int(x), int(y))], [Wait(t + 0.6)], [Ask(t, str(rng.choice(apps)))]]
        play(desktop, deeds[int(rng.integers(len(deeds)))])
        if rng.random() < 0.3:
            desktop.note("paint", f"in {x} ms")
        kept, anew = drawn(desktop, desktop.notice, parts), drawn(desktop, desktop.notice, Parts())
        assert kept.items == anew.items
        assert [widget.as_record() for widget in kept.widgets] == [widget.as_record() for widget in anew.widgets]


def test_pointing_elsewhere_draws_no_window_anew() -> None:
    desktop = Desktop(SIZE)
    play(desktop, [Ask(1.0, "notes"), Ask(1.0, "log")])
    before = desktop.items
    play(desktop, [Move(1.1, *find(desktop.widgets, "icons/Files").rect.centre)])
    assert "hovered" in find(desktop.widgets, "icons/Files").state
    known, windows = {id(item) for item in before}, [window.rect for window in desktop.stack.windows]
    held = [item for item in desktop.items if any(window.covers(item.rect) for window in windows)]
    assert len(held) > 30 and all(id(item) in known for item in held)


def test_what_is_remembered_of_groups_is_bounded() -> None:
    pictures = GroupPictures(3000)
    for i in range(9):
        place = Rect(8 * i, 8, 40, 20 + i)
        whole = grouped([Fill(place, Role.SURFACE, "menu", place), Glyphs(place, Role.INK, place.x, 8, "words", Face())])[-1]
        picture = pictures.of(whole)
        assert picture is not None and picture.ink.any() and pictures.of(whole) is picture
        assert sum(known.frame.area for _, known in pictures._known) <= 3000
    beside = grouped([Fill(place, Role.SURFACE, "menu", place), Glyphs(place.grow(9), Role.INK, 0, 0, "words", Face())])[-1]
    assert pictures.of(beside) is None, "what reaches out of its group is not in its picture"


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 20), st.integers(1, 20), st.booleans())
def test_blending_rounds_to_nearest_on_any_paper(seed: int, height: int, width: int, even: bool) -> None:
    rng = np.random.default_rng(seed)
    base = np.full((height, width, 3), rng.integers(0, 256, 3), np.uint8) if even else rng.integers(0, 256, (height, width, 3), np.uint8)
    coverage, colour = rng.integers(0, 256, (height, width), np.uint8), rng.integers(0, 256, 3).astype(("uint8", "int64", "float32")[seed % 3])
    share = coverage[..., None] / 255
    exact = base * (1 - share) + colour * share
    blend(base, colour, coverage)
    assert np.abs(base - exact).max() <= 0.5 + 1e-9


def test_nothing_changed_is_no_damage() -> None:
    desktop = random_desktop(np.random.default_rng(9), SIZE)
    guide = afresh(desktop)
    desktop.stale()
    assert guide.update(desktop.items) == ()


def test_a_typed_character_damages_little() -> None:
    from engine.events import Ask, Text

    desktop = Desktop(SIZE)
    play(desktop, [Ask(0.1, "notes"), Text(0.2, "Hello worl")])
    guide = afresh(desktop)
    play(desktop, [Text(0.25, "d")])  # at once: after a rest, the letters' count below goes, too
    assert sum(r.area for r in guide.update(desktop.items)) <= 24 * 32


RECTS = st.builds(Rect, st.integers(-20, 110), st.integers(-20, 80), st.integers(1, 90), st.integers(1, 70))
ITEMS = st.lists(
    st.one_of(
        st.builds(lambda r, role: Fill(r, role, "plain", r), RECTS, st.sampled_from(list(Role))),
        st.builds(lambda r, text: Glyphs(r, Role.INK, r.x, r.y, text, Face(13)), RECTS, st.text("aЯω.", max_size=6)),
    ),
    max_size=7,
)


@settings(max_examples=120, deadline=None)
@given(ITEMS, ITEMS)
def test_any_two_lists_of_items(first: list[Item], second: list[Item]) -> None:
    inside = Rect(0, 0, 128, 96)
    first, second = ([i._replace(rect=i.rect.meet(inside)) for i in items] for items in (first, second))
    guide, whole = Guide((128, 96)), Guide((128, 96))
    guide.update(first)
    guide.update(second)
    whole.update(second)
    assert same(guide, whole)


@settings(max_examples=200, deadline=None)
@given(st.lists(RECTS, max_size=8))
def test_merged_rects_cover_the_same_and_do_not_overlap(rects: list[Rect]) -> None:
    merged = merge(r.snap() for r in rects)
    for i, rect in enumerate(merged):
        assert not any(rect.meet(other) for other in merged[i + 1 :])
        assert rect.w % GRID == 0 and rect.h % GRID == 0
    assert all(any(m.covers(r) for m in merged) for r in rects)


def test_the_text_layer_knows_what_is_hidden() -> None:
    guide, place = Guide((128, 96)), Rect(0, 0, 128, 96)
    text = Glyphs(Rect(8, 8, 60, 16), Role.INK, 8, 8, "covered", Face(13))
    guide.update([text])
    assert [item for item, _, hidden in guide.text_under(place) if not hidden.any()] == [text]
    guide.update([text, Fill(Rect(0, 0, 40, 40), Role.SURFACE, "plain", Rect(0, 0, 40, 40))])
    assert [hidden[:, :32].all() for _, _, hidden in guide.text_under(place)] == [True]
    guide.update([text, Fill(place, Role.SURFACE, "plain", place)])
    assert guide.text_under(place) == [] and not guide.ink.any()

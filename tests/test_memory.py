"""The painter's memory of pictures: what was covered comes back exactly, and it never grows."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine.geometry import Rect
from models.memory import DEPTH, PictureMemory
from tests.as_one import as_one

SIZE = (32, 16)
WHOLE = Rect(0, 0, *SIZE)


def picture(value: int) -> Tensor:
    return torch.full((3, SIZE[1], SIZE[0]), value, dtype=torch.uint8)


def test_nothing_is_known_at_first() -> None:
    assert not PictureMemory(SIZE).recall(WHOLE).known.any()


def test_what_a_menu_covered_is_recalled_and_taken_off_when_it_comes_back() -> None:
    memory, menu = PictureMemory(SIZE), Rect(8, 4, 12, 8)
    page, covered = picture(200), picture(200)
    covered[(..., *menu.slices)] = 30
    memory.replace(WHOLE, page, covered)
    recalled = memory.recall(menu)
    assert recalled.known[0].all() and not recalled.known[1].any()
    assert (recalled.pixels[0] == 200).all()
    assert int(memory.recall(WHOLE).known[0].sum()) == menu.area // 16
    memory.replace(WHOLE, covered, page)
    assert not memory.recall(WHOLE).known[0].any()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 250), min_size=1, max_size=12))
def test_the_last_pictures_come_back_in_reverse(values: list[int]) -> None:
    memory, shown = PictureMemory(SIZE), 0
    pile: list[int] = []
    for value in values:
        if value == shown:
            continue
        memory.replace(WHOLE, picture(shown), picture(value))
        if pile and pile[-1] == value:
            pile.pop()
        else:
            pile = [*pile, shown][-DEPTH:]
        shown = value
    while pile:
        recalled = memory.recall(WHOLE)
        assert recalled.known[0].all() and (recalled.pixels[0] == pile[-1]).all()
        memory.replace(WHOLE, picture(shown), picture(pile[-1]))
        shown = pile.pop()
    assert not memory.recall(WHOLE).known[0].any()


def test_the_ground_stays_where_it_was_seen() -> None:
    memory = PictureMemory(SIZE)
    where = torch.zeros(4, 8, dtype=torch.bool)
    where[1:3, 2:5] = True
    memory.ground(Rect(8, 4, 12, 8), picture(77)[:, 4:12, 8:20])
    recalled = memory.recall(WHOLE)
    assert torch.equal(recalled.known[1], where)
    assert (recalled.pixels[1][:, 4:12, 8:20].numpy() == np.uint8(77)).all()
    again = PictureMemory(SIZE)
    again.restore(as_one(memory, SIZE, 3))
    assert all(torch.equal(getattr(again.recall(WHOLE), n), getattr(memory.recall(WHOLE), n)) for n in ("pixels", "known"))
    memory.clear()
    assert not memory.recall(WHOLE).known.any()

"""The board of a game in dreams: whatever a dreamer says, it is one that can be, and it goes on as the game does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from benchmarks.easel import Easel
from engine.desktop.apps.snake import COLUMNS, HEADINGS, ROWS, Cell, board_in
from engine.desktop.apps.snake import Snake as Game
from engine.desktop.desktop import Desktop
from engine.events import Ask, Event, Key, Wait
from engine.geometry import Rect
from engine.open_work import Work, rows_of, values_of
from engine.painter import PainterSpec
from engine.scene import find
from engine.typeface import Face, line_height
from models.catalog import open_painter
from models.dreaming.board import Snake, moved_on, read, stepped
from models.dreaming.papers import SNAKE, sheet_of
from models.dreaming.pictures import drawn

SIZE = 13
CELLS = st.tuples(st.integers(0, COLUMNS - 1), st.integers(0, ROWS - 1))


def told(body: list[Cell], heading: str = "right", food: Cell = (0, 0)) -> Work:
    values = {"body": body, "food": food, "heading": heading, "turns": [], "phase": 0, "paused": False, "over": False, "best": 0}
    return Work(SNAKE, "", "Snake", rows=tuple(rows_of(values)), focus="field")


def picture(work: Work, w: int = 300, h: int = 230) -> Tensor:
    return drawn(sheet_of(work, SIZE, Rect(0, 0, w, h)).items, w, h)


def board(w: int = 300, h: int = 230) -> Rect:
    return board_in(Rect(0, 0, w, h), line_height(Face(SIZE)))


@settings(max_examples=25)
@given(body=st.lists(CELLS, min_size=2, max_size=12, unique=True), heading=st.sampled_from(sorted(HEADINGS)), food=CELLS, w=st.integers(190, 400), h=st.integers(160, 300))
def test_what_is_drawn_is_read(body: list[Cell], heading: str, food: Cell, w: int, h: int) -> None:
    if food not in body:
        work = told(body, heading, food)
        assert read(picture(work, w, h), board(w, h), values_of(work.rows)) == Snake(frozenset(body[1:]), body[0], heading)


def test_what_is_no_board_is_left_as_it_is() -> None:
    work, noise = told([(5, 5), (4, 5)]), torch.randint(0, 255, (8, 230, 300), dtype=torch.uint8)
    assert moved_on(noise, noise, work, SIZE, True) is noise
    longer = told([(5, 5), (4, 5), (3, 5)])
    assert moved_on(picture(work), noise, longer, SIZE, True) is noise, "it is not the one that is told of"
    small = picture(work)[:, :60, :80]
    assert moved_on(small, small, work, SIZE, True) is small


def test_a_frayed_board_is_one_that_can_be() -> None:
    """Specks all over, and hardly a head: it is a cell further, the end of its tail is gone, and the scores stay as they were said to be."""
    work, then = told([(5, 5), (4, 5), (3, 5)]), told([(6, 5), (5, 5), (4, 5)])
    frayed = picture(then)
    rng = np.random.default_rng(0)
    where = torch.from_numpy(rng.random(frayed.shape[1:]) < 0.2)
    frayed[:, where] = frayed[:, *map(torch.from_numpy, (rng.integers(0, 230, int(where.sum())), rng.integers(0, 300, int(where.sum()))))]
    out, place = moved_on(picture(work), frayed, work, SIZE, True), board()
    assert torch.equal(out[:, *place.slices], picture(then)[:, *place.slices])
    assert torch.equal(out[:, : place.y], frayed[:, : place.y])


@pytest.mark.parametrize(("seen", "least", "head"), [({}, 0.0, (6, 5)), ({}, 0.25, (5, 5)), ({(5, 4): 0.9}, 0.0, (5, 4)), ({(5, 4): 0.2}, 0.0, (6, 5)), ({(5, 6): 0.4}, 0.25, (5, 6))])
def test_it_goes_where_it_is_seen_and_else_ahead(seen: dict[Cell, float], least: float, head: Cell) -> None:
    taken = torch.zeros(ROWS, COLUMNS)
    for (x, y), share in {(5, 5): 0.8, (4, 5): 0.8, (3, 5): 0.8, **seen}.items():
        taken[y, x] = share
    snake = stepped(Snake(frozenset({(4, 5), (3, 5)}), (5, 5), "right"), taken, least)
    assert snake.head == head and (snake.body == {(5, 5), (4, 5)}) == (head != (5, 5))


def test_where_it_cannot_go_it_stays() -> None:
    around = Snake(frozenset({(1, 0), (0, 1), (1, 1)}), (0, 0), "left")
    assert stepped(around, torch.ones(ROWS, COLUMNS), 0.0) == around


def test_a_game_that_is_dreamt_goes_on_as_it_does_and_stays_sharp() -> None:
    """Somebody plays until something is eaten; for lack of a guide the bundled checkpoint frayed within three seconds."""
    desktop = Desktop((512, 384))
    painter = open_painter(PainterSpec(mode="dream", device="cpu", threads=1))
    easel = Easel(painter, desktop)
    easel.paint()
    easel.feed(Ask(0.5, "snake"))
    game, right = desktop.stack.windows[-1].app, list[bool]()
    assert isinstance(game, Game)
    while game.score == 0 and not game.over:
        easel.feed(towards(game, round(desktop.t + 0.01, 2)))
        easel.feed(Wait(round(desktop.t + 0.19, 2)))
        place = find(desktop.widgets, "Snake/field").rect.slices
        right.append(bool((np.abs(easel.frame[place].astype(int) - easel.source()[place]) < 60).all()))
    painter.close()
    assert game.score == 1 and len(right) > 10 and all(right), right


def towards(game: Game, t: float) -> Event:
    """A turn to the food, over a corner where it lies behind; nothing where it lies ahead."""
    (x, y), (to_x, to_y) = game.body[0], game.food
    dx, dy = HEADINGS[game.heading]
    ways = {"right": to_x - x, "left": x - to_x, "down": to_y - y, "up": y - to_y}
    sides = {way: (ways[way], 0 <= y + wy < ROWS and 0 <= x + wx < COLUMNS) for way, (wx, wy) in HEADINGS.items() if wx * dx + wy * dy == 0}
    return Key(t, max(sides, key=sides.__getitem__)) if ways[game.heading] <= 0 else Wait(t)

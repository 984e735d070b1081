"""The board of a game that goes on, in dreams: the dreamer says how the snake moves, and what can be on a board is kept.

Every cell shows one thing, and a snake has one head, and stays as long as it is told to be. Without that it frays within seconds: what
came out a little wrong is what the next move goes on from.
"""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import torch
from torch import Tensor

from engine.desktop.apps.snake import (
    COLUMNS,
    HEADINGS,
    ROWS,
    SEEING,
    Cell,
    board_in,
    cell_in,
    eyes_in,
    filled,
)
from engine.geometry import Rect
from engine.open_work import Work, rows_of, values_of
from engine.theme import NEUTRAL, Role
from engine.typeface import Face, line_height
from models.dreaming.papers import sheet_of
from models.dreaming.pictures import drawn
from models.dreaming.planes import shows

MOVED = 0.25  # share of a cell that looks taken by which the head came there rather than ahead, or than that it moved at all by a key or a click


class Snake(NamedTuple):
    """body: where it is, but for its head."""

    body: frozenset[Cell]
    head: Cell
    heading: str


def moved_on(before: Tensor, after: Tensor, work: Work, size: int, tick: bool) -> Tensor:
    """What the window of a game holds after an answer, uint8 (PLANES, h, w): `after`, with the board as it can be that is nearest to
    what is shown there. before: what it held until then; where that is no board as the game draws it, `after` as it is. size: of text;
    tick: whether nothing but time passed, which is told only when it changed something."""
    outer, values = Rect(0, 0, after.shape[2], after.shape[1]), values_of(work.rows)
    board = board_in(outer, line_height(Face(size)))
    snake = read(before, board, values) if outer.meet(board) == board else None
    if snake is None:
        return after
    snake = stepped(snake, _taken(after, board, values), 0.0 if tick else MOVED)
    told = values | {"body": [snake.head, *snake.body], "heading": snake.heading}
    sheet, out = sheet_of(work._replace(rows=tuple(rows_of(told))), size, outer), after.clone()
    out[:, *board.slices] = drawn(sheet.items, outer.w, outer.h)[:, *board.slices]
    return out


def read(picture: Tensor, board: Rect, values: dict[str, Any]) -> Snake | None:
    """The snake that is drawn on a board in a picture, (PLANES, h, w); None where that is none, or too small to tell where it looks. values:
    what is told of the game."""
    if filled(cell_in(board, (0, 0))).w < SEEING:
        return None
    taken, eyes = _taken(picture, board, values), shows(picture, Role.ACCENT_INK)
    cells = [(x, y) for y, x in (taken > 0.5).nonzero().tolist()]
    looks = [(cell, way) for cell, way in product(cells, HEADINGS) if all(eyes[eye.slices].all() for eye in eyes_in(filled(cell_in(board, cell)), way))]
    if len(looks) != 1 or len(cells) != len(values["body"]):
        return None
    head, heading = looks[0]
    return Snake(frozenset(cells) - {head}, head, heading)


def stepped(snake: Snake, taken: Tensor, least: float) -> Snake:
    """It as it is by what is shown: as it was, or a cell further, if that looks taken to the share `least`. taken: as of `_taken`."""
    ways = {way: (snake.head[0] + dx, snake.head[1] + dy) for way, (dx, dy) in HEADINGS.items()}
    free = {way: (x, y) for way, (x, y) in ways.items() if 0 <= x < COLUMNS and 0 <= y < ROWS and (x, y) not in snake.body}
    shares = {way: float(taken[y, x]) for way, (x, y) in free.items()}
    way = max(shares, key=lambda way: shares[way] + MOVED * (way == snake.heading), default="")  # that it turned would have been told
    if not way or shares[way] < least:
        return snake
    whole = snake.body | {snake.head}
    ends = [(x, y) for x, y in snake.body if sum((x + dx, y + dy) in whole for dx, dy in HEADINGS.values()) == 1]
    tail = min(ends or snake.body, key=lambda cell: float(taken[cell[1], cell[0]]))
    return Snake(snake.body - {tail} | {snake.head}, free[way], way)


def _taken(picture: Tensor, board: Rect, values: dict[str, Any]) -> Tensor:
    """The share of each cell's pixels that look like a snake rather than like the board: float32 (ROWS, COLUMNS). Of the cell where the food
    lies that cannot be told: 0."""
    pixels, side = picture[:3, *board.slices].float(), board.w // COLUMNS
    snake, empty = (torch.from_numpy(NEUTRAL[role]).float().view(3, 1, 1) for role in (Role.ACCENT, Role.FIELD))
    near = (pixels - snake).square().sum(0) < (pixels - empty).square().sum(0)
    taken = near.float().view(ROWS, side, COLUMNS, side).mean((1, 3))
    x, y = values["food"]
    taken[y, x] = 0.0
    return taken

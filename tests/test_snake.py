"""Snake, as a user plays it."""

from __future__ import annotations

from tests.user import User


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

"""Calculator, as a user uses it."""

from __future__ import annotations

import pytest

from tests.user import User


@pytest.mark.parametrize(
    ("typed", "shows"),
    [
        ("0.1+0.2", "0.3"),
        ("2+3*4", "14"),
        ("(2+3)*4", "20"),
        ("8/2/2", "2"),
        ("-5+2", "−3"),
        ("6*-2", "−12"),
        ("200+10%", "220"),
        ("200*10%", "20"),
        ("2(3+4", "14"),
        ("1/3", "0.3333333333333333"),
        ("9999999999999999+1", "1e16"),
        ("0,5*3", "1.5"),
        ("1-0.9", "0.1"),
        ("1/8", "0.125"),
    ],
)
def test_the_calculator_knows_arithmetic(typed: str, shows: str) -> None:
    user = User("calculator")
    user.types(typed)
    user.presses("enter")
    assert user.sees("display").text == shows


def test_a_third_times_three_is_one() -> None:
    user = User("calculator")
    user.types("1/3=")
    user.types("*3=")
    assert user.sees("display").text == "1"


def test_the_calculator_by_pointer() -> None:
    user = User("calculator")
    for key in ("7", "×", "(", "8", "−", "2", ")", "="):
        user.clicks(key)
    assert user.sees("display").text == "42"
    user.clicks("±")
    assert user.sees("display").text == "−42"
    user.clicks("C")
    assert user.sees("display").text == "0"


def test_enter_means_equals_after_a_click_on_a_key() -> None:
    user = User("calculator")
    user.clicks("7")
    user.presses("+", "1", "enter")
    assert user.sees("display").text == "8"


def test_dividing_by_zero_is_said_and_can_be_mended() -> None:
    user = User("calculator")
    user.types("5/0=")
    assert user.sees("display").text == "Cannot divide by zero"
    user.presses("backspace")
    assert user.sees("display").text == "5÷0"
    user.presses("backspace", "2", "enter")
    assert user.sees("display").text == "2.5"


def test_an_unfinished_sum_is_not_lost() -> None:
    user = User("calculator")
    user.types("5+=")
    assert "missing" in user.sees("display").text
    user.presses("3", "enter")
    assert user.sees("display").text == "8", "what is missing is put in"
    user.types("5+=")
    user.presses("backspace", "3", "=")
    assert user.sees("display").text == "8"
    user.types("5/0=3=")
    assert user.sees("display").text == "3", "nothing is missing there: another sum begins"


def test_what_is_no_part_of_a_sum_is_told_of_and_leaves_it_as_it_is() -> None:
    user = User("calculator")
    user.types("2^")
    assert user.sees("display").text == "2" and "“^”" in user.sees("notice").text
    user.desktop.clipboard = "sqrt(16)"
    user.presses("ctrl+v")
    assert user.sees("display").text == "2" and "“s”" in user.sees("notice").text
    user.desktop.clipboard = "+ 16\n"
    user.presses("ctrl+v", "enter")
    assert user.sees("display").text == "18"


def test_what_cannot_follow_is_not_taken() -> None:
    user = User("calculator")
    user.types("1.2.3++4)")
    assert user.sees("display").text == "1.23+4"


def test_the_result_is_copied_and_pasted() -> None:
    user = User("calculator")
    user.types("2-7=")
    user.presses("ctrl+c", "escape", "ctrl+v")
    assert user.desktop.clipboard == "-5"
    assert user.sees("display").text == "−5"


def test_results_are_shown_above_the_display() -> None:
    user = User("calculator")
    user.types("6*7=")
    user.types("1+1=")
    assert "1+1 = 2" in user.texts

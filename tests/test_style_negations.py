"""What is said not to be wanted goes away where something plain or opposite can take its place; what cannot is named."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.desktop.looks import look
from engine.events import Ask
from engine.events import Style as Said
from engine.style_words import added, from_words, known_words
from engine.styles import PRESETS, mix, turned
from tests.test_style_words import after, harbour
from tests.user import User

LIGHT, DARK, NEON, PAPER = (PRESETS[name] for name in ("light", "dark", "neon", "paper"))
NOTS = ("no {}", "not {}", "without {}", "never {}", "don't make it {}", "I don’t want any {} please", "isn't {}", "do not give me {}", "non-{}")
LOST = ("frobnicated", "lagoon", "qwxyz", "Ωμέγα")


@pytest.mark.parametrize("denied", NOTS)
def test_what_is_denied_is_taken_away_however_it_is_said(denied: str) -> None:
    for before, word, changed in (
        ("ocean", "rounded", {"radius": 0.0}), ("ocean, stripes", "stripes", {"wallpaper": "flat"}), ("light", "shadows", {"shadow": 0.0}),
        ("neon", "glow", {"glow": 0.0}), ("wood", "wooden", {"streak": 0.0}), ("glass", "transparent", {"glass": 0.0}),
        ("stars", "stars", {"wallpaper": "flat"}), ("pixel", "square", {"radius": 12.0}), ("wood", "thick borders", {"border": 1.0}),
    ):  # fmt: skip
        words = f"{before}, {denied.format(word)}"
        style, unknown = from_words(words)
        assert style == replace(from_words(before)[0], **changed) and not unknown, words
        assert after(Ask, before, denied.format(word)) == style, words


def test_what_is_not_there_cannot_be_taken_away() -> None:
    for words in ("without stripes", "no hills", "not dark", "no glow", "not black"):
        assert from_words(words) == (LIGHT, ()) and known_words(words)
    assert from_words("dots without stripes")[0].wallpaper == "dots"


def test_what_is_not_dark_is_light_and_stays_what_it_was() -> None:
    assert after(Ask, "neon", "not dark") == from_words("not dark neon")[0] == turned(NEON, False)
    assert after(Ask, "paper, square", "not light please").palette().tolist() == turned(PAPER, True).palette().tolist()
    assert from_words("not light")[0] == DARK and after(Ask, "dark", "not dark").dark == 0
    assert after(Ask, "neon", "not dark", "not light").dark == 1
    mixture = "between dark ocean and dark candy"
    one, other = from_words(mixture)[0].ends or (LIGHT, LIGHT)
    assert from_words(f"{mixture}, not dark")[0] == mix(turned(one, False), turned(other, False), 0.5)


def test_less_is_a_step_and_no_step_is_kept_that_changes_nothing() -> None:
    assert [after(Ask, "ocean", *["less rounded"] * n).radius for n in range(5)] == [10, 6, 2, 0, 0]
    assert after(Ask, "neon", "less glow").glow == pytest.approx(0.6) and after(Ask, "neon", "a little less glossy").gloss == 0
    assert after(Ask, "dark", "less dark") == after(Ask, "dark", "not too dark") == after(Ask, "dark", "lighter")
    assert after(Ask, "paper", "less bright").dark == 0.2 and added("neon, darker", "less dark") == "neon"
    user = User()
    user.does(Ask, "candy")
    for _ in range(30):
        user.does(Ask, "less rounded")
    assert user.desktop.style.radius == 0 and len(user.desktop.style_words) < 80
    user.does(Ask, "rounded")
    assert user.desktop.style_words == "candy, rounded", "instead of the steps"


@pytest.mark.parametrize(("words", "radius", "shadow", "glow"), [
    ("no shadows or glow", 7, 0, 0), ("without shadow, rounded", 12, 0, 1), ("no shadows and glow", 7, 0, 0),
    ("no shadows and rounded corners", 12, 0, 1), ("neither rounded nor glow", 0, 0, 0), ("shadow but no glow", 7, 1, 0),
    ("shadow, not just rounded", 12, 1, 1), ("no, rounded", 12, 0, 1), ("no glow with rounded corners", 12, 0, 0),
    ("rounded instead of square", 12, 0, 1), ("no borders please, rounded", 12, 0, 1),
])  # fmt: skip
def test_where_what_is_denied_ends(words: str, radius: float, shadow: float, glow: float) -> None:
    style = from_words(f"neon, {words}")[0]
    assert (style.radius, style.shadow, style.glow) == (radius, shadow, glow)


@pytest.mark.parametrize(("words", "named"), [
    ("not ocean", ("not ocean",)), ("without candy or blue", ("without candy", "without blue")), ("no frobs", ("no", "frobs")),
    ("nor", ("nor",)), ("not darker", ("not darker",)), ("less", ("less",)), ("never frobnicated, please", ("never", "frobnicated")),
])  # fmt: skip
def test_what_cannot_be_taken_away_changes_nothing_and_is_named(words: str, named: tuple[str, ...]) -> None:
    assert from_words(f"neon, {words}") == (NEON, named) and not known_words(words)
    user = harbour()
    user.does(Said, "neon")
    user.does(Said, words)
    assert user.desktop.style == NEON and user.notice == f"I don't know: {', '.join(named)}."
    user.does(Ask, words)
    assert user.desktop.style == NEON and f"can't do “{words}”" in user.notice


def test_a_picture_cannot_be_denied_but_its_name_may_say_no() -> None:
    user = harbour()
    user.does(Ask, "neon")
    user.does(Ask, "not like Harbour")
    assert user.desktop.style == NEON and user.notice.endswith("I don't know: not like harbour.")
    user.documents.write("No stripes!.png", user.documents.read("Harbour.png"))
    assert look("like No stripes!", user.documents) == look("like Harbour", user.documents)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["neon, not rounded", "don't make it dark neon", "paper without stripes or shadows", "less glow neon"]), st.data())
def test_words_that_mean_nothing_stand_in_the_way_of_no_denial(sentence: str, data: st.DataObject) -> None:
    words = sentence.split()
    for _ in range(data.draw(st.integers(1, 4))):
        words.insert(data.draw(st.integers(0, len(words))), data.draw(st.sampled_from(LOST)))
    assert from_words(" ".join(words))[0] == from_words(sentence)[0], words


@settings(max_examples=60, deadline=None)
@given(st.text("!<# -',no\u2019t", max_size=20), st.sampled_from(["no", "less", "not too", "never", "or", "and", ""]), st.sampled_from(["dark", "stripes", "ocean", "x"]))
def test_whatever_is_denied_gives_a_look(noise: str, denied: str, word: str) -> None:
    text = f"{noise} {denied} {word} {noise}{word}"
    assert from_words(text)[0].palette().any() and isinstance(added("neon", text), str)

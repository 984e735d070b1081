"""What is said of a look, one sentence after another: what is not known changes nothing, the rest goes on top."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.desktop.bitmap import encode
from engine.desktop.desktop import Desktop
from engine.desktop.looks import look, told_of
from engine.events import Ask, Event
from engine.events import Style as Said
from engine.profile import Profile
from engine.settings import open_settings
from engine.style_telling import described, plainly
from engine.style_words import added, from_words, in_words
from engine.styles import PRESETS, Style, mix
from engine.theme import Role
from models.synthetic.random_styles import random_style
from tests.user import User
from ui.options import Choice
from ui.start import _session

OCEAN, CANDY = PRESETS["ocean"], PRESETS["candy"]
SENTENCES = (
    "dark ocean", "make it a cosy wooden cabin", "rounded corners please", "between ocean and candy, square", "grey", "a wooden desk, blue",
    "a third of the way from neon to light", "mostly ocean, a little candy", "70% forest, 30% sunset darker", "seed=8 grain=0.5 rounded", "darker",
    "like Harbour, rounded", "lighter pink", "between dark blue and silk glossy",
)  # fmt: skip
LOST = ("frobnicated", "lagoon", "qwxyz", "Ωμέγα", "mass=3", "wobbly,")


def test_borders_are_as_wide_as_is_said_in_everyday_words() -> None:
    for words, border in (("ocean, wide borders", 3), ("framed wood, thin borders", 1), ("narrow borders, please", 1)):
        style, unknown = from_words(words)
        assert style.border == border and not unknown
    assert added("ocean, wide borders", "thin borders") == "ocean, thin borders"


def harbour() -> User:
    """With a picture of a night in the folder."""
    user = User()
    night = np.full((20, 20, 3), (10, 12, 60), np.uint8)
    night[5:9, 5:9] = 250, 210, 40
    user.documents.write("Harbour.png", encode(night))
    return user


def after(kind: type[Event], *sentences: str) -> Style:
    user = harbour()
    for sentence in sentences:
        user.does(kind, sentence)
    return user.desktop.style


@pytest.mark.parametrize("kind", [Ask, Said])
@pytest.mark.parametrize(("before", "then"), [
    ("dark ocean", "rounded corners please"), ("dark ocean", "make the windows square, frobnicated"), ("ocean lagoon", "rounded"),
    ("between ocean and candy", "rounded"), ("like Harbour", "rounded"), ("neon", "square wobbly"), ("blue, glossy", "radius=3"),
])  # fmt: skip
def test_a_shape_goes_on_top_of_the_look_of_now_whatever_else_is_said(kind: type[Event], before: str, then: str) -> None:
    look, shaped = after(kind, before), after(kind, before, then)
    assert shaped.radius in (0, 3, 12) and shaped.radius != look.radius
    assert (shaped.palette() == look.palette()).all() and shaped.patterns() == look.patterns()


@pytest.mark.parametrize("kind", [Ask, Said])
def test_a_pictures_name_ends_where_the_shapes_begin(kind: type[Event]) -> None:
    night = after(kind, "like Harbour")
    for sentence in ("like Harbour, rounded", "like “harbour” rounded", "rounded like the picture Harbour.png", "look like harbour, rounded please"):
        shaped = after(kind, sentence)
        assert shaped.radius == 12 and (shaped.palette() == night.palette()).all(), sentence
    assert after(kind, "like Harbour", "lighter").dark == 0.8 and after(kind, "light like Harbour").dark == 0


def test_where_no_word_is_known_the_look_stays_and_the_words_are_said() -> None:
    user = User()
    for sentence in ("neon", "frobnicated", "like nothing", ""):
        user.does(Said, sentence)
        assert user.desktop.style == PRESETS["neon"]
    assert user.notice == "I don't know: nothing."
    assert from_words(user.desktop.style_words)[1] == ("nothing",), "what the HUD says"
    user.does(Ask, "rounded qwxyz")
    assert user.notice == "Style: rounded qwxyz. I don't know: qwxyz."
    assert user.desktop.style_words == "neon, rounded qwxyz", "all of it is told to who paints what they read"


def test_a_style_sentence_on_a_fresh_desktop_is_all_there_is() -> None:
    for sentence in ("dark blue, rounded", "square pink", "steampunk", "darker"):
        user = User()
        user.does(Said, sentence)
        assert user.desktop.style_words == sentence and user.desktop.style == from_words(sentence)[0]


def test_the_style_option_goes_on_top_of_the_look_that_was_kept(tmp_path: Path) -> None:
    looks, notices = [], []
    for words in ("neon", "frobnicated", "rounded corners", "ocean"):
        with Profile.open(tmp_path) as profile:
            choice = Choice(profile=tmp_path, checkpoint="guide", style=words)
            with _session(choice, profile, open_settings(profile.settings_path)) as (session, _, _):
                looks.append(session.desktop.style_words)
                notices.append(session.desktop.notice)
    assert looks == ["neon", "neon, frobnicated", "neon, frobnicated, rounded corners", "ocean"]
    assert notices[:2] == ["", "I don't know: frobnicated."]


@pytest.mark.parametrize("kept", ["zzz qqq", "dark zzz", "not ocean"])
def test_a_style_in_the_settings_that_means_nothing_is_said_once_and_keeps_nobody_out(
    kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notices: list[str] = []
    monkeypatch.setattr(Desktop, "say", lambda desktop, text: notices.append(text))
    for _ in range(2):
        with Profile.open(tmp_path) as profile:
            profile.settings_path.write_text(f'style = "{kept}"')
            with _session(Choice(profile=tmp_path, checkpoint="guide"), profile, open_settings(profile.settings_path)) as (session, _, _):
                assert session.desktop.style_words == kept and session.desktop.style == from_words(kept)[0]
    assert notices == [f"The style in your settings: I don't know: {', '.join(from_words(kept)[1])}."]


def _sprinkled(sentence: str, data: st.DataObject) -> str:
    """With words that mean nothing anywhere between its own, but for names of pictures."""
    words = sentence.replace("like Harbour", "like_Harbour").split()
    for _ in range(data.draw(st.integers(1, 4))):
        words.insert(data.draw(st.integers(0, len(words))), data.draw(st.sampled_from(LOST)).rstrip("," if "=" in sentence else ""))
    return " ".join(words).replace("like_Harbour", "like Harbour")


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=3), st.data())
def test_words_that_mean_nothing_change_nothing(sentences: list[str], data: st.DataObject) -> None:
    lost = [_sprinkled(sentence, data) for sentence in sentences]
    lost.insert(data.draw(st.integers(0, len(lost))), _sprinkled("please", data))
    assert (after(Said, *lost).vector() == after(Said, *sentences).vector()).all(), lost


def test_what_is_said_again_takes_the_place_of_what_was_said_before() -> None:
    assert added("dark ocean", "rounded") == "dark ocean, rounded"
    assert added("dark ocean rounded", "square") == "dark ocean, square"
    assert added("ocean radius=3 seed=7", "seed=8 grain=0.5") == "ocean radius=3 seed=7, seed=8 grain=0.5"
    assert added("neon, blue, seed=3", "pink") == "neon, seed=3, pink"
    assert added("neon, radius=0", "rounded") == "neon, rounded"
    assert added("mostly red, a little blue", "green") == "mostly red, a little blue, green"
    assert added("ocean seed=4", "neon") == "neon" and added("ocean", "dark blue") == "dark blue"
    assert from_words("radius=0 rounded")[0].radius == 12 and from_words("rounded radius=0")[0].radius == 0


@pytest.mark.parametrize("look", ["light", "sunset", "paper", "between ocean and candy", "like Harbour"])
def test_darker_and_lighter_are_steps_and_take_one_another_back(look: str) -> None:
    user = harbour()
    user.does(Said, look)
    start = user.desktop.style_words
    grounds = [Role.SURFACE, Role.BAR, Role.WALLPAPER]
    light = [user.desktop.style.palette()[grounds].sum(dtype=int)]
    for _ in range(2):
        user.does(Ask, "make it darker")
        light.append(user.desktop.style.palette()[grounds].sum(dtype=int))
    assert light[0] > light[1] > light[2]
    user.does(Ask, "lighter")
    user.does(Ask, "lighter")
    assert user.desktop.style_words == ("light" if look == "light" else start)
    for _ in range(30):
        user.does(Ask, "darker")
    assert len(user.desktop.style_words) < 160, "what changes nothing any more is not kept"
    assert user.desktop.style.dark == 1


def test_grey_takes_the_colour_out_of_the_look_of_now() -> None:
    neon = PRESETS["neon"]
    for word, left in (("grey", 0.0), ("gray", 0.0), ("muted", 0.5)):
        grey = after(Ask, "neon", word)
        assert (grey.dark, grey.wallpaper, grey.glow) == (neon.dark, neon.wallpaper, neon.glow)
        assert grey.saturation == left * neon.saturation and grey.vivid < neon.vivid
    assert from_words("grey ocean")[0] == from_words("ocean grey")[0] and from_words("grey ocean")[0].wall_saturation == 0


@pytest.mark.parametrize(("words", "share"), [
    ("between ocean and candy", 1 / 2), ("half way from ocean to candy", 1 / 2), ("a third of the way from ocean to candy", 1 / 3),
    ("two thirds of the way between ocean and candy", 2 / 3), ("a quarter of the way from the ocean to candy", 1 / 4),
    ("30% from ocean to candy", 0.3), ("mostly ocean, a little candy", 1 / 5), ("mostly ocean with a little candy", 1 / 5),
    ("70% ocean 30% candy", 0.3), ("70 % of ocean and 30 % of candy", 0.3), ("20% ocean, 20% candy", 1 / 2),
])  # fmt: skip
def test_how_far_from_one_look_to_another_can_be_said(words: str, share: float) -> None:
    for kind in (Ask, Said):
        assert after(kind, words).vector() == pytest.approx(mix(OCEAN, CANDY, share).vector(), abs=1e-6)
    assert not from_words(words)[1]


def test_what_follows_a_way_is_said_of_both_of_its_ends() -> None:
    one, other = (from_words(f"{name} square grey")[0] for name in ("ocean", "candy"))
    for words in ("between ocean and candy square grey", "between ocean and candy, square, grey", "square: between ocean and candy, grey"):
        assert from_words(words)[0] == mix(one, other, 0.5)
    assert after(Ask, "between like Harbour and candy") == mix(after(Ask, "like Harbour"), from_words("dark candy")[0], 0.5)


def test_words_of_a_way_that_lead_nowhere_are_named() -> None:
    assert from_words("between frobs and candy") == (CANDY, ("frobs", "between"))
    assert from_words("from light to dark") == from_words("light dark"), "a wish for dark, not a way"


@pytest.mark.parametrize("text", ["50% ocean " * 700, "between ocean and candy " * 200, "(" * 500 + "between ocean and candy" + ") and candy" * 500,
                                  "(between ocean and " * 100 + "candy" + ")" * 100, "#0 #99 ocean", "0% ocean 0% candy", "between \ud800 and x"])  # fmt: skip
def test_whatever_is_said_gives_a_look(text: str) -> None:
    style, _ = from_words(text)
    assert np.abs(style.vector()).max() <= 1 and isinstance(added("neon", text), str)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_every_mixture_can_be_put_into_words(seed: int, share: float, other: float) -> None:
    rng = np.random.default_rng(seed)
    one, two, three = (random_style(rng) for _ in range(3))
    between = mix(one, two, share)
    for style in (between, mix(between, three, other), mix(three, between, other), mix(between, mix(two, three, other), share)):
        again, unknown = from_words(in_words(style))
        assert not unknown and again.vector() == pytest.approx(style.vector(), abs=0.01) and again.chrome == style.chrome


def test_every_look_can_be_told_in_plain_words() -> None:
    assert plainly("ocean, rounded, frobnicated") == "ocean, rounded, frobnicated", "as it was said"
    told = plainly("ocean, frobnicated hue=0.35 radius=0")
    assert told.startswith("ocean, frobnicated, light green, cyan accents") and told.endswith("square corners") and "=" not in told
    assert plainly(in_words(PRESETS["wood"])) == described(PRESETS["wood"]) and "wood grain" in described(PRESETS["wood"])
    told = [described(style) for style in PRESETS.values()]
    assert len(set(told)) == len(PRESETS)


def test_numbers_of_a_mixture_and_names_that_begin_others_are_told_too() -> None:
    mixture = mix(PRESETS["dark"], PRESETS["ocean"], 0.3)
    assert plainly(in_words(mixture)) == described(mixture)
    user = harbour()
    user.documents.write("Harbour 2.png", encode(np.full((20, 20, 3), (240, 120, 20), np.uint8)))
    night, day = look("like Harbour", user.documents)[0], look("like Harbour 2", user.documents)[0]
    assert night != day and look("like Harbour, like Harbour 2", user.documents)[0].palette().tolist() == day.palette().tolist()
    assert look("between like Harbour and like Harbour 2", user.documents)[0].ends is not None
    assert told_of("like Harbour 2, wobbly", user.documents) == f"{described(day)}, wobbly"

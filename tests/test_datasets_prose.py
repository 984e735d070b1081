"""What random documents are written in: real sentences of several languages, and every character there is."""

from __future__ import annotations

import string

import numpy as np
import pytest

from engine.typeface import Face, line
from models.synthetic import prose
from models.synthetic.languages import SENTENCES


@pytest.fixture(scope="module")
def written() -> list[str]:
    rng = np.random.default_rng(0)
    return [prose.sentence(rng, 80) for _ in range(1500)]


def test_every_printable_character_is_written(written: list[str]) -> None:
    characters = set("".join(written))
    assert set(string.printable) - set(string.whitespace) <= characters
    assert set("äöüßéèçñąęłżßåřůěαωήόжщыюїєґ€–“”«»") <= characters


def test_every_language_is_written(written: list[str]) -> None:
    for language, sentences in SENTENCES.items():
        assert len(set(sentences)) == 12, language
        pieces = [" ".join(sentence.split()[1:4]) for sentence in sentences]
        assert any(piece in text for piece in pieces for text in written), language


def test_text_is_as_long_as_asked_for(written: list[str]) -> None:
    assert max(map(len, written)) <= 80 and np.median([len(text) for text in written]) > 70
    rng = np.random.default_rng(1)
    assert 900 < max(len(prose.sentence(rng, 1000)) for _ in range(40)) <= 1000  # longer than a language's sentences


def test_the_typeface_has_every_letter_of_the_sentences() -> None:
    box = line(Face(13), "\U0010ffff")  # what is drawn for a character that the font lacks
    for char in sorted(set("".join("".join(sentences) for sentences in SENTENCES.values())) - {" "}):
        drawn = line(Face(13), char)
        assert drawn.shape != box.shape or (drawn != box).any(), char


def test_the_same_seed_writes_the_same(written: list[str]) -> None:
    rng = np.random.default_rng(0)
    assert [prose.sentence(rng, 80) for _ in range(20)] == written[:20]

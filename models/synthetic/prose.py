"""Text for random documents: real prose in eleven languages, words of three alphabets, every printable character."""

from __future__ import annotations

from functools import lru_cache
from pydoc_data.topics import topics

import numpy as np

from models.synthetic.languages import SENTENCES

_LETTERS = {
    "latin": "abcdefghijklmnopqrstuvwxyzàâçéèêëîïôöüßñåøæłšžő",
    "greek": "αβγδεζηθικλμνξοπρστυφχψωάέήίόύώ",
    "cyrillic": "абвгдежзийклмнопрстуфхцчшщъыьэюяёєіїґ",
}
_PRINTABLE = "".join(chr(c) for c in range(33, 127)) + "“”‘’–—…•€£§°±×÷½²←→↑↓✓ ¿¡«»"


@lru_cache(maxsize=1)
def _corpus() -> str:
    """Python's own reference manual, as the standard library ships it."""
    return " ".join(" ".join(topics.values()).split())


@lru_cache(maxsize=16)
def _prose(language: str) -> str:
    return " ".join(SENTENCES[language])


def sentence(rng: np.random.Generator, length: int) -> str:
    """About `length` characters: mostly prose, a fifth of it in other languages than English; else made-up words of
    another alphabet, or plain noise in which every printable character comes up."""
    kind = rng.random()
    if kind < 0.5:
        return _cut(_corpus(), rng, length)
    if kind < 0.7:
        return _cut(_prose(str(rng.choice(list(SENTENCES)))), rng, length)
    if kind < 0.85:
        letters = _LETTERS[str(rng.choice(list(_LETTERS)))]
        text = "".join(rng.choice(list(letters + "   "), length))
        return " ".join(w.title() if rng.random() < 0.25 else w for w in text.split())[:length]
    return "".join(rng.choice(list(_PRINTABLE + "0123456789" * 3 + " " * 25), length)).strip()


def _cut(corpus: str, rng: np.random.Generator, length: int) -> str:
    """`length` characters from anywhere in a corpus, which begins again at its end."""
    start = int(rng.integers(len(corpus)))
    text = corpus[start : start + length]
    while len(text) < length:
        text += " " + corpus[: length - len(text)]
    return text[:length].strip()


def english(rng: np.random.Generator, length: int) -> str:
    """`length` characters of plain prose: letters, digits and everyday punctuation only."""
    corpus = _corpus()
    start = int(rng.integers(len(corpus) - 3 * length))
    words = corpus[start : start + 3 * length].split()[1:]
    plain = [w for w in words if w.strip(".,;:()?!'\"").isalpha() and w.isascii()]
    return " ".join(plain)[:length].strip()


def words(rng: np.random.Generator, least: int = 1, most: int = 3) -> str:
    """A short label."""
    text = sentence(rng, 40).split() or ["Open"]
    return " ".join(text[: int(rng.integers(least, most + 1))])[:24].capitalize()

"""How many words a text has, kept up to date from its edits. A word is a run without spaces that holds a letter."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\s\w]*\w\S*")
_SPACE = re.compile(r"\s")
_LOOK = 64  # characters first searched for a word's start


class WordCount:
    def __init__(self, text: str = "") -> None:
        self.words = count(text)

    def edit(self, text: str, at: int, removed: str, inserted: str) -> None:
        """`text` is the text after `inserted` took the place of `removed` at `at`."""
        behind = at + len(inserted)
        start = _word_start(text, at)
        found = _SPACE.search(text, behind)
        end = found.start() if found else len(text)
        self.words += count(text[start:end]) - count(text[start:at] + removed + text[behind:end])


def told(words: int, characters: int | None) -> str:
    """As the desktop says it. characters: None while they are not counted."""
    counted = f"{words:,} word{'s' * (words != 1)}"
    return counted if characters is None else f"{counted} · {characters:,} character{'s' * (characters != 1)}"


def count(text: str) -> int:
    return sum(1 for _ in _WORD.finditer(text))


def _word_start(text: str, at: int) -> int:
    """Where the run without spaces that ends at `at` begins."""
    reach = _LOOK
    while True:
        piece = text[max(at - reach, 0) : at]
        if not piece or piece[-1].isspace():
            return at
        run = len(piece.rsplit(None, 1)[-1])
        if run < len(piece) or reach >= at:
            return at - run
        reach *= 8

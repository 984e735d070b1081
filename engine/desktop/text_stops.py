"""Where a caret may stand: between whole characters as people see them, and at the edges of words."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

JOINER = "\u200d"
SKIN_TONES = range(0x1F3FB, 0x1F400)


@lru_cache(maxsize=4096)
def extends(char: str) -> bool:
    """Whether `char` belongs to the character before it: combining marks, joiners, skin tones."""
    return char > "\u02ff" and (
        char == JOINER or unicodedata.category(char) in ("Mn", "Me", "Mc") or ord(char) in SKIN_TONES
    )


def is_stop(text: str, at: int) -> bool:
    """Whether a caret may stand at offset `at`; the two ends always count."""
    return not 0 < at < len(text) or text[at - 1] == "\n" or not (extends(text[at]) or text[at - 1] == JOINER)


def after(text: str, at: int) -> int:
    """The next stop after `at`, or the end."""
    at = min(at + 1, len(text))
    while not is_stop(text, at):
        at += 1
    return at


def before(text: str, at: int) -> int:
    """The last stop before `at`, or 0."""
    at = max(at - 1, 0)
    while not is_stop(text, at):
        at -= 1
    return at


def nearest(text: str, at: int) -> int:
    """`at` itself if it is a stop, else the stop before it."""
    return at if is_stop(text, at) else before(text, at)


def kind(char: str) -> str:
    """space, word or mark: a word ends where the kind changes."""
    if char.isspace():
        return "space"
    return "word" if char.isalnum() or char == "_" or extends(char) else "mark"


def word_after(text: str, at: int) -> int:
    """Past the rest of the word at `at` and the spaces behind it; a line's end is a word of its own."""
    end = len(text)
    if at < end and text[at] == "\n":
        return at + 1
    if at < end and kind(text[at]) != "space":
        this = kind(text[at])
        while at < end and kind(text[at]) == this:
            at += 1
    while at < end and text[at] != "\n" and kind(text[at]) == "space":
        at += 1
    return at


def word_before(text: str, at: int) -> int:
    """The start of the word that ends at or before `at`; a line's end is a word of its own."""
    if at and text[at - 1] == "\n":
        return at - 1
    while at and text[at - 1] != "\n" and kind(text[at - 1]) == "space":
        at -= 1
    if at and text[at - 1] != "\n":
        this = kind(text[at - 1])
        while at and kind(text[at - 1]) == this:
            at -= 1
    return at


def word_at(text: str, at: int) -> tuple[int, int]:
    """The word, the run of spaces or the run of marks around offset `at`, within its line."""
    if at >= len(text) or text[at] == "\n":
        at -= 1
    if at < 0 or text[at] == "\n":
        return at + 1, at + 1
    this, low, high = kind(text[at]), at, at + 1
    while low and text[low - 1] != "\n" and kind(text[low - 1]) == this:
        low -= 1
    while high < len(text) and text[high] != "\n" and kind(text[high]) == this:
        high += 1
    return low, high


def line_at(text: str, at: int) -> tuple[int, int]:
    """The paragraph around offset `at`, without its line end."""
    end = text.find("\n", at)
    return text.rfind("\n", 0, at) + 1, len(text) if end < 0 else end

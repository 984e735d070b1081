"""Where rows of text end: greedy word wrap of any stretch of text, worked out for all of its words at once.

A row ends behind spaces or a hyphen; a word wider than a row ends anywhere between characters. Spaces at the end of
a row take no room.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from engine.desktop.markdown import FIRST_CHARACTERS, Look, look
from engine.typeface import Face, advance, width

_SPACE, _HYPHEN, _FIRST = 1, 2, 4
_CLASS = np.zeros(0x110000, np.uint8)  # by code point: which of the three it is
for _code in (9, 10, 32, *range(0x2000, 0x2007), *range(0x2008, 0x200B), 0x3000):
    _CLASS[_code] |= _SPACE
for _char in "-\u2010\u2013\u2014":
    _CLASS[ord(_char)] |= _HYPHEN
for _char in FIRST_CHARACTERS:
    _CLASS[ord(_char)] |= _FIRST
MOST_HANG = 3  # a third of the room


def hang(text: str, start: int, paragraph: Look, room: int) -> int:
    """Pixels by which the second and later rows of the paragraph at `start` are indented."""
    if not paragraph.hangs:
        return 0
    return min(width(paragraph.face, text[start : start + paragraph.marker]), room // MOST_HANG)


class _Words(NamedTuple):
    """A stretch of text as words with the spaces behind them; all offsets count from its start.

    pens: pen position before each character and after the last; starts, ends: int (words,), `ends` without spaces;
    room: pixels a row has that begins in this word; later: the same for a row that is not its paragraph's first;
    last: the first word of the next paragraph.
    """

    pens: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    room: np.ndarray
    later: np.ndarray
    last: np.ndarray


def row_starts(text: str, start: int, stop: int, room: int, size: int) -> list[int]:
    """Where the rows after the one that starts at `start` start, up to `stop`, in rows of `room` pixels.

    `start` must be a row's start. Unless `stop` is the end of the text, rows that depend on what follows are left out.
    """
    if start >= stop:
        return []
    words = _words(text, start, stop, room, size)
    found = _chain(words)
    if stop == len(text) and text[-1] == "\n":
        found.append(stop - start)
    return [at + start for at in found]


def _chain(words: _Words) -> list[int]:
    """Follow the rows from the first word on; stops where the last word known still fits."""
    target = words.pens[words.ends]
    follow = np.searchsorted(target, words.pens[words.starts] + words.room, "right")
    following = np.minimum(follow, words.last).tolist()
    starts, count = words.starts.tolist(), len(words.starts)
    found: list[int] = []
    word = 0
    while True:
        after = following[word]
        if after == word:  # wider than a row
            after, cuts = _cut(words, word, target)
            found += cuts
        if after == count:
            return found
        found.append(starts[after])
        word = after


def _cut(words: _Words, word: int, target: np.ndarray) -> tuple[int, list[int]]:
    """Break one long word between characters: where, and the first word that is not on its last row."""
    first, end = int(words.starts[word]), int(words.ends[word])
    pens = words.pens[first : end + 1].tolist()
    room, later, cuts = int(words.room[word]), int(words.later[word]), []
    at, whole = 0, pens[-1]
    while whole - pens[at] > room:
        cut = bisect_right(pens, pens[at] + room, at) - 1
        if pens[cut] == pens[at]:  # a character, with the marks on it, always fits
            cut = bisect_right(pens, pens[at + 1], at) - 1
        if cut == len(pens) - 1:
            break
        cuts.append(first + cut)
        at, room = cut, later
    after = int(np.searchsorted(target, pens[at] + room, "right"))
    return max(min(after, int(words.last[word])), word + 1), cuts


def _words(text: str, start: int, stop: int, room: int, size: int) -> _Words:
    codes = np.frombuffer(text[start:stop].encode("utf-32-le"), np.uint32)
    count = len(codes)
    breaks = np.flatnonzero(codes == 10) + 1
    paragraphs = np.concatenate(([0], breaks[breaks < count]))
    steps = _advances(Face(size)).of(codes)
    later = np.full(len(paragraphs), room, np.int64)
    classes = _CLASS[codes]
    marked = (classes[paragraphs] & _FIRST) > 0
    marked[0] = True  # the stretch may start within a paragraph
    for i in np.flatnonzero(marked).tolist():
        begin = int(paragraphs[i])
        at = text.rfind("\n", 0, start) + 1 if i == 0 else begin + start
        paragraph = look(text, at, size)
        later[i] -= hang(text, at, paragraph, room)
        if paragraph.face != Face(size):
            end = int(paragraphs[i + 1]) if i + 1 < len(paragraphs) else count
            steps[begin:end] = _advances(paragraph.face).of(codes[begin:end])
    pens = np.concatenate(([0], np.cumsum(steps, dtype=np.int64)))

    space = (classes & _SPACE) > 0
    begins = _word_begins(classes, _CLASS[ord(text[start - 1])] if start else _SPACE)
    begins[paragraphs] = True
    starts = np.flatnonzero(begins)
    inked = np.maximum.accumulate(np.where(space, 0, np.arange(1, count + 1)))
    ends = np.maximum(inked[np.append(starts[1:], count) - 1], starts)

    heads = np.searchsorted(starts, paragraphs)  # the word each paragraph starts with
    mine = np.searchsorted(paragraphs, starts, "right") - 1
    rooms = later[mine]
    inside = start and text[start - 1] != "\n"
    rooms[heads[1:] if inside else heads] = room
    last = np.append(heads[1:], len(starts))[mine]
    return _Words(pens, starts, ends, rooms, later[mine], last)


def _word_begins(classes: np.ndarray, previous: int) -> np.ndarray:
    """bool (characters,): a word begins behind a space, or behind a hyphen that follows a letter."""
    space, hyphen = (classes & _SPACE) > 0, (classes & _HYPHEN) > 0
    before = np.concatenate(([previous], classes[:-1]))
    begins = (before & _SPACE) > 0
    joint = (before & _HYPHEN) > 0
    joint[0] = False  # a row starts here anyway
    joint[1:] &= ~begins[:-1] & ~hyphen[1:]
    return (begins | joint) & ~space


class _Advances:
    """A face's advances by code point, as far as they were asked for; up to the largest of those, for all alphabets would take two
    megabytes."""

    def __init__(self, face: Face) -> None:
        self._face = face
        self._table = np.zeros(128, np.int16)  # one more than the advance, 0 where not asked for yet
        self._table[10] = 1  # a line end takes no room

    def of(self, codes: np.ndarray) -> np.ndarray:
        lacks = int(codes.max(initial=0)) + 1 - len(self._table)
        if lacks > 0:
            self._table = np.pad(self._table, (0, lacks))
        steps = self._table[codes]
        unknown = codes[steps == 0]
        if not len(unknown):
            return steps - 1
        for code in np.unique(unknown).tolist():
            self._table[code] = advance(self._face, chr(code)) + 1
        return self._table[codes] - 1


_advances = lru_cache(maxsize=8)(_Advances)

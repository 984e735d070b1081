"""The little of Markdown that Notes shows and continues: headings, lists, quotes. The text itself is never hidden."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

from engine.desktop.text_buffer import TextBuffer
from engine.desktop.text_stops import line_at
from engine.typeface import Face

_MARKER = re.compile(r"(?P<heading>#{1,3} )|(?P<item>[ \t]*(?:[-*+] |\d{1,4}[.)] ))|(?P<quote>> ?)")
_NUMBER = re.compile(r"\d+")
_LARGER = {1: 1.4, 2: 1.2, 3: 1.05}
FIRST_CHARACTERS = "#->*+ \t0123456789"  # what a marker can begin with


class Look(NamedTuple):
    """How a paragraph is set: its face, how many characters of it are marker, whether wrapped rows hang under
    the text behind the marker, and its heading level (0: none)."""

    face: Face
    marker: int = 0
    hangs: bool = False
    level: int = 0


def look(text: str, start: int, size: int) -> Look:
    """The look of the paragraph that starts at offset `start`, for plain text of `size` pixels."""
    found = None if text[start : start + 1].isalpha() else _MARKER.match(text, start)
    if not found:
        return _plain(size)
    length = found.end() - start
    if found["heading"]:
        level = length - 1
        return Look(Face(round(size * _LARGER[level]), "bold"), length, level=level)
    if found["quote"]:
        return Look(Face(size, "oblique"), length, hangs=True)
    return Look(Face(size), length, hangs=True)


@lru_cache(maxsize=64)
def _plain(size: int) -> Look:
    return Look(Face(size))


def break_line(buffer: TextBuffer) -> None:
    """Enter: a list or quote goes on in the next line; an empty item ends it instead."""
    start, end = line_at(buffer.text, buffer.low)
    found = _MARKER.match(buffer.text, start)
    if not found or found["heading"] or buffer.low < found.end():
        buffer.insert("\n")
    elif found.end() == end and buffer.low == buffer.high:
        buffer.replace(start, end, "")
    else:
        buffer.insert("\n" + _NUMBER.sub(lambda n: str(int(n[0]) + 1), found[0]))


def set_heading(buffer: TextBuffer, level: int) -> None:
    """Make the paragraphs of the selection headings of `level`, or plain (0)."""
    _remark(buffer, lambda line, i: "#" * level + " " if level else "")


def toggle_list(buffer: TextBuffer, numbered: bool = False) -> None:
    """Make the paragraphs of the selection list items, or plain if all of them are."""
    wanted = _NUMBER if numbered else re.compile("[-*+]")
    lines = buffer.text[slice(*_paragraphs(buffer))].split("\n")
    items = [found for line in lines if (found := _MARKER.match(line)) and found["item"] and wanted.match(found[0].strip())]
    if len(items) == len(lines):
        _remark(buffer, lambda line, i: "")
    else:
        _remark(buffer, lambda line, i: f"{i + 1}. " if numbered else "- ")


KEYS: dict[tuple[str, bool, bool], Callable[[TextBuffer], None]] = {
    ("l", True, False): toggle_list,
    ("l", True, True): partial(toggle_list, numbered=True),
    **{(str(level), True, False): partial(set_heading, level=level) for level in range(3)},
}  # by key, whether with Ctrl and whether with Shift


def level_at(buffer: TextBuffer) -> int:
    """The heading level of the caret's paragraph; 0 for none."""
    start, _ = line_at(buffer.text, buffer.caret)
    found = _MARKER.match(buffer.text, start)
    return len(found[0]) - 1 if found and found["heading"] else 0


def is_item(buffer: TextBuffer) -> bool:
    """Whether the caret's paragraph is a list item."""
    start, _ = line_at(buffer.text, buffer.caret)
    found = _MARKER.match(buffer.text, start)
    return bool(found and found["item"])


def _paragraphs(buffer: TextBuffer) -> tuple[int, int]:
    """From the start of the first paragraph the selection touches to the end of the last."""
    last = max(buffer.high - 1, buffer.low) if buffer.selected.endswith("\n") else buffer.high
    return line_at(buffer.text, buffer.low)[0], line_at(buffer.text, last)[1]


def _remark(buffer: TextBuffer, marker: Callable[[str, int], str]) -> None:
    """Give each paragraph of the selection another marker, as one undo step; caret and anchor stay in their words."""
    start, end = _paragraphs(buffer)
    ends = {"caret": buffer.caret, "anchor": buffer.anchor}
    moved = dict(ends)
    lines, at = [], start
    for i, line in enumerate(buffer.text[start:end].split("\n")):
        found = _MARKER.match(line)
        old, new = len(found[0]) if found else 0, marker(line, i)
        for name, offset in ends.items():
            if offset >= at:
                moved[name] += max(len(new) - old, at - offset)
        lines.append(new + line[old:])
        tail = len(line) - old  # of the last paragraph: what follows its marker need not be replaced
        at += len(line) + 1
    block = "\n".join(lines)
    buffer.replace(start, end - tail, block[: len(block) - tail])
    buffer.select(moved["anchor"], moved["caret"])

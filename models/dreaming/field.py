"""The text field in focus, read off a dream's guide, and what an event makes of it.

Where a caret goes and what a letter pushes on follows from what is written; there is nothing to dream about it. So where a
guide shows an editor that can be read to the last pixel (`models.dreaming.reading`), its text is given to an editor, then the
event, and what that draws is laid into the guide, as windows are. A text's other pages are not seen; where it is one of the user's
documents, of which the context tells, they are known all the same. Where an event would need what is not known, and where anything
cannot be read, the dreamer alone answers.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.context import text_size_of
from engine.desktop import markdown
from engine.desktop.editor import BAR, PADDING, Editor
from engine.desktop.routing import DOUBLE, SLACK
from engine.desktop.text_buffer import TextBuffer
from engine.desktop.text_history import History
from engine.desktop.word_count import count
from engine.events import Down, Event, Key, Move, Text, Up, Wheel
from engine.geometry import Rect
from engine.scene import Touch
from engine.theme import Role
from engine.typeface import Face
from models.dreaming.letters import caret_in, letter_of
from models.dreaming.papers import (
    Laid,
    bar_part,
    editor_with,
    focused,
    label_place,
    length_label,
    set_out,
    text_part,
)
from models.dreaming.planes import shows
from models.dreaming.reading import read, read_label
from models.dreaming.standing_in import Clipboard
from models.dreaming.steps import Step

COUNT = re.compile(r"([\d,]+) words?(?: · ([\d,]+) characters?)?")
UNSEEN = {"pageup", "pagedown"}  # keys that show what is not in view
LEFT = 4  # fields that were left and may be come back to
START = {"top": 0}
TRIES = 20  # places in a told text that begin as what is seen


@dataclass
class _Open:
    """A field that was read. box: frame pixels; begins, ends: whether the text's first and last row are in view; shown: what
    was drawn of it last, uint8 (PLANES, h, w); caret_on: whether the caret is seen; resting: ticks since the text changed; counted:
    words and characters, where they are told below it; typing: whether the label below tells words alone, as until somebody rests;
    told: whether all of the text is known."""

    box: Rect
    size: int
    editor: Editor
    begins: bool
    ends: bool
    shown: Tensor
    touch: Touch
    caret_on: bool
    resting: int = 1
    counted: tuple[int, int] | None = None
    typing: bool = False
    told: bool = False


class Field:
    """What is known of the field in focus from one event to the next: nothing that was not seen, typed, cut or told."""

    def __init__(self) -> None:
        self._system = Clipboard()
        self.clear()

    def clear(self, told: str | None = None) -> None:
        """Forget everything but what was cut. told: what the text of the window in front says, if somebody said so."""
        self._open: _Open | None = None
        self._left: deque[_Open] = deque(maxlen=LEFT)
        self._unread: Tensor | None = None  # what could not be read
        self._told = told  # before
        self._pressed = (-DOUBLE, 0, 0, 0)  # when, where, how often in a row
        self._held = False

    @property
    def buffer(self) -> TextBuffer | None:
        """What is written in the field in focus; None where that is not known."""
        return self._open.editor.buffer if self._open else None

    def edited(self, told: str | None) -> bool:
        """Whether a text that was told before says something else now."""
        return told is not None and self._told not in (None, told)

    def answer(self, planes: Tensor, front: Rect | None, step: Step, told: str | None = None, place: dict[str, Any] | None = None) -> list[Laid]:
        """What an event makes of the text of the window in front: where, in frame pixels, and how that looks then, uint8 (PLANES, h, w).
        Nothing where what it does is not known. told: all of what stands there once the event has happened, if somebody said so, and place:
        where in it the caret is then, as of `Editor.place`."""
        event, texts = step.event, [text for text in dict.fromkeys((self._told, told)) if text is not None]
        self._told = told
        box = focused(planes, front) if front else None
        now = self._opened(planes, box, text_size_of(step.context.slow), texts) if box else None
        if now is None:
            return []
        buffer = now.editor.buffer
        before = buffer.text
        on = now.caret_on if isinstance(event, Move) else event is not None or not (now.resting and now.caret_on)
        does = event is None or self._does(now, event, step)
        follows = told is not None and step.last and _followed(now.editor, told, place)
        if not (does or follows):
            return []
        if follows:
            now.told = now.begins = now.ends = True
        label = _counted(now, before, rests=event is None) if place is None else []  # else it is told, as what stands around the text is
        now.resting = 0 if buffer.text != before else now.resting + 1
        if not now.begins:
            _filled(now.editor)
        if (buffer.caret == 0 and not now.begins) or (buffer.caret == len(buffer.text) and not now.ends):
            self._open = None
            return []
        self._draw(now, on)
        parts = (text_part(now.box), bar_part(now.box)) if now.told else (text_part(now.box),)
        return [*((part, now.shown[:, *part.shift(-now.box.x, -now.box.y).slices]) for part in parts), *label]

    def _does(self, now: _Open, event: Event, step: Step) -> bool:
        """Give an event to the editor; whether it was one for it."""
        buttons = step.buttons
        editor, buffer = now.editor, now.editor.buffer
        letter = event.text if isinstance(event, Text) else letter_of(event)
        if letter:
            editor.type(letter)
        elif isinstance(event, Key):
            before = buffer.text
            if event.key in UNSEEN and not (now.begins and now.ends):
                return False
            change = markdown.KEYS.get((event.key, "ctrl" in event.mods, "shift" in event.mods))
            if change is not None:
                editor.act(lambda: change(buffer))
                return True
            used = editor.key(event.key, event.mods)
            done = "zy" if self._system.clipboard else "zyv"
            return used and not ("ctrl" in event.mods and event.key in done and buffer.text == before)  # done, or cut, before it was read
        elif isinstance(event, Down):
            point = event.x, event.y
            self._held = event.button == "left" and now.box.holds(*point) and not bar_part(now.box).holds(*point)
            if self._held and now.touch.press:
                t, x, y, clicks = self._pressed
                again = event.t - t <= DOUBLE and abs(event.x - x) <= SLACK and abs(event.y - y) <= SLACK
                self._pressed = event.t, event.x, event.y, clicks + 1 if again else 1
                now.touch.press(event.x - now.box.x, event.y - now.box.y, self._pressed[3], event.mods)
            return self._held
        elif isinstance(event, Move) and self._held and "left" in buttons and now.touch.drag:
            now.touch.drag(event.x - now.box.x, event.y - now.box.y)
        elif isinstance(event, Up) and self._held:
            self._held = False
            if now.touch.drag:
                now.touch.drag(event.x - now.box.x, event.y - now.box.y)
        elif isinstance(event, Wheel) and now.told and now.touch.wheel:
            return now.box.holds(*step.pointer) and now.touch.wheel(event.dy)
        else:
            return isinstance(event, Move) and not buttons  # which leaves a text as it is
        return True

    def _opened(self, planes: Tensor, box: Rect, size: int, texts: Sequence[str]) -> _Open | None:
        """What stands in a field: as it was left, where it still looks so, else as it is read."""
        seen = planes[:3, *text_part(box).slices]
        at = text_part(Rect(0, 0, box.w, box.h)).slices
        for known in filter(None, (self._open, *self._left)):
            if (known.box.w, known.box.h, known.size) == (box.w, box.h, size) and torch.equal(known.shown[:3, *at], seen):
                if known is not self._open:
                    self._leave(known)
                known.box = box
                return known
        if self._unread is not None and torch.equal(self._unread, seen):
            return None
        self._leave(self._read(planes[:, *box.slices], box, size, texts))
        if self._open:
            _look_below(planes, self._open)
        self._unread = seen.clone() if self._open is None else None
        return self._open

    def _leave(self, now: _Open | None) -> None:
        """Turn to another field."""
        if self._open:
            self._left.append(self._open)
        self._open, self._held = now, False

    def _read(self, planes: Tensor, box: Rect, size: int, texts: Sequence[str]) -> _Open | None:
        """planes: of the box alone. Where it looks as one of the texts would, that is what stands there, to its end."""
        pixels = planes[:3].permute(1, 2, 0).numpy()
        outer = Rect(0, 0, box.w, box.h)
        room, inner = _room(outer), text_part(outer)
        caret = caret_in(planes, inner)
        if caret is None:
            return None
        pen = caret.x + 1, caret.y
        left = [one.editor for one in (self._open, *self._left) if one]
        for whole in texts:
            for place in (START, *({**editor.state(), **editor.place()} for editor in left if editor.buffer.text == whole)):
                if now := self._set(planes, box, size, pen, whole, place, told=True):
                    return now
        text = read(pixels, room, size, caret)
        if text is None:
            return None
        for whole in texts:
            begun = re.finditer(re.escape(text.split("\n", 1)[0]) or "$", whole)
            for found in islice(begun, TRIES):
                if now := self._set(planes, box, size, pen, whole, {"top": found.start()}, told=True):
                    return now
        return self._set(planes, box, size, pen, text, START, told=False)

    def _set(self, planes: Tensor, box: Rect, size: int, caret: tuple[int, int], text: str, place: dict[str, Any], told: bool) -> _Open | None:
        """A text as what stands in a box, scrolled as `place` says (see `papers.editor_with`), if it looks so. caret: where one is seen;
        told: whether it is all of it."""
        (x, y), editor = caret, editor_with(text, place, self._system)
        begins, ends = (True, True) if told else _in_view(planes)
        now = _Open(box, size, editor, begins, ends, planes, Touch(), True, told=told)
        self._draw(now, True)
        inner = text_part(Rect(0, 0, box.w, box.h))
        at = editor.view.offset_at(x, y + 1)
        low, high = _selection(editor, planes)
        editor.buffer.select(low + high - at if at in (low, high) else at, at)
        self._draw(now, True)
        return now if torch.equal(now.shown[:3, *inner.slices], planes[:3, *inner.slices]) else None

    def _draw(self, now: _Open, caret_on: bool) -> None:
        now.shown, now.touch = set_out(now.editor, now.box, now.size, caret_on)
        now.caret_on = caret_on


def _followed(editor: Editor, told: str, place: dict[str, Any] | None) -> bool:
    """Take in that a text says something else than what its events made of it, as when a tool changed it, or that its caret is elsewhere; whether
    it is so. place: see `Field.answer`."""
    text, buffer = editor.buffer.text, editor.buffer
    if text == told and (place is None or (place["anchor"], place["caret"]) == (buffer.anchor, buffer.caret)):
        return False
    if text != told:
        start = _alike(text, told)
        same = min(_alike(text[::-1], told[::-1]), min(len(text), len(told)) - start)
        buffer.replace(start, len(text) - same, told[start : len(told) - same])
        editor.show_caret()
    if place is not None:
        buffer.select(place["anchor"], place["caret"])
        editor.view.top, editor.view.follow = place["top"], place["follow"]
    return True


def _alike(text: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    return next((i for i, (one, another) in enumerate(zip(text, other, strict=False)) if one != another), min(len(text), len(other)))


def _filled(editor: Editor) -> None:
    """Where a text grew shorter, rows come into view from above it that were never seen: blank ones stand for them."""
    buffer, view = editor.buffer, editor.view
    while view.rows()[-1].y + 2 * view.height(view.layout.count - 1) <= view.rect.bottom:
        buffer.text, ends = "\n" + buffer.text, (buffer.anchor + 1, buffer.caret + 1)
        buffer.history = History()  # its steps tell of other places
        buffer.select(*ends)
        view.fit(buffer.text, view.rect, view.layout.size, buffer.caret)
        view.scroll_to(0)


def _look_below(planes: Tensor, now: _Open) -> None:
    """Take in words and characters as they are told below a field, if they are. A label that is not to be read, as one out of the book
    of windows, is believed to be right; so is the text for what it does not tell, where all of it is in view."""
    where, text = label_place(now.box, now.size), now.editor.buffer.text
    if where.bottom > planes.shape[1] or shows(planes[:, *where.slices], Role.SURFACE).all():
        return
    found = COUNT.fullmatch(read_label(planes[:3].permute(1, 2, 0).numpy(), where.right, where.y, Face(now.size)) or "")
    now.typing = found is not None and found[2] is None
    if found is not None and not now.typing:
        now.counted = int(found[1].replace(",", "")), int(found[2].replace(",", ""))
    elif now.begins and now.ends:
        now.counted = count(text), len(text)


def _counted(now: _Open, before: str, rests: bool) -> list[Laid]:
    """The label below a field whose text was `before`: while somebody types it tells words, at rest characters too."""
    text = now.editor.buffer.text
    if now.counted is None or (text == before and not (rests and now.typing)):
        return []
    words, characters = now.counted
    now.counted = words + count(text) - count(before), characters + len(text) - len(before)
    now.typing = not rests
    return [length_label(label_place(now.box, now.size), now.size, now.counted[0], None if now.typing else now.counted[1])]


def _room(box: Rect) -> Rect:
    """Where an editor's text stands in its field."""
    return box.inset(PADDING[0], PADDING[1], PADDING[0] + BAR - 4, PADDING[1])


def _in_view(planes: Tensor) -> tuple[bool, bool]:
    """Whether the first and the last row of a text are in view, by the scroll bar of its field, whose planes these are."""
    _, height, width = planes.shape
    bar = Rect(width - BAR - 2, 3, BAR, height - 6)
    column = planes[:, bar.y : bar.bottom, bar.x + BAR // 2 : bar.x + BAR // 2 + 1]
    thumb = np.flatnonzero(shows(column, Role.BORDER, Role.ACCENT))
    if not len(thumb):
        return True, True
    return bool(thumb[0] == 0), bool(thumb[-1] == bar.h - 1)


def _selection(editor: Editor, planes: Tensor) -> tuple[int, int]:
    """What is selected in an editor that shows `planes`, by offsets; twice 0 where nothing is."""
    lit = shows(planes, Role.SELECTION)
    found: list[int] = []
    for row in editor.view.rows():
        top = row.y + row.height - 3  # below the letters
        columns = np.flatnonzero(lit[top])
        if len(columns):
            found.append(editor.view.offset_at(int(columns[0]), top))
            end = editor.view.offset_at(int(columns[-1]) + 1, top)
            pen = editor.view.rect.x + editor.view.layout.pen(row.number, row.end)
            found.append(end + (end == row.end and int(columns[-1]) + 1 > pen and end < len(editor.buffer.text)))
    return (min(found), max(found)) if found else (0, 0)

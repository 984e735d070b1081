"""How a dream goes on by rule after an event, and what of that is left for the dreamer to say.

A dreamer is taught on what it will be asked: a session of teaching goes the same way, with what really came in place of
what is dreamt (`models.training.dreams`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.context import text_size_of
from engine.events import Down, Key, Move, Up, Wheel
from engine.painter import ContextFeatures
from models.dreaming.book import Book
from models.dreaming.dreamer import CELL, by_cell
from models.dreaming.field import Field
from models.dreaming.hover import Hover
from models.dreaming.letters import Guess, Pen, letter_of, typed
from models.dreaming.popups import Deed
from models.dreaming.recollection import Recollection, guessed
from models.dreaming.steps import Step
from models.dreaming.strokes import Stroke

SURE, KEYED, AWAY, LAID = -0.5, 2.0, 4.0, 6.0  # logits from which a cell changes: more is asked for by a key that is no shortcut, where an event hardly reaches, and when windows were just laid, or a letter goes elsewhere
NEVER = float("inf")


class Written(NamedTuple):
    """The letter that came last, if nothing but time has passed since, and where the next one goes."""

    letter: str
    behind: Pen


class Question(NamedTuple):
    """What follows from an event by no rule. step: the event; shown: the guide, uint8 (PLANES, H, W); pictures, codes: what can be copied
    from, as of `AtHand`; guess: where a letter goes, if one was typed; near: where the event is likely to change anything, and needed: how
    sure one must be that it does, a logit, bool and float32 (h, w); kept: which pixels are as they are by rule, those of a letter that is
    sure among them, bool (H, W); going_on: whether the letter comes right after another."""

    step: Step
    shown: Tensor
    pictures: list[Tensor]
    codes: Tensor
    guess: Guess
    near: Tensor
    needed: Tensor
    kept: Tensor
    going_on: bool


class Course:
    """For frames of `size` (width, height). known: what the dream goes on from, the guide now among it. book: how windows look that
    were never seen."""

    def __init__(self, size: tuple[int, int], book: Book) -> None:
        self.known = Recollection(size, book)
        self._written: Written | None = None
        self._field = Field()
        self._hover = Hover()
        self._stroke = Stroke(size)
        self._pointer = (0, 0)  # where it was
        self._document = 0  # which one the window in front showed
        self._at: tuple[Any, Any] = None, None  # and where its caret was, and what was looked for in it

    def begin(self, planes: Tensor, context: ContextFeatures, bare: Tensor | None = None) -> None:
        """From a guide, uint8 (PLANES, H, W); bare: the one without windows, where it is known."""
        self.known.begin(planes, context, bare)
        self._forget()

    def restore(self, state: Tensor | None) -> None:
        """From what `known.pieces` gave, as one; None: from nothing."""
        self.known.restore(state)
        self._forget()

    def _forget(self) -> None:
        self._written = None
        self._document, self._at = self.known.document, self.known.at
        self._field.clear(self.known.text)
        self._hover.clear()
        self._stroke.clear()

    def ask(self, step: Step, pen: Callable[[Tensor], Pen | None]) -> Question | None:
        """An event came, or time passed: go on by rule, and say what is left; None where nothing is. pen: where a letter goes that is
        typed now, of the codes at hand, if that can be said."""
        known, reached, self._pointer = self.known, (step.pointer, self._pointer), step.pointer
        told = step.past or self._is_told(step, reached)
        if step.hovers:
            known.show(self._hover.left(known.planes, *step.pointer))
        laid = known.lay(step.event, step.context, step.last)
        told |= laid and bool(step.context.clock) and not (known.writes and letter_of(step.event))  # what was laid anew is as it is told, or believed to be
        if (page := known.painting) and (painted := self._stroke.take(step, *page)):
            known.put(painted.view, painted.look)
            told = True
        changed = self._retold(step)
        text, hidden = self._text(step), known.popups.deed is Deed.CLOSED or known.popups.known
        if text is None and changed and not known.popups:
            known.lay_text()  # its caret was out of view, or something else has the focus, as while it is searched: where it is now is told
            self._written = None
            return None
        if told or hidden or (text and known.text is not None):  # what a popup hid, or shows, stands there; what a letter changes beside a text is told
            self._written = None
            if text and (told or not hidden):
                known.show(text.planes)
            return None
        hand, going_on = known.at_hand(step.event, step.context, laid), self._written is not None
        guess = text or self._guess(step, hand.codes, pen)
        if guess.planes is not known.planes:
            hand = guessed(hand, guess.planes)
        near = known.within_reach(step.event, reached, guess.spots)
        needed = torch.full(near.shape, LAID) if laid else _needed(step, near)
        if step.event is None:
            needed[~(near & _busy(hand.codes[0]))] = NEVER  # time alone changes nothing behind the window in front, nor where all around is of one colour
        kept = known.kept(step.event)
        for spot in guess.spots if guess.sure else ():
            kept[spot.slices] = True
        needed[by_cell(kept[None, None]).all(-1)[0, :, :, 0]] = NEVER
        return Question(step, known.planes, hand.pictures, hand.codes, guess, near, needed, kept, going_on)

    def answered(self, question: Question, came: bool) -> None:
        """The guide shows now what was answered; came: the letter that was typed, too."""
        step, guess = question.step, question.guess
        if step.hovers:
            self._hover.lit(question.shown, self.known.planes)
        if step.event is not None:
            self._written = Written(letter_of(step.event), guess.behind) if came and not guess.sure else None

    def _is_told(self, step: Step, reached: Sequence[tuple[int, int]]) -> bool:
        """Whether all that comes of an event is told, or follows from where the pointer is and was: how far things are scrolled, where windows
        are dragged to, and what is lit and pressed outside of what they hold, and in those of which all is told."""
        event, known = step.event, self.known
        if step.hovers:
            return all(known.lights(*point) for point in reached)
        if isinstance(event, (Down, Up)):
            return event.button == "left" and known.lights(*step.pointer)
        drags = isinstance(event, Move) and known.drags_frames
        return bool(step.context.work) and (isinstance(event, Wheel) or drags)

    def _retold(self, step: Step) -> bool:
        """Whether the text of the window in front says something else now, or its caret or what is seen of it is elsewhere, or something else is
        looked for."""
        known, before, at = self.known, self._document, self._at
        self._document, self._at = known.document, known.at
        same = step.last and before == self._document
        edited = same and self._field.edited(known.text)
        return edited or (same and at != self._at)

    def _text(self, step: Step) -> Guess | None:
        """What follows from what is written in the field in focus, if that can be read."""
        if self.known.popups.deed.taken:
            return None
        planes, front = self.known.planes, self.known.front if self.known.writes else None
        written = self._field.answer(planes, front, step, self.known.text, self.known.place)
        if not written:
            return None
        planes = planes.clone()
        for spot, shown in [*written, *self.known.around_text(self._field.buffer)]:
            planes[:, *spot.slices] = shown
        return Guess(planes, tuple(spot for spot, _ in written), (0, 0), sure=True)

    def _guess(self, step: Step, codes: Tensor, pen: Callable[[Tensor], Pen | None]) -> Guess:
        """The letter that was typed, put in; nothing where none was, or nobody knows where it goes."""
        letter, last = letter_of(step.event), self._written
        at = None
        if letter and self.known.writes and self.known.popups.deed is not Deed.CHOSEN:
            at = last.behind if last else pen(codes)
        if at is None:
            return Guess(self.known.planes, (), (0, 0))
        return typed(self.known.planes, letter, text_size_of(step.context.slow), at, last.letter if last else "")


def _needed(step: Step, near: Tensor) -> Tensor:
    """How sure a dreamer must be that a cell changes, logits (h, w)."""
    letter, plain = letter_of(step.event), isinstance(step.event, Key) and "ctrl" not in step.event.mods
    return torch.where(near, KEYED if plain and not letter else SURE, LAID if letter else AWAY)


def _busy(codes: Tensor) -> Tensor:
    """Which cells of a picture's codes, (H, W), show more than one, or lie beside those that do: bool (h, w)."""
    shown = codes[None].float()
    most, least = F.max_pool2d(shown, CELL), -F.max_pool2d(-shown, CELL)
    return (F.max_pool2d(most, 3, 1, 1) != -F.max_pool2d(-least, 3, 1, 1))[0]

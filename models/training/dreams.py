"""What a dreamer learns from: moments of sessions, in the guide's own colours.

A moment is an event (or a tick) with the guide before it, what is remembered, and the guide after it. A session goes on as a dream
does (`models.dreaming.course`), so that the dreamer is taught on what it will be asked, in the proportion in which it will be, and on nothing
that goes on by rule. Nothing is drawn in a style: the dreamer knows none. Sessions are made up, or were recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from engine.desktop.desktop import Desktop
from engine.drawing import Item
from engine.errors import InputError
from engine.events import Event
from engine.guide import Guide
from engine.painter import ContextFeatures
from engine.starting_point import open_desktop
from engine.style_words import in_words
from engine.styles import PRESETS
from engine.trace import read_trace
from engine.typeface import Face, advance
from models.datasets.source import SYNTHETIC, joined
from models.datasets.states import State, letter_by_letter, state_of
from models.datasets.trace_source import played
from models.dreaming.book import Book
from models.dreaming.codes import PICTURE, codes_of
from models.dreaming.course import AWAY, NEVER, Course, Question
from models.dreaming.dreamer import by_cell
from models.dreaming.letters import Pen, letter_of
from models.dreaming.planes import SEEN, planes_of
from models.dreaming.steps import Step
from models.last_used import LastUsed
from models.synthetic.random_styles import random_style
from models.synthetic.sessions import User, emptied, play, random_desktop
from models.synthetic.shots import SIZES

MOMENTS = 48  # of one session
REUSED = 50  # crops that a moment serves for, on average, before it is replaced
DEEDS = 60  # a session that shows nothing new for so long is left
EVENTS = 80  # of a stretch of a trace, after which a dream is woken anew
KEPT = 240  # moments of stretches that stay at hand, for drawing them takes long: some 350 MB
FRESH = 0.55  # share of sessions that begin at the bare desktop
QUIET = 0.15  # share of the events without consequence for what is asked that are learned from, too
FAR = 0.2  # what a cell counts where the dreamer must be very sure
USUAL = 0.85  # share of frames of the usual size


@dataclass(frozen=True)
class Moment:
    """codes: uint8 (COPIES, H, W), the pictures at hand; same: uint8 (H, W), bit i set where picture i shows what is to
    come; target: uint8 (H, W), its code; changed: bool (H / 8, W / 8); weight: float32 (H / 8, W / 8), how much a cell counts, 0 where
    nothing is asked; pen: where the event's letter went, if it typed one; slow, recent, pointer, buttons: as of a Shot."""

    size: tuple[int, int]
    codes: Tensor
    same: Tensor
    target: Tensor
    changed: np.ndarray
    weight: np.ndarray
    pen: Pen | None
    slow: np.ndarray
    recent: np.ndarray
    pointer: tuple[int, int]
    buttons: tuple[str, ...]

    @property
    def asks(self) -> bool:
        """Whether anything has to change that no rule says."""
        return bool((self.changed & (self.weight > FAR)).any())


class Make(Protocol):
    """Draws about MOMENTS moments of a session. book: what is known of windows never seen, see `Windows`."""

    def __call__(self, rng: np.random.Generator, book: Book) -> list[Moment]: ...


def open_dreams(text: str) -> Make:
    """SOURCE, as of `--data`, to what draws moments: `synthetic`, a trace, or several with weights. Raises InputError for what a dreamer
    cannot learn from, TraceError for a trace that cannot be played."""
    return joined(text, _opened)


def _opened(name: str, path: Path) -> Make:
    if name == SYNTHETIC:
        return dreams
    if not path.is_file():
        raise InputError(f"--data {name}: a dreamer learns from {SYNTHETIC} sessions and from traces of one's own; name such a file, or leave it out")
    return TraceDreams(path)


def dreams(rng: np.random.Generator, book: Book) -> list[Moment]:
    """Of a session that is made up: up to MOMENTS, in order."""
    desktop = _begun(rng)
    user, teaching, found = User(rng, desktop, styles=False), Teaching(rng, desktop, book), list[Moment]()
    for _ in range(DEEDS):
        found += teaching.live(user.deed())
        if len(found) >= MOMENTS:
            break
    return found[:MOMENTS]


class Asked(NamedTuple):
    """A question of the course, and what would have been right. learned: whether it is learned from; before, state: what the desktop showed
    until then, and shows now; told: the context; after: the guide now, uint8 (PLANES, H, W)."""

    question: Question
    moment: Moment
    learned: bool
    before: tuple[Item, ...]
    state: State
    told: ContextFeatures
    after: Tensor


class TraceDreams:
    """Of the session in the trace at `path`, in stretches of EVENTS events, in any order: with each a dream wakes anew. The trace is played
    once when it is opened, and raises what `played` does; moments of a stretch are the same whenever they are asked for, and of the
    last few they are kept."""

    def __init__(self, path: Path) -> None:
        self.trace = read_trace(path)
        for _ in played(self.trace):
            pass  # so that what cannot be played is told now
        self.events = [letter for step in self.trace.steps for event in step.events for letter in letter_by_letter(event)]
        self._lived: LastUsed[list[Moment]] = LastUsed(KEPT)

    def __getstate__(self) -> dict[str, object]:
        return {**vars(self), "_lived": LastUsed(KEPT)}  # a worker process lives through them itself

    def __call__(self, rng: np.random.Generator, book: Book) -> list[Moment]:
        found: list[Moment] = []
        for stretch in rng.permutation(self.stretches).tolist():
            if (moments := self._lived.get(stretch)) is None:
                teaching, events = self.woken(stretch, book)
                self._lived.put(stretch, moments := list(teaching.live(events)), len(moments))
            found += moments
            if len(found) >= MOMENTS:
                break
        return found

    @property
    def stretches(self) -> int:
        """How many there are."""
        return -(-len(self.events) // EVENTS)

    def woken(self, stretch: int, book: Book) -> tuple[Teaching, list[Event]]:
        """A dream that wakes where a stretch begins, and the events from there."""
        desktop, first = open_desktop(self.trace.header), stretch * EVENTS
        play(desktop, self.events[:first])
        return Teaching(np.random.default_rng(stretch), desktop, book), self.events[first : first + EVENTS]


def _begun(rng: np.random.Generator) -> Desktop:
    """A desktop as somebody may have left it."""
    size = SIZES[0] if rng.random() < USUAL else SIZES[int(rng.integers(len(SIZES)))]
    desktop = random_desktop(rng, size)
    if rng.random() < FRESH:
        text_size = desktop.text_size
        desktop = emptied(desktop, rng, size)
        desktop.prefer("text_size", text_size)
    if rng.random() < 0.4:
        desktop.prefer("text_size", int(rng.choice([11, 13, 16])))
    style = str(rng.choice(list(PRESETS))) if rng.random() < 0.7 else in_words(random_style(rng))
    desktop.prefer("style", style)
    return desktop


class Teaching:
    """A desktop in use, its guide, and the memory that a dream would have by now."""

    def __init__(self, rng: np.random.Generator, desktop: Desktop, book: Book) -> None:
        self.rng = rng
        self.desktop = desktop
        self.course = Course(desktop.size, book)
        self.known = self.course.known
        bare = Guide(desktop.size)
        bare.update(Desktop(desktop.size, desktop.documents, state=self._bare_state()).items)
        self.guide = Guide(desktop.size)
        self.guide.update(desktop.items)
        context = desktop.features()
        self.course.begin(planes_of(self.guide), context, planes_of(bare) if rng.random() < 0.8 else None)
        self.caret: list[int] | None = None  # as it was last seen
        self._items = tuple(desktop.items)

    def _bare_state(self) -> dict[str, object]:
        return {"t": self.desktop.t, "context": {"preferences": dict(self.desktop.context.preferences)}}

    def live(self, events: Iterable[Event]) -> Iterator[Moment]:
        """Let the events happen, and time pass: a moment for each of both after which the dreamer is asked what else the screen shows, and
        that changed it, and for a few others."""
        return (asked.moment for asked in self.questions(events) if asked.learned)

    def questions(self, events: Iterable[Event]) -> Iterator[Asked]:
        """The same, for all of which the dreamer is asked; whatever it says, what really came is gone on with."""
        desktop = self.desktop
        for event in events:
            seen = desktop.items
            for t in self._ticks(event.t):
                desktop.advance(t)
                if desktop.items is not seen:
                    seen = desktop.items
                    yield from self._questions(state_of(desktop, desktop.style))
            try:
                desktop.handle(event)
            except InputError:
                desktop.stale()
            if event.type != "wait":
                yield from self._questions(state_of(desktop, desktop.style, (event,)))

    def _ticks(self, until: float) -> Iterator[float]:
        """Time in tenths of a second up to a moment; of long pauses only the end."""
        t = max(self.desktop.t, until - 3.0)
        if t > self.desktop.t:
            self.desktop.advance(t)
            for _ in self._questions(state_of(self.desktop, self.desktop.style)):
                pass  # a pause of many ticks is no tick
        while t < until:
            t = min(round(t + 0.1, 3), until)
            yield t

    def _pen(self, event: Event | None, state: State, text_size: int) -> Pen | None:
        """Where the letter that an event typed was put: where the caret stood, which every input shows; left of where it
        stands, if the letter took the place of what was selected, or the page moved."""
        letter, before, after = letter_of(event), self.caret, state.hidden["caret"]
        self.caret = after
        if not letter or not after:
            return None
        if before and (before[1] < after[1] or (before[1] == after[1] and before[0] < after[0])):
            return before[0] + 1, before[1]
        return after[0] + 1 - advance(Face(text_size), letter), after[1]

    def _now(self) -> Tensor:
        self.guide.update(self.desktop.items)
        return planes_of(self.guide)

    def _questions(self, state: State) -> Iterator[Asked]:
        event = state.events[0] if state.events else None
        told = replace(self.desktop.features(), slow=state.slow, recent=state.recent)
        after, pen = self._now(), self._pen(event, state, self.desktop.text_size)
        question = self.course.ask(Step(event, told, state.pointer, state.buttons), lambda _: pen)
        if question is not None:
            moment = _moment(question, after, pen, state)
            learned = moment.asks or self.rng.random() < QUIET * bool(moment.weight.any())
            if not told.notice:  # which is laid over all that is dreamt
                yield Asked(question, moment, learned, self._items, state, told, after)
        self._items = state.items
        self.known.tell(told, state.pointer)
        self.known.show(after)
        if question is not None:
            self.course.answered(question, bool(question.guess.spots))


def _moment(question: Question, after: Tensor, pen: Pen | None, state: State) -> Moment:
    target, same, kept = codes_of(after[:3], after[3]), torch.zeros(after.shape[1:], dtype=torch.uint8), question.kept
    for i, (picture, codes) in enumerate(zip(question.pictures, question.codes, strict=True)):
        equal = (codes == target) & ((target != PICTURE) | (picture[:SEEN] == after[:SEEN]).all(0))
        same |= equal.to(torch.uint8) << i
    target = torch.where(kept, question.codes[0], target)  # what follows by rule stays as it was laid, whatever is said of it
    same[kept] = 1
    changed = ~by_cell((same & 1)[None, None]).bool().all(-1)[0, :, :, 0]
    weight = torch.where(question.needed >= AWAY, FAR, 1.0) * (question.needed < NEVER)
    return Moment(
        state.size, question.codes, same, target, changed.numpy(), weight.numpy(), pen, state.slow, state.recent, state.pointer, state.buttons,
    )  # fmt: skip

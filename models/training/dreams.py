"""What a dreamer learns from: moments of sessions, in the guide's own colours.

A moment is an event (or a tick) with the guide before it, what is remembered, and the guide after it. Nothing is drawn
in a style: the dreamer knows none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.desktop.desktop import Desktop
from engine.errors import InputError
from engine.events import Ask, Event
from engine.geometry import Rect
from engine.guide import Guide
from engine.style_words import in_words
from engine.styles import PRESETS
from engine.typeface import Face, advance
from models.datasets.states import State, state_of
from models.dreaming.codes import NOWHERE, codes_of
from models.dreaming.dreamer import by_cell
from models.dreaming.letters import Pen, letter_of, typed
from models.dreaming.planes import PLANES, SEEN, moved, movement, planes_of
from models.memory import PictureMemory, wide
from models.synthetic.errands import Errands
from models.synthetic.random_styles import random_style
from models.synthetic.sessions import User, emptied, letters, random_desktop
from models.synthetic.shots import SIZES

MOMENTS = 48  # of one session
REUSED = 20  # crops that a moment serves for, on average, before it is replaced
DEEDS = 60  # a session that shows nothing new for so long is left
FRESH = 0.55  # share of sessions that begin at the bare desktop
GOALS = 0.8  # share of deeds that are errands; the others are a user's random ones
QUIET = 0.12  # share of the events without consequence that are learned from, too
USUAL = 0.85  # share of frames of the usual size


@dataclass(frozen=True)
class Moment:
    """codes: uint8 (COPIES, H, W), the pictures at hand; same: uint8 (H, W), bit i set where picture i shows what is to
    come; target: uint8 (H, W), its code; changed: bool (H / 8, W / 8); pen: where the event's letter went, if it typed
    one; slow, recent, pointer, buttons: as of a Shot."""

    size: tuple[int, int]
    codes: Tensor
    same: Tensor
    target: Tensor
    changed: np.ndarray
    pen: Pen | None
    slow: np.ndarray
    recent: np.ndarray
    pointer: tuple[int, int]
    buttons: tuple[str, ...]


def dreams(rng: np.random.Generator) -> list[Moment]:
    """Up to MOMENTS moments of one session, in order."""
    session = _Session(rng)
    found: list[Moment] = []
    for _ in range(DEEDS):
        for moment in session.live(session.deed()):
            found += [moment, moment] if moment.pen else [moment]  # letters are met twice as often
        if len(found) >= MOMENTS:
            break
    return found[:MOMENTS]


class _Session:
    """A desktop in use, its guide, and the memory that a dream would have by now."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        size = SIZES[0] if rng.random() < USUAL else SIZES[int(rng.integers(len(SIZES)))]
        self.desktop = random_desktop(rng, size)
        if rng.random() < FRESH:
            text_size = self.desktop.text_size
            self.desktop = emptied(self.desktop, rng, size)
            self.desktop.prefer("text_size", text_size)
        if rng.random() < 0.4:
            self.desktop.prefer("text_size", int(rng.choice([11, 13, 16])))
        style = str(rng.choice(list(PRESETS))) if rng.random() < 0.7 else in_words(random_style(rng))
        self.desktop.prefer("style", style)
        self.user, self.errands = User(rng, self.desktop, styles=False), Errands(rng, self.desktop)
        self.memory = PictureMemory(size, planes=PLANES)
        bare = Guide(size)
        bare.update(Desktop(size, self.desktop.documents, state=self._bare_state()).items)
        self.guide = Guide(size)
        self.guide.update(self.desktop.items)
        self.planes = planes_of(self.guide)
        self.bounds = Rect(0, 0, *size)
        self.memory.ground(self.bounds, planes_of(bare) if rng.random() < 0.8 else self.planes)
        self.recent = self.desktop.features().recent
        self.caret: list[int] | None = None  # as it was last seen
        self.last = ""  # the letter that was typed right before

    def _bare_state(self) -> dict[str, object]:
        return {"t": self.desktop.t, "context": {"preferences": dict(self.desktop.context.preferences)}}

    def deed(self) -> Iterator[Event]:
        if self.rng.random() < GOALS:
            yield from self.errands.next()
            return
        for event in self.user.act():
            yield from letters(event)

    def live(self, events: Iterator[Event]) -> Iterator[Moment]:
        """Let the events happen; a moment for each, and for each tick, that changed the screen, and a few others."""
        desktop = self.desktop
        for event in events:
            seen = desktop.items
            for t in self._ticks(event.t):
                desktop.advance(t)
                if desktop.items is not seen:
                    seen = desktop.items
                    yield from self._moment(state_of(desktop, desktop.style))
            try:
                desktop.handle(event)
            except InputError:
                desktop.stale()
            if event.type == "wait":
                continue
            if desktop.items != seen or self.rng.random() < QUIET:
                yield from self._moment(state_of(desktop, desktop.style, (event,)))
            else:
                self.recent = desktop.features().recent

    def _ticks(self, until: float) -> Iterator[float]:
        """Time in tenths of a second up to a moment; of long pauses only the end."""
        t = max(self.desktop.t, until - 3.0)
        if t > self.desktop.t:
            self.desktop.advance(t)
            self.planes, self.recent = self._now(), self.desktop.features().recent
        while t < until:
            t = min(round(t + 0.1, 3), until)
            yield t

    def _pen(self, event: Event | None, state: State, text_size: int) -> Pen | None:
        """Where the letter that an event typed was put: left of the caret, which every input shows; where the caret stood
        before, if the letter had no room there."""
        letter, before, after = letter_of(event), self.caret, state.hidden["caret"]
        self.caret = after
        if not letter or not after:
            return None
        if before and before[1] < after[1]:
            return before[0] + 1, before[1]
        return after[0] + 1 - advance(Face(text_size), letter), after[1]

    def _now(self) -> Tensor:
        self.damage = self.guide.update(self.desktop.items)
        return planes_of(self.guide)

    def _moment(self, state: State) -> Iterator[Moment]:
        before, self.planes = self.planes, self._now()
        event = state.events[0] if state.events else None
        if isinstance(event, Ask) and "text size" in event.text:  # everything is laid out anew: nothing to learn from
            self.memory.clear()
            self.memory.ground(self.bounds, self.planes)
        recalled = self.memory.recall(self.bounds)
        text_size = self.desktop.text_size
        dx, dy = movement(event, self.recent, state.recent if event else self.recent, state.size, text_size)
        self.recent = state.recent
        pen = self._pen(event, state, text_size)
        guess = typed(before, letter_of(event), text_size, pen, self.last).planes if pen else before
        self.last = letter_of(event) if pen else ""
        pictures = [before, *recalled.pixels, moved(before, dx, dy) if dx or dy else before, guess]
        yield _moment(pictures, wide(recalled.known), self.planes, pen, state)
        for rect in self.damage:
            y, x = rect.slices
            self.memory.replace(rect, before[:, y, x], self.planes[:, y, x])


def _moment(pictures: list[Tensor], known: Tensor, after: Tensor, pen: Pen | None, state: State) -> Moment:
    same = torch.zeros(after.shape[1:], dtype=torch.uint8)
    codes: list[Tensor] = []
    for i, picture in enumerate(pictures):
        if i and picture is pictures[0]:
            codes.append(codes[0])
            equal = same & 1 > 0
        else:
            codes.append(codes_of(picture[:3], picture[3]))
            equal = (picture[:SEEN] == after[:SEEN]).all(0)
        if i in (1, 2):
            codes[i] = torch.where(known[i - 1], codes[i], NOWHERE)
            equal &= known[i - 1]
        same |= equal.to(torch.uint8) << i
    changed = ~by_cell((same & 1)[None, None]).bool().all(-1)[0, :, :, 0]
    return Moment(
        state.size, torch.stack(codes), same, codes_of(after[:3], after[3]), changed.numpy(), pen, state.slow, state.recent,
        state.pointer, state.buttons,
    )  # fmt: skip

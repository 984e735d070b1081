"""Speculation: while the painter is idle, what is likely to be shown next is painted into its frame cache.

What may come next is tried out on a copy of the desktop: the caret's other blink, the widget that the pointer nears, the press and
release of the one under it, the focused widget pressed by key; and once the user has paused, the menu that a right click would open
there, the menu and the ask bar that keys would. The painter paints that on a copy of its latents and remembers it by what it came
from, so that a guess can only ever save work: what is shown is the same, byte for byte. A request drops a guess at once. Where too
few guesses come true, or working them out takes too long, it stays off for a while. It takes no part in a replay: only the window
drives it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain as joined
from math import hypot
from time import monotonic

import numpy as np

from engine.desktop.clock import BLINK, TICKS
from engine.desktop.desktop import Desktop
from engine.desktop.documents import Documents
from engine.events import Down, Event, Key, Move, Up, Wait
from engine.geometry import Rect, merge
from engine.guide import Guide
from engine.painter import PaintRequest
from engine.process_mailbox import ProcessMailbox
from engine.scene import Widget, at
from engine.session import Session

AIMED_AT = ("icon", "button", "toggle", "row", "entry")
NEAR = 140.0  # pixels that the pointer may be off what it nears
BESIDE = 3  # pixels beside a widget: where the pointer is when it leaves
PRESS_S = 0.08  # seconds that a button or key is held
LARGEST_SHARE = 0.25  # of the frame: who opens a whole window waits for it anyway
PAUSE_S = 0.2  # without anything from the user, until a menu may be about to open
PATIENCE = 10  # pauses in which a menu is painted ahead and none opens; then none is, until one was opened
TRIED, PAYS = 60, 0.1  # after so many patches painted ahead, that share of them must have been needed
REST_S = 180.0  # how long it stays off where it does not pay
LONGEST_MS = 12.0  # that the window may be kept from its work by a guess, at the median of the last few


class Speculation:
    """Used by the window's thread. guesser: who may paint ahead now; clock gives seconds; on: whether it is to be tried at all."""

    def __init__(
        self, session: Session, guesser: Callable[[], ProcessMailbox | None], on: bool = True, clock: Callable[[], float] = monotonic
    ) -> None:
        self._session, self._guesser, self._clock = session, guesser, clock
        self._off_until = float("-inf") if on else float("inf")
        self._sheet: object = None
        self._situation: tuple[object, ...] = ()
        self._left: Iterator[tuple[Event, ...]] = iter(())
        self._ready: tuple[PaintRequest, ...] = ()
        self._heading = (0.0, 0.0)
        self._pointer = session.desktop.router.pointer
        self._moved = session.desktop.t  # when the pointer did last
        self._pause: tuple[object, ...] | None = None
        self._patience = PATIENCE
        self._took: list[float] = []
        self._counted = (0, 0)  # patches painted ahead, and needed, when it was last seen whether it pays

    @property
    def on(self) -> bool:
        return self._clock() >= self._off_until

    def follow(self) -> bool:
        """Once a loop, after the session's step: have one more guess painted where nothing else is. Returns whether there is
        more to do at once."""
        desktop, guesser = self._session.desktop, self._guesser()
        self._follow_user(desktop)
        if guesser is None or not self.on or not self._idle():
            return False
        self._judge(guesser.ahead)
        target = self._aimed_at(desktop)
        situation = desktop.router.hover, target and target.path, desktop.clock.input_tick
        if desktop.sheet is not self._sheet or situation != self._situation:
            self._sheet, self._situation = desktop.sheet, situation
            self._ready, self._left = (), self._chains(desktop, target)
        self._follow_pause(desktop)
        if not self._ready:
            chain = next(self._left, None)
            if chain is None:
                return False
            begun = self._clock()
            self._ready = self._requests(chain)
            self._took = [*self._took[-19:], (self._clock() - begun) * 1e3]
        if not self._ready or guesser.guess(self._ready):
            self._ready = ()
        return True

    def _idle(self) -> bool:
        """Whether the painter has nothing to do, and the desktop is as its copy would be."""
        session = self._session
        return session.desktop.resting and not session.desktop.turning.shown and session.watched and not session.waiting

    def _judge(self, ahead: int) -> None:
        """Stay off for a while where it does not pay. ahead: patches painted ahead so far."""
        needed = self._session.statistics.needed
        tried, true = ahead - self._counted[0], needed - self._counted[1]
        slow = len(self._took) == 20 and float(np.median(self._took)) > LONGEST_MS
        if slow or (tried >= TRIED and true < PAYS * tried):
            self._off_until, self._took = self._clock() + REST_S, []
        if slow or tried >= TRIED:
            self._counted = ahead, needed

    def _follow_user(self, desktop: Desktop) -> None:
        pointer = desktop.router.pointer
        moved = pointer[0] - self._pointer[0], pointer[1] - self._pointer[1]
        if moved != (0, 0):
            self._heading, self._pointer, self._moved = moved, pointer, desktop.t
        if desktop.menu or desktop.ask_bar:
            self._patience = PATIENCE

    def _follow_pause(self, desktop: Desktop) -> None:
        """Once in every pause, what may be opened is guessed after all else."""
        acted = desktop.clock.input_tick / TICKS
        pause = (self._pointer, acted) if desktop.t >= max(self._moved, acted) + PAUSE_S else None
        if pause != self._pause and pause is not None and self._patience:
            self._patience -= 1
            self._left = joined(self._left, self._openings(desktop))
        self._pause = pause

    def _aimed_at(self, desktop: Desktop) -> Widget | None:
        """The widget ahead that the pointer is nearest to, and is not on."""
        (x, y), (dx, dy) = self._pointer, self._heading
        length, found = hypot(dx, dy), list[tuple[float, Widget]]()
        for widget in desktop.widgets:
            if widget.role in AIMED_AT and widget.rect and widget.path != desktop.router.hover and length:
                across, along = widget.rect.centre[0] - x, widget.rect.centre[1] - y
                apart, ahead = hypot(across, along), (across * dx + along * dy) / length
                if apart <= NEAR and ahead > 0.7 * apart:
                    found.append((apart, widget))
        return min(found, key=lambda one: one[0])[1] if found else None

    def _chains(self, desktop: Desktop, target: Widget | None) -> Iterator[tuple[Event, ...]]:
        """What may happen next, event after event, the likeliest first."""
        t, (x, y) = desktop.t, desktop.router.pointer
        here = at(desktop.widgets, x, y)
        hovers = here is not None and here.role in AIMED_AT
        press = Down(t, "left", x, y), Up(t + PRESS_S, "left", x, y)
        if hovers:
            yield press
        if target is not None and here is not None and hovers:
            yield Move(t, *_beside(here.rect, target.rect, (x, y))), Move(t, *target.rect.centre)
        if target is not None:
            yield (Move(t, *target.rect.centre),)
        ticks = BLINK - (desktop.clock.ticks - desktop.clock.input_tick) % BLINK
        yield (Wait((desktop.clock.ticks + ticks) / TICKS),)
        yield (Key(t, "enter"),)

    def _openings(self, desktop: Desktop) -> Iterator[tuple[Event, ...]]:
        """What the pointer may open where it rests, and keys where it has not moved since the last."""
        t, (x, y) = desktop.t, self._pointer
        yield Down(t, "right", x, y), Up(t + PRESS_S, "right", x, y)
        if self._moved < desktop.clock.input_tick / TICKS:
            yield (Key(t, "space", ("ctrl",)),)
            yield (Key(t, "f10", ("shift",)),)

    def _requests(self, chain: tuple[Event, ...]) -> tuple[PaintRequest, ...]:
        """What would be posted if these events came, one after the other; ends where that is too much, or nothing."""
        real = self._session.desktop
        desktop = Desktop(real.size, Documents(real.documents.contents), real.clock.start, real.state(), real.checkpoints)
        guide, found = self._session.guide.copy(), list[PaintRequest]()
        bounds, info = Rect(0, 0, *real.size), self._session.mailbox.info
        for event in chain:
            if isinstance(event, Wait):
                desktop.advance(event.t)
            else:
                desktop.handle(event)
            if desktop.style_words != real.style_words or desktop.loras != real.loras or info is None:
                break
            damage = merge(rect.grow(info.reach).snap().meet(bounds) for rect in guide.update(desktop.items))
            if sum(rect.area for rect in damage) > LARGEST_SHARE * bounds.area:
                break
            if damage:
                found.append(_request(desktop, guide, damage))
        return tuple(found)


def _request(desktop: Desktop, guide: Guide, damage: tuple[Rect, ...]) -> PaintRequest:
    shown, router = guide.copy(), desktop.router
    return PaintRequest(
        0, (), damage, shown.pixels, shown.verbatim, desktop.features(work=False), router.pointer, router.buttons, shown.forms
    )  # fmt: skip


def _beside(here: Rect, there: Rect, pointer: tuple[int, int]) -> tuple[int, int]:
    """Where the pointer is once it has left `here` for `there`."""
    x = here.right + BESIDE if there.x >= here.right else here.x - BESIDE if there.right <= here.x else pointer[0]
    y = here.bottom + BESIDE if there.y >= here.bottom else here.y - BESIDE if there.bottom <= here.y else pointer[1]
    return x, y

"""Giving the card back to other programs, by a key or when one of them wants it, and taking it again.

Who paints is ended, so that all of its memory is free at once; meanwhile the session goes on in the guide, or with another
painter that needs no card. What other programs want is guessed from the card's memory alone: what is free falls below a
reserve because others took it, or others took much of it in a short time, as a game that starts does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from engine.card import Meter, Reading
from engine.painter import PainterSpec
from engine.swap_mailbox import SwapMailbox

GB = 1e9
READ_S = 1.0  # how often the card is looked at
GROWTH, GROWTH_SHARE, WINDOW_S = 1.0 * GB, 0.1, 30.0  # others take so much, and so much of the card, in so short a time: a game starts
SLIGHT = 0.25 * GB  # what others may take at any time; a driver's own needs change by as much
STEADY = 2  # readings in a row that must say so
BACK_S, LONGEST_BACK_S = 10.0, 600.0  # how long the card must have been free
SOON_S = 60.0  # whoever gives it back again so soon came back too early


class Rivals:
    """Whether other programs want the card. Give it a reading every READ_S. reserve: bytes that should stay free."""

    def __init__(self, reserve: float) -> None:
        self._reserve = reserve
        self._seen: deque[tuple[float, int]] = deque()  # when, what others had
        self._least: int | None = None
        self._steady = 0

    def forget(self) -> None:
        self._seen.clear()
        self._least, self._steady = None, 0

    def want(self, reading: Reading, now: float) -> bool:
        """Whether the painter should let go now."""
        self._least = reading.others if self._least is None else min(self._least, reading.others)
        self._seen.append((now, reading.others))
        while now - self._seen[0][0] > WINDOW_S:
            self._seen.popleft()
        grown = reading.others - min(others for _, others in self._seen) >= large(reading)
        squeezed = reading.free < self._reserve and reading.others - self._least >= SLIGHT
        self._steady = self._steady + 1 if grown or squeezed else 0
        return self._steady >= STEADY

    @property
    def before(self) -> int:
        """The least that others had, as far as it was seen lately."""
        return min((others for _, others in self._seen), default=0)


@dataclass
class _Away:
    """Since the card was given back. needed: bytes that must be free; before: what others had; rivals: whether another program
    was seen to take the card, so that its end can be seen too; free_since: when the card was first free again."""

    name: str
    by_key: bool
    needed: float
    before: int
    rivals: bool
    free_since: float | None = None


class Yielding:
    """Used by the window's thread. meter: the memory of the card that is painted on, or was, quickly; instead: who paints while the card is given back, None
    for the guide; say: tells the user; reserve: bytes; automatic: whether anything but the key is heeded."""

    def __init__(
        self, mailbox: SwapMailbox, meter: Meter, instead: Callable[[PainterSpec], PainterSpec | None], say: Callable[[str], None],
        reserve: float = 0.5 * GB, automatic: bool = True, key: str = "F9", clock: Callable[[], float] = monotonic,
    ) -> None:  # fmt: skip
        self._mailbox, self._meter, self._instead, self._say = mailbox, meter, instead, say
        self._reserve, self._automatic, self._key, self._clock = reserve, automatic, key, clock
        self._rivals = Rivals(reserve)
        self._away: _Away | None = None
        self._patience = BACK_S
        self._looked = self._came_back = float("-inf")

    @property
    def says(self) -> str:
        """Who is away and how it comes back, in plain words; "" while nobody is."""
        away = self._away
        if away is None:
            return ""
        itself = "" if away.by_key and not away.rivals else " or when it is free again"
        return f"{away.name} gave its memory back; it comes back with {self._key}{itself}"

    def toggle(self) -> None:
        """The key: give the memory back, or take it again."""
        if self._away is not None:
            self._return("")
        else:
            self._leave(self._meter(), by_key=True)

    def follow(self) -> None:
        """Once a loop: look at the card now and then, and do what it asks for."""
        if self._away is not None and not self._mailbox.away:  # another checkpoint was chosen meanwhile
            self._away = None
            self._rivals.forget()
        now = self._clock()
        if not self._automatic or now - self._looked < READ_S:
            return
        self._looked = now
        reading = self._meter()
        if reading is None:
            return
        if self._away is None:
            if self._rivals.want(reading, now):
                self._patience = min(2 * self._patience, LONGEST_BACK_S) if now - self._came_back < SOON_S else BACK_S
                self._leave(reading, by_key=False)
        elif self._free_again(self._away, reading, now):
            self._return("The card is free again: ")

    def _leave(self, reading: Reading | None, by_key: bool) -> None:
        if self._mailbox.info is None:
            return  # nobody is there to leave
        name, own, before = self._mailbox.spec.checkpoint, 0, 0
        if reading is not None:
            own, before = reading.own, min(self._rivals.before, reading.others) if not by_key else reading.others
        self._away = _Away(name, by_key, own + self._reserve, before, rivals=not by_key)
        self._mailbox.give_back(self._instead(self._mailbox.spec), f"its memory is given back, {self._key} brings it back")
        why = "" if by_key else "Another program wants the card: "
        self._say(f"{why}{self.says}.")

    def _return(self, why: str) -> None:
        away, self._away, self._came_back = self._away, None, self._clock()
        self._rivals.forget()
        self._mailbox.come_back()
        if away is not None:
            self._say(f"{why}{away.name} comes back.")

    def _free_again(self, away: _Away, reading: Reading, now: float) -> bool:
        """Whether whoever wanted the card has had it, and it has been free for a while."""
        if away.by_key and reading.others - away.before >= large(reading):
            away.rivals = True
        free = away.rivals and reading.free >= away.needed and reading.others - away.before < large(reading) / 4
        away.free_since = (away.free_since if away.free_since is not None else now) if free else None
        return away.free_since is not None and now - away.free_since >= self._patience


def large(reading: Reading) -> float:
    """Bytes that only a program takes which wants the card for itself."""
    return max(GROWTH, GROWTH_SHARE * reading.total)

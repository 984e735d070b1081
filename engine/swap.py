"""A change of painters, as it goes, what a first frame must not be, when a dream goes on, and the ending of who is not needed."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from time import monotonic
from typing import Literal

import numpy as np

from engine.painter import PainterSpec, Painting
from engine.process_mailbox import ProcessMailbox

FLAT = 4  # a frame shows nothing where no channel of any pixel is so many levels off the first pixel's


@dataclass(frozen=True, slots=True)
class Swap:
    """The latest change of painters. share: of the checkpoint that was read, 0 to 1; why: what keeps it from painting;
    beside: whether the painter before goes on meanwhile; lent: it is part of giving the card back or taking it again, and nobody's
    choice; since: when this state began, monotonic seconds."""

    spec: PainterSpec
    state: Literal["loading", "trying", "refused", "done"]
    since: float
    share: float = 0.0
    why: str = ""
    beside: bool = True
    lent: bool = False

    @property
    def under_way(self) -> bool:
        return self.state in ("loading", "trying")


def flat(painting: Painting) -> bool:
    """Whether a painting of the whole frame shows one colour. One that does not is left at the first row that shows it: the window waits for this."""
    rows = [row for patch in painting.patches for row in patch.pixels]
    return all(np.abs(row.astype(np.int16) - rows[0][0]).max() < FLAT for row in rows)


def goes_on(before: ProcessMailbox | None, coming: ProcessMailbox) -> bool:
    """Whether the coming painter can take over all that the one before dreamt: they are of a family, and hold alike things."""
    old, new = before.info if before is not None else None, coming.info
    if before is None or old is None or new is None or "guided" in (old.mode, new.mode) or old.family != new.family:
        return False
    held, own = before.latents(), coming.latents()
    return held is not None and own is not None and (held.shape, held.dtype) == (own.shape, own.dtype)


class Endings:
    """Painters' processes that are being ended, each by a thread of its own: who paints never waits for it."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []

    def end(self, mailbox: ProcessMailbox) -> None:
        """Returns at once."""
        thread = threading.Thread(target=mailbox.close, name="ending", daemon=True)
        thread.start()
        self._threads = [one for one in self._threads if one.is_alive()] + [thread]

    def wait(self, seconds: float) -> None:
        """Until all are over, at most so long."""
        until = monotonic() + seconds
        for thread in self._threads:
            thread.join(max(until - monotonic(), 0.0))

"""How long a change of checkpoints takes, and whether the window goes on meanwhile.

`python -m benchmarks.swap` runs the real window without a screen (SDL's dummy driver, unless a display is named) on the
bundled checkpoint and a copy of it, there and back, while somebody types, and prints one JSON document. Times in
milliseconds: `taking_over`, from an opened checkpoint to its frame on the screen; `loading`, until it was open; `gap`,
the longest between two frames presented, with `gap_before` of as many seconds in which nothing was changed.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

from benchmarks.machine import machine_facts
from engine.desktop.desktop import Desktop
from engine.events import Ask, Event, Text
from engine.painter import PainterSpec
from engine.session import Session
from engine.swap_mailbox import SwapMailbox
from models.catalog import BUNDLED, open_carefully

TYPED_S = 0.1
PRESENT_S = 1 / 60
LONGEST_S = 180.0
WARM_UP_S = 3.0


def measure(size: tuple[int, int] = (512, 384)) -> dict[str, Any]:
    """Swap to a copy of the bundled checkpoint, then back to the one that is kept ready."""
    with tempfile.TemporaryDirectory() as home:
        shutil.copytree(BUNDLED, Path(home) / "copy")
        first = PainterSpec(size=size, device="auto")
        mailbox = SwapMailbox(open_carefully, first)
        session = Session(Desktop(size), mailbox)
        try:
            session.settle(LONGEST_S)
            runner = _Runner(session)
            runner.for_seconds(WARM_UP_S)
            there = runner.swap(mailbox, replace(first, checkpoint=str(Path(home) / "copy")))
            runner.for_seconds(WARM_UP_S)
            back = runner.swap(mailbox, first)
        finally:
            session.close()
    return {"machine": machine_facts(), "load": os.getloadavg() if hasattr(os, "getloadavg") else None, "size": list(size),
            "there": there, "back": back}  # fmt: skip


class _Runner:
    """The window's loop: input, a step, what there is; it remembers when each frame was presented."""

    def __init__(self, session: Session) -> None:
        self._session, self._begun = session, monotonic()
        self._typed = self._presented = self._begun
        self._gap = 0.0
        session.step([Ask(session.desktop.t, "notes")], session.desktop.t)

    def for_seconds(self, seconds: float) -> None:
        self._gap, until = 0.0, monotonic() + seconds
        while monotonic() < until:
            self._loop()

    def swap(self, mailbox: SwapMailbox, spec: PainterSpec) -> dict[str, float]:
        before, self._gap, begun = self._gap, 0.0, monotonic()
        mailbox.swap(spec)
        opened = 0.0
        while (latest := mailbox.latest) is None or latest.under_way:
            if latest is not None and latest.state == "trying":
                opened = opened or latest.since
            if monotonic() - begun > LONGEST_S:
                raise SystemExit(f"it did not take over within {LONGEST_S:.0f} s")
            self._loop()
        if latest.state != "done":
            raise SystemExit(f"it was refused: {latest.why}")
        told = {"loading": opened - begun, "taking_over": latest.since - opened, "gap": self._gap, "gap_before": before}
        return {name: round(seconds * 1e3, 1) for name, seconds in told.items()}

    def _loop(self) -> None:
        import pygame

        pygame.event.wait(4)
        self._session.step(list(self._events()), self._t)
        now = monotonic()
        if now - self._presented >= PRESENT_S:
            _present(self._session)
            now = monotonic()
            self._gap, self._presented = max(self._gap, now - self._presented), now

    @property
    def _t(self) -> float:
        return self._session.desktop.t + max(monotonic() - self._begun - self._session.desktop.t, 0.0)

    def _events(self) -> Iterator[Event]:
        if monotonic() - self._typed >= TYPED_S:
            self._typed = monotonic()
            yield Text(self._t, "x")


def _present(session: Session) -> None:
    import pygame

    screen = pygame.display.get_surface()
    if screen is None:
        raise SystemExit("the window is gone")
    picture = pygame.image.frombuffer(session.pixels.tobytes(), session.desktop.size, "RGB")
    screen.blit(pygame.transform.scale(picture, screen.get_size()), (0, 0))
    pygame.display.flip()


if __name__ == "__main__":
    os.environ.setdefault("SDL_VIDEODRIVER", "x11" if os.environ.get("DISPLAY") else "dummy")
    import pygame

    pygame.display.init()
    pygame.display.set_mode((1024, 768))
    print(json.dumps(measure(), indent=2))

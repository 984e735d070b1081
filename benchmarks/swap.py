"""How long a change of checkpoints takes, and whether the window goes on meanwhile.

`python -m benchmarks.swap` runs the real window (on SDL's dummy driver where no display is named) on the bundled checkpoint
and a copy of it, there and back, while somebody types, and prints one JSON document. Times in milliseconds: `loading`, until
the checkpoint was open; `taking_over`, from there to its frame in the window; `held_up`, the longest turn of the window's
loop beside waiting for input, which is how long no frame could be presented; `held_up_before`, the same over the seconds
before, in which no checkpoint was changed; `load`: programs that wanted a core, over the last minute.
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
from engine.settings import Settings
from engine.swap_mailbox import SwapMailbox
from models.catalog import BUNDLED, open_carefully
from ui.display import open_window
from ui.window import Window

TYPED_S = 0.1
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
            with open_window(size, fullscreen=False) as screen:
                runner = _Runner(session, Window(screen, session, Settings.load(Path(home) / "settings.toml")))
                runner.for_seconds(WARM_UP_S)
                there = runner.swap(mailbox, replace(first, checkpoint=str(Path(home) / "copy")))
                runner.for_seconds(WARM_UP_S)
                back = runner.swap(mailbox, first)
        finally:
            session.close()
    return {"machine": machine_facts(), "load": os.getloadavg() if hasattr(os, "getloadavg") else None, "size": list(size),
            "there": there, "back": back}  # fmt: skip


class _Runner:
    """The window's loop: input, a step, what there is."""

    def __init__(self, session: Session, window: Window) -> None:
        self._session, self._window = session, window
        self._offset = session.desktop.t - monotonic()
        self._typed = monotonic()
        self._held_up = 0.0
        session.step([Ask(session.desktop.t, "notes")], session.desktop.t)

    def for_seconds(self, seconds: float) -> None:
        self._held_up, until = 0.0, monotonic() + seconds
        while monotonic() < until:
            self._loop()

    def swap(self, mailbox: SwapMailbox, spec: PainterSpec) -> dict[str, float]:
        before, self._held_up, begun = self._held_up, 0.0, monotonic()
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
        told = {"loading": opened - begun, "taking_over": monotonic() - opened, "held_up": self._held_up, "held_up_before": before}
        return {name: round(seconds * 1e3, 1) for name, seconds in told.items()}

    def _loop(self) -> None:
        events = [*self._window.read(self._t), *self._typing()]
        begun = monotonic()
        self._window.show(self._session.step(events, self._t))
        self._held_up = max(self._held_up, monotonic() - begun)

    @property
    def _t(self) -> float:
        return max(monotonic() + self._offset, self._session.desktop.t)

    def _typing(self) -> Iterator[Event]:
        if monotonic() - self._typed >= TYPED_S:
            self._typed = monotonic()
            yield Text(self._t, "x")


if __name__ == "__main__":
    if not os.environ.get("DISPLAY"):
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    print(json.dumps(measure(), indent=2))

"""Whether the window goes on presenting while the painter paints: `python -m benchmarks.presenting [--seconds N] [--out FILE.json]`.

Runs the real window (on SDL's dummy driver where no display is named) on the bundled checkpoint, painting ahead when it is idle, as it
does for a user, while somebody moves the pointer all the time, and types, drags a window about, or changes the look, each for a
while: there is something new to present in every sixtieth of a second. Prints JSON: milliseconds between one frame presented and the next
(`gaps`), and of each turn of the window's loop beside waiting for input (`turns`), in which no frame could be presented: the median, the
99th percentile and the longest; how many frames were presented and painted meanwhile; `load`: programs that wanted a core, over
the last minute.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator, Sequence
from math import cos, sin
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import machine_facts
from benchmarks.result_file import leave, with_out
from benchmarks.window_loop import Script, Typing, WindowLoop, with_some_display
from engine.desktop.desktop import Desktop
from engine.events import Event, Style
from engine.painter import PainterSpec
from engine.scene import find
from engine.session import Session
from engine.settings import Settings
from engine.speculation import Speculation
from engine.swap_mailbox import SwapMailbox
from models.catalog import open_carefully
from ui import posting
from ui.display import open_window
from ui.view import View
from ui.window import Window

LOOKS = ("dark", "ocean", "light", "forest")
OPENING_S, WARM_UP_S = 180.0, 2.0


def measure(seconds: float, size: tuple[int, int] = (512, 384)) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, script, held in (("typing", Typing(), False), ("dragging", _nothing, True), ("looks", _Looks(), False)):
        found[name] = _measured(script, held, seconds, size)
    return {"machine": machine_facts(), "load": os.getloadavg() if hasattr(os, "getloadavg") else None, "size": list(size), **found}


def _measured(script: Script, held: bool, seconds: float, size: tuple[int, int]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as home:
        mailbox = SwapMailbox(open_carefully, PainterSpec(size=size))
        session = Session(Desktop(size), mailbox)
        try:
            session.settle(OPENING_S)
            with open_window(size, fullscreen=False) as screen:
                window = Window(screen, session, Settings.load(Path(home) / "settings.toml"))
                pointer = _Pointer(script, View.fit(size, screen.get_size()), held)
                loop = WindowLoop(session, window, pointer, Speculation(session, lambda: mailbox.guesser))
                loop.run(WARM_UP_S)
                before, sha256 = session.statistics.painted, mailbox.info.sha256 if mailbox.info else ""
                loop.run(seconds)
        finally:
            session.close()
    return {
        "gaps": _told(np.diff(loop.presents)), "turns": _told(loop.turns), "presented": len(loop.presents),
        "painted": session.statistics.painted - before, "sha256": sha256,
    }  # fmt: skip


def _told(seconds: Sequence[float] | np.ndarray) -> dict[str, float]:
    ms = np.array(seconds) * 1e3
    found = {"p50": np.percentile(ms, 50), "p99": np.percentile(ms, 99), "max": ms.max()}
    return {name: round(float(one), 1) for name, one in found.items()}


class _Pointer:
    """Led round in a circle beside what a script does. held: whether the title of Notes is held with it."""

    def __init__(self, script: Script, view: View, held: bool) -> None:
        self._script, self._view, self._held, self._begun = script, view, held, False

    def __call__(self, session: Session, t: float) -> Iterator[Event]:
        if self._held and not self._begun:
            self._begun = True
            posting.button(True, self._view.to_window(*find(session.desktop.widgets, "Notes/title").rect.centre))
        posting.move(self._view.to_window(round(250 + 60 * cos(2 * t)), round(90 + 40 * sin(2 * t))))
        yield from self._script(session, t)


def _nothing(session: Session, t: float) -> Iterator[Event]:
    yield from ()


class _Looks:
    """Another look every second."""

    def __init__(self) -> None:
        self._changed, self._count = 0.0, 0

    def __call__(self, session: Session, t: float) -> Iterator[Event]:
        if t - self._changed >= 1.0:
            self._changed, self._count = t, self._count + 1
            yield Style(t, LOOKS[self._count % len(LOOKS)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15.0)
    given = with_out(parser).parse_args()
    with_some_display()
    leave(measure(given.seconds), given.out)

"""Whether the window goes on presenting while the painter paints: `python -m benchmarks.presenting [--seconds N]`.

Runs the real window (on SDL's dummy driver where no display is named) on the bundled checkpoint while somebody types, drags a
window about, and changes the look, each for a while. Prints JSON: of the turns of the window's loop, in which no frame could be
presented, the median, the 99th percentile and the longest, in milliseconds; how many frames were painted meanwhile; `load`:
programs that wanted a core, over the last minute. A window that presents 60 frames a second has 16.7 ms for a turn.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator
from math import cos, sin
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import machine_facts
from benchmarks.window_loop import Script, Typing, WindowLoop, with_some_display
from engine.desktop.desktop import Desktop
from engine.events import Down, Event, Move, Style
from engine.painter import PainterSpec
from engine.process_mailbox import ProcessMailbox
from engine.scene import find
from engine.session import Session
from engine.settings import Settings
from models.catalog import open_carefully
from ui.display import open_window
from ui.window import Window

LOOKS = ("dark", "ocean", "light", "forest")
OPENING_S, WARM_UP_S = 180.0, 2.0


def measure(seconds: float, size: tuple[int, int] = (512, 384)) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, script in (("typing", Typing()), ("dragging", _Dragging()), ("looks", _Looks())):
        found[name] = _measured(script, seconds, size)
    return {"machine": machine_facts(), "load": os.getloadavg() if hasattr(os, "getloadavg") else None, "size": list(size), **found}


def _measured(script: Script, seconds: float, size: tuple[int, int]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as home:
        session = Session(Desktop(size), ProcessMailbox(open_carefully, PainterSpec(size=size)))
        try:
            session.settle(OPENING_S)
            with open_window(size, fullscreen=False) as screen:
                loop = WindowLoop(session, Window(screen, session, Settings.load(Path(home) / "settings.toml")), script)
                loop.run(WARM_UP_S)
                before = session.statistics.painted
                loop.run(seconds)
        finally:
            session.close()
    turns = np.array(loop.turns) * 1e3
    told = {"p50": np.percentile(turns, 50), "p99": np.percentile(turns, 99), "max": turns.max()}
    return {**{name: round(float(ms), 1) for name, ms in told.items()}, "turns": len(turns), "painted": session.statistics.painted - before}


class _Dragging:
    """A window is held by its title and led round in a circle."""

    def __init__(self) -> None:
        self._held = False

    def __call__(self, session: Session, t: float) -> Iterator[Event]:
        if not self._held:
            self._held = True
            x, y = find(session.desktop.widgets, "Notes/title").rect.centre
            yield Down(t, "left", x, y)
        yield Move(t, round(250 + 60 * cos(2 * t)), round(90 + 40 * sin(2 * t)))


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
    with_some_display()
    print(json.dumps(measure(parser.parse_args().seconds), indent=2))

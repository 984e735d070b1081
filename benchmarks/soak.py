"""Whether memory grows while somebody works: `python -m benchmarks.soak [--filling M] [--minutes N] [--threads N] [--out FILE.json]`.

Runs the real window (on SDL's dummy driver where no display is named) with journal, documents and the painter's process on the
bundled checkpoint, and gives it random input through the system's event queue: pointer, buttons, wheel, letters, shortcuts, apps
and looks by the ask bar. Samples the memory that both processes hold, and the card's where there is one. The first M minutes
fill the caches (the frame cache is bounded more tightly than usual, so that it is full by then); of the N that follow, growth is
the median of the last sixth against that of the first, in percent. What was typed is cleared now and
then, and no button that makes documents is pressed; but a blank note that is written into and a picture that is drawn are kept, as
ever: `content` tells how much that came to.
"""

from __future__ import annotations

import argparse
import json
import os
import string
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import psutil

from benchmarks.machine import machine_facts
from benchmarks.window_loop import WindowLoop, with_some_display
from engine.desktop.apps.registry import APPS
from engine.desktop.desktop import Desktop
from engine.events import Event
from engine.journal import Journal
from engine.keeping import Keeper, recover
from engine.mirror import Mirror
from engine.painter import PainterSpec
from engine.painter_process import Limits
from engine.session import Session
from engine.settings import open_settings
from engine.speculation import Speculation
from engine.styles import PRESETS
from engine.swap_mailbox import SwapMailbox
from models.catalog import open_carefully
from ui import posting
from ui.display import open_window
from ui.view import View
from ui.window import Window

ACTS_S, HASTY_S = 0.06, 1.5  # seconds between two acts: once the last was painted; where that takes long
SAMPLE_S = 2.0
OPENING_S = 300.0
CACHE_MB = 2.0
PATIENT = Limits(beat=300.0, paint=600.0, first_paint=600.0)  # a busy machine is no hanging painter
SPAN = 1 / 6  # of the time that counts: what a median is taken of
LIMIT = 0.01  # growth that is allowed
MAKES = ("New", "new", "Copy")  # buttons that add to what is kept
KEYS = ("return", "tab", "escape", "backspace", "left", "right", "up", "down", "home", "end", "delete", "space", "f3", "f6")
CTRL_KEYS = "acvxzyfw"


@dataclass(frozen=True, slots=True)
class Sample:
    """Megabytes that the two processes hold, and the painter's of the card (0 without one), `at` seconds."""

    at: float
    window: float
    painter: float
    vram: float


class Monkey:
    """Random input, put where the system puts a user's."""

    def __init__(self, seed: int, view: View) -> None:
        self._rng, self._view, self._acted, self.acts = np.random.default_rng(seed), view, 0.0, 0

    def __call__(self, session: Session, t: float) -> Iterator[Event]:
        """Nothing by itself: the window reads what was posted, as it reads everything."""
        since = monotonic() - self._acted
        if since >= (HASTY_S if session.waiting else ACTS_S):
            self._acted, self.acts = monotonic(), self.acts + 1
            self._act(session.desktop)
        yield from ()

    def _act(self, desktop: Desktop) -> None:
        rng = self._rng
        kind = rng.choice(("letter", "move", "click", "drag", "wheel", "key", "ctrl", "ask", "clear"), p=(0.36, 0.2, 0.18, 0.03, 0.06, 0.1, 0.04, 0.01, 0.02))
        if kind == "letter":
            posting.write(str(rng.choice(list(string.ascii_lowercase + " "))))
        elif kind == "move":
            posting.move(self._somewhere(desktop))
        elif kind in ("click", "drag"):
            at = self._somewhere(desktop)
            posting.move(at)
            posting.button(True, at)
            to = at if kind == "click" else self._somewhere(desktop)
            posting.move(to)
            posting.button(False, to)
        elif kind == "wheel":
            posting.wheel(int(rng.choice((-2, -1, 1, 2))))
        elif kind == "key":
            posting.press(str(rng.choice(KEYS)))
        elif kind == "ctrl":
            posting.press(str(rng.choice(list(CTRL_KEYS))), ctrl=True)
        elif kind == "ask":
            posting.press("space", ctrl=True)
            posting.write(str(rng.choice(list(PRESETS if rng.random() < 0.2 else APPS))).lower())
            posting.press("return")
        else:
            posting.press("a", ctrl=True)
            posting.press("delete")

    def _somewhere(self, desktop: Desktop) -> tuple[int, int]:
        """In the middle of a widget, in window pixels."""
        rects = [widget.rect for widget in desktop.widgets if widget.name not in MAKES]
        return self._view.to_window(*rects[int(self._rng.integers(len(rects)))].centre)


def soak(filling: float, minutes: float, size: tuple[int, int] = (512, 384), seed: int = 0, threads: int | None = None) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as home:
        journal, mirror = Journal(Path(home) / "journal.sqlite"), Mirror(Path(home) / "documents")
        desktop, _ = recover(journal, mirror, size, ("bundled", "guide"))
        mailbox = SwapMailbox(open_carefully, PainterSpec(size=size, cache_mb=CACHE_MB, threads=threads), PATIENT)
        session = Session(desktop, mailbox, Keeper(journal, mirror), live=True)
        try:
            session.begin()
            session.settle(OPENING_S)
            with open_window(size, fullscreen=False) as screen:
                monkey = Monkey(seed, View.fit(size, screen.get_size()))
                window = Window(screen, session, open_settings(Path(home) / "settings.toml"))
                samples = _sampled(WindowLoop(session, window, monkey, Speculation(session, lambda: mailbox.guesser)), mailbox, filling + minutes)
        finally:
            session.close()
        numbers, contents = session.statistics, session.desktop.documents.contents
    return {
        "machine": machine_facts(), "load": os.getloadavg() if hasattr(os, "getloadavg") else None, "size": list(size),
        "threads": threads, "filling": filling, "minutes": minutes, "acts": monkey.acts, "painted": numbers.painted, "cached": numbers.cached,
        "ahead": {"needed": numbers.needed}, "cache": {"mb": CACHE_MB, "looked_up": numbers.looked_up, "found": numbers.found},
        "content": {"documents": len(contents), "characters": sum(map(len, contents.values()))},
        "growth": growth(samples, filling * 60, minutes * 60), "samples": [[round(number, 1) for number in astuple(sample)] for sample in samples],
    }  # fmt: skip


def _sampled(loop: WindowLoop, mailbox: SwapMailbox, minutes: float) -> list[Sample]:
    begun, own, samples = monotonic(), psutil.Process(), list[Sample]()
    while (at := monotonic() - begun) < minutes * 60:
        if mailbox.pid is None:
            raise SystemExit(f"the painter was lost after {at:.0f} s: {mailbox.status.why or mailbox.status.state}")
        card = mailbox.card
        samples.append(Sample(at, own.memory_info().rss / 1e6, psutil.Process(mailbox.pid).memory_info().rss / 1e6, card.own / 1e6 if card else 0.0))
        loop.run(SAMPLE_S)
    return samples


def growth(samples: Sequence[Sample], full: float, seconds: float) -> dict[str, float]:
    """By how much each kind of memory grew in so many seconds once the caches were `full`, as a share; what there is none of is
    left out."""
    found = {}
    for name in ("window", "painter", "vram"):
        first, last = (
            [getattr(sample, name) for sample in samples if begin <= (sample.at - full) / seconds < begin + SPAN] for begin in (0.0, 1 - SPAN)
        )
        if first and last and (held := float(np.median(first))):
            found[name] = round(float(np.median(last)) / held - 1, 5)
    return found


def told(result: dict[str, Any]) -> str:
    """In one line."""
    parts = [f"{name} {share:+.2%}" for name, share in result["growth"].items()]
    held = "held" if max(result["growth"].values(), default=1.0) <= LIMIT else "MISSED"
    return f"{result['minutes']:g} minutes after {result['filling']:g}, {result['acts']} acts, {result['painted']} paints: {', '.join(parts)}; at most {LIMIT:.0%}: {held}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--filling", type=float, default=25.0, metavar="MINUTES", help="before those that count")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="of the painter")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with_some_display()
    result = soak(given.filling, given.minutes, seed=given.seed, threads=given.threads)
    if given.out:
        given.out.write_text(json.dumps(result) + "\n")
    print(told(result))

"""What painting ahead is worth: `python -m benchmarks.speculation [--size WxH] [--out FILE.json]`.

Somebody goes over icons, works the calculator with the pointer, takes entries of menus by right click and types with pauses, twice
in one run: without painting ahead, and with it, with as much idle time after each event as the guesses take. The painter is in this
process, on one thread, and what is counted is the processor's time, so other programs disturb it little. Prints JSON: events that
changed the screen; of them, how many were painted anew in each run; milliseconds from an event to its pixels, on average and at the
median, and of those that opened a menu (`menus`) on average; `gain`, how many times as fast on average; patches that were painted ahead and how
many of them were needed; milliseconds of idle time that they took, for each event. Frames of the two runs are the same, byte for
byte, or it fails.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator, Sequence
from time import process_time
from typing import Any, NamedTuple

import numpy as np

from benchmarks.machine import machine_facts
from benchmarks.result_file import leave, with_out
from engine.desktop.desktop import Desktop
from engine.events import Ask, Down, Event, Move, Text, Up
from engine.geometry import parse_size
from engine.mailbox import DirectMailbox
from engine.painter import GuessingPainter, PainterSpec, PaintRequest
from engine.scene import find
from engine.session import Session
from engine.speculation import Speculation
from models.catalog import open_painter

MOVES = 4  # on the way from one widget to the next
PRESSED = ("7", "×", "8", "=", "C", "1", "+", "2", "=")


class Seen(NamedTuple):
    """An event that changed the screen. ms: of the processor, until its pixels; menu: whether it opened one."""

    ms: float
    source: str
    menu: bool


class Guesser:
    """What paints ahead at once, in this process. needed: as the session counted."""

    def __init__(self, painter: GuessingPainter) -> None:
        self._painter, self.info, self.ahead, self.needed = painter, painter.info, 0, 0

    def guess(self, requests: Sequence[PaintRequest]) -> bool:
        self.ahead += self._painter.guess(requests, lambda: False)
        return True


def use(desktop: Desktop) -> Iterator[list[Event]]:
    """Steps of ordinary use, at most one event each; an empty one lets time go by."""
    yield []
    icons = [widget.path for widget in desktop.widgets if widget.role == "icon"]
    for path in icons:
        yield from _goes(desktop, path)
    yield [Ask(desktop.t + 0.5, "calculator")]
    for name in PRESSED:
        yield from _goes(desktop, f"Calculator/{name}")
        yield from _presses(desktop)
    yield from _chooses(desktop, "Calculator/title", "Copy result")
    yield [Ask(desktop.t + 0.5, "notes")]
    for letter in "a note, written slowly":
        yield [Text(desktop.t + 0.2, letter)]
        if letter in ", ":
            yield from ([] for _ in range(8))  # thinks; the caret blinks
    yield from _chooses(desktop, "Notes/text", "Select all")
    for name in ("Notes/Find", "Notes/Heading", "Notes/List", "Notes/Undo", "Notes/close"):
        yield from _goes(desktop, name)
        yield from _presses(desktop)


def measure(size: tuple[int, int]) -> dict[str, Any]:
    spec = PainterSpec(size=size, device="cpu", threads=1)
    runs = [_run(spec, ahead) for ahead in (False, True)]
    (plain, frames, _, _), (ahead, same, guesser, idle) = runs
    if frames != same:
        raise SystemExit("painting ahead changed what is painted")
    info = guesser.info
    return {
        "machine": machine_facts(), "sha256": info.sha256, "dtype": info.dtype, "size": list(size), "events": len(plain),
        "without": _told(plain), "with": _told(ahead), "gain": round(_mean(plain) / _mean(ahead), 2),
        "patches": {"ahead": guesser.ahead, "needed": guesser.needed}, "idle_ms": round(idle / max(len(frames), 1), 1),
    }  # fmt: skip


def _told(run: Sequence[Seen]) -> dict[str, float]:
    p50 = float(np.median([event.ms for event in run]))
    menus = _mean([event for event in run if event.menu])
    return {"painted": sum(event.source == "painted" for event in run), "mean": round(_mean(run), 2), "p50": round(p50, 2), "menus": round(menus, 2)}


def _mean(run: Sequence[Seen]) -> float:
    return float(np.mean([event.ms for event in run]))


def _run(spec: PainterSpec, ahead: bool) -> tuple[list[Seen], list[bytes], Guesser, float]:
    """Each event that changed the screen, a hash of each frame, what painted ahead, and the milliseconds that this took in all."""
    painter = open_painter(spec)
    assert isinstance(painter, GuessingPainter)
    guesser, session, idle = Guesser(painter), Session(Desktop(spec.size), DirectMailbox(painter)), 0.0
    speculation = Speculation(session, lambda: guesser, ahead, process_time)  # type: ignore[arg-type, return-value]
    seen, frames = list[Seen](), list[bytes]()
    for events in use(session.desktop):
        begun = process_time()
        frame = session.step(events, max([session.desktop.t + 0.1 * (not events), *(event.t for event in events)]))
        if frame.damage:
            menu = any(isinstance(event, Down) and event.button == "right" for event in events)
            seen.append(Seen((process_time() - begun) * 1e3, frame.source, menu))
        frames.append(hashlib.blake2b(frame.pixels.tobytes()).digest())
        begun = process_time()
        while speculation.follow():
            pass
        idle += (process_time() - begun) * 1e3
    guesser.needed = session.statistics.needed
    session.close()
    return seen[1:], frames, guesser, idle  # the first whole frame is the same in both


def _goes(desktop: Desktop, target: str) -> Iterator[list[Event]]:
    (x, y), (to_x, to_y) = desktop.router.pointer, find(desktop.widgets, target).rect.centre
    for i in range(1, MOVES + 1):
        yield [Move(desktop.t + 0.03, x + (to_x - x) * i // MOVES, y + (to_y - y) * i // MOVES)]


def _presses(desktop: Desktop, button: str = "left") -> Iterator[list[Event]]:
    yield [Down(desktop.t + 0.1, button, *desktop.router.pointer)]
    yield [Up(desktop.t + 0.08, button, *desktop.router.pointer)]


def _chooses(desktop: Desktop, target: str, entry: str) -> Iterator[list[Event]]:
    """Opens the menu of a widget, and takes an entry."""
    yield from _goes(desktop, target)
    yield from ([] for _ in range(4))
    yield from _presses(desktop, "right")
    yield from _goes(desktop, f"menu/{entry}")
    yield from _presses(desktop)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="512x384")
    given = with_out(parser).parse_args()
    leave(measure(parse_size(given.size)), given.out)

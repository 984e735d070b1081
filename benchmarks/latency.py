"""Frame latency: from an event to the composited frame, through the child process, as a user has it.

Warm-up is apart, the clock stops when the frame with the event's paint is composited, and what was not painted is
counted as cached or skipped, never as a frame.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict
from time import monotonic, perf_counter, sleep
from typing import Any

import numpy as np
import psutil

from benchmarks.machine import machine_facts
from engine.desktop.desktop import Desktop
from engine.desktop.documents import Documents
from engine.events import Ask, Down, Event, Key, Move, Style, Text, Up, Wheel
from engine.painter import PainterSpec
from engine.process_mailbox import ProcessMailbox
from engine.scene import find
from engine.session import Frame, Session
from models.catalog import open_painter

PATIENCE = 60.0  # seconds until a frame counts as lost
OPENING = 600.0  # seconds until a checkpoint that is not open counts as lost: large ones take minutes
PAUSE = 0.15  # session seconds between events
Say = Callable[[str], None]
Scenario = Callable[[Desktop, int], Iterator[Event | None]]


def bench(spec: PainterSpec, quick: bool = False, say: Say = print, only: Collection[str] = ()) -> dict[str, Any]:
    """All scenarios, or those named in `only`; the result as INTERFACE.md describes it. Times in milliseconds unless the name says otherwise."""
    begun = perf_counter()
    desktop = Desktop(spec.size, Documents({"Long.md": "\n".join(f"Line {i} of a long note." for i in range(400))}))
    session = Session(desktop, ProcessMailbox(open_painter, spec))
    try:
        session.step([], 0.0)
        _await_painter(session)
        cold_start = perf_counter() - begun
        info = session.mailbox.info
        scenarios, memory = {}, _memory_mb()
        for name, (scenario, count) in SCENARIOS.items():
            if only and name not in only:
                continue
            scenarios[name] = _measure(session, desktop, scenario, max(count // 6, 4) if quick else count)
            memory = max(memory, _memory_mb())
            say(f"{name}: p50 {scenarios[name]['p50']} ms, p95 {scenarios[name]['p95']} ms")
    finally:
        session.close()
    return {
        "machine": machine_facts(),
        "checkpoint": asdict(info) if info else {},
        "random_weights": False,
        "mode": spec.mode,
        "size": list(spec.size),
        "steps": info.steps if info else None,
        "seed": spec.seed,
        "quick": quick,
        "scenarios": scenarios,
        "cold_start_s": round(cold_start, 2),
        "peak_rss_mb": round(memory),
    }


def _measure(session: Session, desktop: Desktop, scenario: Scenario, count: int) -> dict[str, Any]:
    """Play a scenario; its first events are for warming up and not counted."""
    times: list[float] = []
    answers: list[float] = []
    dirty: list[float] = []
    frames: list[Frame] = []
    warm = min(3, count // 4)
    for i, event in enumerate(scenario(desktop, count + warm)):
        t = desktop.t + PAUSE if event is None else event.t
        begun = perf_counter()
        first = session.step([] if event is None else [event], t)
        answered = (perf_counter() - begun) * 1e3
        frame = session.settle(PATIENCE) if first.damage else first
        elapsed = (perf_counter() - begun) * 1e3
        if i >= warm:
            times.append(elapsed)
            answers.append(answered)
            frames.append(frame)
            dirty.append(sum(r.area for r in first.damage) / (desktop.size[0] * desktop.size[1]))
    stages = {name for f in frames for name in f.ms}
    return {
        **{f"p{q}": round(float(np.percentile(times, q)), 2) for q in (50, 95, 99)},
        "max": round(max(times), 2),
        "answer_p95": round(float(np.percentile(answers, 95)), 2),  # until the window goes on, painted or not
        "answer_max": round(max(answers), 2),
        **{kind: sum(f.source == kind for f in frames) for kind in ("painted", "cached", "skipped", "guide")},
        "dirty_share": round(float(np.mean(dirty)), 4),
        "stages": {s: round(float(np.median([f.ms.get(s, 0.0) for f in frames])), 2) for s in sorted(stages)},
    }


def _await_painter(session: Session) -> None:
    """Until the painter's first whole frame stands."""
    until = monotonic() + OPENING
    while monotonic() < until:
        frame = session.settle(1.0)
        if frame.source in ("painted", "cached") or session.mailbox.status.state == "gave up":
            return
        sleep(0.005)


def _memory_mb() -> float:
    """Resident memory of this process and its children now, in MB."""
    me = psutil.Process()
    return sum(p.memory_info().rss for p in (me, *me.children(recursive=True)) if p.is_running()) / 1e6


def _idle(desktop: Desktop, count: int) -> Iterator[Event | None]:
    for _ in range(count):
        yield None


def _caret(desktop: Desktop, count: int) -> Iterator[Event | None]:
    yield Ask(desktop.t + 1, "Notes")
    yield Key(desktop.t + 1, "n", ("ctrl",))
    for _ in range(4 * count):
        yield None


def _typing(desktop: Desktop, count: int) -> Iterator[Event | None]:
    yield Ask(desktop.t + 1, "Notes")
    yield Key(desktop.t + 1, "n", ("ctrl",))
    words = "The quick brown fox jumps over the lazy dog. Pack my box with five dozen liquor jugs. "
    for i in range(count):
        yield Text(desktop.t + PAUSE, words[i % len(words)])


def _hover(desktop: Desktop, count: int) -> Iterator[Event | None]:
    icons = [w.rect.centre for w in desktop.widgets if w.role == "icon"]
    for i in range(count):
        yield Move(desktop.t + PAUSE, *icons[i % len(icons)])


def _drag(desktop: Desktop, count: int) -> Iterator[Event | None]:
    yield Ask(desktop.t + 1, "Calculator")
    x, y = find(desktop.widgets, "Calculator/title").rect.centre
    yield Down(desktop.t + PAUSE, "left", x, y)
    for i in range(count):
        swing = i % 24 if i % 48 < 24 else 48 - i % 48
        yield Move(desktop.t + PAUSE, x + 6 * swing, y + 2 * swing)
    yield Up(desktop.t + PAUSE, "left", x, y)


def _scroll(desktop: Desktop, count: int) -> Iterator[Event | None]:
    yield Ask(desktop.t + 1, "Long")
    yield Move(desktop.t + PAUSE, *find(desktop.widgets, "Notes/text").rect.centre)
    for i in range(count):
        yield Wheel(desktop.t + PAUSE, -1 if i % 40 < 20 else 1)


def _open(desktop: Desktop, count: int) -> Iterator[Event | None]:
    for _ in range(count // 2):
        yield Ask(desktop.t + PAUSE, "Settings")
        yield Key(desktop.t + PAUSE, "w", ("ctrl",))


def _style(desktop: Desktop, count: int) -> Iterator[Event | None]:
    for i in range(count):
        yield Style(desktop.t + PAUSE, ("dark", "ocean", "light", "forest")[i % 4])


def _full(desktop: Desktop, count: int) -> Iterator[Event | None]:
    """Nearly the whole frame: a window maximised and put back."""
    yield Ask(desktop.t + 1, "Long")
    for _ in range(count):
        yield Key(desktop.t + PAUSE, "enter", ("alt",))


SCENARIOS: dict[str, tuple[Scenario, int]] = {
    "idle": (_idle, 60), "caret": (_caret, 30), "typing": (_typing, 200), "hover": (_hover, 120), "drag": (_drag, 120),
    "scroll": (_scroll, 80), "open": (_open, 40), "style": (_style, 24), "full": (_full, 24),
}  # fmt: skip



"""Frame latency: from an event to the composited frame, through the child process, as a user has it.

Warm-up is apart, the painter waits for its device before it answers, the clock stops when the frame with the event's paint is composited, and what was not painted is
counted as cached or skipped, never as a frame.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict
from time import perf_counter, sleep
from typing import Any, NamedTuple

import numpy as np

from benchmarks.machine import machine_facts
from benchmarks.result_forms import VERSION
from benchmarks.watch import Watch
from engine.desktop.desktop import Desktop
from engine.desktop.documents import Documents
from engine.errors import PixelOSError
from engine.events import Ask, Down, Event, Key, Move, Style, Text, Up, Wheel
from engine.painter import EVENTS, HOST, PainterSpec
from engine.process_mailbox import ProcessMailbox
from engine.scene import find
from engine.session import Frame, Session
from models.catalog import RANDOM, open_painter

PATIENCE = 60.0  # seconds until a frame counts as lost
OPENING = 900.0  # seconds that a checkpoint may take to open, and to paint its first frame
SOON = 0.5  # seconds after its first frame in which a painter begins to get ready, if it is to
WANDERS = 0.25  # share by which the halves of a scenario may differ
ENOUGH = 10  # frames out of the cache from which on their own tail is told
LOWS = 1000  # painted frames from which on the slowest percent says something
PAUSE = 0.15  # session seconds between events
Say = Callable[[str], None]


class Unmeasured(NamedTuple):
    """An event between those that are measured, so that these lead to what was never shown: what was comes out of the frame cache."""

    event: Event


Step = Event | Unmeasured | None  # None: nothing but time
Scenario = Callable[[Desktop, int], Iterator[Step]]


def bench(spec: PainterSpec, quick: bool = False, say: Say = print, only: Collection[str] = ()) -> dict[str, Any]:
    """All scenarios, or those named in `only`; the result as INTERFACE.md describes it. Times in milliseconds unless the name says otherwise.

    Raises PixelOSError where the checkpoint cannot be opened or no painter comes.
    """
    begun = perf_counter()
    desktop = Desktop(spec.size, Documents({"Long.md": "\n".join(f"Line {i} of a long note." for i in range(400))}))
    mailbox = ProcessMailbox(open_painter, spec)
    session = Session(desktop, mailbox)
    try:
        with Watch(spec.device, lambda: mailbox.pid) as watch:
            session.step([], 0.0)
            opened, cold_start = _await_painter(session, begun)
            info = mailbox.info
            assert info is not None
            ready_s = _await_readiness(session, mailbox, say)
            scenarios = {}
            for name, (scenario, count) in SCENARIOS.items():
                if only and name not in only:
                    continue
                scenarios[name] = _measure(session, desktop, scenario, max(count // 6, 4) if quick else count)
                say(told(name, scenarios[name]))
    finally:
        session.close()
    # Only now: torch in this process is no part of what a user's two processes hold.
    from benchmarks.cost import costs
    from benchmarks.side_by_side import side_by_side
    from models.devices import all_threads

    checkpoint, random = asdict(info), spec.checkpoint.startswith(RANDOM)
    facts: dict[str, Any] = dict(watch.facts)
    result: dict[str, Any] = {
        "pixelos_bench": VERSION,
        "title": titled(checkpoint, random, info.compiler),
        "machine": machine_facts(),
        "checkpoint": checkpoint,
        "random_weights": random,
        "mode": spec.mode,
        "size": list(spec.size),
        "steps": info.steps,
        **({"threads": info.threads or spec.threads or all_threads()} if info.device == "cpu" else {}),
        "seed": spec.seed,
        "quick": quick,
        "scenarios": scenarios,
        "cold_start_s": round(cold_start, 2),
        "first_frame_s": round(cold_start - opened, 2),
        **({"compile_s": info.compile_s, "compiler": info.compiler} if spec.compiled else {}),
        **({"ready_s": ready_s, "readiness": str(mailbox.readiness)} if mailbox.readiness is not None else {}),
        "stage_clock": HOST if info.device in ("cpu", "mps") else EVENTS,  # of embed, encode, denoise, decode; the rest is the host's
        "peak_rss_mb": facts.pop("peak_rss_mb"),
        **{key: facts.pop(key) for key in ("peak_vram_mb", "energy_j") if key in facts},
        "cost": costs(spec, quick, say),
        **({"side_by_side": side_by_side(spec, quick, say)} if not quick and spec.mode == "guided" else {}),
        "conditions": facts,
        "disturbed": watch.disturbed,
    }
    if spec.compiled:
        say(f"{info.compiler or 'compiling'} took {info.compile_s} s of the start{f'; {info.note}' if info.note else ''}")
    for why in watch.disturbed:
        say(f"disturbed: {why}; measure again when it is quiet")
    return result


def titled(checkpoint: dict[str, Any], random: bool, compiler: str = "") -> str:
    """What was measured, in one line."""
    weights = ", RANDOM WEIGHTS: its pictures are noise, its latency is real" if random else ""
    by = f", compiled by {compiler}" if compiler else ""
    return f"{checkpoint['name'].removeprefix(RANDOM)} on {checkpoint['device']} in {checkpoint['dtype']}{by}{weights}"


def told(name: str, scenario: dict[str, Any]) -> str:
    """A scenario in one line; of one whose times wander it is said instead of a number."""
    if scenario["wanders"]:
        return f"{name}: too noisy to tell (its halves differ by {scenario['wanders']:.0%})"
    return f"{name}: p50 {scenario['p50']} ms, p95 {scenario['p95']} ms"


def _measure(session: Session, desktop: Desktop, scenario: Scenario, count: int) -> dict[str, Any]:
    """Play a scenario; its first events are for warming up and not counted."""
    times: list[float] = []
    answers: list[float] = []
    dirty: list[float] = []
    frames: list[Frame] = []
    warm = min(3, count // 4)
    for i, event in enumerate(_measured(session, scenario(desktop, count + warm))):
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
    painted, cached = ([elapsed for elapsed, frame in zip(times, frames, strict=True) if frame.source == kind] for kind in ("painted", "cached"))
    lows = {"low_1_percent_fps": round(1e3 / float(np.mean(sorted(painted)[-len(painted) // 100 :])), 1)} if len(painted) >= LOWS else {}
    return {
        **{f"p{q}": round(float(np.percentile(times, q)), 2) for q in (50, 95, 99)},
        "max": round(max(times), 2),
        **lows,
        **({"cached_p95": round(float(np.percentile(cached, 95)), 2)} if len(cached) >= ENOUGH else {}),
        "wanders": wanders(painted),
        "answer_p95": round(float(np.percentile(answers, 95)), 2),  # until the window goes on, painted or not
        "answer_max": round(max(answers), 2),
        **{kind: sum(f.source == kind for f in frames) for kind in ("painted", "cached", "skipped", "guide")},
        "dirty_share": round(float(np.mean(dirty)), 4),
        "stages": {s: round(float(np.median([f.ms.get(s, 0.0) for f in frames])), 2) for s in sorted(stages)},
        "times": [round(elapsed, 2) for elapsed in times],
    }


def _measured(session: Session, steps: Iterator[Step]) -> Iterator[Event | None]:
    """The steps that are measured; the others happen."""
    for step in steps:
        if isinstance(step, Unmeasured):
            session.step([step.event], step.event.t)
            session.settle(PATIENCE)
        else:
            yield step


def wanders(painted: Sequence[float]) -> float:
    """By how much the medians of the first and the second half of some times differ, as a share; 0 where it is no more than
    WANDERS, or there are too few to say."""
    if len(painted) < 16:
        return 0.0
    halves = painted[: len(painted) // 2], painted[len(painted) // 2 :]
    first, second = (float(np.median(half)) for half in halves)
    apart = abs(first - second) / min(first, second)
    return round(apart, 3) if apart > WANDERS else 0.0


def _await_painter(session: Session, begun: float) -> tuple[float, float]:
    """Until the painter's first whole frame stands: seconds since `begun` when it was open, and when the frame stood.

    Raises PixelOSError where none comes.
    """
    opened = 0.0
    while perf_counter() - begun < OPENING:
        frame = session.settle(0.05)
        now, status = perf_counter() - begun, session.mailbox.status
        opened = opened or (now if session.mailbox.info is not None else 0.0)
        if frame.source in ("painted", "cached"):
            return opened, now
        if status.state == "gave up":
            raise PixelOSError(f"nothing can be measured: {status.why}")
        sleep(0.005)
    raise PixelOSError(f"no frame was painted in {OPENING:.0f} s; try a smaller checkpoint or --size")


def _await_readiness(session: Session, mailbox: ProcessMailbox, say: Say) -> float:
    """Until the painter has got ready for what comes, in the pause after its first frame; seconds that it took."""
    begun = perf_counter()
    told = mailbox.readiness
    while perf_counter() - begun < (OPENING if told is not None else SOON):
        if told is not None and told.complete:
            say(f"{told.what}: {told}")
            return round(perf_counter() - begun, 2)
        session.settle(0.0)
        sleep(0.01)
        told = mailbox.readiness
    return 0.0


def _idle(desktop: Desktop, count: int) -> Iterator[Step]:
    for _ in range(count):
        yield None


def _caret(desktop: Desktop, count: int) -> Iterator[Step]:
    yield Ask(desktop.t + 1, "Notes")
    yield Key(desktop.t + 1, "n", ("ctrl",))
    for _ in range(4 * count):
        yield None


def _typing(desktop: Desktop, count: int) -> Iterator[Step]:
    yield Ask(desktop.t + 1, "Notes")
    yield Key(desktop.t + 1, "n", ("ctrl",))
    words = "The quick brown fox jumps over the lazy dog. Pack my box with five dozen liquor jugs. "
    for i in range(count):
        yield Text(desktop.t + PAUSE, words[i % len(words)])


def _hover(desktop: Desktop, count: int) -> Iterator[Step]:
    icons = [w.rect.centre for w in desktop.widgets if w.role == "icon"]
    for i in range(count):
        yield Move(desktop.t + PAUSE, *icons[i % len(icons)])


def _drag(desktop: Desktop, count: int) -> Iterator[Step]:
    yield Ask(desktop.t + 1, "Calculator")
    x, y = find(desktop.widgets, "Calculator/title").rect.centre
    yield Down(desktop.t + PAUSE, "left", x, y)
    for i in range(count):
        swing = i % 24 if i % 48 < 24 else 48 - i % 48
        yield Move(desktop.t + PAUSE, x + 6 * swing, y + 2 * swing + i // 24)  # never where it was before
    yield Up(desktop.t + PAUSE, "left", x, y)


def _scroll(desktop: Desktop, count: int) -> Iterator[Step]:
    yield Ask(desktop.t + 1, "Long")
    yield Move(desktop.t + PAUSE, *find(desktop.widgets, "Notes/text").rect.centre)
    for _ in range(count):
        yield Wheel(desktop.t + PAUSE, -1)  # only on: what was seen before would come out of the cache


def _open(desktop: Desktop, count: int) -> Iterator[Step]:
    """A window opens, in another look each time, for what was shown before comes out of the frame cache, as what closing it leaves does."""
    yield Unmeasured(Ask(desktop.t + 1, "Notes"))
    for i in range(count // 2):
        yield Unmeasured(Style(desktop.t + PAUSE, f"ocean hue={i / 100}"))
        yield Ask(desktop.t + PAUSE, "Settings")
        yield Unmeasured(Key(desktop.t + PAUSE, "w", ("ctrl",)))


def _style(desktop: Desktop, count: int) -> Iterator[Step]:
    for i in range(count):  # never the same
        yield Style(desktop.t + PAUSE, f"{('dark', 'ocean', 'light', 'forest')[i % 4]} hue={i / 100}")


def _full(desktop: Desktop, count: int) -> Iterator[Step]:
    """Nearly the whole frame: a window maximised and put back, its text scrolled further meanwhile."""
    yield Unmeasured(Ask(desktop.t + 1, "Long"))
    yield Unmeasured(Move(desktop.t + PAUSE, *find(desktop.widgets, "Notes/text").rect.centre))
    for _ in range(count):
        yield Unmeasured(Wheel(desktop.t + PAUSE, -1))
        yield Key(desktop.t + PAUSE, "enter", ("alt",))


SCENARIOS: dict[str, tuple[Scenario, int]] = {
    "idle": (_idle, 60), "caret": (_caret, 30), "typing": (_typing, 200), "hover": (_hover, 120), "drag": (_drag, 120),
    "scroll": (_scroll, 80), "open": (_open, 40), "style": (_style, 24), "full": (_full, 24),
}  # fmt: skip



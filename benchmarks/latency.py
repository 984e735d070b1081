"""Frame latency: from an event to the composited frame, through the child process, as a user has it.

Warm-up is apart, the painter waits for its device before it answers, the clock stops when the frame with the event's paint is composited, and what was not painted is
counted as cached or skipped, never as a frame.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict
from math import inf
from time import perf_counter, sleep
from typing import Any, NamedTuple

import numpy as np

from benchmarks.machine import machine_facts
from benchmarks.result_forms import VERSION
from benchmarks.scenarios import PAUSE, SCENARIOS, Scenario, Step, Unmeasured
from benchmarks.watch import Watch
from engine.desktop.desktop import Desktop
from engine.desktop.documents import Documents
from engine.errors import PixelOSError
from engine.events import Event, Up
from engine.painter import EVENTS, HOST, PainterSpec
from engine.process_mailbox import ProcessMailbox
from engine.session import Frame, Session
from models.catalog import RANDOM, open_carefully

PATIENCE = 60.0  # seconds until a frame counts as lost
OPENING = 900.0  # seconds that a checkpoint may take to open, and to paint its first frame
SOON = 0.5  # seconds after its first frame in which a painter begins to get ready, if it is to
WANDERS = 0.25  # share by which the halves of a scenario may differ
ENOUGH = 10  # frames out of the cache from which on their own tail is told
LOWS = 1000  # painted frames from which on the slowest percent says something
TYPING_S = 20.0  # seconds that are typed on for until LOWS are painted
QUICK_S = 40.0  # seconds of --quick's minute: the rest is for the program's own start and end
SPARED_S = 8.0  # seconds that typing has however late it is
FEWEST = 3  # events of a scenario that tell anything
COST_PAINTS = 50  # of a quick look at what painting costs
Say = Callable[[str], None]


class Span(NamedTuple):
    """How long a scenario goes on. most: events, with those that warm up; least: that are measured before it may end; until: from then on
    `least` are enough; hard: from then on nothing is waited for. Seconds of `perf_counter`."""

    most: int
    least: int
    until: float = inf
    hard: float = inf


def bench(spec: PainterSpec, quick: bool = False, say: Say = print, only: Collection[str] = ()) -> dict[str, Any]:
    """All scenarios, or those named in `only`; the result as INTERFACE.md describes it. Times in milliseconds unless the name says otherwise.

    Raises PixelOSError where the checkpoint cannot be opened or no painter comes.
    """
    begun = perf_counter()
    deadline = begun + QUICK_S if quick else inf
    desktop = Desktop(spec.size, Documents({"Long.md": "\n".join(f"Line {i} of a long note." for i in range(400))}))
    mailbox = ProcessMailbox(open_carefully, spec)
    session = Session(desktop, mailbox)
    try:
        with Watch(spec.device, lambda: mailbox.pid) as watch:
            session.step([], 0.0)
            opened, cold_start = _await_painter(session, begun)
            info = mailbox.info
            assert info is not None
            ready_s = _await_readiness(session, mailbox, say, deadline)
            scenarios, left_out = _scenarios(session, desktop, quick, only, deadline, say)
    finally:
        session.close()
    # Only now: torch in this process is no part of what a user's two processes hold.
    from benchmarks.cost import costs
    from benchmarks.side_by_side import side_by_side
    from models.devices import all_threads

    slowest = max((s["p50"] for s in scenarios.values()), default=0.0) / 1e3
    if costly := perf_counter() + opened + COST_PAINTS * slowest > deadline:
        left_out.append("cost")
    if left_out:
        say(f"left out, for --quick has a minute: {', '.join(left_out)}")
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
        **({"left_out": left_out} if left_out else {}),
        "cold_start_s": round(cold_start, 2),
        "first_frame_s": round(cold_start - opened, 2),
        **({"compile_s": info.compile_s, "compiler": info.compiler} if spec.compiled else {}),
        **({"ready_s": ready_s} if ready_s else {}),
        **({"readiness": str(mailbox.readiness)} if mailbox.readiness is not None else {}),
        "stage_clock": HOST if info.device in ("cpu", "mps") else EVENTS,  # of embed, encode, denoise, decode; the rest is the host's
        "peak_rss_mb": facts.pop("peak_rss_mb"),
        **{key: facts.pop(key) for key in ("peak_vram_mb", "energy_j") if key in facts},
        **({} if costly else {"cost": costs(spec, quick, say)}),
        **(side_by_side(spec, quick, say) if not quick and spec.mode == "guided" else {}),
        "conditions": facts,
        "disturbed": watch.disturbed,
    }
    if spec.compiled:
        say(f"{info.compiler or 'compiling'} took {info.compile_s} s of the start{f'; {info.note}' if info.note else ''}")
    for part in (result, result.get("cost", {}), result.get("played", {})):
        for why in part.get("disturbed", ()):
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


def _scenarios(
    session: Session, desktop: Desktop, quick: bool, only: Collection[str], deadline: float, say: Say
) -> tuple[dict[str, Any], list[str]]:
    """What was measured, and which scenarios the time until `deadline` did not suffice for. Raises PixelOSError where it did for none."""
    asked = {name: of for name, of in SCENARIOS.items() if not only or name in only}
    found, left_out = dict[str, Any](), list[str]()
    for i, (name, (scenario, count)) in enumerate(asked.items()):
        now = perf_counter()
        hard = max(deadline, now + SPARED_S) if name == "typing" else deadline
        if quick:
            count = max(count // 6, 4)
            span = Span(count, FEWEST, now + (hard - now) / (len(asked) - i), hard)
        else:
            span = Span(2 * LOWS, count, now + TYPING_S) if name == "typing" else Span(count, count)
        measured = _measure(session, desktop, scenario, min(3, count // 4), span)
        if measured is None:
            left_out.append(name)
        else:
            found[name] = measured
            say(told(name, measured))
    if not found:
        raise PixelOSError(f"nothing could be measured in {QUICK_S:.0f} s; measure without --quick")
    return found, left_out


def _measure(session: Session, desktop: Desktop, scenario: Scenario, warm: int, span: Span) -> dict[str, Any] | None:
    """Play a scenario; its first events are for warming up and not counted. None where there was no time for enough of it."""
    times: list[float] = []
    answers: list[float] = []
    dirty: list[float] = []
    frames: list[Frame] = []
    for i, event in enumerate(_measured(session, scenario(desktop, span.most + warm), span)):
        t = desktop.t + PAUSE if event is None else event.t
        begun = perf_counter()
        first = session.step([] if event is None else [event], t)
        answered = (perf_counter() - begun) * 1e3
        frame = _settled(session, span) if first.damage else first
        elapsed = (perf_counter() - begun) * 1e3
        if perf_counter() > span.hard:
            break  # what came too late was not waited for
        if i >= warm:
            times.append(elapsed)
            answers.append(answered)
            frames.append(frame)
            dirty.append(sum(r.area for r in first.damage) / (desktop.size[0] * desktop.size[1]))
        enough = perf_counter() > span.until or (len(times) >= LOWS and sum(f.source == "painted" for f in frames) >= LOWS)
        if len(times) >= span.least and enough:
            break
    for button in desktop.router.buttons:  # of a window that was being dragged
        session.step([Up(desktop.t, button, *desktop.router.pointer)], desktop.t)
    if len(times) < min(span.least, FEWEST):
        return None
    stages = {name for f in frames for name in f.ms}
    painted, cached = ([elapsed for elapsed, frame in zip(times, frames, strict=True) if frame.source == kind] for kind in ("painted", "cached"))
    lows = {"low_1_percent_fps": round(1e3 / float(np.mean(sorted(painted)[-len(painted) // 100 :])), 1)} if len(painted) >= LOWS else {}
    return {
        **{f"p{q}": round(float(np.percentile(times, q)), 2) for q in (50, 95, 99)},
        "max": round(max(times), 2),
        **lows,
        **({"cached_p95": round(float(np.percentile(cached, 95)), 2)} if len(cached) >= ENOUGH else {}),
        "wanders": wanders(painted if len(painted) >= len(cached) else cached),
        "answer_p95": round(float(np.percentile(answers, 95)), 2),  # until the window goes on, painted or not
        "answer_max": round(max(answers), 2),
        **{kind: sum(f.source == kind for f in frames) for kind in ("painted", "cached", "skipped", "guide")},
        "dirty_share": round(float(np.mean(dirty)), 4),
        "stages": {s: round(float(np.median([f.ms.get(s, 0.0) for f in frames])), 2) for s in sorted(stages)},
        "times": [round(elapsed, 2) for elapsed in times],
    }


def _measured(session: Session, steps: Iterator[Step], span: Span) -> Iterator[Event | None]:
    """The steps that are measured; the others happen."""
    for step in steps:
        if isinstance(step, Unmeasured):
            session.step([step.event], step.event.t)
            _settled(session, span)
        else:
            yield step


def _settled(session: Session, span: Span) -> Frame:
    return session.settle(min(PATIENCE, max(span.hard - perf_counter(), 0.0)))


def wanders(times: Sequence[float]) -> float:
    """By how much the medians of the first and the second half of some times differ, as a share; 0 where it is no more than
    WANDERS, or there are too few to say."""
    if len(times) < 16:
        return 0.0
    halves = times[: len(times) // 2], times[len(times) // 2 :]
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


def _await_readiness(session: Session, mailbox: ProcessMailbox, say: Say, deadline: float) -> float:
    """Until the painter has got ready for what comes, in the pause after its first frame, or half of the time until `deadline` is over; seconds that
    it took, 0 where it never was, or had nothing to do."""
    begun = perf_counter()
    patience = (deadline - begun) / 2
    told = mailbox.readiness
    while perf_counter() - begun < min(OPENING if told is not None else SOON, patience):
        if told is not None and told.complete:
            say(f"{told.what}: {told}")
            return round(perf_counter() - begun, 2)
        session.settle(0.0)
        sleep(0.01)
        told = mailbox.readiness
    if told is not None:
        say(f"{told.what}: {told}, not waited for any longer")
    return 0.0

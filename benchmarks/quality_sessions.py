"""What long sessions do to the painting: drift, pixels touched outside the damage, and whether things stay there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.easel import Easel
from benchmarks.pictures_compared import damaged, distance, grown
from benchmarks.quality_styles import lived
from benchmarks.transitions import setting
from engine.desktop.desktop import Desktop
from engine.errors import InputError
from engine.events import Ask, Event, Key, Move
from engine.painter import Painter, PainterSpec
from engine.styles import PRESETS
from models.likeness import psnr
from models.synthetic.sessions import User, letters, random_desktop

MARKS = (10, 30, 100, 300, 1000, 3000, 10_000)  # frames after which a guided session is looked at
DREAM_MARKS = (10, 30, 60)  # seconds after which a dream is
LONGEST = 3.0  # seconds of one pause in a dream; longer ones are left out
PUT_IN = {"picture": "Picture.png", "window": "calculator"}  # by the user, and asked for by
Say = Callable[[str], None]


class Drift:
    """What was seen at each mark of a session: PSNR to a fresh painting of the same state, and to the source."""

    def __init__(self, easel: Easel, say: Say) -> None:
        self._easel, self._say = easel, say
        self.steps: list[int] = []
        self.seconds: list[float] = []
        self.to_fresh: list[float] = []
        self.to_source: list[float] = []
        self.fresh_to_source: list[float] = []
        self._start = easel.desktop.t

    def look(self) -> None:
        easel = self._easel
        fresh, source = easel.fresh(), easel.source()
        self.steps.append(easel.painted)
        self.seconds.append(round(easel.desktop.t - self._start, 1))
        self.to_fresh.append(round(psnr(easel.frame, fresh), 2))
        self.to_source.append(round(psnr(easel.frame, source), 2))
        self.fresh_to_source.append(round(psnr(fresh, source), 2))
        self._say(f"after {self.steps[-1]} frames ({self.seconds[-1]:.0f} s): {self.to_fresh[-1]} dB from a fresh "
                  f"painting; {self.to_source[-1]} dB from the source, a fresh one {self.fresh_to_source[-1]}")  # fmt: skip

    def scores(self) -> dict[str, Any]:
        return {"steps": self.steps, "seconds": self.seconds, "psnr_db": self.to_fresh,
                "psnr_to_source_db": self.to_source, "fresh_to_source_db": self.fresh_to_source}  # fmt: skip


def guided_session(
    painter: Painter, spec: PainterSpec, frames: int, rng: np.random.Generator, say: Say
) -> dict[str, Any]:
    """A random user's session of so many painted frames in one style; nothing is ever painted anew as a whole."""
    painter.restore(None)
    desktop = random_desktop(rng, spec.size)
    desktop.prefer("style", "light")
    easel, user = Easel(painter, desktop), User(rng, desktop, styles=False)
    easel.paint()
    drift, touched = Drift(easel, say), 0
    marks = sorted({*(mark for mark in MARKS if mark < frames), frames})
    while marks:
        before = easel.frame.copy()
        allowed = np.zeros(before.shape[:2], bool)
        for rect in lived(easel, user):
            allowed[rect.slices] = True
        touched += int((before != easel.frame).any(2)[~allowed].sum())
        if easel.painted >= marks[0]:
            drift.look()
            marks = [mark for mark in marks if mark > easel.painted]
    return {"untouched": {"pixels": touched}, "drift": drift.scores()}


def dreamt_sessions(
    painter: Painter, spec: PainterSpec, seconds: float, count: int, rng: np.random.Generator, say: Say
) -> dict[str, Any]:
    """Sessions of random users, dreamt from the bare desktop on, every tick and every event: what one session shows depends on what
    its user happens to open. What is looked at is the mean of all; `by_session` has the likeness to the source of each."""
    drifts, touched, outside = list[Drift](), 0, 0
    for _ in range(count):
        drift, own, others = _dreamt_session(painter, spec, seconds, rng, say)
        drifts.append(drift)
        touched, outside = touched + own, outside + others
    each = [drift.scores() for drift in drifts]
    means = {key: np.round(np.mean([scores[key] for scores in each], 0), 2).tolist() for key in each[0]}
    told = {**means, "sessions": count, "by_session": [drift.to_source for drift in drifts]}
    return {"untouched": {"pixels": touched, "share": round(touched / max(outside, 1), 5)}, "drift": told}


def _dreamt_session(
    painter: Painter, spec: PainterSpec, seconds: float, rng: np.random.Generator, say: Say
) -> tuple[Drift, int, int]:
    """One; how many pixels were touched outside what changed, and of how many that could have been."""
    painter.restore(None)
    desktop = setting(rng, spec.size, "light").desktop()
    easel, user = Easel(painter, desktop), User(rng, desktop, styles=False)
    easel.paint()
    drift, touched, outside, start = Drift(easel, say), 0, 0, desktop.t
    marks: list[float] = [mark for mark in DREAM_MARKS if mark <= seconds] or [seconds]
    events: list[Event] = [Ask(round(desktop.t + 0.5, 3), "notes")]
    while marks:
        before, source = easel.frame.copy(), easel.source()
        for event in events:
            _dreamt(easel, event)
        allowed = grown(damaged(source, easel.source()), painter.info.reach)
        touched += int((before != easel.frame).any(2)[~allowed].sum())
        outside += int((~allowed).sum())
        if desktop.t - start >= marks[0]:
            drift.look()
            marks = [mark for mark in marks if mark > desktop.t - start]
        events = [letter for event in user.act() for letter in letters(event)]
    return drift, touched, outside


def _dreamt(easel: Easel, event: Event) -> None:
    desktop = easel.desktop
    if event.t - desktop.t > LONGEST:
        return
    try:
        easel.feed(event)
    except InputError:  # a slip: what was aimed at is not there
        desktop.stale()


def guided_persistency(painter: Painter, spec: PainterSpec, frames: int, rng: np.random.Generator, say: Say) -> dict[str, Any]:
    """Share of frames in which a picture, or a window, of the user's is still there while other things come and go in one look after another:
    the picture to the pixel; the window as in a dream, see `dreamt_persistency`."""
    seen: dict[str, list[bool]] = {kind: [] for kind in PUT_IN}
    for kind, put in PUT_IN.items():
        session = _session_with(painter, spec, put, "light", rng)
        easel, without = next(session)
        for i in range(frames):
            for desktop in (easel.desktop, without):
                desktop.prefer("style", list(PRESETS)[i % len(PRESETS)])
            next(session)
            seen[kind].append(_unharmed(easel) if kind == "picture" else _nearer(easel, without) is True)
    return _persistency(seen, say)


def dreamt_persistency(
    painter: Painter, spec: PainterSpec, seconds: float, rng: np.random.Generator, say: Say
) -> dict[str, Any]:
    """Share of frames in which a picture, or a window, that the dream began with is still there while other things go
    on: the frame is nearer to the source's with it than to the source's without it, where the two differ."""
    seen: dict[str, list[bool]] = {kind: [] for kind in PUT_IN}
    for kind, put in PUT_IN.items():
        session = _session_with(painter, spec, put, str(rng.choice(list(PRESETS))), rng)
        easel, without = next(session)
        until = easel.desktop.t + seconds
        while easel.desktop.t < until:
            next(session)
            nearer = _nearer(easel, without)
            seen[kind] += [] if nearer is None else [nearer]
    return {**_persistency(seen, say), "seconds": seconds}


def _persistency(seen: dict[str, list[bool]], say: Say) -> dict[str, Any]:
    """From whether each thing was seen in each frame that was looked at."""
    by_kind = {kind: {"share": round(float(np.mean(frames)), 4), "at_the_end": frames[-1], "frames": len(frames)} for kind, frames in seen.items()}
    for kind, frames in seen.items():
        say(f"persistency, {kind}: {sum(frames)} of {len(frames)} frames")
    every = [one for frames in seen.values() for one in frames]
    return {"share": round(float(np.mean(every)), 4), "frames": len(every), "by_kind": by_kind}


def _session_with(
    painter: Painter, spec: PainterSpec, put: str, style: str, rng: np.random.Generator
) -> Iterator[tuple[Easel, Desktop]]:
    """A session that begins with something put in, painted, and the same desktop without it; then, without end, after each of other things
    that come and go: the launcher, another window, the pointer."""
    start = setting(rng, spec.size, style)
    desktop, without = start.desktop(), start.desktop()
    desktop.handle(Ask(round(desktop.t + 0.1, 3), put))
    painter.restore(None)
    easel = Easel(painter, desktop)
    easel.paint()
    while True:
        yield easel, without
        for kind, values in _elsewhere(rng, spec.size):
            event = kind(round(desktop.t + 0.4, 3), *values)
            easel.feed(event)
            without.handle(event)


def _unharmed(easel: Easel) -> bool:
    """Whether pictures are shown, and to the pixel."""
    content = easel.guide.verbatim > 0
    return bool(content.any() and (easel.frame[content] == easel.guide.pixels[content]).all())


def _nearer(easel: Easel, without: Desktop) -> bool | None:
    """Whether the frame is nearer to the source's than to the one that a desktop without something would have; None where these are the same."""
    shows, lacks = easel.source(), Easel(easel.painter, without).source()
    where = damaged(shows, lacks)
    return distance(easel.frame, shows, where) < distance(easel.frame, lacks, where) if where.any() else None


def _elsewhere(rng: np.random.Generator, size: tuple[int, int]) -> list[tuple[type[Event], tuple[Any, ...]]]:
    """Something that leaves everything as it was."""
    if rng.random() < 0.4:
        return [(Key, ("space", ("ctrl",))), (Key, ("escape",))]
    if rng.random() < 0.5:
        return [(Ask, ("log",)), (Key, ("w", ("ctrl",)))]
    return [(Move, (int(rng.integers(size[0])), int(rng.integers(size[1])))) for _ in range(2)]

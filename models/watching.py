"""Watches the profile's folders: what is dropped into them is offered once it is there to its end, or refused, without a restart.

Knows no torch. The look itself is taken on a thread of its own; whoever shows what there is asks for `news` when it suits.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver
from watchdog.observers.polling import PollingObserver

from engine.background import Background
from models.catalog import ALWAYS
from models.formats import PICKLE, refusal
from models.kinds import misplaced
from models.places import Found, own_in, told_apart, used_by, watched_in
from models.whole import whole

warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"watchdog\.")  # of a folder that is filled while it is taken in

REST_S = 0.5  # a file whose size and time are the same after so long is not being written
CLOSE_S = 2.0
CHANGES = ("created", "modified", "moved", "deleted", "closed")  # opening and reading are none: looking would set off a look
Stamp = tuple[int, int, int]
SAID = {"checkpoint": "{} can paint: F2 shows it.", "lora": "{} is there: F2 offers it.",
        "embedding": "{} is there: say it in a style.", "vae": "{} is there: settings.toml and --vae take it.",
        "text encoder": "{} is there, for files that lack one.", "controlnet": "{} is there: --controlnet takes it."}  # fmt: skip


class News(NamedTuple):
    """checkpoints: every name that can be chosen now; said: what has come, a sentence each; loras: names and paths of those that
    can be put on, the profile's own first."""

    checkpoints: tuple[str, ...]
    said: tuple[str, ...] = ()
    loras: tuple[tuple[str, str], ...] = ()


class Watch:
    """Of a profile whose folders are there. Close it when done."""

    def __init__(self, profile: Path, rest_s: float = REST_S) -> None:
        self._profile = profile
        self._lock = threading.Lock()
        self._news: News | None = None
        self._others: list[Found] | None = None  # of other programs, looked for once
        self._usable: set[Path] = set()  # and which of them
        self._stamps: dict[Path, Stamp] = {}
        self._offered: set[Path] | None = None
        self._background = Background("watch", self._look, rest_s)
        self._observer = _observing(self._background.ask, watched_in(profile))
        self._background.ask()

    def news(self) -> News | None:
        """What changed since it was asked last; None where nothing did."""
        with self._lock:
            news, self._news = self._news, None
        return news

    def close(self) -> None:
        self._observer.stop()
        self._background.close(CLOSE_S)
        self._observer.join(CLOSE_S)

    def _look(self) -> None:
        mine = own_in(self._profile)
        if self._others is None:
            self._others = used_by(self._profile)
            self._usable = {found.path for found in self._others if not found.foreign and whole(found.path) and not misplaced(found)}
        stamps = {found.path: _stamp(found.path) for found in mine}
        first = self._offered is None
        settled = [found for found in mine if first or stamps[found.path] == self._stamps.get(found.path)]
        unsettled = len(settled) < len(mine)
        ready = [found for found in settled if not found.foreign and whole(found.path)]
        told = [*ready, *(found for found in settled if found.foreign)]
        come = [] if first else [found for found in told if found.path not in (self._offered or ())]
        before, self._stamps, self._offered = self._offered, stamps, {found.path for found in told}
        if self._offered != before:
            astray = {found.path: why for found in ready if (why := misplaced(found))}
            usable = {found.path for found in ready if found.path not in astray} | self._usable
            every = [found for found in told_apart([*mine, *self._others]) if found.path in usable]  # by the names that lists give them
            names = tuple(found.name for found in every if found.kind == "checkpoint")
            loras = tuple((found.name, str(found.path)) for found in every if found.kind == "lora")
            said = tuple(refusal(found.path, PICKLE) if found.foreign else astray.get(found.path) or SAID[found.kind].format(found.name) for found in come)
            with self._lock:
                self._news = News((*ALWAYS, *names), (*(self._news.said if self._news else ()), *said), loras)
        if unsettled:
            self._background.ask()  # looks again after a rest


class _Changes(FileSystemEventHandler):
    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in CHANGES:
            self._changed()


def _observing(changed: Callable[[], None], folders: Sequence[Path]) -> BaseObserver:
    """An observer that runs: told by the system, or, where that has no more room for it, one that looks itself."""
    for kind in (Observer, PollingObserver):
        observer: BaseObserver = kind()
        try:
            for folder in folders:
                observer.schedule(_Changes(changed), str(folder), recursive=True)
            observer.start()
            return observer
        except OSError:
            continue
    return observer


def _stamp(path: Path) -> Stamp:
    """Bytes, files, and when the newest of them was written."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    try:
        facts = [file.stat() for file in files]
    except OSError:  # it is just going
        return 0, -1, 0
    return sum(fact.st_size for fact in facts), len(facts), max((fact.st_mtime_ns for fact in facts), default=0)

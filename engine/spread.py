"""Jobs of one batch spread over the machine's places: a process for each GPU, one job at a time in each.

A place is what CUDA_VISIBLE_DEVICES is set to for its processes, so each sees one GPU and calls it the first; None is the machine
without that. Whoever is free takes the next job, so a slow card holds nothing up.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event, Thread

VISIBLE = "CUDA_VISIBLE_DEVICES"
NOT_STARTED = 127  # the code by which shells say so


@dataclass(frozen=True, slots=True)
class Job:
    """A command, and what it is called."""

    name: str
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """How a job ended. place: where it ran; said: the last line on its stderr."""

    job: Job
    place: str | None
    code: int
    said: str


def places(count: int, visible: str | None) -> list[str | None]:
    """A place for each GPU that may be used, one without any where there is none. count: GPUs that the driver tells of; visible:
    CUDA_VISIBLE_DEVICES."""
    if visible is not None:
        listed = [name.strip() for name in visible.split(",") if name.strip()]
        return list(listed[:count]) or [None]
    return [str(number) for number in range(count)] or [None]


def spread(jobs: Sequence[Job], over: Sequence[str | None], tell: Callable[[Done], None] = lambda done: None) -> list[Done]:
    """Run them all; how each ended, in their order. tell: called as each ends, from a thread. Ctrl-C ends those that run."""
    left: SimpleQueue[Job] = SimpleQueue()
    for job in jobs:
        left.put(job)
    found: dict[Job, Done] = {}
    over_with, running = Event(), set[subprocess.Popen[str]]()

    def serve(place: str | None) -> None:
        while not over_with.is_set():
            try:
                job = left.get_nowait()
            except Empty:
                return
            found[job] = _run(job, place, running)
            if not over_with.is_set():
                tell(found[job])

    threads = [Thread(target=serve, args=(place,), name=f"place {place}", daemon=True) for place in over]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except BaseException:
        over_with.set()
        for process in [*running]:
            process.terminate()
        raise
    return [found[job] for job in jobs]


def _run(job: Job, place: str | None, running: set[subprocess.Popen[str]]) -> Done:
    environ = dict(os.environ) if place is None else {**os.environ, VISIBLE: place}
    try:
        process = subprocess.Popen(job.command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace")
    except OSError as error:  # no such program, no memory for another process: this job's end, not the batch's
        return Done(job, place, NOT_STARTED, f"it could not be started: {error}")
    running.add(process)
    try:
        _, said = process.communicate()
    finally:
        running.discard(process)
    return Done(job, place, process.returncode, next(reversed(said.strip().splitlines()), ""))

"""How far long work has come: a moving bar on a terminal, a plain line now and then elsewhere; always on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

PLAIN_EVERY_S = 5.0


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Yields `show(done, total)`, to be called as often as one likes."""
    if not sys.stderr.isatty():
        yield _plain(what)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def line_progress() -> Iterator[Callable[[float, str], None] | None]:
    """Yields `tell(share, line)` for a terminal: the line under way beside a bar; None elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = BarColumn(bar_width=20), TaskProgressColumn(), TextColumn("{task.description}", markup=False)
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda share, line: bar.update(task, completed=share, description=line)


def _plain(what: str) -> Callable[[int, int], None]:
    begun = told = monotonic()

    def show(done: int, total: int) -> None:
        nonlocal told
        now = monotonic()
        if now - told >= PLAIN_EVERY_S and done:
            told = now
            left = (now - begun) / done * (total - done)
            print(f"{what}: {done} of {total}, {left:.0f} s left", file=sys.stderr, flush=True)

    return show

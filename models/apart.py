"""Work done in a process of its own: whatever a checkpoint makes of it, this one goes on."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from engine import spare
from engine.errors import CheckpointError

T = TypeVar("T")
LONGEST_S = 600.0


def apart(work: Callable[..., T], *given: Any, seconds: float = LONGEST_S) -> T:
    """What `work` returns, called with `given` in another process, or raises there; all of it is pickled.

    Raises CheckpointError too where that process ended without an answer or took more than `seconds`; then it is gone.
    """
    context: Any = multiprocessing.get_context(spare.METHOD)
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(theirs, work, given), name="pixelos-check", daemon=True)
    process.start()
    theirs.close()  # or its end would never be seen
    try:
        if not ours.poll(seconds):
            raise CheckpointError(f"{given[0]} was not read within {seconds:.0f} s; get a clean copy")
        answer: T | Exception = ours.recv()
    except EOFError as error:
        process.join(1.0)
        raise CheckpointError(
            f"{given[0]} ended the process that read it (exit code {process.exitcode}); close other programs, or get a clean copy"
        ) from error
    else:
        process.join(2.0)  # what it holds of the system's it gives back itself
    finally:
        process.kill()
        process.join(1.0)
        ours.close()
    if isinstance(answer, Exception):
        raise answer
    return answer


def _answer(letters: Connection, work: Callable[..., Any], given: tuple[Any, ...]) -> None:
    with suppress(OSError):
        os.dup2(2, 1)  # standard output is the parent's
    try:
        letters.send(work(*given))
    except Exception as error:  # noqa: BLE001
        letters.send(error)

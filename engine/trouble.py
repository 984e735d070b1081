"""Errors that nobody foresaw: one message is for the user, where they come from is for the log."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

LARGEST = 4 * 2**20  # bytes of the log; past it, it begins anew: a painter may fail at every frame
DEBUG = "PIXELOS_DEBUG"


def debugging() -> bool:
    """Whether a developer wants to see on the terminal where an error comes from."""
    return os.environ.get(DEBUG) == "1"


def noted(error: BaseException | None) -> Path | None:
    """The log that the error was written to, None where it cannot be written; a developer has it on the terminal instead. Never raises."""
    if debugging():
        traceback.print_exception(error)
        sys.stderr.flush()
        return None
    import platformdirs

    log = platformdirs.user_log_path("pixelos", appauthor=False) / "pixelos.log"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        full = log.exists() and log.stat().st_size > LARGEST
        with open(log, "w" if full else "a", encoding="utf-8", errors="replace") as file:
            traceback.print_exception(error, file=file)
    except OSError:
        return None
    return log

"""A path as a user writes it: on the command line, in settings, in a trace."""

from __future__ import annotations

import os
from pathlib import Path

from engine.errors import InputError

LONGEST_TOLD = 60  # characters of a path in a message about it


def path_said(text: str | Path, refused: type[InputError] = InputError) -> Path:
    """With its `~` resolved; whether something lies there is not asked. Raises `refused` for what can be no path here."""
    if not str(text):
        raise refused("the path is empty; give a folder or a file")
    told = str(text) if len(str(text)) <= LONGEST_TOLD else f"{str(text)[:LONGEST_TOLD]}…"
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        raise refused(f"{told}: there is no home folder of that user here; write the whole path") from error
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return path
    except (OSError, ValueError) as error:  # too long a name, no right to look, a zero in it
        why = getattr(error, "strerror", None) or error
        raise refused(f"{told} cannot be looked at ({why}); give a path that can be") from error
    return path

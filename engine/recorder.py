"""The recorder: writes what happens into a trace while it happens."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from engine.errors import InputError, PixelOSError
from engine.events import Event, as_record
from engine.trace import Header


class Recorder:
    """An open trace file. What `take` was given is in the file when it returns.

    Opening raises InputError if the file cannot be written or is there already. Should the disk fill up later,
    recording stops and `trouble` says so: the session goes on.
    """

    def __init__(self, path: Path, header: Header) -> None:
        self.path = path
        self.events = 0
        self.trouble: str | None = None
        try:
            self._file: IO[str] = open(path, "x", encoding="utf-8", errors="replace", newline="\n")  # noqa: SIM115 - open until `close`
        except FileExistsError as error:
            raise InputError(f"the trace {path} is there already; give another name, or remove it first") from error
        except OSError as error:
            raise InputError(f"the trace {path} cannot be written: {error.strerror}; give another --out") from error
        self._write([header.as_record()])
        if self.trouble:
            self._file.close()
            raise InputError(f"{self.trouble}; give another --out")

    def take(self, events: Iterable[Event]) -> None:
        """Write events, in the order they happened."""
        records = [as_record(event) for event in events]
        if records and self.trouble is None:
            self._write(records)
            self.events += len(records)

    def close(self) -> None:
        """End the trace. Raises PixelOSError if not all of it could be written."""
        try:
            self._file.close()
        except OSError as error:
            self.trouble = self.trouble or f"the trace {self.path} cannot be written: {error.strerror}"
        if self.trouble:
            raise PixelOSError(f"{self.trouble}; what happened before is in it")

    def _write(self, records: list[dict[str, Any]]) -> None:
        try:
            self._file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
            self._file.flush()
        except OSError as error:
            self.trouble = f"the trace {self.path} cannot be written: {error.strerror}"

"""The journal: every event, and now and then the whole state. What is in it survives kill -9 and power cuts.

The desktop is deterministic, so the last snapshot and the events after it bring everything back. Callers
never wait: `append` gives an event its number and returns; a thread of the journal's own commits whatever has
gathered, a few hundredths of a second later. An event up to `saved_seq` is acknowledged; nothing else may be
called saved.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.background import RETRY_S, Background
from engine.errors import PixelOSError, ProfileError
from engine.journal_store import Blob, JournalStore, Recovery, connect, read_recovery

GATHER_S = 0.02  # events that come within this time share a commit, and its wait for the disk

# The surroundings are to blame, not the file: full, read-only, unreachable, locked. The file is left alone.
_SURROUNDINGS = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_NOMEM,
}


@dataclass(frozen=True, slots=True)
class _Snapshot:
    seq: int
    state: dict[str, Any]
    blobs: dict[str, Blob]


class Journal:
    """An open journal.

    Opening raises ProfileError where it cannot be. A damaged file is moved aside, never deleted; what can be
    read of it is taken over, and `notice` says so.
    """

    def __init__(self, path: Path, retry_s: float = RETRY_S) -> None:
        self.path = path
        self.notice: str | None = None
        self._store = self._open()
        self._lock = threading.Lock()
        self._queue: deque[tuple[int, str]] = deque()
        self._snapshot: _Snapshot | None = None
        self._closed = False
        self._last = self._saved = self._store.last_seq
        self._writer = Background("journal", self._commit, GATHER_S, retry_s)

    @property
    def last_seq(self) -> int:
        """The number of the last event appended."""
        return self._last

    @property
    def saved_seq(self) -> int:
        """The number of the last event that is committed."""
        return self._saved

    @property
    def trouble(self) -> str | None:
        """Why events are not being saved at the moment, for the user; None when all is well."""
        return self._writer.trouble

    def append(self, record: dict[str, Any]) -> int:
        """Give the record, a JSON object, the next number and queue it; returns at once, from any thread."""
        text = json.dumps(record)
        with self._lock:
            if self._closed:
                raise PixelOSError(f"the journal {self.path} is closed; nothing can be added to it")
            self._last += 1
            self._queue.append((self._last, text))
            seq = self._last
        self._writer.ask()
        return seq

    def snapshot(self, seq: int, state: dict[str, Any], blobs: Mapping[str, Blob]) -> None:
        """Queue the whole state as of event `seq`; a newer snapshot takes over one that still waits.

        The caller must not change `state` any more: it is made JSON later, on the journal's thread. What is
        large (documents, pictures, latents) belongs in `blobs`: only those that changed are written.
        """
        with self._lock:
            if seq > self._last:
                raise ValueError(f"a snapshot as of event {seq}, but the last event is {self._last}")
            self._snapshot = _Snapshot(seq, state, dict(blobs))
        self._writer.ask()

    def recover(self) -> Recovery:
        """What was committed: call it before the first `append`."""
        connection = connect(self.path)  # the other one is the writer's
        try:
            recovery = read_recovery(connection)
        finally:
            connection.close()
        if recovery.notes:
            notice = f"In {self.path}: {'; '.join(recovery.notes)}."
            self.notice = f"{self.notice} {notice}" if self.notice else notice
        return recovery

    def flush(self, timeout: float) -> bool:
        """Wait until everything queued by now is committed; False if that takes over `timeout` seconds."""
        return self._writer.flush(timeout)

    def close(self, timeout: float = 5.0) -> bool:
        """Commit what is queued and close; whether everything was saved."""
        with self._lock:
            self._closed = True
        done = self._writer.close(timeout)
        if not self._writer.running:
            self._store.close()
        return done

    def _open(self) -> JournalStore:
        try:
            try:
                return JournalStore(self.path)
            except sqlite3.Error as error:
                if _code(error) in _SURROUNDINGS:
                    raise
                self.notice = _begin_afresh(self.path, error)
                return JournalStore(self.path)
        except (sqlite3.Error, OSError) as error:
            raise ProfileError(
                f"the journal {self.path} cannot be opened ({error}); "
                "free some space, make the folder writable, or give another --profile"
            ) from error

    def _commit(self) -> None:
        """On the journal's thread: commit what is queued. Nothing leaves the queue before it is committed."""
        with self._lock:
            records, snapshot = list(self._queue), self._snapshot
        try:
            if records:
                self._store.add(records)
                self._saved = records[-1][0]
                with self._lock:
                    for _ in records:
                        self._queue.popleft()
            if snapshot is not None:
                self._put(snapshot)
        except sqlite3.Error as error:
            raise PixelOSError(
                f"{self.path.name} cannot be written: {error}. "
                "Free some space or make it writable; it is kept in memory and tried again every second."
            ) from error

    def _put(self, snapshot: _Snapshot) -> None:
        try:
            state = json.dumps(snapshot.state)
        except (TypeError, ValueError) as error:
            self._drop(snapshot)  # it would fail for ever; the events it would have spared us are all there
            raise PixelOSError(f"a snapshot was left out ({error}); every event is still saved") from error
        self._store.put_snapshot(snapshot.seq, state, snapshot.blobs)
        self._drop(snapshot)

    def _drop(self, snapshot: _Snapshot) -> None:
        with self._lock:
            if self._snapshot is snapshot:
                self._snapshot = None


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary error code; errors of our own checks have none and mean damage."""
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)) & 0xFF


def _begin_afresh(path: Path, error: sqlite3.Error) -> str:
    """Move a damaged journal aside, put a new one with all that could be read in its place, say so in words.

    The new one is complete before the old one moves: whatever goes wrong until then has changed nothing.
    """
    found = _salvage(path)
    fresh = path.with_name(path.name + ".fresh")
    fresh.unlink(missing_ok=True)
    store = JournalStore(fresh)
    try:
        if found.records:
            store.add([(seq, json.dumps(record)) for seq, record in found.records])
        if found.state is not None:
            store.put_snapshot(found.snapshot_seq, json.dumps(found.state), found.blobs)
    finally:
        store.close()
    aside = _move_aside(path)
    fresh.rename(path)
    taken = "what could be read of it was taken over" if found.seq else "a new one was begun"
    return f"The journal was damaged ({error}). It is kept as {aside.name}; {taken}."


def _move_aside(path: Path) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    aside = path.with_name(f"{path.stem}.damaged-{stamp}{path.suffix}")
    count = 2
    while aside.exists():
        aside = path.with_name(f"{path.stem}.damaged-{stamp}-{count}{path.suffix}")
        count += 1
    for suffix in ("-wal", "-shm", ""):  # the log first: left behind, it would be taken for the new file's
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside


def _salvage(path: Path) -> Recovery:
    try:
        connection = connect(path)
    except sqlite3.Error:
        return Recovery()
    try:
        return read_recovery(connection)
    finally:
        connection.close()

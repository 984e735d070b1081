"""The journal's tables, in plain SQL; for one thread at a time.

- events: seq -> the event's JSON record
- snapshots: seq -> the whole state as JSON, as of that event; the seal is a hash of all that belongs to it
- contents: which blob a snapshot has under which name
- blobs: documents, pictures, latents by what they hold, so that what did not change is not written again
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import ProfileError

Blob = bytes | str

KEPT_SNAPSHOTS = 2  # the older one serves where the newer one turns out damaged
VERSION = 1

_SCHEMA = f"""
BEGIN;
CREATE TABLE events (seq INTEGER PRIMARY KEY, record TEXT NOT NULL);
CREATE TABLE snapshots (seq INTEGER PRIMARY KEY, state TEXT NOT NULL, seal BLOB NOT NULL);
CREATE TABLE contents (seq INTEGER NOT NULL, name TEXT NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (seq, name));
CREATE TABLE blobs (hash BLOB PRIMARY KEY, is_text INTEGER NOT NULL, content BLOB NOT NULL);
PRAGMA user_version = {VERSION};
COMMIT;
"""

_SNAPSHOTS = "SELECT seq, state, seal FROM snapshots ORDER BY seq DESC"
_EVENTS = "SELECT seq, record FROM events WHERE seq > ? ORDER BY seq"
_BLOBS = "SELECT name, hash, is_text, content FROM contents JOIN blobs USING (hash) WHERE seq = ?"


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a journal holds: the last whole snapshot, and the events after it.

    state: None where there is no snapshot; else as of event `snapshot_seq`. records: (seq, record) in order,
    all later. seq: the last number given to anything. notes: what could not be read, in words for the user.
    """

    state: dict[str, Any] | None = None
    blobs: dict[str, Blob] = field(default_factory=dict)
    records: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    snapshot_seq: int = 0
    seq: int = 0
    notes: tuple[str, ...] = ()


class JournalStore:
    """An open journal file. Raises sqlite3.Error; a method that raises has changed nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connection = connect(path)
        try:
            if _version(self.connection) == 0:
                self.connection.executescript(_SCHEMA)
            _check(self.connection)
            self.last_seq = _last_seq(self.connection)
            self._file = _identity(path)
        except BaseException:
            self.connection.close()
            raise
        self._known: dict[str, tuple[Blob, bytes]] = {}  # of the last snapshot: name -> (blob, its hash)

    def add(self, records: Sequence[tuple[int, str]]) -> None:
        """Commit (seq, JSON) pairs in one transaction."""
        with self._transaction() as connection:
            # Replacing, because a commit that reported a failure may have reached the disk all the same.
            connection.executemany("INSERT OR REPLACE INTO events VALUES (?, ?)", records)

    def put_snapshot(self, seq: int, state: str, blobs: Mapping[str, Blob]) -> None:
        """Commit a snapshot; forget older ones but one, the events before that, the blobs of none."""
        known = {name: self._hashed(name, blob) for name, blob in blobs.items()}
        with self._transaction() as connection:
            connection.execute("DELETE FROM contents WHERE seq >= ?", (seq,))
            connection.execute("DELETE FROM snapshots WHERE seq >= ?", (seq,))
            seal = _seal(state, {name: key for name, (_, key) in known.items()})
            connection.execute("INSERT INTO snapshots VALUES (?, ?, ?)", (seq, state, seal))
            for name, (blob, key) in known.items():
                connection.execute("INSERT INTO contents VALUES (?, ?, ?)", (seq, name, key))
                if not connection.execute("SELECT 1 FROM blobs WHERE hash = ?", (key,)).fetchone():
                    row = (key, isinstance(blob, str), _encoded(blob))
                    connection.execute("INSERT INTO blobs VALUES (?, ?, ?)", row)
            _prune(connection)
        self._known = known

    def close(self) -> None:
        self.connection.close()

    def _hashed(self, name: str, blob: Blob) -> tuple[Blob, bytes]:
        known = self._known.get(name)
        if known and (known[0] is blob or (type(known[0]) is type(blob) and known[0] == blob)):
            return known
        return blob, _hash(isinstance(blob, str), _encoded(blob))

    def _transaction(self) -> _Transaction:
        # A deleted file takes every write without complaint, and none of it is there at the next start.
        if _identity(self.path) != self._file:
            raise sqlite3.OperationalError("the file was moved or deleted; put it back")
        return _Transaction(self.connection)


class _Transaction:
    """All of it or nothing, also where the commit itself is what fails."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> sqlite3.Connection:
        self._connection.execute("BEGIN IMMEDIATE")
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


def read_recovery(connection: sqlite3.Connection) -> Recovery:
    """All that can be read, also from a damaged file: the last whole snapshot, the events after it."""
    notes: list[str] = []
    start, state, blobs = _last_snapshot(connection, notes)
    records: list[tuple[int, dict[str, Any]]] = []
    seq = start
    for seq, text in _rows(connection, _EVENTS, notes, start):
        record = _json_object(text)
        if record is None:
            notes.append(f"event {seq} is damaged and was left out")
        else:
            records.append((seq, record))
    return Recovery(state, blobs, records, start, seq, tuple(notes))


def _last_snapshot(
    connection: sqlite3.Connection, notes: list[str]
) -> tuple[int, dict[str, Any] | None, dict[str, Blob]]:
    for seq, text, seal in _rows(connection, _SNAPSHOTS, notes):
        found = _snapshot(connection, seq, text, seal)
        if found is not None:
            return seq, *found
        notes.append(f"the snapshot at event {seq} is damaged; the one before it was used")
    return 0, None, {}


def connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        # FULL waits for the disk at every commit: a power cut, too, loses nothing that was acknowledged.
        # (NORMAL would do for kill -9, but in WAL mode a power cut may take the last commits.) Commits are in
        # groups and on a thread of their own, so nobody sees the wait.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA fullfsync = ON")  # macOS: fsync alone stops at the drive's own cache
    except BaseException:
        connection.close()
        raise
    return connection


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _check(connection: sqlite3.Connection) -> None:
    """Raises sqlite3.DatabaseError for a damaged file, ProfileError for one of another version."""
    if (version := _version(connection)) != VERSION:
        raise ProfileError(
            f"the journal is of version {version} and this Pixel OS reads version {VERSION}; "
            "start the Pixel OS that wrote it, or give another --profile"
        )
    problem = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if problem != "ok":
        raise sqlite3.DatabaseError(problem)


def _last_seq(connection: sqlite3.Connection) -> int:
    query = "SELECT coalesce(max(seq), 0) FROM (SELECT seq FROM events UNION ALL SELECT seq FROM snapshots)"
    return int(connection.execute(query).fetchone()[0])


def _prune(connection: sqlite3.Connection) -> None:
    query = "SELECT seq FROM snapshots ORDER BY seq DESC LIMIT ?"
    kept = [row[0] for row in connection.execute(query, (KEPT_SNAPSHOTS,))]
    if len(kept) < KEPT_SNAPSHOTS:
        return  # no other snapshot yet: every event stays, in case this one is torn
    for table in ("snapshots", "contents"):
        connection.execute(f"DELETE FROM {table} WHERE seq < ?", (kept[-1],))
    connection.execute("DELETE FROM events WHERE seq <= ?", (kept[-1],))
    connection.execute("DELETE FROM blobs WHERE hash NOT IN (SELECT hash FROM contents)")


def _snapshot(
    connection: sqlite3.Connection, seq: int, text: str, seal: bytes
) -> tuple[dict[str, Any], dict[str, Blob]] | None:
    """The snapshot's state and blobs; None if any of it is missing or not what was written."""
    blobs: dict[str, Blob] = {}
    keys: dict[str, bytes] = {}
    try:
        for name, key, is_text, content in connection.execute(_BLOBS, (seq,)):
            if _hash(bool(is_text), content) != key:
                return None
            keys[name] = key
            blobs[name] = content.decode("utf-8", "surrogatepass") if is_text else content
        if _seal(text, keys) != seal:
            return None
    except (sqlite3.DatabaseError, TypeError, AttributeError, ValueError):
        return None  # whatever else a damaged row holds
    state = _json_object(text)
    return None if state is None else (state, blobs)


def _rows(
    connection: sqlite3.Connection, query: str, notes: list[str], *values: object
) -> Iterator[tuple[Any, ...]]:
    """The query's rows, up to where the file is damaged."""
    try:
        yield from connection.execute(query, values)
    except sqlite3.DatabaseError as error:
        notes.append(f"a part of the journal cannot be read ({error})")


def _json_object(text: object) -> dict[str, Any] | None:
    try:
        value = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _encoded(blob: Blob) -> bytes:
    # Half a surrogate pair can be typed through a broken input method; it is kept like everything else.
    return blob.encode("utf-8", "surrogatepass") if isinstance(blob, str) else blob


def _hash(is_text: bool, content: bytes) -> bytes:
    digest = hashlib.sha256(b"text" if is_text else b"bytes")
    digest.update(content)
    return digest.digest()


def _seal(state: str, keys: Mapping[str, bytes]) -> bytes:
    digest = hashlib.sha256(state.encode())
    for name in sorted(keys):
        digest.update(name.encode("utf-8", "surrogatepass") + b"\0" + keys[name])
    return digest.digest()


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino

"""Keeps a session on disk, and finds it again: events in the journal, snapshots, the documents folder.

Nothing here waits for the disk: the journal and the mirror have threads of their own.
"""

from __future__ import annotations

from datetime import datetime, timezone
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.desktop.desktop import Desktop
from engine.desktop.documents import Content, Documents
from engine.errors import InputError
from engine.events import Event, as_record, from_record
from engine.journal import Journal, Recovery
from engine.mirror import Mirror

if TYPE_CHECKING:
    from engine.session import Session

SNAPSHOT_EVENTS = 200
SNAPSHOT_SECONDS = 5.0
MIRROR_SECONDS = 0.5
_DOCUMENT = "document/"


class Keeper:
    """One session's disk. `saved_seq` counts the events that are committed, `last_seq` those that happened."""

    def __init__(self, journal: Journal, mirror: Mirror | None = None) -> None:
        self._journal = journal
        self._mirror = mirror
        self._snapshot_seq = journal.last_seq
        self._snapshot_at = monotonic()
        self._mirrored = 0  # version of the documents the mirror was given last
        self._waiting: tuple[int, int, dict[str, Content]] | None = None  # seq it needs, version, contents
        self._mirrored_at = 0.0

    @property
    def saved_seq(self) -> int:
        return self._journal.saved_seq

    @property
    def last_seq(self) -> int:
        return self._journal.last_seq

    @property
    def troubles(self) -> list[str]:
        """What keeps things from being saved, and what was found on the disk, in plain words."""
        mirror = self._mirror
        said = [self._journal.trouble, self._journal.notice, mirror.trouble if mirror else None]
        return [line for line in said if line]

    def record(self, event: Event) -> int:
        """Put an event into the journal; its number."""
        return self._journal.append(as_record(event))

    def keep(self, session: Session) -> None:
        """Called after every step: a snapshot or a look at the documents where one is due."""
        self._mirror_documents(session.desktop.documents)
        new = self.last_seq - self._snapshot_seq
        if new >= SNAPSHOT_EVENTS or (new and monotonic() - self._snapshot_at >= SNAPSHOT_SECONDS):
            self.snapshot(session)

    def snapshot(self, session: Session) -> None:
        """Hand the whole state to the journal."""
        desktop = session.desktop
        blobs: dict[str, Content] = {_DOCUMENT + name: content for name, content in desktop.documents.contents.items()}
        state: dict[str, Any] = {
            "start": desktop.start.isoformat(), "size": list(desktop.size), "desktop": desktop.state(), "latents": None,
        }  # fmt: skip
        latents = session.mailbox.latents()
        if latents is not None:
            state["latents"] = {"shape": list(latents.shape), "dtype": str(latents.dtype), "painter": _painter(session)}
            blobs["latents"] = latents.tobytes()
        self._journal.snapshot(self.last_seq, state, blobs)
        self._snapshot_seq, self._snapshot_at = self.last_seq, monotonic()

    def close(self, session: Session) -> None:
        """Keep everything there is and end the threads."""
        self.snapshot(session)
        self._journal.flush(5.0)
        self._mirrored_at = 0.0
        self._mirror_documents(session.desktop.documents)
        if self._mirror:
            self._mirror.close()
        self._journal.close()

    def _mirror_documents(self, documents: Documents) -> None:
        """Give the folder what changed, once the events that changed it are committed."""
        if self._mirror is None:
            return
        newest = self._waiting[1] if self._waiting else self._mirrored
        if documents.version != newest:
            self._waiting = self.last_seq, documents.version, dict(documents.contents)
        due = self._waiting and monotonic() - self._mirrored_at >= MIRROR_SECONDS
        if self._waiting and due and self._journal.saved_seq >= self._waiting[0]:
            _, self._mirrored, contents = self._waiting
            self._mirror.write(contents)
            self._waiting, self._mirrored_at = None, monotonic()


def recover(
    journal: Journal, mirror: Mirror | None, size: tuple[int, int], checkpoints: tuple[str, ...] = ("bundled", "guide")
) -> tuple[Desktop, dict[str, Any]]:
    """The desktop as it was: the last snapshot and the events after it; the documents as the folder has them by now.

    Returns it with {"latents": array or None, "painter": str, "notes": lines}. A journal without a past gives an
    empty desktop with the documents that stand in the folder.
    """
    past = journal.recover()
    notes = list(past.notes)
    if past.state is None and not past.records:
        documents = Documents(mirror.read() if mirror else {})
        return Desktop(size, documents, _now(), checkpoints=checkpoints), {"latents": None, "painter": "", "notes": notes}
    state = past.state or {}
    contents = {n.removeprefix(_DOCUMENT): c for n, c in past.blobs.items() if n.startswith(_DOCUMENT)}
    start = datetime.fromisoformat(state["start"]) if "start" in state else _now()
    old_size = tuple(state.get("size", size))
    desktop = Desktop(old_size, Documents(contents), start, state.get("desktop"), checkpoints)  # type: ignore[arg-type]
    notes += _replayed(desktop, past)
    if mirror:
        desktop.documents.contents = mirror.reconcile(desktop.documents.contents)
        desktop.documents.version += 1
        notes += mirror.notes
    if old_size != size:
        desktop = Desktop(size, desktop.documents, start, desktop.state(), checkpoints)
    desktop.sleep((_now() - start).total_seconds())
    told = state.get("latents") or {}
    return desktop, {"latents": _latents(past, told), "painter": told.get("painter", ""), "notes": notes}


def _replayed(desktop: Desktop, past: Recovery) -> list[str]:
    """Play the events since the snapshot; an event that cannot be played is told and passed over."""
    notes = []
    for seq, record in past.records:
        try:
            desktop.handle(from_record(record))
        except InputError as error:
            notes.append(f"event {seq} could not be played again: {error}")
    return notes


def _latents(past: Recovery, told: dict[str, Any]) -> np.ndarray | None:
    data = past.blobs.get("latents")
    if not isinstance(data, bytes) or not told:
        return None
    return np.frombuffer(data, told["dtype"]).reshape(told["shape"]).copy()


def _painter(session: Session) -> str:
    info = session.mailbox.info
    return f"{info.family}/{info.sha256}/{info.mode}" if info else ""


def _now() -> datetime:
    return datetime.now(timezone.utc)

"""Keeps a session on disk, and finds it again: events in the journal, snapshots, the documents folder.

Nothing here waits for the disk: the journal and the mirror have threads of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.desktop.desktop import Desktop
from engine.desktop.documents import Content, Documents
from engine.errors import ProfileError
from engine.events import Event, as_record, from_record
from engine.journal import Journal, Recovery
from engine.mirror import Mirror

if TYPE_CHECKING:
    from engine.session import Session

SNAPSHOT_EVENTS = 200
SNAPSHOT_SECONDS = 5.0
LATENTS_SECONDS = 30.0  # they are large, and in guided mode a painter only starts from them
MIRROR_SECONDS = 0.5
BEGIN_SECONDS = 2.0  # a disk that cannot be written must not keep the window from opening
_DOCUMENT = "document/"
_STEP = "step/"  # pictures of the strip


class Keeper:
    """One session's disk. `saved_seq` counts the events that are committed, `last_seq` those that happened."""

    def __init__(self, journal: Journal, mirror: Mirror | None = None) -> None:
        self._journal = journal
        self._mirror = mirror
        self._snapshot_seq = journal.last_seq
        self._snapshot_at = monotonic()
        self._owed = False  # whether a snapshot is to be taken as soon as it can be
        self._latents: bytes | None = None  # as last taken
        self._latents_form: dict[str, Any] = {}
        self._latents_at = -LATENTS_SECONDS
        self._mirrored = 0  # version of the documents the mirror was given last
        self._waiting: tuple[int, int, dict[str, Content]] | None = None  # seq it needs, version, contents
        self._mirrored_at = 0.0
        self._names: set[str] = set()  # of all documents the mirror was given: files may still have them

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

    def begin(self, session: Session) -> None:
        """Keep the state the session starts from, before its first event: what follows is played on top of it."""
        self.snapshot(session)
        self._journal.flush(BEGIN_SECONDS)

    def keep(self, session: Session, at_once: bool = False) -> None:
        """Called after every step: a snapshot or a look at the documents where one is due. at_once: there is something
        new that does not follow from the events."""
        self._mirror_documents(session.desktop.documents)
        new = self.last_seq - self._snapshot_seq
        due = new >= SNAPSHOT_EVENTS or (new and monotonic() - self._snapshot_at >= SNAPSHOT_SECONDS)
        self._owed |= at_once
        if (self._owed or due) and session.desktop.resting:
            self.snapshot(session)

    def snapshot(self, session: Session) -> None:
        """Hand the whole state to the journal."""
        desktop = session.desktop
        blobs: dict[str, Content] = {_DOCUMENT + name: content for name, content in desktop.documents.contents.items()}
        blobs |= {f"{_STEP}{number}": picture for number, picture in desktop.turning.strip.pictures.items()}
        state: dict[str, Any] = {
            "start": desktop.clock.start.isoformat(), "size": list(desktop.size), "desktop": desktop.state(),
            "names": sorted(self._names | set(self._waiting[2] if self._waiting else ())),  # what waits, files will have after this
        }  # fmt: skip
        self._take_latents(session)
        if self._latents is not None:
            state["latents"], blobs["latents"] = self._latents_form, self._latents
        self._journal.snapshot(self.last_seq, state, blobs)
        self._snapshot_seq, self._snapshot_at, self._owed = self.last_seq, monotonic(), False

    def close(self, session: Session) -> None:
        """Keep everything there is and end the threads."""
        self._latents_at = -LATENTS_SECONDS
        self.snapshot(session)
        self._journal.flush(5.0)
        self._mirrored_at = 0.0
        self._mirror_documents(session.desktop.documents)
        if self._mirror:
            self._mirror.close()
        self._journal.close()

    def _take_latents(self, session: Session) -> None:
        info, now = session.mailbox.info, monotonic()
        dream = info is not None and info.mode == "dream"  # there the latents are all there is
        if not dream and now - self._latents_at < LATENTS_SECONDS:
            return
        latents = session.mailbox.latents()
        if latents is not None:
            self._latents, self._latents_at = latents.tobytes(), now
            self._latents_form = {"shape": list(latents.shape), "dtype": str(latents.dtype)}

    def _mirror_documents(self, documents: Documents) -> None:
        """Give the folder what changed, once the events that changed it are committed."""
        if self._mirror is None:
            return
        if self._waiting is None and documents.version != self._mirrored:
            self._waiting = self.last_seq, documents.version, dict(documents.contents)
        due = self._waiting and monotonic() - self._mirrored_at >= MIRROR_SECONDS
        if self._waiting and due and self._journal.saved_seq >= self._waiting[0]:
            _, self._mirrored, contents = self._waiting
            self._names |= set(contents)
            self._mirror.write(contents)
            self._waiting, self._mirrored_at = None, monotonic()


@dataclass(frozen=True)
class Past:
    """What came back beside the desktop: the painter's latents, and what is to be told to the user."""

    latents: np.ndarray | None
    notes: tuple[str, ...]


def recover(
    journal: Journal, mirror: Mirror | None, size: tuple[int, int], checkpoints: tuple[str, ...] = ("bundled", "guide")
) -> tuple[Desktop, Past]:
    """The desktop as it was: the last snapshot and the events after it; the documents as the folder has them by now.

    A journal without a past gives an empty desktop with the documents that stand in the folder. Raises ProfileError
    where the snapshot is not one that this version can use.
    """
    found = journal.recover()
    if found.state is None and not found.records:
        documents = Documents(mirror.read() if mirror else {})
        return Desktop(size, documents, _now(), checkpoints=checkpoints), Past(None, found.notes)
    state = found.state or {}
    try:
        desktop = _as_saved(found, state, size, checkpoints)
        latents = _latents(found, state.get("latents"))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ProfileError(
            f"the state in {journal.path} cannot be used ({type(error).__name__}: {error}); "
            "start the Pixel OS that wrote it, or move that file away: the documents folder stays"
        ) from error
    notes, names = _play(desktop, found)
    if mirror:
        known = () if journal.notice else names | set(state.get("names", ()))  # a damaged journal may be an old one
        desktop.documents.contents = mirror.reconcile(desktop.documents.contents, known)
        desktop.documents.version += 1
        notes += mirror.notes
    desktop = resized(desktop, size)
    desktop.sleep((_now() - desktop.clock.start).total_seconds())
    return desktop, Past(latents, (*found.notes, *notes))


def resized(desktop: Desktop, size: tuple[int, int]) -> Desktop:
    """The same desktop at another frame size, its windows inside it."""
    if desktop.size == size:
        return desktop
    pictures = desktop.turning.strip.pictures
    other = Desktop(size, desktop.documents, desktop.clock.start, desktop.state(), desktop.checkpoints, pictures)
    other.stack.gather()
    return other


def _as_saved(found: Recovery, state: dict[str, Any], size: tuple[int, int], checkpoints: tuple[str, ...]) -> Desktop:
    """The desktop of the snapshot."""
    contents = {n.removeprefix(_DOCUMENT): c for n, c in found.blobs.items() if n.startswith(_DOCUMENT)}
    # The same moment in the zone of now: the clock shows what the wall's does, wherever the machine went.
    start = datetime.fromisoformat(state["start"]).astimezone() if "start" in state else _now()
    width, height = state.get("size", size)
    steps = {int(n.removeprefix(_STEP)): c for n, c in found.blobs.items() if n.startswith(_STEP) and isinstance(c, bytes)}
    desktop = Desktop((width, height), Documents(contents), start, state.get("desktop"), checkpoints, steps)
    desktop.sheet  # noqa: B018 - drawn here, so that a state no app can draw is refused before anything is played
    return desktop


def _play(desktop: Desktop, found: Recovery) -> tuple[list[str], set[str]]:
    """Play the events since the snapshot; an event that cannot be played is told and passed over.

    Returns what is to be told, and all names that documents had on the way: a file may still have one of them.
    """
    notes, names = [], set(desktop.documents.contents)
    for seq, record in found.records:
        try:
            desktop.handle(from_record(record))
        except Exception as error:  # noqa: BLE001 - one bad event must not keep the others, and the start, from happening
            notes.append(f"event {seq} could not be played again: {error}")
        names |= set(desktop.documents.contents)
    return notes, names


def _latents(found: Recovery, form: dict[str, Any] | None) -> np.ndarray | None:
    data = found.blobs.get("latents")
    if not isinstance(data, bytes) or not form:
        return None
    return np.frombuffer(data, form["dtype"]).reshape(form["shape"]).copy()


def _now() -> datetime:
    return datetime.now().astimezone()

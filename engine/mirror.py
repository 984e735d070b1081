"""The mirror: keeps the documents in memory and the files in `documents/` alike, without losing either.

The desktop works on documents in memory and the journal keeps them; the files are for the user's other
programs. Those may write at any time, so before a file is replaced or removed it is compared with what we
last knew it to hold. What somebody else wrote is never overwritten: it stays as "Plan (edited elsewhere).md".
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.background import RETRY_S, Background
from engine.desktop.documents import BIN, Content
from engine.document_files import (
    aside_name,
    check_name,
    encode,
    fingerprint,
    fingerprint_of_file,
    load,
    names_in,
)
from engine.durable import clear_temporaries, replace_file
from engine.errors import InputError, PixelOSError, ProfileError

REST_S = 0.5  # the files follow the typing this closely; the journal is what keeps it

# What we know the files to hold stands beside them, not in the journal: it is true only if written in step
# with them, and it is needed most when the journal is older than they are, or gone.
KNOWN_FILE = ".mirror.json"


@dataclass(frozen=True, slots=True)
class _Known:
    """Fingerprints of what we gave a file: it holds `written`, or `writing` if that write was completed."""

    written: str = ""
    writing: str = ""

    def includes(self, print_: str) -> bool:
        return bool(print_) and print_ in (self.written, self.writing)


class Mirror:
    """The documents folder. Names are plain file names; those in the bin begin with ".bin/".

    Opening raises ProfileError if the folder cannot be written. notes: what was left out, set aside or taken
    over, in words for the user.
    """

    def __init__(self, folder: Path, retry_s: float = RETRY_S) -> None:
        self.folder = folder
        self.notes: list[str] = []
        try:
            for place in (folder, folder / BIN):
                place.mkdir(parents=True, exist_ok=True)
                clear_temporaries(place)
        except OSError as error:
            raise ProfileError(
                f"the documents folder {folder} cannot be written ({error.strerror}); "
                "make it writable, or give another --profile"
            ) from error
        self._lock = threading.Lock()
        self._given: dict[str, Content] = {}  # what the files are to hold
        self._held: dict[str, Content] = {}  # what they do hold, as far as we know
        self._known = _load_known(folder / KNOWN_FILE)
        self._refused: set[str] = set()
        self._writer = Background("documents", self._write_given, REST_S, retry_s)

    @property
    def trouble(self) -> str | None:
        """Why files are not being written at the moment, for the user; None when all is well."""
        return self._writer.trouble

    def read(self) -> dict[str, Content]:
        """The documents as the folder has them: for a start without a journal."""
        found = self._files()
        self._adopt(found)
        return found

    def reconcile(
        self, journal_documents: Mapping[str, Content], renamed: Collection[str] = ()
    ) -> dict[str, Content]:
        """The documents after a start: the journal's, with what other programs did to the files meanwhile.

        A file that is as we left it gives way to the journal. One that was edited elsewhere replaces the
        journal's version if that is the one it grew from; else both are kept. The journal should have what
        comes of it (a snapshot) before anything else happens. Call it before the first `write`.
        renamed: names of which the journal knows that their documents have others now.
        """
        found = self._files()
        documents = dict(journal_documents)
        prints = {fingerprint(content) for content in journal_documents.values()}
        for name, content in list(found.items()):
            if name not in self._known and name not in documents:
                documents[name] = content
            elif self._known.get(name, _Known()).includes(fingerprint(content)):
                moved = name in documents or name in renamed or fingerprint(content) in prints
                if not moved and not name.startswith(BIN):
                    # The desktop only ever moves a document to the bin; the journal must have lost it.
                    documents[_free(BIN + name, documents)] = content
                    self._note(f"{name} was no longer known and is in the bin")
            elif name in documents and documents[name] != content:
                self._take_edit(name, documents, found)
            elif name not in documents:
                self._keep_edit(name, documents, found)
        self._adopt(found)
        return documents

    def write(self, documents: Mapping[str, Content]) -> None:
        """Have the files follow `documents`; returns at once, a newer call takes over one that still waits.

        Give it only what the journal has committed: after a crash the files must not be ahead of it.
        """
        with self._lock:
            self._given = dict(documents)
        self._writer.ask()

    def flush(self, timeout: float) -> bool:
        """Wait until the files hold what was given; False if that takes longer than `timeout` seconds."""
        return self._writer.flush(timeout)

    def close(self, timeout: float = 5.0) -> bool:
        """Write what is left and end; whether all files hold what was given."""
        return self._writer.close(timeout)

    # Reading

    def _files(self) -> dict[str, Content]:
        found: dict[str, Content] = {}
        for name in names_in(self.folder):
            try:
                found[name] = load(name, self.folder / name)
            except InputError as error:
                self._note(str(error))
            except OSError as error:
                self._note(f"{name} was left out: it cannot be read ({error.strerror})")
        return found

    def _adopt(self, found: dict[str, Content]) -> None:
        """From now on these contents are known.

        On disk only with the next write, when the journal has them too: a crash before that must still see
        another program's edit as one.
        """
        self._held = dict(found)
        self._known = {name: _Known(fingerprint(content)) for name, content in found.items()}

    def _take_edit(self, name: str, documents: dict[str, Content], found: dict[str, Content]) -> None:
        if fingerprint(documents[name]) == self._known.get(name, _Known()).written:
            documents[name] = found[name]
            self._note(f"{name} was edited elsewhere; that version was taken")
        else:
            self._keep_edit(name, documents, found)

    def _keep_edit(self, name: str, documents: dict[str, Content], found: dict[str, Content]) -> None:
        """Both versions are wanted: rename the file before anything else can happen to it."""
        try:
            aside = self._set_aside(name, {*documents, *found})
        except OSError as error:
            self._note(f"{name} was edited elsewhere and cannot be renamed ({error.strerror})")
            documents[aside_name(self.folder, name, {*documents, *found})] = found.pop(name)
        else:
            documents[aside] = found[aside] = found.pop(name)

    # Writing, on the mirror's own thread

    def _write_given(self) -> None:
        with self._lock:
            given = self._given
        changed = {name: content for name, content in given.items() if self._must_write(name, content)}
        gone = [name for name in self._known if name not in given]
        if not changed and not gone:
            return
        failures = self._write_changed(changed)
        if not failures:  # a document that moved is never without a file
            failures = self._attempt(self._remove, gone)
        self._save_known()
        if failures:
            raise PixelOSError(
                f"{failures[0]}. Free some space or make it writable; it is tried again every second."
            )

    def _must_write(self, name: str, content: Content) -> bool:
        held = self._held.get(name)
        return name not in self._refused and (type(held) is not type(content) or held != content)

    def _write_changed(self, changed: dict[str, Content]) -> list[str]:
        for name in list(changed):
            try:
                check_name(name)
            except InputError as error:
                self._note(str(error))
                self._refused.add(name)
                del changed[name]
        failures = self._attempt(lambda name: self._intend(name, changed[name]), list(changed))
        if not failures:
            self._save_known()
            failures = self._attempt(lambda name: self._write_one(name, changed[name]), list(changed))
        return failures

    def _attempt(self, action: Callable[[str], None], names: list[str]) -> list[str]:
        """Do it for every name; what failed, in words."""
        failures = []
        for name in names:
            try:
                action(name)
            except OSError as error:
                failures.append(f"documents/{name} cannot be written: {error.strerror or error}")
        return failures

    def _intend(self, name: str, content: Content) -> None:
        """Known before the file changes: if we are killed between the two, the file is seen to be ours."""
        known = self._known.get(self._twin(name) if name not in self._known else name, _Known())
        written = known.written
        if known.writing and fingerprint_of_file(name, self.folder / name) == known.writing:
            written = known.writing  # an earlier write failed only after the file was replaced
        self._known[name] = _Known(written, fingerprint(content))

    def _write_one(self, name: str, content: Content) -> None:
        path, print_ = self.folder / name, fingerprint(content)
        now = fingerprint_of_file(name, path)
        if now != print_:
            if now and not self._known[name].includes(now):
                self._set_aside(name, {*self._known, *self._held})
            replace_file(path, encode(content, self._before(path, print_)))
        self._known[name] = _Known(print_)
        self._held[name] = content

    def _before(self, path: Path, print_: str) -> bytes:
        """What the document's file holds: the one that is there, or that of another name with the same content, where it got a new name."""
        alike = (self.folder / name for name, known in self._known.items() if known.written == print_)
        return next((place.read_bytes() for place in (path, *alike) if place.is_file() and not place.is_symlink()), b"")

    def _remove(self, name: str) -> None:
        path = self.folder / name
        now = fingerprint_of_file(name, path)
        if now and not self._twin(name):
            if self._known[name].includes(now):
                path.unlink()
            else:
                self._set_aside(name, {*self._known, *self._held})
        del self._known[name]
        self._held.pop(name, None)

    def _twin(self, name: str) -> str:
        """Another known name of the very same file, where the disk takes "Plan.md" and "plan.md" for one."""
        path = self.folder / name
        for other in self._known:
            if other != name and other.casefold() == name.casefold():
                twin = self.folder / other
                if path.exists() and twin.exists() and path.samefile(twin):
                    return other
        return ""

    def _set_aside(self, name: str, taken: set[str]) -> str:
        """Rename a file that another program wrote; returns the name it has now."""
        aside = aside_name(self.folder, name, taken)
        (self.folder / name).rename(self.folder / aside)
        self._note(f"{name} was edited elsewhere; that version is kept as {aside}")
        return aside

    def _save_known(self) -> None:
        files = {name: [known.written, known.writing] for name, known in sorted(self._known.items())}
        try:
            replace_file(self.folder / KNOWN_FILE, json.dumps({"files": files}, indent=0).encode())
        except OSError as error:
            raise PixelOSError(
                f"documents/ cannot be written: {error.strerror or error}. "
                "Free some space or make it writable; it is tried again every second."
            ) from error

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)


def _load_known(path: Path) -> dict[str, _Known]:
    """What an earlier run knew; nothing, where that cannot be read: every difference is then a conflict."""
    try:
        files = json.loads(path.read_bytes())["files"]
        return {str(name): _Known(str(written), str(writing)) for name, (written, writing) in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _free(name: str, taken: Mapping[str, Content]) -> str:
    stem, dot, kind = name.rpartition(".")
    candidate, count = name, 2
    while candidate in taken:
        candidate, count = f"{stem} {count}{dot}{kind}", count + 1
    return candidate

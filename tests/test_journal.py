"""Nothing acknowledged is lost: not to kill -9, a full disk, a damaged file."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.errors import ProfileError
from engine.journal import Journal

LONG = 10.0  # seconds; only a hang takes that long

# Appends numbered records, makes a snapshot now and then, and says on stdout what is acknowledged.
WRITER = """
import sys
from pathlib import Path
from engine.journal import Journal

journal = Journal(Path(sys.argv[1]))
said = journal.saved_seq
while True:
    for _ in range(7):
        seq = journal.append({"t": 0.0, "type": "text", "text": str(journal.last_seq + 1)})
    if seq % 5 == 0:
        journal.snapshot(seq, {"typed": seq}, {"Notes.md": "x" * seq})
    journal.flush(0.003)
    if journal.saved_seq > said:
        said = journal.saved_seq
        print(said, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def typed(text: str) -> dict[str, object]:
    return {"t": 0.5, "type": "text", "text": text}


def test_what_was_appended_is_found_again(path: Path) -> None:
    journal = Journal(path)
    assert [journal.append(typed(c)) for c in "abc"] == [1, 2, 3]
    assert journal.flush(LONG)
    assert journal.saved_seq == journal.last_seq == 3
    assert journal.close()
    again = Journal(path)
    recovery = again.recover()
    assert recovery.state is None
    assert recovery.records == [(1, typed("a")), (2, typed("b")), (3, typed("c"))]
    assert again.append(typed("d")) == 4
    again.close()


def test_any_character_comes_back(path: Path) -> None:
    text = "Grüße, Ωμέγα, Ёж \U0001f600 \x00 \ud83d"
    with_journal(path, lambda journal: journal.append(typed(text)))
    with_journal(path, lambda journal: journal.snapshot(0, {"clipboard": text}, {"Notes.md": text}))
    recovery = read(path)
    assert recovery.records == [(1, typed(text))]
    assert recovery.state == {"clipboard": text}
    assert recovery.blobs == {"Notes.md": text}


def test_a_snapshot_and_the_events_after_it(path: Path) -> None:
    journal = Journal(path)
    journal.append(typed("a"))
    seq = journal.append(typed("b"))
    journal.snapshot(seq, {"windows": ["Notes"]}, {"Notes.md": "ab", "latents": b"\x00\xff"})
    journal.append(typed("c"))
    assert journal.close()
    recovery = read(path)
    assert (recovery.state, recovery.snapshot_seq) == ({"windows": ["Notes"]}, 2)
    assert recovery.blobs == {"Notes.md": "ab", "latents": b"\x00\xff"}
    assert recovery.records == [(3, typed("c"))]
    assert recovery.seq == 3


def test_two_snapshots_are_kept_and_only_what_they_need(path: Path) -> None:
    journal = Journal(path)
    for round_ in range(1, 5):
        seq = journal.append(typed(str(round_)))
        journal.snapshot(seq, {"round": round_}, {"always": "same", f"only {round_}": bytes([round_])})
        assert journal.flush(LONG)
    journal.close()
    assert rows(path, "SELECT seq FROM snapshots") == [(3,), (4,)]
    assert rows(path, "SELECT seq FROM events") == [(4,)]
    assert rows(path, "SELECT count(*) FROM blobs") == [(3,)]  # always, only 3, only 4


def test_an_unchanged_document_is_not_written_again(path: Path) -> None:
    document = "A long line of text. " * 10_000
    journal = Journal(path)
    store = journal._store
    journal.snapshot(0, {}, {"Notes.md": document, "Short.md": "one"})
    assert journal.flush(LONG)
    before = store.connection.total_changes
    copy = "".join([document[:5], document[5:]])  # equal, not the same object
    journal.snapshot(journal.append(typed("x")), {}, {"Notes.md": copy, "Short.md": "two"})
    assert journal.flush(LONG)
    # The event, the snapshot, its two names and the one blob that is new: no row for the long document.
    assert store.connection.total_changes - before == 5
    journal.close()


def test_text_and_bytes_of_the_same_content_stay_apart(path: Path) -> None:
    with_journal(path, lambda journal: journal.snapshot(0, {}, {"a.txt": "same", "b.png": b"same"}))
    assert read(path).blobs == {"a.txt": "same", "b.png": b"same"}


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE snapshots SET state = substr(state, 1, 5) WHERE seq = 2",
        "UPDATE snapshots SET state = '{\"n\": 7}' WHERE seq = 2",
        "UPDATE blobs SET content = x'00' WHERE content = CAST('two' AS BLOB)",
        "DELETE FROM blobs WHERE content = CAST('two' AS BLOB)",
        "DELETE FROM contents WHERE seq = 2",
    ],
)
def test_a_torn_snapshot_falls_back_to_the_one_before(path: Path, damage: str) -> None:
    journal = Journal(path)
    for n, word in ((1, "one"), (2, "two")):
        journal.snapshot(journal.append(typed(word)), {"n": n}, {"Notes.md": word})
        assert journal.flush(LONG)
    journal.close()
    rows(path, damage)
    again = Journal(path)
    recovery = again.recover()
    again.close()
    assert recovery.state == {"n": 1}
    assert recovery.blobs == {"Notes.md": "one"}
    assert recovery.records == [(2, typed("two"))]
    assert again.notice is not None and "event 2" in again.notice


def test_a_damaged_event_is_left_out_and_said(path: Path) -> None:
    with_journal(path, lambda journal: [journal.append(typed(c)) for c in "abc"])
    rows(path, "UPDATE events SET record = '{' WHERE seq = 2")
    recovery = read(path)
    assert [seq for seq, _ in recovery.records] == [1, 3]
    assert recovery.notes == ("event 2 is damaged and was left out",)


def test_a_file_that_is_no_database_is_moved_aside(path: Path) -> None:
    path.write_bytes(b"this is not a database, whatever its name says " * 50)
    journal = Journal(path)
    assert journal.notice is not None and "damaged" in journal.notice
    journal.append(typed("a"))
    assert journal.close()
    (aside,) = path.parent.glob("journal.damaged-*.sqlite")
    assert aside.name in journal.notice
    assert aside.read_bytes().startswith(b"this is not a database")


def test_what_can_be_read_of_a_damaged_journal_is_taken_over(path: Path) -> None:
    journal = Journal(path)
    journal.append(typed("a"))
    journal.snapshot(1, {"windows": ["Notes"]}, {"Notes.md": "a"})
    for n in range(400):
        journal.append(typed(f"event {n}"))
    assert journal.close()
    content = bytearray(path.read_bytes())
    page = int.from_bytes(content[16:18], "big")
    last = (content.rindex(b"event 399") // page) * page
    content[last : last + page] = b"\xff" * page
    path.write_bytes(content)
    again = Journal(path)
    recovery = again.recover()
    assert again.notice is not None and "taken over" in again.notice
    assert recovery.state == {"windows": ["Notes"]}
    assert recovery.blobs == {"Notes.md": "a"}
    assert recovery.records[0] == (2, typed("event 0"))
    assert len(recovery.records) > 100
    assert again.append(typed("more")) == recovery.seq + 1
    again.close()
    assert list(path.parent.glob("journal.damaged-*.sqlite"))


def test_a_journal_of_another_version_is_left_alone(path: Path) -> None:
    with_journal(path, lambda journal: journal.append(typed("a")))
    rows(path, "PRAGMA user_version = 9")
    with pytest.raises(ProfileError, match="version 9"):
        Journal(path)
    assert path.exists() and not list(path.parent.glob("journal.damaged-*"))


def test_a_journal_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ProfileError, match="cannot be opened"):
        Journal(tmp_path / "file" / "journal.sqlite")


def test_a_full_disk_loses_nothing(path: Path) -> None:
    journal = Journal(path, retry_s=0.05)
    journal.append(typed("before"))
    assert journal.flush(LONG)
    connection = journal._store.connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    journal.append(typed("x" * 50_000))
    journal.append(typed("y"))
    assert not journal.flush(0.3)
    assert journal.saved_seq == 1
    assert journal.trouble is not None and "full" in journal.trouble
    connection.execute("PRAGMA max_page_count = 1000000")
    assert journal.flush(LONG)
    assert (journal.saved_seq, journal.trouble) == (3, None)
    assert journal.close()
    assert [record["text"] for _, record in read(path).records] == ["before", "x" * 50_000, "y"]


def test_a_commit_that_fails_is_tried_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(path, retry_s=0.05)
    add, failures = journal._store.add, iter(range(3))

    def failing(records: list[tuple[int, str]]) -> None:
        if next(failures, None) is not None:
            raise sqlite3.OperationalError("attempt to write a readonly database")
        add(records)

    monkeypatch.setattr(journal._store, "add", failing)
    journal.append(typed("a"))
    wait_until(lambda: journal.trouble is not None)
    assert journal.saved_seq == 0
    assert journal.flush(LONG)
    assert (journal.saved_seq, journal.trouble) == (1, None)
    journal.close()


def test_closing_on_a_full_disk_ends_and_says_that_not_all_is_saved(path: Path) -> None:
    journal = Journal(path)
    connection = journal._store.connection
    connection.execute(f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').fetchone()[0]}")
    journal.append(typed("x" * 50_000))
    assert journal.close(LONG) is False
    assert journal.saved_seq == 0


def test_a_journal_that_was_deleted_or_moved_is_not_called_saved(path: Path) -> None:
    journal = Journal(path, retry_s=0.05)
    known = journal._store._file
    journal._store._file = (0, 0)  # as if another file, or none, were at its path now
    journal.append(typed("a"))
    wait_until(lambda: journal.trouble is not None)
    assert journal.saved_seq == 0
    journal._store._file = known
    assert journal.flush(LONG) and journal.saved_seq == 1
    journal.close()


def test_a_state_that_is_no_json_does_not_hold_the_events_back(path: Path) -> None:
    journal = Journal(path, retry_s=0.05)
    journal.snapshot(journal.append(typed("a")), {"bad": object()}, {})
    wait_until(lambda: journal.saved_seq == 1)
    assert journal.flush(LONG)
    assert journal.close()
    assert read(path).state is None


def test_no_commit_runs_on_the_callers_thread(path: Path) -> None:
    """While the writer cannot commit at all, appending goes on as if nothing was."""
    journal = Journal(path)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    seqs = [journal.append(typed("a")) for _ in range(1000)]
    journal.snapshot(seqs[-1], {}, {"Notes.md": "a" * 1000})
    assert journal.saved_seq == 0
    blocker.execute("ROLLBACK")
    blocker.close()
    assert journal.flush(LONG) and journal.saved_seq == 1000
    journal.close()


def test_twenty_kills_lose_nothing_acknowledged(path: Path) -> None:
    rng = random.Random(7)
    acknowledged = 0
    for _ in range(20):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parent.parent,
        )
        assert process.stdout is not None
        acknowledged = int(process.stdout.readline())
        time.sleep(rng.random() * 0.05)
        process.kill()
        rest, _ = process.communicate()
        acknowledged = int(
            ([str(acknowledged)] + [line for line in rest.splitlines(True) if "\n" in line])[-1]
        )
        recovery = read(path)
        assert recovery.notes == ()
        assert recovery.seq >= acknowledged
        start = recovery.snapshot_seq
        if recovery.state is not None:
            assert recovery.state == {"typed": start}
            assert recovery.blobs == {"Notes.md": "x" * start}
        expected = [(seq, str(seq)) for seq in range(start + 1, recovery.seq + 1)]
        assert [(seq, record["text"]) for seq, record in recovery.records] == expected
    assert acknowledged > 20


def with_journal(path: Path, use) -> None:
    journal = Journal(path)
    use(journal)
    assert journal.close()


def read(path: Path):
    journal = Journal(path)
    try:
        return journal.recover()
    finally:
        journal.close()


def rows(path: Path, query: str) -> list[tuple]:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def wait_until(true) -> None:
    deadline = time.monotonic() + LONG
    while not true():
        assert time.monotonic() < deadline, "hung"
        time.sleep(0.005)

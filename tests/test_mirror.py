"""Documents and files stay alike, and neither the user nor another program loses a version."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

import engine.mirror
from engine.document_files import check_name
from engine.errors import InputError, ProfileError
from engine.events import Ask
from engine.mirror import Mirror
from tests.user import User

LONG = 10.0  # seconds; only a hang takes that long
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256))

# Mirrors ever longer documents, and renames one now and then, until it is killed.
WRITER = """
import itertools, sys
from pathlib import Path
from engine.mirror import Mirror

mirror = Mirror(Path(sys.argv[1]))
mirror.read()
for n in itertools.count():
    mirror.write({"Steady.md": "steady " * 1000, f"Plan {n // 3}.md": f"version {n} " * 500})
    mirror.flush(5)
    print(n, flush=True)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "documents"


@pytest.fixture
def mirror(folder: Path) -> Iterator[Mirror]:
    mirror = Mirror(folder, retry_s=0.05)
    yield mirror
    mirror.close()


def put(mirror: Mirror, documents: Mapping[str, str | bytes]) -> None:
    mirror.write(documents)
    assert mirror.flush(LONG), mirror.trouble


def left_behind(folder: Path, documents: Mapping[str, str | bytes]) -> None:
    """The files as an earlier run left them."""
    earlier = Mirror(folder)
    put(earlier, documents)
    assert earlier.close()


def test_documents_become_plain_files(mirror: Mirror, folder: Path) -> None:
    put(mirror, {"Plan.md": "# Plan\nGrüße, Ёж", "a.txt": "a", "Sketch.png": PICTURE, ".bin/Old.md": "old"})
    assert (folder / "Plan.md").read_bytes() == "# Plan\nGrüße, Ёж".encode()
    assert (folder / "Sketch.png").read_bytes() == PICTURE
    assert (folder / ".bin" / "Old.md").read_text() == "old"
    assert Mirror(folder).read() == {
        "Plan.md": "# Plan\nGrüße, Ёж",
        "a.txt": "a",
        "Sketch.png": PICTURE,
        ".bin/Old.md": "old",
    }


def test_only_what_changed_is_written(mirror: Mirror, folder: Path) -> None:
    put(mirror, {"a.md": "a", "b.md": "b"})
    os.utime(folder / "a.md", ns=(1, 1))
    put(mirror, {"a.md": "a", "b.md": "bb"})
    assert (folder / "a.md").stat().st_mtime_ns == 1
    assert (folder / "b.md").read_text() == "bb"


def test_a_rename_and_a_delete_are_followed(mirror: Mirror, folder: Path) -> None:
    put(mirror, {"a.md": "a", "b.md": "b", "c.md": "c"})
    put(mirror, {"A new name.md": "a", ".bin/b.md": "b", "c.md": "c"})
    assert documents_in(folder) == {"A new name.md": "a", ".bin/b.md": "b", "c.md": "c"}


def test_nothing_is_written_on_the_callers_thread(
    mirror: Mirror, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = set()
    replace = engine.mirror.replace_file

    def watched(path: Path, data: bytes) -> None:
        threads.add(threading.current_thread())
        replace(path, data)

    monkeypatch.setattr(engine.mirror, "replace_file", watched)
    put(mirror, {"a.md": "a"})
    assert threads and threading.current_thread() not in threads


def test_files_of_other_programs_are_read_and_left_alone(mirror: Mirror, folder: Path) -> None:
    (folder / "windows.txt").write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\n")
    (folder / "letter.docx").write_bytes(b"not ours")
    assert mirror.read() == {"windows.txt": "one\ntwo\n"}
    put(mirror, {"windows.txt": "one\ntwo\n"})
    assert (folder / "windows.txt").read_bytes() == b"\xef\xbb\xbfone\r\ntwo\r\n"
    put(mirror, {})
    assert documents_in(folder) == {} and (folder / "letter.docx").exists()


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_an_edited_text_keeps_how_its_lines_end(mirror: Mirror, folder: Path, end: bytes, mark: bytes) -> None:
    (folder / "theirs.txt").write_bytes(mark + b"one" + end + b"two" + end)
    documents = mirror.read()
    put(mirror, documents | {"theirs.txt": "one\ntwo\nthree\n", "ours.txt": "a\nb"})
    assert (folder / "theirs.txt").read_bytes() == mark + end.join((b"one", b"two", b"three", b""))
    assert (folder / "ours.txt").read_bytes() == b"a\nb"
    put(mirror, {"renamed.txt": "one\ntwo\nthree\n"})
    assert set(documents_in(folder)) == {"renamed.txt"}
    assert (folder / "renamed.txt").read_bytes() == mark + end.join((b"one", b"two", b"three", b""))
    assert not mirror.notes


def test_a_name_may_say_in_any_case_what_a_file_is(mirror: Mirror, folder: Path) -> None:
    (folder / "README.TXT").write_text("read me")
    (folder / "Cow.PNG").write_bytes(PICTURE)
    documents = mirror.read()
    assert documents == {"README.TXT": "read me", "Cow.PNG": PICTURE} and not mirror.notes
    user = User(documents=documents)
    user.does(Ask, "cow")
    assert user.app.name == "Paint"
    user.does(Ask, "readme")
    assert user.sees("Notes/text").text == "read me"


def test_files_that_cannot_be_documents_are_named(mirror: Mirror, folder: Path, monkeypatch) -> None:
    monkeypatch.setattr("engine.document_files.LARGEST_FILE", 1000)
    (folder / "latin.md").write_bytes("Grüße".encode("latin-1"))
    (folder / "large.txt").write_text("x" * 1001)
    (folder / "folder.md").mkdir()
    (folder / "fine.md").write_text("fine")
    assert mirror.read() == {"fine.md": "fine"}
    assert len(mirror.notes) == 3
    for name, reason in (("latin.md", "UTF-8"), ("large.txt", "larger"), ("folder.md", "plain file")):
        assert any(name in note and reason in note for note in mirror.notes)


def test_a_document_takes_no_files_place_that_it_could_not_read(mirror: Mirror, folder: Path) -> None:
    (folder / "a.md").write_bytes(b"\xff\xfe binary")
    mirror.read()
    put(mirror, {"a.md": "typed"})
    assert (folder / "a.md").read_text() == "typed"
    assert (folder / "a (edited elsewhere).md").read_bytes() == b"\xff\xfe binary"


@pytest.mark.parametrize(
    "name",
    [
        "../a.md",
        "a/b.md",
        "a\\b.md",
        "con.md",
        "LPT1.txt",
        ".hidden.md",
        "",
        "a\x00.md",
        "a:b.md",
        "a.exe",
        "a",
    ],
)
def test_names_that_are_no_files_names_are_refused(mirror: Mirror, folder: Path, name: str) -> None:
    with pytest.raises(InputError):
        check_name(name)
    put(mirror, {name: "text", "fine.md": "fine"})
    assert documents_in(folder) == {"fine.md": "fine"}
    assert mirror.notes and mirror.trouble is None


def test_an_edit_by_another_program_is_not_overwritten(mirror: Mirror, folder: Path) -> None:
    put(mirror, {"Plan.md": "one"})
    (folder / "Plan.md").write_text("theirs")
    put(mirror, {"Plan.md": "two"})
    (folder / "Plan.md").write_text("theirs again")
    put(mirror, {"Plan.md": "three"})
    assert documents_in(folder) == {
        "Plan.md": "three",
        "Plan (edited elsewhere).md": "theirs",
        "Plan (edited elsewhere) 2.md": "theirs again",
    }


def test_an_edit_by_another_program_is_not_deleted(mirror: Mirror, folder: Path) -> None:
    put(mirror, {"Plan.md": "one"})
    (folder / "Plan.md").write_text("theirs")
    put(mirror, {})
    assert documents_in(folder) == {"Plan (edited elsewhere).md": "theirs"}


def test_after_a_crash_the_journal_is_ahead_of_the_files(folder: Path) -> None:
    left_behind(folder, {"Plan.md": "typed", "Gone.md": "binned", "Old.md": "same"})
    journal = {"Plan.md": "typed more", ".bin/Gone.md": "binned", "New.md": "same", "Fresh.md": "fresh"}
    mirror = Mirror(folder)
    assert mirror.reconcile(journal) == journal
    put(mirror, journal)
    mirror.close()
    assert documents_in(folder) == journal and not mirror.notes


def test_an_edit_between_two_runs_is_taken(folder: Path) -> None:
    left_behind(folder, {"Plan.md": "typed", "Other.md": "other"})
    (folder / "Plan.md").write_text("theirs")
    (folder / "Theirs.txt").write_text("new")
    mirror = Mirror(folder)
    expected = {"Plan.md": "theirs", "Other.md": "other", "Theirs.txt": "new"}
    assert mirror.reconcile({"Plan.md": "typed", "Other.md": "other"}) == expected
    put(mirror, expected)
    mirror.close()
    assert documents_in(folder) == expected


def test_an_edit_taken_is_still_an_edit_until_it_is_written(folder: Path) -> None:
    """Killed after the start, before the journal had the edit: the next start takes it again."""
    left_behind(folder, {"Plan.md": "typed"})
    (folder / "Plan.md").write_text("theirs")
    for _ in range(2):
        mirror = Mirror(folder)
        assert mirror.reconcile({"Plan.md": "typed"}) == {"Plan.md": "theirs"}
        mirror.close()


def test_of_two_edits_both_are_kept(folder: Path) -> None:
    left_behind(folder, {"Plan.md": "typed"})
    (folder / "Plan.md").write_text("theirs")
    mirror = Mirror(folder)
    expected = {"Plan.md": "typed more", "Plan (edited elsewhere).md": "theirs"}
    assert mirror.reconcile({"Plan.md": "typed more"}) == expected
    put(mirror, expected)
    mirror.close()
    assert documents_in(folder) == expected
    assert Mirror(folder).reconcile(expected) == expected  # and no further copies


def test_an_edit_of_a_document_deleted_here_is_kept(folder: Path) -> None:
    left_behind(folder, {"Plan.md": "typed"})
    (folder / "Plan.md").write_text("theirs")
    expected = {".bin/Plan.md": "typed", "Plan (edited elsewhere).md": "theirs"}
    assert Mirror(folder).reconcile({".bin/Plan.md": "typed"}) == expected


def test_a_file_deleted_elsewhere_comes_back(folder: Path) -> None:
    left_behind(folder, {"Plan.md": "typed"})
    (folder / "Plan.md").unlink()
    mirror = Mirror(folder)
    put(mirror, mirror.reconcile({"Plan.md": "typed"}))
    mirror.close()
    assert documents_in(folder) == {"Plan.md": "typed"}


def test_a_document_that_the_journal_lost_is_in_the_bin(folder: Path) -> None:
    left_behind(folder, {"Plan.md": "typed", ".bin/Emptied.md": "away"})
    mirror = Mirror(folder)
    assert mirror.reconcile({"Other.md": "other"}) == {"Other.md": "other", ".bin/Plan.md": "typed"}
    mirror.close()


def test_without_a_journal_the_files_are_what_there_is(folder: Path) -> None:
    left_behind(folder, {"Plan.md": "typed", "b.png": PICTURE})
    assert Mirror(folder).read() == {"Plan.md": "typed", "b.png": PICTURE}


def test_without_its_fingerprints_nothing_is_lost_either(folder: Path) -> None:
    left_behind(folder, {"Plan.md": "typed", "Same.md": "same"})
    (folder / engine.mirror.KNOWN_FILE).write_text("torn")
    expected = {"Plan.md": "typed more", "Same.md": "same", "Plan (edited elsewhere).md": "typed"}
    assert Mirror(folder).reconcile({"Plan.md": "typed more", "Same.md": "same"}) == expected


def test_a_full_disk_is_told_and_tried_again(
    mirror: Mirror, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(mirror, {"a.md": "a"})
    replace = engine.mirror.replace_file

    def full(path: Path, data: bytes) -> None:
        if path.name == "b.md":
            raise OSError(28, "No space left on device", str(path))
        replace(path, data)

    monkeypatch.setattr(engine.mirror, "replace_file", full)
    mirror.write({"b.md": "a", "c.md": "c"})
    wait_until(lambda: mirror.trouble is not None)
    assert "b.md" in str(mirror.trouble) and "No space left" in str(mirror.trouble)
    assert documents_in(folder) == {"a.md": "a", "c.md": "c"}  # the old name stays until the new one stands
    monkeypatch.undo()
    assert mirror.flush(LONG) and mirror.trouble is None
    assert documents_in(folder) == {"b.md": "a", "c.md": "c"}


def test_a_write_that_failed_late_is_still_ours(
    mirror: Mirror, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = engine.mirror.replace_file

    def late(path: Path, data: bytes) -> None:
        replace(path, data)
        if path.name == "a.md":
            raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr(engine.mirror, "replace_file", late)
    mirror.write({"a.md": "one"})
    wait_until(lambda: mirror.trouble is not None)
    monkeypatch.undo()
    put(mirror, {"a.md": "two"})
    assert documents_in(folder) == {"a.md": "two"}


def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ProfileError, match="cannot be written"):
        Mirror(tmp_path / "file" / "documents")


def test_kills_leave_whole_files_and_no_conflicts(folder: Path) -> None:
    rng = random.Random(3)
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parent.parent,
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng.random() * 0.1)
        process.kill()
        process.communicate()
        for name, text in documents_in(folder).items():
            words = text.split(" ")
            assert words[:-1] == words[:1] * 1000 if name == "Steady.md" else len(set(words)) == 3
        assert not [name for name in documents_in(folder) if "elsewhere" in name]
    mirror = Mirror(folder)
    assert not list(folder.glob(".pixelos-*"))
    assert mirror.reconcile({"Steady.md": "newer"})["Steady.md"] == "newer"
    assert not [name for name in documents_in(folder) if "elsewhere" in name]
    mirror.close()


class Killed(BaseException):
    """Stands for kill -9 in the middle of a write."""


@pytest.mark.parametrize("seed", range(60))
def test_no_word_is_lost_whoever_wrote_it(folder: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Edits here, edits elsewhere, renames, deletes and kills in any order: each word is in some document."""
    rng = random.Random(seed)
    replace, writes_left = engine.mirror.replace_file, [10**9]

    def interrupted(path: Path, data: bytes) -> None:
        writes_left[0] -= 1
        if writes_left[0] == 0 and rng.random() < 0.5:
            raise Killed
        replace(path, data)
        if writes_left[0] <= 0:
            raise Killed

    monkeypatch.setattr(engine.mirror, "replace_file", interrupted)
    monkeypatch.setattr(os, "fsync", lambda _: None)
    journal: dict[str, str] = {"a.md": "", "b.md": ""}
    words: set[str] = set()
    for _ in range(5):
        mirror = Mirror(folder)
        documents = mirror.reconcile(journal)
        everything = " ".join(str(content) for content in documents.values()).split()
        assert words <= set(everything), (words - set(everything), journal, documents)
        if rng.random() < 0.3:
            continue  # killed before the journal had what was taken over
        journal = {name: str(content) for name, content in documents.items()}
        for _ in range(rng.randrange(1, 5)):
            words |= change(journal, folder, rng)
            writes_left[0] = rng.choice([10**9, rng.randrange(1, 6)])
            mirror._given = dict(journal)
            try:
                mirror._write_given()
            except Killed:
                break
        writes_left[0] = 10**9
        words |= edit_elsewhere(folder, rng)


def change(journal: dict[str, str], folder: Path, rng: random.Random) -> set[str]:
    """Something the user does, here or in another program; the word that came with it."""
    name = rng.choice(sorted(journal))
    action = rng.choice(["type", "type", "elsewhere", "rename", "delete"])
    if action == "elsewhere":
        return edit_elsewhere(folder, rng)
    if action == "rename" and not name.startswith(".bin/"):
        journal[f"{rng.randrange(10**9)}.md"] = journal.pop(name)
    elif action == "delete" and not name.startswith(".bin/"):
        journal[f".bin/{rng.randrange(10**9)}.md"] = journal.pop(name)
    word = f"word{rng.randrange(10**9)}"
    journal["a.md"] = f"{journal.get('a.md', '')} {word}"
    return {word}


def edit_elsewhere(folder: Path, rng: random.Random) -> set[str]:
    files = sorted(folder.glob("*.md"))
    if not files or rng.random() < 0.3:
        return set()
    word = f"theirs{rng.randrange(10**9)}"
    path = rng.choice(files)
    path.write_text(f"{path.read_text('utf-8')} {word}", "utf-8")
    return {word}


def documents_in(folder: Path) -> dict[str, str]:
    found = {path.name: path for path in folder.iterdir() if path.suffix in (".md", ".txt")}
    found |= {f".bin/{path.name}": path for path in (folder / ".bin").iterdir()}
    return {name: path.read_text("utf-8") for name, path in found.items() if not path.name.startswith(".")}


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG
    while not true():
        assert time.monotonic() < deadline, "hung"
        time.sleep(0.005)

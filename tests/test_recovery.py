"""Whenever the program is killed, what was acknowledged comes back: windows, documents, caret, style, half-typed asks."""

from __future__ import annotations

import shutil
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import keeping
from engine.desktop.desktop import Desktop
from engine.errors import ProfileError
from engine.events import Ask, Down, Event, Key, Move, Text, Up, Wait
from engine.journal import Journal
from engine.keeping import Keeper, recover
from engine.mailbox import DirectMailbox
from engine.mirror import Mirror
from engine.painter import GuidePainter, PainterSpec
from engine.session import Session
from models.synthetic.sessions import User

SIZE = (384, 256)
PASSING = ("t", "input_tick", "notice", "diary", "router")  # of the state: what time and sleep change anyway


class Machine:
    """A computer with a profile folder: it runs a session, and can lose its power."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "documents").mkdir(parents=True, exist_ok=True)
        self.journal, self.mirror = Journal(folder / "journal.sqlite"), Mirror(folder / "documents")
        self.desktop, self.past = recover(self.journal, self.mirror, SIZE)
        painter = GuidePainter(PainterSpec(size=SIZE))
        self.session = Session(self.desktop, DirectMailbox(painter), Keeper(self.journal, self.mirror))
        self.session.begin()

    def takes(self, *events: Event) -> None:
        for event in events:
            self.session.step([event], event.t)

    def after_a_power_cut(self, folder: Path) -> Machine:
        """What starts from the disk as it is now."""
        self.journal.flush(10)
        shutil.copytree(self.folder, folder, copy_function=_copied)
        return Machine(folder)


def _copied(source: str, target: str) -> None:
    """Documents go on being written meanwhile: a half-written file may be gone before its turn."""
    with suppress(FileNotFoundError):
        shutil.copy2(source, target)


def lasting(desktop: Desktop) -> dict[str, Any]:
    assert desktop.sheet.items  # as drawn: what an app scrolls into view is part of its state
    state = {name: value for name, value in desktop.state().items() if name not in PASSING}
    return {**state, "documents": desktop.documents.contents}


@pytest.mark.parametrize("seed", range(6))
def test_a_random_session_comes_back_from_any_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    monkeypatch.setattr(keeping, "SNAPSHOT_EVENTS", 17)
    rng = np.random.default_rng(seed)
    machine = Machine(tmp_path / "0")
    user = User(rng, machine.desktop)
    for life in range(1, 4):
        for _ in range(25):
            machine.takes(*user.act())
        again = machine.after_a_power_cut(tmp_path / str(life))
        assert again.past.notes == ()
        assert lasting(again.desktop) == lasting(machine.desktop), f"life {life}"


def test_a_name_that_the_files_get_after_it_was_given_up_is_no_news(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files follow later than snapshots: what waits to be written may have a name that the snapshot's documents do not."""
    monkeypatch.setattr(keeping, "SNAPSHOT_EVENTS", 1)
    monkeypatch.setattr(keeping, "MIRROR_SECONDS", 1e9)
    machine = Machine(tmp_path / "a")
    t = machine.desktop.t
    machine.takes(Ask(t + 0.1, "notes"), Text(t + 0.2, "Plan"), Wait(t + 3.0))
    first = set(machine.desktop.documents.names())
    machine.takes(Key(t + 3.1, "home"), Text(t + 3.2, "My "), Wait(t + 6.0), Key(t + 6.1, "end"))
    assert first.isdisjoint(machine.desktop.documents.names()), "it has another name"
    machine.journal.flush(10)
    monkeypatch.setattr(keeping, "MIRROR_SECONDS", 0.0)
    machine.session.step((), t + 6.2)
    machine.mirror.flush(10)
    assert all((machine.folder / "documents" / name).exists() for name in first)
    again = machine.after_a_power_cut(tmp_path / "b")
    assert again.past.notes == () and lasting(again.desktop) == lasting(machine.desktop)


def test_a_half_typed_question_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "SNAPSHOT_EVENTS", 1)
    machine = Machine(tmp_path / "a")
    t = machine.desktop.t
    machine.takes(Ask(t + 0.1, "notes"), Key(t + 0.2, "space", ("ctrl",)), Text(t + 0.3, "calc"))
    again = machine.after_a_power_cut(tmp_path / "b")
    t = again.desktop.t
    again.takes(Text(t + 0.1, "ulator"), Key(t + 0.2, "enter"))
    assert again.desktop.stack.front is not None and again.desktop.stack.front.name == "Calculator"
    assert again.desktop.documents.names() == []


def test_a_window_being_dragged_is_where_it_was_dragged_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "SNAPSHOT_EVENTS", 1)
    machine = Machine(tmp_path / "a")
    t = machine.desktop.t
    machine.takes(Ask(t + 0.1, "notes"))
    x, y = next(w for w in machine.desktop.widgets if w.path == "Notes/title").rect.centre
    machine.takes(Down(t + 0.2, "left", x, y), Move(t + 0.3, x + 9, y + 20), Move(t + 0.4, x + 20, y + 40))
    again = machine.after_a_power_cut(tmp_path / "b")
    assert lasting(again.desktop) == lasting(machine.desktop)
    held = again.desktop.stack.windows[0].rect
    again.takes(Move(again.desktop.t + 0.1, 5, 5), Up(again.desktop.t + 0.2, "left", 5, 5))
    assert again.desktop.stack.windows[0].rect == held, "nobody holds it any more"


def test_an_event_that_cannot_be_played_is_told_and_passed_over(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "a")
    machine.takes(Ask(machine.desktop.t + 0.1, "notes"))
    machine.journal.append({"t": machine.desktop.t, "type": "click", "target": "nowhere"})
    machine.journal.append({"type": "of another world"})
    machine.takes(Text(machine.desktop.t + 0.1, "Still here"))
    again = machine.after_a_power_cut(tmp_path / "b")
    assert list(again.desktop.documents.contents.values()) == ["Still here"]
    assert len(again.past.notes) == 2 and "nowhere" in again.past.notes[0]


def test_a_state_of_another_kind_is_refused_in_one_message(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    journal.snapshot(0, {"size": [384, 256], "desktop": {"windows": 5}}, {})
    journal.close()
    with pytest.raises(ProfileError, match=r"journal\.sqlite cannot be used"):
        recover(Journal(tmp_path / "journal.sqlite"), None, SIZE)


def test_the_clock_shows_the_time_of_the_wall_after_a_pause(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "a")
    machine.takes(Ask(machine.desktop.t + 0.1, "snake"))
    snake = machine.desktop.stack.windows[0].app.state()
    monday = machine.desktop.now
    hour = timedelta(hours=26)
    keeping_now = keeping._now
    try:
        keeping._now = lambda: monday + hour
        again = machine.after_a_power_cut(tmp_path / "b")
    finally:
        keeping._now = keeping_now
    assert again.desktop.now == monday + hour
    assert again.desktop.stack.windows[0].app.state() == snake, "nothing happened meanwhile"


def test_the_painters_latents_come_back(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "a")
    machine.takes(Ask(machine.desktop.t + 0.1, "notes"), Text(machine.desktop.t + 0.2, "Hello"))
    frame = machine.session.step((), machine.desktop.t).pixels.copy()
    machine.session.close()
    again = Machine(tmp_path / "a")
    assert again.past.latents is not None and (again.past.latents == frame).all()
    again.session.close()


def test_another_size_keeps_windows_and_words(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "a")
    machine.takes(Ask(machine.desktop.t + 0.1, "notes"), Text(machine.desktop.t + 0.2, "Hello"))
    machine.session.close()
    desktop, _ = recover(Journal(tmp_path / "a" / "journal.sqlite"), None, (256, 192))
    assert desktop.size == (256, 192) and list(desktop.documents.contents.values()) == ["Hello"]
    (window,) = desktop.stack.windows
    assert desktop.stack.area.covers(window.rect)


def test_a_renamed_documents_old_file_does_not_come_back(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "a")
    machine.desktop.documents.write("Plan.md", "A plan")
    keeper = machine.session.keeper
    assert keeper is not None
    machine.journal.flush(5)
    keeper.keep(machine.session)
    assert machine.mirror.flush(5) and (tmp_path / "a" / "documents" / "Plan.md").exists()
    keeper.snapshot(machine.session)
    machine.desktop.documents.rename("Plan.md", "Better plan.md")
    keeper.snapshot(machine.session)
    again = machine.after_a_power_cut(tmp_path / "b")
    assert again.desktop.documents.contents == {"Better plan.md": "A plan"} and again.past.notes == ()

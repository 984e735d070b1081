"""The session: what is shown, what stays untouched, what the label says, what comes back."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.desktop.apps.registry import APPS
from engine.desktop.bitmap import encode
from engine.desktop.desktop import Desktop
from engine.desktop.documents import Documents
from engine.events import Ask, Key, Move, Text
from engine.freed import Freed
from engine.geometry import Rect
from engine.journal import Journal
from engine.keeping import Keeper, recover
from engine.mailbox import DirectMailbox, MailboxStatus
from engine.mirror import Mirror
from engine.painter import GuidePainter, Painter, PainterInfo, PainterSpec, Painting, PaintRequest, Patch
from engine.process_mailbox import ProcessMailbox
from engine.session import Session
from engine.text_check import check
from models.synthetic.sessions import User, random_desktop

SIZE, SMALL = (512, 384), (256, 192)


class NoisePainter(GuidePainter):
    """Paints random pixels: the worst there is."""

    def __init__(self, spec: PainterSpec) -> None:
        super().__init__(spec)
        self.info = PainterInfo("noise", "bundled", "", "guided", "cpu", "uint8", 1, reach=8)
        self._rng = np.random.default_rng(0)

    def paint(self, request: PaintRequest) -> Painting:
        patches = [
            Patch(r, self._rng.integers(0, 256, (r.h, r.w, 3)).astype(np.uint8)) for r in request.damage
        ]
        return Painting(request.seq, tuple(patches), "painted")


def session_of(painter: type[GuidePainter], desktop: Desktop | None = None, **how: bool) -> Session:
    spec = PainterSpec(size=SIZE)
    direct: Painter = painter(spec)
    return Session(desktop or Desktop(SIZE), DirectMailbox(direct), **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("repair", [True, False])
def test_no_pixel_outside_the_damage_changes(repair: bool) -> None:
    rng = np.random.default_rng(4 + repair)
    desktop = random_desktop(rng, SMALL)
    session = Session(desktop, DirectMailbox(NoisePainter(PainterSpec(size=SMALL))), repair=repair)
    user, events = User(rng, desktop, styles=False), 0
    frame = session.step([], desktop.t).pixels.copy()
    while events < 500:
        for event in user.act():
            events += 1
            after = session.step([event], event.t)
            outside = np.ones(frame.shape[:2], bool)
            for rect in after.damage:
                outside[rect.slices] = False
            assert (frame[outside] == after.pixels[outside]).all()
            frame = after.pixels.copy()


def test_nothing_changed_is_nothing_painted() -> None:
    session = session_of(GuidePainter)
    session.step([], 0.1)
    frame = session.step([], 0.2)
    assert (frame.source, frame.damage, frame.changed) == ("skipped", (), ())


def test_the_frame_shows_the_guide_when_the_guide_painter_paints() -> None:
    session = session_of(GuidePainter)
    frame = session.step([Ask(0.1, "notes"), Text(0.2, "Hello")], 0.2)
    assert (frame.pixels == session.guide.pixels).all() and "guide" in frame.label
    with pytest.raises(ValueError, match="read-only"):
        frame.pixels[0, 0] = 0


class LateMailbox(DirectMailbox):
    """Hands a painting out some steps after it was asked for, as a painter in another process does."""

    def __init__(self, painter: Painter) -> None:
        super().__init__(painter)
        self._late: list[list[Painting]] = [[], [], []]

    def collect(self) -> list[Painting]:
        self._late.append(super().collect())
        return self._late.pop(0)


def test_late_paintings_are_checked_too_and_changed_tells_every_pixel() -> None:
    rng = np.random.default_rng(8)
    desktop = random_desktop(rng, SIZE)
    session = Session(desktop, LateMailbox(NoisePainter(PainterSpec(size=SIZE))))
    user = User(rng, desktop, styles=False)
    before = session.step([], desktop.t).pixels.copy()
    for _ in range(40):
        for event in user.act():
            frame = session.step([event], event.t)
            outside = np.ones(before.shape[:2], bool)
            for rect in frame.changed:
                outside[rect.slices] = False
            assert (before[outside] == frame.pixels[outside]).all()
            before = frame.pixels.copy()
    while session.waiting:
        frame = session.step([], desktop.t)
    found = check(frame.pixels.copy(), (Rect(0, 0, *SIZE),), session.guide, desktop.style.paints(SIZE), repair=False)
    assert found.glyphs > 20 and found.wrong <= found.glyphs // 20


def test_while_the_painter_is_lost_the_guide_is_shown_and_then_all_is_painted_again() -> None:
    mailbox = ProcessMailbox(GuidePainter, PainterSpec(checkpoint="guide", size=SIZE))
    session = Session(Desktop(SIZE), mailbox)
    session.step([Ask(0.1, "notes")], 0.2)
    assert session.settle(30).source == "guide" and session.statistics.guide > 0
    assert mailbox.pid is not None
    os.kill(mailbox.pid, signal.SIGKILL)
    while mailbox.status.state != "restarting":
        assert mailbox.wait(30)
    frame = session.step([Text(0.3, "Meanwhile")], 0.4)
    assert (frame.pixels == session.guide.pixels).all() and frame.source == "guide"
    session.settle(30)
    assert mailbox.status.state in ("ready", "painting") and not session.waiting
    latents = mailbox.latents()
    assert latents is not None and (latents == session.guide.pixels).all(), "the painter knows what happened meanwhile"
    session.close()


class Absent:
    """A mailbox whose painter is still starting."""

    info = None
    status = MailboxStatus("starting", "loading checkpoint bundled")
    prompted = False

    def collect(self) -> list[Painting]:
        return []

    def wants_trial(self) -> bool:
        return False

    def latents(self) -> None:
        return None

    def close(self) -> None:
        """Nothing is open."""


def test_without_a_painter_the_guide_is_shown_and_said() -> None:
    session = Session(Desktop(SIZE), Absent())  # type: ignore[arg-type]
    frame = session.step([Ask(0.1, "notes"), Text(0.2, "Hello")], 0.2)
    assert (frame.pixels == session.guide.pixels).all()
    assert frame.source == "guide" and "starting" in frame.label and "loading checkpoint" in frame.label


def open_kept(folder: Path) -> tuple[Session, Keeper]:
    journal, mirror = Journal(folder / "journal.sqlite"), Mirror(folder / "documents")
    desktop, past = recover(journal, mirror, SIZE)
    mailbox = DirectMailbox(GuidePainter(PainterSpec(size=SIZE)))
    if past.latents is not None:
        mailbox.restore(past.latents)
    keeper = Keeper(journal, mirror)
    session = Session(desktop, mailbox, keeper)
    session.begin()
    return session, keeper


def test_a_session_comes_back_after_it_was_closed(tmp_path: Path) -> None:
    (tmp_path / "documents").mkdir()
    session, _ = open_kept(tmp_path)
    t = session.desktop.t
    events = [Ask(t + 0.1, "notes"), Text(t + 0.2, "Dear diary"), Key(t + 0.3, "enter"), Text(t + 0.4, "naïve ёж Ωμέγα")]
    events += [Ask(t + 0.5, "calculator"), Ask(t + 0.6, "dark blue, rounded"), Ask(t + 0.7, "notes")]
    session.step(events, t + 0.8)
    windows = [w.name for w in session.desktop.stack.windows]
    session.close()
    assert any("naïve ёж Ωμέγα" in p.read_text("utf-8") for p in (tmp_path / "documents").glob("*.md"))
    again, _ = open_kept(tmp_path)
    assert [w.name for w in again.desktop.stack.windows] == windows
    assert again.desktop.style_words == "dark blue, rounded"
    again.step([Text(again.desktop.t + 0.1, "!")], again.desktop.t + 0.2)
    assert any(isinstance(c, str) and "Ωμέγα!" in c for c in again.desktop.documents.contents.values())
    again.close()


def test_documents_in_the_folder_are_there_in_a_fresh_profile(tmp_path: Path) -> None:
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "Recipe.md").write_text("# Soup\nLeeks.", "utf-8")
    session, _ = open_kept(tmp_path)
    assert session.desktop.documents.text("Recipe.md") == "# Soup\nLeeks."
    session.close()


def test_saved_is_said_only_of_what_is_committed(tmp_path: Path) -> None:
    (tmp_path / "documents").mkdir()
    session, keeper = open_kept(tmp_path)
    session.step([Ask(session.desktop.t + 0.1, "notes")], session.desktop.t + 0.2)
    assert keeper.last_seq == 1 and keeper.saved_seq <= keeper.last_seq
    session.close()
    journal = Journal(tmp_path / "journal.sqlite")
    assert journal.saved_seq == 1
    journal.close()


def test_the_same_events_give_the_same_desktop() -> None:
    guides = []
    for _ in range(2):
        rng = np.random.default_rng(12)
        desktop = random_desktop(rng, SIZE)
        session, user = session_of(GuidePainter, desktop), User(rng, desktop)
        for _ in range(60):
            for event in user.act():
                session.step([event], event.t)
        guides.append(session.guide.pixels.copy())
    assert (guides[0] == guides[1]).all()


def test_a_desktops_state_holds_all_that_is_seen() -> None:
    rng = np.random.default_rng(21)
    desktop = random_desktop(rng, SIZE)
    desktop.advance(desktop.t + 10)
    twin = Desktop(SIZE, Documents(desktop.documents.contents), desktop.clock.start, desktop.state())
    first, second = session_of(GuidePainter, desktop), session_of(GuidePainter, twin)
    desktop.router.hover = ""
    desktop.ask_bar = desktop.menu = None
    desktop.stale()
    one, other = first.step([], desktop.t).pixels, second.step([], desktop.t).pixels
    assert (one != other).any(2).mean() < 0.001  # a blinking caret at most
    assert Rect(0, 0, *SIZE).area == one.shape[0] * one.shape[1]


class Dreamer(GuidePainter):
    """Remembers what it was asked; paints nothing of its own."""

    def __init__(self, spec: PainterSpec) -> None:
        super().__init__(spec)
        self.info = PainterInfo("dreamer", "bundled", "", "dream", "cpu", "uint8", 1, reach=8)
        self.asked: list[PaintRequest] = []

    def paint(self, request: PaintRequest) -> Painting:
        self.asked.append(request)
        return super().paint(request)


@pytest.mark.parametrize("imagines", [False, True])
def test_a_dream_gets_the_guide_once_and_in_another_look_only_if_it_needs_it(imagines: bool) -> None:
    dreamer, desktop = Dreamer(PainterSpec(size=SIZE)), Desktop(SIZE)
    dreamer.info = replace(dreamer.info, imagines=imagines)
    session = Session(desktop, DirectMailbox(dreamer))
    for t, event in enumerate((Ask(1.0, "notes"), Text(2.0, "a"), Key(3.0, "backspace"), Text(4.0, "b")), 1):
        session.step([event], float(t))
    guided = [request.guide is not None for request in dreamer.asked]
    assert guided[0] and not any(guided[1:]) and len(guided) >= 4
    assert all(request.damage == (Rect(0, 0, *SIZE),) for request in dreamer.asked)
    assert [event.type for request in dreamer.asked for event in request.events] == ["ask", "text", "key", "text"]
    desktop.prefer("style", "ocean")
    session.step([Text(5.0, "c")], 5.0)
    session.step([Text(6.0, "d")], 6.0)
    after = dreamer.asked[len(guided) :]
    assert [request.guide is not None for request in after] == [not imagines, False]
    assert all(request.damage == (Rect(0, 0, *SIZE),) for request in after)


@pytest.mark.parametrize("mode", ["dream", "guided"])
def test_who_dreams_is_told_what_the_open_documents_say_and_no_one_else(mode: str) -> None:
    painter, desktop = Dreamer(PainterSpec(size=SIZE)), Desktop(SIZE, Documents({"Milk.md": "Two bottles", "Bread.md": "Rye"}))
    painter.info = replace(painter.info, mode=mode)
    session = Session(desktop, DirectMailbox(painter))
    for event in (Ask(1.0, "milk.md"), Text(2.0, "x"), Ask(3.0, "calculator")):
        session.step([event], event.t)
    told = [[(list(APPS)[work.app], work.name, work.title, work.content) for work in request.context.work] for request in painter.asked]
    notes = [[("Notes", "Milk.md", "Milk.md", text)] for text in ("Two bottles", "xTwo bottles", "xTwo bottles")]
    notes[-1].append(("Calculator", "", "Calculator", None))
    assert told[-3:] == (notes if mode == "dream" else [[]] * 3)
    assert all(request.context.clock == ("09:00" if mode == "dream" else "") for request in painter.asked[1:])


@pytest.mark.parametrize("opening", [Key(0.5, "f10", ("shift",)), Key(0.5, "space", ("ctrl",))])
def test_a_dream_does_not_begin_with_a_popup(opening: Key) -> None:
    """One that woke with a menu or the ask bar would not know what that hides: it gets the guide until that is gone."""
    dreamer, desktop = Dreamer(PainterSpec(size=SIZE)), Desktop(SIZE)
    desktop.handle(opening)
    session = Session(desktop, DirectMailbox(dreamer))
    for event in (Move(1.0, 40, 40), Key(2.0, "escape"), Move(3.0, 60, 60)):
        session.step([event], event.t)
    assert desktop.menu is None and desktop.ask_bar is None
    assert [request.guide is not None for request in dreamer.asked] == [True, True, False]


@pytest.mark.parametrize("prompted", [False, True])
def test_a_dream_begins_once_nothing_is_said(prompted: bool) -> None:
    """A notice that it woke with would never go; but a prompted painter goes on from whatever is there."""
    dreamer, desktop = Dreamer(PainterSpec(size=SIZE)), Desktop(SIZE)
    desktop.say("Saved.")
    dreamer.info = replace(dreamer.info, prompted=prompted)
    session = Session(desktop, DirectMailbox(dreamer))
    for event in (Move(1.0, 40, 40), Move(5.0, 200, 100), Move(6.0, 40, 40)):
        session.step([event], event.t)
    assert desktop.notice == ""
    guided = [request.guide is not None for request in dreamer.asked]
    assert guided[0] and guided[-1] is False and guided.count(True) == (1 if prompted else 2)


def test_a_dream_of_a_picture_begins_under_a_notice_for_it_does_not_see_that() -> None:
    dreamer, desktop = Dreamer(PainterSpec(size=SIZE)), Desktop(SIZE)
    session = Session(desktop, DirectMailbox(dreamer))
    session.step([Move(1.0, 40, 40)], 1.0)
    desktop.turning.strip.start("sea", encode(np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)))
    desktop.turning.go(1)
    desktop.say("A picture.")
    for event in (Move(2.0, 50, 40), Move(2.1, 60, 40), Move(2.2, 70, 40)):
        session.step([event], event.t)
    assert desktop.notice
    shown = [request.guide for request in dreamer.asked]
    assert [guide is not None and bool((guide == 90).all()) for guide in shown].count(True) == 1 and shown[-1] is None


def test_text_typed_in_a_dream_is_kept(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    dreamer, desktop = Dreamer(PainterSpec(size=SIZE)), Desktop(SIZE)
    session = Session(desktop, DirectMailbox(dreamer), Keeper(journal, Mirror(tmp_path / "documents")))
    session.begin()
    session.step([Ask(0.5, "notes")], 0.5)
    session.step([Text(1.0, "Dreamt, and kept.")], 1.0)
    session.close()
    assert any("Dreamt, and kept." in path.read_text() for path in (tmp_path / "documents").iterdir())


def test_a_live_session_at_rest_gives_back_freed_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[bool] = []
    monkeypatch.setattr(Freed, "give_back", lambda _: given.append(True))
    for live in (False, True):
        session = session_of(GuidePainter, live=live)
        session.begin()
        session.settle(5.0)
        session.step((), 0.01)
        assert bool(given) == live
        session.close()

"""One thing turned into another: the strip, a region, a picture brought in, what survives a kill."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.desktop.bitmap import encode, filled_up
from engine.desktop.desktop import Desktop
from engine.desktop.strip import MOST, Strip
from engine.desktop.turning import FULL, document_name, read_picture
from engine.errors import InputError
from engine.events import Ask, Down, Drop, Event, Key, Move, Text, Up, from_record
from engine.geometry import Rect
from engine.journal import Journal
from engine.keeping import Keeper, recover
from engine.mailbox import DirectMailbox
from engine.painter import Cancelled, Edit, GuidePainter, PainterSpec, PaintRequest
from engine.replay import replay
from engine.session import Frame, Session
from engine.starting_point import capture, open_desktop
from engine.trace import Header, parse_trace
from models.catalog import open_painter
from models.prompted.painter import PromptedPainter
from tests.test_painters import ask as requested
from tests.test_painters import drawn, empty
from tests.tiny_families import tiny_folder

SIZE = (256, 192)
CAT, HAT = "turn this into a picture of a cat", "give the cat a hat"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_folder(tmp_path_factory.mktemp("turning") / "pix2pix", "pix2pix", tiny_vae=True)


def spec_of(folder: Path, **settings: Any) -> PainterSpec:
    return PainterSpec(str(folder), size=SIZE, seed=5, threads=1, device="cpu", steps=2, **settings)


@pytest.fixture(scope="module")
def painter(folder: Path) -> PromptedPainter:
    found = open_painter(spec_of(folder))
    assert isinstance(found, PromptedPainter)
    return found


@pytest.fixture
def session(painter: PromptedPainter) -> Session:
    painter.restore(None)
    return Session(Desktop(SIZE), DirectMailbox(painter))


class Clock:
    """Plays events a tenth of a second apart."""

    def __init__(self, session: Session) -> None:
        self.session, self.t = session, session.desktop.t

    def __call__(self, kind: type[Event], *values: Any) -> Frame:
        self.t += 0.1
        return self.session.step([kind(self.t, *values)], self.t)


def picture(seed: int = 0, size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)


def png(pixels: np.ndarray) -> str:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


def test_every_result_is_the_input_of_the_next_and_any_step_can_be_branched_from(session: Session) -> None:
    does = Clock(session)
    desktop = session.step((), 0.0).pixels.copy()
    strip = session.desktop.turning.strip
    cat = strip.pixels(does(Ask, CAT) and 1, SIZE)
    hat = strip.pixels(does(Ask, HAT) and 2, SIZE)
    assert strip.at == 2 and [strip.steps[n].parent for n in (1, 2)] == [0, 1]
    assert (cat != desktop).any() and (hat != cat).any()
    does(Key, "left", ("alt",))
    assert strip.at == 1
    does(Ask, "make it night")  # of a picture a look is an instruction too
    assert strip.at == 3 and strip.steps[3].parent == 1 and (strip.pixels(3, SIZE) != hat).any()
    assert strip.in_order() == [1, 2, 3]
    does(Key, "up", ("alt",))
    assert strip.at == 2
    does(Ask, "step 0")
    assert strip.at == 0 and (does(Key, "f8").pixels.shape == desktop.shape)


def test_the_step_is_on_the_screen_as_it_was_painted_and_the_desktop_comes_back(session: Session) -> None:
    does = Clock(session)
    does(Ask, "notes")
    before = does(Text, "kept").pixels.copy()
    does(Ask, CAT)
    shown = does(Key, "escape").pixels  # the strip is folded away
    assert (shown == session.desktop.turning.strip.pixels(1, SIZE)).all()
    assert [w.role for w in session.desktop.widgets] == ["picture"]
    does(Text, "lost?")
    does(Key, "w", ("ctrl",))
    after = does(Key, "home", ("alt",)).pixels
    editor = next(w for w in session.desktop.widgets if w.role == "editor")
    assert editor.text == "kept" and after.shape == before.shape


def test_a_region_is_drawn_by_pointer_or_keys_and_nothing_outside_it_changes(session: Session) -> None:
    does = Clock(session)
    does(Drop, "wall.png", png(picture()))
    does(Key, "enter")
    strip = session.desktop.turning.strip
    base = strip.pixels(1, SIZE)
    does(Key, "space", ("ctrl", "shift"))
    for kind, *at in ((Move, 40, 30), (Down, "left", 40, 30), (Move, 99, 88), (Up, "left", 99, 88)):
        does(kind, *at)
    region = session.desktop.turning.region
    assert region is not None and region.rect == Rect(40, 24, 64, 64)
    does(Key, "right")
    does(Key, "enter")
    does(Text, "put a lamp here")
    does(Key, "enter")
    made = strip.pixels(2, SIZE)
    inside = Rect(56, 24, 64, 64)
    assert strip.steps[2].region == inside
    changed = (made != base).any(2)
    assert changed[inside.slices].any()
    changed[inside.slices] = False
    assert not changed.any()


def test_names_and_looks_stay_what_they_were(session: Session) -> None:
    does = Clock(session)
    does(Ask, "make it a cosy wooden cabin")
    assert session.desktop.style_words == "make it a cosy wooden cabin" and not session.desktop.turning.shown
    does(Ask, CAT)
    assert session.desktop.turning.shown == 1
    does(Ask, "notes")
    assert session.desktop.turning.shown == 0 and any(w.role == "editor" for w in session.desktop.widgets)


def test_who_cannot_do_it_says_what_can_and_starts_from_a_picture_all_the_same() -> None:
    session = Session(Desktop(SIZE), DirectMailbox(open_painter(PainterSpec("bundled", size=SIZE, threads=1, device="cpu"))))
    does = Clock(session)
    does(Ask, "turn this into a picture of a cat")
    said = next(w.text for w in session.desktop.widgets if w.name == "notice")
    assert "can't do" in said and "klein" in said and not session.turner.busy
    given = picture(1)
    does(Drop, "../a:b.png", png(given))
    assert session.desktop.documents.names() == ["ab.png"]
    does(Key, "enter")
    does(Key, "escape")
    assert (session.step((), does.t + 9).pixels == given).all()


def said_of(session: Session) -> str:
    return next((w.text for w in session.desktop.widgets if w.name == "notice"), "")


def test_a_picture_that_is_referred_to_and_cannot_be_shown_is_said_once_and_the_words_are_followed(session: Session) -> None:
    does = Clock(session)
    session.desktop.documents.write("Harbour.png", encode(picture(1)))
    does(Ask, "turn this into a castle like Harbour")
    strip = session.desktop.turning.strip
    assert said_of(session) == "Harbour is not looked at: this checkpoint takes no second picture. It follows your words alone."
    assert strip.at == 1 and strip.steps[1].words == "turn this into a castle like Harbour" and strip.steps[1].reference == ""
    assert sum("is not looked at" in line for line in session.desktop.log_lines()) == 1
    does.t += 9
    for words in ("give it a moat", "a castle like the sea"):  # of which neither means a picture that is there
        does(Ask, words)
        assert "not looked at" not in said_of(session)
    assert strip.at == 3


def test_one_picture_families_say_so_too_and_those_of_two_are_shown_it() -> None:
    desktop = Desktop(SIZE)
    desktop.documents.write("Harbour.png", encode(picture(1)))
    for number, refers in ((1, False), (2, True)):
        desktop.turning.turns, desktop.turning.refers = True, refers
        desktop.handle(Ask(10.0 * number, "add a boat as in the picture harbour"))
        strip = desktop.turning.strip
        assert strip.steps[strip.pending].reference == ("Harbour.png" if refers else "")
        assert ("Harbour is not looked at" in desktop.notice) != refers
        strip.cancel()


def test_a_picture_a_little_smaller_than_the_screen_is_filled_up_as_recordings_are() -> None:
    session = Session(Desktop(SIZE), DirectMailbox(GuidePainter(PainterSpec(size=SIZE))))
    does, less = Clock(session), picture(1)[:-18, :-30]
    for name, given in (("near.png", less), ("far.png", less[:64])):
        does(Drop, name, png(given))
        does(Key, "enter")
        does(Key, "escape")
    near, far = (session.desktop.turning.strip.pixels(number, SIZE) for number in (1, 2))
    assert (near == filled_up(less, SIZE)).all() and (far != filled_up(less[:64], SIZE)).any()


def test_cancelling_between_steps_leaves_everything_as_it_was(painter: PromptedPainter) -> None:
    latents, pixels = painter.latents(), picture(2)
    request = replace(requested(drawn(0)), guide=pixels, verbatim=None, forms=None, edit=Edit(CAT))
    seen: list[np.ndarray] = []
    painter.on_step, painter.on_preview = (lambda done, steps: False), seen.append
    try:
        with pytest.raises(Cancelled, match="1 of 2"):
            painter.paint(request)
    finally:
        painter.on_step = painter.on_preview = None
    assert (painter.latents() == latents).all()
    assert len(seen) == 1 and seen[0].shape == empty().shape and (seen[0] != pixels).any()
    assert painter.paint(request).patches and (painter.latents() == latents).all()


class Holding(DirectMailbox):
    """Paints an edit, and what comes after it, only when it is let."""

    def __init__(self, painter: PromptedPainter) -> None:
        super().__init__(painter)
        self.held: list[PaintRequest] = []
        self.stopped: list[int] = []

    def post(self, request: PaintRequest) -> None:
        if self.held or request.edit is not None:
            self.held.append(request)
        else:
            super().post(request)

    def stop(self, seq: int) -> None:
        self.stopped.append(seq)

    def let(self) -> None:
        held, self.held = self.held, []
        for request in held:
            super().post(request)


def test_escape_gives_up_what_is_being_painted_and_its_result_is_not_taken(painter: PromptedPainter) -> None:
    mailbox = Holding(painter)
    session = Session(Desktop(SIZE), mailbox)
    does = Clock(session)
    does(Ask, CAT)
    assert session.waiting and CAT in session.turner.says and "Escape" in session.turner.says
    does(Ask, HAT)  # one at a time
    assert sum(request.edit is not None for request in mailbox.held) == 1 and list(session.desktop.turning.strip.steps) == [1]
    seq = mailbox.held[0].seq
    does(Key, "escape")
    assert mailbox.stopped == [seq] and not session.desktop.turning.strip.steps
    mailbox.let()
    session.step((), does.t)
    assert not session.desktop.turning.strip.pictures and not session.turner.says


def test_the_strip_survives_a_kill_and_an_edit_that_was_under_way_is_painted_again(painter: PromptedPainter, tmp_path: Path) -> None:
    def begun(mailbox: DirectMailbox) -> Session:
        journal = Journal(tmp_path / "journal.sqlite")
        desktop, _ = recover(journal, None, SIZE)
        session = Session(desktop, mailbox, Keeper(journal))
        session.begin()
        return session

    first = begun(DirectMailbox(painter))
    does = Clock(first)
    does(Ask, CAT)
    cat = first.desktop.turning.strip.pixels(1, SIZE).copy()
    assert first.keeper is not None
    first.keeper._journal.flush(5.0)
    first.mailbox = mailbox = Holding(painter)  # the next one is still being painted when the process is killed
    first.turner._mailbox = mailbox
    does(Ask, HAT)
    assert mailbox.held
    first.keeper._journal.flush(5.0)
    second = begun(DirectMailbox(painter))
    strip = second.desktop.turning.strip
    assert strip.at == 1 and strip.pending == 2 and (strip.pixels(1, SIZE) == cat).all()
    second.step((), second.desktop.t)
    assert strip.at == 2 and strip.steps[2].words == HAT
    for session in (first, second):
        assert session.keeper is not None
        session.keeper._journal.close()


def test_a_dream_goes_on_from_the_picture(folder: Path) -> None:
    session = Session(Desktop(SIZE), DirectMailbox(open_painter(spec_of(folder, mode="dream"))))
    does = Clock(session)
    does(Drop, "start.png", png(picture(3)))
    does(Ask, "start from start")
    shown = session.step((), does.t).pixels.copy()
    assert (shown == picture(3)).all()
    dreamt = does(Down, "left", 128, 96).pixels.copy()
    assert (dreamt != shown).any()
    does(Ask, HAT)  # of what the dream has come to, not of what it began with
    strip = session.desktop.turning.strip
    assert strip.at == 2 and strip.steps[2].parent == 1


def test_a_trace_with_instructions_plays_the_same_twice_and_goes_on_where_it_was_recorded(
    painter: PromptedPainter, folder: Path, tmp_path: Path
) -> None:
    lines = ['{"pixelos_trace": 1, "size": [256, 192], "seed": 5}', f'{{"t": 0.5, "type": "ask", "text": "{CAT}"}}',
             f'{{"t": 1.0, "type": "ask", "text": "{HAT}"}}']  # fmt: skip
    trace = parse_trace("\n".join(lines).encode())
    sums = set()
    for name in ("a", "b"):
        painter.restore(None)
        sums.add(replay(trace, open_painter(spec_of(folder)), spec_of(folder), tmp_path / name)["final_frame_sha256"])
    assert len(sums) == 1
    first, last = (np.array(Image.open(tmp_path / "a" / "frames" / f"00000{i}.png")) for i in (0, 1))
    assert (first != last).any()
    session = Session(Desktop(SIZE), DirectMailbox(painter))
    Clock(session)(Ask, CAT)
    twin = open_desktop(Header(size=SIZE, state=capture(session.desktop)))
    assert twin.turning.shown == 1 and twin.turning.strip.pictures == session.desktop.turning.strip.pictures


def test_the_oldest_step_that_nothing_was_made_of_goes_first() -> None:
    strip, data = Strip(), base64.b64decode(png(picture()))
    for i in range(MOST + 1):
        strip.start(str(i), data)
    assert len(strip.steps) == MOST and 1 not in strip.steps and strip.at == MOST + 1
    with pytest.raises(InputError, match="no step 1;"):
        strip.go(1)
    assert Strip(strip.state(), strip.pictures).state() == strip.state()


def chain(length: int) -> Strip:
    """Every step made of the one before."""
    strip = Strip()
    for i in range(length):
        strip.keep(strip.ask(str(i)).number, picture())
    return strip


def test_of_a_long_chain_the_oldest_step_goes_and_the_rest_hangs_together(session: Session) -> None:
    kept = [*range(3, MOST + 3)]
    session.desktop.turning.strip = painted = chain(MOST)
    does = Clock(session)
    does(Ask, CAT)
    assert sum(FULL in line for line in session.desktop.log_lines()) == 1
    does(Ask, HAT)
    assert sum(FULL in line for line in session.desktop.log_lines()) == 1  # not for every one
    assert f"{MOST} steps" in FULL and f"It holds {MOST}:" in (Path(__file__).parent.parent / "README.md").read_text("utf-8")
    for strip in (chain(MOST + 2), painted):
        assert strip.in_order() == kept and [strip.steps[n].parent for n in kept] == [0, *kept[:-1]]
        assert strip.at == kept[-1] and not strip.pending
        assert Strip(strip.state(), strip.pictures).state() == strip.state()
    does(Key, "left", ("alt",))
    does(Ask, "make it night")  # beside the last one, of which nothing was made
    assert painted.at == MOST + 3 and painted.steps[MOST + 3].parent == MOST + 1 and MOST + 2 not in painted.steps


def test_what_is_shown_what_is_pending_and_what_they_came_of_stay_when_the_strip_is_full() -> None:
    strip, data = chain(MOST - 1), base64.b64decode(png(picture()))
    strip.go(1)
    pending = strip.ask("behind the first").number
    strip.start("beside", data)
    assert strip.pending == pending in strip.steps and strip.steps[pending].parent == 1 and 1 in strip.pictures
    assert MOST - 1 not in strip.steps  # nothing was made of it


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n" + bytes(40), b"<svg/>"])
def test_what_is_no_picture_is_refused_in_one_message(data: bytes) -> None:
    with pytest.raises(InputError, match="cannot be read as a picture"):
        read_picture("x", data, SIZE)
    desktop = Desktop(SIZE)
    with pytest.raises(InputError):
        desktop.handle(Drop(0.1, "x.png", base64.b64encode(data).decode()))
    assert not desktop.documents.names() and desktop.ask_bar is None


def test_a_picture_is_made_small_and_plain_and_its_name_fit_for_a_file() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (900, 300), (255, 0, 0, 0)).save(out, "WEBP")
    with Image.open(io.BytesIO(read_picture("x", out.getvalue(), SIZE))) as image:
        assert image.size == (256, 85) and image.mode == "RGB" and image.getpixel((3, 3)) == (255, 255, 255)
    assert [document_name(n) for n in ("a/b:c.png", "con", "..", "Harbour.png")] == ["abc", "Picture", "Picture", "Harbour"]
    assert from_record({"t": 1, "type": "drop", "name": "a", "picture": "eA=="}) == Drop(1.0, "a", "eA==")

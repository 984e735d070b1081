"""The checkpoint picker: what it shows, what it is worked by, what comes of a choice, and that the next start remembers."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.machine import machine_facts
from engine.checkpoint_notes import FILE, CheckpointNotes
from engine.checkpoints import CheckpointFacts
from engine.desktop.desktop import Desktop
from engine.events import Ask, Click, Event, Key, Move, Text, Wheel
from engine.journal import Journal
from engine.keeping import Keeper, recover
from engine.painter import PainterSpec
from engine.session import Session
from engine.swap_mailbox import SwapMailbox
from models.check import Verdict
from tests.conftest import needed
from tests.painters_for_tests import SIZE, SPEC, by_name_counted
from ui.doctor import diagnose
from ui.gallery import Gallery, Memory
from ui.picker import Picker

pygame = needed("pygame", "pygame-ce")

LONG_S = 30.0
NAMES = ("guide", "tinted", "flat", "unsound")
FACTS = (
    CheckpointFacts("guide", "no model"),
    CheckpointFacts("tinted", "tinted", 8_100_000, 16.3, 158.0, "float32: 0.2 GB at most", licence="LICENSE.md"),
    CheckpointFacts("flat", "flat", 12_000_000_000, 24_000.0, 48_000.0, "float32: 48.0 GB at most", fits=False),
    CheckpointFacts("unsound", "unknown", why="unsound/run.py is code; get a clean copy"),
)


def spec_of(name: str) -> PainterSpec:
    return replace(SPEC, checkpoint=name)


class Place:
    """A session with a gallery, as the command line makes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        journal = Journal(folder / "journal.sqlite")
        self.desktop, _ = recover(journal, None, SIZE, NAMES)
        self.mailbox = SwapMailbox(by_name_counted, spec_of(str(self.desktop.context.preferences.get("checkpoint", "guide"))), libraries=("fractions",))
        self.session = Session(self.desktop, self.mailbox, Keeper(journal))
        self.session.begin()
        self.gallery = Gallery(self.session, self.mailbox, lambda: FACTS, lambda: Memory(16_000.0), spec_of, folder / "pictures", CheckpointNotes(folder))
        self.until(lambda: self.mailbox.status.state == "ready" and not self.gallery.busy)

    def close(self) -> None:
        if self.mailbox.status.state != "closed":
            self.session.close()

    def until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + LONG_S
        while not condition():
            assert time.monotonic() < end, "it never came to that"
            self.session.step((), self.desktop.t)
            self.gallery.follow()
            time.sleep(0.005)

    def states(self) -> dict[str, str]:
        return {card.facts.name: card.state for card in self.gallery.cards()}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.close()


def drawn(picker: Picker, size: tuple[int, int] = (1024, 768)) -> np.ndarray:
    pygame.font.init()
    screen = pygame.Surface(size)
    picker.draw(screen)
    return np.asarray(pygame.surfarray.array3d(screen))


def test_a_choice_paints_and_the_next_start_comes_back_with_it(place: Place, tmp_path: Path) -> None:
    picker = Picker(place.gallery)
    assert place.states() == {"guide": "painting", "tinted": "", "flat": "", "unsound": "refused"}
    picker.key("down")
    picker.key("enter")
    assert place.states()["tinted"] in ("starting", "loading 100 %")
    place.until(lambda: place.states()["tinted"] == "painting")
    assert place.states()["guide"] == "kept ready"
    place.session.step([Text(1.0, "x")], 1.0)
    place.until(lambda: not place.session.waiting)
    assert (place.session.pixels == 255 - place.session.guide.pixels).all()
    place.gallery.remember()
    place.close()
    again = Place(tmp_path)
    try:
        assert again.mailbox.spec.checkpoint == "tinted" and again.mailbox.info is not None and again.mailbox.info.name == "tinted"
        assert [card.picture is not None for card in again.gallery.cards()] == [True, True, False, False]
    finally:
        again.close()


@pytest.mark.parametrize(("name", "why"), [("unsound", "is code"), ("flat", "one flat colour"), ("gone", "is not there")])
def test_a_refused_one_says_why_and_nothing_changes(place: Place, name: str, why: str) -> None:
    place.gallery.choose(name)
    if name == "unsound":
        assert place.states()[name] == "refused" and place.mailbox.latest is None, "at once, without opening it"
    place.until(lambda: any(why in line for line in place.desktop.log_lines()))
    assert place.gallery.painting == "guide" and place.desktop.preference("checkpoint") != name
    cards = {card.facts.name: card for card in place.gallery.cards()}
    assert name == "gone" or (cards[name].state == "refused" and why in cards[name].why)


def test_a_choice_in_settings_takes_over_too_and_is_taken_back_where_it_is_refused(place: Place) -> None:
    place.desktop.prefer("checkpoint", "tinted")
    place.until(lambda: place.gallery.painting == "tinted")
    place.desktop.prefer("checkpoint", "unsound")
    place.until(lambda: place.desktop.preference("checkpoint") == "tinted")
    assert place.gallery.painting == "tinted" and place.states()["unsound"] == "refused"


def test_keys_and_pointer_choose_and_close(place: Place) -> None:
    picker = Picker(place.gallery)
    drawn(picker)
    for key, row in (("down", 1), ("end", 3), ("down", 3), ("up", 2), ("home", 0)):
        picker.key(key)
        assert picker.chosen == row
    picker.wheel(-1)
    assert picker.chosen == 1
    places = {index: row for row, index in picker._rows}
    picker.point(places[3].center, pressed=False)
    assert picker.chosen == 3 and not picker.ended
    picker.point((1, 1), pressed=True)
    assert picker.ended == "closed"
    for key, ended in (("escape", "closed"), ("f2", "closed"), ("s", "settings")):
        other = Picker(place.gallery)
        other.key(key)
        assert other.ended == ended


def test_what_is_drawn_follows_the_cards_and_fits_every_window(place: Place) -> None:
    picker = Picker(place.gallery)
    first = drawn(picker)
    picker.key("down")
    assert (first != drawn(picker)).any()
    for size in ((320, 240), (512, 384), (1024, 768), (2560, 1440)):
        drawn(picker, size)
        assert pygame.Rect((0, 0), size).contains(picker._box)
        assert all(picker._box.contains(row) for row, _ in picker._rows)
        assert picker.chosen in [index for _, index in picker._rows]


def test_the_key_opens_it_and_what_is_typed_then_reaches_no_document(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.test_window_loop import down, event, settings
    from ui.window import Window

    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    pygame.display.init()
    pygame.font.init()
    window = Window(pygame.display.set_mode((512, 384)), place.session, settings(), place.gallery)

    def read(posted: list[object]) -> list[object]:
        for one in posted:
            pygame.event.post(one)
        return list(window.read(place.desktop.t))

    try:
        assert read(down(pygame.K_F2)) == [] and window._picker is not None
        assert place.mailbox.spares.pid is not None, "a choice is to be expected"
        assert read([*down(ord("x"), text="x"), event(pygame.MOUSEWHEEL, y=-1, x=0)]) == [] and window._picker.chosen == 1
        assert read(down(pygame.K_ESCAPE)) == [] and window._picker is None and place.mailbox.spares.pid is None
        place.gallery.memory = Memory(100.0, tight=True)
        read(down(pygame.K_F2))
        assert place.mailbox.spares.pid is None, "there is no memory for it"
        (asked,) = read(down(ord("s"), text="s"))
        assert getattr(asked, "text", "") == "settings" and window._picker is None
    finally:
        pygame.display.quit()


def test_a_process_waits_while_settings_offer_checkpoints(place: Place) -> None:
    spares = place.mailbox.spares

    def does(kind: type[Event], *values: Any) -> None:
        event = kind(place.desktop.t + 1, *values)
        place.session.step((event,), event.t)

    does(Ask, "settings")
    for _ in range(3):
        place.gallery._listed = -1.0
        place.gallery.follow()
    assert spares.pid is None, "looks are offered first"
    does(Click, "System")
    does(Move, SIZE[0] // 2, SIZE[1] // 2)
    does(Wheel, -5)
    place.until(lambda: spares.pid is not None)
    waiting = spares.pid
    does(Click, "tinted")
    place.until(lambda: place.gallery.painting == "tinted" and not place.gallery.busy)
    assert place.mailbox.pid == waiting
    does(Key, "w", ("ctrl",))
    place.until(lambda: spares.pid is None)


def test_where_memory_is_ample_a_process_is_kept_in_reserve(place: Place) -> None:
    """Begun when nobody has done anything for a while, not while the memory was given back, and gone with the memory."""
    spares = place.mailbox.spares

    def later(seconds: float) -> None:
        place.session.step((), place.desktop.t + seconds)
        place.gallery._listed = -1.0
        place.gallery.follow()

    def none_waits() -> bool:
        later(0.0)
        return spares.pid is None

    later(60.0)
    assert spares.pid is None, "memory is not ample"
    place.gallery._memory = lambda: Memory(16_000.0, ample=True)
    place.session.step((Key(place.desktop.t, "f6"),), place.desktop.t)
    place.gallery._looked = -10.0
    later(0.0)
    later(1.0)
    assert spares.pid is None, "somebody is at work"
    place.until(lambda: place.mailbox.status.state == "ready")
    later(10.0)
    waiting = spares.pid
    assert waiting is not None
    place.session.step((Key(place.desktop.t, "f6"),), place.desktop.t)
    later(0.0)
    assert spares.pid == waiting, "it stays"
    place.mailbox.give_back(None, "F9")
    place.until(none_waits)
    place.mailbox.come_back()
    place.until(lambda: place.mailbox.status.state == "ready" and not place.gallery.busy)
    later(60.0)
    assert spares.pid not in (None, waiting)
    place.gallery.memory = Memory(100.0, tight=True, ample=True)
    place.until(none_waits)


def test_memory_that_is_short_lets_go_of_who_is_kept_ready(place: Place) -> None:
    place.gallery.choose("tinted")
    place.until(lambda: place.gallery.painting == "tinted")
    assert place.mailbox.warm
    place.gallery._memory = lambda: Memory(100.0, tight=True)
    place.until(lambda: not place.mailbox.warm)
    assert isinstance(place.desktop, Desktop) and place.gallery.painting == "tinted"


def test_what_is_given_up_for_want_of_memory_is_said_shown_and_kept(place: Place, tmp_path: Path) -> None:
    place.gallery.choose("thrifty")
    place.until(lambda: place.gallery.painting == "thrifty")
    picker, before = Picker(place.gallery), drawn(Picker(place.gallery))
    assert (drawn(picker) == before).all()
    place.session.step([Text(1.0, "!")], 1.0)
    place.until(lambda: any("Memory ran short for thrifty: it paints at half the size" in line for line in place.desktop.log_lines()))
    card = next(card for card in place.gallery.cards() if card.facts.name == "thrifty")
    assert card.gave_up == ("it paints at half the size",) and "half the size" in card.facts.plan
    assert (drawn(picker) != before).any()
    kept = CheckpointNotes(tmp_path).short("thrifty")
    assert kept is not None and kept.gave_up == card.gave_up and kept.plan == card.facts.plan
    found = diagnose(tmp_path, machine_facts, lambda profile: [Verdict("thrifty", "", "thrifty", True, plan="float32: 0.2 GB at most")])[-2:]
    assert found[0].is_so.endswith("float32: 0.2 GB at most")
    assert found[1].wrong == "limits" and "it paints at half the size" in found[1].is_so and "--size" in found[1].mend


def test_a_loras_weight_is_kept_for_its_checkpoint(place: Place, tmp_path: Path) -> None:
    worn = replace(spec_of("tinted"), loras=(("a/rounder.safetensors", 0.5), ("b/wood.safetensors", 1.0)))
    place.gallery._spec_of = lambda name: worn if name == "tinted" else spec_of(name)
    place.gallery.choose("tinted")
    place.until(lambda: place.gallery.painting == "tinted")
    assert place.desktop.loras == {"rounder": 0.5, "wood": 1.0} and CheckpointNotes(tmp_path).weights("tinted") == {}
    place.desktop.prefer("loras", {"rounder": 0.8, "wood": 1.0})
    place.until(lambda: bool(CheckpointNotes(tmp_path).weights("tinted")))
    place.gallery.choose("guide")
    place.until(lambda: place.gallery.painting == "guide")
    assert place.desktop.loras == {} and CheckpointNotes(tmp_path).weights("guide") == {}
    place.gallery.choose("tinted")
    place.until(lambda: place.gallery.painting == "tinted" and bool(place.desktop.loras))
    assert place.desktop.loras == {"rounder": 0.8, "wood": 1.0}
    again = CheckpointNotes(tmp_path)
    assert again.weighed(worn, (False, False)).weights == (("rounder", 0.8), ("wood", 1.0))
    assert again.weighed(worn, (True, True)) == worn
    assert again.weighed(replace(worn, checkpoint="other"), (False, False)).loras == worn.loras


@pytest.mark.parametrize("text", ["", "[]", "{", '{"tinted": 3}', '{"tinted": {"weights": [1], "short": {"gave_up": "x"}}}', "[" * 100_000,
                                  '{"tinted": {"weights": {"a": 1e999, "b": "2", "c": true, "d": 99}}}'])  # fmt: skip
def test_broken_notes_are_as_good_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    notes = CheckpointNotes(tmp_path)
    assert notes.weights("tinted") == {} and notes.short("tinted") is None
    notes.keep_weights("tinted", {"a": 0.5})
    notes.keep_short("tinted", "float32", ("all",))
    assert notes.weights("tinted") == {"a": 0.5} and notes.short("tinted") is not None


def test_where_a_checkpoint_is_lost_for_good_the_bundled_one_takes_over(place: Place) -> None:
    place.gallery.choose("crashing")
    place.until(lambda: place.gallery.painting == "crashing")
    place.session.step([Text(1.0, "!")], 1.0)
    place.until(lambda: place.gallery.painting == "bundled")
    assert any("crashing is lost" in line for line in place.desktop.log_lines())
    place.until(lambda: not place.session.waiting)
    assert (place.session.pixels == 255 - place.session.guide.pixels).all()


def test_the_windows_process_takes_no_torch_in_for_the_picker(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from engine.painter import PainterSpec; from ui.start import _Here; "
        f"told = _Here(PainterSpec(profile={str(tmp_path)!r})).facts(); "
        "assert any(one.name == 'bundled' for one in told); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent.parent, timeout=120)

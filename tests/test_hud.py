"""The panels over the frame: what the HUD says, when "Saved" is shown, that everything fits into a small window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pytest

from engine.desktop.desktop import Desktop
from engine.events import Ask, Text
from engine.geometry import Rect
from engine.mailbox import DirectMailbox, MailboxStatus
from engine.pace import Caps
from engine.painter import GuidePainter, PainterInfo, PainterSpec, Readiness
from engine.session import Session
from engine.settings import Keys, Settings
from tests.conftest import needed
from ui.hud import FADE_S, Panels, SavedMark, guide_shown, hud_rows, key_rows, saved_words, warnings
from ui.view import View

pygame = needed("pygame", "pygame-ce")
from ui.panel import cut, font, size, wrapped  # noqa: E402

SMALL = (512, 384)


@dataclass
class Disk:
    """A keeper as the panels see it."""

    saved_seq: int = 0
    last_seq: int = 0
    troubles: list[str] = field(default_factory=list)


@dataclass
class AbsentMailbox:
    """A mailbox whose painter is not there."""

    status: MailboxStatus
    info: PainterInfo | None = None


class Stub:
    """A session with a disk of the test's own; `mailbox` replaces the session's."""

    def __init__(self, mailbox: Any = None) -> None:
        self.real = Session(Desktop(), DirectMailbox(GuidePainter(PainterSpec(checkpoint="guide"))))
        self.disk = Disk()
        self.real.keeper = cast(Any, self.disk)
        if mailbox is not None:
            self.real.mailbox = mailbox


@pytest.fixture
def screen() -> Iterator[Any]:
    pygame.font.init()
    yield pygame.Surface(SMALL)


def test_saved_is_said_only_when_the_journal_has_everything() -> None:
    stub = Stub()
    assert saved_words(stub.real) == "Saved, 0 of 0"
    stub.disk.last_seq = 7
    assert saved_words(stub.real) == "Saving… 0 of 7"
    stub.disk.troubles = ["the disk is full"]
    assert saved_words(stub.real) == "the disk is full"


def test_the_mark_says_saved_after_typing_and_then_goes() -> None:
    stub, mark = Stub(), SavedMark()
    assert mark.word(stub.real, 1.0) == ""  # nothing was typed
    mark.typed, stub.disk.last_seq = 2.0, 1
    assert mark.word(stub.real, 2.05) == ""
    stub.disk.saved_seq = 1
    assert mark.word(stub.real, 2.1) == ""  # more keys may follow
    assert mark.word(stub.real, 2.5) == "Saved"
    assert mark.word(stub.real, 9.0) == ""


def test_the_mark_never_says_saved_while_something_is_not() -> None:
    stub, mark = Stub(), SavedMark(typed=2.0)
    stub.disk.last_seq = stub.disk.saved_seq = 4
    assert mark.word(stub.real, 2.5) == "Saved"
    stub.disk.last_seq = 5  # the pointer moved: an event, too
    assert mark.word(stub.real, 2.6) == ""
    stub.disk.saved_seq = 5
    assert mark.word(stub.real, 2.7) == ""  # and it does not flicker back


def test_the_mark_says_when_saving_takes_long_and_when_it_is_done() -> None:
    stub, mark = Stub(), SavedMark(typed=2.0)
    stub.disk.last_seq = 1
    assert [mark.word(stub.real, t) for t in (2.0, 2.3, 2.8)] == ["", "", "Saving…"]
    stub.disk.saved_seq = 1
    assert mark.word(stub.real, 2.9) == "Saved"


def test_fast_typing_is_not_called_slow_saving() -> None:
    stub, mark = Stub(), SavedMark()
    for i in range(60):  # one key every 50 ms, each committed 100 ms later
        now = i * 0.05
        mark.typed, stub.disk.last_seq, stub.disk.saved_seq = now, i + 1, max(i - 1, 0)
        assert mark.word(stub.real, now) == ""


@pytest.mark.parametrize("state", ["starting", "restarting", "gave up"])
def test_the_guide_in_place_of_a_painter_is_always_said_with_the_reason(state: Any) -> None:
    stub = Stub(AbsentMailbox(MailboxStatus(state, "its process was killed")))
    assert guide_shown(stub.real)
    (said,) = warnings(stub.real)
    assert "guide" in said and state in said and "its process was killed" in said


def test_a_painter_at_work_needs_no_warning_but_troubles_do() -> None:
    info = PainterInfo("bundled", "bundled", "ab" * 32, "guided", "cpu", "float32", 1)
    stub = Stub(AbsentMailbox(MailboxStatus("painting"), info))
    assert not guide_shown(stub.real) and warnings(stub.real) == []
    stub.disk.troubles = ["the journal cannot be written"]
    assert warnings(stub.real, "the trace cannot be written") == [
        "the journal cannot be written", "the trace cannot be written"
    ]  # fmt: skip
    rows = dict(hud_rows(stub.real))
    assert rows["painter"] == "guided · bundled" and rows["checkpoint"] == f"bundled {'ab' * 6}, guided, 1 step"


def test_the_hud_counts_paints_and_names_words_it_does_not_know() -> None:
    session = Stub().real
    session.keeper = None
    session.step([Ask(0.1, "notes"), Text(0.2, "hello")], 0.2)
    session.desktop.prefer("style", "dark florble")
    rows = dict(hud_rows(session))
    assert rows["frames"] == f"0 painted, 0 cached, {session.statistics.skipped} skipped, {session.statistics.guide} guide"
    assert rows["no idea of"] == "florble" and "p95" in rows["event to patch"]


def test_the_hud_tells_how_far_the_painter_is_with_getting_ready() -> None:
    session: Any = Stub().real
    session.mailbox.readiness = Readiness("CUDA graphs", 1, 4)
    assert dict(hud_rows(session))["CUDA graphs"] == "1 of 4 ready"
    session.mailbox.readiness = Readiness("CUDA graphs", 1, 4, "a capture failed: no memory")
    assert dict(hud_rows(session))["CUDA graphs"] == "painting without: a capture failed: no memory"


def test_every_key_that_can_be_rebound_is_in_the_list_as_it_is_bound() -> None:
    listed = {key for key, _ in key_rows(Keys(ask="ctrl+k", quit="alt+f12"))}
    assert {"Ctrl+K", "Alt+F12", "F1", "F2", "F3", "F7", "F8", "F11", "Alt+Shift+Arrows"} <= listed


def test_the_list_of_keys_fits_into_the_smallest_usual_window(screen: Any) -> None:
    rows = key_rows(Keys())
    half = -(-len(rows) // 2)
    (w1, h1), (w2, h2) = size(screen, rows[:half]), size(screen, rows[half:])
    assert w1 + w2 <= SMALL[0] and max(h1, h2) <= SMALL[1]
    Panels().help(screen, Settings.model_construct().keys)
    assert pygame.surfarray.array3d(screen).any()


def test_long_labels_stay_between_the_icons_and_the_window_buttons(screen: Any) -> None:
    view = View.fit(SMALL, SMALL)
    Panels().labels(screen, ["guide shown, painter gave up: " + "a long reason " * 20], view)
    columns = np.flatnonzero(pygame.surfarray.array3d(screen).any((1, 2)))
    assert columns[0] > 80 and columns[-1] < SMALL[0] - 60


def test_damage_is_outlined_and_fades(screen: Any) -> None:
    stub, panels, view = Stub(), Panels(), View.fit(SMALL, SMALL)

    def redness(now: float) -> int:
        screen.fill((0, 0, 0))
        panels.hud(screen, stub.real, view, 0, now)
        return int(pygame.surfarray.array3d(screen)[400, 300, 0])

    panels.damaged([Rect(400, 300, 32, 16)], 10.0)
    assert redness(10.0) > redness(10.0 + FADE_S / 2) > redness(10.0 + FADE_S) == 0


def test_text_is_cut_and_wrapped_to_its_room(screen: Any) -> None:
    face = font(12)
    for line in wrapped(face, "one two three four five six seven eight nine ten", 90):
        assert face.size(line)[0] <= 90
    assert len(wrapped(face, "one two three four five six seven eight nine ten", 90)) == 2
    assert cut(face, "short", 500) == "short" and cut(face, "w" * 200, 90).endswith("…")


def test_the_hud_says_how_often_the_frame_cache_knew_a_patch_and_what_the_caps_are() -> None:
    stub = Stub()
    assert "frame cache" not in dict(hud_rows(stub.real))
    stub.real.statistics.looked_up, stub.real.statistics.found = 8, 6
    assert dict(hud_rows(stub.real))["frame cache"] == "75% of 8 patches were known"
    capped = cast(Any, stub.real.mailbox)
    capped.caps = Caps(paints=5, power=0.5)
    assert dict(hud_rows(stub.real))["at most"] == "5 paints a second, 50% of the time"

"""Text goes from here to other programs and from them to here; what comes in is an event, so that it is kept and replays."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.desktop.desktop import Desktop
from engine.events import Clip, Event, Text, as_record, from_record
from engine.recorder import Recorder
from engine.trace import Header, read_trace
from tests.conftest import need, needed
from tests.test_window import PATIENCE, Screen, start, wallpaper  # noqa: F401 - start is a fixture
from tests.test_window_loop import (  # noqa: F401 - the last is a fixture
    down,
    event,
    open_notes,
    session,
    settings,
    text_of,
    typed,
    without_a_screen,
)
from tests.user import User
from ui import clipboard
from ui.clipboard import LARGEST
from ui.display import open_window
from ui.window import Window

pygame = needed("pygame", "pygame-ce")
CTRL = pygame.KMOD_LCTRL
PASTE, COPY, CUT, ALL = (down(ord(key), CTRL) for key in "vcxa")


class Shown:
    """An open window on Notes, and another program beside it."""

    def __init__(self, screen: Any) -> None:
        self.session = session()
        self.window = Window(screen, self.session, settings())
        self.events: list[Event] = []
        self.t = 0.0
        self.does(*open_notes()[0])

    def does(self, *posted: Any) -> None:
        """One loop of the window."""
        for one in posted:
            pygame.event.post(one)
        self.t = round(self.t + 0.1, 1)
        events = self.window.read(self.t)
        self.session.step(events, self.t)
        self.window.clipboard.give()
        self.events += events

    def other_copies(self, text: str) -> None:
        pygame.scrap.put_text(text)

    @property
    def text(self) -> str:
        return text_of(self.session)

    @property
    def clips(self) -> list[str]:
        return [one.text for one in self.events if isinstance(one, Clip)]


@pytest.fixture
def shown() -> Iterator[Shown]:
    with open_window((512, 384), fullscreen=False) as screen:
        yield Shown(screen)


def test_what_is_copied_or_cut_here_goes_to_other_programs(shown: Shown) -> None:
    shown.does(*typed("one"))
    assert pygame.scrap.get_text() == "", "nothing was copied"
    shown.does(*ALL, *COPY)
    assert pygame.scrap.get_text() == "one" and shown.text == "one"
    shown.does(event(pygame.TEXTINPUT, text="é 中"), *ALL, *CUT)
    assert pygame.scrap.get_text() == "é 中" and not shown.text
    shown.does(*PASTE)
    assert shown.text == "é 中" and not shown.clips, "it is our own"


def test_what_was_copied_last_is_pasted_wherever_that_was(shown: Shown) -> None:
    shown.does(*typed("one"), *ALL, *COPY)
    shown.other_copies("two\r\nthree")
    shown.does(*ALL, *PASTE)
    assert shown.text == "two\nthree" and pygame.scrap.get_text() == "two\r\nthree", "it stays the other program's"
    shown.does(*PASTE)
    assert shown.clips == ["two\nthree"], "that is known"
    shown.does(*ALL, *typed("one"), *ALL, *COPY)
    shown.other_copies("four")
    shown.does(*ALL, *COPY)  # the same text again
    assert pygame.scrap.get_text() == "one"
    shown.does(*PASTE)
    assert shown.text == "one" and shown.clips == ["two\nthree"]
    shown.other_copies("two\r\nthree")
    shown.does(*ALL, *PASTE)
    assert shown.text == "two\nthree"


def test_what_is_copied_and_pasted_in_one_go_is_what_was_copied(shown: Shown) -> None:
    shown.other_copies("theirs")
    shown.does(*typed("ours"), *ALL, *COPY, *down(pygame.K_END), *PASTE)
    assert shown.text == "oursours" and pygame.scrap.get_text() == "ours"


def test_menus_offer_and_paste_what_another_program_copied(shown: Shown) -> None:
    shown.other_copies("theirs")
    shown.does(*down(pygame.K_F10, pygame.KMOD_LSHIFT))
    assert [w.name for w in shown.session.desktop.widgets if w.role == "entry"] == ["Paste"]
    shown.other_copies("theirs, later")
    shown.does(*down(pygame.K_RETURN))
    assert shown.text == "theirs, later"
    shown.does(*down(pygame.K_INSERT, pygame.KMOD_LSHIFT))
    assert shown.text == "theirs, later" * 2


def test_nobody_is_asked_before_somebody_pastes(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pygame.scrap, "get_text", lambda: pytest.fail("the clipboard was looked at"))
    shown.does(*typed("v"), *down(pygame.K_RETURN), *ALL, *COPY, event(pygame.MOUSEMOTION, pos=(9, 9), rel=(1, 1), buttons=(0, 0, 0)))


def test_a_clipboard_without_text_leaves_what_was_copied_here(shown: Shown) -> None:
    shown.does(*typed("one"), *ALL, *COPY)
    shown.other_copies("")  # as one that holds a picture
    shown.does(*PASTE)
    assert shown.text == "one" and not shown.clips


@pytest.mark.parametrize("given", ["x" * (LARGEST + 1), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), "slow"])
def test_what_cannot_be_had_is_said_and_nothing_else_is_pasted_for_it(shown: Shown, given: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def get_text() -> str:
        if isinstance(given, Exception):
            raise given
        return "" if given == "slow" else given

    shown.does(*typed("one"), *ALL, *COPY)
    monkeypatch.setattr(pygame.scrap, "get_text", get_text)
    if given == "slow":
        monkeypatch.setattr(clipboard, "SLOW_S", -1.0)
    shown.does(*down(pygame.K_END), *PASTE)
    assert shown.text == "one" and "nothing was pasted" in shown.session.desktop.notice


def test_what_no_other_program_can_hold_is_replaced_and_too_much_is_said(shown: Shown) -> None:
    shown.session.desktop.clipboard = "a\0b\ud800"
    shown.does()
    assert pygame.scrap.get_text() == "a\ufffdb?"
    shown.does(*PASTE)
    assert shown.text == "a\0b\ufffd" and not shown.clips, "here it is as it was"
    shown.session.desktop.clipboard = "x" * (LARGEST + 1)
    shown.does()
    assert pygame.scrap.get_text() == "" and "pasted here alone" in shown.session.desktop.notice
    shown.does(*ALL, *PASTE)
    assert len(shown.text) == LARGEST + 1


def test_what_was_pasted_is_pasted_again_by_a_replay(shown: Shown, tmp_path: Path) -> None:
    shown.other_copies("theirs ☃\nand more")
    shown.does(*PASTE)
    recorder = Recorder(tmp_path / "trace.jsonl", Header())
    recorder.take(shown.events)
    recorder.close()
    desktop = Desktop()
    for step in read_trace(recorder.path).steps:
        for one in step.events:
            desktop.handle(one)
    assert desktop.documents.contents == shown.session.desktop.documents.contents and "theirs ☃\nand more" in desktop.documents.contents.values()
    assert desktop.clipboard == "theirs ☃\nand more"


def test_a_clip_is_an_event_like_any_other_and_is_not_in_the_log() -> None:
    clip = Clip(1.0, "secret")
    assert from_record(as_record(clip)) == clip
    user = User("Notes")
    user.does(Clip, "secret")
    before = user.desktop.version
    assert user.desktop.clipboard == "secret" == user.comes_back().desktop.clipboard
    assert not any("secret" in line or "clip" in line for line in user.desktop.log_lines()) and user.desktop.version == before
    user.presses("ctrl+v")
    user.does(Text, "!")
    assert "secret!" in user.documents.contents.values()


@contextmanager
def copied(text: str, display: str) -> Iterator[subprocess.Popen[bytes]]:
    """Another program holds a text in the X clipboard."""
    tool, environ = need("xclip", "xclip"), {**os.environ, "DISPLAY": display}
    command = [tool, "-quiet", "-selection", "clipboard", "-in"]
    with subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as holder:
        assert holder.stdin is not None
        holder.stdin.write(text.encode())
        holder.stdin.close()
        until(lambda: held(display) == text, "xclip holds it")
        yield holder
        holder.send_signal(signal.SIGCONT)
        holder.terminate()


def held(display: str) -> str:
    """What a program pastes under X."""
    command = [need("xclip", "xclip"), "-selection", "clipboard", "-target", "UTF8_STRING", "-out"]
    done = subprocess.run(command, env={**os.environ, "DISPLAY": display}, capture_output=True, timeout=20)
    return done.stdout.decode() if done.returncode == 0 else ""


def until(so: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not so():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.05)


def test_text_goes_from_program_to_program_under_x_and_one_that_hangs_holds_nobody_up(
    start: Callable[[str], Screen], xvfb: str, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    screen = start("guide")
    screen.wait_for_window(wallpaper("light", "guide"))
    screen.ask("notes")
    time.sleep(0.5)

    def written(text: str) -> None:
        until(lambda: text in [path.read_text("utf-8") for path in screen.documents.glob("*.md")], f"{text!r} in Notes")

    with copied("Grüße ☃\nfrom elsewhere", xvfb):
        screen.inject("key", "ctrl+v")
        written("Grüße ☃\nfrom elsewhere")
    screen.inject("type", "--delay", "30", " and back")
    screen.inject("key", "ctrl+a", "ctrl+c")
    until(lambda: held(xvfb) == "Grüße ☃\nfrom elsewhere and back", "our text in the clipboard")
    with copied("never seen", xvfb) as holder:
        holder.send_signal(signal.SIGSTOP)
        screen.inject("key", "ctrl+v", "End")
        screen.inject("type", "--delay", "30", "goes on")
        written("goes on")
    screen.inject("key", "ctrl+q")
    assert screen.process.wait(30) == 0 and screen.process.stderr.read() == ""  # type: ignore[union-attr]

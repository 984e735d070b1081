"""The real window under a real X server: keys and pointer injected, the screen photographed and read back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import ImageGrab

from benchmarks.reading import errors
from engine.styles import PRESETS
from engine.theme import NEUTRAL, Role

ROOT = Path(__file__).resolve().parent.parent
SENTENCE = "Pack my box with five dozen liquor jugs"
PATIENCE = 60.0
Ocr = Callable[[np.ndarray], str]
Inject = Callable[..., str]


class Screen:
    """The program in its window, driven and looked at as a user would. Frame pixels are doubled on the screen."""

    def __init__(self, display: str, inject: Inject, profile: Path, checkpoint: str) -> None:
        self.inject = inject
        self.display = display
        self.documents = profile / "documents"
        self.origin = (0, 0)
        environ = {**os.environ, "DISPLAY": display}
        environ.pop("SDL_VIDEODRIVER", None)
        command = [sys.executable, "-m", "ui.cli", "run", "--profile", str(profile), "--checkpoint", checkpoint]
        self.process = subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True)

    def photo(self) -> np.ndarray:
        """uint8 (H, W, 3) of the whole screen."""
        return np.asarray(ImageGrab.grab(xdisplay=self.display).convert("RGB"))

    def until(self, seen: Callable[[np.ndarray], bool], what: str) -> np.ndarray:
        """Look until something is seen."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            photo = self.photo()
            if seen(photo):
                return photo
            assert self.process.poll() is None, f"the program ended: {self.process.stderr.read()}"  # type: ignore[union-attr]
            time.sleep(0.1)
        raise AssertionError(f"never seen: {what}")

    def wait_for_window(self, colour: np.ndarray) -> None:
        """Until the window shows mostly something near `colour` where only wallpaper is."""
        photo = self.until(self.lit, "the window")
        rows, columns = np.flatnonzero(photo.any((1, 2))), np.flatnonzero(photo.any((0, 2)))
        self.origin = (int(columns[0]), int(rows[0]))
        self.until(lambda p: self.near(p, (300, 40), colour), "the wallpaper")

    def frame(self, photo: np.ndarray) -> np.ndarray:
        """The frame as the window shows it, right of the icons: uint8 (384, 420, 3)."""
        x, y = self.origin
        return np.ascontiguousarray(photo[y : y + 768 : 2, x + 184 : x + 1024 : 2])

    def frame_at_window_size(self, photo: np.ndarray) -> np.ndarray:
        """The whole window with what it draws over the frame: uint8 (768, 1024, 3)."""
        x, y = self.origin
        return np.ascontiguousarray(photo[y : y + 768, x : x + 1024])

    def near(self, photo: np.ndarray, at: tuple[int, int], colour: np.ndarray, off: float = 24) -> bool:
        """Whether the screen around a frame pixel has a colour."""
        x, y = self.origin[0] + at[0] * 2, self.origin[1] + at[1] * 2
        return bool(np.abs(photo[y - 3 : y + 4, x - 3 : x + 4].mean((0, 1)) - colour).mean() < off)

    def move(self, x: int, y: int) -> None:
        self.inject("mousemove", str(self.origin[0] + x * 2), str(self.origin[1] + y * 2))
        time.sleep(0.1)

    def ask(self, text: str) -> None:
        self.inject("key", "ctrl+space")
        time.sleep(0.3)
        self.inject("type", "--delay", "25", text)
        time.sleep(0.3)
        self.inject("key", "Return")
        time.sleep(0.3)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(20)
        if self.process.stderr:
            self.process.stderr.close()

    @staticmethod
    def lit(photo: np.ndarray) -> bool:
        return bool((photo.any(2)).mean() > 0.3)


@pytest.fixture
def start(xvfb: str, xdotool: Inject, tmp_path: Path) -> Iterator[Callable[[str], Screen]]:
    screens: list[Screen] = []

    def open_screen(checkpoint: str) -> Screen:
        screens.append(Screen(xvfb, xdotool, tmp_path / "profile", checkpoint))
        return screens[-1]

    yield open_screen
    for screen in screens:
        screen.end()


def wallpaper(style: str, checkpoint: str) -> np.ndarray:
    """About the wallpaper's colour: the mean of its two in a style, the neutral one for the guide."""
    if checkpoint == "guide":
        return NEUTRAL[Role.WALLPAPER].astype(float)
    return PRESETS[style].palette()[[Role.WALLPAPER, -1]].astype(float).mean(0)


@pytest.mark.parametrize("checkpoint", ["guide", "bundled"])
def test_a_sentence_typed_into_the_window_is_painted_kept_and_found_again(
    start: Callable[[str], Screen], ocr: Ocr, checkpoint: str
) -> None:
    screen = start(checkpoint)
    screen.wait_for_window(wallpaper("light", checkpoint))
    screen.ask("notes")
    time.sleep(0.5)
    screen.inject("type", "--delay", "30", SENTENCE)

    def reads(photo: np.ndarray) -> bool:
        return errors(found(ocr(screen.frame(photo))), SENTENCE) <= 3

    first = screen.until(reads, "the sentence")

    screen.move(250, 20)  # drag the window by its title
    screen.inject("mousedown", "1")
    screen.move(290, 60)
    screen.move(330, 90)
    screen.inject("mouseup", "1")
    screen.move(490, 345)  # out of the way
    screen.until(lambda p: (p != first).any(2).mean() > 0.03 and reads(p), "the moved window")

    screen.ask("dark")
    if checkpoint != "guide":
        dark = screen.until(lambda p: screen.near(p, (300, 20), wallpaper("dark", checkpoint)), "the dark style")
        assert dark.mean() < first.mean() - 40
    screen.until(reads, "the sentence in the dark style")
    time.sleep(1.0)  # longer than the journal takes to commit
    os.kill(screen.process.pid, signal.SIGKILL)
    screen.process.wait(20)

    again = start(checkpoint)
    again.until(again.lit, "the window after the kill")
    again.until(reads, "the sentence after the kill")
    if checkpoint != "guide":
        again.origin = screen.origin
        again.until(lambda p: again.near(p, (300, 20), wallpaper("dark", checkpoint)), "the style after the kill")
    again.inject("key", "ctrl+q")
    assert again.process.wait(30) == 0


def found(text: str) -> str:
    """The line of what was read that looks most like the sentence."""
    return min(text.splitlines() or [""], key=lambda line: errors(line, SENTENCE))


def test_keys_of_the_window_write_nothing_and_the_hud_says_who_paints(start: Callable[[str], Screen], ocr: Ocr) -> None:
    screen = start("guide")
    screen.wait_for_window(wallpaper("light", "guide"))
    screen.ask("notes")
    time.sleep(0.5)
    screen.inject("type", "--delay", "30", "Pack my box with ")
    screen.inject("key", "alt+x")  # no shortcut of the desktop's: nothing, and no letter either
    screen.inject("key", "F1")
    middle = np.s_[192:576, :512]  # of the list's left half
    screen.until(lambda p: "HUD" in ocr(np.ascontiguousarray(screen.frame_at_window_size(p)[middle])), "the list of keys")
    screen.inject("key", "z")  # closes the list, and only that
    screen.inject("type", "--delay", "30", "five dozen liquor jugs")

    def reads(photo: np.ndarray) -> bool:
        return errors(found(ocr(screen.frame(photo))), SENTENCE) <= 3

    screen.until(reads, "the sentence")
    screen.inject("key", "F3")

    def told(photo: np.ndarray) -> bool:
        said = ocr(np.ascontiguousarray(screen.frame_at_window_size(photo)[8:260, 8:600]))  # the HUD's panel
        return all(word in said for word in ("no model", "guided", "Saved"))

    screen.until(told, "the HUD with painter, mode and what is saved")
    screen.inject("key", "F3")
    for _ in range(2):  # to full screen and back; the system takes a moment to change windows
        screen.inject("key", "F11")
        time.sleep(1)
    screen.inject("key", "ctrl+q")
    assert screen.process.wait(30) == 0 and screen.process.stderr.read() == ""  # type: ignore[union-attr]
    kept = [path.read_text() for path in screen.documents.glob("*.md")]
    assert kept == [SENTENCE], "letters of shortcuts were typed"


def test_a_second_window_on_the_same_profile_is_refused(start: Callable[[str], Screen]) -> None:
    first = start("guide")
    first.wait_for_window(wallpaper("light", "guide"))
    second = start("guide")
    assert second.process.wait(30) == 2
    said = second.process.stderr.read()  # type: ignore[union-attr]
    assert "already open" in said and "Traceback" not in said and len(said.strip().splitlines()) == 1


@pytest.mark.parametrize("named", [{}, {"DISPLAY": ":4321"}, {"WAYLAND_DISPLAY": "wayland-4321"}])
def test_without_a_display_there_is_one_clear_message(tmp_path: Path, named: dict[str, str]) -> None:
    """None is named, or nobody answers at the one that is."""
    without = ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER", "XDG_RUNTIME_DIR")
    environ = {k: v for k, v in os.environ.items() if k not in without} | named
    command = [sys.executable, "-m", "ui.cli", "run", "--profile", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "display" in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert all(f"{name}={value}" in done.stderr for name, value in named.items()) and not list(tmp_path.iterdir())


@pytest.mark.parametrize(("said", "why"), [(("--checkpoint", "FILE"), "bad.safetensors"), (("--device", "cuda:99"), "device 'cuda:99' is not there")])
def test_what_was_said_and_cannot_be_is_refused_before_there_is_a_window(tmp_path: Path, said: tuple[str, str], why: str) -> None:
    (tmp_path / "bad.safetensors").write_bytes(b"no tensors at all, however long one reads")
    option, value = said
    command = [sys.executable, "-m", "ui.cli", "run", "--profile", str(tmp_path / "profile"), option, value.replace("FILE", str(tmp_path / "bad.safetensors"))]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "SDL_VIDEODRIVER": "dummy"}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and why in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_sigterm_ends_the_program_cleanly(start: Callable[[str], Screen]) -> None:
    screen = start("guide")
    screen.wait_for_window(wallpaper("light", "guide"))
    screen.process.send_signal(signal.SIGTERM)
    assert screen.process.wait(30) == 0
    assert screen.process.stderr.read() == ""  # type: ignore[union-attr]

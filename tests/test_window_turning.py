"""The window while one thing is turned into another: pictures dropped on it, regions, previews, the strip in a dream."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.desktop.desktop import Desktop
from engine.errors import InputError
from engine.events import Drop
from engine.mailbox import DirectMailbox, MailboxStatus
from engine.painter import GuidePainter, PainterInfo, PainterSpec, Painting, PaintRequest, Patch
from engine.session import Session
from tests.conftest import need, needed
from tests.test_window_loop import down, draw, event, play, settings, typed
from ui.bringing import clipboard_picture
from ui.display import open_window
from ui.window import Window

pygame = needed("pygame", "pygame-ce")
SIZE = (512, 384)


@pytest.fixture(autouse=True)
def without_a_screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    yield
    pygame.display.quit()


class Negative(GuidePainter):
    """Its edits are negatives."""

    def __init__(self, spec: PainterSpec) -> None:
        super().__init__(spec)
        self.info = PainterInfo("negative", "sd-turbo", "", "guided", "cpu", "uint8", 4, turns=True)

    def paint(self, request: PaintRequest) -> Painting:
        if request.edit is None or request.guide is None:
            return super().paint(request)
        return Painting(request.seq, tuple(Patch(r, 255 - request.guide[r.slices]) for r in request.damage), "painted")


class Underway(DirectMailbox):
    """An edit of which two steps of four are done."""

    edit: PaintRequest | None = None

    def post(self, request: PaintRequest) -> None:
        if request.edit is not None or self.edit is not None:
            self.edit = request
            return
        super().post(request)

    @property
    def status(self) -> MailboxStatus:
        return MailboxStatus("painting", steps=(2, 4)) if self.edit else MailboxStatus("ready")

    def preview(self) -> np.ndarray | None:
        return np.full((SIZE[1], SIZE[0], 3), 77, np.uint8) if self.edit else None


def shown_by(mailbox: type[DirectMailbox] = DirectMailbox) -> Session:
    return Session(Desktop(SIZE), mailbox(Negative(PainterSpec(size=SIZE))))


def ask(words: str) -> list[Any]:
    return [*down(pygame.K_SPACE, pygame.KMOD_LCTRL), *typed(words), *down(pygame.K_RETURN)]


def test_a_dropped_picture_becomes_the_starting_frame_and_is_turned_into_something_else(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "Harbour.png")
    dropping = [event(pygame.DROPFILE, file=str(tmp_path / "Harbour.png"))]
    shown, events = play([dropping, down(pygame.K_RETURN), ask("make it night"), down(pygame.K_ESCAPE)], shown_by())
    assert [e.name for e in events if isinstance(e, Drop)] == ["Harbour.png"]
    strip = shown.desktop.turning.strip
    assert (strip.pixels(1, SIZE) == pixels).all() and strip.at == 2
    assert (shown.step([], 99.0).pixels == 255 - pixels).all()
    assert shown.desktop.documents.names() == ["Harbour.png"]


@contextmanager
def copied(picture: Path, display: str) -> Iterator[None]:
    """Another program holds a picture in the X clipboard."""
    tool, environ = need("xclip", "xclip"), {**os.environ, "DISPLAY": display}
    with subprocess.Popen([tool, "-quiet", "-selection", "clipboard", "-target", "image/png", "-in", picture], env=environ, stderr=subprocess.DEVNULL) as holder:
        end = time.monotonic() + 20
        while b"image/png" not in subprocess.run(
            [tool, "-selection", "clipboard", "-target", "TARGETS", "-out"], env=environ, capture_output=True, timeout=20
        ).stdout:
            assert time.monotonic() < end and holder.poll() is None
            time.sleep(0.05)
        yield
        holder.terminate()


def test_a_picture_in_the_x_clipboard_is_pasted_once_however_long_the_keys_are_held(
    xvfb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    monkeypatch.setenv("DISPLAY", xvfb)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    paste = down(ord("v"), pygame.KMOD_LCTRL | pygame.KMOD_LSHIFT)
    held = [one for one in paste if one.type == pygame.KEYDOWN]
    with copied(tmp_path / "a.png", xvfb):
        shown, events = play([held, held, paste, down(pygame.K_RETURN), ask("make it night"), down(pygame.K_ESCAPE)], shown_by())
    assert [e.name for e in events if isinstance(e, Drop)] == ["Pasted.png"] and shown.desktop.documents.names() == ["Pasted.png"]
    assert (shown.desktop.turning.strip.pixels(1, SIZE) == pixels).all()
    assert (shown.step([], 99.0).pixels == 255 - pixels).all()


def test_without_what_reads_the_clipboard_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for variable, tool in (("DISPLAY", "xclip"), ("WAYLAND_DISPLAY", "wl-paste")):
        monkeypatch.setenv(variable, ":99")
        with pytest.raises(InputError, match=f"takes {tool}; install it"):
            clipboard_picture(SIZE, 0.0)


@pytest.mark.parametrize("name", ["dream.safetensors", "Flux.GGUF", "old.ckpt", "folder/model_index.json"])
def test_a_checkpoint_that_is_dropped_on_the_window_is_told_where_it_belongs(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"{}")
    given = path.parent if path.suffix == ".json" else path
    shown, events = play([[event(pygame.DROPFILE, file=str(given))]], shown_by())
    assert not any(isinstance(e, Drop) for e in events) and not shown.desktop.documents.names()
    said = f"{given.name} is no picture; to paint with it, put it into the profile's checkpoints folder, or: pixelos models add {given}"
    assert any(said in line for line in shown.desktop.log_lines())


def test_what_is_no_picture_is_said_and_nothing_else_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    (tmp_path / "a.png").write_bytes(b"no picture at all")
    shown, events = play([[event(pygame.DROPFILE, file=str(tmp_path / "a.png"))], [event(pygame.DROPFILE, file=str(tmp_path))],
                          down(ord("v"), pygame.KMOD_LCTRL | pygame.KMOD_LSHIFT)], shown_by())  # fmt: skip
    assert not any(isinstance(e, Drop) for e in events) and not shown.desktop.documents.names()
    assert any("cannot be read as a picture" in line for line in shown.desktop.log_lines())
    assert any("is no file, or larger than 40 MB; drop a picture" in line for line in shown.desktop.log_lines())
    assert any("clipboard holds no picture" in line for line in shown.desktop.log_lines())


def test_a_region_is_outlined_while_it_is_drawn_and_only_there_something_changes() -> None:
    shown = shown_by()
    with open_window(SIZE, fullscreen=False) as screen:
        window = Window(screen, shown, settings())

        def loop(posted: list[Any], t: float) -> np.ndarray:
            for one in posted:
                pygame.event.post(one)
            draw(window, shown, window.read(t), t)
            return pygame.surfarray.array3d(screen).swapaxes(0, 1).copy()

        before = loop([], 0.1)
        outlined = loop(down(pygame.K_SPACE, pygame.KMOD_LCTRL | pygame.KMOD_LSHIFT), 0.2)
        assert (outlined != before).any() and (shown.step([], 0.2).pixels == shown.guide.pixels).all()
        loop([*down(pygame.K_RETURN), *typed("make it night"), *down(pygame.K_RETURN)], 0.3)
        loop(down(pygame.K_ESCAPE), 0.4)
    rect = shown.desktop.turning.strip.steps[1].region
    assert rect is not None and shown.desktop.turning.region is None
    frame, at_first = shown.step([], 0.5).pixels, Session(Desktop(SIZE), DirectMailbox(GuidePainter(PainterSpec(size=SIZE))))
    plain = at_first.step([], 0.1).pixels
    changed = (frame != plain).any(2)
    changed[rect.slices] = False
    assert not changed.any() and (frame[rect.slices] == 255 - plain[rect.slices]).all()


def test_progress_is_shown_with_a_preview_and_escape_stops_it() -> None:
    shown = shown_by(Underway)
    with open_window(SIZE, fullscreen=False) as screen:
        window = Window(screen, shown, settings())
        draw(window, shown, window.read(0.1), 0.1)
        for posted in ask("turn this into a cat"):
            pygame.event.post(posted)
        draw(window, shown, window.read(0.2), 0.2)
        assert "step 2 of 4" in shown.turner.says and "s left" in shown.turner.says
        assert (pygame.surfarray.array3d(screen) == 77).mean() > 0.8
        for posted in down(pygame.K_ESCAPE):
            pygame.event.post(posted)
        draw(window, shown, window.read(0.3), 0.3)
        draw(window, shown, window.read(0.4), 0.4)
        assert not (pygame.surfarray.array3d(screen) == 77).mean() > 0.8 and not shown.turner.says

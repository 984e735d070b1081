"""The screen: whether there is one, a window on it, full screen and back."""

from __future__ import annotations

import os

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pygame

from engine.errors import InputError
from engine.freed import WINDOWS, shape
from ui.view import first_size

REPEAT = (400, 35)  # ms until a held key repeats, and between repeats
TITLE = "Pixel OS"
SERVERS = ("WAYLAND_DISPLAY", "DISPLAY")
UNSEEN = ("offscreen", "dummy")  # what SDL draws with where no display server answers


def need_display() -> None:
    """Raises InputError where no window can be opened for want of a display."""
    if why := without_display():
        raise InputError(f"{why}; start this in a desktop session, or play a trace with pixelos replay")


def without_display() -> str:
    """Why no window can be opened for want of a display; "" where one can be, or the user says himself what SDL is to draw with."""
    if not sys.platform.startswith("linux") or os.environ.get("SDL_VIDEODRIVER"):
        return ""
    named = [f"{name}={os.environ[name]}" for name in SERVERS if os.environ.get(name)]
    if not named:
        return "there is no display"
    return "" if _answered() else f"no display server answers at {' or '.join(named)}"


def _answered() -> bool:
    """Whether SDL reaches a display server. Where it reaches none, it draws where nobody sees it, and says nothing."""
    with _quiet():
        try:
            pygame.display.init()
            return pygame.display.get_driver() not in UNSEEN
        except pygame.error:
            return False
        finally:
            pygame.display.quit()


@contextmanager
def _quiet() -> Iterator[None]:
    """Libraries that look for a display server write what they miss to stderr, where one message is to stand."""
    before = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


@contextmanager
def open_window(frame: tuple[int, int], fullscreen: bool) -> Iterator[pygame.Surface]:
    """A window for a frame of that size, closed again whatever happens. Ctrl-C and SIGTERM end it like its button."""
    need_display()
    shape(WINDOWS)
    try:
        pygame.display.init()
        pygame.font.init()
        screen = fill_screen() if fullscreen else set_window(first_size(frame, pygame.display.get_desktop_sizes()[0]))
    except pygame.error as error:
        pygame.display.quit()
        raise InputError(f"no window can be opened ({error}); start this in a desktop session") from error
    before = {number: signal.signal(number, _end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield screen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        pygame.display.quit()


def set_window(size: tuple[int, int]) -> pygame.Surface:
    """A window of that size, in place of what was open."""
    screen = _listening(pygame.display.set_mode(size, pygame.RESIZABLE))
    width, height = pygame.display.get_desktop_sizes()[0]
    _place((max(width - size[0], 0) // 2, max(height - size[1], 0) // 2))
    return screen


def fill_screen() -> pygame.Surface:
    """The whole screen at the resolution it has, in place of what was open."""
    if pygame.display.get_surface():
        _place((0, 0))  # without a window manager nobody else would move it there
    return _listening(pygame.display.set_mode(pygame.display.get_desktop_sizes()[0], pygame.FULLSCREEN))


def _place(at: tuple[int, int]) -> None:
    """Move the window, where the system lets programs do that."""
    with suppress(pygame.error):
        pygame.display.set_window_position(at)


def _listening(screen: pygame.Surface) -> pygame.Surface:
    """A new window has forgotten its title and how keys are read."""
    pygame.display.set_caption(TITLE)
    pygame.key.set_repeat(*REPEAT)
    pygame.key.start_text_input()
    return screen


def _end(number: int, frame: Any) -> None:
    pygame.event.post(pygame.event.Event(pygame.QUIT))

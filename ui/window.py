"""The window: input in, the session's frame out. It never waits for the painter."""

from __future__ import annotations

import os

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import pygame

from engine.errors import InputError
from engine.events import Ask, Down, Event, Key, Move, Text, Up, Wheel
from engine.recorder import Recorder
from engine.session import Frame, Session
from engine.settings import Settings
from engine.theme import Role
from ui.hud import Panels, status_lines
from ui.keymap import BUTTONS, key_event, key_of, mods_of
from ui.overlay import Echo, Pointer
from ui.view import View, first_size

BUSY_MS, IDLE_MS = 4, 50  # how long to wait for input while something is being painted, and while nothing is
REPEAT = (400, 35)  # ms until a held key repeats, and between repeats


def run(session: Session, settings: Settings, clock: Callable[[], float], recorder: Recorder | None = None) -> None:
    """Show the session until the user ends it. `clock` gives session seconds. Raises InputError without a display."""
    with _window(session.desktop.size, settings) as screen:
        window = Window(screen, session, settings)
        while not window.ended:
            events = window.read(clock())  # input, in frame pixels
            frame = session.step(events, clock())  # the desktop answers, the painter is asked
            window.show(frame)  # what there is
            if recorder:
                recorder.take(events)


class Window:
    """Pointer, panels and view of one open window."""

    def __init__(self, screen: pygame.Surface, session: Session, settings: Settings) -> None:
        self.ended = False
        self._screen = screen
        self._session = session
        self._settings = settings
        self._view = View.fit(session.desktop.size, screen.get_size())
        self._panels = Panels()
        self._pointer = Pointer()
        self._echo = Echo(session.guide.ink.copy())
        self._actions = settings.keys.bindings()
        self._hud = self._help = False
        self._hidden = False
        self._dirty = True
        self._told: list[str] = []
        self._shown = monotonic()
        self._fps = 0.0

    def read(self, t: float) -> list[Event]:
        """All input since the last call; waits a little where there is none. Moves in a row count as one."""
        busy = self._session.waiting or self._pointer.moving(monotonic()) or self._dirty
        first = pygame.event.wait(BUSY_MS if busy else IDLE_MS)
        events: list[Event] = []
        for event in [first, *pygame.event.get()]:
            for converted in self._convert(event, t):
                if isinstance(converted, Move) and events and isinstance(events[-1], Move):
                    events.pop()
                events.append(converted)
        return events

    def show(self, frame: Frame) -> None:
        """Draw if anything changed, at most as often as the settings allow."""
        session, now = self._session, monotonic()
        painted = frame.source in ("painted", "cached", "guide") and not session.waiting
        self._echo.follow(session.guide, frame.damage, painted)
        told = status_lines(session)
        changed = bool(frame.changed or frame.damage) or told != self._told or self._pointer.moving(now)
        self._dirty = self._dirty or changed or self._hud
        if self._hidden or not self._dirty or now - self._shown < 1 / self._settings.frame_cap:
            return
        palette = session.desktop.style.palette()
        self._view.show(self._screen, self._echo.over(frame.pixels, session.guide, palette[Role.INK]))
        self._told = told
        self._panels.status(self._screen, told)
        if self._hud:
            self._panels.hud(self._screen, session, self._view, self._fps)
        if self._help:
            self._panels.help(self._screen, self._settings.keys)
        self._pointer.draw(self._screen, self._view, now, palette)
        pygame.display.flip()
        self._fps = 0.9 * self._fps + 0.1 / max(now - self._shown, 1e-3)
        self._shown, self._dirty = now, self._pointer.moving(now)

    def _convert(self, event: pygame.event.Event, t: float) -> Iterator[Event]:
        kind = event.type
        if kind == pygame.QUIT:
            self.ended = True
        elif kind == pygame.KEYDOWN:
            yield from self._key(event, t)
        elif kind == pygame.TEXTINPUT:
            yield Text(t, event.text)
        elif kind == pygame.MOUSEMOTION:
            yield Move(t, *self._point(event.pos))
        elif kind == pygame.MOUSEBUTTONDOWN and event.button in BUTTONS:
            at = self._point(event.pos)
            self._pointer.press(monotonic())
            yield Down(t, BUTTONS[event.button], *at, mods_of(pygame.key.get_mods()))
        elif kind == pygame.MOUSEBUTTONUP and event.button in BUTTONS:
            yield Up(t, BUTTONS[event.button], *self._point(event.pos))
        elif kind == pygame.MOUSEWHEEL and event.y:
            yield Wheel(t, int(event.y))
        elif kind in (pygame.VIDEORESIZE, pygame.WINDOWSIZECHANGED):
            self._refit()
        elif kind in (pygame.WINDOWLEAVE, pygame.WINDOWENTER):
            self._pointer.inside, self._dirty = kind == pygame.WINDOWENTER, True
        elif kind in (pygame.WINDOWMINIMIZED, pygame.WINDOWHIDDEN):
            self._hidden = True
        elif kind in (pygame.WINDOWRESTORED, pygame.WINDOWSHOWN, pygame.WINDOWEXPOSED):
            self._hidden, self._dirty = False, True

    def _key(self, event: pygame.event.Event, t: float) -> Iterator[Event]:
        """The window's own keys are used here; all others go on."""
        if self._help:
            self._help, self._dirty = False, True
            return
        action = self._actions.get((frozenset(mods_of(event.mod)), key_of(event.key)), "")
        if action == "quit":
            self.ended = True
        elif action == "hud":
            self._hud, self._dirty = not self._hud, True
        elif action == "help":
            self._help, self._dirty = True, True
        elif action == "checkpoints":
            yield Ask(t, "settings")
        elif action == "fullscreen":
            pygame.display.toggle_fullscreen()
            self._refit()
        else:
            standard = {"ask": ("space", ("ctrl",)), "more_like_this": ("f7", ()), "less_like_this": ("f8", ())}
            pressed = key_event(event, t)
            if action in standard:
                pressed = Key(t, *standard[action])
            if pressed:
                yield pressed

    def _point(self, position: tuple[int, int]) -> tuple[int, int]:
        self._pointer.at = self._view.to_frame(*position)
        self._pointer.inside = self._view.holds(*position)
        self._dirty = True
        return self._pointer.at

    def _refit(self) -> None:
        self._screen = pygame.display.get_surface() or self._screen
        self._view = View.fit(self._session.desktop.size, self._screen.get_size())
        self._dirty = True


def need_display() -> None:
    """Raises InputError where no window can be opened for want of a display."""
    named = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"))
    if sys.platform.startswith("linux") and not named:
        raise InputError("there is no display; start this in a desktop session, or play a trace with pixelos replay")


@contextmanager
def _window(size: tuple[int, int], settings: Settings) -> Iterator[pygame.Surface]:
    """An open window, closed again whatever happens. Ctrl-C and SIGTERM end it like its close button."""
    need_display()
    try:
        pygame.display.init()
        pygame.font.init()
        desktop = pygame.display.get_desktop_sizes()[0]
        flags = pygame.RESIZABLE | (pygame.FULLSCREEN if settings.fullscreen else 0)
        screen = pygame.display.set_mode(first_size(size, desktop), flags)
    except pygame.error as error:
        raise InputError(f"no window can be opened ({error}); start this in a desktop session") from error
    pygame.display.set_caption("Pixel OS")
    pygame.mouse.set_visible(False)
    pygame.key.set_repeat(*REPEAT)
    pygame.key.start_text_input()
    before = {number: signal.signal(number, _end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield screen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        pygame.display.quit()


def _end(number: int, frame: Any) -> None:
    pygame.event.post(pygame.event.Event(pygame.QUIT))

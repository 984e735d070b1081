"""The window: input in, the session's frame out. It never waits for the painter."""

from __future__ import annotations

from ui import display  # isort: skip - first: it silences pygame's greeting

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from time import monotonic

import numpy as np
import pygame

from engine.errors import InputError
from engine.events import Ask, Down, Event, Key, Move, Text, Up, Wheel
from engine.recorder import Recorder
from engine.session import Frame, Session
from engine.settings import Settings
from engine.theme import NEUTRAL, Role
from engine.yielding import Yielding
from ui.bringing import clipboard_picture, dropped
from ui.clipboard import Clipboard, may_paste
from ui.gallery import Gallery
from ui.hud import Panels, SavedMark, guide_shown, warnings
from ui.keymap import BUTTONS, key_event, mods_of, name_of
from ui.overlay import Echo, Pointer, Preedit, Progress, draw_region, tools_over
from ui.picker import Picker
from ui.view import View, first_size

need_display = display.need_display
# How long to wait for input: while something is being painted or shown, while nothing is, while nobody can see it.
BUSY_MS, IDLE_MS, HIDDEN_MS = 4, 50, 500
LEAD_S = 0.006  # before a frame may be shown, a move is taken for it
HUD_S = 0.1  # how often the HUD is drawn anew while nothing else changes
POINTING = (pygame.MOUSEMOTION, pygame.MOUSEBUTTONDOWN, pygame.MOUSEBUTTONUP)
STANDARD = {"ask": ("space", ("ctrl",)), "region": ("space", ("ctrl", "shift")), "more_like_this": ("f7", ()), "less_like_this": ("f8", ())}


def run(
    session: Session, settings: Settings, clock: Callable[[], float], recorder: Recorder | None = None,
    idle: Callable[[], bool] = lambda: False, gallery: Gallery | None = None, yielding: Yielding | None = None,
) -> None:  # fmt: skip
    """Show the session until the user ends it. `clock` gives session seconds; `idle` is called once a loop, is quick, and says
    whether it has more to do at once; gallery: the checkpoints to choose from, where they can be changed; yielding: what gives the card back.

    Raises InputError without a display.
    """
    with display.open_window(session.desktop.size, settings.fullscreen) as screen:
        window = Window(screen, session, settings, gallery, yielding)
        while not window.ended:
            events = window.read(clock())  # input, in frame pixels
            session.watched = not window.hidden
            frame = session.step(events, clock())  # the desktop answers, the painter is asked
            window.clipboard.give()
            if recorder:
                recorder.take(events)
            window.busy = idle()
            if gallery:
                gallery.follow()
            if yielding:
                yielding.follow()
            window.show(frame, recorder.trouble if recorder else None)  # what there is


class Window:
    """Pointer, panels and view of one open window."""

    def __init__(
        self, screen: pygame.Surface, session: Session, settings: Settings, gallery: Gallery | None = None, yielding: Yielding | None = None,
    ) -> None:  # fmt: skip
        self.ended = False
        self.clipboard = Clipboard(session.desktop)
        self._screen = screen
        self._session = session
        self._settings = settings
        self._view = View.fit(session.desktop.size, screen.get_size())
        self._panels, self._saved = Panels(), SavedMark()
        self._gallery, self._yielding = gallery, yielding
        self._picker: Picker | None = None
        self._pointer, self._preedit, self._progress = Pointer(), Preedit(), Progress()
        self._echo = Echo(session.guide.ink.copy())
        self._actions = settings.keys.bindings()
        first = first_size(session.desktop.size, screen.get_size())
        self._windowed = first if settings.fullscreen else None  # the size to go back to from full screen
        self.hidden = False  # nobody can see it
        self.busy = False  # there is something to do beside waiting for input
        self._hud = self._help = False
        self._deaf = False  # the key that is down did something: what it writes is not typed
        self._pasted = False  # by the key that is down: while it is held, that is once
        self._dirty = True
        self._said: tuple[list[str], list[str]] = ([], [])
        self._shown: deque[float] = deque([0.0], maxlen=1000)  # when frames were shown in the last second
        self._later: list[Event] = []  # a move that is kept for the next frame
        self._moved = -1.0  # when the frame was shown after which input was taken last

    @property
    def presented(self) -> float:
        """When the last frame was begun that was presented, seconds of the monotonic clock; 0 before the first."""
        return self._shown[-1]

    def read(self, t: float) -> list[Event]:
        """All input since the last call; waits a little where there is none. Moves in a row count as one, and where nothing else comes one is
        handed out a frame: for a mouse that tells of a thousand a second the desktop would draw what nobody sees, on the painter's core."""
        events: list[Event] = [replace(event, t=t) for event in self._later]  # it happens when it is taken
        self._later = []
        begun, due = monotonic(), self._due
        until = min([begun + self._patience() / 1e3, *(then for then in (due - LEAD_S, due) if then > begun)])
        while True:
            late = events and monotonic() >= due - LEAD_S  # for what was kept its time has come
            for event in [*([] if late else [pygame.event.wait(max(round((until - monotonic()) * 1e3), 1))]), *pygame.event.get()]:
                for converted in self._convert(event, t):
                    if isinstance(converted, Move) and events and isinstance(events[-1], Move):
                        events.pop()
                    events.append(converted)
            early = monotonic() < due - LEAD_S and self._alone(events)
            if not early or monotonic() >= until:
                break
        if early:
            events, self._later = [], events
        elif events:
            self._moved = self._shown[-1]
        if any(isinstance(event, (Text, Key)) for event in events):
            self._saved.typed = monotonic()
        if may_paste(events, self._session.desktop):
            events = [*self.clipboard.take(t), *events]  # before all of them: what is copied among them was copied later
        return events

    @property
    def _due(self) -> float:
        """When the next frame may be shown, seconds of the monotonic clock."""
        return self._shown[-1] + 1 / self._settings.frame_cap

    def _alone(self, events: Sequence[Event]) -> bool:
        """Whether this is a move that nothing came with, and one was taken since the last frame that was shown. What is drawn or chosen with
        a held button goes by every move; a window that is moved or sized by the last."""
        held = self._session.desktop.router.pressed.rpartition("/")[2]
        strokes = bool(held) and not held.startswith(("title", "resize"))
        return len(events) == 1 and isinstance(events[0], Move) and self._moved == self._shown[-1] and not strokes

    def show(self, frame: Frame, recording: str | None = None) -> None:
        """Draw if anything changed, at most as often as the settings allow. `recording`: what keeps it from going on."""
        session, now = self._session, monotonic()
        guide = guide_shown(session)
        self._echo.follow(session.guide, frame.damage, painted=guide or not session.waiting, awaited=session.awaited)
        self._panels.damaged(frame.damage, now)
        said = warnings(session, recording), self._marks(now)
        drawn = self._progress.follow(session, now)
        changed = drawn or bool(frame.changed or frame.damage) or said != self._said or self._pointer.moving(now)
        since = now - self._shown[-1]
        self._dirty = self._dirty or changed or ((self._hud or self._picker is not None) and since >= HUD_S)
        if self.hidden or not self._dirty or now < self._due:
            return
        self._said = said
        self._draw(frame, NEUTRAL if guide else session.desktop.style.palette(), now)
        self._shown.append(now)
        self._dirty = self._pointer.moving(now)

    def _draw(self, frame: Frame, palette: np.ndarray, now: float) -> None:
        screen, session, view = self._screen, self._session, self._view
        pixels = self._echo.over(frame.pixels, session.guide, palette[Role.INK])
        view.show(screen, tools_over(self._progress.over(pixels), session))
        draw_region(screen, session.desktop, view)
        self._preedit.follow(session.desktop, view)
        self._preedit.draw(screen, view, palette)
        warned, marks = self._said
        self._panels.labels(screen, warned, view)
        self._panels.progress(screen, session.turner.says, view)
        self._panels.marks(screen, marks, session.desktop.widgets, session.desktop.size, view)
        if self._hud:
            away = self._yielding.says if self._yielding else ""
            self._panels.hud(screen, session, view, sum(now - when < 1 for when in self._shown), now, away)
        if self._help:
            self._panels.help(screen, self._settings.keys)
        if self._picker:
            self._picker.draw(screen)
        self._pointer.draw(screen, view, now, palette)
        pygame.display.flip()

    def _marks(self, now: float) -> list[str]:
        info, saved = self._session.mailbox.info, self._saved.word(self._session, now)
        return [*(["no model"] if info and info.family == "guide" else []), *([saved] if saved else [])]

    def _patience(self) -> int:
        """Milliseconds to wait for input."""
        session = self._session
        painting = session.waiting and session.mailbox.status.state in ("ready", "painting")
        if self.hidden:
            return HIDDEN_MS
        return BUSY_MS if painting or self.busy or self._dirty or self._pointer.moving(monotonic()) else IDLE_MS

    def _convert(self, event: pygame.event.Event, t: float) -> Iterator[Event]:
        kind = event.type
        if kind == pygame.QUIT:
            self.ended = True
        elif kind == pygame.KEYDOWN:
            yield from self._key(event, t)
        elif kind == pygame.KEYUP:
            self._deaf = self._pasted = False
        elif kind == pygame.TEXTINPUT:
            self._compose("")
            if event.text and not self._deaf:
                yield Text(t, event.text)
        elif kind == pygame.TEXTEDITING:
            self._compose(event.text)
        elif kind in POINTING:
            yield from self._point(event, t)
        elif kind == pygame.MOUSEWHEEL and self._picker:
            self._picker.wheel(int(event.y))
            self._dirty = True
        elif kind == pygame.DROPFILE:
            yield from self._brought(lambda: dropped(event.file, self._session.desktop.size, t))
        elif kind == pygame.MOUSEWHEEL and event.y:
            yield Wheel(t, int(event.y))
        elif kind in (pygame.VIDEORESIZE, pygame.WINDOWSIZECHANGED):
            self._refit()
        elif kind in (pygame.WINDOWLEAVE, pygame.WINDOWENTER):
            self._reach(self._view.holds(*pygame.mouse.get_pos()) and kind == pygame.WINDOWENTER)
        elif kind == pygame.WINDOWFOCUSLOST:
            self._compose("")
        elif kind in (pygame.WINDOWMINIMIZED, pygame.WINDOWHIDDEN):
            self.hidden = True
        elif kind in (pygame.WINDOWRESTORED, pygame.WINDOWSHOWN, pygame.WINDOWEXPOSED):
            self.hidden, self._dirty = False, True

    def _key(self, event: pygame.event.Event, t: float) -> Iterator[Event]:
        """The window's own keys are used here; all others go on."""
        self._deaf = True
        if self._help:
            self._help, self._dirty = False, True
            return
        if self._picker:
            self._picker.key(name_of(event))
            yield from self._picked(t)
            return
        action = self._actions.get((frozenset(mods_of(event.mod)), name_of(event)), "")
        if action == "quit":
            self.ended = True
        elif action == "hud":
            self._hud, self._dirty = not self._hud, True
        elif action == "help":
            self._help, self._dirty = True, True
        elif action == "checkpoints" and self._gallery:
            self._picker, self._dirty = Picker(self._gallery), True
        elif action == "checkpoints":
            yield Ask(t, "settings")
        elif action == "give_back":
            if self._yielding:
                self._yielding.toggle()
        elif action == "fullscreen":
            self._toggle_fullscreen()
        elif action in STANDARD:
            yield Key(t, *STANDARD[action])
        elif (name_of(event), mods_of(event.mod)) == ("v", ("ctrl", "shift")):
            if not self._pasted:
                yield from self._brought(lambda: clipboard_picture(self._session.desktop.size, t))
            self._pasted = True
        elif pressed := key_event(event, t):
            yield pressed
        else:
            self._deaf = False

    def _brought(self, read: Callable[[], Event]) -> Iterator[Event]:
        """A picture from outside; what is none is said."""
        try:
            yield read()
        except InputError as error:
            self._session.desktop.say(str(error))

    def _point(self, event: pygame.event.Event, t: float) -> Iterator[Event]:
        """Pointer and buttons. A press beside the frame is none; a release counts wherever it is."""
        at = self._pointer.at = self._view.to_frame(*event.pos)
        self._reach(self._view.holds(*event.pos))
        if self._picker and event.type != pygame.MOUSEBUTTONUP:
            self._picker.point(event.pos, getattr(event, "button", 0) == pygame.BUTTON_LEFT)
            yield from self._picked(t)
        elif event.type == pygame.MOUSEMOTION:
            yield Move(t, *at)
        elif event.button in BUTTONS and event.type == pygame.MOUSEBUTTONUP:
            yield Up(t, BUTTONS[event.button], *at)
        elif event.button in BUTTONS and self._help:
            self._help = False
        elif event.button in BUTTONS and self._pointer.inside:
            self._pointer.press(monotonic())
            yield Down(t, BUTTONS[event.button], *at, mods_of(pygame.key.get_mods()))

    def _picked(self, t: float) -> Iterator[Event]:
        """After the picker was worked: whether it is over."""
        self._dirty = True
        if self._picker and self._picker.ended:
            self._picker.gallery.expect(False)
            if self._picker.ended == "settings":
                yield Ask(t, "settings")
            self._picker = None

    def _reach(self, inside: bool) -> None:
        """The pointer is over the frame, where the window draws its own, or beside it, where the system does."""
        pygame.mouse.set_visible(not inside)
        self._pointer.inside, self._dirty = inside, True

    def _compose(self, text: str) -> None:
        self._dirty = self._dirty or text != self._preedit.text
        self._preedit.text = text

    def _toggle_fullscreen(self) -> None:
        if self._windowed:
            display.set_window(self._windowed)
            self._windowed = None
        else:
            self._windowed = self._screen.get_size()
            display.fill_screen()
        self._refit()

    def _refit(self) -> None:
        self._screen = pygame.display.get_surface() or self._screen
        self._view = View.fit(self._session.desktop.size, self._screen.get_size())
        self._dirty = True

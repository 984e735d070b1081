"""The desktop: windows, focus, text, files. What must never be wrong.

Give it events, in the order of their times; ask it for its scene (`widgets`) and for what to draw (`items`). The same
state and events always give the same scene. It draws no finished pixels and knows no painter.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from engine.context import Context
from engine.desktop import shell
from engine.desktop.app import App
from engine.desktop.apps.registry import APPS
from engine.desktop.ask_bar import AskBar, Suggestion, suggest
from engine.desktop.asking import TEXT_SIZES
from engine.desktop.canvas import Sheet
from engine.desktop.clock import START, Clock
from engine.desktop.diary import Diary
from engine.desktop.documents import Documents
from engine.desktop.features import features_of
from engine.desktop.looks import look
from engine.desktop.menu import Menu
from engine.desktop.routing import Router
from engine.desktop.screen import Parts, drawn
from engine.desktop.stack import WindowStack
from engine.desktop.text_field import TextField
from engine.desktop.turning import Turning
from engine.desktop.window import Window
from engine.desktop.wishes import grant
from engine.drawing import Item
from engine.events import Event
from engine.geometry import Rect
from engine.painter import ContextFeatures
from engine.scene import Widget
from engine.styles import PRESETS, Style
from engine.typeface import Face, line_height

NOTICE = 4.0  # seconds a notice stays


class Desktop:
    """`size` is (width, height) in frame pixels; `state` what `state()` returned; `start` the time of t = 0; `pictures`
    those of the strip's steps."""

    def __init__(
        self, size: tuple[int, int] = (512, 384), documents: Documents | None = None, start: datetime = START,
        state: dict[str, Any] | None = None, checkpoints: tuple[str, ...] = ("bundled", "guide"), pictures: dict[int, bytes] | None = None,
    ) -> None:  # fmt: skip
        state = state or {}
        self.size = size
        self.clock = Clock(start, state.get("t", 0.0), state.get("input_tick"))
        self.documents = documents or Documents()
        self.context = Context(state.get("context"))
        self._clipboard: str = state.get("clipboard", "")
        self.copies = 0  # how often the clipboard was filled
        self.checkpoints = checkpoints
        self._seed: int = state.get("seed", 1)
        self._diary = Diary(state.get("diary", ()))
        said, until = state.get("notice", ("", 0.0))
        self._notice: tuple[str, float] = (said, until)
        self.version = 0  # of all that windows show, but for where the pointer is and whether the caret is on
        self._sheet: Sheet | None = None
        self._parts = Parts()
        self.menu: Menu | None = None
        self.ask_bar: AskBar | None = self._ask_bar(state["ask_bar"]) if state.get("ask_bar") else None
        bar = shell.bar_height(self._line())
        self.stack = WindowStack(Rect(0, 0, size[0], size[1] - bar), self._line)
        known = [saved for saved in state.get("windows", []) if saved["app"] in APPS]
        self.stack.restore([(APPS[saved["app"]](self, saved["state"]), saved) for saved in known])
        self.router = Router(self, state.get("router", {}))
        self.turning = Turning(self, state.get("turning", {}), pictures)

    # What the session reads

    @property
    def widgets(self) -> list[Widget]:
        return self.sheet.widgets

    @property
    def items(self) -> list[Item]:
        return self.sheet.items

    @property
    def sheet(self) -> Sheet:
        if self._sheet is None:
            self._sheet = drawn(self, self.notice, self._parts)
        return self._sheet

    @property
    def notice(self) -> str:
        """What is said for a while, "" for nothing."""
        return self._notice[0]

    @property
    def style_words(self) -> str:
        return str(self.context.preferences.get("style", "light"))

    @property
    def style(self) -> Style:
        return look(self.style_words, self.documents)[0]

    @property
    def loras(self) -> dict[str, float]:
        """The LoRAs that are painted with, and their weights."""
        return {str(name): float(weight) for name, weight in self.preference("loras").items()}

    @property
    def t(self) -> float:
        return self.clock.t

    @property
    def now(self) -> datetime:
        return self.clock.now

    def features(self, style: Style | None = None, work: bool = True) -> ContextFeatures:
        """The context as numbers; `style` in place of the desktop's own; work: whether the open work is told, which who is shown the guide
        sees there."""
        return features_of(self, style or self.style, work)

    def state(self) -> dict[str, Any]:
        """All but documents and pictures, as JSON values that share nothing with the desktop's own.

        An open menu and buttons that are held are left out: see `resting`.
        """
        return {
            "t": self.t,
            "input_tick": self.clock.input_tick,
            "seed": self._seed,
            "clipboard": self.clipboard,
            "notice": list(self._notice),
            "diary": list(self._diary.lines),
            "ask_bar": self.ask_bar.state() if self.ask_bar else None,
            "router": self.router.state(),
            "windows": self.stack.state(),
            "context": self.context.state(),
            "turning": self.turning.state(),
        }

    @property
    def resting(self) -> bool:
        """Whether `state` holds all that the next events' meaning depends on."""
        return self.menu is None and not self.router.buttons

    # Input and time

    def handle(self, event: Event) -> None:
        """Take one event. Raises InputError if it names a widget that is not there; nothing has changed then."""
        self.advance(event.t)
        self.router.handle(event)
        if event.type not in ("wait", "move"):
            self.clock.input()
        if self._diary.took(event) and self.stack.of("Log"):
            self.stale()  # it shows that line
        self.context.observe(event, self.size, self.router.pointer)

    def advance(self, t: float) -> None:
        """Let time pass up to `t` seconds: ten ticks a second, deterministic."""
        before = self.now
        for tick in self.clock.advance(t):
            self._tick(tick)
        if (self.now - before).seconds >= 60 or self.now.minute != before.minute:
            self.stale()  # the clock shows another minute

    def sleep(self, t: float) -> None:
        """Go to time `t` without ticks: the program was not running meanwhile, and nobody holds a button any more."""
        self.clock.sleep(t)
        self.menu = None
        self.router.let_go()
        self.stale()

    def stale(self) -> None:
        """Something changed: draw anew when asked next."""
        self.version += 1
        self.stir()

    def stir(self) -> None:
        """Only what the pointer is on, or whether the caret is on, changed: draw anew when asked next; windows without either are
        taken as they were drawn."""
        self._sheet = None

    def note(self, kind: str, line: str) -> None:
        """A line for the log that does not change the screen by itself (a paint and its timing)."""
        self._diary.note(self.t, kind, line)
        self.version += bool(self.stack.of("Log"))  # whatever draws next shows it

    # System, as apps see it

    @property
    def clipboard(self) -> str:
        return self._clipboard

    @clipboard.setter
    def clipboard(self, text: str) -> None:
        self._clipboard, self.copies = text, self.copies + 1

    @property
    def text_size(self) -> int:
        return int(self.context.preferences.get("text_size", TEXT_SIZES[1]))

    def preference(self, key: str) -> Any:
        if key == "styles":
            return self.context.order_styles(list(PRESETS))
        if key == "checkpoints":
            return list(self.checkpoints)
        if key == "last_document":  # observed, not said: part of the context
            return self.context.last_document
        defaults = {"style": "light", "text_size": TEXT_SIZES[1], "size": f"{self.size[0]}x{self.size[1]}",
                    "mode": "guided", "checkpoint": "bundled", "loras": {}}  # fmt: skip
        return self.context.preferences.get(key, defaults.get(key))

    def prefer(self, key: str, value: Any) -> None:
        self.stale()
        if key == "last_document":
            self.context.last_document = value
            return
        self.context.preferences[key] = value
        if key == "text_size":
            self.stack.area = Rect(0, 0, self.size[0], self.size[1] - shell.bar_height(self._line()))
            self.stack.refit()
        self.stale()

    def open(self, app: str, **how: Any) -> None:
        self.stale()
        self.turning.strip.at = 0
        if how.get("document"):
            self.context.last_document = how["document"]
        window = self.stack.of(app)
        if window:
            self.stack.raise_(window)
            window.app.show(**how)
            return
        self.context.app_opened(app, self.now.hour)
        self.stack.add(APPS[app](self, {}, **how), shell.icon_width(self.text_size) + 9)

    def close(self, app: App) -> None:
        window = self.stack.of(app)
        if window:
            app.closing()
            self.stack.remove(window)
        self.stale()

    def retitle(self, app: App, title: str) -> None:
        window = self.stack.of(app)
        if window and window.title != title:
            window.title = title
            self.stale()

    def focus(self, app: App, name: str) -> None:
        window = self.stack.of(app)
        if window:
            window.focus = f"{window.name}/{name}"
            self.stale()

    def say(self, message: str) -> None:
        self._notice = (message, self.t + NOTICE)
        self._diary.note(self.t, "note", message)
        self.stale()

    def offer(self, checkpoints: tuple[str, ...]) -> None:
        """Other checkpoints can be chosen now."""
        if checkpoints != self.checkpoints:
            self.checkpoints = checkpoints
            self.stale()

    def log_lines(self) -> list[str]:
        return list(self._diary.lines)

    def known(self) -> list[str]:
        return self.context.describe()

    def forget(self) -> None:
        self.context.forget()
        self.stale()

    def random(self, below: int) -> int:
        self._seed = (self._seed * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self._seed >> 33) % below

    # Windows, as their frames see them

    @property
    def work_area(self) -> Rect:
        return self.stack.area

    def minimise(self, window: Window) -> None:
        window.minimised = True
        self.stack.lower(window)
        self.stale()

    def maximise(self, window: Window) -> None:
        self.stack.maximise(window)
        self.stale()

    def choose(self, window: Window) -> None:
        """A window's button in the taskbar: bring it to the front, or minimise it if it is there."""
        if window is self.stack.front:
            self.minimise(window)
        else:
            self.stack.raise_(window)
        self.stale()

    # The ask bar

    def toggle_ask_bar(self) -> None:
        self.stale()
        if self.ask_bar:
            self.ask_bar = self.turning.region = None
        else:
            self.menu = None
            self.ask_bar = self._ask_bar({})
            if self.turning.shown or self.turning.region:
                self.ask_bar.hint = self.turning.hint

    def ask(self, sentence: str) -> None:
        """Do what a sentence asks for."""
        self.ask_bar = None
        self.stale()
        if sentence.strip():
            grant(self, sentence)

    def rate(self, step: int) -> None:
        """More (+1) or less (-1) like the look of now."""
        self.context.rate(self.style_words, step)
        self.say(f"{'More' if step > 0 else 'Less'} like “{self.style_words}”: noted.")

    def _ask_bar(self, state: dict[str, Any]) -> AskBar:
        return AskBar(TextField(self), self._suggest, self.ask, self.toggle_ask_bar, state)

    def _suggest(self, typed: str) -> list[Suggestion]:
        apps = {app: APPS[app].icon for app in self.context.order(list(APPS), self.now.hour)}
        return suggest(typed, apps, self.context.last_document, self.documents.names(), self.preference("styles"))

    def _line(self) -> int:
        return line_height(Face(self.text_size))

    def _tick(self, t: float) -> None:
        front = None if self.ask_bar or self.menu or self.turning.shown else self.stack.front
        for window in self.stack.windows:
            window.app.in_front = window is front
            if window.app.tick():
                self.stale()
        if self.clock.caret_turns:
            self.stir()
        if self.notice and t >= self._notice[1]:
            self._notice = ("", 0.0)
            self.stale()

"""The desktop: windows, focus, text, files. What must never be wrong.

Give it events, in the order of their times; ask it for its scene (`widgets`) and for what to draw (`items`). The same
state and events always give the same scene. It draws no finished pixels and knows no painter.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

from engine.context import Context
from engine.desktop import shell
from engine.desktop.app import App
from engine.desktop.apps.registry import APPS
from engine.desktop.ask_bar import AskBar, Suggestion
from engine.desktop.asking import TEXT_SIZES, answer
from engine.desktop.canvas import Canvas, Sheet
from engine.desktop.documents import Documents
from engine.desktop.routing import Router
from engine.desktop.stack import WindowStack
from engine.desktop.text_field import TextField
from engine.desktop.window import Window
from engine.drawing import Item
from engine.events import Event
from engine.geometry import Rect
from engine.painter import ContextFeatures
from engine.scene import Touch, Widget
from engine.styles import PRESETS, Style, from_words
from engine.theme import Role
from engine.typeface import Face, line_height, width, wrap

START = datetime(2026, 1, 1, 9, tzinfo=timezone.utc)
TICKS = 10  # a second
BLINK = 5  # ticks the caret is on, then off
NOTICE = 4.0  # seconds a notice stays
LONGEST_PAUSE = 600  # seconds of ticks that are caught up with after a gap; apps slept through the rest
LOG_LINES = 400


class Desktop:
    """`size` is (width, height) in frame pixels; `state` what `state()` returned; `start` the time of t = 0."""

    def __init__(
        self,
        size: tuple[int, int] = (512, 384),
        documents: Documents | None = None,
        start: datetime = START,
        state: dict[str, Any] | None = None,
        checkpoints: tuple[str, ...] = ("bundled", "guide"),
    ) -> None:
        state = state or {}
        self.size = size
        self.start = start
        self.documents = documents or Documents()
        self.context = Context(state.get("context"))
        self.clipboard: str = state.get("clipboard", "")
        self.t: float = state.get("t", 0.0)
        self.checkpoints = checkpoints
        self._ticks = int(self.t * TICKS)
        self._input_tick = self._ticks
        self._seed: int = state.get("seed", 1)
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._notice: tuple[str, float] = ("", 0.0)
        self._sheet: Sheet | None = None
        self._style: tuple[str, Style] = ("", PRESETS["light"])
        self.menu: shell.Menu | None = None
        self.ask_bar: AskBar | None = None
        bar = shell.bar_height(self._line())
        self.stack = WindowStack(Rect(0, 0, size[0], size[1] - bar), self._line)
        self.stack.restore(state.get("windows", []), self._make)
        self.router = Router(self)

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
            self._sheet = self._draw()
        return self._sheet

    @property
    def style_words(self) -> str:
        return str(self.context.preferences.get("style", "light"))

    @property
    def style(self) -> Style:
        words = self.style_words
        if self._style[0] != words:
            self._style = (words, from_words(words)[0])
        return self._style[1]

    @property
    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.t)

    def features(self) -> ContextFeatures:
        apps = [w.name for w in self.stack.windows]
        return self.context.features(self.style, self.text_size, list(APPS), apps, self.now.hour)

    def state(self) -> dict[str, Any]:
        """All but the documents, as JSON values that share nothing with the desktop's own."""
        return {
            "t": self.t,
            "seed": self._seed,
            "clipboard": self.clipboard,
            "windows": self.stack.state(),
            "context": self.context.state(),
        }

    # Input and time

    def handle(self, event: Event) -> None:
        """Take one event. Raises InputError if it names a widget that is not there; nothing has changed then."""
        self.advance(event.t)
        self.router.handle(event)
        if event.type not in ("wait", "move"):
            self._input_tick = self._ticks
        if event.type != "move":
            self._log.append(_told(event))
        self.context.observe(event, self.size)

    def advance(self, t: float) -> None:
        """Let time pass up to `t` seconds: ten ticks a second, deterministic."""
        last = int(t * TICKS + 1e-6)
        self._ticks = max(self._ticks, last - LONGEST_PAUSE * TICKS)
        while self._ticks < last:
            self._ticks += 1
            self._tick()
        if int(t // 60) != int(self.t // 60):
            self.stale()
        self.t = max(self.t, t)

    def sleep(self, t: float) -> None:
        """Go to time `t` without ticks: the program was not running meanwhile."""
        self.t = max(self.t, t)
        self._ticks = self._input_tick = int(self.t * TICKS)
        self.stale()

    def stale(self) -> None:
        """Something changed: draw anew when asked next."""
        self._sheet = None

    def note(self, line: str) -> None:
        """A line for the log that does not change the screen by itself (a paint and its timing)."""
        self._log.append(line)

    # System, as apps see it

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
                    "mode": "guided", "checkpoint": "bundled"}  # fmt: skip
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
        self._log.append(f"{self.t:8.1f}  note   {message}")
        self.stale()

    def log_lines(self) -> list[str]:
        return list(self._log)

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

    def window_menu(self, window: Window) -> list[tuple[str, Callable[[], None]]]:
        return [
            *window.app.menu(),
            ("Restore" if window.normal else "Maximise", lambda: self.maximise(window)),
            ("Minimise", lambda: self.minimise(window)),
            ("Close", lambda: self.close(window.app)),
        ]

    def desktop_menu(self) -> list[tuple[str, Callable[[], None]]]:
        return [
            ("Ask…", self.toggle_ask_bar),
            ("Notes", lambda: self.open("Notes")),
            ("Look and text size", lambda: self.open("Settings")),
        ]

    # The ask bar

    def toggle_ask_bar(self) -> None:
        self.stale()
        if self.ask_bar:
            self.ask_bar = None
        else:
            self.menu = None
            self.ask_bar = AskBar(TextField(self), self._suggest, self.ask, self.toggle_ask_bar)

    def ask(self, sentence: str) -> None:
        """Do what a sentence asks for."""
        self.ask_bar = None
        self.stale()
        if not sentence.strip():
            return
        reply = answer(sentence, list(APPS), self.documents.names(), self.text_size)
        window = self.stack.of(reply.close) if reply.close else None
        if reply.open:
            self.open(reply.open)
        elif reply.document:
            self.open("Paint" if reply.document.endswith(".png") else "Notes", document=reply.document)
        elif window:
            self.close(window.app)
        elif reply.prefer:
            self.prefer(*reply.prefer)
        if reply.message:
            self.say(reply.message)

    def rate(self, step: int) -> None:
        """More (+1) or less (-1) like the look of now."""
        self.context.rate(self.style_words, step)
        self.say(f"{'More' if step > 0 else 'Less'} like “{self.style_words}”: noted.")

    def _suggest(self, typed: str) -> list[Suggestion]:
        folded = typed.strip().casefold()
        order = self.context.order(list(APPS), self.now.hour)
        entries = [Suggestion(app, APPS[app].icon, "app") for app in order]
        last = self.context.last_document
        if last in self.documents.contents:
            entries.insert(2, Suggestion(last, "document", "last document"))
        entries += [Suggestion(n, "document", "document") for n in self.documents.names() if n != last]
        entries += [Suggestion(s, "paint", "style") for s in self.preference("styles")]
        return [e for e in entries if folded in e.text.casefold()][:5]

    # Inside

    def _line(self) -> int:
        return line_height(Face(self.text_size))

    def _make(self, name: str, state: dict[str, Any]) -> App | None:
        return APPS[name](self, state) if name in APPS else None

    def _tick(self) -> None:
        front = None if self.ask_bar or self.menu else self.stack.front
        for window in self.stack.windows:
            window.app.in_front = window is front
            if window.app.tick():
                self.stale()
        if (self._ticks - self._input_tick) % BLINK == 0:
            self.stale()
        if self._notice[0] and self._ticks / TICKS >= self._notice[1]:
            self._notice = ("", 0.0)
            self.stale()

    def _draw(self) -> Sheet:
        on = (self._ticks - self._input_tick) // BLINK % 2 == 0
        router = self.router
        sheet = Sheet(self.text_size, router.focus, router.hover, router.pressed, on)
        canvas = Canvas(sheet, Rect(0, 0, *self.size))
        shell.draw_icons(canvas.part(self.stack.area), list(APPS.values()), self.open, self.desktop_menu)
        front = self.stack.front
        for window in self.stack.windows:
            if not window.minimised:
                window.draw(canvas.part(self.stack.area), window is front, self)
        area = self.stack.area
        bar = canvas.part(Rect(0, area.bottom, self.size[0], self.size[1] - area.bottom))
        shell.draw_taskbar(
            bar, self.stack.windows, front, self.now, self.toggle_ask_bar, self.choose, self.window_menu
        )
        self._draw_notice(canvas)
        if self.ask_bar:
            self.ask_bar.draw(canvas.part(area))
        if self.menu:
            self.menu.draw(canvas, router.pick)
        return sheet

    def _draw_notice(self, canvas: Canvas) -> None:
        text = self._notice[0]
        if not text:
            return
        area = self.stack.area
        lines = wrap(canvas.face, text, area.w - 40)
        w = max(width(canvas.face, line) for line in lines) + 24
        h = canvas.line * len(lines) + 13
        box = Rect(area.right - w - 8, area.bottom - h - 8, w, h)
        canvas.fill(box, Role.SURFACE, "menu")
        canvas.outline(box, Role.ACCENT, shape="menu")
        for i, line in enumerate(lines):
            canvas.text_in(Rect(box.x + 12, box.y + 6 + i * canvas.line, w - 24, canvas.line), line)
        canvas.widget("label", "notice", box, Touch(), text)


def _told(event: Event) -> str:
    what = getattr(event, "text", None) or getattr(event, "key", None) or getattr(event, "target", None) or ""
    where = f"{event.x}, {event.y}" if hasattr(event, "x") else ""  # type: ignore[attr-defined]
    return f"{event.t:8.1f}  {event.type:<6} {what}{where}"

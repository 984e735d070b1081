"""Where input goes: the pointer to the widget under it, keys to the widget that has the focus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine import scene
from engine.desktop.menu import Menu, desktop_entries, window_entries
from engine.desktop.wishes import restyle
from engine.errors import InputError
from engine.events import Ask, Click, Clip, Down, Drag, Drop, Event, Key, Move, Style, Text, Up, Wheel
from engine.scene import Touch, Widget

if TYPE_CHECKING:
    from engine.desktop.desktop import Desktop
    from engine.desktop.window import Window

DOUBLE = 0.45  # seconds within which a second press counts as a double click
SLACK = 4  # pixels by which it may miss
STEP = 16  # pixels a window moves or grows by key
NOTHING = Touch()


class Router:
    """Pointer state, focus and key bindings of one desktop. `hover`, `pressed` and `focus` are widget paths."""

    def __init__(self, desktop: Desktop, state: dict[str, Any]) -> None:
        self.desktop = desktop
        x, y = state.get("pointer", (0, 0))
        self.pointer: tuple[int, int] = (x, y)
        self.buttons: tuple[str, ...] = ()
        self.hover: str = state.get("hover", "")
        self.pressed = ""
        self._held: Widget | None = None
        t, path, x, y, clicks = state.get("last_press", (-1.0, "", 0, 0, 0))
        self._last_press: tuple[float, str, int, int, int] = (t, path, x, y, clicks)
        self._shell_focus: str = state.get("shell_focus", "")

    def state(self) -> dict[str, Any]:
        """As JSON values; all but what is held."""
        last = list(self._last_press)
        return {"pointer": list(self.pointer), "hover": self.hover, "last_press": last, "shell_focus": self._shell_focus}

    def let_go(self) -> None:
        """No button is held any more, and none was released."""
        self.buttons, self._held, self.pressed = (), None, ""

    @property
    def focus(self) -> str:
        desktop = self.desktop
        if desktop.ask_bar:
            return "ask/field"
        front = desktop.stack.front
        return front.focus if front else self._shell_focus

    def handle(self, event: Event) -> None:
        match event:
            case Move():
                self._move(event.x, event.y)
            case Down():
                self._move(event.x, event.y)
                self._down(event)
                self.desktop.stale()
            case Up():
                self._move(event.x, event.y)
                self._up(event)
            case Wheel():
                self._wheel(event.dy)
            case Key():
                self._key(event.key, event.mods)
                self.desktop.stale()
            case Text():
                self._text(event.text)
                self.desktop.stale()
            case Ask():
                self.desktop.ask(event.text)
            case Style():
                restyle(self.desktop, event.text)
            case Click():
                self._click(event)
            case Drag():
                self._drag(event)
            case Drop():
                self.desktop.turning.drop(event)
            case Clip():
                self.desktop.clipboard = event.text

    def pick(self, index: int) -> None:
        """An entry of the open menu was chosen."""
        menu, self.desktop.menu = self.desktop.menu, None
        self.desktop.stale()
        if menu:
            menu.entries[index][1]()

    # Pointer

    def _move(self, x: int, y: int) -> None:
        width, height = self.desktop.size
        self.pointer = max(0, min(width - 1, x)), max(0, min(height - 1, y))
        if self._held:
            held = self._now(self._held)
            touch = held.touch or NOTHING if held else NOTHING
            if touch.drag:
                touch.drag(*self.pointer)
                self.desktop.stale()
            return
        widget = scene.at(self.desktop.widgets, *self.pointer)
        path = widget.path if widget else ""
        if path != self.hover:
            self.hover = path
            self.desktop.stir()

    def _down(self, event: Down) -> None:
        self.buttons = (*(b for b in self.buttons if b != event.button), event.button)
        x, y = self.pointer
        widget = scene.at(self.desktop.widgets, x, y)
        if widget is None or self._dismissed(widget):
            return
        self._focus_on(widget)
        if event.button == "right":
            self._open_menu(widget, x, y)
        elif event.button == "left":
            t, path, px, py, clicks = self._last_press
            again = path == widget.path and event.t - t <= DOUBLE and abs(x - px) <= SLACK and abs(y - py) <= SLACK
            clicks = clicks + 1 if again else 1
            self._last_press = (event.t, widget.path, x, y, clicks)
            self._held = widget
            self.pressed = widget.path
            if widget.touch and widget.touch.press:
                widget.touch.press(x, y, clicks, event.mods)

    def _up(self, event: Up) -> None:
        self.buttons = tuple(b for b in self.buttons if b != event.button)
        if event.button != "left" or not self._held:
            return
        held = self._now(self._held)
        touch = held.touch or NOTHING if held else NOTHING
        self._held, self.pressed = None, ""
        self.desktop.stale()
        if touch.release:
            touch.release(*self.pointer)
        if held and touch.click and held.rect.holds(*self.pointer):
            touch.click()
        self.desktop.stale()
        self._move(*self.pointer)

    def _wheel(self, dy: int) -> None:
        self.desktop.stale()
        for widget in reversed(self.desktop.widgets):
            if widget.touch and widget.rect.holds(*self.pointer):
                if widget.touch.wheel and widget.touch.wheel(dy):
                    break
                if widget.role in ("window", "menu", "bar"):
                    break
        self.desktop.stale()

    def _dismissed(self, widget: Widget) -> bool:
        """A press outside an open menu closes it and is used up; outside the ask bar it only closes the bar."""
        desktop = self.desktop
        if desktop.menu and not widget.path.startswith("menu"):
            desktop.menu = None
            return True
        if desktop.ask_bar and not widget.path.startswith(("ask", "strip")):
            desktop.toggle_ask_bar()
        return False

    def _focus_on(self, widget: Widget) -> None:
        name = widget.path.partition("/")[0]
        window = self.desktop.stack.of(name)
        if window and (widget.path == name or widget.path.startswith(name + "/")):
            if window is not self.desktop.stack.front:
                self.desktop.stack.raise_(window)
            if widget.touch and widget.touch.focusable:
                window.focus = widget.path
        elif widget.touch and widget.touch.focusable and widget.path.startswith("icons/"):
            self._shell_focus = widget.path

    def _open_menu(self, widget: Widget, x: int, y: int) -> None:
        touch = widget.touch or NOTHING
        window = self.desktop.stack.of(widget.path.partition("/")[0])
        entries = touch.menu() if touch.menu else window_entries(self.desktop, window) if window else ()
        if entries:
            self.desktop.ask_bar = None
            self.desktop.menu = Menu(x, y, entries)
        self.desktop.stale()

    def _now(self, widget: Widget) -> Widget | None:
        """The same widget as it is drawn now; None if it is gone, with its window or its list."""
        return next((w for w in self.desktop.widgets if w.path == widget.path and w.role == widget.role), None)

    # Widgets named by a trace

    def _click(self, event: Click) -> None:
        x, y = self._visible_point(event.target)
        self.handle(Down(event.t, "left", x, y))
        self.handle(Up(event.t, "left", x, y))

    def _drag(self, event: Drag) -> None:
        x, y = self._visible_point(event.target)
        self.handle(Down(event.t, "left", x, y))
        to_x, to_y = event.to
        self._move((x + to_x) // 2, (y + to_y) // 2)
        self.handle(Up(event.t, "left", to_x, to_y))

    def _visible_point(self, target: str) -> tuple[int, int]:
        """A point at which the front widget of that name (or a part of it) would get a click."""
        widgets = self.desktop.widgets
        widget = scene.find(widgets, target)
        rect = widget.rect
        spots = [rect.centre]
        spots += [(rect.x + rect.w * i // 8, rect.y + rect.h * j // 8) for j in (4, 1, 7, 2, 6) for i in range(1, 8)]
        for exact in (True, False):
            for x, y in spots:
                hit = scene.at(widgets, x, y)
                if hit and (hit.path == widget.path or (not exact and hit.path.startswith(widget.path + "/"))):
                    return x, y
        raise InputError(f"the widget {target!r} is covered or does not answer the pointer; bring it to the front first")

    # Keys

    def _key(self, key: str, mods: tuple[str, ...]) -> None:
        desktop = self.desktop
        if desktop.menu:
            self._menu_key(key)
        elif desktop.turning.key(key, mods):
            return
        elif (key, mods) == ("space", ("ctrl",)):
            desktop.toggle_ask_bar()
        elif key in ("f7", "f8") and not mods:
            desktop.rate(1 if key == "f7" else -1)
        elif not (self._widget_key(key, mods) or self._window_key(key, mods)):
            self._shell_key(key, mods)

    def _menu_key(self, key: str) -> None:
        menu = self.desktop.menu
        assert menu is not None
        count = len(menu.entries)
        if key in ("up", "down"):
            menu.chosen = (menu.chosen + (1 if key == "down" else -1)) % count
        elif key in ("enter", "space"):
            self.pick(menu.chosen)
        elif key in ("escape", "tab"):
            self.desktop.menu = None

    def _widget_key(self, key: str, mods: tuple[str, ...]) -> bool:
        """Offer a key to the focused widget, to the ask bar, to the app."""
        desktop = self.desktop
        widget = self._focused()
        touch = widget.touch if widget and widget.touch else NOTHING
        if touch.key and touch.key(key, mods):
            return True
        plain = not set(mods) & {"ctrl", "alt", "meta"}
        if plain and touch.text and (len(key) == 1 or key == "space"):
            char = " " if key == "space" else key
            touch.text(char.upper() if "shift" in mods else char)
            return True
        if desktop.ask_bar:
            return desktop.ask_bar.key(key, mods)
        if plain and touch.click and key in ("enter", "space"):
            touch.click()
            return True
        front = desktop.stack.front
        return bool(front and front.app.key(key, mods))

    def _window_key(self, key: str, mods: tuple[str, ...]) -> bool:
        """Keys that move, size, close and switch windows."""
        desktop, window = self.desktop, self.desktop.stack.front
        if key == "tab" and mods in (("alt",), ("alt", "shift"), ("shift", "alt")):
            self._switch("shift" in mods)
            return True
        if key == "tab" and set(mods) <= {"shift"} or key == "f6":
            self._next_focus(-1 if "shift" in mods else 1)
            return True
        if window is None:
            return False
        if (key, mods) in (("w", ("ctrl",)), ("f4", ("alt",))):
            desktop.close(window.app)
        elif (key, mods) == ("m", ("alt",)):
            desktop.minimise(window)
        elif (key, mods) == ("enter", ("alt",)):
            desktop.maximise(window)
        elif (key, mods) == ("f10", ("shift",)):
            widget = self._focused()
            place = widget.rect.centre if widget and widget.touch and widget.touch.menu else None
            x, y = place or (window.rect.x + 8, window.rect.y + 28)
            self._open_menu(widget if place and widget else self._chrome(window), x, y)
        elif "alt" in mods and key in ("left", "right", "up", "down"):
            dx = {"left": -STEP, "right": STEP}.get(key, 0)
            dy = {"up": -STEP, "down": STEP}.get(key, 0)
            desktop.stack.nudge(window, *((0, 0, dx, dy) if "shift" in mods else (dx, dy)))
        else:
            return False
        return True

    def _shell_key(self, key: str, mods: tuple[str, ...]) -> None:
        if self.desktop.stack.front is None and key in ("up", "down", "left", "right"):
            self._next_focus(1 if key in ("down", "right") else -1)
        elif (key, mods) == ("f10", ("shift",)):
            self.desktop.menu = Menu(90, 60, desktop_entries(self.desktop))

    def _text(self, text: str) -> None:
        """Composed text goes to the focused widget; where that takes none, it counts as key presses."""
        if self.desktop.menu:
            self.desktop.menu = None
        if self.desktop.turning.deaf:
            return
        widget = self._focused()
        if widget and widget.touch and widget.touch.text:
            widget.touch.text(text)
            return
        for char in text:
            key = "space" if char == " " else char.lower()
            if len(key) == 1 or key == "space":
                self._widget_key(key, ())
                self.desktop.stale()

    def _focused(self) -> Widget | None:
        focus = self.focus
        return next((w for w in reversed(self.desktop.widgets) if w.path == focus), None) if focus else None

    def _chrome(self, window: Window) -> Widget:
        return scene.find(self.desktop.widgets, f"{window.name}/title")

    def _next_focus(self, step: int) -> None:
        front = self.desktop.stack.front
        prefix = f"{front.name}/" if front else "icons/"
        paths = [w.path for w in self.desktop.widgets if w.touch and w.touch.focusable and w.rect and w.path.startswith(prefix)]
        if not paths:
            return
        focus = self.focus
        now = paths.index(focus) if focus in paths else (-1 if step > 0 else 0)
        chosen = paths[(now + step) % len(paths)]
        if front:
            front.focus = chosen
        else:
            self._shell_focus = chosen

    def _switch(self, back: bool) -> None:
        stack = self.desktop.stack
        if len(stack.windows) < 2 and stack.front:
            return
        if back and stack.windows:
            stack.raise_(stack.windows[0])
        elif stack.windows:
            front = stack.front
            others = [w for w in stack.windows if w is not front]
            stack.raise_(others[-1])
            if front and not back:
                stack.lower(front)

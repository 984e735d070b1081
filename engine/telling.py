"""What events did, in plain words, for a painter that is told in words: from the scene's own knowledge of what they hit.

A painter is shown its last frame, so a drag is told by how far it went since then, not since the button went down.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from engine.errors import InputError
from engine.events import Ask, Click, Down, Drag, Event, Key, Move, Style, Text, Up, Wheel
from engine.painter import TOLD
from engine.scene import Widget, at, find

LONGEST = 40  # characters of anything that is quoted
OVER = "The pointer is over "
BACK = "back to where it was"
GRIPS = frozenset(("title", "handle"))  # which do nothing until they are moved
ACROSS = frozenset(("editor", "field", "canvas"))  # which stay where they are as the pointer is dragged
EDGES = {"resize-left": "left edge", "resize-right": "right edge", "resize-bottom": "lower edge", "resize": "lower right corner"}
KEYS = {"pageup": "Page up", "pagedown": "Page down"}
WHATEVER = "Show what it does."
CLICKED = {
    "icon": "Show the window that opens.", "entry": "Show the menu gone and what the entry does.", "toggle": "Show it chosen.",
    "row": "Show it chosen.", "editor": "Show the caret there.", "field": "Show the caret there.",
}  # fmt: skip
DRAGGED = {
    "title": "Show the window there.", "handle": "Show the window in its new size.", "scrollbar": "Show what stands beside it scrolled.",
    "slider": "Show it there.", "editor": "Show what it passed selected.", "field": "Show what it passed selected.",
    "canvas": "Show the stroke.", "region": "Show the region there.",
}  # fmt: skip
_WAY = rf"{BACK}|\d+ pixels (?:(?:left|right)(?: and \d+ (?:up|down))?|up|down)"
_DRAG = re.compile(rf"The user (?P<does>is dragging|dragged) (?P<what>.+) (?P<way>{_WAY})\. (?P<shown>Show .+)")


def told(events: Sequence[Event], before: Sequence[Widget], pointer: tuple[int, int] = (0, 0)) -> tuple[str, ...]:
    """A sentence for each event that is worth one, oldest first, the last TOLD. before: the widgets that the events met; pointer: where it
    was, frame pixels."""
    teller = _Teller(before, pointer)
    for event in _joined(events):
        teller.take(event)
    teller.tell_held()
    return teller.said


def added(earlier: tuple[str, ...], later: tuple[str, ...]) -> tuple[str, ...]:
    """What was told and what is told next, the last TOLD. A drag that goes on is one drag, and of what the pointer passed over only the
    last is worth telling."""
    said = list(earlier)
    for sentence in later:
        drag, before = _DRAG.fullmatch(sentence), _DRAG.fullmatch(said[-1]) if said else None
        if drag and before and before["does"] == "is dragging" and before["what"] == drag["what"]:
            (x, y), (more_x, more_y) = _steps(before["way"]), _steps(drag["way"])
            said[-1] = f"The user {drag['does']} {drag['what']} {way(x + more_x, y + more_y)}. {drag['shown']}"
        elif said and sentence.startswith(OVER) and said[-1].startswith(OVER):
            said[-1] = sentence
        else:
            said.append(sentence)
    return tuple(said[-TOLD:])


def _joined(events: Sequence[Event]) -> list[Event]:
    """Letters typed one after another as one text."""
    joined: list[Event] = []
    for event in events:
        last = joined[-1] if joined else None
        if isinstance(event, Text) and isinstance(last, Text):
            joined[-1] = Text(last.t, last.text + event.text)
        else:
            joined.append(event)
    return joined


class _Teller:
    """Follows the pointer and the focus through events. held: what the left button is down on; fresh: whether it went down among these
    events; start: where the pointer was when a drag of it was told last."""

    def __init__(self, before: Sequence[Widget], pointer: tuple[int, int]) -> None:
        self.said: tuple[str, ...] = ()
        self._before = before
        self._pointer = self._start = pointer
        self._held = next((w for w in before if "pressed" in w.state), None)
        self._fresh = False
        self._focus = next((w for w in reversed(before) if "focused" in w.state), None)
        self._menu = next((w for w in before if w.role == "menu"), None)

    def take(self, event: Event) -> None:
        if not isinstance(event, Move | Up):
            self.tell_held()
        match event:
            case Down():
                self._pointer = event.x, event.y
                self._down(at(self._before, *self._pointer), event.button)
            case Move():
                self._pointer = event.x, event.y
                if not _drags(self._held):
                    self._say(f"{OVER}{self._named(at(self._before, *self._pointer))}.")
            case Up():
                self._pointer = event.x, event.y
                if event.button == "left":
                    self._up()
            case Wheel():
                self._say(f"The user scrolled {'up' if event.dy > 0 else 'down'} {self._scrolled()}.")
            case Text():
                caret = self._focus is None or self._focus.role in ("editor", "field")
                self._say(f"The user typed {_quoted(event.text)}{self._within(self._focus)}. {'The text appears at the caret.' if caret else WHATEVER}")
            case Key():
                self._say(f"The user pressed {_key(event)}{self._within(self._menu or self._focus)}.")
            case Ask() | Style():
                self._focus = None
                self._say(f"The user asked for {_quoted(event.text)}.")
            case Click() | Drag():
                self._by_name(event)

    def tell_held(self) -> None:
        """What became of the button that is still held."""
        held = self._held
        if held is None or not _drags(held):
            return
        if self._pointer != self._start:
            self._say_drag(held, "is dragging")
        elif self._fresh and held.role in GRIPS:
            self._say(f"The user took hold of {self._named(held)}.")
        elif self._fresh:
            self._say_click(held, "left")
        self._fresh = False

    def _down(self, hit: Widget | None, button: str) -> None:
        if button != "left" or not _drags(hit) or self._menu:  # what is outside a menu only closes it
            self._say_click(hit, button)
        if button == "left" and not (self._menu and hit and not hit.path.startswith("menu")):
            self._held, self._start, self._fresh = hit, self._pointer, True
        self._focus, self._menu = self._focus_after(hit), None

    def _up(self) -> None:
        held, self._held = self._held, None
        if held is None or not _drags(held):
            return
        if self._pointer != self._start:
            self._say_drag(held, "dragged")
        elif self._fresh:
            self._say_click(held, "left")
        else:
            self._say(f"The user let go of {self._named(held)}.")

    def _by_name(self, event: Click | Drag) -> None:
        """An event of a trace, as the button and the pointer would have been."""
        try:
            widget = find(self._before, event.target)
        except InputError:  # it comes with what these events do
            self._focus = None
            self._say(f"The user {'clicked' if isinstance(event, Click) else 'dragged'} {_quoted(event.target)}.")
            return
        self._pointer = widget.rect.centre
        self._down(widget, "left")
        self._pointer = event.to if isinstance(event, Drag) else self._pointer
        self._up()

    def _focus_after(self, hit: Widget | None) -> Widget | None:
        """What keys go to once something was pressed; None where the scene does not say."""
        window = self._window(hit)
        if hit is None or window is None:
            return self._focus if hit and hit.path.startswith("ask") else None
        if hit.touch and hit.touch.focusable:
            return hit
        return self._focus if "active" in window.state else None

    # Words

    def _say(self, sentence: str) -> None:
        self.said = added(self.said, (sentence,))

    def _say_click(self, hit: Widget | None, button: str) -> None:
        by = "" if button == "left" else f" with the {button} button"
        self._say(f"The user clicked {self._named(hit)}{by}. {self._shown(hit, button)}")

    def _say_drag(self, held: Widget, does: str) -> None:
        (x, y), (from_x, from_y) = self._pointer, self._start
        window = self._window(held)
        fixed = held.role == "title" and window is not None and "maximised" in window.state
        shown = WHATEVER if fixed else DRAGGED.get(held.role, WHATEVER)
        across = "across " if held.role in ACROSS else ""
        self._say(f"The user {does} {across}{self._named(held)} {way(x - from_x, y - from_y)}. {shown}")
        self._start = self._pointer

    def _shown(self, hit: Widget | None, button: str) -> str:
        """What a click asks to be shown."""
        window = self._window(hit)
        if self._menu and hit and not hit.path.startswith("menu"):
            return "Show the menu gone."
        if hit is None:
            return WHATEVER
        if button == "right":
            return "Show the menu." if window or (hit.touch and hit.touch.menu) else WHATEVER
        if button != "left":
            return WHATEVER
        if window and hit.path == f"{window.path}/{hit.name}" and hit.name in ("close", "minimise", "maximise"):
            whole = "Show the window in its former size." if "maximised" in window.state else "Show the window fill the screen."
            return whole if hit.name == "maximise" else "Show the window gone."
        if hit.path.startswith("taskbar/") and hit.name != "Launcher":
            return "Show the window gone." if "active" in hit.state else CLICKED["icon"]
        if hit.role in ("title", "window") and window and "active" not in window.state:
            return "Show the window in front."
        return WHATEVER if hit.value is True else CLICKED.get(hit.role, WHATEVER)

    def _scrolled(self) -> str:
        """What a wheel turns under the pointer, as the desktop looks for it."""
        for widget in reversed(self._before):
            if widget.touch and widget.rect.holds(*self._pointer):
                if widget.touch.wheel:
                    return f"in {self._named(widget)}"
                if widget.role in ("window", "menu", "bar"):
                    break
        return f"over {self._named(at(self._before, *self._pointer))}"

    def _within(self, widget: Widget | None) -> str:
        return f" in {self._named(widget)}" if widget else ""

    def _window(self, widget: Widget | None) -> Widget | None:
        """The window that it stands in, or is."""
        root = widget.path.partition("/")[0] if widget else None
        return next((w for w in self._before if w.role == "window" and w.path == root), None)

    def _named(self, widget: Widget | None) -> str:
        """A widget by its role, its name, and the window it stands in."""
        if widget is None or widget.role == "desktop":
            return "the desktop"
        window = self._window(widget)
        whose = f"the window {_quoted(window.name)}" if window and window.name else ""
        if widget is window:
            return whose or "the window"
        part = {"title": "title bar", "editor": "text", "handle": EDGES.get(widget.name, "edge")}.get(widget.role)
        if part:
            return f"the {part}{f' of {whose}' if whose else ''}"
        root = widget.path.partition("/")[0]
        outside = {"taskbar": " in the taskbar", "menu": " in the menu"}.get(root, "") if "/" in widget.path else ""
        name = f" {_quoted(widget.name)}" if widget.name and widget.name != widget.role else ""
        return f"the {widget.role}{name}{f' in {whose}' if whose else outside}"


def _drags(widget: Widget | None) -> bool:
    return bool(widget and widget.touch and widget.touch.drag)


def way(x: int, y: int) -> str:
    """How far, pixels: '120 pixels right and 30 down'."""
    parts = [f"{abs(n)} {ways[n > 0]}" for n, ways in ((x, ("left", "right")), (y, ("up", "down"))) if n]
    return " and ".join(parts).replace(" ", " pixels ", 1) if parts else BACK


def _steps(way: str) -> tuple[int, int]:
    """The pixels that `way` was given."""
    far = {direction: int(n) for n, direction in re.findall(r"(\d+) (?:pixels )?(left|right|up|down)", way)}
    return far.get("right", 0) - far.get("left", 0), far.get("down", 0) - far.get("up", 0)


def _key(event: Key) -> str:
    return "+".join((*(mod.capitalize() for mod in event.mods), KEYS.get(event.key, event.key.capitalize())))


def _quoted(text: str) -> str:
    """On one line, shortened, in quotes that it cannot end."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).replace("'", "’").split())
    return f"'{plain if len(plain) <= LONGEST else plain[: LONGEST - 1] + '…'}'"

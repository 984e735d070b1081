"""Layout in words: windows made larger, hidden, brought back, closed, put on a half of the screen or side by side."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.desktop.stack import SIDES, half
from engine.errors import InputError

if TYPE_CHECKING:
    from engine.desktop.desktop import Desktop
    from engine.desktop.stack import WindowStack
    from engine.desktop.window import Window

_WHICH = r"(?P<which>.+?)"
_FORMS = (  # what is to be done, and how it is said; the first that fits the whole sentence counts
    ("tile", rf"(?:tile|arrange)(?: {_WHICH})??(?: side by side| in a grid)?"),
    ("tile", rf"(?:(?:put|place|show) )?(?:{_WHICH} )??side by side"),
    ("tile", rf"(?:(?:put|place|show) )?{_WHICH} in a grid"),
    ("maximise", rf"maximi[sz]e(?: {_WHICH})?"),
    ("maximise", rf"(?:make )?(?:{_WHICH} )??full[ -]?(?:size|screen)"),
    ("minimise", rf"(?:minimi[sz]e|hide)(?: {_WHICH})?"),
    ("restore", rf"(?:restore|unmaximi[sz]e|unminimi[sz]e|unhide|bring back)(?: {_WHICH})?"),
    ("restore", rf"bring {_WHICH} back"),
    ("close", rf"close(?: {_WHICH})?"),
    ("close", rf"quit {_WHICH}"),
    (
        "half",
        rf"(?!.*\bon top$|(?:add|draw|give|make|turn|paint an?) )(?:(?:put|move|place|snap|dock|send) )?(?:{_WHICH} )??(?:(?:on|to|at|in) )?(?:the )?"
        rf"(?P<side>{'|'.join(SIDES)}|upper|lower)(?:[ -]hand)?(?: (?:half|side|edge))?(?: of (?:the )?(?:screen|desktop))?",
    ),
)
_BARE = r"(?:show|see|reveal|clear)(?: me)? (?:the |my )?desktop"
_EVERY = r"everything|all|them(?: all)?|every (?:window|app)|(?:all (?:of )?)?(?:(?:the|my|open) )*(?:windows|apps)"
_FRONT = r"it|this|that|window|(?:the|this|my) (?:(?:front|current|active) )?(?:window|one|app|document|note)"
_NAMED = r"(?:the |my )?(.+?)(?: app| window| document| note| picture)?"


@dataclass(frozen=True, slots=True)
class Arrangement:
    """act: tile, maximise, minimise, restore, close, or the half to put on, one of `SIDES`. names: of apps and documents;
    none of them and not every: the window in front. lost: what was said in place of a name."""

    act: str
    names: tuple[str, ...] = ()
    every: bool = False
    lost: str = ""


def arrangement(folded: str, named: Callable[[str], str]) -> Arrangement | None:
    """What a sentence says about layout; None where it is about something else.

    folded: without regard to case. named: the app or document of a name, "" for none.
    """
    said = folded.rstrip(" .!?").removeprefix("please ").removesuffix(" please").rstrip(",")
    if re.fullmatch(_BARE, said):
        return Arrangement("minimise", every=True)
    for act, form in _FORMS:
        if found := re.fullmatch(form, said):
            act = {"upper": "top", "lower": "bottom"}.get(found["side"], found["side"]) if act == "half" else act
            return _of_windows(act, found["which"] or "", named)
    return None


def _of_windows(act: str, which: str, named: Callable[[str], str]) -> Arrangement:
    if re.fullmatch(_EVERY, which) or (act == "tile" and not which):
        return Arrangement(act, every=True)
    if not which or re.fullmatch(_FRONT, which):
        return Arrangement(act)
    names = [_name(which, named)]
    if not names[0]:
        names = [_name(part, named) for part in re.split(r", and |,? and |, ", which)]
    return Arrangement(act, tuple(names)) if all(names) else Arrangement(act, lost=which)


def _name(said: str, named: Callable[[str], str]) -> str:
    bare = re.fullmatch(_NAMED, said)
    return named(said) or (named(bare[1]) if bare else "")


def arrange(desktop: Desktop, wish: Arrangement) -> None:
    """Do it. Raises InputError, and changes nothing, where a window is meant that is not there."""
    stack, windows = desktop.stack, _meant(desktop.stack, wish)
    desktop.turning.go(0)
    if wish.act == "tile":
        stack.tile(windows)
    elif wish.act == "minimise":
        for window in reversed(windows):  # front first: their order stays
            desktop.minimise(window)
    elif wish.act == "close":
        for window in windows:
            desktop.close(window.app)
    elif wish.act in SIDES:
        for window in windows:
            stack.put(window, half(stack.area, wish.act))
    else:
        for window in windows:
            if not window.normal if wish.act == "maximise" else window.normal and not window.minimised:
                desktop.maximise(window)
            stack.raise_(window)
    desktop.stale()


def _meant(stack: WindowStack, wish: Arrangement) -> list[Window]:
    """The windows that a wish is about, back to front; those to be tiled in the order of the taskbar, or as they were named."""
    if wish.lost:
        raise InputError(f"No app or document is called “{wish.lost}”. Say one that is open, such as “maximise notes”.")
    if wish.names:
        return [_open(stack, name) for name in dict.fromkeys(wish.names)]
    seen = [w for w in stack.windows if not w.minimised]
    if wish.every:
        found = sorted(seen or stack.windows, key=lambda w: w.name) if wish.act == "tile" else list(stack.windows)
    elif wish.act == "restore" and not (stack.front and stack.front.normal):
        found = [w for w in stack.windows if w.minimised]
    else:
        found = seen[-1:]
    if found:
        return found
    if not stack.windows:
        raise InputError("No window is open. Ask for an app, such as “notes”.")
    if wish.act == "restore":
        raise InputError("No window is maximised or minimised; “tile the windows” shows them all.")
    raise InputError("All windows are minimised. Say which is meant, or “restore”.")


def _open(stack: WindowStack, name: str) -> Window:
    """The window of an app, or the one that shows a document."""
    window = stack.of(name) or next((w for w in stack.windows if w.app.shown_document() == name), None)
    if window is None:
        raise InputError(f"{name} is not open. Ask for “{name}” to open it.")
    return window

"""The kinds of transition that are scored, as a table: name, stage, lead, act. What the columns mean: `scenes.Kind`.

The stage is empty wherever the event uncovers what lies beneath: a painter cannot know a wallpaper it never saw.
"""

from __future__ import annotations

from benchmarks.scenes import (
    Kind,
    Step,
    ask,
    by,
    down,
    key,
    moved,
    over,
    right_down,
    right_up,
    style,
    text,
    to_the_minute,
    up,
    wait,
    wheel,
)
from engine.desktop.apps.registry import APPS

LETTERS = tuple("abcdefghijklmnopqrstuvwxyz")
CAPITALS = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
DIGITS = tuple("0123456789")
PUNCTUATION = tuple(".,;:!?-()'\"")
ACCENTED = tuple("àâçéèêëîïôöüßñåø")
OTHER_LETTERS = tuple("αβγδλπσω" "абвгджюя")
WORDS = ("the", "and", "for", "line", "word", "note")

Row = tuple[str, tuple[Step, ...], tuple[Step, ...], Step]
CLICK: tuple[Step, ...] = (down, up)
PAGE = (ask("{text}"), moved)  # Notes with a document, the caret at its start
END = (*PAGE, key("ctrl+end"))
MIDDLE = (*PAGE, key("down"), key("end"))
CALCULATOR = (ask("Calculator"), moved)
SUM = (text("12", "7", "305"), text("+", "-", "*", "/"), text("4", "91", "18"))
SNAKE = (ask("Snake"), moved)
PAINT = (ask("Paint"), moved)
SETTINGS = (ask("Settings"), moved)
FILES = (ask("Files"), moved)
TWO = (ask("{other}"), ask("{app}"))
LAUNCHER = (key("ctrl+space"),)

_TYPING: tuple[Row, ...] = (
    ("letter typed", END, (text(*WORDS),), text(*LETTERS)),
    ("capital typed", END, (text(*WORDS),), text(*CAPITALS)),
    ("digit typed", END, (text(*WORDS),), text(*DIGITS)),
    ("punctuation typed", END, (text(*WORDS),), text(*PUNCTUATION)),
    ("accented letter typed", END, (text(*WORDS),), text(*ACCENTED)),
    ("letter of another alphabet typed", END, (text(*WORDS),), text(*OTHER_LETTERS)),
    ("space typed", END, (text(*WORDS),), key("space")),
    ("letter typed within a line", MIDDLE, (key("left"), key("left")), text(*LETTERS)),
    ("letter typed over a selection", END, (key("shift+left"), key("shift+left")), text(*LETTERS)),
    ("first letter of a document", (ask("Notes"), moved, key("ctrl+n")), (), text(*CAPITALS)),
    ("line broken", END, (text(*WORDS),), key("enter")),
    ("letter taken back", END, (text(*WORDS),), key("backspace")),
    ("word taken back", END, (text(*WORDS),), key("ctrl+backspace")),
    ("letter deleted", MIDDLE, (key("home"),), key("delete")),
    ("count at rest", END, (text(*WORDS),), wait(0.45)),
)
_TEXT: tuple[Row, ...] = (
    ("caret left", END, (text(*WORDS),), key("left")),
    ("caret right", MIDDLE, (key("home"),), key("right")),
    ("caret up", END, (text(*WORDS),), key("up")),
    ("caret down", PAGE, (key("ctrl+home"),), key("down")),
    ("caret home", MIDDLE, (key("left"),), key("home")),
    ("caret to the end of the line", MIDDLE, (key("home"),), key("end")),
    ("caret to the next word", MIDDLE, (key("home"),), key("ctrl+right")),
    ("caret put by a click", MIDDLE, (over("Notes/text"),), down),
    ("caret blinks", END, (text(*WORDS),), wait(0.55)),
    ("letter selected", END, (text(*WORDS),), key("shift+left")),
    ("line selected", MIDDLE, (key("left"),), key("shift+home")),
    ("line above selected", END, (key("left"),), key("shift+up")),
    ("everything selected", END, (text(*WORDS),), key("ctrl+a")),
    ("word selected by a double click", MIDDLE, (over("Notes/text"), *CLICK), down),
    ("selected by dragging", PAGE, (over("Notes/text"), down), by(50, 24)),
    ("selection cut", END, (key("shift+home"),), key("ctrl+x")),
    ("pasted", END, (key("shift+home"), key("ctrl+c"), key("end")), key("ctrl+v")),
    ("undone", END, (text(*WORDS),), key("ctrl+z")),
    ("redone", END, (text(*WORDS), key("ctrl+z")), key("ctrl+y")),
    ("heading made", (*END, key("enter")), (text(*WORDS),), key("ctrl+1", "ctrl+2")),
    ("list item made", (*END, key("enter")), (text(*WORDS),), key("ctrl+l")),
    ("find opened", PAGE, (key("down"),), key("ctrl+f")),
    ("find typed into", PAGE, (key("ctrl+f"), text("t", "a")), text("e", "h", "n")),
    ("next found", PAGE, (key("ctrl+f"), text("e", "a", "o")), key("enter")),
    ("find closed", PAGE, (key("ctrl+f"), text("e", "a")), key("escape")),
    ("scrolled down by the wheel", PAGE, (over("Notes/text"),), wheel(-1)),
    ("scrolled up by the wheel", END, (over("Notes/text"),), wheel(1)),
    ("page down", PAGE, (key("down"),), key("pagedown")),
    ("page up", END, (key("left"),), key("pageup")),
    ("new document", PAGE, (key("down"),), key("ctrl+n")),
    ("next document", PAGE, (key("down"),), key("ctrl+tab")),
    ("list of documents shown", PAGE, (key("down"),), key("ctrl+d")),
    ("another document chosen", PAGE, (key("ctrl+d"),), key("down", "up")),
)
_APPS: tuple[Row, ...] = (
    *((f"{app} asked for", (), (), ask(app)) for app in APPS),
    *((f"{app} opened by its icon", (), (over(f"icons/{app}"), down), up) for app in APPS),
    *((f"{app} opened by the launcher", (), (*LAUNCHER, text(app[:3].lower())), key("enter")) for app in APPS),
)
_SHELL: tuple[Row, ...] = (
    ("launcher opened by key", (), (), key("ctrl+space")),
    ("launcher opened by its button", (), (over("taskbar/Launcher"), down), up),
    ("launcher typed into", (), (*LAUNCHER, text("s", "p")), text("e", "a", "n")),
    ("launcher's entry chosen", (), (*LAUNCHER, key("down")), key("down")),
    ("launcher's entry clicked", (), (*LAUNCHER, over("ask/Notes", "ask/Paint", "ask/Files"), down), up),
    ("launcher closed", (), (*LAUNCHER, text("n", "s")), key("escape")),
    ("something asked that cannot be done", (), (), ask("fly", "sing", "cook")),
    ("icon hovered", (), (), over("icons/{app}")),
    ("icon left", (), (over("icons/{app}"),), by(160, 40)),
    ("icon pressed", (), (over("icons/{app}"),), down),
    ("focus moved to an icon", (), (), key("tab")),
    ("clock's minute", (to_the_minute,), (), wait(0.15)),
    ("style asked for", (ask("{app}"), moved), (), style),
)
_WINDOWS: tuple[Row, ...] = (
    ("window behind raised by a click", (*TWO, moved), (over("{other}/title"),), down),
    ("window behind raised by alt+tab", TWO, (), key("alt+tab")),
    ("window behind raised in the taskbar", TWO, (over("taskbar/{other}"), down), up),
    ("window closed by its button", (), (ask("{app}"), over("{app}/close"), down), up),
    ("window closed by ctrl+w", (), (ask("{app}"),), key("ctrl+w")),
    ("front window of two closed", (), (*TWO,), key("ctrl+w")),
    ("window minimised by its button", (), (ask("{app}"), over("{app}/minimise"), down), up),
    ("window minimised by alt+m", (), (ask("{app}"),), key("alt+m")),
    ("window minimised in the taskbar", (), (ask("{app}"), over("taskbar/{app}"), down), up),
    ("window restored from the taskbar", (), (ask("{app}"), key("alt+m"), over("taskbar/{app}"), down), up),
    ("window maximised by its button", (), (ask("{app}"), over("{app}/maximise"), down), up),
    ("window maximised by alt+enter", (), (ask("{app}"),), key("alt+enter")),
    ("window maximised by a double click", (), (ask("{app}"), over("{app}/title"), *CLICK), down),
    ("window back to its size", (), (ask("{app}"), key("alt+enter")), key("alt+enter")),
    ("window dragged", (), (ask("{app}"), over("{app}/title"), down), by(60, 30)),
    ("window dragged on", (), (ask("{app}"), over("{app}/title"), down, by(40, 20)), by(30, 20)),
    ("window moved by key", (), (ask("{app}"),), key("alt+right", "alt+down", "alt+left")),
    ("window resized by dragging", (), (ask("{app}"), over("{app}/resize"), down), by(40, 30)),
    ("window resized by key", (), (ask("{app}"),), key("alt+shift+right", "alt+shift+down")),
    ("close button hovered", (ask("{app}"), moved), (), over("{app}/close")),
    ("maximise button hovered", (ask("{app}"), moved), (over("{app}/title"),), over("{app}/maximise")),
    ("close button left", (ask("{app}"), moved), (over("{app}/close"),), over("{app}/title")),
    ("close button pressed", (ask("{app}"), moved), (over("{app}/close"),), down),
    ("taskbar button hovered", (ask("{app}"),), (), over("taskbar/{app}")),
    ("launcher's button hovered", (ask("{app}"),), (), over("taskbar/Launcher")),
)
_MENUS: tuple[Row, ...] = (
    ("menu of the desktop", (), (over("desktop"),), right_down),
    ("menu of a title bar", (ask("{app}"), moved), (over("{app}/title"),), right_down),
    ("menu of a text", END, (over("Notes/text"),), right_down),
    ("menu's entry hovered", (), (over("desktop"), right_down, right_up), over("menu/Notes")),
    ("menu's next entry", (), (over("desktop"), right_down, right_up), key("down")),
    ("menu's entry clicked", (), (over("desktop"), right_down, right_up, over("menu/Notes"), down), up),
    ("window closed by its menu", (), (ask("{app}"), over("{app}/title"), right_down, right_up, key("up")), key("enter")),
    ("menu closed", (), (over("desktop"), right_down, right_up), key("escape")),
    ("menu closed over a window", (), (ask("{app}"), over("{app}/title"), right_down, right_up), key("escape")),
)
_CALCULATOR: tuple[Row, ...] = (
    ("digit by key", CALCULATOR, (text(*DIGITS[1:]),), text(*DIGITS[1:])),
    ("digit clicked", CALCULATOR, (over(*(f"Calculator/{d}" for d in DIGITS[1:])), down), up),
    ("digit's button hovered", CALCULATOR, (), over(*(f"Calculator/{d}" for d in DIGITS))),
    ("operator by key", CALCULATOR, (text("12", "7", "305"),), text("+", "-", "*", "/")),
    ("operator clicked", CALCULATOR, (text("12", "7"), over("Calculator/+", "Calculator/×"), down), up),
    ("equals", CALCULATOR, SUM, key("enter")),
    ("calculator cleared", CALCULATOR, (text("512", "38"),), key("escape")),
    ("digit taken back", CALCULATOR, (text("512", "38"),), key("backspace")),
    ("division by zero", CALCULATOR, (text("8/0", "5/0"),), key("enter")),
)
_SNAKE: tuple[Row, ...] = (
    ("snake moves", SNAKE, (), wait(0.25)),
    ("snake turns", SNAKE, (key("up", "down"),), wait(0.25)),
    ("snake pauses", SNAKE, (wait(0.25),), key("space")),
    ("snake goes on", SNAKE, (key("space"),), key("space")),
    ("snake begins anew", (*SNAKE, wait(8)), (), key("enter")),
)
_PAINT: tuple[Row, ...] = (
    ("brush put down", PAINT, (over("Paint/picture"),), down),
    ("stroke drawn", PAINT, (over("Paint/picture"), down), by(30, 16)),
    ("stroke drawn on", PAINT, (over("Paint/picture"), down, by(24, 12)), by(-20, 24)),
    ("colour chosen", PAINT, (over("Paint/red", "Paint/blue", "Paint/green"), down), up),
    ("tool chosen by key", PAINT, (), key("f", "e")),
    ("brush's width chosen", PAINT, (), key("[", "]")),
    ("area filled", (*PAINT, key("f"), key("4", "7", "9")), (over("Paint/picture"),), down),
    ("stroke undone", PAINT, (over("Paint/picture"), down, by(30, 16), up), key("ctrl+z")),
    ("picture cleared", PAINT, (over("Paint/picture"), down, by(30, 16), up, over("Paint/clear"), down), up),
    ("picture opened", (), (), ask("{picture}")),
)
_SETTINGS: tuple[Row, ...] = (
    ("style chosen", SETTINGS, (over("Settings/ocean", "Settings/forest", "Settings/candy"), down), up),
    ("text size asked for", (ask("{app}"),), (), ask("bigger text", "text size 16", "text size 20")),
    ("settings' other page", SETTINGS, (over("Settings/System", "Settings/About you"), down), up),
    ("settings' page by key", SETTINGS, (), key("right")),
    ("settings scrolled", (*SETTINGS, *(key("alt+shift+up") for _ in range(5))), (over("Settings/page"),), wheel(-1)),
    ("forgetting asked for", (*SETTINGS, key("left"), key("end")), (over("Settings/Forget"), down), up),
    ("what is known is forgotten", (*SETTINGS, key("left"), key("end"), over("Settings/Forget"), *CLICK), (down,), up),
)
_FILES: tuple[Row, ...] = (
    ("document clicked", FILES, (over("Files/documents/{text}"),), down),
    ("document chosen by key", FILES, (key("down"),), key("down")),
    ("document opened by a double click", FILES, (over("Files/documents/{text}"), *CLICK), down),
    ("document opened by key", FILES, (key("down"),), key("enter")),
    ("renaming begun", FILES, (key("down"),), key("ctrl+r")),
    ("new name typed", FILES, (key("down"), key("ctrl+r")), text(*CAPITALS)),
    ("document renamed", FILES, (key("down"), key("ctrl+r"), text("Zoo", "Plan", "Old")), key("enter")),
    ("document put in the bin", FILES, (key("down"),), key("delete")),
    ("document back by ctrl+z", FILES, (key("down"), key("delete")), key("ctrl+z")),
    ("bin shown", FILES, (over("Files/Bin"), down), up),
    ("document restored", (*FILES, key("down"), key("delete"), over("Files/Bin"), *CLICK), (key("down"),), key("enter")),
)
_LOG: tuple[Row, ...] = (
    ("log grows", (ask("Log"), moved), (key("f3"),), key("f2", "f4", "f5")),
    ("log filtered", (ask("Log"), moved), (key("ctrl+f"),), text("a", "k", "z")),
    ("log scrolled", (ask("Log"), *(key(name) for name in "abcdefghijklmnop")), (over("Log/lines"),), wheel(1)),
)

KINDS: tuple[Kind, ...] = tuple(
    Kind(*row)
    for rows in (
        _TYPING, _TEXT, _APPS, _SHELL, _WINDOWS, _MENUS, _CALCULATOR, _SNAKE, _PAINT, _SETTINGS, _FILES, _LOG,
    )
    for row in rows
)  # fmt: skip

"""Errands: small goals of somebody at the desktop, each carried out step by step, the way the keys and widgets offer.

Beside a user's random deeds (`models.synthetic.sessions`) these say what the desktop is for: NeuralOS (Rivard et al.,
2025, arXiv:2507.08800) learned most from interactions that had a goal. An errand looks at the desktop before each of its
steps, so it is a generator: its events are to happen as they are taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from engine.desktop.apps.registry import APPS
from engine.desktop.desktop import Desktop
from engine.events import Ask, Wait
from models.synthetic import prose
from models.synthetic.gestures import Gestures, Steps

CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SIZES_ASKED = ("bigger text", "smaller text", "normal text", "text size 16", "text size 20", "text size 11")
ALPHABETS = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz0123456789.,;:!?-()'\"àâçéèêëîïôöüßñåøαβγδλπσωабвгджюя"


class Errands(Gestures):
    """Draws one errand after another that fits what is in front."""

    def __init__(self, rng: np.random.Generator, desktop: Desktop) -> None:
        super().__init__(rng, desktop)
        self._of_apps: dict[str, Callable[[], Steps]] = {
            "Notes": self._notes, "Files": self._files, "Paint": self._paint, "Calculator": self._calculator,
            "Settings": self._settings, "Snake": self._snake, "Log": self._log,
        }  # fmt: skip

    def next(self) -> Steps:
        """One errand."""
        front = self.desktop.stack.front
        if front is None:
            return self._one((6, self._open), (2, self._launcher), (2, self._desktop), (1, self._menu))
        own = self._of_apps.get(front.name, self._window)
        return self._one((11, own), (4, self._window), (2, self._open), (1, self._launcher), (1, self._menu), (0.5, self._desktop))

    # The shell

    def _open(self) -> Steps:
        app = str(self.rng.choice(list(APPS)))
        kind = self.rng.random()
        if kind < 0.45:
            yield Ask(self._t(), app.casefold())
        elif kind < 0.8:
            yield from self._click(lambda w: w.path == f"icons/{app}")
        else:
            yield Ask(self._t(), str(self.rng.choice(self.desktop.documents.names() or [app])))

    def _launcher(self) -> Steps:
        if self.rng.random() < 0.7:
            yield from self._keys("ctrl+space")
        else:
            yield from self._click(lambda w: w.path == "taskbar/Launcher")
        kind = self.rng.random()
        if kind < 0.45:
            yield from self._typed(str(self.rng.choice(list(APPS)))[: int(self.rng.integers(1, 5))].lower())
            yield from self._keys("enter" if self.rng.random() < 0.75 else "escape")
        elif kind < 0.6:
            yield from self._typed(self._word()[:6].lower())
            yield from self._keys("escape")
        elif kind < 0.85:
            yield from self._keys(*["down"] * int(self.rng.integers(0, 5)), self._any("enter", "escape", "escape"))
        else:
            yield from self._click(lambda w: w.path.startswith("ask/") and w.role == "entry")

    def _desktop(self) -> Steps:
        kind = self.rng.random()
        if kind < 0.4:
            for _ in range(int(self.rng.integers(1, 4))):
                yield from self._over(lambda w: w.role == "icon" or w.path.startswith("taskbar/"))
            yield from self._over(lambda w: w.path == "desktop")
        elif kind < 0.55:
            yield from self._over(lambda w: w.role == "icon")
            yield from self._press()
            if self.rng.random() < 0.6:
                yield from self._release()
        elif kind < 0.7:
            yield from self._keys(*["tab"] * int(self.rng.integers(1, 4)))
        elif kind < 0.85:
            yield Ask(self._t(), self._any("fly", "sing", "make tea", "count the sheep", "dance", *SIZES_ASKED))
        else:
            seconds = 60 - self.desktop.t % 60
            yield Wait(round(self.desktop.t + seconds - 0.05, 3))
            yield from self._rest()

    def _menu(self) -> Steps:
        """The context menu of something, and what one does with it."""
        front = self.desktop.stack.front
        roles = ("title", "editor", "desktop") if front else ("desktop", "icon")
        role = self._any(*roles)
        yield from self._over(lambda w: w.role == role)
        yield from self._press("right")
        yield from self._release("right")
        kind = self.rng.random()
        if kind < 0.4:
            for _ in range(int(self.rng.integers(1, 4))):
                yield from self._over(lambda w: w.path.startswith("menu/"))
            if self.rng.random() < 0.6:
                yield from self._press()
                yield from self._release()
                return
        elif kind < 0.75:
            yield from self._keys(*[self._any("down", "down", "up")] * int(self.rng.integers(1, 4)))
            if self.rng.random() < 0.5:
                yield from self._keys("enter")
                return
        yield from self._keys("escape")

    def _window(self) -> Steps:
        """The front window, or another one, is put somewhere else."""
        front = self.desktop.stack.front
        if front is None:
            yield from self._open()
            return
        name, kind = front.name, self.rng.random()
        if kind < 0.3:
            yield from self._click(lambda w: w.path == f"{name}/{self._any('close', 'minimise', 'maximise')}")
        elif kind < 0.5:
            yield from self._keys(self._any("ctrl+w", "alt+m", "alt+enter", "alt+tab"))
        elif kind < 0.62:
            yield from self._over(lambda w: w.path == f"{name}/title")
            yield from self._drag(110)
        elif kind < 0.68:
            yield from self._over(lambda w: w.role == "handle" and w.path.startswith(name))
            yield from self._drag(70)
        elif kind < 0.76:
            arrow = self._any("left", "right", "up", "down")
            yield from self._keys(*[f"{self._any('alt', 'alt+shift')}+{arrow}"] * int(self.rng.integers(1, 4)))
        elif kind < 0.8:
            yield from self._click(lambda w: w.path == f"{name}/title", 2)
        elif kind < 0.88:
            yield from self._click(lambda w: w.path.startswith("taskbar/") and w.role == "button")
        elif kind < 0.94:
            yield from self._click(lambda w: w.role in ("title", "window") and not w.path.startswith(name))
        else:
            for _ in range(int(self.rng.integers(2, 5))):
                yield from self._over(lambda w: w.role in ("button", "title", "toggle") and w.path.startswith(name))

    # The apps

    def _notes(self) -> Steps:
        """One thing one does while writing."""
        yield from self._one(
            (6, self._write), (2, self._correct), (2, self._caret), (2, self._select), (1.2, self._form), (1.4, self._find),
            (1.2, self._scroll), (1.2, self._other_document), (1, self._rest), (0.6, self._hover),
        )  # fmt: skip

    def _write(self) -> Steps:
        if self.rng.random() < 0.6:
            yield from self._keys("ctrl+end")
        if self.rng.random() < 0.2:
            yield from self._keys("enter")
        text = prose.sentence(self.rng, int(self.rng.integers(4, 60))) or "word"
        for char in text[: int(self.rng.integers(2, 24))]:
            if self.rng.random() < 0.06:
                yield from self._keys("backspace")
            if char == " ":
                yield from self._keys("space") if self.rng.random() < 0.5 else self._typed(" ")
            else:
                other = self.rng.random() < 0.15
                yield from self._typed(ALPHABETS[int(self.rng.integers(len(ALPHABETS)))] if other else char)

    def _correct(self) -> Steps:
        yield from self._typed(self._word())
        what = self._any("backspace", "backspace", "ctrl+backspace", "delete", "ctrl+z", "undo")
        if what == "undo":
            yield from self._keys("ctrl+z", "ctrl+y")
        else:
            yield from self._keys(*[what] * int(self.rng.integers(1, 4)))

    def _caret(self) -> Steps:
        names = ("left", "right", "up", "down", "home", "end", "ctrl+right", "ctrl+left", "ctrl+home", "ctrl+end")
        for _ in range(int(self.rng.integers(1, 6))):
            yield from self._keys(self._any(*names))
        if self.rng.random() < 0.4:
            yield from self._typed(self._word()[:2])
        elif self.rng.random() < 0.4:
            yield from self._click(lambda w: w.role == "editor")

    def _select(self) -> Steps:
        kind = self.rng.random()
        if kind < 0.5:
            name = self._any("shift+left", "shift+right", "shift+home", "shift+end", "shift+up", "shift+down", "ctrl+a")
            yield from self._keys(*[name] * int(self.rng.integers(1, 4)))
        elif kind < 0.7:
            yield from self._click(lambda w: w.role == "editor", 2)
        else:
            yield from self._over(lambda w: w.role == "editor")
            yield from self._drag(60)
        after = self.rng.random()
        if after < 0.2:
            yield from self._keys("ctrl+x")
        elif after < 0.4:
            yield from self._keys("ctrl+c", "end", "ctrl+v")
        elif after < 0.6:
            yield from self._typed(self._word()[:2])
        elif after < 0.8:
            yield from self._keys(self._any("left", "backspace", "right"))

    def _form(self) -> Steps:
        if self.rng.random() < 0.6:
            yield from self._keys("ctrl+end", "enter")
            yield from self._typed(self._word())
        yield from self._keys(self._any("ctrl+1", "ctrl+2", "ctrl+l"))

    def _find(self) -> Steps:
        yield from self._keys("ctrl+f")
        yield from self._typed(self._word()[:3].lower())
        yield from self._keys(*["enter"] * int(self.rng.integers(0, 3)), "escape")

    def _scroll(self) -> Steps:
        if self.rng.random() < 0.5:
            yield from self._keys(self._any("pagedown", "pageup", "ctrl+home", "ctrl+end"))
        else:
            yield from self._over(lambda w: w.role in ("editor", "list"))
            yield from self._wheel()

    def _other_document(self) -> Steps:
        how = self._any("ctrl+n", "ctrl+tab", "ctrl+d", "ctrl+d")
        yield from self._keys(how)
        if how == "ctrl+n":
            yield from self._typed(CAPITALS[int(self.rng.integers(26))] + self._word())
        elif how == "ctrl+d":
            yield from self._keys(*[self._any("down", "up")] * int(self.rng.integers(1, 4)), self._any("enter", "escape"))

    def _hover(self) -> Steps:
        """Over what can be pressed in the front window."""
        front = self.desktop.stack.front
        name = front.name if front else ""
        for _ in range(int(self.rng.integers(1, 4))):
            yield from self._over(lambda w: w.role in ("button", "toggle", "row", "title") and w.path.startswith(name))

    def _calculator(self) -> Steps:
        kind = self.rng.random()
        if kind < 0.55:
            number = str(int(self.rng.integers(1, 1000)))
            yield from self._typed(number)
            if self.rng.random() < 0.7:
                yield from self._typed(self._any("+", "-", "*", "/"))
                yield from self._typed(str(int(self.rng.integers(0, 100))))
                if self.rng.random() < 0.7:
                    yield from self._keys("enter")
            if self.rng.random() < 0.6:
                yield from self._keys(self._any("escape", "backspace"))
        elif kind < 0.85:
            for _ in range(int(self.rng.integers(1, 4))):
                yield from self._click(lambda w: w.path.startswith("Calculator/") and w.role == "button" and len(w.name) == 1)
        else:
            yield from self._hover()

    def _snake(self) -> Steps:
        kind = self.rng.random()
        if kind < 0.5:
            yield from self._keys(self._any("up", "down", "left", "right"))
        elif kind < 0.65:
            yield from self._keys("space")
            if self.rng.random() < 0.7:
                yield from self._keys("space")
        elif kind < 0.75:
            yield Wait(round(self.desktop.t + 8, 3))
            yield from self._keys("enter")
        yield from self._rest()

    def _paint(self) -> Steps:
        kind = self.rng.random()
        if kind < 0.5:
            yield from self._over(lambda w: w.path == "Paint/picture")
            yield from self._drag(40)
            if self.rng.random() < 0.25:
                yield from self._keys("ctrl+z")
        elif kind < 0.7:
            yield from self._click(lambda w: w.role == "toggle" and w.path.startswith("Paint/"))
        elif kind < 0.85:
            yield from self._keys(self._any(*"febs[]123456789"))
        elif kind < 0.93:
            yield from self._keys("f", self._any(*"3456789"))
            yield from self._click(lambda w: w.path == "Paint/picture")
            yield from self._keys("b")
        else:
            yield from self._click(lambda w: w.path == "Paint/clear")

    def _settings(self) -> Steps:
        kind = self.rng.random()
        if kind < 0.4:
            yield from self._click(lambda w: w.path in ("Settings/Look", "Settings/System", "Settings/About you"))
        elif kind < 0.6:
            yield from self._keys(*[self._any("left", "right", "end", "home", "tab")] * int(self.rng.integers(1, 3)))
        elif kind < 0.75:
            yield from self._keys(*["alt+shift+up"] * int(self.rng.integers(2, 6)))
            yield from self._over(lambda w: w.path == "Settings/page")
            yield from self._wheel()
        elif kind < 0.9:
            yield from self._click(lambda w: w.path.startswith(("Settings/Text size ", "Settings/Forget")))
        else:
            yield from self._hover()

    def _files(self) -> Steps:
        row: Sequence[str] = ["down"] * int(self.rng.integers(1, 4))
        kind = self.rng.random()
        if kind < 0.3:
            yield from self._keys(*row, *(["up"] if self.rng.random() < 0.4 else []))
        elif kind < 0.4:
            yield from self._keys(*row, "enter")
        elif kind < 0.55:
            yield from self._click(lambda w: w.path.startswith("Files/documents/"), 1 + int(self.rng.random() < 0.4))
        elif kind < 0.72:
            yield from self._keys(*row, "ctrl+r")
            yield from self._typed(self._word()[:5].strip(" .") or "Plan")
            yield from self._keys(self._any("enter", "enter", "escape"))
        elif kind < 0.86:
            yield from self._keys(*row, "delete", *(["ctrl+z"] if self.rng.random() < 0.6 else []))
        else:
            yield from self._click(lambda w: w.path == "Files/Bin")
            if self.rng.random() < 0.5:
                yield from self._keys("down", "enter")

    def _log(self) -> Steps:
        kind = self.rng.random()
        if kind < 0.4:
            yield from self._keys(*(self._any("f2", "f3", "f4", "f5", "a", "k") for _ in range(3)))
        elif kind < 0.7:
            yield from self._keys("ctrl+f")
            yield from self._typed(self._word()[:3].lower())
            yield from self._keys("escape")
        else:
            yield from self._over(lambda w: w.path == "Log/lines")
            yield from self._wheel()

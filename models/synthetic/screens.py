"""Random screens: windows with random content on a random desktop, and what they looked like a moment before.

Content is drawn through the same canvas as the apps', so whatever an app can draw, a random window can. Screens of
the real apps, driven by random events, come from `models.synthetic.sessions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import ClassVar

import numpy as np

from engine.desktop import shell
from engine.desktop.app import App
from engine.desktop.canvas import Canvas, Sheet
from engine.desktop.menu import Menu
from engine.desktop.window import Window
from engine.drawing import MARKS, Item
from engine.geometry import Rect
from engine.scene import Touch
from engine.theme import PLAIN, Chrome, Role
from engine.typeface import Face, line_height
from models.synthetic import prose

TEXT_SIZES = (11, 13, 13, 13, 16, 20)
_ICONS = sorted(MARKS)
_NAMES = ("Notes", "Files", "Paint", "Calculator", "Settings", "Snake", "Log")


class Scribble(App):
    """Random content, the same each time it is drawn: rows, forms, pages of text, grids of buttons, pictures."""

    name: ClassVar[str] = "Scribble"

    def __init__(self, seed: int, title: str) -> None:
        self.seed = seed
        self.icon = str(np.random.default_rng(seed).choice(_ICONS))  # type: ignore[misc]
        self.title = title
        self.typed = 0  # characters more than at first

    def draw(self, canvas: Canvas) -> None:
        rng = np.random.default_rng(self.seed)
        rest = canvas.rect
        if rng.random() < 0.7:
            bar = Rect(rest.x, rest.y, rest.w, canvas.row + 8)
            _buttons(canvas, bar.grow(-4), rng)
            rest = rest.inset(0, bar.h, 0, 0)
        if rng.random() < 0.4 and rest.h > 60:
            status = Rect(rest.x + 8, rest.bottom - canvas.line - 4, rest.w - 16, canvas.line)
            canvas.text_in(status, prose.words(rng, 2, 6), Role.MUTED)
            rest = rest.inset(0, 0, 0, canvas.line + 6)
        body = str(rng.choice(["page", "page", "rows", "form", "grid", "picture", "board", "page"]))
        getattr(self, f"_{body}")(canvas, rest.inset(6, 2, 6, 6), rng)

    def _page(self, canvas: Canvas, rect: Rect, rng: np.random.Generator) -> None:
        canvas.fill(rect, Role.FIELD, "field")
        canvas.outline(rect, Role.ACCENT if rng.random() < 0.4 else Role.BORDER, shape="field")
        inner = canvas.part(rect.inset(6, 4, 6, 4))
        y = rect.y + 4
        mono = rng.random() < 0.15
        while y < rect.bottom:
            face = inner.styled(str(rng.choice(["regular"] * 8 + ["bold", "oblique"])), int(rng.choice([0] * 8 + [3, 6])))
            face = Face(face.size, "mono") if mono else face
            text = prose.sentence(rng, int(rng.integers(4, 90)))
            if rng.random() < 0.08:
                x = rect.x + int(rng.integers(0, max(rect.w // 2, 1)))
                inner.fill(Rect(x, y, int(rng.integers(8, 90)), line_height(face)), Role.SELECTION)
            role = Role.MUTED if rng.random() < 0.12 else Role.INK
            inner.text(rect.x + 6, y, text[: len(text) - 3 + self.typed] if y < rect.y + 40 else text, role, face)
            if rng.random() < 0.1:
                inner.fill(Rect(rect.x + int(rng.integers(4, rect.w)), y, 2, line_height(face)), Role.ACCENT)
            y += line_height(face) + int(rng.choice([0, 1, 2, 6]))
        canvas.scrollbar(Rect(rect.right - 9, rect.y + 1, 8, rect.h - 2), int(rng.integers(50)), 20, 70, lambda first: None)

    def _rows(self, canvas: Canvas, rect: Rect, rng: np.random.Generator) -> None:
        if rng.random() < 0.5:
            canvas.fill(rect, Role.FIELD, "field")
            canvas.outline(rect, shape="field")
        chosen = int(rng.integers(8))
        for i in range(rect.h // canvas.row):
            row = Rect(rect.x + 1, rect.y + 1 + i * canvas.row, rect.w - 2, canvas.row)
            icon = str(rng.choice(_ICONS)) if rng.random() < 0.6 else ""
            note = prose.words(rng, 1, 1) if rng.random() < 0.5 else ""
            canvas.list_row(f"row {i}", row, Touch(), text=prose.sentence(rng, int(rng.integers(4, 30))), icon=icon,
                            selected=i == chosen + self.typed, note=note)  # fmt: skip

    def _form(self, canvas: Canvas, rect: Rect, rng: np.random.Generator) -> None:
        y = rect.y
        while y < rect.bottom:
            row = Rect(rect.x + 2, y, rect.w - 4, canvas.row)
            kind = rng.random()
            if kind < 0.35:
                role = Role.INK if rng.random() < 0.6 else Role.MUTED
                weight = str(rng.choice(["regular", "bold"]))
                canvas.text_in(row, prose.sentence(rng, int(rng.integers(6, 50))), role, canvas.styled(weight))
            elif kind < 0.55:
                field = row.inset(int(row.w * rng.random() * 0.5), 1, 0, 1)
                canvas.fill(field, Role.FIELD, "field")
                canvas.outline(field, Role.ACCENT if rng.random() < 0.3 else Role.BORDER, shape="field")
                role = Role.MUTED if rng.random() < 0.3 else Role.INK
                canvas.text_in(field.inset(5, 0, 5, 0), prose.sentence(rng, 20), role)
            else:
                _buttons(canvas, row, rng)
            y += canvas.row + int(rng.integers(3, 9))

    def _grid(self, canvas: Canvas, rect: Rect, rng: np.random.Generator) -> None:
        columns, rows = int(rng.integers(3, 6)), int(rng.integers(3, 7))
        w, h = rect.w // columns, max(rect.h // rows, canvas.row)
        for i in range(columns * rows):
            cell = Rect(rect.x + i % columns * w, rect.y + i // columns * h, w - 4, h - 4)
            _button(canvas, f"cell {i}", cell, rng, str(rng.choice(list("0123456789+-×÷=.()%"))))

    def _picture(self, canvas: Canvas, rect: Rect, rng: np.random.Generator) -> None:
        small = rng.integers(0, 256, (int(rng.integers(2, 7)), int(rng.integers(2, 7)), 3)).astype(np.uint8)
        if rng.random() < 0.4:
            small[:] = 255
        scale = -(-max(rect.w, rect.h) // min(small.shape[:2]))
        pixels = np.repeat(np.repeat(small, scale, 0), scale, 1)[: rect.h, : rect.w].copy()
        for _ in range(int(rng.integers(0, 6))):
            x, y = int(rng.integers(rect.w)), int(rng.integers(rect.h))
            pixels[y : y + int(rng.integers(2, 20)), x : x + int(rng.integers(2, 90))] = rng.integers(0, 256, 3)
        canvas.outline(rect.grow(1), shape="field")
        canvas.picture(rect, pixels, ("scribble", self.seed, self.typed))

    def _board(self, canvas: Canvas, rect: Rect, rng: np.random.Generator) -> None:
        side = int(rng.integers(8, 16))
        canvas.fill(rect, Role.FIELD, "field")
        canvas.outline(rect, shape="field")
        for _ in range(int(rng.integers(3, 30))):
            x = rect.x + int(rng.integers(max(rect.w // side, 1))) * side
            y = rect.y + int(rng.integers(max(rect.h // side, 1))) * side
            role = Role(int(rng.choice([Role.ACCENT, Role.INK, Role.MUTED, Role.BORDER, Role.SELECTION, Role.BUTTON])))
            canvas.part(rect).fill(Rect(x, y, side - 1, side - 1), role, str(rng.choice(["plain", "tile", "button"])))


def _button(canvas: Canvas, name: str, rect: Rect, rng: np.random.Generator, text: str | None) -> None:
    icon = str(rng.choice(_ICONS)) if text is None or rng.random() < 0.25 else ""
    canvas.button(name, rect, lambda: None, text=text, icon=icon, primary=rng.random() < 0.2,
                  enabled=rng.random() < 0.9, checked=True if rng.random() < 0.1 else None)  # fmt: skip


def _buttons(canvas: Canvas, rect: Rect, rng: np.random.Generator) -> None:
    x, i = rect.x, 0
    while x < rect.right - 20:
        w = min(int(rng.integers(20, 100)), rect.right - x)
        canvas.sheet.hover = f"{canvas.path}/b{i}" if rng.random() < 0.15 else canvas.sheet.hover
        canvas.sheet.focus = f"{canvas.path}/b{i}" if rng.random() < 0.1 else canvas.sheet.focus
        _button(canvas, f"b{i}", Rect(x, rect.y, w, rect.h), rng, prose.words(rng) if w > 40 else None)
        x, i = x + w + 4, i + 1


class _Keeper:
    """The desktop's part that a window's frame asks for."""

    def __init__(self, area: Rect) -> None:
        self.work_area = area

    def close(self, app: App) -> None:
        """Random windows stay."""

    def minimise(self, window: Window) -> None:
        """Nor do they leave the screen."""

    def maximise(self, window: Window) -> None:
        """Nor fill it."""


@dataclass
class Screen:
    """A random desktop that can be drawn, changed a little, and drawn again."""

    size: tuple[int, int]
    text_size: int
    windows: list[Window]
    minute: int
    menu: Menu | None
    hover: str
    chrome: Chrome = PLAIN
    notice: str = ""

    @staticmethod
    def random(rng: np.random.Generator, size: tuple[int, int], chrome: Chrome = PLAIN) -> Screen:
        text_size = int(rng.choice(TEXT_SIZES))
        area = Rect(0, 0, size[0], size[1] - shell.bar_height(line_height(Face(text_size))))
        windows = [_window(rng, area, text_size) for _ in range(int(rng.integers(0, 5)))]
        menu = None
        if rng.random() < 0.2:
            entries = [(prose.words(rng), lambda: None) for _ in range(int(rng.integers(2, 8)))]
            menu = Menu(int(rng.integers(size[0])), int(rng.integers(size[1])), entries, int(rng.integers(-1, 4)))
        hover = str(rng.choice(["", f"icons/{rng.choice(_NAMES)}", "Scribble/close", "Scribble/maximise", "taskbar/Launcher"]))
        notice = prose.words(rng, 1, 9) if rng.random() < 0.2 else ""
        return Screen(size, text_size, windows, int(rng.integers(1440)), menu, hover, chrome, notice)

    def change(self, rng: np.random.Generator) -> None:
        """What one event might do: type, move, raise, close, open, let a minute pass, open or close a menu."""
        area = Rect(0, 0, self.size[0], self.size[1] - shell.bar_height(line_height(Face(self.text_size))))
        act = rng.random()
        if self.windows and act < 0.35:
            self.windows[-1].app.typed += int(rng.integers(1, 3))  # type: ignore[attr-defined]
        elif self.windows and act < 0.6:
            window = self.windows[int(rng.integers(len(self.windows)))]
            window.rect = window.rect.shift(int(rng.integers(-90, 90)), int(rng.integers(-60, 60)))
            self.windows.append(self.windows.pop(self.windows.index(window)))
        elif self.windows and act < 0.75:
            self.windows.pop()
        elif act < 0.9:
            self.windows.append(_window(rng, area, self.text_size))
        else:
            self.minute, self.menu = self.minute + 1, None

    def items(self) -> list[Item]:
        sheet = Sheet(self.text_size, hover=self.hover, chrome=self.chrome)
        canvas = Canvas(sheet, Rect(0, 0, *self.size))
        area = Rect(0, 0, self.size[0], self.size[1] - shell.bar_height(line_height(Face(self.text_size))))
        apps = [_labelled(name) for name in _NAMES]
        shell.draw_icons(canvas.part(area), apps, lambda name: None, list)
        keeper = _Keeper(area)
        for window in self.windows:
            window.draw(canvas.part(area), window is self.windows[-1], keeper)
        bar = canvas.part(Rect(0, area.bottom, self.size[0], self.size[1] - area.bottom))
        now = datetime(2026, 1, 1, self.minute // 60 % 24, self.minute % 60, tzinfo=timezone.utc)
        front = self.windows[-1] if self.windows else None
        shell.draw_taskbar(bar, self.windows, front, now, lambda: None, lambda w: None, keeper)
        if self.notice:
            shell.draw_notice(canvas, area, self.notice)
        if self.menu:
            self.menu.draw(canvas, lambda i: None)
        return sheet.items


def _window(rng: np.random.Generator, area: Rect, text_size: int) -> Window:
    app = Scribble(int(rng.integers(2**31)), prose.words(rng, 1, 4))
    w, h = int(rng.integers(150, area.w + 40)), int(rng.integers(90, area.h + 20))
    x, y = int(rng.integers(-60, max(area.w - 80, 1))), int(rng.integers(0, max(area.h - 60, 1)))
    return Window(app, Rect(x, y, w, h), app.title)


def _labelled(name: str) -> type[App]:
    return type(name, (App,), {"name": name, "icon": name.lower()})

"""The region: the part of the screen that the next instruction is for, drawn with the pointer or by keys alone."""

from __future__ import annotations

from dataclasses import dataclass

from engine.desktop.canvas import Canvas
from engine.geometry import GRID, Rect
from engine.scene import Touch

STEP = 2 * GRID  # pixels an arrow moves or grows it
LEAST = 4 * GRID  # pixels a side


@dataclass
class Region:
    """`rect` is on the grid, inside a screen of `size`. `choosing`: whether pointer and keys draw it now; afterwards it
    holds until the next instruction, or until the ask bar is closed."""

    size: tuple[int, int]
    rect: Rect
    choosing: bool = True
    _corner: tuple[int, int] | None = None

    @classmethod
    def middle(cls, size: tuple[int, int]) -> Region:
        """Where keys begin: the middle of the screen."""
        return cls(size, Rect(size[0] // 4, size[1] // 4, size[0] // 2, size[1] // 2).snap())

    def state(self) -> list[int]:
        return [*self.rect, int(self.choosing)]

    def draw(self, canvas: Canvas) -> None:
        """It covers the scene while it is chosen; its outline is the window's, which shows it at once."""
        touch = Touch(press=self._press, drag=self._drag, release=self._drag)
        canvas.widget("region", "region", canvas.rect, touch, value=list(self.rect))

    def key(self, key: str, mods: tuple[str, ...]) -> bool:
        """Arrows move it, with Shift they move its lower right corner."""
        dx = {"left": -STEP, "right": STEP}.get(key, 0)
        dy = {"up": -STEP, "down": STEP}.get(key, 0)
        x, y, w, h = self.rect
        if "shift" in mods:
            w, h = max(w + dx, LEAST), max(h + dy, LEAST)
            self.rect = Rect(x, y, min(w, self.size[0] - x), min(h, self.size[1] - y))
        else:
            self.rect = Rect(max(min(x + dx, self.size[0] - w), 0), max(min(y + dy, self.size[1] - h), 0), w, h)
        return bool(dx or dy)

    def _press(self, x: int, y: int, clicks: int, mods: tuple[str, ...]) -> None:
        self._corner = x, y

    def _drag(self, x: int, y: int) -> None:
        if self._corner is None:
            return
        (x, right), (y, bottom) = sorted((x, self._corner[0])), sorted((y, self._corner[1]))
        if right - x < GRID and bottom - y < GRID:
            return  # a click draws nothing
        rect = Rect(min(x, self.size[0] - LEAST), min(y, self.size[1] - LEAST), max(right - x, LEAST), max(bottom - y, LEAST))
        self.rect = rect.snap().meet(Rect(0, 0, *self.size))

"""The stack of windows: which are open, in what order, where."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise, product
from math import ceil, sqrt
from typing import Any

from engine.desktop.app import App
from engine.desktop.window import Window
from engine.geometry import Rect

SIDES = ("left", "right", "top", "bottom")


def half(area: Rect, side: str) -> Rect:
    """The half of an area at one of `SIDES`."""
    w, h = area.w // 2, area.h // 2
    return {
        "left": Rect(area.x, area.y, w, area.h),
        "right": Rect(area.x + w, area.y, area.w - w, area.h),
        "top": Rect(area.x, area.y, area.w, h),
        "bottom": Rect(area.x, area.y + h, area.w, area.h - h),
    }[side]


def tiles(area: Rect, least: Sequence[tuple[int, int]]) -> list[Rect]:
    """An area cut into rects in rows, left to right; the last row may hold fewer, and wider ones. least: width and height that each needs. Where
    not all of them get it so, they do in columns, with fewer in the first, or with the highest first, if they do at all."""
    many = max(ceil(sqrt(len(least))), 1)
    found: list[list[Rect]] = []
    for order in (range(len(least)), sorted(range(len(least)), key=lambda i: -least[i][1])):
        for first, turned in product((many, len(least) % many or many), (False, True)):
            rows = [order[:first], *(order[at : at + many] for at in range(first, len(least), many))]
            found.append(_in_rows(area, least, rows, turned))
            if all(rect.w >= w and rect.h >= h for rect, (w, h) in zip(found[-1], least, strict=True)):
                return found[-1]
    return found[0]


def _in_rows(area: Rect, least: Sequence[tuple[int, int]], rows: Sequence[Sequence[int]], turned: bool) -> list[Rect]:
    """The area cut into rows of what is given by number; turned: into columns."""
    across = 1 if turned else 0
    places: dict[int, Rect] = {}
    along = _cut((area.h, area.w)[across], [max((least[i][1 - across] for i in row), default=0) for row in rows])
    for row, (begin, end) in zip(rows, pairwise(along), strict=True):
        for i, (low, high) in zip(row, pairwise(_cut((area.w, area.h)[across], [least[i][across] for i in row])), strict=True):
            place = Rect(low, begin, high - low, end - begin)
            places[i] = (Rect(place.y, place.x, place.h, place.w) if turned else place).shift(area.x, area.y)
    return [places[i] for i in range(len(least))]


def _cut(room: int, least: Sequence[int]) -> list[int]:
    """Where room for things side by side begins, is cut and ends: into even parts, but for what needs more, if there is room for all."""
    wide: set[int] = set()
    rest, parts = room, len(least)
    while sum(least) <= room and (more := {i for i, one in enumerate(least) if i not in wide and one * parts > rest}):
        wide |= more
        rest, parts = rest - sum(least[i] for i in more), parts - len(more)
    taken = list(accumulate((one * (i in wide) for i, one in enumerate(least)), initial=0))
    even = accumulate((i not in wide for i in range(len(least))), initial=0)
    return [begun + rest * share // max(parts, 1) for begun, share in zip(taken, even, strict=True)]


class WindowStack:
    """`windows` is back to front. Only a window that is not minimised can be in front."""

    def __init__(self, area: Rect, line: Callable[[], int]) -> None:
        self.area = area  # frame pixels windows live in: all but the taskbar
        self.windows: list[Window] = []
        self._line = line

    @property
    def front(self) -> Window | None:
        return next((w for w in reversed(self.windows) if not w.minimised), None)

    def of(self, app: App | str) -> Window | None:
        return next((w for w in self.windows if app in (w.app, w.name)), None)

    def add(self, app: App, left: int) -> Window:
        """A new window in front, `left` pixels from the edge, a little below and beside the last one."""
        line = self._line()
        window = Window(app, self.area, app.title or app.name)
        least_w, least_h = window.smallest(line)
        scale = max((line + 16) / 32, 1)  # larger text wants more room
        room = max(self.area.w - left - 4, app.size[0] + 2)
        w = min(max(round(app.size[0] * scale) + 2, least_w), room, self.area.w)
        h = min(max(round(app.size[1] * scale) + line + 11, least_h), self.area.h)
        step = 22 * (len(self.windows) % 6)
        left = self.area.x + min(left, self.area.w - w)
        x = left + min(step, max(self.area.right - left - w, 0))
        y = self.area.y + min(8 + step, max(self.area.h - h, 0))
        window.place(Rect(x, y, w, h), self.area, line)
        if app.first_focus:
            window.focus = f"{app.name}/{app.first_focus}"
        self.windows.append(window)
        return window

    def raise_(self, window: Window) -> None:
        window.minimised = False
        self.windows.remove(window)
        self.windows.append(window)

    def lower(self, window: Window) -> None:
        self.windows.remove(window)
        self.windows.insert(0, window)

    def remove(self, window: Window) -> None:
        self.windows.remove(window)

    def maximise(self, window: Window) -> None:
        """Fill the work area, or go back to the size before."""
        if window.normal:
            normal, window.normal = window.normal, None
            window.place(normal, self.area, self._line())  # the text may be larger by now
        else:
            window.rect, window.normal = self.area, window.rect

    def nudge(self, window: Window, dx: int, dy: int, dw: int = 0, dh: int = 0) -> None:
        if not window.normal:
            r = window.rect
            window.place(Rect(r.x + dx, r.y + dy, r.w + dw, r.h + dh), self.area, self._line())

    def put(self, window: Window, rect: Rect) -> None:
        """A window in front, in a place of its own: no longer maximised or minimised, whole inside the area and as large as it must be."""
        window.normal = None
        window.place(rect, self.area, self._line())
        self._keep_inside(window)
        self.raise_(window)

    def tile(self, windows: Sequence[Window]) -> None:
        """Windows side by side, in the order given; which lies over which stays, where they are too small not to."""
        line = self._line()
        places = {w.name: rect for w, rect in zip(windows, tiles(self.area, [w.smallest(line) for w in windows]), strict=True)}
        for window in [w for w in self.windows if w.name in places]:
            self.put(window, places[window.name])

    def refit(self) -> None:
        """After text size or area changed: every window at least as large as it must be."""
        for window in self.windows:
            if window.normal:
                window.rect = self.area
            else:
                window.place(window.rect, self.area, self._line())

    def gather(self) -> None:
        """After the area changed: every window inside it, as far as it fits."""
        for window in self.windows:
            if not window.normal:
                self._keep_inside(window)

    def _keep_inside(self, window: Window) -> None:
        area, r = self.area, window.rect
        x, y = max(min(r.x, area.right - r.w), area.x), max(min(r.y, area.bottom - r.h), area.y)
        window.rect = Rect(x, y, r.w, r.h)

    def state(self) -> list[dict[str, Any]]:
        return [w.state() for w in self.windows]

    def restore(self, saved_apps: list[tuple[App, dict[str, Any]]]) -> None:
        """Bring back windows from (app, what `Window.state` returned), back to front."""
        for app, saved in saved_apps:
            normal = Rect(*saved["normal"]) if saved["normal"] else None
            window = Window(app, self.area, saved["title"], saved["minimised"], normal, saved["focus"])
            if normal is None:
                window.place(Rect(*saved["rect"]), self.area, self._line())
            self.windows.append(window)

"""The whole screen as a sheet: the windows and what stands around them, or a picture in their place, and what lies on top."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from engine.desktop import shell
from engine.desktop.apps.registry import APPS
from engine.desktop.canvas import Canvas, Sheet
from engine.desktop.menu import desktop_entries
from engine.drawing import Item
from engine.geometry import Rect
from engine.scene import Widget

if TYPE_CHECKING:
    from engine.desktop.desktop import Desktop


class Parts:
    """Parts of the screen: what each drew last is kept, and taken again until something differs."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, ...], tuple[Any, list[Item], list[Widget]]] = {}

    def draw(self, canvas: Canvas, roots: tuple[str, ...], shown: Any, draw: Callable[[Canvas], None]) -> None:
        """Draw a part all of whose widgets' paths begin with one of `roots`; `shown` is all it tells beside their states."""
        sheet = canvas.sheet
        states = [path if path.partition("/")[0] in roots else "" for path in (sheet.focus, sheet.hover, sheet.pressed)]
        told = canvas.rect, sheet.text_size, states, bool(states[0]) and sheet.caret_on, shown
        last, items, widgets = self._last.get(roots, (None, [], []))
        if told == last:
            sheet.items += items
            sheet.widgets += widgets
            return
        before = len(sheet.items), len(sheet.widgets)
        draw(canvas)
        self._last[roots] = told, sheet.items[before[0] :], sheet.widgets[before[1] :]


def drawn(desktop: Desktop, notice: str, parts: Parts) -> Sheet:
    """notice: what is said for a while, "" for nothing. parts: of the drawings before."""
    router, turning = desktop.router, desktop.turning
    sheet = Sheet(desktop.text_size, router.focus, router.hover, router.pressed, desktop.clock.caret_on, desktop.style.chrome)
    canvas = Canvas(sheet, Rect(0, 0, *desktop.size))
    if turning.shown:
        turning.draw_screen(canvas)
    else:
        _draw_windows(canvas, desktop, parts)
    area = desktop.stack.area
    if notice:
        shell.draw_notice(canvas, area, notice)
    if desktop.ask_bar:
        desktop.ask_bar.draw(canvas.part(area))
    turning.draw_tools(canvas.part(area))
    if desktop.menu:
        desktop.menu.draw(canvas, router.pick)
    return sheet


def _draw_windows(canvas: Canvas, desktop: Desktop, parts: Parts) -> None:
    area, front, windows = desktop.stack.area, desktop.stack.front, desktop.stack.windows

    def icons(part: Canvas) -> None:
        shell.draw_icons(part, list(APPS.values()), desktop.open, partial(desktop_entries, desktop))

    def taskbar(part: Canvas) -> None:
        shell.draw_taskbar(part, windows, front, desktop.now, desktop.toggle_ask_bar, desktop.choose, desktop)

    parts.draw(canvas.part(area), ("desktop", "icons"), (), icons)
    for window in windows:
        if not window.minimised:
            active = window is front
            parts.draw(canvas.part(area), (window.name,), (desktop.version, active), partial(window.draw, active=active, keeper=desktop))
    shown = [(window, window.title, window.minimised, window is front) for window in windows]
    bar = Rect(0, area.bottom, desktop.size[0], desktop.size[1] - area.bottom)
    parts.draw(canvas.part(bar), ("taskbar",), (desktop.now.time().replace(second=0, microsecond=0), shown), taskbar)

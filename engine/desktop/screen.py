"""The whole screen as a sheet: the windows and what stands around them, or a picture in their place, and what lies on top."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from engine.desktop import shell
from engine.desktop.apps.registry import APPS
from engine.desktop.canvas import Canvas, Sheet
from engine.desktop.menu import desktop_entries
from engine.geometry import Rect

if TYPE_CHECKING:
    from engine.desktop.desktop import Desktop


def drawn(desktop: Desktop, notice: str) -> Sheet:
    """notice: what is said for a while, "" for nothing."""
    router, turning = desktop.router, desktop.turning
    sheet = Sheet(desktop.text_size, router.focus, router.hover, router.pressed, desktop.clock.caret_on, desktop.style.chrome)
    canvas = Canvas(sheet, Rect(0, 0, *desktop.size))
    if turning.shown:
        turning.draw_screen(canvas)
    else:
        _draw_windows(canvas, desktop)
    area = desktop.stack.area
    if notice:
        shell.draw_notice(canvas, area, notice)
    if desktop.ask_bar:
        desktop.ask_bar.draw(canvas.part(area))
    turning.draw_tools(canvas.part(area))
    if desktop.menu:
        desktop.menu.draw(canvas, router.pick)
    return sheet


def _draw_windows(canvas: Canvas, desktop: Desktop) -> None:
    area, front = desktop.stack.area, desktop.stack.front
    shell.draw_icons(canvas.part(area), list(APPS.values()), desktop.open, partial(desktop_entries, desktop))
    for window in desktop.stack.windows:
        if not window.minimised:
            window.draw(canvas.part(area), window is front, desktop)
    bar = canvas.part(Rect(0, area.bottom, desktop.size[0], desktop.size[1] - area.bottom))
    shell.draw_taskbar(bar, desktop.stack.windows, front, desktop.now, desktop.toggle_ask_bar, desktop.choose, desktop)

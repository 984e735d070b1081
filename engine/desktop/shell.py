"""What stands around the windows: wallpaper, icons, taskbar with clock, notices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from engine.desktop.app import App
from engine.desktop.canvas import Canvas
from engine.desktop.menu import Entries, window_entries
from engine.desktop.window import Window, WindowKeeper
from engine.geometry import Rect
from engine.scene import Touch
from engine.theme import Role
from engine.typeface import Face, line_height, width, wrap

TILE = 28  # side of an icon's tile, pixels
TASK_ICON, TASK_ICON_X, TASK_NAME_X = 14, 4, 22  # on a window's button in the taskbar: the icon's side, where it and the name begin


def bar_height(line: int) -> int:
    return line + 14


def clock_room(face: Face) -> int:
    """Width of what the clock takes at a taskbar's right end."""
    return width(face, "00:00") + 16


def clock_box(bar: Rect, face: Face) -> Rect:
    """Where a taskbar's clock stands."""
    room = clock_room(face)
    return Rect(bar.right - room, bar.y, room - 8, bar.h)


def clock_label(now: datetime) -> str:
    """What the clock shows."""
    return now.strftime("%H:%M")


def launcher_box(bar: Rect) -> Rect:
    """Where a taskbar's launcher button stands."""
    return Rect(bar.x + 4, bar.y + 4, bar.h, bar.h - 6)


def task_boxes(bar: Rect, face: Face, count: int) -> list[Rect]:
    """Where the buttons of so many windows stand in a taskbar."""
    side = bar.h - 6
    first = bar.x + side + 16
    share = min((bar.right - clock_room(face) - first) // max(count, 1), 120)
    return [Rect(first + i * share, bar.y + 4, share - 4, side) for i in range(count)]


def task_named(box: Rect, text_size: int) -> bool:
    """Whether a window's button has room for more than a letter or two of its name."""
    return box.w >= 30 + 3 * text_size


def task_room(box: Rect) -> Rect:
    """Where the title stands on a window's button."""
    return box.inset(TASK_NAME_X, 1, 4, 1)


def icon_width(text_size: int) -> int:
    """Width of a column of icons with their names."""
    return max(72, text_size * 5 + 8) + 4


def icon_boxes(area: Rect, text_size: int, count: int) -> list[Rect]:
    """Where so many icons with their names stand on the bare desktop."""
    cell_h = TILE + line_height(Face(text_size)) + 4
    rows = max((area.h - 4) // cell_h, 1)
    columns = -(-count // rows)
    cell_w = min(icon_width(text_size) - 4, (area.w - 4) // columns)
    return [Rect(area.x + 4 + i // rows * cell_w, area.y + 4 + i % rows * cell_h, cell_w, cell_h - 1) for i in range(count)]


def draw_icons(
    canvas: Canvas, apps: Sequence[type[App]], open_app: Callable[[str], None], menu: Callable[[], Entries]
) -> None:
    """The wallpaper and a column (or more) of icons; one click opens."""
    canvas.fill(canvas.rect, Role.WALLPAPER, "wallpaper")
    canvas.widget("desktop", "desktop", canvas.rect, Touch(menu=menu))
    icons = canvas.part(canvas.rect, "icons")
    for app, cell in zip(apps, icon_boxes(canvas.rect, canvas.sheet.text_size, len(apps)), strict=True):
        widget = icons.widget("icon", app.name, cell, Touch(click=partial(open_app, app.name), focusable=True), app.name)
        tile = Rect(cell.x + (cell.w - TILE) // 2, cell.y + 1, TILE, TILE)
        lit = {"hovered", "focused", "pressed"} & set(widget.state)
        canvas.fill(tile, Role.SELECTION if "pressed" in lit else Role.HOVER if lit else Role.ACCENT, "tile")
        canvas.mark(tile.grow(-5), app.icon, Role.ACCENT if lit else Role.ACCENT_INK)
        label = Rect(cell.x + 1, tile.bottom + 1, cell.w - 2, canvas.line)
        canvas.text_in(label, app.name, Role.WALLPAPER_INK, align="centre")


def draw_bar(canvas: Canvas) -> None:
    """A taskbar with nothing in it."""
    bar = canvas.rect
    canvas.fill(bar, Role.BAR, "bar")
    canvas.fill(Rect(bar.x, bar.y, bar.w, 1), Role.BORDER, "line")


def draw_launcher(canvas: Canvas, launch: Callable[[], None]) -> Canvas:
    """The launcher's button, on a taskbar's canvas; the one for what else stands in it."""
    inside = canvas.part(canvas.rect, "taskbar")
    inside.button("Launcher", launcher_box(canvas.rect), launch, icon="logo")
    return inside


def draw_taskbar(
    canvas: Canvas,
    windows: Sequence[Window],
    front: Window | None,
    now: datetime,
    launch: Callable[[], None],
    choose: Callable[[Window], None],
    keeper: WindowKeeper,
) -> None:
    """Launcher button, one button a window, clock."""
    bar = canvas.rect
    draw_bar(canvas)
    canvas.widget("taskbar", "taskbar", bar, Touch())
    inside = draw_launcher(canvas, launch)
    inside.label("clock", clock_box(bar, canvas.face), clock_label(now), Role.BAR_INK, align="right")
    boxes = task_boxes(bar, canvas.face, len(windows))
    for window, box in zip(sorted(windows, key=lambda w: w.name), boxes, strict=True):
        state = ("minimised",) if window.minimised else ("active",) if window is front else ()
        touch = Touch(click=partial(choose, window), menu=partial(window_entries, keeper, window), focusable=True)
        _task(inside, window, box, inside.widget("button", window.name, box, touch, window.title, state=state).state)


def _task(canvas: Canvas, window: Window, box: Rect, state: tuple[str, ...]) -> None:
    ground = Role.HOVER if {"hovered", "pressed"} & set(state) else Role.SELECTION if "active" in state else Role.BUTTON
    canvas.fill(box, ground, "button")
    canvas.outline(box, Role.ACCENT if "focused" in state else Role.BORDER)
    named = task_named(box, canvas.sheet.text_size)
    x = box.x + TASK_ICON_X if named else box.x + (box.w - TASK_ICON) // 2
    canvas.mark(Rect(x, box.y + (box.h - TASK_ICON) // 2, TASK_ICON, TASK_ICON), window.app.icon, Role.INK)
    if named:
        ink = Role.MUTED if window.minimised else Role.INK
        canvas.text_in(task_room(box), window.title or window.name, ink)


def draw_notice(canvas: Canvas, area: Rect, text: str) -> None:
    """A short notice at the lower right of `area`."""
    lines = wrap(canvas.face, text, area.w - 40)
    w = max(width(canvas.face, line) for line in lines) + 24
    h = canvas.line * len(lines) + 13
    box = Rect(area.right - w - 8, area.bottom - h - 8, w, h)
    canvas.fill(box, Role.SURFACE, "menu")
    canvas.outline(box, Role.ACCENT, shape="menu")
    for i, line in enumerate(lines):
        canvas.text_in(Rect(box.x + 12, box.y + 6 + i * canvas.line, w - 24, canvas.line), line)
    canvas.widget("label", "notice", box, Touch(), text)

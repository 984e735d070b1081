"""A row of small buttons above what they act on. They leave the focus where it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from engine.desktop.canvas import Canvas
from engine.geometry import Rect
from engine.typeface import width

GAP, BREAK = 3, 9  # pixels between buttons, and between groups of them
AROUND = 30  # pixels a button has beside its text, for its icon and its edges


class Tool(NamedTuple):
    """A button: an icon, a text, or an icon whose text is shown where there is room; `checked` makes it a toggle."""

    name: str
    click: Callable[[], None]
    text: str = ""
    icon: str = ""
    enabled: bool = True
    checked: bool | None = None


def parted(window: Rect, row: int) -> tuple[Rect, Rect]:
    """What a window holds, parted into a bar that is a row high and a list below it."""
    area = window.inset(8, 8, 8, 8)
    return Rect(area.x, area.y, area.w, row), area.inset(0, row + 6, 0, 0)


def draw(canvas: Canvas, bar: Rect, groups: Sequence[Sequence[Tool]]) -> None:
    """Draw the groups side by side in `bar`; texts beside icons are left out if not all of them fit."""
    side = bar.h + 2
    tools = [tool for group in groups for tool in group]
    worded = {tool.name: width(canvas.face, tool.text) + AROUND for tool in tools if tool.text and tool.icon}
    between = GAP * (len(tools) - len(groups)) + BREAK * (len(groups) - 1)
    if sum(worded.get(tool.name, side) for tool in tools) + between > bar.w:
        worded = {}
        side = min(side, (bar.w - between) // len(tools))
    x = bar.x
    for group in groups:
        for tool in group:
            box = Rect(x, bar.y, worded.get(tool.name, side), bar.h)
            text = tool.text if tool.name in worded or not tool.icon else None
            canvas.button(
                tool.name, box, tool.click, text=text, icon=tool.icon, enabled=tool.enabled, checked=tool.checked,
                focusable=False,
            )  # fmt: skip
            x = box.right + GAP
        x += BREAK - GAP

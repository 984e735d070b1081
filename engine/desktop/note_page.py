"""How a window of Notes is laid out: where its tools, what is asked, the list, the text and its length stand, and which tools there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from engine.desktop import markdown
from engine.desktop.text_buffer import TextBuffer
from engine.desktop.toolbar import Tool
from engine.geometry import Rect

PAD = 6  # pixels around everything


class NotePage(NamedTuple):
    """tools, question, list, status: None where there is no room for it, or it is not shown. Small windows do without the length, and without
    the tools while something is asked."""

    tools: Rect | None
    question: Rect | None
    list: Rect | None
    text: Rect
    status: Rect | None

    @classmethod
    def of(cls, window: Rect, row: int, line: int, text_size: int, asks: bool, lists: bool) -> NotePage:
        """For what a window holds, `window`; row, line: heights of a button and of a line of text, pixels; asks: whether something is asked
        for; lists: whether the documents are listed."""
        area, step, least = window.inset(PAD, PAD, PAD, 2), row + PAD, 3 * line
        bars = 1 + asks
        counted = area.h - bars * step - line >= least
        tooled = not asks or area.h - bars * step >= least
        places = [Rect(area.x, area.y + i * step, area.w, row) for i in range(asks + tooled)]
        top, bottom = area.y + len(places) * step, area.bottom - 4
        status = Rect(area.x + 3, area.bottom - line - 1, area.w - 6, line) if counted else None
        text = Rect(area.x, top, area.w, (status.y - 2 if status else bottom) - top)
        listed = None
        if lists:
            w = min(max(text.w * 3 // 10, 7 * text_size), 13 * text_size, text.w // 2)
            listed, text = Rect(text.x, text.y, w, text.h), text.inset(w + 4, 0, 0, 0)
        return cls(places[0] if tooled else None, places[-1] if asks else None, listed, text, status)


def tools(
    buffer: TextBuffer, deeds: tuple[bool, bool], lists: bool, finds: bool, clicks: Mapping[str, Callable[[], None]]
) -> list[list[Tool]]:  # fmt: skip
    """The buttons above a text, in groups. deeds: as of `History`; clicks: what each button does, by its name."""
    level, item, (undoes, redoes) = markdown.level_at(buffer), markdown.is_item(buffer), deeds
    return [
        [
            Tool("Documents", clicks["Documents"], "Documents", "document", checked=lists),
            Tool("New", clicks["New"], icon="plus"),
        ],
        [
            Tool("Undo", clicks["Undo"], icon="undo", enabled=undoes),
            Tool("Redo", clicks["Redo"], icon="redo", enabled=redoes),
        ],
        [
            Tool("Heading", clicks["Heading"], "H", checked=level > 0),
            Tool("List", clicks["List"], "•", checked=item),
        ],
        [Tool("Find", clicks["Find"], icon="search", checked=finds)],
    ]

"""What stands in a window that shows a document of the user's, as its app would show it first.

Nobody can dream what a document says: it is the user's own, as a picture's pixels are with a guide. So the context tells of it
(`engine.painter.Work`), and it is laid into the picture of the window where the app's own rules put it; the window around it
is dreamt.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from torch import Tensor

from engine.desktop import bitmap
from engine.desktop.app import System
from engine.desktop.apps.paint import BLANK
from engine.desktop.apps.registry import APPS
from engine.desktop.canvas import Canvas, Sheet
from engine.desktop.editor import BAR, PADDING, Editor
from engine.desktop.paintbox import picture_place, picture_room
from engine.desktop.window import title_height
from engine.desktop.word_count import count, told
from engine.errors import InputError
from engine.geometry import Rect
from engine.painter import Work
from engine.scene import Touch
from engine.theme import NEUTRAL, Role
from engine.typeface import MARGIN, Face, line_height
from models.dreaming.pictures import drawn

LEAST = (60, 40)  # pixels: width and height of the least that is taken for an editor
NAME = "text"
PAINT = list(APPS).index("Paint")

Laid = tuple[Rect, Tensor]


class Clipboard:
    """All that an editor needs of a system."""

    clipboard = ""


def editor_with(text: str, place: dict[str, Any] | None = None, system: Clipboard | None = None) -> Editor:
    """An editor of a text. place: caret and scroll, as `Editor.state` has them; else where they are in a text that was just opened."""
    editor = Editor(cast(System, system or Clipboard()), lambda *_: None)
    editor.load(text, place)
    return editor


def set_out(editor: Editor, box: Rect, size: int, caret_on: bool) -> tuple[Tensor, Touch]:
    """An editor as it is drawn in a box, uint8 (PLANES, box.h, box.w), and how it answers there; size: of plain text, pixels."""
    outer = Rect(0, 0, box.w, box.h)
    sheet = Sheet(size, focus=NAME, caret_on=caret_on)
    widget = editor.draw(Canvas(sheet, outer), NAME, outer)
    return drawn(sheet.items, box.w, box.h), widget.touch or Touch()


def text_part(box: Rect) -> Rect:
    """Where an editor's text can be seen, with what its glyphs reach over: not its edge, nor its scroll bar."""
    return box.inset(PADDING[0] - MARGIN, PADDING[1], BAR + 2, PADDING[1])


def bar_part(box: Rect) -> Rect:
    """Where its scroll bar stands."""
    return Rect(box.right - BAR - 2, box.y + 3, BAR, box.h - 6)


def label_place(box: Rect, size: int) -> Rect:
    """Where Notes tells below the field how long a text is."""
    return Rect(box.x, box.bottom + 2, box.w - 3, line_height(Face(size)))


def length_label(where: Rect, size: int, words: int, characters: int | None) -> Laid:
    """The label that tells it; characters: None while somebody types."""
    sheet, outer = Sheet(size), Rect(0, 0, where.w, where.h)
    canvas = Canvas(sheet, outer)
    canvas.fill(outer, Role.SURFACE)
    canvas.text_in(outer, told(words, characters), Role.MUTED, align="right")
    return where, drawn(sheet.items, where.w, where.h)


def shows(planes: Tensor, *roles: Role) -> np.ndarray:
    """Where planes show one of these roles' colours: bool (h, w)."""
    pixels = planes[:3].numpy()
    return np.logical_or.reduce([(pixels == NEUTRAL[role][:, None, None]).all(0) for role in roles])


def focused(planes: Tensor, window: Rect) -> Rect | None:
    """The box in a window that is edged as what has the focus is, if it is as large as an editor, frame pixels."""
    part = window.meet(Rect(0, 0, planes.shape[2], planes.shape[1]))
    accent = shows(planes[:, *part.slices], Role.ACCENT)
    columns = np.flatnonzero(accent.sum(0) >= LEAST[1])
    if not len(columns):
        return None
    left, right = int(columns[0]), int(columns[-1])
    rows = np.flatnonzero(accent[:, left])
    top, bottom = int(rows[0]), int(rows[-1])
    whole = accent[top : bottom + 1, [left, right]].all() and accent[[top, bottom], left : right + 1].all()
    if right + 1 - left < LEAST[0] or not whole:
        return None
    return Rect(part.x + left, part.y + top, right + 1 - left, bottom + 1 - top)


def lay_out(picture: Tensor, work: Work, size: int, place: dict[str, Any] | None = None) -> bool:
    """Put what a document says into a picture of its window, uint8 (PLANES, h, w), if that is told; False where the picture has no room
    for it. size: of text; place: as of `editor_with`."""
    if work.content is None and work.name:
        return True
    if work.app == PAINT:
        return isinstance(work.content, str) or _lay_picture(picture, work.name, work.content, size)
    return isinstance(work.content, bytes) or _lay_text(picture, work.content or "", size, place)


def _lay_text(picture: Tensor, text: str, size: int, place: dict[str, Any] | None) -> bool:
    box = focused(picture, Rect(0, 0, picture.shape[2], picture.shape[1]))
    if box is None:
        return False
    shown, _ = set_out(editor_with(text, place), box, size, True)
    for part in (text_part(box), bar_part(box)):
        picture[:, *part.slices] = shown[:, *part.shift(-box.x, -box.y).slices]
    where = label_place(box, size)
    if where.bottom < picture.shape[1]:
        picture[:, *where.slices] = length_label(where, size, count(text), len(text))[1]
    return True


def _lay_picture(picture: Tensor, name: str, content: bytes | None, size: int) -> bool:
    _, h, w = picture.shape
    try:
        pixels = bitmap.blank(*BLANK) if content is None else bitmap.decode(name, content)[0]
    except InputError:
        return True  # and the desktop says so
    top = title_height(line_height(Face(size))) + 1
    room = picture_room(Rect(1, top, w - 2, h - 1 - top))
    view = picture_place(room, pixels.shape[1], pixels.shape[0])
    if view.grow(1).meet(Rect(0, 0, w, h)) != view.grow(1):
        return False
    sheet = Sheet(size)
    canvas = Canvas(sheet, Rect(0, 0, w, h))
    canvas.fill(room, Role.SURFACE)
    canvas.outline(view.grow(1), Role.ACCENT)
    canvas.picture(view, bitmap.scaled(pixels, view.w, view.h), (name,))
    picture[:, *room.slices] = drawn(sheet.items, w, h)[:, *room.slices]
    return True

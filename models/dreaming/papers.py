"""What stands in a window that shows a document of the user's, as its app would show it first.

Nobody can dream what a document says: it is the user's own, as a picture's pixels are with a guide. So the context tells of it
(`engine.painter.Work`), and it is laid into the picture of what its window holds where the app's own rules put it; what stands around
it is dreamt. Pictures are uint8 (PLANES, h, w).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from engine.desktop import bitmap, toolbar
from engine.desktop.app import App, System
from engine.desktop.apps.calculator import Calculator
from engine.desktop.apps.files import Files
from engine.desktop.apps.log import Log
from engine.desktop.apps.notes import NEW
from engine.desktop.apps.paint import BLANK, Paint
from engine.desktop.apps.registry import APPS
from engine.desktop.apps.settings import LOOK, Settings
from engine.desktop.apps.snake import Snake
from engine.desktop.canvas import Canvas, Sheet, row_height
from engine.desktop.document_list import KIND
from engine.desktop.editor import BAR, PADDING, Editor, Span
from engine.desktop.find_bar import FindBar
from engine.desktop.note_page import NotePage, tools
from engine.desktop.paintbox import picture_room
from engine.desktop.text_buffer import TextBuffer
from engine.desktop.word_count import count, told
from engine.drawing import Fill
from engine.errors import InputError
from engine.forms import FLOATING
from engine.geometry import Rect
from engine.open_work import Work, values_of
from engine.scene import Touch
from engine.theme import NEUTRAL, Role
from engine.typeface import MARGIN, Face, fit, line_height
from models.bytewise import chosen
from models.dreaming.letters import caret_in
from models.dreaming.pictures import CALCULATOR, NOTES, SNAKE, drawn, reinked
from models.dreaming.planes import SEEN, shows
from models.dreaming.standing_in import Bare, Chosen, Clipboard, Listed

LEAST = (60, 40)  # pixels: width and height of the least that is taken for an editor
NAME = "text"
FILES, LOG, PAINT, SETTINGS = (list(APPS).index(app) for app in ("Files", "Log", "Paint", "Settings"))
DRAWN = (CALCULATOR, FILES, LOG, PAINT, SETTINGS, SNAKE)  # that draw themselves from what is told

Laid = tuple[Rect, Tensor]


def editor_with(text: str, place: dict[str, Any] | None = None, system: Clipboard | None = None) -> Editor:
    """An editor of a text. place: caret and scroll, as `Editor.state` has them; else where they are in a text that was just opened."""
    editor = Editor(cast(System, system or Clipboard()), lambda *_: None)
    editor.load(text, place)
    return editor


def set_out(
    editor: Editor, box: Rect, size: int, caret_on: bool = True, focus: str = NAME, found: Sequence[Span] = ()
) -> tuple[Tensor, Touch]:  # fmt: skip
    """An editor as it is drawn in a box, uint8 (PLANES, box.h, box.w), and how it answers there; size: of plain text, pixels; focus: as of `Work`,
    of which the text is NAME; found: what is lit in it."""
    outer = Rect(0, 0, box.w, box.h)
    sheet = Sheet(size, focus=focus, caret_on=caret_on)
    widget = editor.draw(_surface(sheet, outer), NAME, outer, found)
    return drawn(sheet.items, box.w, box.h), widget.touch or Touch()


def _surface(sheet: Sheet, rect: Rect) -> Canvas:
    """Of what windows are made, with nothing on it yet."""
    canvas = Canvas(sheet, rect)
    canvas.fill(rect, Role.SURFACE)
    return canvas


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
    _surface(sheet, outer).text_in(outer, told(words, characters), Role.MUTED, align="right")
    return where, drawn(sheet.items, where.w, where.h)


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


def unfocused(held: Tensor) -> Tensor:
    """A picture of what a window holds, as it is behind other windows: nothing that is as large as an editor is edged as what has the focus, or has
    a caret. The same tensor where that is so."""
    box = focused(held, _outer(held))
    if box is None:
        return held
    inside, out = box.inset(1, 1, 1, 1), held.clone()
    empty = _empty_field(box.w, box.h)
    edge = empty[SEEN].bool()  # corners, which may be rounded
    edge[[0, -1]] = edge[:, [0, -1]] = True
    out[:, *box.slices] = chosen(edge, empty, held[:, *box.slices])
    if (caret := caret_in(held, inside)) is not None:
        out[:3, *caret.slices] = torch.from_numpy(NEUTRAL[Role.FIELD])[:, None, None]
    return out


def _empty_field(w: int, h: int) -> Tensor:
    """A field that has no focus, uint8 (PLANES, h, w)."""
    sheet, outer = Sheet(), Rect(0, 0, w, h)
    canvas = _surface(sheet, outer)
    canvas.fill(outer, Role.FIELD, "field")
    canvas.outline(outer, Role.BORDER, shape="field")
    return drawn(sheet.items, w, h)


def lay_out(picture: Tensor, work: Work, size: int) -> None:
    """Put what a document says into a picture of what its window holds, if that is a text, and told. size: of text."""
    if work.app == NOTES and not isinstance(work.content, bytes) and (work.content is not None or not work.name):
        _lay_text(picture, work, size)


def lay_rows(picture: Tensor, work: Work, size: int) -> None:
    """Put what an app lists, what is chosen and what is typed into such a picture, where there is room for it."""
    outer, draws = _outer(picture), work.app in DRAWN and bool(work.rows)
    sheet = Sheet(size, focus=work.focus, caret_on=True)
    canvas, parts = Canvas(sheet, outer), [outer] if work.app == SNAKE and draws else told_parts(outer, work, size, text=False)
    for part in parts:
        if not outer.holds(part.right - 1, part.bottom - 1) or part.h < 1:
            return
        canvas.fill(part, Role.SURFACE, "body")
    if draws:
        app_of(work, size).draw(canvas)
    elif work.app == NOTES:
        page = _note_page(outer, work, size)
        if page.list:
            canvas.fill(page.list, Role.FIELD, "field")
            _draw_notes(canvas, page.list, work)
        if page.question and work.typed is not None:
            editor = editor_with(work.content if isinstance(work.content, str) else "", work.place)
            FindBar.told(cast(System, Clipboard()), editor, work.typed).draw(canvas, page.question)
    drawing = drawn(sheet.items, outer.w, outer.h)
    for part in parts:
        picture[:, *part.slices] = drawing[:, *part.slices]


def is_whole(work: Work) -> bool:
    """Whether all that a window holds follows from what is told of its app, and from where the pointer is: a picture may be too large to be told, and
    a game goes on meanwhile, unless it stands still."""
    if work.app == PAINT:
        return bool(work.rows) and picture_of(work) is not None
    return work.app in DRAWN and bool(work.rows) and (work.app != SNAKE or bool(work.page))


def sheet_of(work: Work, size: int, outer: Rect, hover: str = "", pressed: str = "") -> Sheet:
    """What such a window holds, which takes `outer`, as it is drawn. hover, pressed: paths of the widgets that the pointer is on, and the button went down on."""
    sheet = Sheet(size, focus=work.focus, hover=hover, pressed=pressed)
    canvas = Canvas(sheet, outer)
    canvas.fill(outer, Role.SURFACE, "body")
    app_of(work, size).draw(canvas)
    return sheet


def raised(work: Work | None, size: int, held: Rect) -> list[Rect]:
    """Where something stands above all else that a window holds, as what a game says that stands still, and throws a shadow on it."""
    if work is None or work.app != SNAKE or not is_whole(work):
        return []
    return [item.rect for item in sheet_of(work, size, held).items if isinstance(item, Fill) and item.shape in FLOATING]


def app_of(work: Work, size: int) -> App:
    """One of DRAWN, as what is told of it."""
    if work.app == LOG:
        return Log.told(cast(System, Clipboard()), work)
    if work.app == SNAKE:
        return Snake(cast(System, Clipboard()), values_of(work.rows))
    if work.app == CALCULATOR:
        return Calculator.told(cast(System, Clipboard()), work)
    if work.app == PAINT:
        return Paint.told(cast(System, Bare()), work, bitmap.blank(*BLANK) if (pixels := picture_of(work)) is None else pixels)
    if work.app == FILES:
        return Files.told(cast(System, Listed(work)), work)
    return Settings(cast(System, Chosen(work.rows)), {"page": work.page or LOOK, "scroll": work.scroll, "set_in": size, "asking": work.asks, "focused": work.focus})


def _draw_notes(canvas: Canvas, box: Rect, work: Work) -> None:
    """The notes in a list."""
    inner, names = box.inset(3, 3, 3, 3), list(work.rows)
    page = max(inner.h // canvas.row, 1)
    first = max(min(work.scroll, len(names) - page), 0)
    for i, name in enumerate(names[first : first + page]):
        place = Rect(inner.x, inner.y + i * canvas.row, inner.w - 13 * (len(names) > page), canvas.row)
        canvas.list_row(name, place, Touch(), text=fit(canvas.face, name.removesuffix(KIND), place.w - 12), selected=name == (work.name or NEW))
    canvas.scrollbar(Rect(box.right - 13, box.y + 2, 10, box.h - 4), first, page, len(names), _nothing)


def told_parts(held: Rect, work: Work, size: int, text: bool = True, tooled: bool = False) -> list[Rect]:
    """Where in what a window holds nothing stands but what is told; text: a document's too, with all that stands beside and below it; tooled: and the tools above one, which follow from it."""
    if is_whole(work):
        return [held]
    if work.app == PAINT:
        return [held._replace(w=picture_room(held).x - held.x)] if work.rows else []
    if work.app != NOTES:
        return []
    page = _note_page(held, work, size)
    listed = [page.list.inset(2, 2, 2, 2)] if page.list else []
    asked = [page.question] if page.question and work.typed is not None else []
    above = [page.tools] if tooled and page.tools else []
    below = [Rect(held.x, page.text.y, held.w, held.bottom - page.text.y)] if text and said_by(work) is not None else []
    return [*listed, *asked, *above, *below]


def around_text(held: Rect, work: Work, size: int, buffer: TextBuffer) -> list[Laid]:
    """The tools above a text in what a window of Notes holds, as they are for what is written, and the label below it; what there is room for."""
    page = _note_page(held, work, size)
    found = [length_label(page.status, size, count(buffer.text), work.place["characters"])] if page.status and work.place else []
    if page.tools:
        sheet, outer = Sheet(size), page.tools._replace(x=0, y=0)
        _draw_tools(_surface(sheet, outer), outer, work, buffer)
        found.append((page.tools, drawn(sheet.items, outer.w, outer.h)))
    return found


def _draw_tools(canvas: Canvas, where: Rect, work: Work, buffer: TextBuffer) -> None:
    deeds = work.place["deeds"] if work.place else buffer.history.deeds
    toolbar.draw(canvas, where, tools(buffer, deeds, "list" in work.page, "find" in work.page, defaultdict(lambda: _nothing)))


def said_by(work: Work) -> str | None:
    """The text of its document, if that is one, and told; a note that has no name yet says nothing."""
    return work.content if isinstance(work.content, str) else "" if work.app == NOTES and not work.name else None


def text_box(held: Rect, work: Work, size: int) -> Rect:
    """Where the text stands in what a window of Notes holds."""
    return _note_page(held, work, size).text


def _note_page(held: Rect, work: Work, size: int) -> NotePage:
    return NotePage.of(held, row_height(size), line_height(Face(size)), size, "find" in work.page, "list" in work.page)


def _lay_text(picture: Tensor, work: Work, size: int) -> None:
    """Notes are all laid out anew around a text: what is not asked, and not listed, follows from it."""
    outer, asks = _outer(picture), "find" in work.page
    sheet, text = Sheet(size), work.content if isinstance(work.content, str) else ""
    canvas, page, editor = Canvas(sheet, outer), _note_page(outer, work, size), editor_with(text, work.place)
    canvas.fill(outer, Role.SURFACE, "body")
    if page.tools:
        _draw_tools(canvas, page.tools, work, editor.buffer)
    if page.list:
        canvas.fill(page.list, Role.FIELD, "field")
        canvas.outline(page.list, Role.BORDER, shape="field")
    if page.status:
        canvas.text_in(page.status, told(count(text), work.place["characters"] if work.place else len(text)), Role.MUTED, align="right")
    found = FindBar.told(cast(System, Clipboard()), editor, work.typed).found() if asks and work.typed else ()
    drawing, (shown, _) = drawn(sheet.items, outer.w, outer.h), set_out(editor, page.text, size, focus=work.focus, found=found)
    drawing[:, *page.text.slices] = shown
    if page.question:
        asked = picture[:, *page.question.slices].clone()
        if work.focus != "find":
            asked[:3] = reinked(asked[:3], (Role.FIELD, Role.ACCENT), (Role.FIELD, Role.BORDER))
        drawing[:, *page.question.slices] = asked
    picture[:] = drawing


def _outer(picture: Tensor) -> Rect:
    return Rect(0, 0, picture.shape[2], picture.shape[1])


def _nothing(*_: object) -> None:
    """What is done by a tool, or a scroll bar, that is only drawn."""


def picture_of(work: Work) -> np.ndarray | None:
    """The picture in a window of Paint, uint8 (H, W, 3), not to be written to; a blank one where it is none of the user's yet; None where it is
    not told, or is none, as the desktop says then."""
    if work.content is None:
        return None if work.name else bitmap.blank(*BLANK)
    return _decoded(work.content) if isinstance(work.content, bytes) else None


@lru_cache(maxsize=2)
def _decoded(content: bytes) -> np.ndarray | None:
    try:
        return bitmap.decode("", content)[0]
    except InputError:
        return None

"""Pictures of windows: what each of them showed last, and how one is believed to look that was never seen so.

A window that was never seen looks as the dreamer's book of windows has it. So does one that is opened again, for an app begins anew.
What is told of the work that is open in a window is laid into its picture (`models.dreaming.papers`), and its name into the title.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple
from zlib import crc32

import torch
from torch import Tensor

from engine.desktop.window import title_height, title_room
from engine.drawing import Fill
from engine.geometry import Rect
from engine.painter import Work
from engine.theme import Role
from engine.typeface import Face, line_height
from models.dreaming.book import DOCUMENT, Book, turned, unrolled
from models.dreaming.papers import lay_out, lay_rows, lay_scrolled
from models.dreaming.pictures import drawn, entitle, reinked, resized
from models.dreaming.planes import FILLED, SEEN

_TITLES = ((Role.TITLE_IDLE, Role.TITLE_IDLE_INK), (Role.TITLE, Role.TITLE_INK))  # of those behind, of the one in front


class Placed(NamedTuple):
    """A window, by its app's slot, and its outer rect in frame pixels. document, page, rows: what is shown in it, rows with its
    picture and how far it is scrolled, as `number_of` has it; 0 where that has no name, or nobody told of it."""

    app: int
    rect: Rect
    document: int = 0
    page: int = 0
    rows: int = 0


class Picture(NamedTuple):
    """planes: uint8 (PLANES, h, w); front: whether it was taken in front."""

    planes: Tensor
    front: bool


class Form(NamedTuple):
    """What a picture is kept under: whose window it is, with which document, on which of its pages, in which text size, how wide and
    high."""

    app: int
    document: int
    page: int
    text_size: int
    w: int
    h: int


class Told(NamedTuple):
    """What is told of windows. text_size: in pixels; work: by app; open: the apps that were open before; places: where carets are, by app and
    document, as of `papers.lay_out`."""

    text_size: int = 0
    work: Mapping[int, Work] = MappingProxyType({})
    open: frozenset[int] = frozenset()
    places: Mapping[tuple[int, int], dict[str, Any]] = MappingProxyType({})


class Panes:
    """The pictures, those that were looked at last at the end. book: see above; room: numbers of all pictures together that are kept."""

    def __init__(self, book: Book, room: int) -> None:
        self._book = book
        self._room = room
        self._pictures: OrderedDict[Form, Picture] = OrderedDict()
        self.told = Told()

    def clear(self) -> None:
        """Forget everything."""
        self._pictures.clear()
        self.told = Told()

    def __iter__(self) -> Iterator[tuple[Form, Picture]]:
        return iter(self._pictures.items())

    def keep(self, form: Form, picture: Picture) -> None:
        """One more."""
        self._pictures[form] = picture

    def trim(self) -> None:
        """Give up those that were not looked at for long, where there is no room for them."""
        while sum(picture.planes.numel() for picture in self._pictures.values()) > self._room:
            self._pictures.popitem(last=False)

    def of(self, window: Placed, front: bool) -> Tensor:
        """What is known of a window, or believed, its title bar as it is in front, or behind another window: uint8 (PLANES, h, w)."""
        form = self.form(window)
        known = self._pictures.pop(form, None) or self._believed(form)
        if known.front != front:
            title = known.planes[:3, 1 : line_height(Face(self.told.text_size)) + 9]
            title.copy_(reinked(title, _TITLES[known.front], _TITLES[front]))
            known = Picture(known.planes, front)
        self._pictures[form] = known
        return known.planes

    def form(self, window: Placed) -> Form:
        """What its picture is kept under."""
        return Form(window.app, window.document, window.page, self.told.text_size, window.rect.w, window.rect.h)

    def renew(self, planes: Tensor, window: Placed, before: Placed | None) -> None:
        """Lay what is told of a window into its picture, where that is something else than when the picture was taken."""
        work = self.told.work.get(window.app)
        if work is None:
            return
        renewed, other = before is None or before.rows != window.rows, before is not None and before.page != window.page
        if other or (renewed and isinstance(work.content, bytes)):
            lay_out(planes, work, self.told.text_size, self.told.places.get((window.app, window.document)))
        if other or renewed:
            self._list(planes, work, self.told.text_size)

    def _list(self, planes: Tensor, work: Work, text_size: int) -> None:
        """Lay what an app lists into the picture of its window, or as much of its page as is seen."""
        whole = unrolled(work.app, work.page)
        page = self._book.planes(whole, text_size) if whole is not None else None
        if page is None:
            lay_rows(planes, work, text_size)
        else:
            lay_scrolled(planes, page, work.scroll, text_size)

    def forget(self, app: int, known: Work | None) -> None:
        """An app was closed, and begins anew when it is opened again; what is in its documents is told then."""
        for form in [form for form in self._pictures if form.app == app and not (form.document and (known is None or known.content is None))]:
            del self._pictures[form]

    def rename(self, app: int, before: Work, now: Work) -> None:
        """A document has another name now."""
        old = number_of(before.name)
        for form in [form for form in self._pictures if (form.app, form.document) == (app, old)]:
            picture = self._pictures.pop(form)
            _entitle(picture.planes, now.title, form.text_size, picture.front)
            self._pictures[form._replace(document=number_of(now.name))] = picture

    def _believed(self, form: Form) -> Picture:
        """Of a window that was not seen in this form: as it was in another size, or with another document, where it has room for what is
        told of this one; else as the book has it, else blank."""
        app, document, _, text_size, w, h = form
        work, place = self.told.work.get(app), self.told.places.get((app, document))
        asks = work is not None and "find" in work.page
        sized = self._latest(lambda other: other[:4] == form[:4])
        known = sized
        if known is None and app in self.told.open:
            known = self._latest(lambda other: (other.app, *other[2:]) == (app, *form[2:]))
        if known is not None:
            planes = resized(known.planes, app, text_size, w, h, asks)
            if work is not None and sized is None:
                _entitle(planes, work.title, text_size, known.front)
            if work is None or lay_out(planes, work, text_size, place):
                if work is not None:
                    self._list(planes, work, text_size)
                return Picture(planes, known.front)
        outer = Rect(0, 0, w, h)
        planes = drawn([Fill(outer, Role.SURFACE, "window", outer)], w, h)
        subjects = (turned(app, work.page) if work else None, DOCUMENT + app if document else None, app)
        page = next((self._book.planes(one, text_size) for one in subjects if one is not None and self._book.knows(one)), None)
        if page is not None:
            corners = planes[SEEN:FILLED].clone()  # its own, in this size
            planes = resized(page, app, text_size, w, h, asks)
            planes[SEEN:FILLED] = torch.where(corners[:1] > 0, corners, planes[SEEN:FILLED])
            if work is not None:
                _entitle(planes, work.title, text_size, True)
                lay_out(planes, work, text_size, place)
                self._list(planes, work, text_size)
        return Picture(planes, True)

    def _latest(self, alike: Callable[[Form], bool]) -> Picture | None:
        """The picture of that kind that was looked at last."""
        return next((self._pictures[form] for form in reversed(self._pictures) if alike(form)), None)


def number_of(document: str) -> int:
    """What stands for a document's name: never 0, but for none."""
    return crc32(document.casefold().encode()) % 32767 + 1 if document else 0


def _entitle(picture: Tensor, title: str, text_size: int, front: bool) -> None:
    """Write a window's title into its picture, (PLANES, h, w)."""
    bar = Rect(1, 1, picture.shape[2] - 2, title_height(line_height(Face(text_size))) - 1)
    entitle(picture, title, text_size, bar, title_room(bar), _TITLES[front], "plain", "bold")

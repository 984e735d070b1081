"""Pictures of what windows hold: what each of them showed last, and what one is believed to show that was never seen so.

What was never seen is as the dreamer's book of windows has it. So is what is in a window that is opened again, for an app begins anew.
What is told of the work that is open in a window is laid into its picture (`models.dreaming.papers`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from torch import Tensor

from engine.drawing import Fill
from engine.geometry import Rect
from engine.open_work import Work
from engine.theme import Role
from models.dreaming.book import DOCUMENT, Book, turned
from models.dreaming.frames import Form
from models.dreaming.papers import lay_out, lay_rows
from models.dreaming.pictures import drawn, resized
from models.dreaming.placed import Placed, number_of


class Kept(NamedTuple):
    """What a picture is kept under: whose window it is of, with which document, on which of its pages, in which text size, how wide and
    high."""

    app: int
    document: int
    page: int
    text_size: int
    w: int
    h: int


class Told(NamedTuple):
    """What is told of windows. form: of all of them; work: by app; open: the apps that were open before."""

    form: Form = Form(0)
    work: Mapping[int, Work] = MappingProxyType({})
    open: frozenset[int] = frozenset()


class Panes:
    """The pictures, those that were looked at last at the end. book: see above; room: numbers of all pictures together that are kept."""

    def __init__(self, book: Book, room: int) -> None:
        self._book = book
        self._room = room
        self._pictures: OrderedDict[Kept, Tensor] = OrderedDict()  # uint8 (PLANES, h, w)
        self.told = Told()

    def clear(self) -> None:
        """Forget everything."""
        self._pictures.clear()
        self.told = Told()

    def __iter__(self) -> Iterator[tuple[Kept, Tensor]]:
        return iter(self._pictures.items())

    def keep(self, key: Kept, picture: Tensor) -> None:
        """One more."""
        self._pictures[key] = picture

    def trim(self) -> None:
        """Give up those that were not looked at for long, where there is no room for them."""
        while sum(picture.numel() for picture in self._pictures.values()) > self._room:
            self._pictures.popitem(last=False)

    def of(self, window: Placed) -> Tensor:
        """What is known, or believed, of what a window holds: uint8 (PLANES, h, w)."""
        key = self.key(window)
        known = self._pictures.pop(key, None)
        self._pictures[key] = known = self._believed(key) if known is None else known
        return known

    def key(self, window: Placed) -> Kept:
        """What its picture is kept under."""
        held = self.told.form.inside(window.rect)
        return Kept(window.app, window.document, window.page, self.told.form.text_size, held.w, held.h)

    def renew(self, planes: Tensor, window: Placed, before: Placed | None, stale: bool = False) -> None:
        """Lay what is told of a window into its picture, where that is something else than when the picture was taken. stale: whether that is so
        for sure."""
        work = self.told.work.get(window.app)
        if work is None:
            return
        other = stale or (before is not None and before.page != window.page)
        if other:
            lay_out(planes, work, self.told.form.text_size)
        if other or before is None or before.rows != window.rows:
            lay_rows(planes, work, self.told.form.text_size)

    def forget(self, app: int, known: Work | None) -> None:
        """An app was closed, and begins anew when it is opened again; what is in its documents is told then."""
        for key in [key for key in self._pictures if key.app == app and not (key.document and (known is None or known.content is None))]:
            del self._pictures[key]

    def rename(self, app: int, before: Work, now: Work) -> None:
        """A document has another name now."""
        old = number_of(before.name)
        for key in [key for key in self._pictures if (key.app, key.document) == (app, old)]:
            self._pictures[key._replace(document=number_of(now.name))] = self._pictures.pop(key)

    def _believed(self, key: Kept) -> Tensor:
        """Of a window that was not seen so: as it was in another size, or with another document; else as the book has it, else blank."""
        app, document, _, text_size, w, h = key
        work = self.told.work.get(app)
        asks = work is not None and "find" in work.page
        known = self._latest(lambda other: other[:4] == key[:4])
        if known is None and app in self.told.open:
            known = self._latest(lambda other: (other.app, *other[2:]) == (app, *key[2:]))
        if known is not None:
            planes = resized(known, app, text_size, w, h, asks)
            if work is not None:
                lay_out(planes, work, text_size)
                lay_rows(planes, work, text_size)
            return planes
        subjects = (turned(app, work.page) if work else None, DOCUMENT + app if document else None, app)
        page = next((self._book.planes(one, text_size) for one in subjects if one is not None and self._book.knows(one)), None)
        if page is None:
            outer = Rect(0, 0, w, h)
            return drawn([Fill(outer, Role.SURFACE, "body", outer)], w, h)
        planes = resized(page, app, text_size, w, h, asks)
        if work is not None:
            lay_out(planes, work, text_size)
            lay_rows(planes, work, text_size)
        return planes

    def _latest(self, alike: Callable[[Kept], bool]) -> Tensor | None:
        """The picture of that kind that was looked at last."""
        return next((self._pictures[key] for key in reversed(self._pictures) if alike(key)), None)

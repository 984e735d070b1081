"""What a dream knows of windows: where the context says that they stand, and what each of them showed last.

A window is an object that keeps its looks while it moves, comes to the front, or goes and returns (object-centric, as
in slot attention, Locatello et al., 2020, arXiv:2006.15055; here the context says which objects there are). So when
the context tells of other windows than before, the guide is laid anew from the pictures of them, back to front, and the
dreamer goes on from there. A window that was never seen looks as the dreamer's book of windows has it. So does one that is opened
again, for an app begins anew. Of a window that shows a document the context tells what is in it; another document is another
picture of its window, with that in its place (`models.dreaming.papers`), and its name in the title.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import torch
from torch import Tensor

from engine.context import EVENTS_SIZE, WINDOW_SIZE, WINDOWS, open_apps_of
from engine.desktop.shell import bar_height
from engine.desktop.window import title_height, title_room
from engine.drawing import Fill
from engine.events import Down, Event, Key, Up
from engine.geometry import GRID, Rect
from engine.painter import ContextFeatures, Work
from engine.theme import Role
from engine.typeface import Face, line_height
from models.dreaming import taskbar
from models.dreaming.book import DOCUMENT, GROUND, Book
from models.dreaming.letters import letter_of
from models.dreaming.papers import PAINT, lay_out
from models.dreaming.pictures import BELOW, RIGHT, drawn, entitle, reinked, resized, stretched
from models.dreaming.planes import FILLED, PLANES, SEEN
from models.dreaming.taskbar import Tasks

POOL = 4  # frames' worth of pictures that are kept
_HEAD = 9  # numbers told of a picture in `state`
_TITLES = ((Role.TITLE_IDLE, Role.TITLE_IDLE_INK), (Role.TITLE, Role.TITLE_INK))  # of those behind, of the one in front


class Placed(NamedTuple):
    """A window, by its app's slot, and its outer rect in frame pixels. document: what is shown in it, as `_number_of` has it; 0 where that has
    no name, or nobody told of it."""

    app: int
    rect: Rect
    document: int = 0


class _Picture(NamedTuple):
    """planes: uint8 (PLANES, h, w); front: whether it was taken in front."""

    planes: Tensor
    front: bool


class _Form(NamedTuple):
    """What a picture is kept under: whose window it is, with which document, in which text size, how wide and high."""

    app: int
    document: int
    text_size: int
    w: int
    h: int


class Windows:
    """PLANES_KEPT: how many planes `state` gives; ground: what lies under all windows, uint8 (PLANES, H, W). For frames of `size` (width,
    height). book: how windows look that were never seen."""

    PLANES_KEPT = PLANES + POOL * PLANES + 1  # ground, pictures, and what is told of them

    def __init__(self, size: tuple[int, int], book: Book) -> None:
        width, height = size
        self._size = size
        self._book = book
        self._room = POOL * PLANES * width * height
        self.ground = torch.zeros(PLANES, height, width, dtype=torch.uint8)
        self._pictures: OrderedDict[_Form, _Picture] = OrderedDict()
        self._shown: tuple[Placed, ...] = ()  # front to back
        self._tasks = Tasks()
        self._work: dict[int, Work] = {}  # by app
        self._open = frozenset[int]()  # apps that were open before the windows were laid
        self._places: dict[tuple[int, int], dict[str, Any]] = {}  # by app and document: where its caret was, as of `papers.lay_out`

    def begin(self, planes: Tensor, context: ContextFeatures, ground: Tensor | None = None) -> None:
        """Know nothing but what `planes` show, uint8 (PLANES, H, W); ground: what is known to lie under all windows. Where it is
        not, the book says what lies under those that there are."""
        self.clear()
        self._work = {one.app: one for one in context.work}
        self._shown = self._told(context)
        self._tasks = Tasks.of(context, _apps(self._shown))
        self.ground = planes.clone() if ground is None else ground.clone()
        believed = self._believed_ground()
        if ground is None and believed is not None:
            for window in self._shown:
                part = window.rect.meet(self.area).slices
                self.ground[:, *part] = believed[:, *part]
        self._take(planes)  # so that `state` tells of them

    def laid(
        self, planes: Tensor, context: ContextFeatures, event: Event | None = None, opens: bool = False, place: dict[str, Any] | None = None
    ) -> Tensor:  # fmt: skip
        """What is shown, `planes`, with the windows that the context tells of, and their buttons in the taskbar; the same tensor
        where none is another. event: what happened; opens: whether that was for a popup, which may have opened a document; place: in the
        text in focus, as of `papers.lay_out`."""
        known, self._work = self._work, {one.app: one for one in context.work}
        told = self._told(context)
        tasks = Tasks.of(context, _apps(told))
        if (told, tasks) == (self._shown, self._tasks):
            return planes
        self._take(planes)
        for app in set(self._tasks.apps) - set(tasks.apps):
            if self._book.page(app, self._text_size) is not None:
                self._forget(app, known.get(app))
        open_before = self._tasks.apps
        other = {
            app: one
            for app, one in self._work.items()
            if app in tasks.apps and (app not in open_before or (app in known and known[app].name != one.name))
        }
        for app, one in other.items():
            if app in open_before and self._goes_on(known[app], one, event, opens):
                self._rename(app, known[app], one)
        front = self._shown[0] if self._shown else None
        before, self._shown, self._tasks = self._tasks, told, tasks
        self._open, self._places = frozenset(open_before), {(front.app, front.document): place} if front and place else {}
        if before.text_size != tasks.text_size and (believed := self._believed_ground()) is not None:
            self.ground = believed
        out = self.ground.clone()
        for back, window in reversed(list(enumerate(told))):
            part = window.rect.meet(self.area)
            out[:, *part.slices] = self._picture(window, not back).planes[:, *part.shift(-window.rect.x, -window.rect.y).slices]
        while sum(picture.planes.numel() for picture in self._pictures.values()) > self._room:
            self._pictures.popitem(last=False)
        return taskbar.laid(out, before, tasks, self._book, {app: one.title for app, one in self._work.items()})

    def _told(self, context: ContextFeatures) -> tuple[Placed, ...]:
        """The windows that a context tells of, each with its document."""
        found = _told(context, self._size, self._shown)
        return tuple(window._replace(document=_number_of(self._work[window.app].name) if window.app in self._work else 0) for window in found)

    def _forget(self, app: int, known: Work | None) -> None:
        """An app was closed, and begins anew when it is opened again; what is in its documents is told then."""
        for form in [form for form in self._pictures if form.app == app and not (form.document and (known is None or known.content is None))]:
            del self._pictures[form]

    def _goes_on(self, before: Work, now: Work, event: Event | None, opens: bool) -> bool:
        """Whether a document got another name, or its first; else it is another that stands in the window now."""
        if before.content is not None and before.content == now.content:
            return True
        front = bool(self._shown) and self._shown[0].app == now.app
        if opens or not front or (isinstance(event, Key) and event.key == "tab"):
            return False
        if now.app == PAINT:
            return not before.name
        return event is None or bool(letter_of(event)) or not (before.name or isinstance(event, (Down, Up)))

    def _rename(self, app: int, before: Work, now: Work) -> None:
        old = _number_of(before.name)
        for form in [form for form in self._pictures if (form.app, form.document) == (app, old)]:
            picture = self._pictures.pop(form)
            _entitle(picture.planes, now.title, form.text_size, picture.front)
            self._pictures[form._replace(document=_number_of(now.name))] = picture

    @property
    def _text_size(self) -> int:
        return self._tasks.text_size

    @property
    def area(self) -> Rect:
        """Where windows are seen: above the taskbar."""
        width, height = self._size
        return Rect(0, 0, width, height - bar_height(line_height(Face(self._text_size))))

    @property
    def front(self) -> Rect | None:
        """Where the window in front stands, frame pixels."""
        return self._shown[0].rect if self._shown else None

    @property
    def text(self) -> str | None:
        """What the document of that window says, if it is a text that was told."""
        work = self._work.get(self._shown[0].app) if self._shown else None
        return work.content if work is not None and isinstance(work.content, str) else None

    @property
    def shown(self) -> tuple[Placed, ...]:
        """All windows that are on the screen, front to back."""
        return self._shown

    @property
    def buttons(self) -> tuple[Placed, ...]:
        """Where the windows' buttons stand in the taskbar, those of minimised ones too."""
        return tuple(map(Placed, self._tasks.apps, taskbar.boxes(self._size, self._tasks)))

    def seen(self) -> Tensor:
        """What each cell belongs to: 0 the desktop, from 1 on the windows, front to back, -1 the taskbar. int8 (h, w)."""
        width, height = self._size
        found = torch.zeros(height // GRID, width // GRID, dtype=torch.int8)
        for back, window in reversed(list(enumerate(self._shown, 1))):
            found[window.rect.meet(Rect(0, 0, width, height)).cells] = back
        found[self.area.h // GRID :] = -1
        return found

    def _take(self, planes: Tensor) -> None:
        """Keep what is seen of every window, and of what lies under them."""
        free = torch.ones(planes.shape[1:], dtype=torch.bool)
        for back, window in enumerate(self._shown):
            part = window.rect.meet(self.area)
            kept = self._picture(window, not back).planes[:, *part.shift(-window.rect.x, -window.rect.y).slices]
            kept.copy_(torch.where(free[part.slices], planes[:, *part.slices], kept))
            free[part.slices] = False
        self.ground = torch.where(free, planes, self.ground)

    def _believed_ground(self) -> Tensor | None:
        """What lies under all windows, as the book has it for a text of this size: uint8 (PLANES, H, W)."""
        page = self._book.planes(GROUND, self._text_size)
        return None if page is None else stretched(page, *self._size, RIGHT, BELOW)

    def _picture(self, window: Placed, front: bool) -> _Picture:
        """What is known of a window, or believed, its title bar as it is in front, or behind another window."""
        form = self._form(window)
        known = self._pictures.pop(form, None) or self._believed(form)
        if known.front != front:
            title = known.planes[:3, 1 : line_height(Face(self._text_size)) + 9]
            title.copy_(reinked(title, _TITLES[known.front], _TITLES[front]))
            known = _Picture(known.planes, front)
        self._pictures[form] = known
        return known

    def _form(self, window: Placed) -> _Form:
        return _Form(window.app, window.document, self._text_size, window.rect.w, window.rect.h)

    def _believed(self, form: _Form) -> _Picture:
        """Of a window that was not seen in this form: as it was in another size, or with another document, where it has room for what is
        told of this one; else as the book has it, else blank."""
        app, document, text_size, w, h = form
        work, place = self._work.get(app), self._places.get((app, document))
        sized = self._latest(lambda other: other[:3] == form[:3])
        known = sized
        if known is None and app in self._open:
            known = self._latest(lambda other: (other.app, *other[2:]) == (app, *form[2:]))
        if known is not None:
            planes = resized(known.planes, app, text_size, w, h)
            if work is not None and sized is None:
                _entitle(planes, work.title, text_size, known.front)
            if work is None or lay_out(planes, work, text_size, place):
                return _Picture(planes, known.front)
        outer = Rect(0, 0, w, h)
        planes = drawn([Fill(outer, Role.SURFACE, "window", outer)], w, h)
        own = self._book.planes(DOCUMENT + app, text_size) if document else None
        page = self._book.planes(app, text_size) if own is None else own
        if page is not None:
            corners = planes[SEEN:FILLED].clone()  # its own, in this size
            planes = resized(page, app, text_size, w, h)
            planes[SEEN:FILLED] = torch.where(corners[:1] > 0, corners, planes[SEEN:FILLED])
            if work is not None:
                _entitle(planes, work.title, text_size, True)
                lay_out(planes, work, text_size, place)
        return _Picture(planes, True)

    def _latest(self, alike: Callable[[_Form], bool]) -> _Picture | None:
        """The picture of that kind that was looked at last."""
        return next((self._pictures[form] for form in reversed(self._pictures) if alike(form)), None)

    def state(self) -> Tensor:
        """Everything as planes, uint8 (N, H, W), always as many, for `restore`."""
        width, height = self._size
        pictures = list(self._pictures.items())
        places = {self._form(window): (back, window.rect.x, window.rect.y) for back, window in enumerate(self._shown)}
        heads = np.zeros((len(pictures) + 1, _HEAD), np.int16)
        heads[0, :5] = len(pictures), self._text_size, *self._tasks.numbers()
        for head, (form, picture) in zip(heads[1:], pictures, strict=True):
            head[:] = *form, picture.front, *places.get(form, (-1, 0, 0))
        flat = [torch.from_numpy(heads.view(np.uint8).ravel()), *(picture.planes.flatten() for _, picture in pictures)]
        pool = torch.zeros(self.PLANES_KEPT - PLANES, height, width, dtype=torch.uint8)
        joined = torch.cat(flat)
        pool.view(-1)[: len(joined)] = joined
        return torch.cat([self.ground, pool])

    def restore(self, state: Tensor) -> None:
        """Take back what `state` gave."""
        self.ground = state[:PLANES].clone()
        flat = state[PLANES:].flatten()
        count, *numbers = flat[: 2 * _HEAD].numpy().view(np.int16)[:5].tolist()
        self._tasks = Tasks.from_numbers(*numbers)
        heads = flat[2 * _HEAD : 2 * _HEAD * (count + 1)].numpy().view(np.int16).reshape(count, _HEAD).tolist()
        at, shown = 2 * _HEAD * (count + 1), {}
        self._pictures.clear()
        for app, document, text_size, w, h, front, back, x, y in heads:
            planes = flat[at : at + PLANES * w * h].view(PLANES, h, w).clone()
            self._pictures[_Form(app, document, text_size, w, h)] = _Picture(planes, bool(front))
            at += planes.numel()
            if back >= 0:
                shown[back] = Placed(app, Rect(x, y, w, h), document)
        self._shown = tuple(shown[back] for back in sorted(shown))

    def clear(self) -> None:
        """Forget everything."""
        self._pictures.clear()
        self.ground = torch.zeros_like(self.ground)
        self._shown, self._tasks = (), Tasks()
        self._work = {}
        self._open, self._places = frozenset[int](), {}


def _number_of(document: str) -> int:
    """What stands for a document's name: never 0, but for none."""
    return crc32(document.casefold().encode()) % 32767 + 1 if document else 0


def _entitle(picture: Tensor, title: str, text_size: int, front: bool) -> None:
    """Write a window's title into its picture, (PLANES, h, w)."""
    bar = Rect(1, 1, picture.shape[2] - 2, title_height(line_height(Face(text_size))) - 1)
    entitle(picture, title, text_size, bar, title_room(bar), _TITLES[front], "plain", "bold")


def _apps(windows: Sequence[Placed]) -> list[int]:
    return [window.app for window in windows]


def _told(context: ContextFeatures, size: tuple[int, int], before: tuple[Placed, ...]) -> tuple[Placed, ...]:
    """The windows that the context tells of, front to back; where it may know of more than it tells, also those that were
    known to stand behind."""
    rows = context.recent[EVENTS_SIZE:].reshape(WINDOWS, WINDOW_SIZE)
    found: list[Placed] = []
    for row in rows[rows[:, 2] > 0]:
        x, y, w, h = (round(float(share) * side) for share, side in zip(row[:4], (*size, *size), strict=True))
        found.append(Placed(int(row[4:].argmax()), Rect(x, y, w, h)))
    if len(found) == WINDOWS:
        told, still = {window.app for window in found}, open_apps_of(context.slow)
        found += [window for window in before[WINDOWS - 1 :] if window.app not in told and still[window.app]]
    return tuple(found)

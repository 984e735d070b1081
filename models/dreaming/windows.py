"""What a dream knows of windows: where the context says that they stand, and what each of them showed last.

A window is an object that keeps its looks while it moves, comes to the front, or goes and returns (object-centric, as
in slot attention, Locatello et al., 2020, arXiv:2006.15055; here the context says which objects there are). So when
the context tells of other windows than before, the guide is laid anew from the pictures of what they hold, back to front, in frames
that are drawn as the look has them (`models.dreaming.frames`), and the dreamer goes on from there. Of a window the context tells also
which of its app's pages it shows, what it lists, and what the document in it says: another page or document is another picture
(`models.dreaming.panes`). What lies around what windows hold is laid and not dreamt, but for what the pointer is on.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from engine.desktop.shell import bar_height
from engine.events import Event
from engine.geometry import GRID, Rect
from engine.open_work import Work
from engine.painter import ContextFeatures
from engine.theme import Chrome
from engine.typeface import Face, line_height
from models.bytewise import chosen, put
from models.dreaming import lights, taskbar
from models.dreaming.book import BUTTON, GROUND, Book
from models.dreaming.frames import Form, Frame
from models.dreaming.lights import Lit
from models.dreaming.panes import Kept, Panes, Told
from models.dreaming.papers import is_whole, lay_out, lay_rows, raised, told_parts, unfocused
from models.dreaming.pictures import BELOW, NOTES, RIGHT, stretched
from models.dreaming.placed import Placed, apps_of, form_of, goes_on, placed_by, restated, with_work
from models.dreaming.planes import FILLED, PLANES, SEEN, lay
from models.dreaming.taskbar import Tasks

POOL = 4  # frames' worth of pictures that are kept
_HEAD = 12  # numbers told of a picture in `pieces`
_KIND = 1002  # of them: another one for each way in which it was ever kept


class Windows:
    """PLANES_KEPT: how many planes `pieces` fill; ground: what lies under all windows, uint8 (PLANES, H, W). For frames of `size` (width,
    height). book: how windows look that were never seen."""

    PLANES_KEPT = 2 * PLANES + POOL * PLANES + 1  # ground, what was laid last, pictures, and what is told of them

    def __init__(self, size: tuple[int, int], book: Book) -> None:
        self._size = width, height = size
        self._book = book
        self.ground = torch.zeros(PLANES, height, width, dtype=torch.uint8)
        self._laid = self.ground  # as it was laid last, before anybody dreamt on
        self._panes = Panes(book, POOL * PLANES * width * height)
        self._spare = torch.zeros((self.PLANES_KEPT - 2 * PLANES) * width * height, dtype=torch.uint8)
        self._shown: tuple[Placed, ...] = ()  # front to back
        self._tasks = Tasks()
        self._clock = ""
        self._icon = ""  # the one that has the keyboard

    def begin(self, planes: Tensor, context: ContextFeatures, ground: Tensor | None = None) -> None:
        """Know nothing but what `planes` show, uint8 (PLANES, H, W); ground: what is known to lie under all windows. Where it is
        not, the book says what lies under those that there are."""
        self.clear()
        self._panes.told = Told(form_of(context), {one.app: one for one in context.work})
        self._shown = self._told(context)
        self._tasks = Tasks.of(context, apps_of(self._shown))
        self.ground = planes.clone() if ground is None else ground.clone()
        believed = self._believed_ground()
        if ground is None and believed is not None:
            for window in self._shown:
                part = window.rect.meet(self.area).slices
                self.ground[:, *part] = believed[:, *part]
        self._laid = planes
        self._take(planes)  # so that `pieces` tell of them

    def laid(self, planes: Tensor, context: ContextFeatures, event: Event | None = None, opens: bool = False) -> Tensor:
        """What is shown, `planes`, with the windows that the context tells of, and their buttons in the taskbar; the same tensor
        where none is another. event: what happened; opens: whether that was for a popup, which may have opened a document."""
        known, form, self._icon = self._work, self._form, context.icon
        self._panes.told = self._panes.told._replace(work={one.app: one for one in context.work})
        told = self._told(context)
        tasks, new_form = Tasks.of(context, apps_of(told)), form_of(context)
        stale = restated(told, known, self._work)
        if not stale and (told, tasks, new_form) == (self._shown, self._tasks, form):
            return planes
        self._take(planes)
        for app in set(self._tasks.apps) - set(tasks.apps):
            if self._book.page(app, form.text_size) is not None:
                self._panes.forget(app, known.get(app))
        open_before, front = self._tasks.apps, [] if opens else apps_of(self._shown[:1])
        for app in {*open_before} & {*tasks.apps} & {*known} & {*self._work}:
            was, now = known[app], self._work[app]
            if was.name != now.name and goes_on(was, now, event, front == [app]):
                self._panes.rename(app, was, now)
        were = {window.app: window for window in self._shown}
        before, self._shown, self._tasks = self._tasks, told, tasks
        self._panes.told = Told(new_form, self._work, frozenset(open_before))
        if before.text_size != tasks.text_size and (believed := self._believed_ground()) is not None:
            self.ground, self._clock = believed, ""
        out = self.ground.clone()
        for back, window in reversed(list(enumerate(told))):
            held = self._panes.of(window)
            self._panes.renew(held, window, were.get(window.app), window.app in stale or before.text_size != tasks.text_size)
            held = unfocused(held) if back and not self._is_whole(window) else held
            lay(out, self._frame(window, not back).around(held), window.rect, self.area, "window")
        self._panes.trim()
        titles, old = ({app: one.title for app, one in work.items()} for work in (self._work, known))
        self._laid = out if (before, old) == (tasks, titles) else taskbar.laid(out, before, tasks, self._book, titles)
        return self._laid

    def _frame(self, window: Placed, front: bool) -> Frame:
        """What stands around what a window holds."""
        work = self._work.get(window.app)
        title = work.title if work is not None else ""
        return Frame(self._form, window.app, title, window.rect.w, window.rect.h, front, window.rect == self.area)

    def settled(self, planes: Tensor, point: tuple[int, int] | None, pressed: bool) -> Tensor:
        """The same as `at_rest` has it, with what the pointer lights, and the icon that has the keyboard. point: where the pointer is; None: where
        it lights nothing. pressed: whether the left button is down that went down there."""
        out, bounds = self.at_rest(planes), Rect(0, 0, *self._size)
        if self._icon and self._book.knows(GROUND):
            lights.focused_icon(self.area, self._text_size, self._icon).put(out, self.area, self._above(None))
        if point is not None and (lit := self.lit(*point, pressed)) is not None:
            lit.put(out, self.area if self.area.holds(*point) else bounds, self._above(self.back_at(*point)))
        return out

    def _above(self, back: int | None) -> list[Rect]:
        """Where the windows stand that lie above one; None: above the desktop."""
        return [window.rect.meet(self.area) for window in self._shown[:back]]

    def at_rest(self, planes: Tensor) -> Tensor:
        """What is shown, `planes`, with all that is not in a window as it was laid last: the desktop with its icons, windows' edges and title
        bars, the taskbar, its clock where it is told; not what the book knows nothing of. Of these an event changes what the pointer is on, and what
        has the keyboard, and nothing else, and how that looks follows, as it does in windows of which all is told."""
        around = torch.full(planes.shape[1:], self._book.knows(GROUND))
        for window in reversed(self._shown):
            around[window.rect.meet(self.area).slices] = True
            around[self._form.inside(window.rect).meet(self.area).slices] = self._is_whole(window)
        around[taskbar.clock_part(self._size, self._text_size).slices] = bool(self._clock)
        for button in self.buttons:
            around[button.rect.slices] = self._book.knows(BUTTON + button.app)
        return chosen(around, self._laid, planes)

    def put(self, planes: Tensor, rect: Rect, look: Tensor) -> Tensor:
        """What is shown, `planes`, with what the window in front shows at `rect` of the frame, uint8 (PLANES, h, w)."""
        part = rect.meet(self.area)
        planes, self._laid = planes.clone(), self._laid.clone()
        planes[:, *part.slices] = self._laid[:, *part.slices] = look[:, *part.shift(-rect.x, -rect.y).slices]
        return planes

    def lit(self, x: int, y: int, pressed: bool) -> Lit | None:
        """What is lit at a point, where it follows by rule how that looks."""
        if not self.lights(x, y):
            return None
        if not self.area.holds(x, y):
            return taskbar.lit(self._laid, self._tasks, x, y, pressed)
        if (back := self.back_at(x, y)) is None:
            return lights.icon(self.area, self._text_size, x, y, pressed)
        window = self._shown[back]
        if (inside := self._form.inside(window.rect)).holds(x, y):
            return lights.held(self._work[window.app], self._text_size, inside, x, y, pressed)
        return lights.action(self._frame(window, not back), window.rect, x, y, pressed)

    def lights(self, x: int, y: int) -> bool:
        """Whether that follows at a point: from what is told of a window, or because the book knows what is there."""
        if not self.area.holds(x, y):
            return all(self._book.knows(page) for page in (GROUND, *(BUTTON + button.app for button in self.buttons)))
        if (back := self.back_at(x, y)) is None:
            return self._book.knows(GROUND)
        window = self._shown[back]
        return not self._form.inside(window.rect).holds(x, y) or self._is_whole(window)

    def _is_whole(self, window: Placed) -> bool:
        """Whether all that it holds is told."""
        work = self._work.get(window.app)
        return work is not None and is_whole(work)

    def back_at(self, x: int, y: int) -> int | None:
        """Which of the windows is seen at a point, the front one is 0; None where none is."""
        seen = self._shown if self.area.holds(x, y) else ()
        return next((back for back, window in enumerate(seen) if window.rect.holds(x, y)), None)

    def clocked(self, planes: Tensor, label: str) -> Tensor:
        """What is shown, `planes`, once the clock shows `label`; the same tensor where it does, or nobody says what it shows."""
        if label in (self._clock, ""):
            return planes
        self._clock = label
        self._laid = taskbar.clocked(self._laid, label, self._text_size)
        return taskbar.clocked(planes, label, self._text_size)

    def _told(self, context: ContextFeatures) -> tuple[Placed, ...]:
        """The windows that a context tells of, each with its document."""
        return tuple(with_work(window, self._work.get(window.app)) for window in placed_by(context, self._size))

    @property
    def _work(self) -> Mapping[int, Work]:
        """What is open in windows, by app."""
        return self._panes.told.work

    def kept(self, keyed: bool) -> Tensor:
        """Where windows show what is told of them, which an event leaves as it was laid: bool (H, W). keyed: whether that is a key, which lights no
        tools."""
        kept = torch.zeros(self.ground.shape[1:], dtype=torch.bool)
        for window in reversed(self._shown):
            kept[window.rect.meet(self.area).slices] = False
            work = self._work.get(window.app)
            for told in told_parts(self._form.inside(window.rect), work, self._text_size, tooled=keyed) if work is not None else ():
                kept[told.meet(self.area).slices] = True
        return kept

    @property
    def page(self) -> tuple[Rect, Work, int] | None:
        """Where the window in front holds something, frame pixels, what is told of its app, and the size of text."""
        front = self._shown[0] if self._shown else None
        return (self._form.inside(front.rect), self._work[front.app], self._text_size) if front and front.app in self._work else None

    @property
    def _form(self) -> Form:
        """Of all windows."""
        return self._panes.told.form

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
    def writes(self) -> bool:
        """Whether a text may be written in that window: where windows' work is told, that is Notes."""
        return not self._work or (bool(self._shown) and self._shown[0].app == NOTES)

    def with_text(self, planes: Tensor) -> Tensor:
        """What is shown, `planes`, with that text as it is told."""
        front = self._shown[0]
        self._take(planes)
        picture, held, work = self._panes.of(front), self._form.inside(front.rect), self._work[front.app]
        lay_out(picture, work, self._text_size)
        lay_rows(picture, work, self._text_size)
        out, part, whole = planes.clone(), held.meet(self.area), self._frame(front, True).bare()
        cut = whole[SEEN, *part.shift(-front.rect.x, -front.rect.y).slices] > 0  # the window's own corners
        new = picture[:, *part.shift(-held.x, -held.y).slices]
        out[:, *part.slices] = new
        out[SEEN:FILLED, *part.slices] = chosen(cut, planes[SEEN:FILLED, *part.slices], new[SEEN:FILLED])
        return out

    @property
    def shown(self) -> tuple[Placed, ...]:
        """All windows that are on the screen, front to back."""
        return self._shown

    @property
    def floating(self) -> list[tuple[Rect, Rect]]:
        """What throws a shadow or a glow, back to front: where it stands, and the part of the frame in which it is seen."""
        above = {one: raised(self._work.get(one.app), self._text_size, self._form.inside(one.rect)) for one in reversed(self._shown)}
        return [(box, self.area) for one, boxes in above.items() for box in (one.rect, *boxes)]

    @property
    def buttons(self) -> tuple[Placed, ...]:
        """Where the windows' buttons stand in the taskbar, those of minimised ones too."""
        return tuple(map(Placed, self._tasks.apps, taskbar.boxes(self._size, self._tasks)))

    def held_at(self, x: int, y: int) -> int:
        """Whose window holds what is seen at a point, by app; GROUND where that is nobody's, or a window's frame."""
        back = self.back_at(x, y)
        return self._shown[back].app if back is not None and self._form.inside(self._shown[back].rect).holds(x, y) else GROUND

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
        planes = self.at_rest(planes)
        free = torch.ones(planes.shape[1:], dtype=torch.bool)
        for back, window in enumerate(self._shown):
            held, whole = self._form.inside(window.rect), self._panes.of(window)
            part = held.meet(self.area)
            inner = part.shift(-held.x, -held.y).slices
            seen, kept = free[part.slices], whole[:, *inner]
            if back:
                seen = seen & (unfocused(whole) == whole).all(0)[inner]  # it is not shown there, and comes back with the window
            put(kept, seen, planes[:, *part.slices])
            free[window.rect.meet(self.area).slices] = False
        self.ground = chosen(free, planes, self.ground)

    def _believed_ground(self) -> Tensor | None:
        """What lies under all windows, as the book has it for a text of this size: uint8 (PLANES, H, W)."""
        page = self._book.planes(GROUND, self._text_size)
        return None if page is None else stretched(page, *self._size, RIGHT, BELOW)

    def pieces(self) -> list[Tensor]:
        """Everything, for `restore`; as one, they are PLANES_KEPT planes, uint8 (., H, W)."""
        pictures = list(self._panes)
        places = {self._panes.key(window): (back, *window.rect, window.rows) for back, window in enumerate(self._shown)}
        heads = np.zeros((len(pictures) + 1, _HEAD), np.int16)
        heads[0, :9] = _KIND, len(pictures), *self._tasks.numbers(), self._form.text_size, *self._form.chrome
        for head, (key, _) in zip(heads[1:], pictures, strict=True):
            head[:] = *key, *places.get(key, (-1, 0, 0, 0, 0, 0))
        pool = [torch.from_numpy(heads.view(np.uint8)), *(picture for _, picture in pictures)]
        return [self.ground, self._laid, *pool, self._spare[sum(picture.numel() for picture in pool) :]]

    def restore(self, state: Tensor) -> bool:
        """Take back what `pieces` gave, as one; False, and nothing is known then, if another version did."""
        self.clear()
        flat = state[2 * PLANES :].flatten()
        kind, count, *tasks, text_size, border, centred, left = flat[: 2 * _HEAD].numpy().view(np.int16)[:9].tolist()
        if kind != _KIND:
            return False
        self.ground, self._laid = state[:PLANES].clone(), state[PLANES : 2 * PLANES].clone()
        self._tasks = Tasks.from_numbers(text_size, *tasks)
        heads = flat[2 * _HEAD : 2 * _HEAD * (count + 1)].numpy().view(np.int16).reshape(count, _HEAD).tolist()
        at, shown = 2 * _HEAD * (count + 1), {}
        self._panes.told = Told(Form(text_size, Chrome(border, bool(centred), bool(left))))
        for app, document, page, size, w, h, back, *place, rows in heads:
            planes = flat[at : at + PLANES * w * h].view(PLANES, h, w).clone()
            self._panes.keep(Kept(app, document, page, size, w, h), planes)
            at += planes.numel()
            if back >= 0:
                shown[back] = Placed(app, Rect(*place), document, page, rows)
        self._shown = tuple(shown[back] for back in sorted(shown))
        return True

    def clear(self) -> None:
        """Forget everything."""
        self._panes.clear()
        self.ground = self._laid = torch.zeros_like(self.ground)
        self._shown, self._tasks = (), Tasks()
        self._clock = ""

"""Popups in dreams: a context menu or the launcher opens over what stands there, and when it closes, that stands there again.

Which event opens or closes one follows from the desktop's own rules (`engine.desktop.routing`); what it shows the context tells
(`models.dreaming.offers`), and the dreamer says where nobody does. What stood on the
screen right before is kept as it was, to the bit, for as long as the popup is open.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from engine.desktop.apps.registry import APPS
from engine.desktop.ask_bar import ENTRIES_Y, MOST, box_in, room_in
from engine.desktop.canvas import row_height
from engine.desktop.shell import icon_boxes, launcher_box
from engine.events import Ask, Down, Event, Key, Text, Up
from engine.geometry import GRID, Rect
from engine.painter import ContextFeatures
from engine.theme import NEUTRAL, Role
from models.bytewise import differ
from models.dreaming.offers import Offer
from models.dreaming.placed import Placed
from models.dreaming.planes import PLANES, SEEN

NOTHING, MENU, LAUNCHER = 0, 1, 2
NEAR = 20  # cells around the pointer in which a menu opens
LEAST = 40  # cells that have to change there if a menu did open
CORNER = (8, 28)  # pixels from a window's left top corner to where its menu opens by key
BARE = (90, 60)  # where the desktop's menu does
_LAUNCH = ("space", ("ctrl",))
_MENU_BY_KEY = ("f10", ("shift",))
_NOWHERE = (-1, -1)
_TOLD = 8  # numbers that `pieces` tell of the popup


class Deed(Enum):
    """What an event is to popups. PASSED: it closes one and goes on to what lies below; CHOSEN: it closes one by an entry."""

    NONE, OPENED, KEPT, CLOSED, CHOSEN, PASSED = (auto() for _ in range(6))

    @property
    def taken(self) -> bool:
        """Whether it is for a popup and for nothing below."""
        return self in (Deed.OPENED, Deed.KEPT, Deed.CLOSED, Deed.CHOSEN)


class Screen(NamedTuple):
    """area: where windows are seen; bar: the taskbar; windows: front to back; buttons: theirs in the taskbar; all in frame pixels.
    text_size: in pixels."""

    area: Rect
    bar: Rect
    windows: tuple[Placed, ...]
    buttons: tuple[Placed, ...]
    text_size: int

    def has_menu(self, x: int, y: int) -> bool:
        """Whether one opens at a point; none does on the taskbar beside its buttons, nor on icons."""
        if not self.area.holds(x, y):
            return any(button.rect.holds(x, y) for button in self.buttons)
        return not self.on_icon(x, y)

    def on_icon(self, x: int, y: int) -> bool:
        """Whether a point lies on an icon of the desktop's that can be seen there; it has no menu."""
        covered = any(window.rect.holds(x, y) for window in self.windows)
        return not covered and any(box.holds(x, y) for box in icon_boxes(self.area, self.text_size, len(APPS)))


class _Open(NamedTuple):
    """kind: NOTHING, MENU or LAUNCHER; reach: where it may stand, on the grid, frame pixels; entries_y: where its entries begin; offer:
    what it shows, where that is told."""

    kind: int = NOTHING
    reach: Rect = Rect(0, 0, 0, 0)
    entries_y: int = 0
    offer: Offer | None = None


class Popups:
    """PLANES_KEPT: how many planes `pieces` fill; deed: what the last event was; told: whether the context says what popups show. For frames of `size` (width,
    height)."""

    PLANES_KEPT = PLANES + 1  # what stands below, and what is told of the popup

    def __init__(self, size: tuple[int, int]) -> None:
        width, height = size
        self.bounds = Rect(0, 0, width, height)
        self._below = torch.zeros(PLANES, height, width, dtype=torch.uint8)
        self.clear()

    def clear(self) -> None:
        """Nothing is open."""
        self._open = _Open()
        self._pressed = _NOWHERE  # where the left button went down
        self.deed, self.told = Deed.NONE, False

    def __bool__(self) -> bool:
        return self._open.kind != NOTHING

    def take(self, event: Event | None, planes: Tensor) -> Tensor:
        """An event came while `planes` were shown, uint8 (PLANES, H, W): what is shown once a popup that it closes is gone; the same
        tensor where it closes none."""
        box = self.box(planes)
        if self._open.kind == MENU and not box and not self.told:
            self._open = _Open()  # none opened after all
        self.deed = self._does(event, box) if self else Deed.NONE
        if isinstance(event, Down) and event.button == "left":
            self._pressed = _NOWHERE if self.deed is Deed.CLOSED else (event.x, event.y)
        if self.deed in (Deed.CLOSED, Deed.CHOSEN, Deed.PASSED):
            self._open = _Open()
            return self._below
        return planes

    def opens(self, event: Event | None, planes: Tensor, screen: Screen) -> None:
        """The same event, once `take` and the windows had it: keep what `planes` show where it opens a popup."""
        opened = _Open() if self or self.deed.taken else self._opened(event, planes, screen)
        if isinstance(event, Up) and event.button == "left":
            self._pressed = _NOWHERE
        if opened.kind:
            self._open, self._below, self.deed = opened, planes, Deed.OPENED

    def tell(self, context: ContextFeatures, planes: Tensor, screen: Screen, pointer: tuple[int, int]) -> Tensor:
        """What is shown, `planes`, once the popup that is open, if one is, shows what is told of it."""
        kind, offer = NOTHING, None
        if context.asked is not None:
            kind, offer = LAUNCHER, Offer.of_ask_bar(context.asked, screen.area, screen.text_size, pointer)
        elif context.menu is not None:
            kind, offer = MENU, Offer.of_menu(context.menu, self.bounds, screen.text_size, pointer)
        if self._open.kind != kind:
            planes = self._below = self.lifted(planes)
        self._open = _Open() if offer is None else _Open(kind, offer.box.snap().meet(self.bounds), offer.entries_y, offer)
        return planes if offer is None else offer.laid(self._below)

    def _opened(self, event: Event | None, planes: Tensor, screen: Screen) -> _Open:
        """What an event opens while nothing is open."""
        if isinstance(event, Down) and event.button == "right":
            return self._menu(_around((event.x, event.y))) if screen.has_menu(event.x, event.y) else _Open()
        if isinstance(event, Key) and (event.key, event.mods) == _MENU_BY_KEY:
            front = next(iter(screen.windows), None)
            if front is None:
                return self._menu(_around(BARE))
            corner = front.rect.x + CORNER[0], front.rect.y + CORNER[1]
            return self._menu(front.rect.join(_around(corner)).join(_around(front.rect.centre)))
        button = launcher_box(screen.bar)
        pressed = isinstance(event, Up) and event.button == "left" and button.holds(event.x, event.y) and button.holds(*self._pressed)
        if pressed or (isinstance(event, Key) and (event.key, event.mods) == _LAUNCH):
            row = row_height(screen.text_size)
            box = box_in(screen.area, screen.text_size, row, min(MOST, room_in(screen.area, row)))
            edge = planes[:3, box.y, box.x + GRID : box.right - GRID]
            if not (edge == torch.from_numpy(NEUTRAL[Role.ACCENT]).view(3, 1)).all():  # else a dream woke with it
                return _Open(LAUNCHER, box.snap().meet(self.bounds), box.y + row + ENTRIES_Y)
        return _Open()

    def _menu(self, reach: Rect) -> _Open:
        return _Open(MENU, reach.snap().meet(self.bounds))

    def _does(self, event: Event | None, box: Rect) -> Deed:
        """What an event does to the popup that is open and stands in `box`."""
        menu = self._open.kind == MENU
        if isinstance(event, Key):
            if event.key == "escape" or (event.key == "tab" if menu else (event.key, event.mods) == _LAUNCH):
                return Deed.CLOSED
            chosen = event.key in ("enter", "space") if menu else (event.key, event.mods) == ("enter", ())
            return Deed.CHOSEN if chosen else Deed.KEPT
        if isinstance(event, Down) and not box.holds(event.x, event.y):
            return Deed.CLOSED if menu else Deed.PASSED
        if isinstance(event, Up) and event.button == "left":
            ends = (self._pressed, (event.x, event.y))
            return Deed.CHOSEN if all(box.holds(*end) and end[1] >= self._open.entries_y for end in ends) else Deed.KEPT
        if isinstance(event, Text) and menu:
            return Deed.PASSED
        if isinstance(event, Ask):
            return Deed.NONE if menu else Deed.PASSED
        return Deed.KEPT

    @property
    def known(self) -> bool:
        """Whether a popup is open of which it is known what it shows, or will be."""
        return bool(self) and (self.told or self._open.offer is not None)

    @property
    def reach(self) -> Rect:
        """Where the popup that is open may stand, on the grid, frame pixels."""
        return self._open.reach

    def box(self, planes: Tensor) -> Rect:
        """Where the popup stands that is open, on the grid, frame pixels; of a menu, what changed since it opened, no area where that is
        too little to be one."""
        kind, reach, _, offer = self._open
        if offer:
            return offer.box
        if kind != MENU:
            return reach
        cells = _apart(self._below, planes, reach)
        if int(cells.sum()) < LEAST:
            return Rect(0, 0, 0, 0)
        rows, columns = (torch.nonzero(cells.any(i)).flatten() for i in (1, 0))
        (top, bottom), (left, right) = ((int(at[0]), int(at[-1]) + 1) for at in (rows, columns))
        return Rect(reach.x + left * GRID, reach.y + top * GRID, (right - left) * GRID, (bottom - top) * GRID)

    def lifted(self, planes: Tensor) -> Tensor:
        """What is shown without the popup that is open."""
        return self._below if self else planes

    def laid(self, below: Tensor, planes: Tensor) -> Tensor:
        """With the popup on top that `planes` show, where something else lies below it now."""
        if not self:
            return below
        box, self._below = self.box(planes).slices, below
        if self._open.offer:
            return self._open.offer.laid(below)
        out = below.clone()
        out[:, *box] = planes[:, *box]
        return out

    def pieces(self) -> list[Tensor]:
        """Everything, for `restore`; as one, they are planes, uint8 (PLANES_KEPT, H, W)."""
        told = torch.zeros(1, self.bounds.h, self.bounds.w, dtype=torch.uint8)
        kind, reach, entries_y, _ = self._open
        numbers = np.array([kind, *reach, entries_y, *self._pressed], np.int16).view(np.uint8)
        told.view(-1)[: len(numbers)] = torch.from_numpy(numbers)
        return [self._below, told]

    def restore(self, state: Tensor) -> None:
        """Take back what `pieces` gave, as one."""
        self.clear()
        self._below = state[:PLANES].clone()
        kind, x, y, w, h, entries_y, *pressed = state[PLANES].flatten()[: 2 * _TOLD].numpy().view(np.int16).tolist()
        self._open, self._pressed = _Open(kind, Rect(x, y, w, h), entries_y), (pressed[0], pressed[1])


def _around(point: tuple[int, int]) -> Rect:
    """Where a menu may stand that opens at a point."""
    return Rect(point[0] // GRID * GRID, point[1] // GRID * GRID, GRID, GRID).grow(NEAR * GRID)


def _apart(before: Tensor, after: Tensor, part: Rect) -> Tensor:
    """Which cells of a part, on the grid, do not show the same: bool (h, w)."""
    other = differ(before[:SEEN, *part.slices], after[:SEEN, *part.slices])
    return other.unflatten(0, (-1, GRID)).unflatten(2, (-1, GRID)).any(3).any(1)

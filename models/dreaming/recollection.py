"""What a dream goes on from: the guide it has come to, what stood where before, and what each window showed last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.context import text_size_of
from engine.desktop.text_buffer import TextBuffer
from engine.events import Ask, Down, Event, Key, Move, Text, Up, Wheel
from engine.geometry import GRID, Rect
from engine.open_work import Work
from engine.painter import ContextFeatures
from models.bytewise import differ
from models.dreaming.board import moved_on
from models.dreaming.book import BUTTON, GROUND, Book
from models.dreaming.codes import NOWHERE, codes_of
from models.dreaming.papers import (
    NAME,
    NOTES,
    PAINT,
    SNAKE,
    Laid,
    around_text,
    focused,
    is_whole,
    said_by,
    text_box,
)
from models.dreaming.planes import PLANES, moved, movement
from models.dreaming.popups import Deed, Popups, Screen
from models.dreaming.windows import Windows
from models.memory import PictureMemory, wide

LIT = 5  # cells: as high as an icon with its name
NOTHING = (-1, -1)  # a point that no pointer reaches
GUESSED = 4  # of the pictures at hand, the one with the typed letter


class AtHand(NamedTuple):
    """pictures: uint8 (PLANES, H, W) each, the guide first; the same tensor stands twice where there is nothing to guess.
    codes: uint8 (pictures, H, W); of what is not known, NOWHERE. laid: whether the windows were laid anew just now."""

    pictures: list[Tensor]
    codes: Tensor
    laid: bool


class Recollection:
    """For frames of `size` (width, height). `planes` is the guide now, uint8 (PLANES, H, W). book: see `Windows`."""

    def __init__(self, size: tuple[int, int], book: Book) -> None:
        width, height = size
        self._size = size
        self.bounds = Rect(0, 0, width, height)
        self.planes = torch.zeros(PLANES, height, width, dtype=torch.uint8)
        self._places = PictureMemory(size, planes=PLANES)
        self._windows = Windows(size, book)
        self.popups = Popups(size)
        self._held: int | None = None  # in whose window, by app, a button went down; GROUND for none, or its frame
        self._under: int | None = None  # what the pointer was on when it last did something, as of `_seen_at`
        self._pressed: tuple[int, int] | None = None  # where the left button went down; NOTHING where nothing is lit

    def begin(self, planes: Tensor, context: ContextFeatures, bare: Tensor | None = None) -> None:
        """Know nothing but a guide; bare: the one without windows, where it is known."""
        self.planes = planes
        self._places.clear()
        self.popups.clear()
        self._held = self._pressed = self._under = None
        self._windows.begin(planes, context, bare)
        self._places.ground(self.bounds, self._windows.ground)

    def turn(self, event: Event | None, context: ContextFeatures) -> AtHand:
        """An event came, and the context is as given: lay windows and popups anew where it tells of others, and say what can be
        copied from, as yet without a typed letter."""
        return self.at_hand(event, context, self.lay(event, context))

    def at_hand(self, event: Event | None, context: ContextFeatures, laid: bool) -> AtHand:
        """What can be copied from; laid: as of `lay`."""
        recalled = self._places.recall(self.bounds)
        dx, dy = movement(event, text_size_of(context.slow))
        pictures = [self.planes, *recalled.pixels, moved(self.planes, dx, dy) if dx or dy else self.planes]
        first = codes_of(self.planes[:3], self.planes[3])
        codes = torch.stack([first if p is self.planes else codes_of(p[:3], p[3]) for p in [*pictures, self.planes]])
        codes[1:3][~wide(recalled.known)] = NOWHERE
        return AtHand([*pictures, self.planes], codes, laid)

    def lay(self, event: Event | None, context: ContextFeatures, last: bool = True) -> bool:
        """Put back what a popup hid that the event closes, and lay the windows anew where the context tells of others than before;
        whether it did. last: whether the context tells of what is open as it was right after the event."""
        self._hold(event)
        popups = self.popups
        popups.told, shown = bool(context.clock), popups.take(event, self.planes)
        put_back, below = popups.deed in (Deed.CLOSED, Deed.CHOSEN), popups.lifted(shown)
        windows = self._windows.laid(below, context, event, isinstance(event, Ask) or popups.deed is Deed.CHOSEN)
        self.show(shown if windows is below else popups.laid(windows, shown))
        if last:
            self.refocus()
        popups.opens(event, self.planes, self._screen(context))
        if not popups:
            self.show(self._windows.clocked(self.planes, context.clock))
        return windows is not below or put_back

    def tell(self, context: ContextFeatures, pointer: tuple[int, int]) -> None:
        """Show the ask bar and menus as they are told to be, once all events of a request were taken."""
        if context.clock:
            self.show(self.popups.tell(context, self.planes, self._screen(context), pointer))

    def _screen(self, context: ContextFeatures) -> Screen:
        bounds, area = self.bounds, self._windows.area
        bar = Rect(0, area.h, bounds.w, bounds.h - area.h)
        return Screen(area, bar, self._windows.shown, self._windows.buttons, text_size_of(context.slow))

    def settle(self, pointer: tuple[int, int]) -> None:
        """Show what the pointer lights, and nothing else lit, of all that lies around what windows hold, where no popup is open: what the
        left button went down on while it is down; beside a popup in the taskbar alone. What comes to be beneath a pointer that rests is not lit."""
        point = self._pressed or (pointer if self._seen_at(*pointer) == self._under else None)
        below = self.popups.lifted(self.planes)
        settled = self._windows.settled(below, point, self._pressed is not None)
        if self.popups:
            bar = self.bounds.inset(0, self._windows.area.h, 0, 0).slices
            below = below.clone()
            below[:, *bar] = settled[:, *bar]
            settled = self.popups.laid(below, self.planes)
        self.show(settled)

    def _seen_at(self, x: int, y: int) -> int | None:
        """Whose window is seen at a point, by app, or whose button in the taskbar, from BUTTON on; GROUND for nobody's window, None for no button."""
        if not self._windows.area.holds(x, y):
            return next((BUTTON + button.app for button in self._windows.buttons if button.rect.holds(x, y)), None)
        back = self._windows.back_at(x, y)
        return GROUND if back is None else self._windows.shown[back].app

    def _hold(self, event: Event | None) -> None:
        """Take in what the pointer is on, on what a button goes down, and that it goes up."""
        if isinstance(event, (Move, Down, Up)):
            self._under = None if self.popups else self._seen_at(event.x, event.y)
        if isinstance(event, Down):
            self._held = self._windows.held_at(event.x, event.y)
            if event.button == "left":  # what moves along with the pointer, such as a title bar, is not lit
                self._pressed = (event.x, event.y) if self._windows.lit(event.x, event.y, True) else NOTHING
        elif isinstance(event, Up):
            self._held = None
            self._pressed = None if event.button == "left" else self._pressed

    @property
    def floating(self) -> list[tuple[Rect, Rect]]:
        """What throws a shadow or a glow, back to front: where it stands, and the part of the frame in which it is seen; no popup."""
        return self._windows.floating

    @property
    def popup(self) -> Rect:
        """Where the one stands that is open; no area where none is."""
        return self.popups.box(self.planes) if self.popups else Rect(0, 0, 0, 0)

    @property
    def drags_frames(self) -> bool:
        """Whether a button is held that went down on nothing that windows hold: then a moving pointer moves a window, or nothing."""
        return self._held == GROUND

    def lights(self, x: int, y: int) -> bool:
        """Whether it follows by rule what a pointer lights at a point."""
        return not self.popups and self._windows.lights(x, y)

    @property
    def front(self) -> Rect | None:
        """Where the window in front stands, frame pixels."""
        return self._windows.front

    @property
    def writes(self) -> bool:
        """Whether a text may be written in it."""
        return self._windows.writes

    @property
    def text(self) -> str | None:
        """What the document in the window in front says, if it is a text that the context told of."""
        return said_by(page[1]) if (page := self._windows.page) else None

    @property
    def place(self) -> dict[str, Any] | None:
        """Where its caret is, and how far it is scrolled, as of `Editor.place`."""
        return page[1].place if (page := self._windows.page) else None

    @property
    def at(self) -> tuple[dict[str, Any] | None, tuple[str, int, int] | None]:
        """That, and what stands in the field beside it."""
        return self.place, page[1].typed if (page := self._windows.page) else None

    @property
    def document(self) -> int:
        """Which document that is; 0 for none, or one without a name."""
        shown = self._windows.shown
        return shown[0].document if shown else 0

    @property
    def told_text(self) -> Rect | None:
        """Where that text stands, frame pixels, while nothing is open above it."""
        page = self._windows.page
        return text_box(*page) if page and self.text is not None and not self.popups else None

    def kept(self, event: Event | None) -> Tensor:
        """Where an event leaves what is told of windows as it was laid, while nothing is open above it: bool (H, W)."""
        return torch.zeros(self.planes.shape[1:], dtype=torch.bool) if self.popups else self._windows.kept(isinstance(event, (Key, Text)))

    @property
    def painting(self) -> tuple[Rect, Work] | None:
        """Where a window of Paint in front holds something, frame pixels, and what is told of it, while nothing is open above it."""
        page = self._windows.page
        return page[:2] if page and page[1].app == PAINT and page[1].rows and not self.popups else None

    def put(self, rect: Rect, look: Tensor) -> None:
        """Show what stands at `rect` of the frame, uint8 (PLANES, h, w), in the window in front."""
        self.show(self._windows.put(self.planes, rect, look))

    def on_board(self, planes: Tensor, event: Event | None) -> Tensor:
        """What is shown after an answer to an event, `planes`, with the board of a game in front as it can be, while nothing is open above it."""
        page = self._windows.page
        if page is None or self.popups or page[1].app != SNAKE or is_whole(page[1]) or not page[1].rows:
            return planes
        held, work, size = page
        if not self._windows.area.covers(held):
            return planes
        out = planes.clone()
        out[:, *held.slices] = moved_on(self.planes[:, *held.slices], planes[:, *held.slices], work, size, event is None)
        return out

    def around_text(self, buffer: TextBuffer | None) -> list[Laid]:
        """What stands around the text of the window in front, as it is for what is written, while nothing is open above it."""
        page = self._windows.page
        return around_text(*page, buffer) if page and page[1].app == NOTES and buffer is not None and not self.popups else []

    def refocus(self) -> None:
        """Show that text as it is told, where it has the focus and is not shown so, or has it no longer."""
        box, page = self.told_text, self._windows.page
        if box is not None and page is not None and self.front is not None and (focused(self.planes, self.front) == box) != (page[1].focus == NAME):
            self.lay_text()

    def lay_text(self) -> None:
        """Show that text as it is told."""
        if self.told_text is not None:
            self.show(self._windows.with_text(self.planes))

    def within_reach(self, event: Event | None, pointers: Sequence[tuple[int, int]], spots: Sequence[Rect] = ()) -> Tensor:
        """Where an event is likely to change what can be told, bool (h, w). Of keys and of time: the window in front, or the desktop;
        of a moving pointer: the windows, desktop or taskbar where it is and was, as far above and below it as what it lights is high, with a
        button down the window alone that it went down on; of a letter: `spots`, where it is put; of what opens a
        popup also where that may stand, and while it is open, nothing else, nor that where it is known what it shows. Of all else nowhere: what is asked for, pressed or scrolled
        to was mostly never seen."""
        seen, popups = self._windows.seen(), self.popups
        near = torch.zeros_like(seen, dtype=torch.bool)
        if popups.known:
            return near
        if popups.deed is Deed.OPENED:
            near[popups.reach.cells] = True
        elif popups and not isinstance(event, (Down, Up, Wheel)):
            near[popups.box(self.planes).cells] = True
            return near
        if event is None or isinstance(event, Key):
            return near | (seen == min(int(seen.max()), 1))
        if isinstance(event, Move) and self._held is not None:
            for back, window in enumerate(self._windows.shown, 1):
                if window.app == self._held:
                    near |= seen == back
            return near
        for row, column in (self._cell(x, y) for x, y in pointers):
            if isinstance(event, Move):
                rows = slice(max(row - LIT, 0), row + LIT + 1)
                near[rows] |= seen[rows] == seen[row, column]
        for spot in spots:
            near[spot.meet(self.bounds).cells] = True
        return near

    def around(self, pointer: tuple[int, int], found: Tensor) -> Tensor:
        """Of cells that are found to change, bool (h, w), those that hang together with the pointer's own or touch it: it lights what it is
        on."""
        reached = torch.zeros_like(found)
        reached[self._cell(*pointer)] = True
        while True:
            grown = F.max_pool2d(reached[None].float(), 3, 1, 1)[0] > 0
            further = (grown & found) | reached
            if torch.equal(further, reached):
                return reached & found
            reached = further

    def _cell(self, x: int, y: int) -> tuple[int, int]:
        """Row and column of the cell that a pixel lies in, the nearest one of those outside."""
        return min(max(y // GRID, 0), self.bounds.h // GRID - 1), min(max(x // GRID, 0), self.bounds.w // GRID - 1)

    def show(self, planes: Tensor) -> None:
        """The guide is another now."""
        before, self.planes = self.planes, planes
        if before is planes:
            return
        if part := _apart(before, planes):
            y, x = part.slices
            self._places.replace(part, before[:, y, x], planes[:, y, x])

    def pieces(self) -> list[Tensor]:
        """Everything, for `restore`; as one, they are pictures, uint8 (N, 3, H, W)."""
        every = [self.planes, *self._windows.pieces(), *self.popups.pieces(), *self._places.pieces()]
        return [*every, torch.zeros(-sum(piece.numel() for piece in every) % (3 * self.bounds.area), dtype=torch.uint8)]

    def restore(self, state: Tensor | None) -> None:
        """Take back what `pieces` gave, as one; None, or what another version kept: forget everything."""
        self._places.clear()
        self._windows.clear()
        self.popups.clear()
        self._held = self._pressed = self._under = None
        self.planes = torch.zeros_like(self.planes)
        if state is None or state.numel() != sum(piece.numel() for piece in self.pieces()):
            return
        flat, first = state.flatten(0, 1), [PLANES, Windows.PLANES_KEPT, Popups.PLANES_KEPT]
        left = len(flat) - sum(first)
        planes, windows, popups, places, _ = flat.split([*first, left // PLANES * PLANES, left % PLANES])
        if self._windows.restore(windows):
            self.planes = planes.clone()
            self.popups.restore(popups)
            self._places.restore(places.unflatten(0, (-1, PLANES)))


def guessed(hand: AtHand, planes: Tensor) -> AtHand:
    """With a guess of the typed letter."""
    pictures, codes = list(hand.pictures), hand.codes.clone()
    pictures[GUESSED] = planes
    codes[GUESSED] = codes_of(planes[:3], planes[3])
    return hand._replace(pictures=pictures, codes=codes)


def _apart(before: Tensor, after: Tensor) -> Rect:
    """The least rect on the grid that holds every difference; one of no area where there is none."""
    other = differ(before, after)
    rows, columns = other.any(1).nonzero(), other.any(0).nonzero()
    if not len(rows):
        return Rect(0, 0, 0, 0)
    (top, bottom), (left, right) = ((int(x[0]), int(x[-1]) + 1) for x in (rows, columns))
    return Rect(left, top, right - left, bottom - top).snap().meet(Rect(0, 0, *reversed(other.shape)))

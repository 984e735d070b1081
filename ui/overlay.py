"""What the window draws over the frame at once, without waiting for the painter: pointer, ripple, echo, preedit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pygame

from engine.desktop.desktop import Desktop
from engine.desktop.text_field import CARET
from engine.drawing import Fill
from engine.geometry import Rect
from engine.guide import Guide
from engine.plain import blend
from engine.session import Session
from engine.theme import Role
from engine.typeface import FILES, font_folder
from ui.view import View

RIPPLE_S = 0.22
PROGRESS_S = 0.15  # how often an edit that is under way is looked at
RIPPLE_PIXELS = 14  # frame pixels
UNSENT = 0  # in the place of a request where nobody paints yet
ECHO_AREA = 96 * 96  # a step that damages more has done more than type a few glyphs
_ARROW = ((0, 0), (0, 13), (3.2, 10.2), (5.4, 15.2), (7.6, 14.2), (5.5, 9.4), (9.6, 9.2))


@dataclass
class Echo:
    """Shows typed glyphs over the old frame until the painter's patch covers them.

    `ink` is the text layer as the frame shows it: uint8 (H, W).
    """

    ink: np.ndarray
    behind: bool = False  # the frame shows another state than the one that was typed into
    _sent: dict[int, dict[Rect, np.ndarray]] = field(default_factory=dict)  # by request: the text layer where it is to be painted

    def follow(self, guide: Guide, damage: tuple[Rect, ...], painted: bool, awaited: Sequence[int] = ()) -> None:
        """After a step: what is damaged awaits the painter, by the newest of the requests `awaited`; what an older one asked for is painted once
        that is none of them, and everything once `painted` says so.

        A step that does more than type, as when a window moves, ends the echo until then: letters would be shown on what
        is not their place yet.
        """
        self.behind = not painted and (self.behind or sum(rect.area for rect in damage) > ECHO_AREA)
        if painted:
            self.ink[:] = guide.ink
        if painted or self.behind:
            self._sent = {}
            return
        for request in sorted(self._sent.keys() - {UNSENT, *awaited}):
            for rect, ink in self._sent.pop(request).items():
                self.ink[rect.slices] = ink
        if damage:
            self._sent.setdefault(max(awaited, default=UNSENT), {}).update((rect, guide.ink[rect.slices].copy()) for rect in damage)

    @property
    def rects(self) -> list[Rect]:
        """What is not painted yet, each once."""
        return list(dict.fromkeys(rect for rects in self._sent.values() for rect in rects))

    def over(self, pixels: np.ndarray, guide: Guide, ink: np.ndarray) -> np.ndarray:
        """The frame with the new glyphs on it in colour `ink` (3,); the frame itself where there are none."""
        shown, left = pixels, self.rects
        done = np.zeros(guide.ink.shape if left else (0, 0), bool)  # rects overlap, and a letter that is blended twice is bold
        for rect in left:
            now, before = guide.ink[rect.slices], self.ink[rect.slices]
            fresh = np.where((now > before) & ~done[rect.slices], now, 0)
            if fresh.any() and not (now < before).any():  # only added letters: others would lie on the old ones
                shown = pixels.copy() if shown is pixels else shown
                blend(shown[rect.slices], ink, fresh)
                done[rect.slices] |= fresh > 0
        return shown


@dataclass
class Progress:
    """What is said and shown of an edit while it is painted."""

    says: str = ""
    preview: np.ndarray | None = None  # uint8 (H, W, 3)
    _looked: float = 0.0
    _region: tuple[int, ...] = ()

    def follow(self, session: Session, now: float) -> bool:
        """Look again, a few times a second; whether anything is to be drawn anew."""
        region = session.desktop.turning.region
        drawn = (*region.rect, int(region.choosing)) if region else ()
        moved, self._region = drawn != self._region, drawn
        busy = session.turner.busy
        if not busy or now - self._looked < PROGRESS_S:
            ended, self.says, self.preview = bool(self.says) and not busy, *((self.says, self.preview) if busy else ("", None))
            return ended or moved
        self._looked, self.says, self.preview = now, session.turner.says, session.mailbox.preview()
        return True

    def over(self, pixels: np.ndarray) -> np.ndarray:
        return pixels if self.preview is None else self.preview


def tools_over(pixels: np.ndarray, session: Session) -> np.ndarray:
    """The frame with ask bar and strip as the guide has them, where a dream would not show them."""
    info, desktop = session.mailbox.info, session.desktop
    if info is None or info.mode != "dream" or not desktop.ask_bar:
        return pixels
    shown = pixels.copy()
    for widget in desktop.widgets:
        if widget.role == "bar" or widget.name == "notice":
            shown[widget.rect.slices] = session.guide.pixels[widget.rect.slices]
    return shown


def draw_region(screen: pygame.Surface, desktop: Desktop, view: View) -> None:
    """The outline of a desktop's region, light on dark, so that it is seen on everything but the ask bar, which stands above it."""
    region = desktop.turning.region
    if region is None:
        return
    bar = next((widget.rect for widget in desktop.widgets if widget.path == "ask"), Rect(0, 0, 0, 0))
    corner, end = view.to_window(bar.x, bar.y), view.to_window(bar.right, bar.bottom)
    above = pygame.Rect(corner, (end[0] - corner[0], end[1] - corner[1])).clip(screen.get_rect())
    covered = screen.subsurface(above).copy()
    x, y = view.to_window(region.rect.x, region.rect.y)
    right, bottom = view.to_window(region.rect.right, region.rect.bottom)
    for grown, colour in ((1, (10, 10, 14)), (0, (255, 255, 255)), (-1, (10, 10, 14))):
        pygame.draw.rect(screen, colour, (x - grown, y - grown, right - x + 2 * grown, bottom - y + 2 * grown), 1)
    screen.blit(covered, above)


@dataclass
class Pointer:
    """The pointer and the ripples of its presses; positions in frame pixels."""

    at: tuple[int, int] = (0, 0)
    inside: bool = False
    ripples: list[tuple[float, int, int]] = field(default_factory=list)  # (when, x, y)

    def press(self, now: float) -> None:
        self.ripples.append((now, *self.at))

    def moving(self, now: float) -> bool:
        """Whether a ripple is still to be seen."""
        self.ripples = [r for r in self.ripples if now - r[0] < RIPPLE_S]
        return bool(self.ripples)

    def draw(self, screen: pygame.Surface, view: View, now: float, palette: np.ndarray) -> None:
        accent = tuple(int(c) for c in palette[Role.ACCENT])
        for when, x, y in self.ripples:
            share = min((now - when) / RIPPLE_S, 1)
            radius = max(round(RIPPLE_PIXELS * view.scale * share), 2)
            ring = pygame.Surface((2 * radius + 4, 2 * radius + 4), pygame.SRCALPHA)
            pygame.draw.circle(ring, (*accent, round(200 * (1 - share))), (radius + 2, radius + 2), radius, 2)
            px, py = view.to_window(x, y)
            screen.blit(ring, (px - radius - 2, py - radius - 2))
        if self.inside:
            scale = max(view.scale, 1)
            px, py = view.to_window(*self.at)
            points = [(px + dx * scale, py + dy * scale) for dx, dy in _ARROW]
            pygame.draw.polygon(screen, (250, 250, 250), points)
            pygame.draw.aalines(screen, (15, 15, 20), True, points)


@dataclass
class Preedit:
    """What an input method is composing, shown at the caret until it arrives as text. `place`: frame pixels."""

    text: str = ""
    place: Rect | None = None

    def follow(self, desktop: Desktop, view: View) -> None:
        """Keep the caret's place, and tell the input method where its list of candidates belongs."""
        place = caret_of(desktop)
        if place is None or place == self.place:
            return
        self.place = place
        size = max(round(place.w * view.scale), 1), max(round(place.h * view.scale), 1)
        pygame.key.set_text_input_rect(pygame.Rect(view.to_window(place.x, place.y), size))

    def draw(self, screen: pygame.Surface, view: View, palette: np.ndarray) -> None:
        if not self.text or self.place is None:
            return
        ink, paper, accent = (tuple(int(c) for c in palette[role]) for role in (Role.INK, Role.FIELD, Role.ACCENT))
        height = max(round(self.place.h * view.scale), 12)
        font = pygame.font.Font(str(font_folder() / FILES["regular"]), round(height * 0.84))
        words = font.render(self.text, True, ink, paper)
        x, y = view.to_window(self.place.x, self.place.y)
        x = max(min(x, view.place[0] + view.place[2] - words.get_width()), 0)
        screen.blit(words, (x, y))
        pygame.draw.rect(screen, accent, (x, y + words.get_height() - 1, words.get_width(), 2))


def caret_of(desktop: Desktop) -> Rect | None:
    """Where the caret stands, in frame pixels; None while it is blinked off, or where nothing is written."""
    focused = next((w for w in desktop.widgets if w.touch and w.touch.text and "focused" in w.state), None)
    if focused is None:
        return None
    for item in reversed(desktop.items):
        if isinstance(item, Fill) and item.role == Role.ACCENT and item.whole.w == CARET and focused.rect.covers(item.rect):
            return item.whole
    return None

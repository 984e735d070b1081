"""What the window draws over the frame at once, without waiting for the painter: pointer, ripple, echo."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pygame

from engine.geometry import Rect
from engine.guide import Guide, blend
from engine.theme import Role
from ui.view import View

RIPPLE_S = 0.22
RIPPLE_PIXELS = 14  # frame pixels
ECHO_AREA = 96 * 96  # larger damage is more than a few typed glyphs
_ARROW = ((0, 0), (0, 13), (3.2, 10.2), (5.4, 15.2), (7.6, 14.2), (5.5, 9.4), (9.6, 9.2))


@dataclass
class Echo:
    """Shows typed glyphs over the old frame until the painter's patch covers them.

    `ink` is the text layer as it was when the frame was last painted: uint8 (H, W).
    """

    ink: np.ndarray
    rects: list[Rect] = field(default_factory=list)

    def follow(self, guide: Guide, damage: tuple[Rect, ...], painted: bool) -> None:
        """After a step: what is damaged awaits the painter; once all is painted nothing does."""
        if painted:
            self.rects = []
            self.ink[:] = guide.ink
        self.rects += [rect for rect in damage if rect.area <= ECHO_AREA]

    def over(self, pixels: np.ndarray, guide: Guide, ink: np.ndarray) -> np.ndarray:
        """The frame with the new glyphs on it in colour `ink` (3,); the frame itself where there are none."""
        shown = pixels
        for rect in self.rects:
            now, before = guide.ink[rect.slices], self.ink[rect.slices]
            fresh = np.where(now > before, now, 0)
            if fresh.any() and not (now < before).any():  # only added letters: others would lie on the old ones
                shown = pixels.copy() if shown is pixels else shown
                blend(shown[rect.slices], ink, fresh)
        return shown


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

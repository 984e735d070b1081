"""How the frame lies in the window: scaled by a whole number where that nearly fills it, else smoothly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pygame

LARGEST_FIRST = 2  # times the frame
SCREEN_SHARE = 0.95  # of the screen's height that a window may have: the rest is its title and the panels there
FILLED = 0.8  # share of the window that a whole-number scale must fill to be preferred


@dataclass(frozen=True)
class View:
    """`frame` and `window` sizes in pixels; `place` is the frame's rect in the window (x, y, w, h)."""

    frame: tuple[int, int]
    window: tuple[int, int]
    place: tuple[int, int, int, int]

    @staticmethod
    def fit(frame: tuple[int, int], window: tuple[int, int]) -> View:
        scale = min(window[0] / frame[0], window[1] / frame[1])
        whole = int(scale)
        if whole >= 1 and whole >= FILLED * scale:
            scale = whole
        w, h = max(round(frame[0] * scale), 1), max(round(frame[1] * scale), 1)
        return View(frame, window, ((window[0] - w) // 2, (window[1] - h) // 2, w, h))

    @property
    def scale(self) -> float:
        return self.place[2] / self.frame[0]

    def to_frame(self, x: int, y: int) -> tuple[int, int]:
        """Window to frame pixels, kept inside the frame."""
        px, py, w, h = self.place
        fx, fy = (x - px) * self.frame[0] // w, (y - py) * self.frame[1] // h
        return max(0, min(self.frame[0] - 1, fx)), max(0, min(self.frame[1] - 1, fy))

    def to_window(self, x: float, y: float) -> tuple[int, int]:
        """Frame pixels to window pixels."""
        return self.place[0] + round(x * self.scale), self.place[1] + round(y * self.scale)

    def holds(self, x: int, y: int) -> bool:
        """Whether a window position is on the frame."""
        px, py, w, h = self.place
        return px <= x < px + w and py <= y < py + h

    def show(self, screen: pygame.Surface, pixels: np.ndarray) -> None:
        """Draw a frame, uint8 (H, W, 3), into the window."""
        picture = pygame.image.frombuffer(np.ascontiguousarray(pixels).data, self.frame, "RGB")
        x, y, w, h = self.place
        if (w, h) != self.window:
            screen.fill((0, 0, 0))
        if (w, h) == self.frame:
            screen.blit(picture, (x, y))
            return
        whole = w % self.frame[0] == 0 and h % self.frame[1] == 0
        grow = pygame.transform.scale if whole else pygame.transform.smoothscale
        screen.blit(grow(picture, (w, h)), (x, y))


def first_size(frame: tuple[int, int], desktop: tuple[int, int]) -> tuple[int, int]:
    """The window's size at the start: twice the frame where the screen holds that, else the frame, else what fits."""
    room = desktop[0], round(desktop[1] * SCREEN_SHARE)
    scale = min(room[0] / frame[0], room[1] / frame[1])
    scale = min(int(scale), LARGEST_FIRST) if scale >= 1 else scale
    return int(frame[0] * scale), int(frame[1] * scale)

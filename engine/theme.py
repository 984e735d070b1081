"""Colour roles, and the one neutral theme in which the guide is drawn.

A role says what a pixel is for; a style says which colour that is. The neutral colours differ enough from one
another that a painter can tell the roles apart by colour alone.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np


class Role(IntEnum):
    WALLPAPER = 0
    WALLPAPER_INK = 1  # text and marks straight on the wallpaper
    SURFACE = 2  # a window's body, a menu
    FIELD = 3  # paper that is written or drawn on
    INK = 4
    MUTED = 5  # secondary text
    TITLE = 6  # title bar of the focused window
    TITLE_INK = 7
    TITLE_IDLE = 8
    TITLE_IDLE_INK = 9
    BORDER = 10
    BUTTON = 11
    ACCENT = 12  # caret, focus, primary buttons, app tiles
    ACCENT_INK = 13
    BAR = 14  # taskbar
    BAR_INK = 15
    HOVER = 16  # a button or row under the pointer
    SELECTION = 17


class Chrome(NamedTuple):
    """The form of windows: border in pixels; whether the title stands in the middle, and the buttons on the left."""

    border: int = 1
    centred: bool = False
    left: bool = False


PLAIN = Chrome()
GLOSSED = {"title": 1.0, "bar": 0.8, "button": 0.6, "tile": 1.0}  # shapes that shine in a glossy style, and how much
BEVELLED = frozenset({"title", "title_idle", "bar", "button", "tile", "thumb", "menu"})  # shapes whose edges a style may light and shade
ROUNDS = 12.0  # pixels: the largest radius of a style's windows
ROUNDNESS: dict[str, tuple[float, float, float, float]] = {
    "window": (1.0, 0.0, 0.0, ROUNDS),
    "menu": (1.0, 0.0, 0.0, 8.0),
    "button": (0.5, 0.0, 0.0, 6.0),
    "row": (0.4, 0.0, 0.0, 4.8),
    "field": (0.4, 0.0, 0.0, 4.8),
    "tile": (0.8, 1.0, 0.0, 10.6),
    "thumb": (1e3, 0.0, 2.0, 8.0),
}  # by shape: its radius a pixel of the windows' radius, and beside it, from which radius of the windows on, and at most


def radius_of(shape: str, windows: float, w: int, h: int) -> int:
    """Corner radius in pixels of a shape of w x h pixels in a style whose windows have the radius `windows`."""
    return max(min(wanted_radius(shape, windows), w // 2, h // 2), 0)


def wanted_radius(shape: str, windows: float) -> int:
    """The same of a shape that is large enough."""
    factor, offset, least, most = ROUNDNESS.get(shape, (0.0, 0.0, 0.0, 0.0))
    return round(min(windows * factor + offset, most)) if windows > least or not least else 0


NEUTRAL = np.array(
    [
        (146, 162, 170),
        (36, 10, 10),
        (236, 236, 230),
        (255, 255, 255),
        (16, 16, 16),
        (104, 100, 96),
        (186, 202, 224),
        (12, 20, 64),
        (214, 210, 216),
        (88, 84, 104),
        (118, 122, 130),
        (220, 222, 212),
        (44, 96, 184),
        (250, 252, 255),
        (196, 206, 192),
        (12, 44, 16),
        (222, 232, 248),
        (170, 206, 252),
    ],
    np.uint8,
)  # (roles, 3)

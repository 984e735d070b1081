"""Text that can be read: inks and grounds moved as little as gives every text its contrast (WCAG 2.2, 1.4.3).

A ground is not one colour: textures, glass, glow and shadows lie on it or over it, and text must be readable on all of
what it can look like.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from engine.materials import CLEAR, DEPTH, TEXTURES, moved
from engine.theme import Role

LEAST_CONTRAST = 4.55  # WCAG asks 4.5; the rest is for rounding to 8 bits
SHADE = 0.36  # how much of the light the deepest shadow of a style takes away
GLOW = 0.45  # how much of the accent the brightest glow of a style lays over the wallpaper
LIFT, DIM = 0.3, 0.16  # of the way to white at the top, to black at the bottom, on what is glossiest
_GLOSSY: dict[int, float] = {
    Role.TITLE: 1.0, Role.TITLE_IDLE: 1.0, Role.BAR: 0.8, Role.BUTTON: 0.6, Role.ACCENT: 0.6, Role.HOVER: 0.6,
    Role.SELECTION: 0.6,
}  # fmt: skip
_MIDDLE = 0.75  # text stands in the middle of a bar: how much of the gradient it meets
_SHADES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # parts of a shadow's depth that text is tried in
_PUSHES = [(float(push), 0.0) for push in np.linspace(0, 0.6, 13)]  # how far grounds may move away from their ink
_MOVES = sorted(
    ((push, float(merge)) for push, _ in _PUSHES for merge in np.linspace(0, 1, 9)), key=lambda move: move[0] + 0.7 * move[1]
)  # and towards one another; the least first
INKS: dict[int, tuple[int, ...]] = {
    Role.INK: (Role.SURFACE, Role.FIELD, Role.BUTTON, Role.HOVER, Role.SELECTION),
    Role.MUTED: (Role.SURFACE, Role.FIELD, Role.BUTTON, Role.HOVER, Role.SELECTION),
    Role.TITLE_INK: (Role.TITLE,),
    Role.TITLE_IDLE_INK: (Role.TITLE_IDLE,),
    Role.ACCENT_INK: (Role.ACCENT,),
    Role.BAR_INK: (Role.BAR,),
    Role.WALLPAPER_INK: (Role.WALLPAPER, -1),
}  # each ink, and the grounds it must be readable on


def made_legible(colours: np.ndarray, strengths: Mapping[str, float], spread: bool) -> tuple[np.ndarray, bool]:
    """Colours (PAINTS, 3) in [0, 1] with inks, and where need be grounds, moved until text is readable whatever lies over
    or under it; and whether it is. strengths: of shadow, gloss, glow, glass and the textures; spread: grounds may move away
    from their inks, else only towards one another.
    """
    colours = colours.copy()
    shades = 1 - strengths["shadow"] * SHADE * np.array(_SHADES if strengths["shadow"] else _SHADES[:1])
    readable = True
    inks = sorted(INKS.items(), key=lambda pair: pair[0] != Role.WALLPAPER_INK)  # the wallpaper shows through the others
    for ink, on in inks:
        grounds = colours[list(on)]
        pole = 0.0 if luminance(colours[ink]) > luminance(grounds).mean() else 1.0
        for push, merge in _PUSHES if len(on) == 1 else _MOVES:
            if push and not spread:
                continue
            moved_grounds = grounds + merge * (grounds[:1] - grounds)
            moved_grounds = moved_grounds + push * (pole - moved_grounds)
            variants = _variants(colours, on, moved_grounds, strengths)
            best, least = _readable(colours[ink], variants, shades)
            if least >= LEAST_CONTRAST:
                break
        colours[ink], colours[list(on)] = best, moved_grounds
        readable &= bool(least >= LEAST_CONTRAST)
    return colours, readable


def _variants(
    colours: np.ndarray, on: tuple[int, ...], grounds: np.ndarray, strengths: Mapping[str, float]
) -> np.ndarray:
    """What grounds (n, 3), of the roles `on`, can look like: (m, 3)."""
    walls = colours[[Role.WALLPAPER, -1]]
    clear = (CLEAR[list(on)] * strengths["glass"])[:, None]
    found = [grounds]
    if clear.any():
        found += [grounds + clear * (wall - grounds) for wall in walls]
    if strengths["glow"] and Role.WALLPAPER in on:
        found.append(grounds + GLOW * strengths["glow"] * (colours[Role.ACCENT] - grounds))
    shiny = strengths["gloss"] * _MIDDLE * np.array([_GLOSSY.get(role, 0.0) for role in on])[:, None]
    if shiny.any():
        found += [part + LIFT * shiny * (1 - part) for part in found] + [part * (1 - DIM * shiny) for part in found]
    shown = np.concatenate(found)
    textured = min(sum(strengths[name] for name in TEXTURES), 1.0)
    deep = np.tile(DEPTH[list(on)], len(found))[:, None] * textured
    if not deep.any():
        return shown
    by = moved(shown * 255, deep) / 255
    return np.clip(np.concatenate([shown, shown - by, shown + by]), 0, 1)


def luminance(colours: np.ndarray) -> np.ndarray:
    """Relative luminance, WCAG 2.2: colours (..., 3) in [0, 1] to (...)."""
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722])


def contrast(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Contrast ratio, WCAG 2.2, of colours (..., 3) in [0, 1]."""
    return ratio(luminance(a), luminance(b))


def ratio(one: np.ndarray | float, other: np.ndarray | float) -> np.ndarray:
    """Contrast ratio of two luminances."""
    found: np.ndarray = (np.maximum(one, other) + 0.05) / (np.minimum(one, other) + 0.05)
    return found


def _readable(ink: np.ndarray, grounds: np.ndarray, shades: np.ndarray) -> tuple[np.ndarray, float]:
    """`ink`, moved towards black or white as little as gives it the contrast on every ground (n, 3) in every shade
    (m,), and the least contrast it then has."""
    ways = np.linspace(0, 1, 21)[:, None, None]
    candidates = (ink * (1 - ways) + np.array([[0.0] * 3, [1.0] * 3]) * ways).reshape(-1, 3)
    shaded = grounds[None] * shades[:, None, None]
    least = contrast((candidates[:, None] * shades[:, None])[:, :, None], shaded[None]).min((1, 2))
    good = np.flatnonzero(least >= LEAST_CONTRAST)
    best = int(good[np.abs(candidates[good] - ink).sum(1).argmin()] if len(good) else least.argmax())
    return candidates[best], float(least[best])

"""Draws the desktop's items in a style: the picture a painter learns to paint.

Rounded corners, shadows, glows, bevels, gradients, wallpapers and materials are all functions of the items and the
style, so the same state always has the same picture. Nothing reaches further than REACH pixels beyond its item.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from engine.drawing import GROUPS, Fill, Glyphs, Item, Mark, Outline
from engine.forms import DROP, FLOATING, LIT, REACH, bevels, fading
from engine.geometry import Rect
from engine.legibility import DIM, GLOW, LIFT, SHADE
from engine.plain import glyph_coverage, goes_round, mark_coverage
from engine.styles import Style
from engine.theme import BEVELLED, GLOSSED, Role, radius_of

_LIT, _SHADED = 0.5, 0.35  # of white, of black, on the edges of what is raised


class StyledRenderer:
    """Draws items in `style` at `size` (width, height)."""

    def __init__(self, style: Style, size: tuple[int, int]) -> None:
        self.style = style
        self.size = size
        self.palette = style.palette().astype(np.float32)
        self.paints = style.paints(size)
        self._frame = np.zeros((size[1], size[0], 3), np.float32)
        self._bounds = Rect(0, 0, *size)
        self._open: tuple[Fill, int, list[tuple[Rect, np.ndarray]]] | None = None

    def render(self, items: Sequence[Item]) -> np.ndarray:
        """The frame: uint8 (H, W, 3)."""
        self._open = None
        self._light = np.ones(self._frame.shape[:2], np.float32)
        self._content = np.zeros(self._frame.shape[:2], bool)  # where pictures stand, which no style may change
        self._over = [item for item in items if isinstance(item, Fill) and item.shape in FLOATING]
        before: Item | None = None
        for item in items:
            if isinstance(item, Fill):
                self._fill(item)
            elif isinstance(item, Outline):
                self._outline(item, before if isinstance(before, Fill) and goes_round(item, before) else None)
            elif isinstance(item, Glyphs):
                self._blend(item.rect, self.palette[item.role], glyph_coverage(item, item.rect) / np.float32(255))
            elif isinstance(item, Mark):
                self._blend(item.rect, self.paints.over(item.role, item.rect), mark_coverage(item, item.rect) / np.float32(255))
                self._content[item.rect.slices] = False
            else:
                self._frame[item.rect.slices] = item.pixels[item.rect.shift(-item.whole.x, -item.whole.y).slices]
                self._content[item.rect.slices] = True
            before = item
        self._close_group()
        return np.round(np.clip(self._frame, 0, 255)).astype(np.uint8)

    def radius(self, shape: str, rect: Rect) -> int:
        """Corner radius in pixels of a shape of this size."""
        return radius_of(shape, self.style.radius, rect.w, rect.h)

    def _fill(self, item: Fill) -> None:
        if item.shape in GROUPS:
            self._close_group()
        if item.shape == "wallpaper":
            self._frame[item.rect.slices] = self.paints.ground[item.rect.slices]
            self._glow(item.rect)
            return
        if item.shape in FLOATING:
            self._shadow(item)
            self._open_group(item)
        self._content[item.rect.slices] = False
        colour = self._filling(item)
        radius = self.radius(item.shape, item.whole) if item.shape not in FLOATING else 0
        if radius:
            mask = rounded(item.whole.w, item.whole.h, radius)
            self._blend(item.rect, colour, mask[item.rect.shift(-item.whole.x, -item.whole.y).slices])
        else:
            self._frame[item.rect.slices] = colour

    def _filling(self, item: Fill) -> np.ndarray:
        """The fill's paint with all that a style does to it, (rect.h, rect.w, 3)."""
        return self._bevelled(item, self._shaded(item))

    def _shaded(self, item: Fill) -> np.ndarray:
        """The fill's paint, (rect.h, rect.w, 3), with a vertical gradient where the style is glossy."""
        colour = self.paints.over(item.role, item.rect)
        gloss = self.style.strength("gloss") * GLOSSED.get(item.shape, 0.0)
        if not gloss:
            return colour
        rows = np.arange(item.rect.y - item.whole.y, item.rect.bottom - item.whole.y, dtype=np.float32)
        down = (rows / max(item.whole.h - 1, 1))[:, None, None]
        lifted = colour + (255 - colour) * (gloss * LIFT * (1 - down))
        return lifted * (1 - gloss * DIM * down)

    def _outline(self, item: Outline, fill: Fill | None) -> None:
        """A ring, in place of so much of the fill that it goes round: over it, what lies beneath would show through along its edge."""
        radius = self.radius(item.shape, item.whole)
        ring = (_rim if item.shape in FLOATING else _ring)(item.whole.w, item.whole.h, radius, item.width)
        ring = ring[item.rect.shift(-item.whole.x, -item.whole.y).slices]
        edge = self.paints.over(item.role, item.rect)
        if fill is None:
            self._blend(item.rect, edge, ring)
        else:
            self._frame[item.rect.slices] += (edge - self._filling(fill)) * ring[..., None]

    def _bevelled(self, item: Fill, colour: np.ndarray) -> np.ndarray:
        """What is raised is lit along its upper and left edge, shaded along the others: of the paint, so that where a round corner
        is cut off nothing shows."""
        if item.shape not in BEVELLED or not self.style.bevel:
            return colour
        colour = colour.copy()
        for edge, kind in bevels(item.whole):
            towards, share = (255.0, _LIT) if kind == LIT else (0.0, _SHADED)
            part = colour[edge.meet(item.rect).shift(-item.rect.x, -item.rect.y).slices]
            part += (np.float32(towards) - part) * np.float32(share * self.style.bevel)
        return colour

    def _glow(self, rect: Rect) -> None:
        """The light of windows and menus on the wallpaper in `rect`."""
        strength = GLOW * self.style.strength("glow")
        if strength <= 0:
            return
        depth = np.zeros(self._frame.shape[:2], np.float32)
        for item in self._over:
            around = item.whole.grow(REACH).meet(self._bounds)
            if around:
                near = _nearness(around, item.whole, self.radius(item.shape, item.whole), REACH)
                depth[around.slices] = np.maximum(depth[around.slices], near)
        into = self._frame[rect.slices]
        into += (self.palette[Role.ACCENT] - into) * (strength * depth[rect.slices])[..., None]

    def _shadow(self, item: Fill) -> None:
        strength = SHADE * self.style.strength("shadow")
        rect, radius = item.whole, self.radius(item.shape, item.whole)
        around, shown = rect.grow(REACH).meet(self._bounds), rect.meet(self._bounds)
        if strength <= 0 or not around:
            return
        left = 1 - strength * _nearness(around.shift(0, -DROP), rect, radius, REACH - DROP) * ~self._content[around.slices]
        light = self._light[around.slices]
        self._frame[around.slices] *= np.minimum(left / light, 1)[..., None]  # two shadows are no darker than the darker
        np.minimum(light, left, out=light)
        own = self._light[shown.slices]
        own += (1 - own) * rounded(rect.w, rect.h, radius)[shown.shift(-rect.x, -rect.y).slices]

    def _open_group(self, item: Fill) -> None:
        """Remember what lies under the corners of a window: they are put back when all of it is drawn."""
        radius = self.radius(item.shape, item.whole)
        if not radius:
            return
        r = item.whole
        corners = [(r.x, r.y), (r.right - radius, r.y), (r.x, r.bottom - radius), (r.right - radius, r.bottom - radius)]
        rects = [Rect(x, y, radius, radius).meet(item.rect).meet(self._bounds) for x, y in corners]
        self._open = (item, radius, [(rect, self._frame[rect.slices].copy()) for rect in rects if rect])

    def _close_group(self) -> None:
        if self._open is None:
            return
        item, radius, saved = self._open
        self._open = None
        mask = rounded(item.whole.w, item.whole.h, radius)
        rim = _rim(item.whole.w, item.whole.h, radius, 1)
        for rect, under in saved:
            at = rect.shift(-item.whole.x, -item.whole.y).slices
            if item.shape == "window":
                self._blend(rect, self.paints.over(Role.BORDER, rect), rim[at])
            share = mask[at][..., None]
            self._frame[rect.slices] = under + (self._frame[rect.slices] - under) * share

    def _blend(self, rect: Rect, colour: np.ndarray, share: np.ndarray) -> None:
        into = self._frame[rect.slices]
        into += (colour - into) * share[..., None]


def _nearness(around: Rect, rect: Rect, radius: int, reach: int) -> np.ndarray:
    """How near the pixels of `around` are to `rect` with round corners, see `fading`: float32 (h, w)."""
    x = np.arange(around.x, around.right, dtype=np.float32)
    y = np.arange(around.y, around.bottom, dtype=np.float32)[:, None]
    within, down = np.minimum(x - rect.x, rect.right - 1 - x), np.minimum(y - rect.y, rect.bottom - 1 - y)
    return fading(within, down, radius, reach)


@lru_cache(maxsize=512)
def rounded(w: int, h: int, radius: int) -> np.ndarray:
    """Coverage of a w x h rect with round corners: float32 (h, w) in [0, 1]."""
    if radius == 0:
        return np.ones((h, w), np.float32)
    x = np.arange(w, dtype=np.float32) + 0.5
    y = np.arange(h, dtype=np.float32) + 0.5
    dx = np.maximum(radius - np.minimum(x, w - x), 0)
    dy = np.maximum(radius - np.minimum(y, h - y), 0)
    away = np.hypot(dx[None], dy[:, None])
    return np.clip(radius + 0.5 - away, 0, 1)


@lru_cache(maxsize=512)
def _ring(w: int, h: int, radius: int, width: int) -> np.ndarray:
    ring = rounded(w, h, radius).copy()
    if w > 2 * width and h > 2 * width:
        ring[width:-width, width:-width] -= rounded(w - 2 * width, h - 2 * width, max(radius - width, 0))
    return np.clip(ring, 0, 1)


@lru_cache(maxsize=512)
def _rim(w: int, h: int, radius: int, width: int) -> np.ndarray:
    """The same for what is drawn square before its corners are cut off: of what is left of a pixel, the share of the ring."""
    return np.asarray(_ring(w, h, radius, width) / np.maximum(rounded(w, h, radius), 1e-6))

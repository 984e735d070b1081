"""Materials: what surfaces are made of. A style's colours become paints, which differ from place to place.

A texture (the grain of paper, the streaks of wood, ...) makes every paint lighter and darker by the place on the
screen; glass lets the wallpaper through. Both are functions of the style's numbers and of its seed alone, so they stand
still while windows move. How deep a texture goes, and how clear glass is, depends on the role: least where text stands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from engine import wallpaper
from engine.geometry import Rect
from engine.theme import Role

PAINTS = len(Role) + 1  # one a role; the last is the wallpaper's second colour
LEVEL, STRONG = 128, 127  # a plane's value where a texture is neutral, and its range
BASE, SLOPE = 64.0, 0.75  # grey levels: a texture of depth d moves a colour c by up to d (BASE + SLOPE c)
_DEPTH = {
    Role.WALLPAPER: 0.14, Role.SURFACE: 0.05, Role.FIELD: 0.03, Role.TITLE: 0.09, Role.TITLE_IDLE: 0.09, Role.BORDER: 0.05,
    Role.BUTTON: 0.07, Role.ACCENT: 0.07, Role.BAR: 0.09, Role.HOVER: 0.05, Role.SELECTION: 0.05,
}  # fmt: skip
_CLEAR = {
    Role.SURFACE: 0.4, Role.FIELD: 0.22, Role.TITLE: 0.4, Role.TITLE_IDLE: 0.5, Role.BORDER: 0.4, Role.BUTTON: 0.3,
    Role.BAR: 0.5, Role.HOVER: 0.2, Role.SELECTION: 0.15,
}  # fmt: skip
DEPTH = np.array([_DEPTH.get(Role(i), 0.0) for i in range(len(Role))] + [_DEPTH[Role.WALLPAPER]], np.float32)
CLEAR = np.array([_CLEAR.get(Role(i), 0.0) for i in range(len(Role))] + [0.0], np.float32)


@dataclass(frozen=True)
class Look:
    """What of a style decides the paints: colours uint8 (PAINTS, 3); shares of the wallpaper's patterns and strengths
    of the textures, by their names; glass in [0, 1]."""

    colours: bytes
    patterns: tuple[tuple[str, float], ...]
    textures: tuple[tuple[str, float], ...]
    glass: float
    seed: int


@dataclass(frozen=True)
class Paints:
    """colours: float32 (PAINTS, 3) in [0, 255]; depth, clear: float32 (PAINTS,); planes: uint8 (H, W, 4), the bare
    wallpaper, then the texture: LEVEL for none, up to STRONG more or less. What is wallpaper is all clear. Read only."""

    colours: np.ndarray
    depth: np.ndarray
    clear: np.ndarray
    planes: np.ndarray

    @property
    def ground(self) -> np.ndarray:
        """The bare wallpaper: uint8 (H, W, 3)."""
        return self.planes[..., :3]

    def texture(self, rect: Rect) -> np.ndarray:
        """How light or dark the texture is in `rect`: float32 (h, w) in [-1, 1]."""
        return shade(self.planes[rect.slices][..., 3])

    def over(self, role: int, rect: Rect) -> np.ndarray:
        """What a paint looks like in `rect`: float32 (h, w, 3) in about [0, 255]."""
        colour, clear = self.colours[role], self.clear[role]
        shown = colour + clear * (self.ground[rect.slices] - colour)
        if not self.depth[role]:
            return np.asarray(shown)
        return np.asarray(shown + self.texture(rect)[..., None] * moved(colour, self.depth[role]))


    def where(self, roles: np.ndarray) -> np.ndarray:
        """What the whole screen looks like if each pixel shows its own of `roles`, int (H, W): float32 (H, W, 3)."""
        colour, clear = self.colours[roles], self.clear[roles][..., None]
        texture = self.texture(Rect(0, 0, *roles.shape[::-1]))[..., None]
        shown = colour + clear * (self.ground - colour)
        return np.asarray(shown + texture * moved(self.colours, self.depth[:, None])[roles])


def shade(plane: np.ndarray) -> np.ndarray:
    """The texture's plane, or a part of it, as how light or dark it is: float32 in [-1, 1]."""
    return np.asarray((plane - np.float32(LEVEL)) / STRONG)


def moved(colours: np.ndarray, depth: np.ndarray | float) -> np.ndarray:
    """How far a texture at its strongest moves colours (..., 3) in [0, 255]."""
    return np.asarray(depth * (BASE + SLOPE * colours), np.float32)


@lru_cache(maxsize=4)  # as large as the screen each; a look comes about in some 20 ms
def paints(look: Look, size: tuple[int, int]) -> Paints:
    """The paints of a look on a screen of `size` (width, height)."""
    colours = np.frombuffer(look.colours, np.uint8).reshape(PAINTS, 3).astype(np.float32)
    grain = texture(look.textures, size, look.seed)
    first, second = colours[Role.WALLPAPER], colours[-1]
    parts = [wallpaper.mixture(kind, size, look.seed) * np.float32(share) for kind, share in look.patterns]
    bare = first + (second - first) * sum(parts[1:], parts[0])[..., None]
    bare = bare + grain[..., None] * moved(bare, DEPTH[Role.WALLPAPER])
    planes = np.concatenate([bare, LEVEL + STRONG * grain[..., None]], 2)
    planes = np.clip(np.round(planes), 0, 255).astype(np.uint8)
    clear, depth = CLEAR * np.float32(look.glass), DEPTH.copy()
    for role in (Role.WALLPAPER, -1):
        clear[role], depth[role] = 1.0, 0.0  # its texture is in the ground already
    for array in (colours, depth, clear, planes):
        array.flags.writeable = False
    return Paints(colours, depth, clear, planes)


def texture(strengths: tuple[tuple[str, float], ...], size: tuple[int, int], seed: int) -> np.ndarray:
    """The textures laid over one another: float32 (H, W) in [-1, 1]."""
    height, width = size[1], size[0]
    field = np.zeros((height, width), np.float32)
    for kind, strength in strengths:
        if strength:
            field += np.float32(strength) * _field(kind, size, seed)
    return np.clip(field, -1, 1)


@lru_cache(maxsize=4)
def _field(kind: str, size: tuple[int, int], seed: int) -> np.ndarray:
    y, x = np.mgrid[0 : size[1], 0 : size[0]].astype(np.float32)
    field = np.clip(_FIELDS[kind](x, y, np.random.default_rng([seed, *kind.encode()])), -1, 1).astype(np.float32)
    field.flags.writeable = False
    return field


def _grain(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Paper: fibres a pixel or two long, in flecks."""
    noise = rng.standard_normal((x.shape[0] + 2, x.shape[1] + 2)).astype(np.float32)
    rows = noise[:-2] + 2 * noise[1:-1] + noise[2:]
    fine = (rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]) / 6
    return np.asarray(0.45 * fine + 0.2 * wallpaper.clouds(rng, x.shape, 24, 2))


def _streak(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Wood: rings cut lengthwise, in boards of 96 pixels, and pores along them."""
    h, w = x.shape
    board = (y // 96).astype(int)
    drift = wallpaper.clouds(rng, (h, max(w // 12, 8)), 2, 3)
    warp = np.repeat(drift, -(-w // drift.shape[1]), 1)[:, :w]
    rings = np.sin(wallpaper.TURN * (y / 13 + 1.6 * wallpaper.clouds(rng, x.shape, 1, 2) + rng.random(board.max() + 1)[board]))
    noise = rng.standard_normal((h, w + 24)).astype(np.float32)
    sums = np.cumsum(noise, 1)
    pores = (sums[:, 24:] - sums[:, :-24]) / 24**0.5
    seams = np.where(y % 96 < 1, -1.2, 0.0)
    return np.asarray(0.4 * rings + 0.25 * pores + 0.2 * warp + seams)


def _scan(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A cathode ray tube's lines."""
    return np.asarray(np.where(y % 3 == 2, -1.0, 0.25), np.float32)


def _grid(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Squared paper: lines every 24 pixels, finer ones every 6."""
    fine = ((x % 6 == 0) | (y % 6 == 0)) * 0.28
    return np.asarray(np.where((x % 24 == 0) | (y % 24 == 0), 1.0, fine), np.float32)


def _hatch(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A marker's strokes, all one way, a little uneven."""
    strokes = np.sin(wallpaper.TURN * ((x + y) / 11 + 0.5 * wallpaper.clouds(rng, x.shape, 5, 2)))
    return np.asarray(np.clip(1.8 * strokes, -1, 1) * (0.75 + 0.25 * wallpaper.clouds(rng, x.shape, 12, 1)))


_FIELDS: dict[str, Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]] = {
    "grain": _grain, "streak": _streak, "scan": _scan, "grid": _grid, "hatch": _hatch,
}  # fmt: skip
TEXTURES = tuple(_FIELDS)

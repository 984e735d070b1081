"""Styles: what the interface should look like, as a few numbers that words can name.

A style is a palette (one colour a role, and a second wallpaper colour), what surfaces are made of, and a handful of
shape parameters. Palettes are built so that text can be read (`engine.legibility`). `Style.vector` is what the context
embedding is made from; `engine.style_words` is the lexicon; `mix` goes from one style to another.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

import numpy as np

from engine.legibility import made_legible
from engine.materials import PAINTS, TEXTURES, Look, Paints, paints
from engine.theme import ROUNDS, Chrome, Role
from engine.wallpaper import KINDS, SEEDS

LEANER: tuple[float, ...] = (1.0, 0.75, 0.5, 0.25, 0.0)  # shares of shadow, glass and texture that are tried until all text is readable
FADING = tuple(float(share) for share in np.linspace(1, 0, 21))  # the same between two styles, in steps too small to see
BORDERS = 3  # pixels: the widest border of a window
PALETTE_SIZE = PAINTS  # the last colour is the wallpaper's second
_STRENGTHS = ("shadow", "gloss", "glow", "glass", *TEXTURES)  # what may be leaner than asked for
VECTOR_SIZE = PALETTE_SIZE * 3 + 3 + len(KINDS) + 1 + len(TEXTURES) + 3 + 3
ROUND_AT, SHADOW_AT, GLOW_AT = PALETTE_SIZE * 3, PALETTE_SIZE * 3 + 1, -5  # where a vector, and a context's slow features, tell of these


@dataclass(frozen=True, slots=True)
class Style:
    """The parameters of a look. Hues in turns [0, 1); the others in [0, 1] unless said otherwise.

    dark: 1 for dark grounds with light ink, between 0 and 1 on the way there; saturation of the grounds; radius of
    window corners in pixels, 0 to 12; shadow strength; gloss: vertical gradient on bars and buttons; wallpaper: one of
    `engine.wallpaper.KINDS`, with a share of `blend` of another, `second`, shining through; wall_turn, wall_depth:
    how far its second colour is from the first, in hue (-0.5 to 0.5 turns) and in lightness (-0.5 to 0.5, above 0
    towards the middle); seed: which of wallpaper.SEEDS wallpapers and textures of a kind. grain, streak, scan, grid, hatch: how much the surfaces look like
    paper, wood, a cathode ray tube, squared paper, marker strokes; glass: how much of the wallpaper shines through them;
    glow: light in the accent's colour around windows; bevel: raised edges; edge: how much borders stand out; border: their
    width in pixels, 1 to BORDERS; centred: the title in the middle; left: the buttons of a window on the left.
    """

    dark: float = 0.0
    hue: float = 0.6
    saturation: float = 0.1
    accent: float = 0.6
    vivid: float = 0.6  # saturation of accent and title bars
    wall_hue: float = 0.58
    wall_saturation: float = 0.35
    wall_light: float = 0.62  # lightness of the wallpaper's first colour
    wallpaper: str = "gradient"
    radius: float = 6.0
    shadow: float = 0.6
    gloss: float = 0.3
    second: str = "flat"
    blend: float = 0.0
    wall_turn: float = 0.06
    wall_depth: float = 0.16
    seed: int = 0
    grain: float = 0.0
    streak: float = 0.0
    scan: float = 0.0
    grid: float = 0.0
    hatch: float = 0.0
    glass: float = 0.0
    glow: float = 0.0
    bevel: float = 0.0
    edge: float = 0.0
    border: float = 1.0
    centred: float = 0.0
    left: float = 0.0
    ends: tuple[Style, Style] | None = None  # of a mixture: what it lies between, `blend` of the way

    def palette(self) -> np.ndarray:
        """Colours by role, the second wallpaper colour last: uint8 (PALETTE_SIZE, 3). Read only."""
        return _resolved(self)[0]

    def strength(self, name: str) -> float:
        """How much of a shadow, gloss, a glow, glass or a texture there is, after text has had its say."""
        return float(_wanted(self, name) * _resolved(self)[1])

    @lru_cache(maxsize=256)  # noqa: B019 - keeps a few small arrays alive, and nothing else
    def vector(self) -> np.ndarray:
        """All of the look as float32 (VECTOR_SIZE,) in [-1, 1]: palette, then shapes, wallpaper, materials and the
        windows' form. Read only."""
        patterns = self.patterns()
        kinds = [patterns.get(kind, 0.0) for kind in KINDS]
        return _frozen(np.concatenate([
            self.palette().ravel() / 127.5 - 1, [self.radius / ROUNDS, self.strength("shadow"), self.strength("gloss")],
            kinds, [self.seed / SEEDS], [self.strength(name) for name in TEXTURES],
            [self.strength("glass"), self.strength("glow"), self.bevel],
            [(self.border - 1) / (BORDERS - 1), self.centred, self.left],
        ]).astype(np.float32))  # fmt: skip

    def paints(self, size: tuple[int, int]) -> Paints:
        """What a screen of `size` (width, height) is painted with."""
        found = paints_of(self.vector(), size)
        assert found is not None  # a style always has a wallpaper
        return found

    def patterns(self) -> dict[str, float]:
        """The wallpapers and their shares, which add up to 1."""
        if not self.blend or self.second == self.wallpaper:
            return {self.wallpaper: 1.0}
        return {self.wallpaper: 1 - self.blend, self.second: self.blend}

    @property
    def chrome(self) -> Chrome:
        """The windows' form, which is the desktop's to draw."""
        return Chrome(round(self.border), self.centred >= 0.5, self.left >= 0.5)


def from_record(record: Mapping[str, Any]) -> Style:
    """The style that `dataclasses.asdict` made JSON values of. Raises TypeError for parameters that no style has."""
    ends = record.get("ends")
    return Style(**{**record, "ends": ends and (from_record(ends[0]), from_record(ends[1]))})


def chrome_of(vector: np.ndarray) -> Chrome:
    """The windows' form in a look, from its `Style.vector`."""
    border, centred, left = (float(number) for number in vector[-3:])
    return Chrome(round(1 + border * (BORDERS - 1)), centred >= 0.5, left >= 0.5)


def paints_of(vector: np.ndarray, size: tuple[int, int]) -> Paints | None:
    """The paints of a look on a screen of `size`, from its `Style.vector`; None for one that has no wallpaper: it is of
    a screen that was not drawn here."""
    colours, rest = vector[: PALETTE_SIZE * 3], vector[PALETTE_SIZE * 3 + 3 :]
    shares, rest = rest[: len(KINDS)], rest[len(KINDS) :]
    if not shares.any():
        return None
    named = tuple((kind, float(share)) for kind, share in zip(KINDS, shares, strict=True) if share)
    textures = tuple(zip(TEXTURES, (float(n) for n in rest[1:]), strict=False))
    glass = float(rest[1 + len(TEXTURES)])
    levels = np.round((colours + 1) * 127.5).astype(np.uint8)
    return paints(Look(levels.tobytes(), named, textures, glass, round(float(rest[0]) * SEEDS)), size)


@lru_cache(maxsize=512)
def _resolved(style: Style) -> tuple[np.ndarray, float]:
    """The palette, and the share of shadow, glass and texture that leaves all text readable."""
    if style.ends is None:
        wanted, shares, spread = _wanted_colours(style), LEANER, True
    else:  # without pushing grounds apart from their inks, or there would be a jump where inks turn
        one, other = (end.palette() / 255 for end in style.ends)
        wanted, shares, spread = one + style.blend * (other - one), FADING, False
    strengths = {name: _wanted(style, name) for name in _STRENGTHS}
    for share in shares:
        lesser = {name: share * strength for name, strength in strengths.items()}
        found, readable = made_legible(wanted, lesser, spread)
        if readable:
            break
    return _frozen(np.round(found * 255).astype(np.uint8)), share


def _wanted(style: Style, name: str) -> float:
    """A strength as it was asked for; of a mixture, as it is on the way."""
    if style.ends is None:
        return float(getattr(style, name))
    one, other = (end.strength(name) for end in style.ends)
    return one + style.blend * (other - one)


def _wanted_colours(style: Style) -> np.ndarray:
    """The palette before text has had its say: (PALETTE_SIZE, 3) in [0, 1]."""
    colours = np.zeros((PALETTE_SIZE, 3))
    for share, grounds in ((style.dark, _dark_grounds), (1 - style.dark, _light_grounds)):
        if share:
            for role, colour in grounds(style).items():
                colours[role] += share * colour
    colours[Role.BORDER] += 0.8 * style.edge * (colours[Role.INK] - colours[Role.BORDER])
    step = style.wall_depth * min(max((0.5 - style.wall_light) / 0.04, -1), 1)
    colours[Role.WALLPAPER] = _hls(style.wall_hue, style.wall_light, style.wall_saturation)
    colours[-1] = _hls(style.wall_hue + style.wall_turn, style.wall_light + step, style.wall_saturation)
    middle = style.wall_light + step / 2
    colours[Role.WALLPAPER_INK] = _hls(style.wall_hue, 0.08 if middle > 0.45 else 0.95, 0.3)
    return colours


HUES = ("hue", "accent", "wall_hue")
_WALLPAPER_FIELDS = ("wallpaper", "second", "blend", "seed")


def mix(one: Style, other: Style, share: float) -> Style:
    """From `one` (share 0) to `other` (share 1): hues go the short way round, all else in a straight line.

    Everything changes little by little but the inks, which must be readable on the way and so turn from dark to light
    at one point, where shadows and textures fade; and the windows' form and the seed, half way. Of a style that is itself a mixture, the stronger wallpaper is taken.
    """
    share = min(max(share, 0.0), 1.0)
    if share in (0.0, 1.0):
        return other if share else one
    mixed: dict[str, float] = {}
    for field in fields(Style):
        if field.name not in (*_WALLPAPER_FIELDS, "ends"):
            a, b = getattr(one, field.name), getattr(other, field.name)
            way = (b - a + 0.5) % 1 - 0.5 if field.name in HUES else b - a
            mixed[field.name] = a + share * way
    walls = [max(style.patterns(), key=lambda kind: style.patterns()[kind]) for style in (one, other)]
    seed = (one if share < 0.5 else other).seed
    return Style(**mixed, wallpaper=walls[0], second=walls[1], blend=share, seed=seed, ends=(one, other))  # type: ignore[arg-type]


def altered(style: Style, change: Callable[[Style], Style]) -> Style:
    """The style with a change made to it; of a mixture, to both of what it lies between."""
    if style.ends is None:
        return change(style)
    one, other = (altered(end, change) for end in style.ends)
    return mix(one, other, style.blend)


def _frozen(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


def _hls(hue: float, light: float, saturation: float) -> np.ndarray:
    return np.array(colorsys.hls_to_rgb(hue % 1, min(max(light, 0), 1), min(max(saturation, 0), 1)))


def _light_grounds(style: Style) -> dict[Role, np.ndarray]:
    hue, sat, vivid = style.hue, style.saturation, style.vivid
    return {
        Role.SURFACE: _hls(hue, 0.94, sat),
        Role.FIELD: _hls(hue, 0.985, sat),
        Role.INK: _hls(hue, 0.10, sat),
        Role.MUTED: _hls(hue, 0.40, sat * 0.5),
        Role.TITLE: _hls(style.accent, 0.80, vivid * 0.7),
        Role.TITLE_INK: _hls(style.accent, 0.16, vivid),
        Role.TITLE_IDLE: _hls(hue, 0.87, sat),
        Role.TITLE_IDLE_INK: _hls(hue, 0.38, sat * 0.6),
        Role.BORDER: _hls(hue, 0.62, sat),
        Role.BUTTON: _hls(hue, 0.88, sat),
        Role.ACCENT: _hls(style.accent, 0.42, vivid),
        Role.ACCENT_INK: _hls(style.accent, 0.98, 0.2),
        Role.BAR: _hls(hue, 0.89, sat * 1.2),
        Role.BAR_INK: _hls(hue, 0.12, sat),
        Role.HOVER: _hls(style.accent, 0.90, vivid * 0.8),
        Role.SELECTION: _hls(style.accent, 0.80, vivid),
    }


def _dark_grounds(style: Style) -> dict[Role, np.ndarray]:
    hue, sat, vivid = style.hue, style.saturation, style.vivid
    return {
        Role.SURFACE: _hls(hue, 0.15, sat),
        Role.FIELD: _hls(hue, 0.10, sat),
        Role.INK: _hls(hue, 0.92, sat * 0.6),
        Role.MUTED: _hls(hue, 0.62, sat * 0.5),
        Role.TITLE: _hls(style.accent, 0.28, vivid * 0.7),
        Role.TITLE_INK: _hls(style.accent, 0.94, 0.4),
        Role.TITLE_IDLE: _hls(hue, 0.20, sat),
        Role.TITLE_IDLE_INK: _hls(hue, 0.66, sat * 0.5),
        Role.BORDER: _hls(hue, 0.36, sat),
        Role.BUTTON: _hls(hue, 0.22, sat),
        Role.ACCENT: _hls(style.accent, 0.62, vivid),
        Role.ACCENT_INK: _hls(style.accent, 0.06, 0.3),
        Role.BAR: _hls(hue, 0.12, sat * 1.2),
        Role.BAR_INK: _hls(hue, 0.92, sat * 0.6),
        Role.HOVER: _hls(style.accent, 0.26, vivid * 0.6),
        Role.SELECTION: _hls(style.accent, 0.32, vivid * 0.8),
    }


PRESETS: dict[str, Style] = {
    "light": Style(),
    "dark": Style(dark=True, hue=0.62, saturation=0.12, accent=0.6, vivid=0.65, wall_hue=0.64, wall_saturation=0.3,
                  wall_light=0.2, wallpaper="gradient", radius=6, shadow=0.9, gloss=0.2),
    "ocean": Style(hue=0.53, saturation=0.35, accent=0.54, vivid=0.8, wall_hue=0.52, wall_saturation=0.55,
                   wall_light=0.66, wallpaper="waves", radius=10, shadow=0.7, gloss=0.5),
    "forest": Style(dark=True, hue=0.33, saturation=0.22, accent=0.27, vivid=0.5, wall_hue=0.38, wall_saturation=0.35,
                    wall_light=0.24, wallpaper="hills", radius=4, shadow=0.8, gloss=0.3),
    "candy": Style(hue=0.92, saturation=0.6, accent=0.9, vivid=0.75, wall_hue=0.92, wall_saturation=0.65,
                   wall_light=0.82, wallpaper="dots", radius=12, shadow=0.4, gloss=0.7),
    "terminal": Style(dark=True, hue=0.36, saturation=0.3, accent=0.35, vivid=0.9, wall_hue=0.36, wall_saturation=0.3,
                      wall_light=0.06, wallpaper="flat", radius=0, shadow=0, gloss=0, scan=0.8),
    "paper": Style(hue=0.11, saturation=0.45, accent=0.05, vivid=0.45, wall_hue=0.1, wall_saturation=0.4,
                   wall_light=0.74, wallpaper="stripes", radius=1, shadow=0.35, gloss=0, grain=0.8, wall_turn=0.01, wall_depth=0.05),
    "sunset": Style(dark=True, hue=0.85, saturation=0.3, accent=0.06, vivid=0.85, wall_hue=0.97, wall_saturation=0.5,
                    wall_light=0.34, wallpaper="hills", radius=8, shadow=0.8, gloss=0.6, wall_turn=0.1),
    "wood": Style(hue=0.09, saturation=0.45, accent=0.06, vivid=0.6, wall_hue=0.07, wall_saturation=0.5, wall_light=0.36,
                  wallpaper="flat", radius=3, shadow=0.8, gloss=0.2, streak=1.0, bevel=0.35, edge=0.4, border=2),
    "glass": Style(hue=0.64, saturation=0.3, accent=0.7, vivid=0.6, wall_hue=0.6, wall_saturation=0.6, wall_light=0.66,
                   wallpaper="abstract", wall_turn=0.22, wall_depth=-0.1, radius=11, shadow=0.5, gloss=0.8, glass=1.0,
                   centred=1),
    "neon": Style(dark=True, hue=0.72, saturation=0.35, accent=0.88, vivid=1.0, wall_hue=0.7, wall_saturation=0.6,
                  wall_light=0.09, wallpaper="city", wall_turn=0.12, wall_depth=0.14, radius=7, shadow=0, gloss=0.4,
                  glow=1.0),
    "blueprint": Style(dark=True, hue=0.6, saturation=0.65, accent=0.55, vivid=0.5, wall_hue=0.6, wall_saturation=0.7,
                       wall_light=0.22, wallpaper="flat", radius=0, shadow=0, gloss=0, grid=0.9, edge=0.9, centred=1),
    "pixel": Style(hue=0.7, saturation=0.12, accent=0.66, vivid=0.75, wall_hue=0.48, wall_saturation=0.45, wall_light=0.4,
                   wallpaper="flat", radius=0, shadow=0, gloss=0, bevel=1.0, edge=0.8, border=2),
    "sketch": Style(hue=0.12, saturation=0.08, accent=0.99, vivid=0.75, wall_hue=0.14, wall_saturation=0.25,
                    wall_light=0.88, wallpaper="flat", radius=9, shadow=0, gloss=0, hatch=0.9, grain=0.25, edge=0.9,
                    border=2, wall_depth=0.05),
    "sky": Style(hue=0.57, saturation=0.3, accent=0.57, vivid=0.75, wall_hue=0.57, wall_saturation=0.75, wall_light=0.68,
                 wallpaper="sky", wall_turn=0.0, wall_depth=-0.26, radius=10, shadow=0.5, gloss=0.5, left=1, centred=1),
    "stars": Style(dark=True, hue=0.66, saturation=0.25, accent=0.13, vivid=0.7, wall_hue=0.68, wall_saturation=0.55,
                   wall_light=0.08, wallpaper="stars", wall_turn=-0.08, wall_depth=0.36, radius=6, shadow=0.5, gloss=0.2,
                   glass=0.4),
    "city": Style(dark=True, hue=0.6, saturation=0.15, accent=0.1, vivid=0.8, wall_hue=0.06, wall_saturation=0.5,
                  wall_light=0.42, wallpaper="city", wall_turn=-0.46, wall_depth=-0.26, radius=2, shadow=0.7, gloss=0.1,
                  left=1),
    "silk": Style(hue=0.93, saturation=0.25, accent=0.83, vivid=0.6, wall_hue=0.9, wall_saturation=0.5, wall_light=0.7,
                  wallpaper="abstract", wall_turn=0.1, wall_depth=0.14, radius=12, shadow=0.6, gloss=0.9, glass=0.5,
                  centred=1),
}  # fmt: skip


def turned(style: Style, dark: bool) -> Style:
    """The style with dark grounds, or with light ones."""
    light = min(style.wall_light, 0.26) if dark else max(style.wall_light, 0.64)
    return replace(style, dark=dark, wall_light=light)

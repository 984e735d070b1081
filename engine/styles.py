"""Styles: what the interface should look like, as a few numbers that words can name.

A style is a palette (one colour a role, and a second wallpaper colour) and a handful of shape parameters. Palettes
are built so that text always keeps a contrast of at least 4.5:1 (WCAG 2.2, success criterion 1.4.3).
`Style.vector` is what the context embedding is made from; `from_words` is the lexicon; `mix` goes from one style to another.
"""

from __future__ import annotations

import colorsys
import re
from dataclasses import dataclass, fields, replace
from functools import lru_cache

import numpy as np

from engine.theme import Role

LEAST_CONTRAST = 4.55  # WCAG asks 4.5; the rest is for rounding to 8 bits
WALLPAPERS = ("flat", "gradient", "hills", "stripes", "dots", "waves")
PALETTE_SIZE = len(Role) + 1  # the last colour is the wallpaper's second
VECTOR_SIZE = PALETTE_SIZE * 3 + 3 + len(WALLPAPERS)
INKS: dict[int, tuple[int, ...]] = {
    Role.INK: (Role.SURFACE, Role.FIELD, Role.BUTTON, Role.HOVER, Role.SELECTION),
    Role.MUTED: (Role.SURFACE, Role.FIELD),
    Role.TITLE_INK: (Role.TITLE,),
    Role.TITLE_IDLE_INK: (Role.TITLE_IDLE,),
    Role.ACCENT_INK: (Role.ACCENT,),
    Role.BAR_INK: (Role.BAR,),
    Role.WALLPAPER_INK: (Role.WALLPAPER, -1),
}  # each ink, and the grounds it must be readable on


@dataclass(frozen=True, slots=True)
class Style:
    """The parameters of a look. Hues in turns [0, 1); the others in [0, 1] unless said otherwise.

    dark: 1 for dark grounds with light ink, between 0 and 1 on the way there; saturation of the grounds; radius of window corners in pixels, 0 to 12;
    shadow strength; gloss: vertical gradient on bars and buttons; wallpaper: one of WALLPAPERS,
    with a share of `blend` of another, `second`, shining through.
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

    @lru_cache(maxsize=256)  # noqa: B019 - keeps a few small arrays alive, and nothing else
    def palette(self) -> np.ndarray:
        """Colours by role, the second wallpaper colour last: uint8 (PALETTE_SIZE, 3). Read only."""
        colours = np.zeros((PALETTE_SIZE, 3))
        for share, grounds in ((self.dark, _dark_grounds), (1 - self.dark, _light_grounds)):
            if share:
                for role, colour in grounds(self).items():
                    colours[role] += share * colour
        step = 0.16 * min(max((0.5 - self.wall_light) / 0.04, -1), 1)
        wall = _hls(self.wall_hue, self.wall_light, self.wall_saturation)
        second = _hls(self.wall_hue + 0.06, self.wall_light + step, self.wall_saturation)
        label = _hls(self.wall_hue, 0.08 if self.wall_light > 0.45 else 0.95, 0.3)
        colours[[Role.WALLPAPER, -1]] = wall, second
        colours[Role.WALLPAPER_INK] = label
        for ink, on in INKS.items():
            colours[ink], colours[list(on)] = _legible(colours[ink], colours[list(on)])
        return _frozen(np.round(colours * 255).astype(np.uint8))

    @lru_cache(maxsize=256)  # noqa: B019
    def vector(self) -> np.ndarray:
        """All of the look as float32 (VECTOR_SIZE,): palette in [-1, 1], then shape parameters in [0, 1]. Read only."""
        shape = [self.radius / 12, self.shadow, self.gloss]
        patterns = self.patterns()
        kinds = [patterns.get(kind, 0.0) for kind in WALLPAPERS]
        return _frozen(np.concatenate([self.palette().ravel() / 127.5 - 1, shape, kinds]).astype(np.float32))

    def patterns(self) -> dict[str, float]:
        """The wallpapers and their shares, which add up to 1."""
        if not self.blend or self.second == self.wallpaper:
            return {self.wallpaper: 1.0}
        return {self.wallpaper: 1 - self.blend, self.second: self.blend}


_HUE_FIELDS = ("hue", "accent", "wall_hue")
_WALLPAPER_FIELDS = ("wallpaper", "second", "blend")


def mix(one: Style, other: Style, share: float) -> Style:
    """From `one` (share 0) to `other` (share 1): hues go the short way round, all else in a straight line.

    Everything changes little by little but the inks, which must be readable on the way and so turn from dark to light
    at one point. Of a style that is itself a mixture, the stronger wallpaper is taken.
    """
    share = min(max(share, 0.0), 1.0)
    if share in (0.0, 1.0):
        return other if share else one
    mixed: dict[str, float] = {}
    for field in fields(Style):
        if field.name not in _WALLPAPER_FIELDS:
            a, b = getattr(one, field.name), getattr(other, field.name)
            way = (b - a + 0.5) % 1 - 0.5 if field.name in _HUE_FIELDS else b - a
            mixed[field.name] = a + share * way
    walls = [max(style.patterns(), key=lambda kind: style.patterns()[kind]) for style in (one, other)]
    return Style(**mixed, wallpaper=walls[0], second=walls[1], blend=share)  # type: ignore[arg-type]


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


def luminance(colours: np.ndarray) -> np.ndarray:
    """Relative luminance, WCAG 2.2: colours (..., 3) in [0, 1] to (...)."""
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722])


def contrast(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Contrast ratio, WCAG 2.2, of colours (..., 3) in [0, 1]."""
    low, high = np.sort(np.stack(np.broadcast_arrays(luminance(a), luminance(b))), axis=0)
    return (high + 0.05) / (low + 0.05)


def _readable(ink: np.ndarray, grounds: np.ndarray) -> np.ndarray:
    """`ink`, moved towards black or white until it has the contrast on every ground."""
    best = ink
    for end in (np.zeros(3), np.ones(3)):
        for mix in np.linspace(0, 1, 21):
            candidate = ink * (1 - mix) + end * mix
            if contrast(candidate, grounds).min() >= LEAST_CONTRAST:
                if best is ink or np.abs(candidate - ink).sum() < np.abs(best - ink).sum():
                    best = candidate
                break
    return best


def _legible(ink: np.ndarray, grounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ink, made readable; grounds (n, 3) move towards the first one until one ink is readable on them all."""
    for mix in np.linspace(0, 1, 11):
        moved = grounds + (grounds[:1] - grounds) * mix
        readable = _readable(ink, moved)
        if contrast(readable, moved).min() >= LEAST_CONTRAST:
            break
    return readable, moved


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
                      wall_light=0.06, wallpaper="flat", radius=0, shadow=0, gloss=0),
    "paper": Style(hue=0.11, saturation=0.45, accent=0.05, vivid=0.45, wall_hue=0.1, wall_saturation=0.4,
                   wall_light=0.74, wallpaper="stripes", radius=1, shadow=0.35, gloss=0),
    "sunset": Style(dark=True, hue=0.85, saturation=0.3, accent=0.06, vivid=0.85, wall_hue=0.97, wall_saturation=0.5,
                    wall_light=0.34, wallpaper="hills", radius=8, shadow=0.8, gloss=0.6),
}  # fmt: skip

_HUES = {
    "red": 0.0, "orange": 0.07, "amber": 0.11, "gold": 0.13, "yellow": 0.15, "lime": 0.25, "green": 0.35, "mint": 0.42,
    "teal": 0.49, "cyan": 0.52, "turquoise": 0.49, "blue": 0.6, "navy": 0.64, "indigo": 0.7, "violet": 0.75,
    "purple": 0.77, "magenta": 0.84, "pink": 0.92, "rose": 0.95, "brown": 0.07,
}  # fmt: skip
_GREYS = ("grey", "gray", "silver", "black", "white")
_LIKE = {
    "day": "light", "bright": "light", "white": "light", "plain": "light", "clean": "light",
    "night": "dark", "black": "dark", "midnight": "dark",
    "sea": "ocean", "water": "ocean", "beach": "ocean", "calm": "ocean",
    "woods": "forest", "wood": "forest", "wooden": "forest", "nature": "forest", "cabin": "forest", "jungle": "forest",
    "sweet": "candy", "cute": "candy", "playful": "candy", "bubblegum": "candy",
    "hacker": "terminal", "matrix": "terminal", "console": "terminal", "retro": "terminal",
    "parchment": "paper", "book": "paper", "sepia": "paper", "vintage": "paper",
    "cosy": "sunset", "cozy": "sunset", "warm": "sunset", "evening": "sunset", "autumn": "sunset",
}  # fmt: skip
_SHAPES: dict[str, dict[str, object]] = {
    "rounded": {"radius": 12.0}, "round": {"radius": 12.0}, "soft": {"radius": 9.0, "shadow": 0.8},
    "square": {"radius": 0.0}, "sharp": {"radius": 0.0}, "flat": {"gloss": 0.0, "shadow": 0.0},
    "glossy": {"gloss": 1.0}, "shiny": {"gloss": 1.0}, "shadow": {"shadow": 1.0}, "shadows": {"shadow": 1.0},
    "hills": {"wallpaper": "hills"}, "waves": {"wallpaper": "waves"}, "stripes": {"wallpaper": "stripes"},
    "striped": {"wallpaper": "stripes"}, "dots": {"wallpaper": "dots"}, "dotted": {"wallpaper": "dots"},
    "stars": {"wallpaper": "dots"}, "gradient": {"wallpaper": "gradient"},
}  # fmt: skip
_SMALL = frozenset(
    "a an and as at by from the it its in of with make more very please look looks like style theme to for on me my my some use "
    "set give into turn colour color colours colors interface desktop".split()
)


@lru_cache(maxsize=256)
def from_words(text: str) -> tuple[Style, tuple[str, ...]]:
    """A style from words, and the words that meant nothing. Later words win over earlier ones.

    A preset's name (or a mood that points to one) is the base, "light"/"dark" anywhere flips it, a colour's name tints it,
    a shape's name sets one parameter. Unknown words change nothing. No known word at all gives the light preset.
    """
    style, unknown, based, dark = PRESETS["light"], [], False, None
    words = re.findall(r"[^\W\d_]+", text.casefold())
    for word in words:
        preset = word if word in PRESETS else _LIKE.get(word)
        if preset in ("light", "dark"):
            dark = preset == "dark"
            style = turned(style, dark) if based else PRESETS[preset]
            based = True
        elif preset:
            style, based = PRESETS[preset], True
        elif word in _HUES:
            style, based = _tinted(style, _HUES[word]), True
        elif word in _GREYS:
            style = replace(style, saturation=0.0, vivid=0.15, wall_saturation=0.0)
        elif word not in _SHAPES and word not in _SMALL:
            unknown.append(word)
    if dark is not None and style.dark != dark:  # "a dark sea": what was said of the light holds for what came after
        style = turned(style, dark)
    for word in words:
        if word in _SHAPES:
            style = replace(style, **_SHAPES[word])  # type: ignore[arg-type]
    return style, tuple(unknown)


def known_words(text: str) -> bool:
    """Whether any word of `text` says something about style."""
    words = re.findall(r"[^\W\d_]+", text.casefold())
    return any(w in PRESETS or w in _LIKE or w in _HUES or w in _GREYS or w in _SHAPES for w in words)


def turned(style: Style, dark: bool) -> Style:
    """The style with dark grounds, or with light ones."""
    light = min(style.wall_light, 0.26) if dark else max(style.wall_light, 0.64)
    return replace(style, dark=dark, wall_light=light)


def _tinted(style: Style, hue: float) -> Style:
    return replace(
        style, hue=hue, accent=hue, wall_hue=hue, saturation=max(style.saturation, 0.3), vivid=max(style.vivid, 0.65),
        wall_saturation=max(style.wall_saturation, 0.4),
    )  # fmt: skip


def random_style(rng: np.random.Generator) -> Style:
    """A style drawn from the whole space; half of them are presets, slightly moved."""
    if rng.random() < 0.5:
        base = list(PRESETS.values())[rng.integers(len(PRESETS))]
        if rng.random() < 0.5:
            return base
        turn = float(rng.normal(0, 0.04))
        return replace(
            base, hue=base.hue + turn, accent=base.accent + turn, wall_hue=base.wall_hue + turn,
            radius=float(np.clip(base.radius + rng.normal(0, 1.5), 0, 12)),
            shadow=float(np.clip(base.shadow + rng.normal(0, 0.15), 0, 1)),
        )  # fmt: skip
    dark = bool(rng.random() < 0.5)
    hue = float(rng.random())
    return Style(
        dark=dark, hue=hue, saturation=float(rng.random() ** 1.5 * 0.7),
        accent=hue if rng.random() < 0.5 else float(rng.random()), vivid=float(rng.uniform(0.15, 0.95)),
        wall_hue=hue if rng.random() < 0.5 else float(rng.random()), wall_saturation=float(rng.random() * 0.7),
        wall_light=float(rng.uniform(0.05, 0.34) if dark else rng.uniform(0.55, 0.86)),
        wallpaper=WALLPAPERS[rng.integers(len(WALLPAPERS))], radius=float(rng.uniform(0, 12)),
        shadow=float(rng.random()), gloss=float(rng.random()),
    )  # fmt: skip

"""Styles in words: a lexicon of colours, materials, moods and shapes, and the way to name every number of a style."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from functools import lru_cache

import numpy as np

from engine.materials import TEXTURES
from engine.styles import BORDERS, HUES, PRESETS, Style, turned
from engine.theme import ROUNDS
from engine.wallpaper import KINDS, SEEDS

_HUES = {
    "red": 0.0, "orange": 0.07, "amber": 0.11, "gold": 0.13, "yellow": 0.15, "lime": 0.25, "green": 0.35, "mint": 0.42,
    "teal": 0.49, "cyan": 0.52, "turquoise": 0.49, "blue": 0.6, "navy": 0.64, "indigo": 0.7, "violet": 0.75,
    "purple": 0.77, "magenta": 0.84, "pink": 0.92, "rose": 0.95, "brown": 0.07,
}  # fmt: skip
_GREYS = ("grey", "gray", "silver", "black", "white")
_LIKE = {
    "day": "light", "bright": "light", "white": "light", "plain": "light", "clean": "light",
    "night": "dark", "black": "dark", "midnight": "dark",
    "sea": "ocean", "water": "ocean", "beach": "ocean", "calm": "ocean", "woods": "forest", "nature": "forest",
    "jungle": "forest", "sweet": "candy", "cute": "candy", "playful": "candy", "bubblegum": "candy",
    "hacker": "terminal", "matrix": "terminal", "console": "terminal", "crt": "terminal",
    "parchment": "paper", "book": "paper", "sepia": "paper", "vintage": "paper",
    "cosy": "sunset", "cozy": "sunset", "warm": "sunset", "evening": "sunset", "autumn": "sunset",
    "wooden": "wood", "cabin": "wood", "oak": "wood", "walnut": "wood", "desk": "wood",
    "frosted": "glass", "transparent": "glass", "translucent": "glass", "airy": "glass", "ice": "glass",
    "cyberpunk": "neon", "arcade": "neon", "electric": "neon", "synthwave": "neon", "glowing": "neon",
    "technical": "blueprint", "drafting": "blueprint", "engineering": "blueprint",
    "pixels": "pixel", "pixelated": "pixel", "retro": "pixel", "nineties": "pixel",
    "marker": "sketch", "drawn": "sketch", "hand": "sketch", "pencil": "sketch", "comic": "sketch", "crayon": "sketch",
    "cloud": "sky", "clouds": "sky", "cloudy": "sky", "heaven": "sky",
    "space": "stars", "galaxy": "stars", "cosmic": "stars", "starry": "stars", "universe": "stars",
    "skyline": "city", "urban": "city", "metropolis": "city", "town": "city",
    "satin": "silk", "abstract": "silk", "elegant": "silk", "dreamy": "silk",
}  # fmt: skip
_SHAPES: dict[str, dict[str, object]] = {
    "rounded": {"radius": 12.0}, "round": {"radius": 12.0}, "soft": {"radius": 9.0, "shadow": 0.8},
    "square": {"radius": 0.0}, "sharp": {"radius": 0.0}, "flat": {"gloss": 0.0, "shadow": 0.0},
    "glossy": {"gloss": 1.0}, "shiny": {"gloss": 1.0}, "shadow": {"shadow": 1.0}, "shadows": {"shadow": 1.0},
    "hills": {"wallpaper": "hills"}, "waves": {"wallpaper": "waves"}, "stripes": {"wallpaper": "stripes"},
    "striped": {"wallpaper": "stripes"}, "dots": {"wallpaper": "dots"}, "dotted": {"wallpaper": "dots"},
    "gradient": {"wallpaper": "gradient"}, "grainy": {"grain": 0.9}, "lined": {"scan": 0.8}, "scanlines": {"scan": 0.8},
    "squared": {"grid": 0.8}, "grid": {"grid": 0.8}, "hatched": {"hatch": 0.9}, "bevelled": {"bevel": 1.0},
    "raised": {"bevel": 1.0}, "glow": {"glow": 1.0}, "framed": {"border": 3.0}, "outlined": {"edge": 1.0},
    "centred": {"centred": 1.0}, "centered": {"centred": 1.0},
}  # fmt: skip
_SMALL = frozenset(
    "a an and as at by from the it its in of with make more very please look looks like style theme to for on me my my some use "
    "set give into turn colour color colours colors interface desktop".split()
)


_WORD = re.compile(r"[^\W\d_]+")
_NUMBER = re.compile(r"\b([a-z_]+)\s*=\s*(-?\d*\.?\d+|[a-z]+)")
MATERIALS = (*TEXTURES, "glass", "glow", "bevel")
_LIMITS: dict[str, tuple[float, float]] = {
    "radius": (0.0, ROUNDS), "border": (1.0, BORDERS), "seed": (0, SEEDS - 1), "wall_turn": (-0.5, 0.5),
    "wall_depth": (-0.5, 0.5),
}  # fmt: skip


@lru_cache(maxsize=256)
def from_words(text: str) -> tuple[Style, tuple[str, ...]]:
    """A style from words, and the words that meant nothing. Later words win over earlier ones.

    A preset's name (or a mood that points to one) is the base, made of the materials that were named before too;
    "light"/"dark" anywhere flips it, a colour's name anywhere tints it, a shape's name sets one parameter, and so does
    "name=number" for any of the numbers of `Style`. Unknown words change nothing. No known word at all gives the light
    preset.
    """
    style, unknown, based, dark, tint = PRESETS["light"], [], False, None, None
    numbers = dict(_NUMBER.findall(text.casefold()))
    words = _WORD.findall(_NUMBER.sub(" ", text.casefold()))
    for word in words:
        preset = word if word in PRESETS else _LIKE.get(word)
        if preset in ("light", "dark"):
            dark = preset == "dark"
            style = turned(style, dark) if based else PRESETS[preset]
            based = True
        elif preset:
            style, based = _made_of(PRESETS[preset], style), True
            style = style if tint is None else _tinted(style, tint)
        elif word in _HUES:
            tint = _HUES[word]
            style, based = _tinted(style, tint), True
        elif word in _GREYS:
            style = replace(style, saturation=0.0, vivid=0.15, wall_saturation=0.0)
        elif word not in _SHAPES and word not in _SMALL:
            unknown.append(word)
    if dark is not None and style.dark != dark:  # "a dark sea": what was said of the light holds for what came after
        style = turned(style, dark)
    for word in words:
        if word in _SHAPES:
            style = replace(style, **_SHAPES[word])  # type: ignore[arg-type]
    for name, value in numbers.items():
        known = _set(style, name, value)
        style, unknown = known or style, unknown if known else [*unknown, f"{name}={value}"]
    return style, tuple(unknown)


def in_words(style: Style) -> str:
    """All the parameters by name, so that `from_words` gives the very same style."""
    return " ".join(f"{field.name}={_plain(getattr(style, field.name))}" for field in fields(style) if field.name != "ends")


def _plain(value: float | str) -> str:
    return value if isinstance(value, str) else np.format_float_positional(value, trim="-")


def _set(style: Style, name: str, value: str) -> Style | None:
    """The style with one of its parameters set, kept inside its limits; None where that means nothing."""
    default = getattr(PRESETS["light"], name, None) if name in {field.name for field in fields(Style)} else None
    if isinstance(default, str):
        return replace(style, **{name: value}) if value in KINDS else None  # type: ignore[arg-type]
    if default is None or value.isalpha():
        return None
    low, high = _LIMITS.get(name, (0.0, 1.0))
    number = float(value) % 1 if name in HUES else min(max(float(value), low), high)
    return replace(style, **{name: int(number) if name == "seed" else number})  # type: ignore[arg-type]


def _made_of(style: Style, other: Style) -> Style:
    """The style with what the other is made of beside its own."""
    return replace(style, **{name: max(getattr(style, name), getattr(other, name)) for name in MATERIALS})


def known_words(text: str) -> bool:
    """Whether any word of `text` says something about style."""
    if any(_set(PRESETS["light"], *pair) for pair in _NUMBER.findall(text.casefold())):
        return True
    words = _WORD.findall(text.casefold())
    return any(w in PRESETS or w in _LIKE or w in _HUES or w in _GREYS or w in _SHAPES for w in words)


def added(words: str, more: str) -> str:
    """What is said when `more` is said after `words`: shapes and numbers alone go on top of a look that the lexicon gave;
    whatever names a look of its own begins anew."""
    pairs = _NUMBER.findall(more.casefold())
    said = _WORD.findall(_NUMBER.sub(" ", more.casefold()))
    alone = (pairs or any(w in _SHAPES for w in said)) and all(w in _SHAPES or w in _SMALL for w in said)
    if not alone or from_words(words)[1]:
        return more
    named = {name for name, _ in pairs}
    kept = _NUMBER.sub(lambda pair: "" if pair[1] in named else pair[0], words)
    kept = " ".join(word for word in kept.split() if word.casefold().strip(",.") not in said or word.casefold() in _SMALL)
    return " ".join([kept, *more.split()]).strip()


def _tinted(style: Style, hue: float) -> Style:
    return replace(
        style, hue=hue, accent=hue, wall_hue=hue, saturation=max(style.saturation, 0.3), vivid=max(style.vivid, 0.65),
        wall_saturation=max(style.wall_saturation, 0.4),
    )  # fmt: skip

"""A look in plain words, for a painter that is told it in words and knows neither the user's pictures nor the numbers of a style."""

from __future__ import annotations

import re

from engine.style_ways import found
from engine.style_words import COLOURS, Pictures, from_words
from engine.styles import Style

COLOURED, STRONG = 0.15, 0.45  # from which saturation a colour is seen, and from which strength a material
_NUMBER = re.compile(r"[\s,;]*\b[a-z_]+\s*=\s*-?[\w.]+", re.IGNORECASE)
_MADE_OF = {
    "grain": "paper texture", "streak": "wood grain", "scan": "scan lines", "grid": "squared paper", "hatch": "marker strokes", "glass": "frosted glass",
    "glow": "glowing edges", "bevel": "bevelled edges",
}  # fmt: skip
_PLAIN_WALLS = ("flat", "gradient")


def plainly(words: str, pictures: Pictures = ()) -> str:
    """The words of a look, but for what only this program understands: what is said of a picture is described in its place, and where
    numbers are said, all of the look is described instead of them."""
    told = words
    for said, style in pictures:
        told = told.replace(said, described(style))
    if not _NUMBER.search(told):
        return told
    left = "" if found(told) else _NUMBER.sub("", told).strip(" ,;")  # of a way between numbers nothing is left that says anything
    return ", ".join(part for part in (left, described(from_words(words, pictures)[0])) if part)


def described(style: Style) -> str:
    """How light it is, its colours, wallpaper, materials and corners: "dark blue, orange accents, hills, wood grain"."""
    ground = [_colour(style.hue)] if style.saturation >= COLOURED else []
    parts = [" ".join(["dark" if style.dark >= 0.5 else "light", *ground])]
    if style.vivid >= COLOURED:
        parts.append(f"{_colour(style.accent)} accents")
    walls = [name for name, share in style.patterns().items() if share >= STRONG and name not in _PLAIN_WALLS]
    shades = {hue: _colour(hue) for hue in (style.wall_hue, style.wall_hue + style.wall_turn)} if style.wall_saturation >= COLOURED else {}
    if walls or shades:
        parts.append(f"{' and '.join(dict.fromkeys(shades.values()))} {' and '.join(walls) or 'gradient'} wallpaper".strip())
    parts += [called for name, called in _MADE_OF.items() if getattr(style, name) >= STRONG]
    parts += ["rounded corners"] * (style.radius >= 9) + ["square corners"] * (style.radius < 1)
    return ", ".join(parts)


def _colour(hue: float) -> str:
    """The name of the nearest colour of the lexicon; hue in turns."""
    return min(COLOURS, key=lambda name: abs((COLOURS[name] - hue + 0.5) % 1 - 0.5))

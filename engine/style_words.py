"""Styles in words: a lexicon of colours, materials, moods and shapes, and the way to name every number of a style."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields, replace
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np

from engine import style_negations, style_ways
from engine.materials import TEXTURES
from engine.style_negations import DARK, LESS, NOT
from engine.styles import BORDERS, HUES, PRESETS, Style, altered, mix, turned
from engine.theme import ROUNDS
from engine.wallpaper import KINDS, SEEDS

COLOURS = {
    "red": 0.0, "orange": 0.07, "amber": 0.11, "gold": 0.13, "yellow": 0.15, "lime": 0.25, "green": 0.35, "mint": 0.42,
    "teal": 0.49, "cyan": 0.52, "turquoise": 0.49, "blue": 0.6, "navy": 0.64, "indigo": 0.7, "violet": 0.75,
    "purple": 0.77, "magenta": 0.84, "pink": 0.92, "rose": 0.95, "brown": 0.07,
}  # fmt: skip
_GREYS = {"grey": 0.0, "gray": 0.0, "silver": 0.0, "muted": 0.5}  # how much of its colour is left
_SHADES = {"darker": 1, "dimmer": 1, "lighter": -1, "brighter": -1}
_LEVELS = (0.0, 0.2, 0.8, 1.0)  # of `dark` that "darker" steps through: on middle grey neither ink is read well
_STEP = 0.08  # in the lightness of the wallpaper
_MOST = 16  # pictures and ways in a sentence; what is more of them means nothing
_BACK = {"darker": "lighter", "lighter": "darker"}
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
    "wide": {"border": 3.0}, "thick": {"border": 3.0}, "thin": {"border": 1.0}, "narrow": {"border": 1.0},
    "centred": {"centred": 1.0}, "centered": {"centred": 1.0},
}  # fmt: skip
_SMALL = frozenset(
    "a an and as at by from the it its in of with make more very please look looks like style theme to for on me my my some use "
    "set give into turn colour color colours colors interface desktop corner corners border borders window windows".split()
)
_TOKEN = re.compile(
    rf"\b(?P<name>[a-z_]+)\s*=\s*(?P<value>-?\d*\.?\d+|[a-z]+)|#(?P<look>\d+)~*|(?P<away>[{NOT}{LESS}])?(?P<word>[^\W\d_]+)",
    re.IGNORECASE,
)
_GROUP = re.compile(r"\(([^()]*)\)")
MATERIALS = (*TEXTURES, "glass", "glow", "bevel")
_LIMITS: dict[str, tuple[float, float]] = {
    "radius": (0.0, ROUNDS), "border": (1.0, BORDERS), "seed": (0, SEEDS - 1), "wall_turn": (-0.5, 0.5),
    "wall_depth": (-0.5, 0.5),
}  # fmt: skip


Pictures = tuple[tuple[str, Style], ...]  # what is said of pictures, "like Harbour", and the looks after them


@lru_cache(maxsize=256)
def from_words(text: str, pictures: Pictures = ()) -> tuple[Style, tuple[str, ...]]:
    """A style from words, and the words that meant nothing. Later words win over earlier ones.

    A preset's name (or a mood that points to one, what is said of a picture, a way between two looks) is the base, made
    of the materials that were named before too; "light"/"dark" anywhere flips it. What does not name a look goes on top,
    of both ends of a way: a colour's name tints, a shape's name sets one parameter, and so does "name=number" for any of
    the numbers of `Style`; "darker" and "lighter" are steps. "no", "not", "without", "less" take away what follows, see
    `style_negations`. Unknown words change nothing. No known word at all gives the light preset.
    """
    heard = _heard(text, pictures)
    return _styled(heard.text, heard.looks), heard.unknown


def in_words(style: Style) -> str:
    """The way that a mixture is, or else all the parameters by name, so that `from_words` gives the very same look."""
    if style.ends is None:
        return " ".join(f"{field.name}={_plain(getattr(style, field.name))}" for field in fields(style) if field.name != "ends")
    one, other = (f"({in_words(end)})" if end.ends else in_words(end) for end in style.ends)
    return style_ways.written(one, other, style.blend)


def known_words(text: str) -> bool:
    """Whether any word of `text` says something about style."""
    return _means(_heard(text).text)


def added(words: str, more: str, pictures: Pictures = ()) -> str:
    """What is said when `more` is said after `words`: whatever names a look of its own begins anew; all else goes on top of
    the look of now, in place of what was said of the same before. Words that mean nothing are kept for those who paint
    what they read, until others take their place."""
    said, end = _said(more), _end_of_look(_heard(words, pictures))
    if _end_of_look(_heard(more, pictures)) or said and words == "light":
        return more
    look, parts = words[:end], words[end:].split(",")
    if look and not _said(parts[0]) <= said:
        look += parts.pop(0)
    steps = {one for one in said if one in _BACK or one.startswith("less ")}
    kept = [part for part in parts if not _said(part) <= (said - steps) | {f"less {one}" for one in said}]
    shade = next(iter(said)) if len(said) == 1 else ""
    if kept and shade in _BACK and _said(kept[-1]) == {_BACK[shade]}:
        kept, more = kept[:-1], ""
    elif said == steps and (not said or from_words(f"{words}, {more}", pictures)[0] == from_words(words, pictures)[0]):
        return words  # as dark, or as little round, as it can be
    return ", ".join(part for part in map(str.strip, (look, *kept, more)) if part) or "light"


class _Heard(NamedTuple):
    """What was made of a text. text: as long as it was, letter for letter, but for what means nothing, which is blank,
    for what is denied, which has NOT or LESS before it, and for pictures and ways, which are numbers of `looks`: "#7~~~~~~"."""

    text: str
    looks: list[Style]
    unknown: tuple[str, ...]


def _heard(text: str, pictures: Pictures = ()) -> _Heard:
    looks: list[Style] = []
    unknown: list[str] = []

    def known(token: re.Match[str]) -> str:
        if _name(token) or _change(token) or (token["word"] or "").casefold() in _SMALL | style_ways.WORDS:
            return token[0]
        unknown.append("".join(token[0].casefold().split()))
        return " " * len(token[0])

    text = spoken = text.replace("#", " ")
    for phrase, style in pictures[:_MOST]:
        if phrase in text:
            text = text.replace(phrase, _numbered(style, looks, len(phrase)))
    text, denied = style_negations.marked(text.replace(NOT, " ").replace(LESS, " "), spoken, _means)
    unknown.extend(denied)
    text = _TOKEN.sub(known, text)
    for _ in range(_MOST):  # from the inside out
        text = _GROUP.sub(lambda group: f" {_mixed(group[1], looks)} ", text)
    text = _mixed(text, looks)
    left = [token[0].casefold() for token in _TOKEN.finditer(text) if (token["word"] or "").casefold() in style_ways.WORDS]
    return _Heard(text, looks, (*unknown, *left))


def _mixed(text: str, looks: list[Style]) -> str:
    """The text with numbers of looks in place of ways between two."""
    while len(looks) < _MOST and (way := style_ways.found(text)):
        one, other = text[slice(*way.one)], text[slice(*way.other)]
        families = [token.end() for token in _TOKEN.finditer(other) if _name(token) not in ("", "light", "dark")]
        other = other[: max(families, default=len(other.rstrip()))]  # what follows is said of both
        if not _means(one) or not _means(other):
            break
        a, b = _styled(one, looks), _styled(other, looks)
        style = mix(a, b if way.whole else altered(b, partial(turned, dark=a.dark >= 0.5)), way.share)
        end = way.other[0] + len(other)
        text = text[: way.start] + _numbered(style, looks, end - way.start) + text[end:]
    return text


def _numbered(style: Style, looks: list[Style], length: int) -> str:
    looks.append(style)
    return f"#{len(looks) - 1}".ljust(length, "~")


def _styled(text: str, looks: list[Style]) -> Style:
    """The style that a heard text means."""
    style, based, dark = PRESETS["light"], False, None
    tokens = list(_TOKEN.finditer(text))
    for token in tokens:
        name = _name(token)
        if name in ("light", "dark"):
            dark = name == "dark"
            style = altered(style, partial(turned, dark=dark)) if based else PRESETS[name]
        elif name:
            style = altered(looks[int(token["look"])] if token["look"] else PRESETS[name], partial(_made_of, other=style))
        based |= bool(name) or (token["word"] or "").casefold() in COLOURS
    if dark is not None and style.dark != dark:  # "a dark sea": what was said of the light holds for what came after
        style = altered(style, partial(turned, dark=dark))
    for token in tokens:
        if change := _change(token):
            style = altered(style, change)
    return style


def _means(text: str) -> bool:
    """Whether a heard text says anything of a look."""
    return any(_name(token) or _change(token) for token in _TOKEN.finditer(text))


def _name(token: re.Match[str]) -> str:
    """Of the look that a token names: a preset's, or any for a numbered one; "" for a token that names none."""
    word = "" if token["away"] else (token["word"] or "").casefold()
    return token["look"] or (word if word in PRESETS else _LIKE.get(word, ""))


def _change(token: re.Match[str]) -> Callable[[Style], Style] | None:
    """What a token says of any look; None where it says nothing of it."""
    if token["name"]:
        set_ = partial(_set, name=token["name"].casefold(), value=token["value"].casefold())
        return set_ if set_(PRESETS["light"]) else None  # type: ignore[return-value]
    if _name(token):
        return None
    word = (token["word"] or "").casefold()
    if token["away"]:
        less = token["away"] == LESS
        return partial(_shaded, by=-1 if DARK[word] else 1) if less and word in DARK else style_negations.change(word, less)
    for table, change in ((COLOURS, _tinted), (_GREYS, _greyed), (_SHADES, _shaded), (_SHAPES, _shaped)):
        if word in table:
            return partial(change, by=table[word])  # type: ignore[operator, arg-type]
    return None


def _said(text: str) -> set[str]:
    """What a text without a look of its own speaks of: parameters, "less " of one, "tint", "darker" or "lighter", what of
    `style_negations.spoken_of`, "?" for who knows what."""
    heard, said = _heard(text), set()
    for token in _TOKEN.finditer(heard.text):
        word = (token["word"] or "").casefold()
        if token["name"]:
            said.add(token["name"].casefold())
        elif token["away"]:
            said |= style_negations.spoken_of(word, token["away"] == LESS)
            continue
        elif word in _SHADES:
            said.add("darker" if _SHADES[word] > 0 else "lighter")
        said |= _SHAPES.get(word, {}).keys() | ({"tint"} if word in COLOURS or word in _GREYS else set())
    return said | ({"?"} if heard.unknown else set())


def _end_of_look(heard: _Heard) -> int:
    """Where the last word stands that names a look, so that all behind it goes on top; 0 where none does."""
    return max((token.end() for token in _TOKEN.finditer(heard.text) if _name(token)), default=0)


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


def _tinted(style: Style, by: float) -> Style:
    return replace(
        style, hue=by, accent=by, wall_hue=by, saturation=max(style.saturation, 0.3), vivid=max(style.vivid, 0.65),
        wall_saturation=max(style.wall_saturation, 0.4),
    )  # fmt: skip


def _greyed(style: Style, by: float) -> Style:
    vivid = min(style.vivid, 0.15 + by * style.vivid)
    return replace(style, saturation=by * style.saturation, vivid=vivid, wall_saturation=by * style.wall_saturation)


def _shaded(style: Style, by: int) -> Style:
    dark = next((level for level in _LEVELS[::by] if by * (level - style.dark) > 1e-6), style.dark)
    if (dark > 0.5) != (style.dark > 0.5):
        return replace(turned(style, dark > 0.5), dark=dark)
    return replace(style, dark=dark, wall_light=min(max(style.wall_light - _STEP * by, 0.04), 0.9))


def _shaped(style: Style, by: dict[str, object]) -> Style:
    return replace(style, **by)  # type: ignore[arg-type]

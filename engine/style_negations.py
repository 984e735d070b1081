"""Wishes that something be taken away: "no stripes", "not rounded", "less glow". What is said so gets what is opposite or plain in its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from engine.materials import TEXTURES
from engine.styles import BORDERS, PRESETS, Style, turned
from engine.theme import ROUNDS
from engine.wallpaper import KINDS

NOT, LESS = "!<"  # what stands right before a word that is to be taken away, or to become a step less
_NO = re.compile(
    r"(?<![\w=])(?:(?P<less>(?:(?:a\s+(?:little|bit|lot)|much|even|far)\s+)?(?:less|fewer))|no|non|none|without|sans|neither|nor|avoid|remove|"
    r"instead\s+of|rather\s+than|(?:i\s+)?(?:(?:(?:do|does|is|should)\s+)?not|never|\w+n['’]t|dont|doesnt|isnt))(?!\w)",
    re.IGNORECASE,
)
_NEXT = re.compile(r"[\s-]+[\"“‘']?(?P<word>#\d+~*|\w+)[\"”’']?")  # nothing is denied beyond a comma
_ENDS = frozenset("and but just only please then between way".split())  # where what is denied is over
_BARELY = frozenset("so too very quite".split())  # "not too dark" is less dark
_FILLERS = frozenset("any be been being do have has much longer or that want".split()) | _BARELY
_ARTICLES = frozenset("a an the some".split())


def _by_word(rows: dict[str, Any]) -> dict[str, Any]:
    return {word: value for words, value in rows.items() for word in words.split()}


_PLAIN: dict[str, dict[str, float]] = _by_word({
    "rounded round": {"radius": 0.0}, "soft": {"radius": 0.0, "shadow": 0.0}, "square sharp": {"radius": ROUNDS},
    "shadow shadows": {"shadow": 0.0}, "glossy shiny gloss": {"gloss": 0.0}, "flat": {"gloss": 1.0, "shadow": 1.0},
    "grain grainy": {"grain": 0.0}, "wood wooden": {"streak": 0.0}, "lined scanlines crt": {"scan": 0.0}, "grid squared": {"grid": 0.0},
    "hatched hatching": {"hatch": 0.0}, "texture textures": dict.fromkeys(TEXTURES, 0.0), "bevelled raised": {"bevel": 0.0},
    "glow glowing": {"glow": 0.0}, "glass frosted transparent translucent": {"glass": 0.0},
    "framed frame frames wide thick": {"border": 1.0}, "border borders": {"border": 1.0, "edge": 0.0}, "thin narrow": {"border": BORDERS},
    "outlined outlines": {"edge": 0.0}, "centred centered": {"centred": 0.0}, "colour colours color colors colourful colorful": {"saturation": 0.0, "wall_saturation": 0.0, "vivid": 0.15},
})  # fmt: skip
_WALLS: dict[str, str] = _by_word({
    "hills": "hills", "waves": "waves", "stripes striped": "stripes", "dots dotted": "dots", "gradient": "gradient", "stars starry": "stars",
    "sky cloud clouds cloudy": "sky", "city skyline": "city", "abstract": "abstract", "wallpaper pattern patterns": "",
})  # fmt: skip
DARK: dict[str, bool] = _by_word({"dark night black midnight": True, "light bright white day": False})
_AWAY = _PLAIN.keys() | _WALLS.keys() | DARK.keys()  # what can be taken away
_STEPS = {"radius": 4.0, "border": 1.0}  # of what there is less of; 0.4 of the others
_THINGS = frozenset(
    "shadow shadows gloss grain wood scanlines grid hatching texture textures glow glass frames outlines hills waves stripes dots gradient "
    "stars clouds wallpaper pattern patterns colours colors".split()
)  # "no stripes and shadows" denies both, "no stripes and rounded" one


class _Denied(NamedTuple):
    """A word of the lexicon, or one of _FILLERS, where it stands, and whether a step less of it is wished for rather than none."""

    word: str
    start: int
    end: int
    less: bool


def marked(text: str, spoken: str, means: Callable[[str], bool]) -> tuple[str, tuple[str, ...]]:
    """The text, letter for letter as long, with NOT or LESS right before what is denied and can be taken away, and blanks in place of
    what says so and of what cannot; and what cannot, as it was spoken: "without ocean". What denies nothing stays as it is.

    means: whether a word says anything of a look where nothing denies it; spoken: the text before pictures became numbers.
    """
    letters, senseless = list(text), []
    for no in _NO.finditer(text):
        found = list(_denied(text, no, means))
        if not any(one.word not in _FILLERS for one in found):
            continue
        letters[no.start() : no.end()] = " " * len(no[0])
        for one in found:
            if one.word in _AWAY:
                letters[one.start - 1] = LESS if one.less else NOT
            else:
                letters[one.start : one.end] = " " * (one.end - one.start)
                if one.word not in _FILLERS:
                    senseless.append(" ".join(f"{no[0]} {spoken[one.start : one.end]}".casefold().split()))
    return "".join(letters), tuple(senseless)


def denies(text: str, words: str) -> bool:
    """Whether it says no to what the regular expression `words` matches."""
    return any(re.match(rf"[^,.;]*?\b(?:{words})\b", text[no.end() :]) for no in _NO.finditer(text))


def change(word: str, less: bool) -> Callable[[Style], Style]:
    """What becomes of a look when a word that stands behind NOT, or LESS, is taken away."""
    if word in _PLAIN:
        return partial(_lessened if less else _without, plain=_PLAIN[word])
    return partial(_bare, kind=_WALLS[word]) if word in _WALLS else partial(_turned_over, dark=not DARK[word])


def spoken_of(word: str, less: bool) -> set[str]:
    """What a word that is taken away speaks of: parameters, or "less " and a parameter, or what else takes its own place only."""
    if word in _PLAIN:
        return {f"less {name}" if less else name for name in _PLAIN[word]}
    if word in DARK and less:
        return {"lighter" if DARK[word] else "darker"}
    return {f"not {_WALLS[word]}"} if word in _WALLS else {"turn"}


def _denied(text: str, no: re.Match[str], means: Callable[[str], bool]) -> Iterator[_Denied]:
    """What stands behind a word that denies: the first word of the lexicon, what "or" goes on with, and what only fills the sentence."""
    at, less, denying, things = no.end(), bool(no["less"]), True, False
    while word := _NEXT.match(text, at):
        said = word["word"].casefold()
        if _NO.match(text, word.start("word")) or (things and said in _ARTICLES) or (said == "with" and at != no.end()):
            return
        if said == "or" or (said == "and" and not denying):
            things, denying = said == "and", True
        elif said in _ENDS:
            return
        known = said in _AWAY or means(said)
        if known and (not denying or (things and said not in _THINGS)):
            return
        less |= said in _BARELY
        if known or said in _FILLERS:
            yield _Denied(said, *word.span("word"), less)
        denying &= not known
        at = word.end()


def _without(style: Style, plain: dict[str, float]) -> Style:
    return replace(style, **plain)  # type: ignore[arg-type]


def _lessened(style: Style, plain: dict[str, float]) -> Style:
    """A step of the way to what is plain."""
    nearer = {}
    for name, end in plain.items():
        now, step = getattr(style, name), _STEPS.get(name, 0.4)
        nearer[name] = max(now - step, end) if end < now else min(now + step, end)
    return replace(style, **nearer)


def _bare(style: Style, kind: str) -> Style:
    """With a flat wallpaper in place of one of a kind; "" for any."""
    gone = (kind,) if kind else KINDS
    return replace(style, **{name: "flat" for name in ("wallpaper", "second") if getattr(style, name) in gone})  # type: ignore[arg-type]


def _turned_over(style: Style, dark: bool) -> Style:
    if (style.dark >= 0.5) == dark:
        return style
    return PRESETS["dark"] if style == PRESETS["light"] else turned(style, dark)

"""What the words of a look mean here: the lexicon's, the way between two looks, or a picture of the documents folder."""

from __future__ import annotations

import re
from functools import lru_cache

from engine.desktop.bitmap import decode
from engine.desktop.documents import Content, Documents
from engine.errors import InputError
from engine.style_pictures import from_picture
from engine.style_words import from_words, known_words
from engine.styles import Style, mix, turned

_LIKE = re.compile(r"(?:.*\s)?like\s+(?:the\s+(?:picture\s+)?)?[\"“]?(?P<name>[^\"”]+)[\"”]?", re.IGNORECASE)
_BETWEEN = re.compile(r"(?:.*\s)?between\s+(?P<one>.+?)\s+and\s+(?P<other>.+)", re.IGNORECASE)


def look(words: str, documents: Documents) -> tuple[Style, tuple[str, ...]]:
    """The style, and the words that meant nothing.

    "like NAME" takes after the picture NAME of the folder, "between ONE and OTHER" is half way from one look to the
    other, as light or dark as the first: half way between those is grey; all else is for `from_words`.
    """
    name = _picture_named(words, documents)
    if name:
        try:
            return _after(name, documents.read(name)), ()
        except InputError:  # a file that only has a picture's name: the words go on to the lexicon
            pass
    if between := _BETWEEN.fullmatch(words):
        (one, unknown), (other, more) = from_words(between["one"]), from_words(between["other"])
        return mix(one, turned(other, bool(one.dark)), 0.5), unknown + more
    return from_words(words)


def _picture_named(words: str, documents: Documents) -> str:
    """The picture that "like NAME" means, with or without its ending; "" where there is none."""
    like = _LIKE.fullmatch(words.strip())
    if not like:
        return ""
    return documents.picture_named(like["name"])


def says_a_look(words: str, documents: Documents) -> bool:
    """Whether any of it is about a look at all."""
    return bool(_picture_named(words, documents)) or known_words(words)


@lru_cache(maxsize=8)
def _after(name: str, content: Content) -> Style:
    if isinstance(content, str):
        raise InputError(f"{name} is a text, not a picture")
    return from_picture(decode(name, content)[0])

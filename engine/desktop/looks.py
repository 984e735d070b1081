"""What the words of a look mean here: the lexicon's, with the pictures of the documents folder."""

from __future__ import annotations

import re
from functools import lru_cache

from engine.desktop.bitmap import decode
from engine.desktop.documents import Content, Documents
from engine.errors import InputError
from engine.style_pictures import from_picture
from engine.style_telling import plainly
from engine.style_words import Pictures, added, from_words, known_words
from engine.styles import Style

_LIKE = re.compile(r"\blike\s+(?:the\s+(?:picture\s+)?)?", re.IGNORECASE)


def look(words: str, documents: Documents) -> tuple[Style, tuple[str, ...]]:
    """The style, and the words that meant nothing. "like NAME" takes after the picture NAME of the folder."""
    return from_words(words, _pictures(words, documents))


def says_a_look(words: str, documents: Documents) -> bool:
    """Whether any of it is about a look at all."""
    return bool(_pictures(words, documents)) or known_words(words)


def said_after(words: str, more: str, documents: Documents) -> str:
    """The words of the look when `more` is said of the one that `words` mean: see `engine.style_words.added`."""
    return added(words, more, _pictures(f"{words}, {more}", documents))


def told_of(words: str, documents: Documents) -> str:
    """The words for a painter that is told a look in words: see `engine.style_telling.plainly`."""
    return plainly(words, _pictures(words, documents))


def _pictures(words: str, documents: Documents) -> Pictures:
    """What is said of pictures, and their looks, the longest first: a name may begin another's. A file that only has a picture's name is
    none."""
    found = []
    for like in _LIKE.finditer(words):
        name, said = documents.picture_at(words[like.end() :])
        try:
            if name:
                found.append((like[0] + said, _after(name, documents.read(name))))
        except InputError:
            pass
    return tuple(sorted(found, key=lambda one: -len(one[0])))


@lru_cache(maxsize=8)
def _after(name: str, content: Content) -> Style:
    if isinstance(content, str):
        raise InputError(f"{name} is a text, not a picture")
    return from_picture(decode(name, content)[0])

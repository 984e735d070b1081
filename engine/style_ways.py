"""Ways from one look to another: how they are said, and how they are written."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

_PARTS = {"a quarter": 1 / 4, "a third": 1 / 3, "half": 1 / 2, "two thirds": 2 / 3, "three quarters": 3 / 4}
_LITTLE = 1 / 5
_PERCENT = r"\d+(?:\.\d+)?\s*%"
_PART = rf"(?P<share>{'|'.join(_PARTS)}|{_PERCENT})(?: of)?(?: the)?(?: way)?"
_ALL = r"(?P<other>[^\s,;][^,;]*)"  # up to the next comma
_FORMS = [
    re.compile(r"(?<!\w)" + form.replace(" ", r"[\s,]+"), re.IGNORECASE)
    for form in (
        rf"{_PART} from (?P<one>\S.*?) to {_ALL}",
        rf"(?:{_PART} )?between (?P<one>\S.*?) and {_ALL}",
        rf"(?P<most>{_PERCENT})(?: of)? (?P<one>\S.*?)[\s,]+(?:and )?(?P<share>{_PERCENT})(?: of)? {_ALL}",
        rf"mostly (?P<one>\S.*?)[\s,]+(?:and |with )?a (?P<share>little) {_ALL}",
    )
]
WORDS = frozenset("between way mostly little half quarter quarters third thirds two three".split())  # of these forms, and of nothing else


class Way(NamedTuple):
    """Where in a text it stands, from `start` to the end of `other`; `whole`: from one look to the other as it is, light to
    dark if need be, where the other forms stay as light or dark as the first."""

    start: int
    one: tuple[int, int]
    other: tuple[int, int]
    share: float  # of the other look
    whole: bool


def found(text: str) -> Way | None:
    """The first way of the first form that a text holds."""
    for form in _FORMS:
        if said := form.search(text):
            groups = said.groupdict()
            share = _share(groups["share"])
            if most := groups.get("most"):
                share /= max(share + _share(most), 1e-9)
            return Way(said.start(), said.span("one"), said.span("other"), min(share, 1.0), form is _FORMS[0])
    return None


def written(one: str, other: str, share: float) -> str:
    """The sentence that `found` reads back; looks that are ways themselves stand in brackets."""
    return f"{np.format_float_positional(100 * share, trim='-')}% of the way from {one} to {other}"


def _share(said: str | None) -> float:
    if said is None:
        return 1 / 2
    said = " ".join(said.casefold().replace(",", " ").split())
    return _LITTLE if said == "little" else _PARTS[said] if said in _PARTS else float(said.rstrip(" %")) / 100

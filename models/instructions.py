"""What a prompted painter is told, from a table of templates: ours, with what the user's own copy says in its place."""

from __future__ import annotations

import re
import string
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from engine.errors import InputError
from engine.events import Down
from engine.painter import PaintRequest, Pixels
from models.families import FAMILIES, Family
from models.plain_files import LARGEST_JSON, read_bytes

NAME = "instructions.toml"
SHIPPED = Path(__file__).parent / NAME
FIELDS = frozenset(("told", "look", "Look", "known", "instruction"))
LONGEST = 2000  # characters of a template
RING = 9  # radius of the mark of a click, pixels
MARK_FOLLOWS = "A ring marks the place; leave the ring out."


@dataclass(frozen=True)
class Templates:
    """One family's row. note: what is wrong with the user's copy, in words for them; "" where nothing is."""

    guided: str
    dream: str
    still: str
    edit: str
    mark_click: bool
    note: str = ""

    def words(self, request: PaintRequest, apart: bool = True) -> str:
        """What the painter is told of a request: one paragraph. apart: whether what is known of the user is told beside it; where it
        is not, it stands at the end, but for an edit and for templates that name a place for it."""
        told = request.words
        look = told.look or "clean"
        if request.edit is not None:
            chosen = self.edit
        elif request.guide is not None:
            chosen = self.guided
        else:
            chosen = self.dream if told.told else self.still
        if not apart and request.edit is None and "{known}" not in chosen:
            chosen += " {known}"
        sentences = " ".join(told.told)
        if told.told and self.marks(request):
            sentences += f" {MARK_FOLLOWS}"
        instruction = request.edit.instruction if request.edit else ""
        return _said(chosen, look, told=sentences, known=told.known, instruction=instruction)

    def of_look(self, look: str) -> str:
        """What a painter is told of a look where the guide shows the rest and nothing happened."""
        return _said(self.guided, look)

    def marks(self, request: PaintRequest) -> bool:
        """Whether the picture that is shown gets a mark of a click."""
        return self.mark_click and request.guide is None and request.edit is None and any(isinstance(event, Down) for event in request.events)

    def marked(self, pixels: Pixels, request: PaintRequest) -> Pixels:
        """The picture, uint8 (H, W, 3), with a ring where the last click was, light and dark so that it is seen on all."""
        clicks = [event for event in request.events if isinstance(event, Down)]
        if not self.marks(request):
            return pixels
        image, (x, y) = Image.fromarray(pixels), (clicks[-1].x, clicks[-1].y)
        for radius, colour in ((RING, (255, 255, 255)), (RING - 2, (230, 30, 60)), (RING - 4, (255, 255, 255))):
            ImageDraw.Draw(image).ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour, width=2)
        return np.array(image)


def _said(template: str, look: str, told: str = "", known: str = "", instruction: str = "") -> str:
    words = {"told": told, "look": look, "Look": look.capitalize(), "known": known, "instruction": instruction}
    return " ".join(template.format_map(words).split())


def templates_of(family: Family, profile: str | None = None) -> Templates:
    """The family's row. A copy in the profile that is broken is left out whole, and the row's note says why."""
    rows, note = _read(SHIPPED), ""
    own = Path(profile) / NAME if profile else None
    if own is not None and own.is_file():
        try:
            theirs = _read(own)
        except InputError as error:
            note = f"{error}; what comes with Pixel OS is used"
        else:
            rows = {name: {**rows.get(name, {}), **theirs.get(name, {})} for name in {*rows, *theirs}}
    found = {**rows[_group(family)], **rows.get(family.name, {})}
    return replace(Templates(**found), note=note)


def _group(family: Family) -> str:
    """The row of those that are addressed alike."""
    kind = "edits" if family.edits else "describes"
    if not family.references:
        return kind
    return f"reference-{kind}{'-two' if family.edits and family.references > 1 else ''}"


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """The file's rows. Raises InputError naming the line of what is wrong."""
    try:
        text = read_bytes(path, LARGEST_JSON).decode()
        rows = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    groups = {_group(family) for family in FAMILIES}
    for name, row in rows.items():
        if name not in groups | {family.name for family in FAMILIES} or not isinstance(row, dict):
            raise InputError(f"{path}, line {_line(text, name)}: {name!r} is no group and no family")
        for key, value in row.items():
            if (wrong := _wrong(key, value)) is not None:
                raise InputError(f"{path}, line {_line(text, key, name)}: {wrong}")
    return rows


def _wrong(key: str, value: Any) -> str | None:
    """What is wrong with an entry of a row, in words."""
    if key == "mark_click":
        return None if isinstance(value, bool) else "mark_click must be true or false"
    if key not in Templates.__dataclass_fields__ or key == "note":
        return f"{key!r} is not known; use guided, dream, still, edit or mark_click"
    if not isinstance(value, str) or not value.strip() or len(value) > LONGEST:
        return f"{key} must be a text of at most {LONGEST} characters"
    try:
        parts = list(string.Formatter().parse(value))
    except ValueError as error:
        return f"{key}: {error}; write {{{{ and }}}} for plain braces"
    strange = next((field for _, field, form, conversion in parts if field is not None and (field not in FIELDS or form or conversion)), None)
    return None if strange is None else f"{key} names {{{strange}}}; there are {', '.join(sorted(FIELDS))}"


def _line(text: str, name: str, row: str = "") -> int:
    """The number of the line that begins an entry, from 1; that of its row where it is not found."""
    heading = re.search(rf"(?m)^\s*\[\s*[\"']?{re.escape(row or name)}", text)
    start = heading.start() if heading else 0
    entry = re.search(rf"(?m)^\s*[\"']?{re.escape(name)}[\"']?\s*=", text[start:]) if row or not heading else None
    at = start + (entry.end() if entry else 0)
    return text.count("\n", 0, at + (0 if entry else len(text[at:]) - len(text[at:].lstrip()))) + 1

"""Text read back from what was painted, by an OCR engine that is not ours.

Guided: pages of Notes. In dream mode: letters typed one after another into an open Notes, every frame the painter's own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.easel import Easel
from benchmarks.reading import errors, read
from engine.desktop.desktop import Desktop
from engine.desktop.documents import Documents
from engine.drawing import Glyphs
from engine.events import Ask, Key, Text
from engine.geometry import Rect
from engine.guide import Guide
from engine.painter import Painter, PainterSpec
from engine.scene import find
from engine.text_check import check
from engine.typeface import MARGIN
from models.synthetic import prose

PAGE = 900  # characters of a page of Notes, about
PACE = 0.15  # seconds between two typed letters
Say = Callable[[str], None]
Count = dict[str, int]


def page_scores(
    painter: Painter, spec: PainterSpec, styles: Sequence[str], pages: int, rng: np.random.Generator, say: Say
) -> dict[str, Any]:
    """Character error rates of pages: of the guide, of the painting, and of the repaired painting, in the same rects."""
    totals: dict[str, Count] = {}
    for style in styles:
        count: Count = defaultdict(int)
        for _ in range(pages):
            page = _page(spec.size, style, rng)
            painter.restore(None)
            easel = Easel(painter, page)
            easel.paint()
            repaired = easel.frame.copy()
            check(repaired, (Rect(0, 0, *spec.size),), easel.guide, page.style.paints(spec.size))
            _read_all(count, easel, {"unrepaired": easel.frame, "repaired": repaired})
        totals[style] = dict(count)
        say(f"text, {style}: " + ", ".join(f"{name} {n}" for name, n in count.items()))
    return _rates(totals)


def typed_scores(
    painter: Painter, spec: PainterSpec, styles: Sequence[str], characters: int, rng: np.random.Generator, say: Say
) -> dict[str, Any]:
    """Character error rates after so many letters typed in a row into Notes in a dream; nothing is repaired."""
    totals: dict[str, Count] = {}
    for style in styles:
        desktop = Desktop(spec.size, state={"context": {"preferences": {"style": style}}})
        desktop.handle(Ask(0.1, "notes"))
        painter.restore(None)
        easel = Easel(painter, desktop)
        easel.paint()
        for char in prose.english(rng, characters).ljust(characters, "."):
            easel.feed(Text(round(desktop.t + PACE, 3), char))
        count: Count = defaultdict(int)
        _read_all(count, easel, {"unrepaired": easel.frame, "repaired": easel.frame})
        totals[style] = dict(count)
        say(f"text typed, {style}: " + ", ".join(f"{name} {n}" for name, n in count.items()))
    return _rates(totals)


def _read_all(count: Count, easel: Easel, frames: dict[str, np.ndarray]) -> None:
    """Add the characters in view, and the errors made in reading them from each frame and from the guide."""
    place = find(easel.desktop.widgets, "Notes/text").rect.inset(2, 2, 12, 2)
    text = visible_text(easel.guide, place)
    count["characters"] += len(text)
    known: dict[bytes, int] = {}  # what was not repaired need not be read again
    for name, frame in (("guide", easel.guide.pixels), *frames.items()):
        part = np.ascontiguousarray(frame[place.slices])
        if part.tobytes() not in known:
            known[part.tobytes()] = errors(read(part), text)
        count[name] += known[part.tobytes()]


def _rates(totals: dict[str, Count]) -> dict[str, Any]:
    whole = {name: sum(count[name] for count in totals.values()) for name in next(iter(totals.values()))}
    return {**_rate(whole), "by_style": {style: _rate(count) for style, count in totals.items()}}


def _rate(count: Count) -> dict[str, Any]:
    characters = count["characters"]
    names = {"cer": "repaired", "cer_guide": "guide", "cer_unrepaired": "unrepaired"}
    return {**{key: round(count[name] / max(characters, 1), 5) for key, name in names.items()}, "characters": characters}


def visible_text(guide: Guide, place: Rect) -> str:
    """The lines of text that stand wholly inside `place`, top to bottom, left to right."""
    runs = [g for g in guide.items if isinstance(g, Glyphs) and place.covers(g.rect.inset(MARGIN, 0, MARGIN, 0))]
    lines: dict[int, list[Glyphs]] = defaultdict(list)
    for run in runs:
        lines[run.y].append(run)
    return "\n".join(" ".join(g.text for g in sorted(lines[y], key=lambda g: g.x)) for y in sorted(lines))


def _page(size: tuple[int, int], style: str, rng: np.random.Generator) -> Desktop:
    """A desktop with nothing but a maximised page of English prose in Notes."""
    documents = Documents({"Page.md": prose.english(rng, PAGE)})
    desktop = Desktop(size, documents, state={"context": {"preferences": {"style": style}}})
    for event in (Ask(0.1, "Page"), Key(0.3, "enter", ("alt",)), Key(0.4, "home", ("ctrl",))):
        desktop.handle(event)
    return desktop

"""How far text stands out from its paper in painted screens of the real apps, style by style (WCAG 2.2, 1.4.3).

Of every run of text in view: the median luminance of its inkiest pixels, which nearly always are all ink, against the median luminance of the
paper beside it. Medians, because paper has textures and a painter errs at single pixels: what is asked is whether the run can be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.easel import Easel
from benchmarks.pictures_compared import grown
from benchmarks.scenes import Hand, Step, ask, key, text
from benchmarks.transitions import setting
from engine.desktop.apps.registry import APPS
from engine.desktop.desktop import Desktop
from engine.geometry import Rect
from engine.guide import Guide
from engine.legibility import luminance, ratio
from engine.painter import Painter, PainterSpec
from engine.plain import glyph_coverage

ENOUGH, INKY = 4, 230  # how many inkiest pixels there must be, and how much of 255 each must be covered: else (a dot, a bracket, what hardly shows) nothing is said
BESIDE = 2  # pixels from ink to the paper it stands out from
ASKED = 4.5  # of text, by WCAG
SCREENS: tuple[tuple[Step, ...], ...] = (
    *((ask(app),) for app in APPS),
    (ask("{text}"), key("ctrl+a")),
    (ask("{text}"), key("ctrl+f"), text("the")),
    (ask("Files"), key("down")),
    (ask("Settings"), key("right")),
    (ask("Calculator"), text("12*7=")),
    (ask("{text}"), key("shift+f10")),
    (ask("{other}"), ask("{app}"), key("ctrl+space"), text("s")),
)
Say = Callable[[str], None]


def contrast_scores(painter: Painter, spec: PainterSpec, styles: Sequence[str], say: Say) -> dict[str, Any]:
    """The lowest ratio over all runs of text, in all and by style; how many runs were looked at, and how many are below what is asked."""
    by_style: dict[str, dict[str, Any]] = {}
    for style in styles:
        found: list[float] = []
        for desktop in app_screens(spec.size, style, np.random.default_rng(spec.seed + 1_000_033)):
            painter.restore(None)
            easel = Easel(painter, desktop)
            easel.paint()
            found += [of_run for _, of_run in contrasts(easel.frame, easel.guide)]
        by_style[style] = {"least": round(min(found), 2), "runs": len(found), "below": sum(one < ASKED for one in found)}
        say(f"contrast, {style}: {min(found):.2f} at least, of {len(found)} runs of text")
    return {"least": min(found["least"] for found in by_style.values()), "by_style": by_style}


def app_screens(size: tuple[int, int], style: str, rng: np.random.Generator) -> Iterator[Desktop]:
    """Every app, with something in it; what is selected, found and chosen; a menu; the launcher over one window behind another."""
    for steps in SCREENS:
        hand = Hand(setting(rng, size, style).desktop(), rng)
        for step in steps:
            step(hand)
        yield hand.desktop


def contrasts(frame: np.ndarray, guide: Guide) -> Iterator[tuple[str, float]]:
    """What each run of text in view says, and its ratio in a frame, uint8 (H, W, 3), that shows what the guide shows."""
    for item, part, hidden in guide.text_under(Rect(0, 0, *frame.shape[1::-1])):
        at = part.slices
        coverage, ink, plain, shown = glyph_coverage(item, part), guide.ink[at], guide.pixels[at], luminance(frame[at] / 255)
        seen = np.where((ink == coverage) & ~hidden, coverage, 0)
        inkiest = int(np.sort(seen, None)[-ENOUGH:][0])
        inked = seen >= max(inkiest, INKY)
        paper = grown(inked, BESIDE) & (ink == 0) & ~hidden
        if inkiest < INKY or paper.sum() < ENOUGH:
            continue
        grounds, counts = np.unique(plain[paper], axis=0, return_counts=True)  # of several, as where a part is selected, the one that is met most
        paper &= (plain == grounds[counts.argmax()]).all(-1)
        inked &= grown(paper, BESIDE)
        yield item.text, float(ratio(np.median(shown[inked]), np.median(shown[paper])))

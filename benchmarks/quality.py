"""Scores a checkpoint's painting: text read back, transitions, untouched pixels, drift, style, persistency.

Everything runs in a closed loop: the painter starts from its own frames, never from the source's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from time import monotonic
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.reading import errors, read
from engine.desktop.desktop import Desktop
from engine.desktop.documents import Documents
from engine.drawing import Glyphs
from engine.events import Ask, Event, Key
from engine.geometry import Rect
from engine.guide import Guide
from engine.painter import Painter, PainterSpec, PaintRequest
from engine.scene import find
from engine.styles import PRESETS, from_words
from engine.text_check import check
from engine.typeface import MARGIN
from models.catalog import open_painter
from models.synthetic import prose
from models.synthetic.renderer import StyledRenderer
from models.synthetic.sessions import User, play, random_desktop

Say = Callable[[str], None]


@dataclass(frozen=True)
class Extent:
    """How much is measured: pages a style, deeds of the random user, styles."""

    pages: int
    deeds: int
    styles: tuple[str, ...]


QUICK = Extent(1, 60, ("light", "dark", "ocean"))
FULL = Extent(6, 400, tuple(PRESETS))


class Easel:
    """A painter with the desktop it paints and the frame it has painted: the closed loop, without repair."""

    def __init__(self, painter: Painter, desktop: Desktop) -> None:
        self.painter = painter
        self.desktop = desktop
        width, height = desktop.size
        self.guide = Guide(desktop.size)
        self.frame = np.full((height, width, 3), 128, np.uint8)
        self._style = ""
        self._bounds = Rect(0, 0, width, height)

    def paint(self) -> tuple[Rect, ...]:
        """Bring the frame up to date; returns the damage that was painted."""
        damage = self.guide.update(self.desktop.items)
        if self._style != self.desktop.style_words:
            self._style, damage = self.desktop.style_words, (self._bounds,)
        reach = self.painter.info.reach
        grown = tuple(r.grow(reach).snap().meet(self._bounds) for r in damage)
        request = PaintRequest(0, (), grown, self.guide.pixels, self.guide.verbatim, self.desktop.features())
        for patch in self.painter.paint(request).patches:
            self.frame[patch.rect.slices] = patch.pixels
        return grown

    def source(self, style: str | None = None) -> np.ndarray:
        """What the synthetic source draws for the state of now, uint8 (H, W, 3)."""
        look = from_words(style)[0] if style else self.desktop.style
        return StyledRenderer(look, self.desktop.size).render(self.desktop.items)


def evaluate(spec: PainterSpec, quick: bool = False, say: Say = print) -> dict[str, Any]:
    """All scores as INTERFACE.md names them. Raises InputError where the OCR engine is missing."""
    begun = monotonic()
    extent = QUICK if quick else FULL
    painter = open_painter(spec)
    info = painter.info
    rng = np.random.default_rng(spec.seed + 1_000_003)
    scores: dict[str, Any] = {
        "mode": spec.mode,
        "checkpoint": {"name": info.name, "family": info.family, "sha256": info.sha256},
        "size": list(spec.size), "steps": info.steps, "device": info.device, "dtype": info.dtype, "seed": spec.seed,
        "quick": quick,
        "text": text_scores(painter, spec, extent, rng, say),
        **session_scores(painter, spec, extent, rng, say),
        "style": style_scores(painter, spec, extent, rng, say),
        "persistency": persistency_scores(painter, spec, rng, say),
    }  # fmt: skip
    painter.close()
    return {**scores, "seconds": round(monotonic() - begun, 1)}


def text_scores(painter: Painter, spec: PainterSpec, extent: Extent, rng: np.random.Generator, say: Say) -> dict[str, Any]:
    """Character error rates of Notes pages: of the guide, of the painting, and of the repaired painting."""
    totals: dict[str, dict[str, int]] = {}
    for style in extent.styles:
        count: dict[str, int] = defaultdict(int)
        for _ in range(extent.pages):
            page = _page(spec.size, style, rng)
            painter.restore(None)
            easel = Easel(painter, page)
            easel.paint()
            place = find(page.widgets, "Notes/text").rect.inset(2, 2, 12, 2)
            text = visible_text(easel.guide, place)
            repaired = easel.frame.copy()
            check(repaired, (Rect(0, 0, *spec.size),), easel.guide, page.style.palette())
            count["characters"] += len(text)
            for name, frame in (("guide", easel.guide.pixels), ("unrepaired", easel.frame), ("repaired", repaired)):
                count[name] += errors(read(np.ascontiguousarray(frame[place.slices])), text)
        totals[style] = dict(count)
        say(f"text, {style}: " + ", ".join(f"{k} {v}" for k, v in count.items()))
    all_characters = sum(t["characters"] for t in totals.values())

    def rate(name: str, only: dict[str, int] | None = None) -> float:
        counted = [only] if only else list(totals.values())
        return round(sum(t[name] for t in counted) / max(sum(t["characters"] for t in counted), 1), 5)

    return {
        "cer": rate("repaired"), "cer_guide": rate("guide"), "cer_unrepaired": rate("unrepaired"),
        "characters": all_characters,
        "by_style": {
            style: {"cer": rate("repaired", t), "cer_guide": rate("guide", t), "cer_unrepaired": rate("unrepaired", t),
                    "characters": t["characters"]}
            for style, t in totals.items()
        },
    }  # fmt: skip


def session_scores(
    painter: Painter, spec: PainterSpec, extent: Extent, rng: np.random.Generator, say: Say
) -> dict[str, Any]:
    """A random user's session: transitions right, pixels changed outside the damage, drift against fresh painting."""
    painter.restore(None)
    desktop = random_desktop(rng, spec.size)
    desktop.prefer("style", "light")
    easel, user = Easel(painter, desktop), User(rng, desktop)
    easel.paint()
    right: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    touched, drift_steps, drift_db, fidelity = 0, [], [], []
    for step in range(1, extent.deeds + 1):
        before_source, before = easel.source(), easel.frame.copy()
        events = user.act()
        play(desktop, events)
        damage = easel.paint()
        outside = np.ones(before.shape[:2], bool)
        for rect in damage:
            outside[rect.slices] = False
        touched += int((before != easel.frame).any(2)[outside].sum())
        if damage:
            kind = _kind(events, desktop)
            right[kind][0] += _nearer(easel.frame, easel.source(), before_source, damage)
            right[kind][1] += 1
        if step in (10, 30, 100, 300) or step == extent.deeds:
            fresh = Easel(painter, desktop)
            kept = painter.latents()
            painter.restore(None)
            fresh.paint()
            painter.restore(kept)
            drift_steps.append(step)
            drift_db.append(round(psnr(easel.frame, fresh.frame), 2))
            fidelity.append(round(psnr(easel.frame, easel.source()), 2))
            say(f"after {step} deeds: {drift_db[-1]} dB from a fresh painting, {fidelity[-1]} dB from the source")
    done, hits = sum(n for _, n in right.values()), sum(n for n, _ in right.values())
    return {
        "transitions": {"accuracy": round(hits / max(done, 1), 4), "kinds": len(right), "events": done,
                        "wrong": sorted(kind for kind, (good, n) in right.items() if good < n)},
        "untouched": {"pixels": touched},
        "drift": {"steps": drift_steps, "psnr_db": drift_db, "psnr_to_source_db": fidelity},
    }  # fmt: skip


def style_scores(
    painter: Painter, spec: PainterSpec, extent: Extent, rng: np.random.Generator, say: Say
) -> dict[str, Any]:
    """Per style: mean absolute distance (grey levels) to the source in that style and in the nearest other one."""
    scores: dict[str, Any] = {}
    desktop = random_desktop(rng, spec.size)
    for style in extent.styles:
        desktop.prefer("style", style)
        painter.restore(None)
        easel = Easel(painter, desktop)
        easel.paint()
        away = {name: float(np.abs(easel.frame.astype(int) - easel.source(name)).mean()) for name in PRESETS}
        own = away.pop(style)
        scores[style] = {"own": round(own, 3), "other": round(min(away.values()), 3),
                         "psnr_db": round(psnr(easel.frame, easel.source()), 2)}  # fmt: skip
        say(f"style, {style}: {own:.2f} levels from its own, {min(away.values()):.2f} from the nearest other")
    return scores


def persistency_scores(painter: Painter, spec: PainterSpec, rng: np.random.Generator, say: Say) -> dict[str, Any]:
    """Share of frames in which a picture put in by the user is still there while other things go on."""
    desktop = Desktop(spec.size, Documents({"Cat.png": _picture_bytes(rng)}))
    play(desktop, [Ask(0.1, "Cat.png")])
    painter.restore(None)
    easel = Easel(painter, desktop)
    easel.paint()
    kept = steps = 0
    for i in range(30):
        play(desktop, [Key(desktop.t + 0.5, "space", ("ctrl",)), Key(desktop.t + 0.9, "escape")])
        desktop.prefer("style", list(PRESETS)[i % len(PRESETS)])
        easel.paint()
        content = easel.guide.verbatim > 0
        steps += 1
        kept += int(content.any() and (easel.frame[content] == easel.guide.pixels[content]).all())
    say(f"persistency: {kept} of {steps} frames")
    return {"share": round(kept / steps, 4), "frames": steps}


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal-to-noise ratio of uint8 pictures in dB; 99 where they are equal."""
    error = float(np.mean((a.astype(np.float32) - b.astype(np.float32)) ** 2))
    return 99.0 if error == 0 else float(10 * np.log10(255**2 / error))


def visible_text(guide: Guide, place: Rect) -> str:
    """The lines of text that stand wholly inside `place`, top to bottom, left to right."""
    runs = [g for g in guide.items if isinstance(g, Glyphs) and place.covers(g.rect.inset(MARGIN, 0, MARGIN, 0))]
    lines: dict[int, list[Glyphs]] = defaultdict(list)
    for run in runs:
        lines[run.y].append(run)
    return "\n".join(" ".join(g.text for g in sorted(lines[y], key=lambda g: g.x)) for y in sorted(lines))


def _page(size: tuple[int, int], style: str, rng: np.random.Generator) -> Desktop:
    """A desktop with nothing but a maximised page of English prose in Notes."""
    corpus = prose.english(rng, 900)
    desktop = Desktop(size, Documents({"Page.md": corpus}), state={"context": {"preferences": {"style": style}}})
    play(desktop, [Ask(0.1, "Page"), Key(0.3, "enter", ("alt",)), Key(0.4, "home", ("ctrl",))])
    return desktop


def _kind(events: list[Event], desktop: Desktop) -> str:
    front = desktop.stack.front
    names = "+".join(dict.fromkeys(getattr(e, "key", "") or e.type for e in events))
    return f"{names} in {front.name if front else 'desktop'}"


def _nearer(frame: np.ndarray, after: np.ndarray, before: np.ndarray, damage: tuple[Rect, ...]) -> bool:
    """Whether the painted damage is nearer to the source's picture after the event than to the one before."""
    to_after = to_before = 0.0
    for rect in damage:
        painted = frame[rect.slices].astype(np.float32)
        to_after += float(np.abs(painted - after[rect.slices]).sum())
        to_before += float(np.abs(painted - before[rect.slices]).sum())
    return to_after <= to_before


def _picture_bytes(rng: np.random.Generator) -> bytes:
    small = rng.integers(0, 256, (6, 8, 3)).astype(np.uint8)
    data = BytesIO()
    Image.fromarray(small.repeat(20, 0).repeat(20, 1)).save(data, "PNG")
    return data.getvalue()

"""How near the painting is to the source's own frames, style by style: PSNR, SSIM, and distance to other styles."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.easel import Easel
from benchmarks.pictures_compared import ssim
from benchmarks.transitions import setting
from engine.desktop.apps.registry import APPS
from engine.events import Ask
from engine.geometry import Rect
from engine.painter import Painter, PainterSpec
from engine.styles import PRESETS, Style
from models.likeness import psnr
from models.synthetic.sessions import User, play, random_desktop

DEEDS = 3  # of a random user, each painted, before a frame is compared
Say = Callable[[str], None]


def is_flat(style: Style) -> bool:
    """Whether its wallpaper is one colour: then everything can be foreseen."""
    return style.wallpaper == "flat"


def style_scores(
    painter: Painter, spec: PainterSpec, styles: Sequence[str], frames: int, rng: np.random.Generator, say: Say
) -> dict[str, dict[str, Any]]:
    """"style": per style, mean absolute distance (grey levels) to the source's frame in it and in the nearest other
    style, PSNR, SSIM. "pictures": PSNR and SSIM of flat and of textured styles."""
    scores: dict[str, dict[str, Any]] = {}
    for style in styles:
        likeness = []
        for easel in _frames(painter, spec, style, frames, rng):
            source = easel.source()
            likeness.append((psnr(easel.frame, source), ssim(easel.frame, source)))
        away = {name: float(np.abs(easel.frame.astype(int) - easel.source(name)).mean()) for name in PRESETS}
        own = away.pop(style)
        db, structure = np.mean(likeness, 0)
        scores[style] = {"own": round(own, 3), "other": round(min(away.values()), 3), "psnr_db": round(float(db), 2),
                         "ssim": round(float(structure), 4), "flat": is_flat(PRESETS[style]), "frames": frames}  # fmt: skip
        say(f"style, {style}: {db:.1f} dB, SSIM {structure:.3f}; {own:.2f} levels from its own, "
            f"{min(away.values()):.2f} from the nearest other")  # fmt: skip
    return {"style": scores, "pictures": _by_texture(scores)}


def _frames(
    painter: Painter, spec: PainterSpec, style: str, frames: int, rng: np.random.Generator
) -> Iterator[Easel]:
    """Painted screens in a style. Guided: random desktops after a few deeds; dreamt: two apps opened on a bare one."""
    for _ in range(frames):
        painter.restore(None)
        if painter.info.mode == "dream":
            easel = Easel(painter, setting(rng, spec.size, style).desktop())
            easel.paint()
            for app in rng.choice(list(APPS), 2, replace=False):
                easel.feed(Ask(round(easel.desktop.t + 0.3, 3), str(app).casefold()))
        else:
            desktop = random_desktop(rng, spec.size)
            desktop.prefer("style", style)
            easel, user = Easel(painter, desktop), User(rng, desktop, styles=False)
            easel.paint()
            for _ in range(DEEDS):
                lived(easel, user)
            if desktop.style_words != style:  # whoever comes by Settings may click another
                desktop.prefer("style", style)
                easel.paint()
        yield easel


def lived(easel: Easel, user: User) -> tuple[Rect, ...]:
    """One deed of a random user, its events all at once; then it is painted. Returns the damage."""
    events = user.act()
    play(easel.desktop, events)
    return easel.paint(events)


def _by_texture(scores: dict[str, dict[str, Any]]) -> dict[str, Any]:
    groups: dict[str, Any] = {}
    for name, flat in (("flat", True), ("textured", False)):
        members = {style: s for style, s in scores.items() if s["flat"] is flat}
        if members:
            groups[name] = {
                "psnr_db": round(float(np.mean([s["psnr_db"] for s in members.values()])), 2),
                "ssim": round(float(np.mean([s["ssim"] for s in members.values()])), 4),
                "styles": sorted(members),
            }
    return groups

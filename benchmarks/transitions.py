"""Transitions: whether the painted screen shows the state that the desktop reached, kind by kind, closed loop.

The painter paints a scene's first frame with the guide, then the lead and the act itself; the source's frames are only
what its painting is compared with. It is right where the painting is nearer to the picture after the event than to any
rival: to the one before it and, in dream mode, to eight other states that could have been reached from there. And it
must have answered: where nothing changed inside the source's damage, a right state is one that was never left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.distractors import distractors
from benchmarks.easel import Easel, source_of
from benchmarks.pictures_compared import damaged, distance
from benchmarks.scenes import Kind, Scene, Setting, written
from benchmarks.transition_kinds import KINDS
from engine.desktop.desktop import Desktop
from engine.painter import Painter
from engine.styles import PRESETS
from models.synthetic import prose

SIZES_OF_TEXT = (11, 13, 13, 13, 16)
_NAMES = ("Alpha.md", "Bread.md", "Garden.txt", "Holiday.md", "Letter.txt", "Minutes.md", "Shopping.md", "Thanks.txt")


@dataclass(frozen=True)
class Judged:
    """One scene's outcome. own: mean distance in grey levels to the picture after the event; rival: to the nearest
    other one. before, after, painted: uint8 (H, W, 3); where: bool (H, W), the source's own damage."""

    kind: str
    style: str
    right: bool
    own: float
    rival: float
    rivals: int
    before: np.ndarray
    after: np.ndarray
    painted: np.ndarray
    where: np.ndarray

    @property
    def badness(self) -> float:
        """From 0, as the source, over 0.5, where the rival is as near, to 1."""
        return self.own / max(self.own + self.rival, 1e-9)


def setting(rng: np.random.Generator, size: tuple[int, int], style: str) -> Setting:
    """A desktop with a few documents and a picture in this style, at a random time of day."""
    names = rng.choice(_NAMES, 3, replace=False)
    documents: dict[str, str | bytes] = {str(name): _document(rng) for name in names}
    documents["Picture.png"] = picture_bytes(rng)
    preferences = {"style": style, "text_size": int(rng.choice(SIZES_OF_TEXT))}
    t = float(rng.integers(0, 86_400 // 60) * 60 + rng.integers(5, 40))
    state: dict[str, Any] = {"t": t, "seed": int(rng.integers(2**31)), "context": {"preferences": preferences}}
    return Setting(size, documents, state)


def scenes(
    size: tuple[int, int], seed: int, variants: int, kinds: Sequence[Kind] = KINDS
) -> Iterator[tuple[Scene, np.random.Generator]]:
    """Every kind in so many variants (documents, positions, styles), each with a random source of its own."""
    presets = list(PRESETS)
    for kind in kinds:
        index = KINDS.index(kind)
        for variant in range(variants):
            rng = np.random.default_rng([seed, 1_000_003, index, variant])
            style = presets[(5 * index + variant + seed) % len(presets)]
            scene = written(kind, setting(rng, size, style), rng)
            if scene:
                yield scene, rng


def judge(painter: Painter, scene: Scene, rng: np.random.Generator) -> Judged | None:
    """Let the painter play a scene; None where its event changes no pixel."""
    desktop = scene.setting.desktop()
    for event in scene.stage:
        desktop.handle(event)
    painter.restore(None)
    easel = Easel(painter, desktop)
    easel.paint()
    for event in scene.lead:
        easel.feed(event)
    if scene.act.type != "wait":
        easel.wait(scene.act.t)
    before, shown = easel.source(), easel.frame.copy()
    easel.feed(scene.act)
    after = easel.source()
    where = damaged(before, after)
    if not where.any():
        return None
    rivals = [before]
    if painter.info.mode == "dream":
        rivals += distractors(scene, before, after, where, _drawing(painter.info.family), rng)
    own = distance(easel.frame, after, where)
    rival = min(distance(easel.frame, picture, where) for picture in rivals)
    answered = bool((shown[where] != easel.frame[where]).any())
    style = str(scene.setting.state["context"]["preferences"]["style"])
    return Judged(scene.kind, style, own < rival and answered, own, rival, len(rivals), before, after, easel.frame, where)


def judged(
    painter: Painter, size: tuple[int, int], seed: int, variants: int, kinds: Sequence[Kind], say: Callable[[str], None]
) -> Iterator[Judged]:
    """All scenes of these kinds, one after another."""
    count = right = 0
    for scene, rng in scenes(size, seed, variants, kinds):
        outcome = judge(painter, scene, rng)
        if outcome is None:
            continue
        count, right = count + 1, right + outcome.right
        if count % 40 == 0:
            say(f"transitions: {right} of {count} right, now at {scene.kind!r}")
        yield outcome


def score(outcomes: Sequence[tuple[str, bool, int]]) -> dict[str, Any]:
    """Shares from (kind, right, rivals) of every scene."""
    by_kind: dict[str, list[int]] = {}
    for kind, right, _ in outcomes:
        counted = by_kind.setdefault(kind, [0, 0])
        counted[0] += right
        counted[1] += 1
    events = max(len(outcomes), 1)
    return {
        "accuracy": round(sum(right for _, right, _ in outcomes) / events, 4),
        "kinds": len(by_kind), "events": len(outcomes),
        "rivals": round(sum(rivals for _, _, rivals in outcomes) / events, 2),
        "wrong": sorted(kind for kind, (right, count) in by_kind.items() if right < count),
        "by_kind": {kind: {"right": right, "events": count} for kind, (right, count) in by_kind.items()},
    }  # fmt: skip


def _drawing(family: str) -> Callable[[Desktop], np.ndarray]:
    return lambda desktop: source_of(family, desktop.items, desktop.style, desktop.size)


def _document(rng: np.random.Generator) -> str:
    """Paragraphs enough to scroll, of everyday English."""
    return "\n".join(prose.english(rng, int(rng.integers(30, 260))) for _ in range(int(rng.integers(9, 16))))


def picture_bytes(rng: np.random.Generator) -> bytes:
    """A PNG of 160 x 120: blocks of random colours."""
    small = rng.integers(0, 256, (6, 8, 3)).astype(np.uint8)
    data = BytesIO()
    Image.fromarray(small.repeat(20, 0).repeat(20, 1)).save(data, "PNG")
    return data.getvalue()

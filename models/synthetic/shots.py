"""Shots: one state of a random desktop in a random style, with everything a painter is trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from engine.context import APP_SLOTS, EVENT_SIZE, EVENTS_SIZE, RECENT, RECENT_SIZE, look_of
from engine.context import slow_features as context_features
from engine.drawing import Item
from engine.forms import CAST
from engine.guide import Guide
from engine.materials import Paints
from engine.style_words import in_words
from engine.styles import Style, paints_of
from engine.theme import NEUTRAL
from models.synthetic.random_styles import random_style
from models.synthetic.renderer import StyledRenderer
from models.synthetic.screens import Screen
from models.synthetic.sessions import User, play, random_desktop

SIZES = ((512, 384), (512, 384), (512, 384), (320, 256), (640, 448))
SHAPED = 12  # grey levels off its role's paint from which a pixel counts as shaped


@dataclass(frozen=True)
class Shot:
    """frame, before, guide: uint8 (H, W, 3), before may be grey where no frame is known; verbatim, ink: uint8 (H, W);
    shaped: bool (H, W), corners, edges, gradients, shadows: whatever is not simply the style's paint of the guide's role;
    forms: uint8 (H, W, 4), as the guide has them; slow: float32
    (SLOW_SIZE,), recent: float32 (RECENT_SIZE,). memory: uint8 (2, H, W, 3) and known: bool
    (2, H, W), what models.memory would recall. explained: `recent` holds the events that led from `before`
    to `frame`, so that it can be learned without the guide."""

    size: tuple[int, int]
    frame: np.ndarray
    before: np.ndarray
    guide: np.ndarray
    verbatim: np.ndarray
    ink: np.ndarray
    shaped: np.ndarray
    forms: np.ndarray
    slow: np.ndarray
    recent: np.ndarray
    pointer: tuple[int, int]
    memory: np.ndarray
    known: np.ndarray
    buttons: tuple[str, ...] = ()
    explained: bool = False
    guided: bool = True  # False: there is no guide, only zeros in its place, and the shot is learned without one

    @cached_property
    def paints(self) -> Paints | None:
        """What its look is painted with; None for a screen that was not drawn here."""
        return paints_of(look_of(self.slow), self.size)

    @cached_property
    def shadowed(self) -> np.ndarray:
        """Where a shadow or glow may fall: bool (H, W)."""
        return (self.forms[..., 3] & CAST) > 0

    @cached_property
    def changed(self) -> np.ndarray:
        """Where frame and before differ: bool (H, W)."""
        return (self.frame != self.before).any(-1)


@dataclass(frozen=True)
class Crop:
    """A square part of a shot; x, y its place in the frame."""

    shot: Shot
    x: int
    y: int
    side: int

    def take(self, plane: np.ndarray) -> np.ndarray:
        """The crop of (H, W, ...)."""
        return plane[self.y : self.y + self.side, self.x : self.x + self.side]


Make = Callable[[np.random.Generator], list[Shot]]  # a source: gives a few shots a time


def ground_memory(ground: np.ndarray | None, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """`memory` and `known` of a shot of which nothing is remembered but, where it is given, the ground."""
    empty = np.zeros((size[1], size[0], 3), np.uint8)
    known = np.zeros((2, size[1], size[0]), bool)
    known[1] = ground is not None
    return np.stack([empty, empty if ground is None else ground]), known


def random_shot(rng: np.random.Generator) -> Shot:
    """A shot of a random screen in a random style. The frame before is the screen a moment ago, the same in another
    style, or unknown; nothing is remembered."""
    size = SIZES[int(rng.integers(len(SIZES)))]
    style = random_style(rng)
    screen = Screen.random(rng, size, style.chrome)
    earlier = screen.items()
    screen.change(rng)
    items = screen.items()
    renderer = StyledRenderer(style, size)
    kind = rng.random()
    if kind < 0.55:
        before = renderer.render(earlier)
    elif kind < 0.75:
        before = StyledRenderer(random_style(rng), size).render(items)
    else:
        before = np.full((size[1], size[0], 3), 128, np.uint8)
    memory, known = ground_memory(None, size)
    use = (rng.random((2, APP_SLOTS)) < 0.2).astype(np.float32)
    return shot_of(
        items, style, renderer.render(items), before, context_features(style, screen.text_size, use, int(rng.integers(24))),
        random_events(rng), (int(rng.integers(size[0])), int(rng.integers(size[1]))),
        memory, known,
    )  # fmt: skip


def desktop_shots(rng: np.random.Generator, count: int) -> list[Shot]:
    """Shots of one desktop with its real apps, each a deed later and in another random style; nothing is known of the frame
    before, and nothing remembered."""
    size = SIZES[int(rng.integers(len(SIZES)))]
    desktop = random_desktop(rng, size)
    user, shots = User(rng, desktop, styles=False), list[Shot]()
    memory, known = ground_memory(None, size)
    for _ in range(count):
        style = random_style(rng)
        play(desktop, user.act())
        desktop.prefer("style", in_words(style))
        items, router = desktop.items, desktop.router
        frame = StyledRenderer(style, size).render(items)
        shots.append(shot_of(items, style, frame, frame, desktop.features(style).slow, random_events(rng), router.pointer, memory, known))
    return shots


def shot_of(
    items: Sequence[Item], style: Style, frame: np.ndarray, before: np.ndarray, slow: np.ndarray, recent: np.ndarray,
    pointer: tuple[int, int], memory: np.ndarray, known: np.ndarray, buttons: tuple[str, ...] = (), explained: bool = False,
) -> Shot:  # fmt: skip
    """A shot with what is read off its items."""
    size = frame.shape[1], frame.shape[0]
    guide = Guide(size)
    guide.update(items)
    shot = Shot(
        size, frame, before, guide.pixels, guide.verbatim, guide.ink, _shaped(frame, guide, style), guide.forms, slow,
        recent, pointer, memory, known, buttons, explained,
    )  # fmt: skip
    assert shot.paints is not None  # made now, while what it was drawn with is at hand
    return shot


_RADIX = np.array([65536, 256, 1], np.int32)
_CODES = NEUTRAL.astype(np.int32) @ _RADIX


def _shaped(frame: np.ndarray, guide: Guide, style: Style) -> np.ndarray:
    """See Shot. Glyphs' edges and what is shown verbatim do not count."""
    order = np.argsort(_CODES)
    codes = guide.pixels @ _RADIX
    role = order[np.searchsorted(_CODES[order], codes).clip(max=len(order) - 1)]
    known = (_CODES[role] == codes) & (guide.verbatim == 0)
    return known & (np.abs(frame - style.paints((frame.shape[1], frame.shape[0])).where(role)).max(-1) > SHAPED)


def random_events(rng: np.random.Generator) -> np.ndarray:
    recent = np.zeros((RECENT, EVENT_SIZE), np.float32)
    for row in recent[: rng.integers(RECENT + 1)]:
        row[rng.integers(8)] = 1
        row[8:10] = rng.random(2)
        row[10:] = rng.random(10) < 0.5
    return np.concatenate([recent.ravel(), np.zeros(RECENT_SIZE - EVENTS_SIZE, np.float32)])

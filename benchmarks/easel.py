"""The easel: a painter, the desktop it paints, and the frame it has painted. The closed loop, without repair.

Guided, the guide's damage is painted. In dream mode the painter gets the guide once, for the frame that the dream
begins with; from there on the events alone, as `engine.session` posts them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.desktop.clock import TICKS
from engine.desktop.desktop import Desktop
from engine.drawing import Item
from engine.events import Event
from engine.geometry import Rect
from engine.guide import Guide
from engine.painter import Painter, PaintRequest
from engine.style_words import from_words
from engine.styles import Style
from models.synthetic.renderer import StyledRenderer


def source_of(family: str, items: Sequence[Item], style: Style, size: tuple[int, int]) -> np.ndarray:
    """What a painter of this family should show: the synthetic source's frame, or the guide; uint8 (H, W, 3)."""
    if family != "guide":
        return StyledRenderer(style, size).render(items)
    guide = Guide(size)
    guide.update(items)
    return guide.pixels


class Easel:
    """`frame` is uint8 (H, W, 3), grey until something is painted; `painted` counts the requests answered."""

    def __init__(self, painter: Painter, desktop: Desktop) -> None:
        self.painter = painter
        self.desktop = desktop
        width, height = desktop.size
        self.guide = Guide(desktop.size)
        self.frame = np.full((height, width, 3), 128, np.uint8)
        self.painted = 0
        self._dreaming = painter.info.mode == "dream"
        self._began = False
        self._style = ""
        self._items: list[Item] | None = None
        self._bounds = Rect(0, 0, width, height)

    def paint(self, events: Sequence[Event] = ()) -> tuple[Rect, ...]:
        """Bring the frame up to date after `events`; returns the damage asked for."""
        self._items = self.desktop.items
        damage = self.guide.update(self._items)
        if self._style != self.desktop.style_words:
            self._style, damage = self.desktop.style_words, (self._bounds,)
        if self._dreaming and self._began:
            return self._request((self._bounds,) if damage or events else (), events, guided=False)
        self._began = True
        reach = self.painter.info.reach
        return self._request(tuple(r.grow(reach).snap().meet(self._bounds) for r in damage), events, guided=True)

    def _request(self, damage: tuple[Rect, ...], events: Sequence[Event], guided: bool) -> tuple[Rect, ...]:
        if not damage:
            return ()
        shown = self.guide
        pixels, verbatim, forms = (shown.pixels, shown.verbatim, shown.forms) if guided else (None,) * 3
        router = self.desktop.router
        request = PaintRequest(
            self.painted, tuple(events), damage, pixels, verbatim, self.desktop.features(), router.pointer, router.buttons,
            forms,
        )  # fmt: skip
        self.painted += 1
        for patch in self.painter.paint(request).patches:
            self.frame[patch.rect.slices] = patch.pixels
        return damage

    def wait(self, t: float) -> None:
        """Let time pass up to `t`, painting every tick that changed something, as the window does."""
        desktop = self.desktop
        while desktop.t < t:
            desktop.advance(min(round(desktop.t + 1 / TICKS, 3), t))
            if desktop.items is not self._items:
                self.paint()

    def feed(self, event: Event) -> None:
        """Let time pass up to the event, then let it happen; everything is painted. A wait is nothing but time."""
        self.wait(event.t)
        self.desktop.handle(event)
        if event.type != "wait":
            self.paint((event,))

    def fresh(self) -> np.ndarray:
        """The state of now, painted anew with the guide from nothing; the painter's latents are put back."""
        kept = self.painter.latents()
        self.painter.restore(None)
        again = Easel(self.painter, self.desktop)
        again.paint()
        self.painter.restore(kept)
        return again.frame

    def source(self, style: str | None = None) -> np.ndarray:
        """What the source draws for the state of now, in the desktop's own style or another."""
        look = from_words(style)[0] if style else self.desktop.style
        return source_of(self.painter.info.family, self.desktop.items, look, self.desktop.size)

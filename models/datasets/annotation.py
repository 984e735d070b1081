"""Annotations: all that is known of one state of the desktop, beside its picture in a style.

What Replicator-like tools call annotators: guide, text layer, widgets, semantic mask, damage, pointer, events,
hidden state. Pictures are arrays, the rest is JSON values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from engine.desktop.desktop import Desktop
from engine.drawing import Glyphs, Item, Mark, Outline, Picture
from engine.events import as_record
from engine.geometry import Rect, edges
from engine.guide import Guide
from engine.plain import glyph_coverage, mark_coverage
from engine.styles import Style
from engine.theme import Role
from models.datasets.states import State, state_of
from models.synthetic.renderer import StyledRenderer
from models.synthetic.shots import ground_memory, shot_of

CONTENT = 255  # semantic index of pictures that no style may change
HALF = 128  # coverage from which a pixel belongs to a glyph or mark


@dataclass(frozen=True)
class Annotation:
    """frame, guide: uint8 (H, W, 3); ink, verbatim: uint8 (H, W), as the guide has them; shaped: bool (H, W), see
    `Shot`; forms: uint8 (H, W, 4), see `Guide`; semantic: uint8 (H, W), each pixel's role in `Role`, or CONTENT;
    record: everything else as JSON values."""

    state: State
    frame: np.ndarray
    guide: np.ndarray
    ink: np.ndarray
    verbatim: np.ndarray
    shaped: np.ndarray
    forms: np.ndarray
    semantic: np.ndarray
    record: dict[str, Any]


def annotate(desktop: Desktop, style: Style) -> Annotation:
    """Everything that is known of `desktop` now, drawn in `style`."""
    return Annotator(style, desktop.size).take(state_of(desktop, style))


class Annotator:
    """Annotates the states of one session, in order: it knows what was shown before, so it can tell the damage."""

    def __init__(self, style: Style, size: tuple[int, int]) -> None:
        self._renderer = StyledRenderer(style, size)
        self._guide = Guide(size)

    def take(self, state: State) -> Annotation:
        """The next state, annotated; the first one's damage is all that is not bare wallpaper."""
        damage = self._guide.update(state.items)
        frame = self._renderer.render(state.items)
        memory, known = ground_memory(None, state.size)
        shot = shot_of(
            state.items, state.style, frame, memory[0], state.slow, state.recent, state.pointer, memory, known
        )
        return Annotation(
            state, frame, shot.guide, shot.ink, shot.verbatim, shot.shaped, shot.forms,
            semantic_mask(state.items, state.size),
            {**_record(state), "damage": [list(rect) for rect in damage], "text": text_layer(self._guide)},
        )  # fmt: skip


def semantic_mask(items: Sequence[Item], size: tuple[int, int]) -> np.ndarray:
    """Each pixel's role, drawn hard-edged: uint8 (H, W), CONTENT where a picture stands."""
    mask = np.full((size[1], size[0]), int(Role.WALLPAPER), np.uint8)
    frame = Rect(0, 0, *size)
    for item in items:
        part = item.rect.meet(frame)
        if not part:
            continue
        if isinstance(item, Outline):
            for edge in edges(item.whole, item.width):
                mask[edge.meet(part).slices] = item.role
        elif isinstance(item, Glyphs):
            mask[part.slices][glyph_coverage(item, part) >= HALF] = item.role
        elif isinstance(item, Mark):
            mask[part.slices][mark_coverage(item, part) >= HALF] = item.role
        else:
            mask[part.slices] = CONTENT if isinstance(item, Picture) else item.role
    return mask


def text_layer(guide: Guide) -> list[dict[str, Any]]:
    """The runs of text that can be seen, front to back; `rect` is what of the run is not clipped."""
    runs = []
    for item, part, hidden in guide.text_under(guide.frame):
        covered = round(float(hidden.mean()), 3)
        runs.append({
            "text": item.text, "x": item.x, "y": item.y, "size": item.face.size, "face": item.face.weight,
            "role": item.role.name.lower(), "rect": list(part), "covered": covered,
        })  # fmt: skip
    return runs


def _record(state: State) -> dict[str, Any]:
    return {
        "t": round(state.t, 4),
        "events": [as_record(event) for event in state.events],
        "pointer": list(state.pointer),
        "buttons": list(state.buttons),
        "explained": state.explained,
        "style": asdict(state.style),
        "widgets": [widget.as_record() for widget in state.widgets],
        "hidden": state.hidden,
        "context": state.context,
    }

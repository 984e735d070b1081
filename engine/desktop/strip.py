"""The strip: every step by which the screen was turned into something else, as a tree to go back in and branch from.

Step 0 is the desktop itself. Every other step is a picture of the whole screen that came of its parent by an instruction,
or was brought in as a starting frame. Which steps there are follows from the events; their pictures are painted, so they
are kept beside the state, as documents are.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from PIL import Image

from engine.desktop.bitmap import encode, scaled
from engine.desktop.canvas import Canvas
from engine.errors import InputError
from engine.geometry import LARGEST_SIZE, Rect
from engine.scene import Touch
from engine.theme import Role

MOST = 48  # steps that are kept; the oldest that nothing was made of goes first, then the oldest of all
SCREEN = "screen"  # path of the widget that a step's picture is in the scene
THUMB = (48, 36)  # pixels


@dataclass(frozen=True, slots=True)
class Step:
    """words: the instruction, or the starting frame's name; region: where it holds, None for everywhere; reference: a
    picture of the folder to go by, "" for none; strength: as of `Edit`."""

    number: int
    parent: int
    words: str
    region: Rect | None = None
    reference: str = ""
    strength: float = 0.0


class Strip:
    """`at` is the step that is shown; `pending` one that is still to be painted, 0 for none; `dropped` whether any was left out for want
    of room.

    state: what `state()` returned; pictures: PNG bytes of the whole screen by a step's number. A step without a picture
    is pending if it is the last, else it is left out.
    """

    def __init__(self, state: Mapping[str, Any] | None = None, pictures: Mapping[int, bytes] | None = None) -> None:
        state = state or {}
        self.pictures: dict[int, bytes] = dict(pictures or {})
        steps = [Step(n, parent, words, Rect(*region) if region else None, *more)
                 for n, parent, words, region, *more in state.get("steps", ())]  # fmt: skip
        self._next: int = state.get("next", 1)
        pending: int = state.get("pending", 0)
        self.steps = {step.number: step for step in steps if step.number in self.pictures or step.number == pending}
        self.pending = pending if pending in self.steps and pending not in self.pictures else 0
        self.at: int = state.get("at", 0) if state.get("at", 0) in self.pictures else 0
        self.folded: bool = state.get("folded", False)
        self.dropped: bool = state.get("dropped", False)
        self._thumbs: dict[int, np.ndarray] = {}
        self._last: tuple[tuple[int, int, int], np.ndarray] | None = None  # the whole picture that was asked for last, by number and size

    def state(self) -> dict[str, Any]:
        steps = [[s.number, s.parent, s.words, list(s.region) if s.region else None, s.reference, s.strength] for s in self.steps.values()]
        return {"steps": steps, "at": self.at, "pending": self.pending, "next": self._next, "folded": self.folded, "dropped": self.dropped}

    def ask(self, words: str, region: Rect | None = None, reference: str = "", strength: float = 0.0) -> Step:
        """A step from what is shown now, to be painted. Raises InputError while another is."""
        if self.pending:
            raise InputError("One thing at a time: the last instruction is still being painted. Escape gives it up.")
        step = self._add(words, region, reference, strength)
        self.pending = step.number
        return step

    def start(self, name: str, picture: bytes) -> Step:
        """A picture of the whole screen, as PNG bytes, as a starting frame beside the desktop; it is shown."""
        self.at = 0
        step = self._add(name, None, "")
        self.pictures[step.number], self.at, self.folded = picture, step.number, False
        return step

    def keep(self, number: int, pixels: np.ndarray) -> bool:
        """Take a painted step's picture, uint8 (H, W, 3); it is shown where its parent is, which is told."""
        self.pictures[number] = encode(pixels)
        self.pending = 0
        shown = self.at == self.steps[number].parent
        if shown:
            self.at, self.folded = number, False
        return shown

    def cancel(self) -> str:
        """Give the pending step up; its words."""
        step = self.steps.pop(self.pending)
        self.pending = 0
        return step.words

    def go(self, number: int) -> None:
        """Show a step. Raises InputError for one that is not there."""
        if number and number not in self.pictures:
            raise InputError(f"There is no step {number}; there are: {', '.join(map(str, [0, *self.pictures]))}.")
        self.at = number

    def beside(self, key: str) -> int:
        """The step that an arrow leads to: left to what it came of, right to what came of it last, up and down to its kin."""
        if key == "left":
            return self.steps[self.at].parent if self.at else 0
        if key == "right":
            return max((n for n in self.pictures if self.steps[n].parent == self.at), default=self.at)
        kin = [n for n in sorted(self.pictures) if self.at and self.steps[n].parent == self.steps[self.at].parent]
        place = kin.index(self.at) + (1 if key == "down" else -1) if kin else -1
        return kin[place % len(kin)] if kin else 0

    def pixels(self, number: int, size: tuple[int, int]) -> np.ndarray:
        """A step's picture, uint8 (H, W, 3) of `size` (width, height). Raises InputError where it is damaged."""
        key = (number, *size)
        if self._last is None or self._last[0] != key:
            self._last = key, _fitted(self.pictures[number], size)
        return self._last[1]

    def thumb(self, number: int) -> np.ndarray:
        """The same, THUMB large."""
        if number not in self._thumbs:
            self._thumbs = {known: thumb for known, thumb in self._thumbs.items() if known in self.pictures}
            self._thumbs[number] = _fitted(self.pictures[number], THUMB)
        return self._thumbs[number]

    def in_order(self) -> list[int]:
        """The steps that have pictures, every one behind what it came of."""

        def below(number: int) -> list[int]:
            children = sorted(n for n in self.pictures if self.steps[n].parent == number)
            return [found for child in children for found in (child, *below(child))]

        return below(0)

    def draw(self, canvas: Canvas, go: Callable[[int], None]) -> None:
        """Thumbnails along the lower edge of the canvas, the desktop first; those around the step that is shown."""
        numbers = [0, *self.in_order()]
        w, h = THUMB[0] + 6, THUMB[1] + canvas.line + 6
        room = max((canvas.rect.w - 16) // w, 1)
        first = max(min(numbers.index(self.at) - room // 2, len(numbers) - room), 0)
        numbers = numbers[first : first + room]
        box = Rect(canvas.rect.x + (canvas.rect.w - len(numbers) * w - 8) // 2, canvas.rect.bottom - h - 12, len(numbers) * w + 8, h + 8)
        canvas.fill(box, Role.SURFACE, "menu")
        canvas.outline(box, Role.BORDER, shape="menu")
        canvas.widget("bar", "strip", box, Touch())
        inside = canvas.part(box, "strip")
        for i, number in enumerate(numbers):
            place = Rect(box.x + 4 + i * w, box.y + 4, w, h)
            name, words = (f"step {number}", self.steps[number].words) if number else ("step 0", "Desktop")
            state = ("selected",) if number == self.at else ()
            shown = inside.widget("entry", name, place, Touch(click=partial(go, number)), words, state=state).state
            if {"selected", "hovered", "pressed"} & set(shown):
                inside.fill(place, Role.SELECTION if "selected" in shown else Role.HOVER, "row")
            thumb = Rect(place.x + 3, place.y + 3, *THUMB)
            if number:
                inside.picture(thumb, self.thumb(number), ("thumb", number, THUMB))
            else:
                inside.fill(thumb, Role.ACCENT, "tile")
                inside.mark(thumb.inset(14, 8, 14, 8), "logo", Role.ACCENT_INK)
            inside.text_in(Rect(place.x + 3, place.y + THUMB[1] + 3, w - 6, canvas.line), words)

    def _add(self, words: str, region: Rect | None, reference: str, strength: float = 0.0) -> Step:
        while len(self.steps) >= MOST:
            self._drop()
        step = Step(self._next, self.at, words, region, reference, strength)
        self._next += 1
        self.steps[step.number] = step
        return step

    def _drop(self) -> None:
        """Leave out the oldest step that nothing was made of; where every one has led to another, the oldest, and what was made
        of it hangs on what it came of. The step that is shown, the pending one and what each of them came of stay."""
        parents = {step.parent for step in self.steps.values()}
        wanted = {self.at, self.pending}
        free = [n for n in self.steps if n not in parents and n not in wanted]
        wanted |= {self.steps[n].parent for n in wanted if n}
        gone = self.steps.pop(min(free or (n for n in self.steps if n not in wanted)))
        self.pictures.pop(gone.number, None)
        self.dropped = True
        for step in [step for step in self.steps.values() if step.parent == gone.number]:
            self.steps[step.number] = replace(step, parent=gone.parent)


def _fitted(picture: bytes, size: tuple[int, int]) -> np.ndarray:
    """PNG bytes as pixels of a size."""
    try:
        with Image.open(io.BytesIO(picture), formats=("PNG",)) as image:
            if image.width > LARGEST_SIZE[0] or image.height > LARGEST_SIZE[1]:
                raise InputError(f"a step's picture is too large ({image.width}×{image.height})")
            pixels = np.array(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, zlib.error, Image.DecompressionBombError) as error:
        raise InputError("a step's picture is damaged") from error
    return pixels if pixels.shape[:2] == size[::-1] else scaled(pixels, *size)

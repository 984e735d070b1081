"""A recording of any program as a source: consecutive frames, the events between them, and no guide."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from engine.context import APP_SLOTS, RECENT, Context, atoms, slow_features, ticked
from engine.desktop.bitmap import filled_up
from engine.errors import InputError
from engine.events import Down, Event, Move, Up
from engine.geometry import LARGEST_SIZE, SIZE_STEP, SMALLEST_SIZE
from engine.legibility import INKS
from engine.painter import ContextFeatures
from engine.style_words import from_words
from engine.styles import PRESETS, Style
from engine.theme import Role
from models.datasets.reader import read_picture
from models.datasets.recording import Moment, Recording, read_recording
from models.synthetic.shots import Shot, ground_memory

SHOTS = 10  # given a time, as many as the synthetic source gives
TEXT_SIZE = 13  # what the context says where nobody knows
NOON = 12
_GROUNDS = [role for role in Role if role not in INKS]  # the colours that cover most of a screen


class RecordingSource:
    """Shots of a recording's frames, each with the frame before it and the events between.

    Frames that look like the one before are left out, so are those with more events than the context remembers. Sizes
    off the painters' grid are filled up at the right and the bottom with the last column and row; larger ones than
    painters paint are cut there. Raises InputError where the folder is no sound recording.
    """

    def __init__(self, folder: Path) -> None:
        self.recording = read_recording(folder)
        self.size = painted_size(self.recording.size)
        first = self._frame(self.recording.moments[0])
        self._first = first
        self.style = self.recording.style or nearest_preset(first)
        self.slow = slow_features(self.style, TEXT_SIZE, np.zeros((2, APP_SLOTS), np.float32), NOON)
        self._told = _told(self.recording, self.size)
        self._pairs = self._changes()
        if not self._pairs:
            raise InputError(f"no frame of {folder} differs from the one before it; record a session in which things happen")

    def __call__(self, rng: np.random.Generator) -> list[Shot]:
        """Up to SHOTS consecutive shots, from a random place on."""
        first = int(rng.integers(max(len(self._pairs) - SHOTS, 0) + 1))
        return [self._shot(i) for i in self._pairs[first : first + SHOTS]]

    def _shot(self, i: int) -> Shot:
        moments = self.recording.moments
        recent, pointer, buttons = self._told[i]
        nothing = np.zeros((self.size[1], self.size[0]), np.uint8)
        memory, known = ground_memory(self._first, self.size)
        return Shot(
            size=self.size, frame=self._frame(moments[i]), before=self._frame(moments[i - 1]),
            guide=np.zeros_like(self._first), verbatim=nothing, ink=nothing, shaped=nothing > 0,
            forms=np.zeros((*nothing.shape, 4), np.uint8), slow=self.slow,
            recent=recent, pointer=pointer, memory=memory, known=known,
            buttons=buttons, explained=True, guided=False,
        )  # fmt: skip

    def _frame(self, moment: Moment) -> np.ndarray:
        path = self.recording.frame_file(moment)
        pixels = read_picture(path)
        width, height = self.recording.size
        if pixels.shape[:2] != (height, width):
            raise InputError(
                f"{path} is {pixels.shape[1]}x{pixels.shape[0]}, but the recording's header says {width}x{height}"
            )
        return filled_up(pixels, self.size)

    def _changes(self) -> list[int]:
        """The frames to learn from."""
        moments, found = self.recording.moments, []
        last = self._first
        for i in range(1, len(moments)):
            frame = self._frame(moments[i])
            fits = sum(len(atoms(event, (0, 0))) for event in moments[i].events) <= RECENT
            if fits and (frame != last).any():
                found.append(i)
            last = frame
        return found


def painted_size(size: tuple[int, int]) -> tuple[int, int]:
    """The size of the painters' grid in which frames of `size` are learned."""
    width, height = (
        min(max(-(-length // SIZE_STEP) * SIZE_STEP, least), most)
        for length, least, most in zip(size, SMALLEST_SIZE, LARGEST_SIZE, strict=True)
    )
    return width, height


def nearest_preset(frame: np.ndarray) -> Style:
    """The named style whose grounds are nearest to the frame's most frequent colours."""
    few = Image.fromarray(frame).quantize(8)
    weights = np.bincount(np.asarray(few).ravel(), minlength=8).astype(np.float32)
    colours = np.array((few.getpalette() or [])[:24], np.float32).reshape(-1, 3)
    weights = weights[: len(colours)]

    def distance(style: Style) -> float:
        palette = style.palette().astype(np.float32)[_GROUNDS]
        away = np.linalg.norm(colours[:, None] - palette[None], axis=-1).min(1)
        return float((weights * away).sum())

    return min((from_words(name)[0] for name in PRESETS), key=distance)


Told = tuple[np.ndarray, tuple[int, int], tuple[str, ...]]


def _told(recording: Recording, size: tuple[int, int]) -> list[Told]:
    """For each frame: recent events as the context remembers them, where the pointer is, which buttons are held."""
    context, pointer, buttons = Context(), (0, 0), tuple[str, ...]()
    told: list[Told] = []
    for moment in recording.moments:
        for event in moment.events:
            pointer, buttons = _moved(event, pointer, buttons)
            context.observe(event, size, pointer)
        recent = _features(context).recent
        told.append((recent if moment.events else ticked(recent), pointer, buttons))
    return told


def _features(context: Context) -> ContextFeatures:
    return context.features(from_words("light")[0], TEXT_SIZE, [], [], NOON)


def _moved(event: Event, pointer: tuple[int, int], buttons: tuple[str, ...]) -> tuple[tuple[int, int], tuple[str, ...]]:
    """Pointer and held buttons after an event."""
    if isinstance(event, Down):
        return (event.x, event.y), (*(b for b in buttons if b != event.button), event.button)
    if isinstance(event, Up):
        return (event.x, event.y), tuple(b for b in buttons if b != event.button)
    return ((event.x, event.y), buttons) if isinstance(event, Move) else (pointer, buttons)

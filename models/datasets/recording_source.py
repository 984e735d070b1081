"""A recording of any program as a source: consecutive frames, the events between them, and no guide.

Each shot is of a dream that woke with one of the recording's frames some while before, as a user's does: what such a dream would remember by then, it
remembers. What nothing came of is learned too, now and then: a pointer on its way over a screen is most of what a painter is asked.
"""

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
from engine.styles import PRESETS
from engine.theme import Role
from models.datasets.reader import read_picture
from models.datasets.recording import Moment, Recording, read_recording
from models.synthetic.shots import Shot

SHOTS = 10  # given a time, as many as the synthetic source gives
AWAKE = 24  # frames that a dream may have gone on for before the first of them
STILL = 3  # of the frames that were as before, beside them
TEXT_SIZE = 13  # what the context says where nobody knows
NOON = 12
_GROUNDS = [role for role in Role if role not in INKS]  # the colours that cover most of a screen


class RecordingSource:
    """Shots of a recording's frames, each with the frame before it and the events between.

    Frames with more events than the context remembers are left out. Sizes
    off the painters' grid are filled up at the right and the bottom with the last column and row; larger ones than
    painters paint are cut there. Raises InputError where the folder is no sound recording.
    """

    def __init__(self, folder: Path) -> None:
        self.recording = read_recording(folder)
        self.size = painted_size(self.recording.size)
        first = self._frame(self.recording.moments[0])
        self.style = self.recording.style or from_words(nearest_preset(first))[0]
        self.slow = slow_features(self.style, TEXT_SIZE, np.zeros((2, APP_SLOTS), np.float32), NOON)
        self._told = _told(self.recording, self.size)
        self._changed = self._changes(first)
        self._explained = [sum(len(atoms(event, (0, 0))) for event in moment.events) <= RECENT for moment in self.recording.moments]
        self._answers = [i for i in sorted(self._changed) if self._explained[i]]
        if not self._answers:
            raise InputError(f"no frame of {folder} differs from the one before it; record a session in which things happen")

    def __call__(self, rng: np.random.Generator) -> list[Shot]:
        """Shots in their order, from a random place on: up to SHOTS after which the screen was another, and up to STILL more between them."""
        from models.memory import Remembering  # needs torch, which reading a recording does not

        first = int(rng.integers(max(len(self._answers) - SHOTS, 0) + 1))
        answers = self._answers[first : first + SHOTS]
        woke = max(answers[0] - 1 - int(rng.integers(AWAKE)), 0)
        still = [i for i in range(max(woke, 1), answers[-1]) if i not in self._changed and self._explained[i]]
        wanted = {*answers, *rng.permutation(still)[:STILL].tolist()}
        frame, shots = self._frame(self.recording.moments[woke]), list[Shot]()
        remembering = Remembering(frame)
        for i in sorted({*wanted, *(i for i in self._changed if woke < i < answers[-1])}):
            before = frame
            if i in self._changed:
                frame = self._frame(self.recording.moments[i])
            if i in wanted:
                shots.append(self._shot(i, before, frame, *remembering.recalled()))
            remembering.follow(before, frame)
        return shots

    def _shot(self, i: int, before: np.ndarray, frame: np.ndarray, memory: np.ndarray, known: np.ndarray) -> Shot:
        recent, pointer, buttons = self._told[i]
        nothing = np.zeros((self.size[1], self.size[0]), np.uint8)
        return Shot(
            size=self.size, frame=frame, before=before,
            guide=np.zeros_like(frame), verbatim=nothing, ink=nothing, shaped=nothing > 0,
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

    def _changes(self, first: np.ndarray) -> set[int]:
        """The frames that are not as the one before them."""
        found, last = set[int](), first
        for i, moment in enumerate(self.recording.moments[1:], 1):
            frame = self._frame(moment)
            if (frame != last).any():
                found.add(i)
            last = frame
        return found


def painted_size(size: tuple[int, int]) -> tuple[int, int]:
    """The size of the painters' grid in which frames of `size` are learned."""
    width, height = (
        min(max(-(-length // SIZE_STEP) * SIZE_STEP, least), most)
        for length, least, most in zip(size, SMALLEST_SIZE, LARGEST_SIZE, strict=True)
    )
    return width, height


def nearest_preset(frame: np.ndarray) -> str:
    """The name of the style whose grounds are nearest to the frame's most frequent colours."""
    few = Image.fromarray(frame).quantize(8)
    weights = np.bincount(np.asarray(few).ravel(), minlength=8).astype(np.float32)
    colours = np.array((few.getpalette() or [])[:24], np.float32).reshape(-1, 3)
    weights = weights[: len(colours)]

    def distance(name: str) -> float:
        palette = from_words(name)[0].palette().astype(np.float32)[_GROUNDS]
        away = np.linalg.norm(colours[:, None] - palette[None], axis=-1).min(1)
        return float((weights * away).sum())

    return min(PRESETS, key=distance)


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

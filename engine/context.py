"""The context: what is known of the user, in plain words and as numbers.

Everything in it follows from the events, so the journal keeps it by keeping them. Slow things (preferences, habits,
open work) are kept apart from the recent events, so that what is computed from the slow ones holds between events.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from engine.events import Ask, Click, Down, Drag, Event, Key, Move, Text, Up, Wheel
from engine.events import Style as StyleEvent
from engine.painter import ContextFeatures
from engine.styles import VECTOR_SIZE, Style

APP_SLOTS = 16  # apps beyond the sixteenth share the last slot
RECENT = 16  # events that are remembered one by one
EVENT_SIZE = 20
SLOW_SIZE = VECTOR_SIZE + 1 + 2 * APP_SLOTS + 2
WINDOWS = 3  # windows whose place is told, the front one first
WINDOW_SIZE = 4 + APP_SLOTS  # its rect, then which app
EVENTS_SIZE = RECENT * EVENT_SIZE
RECENT_SIZE = EVENTS_SIZE + WINDOWS * WINDOW_SIZE
Placed = Sequence[tuple[str, tuple[float, float, float, float]]]  # app, rect in shares of the frame; front first
_STYLE = 66  # numbers of a style that stand first; later ones stand last, so that older encoders read the beginning
_TYPES = ("move", "down", "up", "wheel", "key", "text", "ask", "style")
_KEPT_WORDS = 400


class Context:
    """Preferences said, habits seen, recent events, open work; JSON in and out through `state`."""

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        self._restore(state or {})

    def _restore(self, state: dict[str, Any]) -> None:
        self.preferences: dict[str, Any] = dict(state.get("preferences", {}))
        self.opened: Counter[str] = Counter(state.get("opened", {}))
        self.hours: dict[str, list[int]] = {app: list(h) for app, h in state.get("hours", {}).items()}
        self.words: Counter[str] = Counter(state.get("words", {}))
        self.liking: dict[str, int] = dict(state.get("liking", {}))
        self.last_document: str = state.get("last_document", "")
        self._recent: deque[list[float]] = deque(state.get("recent", []), RECENT)
        self._word: str = state.get("word", "")

    def state(self) -> dict[str, Any]:
        return {
            "preferences": dict(self.preferences),
            "opened": dict(self.opened),
            "hours": {app: list(h) for app, h in self.hours.items()},
            "words": dict(self.words),
            "liking": dict(self.liking),
            "last_document": self.last_document,
            "recent": [list(e) for e in self._recent],
            "word": self._word,
        }

    def forget(self) -> None:
        """Clear what was observed; what the user said (preferences) stays."""
        self._restore({"preferences": self.preferences})

    def observe(self, event: Event, size: tuple[int, int], pointer: tuple[int, int] = (0, 0)) -> None:
        """Take one event in; `pointer` is where it left the pointer. Moves in a row count as one."""
        for part in atoms(event, pointer):
            if part.type == "move" and self._recent and self._recent[-1][0]:
                self._recent.pop()
            self._recent.append(_numbers(part, size, pointer))
        if isinstance(event, Text):
            for char in event.text:
                self._typed(char)
        elif isinstance(event, Key) and event.key in ("space", "enter"):
            self._typed(" ")

    def app_opened(self, app: str, hour: int) -> None:
        self.opened[app] += 1
        self.hours.setdefault(app, [0] * 24)[hour] += 1

    def rate(self, style: str, step: int) -> None:
        """More (+1) or less (-1) like this look."""
        self.liking[style] = max(-9, min(9, self.liking.get(style, 0) + step))

    def order(self, apps: list[str], hour: int) -> list[str]:
        """Apps, the likeliest first: by use, most of all around this hour; ties keep their order."""

        def score(app: str) -> float:
            hours = self.hours.get(app, [0] * 24)
            near = sum(hours[(hour + d) % 24] for d in (-1, 0, 1))
            return self.opened[app] + 2.0 * near

        return sorted(apps, key=lambda app: -score(app))

    def order_styles(self, names: list[str]) -> list[str]:
        return sorted(names, key=lambda name: -self.liking.get(name, 0))

    def describe(self) -> list[str]:
        """What is known, in plain words."""
        lines = [f"You chose {key.replace('_', ' ')}: {value}." for key, value in sorted(self.preferences.items()) if key != "loras"]
        for app, count in self.opened.most_common(5):
            hours = self.hours.get(app, [])
            hour = hours.index(max(hours)) if hours else 0
            times = "once" if count == 1 else f"{count} times"
            lines.append(f"You opened {app} {times}, mostly around {hour:02d}:00.")
        for style, score in sorted(self.liking.items(), key=lambda kv: -kv[1]):
            if score:
                lines.append(f"You {'like' if score > 0 else 'dislike'} the look “{style}” ({score:+d}).")
        often = [word for word, count in self.words.most_common(8) if count > 2]
        if often:
            lines.append("You often type: " + ", ".join(often) + ".")
        if self.last_document:
            lines.append(f"You last worked on {self.last_document}.")
        return lines or ["Nothing yet."]

    def features(
        self, style: Style, text_size: int, apps: list[str], open_apps: list[str], hour: int, placed: Placed = ()
    ) -> ContextFeatures:
        """The context as numbers: slow float32 (SLOW_SIZE,), recent float32 (RECENT_SIZE,): events, then windows."""
        use = np.zeros((2, APP_SLOTS), np.float32)
        total = sum(self.opened.values()) or 1
        for i, app in enumerate(apps):
            slot = min(i, APP_SLOTS - 1)
            use[0, slot] = max(use[0, slot], float(app in open_apps))
            use[1, slot] += round(self.opened[app] / total, 1)
        recent = np.zeros((RECENT, EVENT_SIZE), np.float32)
        if self._recent:
            recent[: len(self._recent)] = list(reversed(self._recent))
        where = np.zeros((WINDOWS, WINDOW_SIZE), np.float32)
        for row, (app, rect) in zip(where, placed, strict=False):
            row[:4] = rect
            row[4 + min(apps.index(app), APP_SLOTS - 1)] = 1
        return ContextFeatures(slow_features(style, text_size, use, hour), np.concatenate([recent, where], None))

    def _typed(self, char: str) -> None:
        if char.isalpha():
            self._word += char
            return
        word, self._word = self._word, ""
        if len(word) > 3:
            self.words[word.casefold()] += 1
            if len(self.words) > _KEPT_WORDS:
                self.words = Counter(dict(self.words.most_common(_KEPT_WORDS // 2)))


def slow_features(style: Style, text_size: int, use: np.ndarray, hour: int) -> np.ndarray:
    """What changes rarely, as float32 (SLOW_SIZE,). use: (2, APP_SLOTS), which apps are open and how often each was."""
    look, turn = style.vector(), hour / 24 * 2 * np.pi
    return np.concatenate(
        [look[:_STYLE], [text_size / 16 - 1], use.ravel(), [np.sin(turn), np.cos(turn)], look[_STYLE:]], dtype=np.float32
    )


def look_of(slow: np.ndarray) -> np.ndarray:
    """The part of the slow features that says how everything looks."""
    return np.concatenate([slow[:_STYLE], slow[_STYLE + SLOW_SIZE - VECTOR_SIZE :]])


def text_size_of(slow: np.ndarray) -> int:
    """The text size that slow features tell, in pixels."""
    return round((float(slow[_STYLE]) + 1) * 16)


def open_apps_of(slow: np.ndarray) -> np.ndarray:
    """Which apps slow features tell to be open, by slot: bool (APP_SLOTS,)."""
    return np.asarray(slow[_STYLE + 1 : _STYLE + 1 + APP_SLOTS] > 0)


def earlier(recent: np.ndarray, events: int) -> np.ndarray:
    """Recent features (RECENT_SIZE,) without the newest `events` events."""
    none = np.zeros(events * EVENT_SIZE, np.float32)
    return np.concatenate([recent[events * EVENT_SIZE : EVENTS_SIZE], none, recent[EVENTS_SIZE:]])


def ticked(recent: np.ndarray) -> np.ndarray:
    """Recent features (RECENT_SIZE,) after a tick without input: an event of no kind, all of its bits set."""
    row = np.concatenate([np.zeros(EVENT_SIZE - 10), np.ones(10)])
    return np.concatenate([row, recent[: EVENTS_SIZE - EVENT_SIZE], recent[EVENTS_SIZE:]]).astype(np.float32)


def atoms(event: Event, pointer: tuple[int, int]) -> list[Event]:
    """What an event consists of: letters of a text, press and release of a click. Nothing for a wait."""
    x, y = pointer
    if isinstance(event, Text):
        return [Text(event.t, char) for char in event.text]
    if isinstance(event, Click):
        return [Down(event.t, "left", x, y), Up(event.t, "left", x, y)]
    if isinstance(event, Drag):
        return [Move(event.t, x, y), Up(event.t, "left", x, y)]
    return [event] if event.type in _TYPES else []


def _numbers(event: Event, size: tuple[int, int], pointer: tuple[int, int]) -> list[float]:
    """One event as EVENT_SIZE numbers: kind (8), place (2), ten bits that say which character, key or words."""
    kind = [float(event.type == name) for name in _TYPES]
    x, y = getattr(event, "x", pointer[0]) / size[0], getattr(event, "y", pointer[1]) / size[1]
    code = 0
    if isinstance(event, Text):
        code = ord(event.text) % 512
    elif isinstance(event, Key):
        held = 64 * ("ctrl" in event.mods) + 128 * ("shift" in event.mods) + 256 * ("alt" in event.mods)
        code = (sum(event.key.encode()) + held) % 512 + 512
    elif isinstance(event, (Ask, StyleEvent)):
        code = sum((i + 1) * byte for i, byte in enumerate(event.text.casefold().encode())) % 1024
    elif isinstance(event, Wheel):
        code = 512 + event.dy % 8
    bits = [float(code >> bit & 1) for bit in range(10)]
    return [*kind, round(x, 3), round(y, 3), *bits]


def look_alone(context: ContextFeatures) -> ContextFeatures:
    """The same where nothing is known but the look and the size of text: all else that a picture depends on its guide shows."""
    slow = context.slow.copy()
    slow[_STYLE + 1 : _STYLE + SLOW_SIZE - VECTOR_SIZE] = 0
    return replace(context, slow=slow, recent=np.zeros(RECENT_SIZE, np.float32))

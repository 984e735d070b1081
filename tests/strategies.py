"""Any events at all: what no user would do, and what a broken driver might."""

from __future__ import annotations

import numpy as np

from engine.desktop.apps.registry import APPS
from engine.events import BUTTONS, MODS, NAMED_KEYS, Ask, Down, Event, Key, Move, Style, Text, Up, Wait, Wheel

KEYS = (*sorted(NAMED_KEYS), *"abcfglnvxyz0129.,-+*/=[]")
TEXTS = ("a", "Ж", "ω", " ", "\t", "\n", "e\u0301", "\u200d", "😀", "\ufeff", "中", "x" * 300, "\x00", "\ud800", "‮", "a\r\nb")
ASKS = (*APPS, "dark", "candy", "bigger text", "smaller text", "close notes", "", "   ", "qwx", "text size 999999999999")


def any_event(rng: np.random.Generator, size: tuple[int, int], t: float) -> Event:
    """One event at time `t`, mostly on a screen of `size`, sometimes beside it."""
    x, y = int(rng.integers(-20, size[0] + 20)), int(rng.integers(-20, size[1] + 20))
    button = str(rng.choice(BUTTONS, p=(0.7, 0.1, 0.2)))
    mods = tuple(mod for mod in MODS if rng.random() < 0.15)
    kinds = {
        "move": (0.2, Move(t, x, y)),
        "down": (0.2, Down(t, button, x, y, mods)),
        "up": (0.2, Up(t, button, x, y)),
        "wheel": (0.05, Wheel(t, int(rng.integers(-5, 6)))),
        "key": (0.2, Key(t, KEYS[int(rng.integers(len(KEYS)))], mods)),
        "text": (0.07, Text(t, TEXTS[int(rng.integers(len(TEXTS)))])),
        "ask": (0.05, Ask(t, ASKS[int(rng.integers(len(ASKS)))])),
        "style": (0.01, Style(t, ASKS[int(rng.integers(len(ASKS)))])),
        "wait": (0.02, Wait(t)),
    }
    shares = np.array([share for share, _ in kinds.values()])
    return list(kinds.values())[int(rng.choice(len(kinds), p=shares / shares.sum()))][1]

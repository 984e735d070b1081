"""Distractors: other states that the same desktop could have reached from the same moment by other events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.scenes import Scene
from engine.desktop.apps.registry import APPS
from engine.desktop.desktop import Desktop
from engine.drawing import Item
from engine.errors import InputError
from engine.events import Ask, Down, Event, Key, Move, Style, Text, Up, Wait, Wheel
from engine.styles import PRESETS

COUNT = 8
NEAR = 16  # deeds of the act's own kind that are tried first
_KEYS = (
    "backspace", "delete", "enter", "escape", "left", "right", "up", "down", "home", "end", "tab", "space", "pagedown",
    "ctrl+a", "ctrl+z", "ctrl+x", "ctrl+v", "ctrl+n", "ctrl+f", "ctrl+l", "ctrl+1", "ctrl+space", "ctrl+w", "ctrl+d",
    "alt+tab", "alt+m", "alt+enter", "alt+left", "alt+right", "alt+up", "alt+down", "alt+shift+right", "shift+left",
    "shift+home", "shift+up", "shift+f10", "ctrl+end", "ctrl+home", "1", "2", "5", "e", "f", "]",
)  # fmt: skip
Deed = tuple[tuple[type[Event], tuple[Any, ...]], ...]


def deeds(scene: Scene, rng: np.random.Generator) -> list[Deed]:
    """What else could be done at that moment, the same type of event as the act's first, in seeded order."""
    desktop = scene.before()
    held = desktop.router.buttons
    found: list[Deed] = [((Text, (char,)),) for char in "abcdefghiklmnoprstuvwxyzESTAN0123456789"]
    for name in _KEYS:
        *mods, key = name.split("+")
        found.append(((Key, (key, tuple(mods))),))
    found += [((Ask, (app.casefold(),)),) for app in APPS]
    found += [((Style, (name,)),) for name in PRESETS]
    found += [((Wheel, (notches,)),) for notches in (-3, -2, -1, 1, 2, 3)]
    found += [((Wait, ()),) * count for count in (2, 4, 6, 8, 10)]
    px, py = desktop.router.pointer
    for _ in range(12):
        found.append(((Move, (px + int(rng.integers(-90, 91)), py + int(rng.integers(-60, 61)))),))
    for widget in desktop.widgets:
        if widget.touch is None or not widget.rect or widget.role in ("window", "taskbar"):
            continue
        x, y = widget.rect.centre
        release = tuple((Up, (button, x, y)) for button in held)
        found += [((Move, (x, y)),), ((Move, (x, y)), *release, (Down, ("left", x, y)), (Up, ("left", x, y)))]
        found += [((Move, (x, y)), *release, (Down, ("left", x, y)))]
    mixed = [found[i] for i in rng.permutation(len(found))]
    kind = type(scene.act)
    kinds = (Move, Down, Up) if kind in (Move, Down, Up) else (kind,)
    near = [deed for deed in mixed if deed[-1][0] in kinds]
    rest = [deed for deed in mixed if deed[-1][0] not in kinds]
    return [*near[:NEAR], *rest, *near[NEAR:], *_reaching(rng)]


def _reaching(rng: np.random.Generator) -> list[Deed]:
    """Deeds that change even the smallest and remotest damage: a whole screen of each app."""
    escape, fill = (Key, ("escape", ())), (Key, ("enter", ("alt",)))
    apps = [str(app).casefold() for app in rng.permutation(list(APPS))]
    return [(escape, escape, (Ask, (app,)), *more) for more in ((fill,), (fill, fill)) for app in apps]


def distractors(
    scene: Scene, before: np.ndarray, after: np.ndarray, where: np.ndarray, draw: Any, rng: np.random.Generator
) -> list[np.ndarray]:
    """Up to COUNT pictures, all different from `after` and from one another inside `where`, bool (H, W).

    Nor is any like `before` there, which is a rival anyway. `draw` makes a picture of a
    desktop, uint8 (H, W, 3).
    """
    known = {after[where].tobytes(), before[where].tobytes()}
    found: list[np.ndarray] = []
    drawn: set[tuple[Item, ...]] = set()
    for desktop in _others(scene, deeds(scene, rng)):
        items = tuple(desktop.items)
        if items in drawn:
            continue
        drawn.add(items)
        picture = draw(desktop)
        name = picture[where].tobytes()
        if name not in known:
            known.add(name)
            found.append(picture)
        if len(found) == COUNT:
            break
    return found


def _others(scene: Scene, found: Sequence[Deed]) -> Iterator[Desktop]:
    """The desktop after each deed."""
    for deed in found:
        desktop = scene.before()
        try:
            for kind, values in deed:
                desktop.handle(kind(round(desktop.t + 0.1, 3), *values))
        except InputError:  # what this deed needs is not there
            continue
        yield desktop

"""The taskbar in dreams. Which buttons stand in it the context tells; what each of them showed goes on while it is there, and one
that comes looks as the dreamer's book of windows has it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor

from engine.context import open_apps_of, text_size_of
from engine.desktop.apps.registry import APPS
from engine.desktop.canvas import Canvas, Sheet
from engine.desktop.shell import (
    TASK_ICON,
    TASK_ICON_X,
    TASK_NAME_X,
    bar_height,
    clock_box,
    clock_room,
    draw_bar,
    draw_launcher,
    launcher_box,
    task_boxes,
    task_named,
    task_room,
)
from engine.drawing import Fill, Outline
from engine.geometry import Rect
from engine.painter import ContextFeatures
from engine.theme import NEUTRAL, Role
from engine.typeface import Face, line_height
from models.dreaming.book import BUTTON, Book
from models.dreaming.lights import Lit
from models.dreaming.pictures import Inks, drawn, entitle, reinked, stretched
from models.dreaming.planes import FILLED, SEEN, lay

GAP = 6  # pixels between the launcher and the first button
EDGE = 2  # pixels: of a button's right and lower edge
ROUGH = 12.0  # grey levels: a page's mixtures are as near as codes come
CLIPPED, ALIKE = 16, 8.0  # pixels before a button's end that may be cut or dots; grey levels that two names may differ by
_LAUNCHER = "taskbar/Launcher"
_PAPERS = (Role.BUTTON, Role.SELECTION, Role.HOVER)
_ORDER = tuple(sorted(range(len(APPS)), key=lambda slot: tuple(APPS)[slot]))  # of the buttons, by slot


class Tasks(NamedTuple):
    """apps: by slot, in the order of their buttons; minimised: which of them have no window on the screen; front: whose window is
    in front, -1 for none; text_size: in pixels."""

    text_size: int = 0
    apps: tuple[int, ...] = ()
    minimised: frozenset[int] = frozenset()
    front: int = -1

    @classmethod
    def of(cls, context: ContextFeatures, shown: Collection[int]) -> Tasks:
        """What the context tells, where windows of the apps `shown` are on the screen, the front one first."""
        still = open_apps_of(context.slow)
        apps = tuple(slot for slot in _ORDER if still[slot])
        return cls(text_size_of(context.slow), apps, frozenset(apps) - frozenset(shown), next(iter(shown), -1))

    def inks(self, app: int) -> Inks:
        """What an app's button is drawn in."""
        paper = Role.SELECTION if app == self.front else Role.BUTTON
        return paper, Role.MUTED if app in self.minimised else Role.INK

    def numbers(self) -> list[int]:
        """All but the text size, for `from_numbers`."""
        return [sum(1 << app for app in self.apps), sum(1 << app for app in self.minimised), self.front]

    @classmethod
    def from_numbers(cls, text_size: int, apps: int, minimised: int, front: int) -> Tasks:
        """What `numbers` gave."""
        return cls(text_size, tuple(s for s in _ORDER if apps >> s & 1), frozenset(s for s in _ORDER if minimised >> s & 1), front)


class _Button(NamedTuple):
    """seen: uint8 (SEEN, h, w), what it shows; inks: in which it does."""

    seen: Tensor
    inks: Inks


def laid(planes: Tensor, before: Tasks, after: Tasks, book: Book, titles: Mapping[int, str] = MappingProxyType({})) -> Tensor:
    """A guide, uint8 (PLANES, H, W), with other buttons than it had before; titles: of windows, where they are told."""
    size = planes.shape[2], planes.shape[1]
    kept: dict[int, _Button] = {}
    if before.text_size == after.text_size:
        for app, box in zip(before.apps, boxes(size, before), strict=True):
            seen = planes[:SEEN, *box.slices]
            kept[app] = _Button(seen, (_paper(seen), before.inks(app)[1]))
    out, bare = planes.clone(), strip(size, after.text_size)
    part, line = Rect(0, 0, bare.w, bare.h), Rect(0, 0, bare.w, 1)
    whole = _bar(size, after.text_size).shift(-bare.x, -bare.y)
    out[:, *bare.slices] = drawn([Fill(part, Role.BAR, "bar", whole), Fill(line, Role.BORDER, "line", line)], bare.w, bare.h)
    for app, box in zip(after.apps, boxes(size, after), strict=True):
        title = titles.get(app)
        button = _titled(app, box, title, after) if title else _drawn(app, box, kept.get(app), after, book)
        lay(out, button, box, Rect(0, 0, *size), "button")
    return out


def strip(size: tuple[int, int], text_size: int) -> Rect:
    """Where in a frame of `size` buttons of windows may stand."""
    bar, face = _bar(size, text_size), Face(text_size)
    first = task_boxes(bar, face, 1)[0].x - GAP
    return Rect(first, bar.y, bar.right - clock_room(face) - first, bar.h)


def clock_part(size: tuple[int, int], text_size: int) -> Rect:
    """Where the clock stands in a frame of `size`."""
    bar, room = _bar(size, text_size), clock_room(Face(text_size))
    return Rect(bar.right - room, bar.y, room, bar.h)


def clocked(planes: Tensor, label: str, text_size: int) -> Tensor:
    """A guide, uint8 (PLANES, H, W), in which the clock shows `label`."""
    size = planes.shape[2], planes.shape[1]
    where, bar, sheet = clock_part(size, text_size), _bar(size, text_size), Sheet(text_size)
    canvas = _bare(sheet, bar)
    canvas.text_in(clock_box(canvas.rect, canvas.face), label, Role.BAR_INK, align="right")
    out = planes.clone()
    out[:, *where.slices] = drawn(sheet.items, bar.w, bar.h)[:, *where.shift(0, -bar.y).slices]
    return out


def lit(planes: Tensor, tasks: Tasks, x: int, y: int, pressed: bool) -> Lit | None:
    """The button that holds a point, where nothing is lit in `planes`, uint8 (PLANES, H, W). pressed: whether the left button went down there."""
    size = planes.shape[2], planes.shape[1]
    bar = _bar(size, tasks.text_size)
    if (box := launcher_box(bar)).holds(x, y):
        sheet = Sheet(tasks.text_size, hover=_LAUNCHER, pressed=_LAUNCHER if pressed else "")
        draw_launcher(_bare(sheet, bar), _nothing)
        return Lit(box, drawn(sheet.items, bar.w, bar.h)[:, *box.shift(0, -bar.y).slices])
    for app, box in zip(tasks.apps, boxes(size, tasks), strict=True):
        if box.holds(x, y):
            button, inks = planes[:, *box.slices].clone(), tasks.inks(app)
            _reinked(button, task_named(box, tasks.text_size), inks, (Role.HOVER, inks[1]))
            return Lit(box, _marked(button, app, tasks.text_size, Role.HOVER))
    return None


def _nothing() -> None:
    """Nobody clicks."""


def _bare(sheet: Sheet, bar: Rect) -> Canvas:
    """A taskbar with nothing in it, at the top of a sheet, to draw on."""
    canvas = Canvas(sheet, bar.shift(0, -bar.y))
    draw_bar(canvas)
    return canvas


def _bar(size: tuple[int, int], text_size: int) -> Rect:
    height = bar_height(line_height(Face(text_size)))
    return Rect(0, size[1] - height, size[0], height)


def boxes(size: tuple[int, int], tasks: Tasks) -> list[Rect]:
    """Where the buttons stand in a frame of `size`."""
    return task_boxes(_bar(size, tasks.text_size), Face(tasks.text_size), len(tasks.apps))


def _titled(app: int, box: Rect, title: str, tasks: Tasks) -> Tensor:
    """A button's planes, (PLANES, h, w), of a window whose title is told."""
    inks, outer = tasks.inks(app), Rect(0, 0, box.w, box.h)
    planes = _blank(box.w, box.h, inks[0])
    if task_named(box, tasks.text_size):
        entitle(planes, title, tasks.text_size, outer, task_room(outer), inks, "button")
    return _marked(planes, app, tasks.text_size, inks[0])


def _drawn(app: int, box: Rect, kept: _Button | None, tasks: Tasks, book: Book) -> Tensor:
    """A button's planes, (PLANES, h, w): as it was, in another width and state; else as the book has it, else without a name."""
    named, seen = task_named(box, tasks.text_size), book.page(BUTTON + app, tasks.text_size)
    page = None if seen is None else _Button(seen, (_paper(seen), Role.INK))
    if page and (kept is None or (named and (not _named(kept, tasks) or _cut_short(kept, page, box)))):
        kept = page
    (paper, ink), (new_paper, new_ink) = kept.inks if kept else (Role.BUTTON, Role.INK), tasks.inks(app)
    planes = _blank(box.w, box.h, paper)
    if kept and named and _named(kept, tasks):
        planes[:SEEN] = stretched(kept.seen, box.w, box.h, EDGE, EDGE)
        planes[:3, 1:-1, kept.seen.shape[2] - EDGE : -EDGE] = _colour(paper)
    elif kept:
        left, old = (_icon_x(w, own) for w, own in ((box.w, named), (kept.seen.shape[2], _named(kept, tasks))))
        mark = kept.seen[:, 1:-1, old : old + TASK_ICON]
        planes[:SEEN, 1 : 1 + mark.shape[1], left : left + TASK_ICON] = mark
    return _marked(_reinked(planes, named, (paper, ink), (new_paper, new_ink)), app, tasks.text_size, new_paper)


def _marked(button: Tensor, app: int, text_size: int, paper: Role) -> Tensor:
    """A button's planes, (PLANES, h, w), with its app's icon on such paper, which is put into these planes."""
    _, h, w = button.shape
    sheet, outer = Sheet(text_size), Rect(0, 0, w, h)
    mark = Rect(_icon_x(w, task_named(outer, text_size)), (h - TASK_ICON) // 2, TASK_ICON, TASK_ICON)
    canvas = Canvas(sheet, outer)
    canvas.fill(outer, paper, "button")
    canvas.mark(mark, tuple(APPS.values())[app].icon, Role.INK)
    button[:3, *mark.slices] = drawn(sheet.items, w, h)[:3, *mark.slices]
    return button


def _reinked(planes: Tensor, named: bool, old: Inks, new: Inks) -> Tensor:
    """A button's planes, (PLANES, h, w), in another paper and ink, which are put into these planes; named: whether it shows a name."""
    _, h, w = planes.shape
    begins = TASK_NAME_X if named else w - 1
    icon, name = planes[:3, 1:-1, 1:begins], planes[:3, 1:-1, begins:-1]
    icon.copy_(reinked(icon, (old[0], Role.INK), (new[0], Role.INK), ROUGH))  # never muted
    name.copy_(reinked(name, old, new, ROUGH))
    planes[FILLED] = _blank(w, h, new[0])[FILLED]
    return planes


def _icon_x(w: int, named: bool) -> int:
    return TASK_ICON_X if named else (w - TASK_ICON) // 2


def _cut_short(kept: _Button, page: _Button, box: Rect) -> bool:
    """Whether a button had no room for all that the book's has on it, and has now."""
    had = kept.seen.shape[2]
    if had >= min(box.w, page.seen.shape[2]):
        return False
    name = (slice(None, 3), slice(1, -1), slice(TASK_NAME_X, had - CLIPPED))
    if kept.seen[name].shape != page.seen[name].shape:
        return False
    return bool((kept.seen[name].int() - reinked(page.seen[name], page.inks, kept.inks, ROUGH).int()).abs().float().mean() < ALIKE)


def _colour(role: Role) -> Tensor:
    return torch.from_numpy(NEUTRAL[role]).view(3, 1, 1)


def _blank(w: int, h: int, paper: Role) -> Tensor:
    """A button without anything on it, in a taskbar."""
    outer = Rect(0, 0, w, h)
    bar, button = Fill(outer, Role.BAR, "bar", outer.grow(EDGE)), Fill(outer, paper, "button", outer)
    return drawn([bar, button, Outline(outer, Role.BORDER, "button", outer, 1)], w, h)


def _named(button: _Button, tasks: Tasks) -> bool:
    return task_named(Rect(0, 0, button.seen.shape[2], button.seen.shape[1]), tasks.text_size)


def _paper(seen: Tensor) -> Role:
    """What most of a button is filled with."""
    alike = [(seen[:3] == _colour(role)).all(0).sum() for role in _PAPERS]
    return _PAPERS[int(torch.stack(alike).argmax())]

"""Settings: how it looks, what it runs on, and what it knows of you."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from engine.desktop.app import App, System
from engine.desktop.asking import TEXT_SIZES
from engine.desktop.canvas import Canvas
from engine.desktop.settings_page import (
    PAD,
    Draw,
    Part,
    about,
    draw_parts,
    height_of,
    page_room,
    paragraph,
    parted_page,
)
from engine.geometry import Rect
from engine.open_work import rows_of
from engine.scene import Touch
from engine.style_words import from_words
from engine.theme import Role
from engine.typeface import width

PAGES = LOOK, SYSTEM, ABOUT = "Look", "System", "About you"
SIZES = ("512x384", "640x448", "768x576", "1024x768")
MODES = ("guided", "dream")
PREVIEW = (64, 38)  # pixels of a style's little picture
TOLD = {LOOK: ("style", "styles", "text_size"), SYSTEM: ("size", "mode", "checkpoint", "checkpoints", "loras")}  # what pages show of what is preferred
STEP, MOST = 0.1, 4.0  # of a LoRA's weight: at a time, and on either side of 0
USUAL, FINE = (-1.0, 2.0), 0.05  # of the slider's: what it spans, and its step


class Settings(App):
    """`page` is the tab shown, `scroll` how many of its pixels are above the view."""

    name: ClassVar[str] = "Settings"
    icon: ClassVar[str] = "settings"
    size: ClassVar[tuple[int, int]] = (344, 306)
    least: ClassVar[tuple[int, int]] = (190, 130)
    first_focus: ClassVar[str] = PAGES[0]
    pages: ClassVar[tuple[str, ...]] = PAGES[1:]

    def __init__(self, system: System, state: dict[str, Any], **how: Any) -> None:
        super().__init__(system, state)
        self.page: str = state.get("page", PAGES[0])
        self.scroll: int = state.get("scroll", 0)
        self.asking = state.get("asking", False)  # "Forget"
        self._focused: str = state.get("focused", "")  # what had the focus at the last drawing
        self._set_in: int = state.get("set_in", 0)  # and the size of its letters
        self._names: list[str] = []  # what can have it on this page, in order
        self._end = 0  # how far the page scrolls

    def state(self) -> dict[str, Any]:
        return {"page": self.page, "scroll": self.scroll, "asking": self.asking,
                "focused": self._focused, "set_in": self._set_in}  # fmt: skip

    def shown_page(self) -> str:
        return "" if self.page == PAGES[0] else self.page

    def scrolled(self) -> int:
        return self.scroll

    def listed(self) -> list[str]:
        """What is known of the user, or what is chosen and what there is to choose from, its value in JSON behind a tab."""
        if self.page == ABOUT:
            return self.system.known()
        return rows_of({key: self.system.preference(key) for key in TOLD[self.page]})

    # Input

    def key(self, key: str, mods: tuple[str, ...]) -> bool:
        step = {"pageup": -120, "pagedown": 120, "home": -self._end, "end": self._end}.get(key, 0)
        move = {"left": -1, "up": -1, "right": 1, "down": 1}.get(key, 0)
        if mods or not (step or move):
            return False
        if step:
            self._scroll_to(self.scroll + step)
        elif self._focused in PAGES and key in ("left", "right"):
            self._show_page(PAGES[(PAGES.index(self._focused) + move) % len(PAGES)])
            self.system.focus(self, self.page)
        elif self._names:
            here = self._names.index(self._focused) if self._focused in self._names else -1
            at = here + move
            self.system.focus(self, self._names[min(at, len(self._names) - 1)] if at >= 0 else self.page)
        return True

    def _show_page(self, page: str) -> None:
        self.page, self.scroll, self.asking = page, 0, False

    def _scroll_to(self, scroll: int) -> None:
        self.scroll = max(0, min(scroll, self._end))

    def _wheel(self, dy: int) -> bool:
        self._scroll_to(self.scroll - dy * 40)
        return self._end > 0

    def _prefer(self, key: str, value: Any) -> Callable[[], None]:
        return lambda: self.system.prefer(key, value)

    def _forget(self) -> None:
        if self.asking:
            self.system.forget()
            self.system.say("What was known of you is forgotten.")
        self.asking = not self.asking

    # Drawing

    @property
    def _layouts(self) -> dict[str, Callable[[Canvas, int], list[Part]]]:
        return {LOOK: self._look, SYSTEM: self._system, ABOUT: self._about}

    def draw(self, canvas: Canvas) -> None:
        tabs, view = parted_page(canvas.rect, canvas.row)
        share = (tabs.w + 4) // len(PAGES)
        for i, page in enumerate(PAGES):
            box = Rect(tabs.x + i * share, tabs.y, share - 4 if i < 2 else tabs.w - 2 * share, tabs.h)
            canvas.button(page, box, lambda page=page: self._show_page(page), checked=self.page == page)  # type: ignore[misc]
        canvas.fill(Rect(view.x, view.y - 1, view.w, 1), Role.BORDER, "line")
        self._draw_page(canvas, view)

    def _draw_page(self, canvas: Canvas, view: Rect) -> None:
        parts = self._layouts[self.page](canvas, page_room(view))
        height = height_of(parts)
        self._end = max(height - view.h, 0)
        self._names = [part.name for part in parts if part.name]
        self._reveal(canvas, parts, view.h)
        self._scroll_to(self.scroll)
        page = canvas.part(view)
        page.widget("list", "page", view, Touch(wheel=self._wheel), self.page)
        draw_parts(page, parts, self.scroll, self._scroll_to)

    def _reveal(self, canvas: Canvas, parts: Sequence[Part], room: int) -> None:
        """Scroll to what has just got the focus (or another place), with a glimpse of its neighbours for Tab to find. Not where it
        was pressed: it is in sight, and must still be under the pointer when that is released."""
        focused = canvas.sheet.focus.removeprefix(canvas.path + "/")
        if (focused, canvas.sheet.text_size) == (self._focused, self._set_in):
            return
        self._focused, self._set_in = focused, canvas.sheet.text_size
        for part in parts:
            if part.name == focused and canvas.sheet.pressed != canvas.sheet.focus:
                top, bottom = part.rect.y + PAD - canvas.row, part.rect.bottom + PAD + canvas.row
                self.scroll = min(max(self.scroll, bottom - room), top)

    def _look(self, canvas: Canvas, room: int) -> list[Part]:
        style, text_size = self.system.preference("style"), self.system.preference("text_size")
        parts = [*paragraph(canvas, 0, room, "Text size", bold=True)]
        sizes = [(f"Text size {n}", str(n), n == text_size, self._prefer("text_size", n)) for n in TEXT_SIZES]
        parts += _chips(canvas, parts[-1].rect.bottom + 6, room, sizes)
        parts += paragraph(canvas, parts[-1].rect.bottom + 12, room, "Style", bold=True)
        parts += self._cards(canvas, parts[-1].rect.bottom + 6, room, self.system.preference("styles"), style)
        note = "For any other look, tell the ask bar (Ctrl+Space)."
        if style not in self.system.preference("styles"):
            note = f"Now: {style}. {note}"
        return parts + paragraph(canvas, parts[-1].rect.bottom + 12, room, note)

    def _system(self, canvas: Canvas, room: int) -> list[Part]:
        groups = (("Window size", "size", SIZES), ("Mode", "mode", MODES))
        parts: list[Part] = []
        y = 0
        for title, key, values in groups:
            parts += paragraph(canvas, y, room, title, bold=True)
            now = str(self.system.preference(key))
            chips = [(v, v.replace("x", " × "), v == now, self._prefer(key, v)) for v in values]
            parts += _chips(canvas, parts[-1].rect.bottom + 6, room, chips)
            y = parts[-1].rect.bottom + 12
        parts += paragraph(canvas, y, room, "Checkpoint", bold=True)
        y = parts[-1].rect.bottom + 6
        now = str(self.system.preference("checkpoint"))
        for name in self.system.preference("checkpoints"):
            parts.append(_radio_row(canvas, Rect(0, y, room, canvas.row), name, name == now, self._prefer))
            y += canvas.row
        note = "Window size and mode count from the next start, a checkpoint at once."
        parts += paragraph(canvas, y + 8, room, note)
        if loras := self.system.preference("loras"):
            parts += paragraph(canvas, parts[-1].rect.bottom + 12, room, "LoRAs", bold=True)
            for name in loras:
                parts += self._weight(canvas, parts[-1].rect.bottom + 5, room, name, loras)
        return parts

    def _weight(self, canvas: Canvas, y: int, room: int, name: str, loras: Mapping[str, float]) -> list[Part]:
        """A LoRA's name and weight, and two buttons and a slider that change it at once."""
        side, line = canvas.row + 6, Rect(0, y, room, canvas.row)
        value = f"{loras[name]:.2f}"

        def draw(page: Canvas, place: Rect) -> None:
            page.text_in(place._replace(w=place.w - 2 * side - 52), name, Role.INK)
            page.text_in(Rect(place.right - side - 48, place.y, 44, place.h), value, Role.INK, align="centre")
            page.widget("label", name, place, text=f"{name} {value}", value=loras[name])

        parts = [Part(line, draw)]
        for word, sign, x in (("Less", "−", room - 2 * side - 48), ("More", "+", room - side)):
            weight = round(min(max(loras[name] + (-STEP if word == "Less" else STEP), -MOST), MOST), 2)
            click = self._prefer("loras", {**loras, name: weight})

            def button(page: Canvas, place: Rect, word: str = word, sign: str = sign, click: Callable[[], None] = click) -> None:
                page.button(f"{word} {name}", place, click, text=sign)

            parts.append(Part(Rect(x, y, side, canvas.row), button, f"{word} {name}"))

        def slider(page: Canvas, place: Rect) -> None:
            page.slider(f"Weight of {name}", place, loras[name], USUAL, FINE, lambda weight: self.system.prefer("loras", {**loras, name: weight}))

        return [*parts, Part(Rect(0, y + canvas.row + 2, room, canvas.row - 4), slider, f"Weight of {name}")]

    def _about(self, canvas: Canvas, room: int) -> list[Part]:
        return about(canvas, room, self.system.known(), self.asking, self._forget)

    def _cards(self, canvas: Canvas, y: int, room: int, styles: Sequence[str], chosen: str) -> list[Part]:
        """A grid of styles, each a little picture over its name."""
        least = max(PREVIEW[0] + 8, max((width(canvas.face, s) for s in styles), default=0) + 10)
        columns = _columns(len(styles), (room + 6) // (least + 6))
        w = min((room + 6) // columns - 6, least * 3 // 2)
        h = PREVIEW[1] + canvas.line + 11
        parts = []
        for i, style in enumerate(styles):
            box = Rect(i % columns * (w + 6), y + i // columns * (h + 6), w, h)
            parts.append(Part(box, _card(style, style == chosen, self._prefer("style", style)), style))
        return parts


def _columns(count: int, most: int) -> int:
    """How many columns, at most `most`, so that no row is much shorter than the others."""
    rows = -(-count // max(most, 1))
    return max(-(-count // max(rows, 1)), 1)


def _chips(
    canvas: Canvas, y: int, room: int, chips: Sequence[tuple[str, str, bool, Callable[[], None]]]
) -> list[Part]:
    """Toggles of one width in a grid: (name, text, checked, click)."""
    widest = max(width(canvas.face, text) for _, text, _, _ in chips) + 12
    w = min(max(widest, 44), room)
    columns = _columns(len(chips), (room + 6) // (w + 6))
    parts = []
    for i, (name, text, checked, click) in enumerate(chips):
        box = Rect(i % columns * (w + 6), y + i // columns * (canvas.row + 5), w, canvas.row)

        def draw(page: Canvas, place: Rect, name: str = name, text: str = text, on: bool = checked,
                 click: Callable[[], None] = click) -> None:  # fmt: skip
            page.button(name, place, click, text=text, checked=on)

        parts.append(Part(box, draw, name))
    return parts


def _radio_row(
    canvas: Canvas, box: Rect, name: str, chosen: bool, prefer: Callable[[str, str], Callable[[], None]]
) -> Part:
    def draw(page: Canvas, place: Rect) -> None:
        page.list_row(name, place, Touch(click=prefer("checkpoint", name)), icon="ring")
        if chosen:
            page.mark(Rect(place.x + 6, place.y + (place.h - 16) // 2, 16, 16), "radio", Role.ACCENT)

    return Part(box, draw, name)


def _card(style: str, chosen: bool, click: Callable[[], None]) -> Draw:
    def draw(page: Canvas, place: Rect) -> None:
        widget = page.button(style, place, click, text="", checked=chosen)
        picture = Rect(place.x + (place.w - PREVIEW[0]) // 2, place.y + 5, *PREVIEW)
        page.picture(picture, preview(style), ("style", style))
        ink = Role.ACCENT_INK if chosen and "pressed" not in widget.state else Role.INK
        label = Rect(place.x + 3, picture.bottom, place.w - 6, place.bottom - picture.bottom)
        page.text_in(label, style, ink, align="centre")

    return draw


@lru_cache(maxsize=64)
def preview(style: str) -> np.ndarray:
    """A little desktop in the style: uint8 (38, 64, 3). Read only."""
    paints = from_words(style)[0].paints(PREVIEW)
    pixels = paints.ground.copy()
    for x, y, w, h, role in (
        (10, 5, 44, 25, Role.BORDER), (11, 6, 42, 5, Role.TITLE), (11, 11, 42, 18, Role.SURFACE),
        (14, 14, 26, 2, Role.INK), (14, 18, 20, 2, Role.MUTED), (36, 23, 14, 4, Role.ACCENT),
        (0, 34, 64, 4, Role.BAR), (2, 35, 4, 2, Role.ACCENT),
    ):  # fmt: skip
        part = Rect(x, y, w, h)
        pixels[part.slices] = np.clip(np.round(paints.over(role, part)), 0, 255)
    pixels.flags.writeable = False
    return pixels

"""Pages of Settings: what they are pieced together from, where they are seen, and the one that tells what is known of the user."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from engine.desktop.canvas import Canvas
from engine.geometry import Rect
from engine.theme import Role
from engine.typeface import width, wrap

PAD = 10
Draw = Callable[[Canvas, Rect], None]


class Part(NamedTuple):
    """A piece of a page: its rect from the page's top left corner; `name` where it can have the focus."""

    rect: Rect
    draw: Draw
    name: str = ""


def parted_page(window: Rect, row: int) -> tuple[Rect, Rect]:
    """Where the pages' names stand, and a page."""
    tabs = Rect(window.x + PAD, window.y + 8, window.w - 2 * PAD, row)
    return tabs, Rect(window.x, tabs.bottom + 8, window.w, window.bottom - tabs.bottom - 9)


def page_room(view: Rect) -> int:
    """How wide a page's pieces may be where it is seen, pixels."""
    return view.w - 2 * PAD - 8


def height_of(parts: Sequence[Part]) -> int:
    """Of a page with such pieces, pixels."""
    return max((part.rect.bottom for part in parts), default=0) + 2 * PAD


def draw_parts(page: Canvas, parts: Sequence[Part], scroll: int, scroll_to: Callable[[int], None]) -> None:
    """As much of a page's pieces as its view shows."""
    view = page.rect
    for part in parts:
        place = part.rect.shift(view.x + PAD, view.y + PAD - scroll)
        if place.meet(view):
            part.draw(page, place)
    page.scrollbar(Rect(view.right - 12, view.y + 4, 10, view.h - 8), scroll, view.h, height_of(parts), scroll_to)


def about(canvas: Canvas, room: int, known: Sequence[str], asks: bool, forget: Callable[[], None]) -> list[Part]:
    """What is known of the user, and a button that makes `forget` of it; asks: whether it was clicked once."""
    parts = [*paragraph(canvas, 0, room, "What Pixel OS knows", bold=True)]
    for line in known:
        parts += paragraph(canvas, parts[-1].rect.bottom + 5, room, line, ink=Role.INK)
    note = "All of it stays on this machine. Forgetting keeps what you chose in Settings."
    parts += paragraph(canvas, parts[-1].rect.bottom + 12, room, note)
    text = "Click again to forget" if asks else "Forget"
    w = min(width(canvas.face, text) + 24, room)
    box = Rect(0, parts[-1].rect.bottom + 8, w, canvas.row)

    def draw(page: Canvas, place: Rect) -> None:
        page.button("Forget", place, forget, text=text, primary=asks)

    return [*parts, Part(box, draw, "Forget")]


def paragraph(
    canvas: Canvas, y: int, room: int, text: str, *, bold: bool = False, ink: Role = Role.MUTED
) -> list[Part]:
    """A heading or a paragraph from `y` down, wrapped between words."""
    face = canvas.styled("bold") if bold else canvas.face
    ink = Role.INK if bold else ink
    lines = wrap(face, text, room)

    def draw(page: Canvas, place: Rect) -> None:
        for i, line in enumerate(lines):
            page.text_in(Rect(place.x, place.y + i * canvas.line, place.w, canvas.line), line, ink, face)
        page.widget("label", text, place, text=text)

    return [Part(Rect(0, y, room, canvas.line * len(lines)), draw)]

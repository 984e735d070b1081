"""Dark, half-opaque panels with text in aligned columns, drawn at the window's own resolution."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import pygame

from engine.typeface import FILES, font_folder

Rows = Sequence[tuple[str, str]]
Colour = tuple[int, int, int]
PANEL = (14, 16, 22, 242)
TEXT: Colour = (236, 238, 244)
MUTED: Colour = (158, 164, 178)
GOOD: Colour = (120, 220, 150)
BAD: Colour = (255, 150, 120)


def text_size(screen: pygame.Surface) -> int:
    """What suits the window, in window pixels: small windows get a compact text."""
    return min(max(min(screen.get_height() // 46, screen.get_width() // 60), 10), 26)


@lru_cache(maxsize=32)
def font(size: int, weight: str = "regular") -> pygame.font.Font:
    return pygame.font.Font(str(font_folder() / FILES[weight]), size)


def panel(screen: pygame.Surface, box: pygame.Rect) -> None:
    """An empty one."""
    sheet = pygame.Surface(box.size, pygame.SRCALPHA)
    pygame.draw.rect(sheet, PANEL, ((0, 0), box.size), border_radius=6)
    screen.blit(sheet, box.topleft)


def words(screen: pygame.Surface, text: str, colour: Colour, weight: str = "regular", **place: object) -> pygame.Rect:
    """A panel around one line of text; `place` is an anchor of pygame.Rect. Returns where it is."""
    letters = font(text_size(screen), weight).render(text, True, colour)
    box = pygame.Rect(0, 0, letters.get_width() + 14, letters.get_height() + 6)
    for anchor, value in place.items():
        setattr(box, anchor, value)
    box.clamp_ip(screen.get_rect())
    panel(screen, box)
    screen.blit(letters, (box.x + 7, box.y + 3))
    return box


def panel_width(screen: pygame.Surface, text: str) -> int:
    """How wide a panel around one line of text is."""
    return font(text_size(screen)).size(text)[0] + 14


def size(screen: pygame.Surface, rows: Rows) -> tuple[int, int]:
    """Width and height that rows take with all their text."""
    em = text_size(screen)
    right = max(font(em).size(value)[0] for _, value in rows)
    return _name_width(em, rows) + right + 2 * em, len(rows) * _pitch(em) + em


def table(screen: pygame.Surface, rows: Rows, place: tuple[int, int]) -> None:
    """Rows on a panel of their own."""
    width, height = size(screen, rows)
    width = min(width, screen.get_width() - 2 * place[0])
    panel(screen, pygame.Rect(place, (width, height)))
    columns(screen, rows, place, width)


def columns(screen: pygame.Surface, rows: Rows, place: tuple[int, int], width: int) -> None:
    """Names and values in aligned columns, inside a panel of that width."""
    em = text_size(screen)
    left = place[0] + em - 2
    room = width - _name_width(em, rows) - 2 * em
    for i, (name, value) in enumerate(rows):
        y = place[1] + em // 2 + i * _pitch(em)
        colour = GOOD if value.startswith("Saved") else TEXT
        screen.blit(font(em, "bold").render(name, True, MUTED), (left, y))
        screen.blit(font(em).render(cut(font(em), value, room + 2), True, colour), (left + _name_width(em, rows), y))


def wrapped(face: pygame.font.Font, text: str, room: int) -> list[str]:
    """The text in two lines at most, each no wider than `room` pixels."""
    left, first = text.split(), ""
    while left and (not first or face.size(f"{first} {left[0]}")[0] <= room):
        first = f"{first} {left.pop(0)}".strip()
    return [cut(face, line, room) for line in (first, " ".join(left)) if line]


def cut(face: pygame.font.Font, text: str, room: int) -> str:
    """The text, ended with an ellipsis where it is wider than `room` pixels."""
    while len(text) > 4 and face.size(text)[0] > room:
        text = text[:-2].rstrip("… ") + "…"
    return text


def _name_width(em: int, rows: Rows) -> int:
    return max(font(em, "bold").size(name)[0] for name, _ in rows) + em


def _pitch(em: int) -> int:
    return font(em).get_height() + 1

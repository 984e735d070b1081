"""The checkpoint picker: a panel over the frame with a row for each checkpoint and LoRA, worked by keys or by pointer."""

from __future__ import annotations

from dataclasses import dataclass, field

import pygame

from ui.gallery import Card, Gallery
from ui.panel import BAD, GOOD, MUTED, PANEL, TEXT, Colour, cut, font, panel, text_size, wrapped
from ui.wardrobe import ON

CHOSEN: Colour = (44, 50, 66)
EDGE: Colour = (96, 140, 230)
BAR: Colour = (70, 76, 92)
EMPTY: Colour = (34, 38, 48)
FOOT = "↑ ↓  choose     Enter  {}     S  Settings     Escape  close"
SHOTS = 4 / 3  # a picture's width over its height


@dataclass
class Picker:
    """gallery: what there is; chosen: the row that keys work on; ended: "" while it is open, else "closed" or "settings"."""

    gallery: Gallery
    chosen: int = 0
    ended: str = ""
    _first: int = 0  # row at the top
    _rows: list[tuple[pygame.Rect, int]] = field(default_factory=list)  # as drawn last: where, which
    _box: pygame.Rect = field(default_factory=lambda: pygame.Rect(0, 0, 0, 0))

    def __post_init__(self) -> None:
        names = self.gallery.names()
        self.chosen = names.index(self.gallery.painting) if self.gallery.painting in names else 0
        self.gallery.remember()
        self.gallery.expect(True)

    def key(self, name: str) -> None:
        """A key went down."""
        names = self.gallery.names()
        steps = {"up": -1, "down": 1, "tab": 1, "pageup": -4, "pagedown": 4, "home": -len(names), "end": len(names)}
        if name in steps:
            self.chosen = min(max(self.chosen + steps[name], 0), len(names) - 1)
        elif name in ("enter", "space"):
            self.gallery.choose(names[min(self.chosen, len(names) - 1)])
        elif name == "s":
            self.ended = "settings"
        elif name in ("escape", "f2"):
            self.ended = "closed"

    def point(self, at: tuple[int, int], pressed: bool) -> None:
        """The pointer moved, or its left button went down, at window pixels. A press beside the panel closes it."""
        row = next((index for place, index in self._rows if place.collidepoint(at)), None)
        if row is not None:
            self.chosen = row
            if pressed:
                self.gallery.choose(self.gallery.names()[row])
        elif pressed and not self._box.collidepoint(at):
            self.ended = "closed"

    def wheel(self, dy: int) -> None:
        self.chosen = min(max(self.chosen - dy, 0), len(self.gallery.names()) - 1)

    def draw(self, screen: pygame.Surface) -> None:
        cards = self.gallery.cards()
        em = text_size(screen)
        self.chosen = min(self.chosen, len(cards) - 1)
        line = font(em).get_height() + 2
        pitch, head, foot = 4 * line + em // 2, 2 * line, line + em
        shown = max(min((screen.get_height() - 4 * em - head - foot) // pitch, len(cards)), 1)
        self._first = min(max(self._first, self.chosen - shown + 1), self.chosen)
        width = min(max(46 * em, screen.get_width() // 2), screen.get_width() - 2 * em)
        box = pygame.Rect(0, 0, width, head + shown * pitch + foot)
        box.center = screen.get_rect().center
        panel(screen, box)
        self._box, self._rows = box, []
        free = self.gallery.memory
        _line(screen, "Checkpoints", (box.x + em, box.y + em // 2 + 2), TEXT, em + 3, "bold")
        told = f"{_gigabytes(free.free_mb)} of {free.where} free"
        _line(screen, told, (box.right - em - font(em).size(told)[0], box.y + em // 2 + 4), MUTED, em)
        for place, index in enumerate(range(self._first, self._first + shown)):
            row = pygame.Rect(box.x + em // 2, box.y + head + place * pitch, box.w - em, pitch - em // 3)
            self._rows.append((row, index))
            _row(screen, row, cards[index], index == self.chosen, em, free.free_mb)
        if shown < len(cards):
            told = f"{self._first + 1} to {self._first + shown} of {len(cards)}"
            _line(screen, told, (box.right - em - font(em - 1).size(told)[0], box.bottom - line - em // 3), MUTED, em - 1)
        now = cards[self.chosen]
        told = FOOT.format("paint with it" if not now.lora else "take it off" if now.state == ON else "put it on")
        _line(screen, cut(font(em - 1), told, box.w - 2 * em), (box.x + em, box.bottom - line - em // 3), MUTED, em - 1)


def _row(screen: pygame.Surface, row: pygame.Rect, card: Card, chosen: bool, em: int, free_mb: float) -> None:
    """One checkpoint: its picture, what it is, what it needs, how it is."""
    if chosen:
        pygame.draw.rect(screen, CHOSEN, row, border_radius=5)
        pygame.draw.rect(screen, EDGE, row, 1, border_radius=5)
    pad = em // 3
    shot = pygame.Rect(row.x + pad, row.y + pad, round((row.h - 2 * pad) * SHOTS), row.h - 2 * pad)
    _picture(screen, shot, card, em)
    line = font(em).get_height() + 2
    x, y, room = shot.right + em, row.y + pad, row.right - shot.right - 2 * em
    badge = font(em, "bold").size(card.state)[0] if card.state else 0
    known = card.facts
    _line(screen, cut(font(em, "bold"), known.name, room - badge - em), (x, y), TEXT, em, "bold")
    if card.state:
        colour = {"painting": GOOD, ON: GOOD, "refused": BAD}.get(card.state, TEXT)
        _line(screen, card.state, (row.right - em - badge, y), colour, em, "bold")
    if card.why:
        for part in wrapped(font(em - 1), card.why, room):
            y += line
            _line(screen, part, (x, y), BAD, em - 1)
        return
    y += line
    sizes = [known.family, _count(known.parameters), f"{known.megabytes:,.0f} MB" if known.megabytes else "", known.licence and f"see {known.licence}"]
    told = "   ".join(part for part in sizes if part) or "being looked at …"
    _line(screen, cut(font(em), told, room), (x, y), MUTED, em)
    y += line
    if card.share is not None:
        bar = pygame.Rect(x, y + line // 2 - 3, room, 6)
        pygame.draw.rect(screen, BAR, bar, border_radius=3)
        pygame.draw.rect(screen, EDGE, (bar.x, bar.y, max(round(bar.w * card.share), 6), bar.h), border_radius=3)
    elif known.needs_mb:
        fits = card.state in ("painting", "kept ready") or known.needs_mb <= free_mb
        told = f"needs {_gigabytes(known.needs_mb)}" + ("" if fits else f" of {_gigabytes(free_mb)}") + f"   {known.plan.partition(':')[0]}"
        _line(screen, cut(font(em), told, room), (x, y), MUTED if fits else BAD, em)
    elif known.plan:
        _line(screen, cut(font(em), known.plan.partition(":")[0], room), (x, y), MUTED, em)
    if card.gave_up:
        told = f"memory ran short: {card.gave_up[-1]}"
        _line(screen, cut(font(em - 1), told, room), (x, y + line), BAD, em - 1)


def _picture(screen: pygame.Surface, shot: pygame.Rect, card: Card, em: int) -> None:
    """Its last frame, or that there is none."""
    if card.picture is None:
        pygame.draw.rect(screen, EMPTY, shot, border_radius=3)
        told = font(em - 2).render("LoRA" if card.lora else "not seen yet", True, MUTED)
        screen.blit(told, told.get_rect(center=shot.center))
        return
    height, width = card.picture.shape[:2]
    small = pygame.image.frombuffer(card.picture.tobytes(), (width, height), "RGB")
    screen.blit(pygame.transform.smoothscale(small, shot.size), shot)
    pygame.draw.rect(screen, PANEL[:3], shot, 1)


def _line(screen: pygame.Surface, text: str, place: tuple[int, int], colour: Colour, em: int, weight: str = "regular") -> None:
    screen.blit(font(em, weight).render(text, True, colour), place)


def _count(parameters: int) -> str:
    if not parameters:
        return ""
    return f"{parameters / 1e9:.1f} B parameters" if parameters >= 1e9 else f"{parameters / 1e6:.1f} M parameters"


def _gigabytes(megabytes: float) -> str:
    return f"{megabytes / 1000:.1f} GB"

"""Panels the window draws over everything: the HUD, the list of keys, and the one-line status."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import psutil
import pygame

from engine.session import Session
from engine.settings import Keys
from engine.styles import from_words
from engine.typeface import FILES, font_folder
from ui.view import View

PANEL = (14, 16, 22, 222)
TEXT, MUTED, GOOD, BAD = (236, 238, 244), (158, 164, 178), (120, 220, 150), (255, 150, 120)


class Panels:
    """Fonts and what is cached between frames."""

    def __init__(self) -> None:
        path = str(font_folder() / FILES["regular"])
        self._font = pygame.font.Font(path, 13)
        self._bold = pygame.font.Font(str(font_folder() / FILES["bold"]), 13)
        self._process = psutil.Process()

    def hud(self, screen: pygame.Surface, session: Session, view: View, fps: float) -> None:
        """Painter, mode, timings, counts, what is saved; outlines of the last damage."""
        numbers = session.statistics
        for rect in numbers.damage:
            x, y = view.to_window(rect.x, rect.y)
            size = (round(rect.w * view.scale), round(rect.h * view.scale))
            pygame.draw.rect(screen, (255, 90, 90), ((x, y), size), 1)
        info = session.mailbox.info
        recent = numbers.latencies[-100:]
        rows = [("painter", session.label)]
        if info is not None:
            rows.append(("device", f"{info.device}, {info.dtype}, {info.steps} step{'s' * (info.steps != 1)}"))
        if recent:
            rows.append(("event to patch", f"p50 {np.percentile(recent, 50):.0f} ms, p95 {np.percentile(recent, 95):.0f} ms"))
        stages = ", ".join(f"{k} {v:.0f}" for k, v in numbers.ms.items() if k != "total" and v >= 0.5)
        rows += [
            ("stages, ms", stages or "—"),
            ("frames", f"{numbers.painted} painted, {numbers.cached} cached, {numbers.skipped} skipped"),
            ("repaired", f"{numbers.repaired} glyphs"),
            ("saved", saved_words(session)),
            ("memory", f"{self._memory():.0f} MB, {fps:.0f} fps"),
        ]
        unknown = from_words(session.desktop.style_words)[1]
        if unknown:
            rows.append(("no idea of", ", ".join(unknown)))
        self._table(screen, rows, (8, 8))

    def help(self, screen: pygame.Surface, keys: Keys) -> None:
        """The list of keys, centred."""
        rows = [
            (keys.ask, "ask bar: an app, or what it should look like"), (keys.help, "this list"),
            (keys.checkpoints, "Settings: style, text size, checkpoint"), (keys.hud, "HUD: painter, mode, timings, damage"), (keys.fullscreen, "full screen"),
            (keys.more_like_this, "more of this look"), (keys.less_like_this, "less of this look"),
            ("alt+tab", "next window"), ("ctrl+w", "close the window"), ("alt+m", "minimise"),
            ("alt+enter", "maximise"), ("alt+arrows", "move the window"), ("alt+shift+arrows", "resize it"),
            ("f6, tab", "next control"), ("shift+f10", "menu of what has the focus"), (keys.quit, "end; everything is kept"),
        ]  # fmt: skip
        size = self._size(rows)
        place = ((screen.get_width() - size[0]) // 2, (screen.get_height() - size[1]) // 2)
        self._table(screen, rows, place)

    def status(self, screen: pygame.Surface, lines: Sequence[str]) -> None:
        """Short lines at the top right: that the guide is shown, that something cannot be saved."""
        y = 6
        for line in lines:
            words = self._bold.render(self._cut(line, screen.get_width() - 32), True, BAD)
            box = pygame.Rect(screen.get_width() - words.get_width() - 22, y, words.get_width() + 16, words.get_height() + 8)
            self._panel(screen, box)
            screen.blit(words, (box.x + 8, box.y + 4))
            y = box.bottom + 4

    def _table(self, screen: pygame.Surface, rows: Sequence[tuple[str, str]], place: tuple[int, int]) -> None:
        width, height = self._size(rows)
        width = min(width, screen.get_width() - place[0] - 8)
        self._panel(screen, pygame.Rect(place, (width, height)))
        left = max(self._bold.size(name)[0] for name, _ in rows) + 14
        for i, (name, value) in enumerate(rows):
            y = place[1] + 8 + i * (self._font.get_height() + 3)
            colour = GOOD if value == "Saved" else TEXT
            screen.blit(self._bold.render(name, True, MUTED), (place[0] + 10, y))
            screen.blit(self._font.render(self._cut(value, width - left - 20), True, colour), (place[0] + 10 + left, y))

    def _size(self, rows: Sequence[tuple[str, str]]) -> tuple[int, int]:
        left = max(self._bold.size(name)[0] for name, _ in rows) + 14
        right = max(self._font.size(value)[0] for _, value in rows)
        return left + right + 20, len(rows) * (self._font.get_height() + 3) + 14

    def _panel(self, screen: pygame.Surface, box: pygame.Rect) -> None:
        sheet = pygame.Surface(box.size, pygame.SRCALPHA)
        pygame.draw.rect(sheet, PANEL, ((0, 0), box.size), border_radius=7)
        screen.blit(sheet, box.topleft)

    def _cut(self, text: str, room: int) -> str:
        while len(text) > 4 and self._font.size(text)[0] > room:
            text = text[:-2].rstrip("… ") + "…"
        return text

    def _memory(self) -> float:
        family = [self._process, *self._process.children(recursive=True)]
        total = 0
        for process in family:
            try:
                total += process.memory_info().rss
            except psutil.Error:
                continue  # it ended while we looked
        return total / 1e6


def saved_words(session: Session) -> str:
    """ "Saved" only when the journal has committed everything."""
    keeper = session.keeper
    if keeper is None:
        return "nothing is kept: no profile"
    if keeper.troubles:
        return keeper.troubles[0]
    return "Saved" if keeper.saved_seq == keeper.last_seq else f"Saving… {keeper.saved_seq} of {keeper.last_seq}"


def status_lines(session: Session) -> list[str]:
    """What must be said whether or not the HUD is shown."""
    info = session.mailbox.info
    guide = [session.label] if session.mailbox.status.state not in ("ready", "painting") or info is None else []
    return [*guide, *(session.keeper.troubles if session.keeper else [])]

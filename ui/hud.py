"""Panels the window draws over everything: the HUD, the list of keys, the labels that are always there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import psutil
import pygame

from engine.desktop.looks import look
from engine.geometry import Rect
from engine.scene import Widget
from engine.session import ABSENT, Session, Statistics
from engine.settings import Keys
from ui.panel import (
    BAD,
    GOOD,
    TEXT,
    columns,
    font,
    panel,
    panel_width,
    size,
    table,
    text_size,
    words,
    wrapped,
)
from ui.view import View

DAMAGE = (255, 90, 90)
FADE_S = 0.6  # how long the outline of a damage is to be seen
MEMORY_S = 1.0  # how often the processes are asked for their memory: that takes milliseconds
SETTLED_S, SAVED_S, SLOW_S = 0.4, 2.5, 0.5  # after the last key: "Saved" from, until; how long until saving is slow
LABEL_SHARE = 0.62  # of the frame's width: between the icons and a window's buttons


@dataclass
class SavedMark:
    """The word beside the clock after something was typed: "Saved" once it is, "Saving…" where that takes long."""

    typed: float | None = None  # when, as long as "Saved" is still to be said
    _awaited: int = 0  # the event whose saving is timed
    _since: float = 0.0

    def word(self, session: Session, now: float) -> str:
        """What to show now. Nothing while keys follow one another, so that it does not flicker."""
        keeper = session.keeper
        if keeper is None or keeper.troubles:
            return ""
        saved, last = keeper.saved_seq, keeper.last_seq
        if saved >= self._awaited:
            self._awaited, self._since = last, now
        settled = self.typed is not None and now - self.typed >= SETTLED_S
        if saved < last:
            late = now - self._since >= SLOW_S
            if late:
                self.typed = now - SETTLED_S
            elif settled:
                self.typed = None
            return "Saving…" if late else ""
        return "Saved" if self.typed is not None and settled and now - self.typed <= SAVED_S else ""


@dataclass
class Panels:
    """Draws them; keeps what must be known between two drawings."""

    _outlines: list[tuple[float, Rect]] = field(default_factory=list)  # when, where
    _memory: tuple[float, str] = (-MEMORY_S, "")
    _process: psutil.Process = field(default_factory=psutil.Process)

    def damaged(self, rects: Sequence[Rect], now: float) -> None:
        """Remember damage for its outline."""
        self._outlines = [(when, rect) for when, rect in self._outlines if now - when < FADE_S and rect not in rects]
        self._outlines += [(now, rect) for rect in rects]

    def hud(self, screen: pygame.Surface, session: Session, view: View, fps: int, now: float, away: str = "") -> None:
        """Painter, mode, timings, counts, what is saved, who is away; outlines of recent damage."""
        for when, rect in self._outlines:
            left = 1 - (now - when) / FADE_S
            if left > 0:
                _outline(screen, view, rect, round(255 * left))
        rows = [*hud_rows(session), *([("away", away)] if away else []), ("memory", self._memory_words(now)), ("frame rate", f"{fps} a second")]
        table(screen, rows, (8, 8))

    def help(self, screen: pygame.Surface, keys: Keys) -> None:
        """The list of keys, centred, in two blocks."""
        rows = key_rows(keys)
        half = -(-len(rows) // 2)
        blocks = [rows[:half], rows[half:]]
        sizes = [size(screen, block) for block in blocks]
        width, height = sum(w for w, _ in sizes), max(h for _, h in sizes)
        x, y = max((screen.get_width() - width) // 2, 0), max((screen.get_height() - height) // 2, 0)
        panel(screen, pygame.Rect(x, y, min(width, screen.get_width()), height))
        for block, (w, _) in zip(blocks, sizes, strict=True):
            columns(screen, block, (x, y), w)
            x += w

    def labels(self, screen: pygame.Surface, lines: Sequence[str], view: View) -> None:
        """What must be said whether or not the HUD is shown, at the top."""
        x, y, width, _ = view.place
        top, face = y + 6, font(text_size(screen), "bold")
        for line in lines:
            for part in wrapped(face, line, round(width * LABEL_SHARE)):
                top = words(screen, part, BAD, "bold", midtop=(x + width // 2, top)).bottom + 2

    def progress(self, screen: pygame.Surface, line: str, view: View) -> None:
        """How far an edit is, at the lower edge of the frame; nothing where none is under way."""
        x, y, width, height = view.place
        bottom, face = y + height - 8, font(text_size(screen), "bold")
        for part in reversed(wrapped(face, line, round(width * 0.9))) if line else ():
            bottom = words(screen, part, TEXT, "bold", midbottom=(x + width // 2, bottom)).y - 2

    def marks(self, screen: pygame.Surface, marks: Sequence[str], widgets: Sequence[Widget], frame: tuple[int, int], view: View) -> None:
        """Short words in the taskbar, left of the clock; above it, and above a notice, where windows' buttons leave them no room. widgets: what is on
        the screen, whose `frame` is so large."""
        bar = {widget.name: widget.rect for widget in widgets if widget.path.startswith("taskbar/")}
        clock = bar.pop("clock", Rect(frame[0] - 8, frame[1] - 24, 8, 16))  # else a picture covers the taskbar
        right, middle = view.to_window(clock.x, clock.y + clock.h / 2)
        taken = view.to_window(max((rect.right for rect in bar.values()), default=0), 0)[0]
        if right - sum(panel_width(screen, mark) + 4 for mark in marks) < taken:
            below = next((widget.rect for widget in widgets if widget.name == "notice"), next(iter(bar.values()), clock).grow(4))
            right, middle = view.to_window(frame[0] - 4, below.y - 12)
        for mark in marks:
            right = words(screen, mark, GOOD if mark == "Saved" else TEXT, midright=(right, middle)).x - 4

    def _memory_words(self, now: float) -> str:
        if now - self._memory[0] >= MEMORY_S:
            own, others = _megabytes([self._process]), _megabytes(self._process.children(recursive=True))
            self._memory = now, f"{own:.0f} MB here, {others:.0f} MB in painters' processes"
        return self._memory[1]


def hud_rows(session: Session) -> list[tuple[str, str]]:
    """What the HUD says, but for what is measured outside the session: (name, value)."""
    numbers, info = session.statistics, session.mailbox.info
    rows = [("painter", session.label)]
    if info is not None:
        checkpoint = f"{info.name} {info.sha256[:12]}".strip()
        rows.append(("checkpoint", f"{checkpoint}, {info.mode}, {info.steps} step{'s' * (info.steps != 1)}"))
        if loras := session.desktop.loras:
            rows.append(("LoRAs", ", ".join(f"{name} {weight:g}" for name, weight in loras.items())))
        threads = f"{info.threads} thread{'s' * (info.threads != 1)}" if info.threads else ""
        rows.append(("device", ", ".join(filter(None, (info.device, info.dtype, info.compiler, threads)))))
        if info.plan:
            rows.append(("memory plan", info.plan))
        if info.gave_up:
            rows.append(("memory ran short", "; ".join(info.gave_up)))
    if (readiness := getattr(session.mailbox, "readiness", None)) is not None:
        rows.append((readiness.what, str(readiness)))
    if (swap := getattr(session.mailbox, "latest", None)) is not None and swap.under_way:
        rows.append(("next", f"{swap.spec.checkpoint}, {100 * swap.share:.0f} % read"))
    if caps := str(getattr(session.mailbox, "caps", "")):
        rows.append(("at most", caps))
    if recent := numbers.latencies[-100:]:
        low, high = np.percentile(recent, (50, 95))
        rows.append(("event to patch", f"p50 {low:.0f} ms, p95 {high:.0f} ms"))
    stages = ", ".join(f"{k} {v:.0f}" for k, v in numbers.ms.items() if k != "total" and v >= 0.5)
    shown = f", {numbers.guide} guide" if numbers.guide else ""
    rows += [
        ("stages, ms", stages or "—"),
        ("frames", f"{numbers.painted} painted, {numbers.cached} cached, {numbers.skipped} skipped{shown}"),
        *([("frame cache", cache_words(numbers))] if numbers.looked_up else []),
        ("repaired", f"{numbers.repaired} glyph{'s' * (numbers.repaired != 1)}"),
        ("journal", saved_words(session)),
    ]
    if unknown := look(session.desktop.style_words, session.desktop.documents)[1]:
        rows.append(("no idea of", ", ".join(unknown)))
    return rows


def key_rows(keys: Keys) -> list[tuple[str, str]]:
    """Every key and what it does."""
    own = [
        (keys.ask, "ask bar: an app, a look, a change"), (keys.region, "a part to change"), (keys.help, "this list"),
        (keys.checkpoints, "checkpoints: which one paints"),
        (keys.hud, "HUD: painter and timings"), (keys.more_like_this, "more like this look"),
        (keys.less_like_this, "less like this look"), (keys.give_back, "give the card's memory back"), (keys.fullscreen, "full screen"), (keys.quit, "end; all is kept"),
    ]  # fmt: skip
    windows = [
        ("alt+tab", "next window"), ("alt+arrows", "move the window"), ("alt+shift+arrows", "resize it"),
        ("alt+enter", "maximise"), ("alt+m", "minimise"), ("ctrl+w", "close it"), ("tab, f6", "next control"),
        ("shift+tab", "the one before"), ("shift+f10", "its menu"),
    ]  # fmt: skip
    writing = [
        ("ctrl+c, x, v", "copy, cut, paste"), ("ctrl+a", "select all"), ("ctrl+z, y", "undo, redo"),
        ("ctrl+f", "find, in Notes"), ("enter, space", "press a button"), ("escape", "close bar or menu"),
    ]  # fmt: skip
    return [(written(key), does) for key, does in (*own, *writing, *windows)]


def cache_words(numbers: Statistics) -> str:
    """How often the frame cache knew what was to be painted, and how often it had been painted ahead."""
    ahead = f", {numbers.needed} more had been painted ahead" if numbers.needed else ""
    return f"{numbers.found / numbers.looked_up:.0%} of {numbers.looked_up} patches were known{ahead}"


def saved_words(session: Session) -> str:
    """ "Saved" only when the journal has committed everything."""
    keeper = session.keeper
    if keeper is None:
        return "nothing is kept: no profile"
    if keeper.troubles:
        return keeper.troubles[0]
    saved, last = keeper.saved_seq, keeper.last_seq
    return f"Saved, {saved} of {last}" if saved == last else f"Saving… {saved} of {last}"


def guide_shown(session: Session) -> bool:
    """Whether the guide is on the screen rather than a painter's work."""
    info = session.mailbox.info
    return info is None or info.family == "guide" or session.mailbox.status.state in ABSENT


def warnings(session: Session, recording: str | None = None) -> list[str]:
    """What must be said whether or not the HUD is shown: why no painter paints, what cannot be kept."""
    info = session.mailbox.info
    absent = [session.label] if info is None or session.mailbox.status.state in ABSENT else []
    noted = [info.note] if info is not None and info.note else []
    return [*absent, *noted, *(session.keeper.troubles if session.keeper else []), *([recording] if recording else [])]


def _outline(screen: pygame.Surface, view: View, rect: Rect, strength: int) -> None:
    size = max(round(rect.w * view.scale), 1), max(round(rect.h * view.scale), 1)
    sheet = pygame.Surface(size, pygame.SRCALPHA)
    pygame.draw.rect(sheet, (*DAMAGE, strength), ((0, 0), size), 1)
    screen.blit(sheet, view.to_window(rect.x, rect.y))


def written(keys: str) -> str:
    """Keys such as "ctrl+space" as people write it: "Ctrl+Space"."""
    return ", ".join("+".join(part[:1].upper() + part[1:] for part in key.split("+")) for key in keys.split(", "))


def _megabytes(processes: Sequence[psutil.Process]) -> float:
    total = 0
    for process in processes:
        try:
            total += process.memory_info().rss
        except psutil.Error:
            continue  # it ended while we looked
    return total / 1e6

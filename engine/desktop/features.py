"""What a desktop tells of itself to who paints it: the context as numbers, and to who dreams, what is open."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.desktop import shell
from engine.desktop.apps.registry import APPS
from engine.desktop.window import Window
from engine.open_work import Work
from engine.painter import ContextFeatures
from engine.styles import Style

if TYPE_CHECKING:
    from engine.desktop.desktop import Desktop

LARGEST = 2**20  # characters or bytes of a document that is told of as open work


def features_of(desktop: Desktop, style: Style, work: bool) -> ContextFeatures:
    """As of `Desktop.features`."""
    windows, (width, height) = desktop.stack.windows, desktop.size
    placed = [
        (w.name, (w.rect.x / width, w.rect.y / height, w.rect.w / width, w.rect.h / height))
        for w in reversed(windows) if not w.minimised
    ]  # fmt: skip
    names = [w.name for w in windows]
    numbers = desktop.context.features(style, desktop.text_size, list(APPS), names, desktop.now.hour, placed)
    if not work:
        return numbers
    told, bar = tuple(_work(desktop, window) for window in windows), desktop.ask_bar
    asked = bar.asked() if bar else None
    menu = desktop.menu.offered() if desktop.menu else None
    icon = desktop.router.focus.partition("/")[2] if not desktop.stack.front and not bar else ""
    return replace(numbers, work=told, clock=shell.clock_label(desktop.now), notice=desktop.notice, asked=asked, menu=menu, icon=icon)


def _work(desktop: Desktop, window: Window) -> Work:
    """What is open in a window."""
    app, name = window.app, window.app.shown_document() or ""
    content = desktop.documents.contents.get(name)
    if content is not None and len(content) > LARGEST:
        content = None
    slot, title = list(APPS).index(window.name), window.title or window.name
    rect = None if window.minimised else window.rect
    focus = desktop.router.focus.removeprefix(f"{window.name}/") if window is desktop.stack.front and not desktop.ask_bar else ""
    return Work(
        slot, name, title, content, app.shown_page(), tuple(app.listed()), app.scrolled(), app.chosen, app.in_field(), rect, app.in_text(), focus,
        app.asking,
    )  # fmt: skip

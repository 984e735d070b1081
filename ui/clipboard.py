"""Text that goes to other programs and comes from them: SDL's clipboard, which takes no tool on X11, Wayland and Windows.

What they copied is looked at only when somebody is about to paste, and reaches the desktop as an event: so it is in the journal
and in traces, and what nobody pastes is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from time import monotonic

import pygame

from engine.desktop.desktop import Desktop
from engine.events import Clip, Down, Event, Key, Up

LARGEST = 2**20  # characters that go out or come in: a paste is a line of the journal, and X hands over little more in one piece
SLOW_S = 0.9  # SDL gives up after a second on who holds the clipboard, and empties it, so that it happens once
PASTES, MENU = {("v", ("ctrl",)), ("insert", ("shift",))}, ("f10", ("shift",))  # keys
REFUSED = "nothing was pasted"


def may_paste(events: Sequence[Event], desktop: Desktop) -> bool:
    """Whether some of them paste, may choose that in a menu, or open one, which offers it where there is something to paste."""
    menu, nothing = desktop.menu, not desktop.clipboard
    offered = menu is not None and any(name == "Paste" for name, _ in menu.entries)
    for event in events:
        if isinstance(event, Key):
            pressed = event.key, event.mods
            if offered or pressed in PASTES or (pressed == MENU and nothing):
                return True
        elif (isinstance(event, Up) and offered) or (isinstance(event, Down) and event.button == "right" and nothing):
            return True
    return False


class Clipboard:
    """Keeps one desktop's clipboard and the system's in step: what was copied last, here or there, is what both paste."""

    def __init__(self, desktop: Desktop) -> None:
        self._desktop = desktop
        self._copies = desktop.copies  # of which the system was told
        self._known = _sayable(desktop.clipboard)  # the system's text when the two were in step last

    def give(self) -> None:
        """What was copied here since the last call goes to other programs."""
        if self._desktop.copies == self._copies:
            return
        self._copies, text = self._desktop.copies, _sayable(self._desktop.clipboard)
        if len(text) > LARGEST:  # what they copied before is no longer what was copied last
            self._desktop.say(f"What was copied can be pasted here alone: other programs get at most {LARGEST:,} characters.")
            text = ""
        with suppress(pygame.error):
            pygame.scrap.put_text(text)
            self._known = text

    def take(self, t: float) -> list[Event]:
        """What another program copied since, as an event at `t`; nothing where that is no text. What cannot be had is said, and then
        there is nothing to paste: what was copied here before is not what is meant. Takes a second at most."""
        text, trouble = _read()
        if trouble:
            self._desktop.say(trouble)
        elif not text or text == self._known:
            return []
        self._known = text
        self._copies += 1  # the event fills the desktop's clipboard, with what the system has
        return [Clip(t, text)]


def _read() -> tuple[str, str]:
    """The system's text, and why it cannot be had."""
    begun = monotonic()
    try:
        text = pygame.scrap.get_text().replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        return "", f"The clipboard's text is not UTF-8: {REFUSED}. Copy it as plain text."
    except pygame.error:
        text = ""
    if not text and monotonic() - begun > SLOW_S:
        return "", f"The program that holds the clipboard does not hand it over: {REFUSED}. Copy less at once, or anew."
    if len(text) > LARGEST:
        return "", f"The clipboard holds more than {LARGEST:,} characters: {REFUSED}. Copy less at once."
    return text, ""


def _sayable(text: str) -> str:
    """The text as other programs can be given it: UTF-8 has no halves of surrogate pairs, and C ends a text at a zero."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")

"""Input put where the system puts a user's: for programs that drive the real window. Positions are window pixels."""

from __future__ import annotations

import pygame


def move(to: tuple[int, int]) -> None:
    pygame.event.post(pygame.event.Event(pygame.MOUSEMOTION, pos=to))


def button(down: bool, at: tuple[int, int]) -> None:
    """The left one."""
    kind = pygame.MOUSEBUTTONDOWN if down else pygame.MOUSEBUTTONUP
    pygame.event.post(pygame.event.Event(kind, pos=at, button=pygame.BUTTON_LEFT))


def wheel(notches: int) -> None:
    pygame.event.post(pygame.event.Event(pygame.MOUSEWHEEL, y=notches))


def press(key: str, ctrl: bool = False) -> None:
    """A key by pygame's name of it, down and up; it writes nothing."""
    _press(pygame.key.key_code(key), pygame.KMOD_LCTRL if ctrl else 0, "")


def write(text: str) -> None:
    """Letter by letter, as a keyboard does."""
    for letter in text:
        _press(ord(letter), 0, letter)


def _press(key: int, mod: int, text: str) -> None:
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key, mod=mod, unicode=text, scancode=0))
    if text:
        pygame.event.post(pygame.event.Event(pygame.TEXTINPUT, text=text))
    pygame.event.post(pygame.event.Event(pygame.KEYUP, key=key, mod=mod, scancode=0))

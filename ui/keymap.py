"""From pygame's keys and buttons to the contract's."""

from __future__ import annotations

import pygame

from engine.events import Event, Key

NAMED: dict[int, str] = {
    pygame.K_RETURN: "enter", pygame.K_KP_ENTER: "enter", pygame.K_ESCAPE: "escape", pygame.K_TAB: "tab",
    pygame.K_BACKSPACE: "backspace", pygame.K_DELETE: "delete", pygame.K_INSERT: "insert", pygame.K_LEFT: "left",
    pygame.K_RIGHT: "right", pygame.K_UP: "up", pygame.K_DOWN: "down", pygame.K_HOME: "home", pygame.K_END: "end",
    pygame.K_PAGEUP: "pageup", pygame.K_PAGEDOWN: "pagedown",
    **{getattr(pygame, f"K_F{n}"): f"f{n}" for n in range(1, 13)},
}  # fmt: skip
TYPED: dict[int, str] = {
    pygame.K_SPACE: "space",
    **{pygame.K_KP0 + n if n == 0 else pygame.K_KP1 + n - 1: str(n) for n in range(10)},
    pygame.K_KP_PLUS: "+", pygame.K_KP_MINUS: "-", pygame.K_KP_MULTIPLY: "*", pygame.K_KP_DIVIDE: "/",
    pygame.K_KP_PERIOD: ".",
}  # fmt: skip
BUTTONS = {1: "left", 2: "middle", 3: "right"}


def mods_of(mask: int) -> tuple[str, ...]:
    """Modifier names of pygame's mask, in the contract's order. The right Alt key writes letters on many layouts."""
    held = (("ctrl", pygame.KMOD_CTRL), ("shift", pygame.KMOD_SHIFT), ("alt", pygame.KMOD_LALT), ("meta", pygame.KMOD_META))
    return tuple(name for name, bit in held if mask & bit)


def key_of(code: int) -> str:
    """The contract's name of a pygame key; "" for a key that has none."""
    name = NAMED.get(code) or TYPED.get(code)
    if name is None and 32 < code < 127:
        name = chr(code).lower()
    return name or ""


def key_event(event: pygame.event.Event, t: float) -> Event | None:
    """A KEYDOWN as a Key event; None where the same key also comes as text."""
    key, mods = key_of(event.key), mods_of(event.mod)
    writes = event.key not in NAMED and not {"ctrl", "alt", "meta"} & set(mods)
    return None if not key or writes else Key(t, key, mods)

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
    **{getattr(pygame, f"K_KP{n}"): str(n) for n in range(10)},
    pygame.K_KP_PLUS: "+", pygame.K_KP_MINUS: "-", pygame.K_KP_MULTIPLY: "*", pygame.K_KP_DIVIDE: "/",
    pygame.K_KP_PERIOD: ".", pygame.K_KP_EQUALS: "=",
}  # fmt: skip
WITHOUT_NUM_LOCK: dict[int, str] = {
    pygame.K_KP0: "insert", pygame.K_KP1: "end", pygame.K_KP2: "down", pygame.K_KP3: "pagedown",
    pygame.K_KP4: "left", pygame.K_KP6: "right", pygame.K_KP7: "home", pygame.K_KP8: "up",
    pygame.K_KP9: "pageup", pygame.K_KP_PERIOD: "delete",
}  # fmt: skip
# Where the Latin letters and digits are on a keyboard that writes others: Ctrl+C is where it always was.
PLACES: dict[int, str] = {
    **{pygame.KSCAN_A + n: chr(ord("a") + n) for n in range(26)},
    **{pygame.KSCAN_1 + n: str((n + 1) % 10) for n in range(10)},
}
BUTTONS = {1: "left", 2: "middle", 3: "right"}
SHORTCUT = frozenset(("ctrl", "alt", "meta"))  # with one of these a key writes nothing


def mods_of(mask: int) -> tuple[str, ...]:
    """Modifier names of pygame's mask, in the contract's order.

    The right Alt key writes letters on many layouts; Windows presses the left Ctrl along with it.
    """
    writes = mask & (pygame.KMOD_RALT | pygame.KMOD_MODE)
    ctrl = pygame.KMOD_RCTRL if writes else pygame.KMOD_CTRL
    held = (("ctrl", ctrl), ("shift", pygame.KMOD_SHIFT), ("alt", pygame.KMOD_LALT), ("meta", pygame.KMOD_META))
    return tuple(name for name, bit in held if mask & bit)


def key_of(code: int, scancode: int = 0, num_lock: bool = True) -> str:
    """The contract's name of a pygame key and its place on the keyboard; "" where it has none."""
    if code in NAMED:
        return NAMED[code]
    if code in WITHOUT_NUM_LOCK and not num_lock:
        return WITHOUT_NUM_LOCK[code]
    if code in TYPED:
        return TYPED[code]
    return chr(code).lower() if 32 < code < 127 else PLACES.get(scancode, "")


def name_of(event: pygame.event.Event) -> str:
    """The contract's name of a KEYDOWN's key. A key that writes has Num Lock on, whatever the system says of it."""
    num_lock = bool(event.mod & pygame.KMOD_NUM or getattr(event, "unicode", ""))
    return key_of(event.key, getattr(event, "scancode", 0), num_lock)


def key_event(event: pygame.event.Event, t: float) -> Event | None:
    """A KEYDOWN as a Key event; None where the same key also comes as text."""
    key, mods = name_of(event), mods_of(event.mod)
    writes = (len(key) == 1 or key == "space") and not SHORTCUT & set(mods)
    return None if not key or writes else Key(t, key, mods)

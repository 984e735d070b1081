"""The editing keys that every text has in common, and the entries of its context menu."""

from __future__ import annotations

from collections.abc import Callable

from engine.desktop.app import System
from engine.desktop.text_buffer import TextBuffer


def edit(buffer: TextBuffer, system: System, key: str, mods: tuple[str, ...]) -> bool:
    """Left, right, backspace, delete, and Ctrl with A C X V Z Y. False for keys that mean nothing here."""
    if set(mods) - {"ctrl", "shift"}:
        return False
    ctrl, shift = "ctrl" in mods, "shift" in mods
    if key in ("left", "right"):
        buffer.step(-1 if key == "left" else 1, ctrl, shift)
    elif key == "backspace":
        buffer.backspace(ctrl)
    elif key == "delete":
        if shift and buffer.selected:
            copy(buffer, system, cut=True)
        else:
            buffer.delete(ctrl)
    elif key == "insert" and ctrl != shift:
        if ctrl:
            copy(buffer, system)
        else:
            buffer.insert(system.clipboard)
    elif ctrl and (key, shift) in (("z", True), ("y", False)):
        buffer.redo()
    elif ctrl and not shift and key in "acxvz":
        _command(buffer, system, key)
    else:
        return False
    return True


def copy(buffer: TextBuffer, system: System, cut: bool = False) -> None:
    """The selection to the clipboard; without one the clipboard stays as it is."""
    if buffer.selected:
        system.clipboard = buffer.cut() if cut else buffer.selected


def menu(buffer: TextBuffer, system: System) -> list[tuple[str, Callable[[], None]]]:
    """What the context menu of a text offers: only what would do something."""
    entries: list[tuple[str, Callable[[], None]]] = []
    if buffer.selected:
        entries = [("Cut", lambda: copy(buffer, system, cut=True)), ("Copy", lambda: copy(buffer, system))]
    if system.clipboard:
        entries.append(("Paste", lambda: buffer.insert(system.clipboard)))
    if buffer.text:
        entries.append(("Select all", buffer.select_all))
    return entries


def _command(buffer: TextBuffer, system: System, key: str) -> None:
    if key == "a":
        buffer.select_all()
    elif key == "v":
        buffer.insert(system.clipboard)
    elif key == "z":
        buffer.undo()
    else:
        copy(buffer, system, cut=key == "x")

"""Pictures brought into the window: files dropped on it, and what the clipboard holds."""

from __future__ import annotations

import base64
from pathlib import Path

import pygame

from engine.desktop.turning import read_picture
from engine.errors import InputError
from engine.events import Drop

LARGEST = 40_000_000  # bytes of a file that is looked at at all
KINDS = ("image/png", "image/jpeg", "image/bmp")  # what a clipboard calls pictures


def dropped(file: str, size: tuple[int, int], t: float) -> Drop:
    """A file as an event. Raises InputError where it is no picture, or too large a one."""
    path = Path(file)
    try:
        if not path.is_file() or path.stat().st_size > LARGEST:
            raise InputError(f"{path.name} is no file, or larger than {LARGEST // 1_000_000} MB; drop a picture")
        with open(path, "rb") as opened:
            data = opened.read(LARGEST)
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {error.strerror}") from error
    return _event(path.name, data, size, t)


def clipboard_picture(size: tuple[int, int], t: float) -> Drop:
    """The clipboard's picture as an event. Raises InputError where it holds none, or the platform gives none."""
    for kind in KINDS:
        try:
            data = pygame.scrap.get(kind) if pygame.scrap.get_init() or _started() else None
        except pygame.error:
            data = None
        if data:
            return _event("Pasted", data, size, t)
    raise InputError("the clipboard holds no picture here; drop a picture file on the window instead")


def _started() -> bool:
    pygame.scrap.init()
    return bool(pygame.scrap.get_init())


def _event(name: str, data: bytes, size: tuple[int, int], t: float) -> Drop:
    stem = name.rpartition(".")[0] or name
    return Drop(t, f"{stem}.png", base64.b64encode(read_picture(name, data, size)).decode("ascii"))

"""The book of windows: what a window shows that was just opened, with a document or without, its button in the taskbar, its menus,
the launcher, and what lies under all windows, a page each.

A page is what the source shows most often, pixel by pixel, over many desktops, and the mean where nothing is shown often: a memory
that is learned once and looked up, beside the weights (after kNN-LM, Khandelwal et al., 2020, arXiv:1911.00172). Its pixels are
codes of colours, and from IN_PICTURE on, of what is part of a picture, coarse colours. In its file a page is packed by DEFLATE, to a thirtieth.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor

from engine.desktop.apps.registry import APPS
from models.dreaming.codes import BOOK, COLOURS
from models.dreaming.planes import SEEN

IN_PICTURE = 128
LEVELS = 5  # of each channel, in pictures
GROUND = -1  # in place of an app: the page of what lies under all windows
BUTTON = 100  # and an app's slot, in place of an app: the page of its button in the taskbar
WINDOW_MENU = 200  # and an app's slot, or GROUND: of the menu of its window, or of the bare desktop
FIELD_MENU = 300  # and an app's slot: of the menu of what it is about: a text, a list, a board
DOCUMENT = 400  # and an app's slot: of its window with a document that is shown for the first time
LAUNCHER = 500  # of the launcher with nothing typed into it
LARGEST = 2048  # pixels: a page's side
ROOM = 2**25  # pixels of all pages together
_SIDES = struct.Struct("<HH")  # before a packed page: its height and width
_APPS = dict(enumerate(name.casefold() for name in APPS))
_OF_APPS = {BUTTON: "button", WINDOW_MENU: "menu", FIELD_MENU: "field-menu", DOCUMENT: "document"}
_NAMES = {
    GROUND: "ground", WINDOW_MENU + GROUND: "menu-ground", LAUNCHER: "launcher", **_APPS,
    **{first + slot: f"{kind}-{name}" for first, kind in _OF_APPS.items() for slot, name in _APPS.items()},
}  # fmt: skip


class Subject(NamedTuple):
    """What a page shows: an app's slot, or what stands above in its place; and in which text size."""

    app: int
    text_size: int


class Book:
    """Pages, uint8 (h, w) each, by what they show."""

    def __init__(self, pages: Mapping[Subject, Tensor] = MappingProxyType({})) -> None:
        self._pages = dict(pages)

    def page(self, app: int, text_size: int, exact: bool = False) -> Tensor | None:
        """The planes of a page that are seen, uint8 (SEEN, h, w), in the text size that comes nearest, or in just this one; None where
        there is none."""
        sizes = [subject.text_size for subject in self._pages if subject.app == app and not (exact and subject.text_size != text_size)]
        if not sizes:
            return None
        return shown_by(self._pages[Subject(app, min(sizes, key=lambda size: abs(size - text_size)))]).permute(2, 0, 1)

    def tensors(self) -> dict[str, Tensor]:
        """Its pages, packed, by names that `of` knows."""
        return {f"{_NAMES[app]}.{text_size}": _packed(page) for (app, text_size), page in self._pages.items()}

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> Book:
        """What `tensors` gave, or pages as they are. Raises ValueError, naming the page that is none."""
        pages: dict[Subject, Tensor] = {}
        for name, page in tensors.items():
            subject, _, text_size = name.partition(".")
            if subject not in _NAMES.values() or not text_size.isdecimal() or page.dtype != torch.uint8:
                raise ValueError(f"{name!r} is no page of a book of windows")
            page = _unpacked(page, name, ROOM - sum(known.numel() for known in pages.values())) if page.ndim == 1 else page
            if page.ndim != 2 or not 0 < min(page.shape) <= max(page.shape) <= LARGEST:
                raise ValueError(f"the page {name!r} is {tuple(page.shape)}, wanted a height and a width up to {LARGEST}")
            pages[Subject(next(app for app, own in _NAMES.items() if own == subject), int(text_size))] = page
        return cls(pages)

    def __bool__(self) -> bool:
        return bool(self._pages)


def _packed(page: Tensor) -> Tensor:
    """A page, uint8 (h, w), as bytes: uint8 (n,), its height and width first."""
    data = _SIDES.pack(*page.shape) + zlib.compress(page.numpy().tobytes(), 9)
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)


def _unpacked(data: Tensor, name: str, room: int) -> Tensor:
    """The page that was packed. Raises ValueError, naming it, for what is none, or more than `room` pixels, and never unpacks more."""
    told, reader = data.numpy().tobytes(), zlib.decompressobj()
    try:
        height, width = _SIDES.unpack(told[: _SIDES.size])
        pixels = reader.decompress(told[_SIDES.size :], min(height * width, max(room, 0)) + 1)
    except (struct.error, zlib.error) as error:
        raise ValueError(f"the page {name!r} cannot be unpacked: {error}") from error
    if not reader.eof or not 0 < len(pixels) == height * width:
        raise ValueError(f"the page {name!r} is not the {height} by {width} pixels that it says it is")
    return torch.frombuffer(bytearray(pixels), dtype=torch.uint8).view(height, width)


def shown_by(page: Tensor) -> Tensor:
    """What a page's codes, uint8 (...), show: uint8 (..., SEEN)."""
    return _COLOURS[page.int()]


def _colours() -> Tensor:
    """What each code of a page shows: uint8 (256, SEEN)."""
    out = torch.zeros(256, SEEN, dtype=torch.uint8)
    out[:COLOURS, :3] = torch.from_numpy(BOOK)
    levels = torch.linspace(0, 255, LEVELS).round().to(torch.uint8)
    out[IN_PICTURE : IN_PICTURE + LEVELS**3, :3] = torch.cartesian_prod(levels, levels, levels)
    out[IN_PICTURE:, 3] = 255
    return out


_COLOURS = _colours()

"""The book of windows: what a window shows that was just opened, its button in the taskbar, and what lies under all windows,
a page each.

A page is what the source shows most often, pixel by pixel, over many desktops: a memory that is learned once and looked
up, beside the weights (after kNN-LM, Khandelwal et al., 2020, arXiv:1911.00172). Its pixels are codes of colours, and
from IN_PICTURE on, of what is part of a picture, coarse colours.
"""

from __future__ import annotations

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
LARGEST = 2048  # pixels: a page's side
_APPS = dict(enumerate(name.casefold() for name in APPS))
_NAMES = {GROUND: "ground", **_APPS, **{BUTTON + slot: f"button-{name}" for slot, name in _APPS.items()}}


class Subject(NamedTuple):
    """What a page shows: an app's slot, or BUTTON and that, or GROUND; and in which text size."""

    app: int
    text_size: int


class Book:
    """Pages, uint8 (h, w) each, by what they show."""

    def __init__(self, pages: Mapping[Subject, Tensor] = MappingProxyType({})) -> None:
        self._pages = dict(pages)

    def page(self, app: int, text_size: int) -> Tensor | None:
        """The planes of a page that are seen, uint8 (SEEN, h, w), in the text size that comes nearest; None where there is
        none."""
        sizes = [subject.text_size for subject in self._pages if subject.app == app]
        if not sizes:
            return None
        return _COLOURS[self._pages[Subject(app, min(sizes, key=lambda size: abs(size - text_size)))].int()].permute(2, 0, 1)

    def tensors(self) -> dict[str, Tensor]:
        """Its pages by names that `of` knows."""
        return {f"{_NAMES[app]}.{text_size}": page for (app, text_size), page in self._pages.items()}

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> Book:
        """What `tensors` gave. Raises ValueError, naming the page that is none."""
        pages: dict[Subject, Tensor] = {}
        for name, page in tensors.items():
            subject, _, text_size = name.partition(".")
            if subject not in _NAMES.values() or not text_size.isdecimal() or page.dtype != torch.uint8:
                raise ValueError(f"{name!r} is no page of a book of windows")
            if page.ndim != 2 or not 0 < min(page.shape) <= max(page.shape) <= LARGEST:
                raise ValueError(f"the page {name!r} is {tuple(page.shape)}, wanted a height and a width up to {LARGEST}")
            pages[Subject(next(app for app, own in _NAMES.items() if own == subject), int(text_size))] = page
        return cls(pages)

    def __bool__(self) -> bool:
        return bool(self._pages)


def _colours() -> Tensor:
    """What each code of a page shows: uint8 (256, SEEN)."""
    out = torch.zeros(256, SEEN, dtype=torch.uint8)
    out[:COLOURS, :3] = torch.from_numpy(BOOK)
    levels = torch.linspace(0, 255, LEVELS).round().to(torch.uint8)
    out[IN_PICTURE : IN_PICTURE + LEVELS**3, :3] = torch.cartesian_prod(levels, levels, levels)
    out[IN_PICTURE:, 3] = 255
    return out


_COLOURS = _colours()

"""The book of windows: what a window holds that was just opened, with a document or without, its button in the taskbar, and what lies
under all windows, a page each.

A page is what the source shows most often, pixel by pixel, over many desktops, and the mean where nothing is shown often: a memory
that is learned once and looked up, beside the weights (after kNN-LM, Khandelwal et al., 2020, arXiv:1911.00172). Its pixels are
codes of colours, and from IN_PICTURE on, of what is part of a picture: coarse colours, or those of a palette that stands beside it. Beside it
may stand its forms too, as the guide has them, so that a style can round and raise what the page shows. In its file a page is packed by DEFLATE, to a thirtieth, its forms to a hundredth.
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
from models.dreaming.planes import PLANES, SEEN

IN_PICTURE = 128
LEVELS = 5  # of each channel, in pictures without a palette
PALETTE = LEVELS**3  # colours of one at most
GROUND = -1  # in place of an app: the page of what lies under all windows
BUTTON = 100  # and an app's slot, in place of an app: the page of its button in the taskbar
DOCUMENT = 400  # and an app's slot: of its window with a document that is shown for the first time
TURNED = 600  # and an app's slot, and so many times FOLIO more as the place of a page in `App.pages`: of its window with that page
FOLIO = 20
LARGEST = 2048  # pixels: a page's side
ROOM = 2**25  # pixels of all pages together
FORMS, COLOURS_OF = ".forms", ".colours"  # what the names of a page's forms and of its palette end in
_SIDES = struct.Struct("<HH")  # before a packed page: its height and width
_APPS = dict(enumerate(name.casefold() for name in APPS))
_FORMER = ("menu-", "field-menu-", "launcher.")  # what pages of older books begin with that nobody looks up any more
_OF_APPS = {BUTTON: "button", DOCUMENT: "document"}
_TURNED = {
    TURNED + FOLIO * i + slot: f"{name.casefold()}-{page.casefold().replace(' ', '-')}"
    for slot, (name, app) in enumerate(APPS.items()) for i, page in enumerate(app.pages)
}  # fmt: skip
_NAMES = {
    GROUND: "ground", **_APPS, **_TURNED,
    **{first + slot: f"{kind}-{name}" for first, kind in _OF_APPS.items() for slot, name in _APPS.items()},
}  # fmt: skip


class Subject(NamedTuple):
    """What a page shows: an app's slot, or what stands above in its place; and in which text size."""

    app: int
    text_size: int


class Book:
    """Pages, uint8 (h, w) each, by what they show; the forms of some, packed as in a file: rarely asked for, and four times as large; the
    palettes of some, uint8 (colours, 3)."""

    def __init__(
        self,
        pages: Mapping[Subject, Tensor] = MappingProxyType({}),
        forms: Mapping[Subject, Tensor] = MappingProxyType({}),
        palettes: Mapping[Subject, Tensor] = MappingProxyType({}),
    ) -> None:
        self._pages, self._forms, self._palettes = dict(pages), dict(forms), dict(palettes)

    def page(self, app: int, text_size: int, exact: bool = False) -> Tensor | None:
        """The planes of a page that are seen, uint8 (SEEN, h, w), in the text size that comes nearest, or in just this one; None where
        there is none."""
        subject = self._nearest(app, text_size, exact)
        return None if subject is None else shown_by(self._pages[subject], self._palettes.get(subject)).permute(2, 0, 1)

    def planes(self, app: int, text_size: int) -> Tensor | None:
        """The page that comes nearest with its forms, zeros where nothing is known of them: uint8 (PLANES, h, w)."""
        subject, page = self._nearest(app, text_size, False), self.page(app, text_size)
        if subject is None or page is None:
            return None
        forms = page.new_zeros(PLANES - SEEN, *page.shape[1:])
        if subject in self._forms:
            forms = _unpacked(self._forms[subject], FORMS, forms.numel()).view_as(forms)
        return torch.cat([page, forms])

    def knows(self, app: int) -> bool:
        """Whether there is a page of it, in whichever text size."""
        return any(subject.app == app for subject in self._pages)

    def _nearest(self, app: int, text_size: int, exact: bool) -> Subject | None:
        sizes = [subject.text_size for subject in self._pages if subject.app == app and not (exact and subject.text_size != text_size)]
        return Subject(app, min(sizes, key=lambda size: abs(size - text_size))) if sizes else None

    def tensors(self) -> dict[str, Tensor]:
        """Its pages and their forms, packed, and their palettes, by names that `of` knows."""
        return {
            **{_name_of(s): packed(page) for s, page in self._pages.items()},
            **{_name_of(s) + FORMS: forms for s, forms in self._forms.items()},
            **{_name_of(s) + COLOURS_OF: colours for s, colours in self._palettes.items()},
        }

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> Book:
        """What `tensors` gave, or pages as they are. Raises ValueError, naming the page that is none."""
        pages, forms, palettes = dict[Subject, Tensor](), dict[Subject, Tensor](), dict[Subject, Tensor]()
        tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith(_FORMER)}
        for name, page in tensors.items():
            if name.endswith((FORMS, COLOURS_OF)):
                continue
            subject, _, text_size = name.partition(".")
            if subject not in _NAMES.values() or not text_size.isdecimal() or page.dtype != torch.uint8:
                raise ValueError(f"{name!r} is no page of a book of windows")
            page = _unpacked(page, name, ROOM - sum(known.numel() for known in pages.values())) if page.ndim == 1 else page
            if page.ndim != 2 or not 0 < min(page.shape) <= max(page.shape) <= LARGEST:
                raise ValueError(f"the page {name!r} is {tuple(page.shape)}, wanted a height and a width up to {LARGEST}")
            pages[Subject(next(app for app, own in _NAMES.items() if own == subject), int(text_size))] = page
        for shown, page in pages.items():
            if (told := tensors.get(name := _name_of(shown) + FORMS)) is not None:
                if told.dtype != torch.uint8 or told.ndim != 1:
                    raise ValueError(f"{name!r} is not packed")
                whole = (PLANES - SEEN) * page.numel()
                if (count := _unpacked(told, name, whole).numel()) != whole:
                    raise ValueError(f"{name!r} tells of {count} numbers, wanted {whole}, four a pixel of its page")
                forms[shown] = told
            if (colours := tensors.get(name := _name_of(shown) + COLOURS_OF)) is not None:
                if colours.dtype != torch.uint8 or colours.ndim != 2 or colours.shape[1] != 3 or not 0 < len(colours) <= PALETTE:
                    raise ValueError(f"{name!r} is no palette of up to {PALETTE} colours")
                palettes[shown] = colours
        if len(pages) + len(forms) + len(palettes) < len(tensors):
            raise ValueError("it has forms or palettes of pages that it does not have")
        return cls(pages, forms, palettes)

    def __bool__(self) -> bool:
        return bool(self._pages)


def turned(app: int, page: str) -> int | None:
    """What stands for a page of an app's in place of its slot; None for the one that it opens with."""
    pages = tuple(APPS.values())[app].pages
    return TURNED + FOLIO * pages.index(page) + app if page in pages else None


def _name_of(subject: Subject) -> str:
    return f"{_NAMES[subject.app]}.{subject.text_size}"


def packed(page: Tensor) -> Tensor:
    """A page, uint8 (h, w), or the planes of its forms one below the other, as bytes: uint8 (n,), its height and width first."""
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


def shown_by(page: Tensor, palette: Tensor | None = None) -> Tensor:
    """What a page's codes, uint8 (...), show: uint8 (..., SEEN). palette: colours in pictures, uint8 (colours, 3)."""
    table = _COLOURS
    if palette is not None:
        table = table.clone()
        table[IN_PICTURE : IN_PICTURE + len(palette), :3] = palette
    return table[page.int()]


def _colours() -> Tensor:
    """What each code of a page shows: uint8 (256, SEEN)."""
    out = torch.zeros(256, SEEN, dtype=torch.uint8)
    out[:COLOURS, :3] = torch.from_numpy(BOOK)
    levels = torch.linspace(0, 255, LEVELS).round().to(torch.uint8)
    out[IN_PICTURE : IN_PICTURE + LEVELS**3, :3] = torch.cartesian_prod(levels, levels, levels)
    out[IN_PICTURE:, 3] = 255
    return out


_COLOURS = _colours()

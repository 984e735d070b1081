"""The book of windows that a run teaches with: the checkpoint's own, or one that is learned before the run begins."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from engine.desktop.apps.registry import APPS
from engine.desktop.desktop import Desktop
from engine.events import Ask
from engine.geometry import Rect
from engine.guide import Guide
from engine.scene import find
from models.dreaming.book import BUTTON, GROUND, IN_PICTURE, LEVELS, Book, Subject
from models.dreaming.codes import codes_of
from models.dreaming.planes import planes_of
from models.loading import BOOK, load_book, load_bundled, save_book
from models.synthetic.sessions import emptied, random_desktop
from models.training.config import TrainConfig

SIZE = (512, 384)
TEXT_SIZES = (11, 13, 16)
OPENED = 32  # desktops that a page is learned from


def book_of(config: TrainConfig) -> Book:
    """That of the checkpoint the run begins with, where it has one; else the run's own, kept in its folder."""
    init = load_bundled(config.init, config.init.name).dreamer if config.init else None
    if init is not None and init.book:
        return init.book
    kept = config.out / BOOK
    if not kept.exists():
        config.out.mkdir(parents=True, exist_ok=True)
        save_book(kept, learned(np.random.default_rng(config.seed)))
    return load_book(kept)


def learned(rng: np.random.Generator) -> Book:
    """A book from desktops of the synthetic source."""
    pages: dict[Subject, Tensor] = {}
    for text_size in TEXT_SIZES:
        pages[Subject(GROUND, text_size)] = _usual(_bare(text_size, rng))
        for slot, app in enumerate(APPS):
            pages[Subject(slot, text_size)] = _usual(_opened(app, text_size, rng))
            pages[Subject(BUTTON + slot, text_size)] = _usual(_button(app, text_size, rng))
    return Book(pages)


def _usual(seen: Iterator[Tensor]) -> Tensor:
    """Pictures of several sizes to what is shown most often, in the size that is met most often."""
    by_size: dict[tuple[int, ...], list[Tensor]] = defaultdict(list)
    for picture in seen:
        by_size[tuple(picture.shape)].append(picture)
    often, _ = Counter({size: len(pictures) for size, pictures in by_size.items()}).most_common(1)[0]
    return torch.stack(by_size[often]).mode(0).values


def _bare(text_size: int, rng: np.random.Generator) -> Iterator[Tensor]:
    for _ in range(OPENED):
        yield _codes(_desktop(text_size, rng), Rect(0, 0, *SIZE))


def _opened(app: str, text_size: int, rng: np.random.Generator) -> Iterator[Tensor]:
    for _ in range(OPENED):
        desktop = _desktop(text_size, rng)
        desktop.handle(Ask(round(desktop.t + 0.1, 3), app.casefold()))
        window = desktop.stack.front
        assert window is not None
        yield _codes(desktop, window.rect)


def _button(app: str, text_size: int, rng: np.random.Generator) -> Iterator[Tensor]:
    for _ in range(OPENED):
        desktop = _desktop(text_size, rng)
        desktop.handle(Ask(round(desktop.t + 0.1, 3), app.casefold()))
        yield _codes(desktop, find(desktop.widgets, f"taskbar/{app}").rect)


def _desktop(text_size: int, rng: np.random.Generator) -> Desktop:
    desktop = emptied(random_desktop(rng, SIZE), rng, SIZE)
    desktop.prefer("text_size", text_size)
    return desktop


def _codes(desktop: Desktop, rect: Rect) -> Tensor:
    guide = Guide(SIZE)
    guide.update(desktop.items)
    planes = planes_of(guide)[:, *rect.meet(guide.frame).slices]
    red, green, blue = ((planes[:3].float() * ((LEVELS - 1) / 255)).round().to(torch.uint8)).unbind()
    coarse = IN_PICTURE + (red * LEVELS + green) * LEVELS + blue
    return torch.where(planes[3] > 0, coarse, codes_of(planes[:3], torch.zeros_like(planes[3])))

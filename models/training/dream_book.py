"""The book of windows that a run teaches with: the checkpoint's own, or one that is learned before the run begins."""

from __future__ import annotations

import argparse
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from engine.desktop import bitmap
from engine.desktop.apps.paint import BLANK
from engine.desktop.apps.registry import APPS
from engine.desktop.asking import TEXT_SIZES
from engine.desktop.desktop import Desktop
from engine.events import Ask, Down, Move, Up
from engine.geometry import Rect
from engine.guide import Guide
from engine.scene import find
from models.dreaming.book import (
    BUTTON,
    DOCUMENT,
    GROUND,
    IN_PICTURE,
    LEVELS,
    PALETTE,
    TURNED,
    Book,
    Subject,
    packed,
    shown_by,
    turned,
)
from models.dreaming.codes import codes_of
from models.dreaming.frames import Form
from models.dreaming.planes import SEEN, planes_of
from models.loading import BOOK, load_book, load_bundled, save_book
from models.synthetic import prose
from models.synthetic.sessions import emptied, random_desktop
from models.training.config import TrainConfig

SIZE = (512, 384)
OPENED = 32  # desktops that a page is learned from
WINDOWS = (*range(len(APPS)), *range(DOCUMENT, DOCUMENT + len(APPS)))  # whose forms are learned too: what else there is, is drawn
KMEANS = 3  # rounds in which a palette is bettered
USUAL = 0.5  # share of them that show the same, from which that is what a page shows
WAYS = {"Notes": ("Documents", "Find", "Documents")}  # buttons that lead to other pages
Look = Callable[[Desktop, np.random.Generator], Iterator[tuple[int, Rect]]]  # what pages show: parts of the screen


def book_of(config: TrainConfig) -> Book:
    """That of the checkpoint the run begins with, where it has one; else the run's own, kept in its folder."""
    init = load_bundled(config.init, config.init.name).dreamer if config.init else None
    if init is not None and init.book:
        return init.book
    kept = config.out / BOOK
    if not kept.exists():
        config.out.mkdir(parents=True, exist_ok=True)
        save_book(new := kept.with_suffix(".new"), learned(np.random.default_rng(config.seed)))
        os.replace(new, kept)  # there whole, or not at all
    return load_book(kept)


def learned(rng: np.random.Generator) -> Book:
    """A book from desktops of the synthetic source."""
    looks: list[Look] = [_bare, *(partial(_opened, app) for app in APPS), *(partial(_with_document, app) for app in ("Notes", "Paint"))]
    looks += [*(partial(_turned, app) for app in WAYS)]
    pages, forms, palettes = dict[Subject, Tensor](), dict[Subject, Tensor](), dict[Subject, Tensor]()
    for text_size in TEXT_SIZES:
        for look in looks:
            seen: dict[int, list[Tensor]] = defaultdict(list)
            for _ in range(OPENED):
                desktop = _desktop(text_size, rng)
                for page, part in look(desktop, rng):
                    seen[page].append(_planes(desktop, part))
            for page, pictures in seen.items():
                often, _ = Counter(tuple(picture.shape) for picture in pictures).most_common(1)[0]  # in the size that is met most often
                planes, subject = torch.stack([picture for picture in pictures if picture.shape == often]), Subject(page, text_size)
                pages[subject] = _usual(torch.stack([_coded(picture[:3], picture[3] > 0) for picture in planes]))
                if (pages[subject] >= IN_PICTURE).any():
                    pages[subject], palettes[subject] = _with_palette(pages[subject], planes[:, :3])
                if page == GROUND or page in WINDOWS or page >= TURNED:
                    forms[subject] = packed(_usual_forms(planes[:, SEEN:]).flatten(0, 1))
    return Book(pages, forms, palettes)


def _with_palette(page: Tensor, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """A page, codes as uint8 (h, w), with pictures in colours of its own, and those: uint8 (colours, 3). pictures: what was seen, uint8 (N, 3,
    h, w)."""
    inside = page >= IN_PICTURE
    seen = np.ascontiguousarray(pictures.median(0).values[:, inside].numpy().T)
    colours, indices = np.unique(seen, axis=0, return_inverse=True)
    if len(colours) > PALETTE:
        reduced = Image.fromarray(seen[None]).quantize(PALETTE, Image.Quantize.MEDIANCUT, kmeans=KMEANS, dither=Image.Dither.NONE)
        used, indices = np.unique(np.asarray(reduced), return_inverse=True)
        colours = np.array(reduced.getpalette(), np.uint8).reshape(-1, 3)[used]
    out = page.clone()
    out[inside] = torch.from_numpy(indices.ravel()).to(torch.uint8) + IN_PICTURE
    return out, torch.from_numpy(colours)


def _usual_forms(forms: Tensor) -> Tensor:
    """What forms, uint8 (N, 4, h, w), tell most often, pixel by pixel, and nothing where they do not agree: uint8 (4, h, w)."""
    words = forms.permute(0, 2, 3, 1).contiguous().view(torch.int32).squeeze(-1)
    usual = words.mode(0).values
    sure = (words == usual).float().mean(0) >= USUAL
    return (usual * sure).contiguous().view(torch.uint8).view(*usual.shape, -1).permute(2, 0, 1)


def _usual(pictures: Tensor) -> Tensor:
    """Pages to what they show most often, or on the whole where nothing is shown often. pictures: codes, uint8 (N, h, w)."""
    usual = pictures.mode(0).values
    unsure = (pictures == usual).float().mean(0) < USUAL
    mean = shown_by(pictures)[..., :3].float().mean(0).round().to(torch.uint8).permute(2, 0, 1)
    return torch.where(unsure, _coded(mean, usual >= IN_PICTURE), usual)


def _bare(desktop: Desktop, rng: np.random.Generator) -> Iterator[tuple[int, Rect]]:
    yield GROUND, Rect(0, 0, *SIZE)


def _opened(app: str, desktop: Desktop, rng: np.random.Generator) -> Iterator[tuple[int, Rect]]:
    slot = list(APPS).index(app)
    desktop.handle(Ask(_soon(desktop), app.casefold()))
    yield slot, _front(desktop)
    yield BUTTON + slot, find(desktop.widgets, f"taskbar/{app}").rect


def _with_document(app: str, desktop: Desktop, rng: np.random.Generator) -> Iterator[tuple[int, Rect]]:
    _open_document(app, desktop, rng)
    yield DOCUMENT + list(APPS).index(app), _front(desktop)


def _click(desktop: Desktop, app: str, name: str) -> None:
    button = next(w.rect for w in desktop.widgets if w.path.startswith(f"{app}/") and w.name == name)
    for press in (Down, Up):
        desktop.handle(press(_soon(desktop), "left", *button.centre))
    desktop.handle(Move(_soon(desktop), 0, 0))


def _turned(app: str, desktop: Desktop, rng: np.random.Generator) -> Iterator[tuple[int, Rect]]:
    if app == "Notes":
        _open_document(app, desktop, rng)
    else:
        desktop.handle(Ask(_soon(desktop), app.casefold()))
    for way in WAYS[app]:
        _click(desktop, app, way)
        assert desktop.stack.front is not None
        subject = turned(list(APPS).index(app), desktop.stack.front.app.shown_page())
        assert subject is not None
        yield subject, _front(desktop)


def _open_document(app: str, desktop: Desktop, rng: np.random.Generator) -> None:
    """Open a document of an app's, that was made up."""
    if app == "Notes":
        name = desktop.documents.fresh("A document", ".md")
        desktop.documents.write(name, "\n".join(prose.sentence(rng, int(rng.integers(5, 160))) for _ in range(int(rng.integers(3, 14)))))
    else:
        name, picture = desktop.documents.fresh("A picture", ".png"), bitmap.blank(*BLANK)
        picture[:] = rng.integers(0, 256, 3)
        desktop.documents.write(name, bitmap.encode(picture))
    desktop.handle(Ask(_soon(desktop), name))


def _front(desktop: Desktop) -> Rect:
    """What the window in front holds."""
    assert desktop.stack.front is not None
    return Form(desktop.text_size, desktop.style.chrome).inside(desktop.stack.front.rect)


def _soon(desktop: Desktop) -> float:
    return round(desktop.t + 0.1, 3)


def _desktop(text_size: int, rng: np.random.Generator) -> Desktop:
    desktop = emptied(random_desktop(rng, SIZE), rng, SIZE)
    desktop.prefer("text_size", text_size)
    return desktop


def _planes(desktop: Desktop, rect: Rect) -> Tensor:
    """What a guide has there: uint8 (PLANES, h, w)."""
    guide = Guide(SIZE)
    guide.update(desktop.items)
    return planes_of(guide)[:, *rect.meet(guide.frame).slices]


def _coded(pixels: Tensor, in_picture: Tensor) -> Tensor:
    """A page's codes of pixels, uint8 (3, h, w), of which those `in_picture`, bool (h, w), are a picture's."""
    red, green, blue = ((pixels.float() * ((LEVELS - 1) / 255)).round().to(torch.uint8)).unbind()
    coarse = IN_PICTURE + (red * LEVELS + green) * LEVELS + blue
    return torch.where(in_picture, coarse, codes_of(pixels, torch.zeros_like(pixels[0])))


def main(words: Sequence[str] | None = None) -> None:
    """`python -m models.training.dream_book FILE`: learn a book as the bundled one was, and keep it there."""
    parser = argparse.ArgumentParser(prog="python -m models.training.dream_book", description="Learn a book of windows; it takes some minutes.")
    parser.add_argument("file", type=Path, help="where it goes, such as book.safetensors")
    path: Path = parser.parse_args(words).file
    if not path.parent.is_dir():
        parser.error(f"there is no folder {path.parent} to put {path.name} into; make it, or name another")
    save_book(path, learned(np.random.default_rng(TrainConfig.seed)))


if __name__ == "__main__":
    main()

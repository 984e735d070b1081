"""The guide's colours as a short list of codes: every role's, and the mixtures in which letters and marks stand.

What a dreamer sees and says is made of codes, a discrete picture (after van den Oord et al., 2017, arXiv:1711.00937;
here the book is given, not learned).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from engine.theme import NEUTRAL, Role

_SHARES = (0.25, 0.5, 0.75)  # of the ink in a mixture
_MIXED = (
    (Role.INK, (Role.FIELD, Role.SURFACE, Role.BUTTON, Role.SELECTION, Role.HOVER, Role.BAR)),
    (Role.MUTED, (Role.SURFACE, Role.BUTTON, Role.FIELD)),
    (Role.WALLPAPER_INK, (Role.WALLPAPER,)),
    (Role.TITLE_INK, (Role.TITLE, Role.HOVER)),
    (Role.TITLE_IDLE_INK, (Role.TITLE_IDLE,)),
    (Role.BAR_INK, (Role.BAR,)),
    (Role.ACCENT, (Role.FIELD, Role.HOVER)),
    (Role.ACCENT_INK, (Role.ACCENT,)),
    (Role.BORDER, (Role.WALLPAPER,)),
)  # inks, and the papers on which they are met most


def _book() -> np.ndarray:
    colours = NEUTRAL.astype(np.float32)
    mixed = [colours[paper] + share * (colours[ink] - colours[paper]) for ink, papers in _MIXED for paper in papers for share in _SHARES]
    return np.concatenate([NEUTRAL, np.round(mixed).astype(np.uint8)])


def _numbers() -> np.ndarray:
    """The colour, whether it is a mixture, and two numbers that tell alike colours apart."""
    colours = np.concatenate([BOOK / 64.0 - 2, np.zeros((2, 3))])
    mixed = (np.arange(CODES) >= len(NEUTRAL)) * 1.0
    return np.column_stack([colours, mixed, np.random.default_rng(0).normal(size=(CODES, 2))]).astype(np.float32)


BOOK = _book()  # uint8 (COLOURS, 3)
COLOURS = len(BOOK)
PICTURE = COLOURS  # a pixel of a picture, which has no code of its own
NOWHERE = COLOURS + 1  # nothing is known of this place
CODES = COLOURS + 2
NUMBERS = _numbers()  # float32 (CODES, 6): what stands for a code where it is looked at; given, as the book is
_STEP = 4  # grey levels that are looked up as one: roles differ by more


@lru_cache(maxsize=1)
def _nearest() -> Tensor:
    """The code nearest to each colour, in steps of _STEP a channel: uint8 (64 * 64 * 64,)."""
    side = np.arange(0, 256, _STEP, dtype=np.float32) + (_STEP - 1) / 2
    colours = np.stack(np.meshgrid(side, side, side, indexing="ij"), -1).reshape(-1, 3)
    book = BOOK.astype(np.float32)
    apart = (book**2).sum(1) - 2 * colours @ book.T
    return torch.from_numpy(apart.argmin(1).astype(np.uint8))


def codes_of(pixels: Tensor, verbatim: Tensor) -> Tensor:
    """uint8 (..., 3, H, W) and (..., H, W), which is above 0 in pictures, to codes: uint8 (..., H, W)."""
    red, green, blue = (pixels >> 2).to(torch.int32).unbind(-3)  # steps of 4
    found = _nearest().to(pixels.device)[(red << 12) + (green << 6) + blue]
    return torch.where(verbatim > 0, PICTURE, found)

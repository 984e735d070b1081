"""Looking at what a dreamer has learned so far: moments of sessions that no run learns from."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from models.dreaming.codes import BOOK, COLOURS
from models.dreaming.dreamer import CELL, COPIES, Dreamer, Place, by_cell, maps_of
from models.training.dream_batch import DreamBatch, dream_batch, dream_crop

SEED, SESSIONS, CROPS = 90_001, 6, 96
SHOWN = 10  # crops on a sheet
_STRANGE = (255, 0, 255)  # of pixels that have no code


class DreamLooks:
    """Always the same moments, drawn at the first look."""

    def __init__(self, out: Path, source: Callable[[np.random.Generator], list[Any]]) -> None:
        self.out = out
        self.source = source

    def look(self, networks: Any, done: int) -> dict[str, Any]:
        """Leave OUT/sheet_UPDATE.png; returns `shares`: of the cells that change, those that were found; of the cells
        said to change, those that do; of the pixels that change, those that are right; of the letters, those put
        where they go. Raises OSError."""
        batch = self._batch
        found, shown, pens = dreamt(networks.dreamer, batch)
        right = _right(shown, batch)
        changes = ~((batch.same & 1) > 0) & _pixels(found)
        put = batch.pen[:, 0] >= 0
        shares = {
            "found": _share(found[batch.changed]), "meant": _share(batch.changed[found & ~batch.spoilt]),
            "pixels": _share(right[~((batch.same & 1) > 0) & _pixels(batch.changed)] ), "painted": _share(right[changes]),
            "pens": _share((pens[put] == batch.pen[put]).all(1)),
        }  # fmt: skip
        self._sheet(found, shown).save(self.out / f"sheet_{done:06d}.png")
        return {"shares": shares}

    def _sheet(self, found: torch.Tensor, shown: torch.Tensor) -> Image.Image:
        """Before, after, and as dreamt, one crop a row."""
        batch = self._batch
        before = batch.codes[:, 0]
        picks = torch.stack([batch.codes[:, i] for i in range(COPIES)], 1)
        copied = picks.gather(1, (shown.long() - COLOURS).clamp_min(0).unsqueeze(1)).squeeze(1)
        dreamt_codes = torch.where(_pixels(found), torch.where(shown < COLOURS, shown, copied), before)
        book = np.concatenate([BOOK, np.array([_STRANGE] * 2, np.uint8)])
        chosen = torch.arange(0, len(before), max(len(before) // SHOWN, 1))[:SHOWN]
        rows = [np.concatenate([book[plane[i].numpy()] for plane in (before, batch.target, dreamt_codes)], 1) for i in chosen]
        return Image.fromarray(np.concatenate(rows))

    @cached_property
    def _batch(self) -> DreamBatch:
        rng = np.random.default_rng(SEED)
        moments = [moment for _ in range(SESSIONS) for moment in self.source(rng)]
        order = rng.permutation(len(moments))[:CROPS]
        return dream_batch([dream_crop(moments[i], rng) for i in order], np.random.default_rng(SEED), spoilt=0.0)


@torch.inference_mode()
def dreamt(dreamer: Dreamer, batch: DreamBatch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Which cells change, bool (B, h, w); what each pixel would show, picks (B, H, W); where letters go, (B, 2). On the CPU,
    wherever the dreamer computes."""
    b, h, w = batch.changed.shape
    batch = batch.to(dreamer.device)
    tokens = dreamer.tokens(batch.slow, batch.recent)
    maps = maps_of(Place(batch.corners, batch.size, (h, w)), batch.pointer, batch.buttons, batch.recent)
    change, cells = dreamer(batch.codes, maps, tokens)
    logits = dreamer.picks(cells.flatten(0, 2), by_cell(batch.codes).flatten(0, 2))
    shown = logits.argmax(-1).view(b, h, w, CELL, CELL).transpose(2, 3).reshape(b, h * CELL, w * CELL)
    cell, pixel = dreamer.pens(batch.codes[:, :2], tokens)
    at = cell.flatten(1).argmax(1)
    inside = pixel.flatten(1, 2)[torch.arange(b, device=at.device), at].argmax(1)
    pens = torch.stack([at % w * CELL + inside % CELL, at // w * CELL + inside // CELL], 1)
    return (change > 0).cpu(), shown.cpu(), pens.cpu()


def _right(shown: torch.Tensor, batch: DreamBatch) -> torch.Tensor:
    copied = batch.same >> (shown - COLOURS).clamp(0, COPIES - 1).to(torch.uint8) & 1
    return torch.where(shown < COLOURS, shown == batch.target, copied > 0)


def _pixels(cells: torch.Tensor) -> torch.Tensor:
    return cells.repeat_interleave(CELL, 1).repeat_interleave(CELL, 2)


def _share(right: torch.Tensor) -> float:
    return round(float(right.float().mean()), 4) if right.numel() else 0.0

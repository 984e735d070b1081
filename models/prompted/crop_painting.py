"""A prompted checkpoint's crops from bytes to pixels: call by call, or as one function of tensors that a GPU is sent in one go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from models.families import Family
from models.graphs import Graphs
from models.prompted.coder import Coder
from models.prompted.conditioning import Conditioning
from models.prompted.prediction import Prediction
from models.prompted.run import Run, Stepped

LASTING = 3  # from this input of `_at_once` on: words, and what is told of the place, which nobody draws over
FEW = 4  # calls of the denoiser that may be sent in one go, with encoding and decoding; nothing can be given up in between


@dataclass(frozen=True)
class Given:
    """What B crops of one size are painted from. shown: uint8 (B, 3, h, w), or as `Coder.floats`, the pictures to start from, or that
    are edited; guide: the same where the family has a ControlNet; start: latents to start from, None to encode `shown`; added: what
    SDXL is told beside the words, as of `Prediction`; fields: the crops' parts of the run's."""

    shown: Tensor
    guide: Tensor | None
    start: Tensor | None
    told: Conditioning
    added: dict[str, Tensor]
    fields: tuple[Tensor, ...]


def batched(crops: Sequence[Given]) -> Given:
    """Crops of one size, one each, that are told the same, as one batch."""
    if len(crops) == 1:
        return crops[0]
    first = crops[0]
    guides, starts = [one.guide for one in crops if one.guide is not None], [one.start for one in crops if one.start is not None]
    return Given(
        torch.cat([one.shown for one in crops]), torch.cat(guides) if guides else None, torch.cat(starts) if starts else None, first.told,
        {name: torch.stack([one.added[name] for one in crops], 1).flatten(0, 1) for name in first.added},
        tuple(torch.cat(fields) for fields in zip(*(one.fields for one in crops), strict=True)),
    )  # fmt: skip


class CropPainting:
    """Of one checkpoint. coder: the painter's own; run: how it paints whom nobody edits."""

    def __init__(self, pipeline: Any, family: Family, coder: Coder, run: Run, graphs: Graphs) -> None:
        self._family, self.coder, self._run, self._graphs = family, coder, run, graphs
        self._prediction = Prediction(pipeline, family)
        self._predict = graphs.wrap(self._prediction)
        self.whole = graphs.on and len(run.path.timesteps) <= FEW  # whether it is done in one go
        if self.whole:
            self._unchecked = coder.unchecked()
            self._in_one = graphs.wrap(self._at_once, lasting=LASTING)

    def in_one(self, given: Given) -> tuple[Tensor, Tensor] | None:
        """Pixels, float32 (B, 3, h, w) in about [-1, 1], and clean latents; None where they are not finite: the autoencoder computes
        in float32 from then on, if it did not before, and it is to be done call by call."""
        told = given.told
        painted, clean, finite = self._in_one(
            given.shown, given.guide, given.start, told.embeds, told.weights, told.shown, given.added.get("text_embeds"), told.guidance,
            given.added.get("time_ids"), *given.fields,
        )  # fmt: skip
        if finite:
            return painted, clean
        if self.coder.in_full():
            self._graphs.renew()  # its weights lie elsewhere by now
        return None

    def _at_once(
        self, shown: Tensor, guide: Tensor | None, start: Tensor | None, embeds: Tensor, weights: Tensor, sees: Tensor, pooled: Tensor | None,
        guidance: Tensor | None, ids: Tensor | None, *fields: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
        """The same, and whether all are finite: bool ()."""
        added = {} if pooled is None or ids is None else {"text_embeds": pooled, "time_ids": ids}
        given = Given(shown, guide, start, Conditioning(embeds, weights, sees, pooled, guidance), added, fields)
        clean = self._cleaned(given, self._unchecked, self._prediction, self._run)
        painted = self._unchecked.decode(clean)
        return painted, clean, painted.isfinite().all()

    def clean(self, given: Given, run: Run, stepped: Stepped) -> Tensor:
        """Clean latents, (B, C, h, w), call by call. What `stepped` raises ends it."""
        return self._cleaned(given, self.coder, self._predict, run, stepped)

    def _cleaned(self, given: Given, coder: Coder, predict: Any, run: Run, stepped: Stepped | None = None) -> Tensor:
        pixels = coder.floats(given.shown)
        edited = coder.mode(pixels) if self._family.edits else None
        start = coder.encode(pixels, given.fields[0]) if given.start is None else given.start
        control = coder.floats(given.guide) / 2 + 0.5 if given.guide is not None else None
        return run.clean(predict, start, edited, control, given.told, list(given.fields[1:]), given.added, stepped)

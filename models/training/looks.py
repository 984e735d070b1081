"""Looking at what has been learned so far: a sheet to see, and figures to plot."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from models.likeness import psnr
from models.synthetic.shots import Make
from models.training.heldout import Dreams, HeldOut, held_out, paint
from models.training.metrics import mean
from models.training.networks import Networks
from models.training.sheet import sample_sheet


class Looks:
    """Always the same screens and moments, drawn at the first look."""

    def __init__(self, out: Path, source: Make) -> None:
        self.out = out
        self.source = source

    def look(self, networks: Networks, done: int) -> dict[str, Any]:
        """Leave OUT/sheet_UPDATE.png; returns `psnr`, dB a style, their `mean`, and `dream` where the source's events
        explain what changes. Raises OSError."""
        denoiser, encoder = networks.denoiser, networks.encoder
        painted = paint(denoiser, encoder, self._shots)
        sample_sheet(self._shots, painted).save(self.out / f"sheet_{done:06d}.png")
        likeness = {s.name: round(psnr(picture, s.frame), 3) for s, picture in zip(self._shots, painted, strict=True)}
        dream = self._dreams.psnr(denoiser, encoder)
        return {"psnr": likeness, "mean": mean(likeness), **({} if dream is None else {"dream": round(dream, 3)})}

    @cached_property
    def _shots(self) -> list[HeldOut]:
        return held_out()

    @cached_property
    def _dreams(self) -> Dreams:
        return Dreams(self.source)

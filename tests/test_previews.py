"""Previews of reference painters: of every family's latents, as near as a linear estimate comes, and nowhere but in an edit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d

from engine.painter import Cancelled, Edit, PaintRequest, PreviewingPainter
from models.reference.previews import Sketch
from tests.test_painters import SIZE, drawn
from tests.test_references import PART, ROWS, painter_of, request, small_pictures  # noqa: F401 - a fixture of every test here
from tests.tiny_families import folder_of


def edit(seed: int = 0, **changes: Any) -> PaintRequest:
    return replace(request(seed), edit=Edit("turn this into a cat"), **changes)


@pytest.mark.parametrize("family", ROWS)
def test_what_a_preview_is_made_of_is_what_is_decoded_in_the_end(checkpoints: Path, family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    painter = painter_of(folder_of(checkpoints, family))
    decoded: list[torch.Tensor] = []
    sketches: list[Sketch] = []
    decode = painter.pipeline.vae.decode
    monkeypatch.setattr(painter.pipeline.vae, "decode", lambda z, *given, **named: (decoded.append(z.clone()), decode(z, *given, **named))[1])
    monkeypatch.setattr("models.reference.painter.Sketch", lambda *given: sketches.append(Sketch(*given)) or sketches[-1])
    seen: list[np.ndarray] = []
    owners = painter.pipeline.vae, painter.pipeline.scheduler
    own = [owner.__dict__.get(name) for owner, name in zip(owners, ("encode", "step"), strict=True)]
    steps: list[int] = []
    painter.on_preview, painter.on_step = seen.append, lambda done, of: steps.append(of) or True
    try:
        painted = painter.paint(edit(damage=(PART,)))
    finally:
        painter.on_preview = painter.on_step = None
    cells, last = sketches[0].cells(), decoded[-1][-1].double()
    assert cells is not None and torch.allclose(cells, last.view(cells.shape), atol=1e-4)
    base = drawn(0).pixels
    assert len(seen) == len(steps) - 1 and steps == [len(steps)] * len(steps) and seen[0].shape == base.shape and [patch.rect for patch in painted.patches] == [PART]
    changed = (seen[0] != base).any(-1)
    assert changed[PART.slices].any()
    changed[PART.slices] = False
    assert not changed.any()
    assert own == [owner.__dict__.get(name) for owner, name in zip(owners, ("encode", "step"), strict=True)]


class Linear:
    """An autoencoder whose latents are small pictures, turned and moved."""

    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(1)))[0]
    config = SimpleNamespace(scaling_factor=0.5, shift_factor=0.2)

    def encode(self, pixels: torch.Tensor) -> tuple[torch.Tensor]:
        return (torch.einsum("dc,bchw->bdhw", self.turn, avg_pool2d(pixels, 8)) + 0.3,)


def test_a_picture_that_was_never_encoded_is_seen_in_its_colours() -> None:
    vae, scheduler = Linear(), SimpleNamespace(config=SimpleNamespace(), step=lambda output, t, sample: (sample,), sigmas=torch.tensor([1.0, 0.0]), step_index=1)
    sketch = Sketch(SimpleNamespace(vae=vae, scheduler=scheduler), SIZE)
    shown, other = (torch.from_numpy(drawn(seed).pixels).permute(2, 0, 1)[None].double() / 127.5 - 1 for seed in (0, 1))
    vae.turn = vae.turn.double()
    asked = (vae.encode(other)[0] - 0.2) * 0.5  # what the sampler comes to
    with sketch.listening():
        assert sketch.picture() is None
        vae.encode(shown)
        scheduler.step(torch.zeros_like(asked), 0, asked)
    found = sketch.picture()
    assert found is not None and found.shape == (SIZE[1], SIZE[0], 3)
    small = avg_pool2d(torch.from_numpy(found).permute(2, 0, 1)[None].double() / 127.5 - 1, 8)
    assert (small - avg_pool2d(other, 8)).abs().mean() < 0.05 < (small - avg_pool2d(shown, 8)).abs().mean()


def test_only_an_edit_is_previewed_and_one_given_up_leaves_nothing_behind(checkpoints: Path) -> None:
    painter = painter_of(folder_of(checkpoints, "kontext"), steps=3)
    assert isinstance(painter, PreviewingPainter)
    seen: list[np.ndarray] = []
    painter.on_preview, painter.on_step = seen.append, lambda done, steps: done < 2
    try:
        for asked, previews in ((request(), 0), (edit(), 2)):
            with pytest.raises(Cancelled):
                painter.paint(asked)
            assert len(seen) == previews
    finally:
        painter.on_preview = painter.on_step = None
    assert "encode" not in vars(painter.pipeline.vae) and "step" not in vars(painter.pipeline.scheduler)

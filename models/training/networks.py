"""The two networks as one module to train, made anew or grown from an older checkpoint."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import partial
from operator import ge
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.context import SLOW_SIZE
from models.context_encoder import ContextEncoder
from models.denoiser import Denoiser, Prediction
from models.loading import load_bundled, plain_config
from models.training.heldout import held_out, paint
from models.training.objective import Batch
from models.training.thinning import narrower, thin

THINNED = 777  # seed of the screens by which channels are chosen


class Networks(nn.Module):
    """Denoiser and context encoder, trained together."""

    def __init__(self, denoiser: Denoiser, encoder: ContextEncoder) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.encoder = encoder

    @classmethod
    def of_forms(cls, forms: dict[str, dict[str, Any]]) -> Networks:
        """New networks of the forms that `forms` once told."""
        return cls(Denoiser(**forms["denoiser"]), ContextEncoder(**forms["encoder"]))

    def forms(self) -> dict[str, dict[str, Any]]:
        """What the two were made with."""
        return {"denoiser": plain_config(self.denoiser.config), "encoder": plain_config(self.encoder.config)}

    def twin(self) -> Networks:
        """Another pair with the same weights."""
        return Networks(copy.deepcopy(self.denoiser), copy.deepcopy(self.encoder))

    def forward(self, noisy: Tensor, previous: Tensor, batch: Batch, level: Tensor) -> Prediction:
        steering = self.denoiser.steering(level, self.encoder(batch.slow, batch.recent))
        return self.denoiser(noisy, previous, batch.guide, batch.maps, steering, batch.memory, batch.corners, batch.materials, forms=batch.forms)  # type: ignore[no-any-return]


def networks_from(init: Path | None, asked: Mapping[str, Sequence[int]] = {}) -> Networks:
    """New networks, or those of a checkpoint, grown to what new ones take in: it paints as before with a guide, and about as fast,
    for memory is only looked into where there is none. Only in shadows and glows and along menus' edges does one that decided nothing there begin with a few levels off. One that had learned its palette is given it: what it made up
    for by mixing it must learn anew. asked: blocks of the denoiser, in each row, and the channels within them, other than a new one's or
    the checkpoint's, whose first blocks are kept, see `models.training.thinning`. Raises CheckpointError."""
    told: dict[str, Any] = {name: tuple(numbers) for name, numbers in asked.items() if numbers}
    if init is None:
        return Networks(Denoiser(**told), ContextEncoder(slow_size=SLOW_SIZE))
    start = load_bundled(init, init.name)
    encoder = ContextEncoder(slow_size=SLOW_SIZE, **_kept(start.context_encoder, "events", "slow_tokens", "token_width"))
    kept = _kept(start.denoiser, "palette_size", "token_width", "widths", "blocks", "inner")
    new = Networks(Denoiser(tokens=encoder.tokens, **{**kept, **told}), encoder)
    grow(new.denoiser, start.denoiser)
    if new.denoiser.deepens and not start.denoiser.deepens:
        nn.init.zeros_(new.denoiser.from_deep.weight)
        nn.init.zeros_(new.denoiser.from_deep.bias)  # type: ignore[arg-type]
    if start.denoiser.raises and not start.denoiser.relief.shadowed:
        new.denoiser.relief.in_shadows_as_out_of_them()
    if thinner := narrower(new.denoiser, start.denoiser):
        thin(thinner, partial(paint, start.denoiser, start.context_encoder, held_out(THINNED)))
    grow(new.encoder, start.context_encoder)
    return new


def _kept(network: Any, *names: str) -> dict[str, Any]:
    """Of what a network was made with, these."""
    return {name: network.config[name] for name in names}


def grow(new: nn.Module, old: nn.Module) -> None:
    """Take `old`'s weights into `new`, which may have more inputs: weights of those begin at zero, so that it answers
    as before. What `old` has no weights for, further outputs too, stays as it was made, and what is smaller in `new`."""
    known = old.state_dict()
    with torch.no_grad():
        for name, tensor in new.state_dict().items():
            if name in known and all(map(ge, tensor.shape, known[name].shape)):
                tensor[: len(known[name])] = 0
                tensor[tuple(slice(n) for n in known[name].shape)] = known[name]

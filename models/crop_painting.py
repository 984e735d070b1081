"""The bundled denoiser over crops of one size, from bytes to bytes, as one function of tensors."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

import torch
from torch import Tensor

from engine.painter import TORCH_COMPILE
from models.compiling import Backend
from models.denoiser import PATCH, Denoiser, pack
from models.inputs import corner_maps, event_maps, to_bytes
from models.layers import Steering
from models.materials import Materials
from models.sampling import sample
from models.stopwatch import Stopwatch

DENSE = torch.ops.aten.is_non_overlapping_and_dense


class CropPainting:
    """static: launch the same whatever the numbers are, as a CUDA graph must. compiles: (width, height) of crops that are compiled
    where that is asked for, for each takes half a minute; such a crop is one piece, whose stages the watch does not tell apart."""

    compiler = TORCH_COMPILE

    def __init__(
        self, denoiser: Denoiser, steps: int, dtype: torch.dtype, static: bool, watch: Stopwatch, compiles: Collection[tuple[int, int]] = ()
    ) -> None:
        self._denoiser, self._steps, self._dtype, self._static = denoiser, steps, dtype, static
        self._watch, self._compiles = watch, {(height // PATCH, width // PATCH) for width, height in compiles}
        self._steering: tuple[Tensor, dict[int, dict[float, Steering]]] | None = None  # of which tokens, by crops, by noise level
        self._compiled: Callable[..., Tensor] | None = None
        self.between: Callable[[int], None] | None = None  # as of `sample`; what is compiled or replayed has no between

    def compile(self, backend: Backend) -> None:
        """Compile it whole; it is static."""
        self._compiled = torch.compile(partial(self._painted, _unmarked, None), backend=backend, dynamic=False)

    def as_it_was(self) -> None:
        self._compiled = None

    def __call__(
        self, previous: Tensor | None, guide: Tensor | None, verbatim: Tensor | None, forms: Tensor | None, pointer: Tensor | None,
        buttons: Tensor | None, memory: Tensor | None, tokens: Tensor, palette: Tensor, build: Tensor, clear: Tensor, depth: Tensor,
        ground: Tensor, texture: Tensor, place: Tensor, noise: Tensor,
    ) -> Tensor:  # fmt: skip
        """New pixels, uint8 (B, h, w, 3).

        previous: uint8 (B, 3, h, w), None where there is a guide, which says all; guide: uint8 (B, h, w, 3), verbatim:
        uint8 (B, h, w) and forms: uint8 (B, h, w, 4), as the guide has them, None without one; pointer: (B, h / 4, w / 4) and buttons: (B, 3)
        where events are answered; tokens, palette, (1, P, 3) in [-1, 1], build: (1, N), see `build_of`, clear and depth: of all B; place: (B, PLACE, h / 4, w / 4); the
        rest as of Denoiser.forward.
        """
        given = (
            previous, guide, verbatim, forms, pointer, buttons, memory, tokens, palette, build, clear, depth, ground, texture, place, noise,
        )  # fmt: skip
        if self._compiled is not None and place.shape[-2:] in self._compiles:
            self._watch.stage("denoise")
            # It is compiled for how its inputs lie and what they are, too: they must be as the copies that a graph reads.
            return self._compiled(*(one if one is None or one.is_inference() and DENSE(one) else one.clone() for one in given))
        return self._painted(self._watch.stage, self.between, *given)

    def _painted(
        self, stage: Callable[[str], None], between: Callable[[int], None] | None, previous: Tensor | None, guide: Tensor | None,
        verbatim: Tensor | None, forms: Tensor | None, pointer: Tensor | None, buttons: Tensor | None, memory: Tensor | None,
        tokens: Tensor, palette: Tensor, build: Tensor, clear: Tensor, depth: Tensor, ground: Tensor, texture: Tensor, place: Tensor,
        noise: Tensor,
    ) -> Tensor:  # fmt: skip
        stage("encode")
        given = previous if guide is None else guide.permute(0, 3, 1, 2)
        assert given is not None
        count, _, height, width = given.shape
        own = pack(given.to(self._dtype) / 127.5 - 1)
        before, shown = (own, torch.zeros_like(own)) if guide is None else (None, own)
        mask = given.new_zeros(count, height, width) if verbatim is None else verbatim
        present = mask.new_full((count,), float(guide is not None), dtype=torch.float32)
        spot = present.new_zeros(count, height // PATCH, width // PATCH) if pointer is None else pointer
        pressed = present.new_zeros(count, 3) if buttons is None else buttons
        events = event_maps(mask[:, None].float() / 255, present, spot, pressed).to(self._dtype)
        maps = torch.cat([events, place], 1)
        known = self._known(tokens, count)
        if count > 1:
            tokens, palette, build, clear, depth = (one.expand(count, *one.shape[1:]) for one in (tokens, palette, build, clear, depth))
        materials = Materials(clear, depth, ground, texture, build)
        rounded = None
        if self._denoiser.rounds and forms is not None and (self._static or bool(forms[..., 0].any())):
            rounded = corner_maps(forms, palette, materials, self._denoiser.corner.told, self._static)
        stage("denoise")
        clean = sample(
            self._denoiser, before, shown, maps, tokens, memory, rounded, materials,
            noise, self._steps, static=self._static, known=known,
            forms=forms, between=between,
        )  # fmt: skip
        stage("decode")
        pixels = to_bytes(clean)
        if guide is None or verbatim is None or not (self._static or bool(verbatim.any())):
            return pixels
        return torch.where(verbatim.unsqueeze(-1) > 0, guide, pixels)  # pictures are the user's: not one level may be off

    def _known(self, tokens: Tensor, count: int) -> dict[float, Steering] | None:
        """What these very tokens made of the layers before, for so many crops. Where launches are recorded, a recording must not read
        what another left: there it is computed each time, which costs next to nothing."""
        if self._static:
            return None
        if self._steering is None or self._steering[0] is not tokens:
            self._steering = tokens, {}
        return self._steering[1].setdefault(count, {})


def _unmarked(stage: str) -> None:
    """Nobody looks at the clock in between."""

"""The bundled denoiser over crops of one size, from bytes to bytes, as one function of tensors."""

from __future__ import annotations

import torch
from torch import Tensor

from models.denoiser import PATCH, Denoiser, Materials, pack
from models.inputs import corner_maps, event_maps, to_bytes
from models.layers import Steering
from models.sampling import sample
from models.stopwatch import Stopwatch


class CropPainting:
    """static: launch the same whatever the numbers are, as a CUDA graph must."""

    def __init__(self, denoiser: Denoiser, steps: int, dtype: torch.dtype, static: bool, watch: Stopwatch) -> None:
        self._denoiser, self._steps, self._dtype, self._static = denoiser, steps, dtype, static
        self._watch = watch
        self._steering: tuple[Tensor, dict[float, Steering]] | None = None  # of which tokens, by noise level

    def __call__(
        self, previous: Tensor | None, guide: Tensor | None, verbatim: Tensor | None, corners: Tensor | None, pointer: Tensor | None,
        buttons: Tensor | None, memory: Tensor | None, tokens: Tensor, palette: Tensor, clear: Tensor, depth: Tensor, ground: Tensor,
        texture: Tensor, place: Tensor, noise: Tensor,
    ) -> Tensor:  # fmt: skip
        """New pixels, uint8 (B, h, w, 3).

        previous: uint8 (B, 3, h, w), None where there is a guide, which says all; guide, corners: uint8 (B, h, w, 3) and verbatim:
        uint8 (B, h, w), as the guide has them, None without one; pointer: (B, h / 4, w / 4) and buttons: (B, 3) where events are
        answered; tokens, palette, in [-1, 1], clear and depth: of the one look, (1, ...); place: (B, PLACE, h / 4, w / 4); the
        rest as of Denoiser.forward.
        """
        self._watch.stage("encode")
        given = previous if guide is None else guide.permute(0, 3, 1, 2)
        assert given is not None
        count = len(given)
        own = pack(given.to(self._dtype) / 127.5 - 1)
        nothing = torch.zeros_like(own)
        before, shown = (own, nothing) if guide is None else (nothing, own)
        mask = given.new_zeros(count, *given.shape[2:]) if verbatim is None else verbatim
        present = mask.new_full((count,), float(guide is not None), dtype=torch.float32)
        spot = present.new_zeros(count, mask.shape[1] // PATCH, mask.shape[2] // PATCH) if pointer is None else pointer
        pressed = present.new_zeros(count, 3) if buttons is None else buttons
        events = event_maps(mask[:, None].float() / 255, present, spot, pressed).to(self._dtype)
        maps = torch.cat([events, place], 1).contiguous(memory_format=torch.channels_last)
        materials = Materials(clear.expand(count, -1), depth.expand(count, -1), ground, texture)
        rounded = None
        if self._denoiser.rounds and corners is not None and (self._static or bool(corners.any())):
            rounded = corner_maps(corners, palette.expand(count, -1, -1), materials, self._static)
        self._watch.stage("denoise")
        clean = sample(
            self._denoiser, before, shown, maps, tokens, memory, rounded, materials,
            noise.contiguous(memory_format=torch.channels_last), self._steps, static=self._static, known=self._known(tokens),
        )  # fmt: skip
        self._watch.stage("decode")
        pixels = to_bytes(clean)
        if guide is None or verbatim is None:
            return pixels
        return torch.where(verbatim.unsqueeze(-1) > 0, guide, pixels)  # pictures are the user's: not one level may be off

    def _known(self, tokens: Tensor) -> dict[float, Steering] | None:
        """What these very tokens made of the layers before. Where launches are recorded, a recording must not read what another
        left: there it is computed each time, which costs next to nothing."""
        if self._static:
            return None
        if self._steering is None or self._steering[0] is not tokens:
            self._steering = tokens, {}
        return self._steering[1]

"""The latent painter of prompted checkpoints: a few denoising steps on the damage, from the guide or the last frame.

Guided, the picture that painting starts from is the last frame with the guide in the damage; dreaming, it is the last
frame's own latents, and the prompt tells what the events did. One noise field a seed, drawn for the whole frame in the
stock pipeline's order, is sliced for crops: the same numbers as the stock pipeline where the whole frame is painted.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.geometry import Rect
from engine.painter import (
    CROPS,
    EMBEDDINGS,
    GRAPHS,
    Cancelled,
    OnPreview,
    OnStep,
    PainterInfo,
    PainterSpec,
    Painting,
    PaintRequest,
    Patch,
    Readiness,
)
from models.compiling import Blocks, compile_regions
from models.crops import Cells, PaintCrop, least, plan
from models.devices import all_threads, device_of, name_of
from models.embeddings import Vocabulary
from models.families import Family
from models.graphs import Graphs
from models.held_frame import BLEND, EMPTY, HeldFrame, Kept
from models.instructions import templates_of
from models.ladder import Ladder
from models.placing import Placement
from models.probe import first_request
from models.prompted.checkpoint import PromptedCheckpoint
from models.prompted.coder import Coder
from models.prompted.conditioning import Conditioning, Known, conditioned, context_tokens
from models.prompted.crop_painting import CropPainting, Given
from models.prompted.recall import Recall
from models.prompted.run import Run
from models.stopwatch import Stopwatch

NEGATIVE = "blurry, illegible text, distorted"
CELLS = Cells(align=64, step=64, margin=32, least=256)  # what a U-Net of three halvings over cells of 8 pixels can take
# Where time goes by the pixel, as on a CPU: the smallest that holds a letter and its margins wherever it stands. A denoiser that was
# trained on whole pictures knows less of the place there, and its coarser cells begin elsewhere than the frame's, so that what a
# crop shows is further from what the whole frame would: `docs/benchmarks.md` says how far. `least_crop` asks for larger ones.
SMALL_CELLS = replace(CELLS, align=16, least=128)


class PromptedPainter:
    """Paints with a checkpoint that understands words. Latents are the autoencoder's, scaled, kept on the device."""

    def __init__(self, checkpoint: PromptedCheckpoint, spec: PainterSpec) -> None:
        self.family, self.pipeline, self._spec = checkpoint.row, checkpoint.pipeline, spec
        self._loras = checkpoint.loras
        device = device_of(spec.device)
        if device.type == "cpu":
            torch.set_num_threads(spec.threads or all_threads())
        self.placement = Placement(checkpoint.pipeline, checkpoint.parts, checkpoint.family, spec)
        self.ladder = Ladder(spec.size, self.placement)
        self.placement.let_encoders_come()
        dtype = self.placement.dtype
        self._device, self._dtype = device, dtype
        self._templates = templates_of(self.family, spec.profile)
        # Networks that come and go, as a thrifty plan has it, lie nowhere for long: no graph could read them.
        self.graphs = Graphs(device, (*spec.without, *([GRAPHS] if self.placement.plan.offload != "none" else [])))
        self._watch = Stopwatch(device)
        self._coder = Coder(self.pipeline.vae, self.pipeline.vae_scale_factor, self.graphs)
        steps = spec.steps or self.family.steps
        self._run = self._run_of(self.family, steps)
        self._crops = CropPainting(self.pipeline, self.family, self._coder, self._run, self.graphs)
        self.info = PainterInfo(
            checkpoint.name, self.family.name, checkpoint.sha256, spec.mode, name_of(device), str(dtype).removeprefix("torch."),
            steps, BLEND, prompted=True, turns=True, note=checkpoint.said(self._templates.note), plan=str(self.placement.plan), loras=checkpoint.loras.infos if checkpoint.loras else (),
            strength=0.0 if self.family.edits else self.family.turning,
        )  # fmt: skip
        cells, small = (replace(cells, least=spec.least_crop or cells.least) for cells in (CELLS, SMALL_CELLS))
        self._ample = cells.few(spec.size) if self.graphs.on else cells  # for edits, which more depends on and nobody waits for
        self.cells = small if device.type == "cpu" and not self.graphs.on else self._ample
        self._frame = HeldFrame(spec.size, device)
        self._latents = torch.zeros_like(self._run.fields[0])
        self._unread = True  # whether the frame has no latents yet
        self._told: tuple[tuple[str, str], Conditioning] | None = None
        self._recall = Recall(spec)
        self._vocabulary = Vocabulary(self.pipeline, Path(spec.profile) if spec.profile else None)
        self._known: tuple[str, Known] | None = None
        self.on_step: OnStep | None = None
        self.on_preview: OnPreview | None = None
        self._last = first_request(spec.size, self._frame.whole)
        self._again = False  # whether the last words were those before
        if spec.compiled:
            compiled = compile_regions([Blocks(self.pipeline.unet)], self._try)
            self.info = replace(self.info, compile_s=compiled.seconds, note=" ".join(filter(None, (self.info.note, compiled.note))))
        unseen = [partial(self._paint_unseen, Rect(0, 0, *size)) for size in (*self.cells.sizes, spec.size)]
        self.graphs.rehearse([*unseen, *[partial(self._paint_unseen, self._frame.whole, call_by_call=True)] * self._crops.whole])

    def _try(self) -> None:
        """Paint the whole frame and a small crop of nothing, and forget it."""
        for area in (self._frame.whole, Rect(0, 0, *least(self.cells, self._spec.size))):
            self.frame(self._last, area)
        self._told = None

    @torch.inference_mode()
    def get_ready(self) -> Readiness | None:
        """Let text encoders go whose output is used again, then capture CUDA graphs of the next size of crops, where there are
        any. A dream's words change with every event, and those who leave at once would come back at once."""
        if self._again:
            self.placement.rest()
        return self.graphs.advance()

    def _paint_unseen(self, area: Rect, call_by_call: bool = False) -> None:
        """Paint a crop as the last request asks, and forget it; call_by_call: as an edit is painted."""
        stepped, self.on_step = self.on_step, None
        try:
            self._paint_area(area, self._last, self.conditioning(self._last), (), call_by_call)
        finally:
            self.on_step = stepped

    @torch.inference_mode()
    def paint(self, request: PaintRequest) -> Painting:
        """Paint the damage; everything else stays bit-identical. Without a guide, the whole frame answers the events.

        Raises Cancelled where `on_step` says so; nothing is taken over then.
        """
        if request.edit is not None:
            return self._edited(request)
        self._watch.begin()
        self._watch.stage("embed")
        self._weigh(request)
        told = self.conditioning(request)
        self._watch.stage("encode")
        if self.graphs.on:
            self._last = request
        patches, damage = self._frame.begin(request)
        self._read(anew=bool(patches))
        damage = (self._frame.whole,) if request.guide is None else damage
        fresh = bool(patches)
        asked = repr((self.ladder.scale, self._told and self._told[0], self.info.loras))
        returned = self._recall.begin(request, asked, damage, self._held)
        if returned is not None:
            patches += self._put_back(damage, returned.part(damage, self._within))
            damage = ()
        for crop in plan(damage, self._spec.size, self.cells.at_most(self.ladder.most), whole=CROPS in self._spec.without):
            known = self._recall.crop(crop)
            if known is None:
                fresh, known = True, self._painted(crop, request, told)
                self._recall.keep(crop, known)
                patches += known.patches
            else:
                patches += self._put_back(crop.damage, known)
        self._recall.end()
        source = "painted" if fresh else "cached" if patches else "skipped"
        return Painting(request.seq, tuple(patches), source, self._watch.ms(), lookups=self._recall.lookups())

    def _painted(self, crop: PaintCrop, request: PaintRequest, told: Conditioning) -> Kept:
        painted = self._paint_area(crop.area, request, told, crop.damage)
        patches = []
        for rect in crop.damage:
            y, x = rect.shift(-crop.area.x, -crop.area.y).slices
            patches.append(self._frame.take_for(request, rect, painted[..., y, x] / 2 + 0.5))
        return Kept(tuple(patches), tuple(self._latents[self._within(rect)].clone() for rect in crop.damage))

    def _put_back(self, damage: tuple[Rect, ...], known: Kept) -> tuple[Patch, ...]:
        for rect, patch, latents in zip(damage, known.patches, known.latents, strict=True):
            self._frame.hold(rect, patch.pixels)
            self._latents[self._within(rect)] = latents
        return known.patches

    def _held(self) -> Kept:
        """All of the frame."""
        return Kept((Patch(self._frame.whole, self._frame.array()),), (self._latents.clone(),))

    def _within(self, rect: Rect) -> tuple[Any, ...]:
        """The latent cells that a rect touches."""
        return (..., *(slice(s.start // self._coder.factor, -(-s.stop // self._coder.factor)) for s in rect.slices))

    @torch.inference_mode()
    def frame(self, request: PaintRequest, area: Rect | None = None) -> Tensor:
        """The whole frame, or an area of it, as the stock pipeline gives it, unrounded: float32 (1, 3, H, W) in [0, 1]. Nothing
        is kept."""
        self._weigh(request)
        self._read()
        whole, kept = area or self._frame.whole, self._latents.clone()
        painted = self._paint_area(whole, request, self.conditioning(request), (whole,))
        self._latents = kept
        return (painted / 2 + 0.5).clamp(0, 1)

    @torch.inference_mode()
    def latents(self) -> np.ndarray:
        """The frame's bytes, then its latents', as uint8 (N,): restored without loss."""
        self._read()
        parts = [self._frame.pixels, self._latents.float().contiguous().view(torch.uint8)]
        return self._frame.ferry.down(torch.cat([part.flatten() for part in parts]))

    @torch.inference_mode()
    def restore(self, latents: np.ndarray | None) -> None:
        self._recall.lost()
        count = self._frame.pixels.numel()
        if latents is None:
            self._frame.pixels.fill_(EMPTY)
            self._unread = True
        elif latents.shape == (count + 4 * self._latents.numel(),):
            kept = torch.from_numpy(latents.copy())
            self._frame.pixels.copy_(kept[:count].view(self._frame.pixels.shape))
            self._latents = kept[count:].view(torch.float32).view(self._latents.shape).to(self._latents)
            self._unread = False

    def close(self) -> None:
        self._told = self._known = self.on_step = self.on_preview = None
        self._recall.clear()

    def prompt(self, request: PaintRequest) -> str:
        return self._templates.words(request)

    def _weigh(self, request: PaintRequest) -> None:
        """LoRAs count as the request says, from now on; they may have changed how words are encoded."""
        if self._loras is not None and self._loras.weigh(request.weights):
            self.info = replace(self.info, loras=self._loras.infos)
            self._told = None
            self.graphs.renew()  # how much a LoRA counts is in what was captured

    def _edited(self, request: PaintRequest) -> Painting:
        """Another picture made of the one in the guide, in the damage alone; what is held stays as it is."""
        assert request.guide is not None and request.edit is not None
        self._watch.begin()
        self._watch.stage("encode")
        self._read()
        kept = self._latents, self._told, self._run
        row = self.family.turned(request.edit.strength)
        if row is not self.family:
            self._run = self._run_of(row, row.calls(self.info.steps))
        patches: list[Patch] = []
        with self._frame.lent(request.guide):
            try:
                self._read(anew=True)
                told = self.conditioning(request)
                for crop in plan(request.damage, self._spec.size, self._ample.at_most(self.ladder.most)):
                    painted = self._paint_area(crop.area, request, told, crop.damage, call_by_call=True)
                    for rect in crop.damage:
                        y, x = rect.shift(-crop.area.x, -crop.area.y).slices
                        patches.append(self._frame.take(rect, painted[..., y, x] / 2 + 0.5))
            finally:
                self._latents, self._told, self._run = kept
        return Painting(request.seq, tuple(patches), "painted", self._watch.ms())

    def conditioning(self, request: PaintRequest) -> Conditioning:
        """Of the request's words, encoded anew only when they change."""
        words = self.prompt(request), request.words.known
        self._again = self._told is not None and self._told[0] == words and EMBEDDINGS not in self._spec.without
        if self._told is None or not self._again:
            for line in self._vocabulary.teach(words[0]):
                print(line, file=sys.stderr, flush=True)
            self._told = words, conditioned(self.pipeline, self.family, words[0], NEGATIVE, self.known(words[1]), self.family.guidance)
        return self._told[1]

    @torch.inference_mode()
    def known(self, context: str) -> Known:
        """The context's tokens, computed anew only when the context changed: events come and go beside them."""
        if self._known is None or self._known[0] != context:
            self._known = context, context_tokens(self.pipeline, context)
        return self._known[1]

    def _run_of(self, family: Family, steps: int) -> Run:
        width, height = (side // self._coder.factor for side in self._spec.size)
        shape = (1, self.pipeline.vae.config.latent_channels, height, width)
        sampled = not self.family.edits and not self._coder.local
        return Run(self.pipeline, family, steps, shape, self._spec.seed, sampled, self._device, self._dtype)

    def _paint_area(
        self, area: Rect, request: PaintRequest, told: Conditioning, damage: tuple[Rect, ...], call_by_call: bool = False
    ) -> Tensor:
        """New pixels of the area, float32 (1, 3, h, w) in [-1, 1]; its latents are kept where it was damaged."""
        self._watch.stage("encode")
        given, done = self._given(area, request, told, damage), None
        self._watch.stage("denoise")
        if self._crops.whole and not call_by_call and self.ladder.scale == 1 and (self._coder.local or area == self._frame.whole):
            done = self._crops.in_one(given)
        clean = done[1] if done else self._crops.clean(given, self._run, partial(self._stepped, request, area, damage))
        self._watch.stage("decode")
        kept = self.ladder.as_kept(clean)
        for rect in damage:
            _, y, x = self._within(rect)
            top, left = area.y // self._coder.factor, area.x // self._coder.factor
            self._latents[..., y, x] = kept[..., y.start - top : y.stop - top, x.start - left : x.stop - left]
        return done[0] if done else self._decode(clean, area)

    def _given(self, area: Rect, request: PaintRequest, told: Conditioning, damage: tuple[Rect, ...]) -> Given:
        """What the area is painted from, as large as the checkpoint paints it."""
        cells, scale = self._within(area), self.ladder.scale
        shown = self._frame.showing(request.guide, damage, area)
        shown = self._fewer(self._seen(shown, area, request) if self.family.edits else shown)
        guide = self._fewer(self._frame.showing(request.guide, (area,), area)) if self.family.control else None
        start = self.ladder.less(self._latents[cells]) if self.family.edits or request.guide is None else None
        size, corner = (self._spec.size[1] // scale, self._spec.size[0] // scale), (area.y // scale, area.x // scale)
        fields = tuple(field[cells][..., ::scale, ::scale] for field in self._run.fields)
        return Given(shown, guide, start, told, told.added(size, corner), fields)

    def _fewer(self, pixels: Tensor) -> Tensor:
        return pixels if self.ladder.scale == 1 else self.ladder.less(self._coder.floats(pixels))

    def _stepped(self, request: PaintRequest, area: Rect, damage: tuple[Rect, ...], i: int, sample: Tensor, output: Tensor) -> None:
        """A call of the denoiser is done: tell of it, show what an edit is like by now. Raises Cancelled where it is given up."""
        path, calls = self._run.path, len(self._run.path.timesteps)
        if request.edit is not None and self.on_preview is not None and i + 1 < calls:
            self._show(request, area, damage, path.clean(i, sample, output))
        if self.on_step is not None and not self.on_step(i + 1, calls):
            raise Cancelled(f"painting was given up after {i + 1} of {calls} steps; the frame is as it was")

    def _seen(self, shown: Tensor, area: Rect, request: PaintRequest) -> Tensor:
        """What an editing checkpoint is shown of the area: in a dream with a mark of the click, where that helps."""
        if area != self._frame.whole or not self._templates.marks(request):
            return shown
        marked = self._templates.marked(self._frame.array(), request)
        return torch.from_numpy(marked).permute(2, 0, 1)[None].to(self._device)

    def _show(self, request: PaintRequest, area: Rect, damage: tuple[Rect, ...], clean: Tensor) -> None:
        """A preview: the picture that is edited, with what the damage would be like by now."""
        assert request.guide is not None and self.on_preview is not None
        decoded = (self.ladder.more(self._coder.decode(clean)) / 2 + 0.5).clamp(0, 1)[0].permute(1, 2, 0)
        pixels, seen = request.guide.copy(), (decoded * 255).round().to(torch.uint8).cpu().numpy()
        for rect in damage:
            pixels[rect.slices] = seen[rect.shift(-area.x, -area.y).slices]
        self.on_preview(pixels)

    def _decode(self, clean: Tensor, area: Rect) -> Tensor:
        """The area's pixels. An autoencoder that sees the whole picture decodes the whole: crops would not fit in."""
        if self._coder.local or area == self._frame.whole:
            return self.ladder.more(self._coder.decode(clean))
        scale, frame = self.ladder.scale, self.ladder.less(self._latents).clone()
        y, x = (slice(s.start // scale, s.stop // scale) for s in self._within(area)[1:])
        frame[..., y, x] = clean
        return self.ladder.more(self._coder.decode(frame))[(..., *area.slices)]

    def _read(self, anew: bool = False) -> None:
        """Have the latents of the frame that is held, where it has none yet, or others by now."""
        if anew or self._unread:
            self._latents = self.ladder.as_kept(self._coder.encode(self.ladder.less(self._coder.floats(self._frame.pixels)), None))
            self._unread = False

"""The latent painter of prompted checkpoints: a few denoising steps on the damage, from the guide or the last frame.

Guided, the picture that painting starts from is the last frame with the guide in the damage; dreaming, it is the last
frame's own latents, and the prompt tells what the events did. One noise field a seed, drawn for the whole frame in the
stock pipeline's order, is sliced for crops: the same numbers as the stock pipeline where the whole frame is painted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.events import Text
from engine.geometry import Rect
from engine.painter import (
    BATCHES,
    CROPS,
    GRAPHS,
    OPENVINO,
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
from models.crops import PROMPTED_CELLS, SMALL_CELLS, PaintCrop, alike, evened, least, plan, small
from models.devices import all_threads, device_of, name_of
from models.families import Family
from models.graphs import Graphs
from models.held_frame import BLEND, EMPTY, HeldFrame, Kept, with_parts
from models.ladder import Ladder
from models.placing import Placement
from models.probe import first_request, unseen
from models.prompted.checkpoint import PromptedCheckpoint
from models.prompted.coder import Coder
from models.prompted.conditioning import Conditioning
from models.prompted.crop_painting import CropPainting, Given, batched
from models.prompted.recall import Recall
from models.prompted.run import Run
from models.prompted.telling import Telling
from models.stopwatch import Stopwatch

SMALL_AREA = 256 * 128  # crops up to this many pixels are painted together on a CPU: each alone reads all weights, and calls every layer
AT_ONCE, PAIR = 4, 2  # crops in a batch; of those that are captured, where a letter and the count below it are what comes together
Painted = tuple[Tensor, Tensor]  # of an area: pixels, float32 (1, 3, h, w) in [-1, 1], and latents as they are kept, (1, C, h / 8, w / 8)


class PromptedPainter:
    """Paints with a checkpoint that understands words. Latents are the autoencoder's, scaled, kept on the device."""

    def __init__(self, checkpoint: PromptedCheckpoint, spec: PainterSpec) -> None:
        self.family, self.pipeline, self._spec = checkpoint.row, checkpoint.pipeline, spec
        self.loras, self.coder = checkpoint.loras, checkpoint.coder
        device = device_of(spec.device)
        if device.type == "cpu":
            torch.set_num_threads(spec.threads or all_threads())
        self.placement = Placement(checkpoint.pipeline, checkpoint.parts, checkpoint.family, spec)
        self.ladder = Ladder(spec.size, self.placement)
        self.placement.let_encoders_come()
        dtype = self.placement.dtype
        self._device, self._dtype = device, dtype
        self.telling = Telling(self.pipeline, self.family, spec)
        # Networks that come and go, as a thrifty plan has it, lie nowhere for long: no graph could read them.
        self.graphs = Graphs(device, (*spec.without, *([GRAPHS] if self.placement.plan.offload != "none" else [])))
        self._watch = Stopwatch(device)
        self._coder = Coder(self.pipeline, self.family, self.graphs)
        steps = spec.steps or self.family.steps
        self._run = self._run_of(self.family, steps)
        self._crops = CropPainting(self.pipeline, self.family, self._coder, self._run, self.graphs)
        self.info = PainterInfo(
            checkpoint.name, self.family.name, checkpoint.sha256, spec.mode, name_of(device), str(dtype).removeprefix("torch."),
            steps, BLEND, prompted=True, turns=True, note=checkpoint.said(self.telling.templates.note), plan=str(self.placement.plan), loras=checkpoint.loras.infos if checkpoint.loras else (),
            strength=0.0 if self.family.edits else self.family.turning,
        )  # fmt: skip
        cells, finer = (replace(cells, least=spec.least_crop or cells.least) for cells in (PROMPTED_CELLS, SMALL_CELLS))
        self._ample = cells.few(spec.size) if self.graphs.on else cells  # for edits, which more depends on and nobody waits for
        self.cells = finer if device.type == "cpu" and not self.graphs.on else self._ample
        captured = self.graphs.on and self._coder.local and bool(self.cells.sizes)  # a batch of the smallest crops is
        self._at_once = 1 if BATCHES in spec.without else PAIR if captured else AT_ONCE if self.cells is finer else 1
        self._small = least(self.cells, spec.size)[0] ** 2 if captured else SMALL_AREA
        self._frame = HeldFrame(spec.size, device)
        self._latents = torch.zeros_like(self._run.fields[0])
        self._unread = True  # whether the frame has no latents yet
        self._recall = Recall(spec)
        self.on_step: OnStep | None = None
        self.on_preview: OnPreview | None = None
        self._last = first_request(spec.size, self._frame.whole)
        if spec.compiled:
            self.info = self.placement.compiled(self._try, steady=self.loras is None).told_in(self.info)
        batches = [[Rect(0, 0, *size)] for size in (*self.cells.sizes, spec.size)]
        batches += [batches[0] * PAIR] * (self.at_once == PAIR)
        rehearsals = [partial(self._paint_unseen, areas, longer=longer) for longer in (False, True) for areas in batches]
        self.graphs.rehearse([*rehearsals, *[partial(self._paint_unseen, [self._frame.whole], call_by_call=True)] * self._crops.whole])

    @torch.inference_mode()
    def _try(self) -> None:
        """Paint small crops of nothing, as many at once as there may be two of, and the whole frame, and forget them."""
        for areas in [*([Rect(0, 0, *size)] * count for size in small(self.cells, self._spec.size) for count in (1, 2) if count <= self.at_once), [self._frame.whole]]:
            self._paint_unseen(areas)
        self.telling.forget()

    @torch.inference_mode()
    def get_ready(self) -> Readiness | None:
        """Let text encoders go whose output is used again, then capture CUDA graphs of the next size of crops, where there are
        any. A dream's words change with every event, and those who leave at once would come back at once."""
        if self.telling.again:
            self.placement.rest()
        return self.graphs.advance()

    def _paint_unseen(self, areas: Sequence[Rect], call_by_call: bool = False, longer: bool = False) -> None:
        """Paint crops as the last request asks, and forget them; call_by_call: as an edit is painted; longer: told of the user where
        that was not, and not where it was: that comes, or goes, while somebody works."""
        stepped, self.on_step, told = self.on_step, None, self.telling.conditioning(self._last)
        try:
            self._paint_areas(areas, self._last, told.of_other_length(bool(self._last.words.known)) if longer else told, (), call_by_call)
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
        told = self.telling.conditioning(request)
        self._watch.stage("encode")
        if self.graphs.on:
            self._last = unseen(request)
        patches, damage = self._frame.begin(request)
        self._read(content := [patch.rect for patch in patches])
        damage = (self._frame.whole,) if request.guide is None else damage
        asked = repr((self.ladder.scale, self.telling.said(request), self.info.loras))
        returned = self._recall.begin(request, asked, damage, self._held)
        if returned is not None:
            patches += self._put_back(damage, returned.part(damage, self._within))
            damage = ()
        crops = self._plan(request, damage)
        found = [self._recall.crop(crop) for crop in crops]
        painted = dict[int, Painted]()
        missing = [i for i, known in enumerate(found) if known is None]
        for batch in alike(crops, missing, self._small, self.at_once):
            areas = [crops[i].area for i in batch]
            painted.update(zip(batch, self._paint_areas(areas, request, told, damage), strict=True))
        for i, (crop, known) in enumerate(zip(crops, found, strict=True)):
            if known is None:
                known = self._taken(crop, request, painted[i])
                self._recall.keep(crop, known)
                patches += known.patches
            else:
                patches += self._put_back(crop.damage, known)
        self._recall.end()
        source = "painted" if content or painted else "cached" if patches else "skipped"
        return Painting(request.seq, tuple(patches), source, self._watch.ms(), lookups=self._recall.lookups())

    @property
    def at_once(self) -> int:
        """How many crops are painted together: one where memory ran out, or OpenVINO computes, whose calls cost nothing that a batch would save."""
        return 1 if self.ladder.gave_up or self.placement.compiler == OPENVINO else self._at_once

    def _plan(self, request: PaintRequest, damage: tuple[Rect, ...]) -> list[PaintCrop]:
        crops = plan(damage, self._spec.size, self.cells.at_most(self.ladder.most), whole=CROPS in self._spec.without)
        typed = any(isinstance(event, Text) for event in request.events)  # what is typed is new; what is pointed at comes again, alone too
        return evened(crops, self._spec.size, self._small, self.at_once) if typed else crops

    def _taken(self, crop: PaintCrop, request: PaintRequest, painted: Painted) -> Kept:
        """Hold what was painted of the crop's damage."""
        pixels, latents = painted
        patches = []
        self._hold_latents(crop, latents)
        for rect in crop.damage:
            y, x = rect.shift(-crop.area.x, -crop.area.y).slices
            patches.append(self._frame.take_for(request, rect, pixels[..., y, x] / 2 + 0.5))
        return Kept(tuple(patches), tuple(self._latents[self._within(rect)].clone() for rect in crop.damage))

    def _hold_latents(self, crop: PaintCrop, latents: Tensor) -> None:
        for rect in crop.damage:
            self._latents[self._within(rect)] = latents[self._within(rect.shift(-crop.area.x, -crop.area.y))]

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
        whole = area or self._frame.whole
        ((painted, _),) = self._paint_areas([whole], request, self.telling.conditioning(request), (whole,))
        return (painted / 2 + 0.5).clamp(0, 1)

    @torch.inference_mode()
    def latents(self, out: np.ndarray | None = None) -> np.ndarray:
        """The frame's bytes, then its latents', as uint8 (N,): restored without loss."""
        self._read()
        return self._frame.ferry.strung([self._frame.pixels, self._latents.float()], out)

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
        self.on_step = self.on_preview = None
        self.telling.forget()
        self._recall.clear()

    def _weigh(self, request: PaintRequest) -> None:
        """LoRAs count as the request says, from now on; they may have changed how words are encoded."""
        if self.loras is not None and self.loras.weigh(request.weights):
            self.info = replace(self.info, loras=self.loras.infos)
            self.telling.forget()
            self.graphs.renew()  # how much a LoRA counts is in what was captured

    def _edited(self, request: PaintRequest) -> Painting:
        """Another picture made of the one in the guide, in the damage alone; what is held stays as it is."""
        assert request.guide is not None and request.edit is not None
        self._watch.begin()
        self._watch.stage("encode")
        self._read()
        kept = self._latents, self._run
        row = self.family.turned(request.edit.strength)
        if row is not self.family:
            self._run = self._run_of(row, row.calls(self.info.steps))
        patches: list[Patch] = []
        with self._frame.lent(request.guide):
            try:
                self._latents = self._encoded(self._frame.whole)
                told = self.telling.conditioning(request)
                for crop in plan(request.damage, self._spec.size, self._ample.at_most(self.ladder.most)):
                    (painted,) = self._paint_areas([crop.area], request, told, crop.damage, call_by_call=True)
                    patches += self._taken(crop, replace(request, verbatim=None), painted).patches  # pictures are what is edited
            finally:
                self._latents, self._run = kept
        return Painting(request.seq, tuple(patches), "painted", self._watch.ms())

    def _run_of(self, family: Family, steps: int) -> Run:
        width, height = (side // self._coder.factor for side in self._spec.size)
        shape = (1, self.pipeline.vae.config.latent_channels, height, width)
        sampled = not self.family.edits and not self._coder.local
        return Run(self.pipeline, family, steps, shape, self._spec.seed, sampled, self._device, self._dtype)

    def _paint_areas(
        self, areas: Sequence[Rect], request: PaintRequest, told: Conditioning, damage: tuple[Rect, ...], call_by_call: bool = False
    ) -> list[Painted]:
        """Each of areas of one size, painted from the frame as it is now, with the guide wherever there is damage. Nothing is held."""
        self._watch.stage("encode")
        given, done = batched([self._given(area, request, told, damage) for area in areas]), None
        self._watch.stage("denoise")
        in_one = self._crops.whole and not call_by_call and self.ladder.scale == 1
        if in_one and (self._coder.local or areas[0] == self._frame.whole):
            done = self._crops.in_one(given)
        clean = done[1] if done else self._crops.clean(given, self._run, partial(self._stepped, request, areas[0], damage))
        self._watch.stage("decode")
        pixels = list(done[0].split(1)) if done else self._decode(clean, areas)
        return list(zip(pixels, self.ladder.as_kept(clean).split(1), strict=True))

    def _given(self, area: Rect, request: PaintRequest, told: Conditioning, damage: tuple[Rect, ...]) -> Given:
        """What the area is painted from, as large as the checkpoint paints it."""
        (_, y, x), scale = self._within(area), self.ladder.scale
        shown = self._frame.showing(request.guide, damage, area)
        shown = self._fewer(self._seen(shown, area, request) if self.family.edits else shown)
        guide = self._fewer(self._frame.showing(request.guide, (area,), area)) if self.family.control else None
        start = self.ladder.less(self._latents[..., y, x]) if self.family.edits or request.guide is None else None
        size, corner = (self._spec.size[1] // scale, self._spec.size[0] // scale), (area.y // scale, area.x // scale)
        return Given(shown, guide, start, told, told.added(size, corner), self._run.fields_in(y, x, scale))

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
        if area != self._frame.whole or not self.telling.templates.marks(request):
            return shown
        marked = self.telling.templates.marked(self._frame.array(), request)
        return torch.from_numpy(marked).permute(2, 0, 1)[None].to(self._device)

    def _show(self, request: PaintRequest, area: Rect, damage: tuple[Rect, ...], clean: Tensor) -> None:
        """A preview: the picture that is edited, with what the damage would be like by now."""
        assert request.guide is not None and self.on_preview is not None
        decoded = (self.ladder.more(self._coder.decode(clean)) / 2 + 0.5).clamp(0, 1)[0].permute(1, 2, 0)
        self.on_preview(with_parts(request.guide, (decoded * 255).round().to(torch.uint8).cpu().numpy(), damage, area))

    def _decode(self, clean: Tensor, areas: Sequence[Rect]) -> list[Tensor]:
        """The areas' pixels. An autoencoder that sees the whole picture decodes the whole: crops would not fit in."""
        if self._coder.local or areas[0] == self._frame.whole:
            return list(self.ladder.more(self._coder.decode(clean)).split(1))
        return [self._decoded_within(one, area) for one, area in zip(clean.split(1), areas, strict=True)]

    def _decoded_within(self, clean: Tensor, area: Rect) -> Tensor:
        scale, frame = self.ladder.scale, self.ladder.less(self._latents).clone()
        y, x = (slice(s.start // scale, s.stop // scale) for s in self._within(area)[1:])
        frame[..., y, x] = clean
        return self.ladder.more(self._coder.decode(frame))[(..., *area.slices)]

    def _read(self, content: Sequence[Rect] = ()) -> None:
        """Have the latents of the frame that is held, where it has none yet; and of content that was put into it: of all of it, where the
        autoencoder sees the whole picture."""
        if self._unread or (content and not self._coder.local):
            self._latents, self._unread, content = self._encoded(self._frame.whole), False, ()
        for crop in plan(content, self._spec.size, self.cells.at_most(self.ladder.most)):
            self._hold_latents(crop, self._encoded(crop.area))

    def _encoded(self, area: Rect) -> Tensor:
        """Of the frame as it is held, as latents are kept."""
        pixels = self._coder.floats(self._frame.pixels[(..., *area.slices)])
        return self.ladder.as_kept(self._coder.encode(self.ladder.less(pixels), None))

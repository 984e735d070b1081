"""The reference painter: a diffusion transformer that edits by pictures, driven by its own stock pipeline.

It is shown the last frame and the guide; what the events did becomes an instruction. With a guide the pipeline paints the damage
and what lies around it, of which only the damage is taken over: everything else stays bit-identical. A pipeline that takes
one picture is shown the last frame with the guide's pixels in the damage. Dreaming, it is shown the whole last frame, and paints
all of it. What is known of the user stands as a few tokens behind the instruction, or in it, where the pipeline takes none;
where one thing is turned into another, it is not told.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from engine.desktop.bitmap import decode
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
from models.crops import PROMPTED_CELLS, PaintCrop, plan
from models.devices import all_threads, device_of, name_of
from models.graphs import Graphs
from models.held_frame import BLEND, EMPTY, HeldFrame, with_parts
from models.instructions import templates_of
from models.ladder import Ladder
from models.placing import Placement
from models.probe import first_request, unseen
from models.prompted.checkpoint import PromptedCheckpoint
from models.reference.calling import called_with
from models.reference.captured import PADDED, Captured
from models.reference.previews import Sketch
from models.reference.remembered import RememberedWords
from models.reference.steps import BFLOAT16, encode_in_own_format, watched
from models.stopwatch import Stopwatch

AROUND = 64  # pixels around a region that is edited: what it is to go with


class ReferencePainter:
    """Paints with a checkpoint whose pipeline takes pictures and words. Its latents are the frame itself."""

    def __init__(self, checkpoint: PromptedCheckpoint, spec: PainterSpec) -> None:
        self.family, self.pipeline, self._spec = checkpoint.row, checkpoint.pipeline, spec
        self._loras = checkpoint.loras
        device = device_of(spec.device)
        if device.type == "cpu":
            torch.set_num_threads(spec.threads or all_threads())
        self.placement = Placement(checkpoint.pipeline, checkpoint.parts, checkpoint.family, spec)
        self.ladder = Ladder(spec.size, self.placement)
        dtype = self.placement.dtype
        steps = spec.steps or self.family.steps
        self._templates = templates_of(self.family, spec.profile)
        self.info = PainterInfo(
            checkpoint.name, self.family.name, checkpoint.sha256, spec.mode, name_of(device), str(dtype).removeprefix("torch."),
            steps, BLEND, prompted=True, turns=True, refers=self.family.references > 1, note=self._templates.note,
            plan=str(self.placement.plan), loras=checkpoint.loras.infos if checkpoint.loras else (),
            strength=0.0 if self.family.edits else self.family.turning,
        )  # fmt: skip
        self.on_step: OnStep | None = None
        self.on_preview: OnPreview | None = None
        self.words = RememberedWords(self.pipeline, EMBEDDINGS not in spec.without)
        if self.family.pipeline in BFLOAT16:
            encode_in_own_format(self.pipeline)
        self._frame, self._watch = HeldFrame(spec.size, device), Stopwatch(device, ("denoise",))
        self._devices = [device] if device.type == "cuda" else []
        fit = self.family.pipeline in PADDED and self.placement.plan.offload == "none"
        self.graphs = Graphs(device, (*spec.without, *([] if fit else [GRAPHS])))
        self._cells = replace(PROMPTED_CELLS, least=spec.least_crop or PROMPTED_CELLS.least)
        if self.graphs.on:
            Captured(self.pipeline.transformer, self.graphs)
            self._cells = self._cells.few(spec.size)
            self._last = first_request(spec.size, self._frame.whole)
            self.graphs.rehearse([partial(self._paint_unseen, Rect(0, 0, *size)) for size in (*self._cells.sizes, spec.size)])

    @torch.inference_mode()
    def get_ready(self) -> Readiness | None:
        """Capture CUDA graphs of the next size of crops, where there are any."""
        return self.graphs.advance()

    def _paint_unseen(self, area: Rect) -> None:
        """Paint a crop as the last request asks, and forget it."""
        stepped, self.on_step = self.on_step, None
        try:
            self._painted(self._last, (area,), area)
        finally:
            self.on_step = stepped

    @torch.inference_mode()
    def paint(self, request: PaintRequest) -> Painting:
        """Paint the damage; everything else stays bit-identical. Without a guide, the whole frame answers the events.

        Raises Cancelled where `on_step` says so; nothing is taken over then.
        """
        self._watch.begin()
        self._watch.stage("denoise")
        if self.graphs.on and request.edit is None and request.guide is not None:
            self._last = unseen(request)
        if request.edit is not None and request.guide is not None:
            with self._frame.lent(request.guide):
                edited = self._taken(request, request.damage, self._frame.take)
            return Painting(request.seq, tuple(edited), "painted", self._watch.ms())
        patches, damage = self._frame.begin(request)
        damage = (self._frame.whole,) if request.guide is None else damage
        patches += self._taken(request, damage, partial(self._frame.take_for, request))
        return Painting(request.seq, tuple(patches), "painted" if patches else "skipped", self._watch.ms())

    def _taken(self, request: PaintRequest, damage: tuple[Rect, ...], take: Callable[[Rect, Tensor], Patch]) -> list[Patch]:
        """Paint the damage crop by crop; what `take` makes of each rect's new pixels."""
        patches = []
        for crop in self._crops(request, damage):
            painted = self._painted(request, crop.damage, crop.area)
            places = [(rect, rect.shift(-crop.area.x, -crop.area.y).slices) for rect in crop.damage]
            patches += [take(rect, painted[(..., *place)]) for rect, place in places]
        return patches

    @torch.inference_mode()
    def frame(self, request: PaintRequest) -> Tensor:
        """The whole frame as the stock pipeline gives it, unrounded: float32 (1, 3, H, W) in [0, 1]. Nothing is kept."""
        return self._painted(request, (self._frame.whole,))

    def latents(self, out: np.ndarray | None = None) -> np.ndarray:
        """The frame: uint8 (H, W, 3)."""
        return self._frame.array(out)

    def restore(self, latents: np.ndarray | None) -> None:
        if latents is None:
            self._frame.pixels.fill_(EMPTY)
        elif latents.shape == (self._spec.size[1], self._spec.size[0], 3):
            self._frame.pixels.copy_(torch.from_numpy(latents.copy()).permute(2, 0, 1)[None])

    def close(self) -> None:
        self.on_step = self.on_preview = None

    def _crops(self, request: PaintRequest, damage: tuple[Rect, ...]) -> list[PaintCrop]:
        """What is painted so that the damage can be taken: the whole frame for what is told in words alone."""
        if request.guide is None:
            return [PaintCrop(self._frame.whole, damage)] if damage else []
        cells = replace(self._cells, margin=AROUND if request.edit is not None else PROMPTED_CELLS.margin)
        return plan(damage, self._spec.size, cells.at_most(self.ladder.most), whole=CROPS in self._spec.without)

    def call(self, request: PaintRequest, damage: tuple[Rect, ...], area: Rect | None = None) -> dict[str, Any]:
        """What the stock pipeline is called with, but for the seed and the callback. area: of the frame, all of it by default."""
        area = area or self._frame.whole
        size = area.w // self.ladder.scale, area.h // self.ladder.scale
        given, row, steps = self._pictures(request, damage), self.family, self.info.steps
        pictures = [_seen(picture, area, size) if picture.size == self._spec.size else picture for picture in given]
        if request.edit is not None:
            row = row.turned(request.edit.strength)
            steps = row.calls(steps)
        words = self._templates.words(request, apart=self.words.takes_tokens)
        return called_with(self.pipeline, row, words, pictures, size, steps)

    def _pictures(self, request: PaintRequest, damage: tuple[Rect, ...]) -> list[Image.Image]:
        if request.edit is not None and request.guide is not None:
            given = [request.guide, *([decode("the reference", request.edit.reference)[0]] if request.edit.reference else [])]
            return [Image.fromarray(pixels) for pixels in given[: self.family.references]]
        if request.guide is None:
            return [Image.fromarray(self._templates.marked(self._frame.array(), request))]
        if self.family.references > 1:
            return [Image.fromarray(self._frame.array()), Image.fromarray(request.guide)]
        shown = self._frame.showing(request.guide, damage, self._frame.whole)[0].permute(1, 2, 0)
        return [Image.fromarray(shown.cpu().numpy())]

    def _painted(self, request: PaintRequest, damage: tuple[Rect, ...], area: Rect | None = None) -> Tensor:
        """The area's pixels, the whole frame's by default: float32 (1, 3, h, w) in [0, 1]."""
        area = area or self._frame.whole
        if self._loras is not None and self._loras.weigh(request.weights):
            self.info = replace(self.info, loras=self._loras.infos)
            self.graphs.renew()  # how much a LoRA counts is in what was captured
            self.words.forget()
        generator = torch.Generator().manual_seed(self._spec.seed)  # on the CPU: the same noise on every device
        called = self.call(request, damage, area)
        self.words.tell(called["prompt"], request.words.known if request.edit is None else "")
        sketch = Sketch(self.pipeline, (area.w, area.h)) if request.edit is not None and self.on_preview is not None else None
        report, listening = partial(self._stepped, request, damage, area, sketch), sketch.listening() if sketch else nullcontext()
        with listening, watched(self.pipeline, report) as callback, torch.random.fork_rng(self._devices):
            torch.manual_seed(self._spec.seed)  # some draw without the generator, too
            painted = self.pipeline(**called, generator=generator, **callback)[0]
        painted = painted[:, :3].float()  # some paint how opaque it is, too
        if painted.shape[-2:] != (area.h, area.w):  # some choose their own size
            painted = interpolate(painted, (area.h, area.w), mode="bilinear", antialias=True)
        return painted

    def _stepped(self, request: PaintRequest, damage: tuple[Rect, ...], area: Rect, sketch: Sketch | None, done: int, steps: int) -> None:
        if sketch is not None and self.on_preview is not None and done < steps and (picture := sketch.picture()) is not None:
            assert request.guide is not None
            self.on_preview(with_parts(request.guide, picture, damage, area))
        if self.on_step is not None and not self.on_step(done, steps):
            raise Cancelled(f"painting was given up after {done} of {steps} steps; the frame is as it was")


def _seen(picture: Image.Image, area: Rect, size: tuple[int, int]) -> Image.Image:
    """What stands in the area of a frame, as large as it is painted."""
    part = picture.crop((area.x, area.y, area.right, area.bottom))
    return part if part.size == size else part.resize(size, Image.Resampling.BOX)

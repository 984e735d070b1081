"""The latent painter of the bundled family: paints the damage, keeps its latents, remembers what it painted.

With a guide it paints what the guide shows, in one go, and from that alone: textures are functions of style, seed and
place, so the frame before has nothing to add, and a state looks the same however it was come to, but for the rounding
of other crops at edges. Nothing drifts. Without a guide it dreams. Where the checkpoint has a dreamer, that carries on
the guide it woke from, event by event, and what it changed is painted as any guide is. Where it has none (it learned
from programs that have no guide), the denoiser answers the events itself, each on the whole frame, from its own last
frame (image to image), the context, and the pictures it remembers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from engine.context import RECENT_SIZE, SLOW_SIZE, look_alone, look_of
from engine.events import Text
from engine.forms import REACH
from engine.geometry import Rect, merge
from engine.guide import rects_of
from engine.painter import (
    BATCHES,
    CACHE,
    CROPS,
    DREAMER,
    EMBEDDINGS,
    FINE,
    Cancelled,
    ContextFeatures,
    OnStep,
    PainterInfo,
    PainterSpec,
    Painting,
    PaintRequest,
    Patch,
    Readiness,
)
from models.ahead import Dropped, droppable
from models.bytewise import differ
from models.compiling import Blocks, compile_regions
from models.crop_painting import CropPainting
from models.crops import BUNDLED_CELLS, PaintCrop, alike, evened, least, plan
from models.denoiser import PATCH
from models.devices import device_of, dtype_of, lay_out, name_of, ran_out
from models.dreaming.dream import Dream
from models.dreaming.steps import steps_of
from models.eight_bits import INT8, chosen, in_eight_bits
from models.ferry import Ferry
from models.graphs import Graphs
from models.inputs import enlarged, pressed, remembered
from models.kept_tokens import KeptTokens
from models.ladder import Ladder
from models.loading import BundledCheckpoint
from models.lookups import Lookups
from models.memory import PictureMemory, Recalled
from models.stopwatch import Stopwatch
from models.threads import SIDE, SMALL_AREA, Threads, counts_of
from models.underlay import Underlay

AT_ONCE = 4  # small crops, on a CPU: each alone is for a good part calls of small operations; a GPU replays a graph for each


class LatentPainter:
    """Paints with a checkpoint of the bundled family. Latents are packed pixels of 8 bits, kept on the device."""

    def __init__(self, checkpoint: BundledCheckpoint, spec: PainterSpec) -> None:
        device = device_of(spec.device)
        dreamer = checkpoint.dreamer if spec.mode == "dream" else None
        networks = [network for network in (checkpoint.denoiser, dreamer) if network is not None]
        eight = chosen(spec.dtype, device, networks)
        dtype = torch.float32 if eight else dtype_of(spec.dtype, spec.device)
        self._threads = Threads(counts_of(spec, device))
        self._spec = spec
        self.ladder = Ladder(spec.size)
        self._denoiser = checkpoint.denoiser.to(device, dtype)
        lay_out(self._denoiser)
        if eight:
            self._denoiser, dreamer = in_eight_bits(self._denoiser), dreamer and in_eight_bits(dreamer)
        self._tokens = KeptTokens(checkpoint.context_encoder, device, dtype, keeps=EMBEDDINGS not in spec.without)
        self._device, self._dtype = device, dtype
        steps = spec.steps or 1
        self.graphs, self._ferry, self._watch = Graphs(device, spec.without), Ferry(device), Stopwatch(device)
        cells = replace(BUNDLED_CELLS, align=self._denoiser.align, least=spec.least_crop or BUNDLED_CELLS.least)
        self.cells = cells.few(spec.size) if self.graphs.on or FINE in spec.without else cells
        self.on_step: OnStep | None = None
        static = self.graphs.on or device.type == "cuda"  # to find out how many there are of something takes a GPU longer than to do all
        self._crops = CropPainting(self._denoiser, steps, dtype, static, self._watch, {least(cells, spec.size), spec.size})
        self._repaint = self.graphs.wrap(self._crops)
        self.info = PainterInfo(
            checkpoint.name, "bundled", checkpoint.sha256, spec.mode, name_of(device), INT8 if eight else str(dtype).removeprefix("torch."),
            steps, REACH, guesses=spec.mode == "guided" and CACHE not in spec.without, imagines=dreamer is not None, threads=self._threads.count,
        )
        self._underlay = Underlay(spec.size, spec.seed, device, dtype)
        self._pixels = torch.full((1, 3, *spec.size[::-1]), 128, dtype=torch.uint8, device=device)
        self._bounds = Rect(0, 0, *spec.size)
        self.at_once = 1 if static or BATCHES in spec.without else AT_ONCE
        self._dream = Dream(dreamer.to(device), spec.size, DREAMER not in spec.without) if dreamer is not None else None
        remembers = self._denoiser.remembers and spec.mode == "dream" and self._dream is None
        self._memory = PictureMemory(spec.size, device) if remembers else None
        self._lookups = Lookups(spec, self.info.guesses, large=device.type == "cpu")
        if spec.compiled:
            self.info = compile_regions([self._crops if static else Blocks(self._denoiser)], self._warm).told_in(self.info)
        self._warm()
        if self._dream is not None or spec.mode != "dream":  # else it answers by itself, which happens once an event and is not captured
            self.graphs.rehearse([partial(self._paint_unseen, Rect(0, 0, *area)) for area in (*self.cells.sizes, spec.size)])

    def get_ready(self) -> Readiness | None:
        """Capture a CUDA graph of the next size of crops, where there are any; on a CPU, time one more crop to choose the number of threads."""
        with torch.inference_mode():
            readiness = self.graphs.advance() or self._threads.measure(partial(self._paint_unseen, Rect(0, 0, SIDE, SIDE).meet(self._bounds)))
        self.info = replace(self.info, threads=self._threads.count)
        return readiness

    def paint(self, request: PaintRequest) -> Painting:
        """Paint the damage; everything else stays bit-identical. Without a guide: what the events change.

        Raises Cancelled where `on_step` says so, between two steps or two batches of crops; all is as it was then. No dream is given up.
        """
        other_look = self._take_look(look_of(request.context.slow))
        self._watch.begin()
        with torch.inference_mode():
            if request.guide is None and self._dream is None:
                return Painting(request.seq, tuple(self._answered(request)), "painted", self._watch.ms())
            patches, painted = self._guided(self._imagined(request, other_look))
        source = "painted" if painted else "cached" if patches else "skipped"
        return Painting(request.seq, tuple(patches), source, self._watch.ms(), lookups=self._lookups.counted(), needed=self._lookups.ahead.needed)

    def guess(self, requests: Sequence[PaintRequest], dropped: Callable[[], bool]) -> int:
        """Paint ahead, for crops that the frame cache would keep and does not know."""
        kept, count = self._pixels.clone(), 0
        self._watch.begin()
        try:
            with torch.inference_mode(), droppable(self._denoiser, dropped):
                for request in requests:
                    if look_of(request.context.slow).tobytes() != self._underlay.look:
                        break
                    count += self._guessed(request, dropped)
        except Dropped:
            return count
        finally:
            self._pixels.copy_(kept)
        return count

    def _guessed(self, request: PaintRequest, dropped: Callable[[], bool]) -> int:
        """How many patches were painted. The latents are as after the request."""
        request = replace(request, context=look_alone(request.context))
        count, tokens, shown = 0, self._embed(request.context), self._lookups.shown(request, self.ladder.scale)
        for crop in self._plan(request):
            key = self._lookups.name(shown, crop.area)
            known = self._lookups.peek(key)
            if known is None and (key is None or dropped()):
                raise Dropped
            if known is None:
                ((known, _),), count = self._painted([crop.area], request, tokens, None), count + 1
                self._lookups.ahead.keep(key, known)
            self._place_patches(crop, known)
        return count

    def _plan(self, request: PaintRequest) -> list[PaintCrop]:
        size, cells = self._spec.size, self.cells.at_scale(self.ladder.scale).at_most(self.ladder.most)
        crops = plan(request.damage, size, cells, whole=CROPS in self._spec.without)
        typed = any(isinstance(event, Text) for event in request.events)  # what is typed is new; what is pointed at comes again, alone too
        return evened(crops, size, SMALL_AREA, self.at_once) if typed else crops

    def _guided(self, request: PaintRequest) -> tuple[list[Patch], bool]:
        request = replace(request, context=look_alone(request.context))
        tokens = self._embed(request.context)
        crops, patches = self._plan(request), list[Patch]()
        shown = self._lookups.shown(request, self.ladder.scale)
        self._lookups.begin()
        keys = [self._lookups.name(shown, crop.area) for crop in crops]
        known = (self._lookups.find(key) for key in keys)
        found: list[tuple[np.ndarray, Tensor | None] | None] = [None if pixels is None else (pixels, None) for pixels in known]
        missing = [i for i, one in enumerate(found) if one is None]
        batches = alike(crops, missing, SMALL_AREA, self.at_once)
        for number, batch in enumerate(batches):
            between = partial(self._go_on, number, len(batches))
            between(0)
            for i, new in zip(batch, self._painted([crops[i].area for i in batch], request, tokens, None, between), strict=True):
                found[i] = new
        whole = [one for one in found if one is not None]
        self._lookups.leave()
        for crop, key, one in zip(crops, keys, whole, strict=True):  # all, before anything is placed: crops overlap
            self._lookups.keep(key, one[0], partial(self._standing, crop.area))
        for crop, one in zip(crops, whole, strict=True):
            patches += self._place_patches(crop, *one)
        self._lookups.end(shown, request.damage)
        if self._memory is not None:  # what a dream begins with lies under all that follows
            self._memory.clear()
            self._memory.ground(self._bounds, self._pixels[0])
        return patches, bool(missing)

    def _go_on(self, batch: int, batches: int, steps: int) -> None:
        """So many steps of one of the batches are done. Raises Cancelled where it is given up. Nobody is asked before the first."""
        done, of = batch * self.info.steps + steps, batches * self.info.steps
        if done and self.on_step is not None and self.info.mode == "guided" and not self.on_step(done, of):
            raise Cancelled(f"painting was given up after {done} of {of} steps; the frame is as it was")

    def _standing(self, area: Rect) -> np.ndarray:
        """What the frame shows in an area: uint8 (h, w, 3), a copy."""
        return self._ferry.down(self._pixels[(0, slice(None), *area.slices)].permute(1, 2, 0))

    def _imagined(self, request: PaintRequest, other_look: bool) -> PaintRequest:
        """The request with the guide that its events lead to where it brings none, all of it to be painted in another look; a
        dream begins with what is brought."""
        if self._dream is None:
            return request
        if request.guide is not None:
            self._dream.begin(request)
            return request
        self._watch.stage("denoise")
        self._threads.take()
        changed = self._dream.answer(request)
        pixels, verbatim, forms = self._dream.guide
        damage = (self._bounds,) if other_look else merge(rect.grow(REACH).snap().meet(self._bounds) for rect in changed)
        self._watch.stage("")
        return replace(request, guide=pixels, verbatim=verbatim, forms=forms, damage=damage)

    def _take_look(self, vector: np.ndarray) -> bool:
        """Get the paints of another look ready, if it is one; what is remembered of the last one is forgotten."""
        before = self._underlay.look
        if not self._underlay.take(vector):
            return False
        if self._memory is not None and before:
            self._memory.clear()
        return True

    def _answered(self, request: PaintRequest) -> list[Patch]:
        """Let the denoiser answer the request's events in their order; patches for all that is different in the end."""
        whole, first = self._bounds, self._pixels[0].clone()
        for step in (step for step in steps_of(request) if not step.past):
            one = replace(request, context=step.context, pointer=step.pointer, buttons=step.buttons)
            recalled = self._memory.recall(whole) if self._memory is not None else None
            ((pixels, _),) = self._painted([whole], one, self._embed(step.context), recalled)
            after = self._ferry.up(pixels).permute(2, 0, 1)
            if self._memory is not None:
                self._memory.replace(whole, self._pixels[0], after)
            self._pixels[0] = after
        return self._changed(first)

    def _changed(self, before: Tensor) -> list[Patch]:
        """What is no longer as in `before`, uint8 (3, H, W), on the grid."""
        other = differ(before, self._pixels[0]).cpu().numpy()
        frame = self._pixels[0].permute(1, 2, 0).cpu().numpy()
        return [Patch(rect, frame[rect.slices].copy()) for rect in rects_of(other, self._bounds)]

    def latents(self, out: np.ndarray | None = None) -> np.ndarray:
        """Frame, then what a dream goes on from, as pictures: uint8 (N, 3, H, W), without loss."""
        dream = self._dream or self._memory
        return self._ferry.strung([self._pixels, *(dream.pieces() if dream is not None else ())], out, (-1, *self._pixels.shape[1:]))

    def restore(self, latents: np.ndarray | None) -> None:
        if latents is None:
            self._lookups.lost()
            self._pixels.fill_(128)
            if self._memory is not None:
                self._memory.clear()
            if self._dream is not None:
                self._dream.restore(None)
        elif latents.shape[1:] == self._pixels.shape[1:]:
            kept = torch.from_numpy(np.array(latents))
            if not torch.equal(frame := kept[:1].to(self._device), self._pixels):  # they are after a paint that was given up
                self._lookups.lost()
                self._pixels.copy_(frame)
            dream = self._dream or self._memory
            if dream is not None and len(kept) > 1:
                dream.restore(kept[1:].to(self._device if dream is self._memory else "cpu"))

    def close(self) -> None:
        self.on_step = None
        self._lookups.clear()

    def _embed(self, context: ContextFeatures) -> Tensor:
        """Context tokens, (1, K, D). A guide shows what recent events did; they are left out then, and tokens hold from event to event."""
        self._watch.stage("embed")
        tokens = self._tokens.of(context)
        self._watch.stage("")
        return tokens

    def _painted(
        self, areas: Sequence[Rect], request: PaintRequest, tokens: Tensor, recalled: Recalled | None, between: Callable[[int], None] | None = None
    ) -> list[tuple[np.ndarray, Tensor | None]]:
        """New pixels of areas of one size, uint8 (h, w, 3), and where they were painted, if they are. recalled: of the only one."""
        self._watch.stage("encode")
        self._threads.take(sum(area.area for area in areas))
        scale = self.ladder.scale
        given = [self._given(area, request, recalled) for area in areas]
        parts = [None if part[0] is None else torch.cat(part) if len(part) > 1 else part[0] for part in zip(*given, strict=True)]
        self._watch.stage("denoise")
        self._crops.between = between
        painted = self._repaint(*parts[:7], tokens, *self._underlay.looks, *parts[7:])
        self._watch.stage("decode")
        pixels = self._ferry.down(painted)
        self._watch.stage("")
        if scale == 1:
            return list(zip(pixels, painted, strict=True))
        shown = [[None if plane is None else plane[area.slices] for plane in (request.guide, request.verbatim)] for area in areas]
        return [(enlarged(small, area[2:], *planes), None) for small, area, planes in zip(pixels, areas, shown, strict=True)]

    def _given(self, area: Rect, request: PaintRequest, recalled: Recalled | None) -> tuple[Tensor | None, ...]:
        """What `CropPainting` takes of one area, but for what all areas share."""
        (rows, columns), scale = area.slices, self.ladder.scale
        fewer = (..., slice(None, None, scale), slice(None, None, scale))  # all, unless memory ran out
        underlay = self._underlay.of(area, scale)
        if request.guide is not None:
            shown = (request.guide, request.verbatim, request.forms)
            planes = (None if plane is None else self._ferry.up(plane[rows, columns][::scale, ::scale])[None] for plane in shown)
            return None, *planes, None, None, None, *underlay
        previous = self._pixels[..., rows, columns][fewer]
        pointer, buttons = (x.to(self._device) for x in pressed(area, request.pointer, request.buttons, PATCH * scale))
        memory = None
        if recalled is not None:
            memory = remembered(recalled.pixels[fewer].permute(0, 2, 3, 1), recalled.known[fewer][None]).to(self._dtype)
        return previous, None, None, None, pointer, buttons, memory, *underlay

    def _place_patches(self, crop: PaintCrop, pixels: np.ndarray, here: Tensor | None = None) -> list[Patch]:
        """Take the damaged rects of a painted crop into the latents and hand them out. here: the same pixels, where they lie on
        the device already."""
        patches = []
        for rect in crop.damage:
            rows, columns = rect.shift(-crop.area.x, -crop.area.y).slices
            part = pixels[rows, columns].copy()  # who keeps all of it, keeps a copy
            y, x = rect.slices
            new = self._ferry.up(part) if here is None else here[rows, columns]
            self._pixels[0, :, y, x] = new.permute(2, 0, 1)
            patches.append(Patch(rect, part))
        return patches

    def _warm(self) -> None:
        """Paint one small crop, so that no event pays for kernel set-up, and a whole frame where that is not what is painted first anyway."""
        self._take_look(look_of(np.zeros(SLOW_SIZE, np.float32)))
        with torch.inference_mode():
            for area in (Rect(0, 0, *least(self.cells, self._spec.size)), *([self._bounds] if self._spec.compiled or not self._threads.count else [])):
                try:
                    self._paint_unseen(area)
                except (RuntimeError, MemoryError) as error:
                    if not ran_out(error):
                        raise  # else the first event finds a thriftier way

    def _paint_unseen(self, area: Rect) -> None:
        """Paint a crop of an empty guide, as any guide is, and forget it."""
        empty = ContextFeatures(np.zeros(SLOW_SIZE, np.float32), np.zeros(RECENT_SIZE, np.float32))
        guide = np.zeros((*self._spec.size[::-1], 4), np.uint8)
        request = PaintRequest(0, (), (), guide[..., :3], guide[..., 0], empty, forms=guide)
        self._painted([area], request, self._embed(empty), None)

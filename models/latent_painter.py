"""The latent painter of the bundled family: paints the damage, keeps its latents, remembers what it painted.

With a guide it paints what the guide shows, in one go, and from that alone: textures are functions of style, seed and
place, so the frame before has nothing to add, and a state looks the same to the pixel however it was come to. Nothing
drifts. Without a guide it dreams. Where the checkpoint has a dreamer, that carries on the guide it woke from, event by
event, and what it changed is painted as any guide is. Where it has none (it learned from programs that have no guide),
the denoiser answers the events itself, each on the whole frame, from its own last frame (image to image), the context,
and the pictures it remembers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from time import perf_counter

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from engine.context import RECENT_SIZE, SLOW_SIZE, look_of
from engine.geometry import Rect, merge
from engine.guide import rects_of
from engine.painter import (
    CACHE,
    CROPS,
    EMBEDDINGS,
    ContextFeatures,
    PainterInfo,
    PainterSpec,
    Painting,
    PaintRequest,
    Patch,
)
from engine.styles import paints_of
from models.ahead import Ahead, Dropped, droppable
from models.crops import BUNDLED_CELLS, PaintCrop, plan
from models.denoiser import CORNERS, PATCH, Materials, pack, place, unpack
from models.devices import all_threads, device_of, dtype_of, name_of
from models.dreaming.dream import Dream
from models.dreaming.steps import steps_of
from models.eight_bits import INT8, chosen, in_eight_bits
from models.frame_cache import FrameCache, name_of_patch
from models.inputs import (
    corner_maps,
    event_maps,
    held,
    materials_of,
    palette_of,
    planes_of,
    remembered,
    to_pixels,
)
from models.ladder import Ladder
from models.loading import BundledCheckpoint
from models.memory import PictureMemory, Recalled
from models.placing import ran_out
from models.sampling import noise_field, sample
from models.synthetic.renderer import REACH

STAGES = ("embed", "encode", "denoise", "decode")
SMALL_AREA = 96 * 96  # crops up to this many pixels are painted by one thread: waking a second takes longer than it helps
CACHED_AREA = 128 * 128  # larger crops are painted anew: they rarely come back exactly


class LatentPainter:
    """Paints with a checkpoint of the bundled family. Latents are packed pixels of 8 bits, kept on the device."""

    def __init__(self, checkpoint: BundledCheckpoint, spec: PainterSpec) -> None:
        device = device_of(spec.device)
        dreamer = checkpoint.dreamer if spec.mode == "dream" else None
        networks = [network for network in (checkpoint.denoiser, dreamer) if network is not None]
        eight = chosen(spec.dtype, device, networks)
        dtype = torch.float32 if eight else dtype_of(spec.dtype, spec.device)
        self._threads = (spec.threads or all_threads()) if device.type == "cpu" else 0
        self._spec = spec
        self.ladder = Ladder(spec.size)
        # nn.Module's own `to`: diffusers' prints a warning about float32 modules even where there are none
        self._denoiser = nn.Module.to(checkpoint.denoiser, device, dtype)
        for module in self._denoiser.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)
        if eight:
            self._denoiser, dreamer = in_eight_bits(self._denoiser), dreamer and in_eight_bits(dreamer)
        self._encoder = nn.Module.to(checkpoint.context_encoder, device)
        self._device, self._dtype = device, dtype
        steps = spec.steps or 1
        self.cells = replace(BUNDLED_CELLS, least=spec.least_crop or BUNDLED_CELLS.least)
        self.info = PainterInfo(
            checkpoint.name, "bundled", checkpoint.sha256, spec.mode, name_of(device), INT8 if eight else str(dtype).removeprefix("torch."),
            steps, REACH, guesses=spec.mode == "guided" and CACHE not in spec.without,
        )
        width, height = spec.size
        self._noise = noise_field(spec.seed, spec.size).to(device, dtype, memory_format=torch.channels_last)
        rows, columns = torch.arange(height // PATCH), torch.arange(width // PATCH)
        self._place = place(rows, columns, spec.size)[None].to(device, dtype, memory_format=torch.channels_last)
        self._pixels = torch.full((1, 3, height, width), 128, dtype=torch.uint8, device=device)
        self._bounds = Rect(0, 0, width, height)
        self._dream = Dream(nn.Module.to(dreamer, device), spec.size) if dreamer is not None else None
        remembers = self._denoiser.remembers and spec.mode == "dream" and self._dream is None
        self._memory = PictureMemory(spec.size, device) if remembers else None
        self._look: bytes = b""
        self._tokens: tuple[ContextFeatures, Tensor] | None = None
        self._cache: FrameCache[np.ndarray] = FrameCache(spec.cache_mb)
        self._ahead = Ahead(spec.cache_mb / 8)
        self._warm()

    def paint(self, request: PaintRequest) -> Painting:
        """Paint the damage; everything else stays bit-identical. Without a guide: what the events change."""
        self._take_look(look_of(request.context.slow))
        ms, self._ahead.needed = dict.fromkeys(STAGES, 0.0), 0
        with torch.inference_mode():
            if request.guide is None and self._dream is None:
                return Painting(request.seq, tuple(self._answered(request, ms)), "painted", ms)
            patches, painted = self._guided(self._imagined(request, ms), ms)
        source = "painted" if painted else "cached" if patches else "skipped"
        return Painting(request.seq, tuple(patches), source, ms, lookups=self._cache.lookups(), needed=self._ahead.needed)

    def guess(self, requests: Sequence[PaintRequest], dropped: Callable[[], bool]) -> int:
        """Paint ahead, for crops that the frame cache would keep and does not know."""
        kept, tokens, count = self._pixels.clone(), self._tokens, 0
        try:
            with torch.inference_mode(), droppable(self._denoiser, dropped):
                for request in requests:
                    if look_of(request.context.slow).tobytes() != self._look:
                        break
                    count += self._guessed(request, dropped)
        except Dropped:
            return count
        finally:
            self._pixels.copy_(kept)
            self._tokens = tokens
        return count

    def _guessed(self, request: PaintRequest, dropped: Callable[[], bool]) -> int:
        """How many patches were painted. The latents are as after the request."""
        ms, count = dict.fromkeys(STAGES, 0.0), 0
        tokens = self._embed(ContextFeatures(request.context.slow, np.zeros(RECENT_SIZE, np.float32)), ms)
        for crop in self._plan(request):
            key = self._key(crop, request)
            known = self._cache.peek(key)
            known = self._ahead.look(key) if known is None else known
            if known is None and (key is None or dropped()):
                raise Dropped
            if known is None:
                known, count = self._paint_crop(crop, request, tokens, None, ms), count + 1
                self._ahead.keep(key, known)
            self._place_patches(crop, known)
        return count

    def _plan(self, request: PaintRequest) -> list[PaintCrop]:
        return plan(request.damage, self._spec.size, self.cells.at_most(self.ladder.most), whole=CROPS in self._spec.without)

    def _guided(self, request: PaintRequest, ms: dict[str, float]) -> tuple[list[Patch], bool]:
        context = ContextFeatures(request.context.slow, np.zeros(RECENT_SIZE, np.float32))
        tokens = self._embed(context, ms)
        patches, painted = list[Patch](), False
        for crop in self._plan(request):
            key = self._key(crop, request)
            known = self._cache.get(key)
            if known is None:
                known = self._ahead.take(key) if self.info.guesses else None
                if known is None:
                    known, painted = self._paint_crop(crop, request, tokens, None, ms), True
                self._cache.put(key, known, known.nbytes)
            patches += self._place_patches(crop, known)
        if self._memory is not None:  # what a dream begins with lies under all that follows
            self._memory.clear()
            self._memory.ground(self._bounds, self._pixels[0])
        return patches, painted

    def _imagined(self, request: PaintRequest, ms: dict[str, float]) -> PaintRequest:
        """The request with the guide that its events lead to where it brings none; a dream begins with what is brought."""
        if self._dream is None:
            return request
        if request.guide is not None:
            self._dream.begin(request)
            return request
        begun = perf_counter()
        if self._threads:
            torch.set_num_threads(self._threads)
        changed = self._dream.answer(request)
        pixels, verbatim, corners = self._dream.guide
        damage = merge(rect.grow(REACH).snap().meet(self._bounds) for rect in changed)
        ms["denoise"] += (perf_counter() - begun) * 1e3
        return replace(request, guide=pixels, verbatim=verbatim, corners=corners, damage=damage)

    def _take_look(self, vector: np.ndarray) -> None:
        """Get the paints of another look ready; what is remembered of the last one is forgotten."""
        look = vector.tobytes()
        if look == self._look:
            return
        if self._memory is not None and self._look:
            self._memory.clear()
        self._look = look
        paints = paints_of(vector, self._spec.size)
        planes = torch.from_numpy(np.array(planes_of(paints, self._spec.size)))[None].to(self._device)
        self._materials = materials_of([paints], planes).to(self._device, self._dtype)

    def _answered(self, request: PaintRequest, ms: dict[str, float]) -> list[Patch]:
        """Let the denoiser answer the request's events in their order; patches for all that is different in the end."""
        whole, first = self._bounds, self._pixels[0].clone()
        for step in steps_of(request):
            one = replace(request, context=step.context, pointer=step.pointer)
            pixels = self._paint_crop(PaintCrop(whole, ()), one, self._embed(step.context, ms), self._memory.recall(whole) if self._memory is not None else None, ms)
            after = torch.from_numpy(pixels).permute(2, 0, 1).to(self._device)
            if self._memory is not None:
                self._memory.replace(whole, self._pixels[0], after)
            self._pixels[0] = after
        return self._changed(first)

    def _changed(self, before: Tensor) -> list[Patch]:
        """What is no longer as in `before`, uint8 (3, H, W), on the grid."""
        apart = (before != self._pixels[0]).any(0).cpu().numpy()
        frame = self._pixels[0].permute(1, 2, 0).cpu().numpy()
        return [Patch(rect, frame[rect.slices].copy()) for rect in rects_of(apart, self._bounds)]

    def latents(self) -> np.ndarray:
        """Frame, then what a dream goes on from, as pictures: uint8 (N, 3, H, W), without loss."""
        dream = self._dream or self._memory
        if dream is None:
            return self._pixels.cpu().numpy().copy()
        return torch.cat([self._pixels, dream.state().to(self._device)]).cpu().numpy()

    def restore(self, latents: np.ndarray | None) -> None:
        if latents is None:
            self._pixels.fill_(128)
            if self._memory is not None:
                self._memory.clear()
            if self._dream is not None:
                self._dream.restore(None)
        elif latents.shape[1:] == self._pixels.shape[1:]:
            kept = torch.from_numpy(np.array(latents))
            self._pixels.copy_(kept[:1])
            dream = self._dream or self._memory
            if dream is not None and len(kept) > 1:
                dream.restore(kept[1:].to(self._device if dream is self._memory else "cpu"))

    def close(self) -> None:
        self._cache.clear()
        self._ahead.clear()

    def _embed(self, context: ContextFeatures, ms: dict[str, float]) -> Tensor:
        """Context tokens, computed anew only when the context changed: (1, K, D).

        A guide already shows what the recent events did, so they are left out then and the tokens hold from one event
        to the next.
        """
        begun = perf_counter()
        if self._tokens is None or self._tokens[0] != context or EMBEDDINGS in self._spec.without:
            slow = torch.from_numpy(context.slow)[None].to(self._device)
            recent = torch.from_numpy(context.recent)[None].to(self._device)
            with torch.inference_mode():
                self._tokens = context, self._encoder(slow, recent).to(self._dtype)
        ms["embed"] += (perf_counter() - begun) * 1e3
        return self._tokens[1]

    def _paint_crop(
        self, crop: PaintCrop, request: PaintRequest, tokens: Tensor, recalled: Recalled | None, ms: dict[str, float]
    ) -> np.ndarray:
        """New pixels of the crop's whole area: uint8 (h, w, 3)."""
        begun = perf_counter()
        if self._threads:
            torch.set_num_threads(1 if crop.area.area <= SMALL_AREA else self._threads)
        rows, columns = crop.area.slices
        cells = (..., slice(rows.start // PATCH, rows.stop // PATCH), slice(columns.start // PATCH, columns.stop // PATCH))
        fewer = (..., slice(None, None, self.ladder.scale), slice(None, None, self.ladder.scale))  # all, unless memory ran out
        shown = request.guide[rows, columns] if request.guide is not None else None
        guided = shown is not None
        own = self._to_latents((self._pixels[..., rows, columns] if shown is None else self._upload(shown))[fewer])
        previous, guide = (torch.zeros_like(own), own) if guided else (own, torch.zeros_like(own))
        maps = torch.cat([self._maps(crop, request, guided), self._place[cells][fewer]], 1)
        maps = maps.contiguous(memory_format=torch.channels_last)
        noise = self._noise[cells][fewer].contiguous(memory_format=torch.channels_last)
        memory = None
        if recalled is not None:
            memory = remembered(recalled.pixels[fewer].permute(0, 2, 3, 1), recalled.known[fewer][None]).to(self._dtype)
            memory = memory.contiguous(memory_format=torch.channels_last)
        whole = self._materials
        ground, texture = whole.ground[cells], whole.texture[cells]
        if self.ladder.scale > 1:
            ground, texture = pack(unpack(ground)[fewer]), pack(unpack(texture)[fewer])
        materials = Materials(whole.clear, whole.depth, ground, texture)
        corners = self._corners(crop.area, request, materials)
        encoded = perf_counter()
        clean = sample(self._denoiser, previous, guide, maps, tokens, memory, corners, materials, noise, self.info.steps)
        denoised = perf_counter()
        pixels = self._as_large(to_pixels(clean)[0], crop.area)
        if shown is not None and request.verbatim is not None:
            content = request.verbatim[rows, columns] > 0  # pictures are the user's: not one level may be off
            pixels[content] = shown[content]
        for name, start, end in (("encode", begun, encoded), ("denoise", encoded, denoised)):
            ms[name] += (end - start) * 1e3
        ms["decode"] += (perf_counter() - denoised) * 1e3
        return pixels

    def _corners(self, area: Rect, request: PaintRequest, materials: Materials) -> Tensor:
        """Of a checkpoint that rounds none, or where there is no guide, one empty cell."""
        if not self._denoiser.rounds or request.corners is None:
            return materials.ground.new_zeros(1, CORNERS, 1, 1)
        palette = palette_of(torch.from_numpy(request.context.slow)[None]).to(self._device, self._dtype)
        scale = self.ladder.scale
        shapes = torch.from_numpy(request.corners[area.slices][::scale, ::scale].copy())[None].to(self._device)
        return corner_maps(shapes, palette, materials)

    def _maps(self, crop: PaintCrop, request: PaintRequest, guided: bool) -> Tensor:
        rows, columns = crop.area.slices
        scale = self.ladder.scale
        h, w = crop.area.h // scale, crop.area.w // scale
        verbatim = torch.zeros(1, 1, h, w)
        if guided and request.verbatim is not None:
            verbatim[0, 0] = torch.from_numpy(request.verbatim[rows, columns][::scale, ::scale].astype(np.float32) / 255)
        pointer = torch.zeros(1, h // PATCH, w // PATCH)
        buttons = torch.zeros(1, 3)
        if not guided and crop.area.holds(*request.pointer):
            x, y = request.pointer
            pointer[0, (y - crop.area.y) // (scale * PATCH), (x - crop.area.x) // (scale * PATCH)] = 1.0
            buttons[0] = held(request.buttons)
        maps = event_maps(verbatim, torch.tensor([float(guided)]), pointer, buttons)
        return maps.to(self._device, self._dtype)

    def _place_patches(self, crop: PaintCrop, pixels: np.ndarray) -> list[Patch]:
        """Take the damaged rects of a painted crop into the latents and hand them out."""
        patches = []
        for rect in crop.damage:
            rows, columns = rect.shift(-crop.area.x, -crop.area.y).slices
            part = pixels[rows, columns].copy()
            y, x = rect.slices
            self._pixels[0, :, y, x] = torch.from_numpy(part).permute(2, 0, 1).to(self._device)
            patches.append(Patch(rect, part))
        return patches

    def _key(self, crop: PaintCrop, request: PaintRequest) -> bytes | None:
        """Names a patch by all that it is painted from: what is on the screen there, and how it looks. None where it is not
        kept."""
        if crop.area.area > CACHED_AREA or request.guide is None or CACHE in self._spec.without:
            return None
        return name_of_patch(crop.area, request, self.ladder.scale)

    def _as_large(self, pixels: np.ndarray, area: Rect) -> np.ndarray:
        """What was painted of the area, uint8 (h, w, 3), at the frame's own size."""
        if pixels.shape[:2] == (area.h, area.w):
            return pixels
        return np.array(Image.fromarray(pixels).resize((area.w, area.h), Image.Resampling.BICUBIC))

    def _to_latents(self, pixels: Tensor) -> Tensor:
        """uint8 (1, 3, h, w) on the device to packed latents in [-1, 1]."""
        return pack(pixels.to(self._dtype) / 127.5 - 1)

    def _upload(self, pixels: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None].to(self._device)

    def _warm(self) -> None:
        """Paint one small crop and one whole frame, so that the first event does not pay for kernel set-up."""
        width, height = self._spec.size
        empty = ContextFeatures(np.zeros(SLOW_SIZE, np.float32), np.zeros(RECENT_SIZE, np.float32))
        guide = np.zeros((height, width, 3), np.uint8)
        ms = dict.fromkeys(STAGES, 0.0)
        request = PaintRequest(0, (), (), guide, None, empty)
        self._take_look(look_of(empty.slow))
        with torch.inference_mode():
            for area in (Rect(0, 0, 64, 64), Rect(0, 0, width, height)):
                try:
                    self._paint_crop(PaintCrop(area, ()), request, self._embed(empty, ms), None, ms)
                except (RuntimeError, MemoryError) as error:
                    if not ran_out(error):
                        raise  # else the first event finds a thriftier way

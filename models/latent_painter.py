"""The latent painter of the bundled family: paints the damage, keeps its latents, remembers what it painted."""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from time import perf_counter

import numpy as np
import torch
from torch import Tensor, nn

from engine.context import RECENT_SIZE, SLOW_SIZE
from engine.errors import CheckpointError
from engine.geometry import Rect
from engine.painter import ContextFeatures, PainterInfo, PainterSpec, Painting, PaintRequest, Patch
from models.crops import PaintCrop, plan
from models.denoiser import PATCH, pack, place, unpack
from models.loading import BundledCheckpoint
from models.sampling import noise_field, sample
from models.synthetic.renderer import REACH
from models.training.objective import event_maps

SMALL_AREA = 96 * 96  # crops up to this many pixels are painted by one thread: waking a second takes longer than it helps
CACHED_BYTES = 64 * 2**20
CACHED_AREA = 128 * 128  # larger crops are painted anew: they rarely come back exactly


class LatentPainter:
    """Paints with a checkpoint of the bundled family. Latents are packed pixels of 8 bits, kept on the device."""

    def __init__(self, checkpoint: BundledCheckpoint, spec: PainterSpec) -> None:
        device, dtype = _device(spec.device), _dtype(spec.dtype, spec.device)
        self._threads = (spec.threads or _threads()) if device.type == "cpu" else 0
        self._spec = spec
        # nn.Module's own `to`: diffusers' prints a warning about float32 modules even where there are none
        self._denoiser = nn.Module.to(checkpoint.denoiser, device, dtype)
        for module in self._denoiser.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)
        self._encoder = nn.Module.to(checkpoint.context_encoder, device)
        self._device, self._dtype = device, dtype
        steps = spec.steps or 1
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
        self.info = PainterInfo(
            checkpoint.name, "bundled", checkpoint.sha256, spec.mode, name, str(dtype).removeprefix("torch."), steps, REACH
        )
        width, height = spec.size
        self._noise = noise_field(spec.seed, spec.size).to(device, dtype, memory_format=torch.channels_last)
        rows, columns = torch.arange(height // PATCH), torch.arange(width // PATCH)
        self._place = place(rows, columns, spec.size)[None].to(device, dtype, memory_format=torch.channels_last)
        self._pixels = torch.full((1, 3, height, width), 128, dtype=torch.uint8, device=device)
        self._tokens: tuple[ContextFeatures, Tensor] | None = None
        self._cache: OrderedDict[bytes, np.ndarray] = OrderedDict()
        self._cached_bytes = 0
        self._warm()

    def paint(self, request: PaintRequest) -> Painting:
        """Paint the damage; everything else stays bit-identical."""
        begun = perf_counter()
        tokens = self._embed(request.context)
        ms = {"embed": (perf_counter() - begun) * 1e3, "encode": 0.0, "denoise": 0.0, "decode": 0.0}
        patches: list[Patch] = []
        painted = False
        with torch.inference_mode():
            for crop in plan(request.damage, self._spec.size):
                key = self._key(crop, request)
                known = self._cache.get(key) if key else None
                if known is None:
                    known = self._paint_crop(crop, request, tokens, ms)
                    painted = True
                    self._remember(key, known)
                elif key:
                    self._cache.move_to_end(key)
                patches += self._place_patches(crop, known)
        source = "painted" if painted else "cached" if patches else "skipped"
        return Painting(request.seq, tuple(patches), source, ms)

    def latents(self) -> np.ndarray:
        """The frame as the painter has it, uint8 (H, W, 3): unpacked latents, without loss."""
        return np.ascontiguousarray(self._pixels[0].permute(1, 2, 0).cpu().numpy())

    def restore(self, latents: np.ndarray | None) -> None:
        if latents is None:
            self._pixels.fill_(128)
        elif latents.shape == (self._spec.size[1], self._spec.size[0], 3):
            self._pixels.copy_(torch.from_numpy(np.array(latents)).permute(2, 0, 1)[None])

    def close(self) -> None:
        self._cache.clear()

    def _embed(self, context: ContextFeatures) -> Tensor:
        """Context tokens, computed anew only when the context changed: (1, K, D).

        In guided mode the guide already shows what the recent events did, so they are left out and the tokens hold
        from one event to the next.
        """
        if self._spec.mode == "guided":
            context = ContextFeatures(context.slow, np.zeros(RECENT_SIZE, np.float32))
        if self._tokens is None or self._tokens[0] != context:
            slow = torch.from_numpy(context.slow)[None].to(self._device)
            recent = torch.from_numpy(context.recent)[None].to(self._device)
            with torch.inference_mode():
                self._tokens = context, self._encoder(slow, recent).to(self._dtype)
        return self._tokens[1]

    def _paint_crop(self, crop: PaintCrop, request: PaintRequest, tokens: Tensor, ms: dict[str, float]) -> np.ndarray:
        """New pixels of the crop's whole area: uint8 (h, w, 3)."""
        begun = perf_counter()
        if self._threads:
            torch.set_num_threads(1 if crop.area.area <= SMALL_AREA else self._threads)
        rows, columns = crop.area.slices
        cells = (..., slice(rows.start // PATCH, rows.stop // PATCH), slice(columns.start // PATCH, columns.stop // PATCH))
        previous = self._to_latents(self._pixels[..., rows, columns])
        shown = request.guide[rows, columns] if request.guide is not None and self._spec.mode == "guided" else None
        guided = shown is not None
        guide = torch.zeros_like(previous) if shown is None else self._to_latents(self._upload(shown))
        maps = torch.cat([self._maps(crop, request, guided), self._place[cells]], 1)
        maps = maps.contiguous(memory_format=torch.channels_last)
        noise = self._noise[cells].contiguous(memory_format=torch.channels_last)
        encoded = perf_counter()
        clean = sample(self._denoiser, previous, guide, maps, tokens, noise, self.info.steps)
        denoised = perf_counter()
        levels = unpack(clean.float()).clamp_(-1, 1).add_(1).mul_(127.5).round_()
        pixels = levels[0].permute(1, 2, 0).to(torch.uint8).cpu().numpy()
        if shown is not None and request.verbatim is not None:
            content = request.verbatim[rows, columns] > 0  # pictures are the user's: not one level may be off
            pixels[content] = shown[content]
        for name, start, end in (("encode", begun, encoded), ("denoise", encoded, denoised)):
            ms[name] += (end - start) * 1e3
        ms["decode"] += (perf_counter() - denoised) * 1e3
        return pixels

    def _maps(self, crop: PaintCrop, request: PaintRequest, guided: bool) -> Tensor:
        rows, columns = crop.area.slices
        h, w = crop.area.h, crop.area.w
        verbatim = torch.zeros(1, 1, h, w)
        if guided and request.verbatim is not None:
            verbatim[0, 0] = torch.from_numpy(request.verbatim[rows, columns].astype(np.float32) / 255)
        pointer = torch.zeros(1, h // PATCH, w // PATCH)
        buttons = torch.zeros(1, 3)
        if not guided and crop.area.holds(*request.pointer):
            x, y = request.pointer
            pointer[0, (y - crop.area.y) // PATCH, (x - crop.area.x) // PATCH] = 1.0
            for i, name in enumerate(("left", "middle", "right")):
                buttons[0, i] = float(name in request.buttons)
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
        """Names what painting this crop would give, from everything it depends on; None where that is not kept."""
        if crop.area.area > CACHED_AREA or request.guide is None or self._spec.mode != "guided":
            return None
        rows, columns = crop.area.slices
        digest = hashlib.blake2b(digest_size=16)
        digest.update(repr(crop.area).encode())
        digest.update(request.context.slow.tobytes())
        digest.update(request.guide[rows, columns].tobytes())
        if request.verbatim is not None:
            digest.update(request.verbatim[rows, columns].tobytes())
        digest.update(self._pixels[..., rows, columns].cpu().numpy().tobytes())
        return digest.digest()

    def _remember(self, key: bytes | None, pixels: np.ndarray) -> None:
        if key is None:
            return
        self._cache[key] = pixels
        self._cached_bytes += pixels.nbytes
        while self._cached_bytes > CACHED_BYTES:
            self._cached_bytes -= self._cache.popitem(last=False)[1].nbytes

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
        ms = dict.fromkeys(("embed", "encode", "denoise", "decode"), 0.0)
        request = PaintRequest(0, (), (), guide, None, empty)
        with torch.inference_mode():
            for area in (Rect(0, 0, 64, 64), Rect(0, 0, width, height)):
                self._paint_crop(PaintCrop(area, ()), request, self._embed(empty), ms)


def _threads() -> int:
    """All cores of a small machine, one fewer where the window can have one to itself; more than eight do not help."""
    cores = os.cpu_count() or 1
    return cores if cores <= 2 else min(cores - 1, 8)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise CheckpointError(f"device {name!r} is not there: this torch build sees no CUDA GPU; use --device cpu")
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise CheckpointError(f"unknown device {name!r}; use auto, cpu, cuda or cuda:N") from error


def _dtype(name: str, device: str) -> torch.dtype:
    known = {"auto": torch.float32, "float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
    if name not in known:
        raise CheckpointError(f"unknown dtype {name!r}; use {', '.join(known)}")
    if name == "auto" and _device(device).type == "cuda":
        return torch.bfloat16
    return known[name]

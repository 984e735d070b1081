"""The reference painter: a diffusion transformer that edits by pictures, driven by its own stock pipeline.

It is shown the last frame and the guide; what the events did becomes an instruction. The pipeline paints a whole frame, of
which only the damage is taken over: everything else stays bit-identical. A pipeline that takes one picture is shown
the last frame with the guide's pixels in the damage. Dreaming, it is shown the last frame alone.
"""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from engine.desktop.bitmap import decode
from engine.geometry import Rect
from engine.painter import Cancelled, OnStep, PainterInfo, PainterSpec, Painting, PaintRequest
from models.devices import all_threads, device_of, name_of
from models.held_frame import BLEND, EMPTY, HeldFrame
from models.instructions import templates_of
from models.placing import Placement
from models.prompted.checkpoint import PromptedCheckpoint
from models.prompted.painter import NEGATIVE
from models.reference.steps import watched
from models.stopwatch import Stopwatch


class ReferencePainter:
    """Paints with a checkpoint whose pipeline takes pictures and words. Its latents are the frame itself."""

    def __init__(self, checkpoint: PromptedCheckpoint, spec: PainterSpec) -> None:
        self.family, self.pipeline, self._spec = checkpoint.row, checkpoint.pipeline, spec
        self._loras = checkpoint.loras
        device = device_of(spec.device)
        if device.type == "cpu":
            torch.set_num_threads(spec.threads or all_threads())
        self.placement = Placement(checkpoint.pipeline, checkpoint.parts, checkpoint.family, spec)
        dtype = self.placement.dtype
        steps = spec.steps or self.family.steps
        self._templates = templates_of(self.family, spec.profile)
        self.info = PainterInfo(
            checkpoint.name, self.family.name, checkpoint.sha256, spec.mode, name_of(device), str(dtype).removeprefix("torch."),
            steps, BLEND, prompted=True, turns=True, refers=self.family.references > 1, note=self._templates.note,
            plan=str(self.placement.plan), loras=checkpoint.loras.infos if checkpoint.loras else (),
        )  # fmt: skip
        self.on_step: OnStep | None = None
        self._frame, self._watch = HeldFrame(spec.size, device), Stopwatch(device, ("denoise",))
        self._devices = [device] if device.type == "cuda" else []

    @torch.inference_mode()
    def paint(self, request: PaintRequest) -> Painting:
        """Paint the damage; everything else stays bit-identical. Without a guide, the whole frame answers the events.

        Raises Cancelled where `on_step` says so; nothing is taken over then.
        """
        self._watch.begin()
        self._watch.stage("denoise")
        if request.edit is not None and request.guide is not None:
            painted = self._painted(request, request.damage)
            with self._frame.lent(request.guide):
                edited = tuple(self._frame.take(rect, painted[(..., *rect.slices)]) for rect in request.damage)
            return Painting(request.seq, edited, "painted", self._watch.ms())
        patches, damage = self._frame.begin(request)
        damage = (self._frame.whole,) if request.guide is None else damage
        if damage:
            painted = self._painted(request, damage)
            patches += [self._frame.take_for(request, rect, painted[(..., *rect.slices)]) for rect in damage]
        return Painting(request.seq, tuple(patches), "painted" if patches else "skipped", self._watch.ms())

    @torch.inference_mode()
    def frame(self, request: PaintRequest) -> Tensor:
        """The whole frame as the stock pipeline gives it, unrounded: float32 (1, 3, H, W) in [0, 1]. Nothing is kept."""
        return self._painted(request, (self._frame.whole,))

    def latents(self) -> np.ndarray:
        """The frame: uint8 (H, W, 3)."""
        return self._frame.array()

    def restore(self, latents: np.ndarray | None) -> None:
        if latents is None:
            self._frame.pixels.fill_(EMPTY)
        elif latents.shape == (self._spec.size[1], self._spec.size[0], 3):
            self._frame.pixels.copy_(torch.from_numpy(latents.copy()).permute(2, 0, 1)[None])

    def close(self) -> None:
        self.on_step = None

    def call(self, request: PaintRequest, damage: tuple[Rect, ...]) -> dict[str, Any]:
        """What the stock pipeline is called with, but for the seed and the callback."""
        pictures = self._pictures(request, damage)
        width, height = self._spec.size
        offered = {
            "width": width, "height": height, "max_area": width * height, "output_resolution": round((width * height) ** 0.5),
            "negative_prompt": NEGATIVE, "guidance_scale": self.family.guidance, "strength": self.family.strength,
        }  # fmt: skip
        takes = inspect.signature(type(self.pipeline).__call__).parameters
        return {
            "prompt": self._templates.words(request),
            **({"images": [pictures]} if "images" in takes else {"image": pictures if self.family.references > 1 else pictures[0]}),
            "num_inference_steps": self.family.stock_steps(self.info.steps), "output_type": "pt",
            **{key: value for key, value in offered.items() if key in takes}, **self.family.settings,
        }  # fmt: skip

    def _pictures(self, request: PaintRequest, damage: tuple[Rect, ...]) -> list[Image.Image]:
        if request.edit is not None and request.guide is not None:
            given = [request.guide, *([decode("the reference", request.edit.reference)[0]] if request.edit.reference else [])]
            return [Image.fromarray(pixels) for pixels in given[: self.family.references]]
        if request.guide is None:
            return [Image.fromarray(self._templates.marked(self._frame.array(), request))]
        if self.family.references > 1:
            return [Image.fromarray(self._frame.array()), Image.fromarray(request.guide)]
        shown = self._frame.showing(request.guide, damage)[0].permute(1, 2, 0)
        return [Image.fromarray(shown.cpu().numpy())]

    def _painted(self, request: PaintRequest, damage: tuple[Rect, ...]) -> Tensor:
        """float32 (1, 3, H, W) in [0, 1]."""
        if self._loras is not None and self._loras.weigh(request.weights):
            self.info = replace(self.info, loras=self._loras.infos)
        generator = torch.Generator().manual_seed(self._spec.seed)  # on the CPU: the same noise on every device
        with watched(self.pipeline, self._stepped) as callback, torch.random.fork_rng(self._devices):
            torch.manual_seed(self._spec.seed)  # some draw without the generator, too
            painted = self.pipeline(**self.call(request, damage), generator=generator, **callback)[0]
        painted = painted[:, :3].float()  # some paint how opaque it is, too
        if painted.shape[-2:] != (self._spec.size[1], self._spec.size[0]):  # some choose their own size
            painted = interpolate(painted, self._spec.size[::-1], mode="bilinear", antialias=True)
        return painted

    def _stepped(self, done: int, steps: int) -> None:
        if self.on_step is not None and not self.on_step(done, steps):
            raise Cancelled(f"painting was given up after {done} of {steps} steps; the frame is as it was")

"""How an open checkpoint is taught a look: a LoRA, from pairs of what it is shown and the source's own frame.

The objective is the checkpoint's own (noise, velocity or sample, as its scheduler says), on frames told in the words of
their style. A checkpoint that edits is shown the last frame with the guide in what changed, as the painter shows it. One
that paints over starts there: of its noisy crops above START some are the guide's, noised, and are asked for what leads
to the frame from there, as the bundled family learns it (`models.training.objective`). Diffusion transformers have an objective of their own (`models.training.flow`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from engine.context import look_of
from engine.errors import InputError
from engine.styles import PRESETS
from models.catalog import open_checkpoint
from models.families import Family
from models.instructions import templates_of
from models.likeness import psnr
from models.prompted.checkpoint import PromptedCheckpoint
from models.prompted.coder import Coder
from models.prompted.conditioning import Conditioning, Known, conditioned
from models.prompted.stock import stock_frame
from models.reference.calling import called_with
from models.synthetic.shots import Crop
from models.training.adapter import Adapter, Twin
from models.training.config import TrainConfig
from models.training.flow import FLOWS
from models.training.heldout import HeldOut, held_out
from models.training.metrics import mean
from models.training.sheet import sample_sheet

FAMILIES = {"sd1": "stable-diffusion-v1", "sd2": "stable-diffusion-v2", "sdxl": "stable-diffusion-xl-v1-base",
            "pix2pix": "stable-diffusion-v1", "pix2pix-xl": "stable-diffusion-xl-v1-base", "kontext": "flux-1-kontext", "flux": "flux-1-dev",
            "klein-base": "flux-2-klein", "flux2": "flux-2-dev", "z-image-turbo": "z-image"}  # and what a file of one is called
UNTOLD = 0.1  # share of the crops without words, so that guidance goes on to mean something
PART, FROM_GUIDE = 0.5, 0.5  # of the crops of moments, shown the last frame too; of those noisy enough, begun at the guide
START = 0.3  # share of the timesteps below which painting never begins
SCREENS = 4  # looked at now and then
NAMES = tuple(PRESETS)


@dataclass
class PairBatch:
    """clean, shown, before: float (B, 3, h, w) in [-1, 1]; look: (B,), a place in NAMES, -1 without words; place: (B, 4), the
    frame's height and width, the crop's y and x."""

    clean: Tensor
    shown: Tensor
    before: Tensor
    look: Tensor
    place: Tensor


def pair_batch(crops: list[Crop], rng: np.random.Generator) -> PairBatch:
    """Crops to tensors."""
    looks = [-1 if rng.random() < UNTOLD else _nearest(crop.shot.slow) for crop in crops]
    shown = np.stack([_shown(crop, rng) for crop in crops])
    clean = np.stack([crop.take(crop.shot.frame) for crop in crops])
    places = [(crop.shot.size[1], crop.shot.size[0], crop.y, crop.x) for crop in crops]
    before = np.stack([crop.take(crop.shot.before) for crop in crops])
    return PairBatch(_floats(clean), _floats(shown), _floats(before), torch.tensor(looks), torch.tensor(places))


def _shown(crop: Crop, rng: np.random.Generator) -> np.ndarray:
    """The guide; of a moment now and then the frame before, with the guide in the rect that changed."""
    shot = crop.shot
    guide, before, changed = crop.take(shot.guide), crop.take(shot.before), crop.take(shot.changed)
    if not shot.guided:
        return before
    if not shot.explained or rng.random() >= PART or not changed.any():
        return guide
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    shown = before.copy()
    shown[part] = guide[part]
    return shown


_VECTORS = np.stack([style.vector() for style in PRESETS.values()])


def _nearest(slow: np.ndarray) -> int:
    """The place in NAMES of the preset that looks most alike."""
    return int(np.abs(_VECTORS - look_of(slow)).mean(1).argmin())


def _floats(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1


class Adapting:
    """A LoRA for the denoiser of an open checkpoint."""

    def __init__(self, config: TrainConfig, forms: dict[str, Any] | None) -> None:
        self.config = config
        if config.init is None:
            raise InputError("a LoRA is taught to an open checkpoint; say which: --init and its folder")
        found = open_checkpoint(config.init)
        if not isinstance(found, PromptedCheckpoint) or found.family not in FAMILIES or (config.family or found.family) != found.family:
            asked = f", and --family says {config.family}" if config.family else ""
            raise InputError(f"--init {config.init} is of the family {found.family}{asked}; a LoRA can be taught to {', '.join(FAMILIES)}")
        self.checkpoint = found
        self.networks = Adapter(found, forms["adapter"]["rank"] if forms else config.rank)
        self._told: dict[int, Conditioning] = {}
        self._flow = FLOWS[found.family](found) if found.family in FLOWS else None

    def loss(self, called: nn.Module, batch: PairBatch, share: float, generator: torch.Generator) -> Tensor:
        """Squared error of what the denoiser is asked for."""
        device = batch.clean.device
        self.networks.place(device)
        if self._flow is not None:
            prompts = ["" if look < 0 else self.prompt(look) for look in batch.look.tolist()]
            return self._flow.loss(called, batch, prompts, generator)
        family, scheduler = self.checkpoint.row, self.checkpoint.pipeline.scheduler
        with torch.no_grad():
            clean, shown = self._encoded(batch.clean, generator), self._shown(batch, generator)
            noise = torch.randn(clean.shape, generator=generator, device=device)
            count = scheduler.config.num_train_timesteps
            timestep = torch.randint(count, (len(clean),), generator=generator, device=device)
            kept = scheduler.alphas_cumprod.to(device)[timestep].view(-1, 1, 1, 1)
            signal, spread = kept.sqrt(), (1 - kept).sqrt()
            start = clean
            if not family.edits:
                begun = (timestep >= START * count) & (torch.rand(len(clean), generator=generator, device=device) < FROM_GUIDE)
                start = torch.where(begun.view(-1, 1, 1, 1), shown, clean)
            noisy = signal * start + spread * noise
            noise = (noisy - signal * clean) / spread  # what leads from here to the frame
            kind = scheduler.config.prediction_type
            wanted = {"epsilon": noise, "v_prediction": signal * noise - spread * clean, "sample": clean}[kind]
            embeds, added = self._words(batch)
        seen = torch.cat([noisy, shown], 1) if family.edits else noisy
        return (called(seen, timestep, embeds, added_cond_kwargs=added).float() - wanted).square().mean()

    def save(self, folder: Path, twin: Twin) -> None:
        """One file, called as the run's folder, that `--lora` takes and diffusers loads."""
        folder.mkdir(parents=True, exist_ok=True)
        name = self.config.out.absolute().name
        words = {"format": "pt", "modelspec.title": name, "modelspec.architecture": f"{FAMILIES[self.checkpoint.family]}/lora"}
        tensors = {key: tensor.to(torch.float16).contiguous() for key, tensor in twin.tensors().items()}
        save_file(tensors, folder / f"{name}.safetensors", words)

    def rehearse(self, twin: Any) -> None:
        """Open checkpoints do not paint in eight bits."""

    def looks(self, out: Path, source: object) -> PairLooks:
        return PairLooks(out, self)

    def prompt(self, look: int) -> str:
        """As the painter says it. look: a place in NAMES; with --style it is that, whatever the look."""
        return templates_of(self.checkpoint.row).of_look(self.config.style or NAMES[look])

    def _encoded(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        side = [pixels.shape[-2] // self._coder.factor, pixels.shape[-1] // self._coder.factor]
        channels = self.checkpoint.pipeline.vae.config.latent_channels
        noise = None if self._coder.local else torch.randn(len(pixels), channels, *side, generator=generator, device=pixels.device)
        return self._coder.encode(pixels, noise).float()

    def _shown(self, batch: PairBatch, generator: torch.Generator) -> Tensor:
        """The guide's latents; of a checkpoint that edits, the picture's, which it now and then does not see."""
        if not self.checkpoint.row.edits:
            return self._encoded(batch.shown, generator)
        seen = torch.rand(len(batch.shown), 1, 1, 1, generator=generator, device=batch.shown.device) >= UNTOLD
        return self._coder.mode(batch.shown).float() * seen

    def _words(self, batch: PairBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """The text's states, and what SDXL is told of sizes."""
        told = [self._conditioning(look) for look in batch.look.tolist()]
        added = [one.added((int(h), int(w)), (int(y), int(x))) for one, (h, w, y, x) in zip(told, batch.place.tolist(), strict=True)]
        return torch.cat([one.embeds for one in told]), {key: torch.cat([one[key] for one in added]) for key in added[0]}

    def _conditioning(self, look: int) -> Conditioning:
        """Encoded once: the text encoder learns nothing."""
        if look not in self._told:
            words = "" if look < 0 else self.prompt(look)
            self._told[look] = conditioned(self.checkpoint.pipeline, self.checkpoint.row, words, "", Known(), 1.0)
        return self._told[look]

    @cached_property
    def _coder(self) -> Coder:
        return Coder(self.checkpoint.pipeline, self.checkpoint.row)


class PairLooks:
    """A few held-out screens, painted by the stock pipeline with the LoRA as it is."""

    def __init__(self, out: Path, lesson: Adapting) -> None:
        self.out, self.lesson = out, lesson

    def look(self, twin: Twin, done: int) -> dict[str, Any]:
        """Leave OUT/sheet_UPDATE.png; returns `psnr`, dB a style, their `mean`, and the `steps` each took. Raises OSError."""
        row, seed = self.lesson.checkpoint.row, self.lesson.config.seed
        self.lesson.networks.place(self.lesson.networks.matrices[0].device)
        with twin.worn() as pipeline, torch.no_grad():
            frames = [_painted(pipeline, row, self.lesson.prompt(NAMES.index(s.name)), s.guide, seed) for s in self._shots]
        painted = [(frame[0].permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy() for frame in frames]
        sample_sheet(self._shots, painted).save(self.out / f"sheet_{done:06d}.png")
        likeness = {s.name: round(psnr(picture, s.frame), 3) for s, picture in zip(self._shots, painted, strict=True)}
        return {"psnr": likeness, "mean": mean(likeness), "steps": row.steps}

    @cached_property
    def _shots(self) -> list[HeldOut]:
        return held_out()[:SCREENS]


def _painted(pipeline: Any, row: Family, prompt: str, guide: np.ndarray, seed: int) -> Tensor:
    """A whole frame by the stock pipeline, shown the guide: float (1, 3, H, W), about [0, 1]."""
    if not row.references:
        return stock_frame(pipeline, row, prompt, guide, row.steps, seed)
    height, width = guide.shape[:2]
    call = called_with(pipeline, row, prompt, [Image.fromarray(guide)] * row.references, (width, height), row.steps)
    return pipeline(**call, generator=torch.Generator().manual_seed(seed))[0][:, :3].float().cpu()  # type: ignore[no-any-return]


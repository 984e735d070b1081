"""The diffusion objective: x0-prediction along the straight path between frame and noise.

Latents at noise level t are x_t = (1 - t) x0 + t e, as in rectified flow (Liu et al., 2022, arXiv:2209.03003); the
network predicts x0 and is scored on it. Half of the high-noise samples start from the frame before instead of the
frame itself, because that is where painting starts (image to image), and the frame before is itself corrupted a
little, as it will be by the painter's own errors (after GameNGen, Valevski et al., 2024, arXiv:2408.14837).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.forms import CAST
from models.denoiser import PATCH, UNKNOWN, Prediction, pack, pixels_of, place
from models.inputs import (
    corner_maps,
    event_maps,
    held,
    materials_of,
    palette_of,
    planes_of,
    remembered,
    to_latents,
)
from models.materials import Materials
from models.relief import beside_edges, is_ground, kinds_of, raised, roles_of
from models.synthetic.shots import Crop

CHOICE, PICK = 0.1, 0.06  # what the choices count beside the picture: what stays, what is picked
DREAMT = 0.4  # what a pixel counts where there is no guide: much of what happens there nobody can foresee
UNTOLD = 0.1  # share of the crops that are not told what was filled, as a dream often is not; it always knows where shadows may fall
RARE = 4.0  # how much more the choice counts where a pixel changes: few do, and a change half seen is better than none
SAME = 0.002  # squared distance, in a range of 2 a channel, of colours that count as the same
MIXED = 0.06  # squared distance up to which a colour is taken for a mixture with the nearest one
PICKED = 12_000  # pixels of a batch whose picks are scored


@dataclass
class Batch:
    """clean, previous, guide: (B, 48, h, w) in [-1, 1], the last two never both: where there is a guide, nothing is taken
    from the previous frame (see `models.latent_painter`); maps: (B, MAPS + PLACE, h, w); weight: (B, 48, h, w);
    memory: (B, REMEMBERED, h, w); keep: (B, h, w, 16), 1 where the frame stays as it was, 0 where it changes; care:
    (B, h, w, 16), how much that choice counts, 0 where there is a guide; matters: bool (B, h, w, 16), whose picks are
    scored; corners: (B, CORNERS, h, w); forms: uint8 (B, H, W, 4), what is told of `Guide.forms`; slow, recent: (B, S), (B, R); materials: of each crop."""

    clean: Tensor
    previous: Tensor
    guide: Tensor
    maps: Tensor
    weight: Tensor
    memory: Tensor
    keep: Tensor
    care: Tensor
    matters: Tensor
    corners: Tensor
    forms: Tensor
    slow: Tensor
    recent: Tensor
    materials: Materials


def batch_of(crops: list[Crop], rng: np.random.Generator, guide_dropped: float) -> Batch:
    """Crops to tensors. The guide is left out of a share of those whose change the recent events explain."""
    count, cells = len(crops), crops[0].side // PATCH
    explained = np.array([crop.shot.explained for crop in crops])
    guided = np.array([crop.shot.guided for crop in crops])
    kept = (guided & (~explained | (rng.random(count) >= guide_dropped))).astype(np.float32)
    shown = torch.from_numpy(kept)
    guide = to_latents(np.stack([c.take(c.shot.guide) for c in crops])) * shown.view(-1, 1, 1, 1)
    verbatim = torch.from_numpy(np.stack([c.take(c.shot.verbatim) for c in crops]).astype(np.float32) / 255)[:, None]
    pointer, buttons = torch.zeros(count, cells, cells), torch.zeros(count, 3)
    for i, crop in enumerate(crops):
        column, row = (crop.shot.pointer[0] - crop.x) // PATCH, (crop.shot.pointer[1] - crop.y) // PATCH
        if 0 <= column < cells and 0 <= row < cells and not kept[i]:
            pointer[i, row, column] = 1.0
            buttons[i] = held(crop.shot.buttons)
    steps = torch.arange(cells)
    places = torch.stack([place(c.y // PATCH + steps, c.x // PATCH + steps, c.shot.size) for c in crops])
    margin, changed = _margins(crops), np.stack([c.take(c.shot.changed) for c in crops])
    weights = np.where(kept[:, None, None] > 0, _guided_weights(crops, guide), DREAMT * (1.0 + 8.0 * changed))
    care = margin * (1.0 + RARE * changed) * (1 - kept[:, None, None])
    slow = torch.from_numpy(np.stack([c.shot.slow for c in crops]))
    memory = remembered(
        torch.from_numpy(np.stack([c.take(plane) for c in crops for plane in c.shot.memory])),
        torch.from_numpy(np.stack([c.take(plane)[::PATCH, ::PATCH] for c in crops for plane in c.shot.known])).unflatten(0, (count, -1)),
    )  # fmt: skip
    planes = torch.from_numpy(np.stack([c.take(planes_of(c.shot.paints, c.shot.size)) for c in crops]))
    materials = materials_of([c.shot.paints for c in crops], planes, slow.numpy())
    forms = torch.from_numpy(np.stack([c.take(c.shot.forms) for c in crops]) * (kept[:, None, None, None] > 0).astype(np.uint8))
    untold = torch.from_numpy(rng.random(count) < UNTOLD)
    return Batch(
        clean=to_latents(np.stack([c.take(c.shot.frame) for c in crops])),
        previous=to_latents(np.stack([c.take(c.shot.before) for c in crops])) * (1 - shown.view(-1, 1, 1, 1)),
        guide=guide,
        maps=torch.cat([event_maps(verbatim, shown, pointer, buttons), places], 1),
        weight=pack(torch.from_numpy((margin * weights).astype(np.float32))[:, None].expand(-1, 3, -1, -1).contiguous()),
        memory=memory, corners=corner_maps(forms, palette_of(slow), materials), forms=_told(forms, untold),
        keep=_by_cell(1.0 - changed), care=_by_cell(care), matters=_by_cell(_matter(crops, kept, changed, rng)) > 0,
        slow=slow, materials=materials,
        recent=torch.from_numpy(np.stack([c.shot.recent * (1 - shown) for c, shown in zip(crops, kept, strict=True)])),
    )  # fmt: skip


def _told(forms: Tensor, untold: Tensor) -> Tensor:
    """Forms, (B, H, W, 4), without what is not told of the crops of `untold`, bool (B,)."""
    told = torch.full((len(untold), 1, 1, 4), 255, dtype=torch.uint8)
    told[untold] = torch.tensor([0, 0, 255, CAST], dtype=torch.uint8)
    corner = forms[..., 0] > 0
    forms = forms & told
    forms[..., 2] *= ~(corner & untold.view(-1, 1, 1))
    return forms


def _margins(crops: list[Crop]) -> np.ndarray:
    """A quarter for the outer cells of a crop, which the painter throws away: (B, side, side)."""
    weight = np.ones((len(crops), crops[0].side, crops[0].side), np.float32)
    edge = 2 * PATCH
    for i, crop in enumerate(crops):
        width, height = crop.shot.size
        weight[i, :, :edge] *= 1.0 if crop.x == 0 else 0.25
        weight[i, :, -edge:] *= 1.0 if crop.x + crop.side == width else 0.25
        weight[i, :edge] *= 1.0 if crop.y == 0 else 0.25
        weight[i, -edge:] *= 1.0 if crop.y + crop.side == height else 0.25
    return weight


def _guided_weights(crops: list[Crop], guide: Tensor) -> np.ndarray:
    """Letters count threefold; ninefold marks, which few pixels show, what is not its role's flat colour (corners, gradients), and what stands beside
    an edge and where a shadow may fall, whether either is seen or not: where it counts more than its absence, there is too much of it."""
    roles, filled = roles_of(guide), torch.from_numpy(np.stack([c.take(c.shot.forms)[..., 3] for c in crops]))
    edges = (beside_edges(roles) | raised(roles, kinds_of(filled))).numpy()
    drawn = ~is_ground(roles).numpy() & (np.stack([c.take(c.shot.verbatim) for c in crops]) == 0)
    marks = drawn & np.stack([c.take(c.shot.ink) == 0 for c in crops])
    return 1.0 + 2.0 * (drawn & ~marks) + 8.0 * (marks | edges | np.stack([c.take(c.shot.shaped | c.shot.shadowed) for c in crops]))


def _matter(crops: list[Crop], kept: np.ndarray, changed: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Up to PICKED pixels of all crops that changed and have no guide: (B, H, W)."""
    matter = changed & (kept[:, None, None] == 0)
    return matter & (rng.random(matter.shape) < PICKED / max(int(matter.sum()), 1))


def _by_cell(plane: np.ndarray) -> Tensor:
    """(B, H, W) to (B, h, w, 16)."""
    return pack(torch.from_numpy(plane.astype(np.float32))[:, None]).permute(0, 2, 3, 1)


def noise_levels(count: int, generator: torch.Generator) -> Tensor:
    """Mostly the high levels that few-step painting starts from: (B,) in (0, 1]."""
    uniform = torch.rand(count, generator=generator)
    high = 0.75 + 0.25 * torch.rand(count, generator=generator)
    return torch.where(torch.rand(count, generator=generator) < 0.6, high, uniform.clamp_min(0.02))


def corrupt(batch: Batch, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """(noisy, previous, level) for one training step. Where there is no guide, half of the previous frames are slightly
    wrong."""
    count = len(batch.clean)
    level = noise_levels(count, generator)
    spread = torch.rand(count, 1, 1, 1, generator=generator).square() * 0.1
    spread = spread * (torch.rand(count, 1, 1, 1, generator=generator) < 0.5) * (1 - batch.maps[:, :1, :1, :1])
    previous = batch.previous + spread * torch.randn(batch.previous.shape, generator=generator)
    from_before = (torch.rand(count, generator=generator) < 0.5) & (level >= 0.75)
    start = torch.where(from_before.view(-1, 1, 1, 1), batch.previous, batch.clean)
    t = level.view(-1, 1, 1, 1)
    noisy = (1 - t) * start + t * torch.randn(start.shape, generator=generator)
    return noisy, previous, level


def loss_of(predicted: Prediction, batch: Batch) -> Tensor:
    """Squared plus half absolute error, weighted; where there is no guide, the cross entropy of the choice which pixels
    stay as they are; and, where it matters, that of what is picked."""
    error = predicted.clean.float() - batch.clean
    painted = (batch.weight * (error.square() + 0.5 * error.abs())).sum() / batch.weight.sum()
    chosen = predicted.kept.float().clamp(1e-4, 1 - 1e-4)
    missed = -(batch.keep * chosen.log() + (1 - batch.keep) * (1 - chosen).log())
    return painted + CHOICE * (batch.care * missed).sum() / batch.care.sum().clamp_min(1) + PICK * _picked(predicted, batch)


def _picked(predicted: Prediction, batch: Batch) -> Tensor:
    """Cross entropy of the picks where a pixel changes, towards those whose colour is the pixel's own.

    The error of the painted colour alone teaches a pick next to nothing while its share is small.
    """
    clean = pixels_of(batch.clean)
    b, h, w, _, _ = clean.shape
    places = batch.matters.nonzero(as_tuple=True)
    logits, wanted = predicted.logits[places].float(), clean[places]
    if not len(wanted):
        return logits.sum()
    with torch.no_grad():
        candidates = [_painted(predicted, places)]
        candidates += [picture[places].float().unsqueeze(1) for picture in predicted.pictures]
        apart = (torch.cat(candidates, 1) - wanted.unsqueeze(1)).square().sum(-1)
        apart = apart + UNKNOWN * (logits < -UNKNOWN / 2)  # what is not remembered is no candidate
        apart[:, -len(predicted.pictures)] = UNKNOWN  # nor is the guide's own colour, which no style shows
        target = torch.softmax(-apart / SAME, -1)
        nearest = apart.amin(-1)
        sure = torch.where(nearest < 2 * SAME, 1.0, 0.3) * (nearest < MIXED)  # a mixture is told by what is most of it
    missed = -(target * torch.log_softmax(logits, -1)).sum(-1)
    return (sure * missed).sum() / sure.sum().clamp_min(1)


def _painted(predicted: Prediction, places: tuple[Tensor, ...]) -> Tensor:
    """What each paint looks like at the pixels of `places`: (n, C, 3)."""
    paints = predicted.paints[places[0]].float()
    texture, ground = predicted.texture[places].float().unsqueeze(1), predicted.ground[places].float().unsqueeze(1)
    return paints[..., :3] + texture * paints[..., 3:6] + ground * paints[..., 6:]

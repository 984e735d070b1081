"""What a dreamer is scored on."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from models.dreaming.codes import COLOURS
from models.dreaming.dreamer import CELL, COPIES, NOTHING, Dreamer, Place, by_cell, maps_of
from models.training.dream_batch import DreamBatch

WHICH, WHERE = 2.0, 0.2  # what the choices count beside what pixels show
LOST = 2.0  # from there on a letter's place teaches no more: the few that nobody can tell had gradients twenty times all others'
WANTED = 1.5  # how much more a cell that changes counts, in saying which do
UNSEEN = 0.2  # share of the cells that stay whose pixels are scored, too
HEALED = 0.05  # what a spoilt cell counts
KEPT = 0.3  # what a pixel counts that stays, in a cell that changes


def dream_loss(dreamer: Dreamer, batch: DreamBatch, generator: torch.Generator) -> Tensor:
    """Cross entropies: which cells change, what their pixels show (any pick that shows it is right), and where the letter
    goes."""
    b, h, w = batch.changed.shape
    tokens = dreamer.tokens(batch.slow, batch.recent)
    maps = maps_of(Place(batch.corners, batch.size, (h, w)), batch.pointer, batch.buttons, batch.recent)
    change, cells = dreamer(batch.codes, maps, tokens)
    stays = by_cell((batch.same & 1)[:, None]).bool().all(-1)[..., 0]
    weight = torch.where(batch.changed, WANTED, torch.where(batch.spoilt, HEALED, 1.0)) * batch.weight
    missed = F.binary_cross_entropy_with_logits(change.float(), (~stays).float(), reduction="none")
    which = (weight * missed).sum() / weight.sum().clamp_min(1e-3)
    scored = batch.changed | (torch.rand(b, h, w, generator=generator, device=change.device) < UNSEEN)
    what = _shown(dreamer, cells, batch, scored)
    where = _placed(dreamer, batch, tokens)
    return WHICH * which + what + WHERE * where


def _shown(dreamer: Dreamer, cells: Tensor, batch: DreamBatch, scored: Tensor) -> Tensor:
    codes = by_cell(batch.codes)[scored]  # (n, COPIES, 64)
    logits = dreamer.picks(cells[scored], codes).float()
    target = by_cell(batch.target[:, None])[scored][:, 0].long()  # (n, 64)
    same = by_cell(batch.same[:, None])[scored][:, 0]
    bits = torch.arange(COPIES, device=same.device, dtype=torch.uint8)
    copies = (same.unsqueeze(-1) >> bits & 1).bool()
    colour = logits.gather(2, target.clamp(max=COLOURS - 1).unsqueeze(-1)) + (target >= COLOURS).unsqueeze(-1) * NOTHING * 10
    right = torch.cat([colour, logits[..., COLOURS:] + ~copies * NOTHING * 10], -1)
    known = (target < COLOURS) | copies.any(-1)
    missed = (torch.logsumexp(logits, -1) - torch.logsumexp(right, -1)) * known
    spoilt = batch.spoilt[scored].unsqueeze(-1)
    much = batch.changed.flatten(1).sum(1).clamp_min(4).rsqrt()  # a letter counts as well as a window
    weight = torch.where((same & 1) > 0, KEPT, 1.0) * torch.where(spoilt, HEALED, 1.0) * known
    weight = weight * (much[scored.nonzero()[:, 0]] * batch.weight[scored]).unsqueeze(-1)
    return (weight * missed).sum() / weight.sum().clamp_min(1e-3)


def _placed(dreamer: Dreamer, batch: DreamBatch, tokens: Tensor) -> Tensor:
    put = batch.pen[:, 0] >= 0
    if not put.any():
        return tokens.new_zeros(())
    cell, pixel = dreamer.pens(batch.codes[put][:, :2], tokens[put])
    x, y = batch.pen[put].unbind(1)
    at = y // CELL * cell.shape[2] + x // CELL
    pixels = pixel.flatten(1, 2)[torch.arange(len(at), device=at.device), at]
    return _bounded(cell.flatten(1), at) + _bounded(pixels, y % CELL * CELL + x % CELL)


def _bounded(logits: Tensor, wanted: Tensor) -> Tensor:
    """Cross entropy whose gradient grows no more from LOST on: of (n, choices) and (n,)."""
    missed = F.cross_entropy(logits.float(), wanted, reduction="none")
    return (missed * (LOST / missed.detach().clamp_min(LOST))).mean()

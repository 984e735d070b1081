"""A dream: the guide it has come to, what it remembers, and how an event carries it on."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from torch import Tensor

from engine.context import text_size_of
from engine.forms import cast
from engine.geometry import Rect
from engine.guide import rects_of
from engine.painter import ContextFeatures, PaintRequest
from models.bytewise import differ, put
from models.dreaming.codes import BOOK, COLOURS
from models.dreaming.course import NEVER, Course, Question
from models.dreaming.dreamer import CELL, PIXELS, Dreamer, Place, by_cell, maps_of
from models.dreaming.letters import Pen, carets
from models.dreaming.notice import noticed
from models.dreaming.planes import SEEN, stacked
from models.dreaming.steps import Step, steps_of
from models.inputs import held

WHOLE, GOING_ON = 0.4, 0.02  # share of a letter's pixels that are picked from which all of it is shown; right after another letter
BESIDE = 2.5  # logit from which a cell changes beside a letter


class Dream:
    """For frames of `size` (width, height). Its planes and its memory are kept on the CPU, in 8 bits; the dreamer computes
    where it is. imagines: whether it is asked at all; else nothing changes but what follows by rule."""

    def __init__(self, dreamer: Dreamer, size: tuple[int, int], imagines: bool = True, course: Course | None = None) -> None:
        """course: which somebody else goes, where only questions on it are to be answered; else its own."""
        self._dreamer = dreamer
        self._imagines = imagines
        self._size = size
        self._course = course or Course(size, dreamer.book)
        self._known = self._course.known
        self._book = torch.from_numpy(BOOK)
        self._wake()

    def _wake(self) -> None:
        """Nothing is said yet."""
        self._shown = self._known.planes  # with what is said
        self._said = Rect(0, 0, 0, 0)  # where that stands

    def begin(self, request: PaintRequest) -> None:
        """Wake from the request's guide: it lies under all that follows."""
        assert request.guide is not None
        self._course.begin(stacked(request.guide, request.verbatim, request.forms), request.context)
        self._wake()

    def answer(self, request: PaintRequest) -> tuple[Rect, ...]:
        """Carry the dream on by the request's events; returns where its guide is no longer the same, on the grid."""
        before = self._shown
        for step in steps_of(request):
            self._take(step)
        self._known.tell(request.context, request.pointer)
        self._shown, self._said = noticed(self._known.planes, request.context.notice, text_size_of(request.context.slow), self._known.popup)
        return tuple(rects_of(differ(before, self._shown).numpy(), self._known.bounds))

    @property
    def guide(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pixels, verbatim mask and forms, as a request has them."""
        planes = self._shown.numpy()
        forms = planes[SEEN:].transpose(1, 2, 0).copy()
        for box, inside in (*self._known.floating, (self._said, self._known.bounds), (self._known.popup, self._known.bounds)):
            if box:
                cast(forms, box, inside)
        return planes[:3].transpose(1, 2, 0), planes[3], forms

    def pieces(self) -> list[Tensor]:
        """Everything, for `restore`; as one, they are pictures, uint8 (N, 3, H, W)."""
        return self._known.pieces()

    def restore(self, state: Tensor | None) -> None:
        """Take back what `pieces` gave, as one; None: forget everything."""
        self._course.restore(state)
        self._wake()

    @torch.inference_mode()
    def imagined(self, question: Question) -> Tensor:
        """The guide that a question would be answered with, uint8 (PLANES, H, W); the course is not gone on with."""
        return self._chosen(question, *self._answered(question, self._tokens(question.step.context)))[0]

    def _tokens(self, context: ContextFeatures) -> Callable[[], Tensor]:
        """What the context says to the dreamer, once it is asked for."""
        return cache(lambda: self._dreamer.tokens(self._given(context.slow), self._given(context.recent)))

    @torch.inference_mode()
    def _take(self, step: Step) -> None:
        tokens = self._tokens(step.context)
        question, came = self._course.ask(step, lambda codes: self._pen(codes, tokens()) if self._imagines else None), False
        if question is not None:
            guide, came = self._chosen(question, *self._answered(question, tokens))
            if guide is not question.shown:
                self._known.show(self._known.on_board(guide, step.event))
        if not step.past:
            self._known.settle(step.pointer)
        if question is not None:
            self._course.answered(question, came)

    def _chosen(self, question: Question, picks: Tensor, sure: Tensor) -> tuple[Tensor, bool]:
        """The guide with what was answered, see `_answered`, the same one where that is nothing; and whether the typed letter is among it."""
        guess = question.guess
        came = guess.sure or (bool(guess.spots) and _comes(question, picks))
        if came:
            picks[~sure] = COLOURS  # what a letter changes elsewhere is little: a count, a title
            for spot in guess.spots:
                picks[spot.slices] = COLOURS + len(question.pictures) - 1
        return (self._picked(question.pictures, picks) if (picks != COLOURS).any() else question.shown), came

    def _answered(self, question: Question, tokens: Callable[[], Tensor]) -> tuple[Tensor, Tensor]:
        """What each pixel shows, picks, uint8 (H, W), COLOURS where it stays; and where the dreamer is as sure of that as it must be beside a
        letter, bool (H, W)."""
        picks = torch.full(question.kept.shape, COLOURS, dtype=torch.uint8)
        sure = torch.ones_like(question.kept)
        if not self._imagines or not (question.needed < NEVER).any():
            return picks, sure
        step, pictures, device = question.step, question.pictures, self._dreamer.device
        codes, (width, height) = question.codes[None].to(device), self._size
        alike = [i for i, picture in enumerate(pictures) if i and picture is pictures[0]]
        corner, size = torch.zeros(1, 2, device=device), torch.tensor([[width, height]], device=device).float()
        place = Place(corner, size, (height // CELL, width // CELL))
        pointer = torch.tensor([step.pointer], device=device).float()
        maps = maps_of(place, pointer, held(step.buttons)[None].to(device), self._given(step.context.recent))
        change, cells = self._dreamer(codes, maps, tokens(), alike)
        found = change[0].cpu() > question.needed
        if step.hovers:
            found &= self._known.around(step.pointer, found)
        if found.any():
            chosen = torch.full((*found.shape, PIXELS), COLOURS, dtype=torch.uint8)
            where = found.to(device)
            chosen[found] = self._dreamer.choose(cells[0][where], by_cell(codes)[0][where]).cpu()
            picks = _by_pixel(chosen.unsqueeze(2))[0]
            picks[question.kept] = COLOURS
            sure = (change[0] >= BESIDE).cpu().repeat_interleave(CELL, 0).repeat_interleave(CELL, 1)
        return picks, sure

    def _given(self, numbers: np.ndarray) -> Tensor:
        """A part of the context, float32 (1, N), where the dreamer computes."""
        return torch.from_numpy(numbers)[None].to(self._dreamer.device)

    def _pen(self, codes: Tensor, tokens: Tensor) -> Pen:
        """Where a letter goes that is typed now: to the caret that the dreamer believes in most, of those that are seen or,
        where it blinks, were seen last; where there is none, to where it believes a caret to be."""
        cell, pixel = self._dreamer.pens(codes[None, :2].to(tokens.device), tokens)
        belief, columns = cell.flatten().cpu(), cell.shape[2]
        if seen := carets(codes[0].numpy()) or carets(codes[1].numpy()):
            return max(seen, key=lambda pen: float(belief[pen[1] // CELL * columns + pen[0] // CELL]))
        at = int(belief.argmax())
        inside = int(pixel.flatten(1, 2)[0, at].argmax())
        return at % columns * CELL + inside % CELL, at // columns * CELL + inside // CELL

    def _picked(self, pictures: list[Tensor], picks: Tensor) -> Tensor:
        """The guide in which each pixel shows what was picked of it, (H, W)."""
        new = torch.zeros_like(pictures[0])
        new[:3] = self._book[picks.clamp(max=COLOURS - 1).int()].permute(2, 0, 1)
        for i, picture in enumerate(pictures, COLOURS):
            if (where := picks == i).any():
                put(new, where, picture)
        return new


def _comes(question: Question, picks: Tensor) -> bool:
    """Whether the typed letter is shown, by what was picked of its pixels, (H, W): it comes whole or not at all."""
    pictures, inside = question.pictures, torch.zeros_like(picks, dtype=torch.bool)
    for spot in question.guess.spots:
        inside[spot.slices] = True
    other = inside & differ(pictures[-1][:SEEN], pictures[0][:SEEN])
    return bool((picks[other] == COLOURS + len(pictures) - 1).float().mean() > (GOING_ON if question.going_on else WHOLE))


def _by_pixel(cells: Tensor) -> Tensor:
    """The inverse of `by_cell`, of one picture: (h, w, P, 64) to (P, h * 8, w * 8)."""
    split = cells.unflatten(3, (CELL, CELL)).permute(2, 0, 3, 1, 4)
    return split.flatten(1, 2).flatten(2).contiguous()

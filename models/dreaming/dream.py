"""A dream: the guide it has come to, what it remembers, and how an event carries it on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.context import text_size_of
from engine.events import Key, Move, Wheel
from engine.geometry import Rect
from engine.guide import rects_of
from engine.painter import PaintRequest
from models.dreaming.codes import BOOK, COLOURS
from models.dreaming.dreamer import CELL, PIXELS, Dreamer, Place, by_cell, maps_of
from models.dreaming.field import Field
from models.dreaming.hover import Hover
from models.dreaming.letters import Guess, Pen, carets, letter_of, typed
from models.dreaming.notice import noticed
from models.dreaming.planes import SEEN, stacked
from models.dreaming.popups import Deed
from models.dreaming.recollection import AtHand, Recollection, guessed
from models.dreaming.steps import Step, steps_of
from models.inputs import held

WHOLE, GOING_ON = 0.4, 0.02  # share of a letter's pixels that are picked from which all of it is shown; right after another letter
SURE, KEYED, BESIDE, AWAY, LAID = -0.5, 2.0, 2.5, 4.0, 6.0  # logits from which a cell changes: more is asked for by a key that is no shortcut, beside a letter, where an event hardly reaches, and when windows were just laid, or a letter goes elsewhere


class Written(NamedTuple):
    """The letter that came last, if nothing but time has passed since, and where the next one goes."""

    letter: str
    behind: Pen


class Dream:
    """For frames of `size` (width, height). Its planes and its memory are kept on the CPU, in 8 bits; the dreamer computes
    where it is."""

    def __init__(self, dreamer: Dreamer, size: tuple[int, int]) -> None:
        self._dreamer = dreamer
        self._size = size
        self._known = Recollection(size, dreamer.book)
        self._shown = self._known.planes  # with what is said
        self._written: Written | None = None
        self._field = Field()
        self._hover = Hover()
        self._pointer = (0, 0)  # where it was
        self._document = 0  # which one the window in front showed
        self._book = torch.from_numpy(BOOK)

    def begin(self, request: PaintRequest) -> None:
        """Wake from the request's guide: it lies under all that follows."""
        assert request.guide is not None
        self._known.begin(stacked(request.guide, request.verbatim, request.forms), request.context)
        self._shown = self._known.planes
        self._written = None
        self._field.clear()
        self._hover.clear()

    def answer(self, request: PaintRequest) -> tuple[Rect, ...]:
        """Carry the dream on by the request's events; returns where its guide is no longer the same, on the grid."""
        before = self._shown
        for step in steps_of(request):
            self._take(step)
        self._known.tell(request.context, request.pointer)
        self._shown = noticed(self._known.planes, request.context.notice, text_size_of(request.context.slow))
        apart = (before != self._shown).any(0).numpy()
        return tuple(rects_of(apart, self._known.bounds))

    @property
    def guide(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pixels, verbatim mask and forms, as a request has them."""
        planes = self._shown.numpy()
        return planes[:3].transpose(1, 2, 0), planes[3], planes[4:].transpose(1, 2, 0)

    def state(self) -> Tensor:
        """Everything as pictures, uint8 (N, 3, H, W), for `restore`."""
        return self._known.state()

    def restore(self, state: Tensor | None) -> None:
        """Take back what `state` gave; None: forget everything."""
        self._known.restore(state)
        self._shown = self._known.planes
        self._written = None
        self._field.clear()
        self._hover.clear()

    @torch.inference_mode()
    def _take(self, step: Step) -> None:
        hovers = isinstance(step.event, Move) and not step.buttons
        if hovers:
            self._known.show(self._hover.left(self._known.planes, *step.pointer))
        if step.past or (step.context.work and self._is_told(step)):
            self._written = None
            self._known.lay(step.event, step.context, self._field.place)
            self._refocus(step)
            if text := self._text(step):
                self._known.show(text.planes)
            return
        context, device = step.context, self._dreamer.device
        slow, recent = (torch.from_numpy(x)[None].to(device) for x in (context.slow, context.recent))
        tokens = self._dreamer.tokens(slow, recent)
        (pictures, codes, laid), guess = self._at_hand(step, tokens)
        shown = self._known.planes
        reached, self._pointer = (step.pointer, self._pointer), step.pointer
        if self._known.popups.deed is Deed.CLOSED or self._known.popups.known:  # what it hid, or shows, stands there, and nothing else happens
            self._written = None
            return
        codes = codes[None].to(device)
        width, height = self._size
        alike = [i for i, picture in enumerate(pictures) if i and picture is pictures[0]]
        corner, size = torch.zeros(1, 2, device=device), torch.tensor([[width, height]], device=device).float()
        place = Place(corner, size, (height // CELL, width // CELL))
        pointer = torch.tensor([step.pointer], device=device).float()
        change, cells = self._dreamer(codes, maps_of(place, pointer, held(step.buttons)[None].to(device), recent), tokens, alike)
        near = self._known.within_reach(step.event, reached, guess.spots).to(device)
        letter, plain = letter_of(step.event), isinstance(step.event, Key) and "ctrl" not in step.event.mods
        here, away = KEYED if plain and not letter else SURE, LAID if letter else AWAY
        found, came = change[0] > (LAID if laid else torch.where(near, here, away)), False
        if hovers:
            found &= self._known.around(step.pointer, found.cpu()).to(device)
        elif step.event is None:
            found &= _busy(codes[0, 0])  # time alone changes nothing where all around is of one colour
        if found.any() or guess.sure:
            picks = torch.full((*found.shape, PIXELS), COLOURS, dtype=torch.uint8)  # the last guide's own
            picks[found.cpu()] = self._dreamer.choose(cells[0][found], by_cell(codes)[0][found]).cpu()
            pixels = _by_pixel(picks.unsqueeze(2))[0]
            pixels[self._known.kept] = COLOURS
            came = guess.sure or (bool(guess.spots) and self._comes(pictures, pixels, guess.spots))
            if came:
                doubtful = (change[0] < BESIDE).cpu().repeat_interleave(CELL, 0).repeat_interleave(CELL, 1)
                pixels[doubtful] = COLOURS  # what a letter changes elsewhere is little: a count, a title
                for spot in guess.spots:
                    pixels[spot.slices] = COLOURS + len(pictures) - 1
            self._show(pictures, pixels)
        self._known.settle(step.pointer)
        if hovers:
            self._hover.lit(shown, self._known.planes)
        if step.event is not None:
            self._written = Written(letter, guess.behind) if came and not guess.sure else None

    def _is_told(self, step: Step) -> bool:
        """Whether all that comes of an event is told: how far things are scrolled, and where windows are dragged to."""
        return isinstance(step.event, Wheel) or (isinstance(step.event, Move) and bool(step.buttons) and self._known.drags_frames)

    def _at_hand(self, step: Step, tokens: Tensor) -> tuple[AtHand, Guess]:
        """What can be copied from, and the last of it as a guess."""
        laid = self._known.lay(step.event, step.context, self._field.place)
        self._refocus(step)
        hand, letter = self._known.at_hand(step.event, step.context, laid), letter_of(step.event)
        if text := self._text(step):
            return guessed(hand, text.planes), text
        if not letter or self._known.popups.deed is Deed.CHOSEN:
            return hand, Guess(self._known.planes, (), (0, 0))
        last = self._written
        pen = last.behind if last else self._pen(hand.codes, tokens)
        guess = typed(self._known.planes, letter, text_size_of(step.context.slow), pen, last.letter if last else "")
        return guessed(hand, guess.planes), guess

    def _refocus(self, step: Step) -> None:
        """Give the text of the window in front the focus, where that follows."""
        before, self._document = self._document, self._known.document
        told = self._known.text
        edited = step.last and before == self._document and self._field.edited(told)
        if self._known.refocused(step.event, edited):
            self._known.focus_text(self._field.caught_up(told))

    def _text(self, step: Step) -> Guess | None:
        """What follows from what is written in the field in focus, if that can be read."""
        if self._known.popups.deed.taken:
            return None
        planes, written = self._known.planes, self._field.answer(self._known.planes, self._known.front, step, self._known.text)
        if not written:
            return None
        planes = planes.clone()
        for spot, shown in written:
            planes[:, *spot.slices] = shown
        return Guess(planes, tuple(spot for spot, _ in written), (0, 0), sure=True)

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

    def _comes(self, pictures: list[Tensor], picks: Tensor, spots: Sequence[Rect]) -> bool:
        """Whether the typed letter is shown, by what was picked of its pixels, (H, W): it comes whole or not at all."""
        inside = torch.zeros_like(picks, dtype=torch.bool)
        for spot in spots:
            inside[spot.slices] = True
        apart = inside & (pictures[-1][:SEEN] != pictures[0][:SEEN]).any(0)
        return bool((picks[apart] == COLOURS + len(pictures) - 1).float().mean() > (GOING_ON if self._written else WHOLE))

    def _show(self, pictures: list[Tensor], picks: Tensor) -> None:
        """Take what was picked of each pixel, (H, W), into the guide."""
        new = torch.zeros_like(pictures[0])
        new[:3] = self._book[picks.clamp(max=COLOURS - 1).int()].permute(2, 0, 1)
        for i, picture in enumerate(pictures, COLOURS):
            if (chosen := picks == i).any():
                new = torch.where(chosen, picture, new)
        self._known.show(new)


def _busy(codes: Tensor) -> Tensor:
    """Which cells of a picture's codes, (H, W), show more than one, or lie beside those that do: bool (h, w)."""
    shown = codes[None].float()
    most, least = F.max_pool2d(shown, CELL), -F.max_pool2d(-shown, CELL)
    return (F.max_pool2d(most, 3, 1, 1) != -F.max_pool2d(-least, 3, 1, 1))[0]


def _by_pixel(cells: Tensor) -> Tensor:
    """The inverse of `by_cell`, of one picture: (h, w, P, 64) to (P, h * 8, w * 8)."""
    split = cells.unflatten(3, (CELL, CELL)).permute(2, 0, 3, 1, 4)
    return split.flatten(1, 2).flatten(2).contiguous()

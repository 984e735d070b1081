"""The bundled family is asked between its steps, and between its crops, whether anybody will see them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.geometry import Rect
from engine.painter import Cancelled, GuessingPainter, Painter, PainterSpec, SteppingPainter
from engine.process_mailbox import ProcessMailbox
from models.catalog import open_carefully
from tests.test_painters import SIZE, WHOLE, ask, drawn, empty, show
from tests.test_process_mailbox import paintings_to, until

STEPS, OPENING_S = 8, 300.0
APART = (Rect(16, 16, 24, 16), Rect(120, 64, 96, 64))  # crops of two sizes: no batch


def opened(**other: Any) -> Painter:
    return open_carefully(PainterSpec(**({"size": SIZE, "threads": 1, "device": "cpu", "steps": STEPS} | other)))


def told(painter: Painter, enough: int = 10**6) -> list[tuple[int, int]]:
    """What the painter tells of its steps from now on; it is given up after so many."""
    assert isinstance(painter, SteppingPainter) and isinstance(painter, GuessingPainter)
    found: list[tuple[int, int]] = []

    def on_step(done: int, steps: int) -> bool:
        found.append((done, steps))
        return len(found) < enough

    painter.on_step = on_step
    return found


@pytest.mark.parametrize(("steps", "damage", "wanted"), [
    (STEPS, WHOLE, [(i, STEPS) for i in range(1, STEPS)]),
    (2, APART, [(1, 4), (2, 4), (3, 4)]),
    (1, APART, [(1, 2)]),
    (1, WHOLE, []),
], ids=["steps", "both", "crops", "neither"])  # fmt: skip
def test_it_is_asked_between_steps_and_crops_and_never_where_there_is_nothing_between(
    steps: int, damage: tuple[Rect, ...], wanted: list[tuple[int, int]]
) -> None:
    painter = opened(steps=steps)
    found = told(painter)
    show(painter, empty(), ask(drawn(1), damage))
    assert found == wanted


@pytest.mark.parametrize(("steps", "enough"), [(STEPS, 3), (1, 1)], ids=["steps", "crops"])
def test_what_was_given_up_leaves_no_trace(steps: int, enough: int) -> None:
    damage = WHOLE if steps > 1 else APART
    painter, other = opened(steps=steps), opened(steps=steps)
    frames = [show(one, empty(), ask(drawn(1))) for one in (painter, other)]
    before = painter.latents().copy()
    told(painter, enough)
    with pytest.raises(Cancelled, match=f"after {enough} of"):
        painter.paint(ask(drawn(2), damage, "ocean"))
    assert (painter.latents() == before).all()
    told(painter)
    painter.restore(before)  # as whoever holds the painter does
    frames = [show(one, frame, ask(drawn(3), damage, "ocean")) for one, frame in zip((painter, other), frames, strict=True)]
    assert (frames[0] == frames[1]).all() and (painter.latents() == other.latents()).all()
    assert painter.paint(ask(drawn(1), damage)).source == "cached" == other.paint(ask(drawn(1), damage)).source


def test_a_dream_is_never_given_up() -> None:
    painter = opened(mode="dream")
    found = told(painter, enough=1)
    show(painter, empty(), ask(drawn(1)))
    assert found == []


def test_an_overtaken_frame_is_dropped_and_the_pixels_are_as_if_it_had_never_been_asked_for() -> None:
    spec = PainterSpec(size=SIZE, threads=1, device="cpu", steps=STEPS)
    first, overtaken, last = (replace(ask(drawn(seed)), seq=seq) for seq, seed in enumerate((1, 2, 3), 1))
    mailbox = ProcessMailbox(open_carefully, spec)
    try:
        until(lambda: mailbox.info is not None, OPENING_S)
        mailbox.post(first)
        paintings_to(mailbox, 1)
        mailbox.post(overtaken)
        until(lambda: mailbox.status.steps[0] > 0)
        mailbox.post(last)
        (painting,) = paintings_to(mailbox, 3)
        latents = mailbox.latents()
    finally:
        mailbox.close()
    other = open_carefully(spec)
    other.paint(first)
    wanted = other.paint(last)
    assert (painting.seq, painting.source) == (3, "painted") and len(painting.patches) == len(wanted.patches) == 1
    assert (painting.patches[0].pixels == wanted.patches[0].pixels).all()
    assert latents is not None and (latents == other.latents()).all()

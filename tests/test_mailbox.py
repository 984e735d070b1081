"""One request waits; whatever takes it over loses neither damage nor events."""

from __future__ import annotations

from functools import partial

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.events import Event, Key, Move, Text
from engine.exchange import Exchange
from engine.geometry import Rect
from engine.letters import LatentForm, Paint, Painted, Restore
from engine.mailbox import DirectMailbox, combine
from engine.painter import GuidePainter, PaintRequest, put_into
from tests.painters_for_tests import CONTEXT, SIZE, SPEC, WHOLE

EVENTS = st.one_of(
    st.builds(Text, st.just(0.0), st.text(min_size=1, max_size=3)),
    st.builds(Key, st.just(0.0), st.sampled_from(["a", "enter"])),
    st.builds(Move, st.just(0.0), st.integers(0, 255), st.integers(0, 191)),
)
RECTS = st.builds(
    lambda x, y, w, h: Rect(8 * x, 8 * y, 8 * min(w, 32 - x), 8 * min(h, 24 - y)),
    st.integers(0, 31),
    st.integers(0, 23),
    st.integers(1, 32),
    st.integers(1, 24),
)


def asked(
    seq: int, events: tuple[Event, ...] = (), damage: tuple[Rect, ...] = (WHOLE,), grey: int = 0
) -> PaintRequest:
    guide = np.full((SIZE[1], SIZE[0], 3), grey, np.uint8)
    return PaintRequest(seq, events, damage, guide, np.zeros((SIZE[1], SIZE[0]), np.uint8), CONTEXT)


def covered(rects: tuple[Rect, ...]) -> np.ndarray:
    mask = np.zeros((SIZE[1], SIZE[0]), bool)
    for rect in rects:
        mask[rect.slices] = True
    return mask


REQUESTS = st.builds(
    lambda events, damage: asked(0, tuple(events), tuple(damage)),
    st.lists(EVENTS, max_size=4),
    st.lists(RECTS, max_size=4),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(REQUESTS, min_size=2, max_size=6))
def test_taking_over_loses_no_damage_and_no_event(requests: list[PaintRequest]) -> None:
    one = requests[0]
    for newer in requests[1:]:
        one = combine(one, newer)
    damage = tuple(rect for request in requests for rect in request.damage)
    assert not (covered(damage) & ~covered(one.damage)).any()
    assert all(rect == rect.snap() and WHOLE.covers(rect) for rect in one.damage)
    assert one.events == tuple(event for request in requests for event in request.events)


def test_the_newer_request_says_what_the_frame_shows() -> None:
    older, newer = asked(3, grey=10), asked(4, grey=20)
    one = combine(older, newer)
    assert one.seq == 4 and one.guide is newer.guide


def test_painting_on_the_spot() -> None:
    mailbox = DirectMailbox(GuidePainter(SPEC))
    assert mailbox.status.state == "ready" and mailbox.needs_full() and not mailbox.needs_full()
    assert not mailbox.wait(0)
    mailbox.post(asked(1, grey=50))
    mailbox.post(asked(2, grey=60))
    assert mailbox.wait(0)
    assert [painting.seq for painting in mailbox.collect()] == [1, 2]
    assert mailbox.collect() == []
    saved = mailbox.latents()
    assert saved is not None and (saved == 60).all()
    mailbox.close()
    assert mailbox.status.state == "closed"

    another = DirectMailbox(GuidePainter(SPEC))
    another.needs_full()
    another.restore(saved)
    taken = another.latents()
    assert taken is not None and (taken == 60).all() and another.needs_full()
    another.restore(np.zeros((2, 2), np.uint8))
    taken = another.latents()
    assert taken is not None and (taken == 60).all()


OPERATIONS = st.lists(st.sampled_from(["post", "send", "answer", "lose"]), max_size=40)


@settings(deadline=None, max_examples=60)
@given(OPERATIONS)
def test_every_event_is_painted_exactly_once_however_often_the_painter_is_lost(operations: list[str]) -> None:
    exchange = Exchange(SIZE)
    exchange.attach(LatentForm((4,), "uint8"))
    posted = 0
    painted: list[Event] = []
    sent: Paint | None = None
    for operation in [*operations, "lose", "send", "answer", "send", "answer"]:
        if operation == "post":
            posted += 1
            exchange.take(asked(posted, (Text(float(posted), "x"),), grey=posted))
        elif operation == "send" and sent is None:
            letter = exchange.next_letter()
            assert not isinstance(letter, Restore)
            sent = letter
            if sent is not None:  # the guide that crosses is the one of the request, not of a later one
                assert (exchange.frames.guide[sent.slot] == sent.request.seq).all()
        elif operation == "answer" and sent is not None:
            assert (exchange.frames.guide[sent.slot] == sent.request.seq).all()
            exchange.painting(Painted(sent.request.seq, (), "painted", {}))
            exchange.finish()
            painted += sent.request.events
            sent = None
        elif operation == "lose":
            exchange.lose()
            sent = None
    exchange.close()
    assert painted == [Text(float(n), "x") for n in range(1, posted + 1)]


def test_latents_of_the_last_painting_are_whole_while_the_next_is_painted() -> None:
    exchange = Exchange(SIZE)
    form = LatentForm((4,), "uint8")
    assert exchange.attach(form).serial == 0 and exchange.latents() is None
    child = exchange._memory
    assert child is not None
    for serial in range(1, 5):
        exchange.take(asked(serial))
        letter = exchange.next_letter()
        assert isinstance(letter, Paint) and letter.serial == serial
        child.publish(serial, partial(put_into, latents=np.full(4, serial, np.uint8)))
        before = exchange.latents()
        assert before is None if serial == 1 else (before == serial - 1).all()  # type: ignore[union-attr]
        exchange.finish()
    assert exchange.attach(form).serial == 4
    assert exchange.attach(LatentForm((5,), "uint8")).serial == 0
    exchange.close()


def test_restored_latents_go_before_the_next_request_and_must_fit() -> None:
    exchange = Exchange(SIZE)
    exchange.take_latents(np.full(4, 9, np.uint8))
    exchange.take(asked(1))
    exchange.attach(LatentForm((4,), "uint8"))
    assert exchange.next_letter() == Restore(1)
    letter = exchange.next_letter()
    assert isinstance(letter, Paint) and letter.serial == 2
    latents = exchange.latents()
    assert latents is not None and (latents == 9).all()
    exchange.finish()
    exchange.take_latents(np.full(4, 9, np.float32))
    assert exchange.next_letter() is None
    exchange.close()

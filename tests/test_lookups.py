"""What comes back is looked up: a window that is closed, switched to or put back, and what was undone, in a session."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.context import SLOW_SIZE, look_alone, look_of, slow_features, text_size_of
from engine.desktop.desktop import Desktop
from engine.events import Ask, Event, Key, Text
from engine.geometry import Rect
from engine.mailbox import DirectMailbox
from engine.painter import Painter, PainterSpec
from engine.session import Session
from engine.styles import PRESETS
from models.catalog import open_painter
from models.frame_cache import PatchCache
from tests.test_painters import ask, drawn

SIZE = (512, 384)


@pytest.fixture(scope="module")
def painter() -> Painter:
    return open_painter(PainterSpec(size=SIZE, device="cpu", threads=1))


@pytest.mark.parametrize(("first", "there", "back", "sources"), [
    ((), Ask(5, "Settings"), Key(6, "w", ("ctrl",)), ["painted", "cached", "cached", "cached"]),  # a window closes
    ((Ask(2, "Notes"), Ask(3, "Calculator")), Key(5, "tab", ("alt",)), Key(6, "tab", ("alt",)), ["painted", "cached", "cached", "cached"]),  # another window, and the one before
    ((Ask(2, "Calculator"),), Key(5, "enter", ("alt",)), Key(6, "enter", ("alt",)), ["painted", "cached", "cached", "cached"]),  # maximised, and put back
    ((Ask(2, "Notes"), Text(3, "word")), Text(5, "s"), Key(6, "z", ("ctrl",)), ["painted", "painted", "painted", "cached"]),  # undone
], ids=["closed", "switched", "maximised", "undone"])  # fmt: skip
def test_what_comes_back_is_looked_up(first: tuple[Event, ...], there: Event, back: Event, sources: list[str], painter: Painter) -> None:
    """There, back, there again and back again. What a letter changes is painted in other crops than what undoing it does: that is looked up the second time."""
    painter.close()  # its caches are empty
    session = Session(Desktop(SIZE), DirectMailbox(painter))
    steps = [Key(1.0, "escape"), *first, there, back, replace(there, t=7.0), replace(back, t=8.0)]
    found = [session.step([event], event.t).source for event in steps]
    assert found[-4:] == sources


def test_of_what_is_known_of_the_user_a_guide_is_painted_by_the_look_alone() -> None:
    """Which apps are open, how often, and the hour: what depends on them a guide shows."""
    style, use = PRESETS["ocean"], np.zeros((2, 16), np.float32)
    plain, other = (slow_features(style, 16, one, hour) for one, hour in ((use, 3), (use + 0.4, 15)))
    assert (plain != other).sum() > 30
    alike = [look_alone(replace(ask(drawn(3)).context, slow=slow)) for slow in (plain, other)]
    assert alike[0] == alike[1]
    assert (look_of(alike[0].slow) == look_of(plain)).all() and text_size_of(alike[0].slow) == 16 and len(alike[0].slow) == SLOW_SIZE


def test_large_patches_do_not_push_small_ones_out() -> None:
    cache = PatchCache(2.0)
    small, large = np.zeros((64, 64, 3), np.uint8), np.zeros((256, 256, 3), np.uint8)
    cache.put((Rect(0, 0, 64, 64), 0), small)
    for i in range(20):
        cache.put((Rect(0, 0, 256, 256), i), large)
    assert cache.get((Rect(0, 0, 64, 64), 0)) is small and cache.get((Rect(0, 0, 256, 256), 19)) is large
    assert cache.get((Rect(0, 0, 256, 256), 0)) is None and cache.lookups() == (3, 2)
    cache.put(None, small)
    cache.clear()
    assert cache.get((Rect(0, 0, 64, 64), 0)) is None and cache.peek(None) is None

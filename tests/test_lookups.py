"""What comes back is looked up: a window that is closed, switched to or put back, and what was undone, in a session."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

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
from models.ahead import Ahead
from models.catalog import open_painter
from models.frame_cache import PatchCache
from models.latent_painter import LatentPainter
from tests.test_painters import ask, drawn, empty, show

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
    small, large = np.full((64, 64, 3), 1, np.uint8), np.full((256, 256, 3), 2, np.uint8)
    cache.put((Rect(0, 0, 64, 64), 0), small)
    for i in range(20):
        cache.put((Rect(0, 0, 256, 256), i), large)
    assert np.array_equal(cache.get((Rect(0, 0, 64, 64), 0)), small) and np.array_equal(cache.get((Rect(0, 0, 256, 256), 19)), large)  # type: ignore[arg-type]
    assert cache.get((Rect(0, 0, 256, 256), 0)) is None and cache.lookups() == (3, 2)
    cache.put(None, small)
    cache.clear()
    assert cache.get((Rect(0, 0, 64, 64), 0)) is None and cache.peek(None) is None


@pytest.mark.parametrize("cache", [PatchCache(2.0), Ahead(2.0)], ids=["shown", "ahead"])
def test_what_is_kept_is_a_copy_of_its_own(cache: PatchCache | Ahead) -> None:
    """One of several that were painted at once does not keep the others, nor what they were painted in."""
    put, get = (cache.put, cache.peek) if isinstance(cache, PatchCache) else (cache.keep, cache.look)
    name, batch = (Rect(0, 0, 16, 8), 0), np.arange(4 * 8 * 16 * 3, dtype=np.uint8).reshape(4, 8, 16, 3)
    put(name, batch[1])
    kept, painted = get(name), batch[1].copy()
    assert kept is not None and not np.shares_memory(kept, batch) and not kept.flags.writeable
    batch[:] = 0
    assert (kept == painted).all()
    put(name, kept)
    assert get(name) is kept


def test_crops_that_overlap_leave_what_stood_there() -> None:
    """What one crop of a request shows is not what another's stood on."""
    size, (plain, other) = (256, 192), (drawn(seed) for seed in (3, 4))
    latent = cast("LatentPainter", open_painter(PainterSpec(size=size, device="cpu", threads=1)))
    frame = show(latent, empty(), ask(plain))
    first = ask(other, (Rect(64, 64, 48, 48), Rect(104, 72, 48, 96)))
    crops = latent._plan(first)
    assert len(crops) == 2 and crops[0].area.meet(crops[1].area)
    show(latent, frame.copy(), first)
    stood = latent._lookups.shown(replace(ask(plain), context=look_alone(first.context)), 1)
    for area in (crop.area for crop in crops):
        known = latent._lookups.peek(latent._lookups.name(stood, area))
        assert known is not None and (known == frame[area.slices]).all()

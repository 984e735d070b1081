"""Windows' frames in dreams: as the look has them, whatever windows hold; and what windows hold, in whichever size."""

from __future__ import annotations

import pytest
import torch

from engine.desktop.desktop import Desktop
from engine.events import Ask, Event, Key, Text
from engine.geometry import Rect
from engine.theme import Chrome
from models.dreaming.book import Book
from models.dreaming.frames import Form
from models.dreaming.planes import FILLED, SEEN, planes_of
from models.dreaming.windows import Windows
from tests.as_one import as_one
from tests.test_dream_windows import one_window, windows_alike, woken
from tests.test_dreaming import SIZE, shown


def frames(desktop: Desktop) -> torch.Tensor:
    """Where frames are seen, bool (H, W)."""
    found = torch.zeros(SIZE[1], SIZE[0], dtype=torch.bool)
    form, area = Form(desktop.text_size, desktop.style.chrome), desktop.stack.area
    for window in desktop.stack.windows:
        found[window.rect.meet(area).slices] = not window.minimised
        found[form.inside(window.rect).meet(area).slices] = False
    return found


@pytest.mark.parametrize("look", ["light", "wood", "pixel", "sketch"])
def test_frames_are_as_the_look_has_them(look: str) -> None:
    """Buttons on either side, titles in the middle, thick borders; in front, behind, maximised; after the look was asked for, too."""
    desktop = one_window()
    known = woken(desktop)
    events: list[Event] = [
        Ask(3.0, "calculator"), Ask(4.0, look), Key(5.0, "tab", ("alt",)), Key(6.0, "enter", ("alt",)), Key(7.0, "tab", ("alt",)), Key(8.0, "left", ("alt",)),
        Ask(9.0, "bigger text"), Ask(10.0, "notes"), Key(11.0, "enter", ("alt",)), Text(12.0, "."),
    ]  # fmt: skip
    seen = set()
    for event in events:
        desktop.handle(event)
        known.turn(event, desktop.features())
        at = frames(desktop) & ~covered(desktop)
        assert at.sum() > 8000
        for planes in (slice(SEEN + 1), slice(FILLED, None)):  # not what lies beneath a corner
            assert torch.equal(known.planes[planes, at], planes_of(shown(desktop))[planes, at]), event
        seen.add(desktop.style.chrome)
    assert len(seen) == (1 if look == "light" else 2)


def covered(desktop: Desktop) -> torch.Tensor:
    """Where a notice may stand, bool (H, W)."""
    out = torch.zeros(SIZE[1], SIZE[0], dtype=torch.bool)
    out[SIZE[1] // 2 :, SIZE[0] // 2 :] = True
    return out


def test_what_windows_hold_keeps_its_looks_when_the_form_of_windows_changes(book: Book) -> None:
    desktop = one_window()
    known = woken(desktop, book)
    for event in (Ask(3.0, "sketch"), Ask(30.0, "light"), Ask(60.0, "calculator"), Ask(90.0, "pixel")):
        desktop.advance(event.t - 0.1)
        desktop.handle(event)
        known.turn(event, desktop.features())
        desktop.advance(event.t + 10)  # until the notice is gone
        assert windows_alike(known, desktop) > 0.985, event


def test_an_inside_is_what_the_desktop_draws_the_app_in() -> None:
    assert Form(13).inside(Rect(10, 20, 100, 80)) == Rect(11, 47, 98, 52)
    assert Form(13, Chrome(border=3)).inside(Rect(10, 20, 100, 80)) == Rect(13, 49, 94, 48)


@pytest.mark.parametrize("app", ["Snake", "Calculator"])
def test_what_scales_with_its_window_does_so_in_a_dream(app: str) -> None:
    desktop = Desktop(SIZE)
    desktop.handle(Ask(1.0, app.casefold()))
    if app == "Snake":
        desktop.handle(Key(1.1, "p"))  # it stands still
    known = woken(desktop)
    for event in (Key(2.0, "enter", ("alt",)), Key(3.0, "enter", ("alt",))):
        desktop.handle(event)
        known.turn(event, desktop.features())
        right = planes_of(shown(desktop))
        keys = [w.rect for w in desktop.widgets if w.path.startswith(f"{app}/") and w.role in ("button", "canvas") and w.rect.h > 12]
        for rect in keys:
            for edge in (rect._replace(h=1), rect._replace(w=1)):
                alike = (known.planes[:3, *edge.slices] == right[:3, *edge.slices]).all(0).float().mean()
                assert alike > (0.5 if app == "Calculator" else 0.99), (event, rect)
    assert windows_alike(known, desktop) > 0.97, "in its old size again"


def test_what_another_version_kept_is_nothing(book: Book) -> None:
    windows = Windows(SIZE, book)
    state = as_one(windows, SIZE)
    assert windows.restore(state)
    state[2 * 8 :] = 7
    assert not windows.restore(state) and not windows.shown

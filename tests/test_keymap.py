"""The window's borders: keys, coordinates, and the echo of typed letters."""

from __future__ import annotations

import numpy as np
import pytest

from engine.drawing import Glyphs
from engine.events import Key
from engine.geometry import Rect
from engine.guide import Guide
from engine.theme import Role
from engine.typeface import Face
from tests.conftest import needed
from ui.overlay import Echo, Pointer
from ui.view import View, first_size

pygame = needed("pygame", "pygame-ce")
from ui.keymap import key_event, key_of, mods_of  # noqa: E402


def pressed(key: int, mod: int = 0) -> object:
    return key_event(pygame.event.Event(pygame.KEYDOWN, key=key, mod=mod), 1.0)


def test_named_keys_and_shortcuts_are_keys_and_letters_come_as_text() -> None:
    assert pressed(pygame.K_RETURN) == Key(1.0, "enter")
    assert pressed(pygame.K_LEFT, pygame.KMOD_LSHIFT | pygame.KMOD_LCTRL) == Key(1.0, "left", ("ctrl", "shift"))
    assert pressed(pygame.K_SPACE, pygame.KMOD_LCTRL) == Key(1.0, "space", ("ctrl",))
    assert pressed(pygame.K_c, pygame.KMOD_RCTRL) == Key(1.0, "c", ("ctrl",))
    assert pressed(pygame.K_a) is None and pressed(pygame.K_a, pygame.KMOD_LSHIFT) is None
    assert pressed(pygame.K_SPACE) is None and pressed(pygame.K_KP5) is None
    assert pressed(pygame.K_F11) == Key(1.0, "f11")


def test_the_right_alt_key_writes_letters() -> None:
    assert mods_of(pygame.KMOD_RALT) == () and mods_of(pygame.KMOD_LALT) == ("alt",)
    assert key_of(pygame.K_KP0) == "0" and key_of(pygame.K_KP9) == "9" and key_of(pygame.K_LCTRL) == ""


@pytest.mark.parametrize(
    ("window", "place"),
    [((1024, 768), (0, 0, 1024, 768)), ((1100, 800), (38, 16, 1024, 768)), ((512, 384), (0, 0, 512, 384)),
     ((900, 700), (0, 12, 900, 675)), ((256, 192), (0, 0, 256, 192))],
)  # fmt: skip
def test_the_frame_fills_the_window_by_whole_numbers_where_it_can(
    window: tuple[int, int], place: tuple[int, int, int, int]
) -> None:
    assert View.fit((512, 384), window).place == place


def test_window_positions_become_frame_pixels() -> None:
    view = View.fit((512, 384), (1100, 800))
    assert view.to_frame(38, 16) == (0, 0) and view.to_frame(0, 0) == (0, 0)
    assert view.to_frame(38 + 1023, 16 + 767) == (511, 383) == view.to_frame(5000, 5000)
    assert view.to_window(10, 10) == (58, 36) and view.holds(40, 20) and not view.holds(5, 5)
    assert first_size((512, 384), (1920, 1080)) == (1024, 768) and first_size((512, 384), (800, 600)) == (512, 384)


def guide_with(text: str) -> Guide:
    guide = Guide((128, 96))
    guide.update([Glyphs(Rect(8, 8, 110, 16), Role.INK, 8, 8, text, Face(13))])
    return guide


def test_typed_letters_are_shown_before_they_are_painted() -> None:
    before, after, frame = guide_with("ab"), guide_with("abc"), np.full((96, 128, 3), 200, np.uint8)
    echo = Echo(before.ink.copy())
    echo.follow(after, (Rect(16, 8, 32, 16),), painted=False)
    shown = echo.over(frame, after, np.array([0, 0, 0]))
    assert (shown != frame).any() and (frame == 200).all()
    echo.follow(after, (), painted=True)
    assert (echo.over(frame, after, np.array([0, 0, 0])) == frame).all()


def test_a_letter_that_is_painted_is_echoed_no_longer_while_others_wait() -> None:
    """Somebody types faster than it is painted: what has come is not shown a second time, which would make it bold, and what has not is."""
    guides = [guide_with("abcdef"[:count]) for count in range(2, 6)]
    frame, echo, rect = np.full((96, 128, 3), 200, np.uint8), Echo(guides[0].ink.copy()), Rect(8, 8, 64, 16)
    echo.follow(guides[1], (rect,), painted=False, awaited=(7,))
    echo.follow(guides[2], (rect,), painted=False, awaited=(7, 8))
    echo.follow(guides[3], (rect,), painted=False, awaited=(8, 9))  # 7 came
    apart = (echo.over(frame, guides[3], np.zeros(3)) != frame).any(-1)
    assert (apart == (guides[3].ink > guides[1].ink)).all() and apart.any()
    echo.follow(guides[3], (), painted=False, awaited=(9,))
    assert ((echo.over(frame, guides[3], np.zeros(3)) != frame).any(-1) == (guides[3].ink > guides[2].ink)).all()


def test_a_letter_in_two_rects_is_echoed_once() -> None:
    before, after, frame = guide_with("ab"), guide_with("abc"), np.full((96, 128, 3), 200, np.uint8)
    once, twice = Echo(before.ink.copy()), Echo(before.ink.copy())
    once.follow(after, (Rect(16, 8, 32, 16),), painted=False)
    twice.follow(after, (Rect(16, 8, 32, 16), Rect(16, 8, 40, 16)), painted=False)
    shown = [echo.over(frame, after, np.array([0, 0, 0])) for echo in (once, twice)]
    assert (shown[0] == shown[1]).all() and (shown[0] != frame).any()


def test_letters_that_replace_others_wait_for_the_painter() -> None:
    before, after, frame = guide_with("Paint"), guide_with("Picture"), np.full((96, 128, 3), 200, np.uint8)
    echo = Echo(before.ink.copy())
    echo.follow(after, (Rect(8, 8, 64, 16),), painted=False)
    assert echo.over(frame, after, np.array([0, 0, 0])) is frame


def test_a_window_on_its_way_leaves_no_letters_behind() -> None:
    frame = np.full((96, 128, 3), 200, np.uint8)
    before, after = guide_with("ab"), Guide((128, 96))
    after.update([Glyphs(Rect(8, 40, 110, 16), Role.INK, 8, 40, "ab", Face(13))])
    echo = Echo(before.ink.copy())
    echo.follow(after, (Rect(8, 40, 64, 16), Rect(0, 0, 128, 96)), painted=False)  # the letters' own rect is small
    assert echo.over(frame, after, np.array([0, 0, 0])) is frame
    echo.follow(after, (Rect(8, 40, 64, 16),), painted=False)  # nor does typing before it is painted
    assert echo.over(frame, after, np.array([0, 0, 0])) is frame
    echo.follow(after, (), painted=True)
    later = Guide((128, 96))
    later.update([Glyphs(Rect(8, 40, 110, 16), Role.INK, 8, 40, "abc", Face(13))])
    echo.follow(later, (Rect(16, 40, 32, 16),), painted=False)
    assert (echo.over(frame, later, np.array([0, 0, 0])) != frame).any()


def test_a_ripple_fades() -> None:
    pointer = Pointer((5, 5), True)
    pointer.press(10.0)
    assert pointer.moving(10.1) and not pointer.moving(11.0)


def test_the_right_alt_key_of_windows_that_presses_ctrl_too_still_writes() -> None:
    altgr = pygame.KMOD_RALT | pygame.KMOD_LCTRL
    assert pressed(pygame.K_q, altgr) is None and mods_of(altgr) == ()
    assert pressed(pygame.K_q, pygame.KMOD_RALT | pygame.KMOD_RCTRL) == Key(1.0, "q", ("ctrl",))


def test_the_number_pad_steers_where_num_lock_is_off() -> None:
    assert pressed(pygame.K_KP4) == Key(1.0, "left") and pressed(pygame.K_KP9) == Key(1.0, "pageup")
    assert pressed(pygame.K_KP4, pygame.KMOD_NUM) is None and pressed(pygame.K_KP_PERIOD) == Key(1.0, "delete")
    writing = pygame.event.Event(pygame.KEYDOWN, key=pygame.K_KP4, mod=0, unicode="4")
    assert key_event(writing, 1.0) is None  # a system that does not tell of Num Lock
    assert pressed(pygame.K_KP_PLUS, pygame.KMOD_LCTRL) == Key(1.0, "+", ("ctrl",))
    assert pressed(pygame.K_KP_ENTER) == Key(1.0, "enter")


def test_shortcuts_stay_in_their_places_on_keyboards_without_latin_letters() -> None:
    cyrillic = pygame.event.Event(pygame.KEYDOWN, key=0x441, mod=pygame.KMOD_LCTRL, scancode=pygame.KSCAN_C)
    assert key_event(cyrillic, 1.0) == Key(1.0, "c", ("ctrl",))
    assert key_event(pygame.event.Event(pygame.KEYDOWN, key=0x441, mod=0, scancode=pygame.KSCAN_C), 1.0) is None


def test_the_first_window_fits_the_screen() -> None:
    assert first_size((2048, 1536), (1920, 1080)) == (1368, 1026)
    assert first_size((256, 192), (3840, 2160)) == (512, 384)


def test_echoed_damage_is_remembered_once() -> None:
    guide = guide_with("ab")
    echo = Echo(guide.ink.copy())
    for _ in range(3):
        echo.follow(guide, (Rect(16, 8, 32, 16),), painted=False)
    assert echo.rects == [Rect(16, 8, 32, 16)]

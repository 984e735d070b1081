"""What is wrong in one place is found there, however right the rest is."""

from __future__ import annotations

import numpy as np

from benchmarks.blots import LEAST, OFF, SIDE, blots, measured, screens
from engine.painter import GuidePainter, PainterSpec
from engine.styles import PRESETS


def test_blots_are_found_where_they_are_the_worst_first_and_each_once() -> None:
    right = np.full((96, 128, 3), 100, np.uint8)
    assert blots(right, right) == []
    painted = right.copy()
    painted[10:22, 30:42, 1] += OFF + 1
    painted[60:66, 100:106, 2] -= OFF + 1
    painted[90:96, 0:128] += OFF
    assert blots(painted, right) == [(SIDE * SIDE, 30, 10), (36, 94, 54)] and LEAST == 29
    painted[60:66, 100:105] = 100
    assert len(blots(painted, right)) == 1


def test_its_screens_are_the_same_each_time_and_have_windows_over_the_edge() -> None:
    seen = [[(w.name, w.rect) for w in desktop.stack.windows] for _ in range(2) for number in range(3) for desktop in screens("light", number, 3)]
    assert seen[:9] == seen[9:] and len({str(windows) for windows in seen}) == 9
    assert any(rect.right > 512 or rect.x < 0 for windows in seen for _, rect in windows)


def test_a_painter_that_is_right_has_none() -> None:
    found = measured(GuidePainter(PainterSpec(size=(512, 384))), count=1)
    assert list(found) == list(PRESETS) and not any(style["blots"] for style in found.values())

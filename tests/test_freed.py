"""What a process frees: kept for its next paint, given back in time."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from engine import freed
from engine.freed import PAINTERS, WINDOWS, Freed, Heap, shape

ROOT = Path(__file__).resolve().parent.parent
TAKES_MEGABYTES_AGAIN_AND_AGAIN = """
import resource
import numpy as np
from engine.freed import Heap, shape
shape({})
for _ in range(8):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(3 << 20, np.uint8)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_freed_memory_goes_back_now_and_then_and_nowhere_else_than_with_glibc(monkeypatch: pytest.MonkeyPatch) -> None:
    trimmed: list[int] = []
    monkeypatch.setattr(freed, "_glibc", lambda _: trimmed.append)
    seldom = Freed()
    seldom.give_back()
    assert not trimmed and 0 < seldom.due <= freed.EVERY_S  # it is too early
    often = Freed(every=0.0)
    often.give_back()
    often.give_back()
    assert trimmed == [0, 0] and often.due == 0
    monkeypatch.undo()
    freed._glibc.cache_clear()
    monkeypatch.setattr(freed.ctypes, "CDLL", lambda _: object())
    Freed(every=0.0).give_back()
    shape(PAINTERS)
    freed._glibc.cache_clear()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told what to keep of what is freed; elsewhere the system decides")
@pytest.mark.parametrize(("heap", "anew"), [(PAINTERS, False), (WINDOWS, True)], ids=["painter", "window"])
def test_a_painter_keeps_what_it_frees_for_the_next_paint_and_a_window_does_not(heap: Heap, anew: bool) -> None:
    """By how many pages the system had to give, the last time."""
    code = TAKES_MEGABYTES_AGAIN_AND_AGAIN.format(heap)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert (int(done.stdout) > 500) is anew, done.stdout

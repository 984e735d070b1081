"""The meters of the tests measure: a hang is seen, and so is memory below what was taken once before."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import fuzzing
from tests.bounds import Memory, alarmed
from tests.fuzzing import Target, outcome
from tests.test_safe_loading import ROOM_MB, refused_thriftily

ROOT = Path(__file__).parent.parent
HANGS_IN_C = """
import signal, time
from tests import bounds
bounds.GRACE_S = 0.2
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
with bounds.alarmed(0.1):
    time.sleep(60)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no alarm: there a hang ends the process")
def test_an_input_that_hangs_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that waits, and one whose reader takes every exception for a refusal."""
    monkeypatch.setattr(fuzzing, "HUNG_S", 0.2)

    def stubborn(data: bytes, folder: Path) -> None:
        try:
            time.sleep(20)
        except Exception:  # noqa: BLE001
            time.sleep(20)

    begun = time.monotonic()
    for read in (lambda data, folder: time.sleep(20), stubborn):
        with pytest.raises(AssertionError, match="hung for"):
            outcome(Target(read, ()), b"")
    assert time.monotonic() - begun < 10
    with alarmed(0.1):
        """It is over before, and rings no more."""
    time.sleep(0.2)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no alarm: there a hang ends the process")
def test_what_heeds_no_alarm_ends_with_its_process() -> None:
    done = subprocess.run([sys.executable, "-c", HANGS_IN_C], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1 and "Timeout" in done.stderr and "in alarmed" not in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process reset its peak of memory, so elsewhere more than was ever taken is all that can be seen")
def test_memory_is_seen_below_what_was_taken_before() -> None:
    bytearray(int(ROOM_MB * 2) << 20)
    memory = Memory()
    bytearray(int(ROOM_MB) << 20)
    assert ROOM_MB * 0.9 < memory.more_mb < ROOM_MB * 1.1

    def greedy() -> None:
        from engine.errors import CheckpointError

        bytearray(int(ROOM_MB * 1.2) << 20)
        raise CheckpointError("no")

    with pytest.raises(AssertionError):
        refused_thriftily(greedy, "no")

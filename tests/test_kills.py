"""Nothing acknowledged is lost, whenever the session is killed."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest

from engine import events, journal, keeping, mailbox, mirror, painter, session  # noqa: F401 - taken in once, before processes are split off

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))
from kill_check import missing, type_on

KILLS = 100


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork; on Windows scripts/kill_check.py does the same")
def test_a_hundred_kills_lose_no_acknowledged_character(tmp_path: Path) -> None:
    chance = random.Random(5)
    acknowledged = 0
    for kill in range(KILLS):
        acknowledged = max(acknowledged, killed_after(tmp_path, chance.uniform(0, 0.06), typing=kill % 2 == 1))
        if kill % 5 == 4 or kill == KILLS - 1:
            assert missing(tmp_path, acknowledged) == "", f"after kill {kill + 1}"
    assert acknowledged > KILLS


def killed_after(folder: Path, seconds: float, typing: bool) -> int:
    """Type in a process of its own, killed after `seconds` of opening the session or, where `typing`, after the first letter that it
    acknowledged; how many letters it had acknowledged."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            type_on(folder, "guide", writer)
        finally:
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader, "rb", buffering=0) as told:
        said = told.read(1) if typing else b""
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        lines = (said + told.readall()).decode().split("\n")[:-1]
    return int(lines[-1]) if lines else 0

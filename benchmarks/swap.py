"""How long a change of checkpoints takes, or a new process for one that died, and whether the window goes on meanwhile.

`python -m benchmarks.swap` runs the real window (on SDL's dummy driver where no display is named) on the bundled checkpoint
and copies of it while somebody types: to one of them before there is a process in reserve, to the other once one waits, and back to the first;
then that one's process is killed while another waits. Prints one JSON document, which `--out FILE.json` keeps too. Times in milliseconds: `loading`, until
the checkpoint was open; `taking_over`, from there to its frame in the window; `lost`: from a process's death to the next one's frame in the window; `held_up`, the longest turn of the window's
loop beside waiting for input, which is how long no frame could be presented; `held_up_before`, the same over the seconds
before, in which no checkpoint was changed; `load`: programs that wanted a core, over the last minute.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import psutil

from benchmarks.machine import machine_facts
from benchmarks.result_file import leave, with_out
from benchmarks.window_loop import Typing, WindowLoop, with_some_display
from engine.desktop.desktop import Desktop
from engine.geometry import parse_size
from engine.painter import PainterSpec
from engine.session import Session
from engine.settings import Settings
from engine.swap_mailbox import SwapMailbox
from models.catalog import BUNDLED, LIBRARIES, open_carefully
from ui.display import open_window
from ui.window import Window

LONGEST_S = 180.0
WARM_UP_S = 3.0
TAKING_IN_S = 15.0  # until the process that waits has its libraries, on a slow machine


def measure(size: tuple[int, int] = (512, 384)) -> dict[str, Any]:
    """Swap to copies of the bundled checkpoint, then back to the one that is kept ready."""
    with tempfile.TemporaryDirectory() as home:
        for name in ("copy", "other"):
            shutil.copytree(BUNDLED, Path(home) / name)
        first = PainterSpec(size=size, device="auto")
        mailbox = SwapMailbox(open_carefully, first, libraries=LIBRARIES)
        session = Session(Desktop(size), mailbox)
        try:
            session.settle(LONGEST_S)
            with open_window(size, fullscreen=False) as screen:
                loop = WindowLoop(session, Window(screen, session, Settings.load(Path(home) / "settings.toml")), Typing())
                loop.run(WARM_UP_S)
                unexpected = _swap(loop, mailbox, replace(first, checkpoint=str(Path(home) / "other")))
                mailbox.spares.expect(True)
                loop.run(TAKING_IN_S)
                there = _swap(loop, mailbox, replace(first, checkpoint=str(Path(home) / "copy")))
                loop.run(WARM_UP_S)
                back = _swap(loop, mailbox, first)
                mailbox.spares.expect(True)
                loop.run(TAKING_IN_S)
                lost = _lost(loop, mailbox)
        finally:
            session.close()
    return {"machine": machine_facts(), "load": os.getloadavg() if hasattr(os, "getloadavg") else None, "size": list(size),
            "unexpected": unexpected, "there": there, "back": back, "lost": lost}  # fmt: skip


def _swap(loop: WindowLoop, mailbox: SwapMailbox, spec: PainterSpec) -> dict[str, float]:
    before, begun = max(loop.turns), monotonic()
    loop.turns.clear()
    mailbox.swap(spec)
    opened = 0.0
    while (latest := mailbox.latest) is None or latest.under_way:
        if latest is not None and latest.state == "trying":
            opened = opened or latest.since
        if monotonic() - begun > LONGEST_S:
            raise SystemExit(f"it did not take over within {LONGEST_S:.0f} s")
        loop.turn()
    if latest.state != "done":
        raise SystemExit(f"it was refused: {latest.why}")
    opened = opened or monotonic()  # within one turn of the loop
    told = {"loading": opened - begun, "taking_over": monotonic() - opened, "held_up": max(loop.turns), "held_up_before": before}
    return {name: round(seconds * 1e3, 1) for name, seconds in told.items()}


def _lost(loop: WindowLoop, mailbox: SwapMailbox) -> dict[str, float]:
    died = mailbox.pid
    if died is None:
        raise SystemExit("nobody paints whose process could be killed")
    before, begun = max(loop.turns), monotonic()
    loop.turns.clear()
    psutil.Process(died).kill()
    while mailbox.pid in (died, None) or mailbox.status.state != "ready":
        if monotonic() - begun > LONGEST_S:
            raise SystemExit(f"it did not paint again within {LONGEST_S:.0f} s")
        loop.turn()
    told = {"lost": monotonic() - begun, "held_up": max(loop.turns), "held_up_before": before}
    return {name: round(seconds * 1e3, 1) for name, seconds in told.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="512x384")
    given = with_out(parser).parse_args(arguments)
    with_some_display()
    leave(measure(parse_size(given.size)), given.out)


if __name__ == "__main__":
    main()

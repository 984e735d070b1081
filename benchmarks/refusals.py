"""How soon a checkpoint that is refused is answered for.

`python -m benchmarks.refusals FOLDER` measures every checkpoint in a folder, each by its name there, and prints one JSON document,
which `--out FILE.json` keeps too: `check`, as `models check` looks it over, in this process, which has the libraries in already; `told`, what the picker
knows of it from headers and settings; `swap`, from its choice in the picker to the refusal, where that did not refuse it before. Times in milliseconds, the best of TRIES (of `swap` only where the first was late), for other programs
take turns at the cores; a checkpoint that is not refused has no time. `scripts/refusals.py` makes the hostile checkpoints of the tests and measures them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Sequence
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psutil
import torch

from benchmarks.machine import machine_facts
from benchmarks.result_file import leave, with_out
from engine.painter import PainterSpec
from engine.swap_mailbox import SwapMailbox
from models.catalog import LIBRARIES, open_carefully
from models.check import check
from models.facts import fact
from models.places import Found

SIZE = (256, 192)
SOON_MS = 1000.0
TRIES = 2
LONGEST_WHY = 160  # letters
READY_S, LONGEST_S = 60.0, 120.0
RESTS_S, RESTING = 0.5, 0.05  # how long a process is looked at, and the share of a core up to which it waits


def measure(folder: Path, swaps: bool = True) -> dict[str, Any]:
    """Of everything in a folder."""
    places = sorted(folder.iterdir())
    check(str(places[0]), paint=False)  # the first of all takes the libraries in
    found = {path.name: _measured(path) for path in places}
    if swaps:
        _swap([path for path in places if found[path.name]["told"] is None and found[path.name]["check"] is not None], found)
    return {"machine": machine_facts(), "load": [round(load, 2) for load in os.getloadavg()] if hasattr(os, "getloadavg") else None, "soon_ms": SOON_MS,
            **{way: _summary(found, way) for way in ("check", "told", "swap")}, "checkpoints": found}  # fmt: skip


def _measured(path: Path) -> dict[str, Any]:
    told: dict[str, Any] = {"why": ""}
    answers = {"check": lambda: check(str(path)).why, "told": lambda: fact(Found(path.name, path, "checkpoint"), PainterSpec()).why}
    for way, answer in answers.items():
        took = []
        for _ in range(TRIES):
            begun = monotonic()
            why = answer()
            took.append((monotonic() - begun) * 1e3)
        told[way] = round(min(took), 1) if why else None
        told["why"] = told["why"] or why.replace(f"{path.parent}{os.sep}", "")[:LONGEST_WHY]
    return told


def _swap(places: Sequence[Path], found: dict[str, dict[str, Any]]) -> None:
    """One after the other, each expected, as while the picker is open: a process waits that has the libraries in. Who paints meanwhile
    is the guide."""
    mailbox = SwapMailbox(open_carefully, PainterSpec("guide", size=SIZE, device="cpu", threads=1), libraries=LIBRARIES)

    def answered() -> bool:
        mailbox.collect()
        return mailbox.latest is not None and not mailbox.latest.under_way

    try:
        _until(lambda: mailbox.status.state == "ready", READY_S)
        for path in (path for path in places for _ in range(TRIES)):
            best = found[path.name].get("swap", float("inf"))
            if best <= SOON_MS:
                continue  # again only where it was late
            mailbox.spares.expect(True)
            _until(lambda: _waits(mailbox.spares.pid), LONGEST_S)
            begun = monotonic()
            mailbox.swap(PainterSpec(str(path), size=SIZE, steps=1, device="cpu", threads=1))
            _until(answered, LONGEST_S)
            if mailbox.latest is not None and mailbox.latest.state == "refused":
                found[path.name]["swap"] = min(best, round((monotonic() - begun) * 1e3, 1))
    finally:
        mailbox.close()


def _waits(pid: int | None) -> bool:
    """Whether a process has the libraries in: it has nothing to do then."""
    if pid is None:
        return False
    process = psutil.Process(pid)
    before = sum(process.cpu_times()[:2])
    sleep(RESTS_S)
    return sum(process.cpu_times()[:2]) - before < RESTING * RESTS_S


def _until(condition: Any, seconds: float) -> None:
    end = monotonic() + seconds
    while not condition():
        if monotonic() > end:
            raise SystemExit(f"no answer within {seconds:.0f} s")
        sleep(0.005)


def _summary(found: dict[str, Any], way: str) -> dict[str, Any]:
    took = {name: told[way] for name, told in found.items() if told.get(way) is not None}
    if not took:
        return {"refused": 0}
    slow = [name for name, ms in took.items() if ms > SOON_MS]
    return {"refused": len(took), "p50": round(statistics.median(took.values()), 1), "max": max(took.values()), "slowest": max(took, key=lambda name: took[name]), "too_late": slow}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--no-swaps", action="store_true", help="leave out what takes a painter's process")
    given = with_out(parser).parse_args(arguments)
    if not given.folder.is_dir() or not any(given.folder.iterdir()):
        parser.error(f"{given.folder} is no folder with checkpoints in it")
    torch.set_num_threads(1)
    leave(measure(given.folder, not given.no_swaps), given.out, written)


def written(result: dict[str, Any]) -> str:
    """As JSON, with a line for each checkpoint."""
    rows = ",\n".join(f"    {json.dumps(name)}: {json.dumps(told)}" for name, told in result["checkpoints"].items())
    return json.dumps({**result, "checkpoints": {}}, indent=2).removesuffix("{}\n}") + f"{{\n{rows}\n  }}\n}}"


if __name__ == "__main__":
    main()

"""Where paintings are wrong in one place, which means over frames hide: `python -m benchmarks.blots [--checkpoint NAME]... [--out FILE.json]`.

Screens of the real apps, their windows anywhere, some over the screen's edges, each painted anew from nothing in every style, and compared with the
source's frame. A blot is a square of SIDE pixels in which more than a fifth are off by more than OFF levels. Several checkpoints paint the
same screens. Prints JSON.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.easel import Easel
from benchmarks.machine import machine_facts
from benchmarks.result_file import leave, with_out
from engine.desktop.desktop import Desktop
from engine.painter import Painter, PainterSpec
from engine.styles import PRESETS
from models.catalog import open_painter
from models.likeness import psnr
from models.synthetic.sessions import User, play, random_desktop

SIZE, SEED = (512, 384), 77
SIDE, OFF = 12, 20  # pixels; levels of 255
LEAST = SIDE * SIDE // 5 + 1  # pixels of a blot that are so far off
SCREENS, DEEDS, SHIFTED = 6, 6, 0.6  # of each style; between two; share of the windows that are put elsewhere before each


def screens(style: str, number: int, count: int) -> Iterator[Desktop]:
    """One desktop at so many moments, in a style. number: other ones for each."""
    rng = np.random.default_rng([SEED, number])
    desktop = random_desktop(rng, SIZE)
    user = User(rng, desktop, styles=False)
    for _ in range(count):
        for _ in range(DEEDS):
            play(desktop, user.act())
        for window in desktop.stack.windows:
            if rng.random() < SHIFTED:
                window.rect = window.rect.shift(int(rng.integers(-80, 140)), int(rng.integers(-20, 120)))
        desktop.prefer("style", style)
        play(desktop, user.act())
        yield desktop


def blots(painted: np.ndarray, right: np.ndarray) -> list[tuple[int, int, int]]:
    """The blots of a frame, uint8 (H, W, 3), the worst first, none over another: how many pixels are off, and the left upper corner's x and y."""
    off = (np.abs(painted.astype(int) - right).max(-1) > OFF).astype(int)
    sums = np.pad(off.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    counts, found = sums[SIDE:, SIDE:] - sums[:-SIDE, SIDE:] - sums[SIDE:, :-SIDE] + sums[:-SIDE, :-SIDE], []
    while (worst := int(counts.max())) >= LEAST:
        y, x = map(int, np.unravel_index(counts.argmax(), counts.shape))
        found.append((worst, x, y))
        counts[max(y - SIDE + 1, 0) : y + SIDE, max(x - SIDE + 1, 0) : x + SIDE] = 0
    return found


def measured(painter: Painter, count: int = SCREENS) -> dict[str, dict[str, Any]]:
    """By style: dB, the mean over its screens; how many blots there are on all of them; and the pixels that are off in the worst."""
    out = {}
    for number, style in enumerate(PRESETS):
        likeness, found = list[float](), list[tuple[int, int, int]]()
        for desktop in screens(style, number, count):
            easel = Easel(painter, desktop)
            right, fresh = easel.source(), easel.fresh()
            likeness.append(psnr(fresh, right))
            found += blots(fresh, right)
        out[style] = {"psnr_db": round(float(np.mean(likeness)), 2), "blots": len(found), "worst": max((blot[0] for blot in found), default=0)}
    return out


def compared(names: list[str]) -> dict[str, Any]:
    """The whole result. Raises CheckpointError."""
    told = []
    for name in names:
        painter = open_painter(PainterSpec(checkpoint=name, size=SIZE, device="cpu", dtype="float32"))
        by_style = measured(painter)
        painter.close()
        told.append({
            "checkpoint": painter.info.name, "sha256": painter.info.sha256, "blots": sum(s["blots"] for s in by_style.values()),
            "psnr_db": round(float(np.mean([s["psnr_db"] for s in by_style.values()])), 2), "by_style": by_style,
        })  # fmt: skip
    return {"machine": machine_facts(), "dtype": "float32", "size": list(SIZE), "screens": SCREENS * len(PRESETS), "side": SIDE, "off": OFF, "least": LEAST, "checkpoints": told}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", action="append", metavar="NAME", help="a name or a folder; said more than once, all paint the same screens (bundled)")
    given = with_out(parser).parse_args()
    leave(compared(given.checkpoint or ["bundled"]), given.out)

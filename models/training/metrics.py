"""How a run went, line by line: OUT/metrics.jsonl, and drawn: OUT/metrics.png."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib import colormaps
from matplotlib.figure import Figure

from engine.durable import replace_file

LINES, PLOT = "metrics.jsonl", "metrics.png"


class Metrics:
    """The lines of a run. Every line has `update` and `seconds`; most have `loss`, `rate` (the learning rate) and
    `crops_per_s`; one in a while has `psnr`, dB a style (see models.training.looks), their `mean`, and maybe `dream`, or a
    dreamer's `shares` (see models.training.dream_looks)."""

    def __init__(self, out: Path, done: int) -> None:
        """Go on after update `done`: what a killed run wrote beyond it is dropped. Raises OSError."""
        self.path, self.plot = out / LINES, out / PLOT
        self.lines = [line for line in read(self.path) if line["update"] <= done]
        replace_file(self.path, "".join(json.dumps(line) + "\n" for line in self.lines).encode())

    def add(self, line: dict[str, Any]) -> None:
        """Raises OSError."""
        self.lines.append(line)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def draw(self) -> None:
        """Loss, and what was looked at, over updates. Raises OSError."""
        replace_file(self.plot, drawn(self.lines))


def drawn(lines: Sequence[dict[str, Any]]) -> bytes:
    """The lines of a run as two plots, PNG: its loss, and how near held-out screens came or what share of moments was right."""
    figure = Figure(figsize=(9, 7), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    losses = [line for line in lines if "loss" in line]
    above.plot([line["update"] for line in losses], [line["loss"] for line in losses], linewidth=1)
    above.set(ylabel="loss, smoothed", yscale="log")  # one odd batch would press a whole run flat
    looks = [line for line in lines if "psnr" in line or "shares" in line]
    updates = [line["update"] for line in looks]
    kind, what = ("shares", "held-out moments, share right") if looks and "shares" in looks[-1] else ("psnr", "held-out PSNR, dB, one step")
    below.set_prop_cycle(color=colormaps["tab20"](range(20)))
    for name in looks[-1][kind] if looks else ():
        below.plot(updates, [line[kind].get(name) for line in looks], linewidth=0.8, alpha=0.6, label=name)
    for name, how, label in (("mean", "k-", "all styles"), ("dream", "k--", "what changed, no guide")):
        if any(name in line for line in looks):
            below.plot(updates, [line.get(name) for line in looks], how, marker=".", label=label)
    below.set(xlabel="updates", ylabel=what)
    if looks:
        below.legend(fontsize="x-small", loc="center left", bbox_to_anchor=(1, 0.5))
    for axes in (above, below):
        axes.grid(alpha=0.3)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=100)
    return picture.getvalue()


def in_words(line: dict[str, Any]) -> str:
    """What a look found."""
    if "shares" in line:
        return "held-out moments, " + ", ".join(f"{name} {share:.1%}" for name, share in line["shares"].items())
    dream = f", what changed without a guide {line['dream']:.2f} dB" if "dream" in line else ""
    return f"held-out screens {line['mean']:.2f} dB in {_steps(line.get('steps', 1))}{dream}"


def _steps(count: int) -> str:
    return "one step" if count == 1 else f"{count} steps"


def mean(psnr: dict[str, float]) -> float:
    """Over the styles, in dB."""
    return sum(psnr.values()) / len(psnr)


def read(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a file that a kill may have cut short."""
    lines = []
    for text in path.read_text("utf-8", errors="replace").splitlines() if path.is_file() else ():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict) and isinstance(line.get("update"), int):
            lines.append(line)
    return lines

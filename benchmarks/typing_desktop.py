"""What one key press costs the desktop as a document grows: `python -m benchmarks.typing_desktop [--presses N]`.

Types into Notes, in the middle of a document of 2,000 and of 200,000 characters, once in paragraphs of a few rows and
once in a single paragraph. A key press is the event, the new scene and its items; no guide, no painter. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from typing import Any

import numpy as np

from engine.desktop.desktop import Desktop
from engine.desktop.documents import Documents
from engine.events import Ask, Key, Text

SHORT, LONG = 2_000, 200_000  # characters
WARM_UP = 20  # key presses before any is timed
WORDS = "the lake is quiet in autumn and nobody walks along the shore before noon".split()


def prose(characters: int, paragraph: int, seed: int = 7) -> str:
    """Words in paragraphs of about `paragraph` characters; one paragraph for 0."""
    order = np.random.default_rng(seed).integers(len(WORDS), size=characters)
    text, length, row = [], 0, 0
    for choice in order.tolist():
        row += len(WORDS[choice]) + 1
        ends = bool(paragraph) and row > paragraph
        text.append(WORDS[choice] + ("\n" if ends else " "))
        row = 0 if ends else row
        length += len(text[-1])
        if length >= characters:
            break
    return "".join(text)[:characters]


def presses(text: str, count: int) -> list[float]:
    """Milliseconds of `count` key presses in the middle of `text`."""
    desktop = Desktop(documents=Documents({"long.md": text}))
    desktop.handle(Ask(0.1, "long.md"))
    notes: Any = desktop.stack.windows[-1].app
    notes.editor.act(lambda: notes.editor.buffer.move(len(text) // 2))
    desktop.stale()
    times = []
    for i in range(count + WARM_UP):
        t = 1 + i * 0.05
        event = Key(t, "space") if i % 6 == 5 else Text(t, "abcde"[i % 6])
        assert desktop.items
        start = time.perf_counter()
        desktop.handle(event)
        assert desktop.items
        times.append((time.perf_counter() - start) * 1000)
    return times[WARM_UP:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--presses", type=int, default=200)
    count = parser.parse_args().presses
    report: dict[str, Any] = {"machine": platform.processor() or platform.machine(), "presses": count}
    for form, paragraph in (("paragraphs", 300), ("one_paragraph", 0)):
        costs = {size: presses(prose(size, paragraph), count) for size in (SHORT, LONG)}
        medians = {size: statistics.median(times) for size, times in costs.items()}
        report[form] = {
            "ms_p50": {str(size): round(value, 3) for size, value in medians.items()},
            "ms_p95": {str(size): round(float(np.percentile(times, 95)), 3) for size, times in costs.items()},
            "ratio": round(medians[LONG] / medians[SHORT], 2),
        }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()

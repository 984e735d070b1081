"""Draws training runs that were begun one from the other as one: training_curves.py RUN [RUN ...] --out PNG."""

from __future__ import annotations

import argparse
from pathlib import Path

from models.training.metrics import LINES, drawn, read


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    lines, done = [], 0
    for run in given.runs:
        found = read(run / LINES)
        lines += [{**line, "update": done + line["update"]} for line in found]
        done += max(line["update"] for line in found)
    given.out.write_bytes(drawn(lines))


if __name__ == "__main__":
    main()

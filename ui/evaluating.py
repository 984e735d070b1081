"""`pixelos eval` and `pixelos eval compare`: scores in a JSON file, and a page beside it to look at."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine.errors import InputError
from engine.painter import DREAMER
from ui.measuring import beside, check_file, page_to, say, write_results
from ui.options import Choice


def evaluate_to(choice: Choice, out: Path | None, quick: bool, drift_frames: int | None, without: str | None = None) -> None:
    """Score the checkpoint; write the scores, and the page under the same name."""
    if out is None:
        raise InputError("--out FILE.json is missing: where the scores go")
    if drift_frames is not None and drift_frames < 1:
        raise InputError(f"--drift-frames {drift_frames} cannot be; give a whole number from 1")
    spec = choice.spec()
    if drift_frames is not None and spec.mode == "dream":
        raise InputError("--drift-frames counts guided frames; leave it out with --mode dream")
    if without not in (None, DREAMER):
        raise InputError(f"--without {without} is nothing that a checkpoint can be scored without; give --without {DREAMER}")
    if without and spec.mode != "dream":
        raise InputError(f"--without {without} is about dreams; give --mode dream as well")
    spec = replace(spec, without=(without,) if without else ())
    page = beside(out, ".html")
    for file in (out, page):
        check_file(file)
    from models.catalog import first_look

    first_look(spec)
    from benchmarks.quality import evaluated
    from benchmarks.quality_report import quality_page

    evaluation = evaluated(spec, quick, say, drift_frames)
    scores = (json.dumps(evaluation.scores, indent=1) + "\n").encode()
    write_results({out: scores, page: quality_page(evaluation)})


def compare_to(results: Sequence[Path], out: Path | None) -> None:
    """Lay evaluations side by side: a page, and the same as Markdown beside it."""
    from benchmarks.quality_compare import compared

    page_to(out, lambda: compared(results))

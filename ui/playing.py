"""`pixelos replay`: a trace, the painter it asks for, and a folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from engine.errors import InputError, SizeError
from engine.geometry import parse_size
from engine.replay import FRAMES, THREADS, check_out
from engine.replay import replay as play_trace
from engine.trace import read_trace
from ui.options import Choice
from ui.progress import progress

DEMO = Path(__file__).parent / "demo.jsonl"


def play(choice: Choice, trace_path: Path, out: Path, frames: str) -> None:
    """Play the trace; everything that can be refused is refused before the painter is opened."""
    if frames not in FRAMES:
        raise InputError(f"--frames {frames!r} is not known; use one of {', '.join(FRAMES)}")
    trace = read_trace(trace_path)
    header = trace.header
    if choice.size is not None and parse_size(choice.size) != header.size:
        raise SizeError(
            f"--size {choice.size} differs from the trace's {header.size[0]}x{header.size[1]}; leave --size out"
        )
    check_out(out)
    trace = replace(trace, header=replace(header, style=choice.style or header.style))
    said = {"checkpoint": header.checkpoint, "mode": header.mode}
    spec = choice.spec(
        size=header.size, seed=header.seed, threads=THREADS, **{k: v for k, v in said.items() if v is not None}
    )
    from models.catalog import open_painter

    with progress("replaying") as show:
        report = play_trace(trace, open_painter(spec), spec, out, frames, show)
    print(f"{len(report['steps'])} steps played by {report['checkpoint']['name']}; see {out / 'report.json'}")
